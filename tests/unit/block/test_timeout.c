/* Deadlines: grid, lists, the one timer, verdicts, and completions that race them. */
#include "unit/block/block_rig.h"

static void rounding_is_up_to_the_grid_and_never_early(void **state)
{
    static const struct {
        uint64_t deadline_ns, timeout_ns, want_ns;
    } rows[] = {
        {130 * RIG_S, 30 * RIG_S, 130 * RIG_S},
        {130 * RIG_S + 1, 30 * RIG_S, 131 * RIG_S},
        {131 * RIG_S - 1, 30 * RIG_S, 131 * RIG_S},
        {102 * RIG_S + 1, 2 * RIG_S, 103 * RIG_S},
        {102 * RIG_S - 1, 2 * RIG_S - 1, 102 * RIG_S},
        {101 * RIG_S + 1, RIG_S, 101 * RIG_S + RIG_MS},
        {101 * RIG_S + RIG_MS, RIG_S, 101 * RIG_S + RIG_MS},
        {100 * RIG_S + 1, 1, 100 * RIG_S + RIG_MS},
        {UINT64_MAX, 30 * RIG_S, UINT64_MAX},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint64_t got_ns = iskra_timeout_round_up(rows[i].deadline_ns, rows[i].timeout_ns);
        assert_int_equal(got_ns, rows[i].want_ns);
        assert_true(got_ns >= rows[i].deadline_ns);
    }
}

static void a_request_expires_on_the_whole_second_after_its_deadline(void **state)
{
    struct rig *r = *state;

    r->round.now_ns = 100 * RIG_S + 300 * RIG_MS;
    rig_submit(r, 0); /* 30 s: deadline 130.3 s */
    rig_advance_to(r, 131 * RIG_S - 1);
    assert_int_equal(r->expired_cnt, 0);
    rig_advance_to(r, 131 * RIG_S);
    assert_int_equal(r->expired_cnt, 1);
    assert_int_equal(r->expired_ns[0], 131 * RIG_S);
}

static void a_short_timeout_expires_on_the_millisecond(void **state)
{
    struct rig *r = *state;

    r->round.now_ns = 100 * RIG_S + 400000; /* 0.4 ms */
    rig_submit_with_timeout(r, 0, 50 * RIG_MS);
    rig_advance_to(r, 100 * RIG_S + 51 * RIG_MS - 1);
    assert_int_equal(r->expired_cnt, 0);
    rig_advance_to(r, 100 * RIG_S + 51 * RIG_MS);
    assert_int_equal(r->expired_cnt, 1);
}

static void the_first_arming_is_capped_at_five_seconds_and_finds_nothing(void **state)
{
    struct rig *r = *state;

    rig_submit(r, 0);
    assert_int_equal(iskra_timers_next_ns(&r->round.timers), 105 * RIG_S);
    rig_advance_to(r, 105 * RIG_S);
    assert_int_equal(r->expired_cnt, 0);
    assert_int_equal(iskra_timers_next_ns(&r->round.timers), 130 * RIG_S);
}

static void a_shorter_deadline_moves_the_timer_forward_and_a_longer_one_does_not(void **state)
{
    struct rig *r = *state;

    rig_submit_with_timeout(r, 0, 4 * RIG_S);
    assert_int_equal(iskra_timers_next_ns(&r->round.timers), 104 * RIG_S);
    rig_submit_with_timeout(r, 1, 10 * RIG_MS);
    assert_int_equal(iskra_timers_next_ns(&r->round.timers), 100 * RIG_S + 10 * RIG_MS);
    rig_submit_with_timeout(r, 2, 30 * RIG_S);
    assert_int_equal(iskra_timers_next_ns(&r->round.timers), 100 * RIG_S + 10 * RIG_MS);
}

static void completion_leaves_the_timer_to_fire_for_nothing_once(void **state)
{
    struct rig *r = *state;

    rig_submit(r, 0);
    assert_true(iskra_complete_request(&r->rqs[0].rq));
    rig_work(r);
    assert_int_equal(iskra_timers_next_ns(&r->round.timers), 105 * RIG_S);
    rig_advance_to(r, 105 * RIG_S);
    assert_int_equal(r->expired_cnt, 0);
    assert_true(iskra_timers_next_ns(&r->round.timers) == ISKRA_NEVER);
}

/* More values than lists, in an order in which none is sorted; every request expires at its own
 * time. */
static void many_timeout_values_each_expire_in_their_own_time(void **state)
{
    struct rig *r = *state;
    uint64_t deadlines_ns[RIG_RQ_CNT];

    r->verdict = ISKRA_EH_NOT_HANDLED;
    for (int i = 0; i < RIG_RQ_CNT; i++) {
        uint64_t timeout_ns = (uint64_t)((i * 37) % 29 + 1) * 333 * RIG_MS; /* 0.3 to 9.7 s */
        rig_advance_to(r, r->round.now_ns + 11 * RIG_MS);
        rig_submit_with_timeout(r, i, timeout_ns);
        deadlines_ns[i] = r->round.now_ns + timeout_ns;
    }
    rig_advance_to(r, 120 * RIG_S);
    assert_int_equal(r->expired_cnt, RIG_RQ_CNT);
    for (unsigned n = 0; n < r->expired_cnt; n++) {
        const struct rig_rq *rq = &r->rqs[r->expired[n]];
        uint64_t deadline_ns = deadlines_ns[rq->id];
        assert_true(r->expired_ns[n] >= deadline_ns);
        assert_true(r->expired_ns[n] <= iskra_timeout_round_up(deadline_ns, rq->rq.timeout_ns));
    }
    assert_true(iskra_timers_next_ns(&r->round.timers) == ISKRA_NEVER);
}

static void each_value_has_its_list_until_only_the_shared_one_is_left(void **state)
{
    struct rig *r = *state;

    for (int i = 0; i < 12; i++)
        rig_submit_with_timeout(r, i,
                                (uint64_t)(40 - i) * RIG_S); /* each one shorter than before */
    for (int i = 0; i < ISKRA_TIMEOUT_CLASSES - 1; i++)
        assert_int_equal(r->q.timeouts.values_ns[i], (uint64_t)(40 - i) * RIG_S);
    /* The shared list is sorted all the same: 40 - 11 first. */
    const struct iskra_list *shared = &r->q.timeouts.lists[ISKRA_TIMEOUT_CLASSES - 1];
    assert_ptr_equal(shared->next, &r->rqs[11].rq.timeout_link);
    assert_ptr_equal(shared->prev, &r->rqs[7].rq.timeout_link);
    /* A list that fell empty serves another value. */
    assert_true(iskra_complete_request(&r->rqs[3].rq));
    rig_submit_with_timeout(r, 20, 7 * RIG_S);
    assert_int_equal(r->q.timeouts.values_ns[3], 7 * RIG_S);
    assert_ptr_equal(r->q.timeouts.lists[3].next, &r->rqs[20].rq.timeout_link);
}

static void reset_timer_gives_a_full_timeout_from_now_and_the_target_keeps_it(void **state)
{
    struct rig *r = *state;

    rig_submit_with_timeout(r, 0, 10 * RIG_S);
    rig_advance_to(r, 110 * RIG_S);
    assert_int_equal(r->expired_cnt, 1);
    assert_int_equal(r->rqs[0].rq.owner, ISKRA_OWNER_TARGET);
    rig_advance_to(r, 120 * RIG_S - 1);
    assert_int_equal(r->expired_cnt, 1);
    rig_advance_to(r, 120 * RIG_S);
    assert_int_equal(r->expired_cnt, 2);
    assert_true(iskra_complete_request(&r->rqs[0].rq));
    rig_work(r);
    assert_int_equal(r->done_cnt, 1);
}

static void handled_completes_the_request_once(void **state)
{
    struct rig *r = *state;

    r->verdict = ISKRA_EH_HANDLED;
    rig_submit(r, 0);
    rig_advance_to(r, 130 * RIG_S);
    assert_int_equal(r->done_cnt, 1);
    assert_false(iskra_complete_request(&r->rqs[0].rq));
    rig_work(r);
    assert_int_equal(r->done_cnt, 1);
}

static void not_handled_leaves_it_to_the_error_handler_and_late_answers_change_nothing(void **state)
{
    struct rig *r = *state;

    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_submit(r, 0);
    rig_advance_to(r, 130 * RIG_S);
    assert_int_equal(r->rqs[0].rq.owner, ISKRA_OWNER_EH);
    assert_false(iskra_complete_request(&r->rqs[0].rq));
    rig_work(r);
    assert_int_equal(r->done_cnt, 0);
    rig_advance_to(r, 300 * RIG_S); /* nor does it expire again */
    assert_int_equal(r->expired_cnt, 1);
    assert_true(iskra_finish_eh_request(&r->rqs[0].rq));
    assert_false(iskra_finish_eh_request(&r->rqs[0].rq));
    rig_work(r);
    assert_int_equal(r->done_cnt, 1);
}

static void a_completion_between_the_timer_and_its_work_wins(void **state)
{
    struct rig *r = *state;

    rig_submit_with_timeout(r, 0, 10 * RIG_MS);
    r->round.now_ns += 10 * RIG_MS;
    assert_int_equal(iskra_timers_run(&r->round.timers, r->round.now_ns), 1);
    assert_int_equal(r->expired_cnt, 0); /* only its work is queued */
    assert_true(iskra_complete_request(&r->rqs[0].rq));
    rig_work(r);
    assert_int_equal(r->expired_cnt, 0);
    assert_int_equal(r->done_cnt, 1);
}

/* Runs the timers that are due, with the work behind them, once: a round. */
static void round_at(struct rig *r, uint64_t now_ns)
{
    r->round.now_ns = now_ns;
    iskra_timers_run(&r->round.timers, now_ns);
    rig_work(r);
}

static void the_verdict_is_asked_a_round_after_the_expiry(void **state)
{
    struct rig *r = *state;

    rig_submit_with_timeout(r, 0, 10 * RIG_MS);
    round_at(r, r->round.now_ns + 10 * RIG_MS);
    assert_int_equal(r->rqs[0].rq.owner, ISKRA_OWNER_EH);
    assert_int_equal(r->expired_cnt, 0);
    assert_true(iskra_timers_next_ns(&r->round.timers) <= r->round.now_ns); /* no waiting */
    round_at(r, r->round.now_ns);
    assert_int_equal(r->expired_cnt, 1);
    assert_int_equal(r->rqs[0].rq.owner, ISKRA_OWNER_TARGET);
}

static void a_completion_between_expiry_and_verdict_is_not_delivered_and_handled_once(void **state)
{
    struct rig *r = *state;

    r->verdict = ISKRA_EH_HANDLED; /* what a session says that has given the command back */
    rig_submit_with_timeout(r, 0, 10 * RIG_MS);
    round_at(r, r->round.now_ns + 10 * RIG_MS);
    assert_false(iskra_complete_request(&r->rqs[0].rq));
    rig_work(r);
    assert_int_equal(r->done_cnt, 0);
    round_at(r, r->round.now_ns);
    assert_int_equal(r->expired_cnt, 1);
    assert_int_equal(r->done_cnt, 1);
    rig_advance_to(r, r->round.now_ns + 60 * RIG_S);
    assert_int_equal(r->done_cnt, 1);
}

static void an_heir_takes_over_what_has_expired(void **state)
{
    struct rig *r = *state;

    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_submit_with_timeout(r, 0, 10 * RIG_MS);
    round_at(r, r->round.now_ns + 10 * RIG_MS);
    iskra_move_request(&r->rqs[0].rq, &r->rqs[1].rq);
    round_at(r, r->round.now_ns);
    assert_int_equal(r->expired_cnt, 1);
    assert_int_equal(r->expired[0], 1);
    assert_int_equal(r->rqs[0].rq.owner, ISKRA_OWNER_DONE);
    assert_true(iskra_finish_eh_request(&r->rqs[1].rq));
}

static void a_completion_before_the_timer_wins(void **state)
{
    struct rig *r = *state;

    rig_submit_with_timeout(r, 0, 10 * RIG_MS);
    r->round.now_ns += 10 * RIG_MS;
    assert_true(iskra_complete_request(&r->rqs[0].rq)); /* received first (decision 6) */
    rig_advance_to(r, r->round.now_ns);
    assert_int_equal(r->expired_cnt, 0);
    assert_int_equal(r->done_cnt, 1);
}

static void those_that_expire_together_are_judged_in_order(void **state)
{
    struct rig *r = *state;

    r->verdict = ISKRA_EH_NOT_HANDLED;
    for (int i = 0; i < 20; i++)
        rig_submit(r, i);
    for (int i = 0; i < 20; i += 2)
        assert_true(iskra_complete_request(&r->rqs[i].rq));
    rig_advance_to(r, 130 * RIG_S);
    assert_int_equal(r->expired_cnt, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(r->expired[i], 2 * i + 1);
}

static void a_deadline_beyond_the_end_of_time_never_comes(void **state)
{
    struct rig *r = *state;

    rig_submit_with_timeout(r, 0, UINT64_MAX);
    assert_true(r->rqs[0].rq.deadline_ns == UINT64_MAX);
    rig_advance_to(r, 1000000 * RIG_S);
    assert_int_equal(r->expired_cnt, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(rounding_is_up_to_the_grid_and_never_early),
        T(a_request_expires_on_the_whole_second_after_its_deadline),
        T(a_short_timeout_expires_on_the_millisecond),
        T(the_first_arming_is_capped_at_five_seconds_and_finds_nothing),
        T(a_shorter_deadline_moves_the_timer_forward_and_a_longer_one_does_not),
        T(completion_leaves_the_timer_to_fire_for_nothing_once),
        T(many_timeout_values_each_expire_in_their_own_time),
        T(each_value_has_its_list_until_only_the_shared_one_is_left),
        T(reset_timer_gives_a_full_timeout_from_now_and_the_target_keeps_it),
        T(handled_completes_the_request_once),
        T(not_handled_leaves_it_to_the_error_handler_and_late_answers_change_nothing),
        T(a_completion_between_the_timer_and_its_work_wins),
        T(the_verdict_is_asked_a_round_after_the_expiry),
        T(a_completion_between_expiry_and_verdict_is_not_delivered_and_handled_once),
        T(an_heir_takes_over_what_has_expired),
        T(a_completion_before_the_timer_wins),
        T(those_that_expire_together_are_judged_in_order),
        T(a_deadline_beyond_the_end_of_time_never_comes),
    };
    return cmocka_run_group_tests_name("block timeout", tests, NULL, NULL);
}
