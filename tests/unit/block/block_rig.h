/* A queue with nothing above it and a clock that the test moves: its ops record what they are
 * asked. */
#ifndef BLOCK_RIG_H
#define BLOCK_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "block/queue.h"
#include "unit/block/counted_platform.h"

#define RIG_S  UINT64_C(1000000000)
#define RIG_MS UINT64_C(1000000)

#define RIG_RQ_CNT  64
#define RIG_LOG_LEN 256

struct rig;

struct rig_rq {
    struct iskra_request rq; /* first */
    int id;
};

struct rig {
    struct counted_memory memory;
    struct iskra_platform pf;
    struct iskra_round round;
    struct iskra_queue q;
    struct rig_rq rqs[RIG_RQ_CNT];
    unsigned accept;   /* request_fn starts at most this many more */
    unsigned fn_calls; /* of request_fn */
    enum iskra_eh_verdict verdict;
    int dispatched[RIG_LOG_LEN], done[RIG_LOG_LEN], expired[RIG_LOG_LEN];
    uint64_t expired_ns[RIG_LOG_LEN];
    unsigned dispatched_cnt, done_cnt, expired_cnt;
    void (*on_request_fn)(struct rig *r);
    void (*on_done)(struct rig *r, struct rig_rq *rq);
};

static inline struct rig *rig_of(struct iskra_queue *q)
{
    return iskra_container_of(q, struct rig, q);
}

static inline void rig_request_fn(struct iskra_queue *q)
{
    struct rig *r = rig_of(q);
    struct iskra_request *rq;

    r->fn_calls++;
    while (r->accept > 0 && (rq = iskra_peek_request(q)) != NULL) {
        r->accept--;
        iskra_start_request(rq);
        r->dispatched[r->dispatched_cnt++ % RIG_LOG_LEN] = ((struct rig_rq *)rq)->id;
    }
    if (r->on_request_fn != NULL)
        r->on_request_fn(r);
}

static inline enum iskra_eh_verdict rig_timed_out(struct iskra_request *rq)
{
    struct rig *r = rig_of(rq->queue);

    assert_int_equal(rq->owner, ISKRA_OWNER_EH);
    r->expired_ns[r->expired_cnt % RIG_LOG_LEN] = r->round.now_ns;
    r->expired[r->expired_cnt++ % RIG_LOG_LEN] = ((struct rig_rq *)rq)->id;
    return r->verdict;
}

static inline void rig_softirq_done(struct iskra_request *rq)
{
    struct rig *r = rig_of(rq->queue);

    assert_int_equal(rq->owner, ISKRA_OWNER_DONE);
    r->done[r->done_cnt++ % RIG_LOG_LEN] = ((struct rig_rq *)rq)->id;
    if (r->on_done != NULL)
        r->on_done(r, (struct rig_rq *)rq);
}

static const struct iskra_queue_ops rig_ops = {
    .request_fn = rig_request_fn,
    .timed_out = rig_timed_out,
    .softirq_done = rig_softirq_done,
};

static inline int rig_setup(void **state)
{
    struct rig *r = test_calloc(1, sizeof(*r));

    r->pf = counted_platform(&r->memory);
    r->round.pf = &r->pf;
    r->round.now_ns = 100 * RIG_S;
    iskra_timers_init(&r->round.timers, &r->pf);
    iskra_workq_init(&r->round.work);
    iskra_workq_init(&r->round.xmit);
    assert_int_equal(iskra_trace_init(&r->round.trace, &r->pf, 64), 0);
    assert_int_equal(iskra_queue_init(&r->q, &rig_ops, &r->round, 30 * RIG_S), 0);
    for (int i = 0; i < RIG_RQ_CNT; i++) {
        iskra_request_init(&r->rqs[i].rq, &r->q);
        r->rqs[i].id = i;
    }
    r->accept = RIG_RQ_CNT;
    r->verdict = ISKRA_EH_RESET_TIMER;
    *state = r;
    return 0;
}

static inline void rig_work(struct rig *r)
{
    for (int i = 0; i < 100; i++)
        if (iskra_workq_run(&r->round.work) == 0)
            return;
    fail_msg("the work never ends");
}

/* Ends what is out, frees everything. */
static inline int rig_teardown(void **state)
{
    struct rig *r = *state;

    r->on_done = NULL;
    r->on_request_fn = NULL;
    iskra_queue_kill(&r->q);
    rig_work(r);
    for (int i = 0; i < RIG_RQ_CNT; i++)
        iskra_delete_timer(&r->rqs[i].rq);
    iskra_queue_done(&r->q);
    iskra_trace_done(&r->round.trace);
    iskra_timers_done(&r->round.timers);
    assert_int_equal(r->memory.live_cnt, 0);
    test_free(r);
    return 0;
}

static inline void rig_submit(struct rig *r, int id)
{
    iskra_execute_rq_nowait(&r->q, &r->rqs[id].rq, false);
}

static inline void rig_submit_with_timeout(struct rig *r, int id, uint64_t timeout_ns)
{
    r->rqs[id].rq.timeout_ns = timeout_ns;
    rig_submit(r, id);
}

/* Time passes: each timer runs at its time, its work right after it. */
static inline void rig_advance_to(struct rig *r, uint64_t to_ns)
{
    uint64_t next_ns;

    while ((next_ns = iskra_timers_next_ns(&r->round.timers)) <= to_ns) {
        if (next_ns > r->round.now_ns)
            r->round.now_ns = next_ns;
        iskra_timers_run(&r->round.timers, r->round.now_ns);
        rig_work(r);
    }
    r->round.now_ns = to_ns;
}

#endif
