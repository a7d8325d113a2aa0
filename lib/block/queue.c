/* The block request queue: insertion, running, owners, completion. Deadlines are in timeout.c. */
#include "block/queue.h"

#include <assert.h>
#include <string.h>

#include "planted.h"
#include "trace.h"

static const char *const owner_names[ISKRA_OWNER_CNT] = {
    [ISKRA_OWNER_NONE] = "NONE", [ISKRA_OWNER_QUEUE] = "QUEUE", [ISKRA_OWNER_TARGET] = "TARGET",
    [ISKRA_OWNER_EH] = "EH",     [ISKRA_OWNER_DONE] = "DONE",
};

/* A bit per owner that may come next. DONE -> QUEUE is a retry, DONE -> EH an answer that says
 * nothing;
 * TARGET -> QUEUE a command that could not be sent after all; EH -> TARGET a verdict RESET_TIMER.
 */
#define TO(owner) (1u << ISKRA_OWNER_##owner)
static const unsigned owner_changes[ISKRA_OWNER_CNT] = {
    [ISKRA_OWNER_NONE] = TO(QUEUE) | TO(DONE),
    [ISKRA_OWNER_QUEUE] = TO(TARGET) | TO(DONE),
    [ISKRA_OWNER_TARGET] = TO(QUEUE) | TO(EH) | TO(DONE),
    [ISKRA_OWNER_EH] = TO(QUEUE) | TO(TARGET) | TO(DONE),
    [ISKRA_OWNER_DONE] = TO(QUEUE) | TO(EH),
};
#undef TO

const char *iskra_owner_name(enum iskra_owner owner)
{
    return (unsigned)owner < ISKRA_OWNER_CNT ? owner_names[owner] : "?";
}

bool iskra_owner_may_change(enum iskra_owner from, enum iskra_owner to)
{
    if ((unsigned)from >= ISKRA_OWNER_CNT || (unsigned)to >= ISKRA_OWNER_CNT || from == to)
        return false;
    return (owner_changes[from] >> to & 1u) != 0;
}

void iskra_request_set_owner(struct iskra_request *rq, enum iskra_owner owner)
{
    assert(iskra_owner_may_change(rq->owner, owner));
    rq->owner = owner;
}

void iskra_request_init(struct iskra_request *rq, struct iskra_queue *q)
{
    memset(rq, 0, sizeof(*rq));
    iskra_list_init(&rq->link);
    iskra_list_init(&rq->timeout_link);
    rq->queue = q;
}

/* Owner DONE; its softirq_done is due. Completions are delivered at the end of the round, never
 * from inside the layer that found out (decision 13). */
static void queue_softirq(struct iskra_request *rq)
{
    struct iskra_queue *q = rq->queue;

    iskra_delete_timer(rq);
    iskra_list_remove(&rq->link);
    iskra_request_set_owner(rq, ISKRA_OWNER_DONE);
    iskra_list_push_back(&q->completed, &rq->link);
    iskra_work_schedule(&q->round->work, &q->done_work);
}

void iskra_softirq_again(struct iskra_request *rq)
{
    struct iskra_queue *q = rq->queue;

    assert(rq->owner == ISKRA_OWNER_DONE && iskra_list_empty(&rq->link));
    iskra_list_push_back(&q->completed, &rq->link);
    iskra_work_schedule(&q->round->work, &q->done_work);
}

static void done_work_fn(struct iskra_work *work)
{
    struct iskra_queue *q = iskra_container_of(work, struct iskra_queue, done_work);
    struct iskra_list now;

    /* What finishes from inside a done() waits for the next pass, so that a request that fails at
     * once and is submitted again cannot hold up the loop. */
    iskra_list_init(&now);
    iskra_list_splice_back(&now, &q->completed);
    for (struct iskra_list *l; (l = iskra_list_pop_front(&now)) != NULL;)
        q->ops->softirq_done(iskra_container_of(l, struct iskra_request, link));
    if (!iskra_list_empty(&q->requests))
        iskra_run_queue(q);
}

static void run_work_fn(struct iskra_work *work)
{
    iskra_run_queue(iskra_container_of(work, struct iskra_queue, run_work));
}

static void delay_timer_fn(struct iskra_timer *t, uint64_t now_ns)
{
    (void)now_ns;
    iskra_run_queue(iskra_container_of(t, struct iskra_queue, delay_timer));
}

int iskra_queue_init(struct iskra_queue *q, const struct iskra_queue_ops *ops,
                     struct iskra_round *round, uint64_t rq_timeout_ns)
{
    memset(q, 0, sizeof(*q));
    q->round = round;
    q->rq_timeout_ns = rq_timeout_ns;
    iskra_list_init(&q->requests);
    iskra_list_init(&q->completed);
    iskra_work_init(&q->done_work, done_work_fn);
    iskra_work_init(&q->run_work, run_work_fn);
    int rc = iskra_timer_init(&q->delay_timer, &round->timers, delay_timer_fn);
    if (rc != 0)
        return rc;
    rc = iskra_timeouts_init(q);
    if (rc != 0) {
        iskra_timer_done(&q->delay_timer);
        return rc;
    }
    q->ops = ops;
    return 0;
}

void iskra_queue_done(struct iskra_queue *q)
{
    if (q->ops == NULL)
        return;
    assert(iskra_list_empty(&q->requests) && iskra_list_empty(&q->completed));
    iskra_timeouts_done(q);
    iskra_timer_done(&q->delay_timer);
    iskra_work_cancel(&q->done_work);
    iskra_work_cancel(&q->run_work);
    q->ops = NULL;
}

/* notes F45: blk_execute_rq_nowait */
void iskra_execute_rq_nowait(struct iskra_queue *q, struct iskra_request *rq, bool at_head)
{
    ISKRA_STEP(&q->round->trace, EXECUTE_RQ_NOWAIT, 0);
    rq->order = 0;
    rq->killed = q->dead;
    if (q->dead) {
        queue_softirq(rq);
        return;
    }
    iskra_request_set_owner(rq, ISKRA_OWNER_QUEUE);
    if (at_head)
        iskra_list_push_front(&q->requests, &rq->link);
    else
        iskra_list_push_back(&q->requests, &rq->link);
    iskra_run_queue(q);
}

/* notes F45: __blk_run_queue_uncond */
static void run_queue_uncond(struct iskra_queue *q)
{
    ISKRA_STEP(&q->round->trace, RUN_QUEUE_UNCOND, 0);
    if (q->dead)
        return;
    if (q->running) {
        iskra_queue_kick(q);
        return;
    }
    q->running = true;
    q->ops->request_fn(q);
    q->running = false;
}

/* notes F45: __blk_run_queue */
void iskra_run_queue(struct iskra_queue *q)
{
    ISKRA_STEP(&q->round->trace, RUN_QUEUE, 0);
    if (q->stopped)
        return;
    run_queue_uncond(q);
}

void iskra_queue_kick(struct iskra_queue *q)
{
    if (!q->dead)
        iskra_work_schedule(&q->round->work, &q->run_work);
}

void iskra_queue_stop(struct iskra_queue *q)
{
    q->stopped = true;
    iskra_timer_disarm(&q->delay_timer);
}

void iskra_queue_start(struct iskra_queue *q)
{
    q->stopped = false;
    iskra_run_queue(q);
}

void iskra_queue_delay(struct iskra_queue *q, uint64_t delay_ns)
{
    if (q->dead || q->stopped)
        return;
    uint64_t due_ns = q->round->now_ns + delay_ns;
    if (!iskra_timer_armed(&q->delay_timer) || due_ns < q->delay_timer.deadline_ns)
        iskra_timer_arm(&q->delay_timer, due_ns);
}

void iskra_queue_kill(struct iskra_queue *q)
{
    q->dead = true;
    iskra_timer_disarm(&q->delay_timer);
    iskra_work_cancel(&q->run_work);
    while (!iskra_list_empty(&q->requests))
        (void)iskra_kill_request(iskra_peek_request(q)); /* the head is QUEUE's: always true */
}

struct iskra_request *iskra_peek_request(struct iskra_queue *q)
{
    if (iskra_list_empty(&q->requests))
        return NULL;
    return iskra_container_of(q->requests.next, struct iskra_request, link);
}

/* notes F46: blk_start_request */
void iskra_start_request(struct iskra_request *rq)
{
    struct iskra_queue *q = rq->queue;

    ISKRA_STEP(&q->round->trace, START_REQUEST, 0);
    iskra_list_remove(&rq->link);
    if (rq->order == 0)
        rq->order = ++q->next_order;
    iskra_request_set_owner(rq, ISKRA_OWNER_TARGET);
    iskra_add_timer(rq);
}

void iskra_requeue_request(struct iskra_request *rq)
{
    struct iskra_queue *q = rq->queue;

    iskra_delete_timer(rq);
    iskra_list_remove(&rq->link);
    iskra_request_set_owner(rq, ISKRA_OWNER_QUEUE);
    if (q->dead) {
        (void)iskra_kill_request(rq); /* just made QUEUE's */
        return;
    }
    if (ISKRA_PLANTED(REQUEUE_LOST) && !rq->preempt)
        return;
    /* Decision 12: those dispatched before it stay in front, and so do internal requests that were
     * put at the head; everything else was behind it and stays behind. */
    struct iskra_list *pos = q->requests.next;
    while (pos != &q->requests) {
        const struct iskra_request *other = iskra_container_of(pos, struct iskra_request, link);
        if (!other->preempt && (other->order == 0 || other->order > rq->order))
            break;
        pos = pos->next;
    }
    iskra_list_add_between(&rq->link, pos->prev, pos);
}

bool iskra_complete_request(struct iskra_request *rq)
{
    ISKRA_STEP(&rq->queue->round->trace, COMPLETE_REQUEST, 0);
    if (rq->owner != ISKRA_OWNER_TARGET && !ISKRA_PLANTED(OWNER_UNCHECKED))
        return false;
    queue_softirq(rq);
    return true;
}

bool iskra_finish_eh_request(struct iskra_request *rq)
{
    if (rq->owner != ISKRA_OWNER_EH)
        return false;
    queue_softirq(rq);
    return true;
}

bool iskra_forget_request(struct iskra_request *rq)
{
    if (rq->owner != ISKRA_OWNER_DONE || iskra_list_empty(&rq->link))
        return false;
    iskra_list_remove(&rq->link);
    return true;
}

void iskra_move_request(struct iskra_request *rq, struct iskra_request *heir)
{
    *heir = *rq;
    iskra_list_replace(&rq->link, &heir->link);
    iskra_list_replace(&rq->timeout_link, &heir->timeout_link);
    if (rq->owner != ISKRA_OWNER_DONE)
        iskra_request_set_owner(rq, ISKRA_OWNER_DONE);
}

bool iskra_kill_request(struct iskra_request *rq)
{
    if (rq->owner != ISKRA_OWNER_QUEUE)
        return false;
    rq->killed = true;
    queue_softirq(rq);
    return true;
}
