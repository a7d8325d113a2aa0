/* The request queue: order, owners, running, completion. */
#include <errno.h>

#include "unit/block/block_rig.h"

#define assert_owner(r, id, want)                                                                  \
    assert_string_equal(iskra_owner_name((r)->rqs[id].rq.owner),                                   \
                        iskra_owner_name(ISKRA_OWNER_##want))

static void a_request_goes_from_queue_to_target_to_done(void **state)
{
    struct rig *r = *state;

    assert_owner(r, 0, NONE);
    r->accept = 0;
    rig_submit(r, 0);
    assert_owner(r, 0, QUEUE);
    r->accept = 1;
    iskra_run_queue(&r->q);
    assert_owner(r, 0, TARGET);
    assert_true(iskra_complete_request(&r->rqs[0].rq));
    assert_owner(r, 0, DONE);
    assert_int_equal(r->done_cnt, 0); /* not from inside */
    rig_work(r);
    assert_int_equal(r->done_cnt, 1);
}

static void requests_are_handed_out_in_order_of_submission(void **state)
{
    struct rig *r = *state;

    r->accept = 0;
    for (int i = 0; i < 10; i++)
        rig_submit(r, i);
    r->accept = 10;
    iskra_run_queue(&r->q);
    assert_int_equal(r->dispatched_cnt, 10);
    for (int i = 0; i < 10; i++)
        assert_int_equal(r->dispatched[i], i);
}

static void a_request_for_the_head_goes_first(void **state)
{
    struct rig *r = *state;

    r->accept = 0;
    rig_submit(r, 0);
    iskra_execute_rq_nowait(&r->q, &r->rqs[1].rq, true);
    r->accept = 2;
    iskra_run_queue(&r->q);
    assert_int_equal(r->dispatched[0], 1);
    assert_int_equal(r->dispatched[1], 0);
}

static void requeue_keeps_the_order_of_first_dispatch(void **state)
{
    struct rig *r = *state;
    const int back[] = {3, 0, 4, 1, 2}; /* the order in which a lost session gives them back */
    const int want[] = {0, 1, 2, 3, 4, 5, 6};

    r->accept = 5;
    for (int i = 0; i < 7; i++)
        rig_submit(r, i);
    assert_int_equal(r->dispatched_cnt, 5);
    for (int i = 0; i < 5; i++)
        iskra_requeue_request(&r->rqs[back[i]].rq);
    r->dispatched_cnt = 0;
    r->accept = 7;
    iskra_run_queue(&r->q);
    assert_int_equal(r->dispatched_cnt, 7);
    for (int i = 0; i < 7; i++)
        assert_int_equal(r->dispatched[i], want[i]);
}

static void a_requeued_request_stays_behind_internal_ones_at_the_head(void **state)
{
    struct rig *r = *state;

    rig_submit(r, 0);
    r->accept = 0;
    r->rqs[1].rq.preempt = true;
    iskra_execute_rq_nowait(&r->q, &r->rqs[1].rq, true);
    iskra_requeue_request(&r->rqs[0].rq);
    r->dispatched_cnt = 0;
    r->accept = 2;
    iskra_run_queue(&r->q);
    assert_int_equal(r->dispatched[0], 1);
    assert_int_equal(r->dispatched[1], 0);
}

static void requeue_drops_the_deadline(void **state)
{
    struct rig *r = *state;

    rig_submit(r, 0);
    assert_false(iskra_list_empty(&r->rqs[0].rq.timeout_link));
    r->accept = 0;
    iskra_requeue_request(&r->rqs[0].rq);
    assert_true(iskra_list_empty(&r->rqs[0].rq.timeout_link));
    rig_advance_to(r, r->round.now_ns + 100 * RIG_S);
    assert_int_equal(r->expired_cnt, 0);
}

static void a_second_completion_changes_nothing(void **state)
{
    struct rig *r = *state;

    rig_submit(r, 0);
    assert_true(iskra_complete_request(&r->rqs[0].rq));
    assert_false(iskra_complete_request(&r->rqs[0].rq));
    rig_work(r);
    assert_int_equal(r->done_cnt, 1);
    assert_false(iskra_complete_request(&r->rqs[0].rq));
    rig_work(r);
    assert_int_equal(r->done_cnt, 1);
}

static void a_queued_request_cannot_be_completed(void **state)
{
    struct rig *r = *state;

    r->accept = 0;
    rig_submit(r, 0);
    assert_false(iskra_complete_request(&r->rqs[0].rq));
    assert_owner(r, 0, QUEUE);
}

static void only_these_owners_follow_each_other(void **state)
{
    static const char *const want[ISKRA_OWNER_CNT] = {
        /* to: NONE QUEUE TARGET EH DONE */
        [ISKRA_OWNER_NONE] = ".Q..D", [ISKRA_OWNER_QUEUE] = "..T.D", [ISKRA_OWNER_TARGET] = ".Q.ED",
        [ISKRA_OWNER_EH] = ".QT.D",   [ISKRA_OWNER_DONE] = ".Q.E.",
    };

    (void)state;
    for (int from = 0; from < ISKRA_OWNER_CNT; from++) {
        for (int to = 0; to < ISKRA_OWNER_CNT; to++) {
            bool allowed = want[from][to] != '.';
            if (iskra_owner_may_change((enum iskra_owner)from, (enum iskra_owner)to) != allowed)
                fail_msg("%s -> %s: want %d", iskra_owner_name((enum iskra_owner)from),
                         iskra_owner_name((enum iskra_owner)to), allowed);
        }
    }
    assert_false(iskra_owner_may_change(ISKRA_OWNER_CNT, ISKRA_OWNER_QUEUE));
    assert_string_equal(iskra_owner_name(ISKRA_OWNER_CNT), "?");
}

static void a_stopped_queue_does_not_run_until_it_is_started(void **state)
{
    struct rig *r = *state;

    iskra_queue_stop(&r->q);
    rig_submit(r, 0);
    iskra_run_queue(&r->q);
    assert_int_equal(r->fn_calls, 0);
    iskra_queue_start(&r->q);
    assert_int_equal(r->fn_calls, 1);
    assert_owner(r, 0, TARGET);
}

static void stop_forgets_a_delayed_run(void **state)
{
    struct rig *r = *state;

    iskra_queue_delay(&r->q, 3 * RIG_MS);
    iskra_queue_stop(&r->q);
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_int_equal(r->fn_calls, 0);
}

static void a_delayed_run_comes_after_its_delay_and_not_before(void **state)
{
    struct rig *r = *state;
    uint64_t t0_ns = r->round.now_ns;

    iskra_queue_delay(&r->q, 3 * RIG_MS);
    iskra_queue_delay(&r->q, 9 * RIG_MS); /* the earlier one counts */
    rig_advance_to(r, t0_ns + 3 * RIG_MS - 1);
    assert_int_equal(r->fn_calls, 0);
    rig_advance_to(r, t0_ns + 3 * RIG_MS);
    assert_int_equal(r->fn_calls, 1);
    rig_advance_to(r, t0_ns + 20 * RIG_MS);
    assert_int_equal(r->fn_calls, 1);
}

static void a_kick_runs_the_queue_at_the_end_of_the_round_once(void **state)
{
    struct rig *r = *state;

    iskra_queue_kick(&r->q);
    iskra_queue_kick(&r->q);
    assert_int_equal(r->fn_calls, 0);
    rig_work(r);
    assert_int_equal(r->fn_calls, 1);
}

static void submit_from_request_fn(struct rig *r)
{
    r->on_request_fn = NULL;
    rig_submit(r, 5);
    assert_owner(r, 5, QUEUE); /* request_fn was not entered again */
}

static void request_fn_is_not_reentered(void **state)
{
    struct rig *r = *state;

    r->on_request_fn = submit_from_request_fn;
    rig_submit(r, 0);
    assert_int_equal(r->fn_calls, 1);
    rig_work(r);
    assert_int_equal(r->fn_calls, 2);
    assert_owner(r, 5, TARGET);
}

static void a_dead_queue_kills_at_once_and_later(void **state)
{
    struct rig *r = *state;

    r->accept = 1;
    rig_submit(r, 0); /* at the target */
    rig_submit(r, 1); /* queued */
    iskra_queue_kill(&r->q);
    rig_submit(r, 2); /* too late */
    assert_int_equal(r->done_cnt, 0);
    rig_work(r);
    assert_int_equal(r->done_cnt, 2);
    assert_true(r->rqs[1].rq.killed);
    assert_true(r->rqs[2].rq.killed);
    assert_owner(r, 0, TARGET);
    assert_true(iskra_complete_request(&r->rqs[0].rq));
    rig_work(r);
    assert_int_equal(r->done_cnt, 3);
    assert_false(r->rqs[0].rq.killed);
}

static void requeue_into_a_dead_queue_kills(void **state)
{
    struct rig *r = *state;

    rig_submit(r, 0);
    iskra_queue_kill(&r->q);
    iskra_requeue_request(&r->rqs[0].rq);
    rig_work(r);
    assert_int_equal(r->done_cnt, 1);
    assert_true(r->rqs[0].rq.killed);
}

static void kill_takes_queued_requests_only(void **state)
{
    struct rig *r = *state;

    r->accept = 1;
    rig_submit(r, 0);
    rig_submit(r, 1);
    assert_false(iskra_kill_request(&r->rqs[0].rq));
    assert_true(iskra_kill_request(&r->rqs[1].rq));
    assert_false(iskra_kill_request(&r->rqs[1].rq));
    rig_work(r);
    assert_int_equal(r->done_cnt, 1);
    assert_int_equal(r->done[0], 1);
}

static void resubmit_dead(struct rig *r, struct rig_rq *rq)
{
    if (r->done_cnt < 5) {
        iskra_request_init(&rq->rq, &r->q);
        rig_submit(r, rq->id);
    }
}

/* One pass of the work list delivers each completion once, so that a loop that submits failing
 * requests again and again still gets to its sockets. */
static void a_done_that_submits_again_waits_for_the_next_pass(void **state)
{
    struct rig *r = *state;

    iskra_queue_kill(&r->q);
    r->on_done = resubmit_dead;
    rig_submit(r, 0);
    for (unsigned pass = 1; pass <= 5; pass++) {
        iskra_workq_run(&r->round.work);
        assert_int_equal(r->done_cnt, pass);
    }
    assert_int_equal(iskra_workq_run(&r->round.work), 0);
}

static void completions_run_the_queue_for_those_who_wait(void **state)
{
    struct rig *r = *state;

    r->accept = 1;
    rig_submit(r, 0);
    rig_submit(r, 1);
    assert_owner(r, 1, QUEUE);
    r->accept = 1;
    assert_true(iskra_complete_request(&r->rqs[0].rq));
    rig_work(r);
    assert_owner(r, 1, TARGET);
}

static int no_memory(void **state)
{
    (void)state;
    return 0;
}

static void every_failed_allocation_of_init_is_survived(void **state)
{
    (void)state;
    for (unsigned at = 1;; at++) {
        struct iskra_round round = {0};
        struct iskra_queue q;
        struct counted_memory memory = {.fail_at = at};
        struct iskra_platform pf = counted_platform(&memory);
        round.pf = &pf;
        iskra_timers_init(&round.timers, &pf);
        iskra_workq_init(&round.work);
        int rc = iskra_queue_init(&q, &rig_ops, &round, RIG_S);
        iskra_queue_done(&q);
        iskra_timers_done(&round.timers);
        assert_int_equal(memory.live_cnt, 0);
        if (rc == 0) {
            assert_true(at > 1); /* something did fail before */
            break;
        }
        assert_int_equal(rc, -ENOMEM);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_request_goes_from_queue_to_target_to_done),
        T(requests_are_handed_out_in_order_of_submission),
        T(a_request_for_the_head_goes_first),
        T(requeue_keeps_the_order_of_first_dispatch),
        T(a_requeued_request_stays_behind_internal_ones_at_the_head),
        T(requeue_drops_the_deadline),
        T(a_second_completion_changes_nothing),
        T(a_queued_request_cannot_be_completed),
        T(only_these_owners_follow_each_other),
        T(a_stopped_queue_does_not_run_until_it_is_started),
        T(stop_forgets_a_delayed_run),
        T(a_delayed_run_comes_after_its_delay_and_not_before),
        T(a_kick_runs_the_queue_at_the_end_of_the_round_once),
        T(request_fn_is_not_reentered),
        T(a_dead_queue_kills_at_once_and_later),
        T(requeue_into_a_dead_queue_kills),
        T(kill_takes_queued_requests_only),
        T(a_done_that_submits_again_waits_for_the_next_pass),
        T(completions_run_the_queue_for_those_who_wait),
        cmocka_unit_test_setup(every_failed_allocation_of_init_is_survived, no_memory),
    };
    return cmocka_run_group_tests_name("block queue", tests, NULL, NULL);
}
