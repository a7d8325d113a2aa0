/* Busy polling: how long the driver looks before it sleeps, in a time that moves when it is read.
 */
#include "rig.h"

#include <unistd.h>

#define US 1000

struct busy {
    struct iskra_platform pf;
    const struct iskra_platform *real;
    uint64_t now_ns, step_ns; /* what each reading of the clock takes */
    unsigned read_cnt;
    unsigned wait_cnt;
    int64_t timeout_ns; /* of the last wait */
    /* At this reading of the clock. */
    unsigned event_at;
    void (*event)(struct busy *b);
    struct rig *rig;
    struct fake_port *port;
};

static uint64_t busy_now_ns(void *arg)
{
    struct busy *b = arg;
    b->now_ns += b->step_ns;
    if (++b->read_cnt == b->event_at)
        b->event(b);
    return b->now_ns;
}

static int busy_wait(void *arg, struct pollfd *fds, unsigned fd_cnt, int64_t timeout_ns)
{
    struct busy *b = arg;
    b->wait_cnt++;
    b->timeout_ns = timeout_ns;
    b->now_ns += timeout_ns > 0 ? (uint64_t)timeout_ns : 0;
    return 0;
}

static void busy_begin(struct busy *b, struct rig *rig, uint64_t spin_ns)
{
    *b = (struct busy){.pf = *rig->round.pf, .real = rig->round.pf, .step_ns = US, .rig = rig};
    b->pf.arg = b;
    b->pf.now_ns = busy_now_ns;
    b->pf.wait = busy_wait;
    rig->round.pf = &b->pf;
    rig->driver->spin_ns = spin_ns;
}

static void busy_end(struct busy *b)
{
    b->rig->round.pf = b->real;
}

static void who_is_not_to_spin_sleeps_at_once(void **state)
{
    struct busy b;
    busy_begin(&b, *state, 0);
    assert_int_equal(iskra_driver_poll(b.rig->driver, 1000 * US), 0);
    assert_int_equal(b.wait_cnt, 1);
    assert_int_equal(b.timeout_ns, 1000 * US);
    assert_int_equal(b.read_cnt, 1);
    busy_end(&b);
}

static void after_the_budget_it_sleeps_for_the_rest(void **state)
{
    struct busy b;
    busy_begin(&b, *state, 50 * US);
    assert_int_equal(iskra_driver_poll(b.rig->driver, 1000 * US), 0);
    assert_int_equal(b.wait_cnt, 1);
    assert_int_equal(b.timeout_ns, 1000 * US - 50 * US);
    assert_int_equal(b.read_cnt, 1 + 50 + 1); /* begin, looks, the round's */
    busy_end(&b);
}

static void a_wait_without_a_limit_stays_one_after_the_budget(void **state)
{
    struct busy b;
    busy_begin(&b, *state, 50 * US);
    assert_int_equal(iskra_driver_poll(b.rig->driver, -1), 0);
    assert_int_equal(b.wait_cnt, 1);
    assert_int_equal(b.timeout_ns, -1);
    busy_end(&b);
}

static void who_does_not_wait_does_not_spin(void **state)
{
    struct busy b;
    busy_begin(&b, *state, 50 * US);
    assert_int_equal(iskra_driver_poll(b.rig->driver, 0), 0);
    assert_int_equal(b.wait_cnt, 0);
    assert_int_equal(b.read_cnt, 1);
    busy_end(&b);
}

static void a_timer_is_not_late_by_more_than_a_few_looks(void **state)
{
    struct busy b;
    busy_begin(&b, *state, 1000000 * US);
    assert_int_equal(iskra_driver_poll(b.rig->driver, 20 * US), 0);
    assert_int_equal(b.now_ns, (1 + 20 + 1) * US); /* begin, looks, the round's */
    assert_true(b.wait_cnt == 0 || b.timeout_ns == 0);
    busy_end(&b);
}

static void send_answer(struct busy *b)
{
    peer_send(b->port, "12345", 5);
}

static void an_answer_meanwhile_is_taken_without_sleeping(void **state)
{
    struct busy b;
    struct fake_port p;
    port_open(*state, &p);
    busy_begin(&b, *state, 50 * US);
    (void)iskra_driver_poll(b.rig->driver, 0); /* the socket's first event: it can be written to */
    b.port = &p;
    b.event = send_answer;
    b.event_at = 10;
    assert_int_equal(iskra_driver_poll(b.rig->driver, -1), 1);
    assert_int_equal(b.wait_cnt, 0);
    assert_int_equal(p.received, 5);
    assert_int_equal(b.read_cnt, 10 + 1); /* the round's own */
    assert_int_equal(b.rig->round.now_ns, b.now_ns);
    busy_end(&b);
    port_close(&p);
}

static void ring(struct busy *b)
{
    iskra_driver_wake(b->rig->driver);
}

static void a_wake_meanwhile_is_seen_at_once(void **state)
{
    struct busy b;
    busy_begin(&b, *state, 50 * US);
    b.event = ring;
    b.event_at = 10;
    assert_int_equal(iskra_driver_poll(b.rig->driver, -1), 1);
    assert_int_equal(b.wait_cnt, 0);
    assert_int_equal(b.read_cnt, 10 + 1);
    busy_end(&b);
}

static void a_clock_that_stands_still_makes_no_endless_loop(void **state)
{
    struct busy b;
    busy_begin(&b, *state, 50 * US);
    b.step_ns = 0;
    assert_int_equal(iskra_driver_poll(b.rig->driver, -1), 0);
    assert_int_equal(b.wait_cnt, 1);
    busy_end(&b);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_is_not_to_spin_sleeps_at_once),
        TEST(after_the_budget_it_sleeps_for_the_rest),
        TEST(a_wait_without_a_limit_stays_one_after_the_budget),
        TEST(who_does_not_wait_does_not_spin),
        TEST(a_timer_is_not_late_by_more_than_a_few_looks),
        TEST(an_answer_meanwhile_is_taken_without_sleeping),
        TEST(a_wake_meanwhile_is_seen_at_once),
        TEST(a_clock_that_stands_still_makes_no_endless_loop),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
