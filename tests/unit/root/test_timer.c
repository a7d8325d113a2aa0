/* Exact timers. */
#include "heap_platform.h"

#include <errno.h>

#include "timer.h"

#define TIMER_CNT 64

static struct iskra_timers set;
static struct iskra_timer timers[TIMER_CNT];
static unsigned fired[4 * TIMER_CNT]; /* numbers of the timers that ran, in order */
static unsigned fired_cnt;

static void note(struct iskra_timer *t, uint64_t now_ns)
{
    assert_false(iskra_timer_armed(t));
    assert_true(t->deadline_ns <= now_ns);
    assert_true(fired_cnt < sizeof(fired) / sizeof(fired[0]));
    fired[fired_cnt++] = (unsigned)(t - timers);
}

static void rearm_now(struct iskra_timer *t, uint64_t now_ns)
{
    note(t, now_ns);
    iskra_timer_arm(t, now_ns);
}

static void rearm_later(struct iskra_timer *t, uint64_t now_ns)
{
    note(t, now_ns);
    iskra_timer_arm(t, now_ns + 10);
}

static void disarm_next(struct iskra_timer *t, uint64_t now_ns)
{
    note(t, now_ns);
    iskra_timer_disarm(t + 1);
}

static void arm_next_and_disarm_it(struct iskra_timer *t, uint64_t now_ns)
{
    note(t, now_ns);
    iskra_timer_arm(t + 1, now_ns);
    iskra_timer_disarm(t + 1);
}

static void arm_next_in_the_past(struct iskra_timer *t, uint64_t now_ns)
{
    note(t, now_ns);
    iskra_timer_arm(t + 1, 0);
}

static void finish_itself(struct iskra_timer *t, uint64_t now_ns)
{
    note(t, now_ns);
    iskra_timer_done(t);
}

static struct heap heap;
static struct iskra_platform pf;

static int set_up(void **state)
{
    heap = (struct heap){0};
    pf = heap_platform(&heap);
    memset(timers, 0, sizeof(timers));
    fired_cnt = 0;
    iskra_timers_init(&set, &pf);
    for (unsigned i = 0; i < TIMER_CNT; i++)
        if (iskra_timer_init(&timers[i], &set, note) < 0)
            return -1;
    return 0;
}

static int tear_down(void **state)
{
    for (unsigned i = 0; i < TIMER_CNT; i++)
        iskra_timer_done(&timers[i]);
    iskra_timers_done(&set);
    return heap.out_cnt == 0 ? 0 : -1;
}

static void timers_run_in_order_of_deadline(void **state)
{
    for (unsigned i = 0; i < TIMER_CNT; i++)
        iskra_timer_arm(&timers[i], 1000 + i * 37 % TIMER_CNT);
    assert_true(iskra_timers_next_ns(&set) == 1000);
    assert_int_equal(iskra_timers_run(&set, 2000), TIMER_CNT);
    assert_int_equal(fired_cnt, TIMER_CNT);
    for (unsigned i = 1; i < TIMER_CNT; i++)
        assert_true(timers[fired[i - 1]].deadline_ns < timers[fired[i]].deadline_ns);
    assert_true(iskra_timers_next_ns(&set) == ISKRA_NEVER);
}

static void a_timer_runs_at_its_deadline_and_not_before(void **state)
{
    iskra_timer_arm(&timers[0], 100);
    assert_int_equal(iskra_timers_run(&set, 99), 0);
    assert_true(iskra_timer_armed(&timers[0]));
    assert_int_equal(iskra_timers_run(&set, 100), 1);
    assert_int_equal(iskra_timers_run(&set, 200), 0);
}

static void arming_again_moves_the_deadline_both_ways(void **state)
{
    iskra_timer_arm(&timers[0], 100);
    iskra_timer_arm(&timers[1], 200);
    iskra_timer_arm(&timers[0], 300);
    assert_true(iskra_timers_next_ns(&set) == 200);
    iskra_timer_arm(&timers[0], 50);
    assert_true(iskra_timers_next_ns(&set) == 50);
    assert_int_equal(iskra_timers_run(&set, 400), 2);
    assert_int_equal(fired[0], 0);
    assert_int_equal(fired[1], 1);
}

static void disarming_is_idempotent(void **state)
{
    iskra_timer_arm(&timers[0], 100);
    iskra_timer_disarm(&timers[0]);
    iskra_timer_disarm(&timers[0]);
    iskra_timer_disarm(&timers[1]);
    assert_false(iskra_timer_armed(&timers[0]));
    assert_int_equal(iskra_timers_run(&set, 1000), 0);
}

static void a_timer_rearmed_at_now_waits_for_the_next_call(void **state)
{
    timers[0].fn = rearm_now;
    iskra_timer_arm(&timers[0], 100);
    iskra_timer_arm(&timers[1], 100);
    iskra_timer_arm(&timers[2], 90);
    assert_int_equal(iskra_timers_run(&set, 100), 3);
    assert_true(iskra_timer_armed(&timers[0]));
    assert_true(iskra_timers_next_ns(&set) == 100);
    assert_int_equal(iskra_timers_run(&set, 100), 1);
    assert_int_equal(fired[3], 0);
}

static void one_armed_in_the_past_from_within_waits_too_and_then_comes_first(void **state)
{
    timers[0].fn = arm_next_in_the_past;
    iskra_timer_arm(&timers[0], 100);
    for (unsigned i = 2; i < TIMER_CNT; i++)
        iskra_timer_arm(&timers[i], 100 + i);
    assert_int_equal(iskra_timers_run(&set, 100), 1);
    assert_true(iskra_timers_next_ns(&set) == 0);
    assert_int_equal(iskra_timers_run(&set, 1000), TIMER_CNT - 1);
    assert_int_equal(fired[1], 1);
    for (unsigned i = 2; i < TIMER_CNT; i++)
        assert_int_equal(fired[i], i);
}

static void one_rearmed_for_later_keeps_its_place(void **state)
{
    timers[0].fn = rearm_later;
    iskra_timer_arm(&timers[0], 100);
    iskra_timer_arm(&timers[1], 105);
    assert_int_equal(iskra_timers_run(&set, 100), 1);
    assert_true(iskra_timers_next_ns(&set) == 105);
    assert_int_equal(iskra_timers_run(&set, 109), 1);
    assert_int_equal(iskra_timers_run(&set, 110), 1);
    assert_int_equal(fired[2], 0);
}

static void a_timer_may_disarm_one_that_is_due(void **state)
{
    timers[0].fn = disarm_next;
    iskra_timer_arm(&timers[0], 100);
    iskra_timer_arm(&timers[1], 101);
    iskra_timer_arm(&timers[2], 102);
    assert_int_equal(iskra_timers_run(&set, 200), 2);
    assert_int_equal(fired[1], 2);
}

static void one_that_waits_can_be_disarmed(void **state)
{
    timers[0].fn = arm_next_and_disarm_it;
    iskra_timer_arm(&timers[0], 100);
    iskra_timer_arm(&timers[2], 300);
    assert_int_equal(iskra_timers_run(&set, 200), 1);
    assert_true(iskra_timers_next_ns(&set) == 300);
    assert_int_equal(set.held_cnt, 0);
}

static void a_timer_may_finish_itself(void **state)
{
    timers[0].fn = finish_itself;
    iskra_timer_arm(&timers[0], 100);
    iskra_timer_arm(&timers[1], 101);
    assert_int_equal(iskra_timers_run(&set, 200), 2);
    assert_int_equal(set.reserved, TIMER_CNT - 1);
}

static void arming_and_running_allocates_nothing(void **state)
{
    unsigned before_cnt = heap.call_cnt;
    heap.empty = 1;
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned i = 0; i < TIMER_CNT; i++)
            iskra_timer_arm(&timers[i], i);
        iskra_timers_run(&set, 1000);
    }
    assert_int_equal(heap.call_cnt, before_cnt);
    assert_int_equal(fired_cnt, 3 * TIMER_CNT);
}

/* Against a list that is searched in full, with a fixed seed. */
static void random_arming_and_disarming_agrees_with_a_plain_list(void **state)
{
    uint64_t deadlines[TIMER_CNT];
    for (unsigned i = 0; i < TIMER_CNT; i++)
        deadlines[i] = ISKRA_NEVER;
    uint32_t seed = 20250107;
    for (unsigned step = 0; step < 20000; step++) {
        seed = seed * 1664525 + 1013904223;
        unsigned i = (seed >> 8) % TIMER_CNT;
        if (seed >> 31) {
            deadlines[i] = (seed >> 4) % 1000;
            iskra_timer_arm(&timers[i], deadlines[i]);
        } else {
            deadlines[i] = ISKRA_NEVER;
            iskra_timer_disarm(&timers[i]);
        }
        uint64_t next_ns = ISKRA_NEVER;
        for (unsigned k = 0; k < TIMER_CNT; k++)
            next_ns = deadlines[k] < next_ns ? deadlines[k] : next_ns;
        assert_true(iskra_timers_next_ns(&set) == next_ns);
    }
}

static void without_memory_a_timer_is_refused(void **state)
{
    struct heap none = {.empty = 1};
    const struct iskra_platform none_pf = heap_platform(&none);
    struct iskra_timers empty_set;
    struct iskra_timer t;
    iskra_timers_init(&empty_set, &none_pf);
    assert_int_equal(iskra_timer_init(&t, &empty_set, note), -ENOMEM);
    iskra_timer_done(&t);
    iskra_timers_done(&empty_set);
    assert_int_equal(none.out_cnt, 0);
}

static void a_zeroed_timer_can_be_done_and_disarmed(void **state)
{
    struct iskra_timer t = {0};
    iskra_timer_disarm(&t);
    iskra_timer_done(&t);
    assert_false(iskra_timer_armed(&t));
}

#define TIMER_TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TIMER_TEST(timers_run_in_order_of_deadline),
        TIMER_TEST(a_timer_runs_at_its_deadline_and_not_before),
        TIMER_TEST(arming_again_moves_the_deadline_both_ways),
        TIMER_TEST(disarming_is_idempotent),
        TIMER_TEST(a_timer_rearmed_at_now_waits_for_the_next_call),
        TIMER_TEST(one_armed_in_the_past_from_within_waits_too_and_then_comes_first),
        TIMER_TEST(one_rearmed_for_later_keeps_its_place),
        TIMER_TEST(a_timer_may_disarm_one_that_is_due),
        TIMER_TEST(one_that_waits_can_be_disarmed),
        TIMER_TEST(a_timer_may_finish_itself),
        TIMER_TEST(arming_and_running_allocates_nothing),
        TIMER_TEST(random_arming_and_disarming_agrees_with_a_plain_list),
        cmocka_unit_test(without_memory_a_timer_is_refused),
        cmocka_unit_test(a_zeroed_timer_can_be_done_and_disarmed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
