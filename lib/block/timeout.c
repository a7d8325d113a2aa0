/* Deadlines of requests: add_timer, the queue's one timer, and what happens to those that expired.
 */
#include "block/timeout.h"

#include "block/queue.h"
#include "trace.h"

#define NS_PER_S  UINT64_C(1000000000)
#define NS_PER_MS UINT64_C(1000000)

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
    return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

uint64_t iskra_timeout_round_up(uint64_t deadline_ns, uint64_t timeout_ns)
{
    uint64_t grid_ns = timeout_ns >= ISKRA_TIMEOUT_COARSE_NS ? NS_PER_S : NS_PER_MS;
    uint64_t past_ns = deadline_ns % grid_ns;

    return past_ns == 0 ? deadline_ns : add_saturating(deadline_ns, grid_ns - past_ns);
}

static uint64_t timeout_of(const struct iskra_request *rq)
{
    return rq->timeout_ns != 0 ? rq->timeout_ns : rq->queue->rq_timeout_ns;
}

static struct iskra_request *first_of(const struct iskra_list *list)
{
    return iskra_list_empty(list)
               ? NULL
               : iskra_container_of(list->next, struct iskra_request, timeout_link);
}

/* The list of this timeout value: its own, else one not in use, else the last, which is shared. */
static struct iskra_list *list_for(struct iskra_timeouts *t, uint64_t timeout_ns)
{
    struct iskra_list *unused = NULL;

    for (unsigned i = 0; i < ISKRA_TIMEOUT_CLASSES - 1; i++) {
        if (iskra_list_empty(&t->lists[i])) {
            if (unused == NULL) {
                unused = &t->lists[i];
            }
        } else if (t->values_ns[i] == timeout_ns) {
            return &t->lists[i];
        }
    }
    if (unused == NULL)
        return &t->lists[ISKRA_TIMEOUT_CLASSES - 1];
    t->values_ns[unused - t->lists] = timeout_ns;
    return unused;
}

/* From the back: on a list of one timeout value the first look already finds the place, because
 * time does not run backwards. Only the shared list is ever walked. */
static void insert_sorted(struct iskra_list *list, struct iskra_request *rq)
{
    struct iskra_list *pos = list->prev;

    while (pos != list && iskra_container_of(pos, struct iskra_request, timeout_link)->deadline_ns >
                              rq->deadline_ns)
        pos = pos->prev;
    iskra_list_add_between(&rq->timeout_link, pos, pos->next);
}

/* notes F46: blk_add_timer */
void iskra_add_timer(struct iskra_request *rq)
{
    struct iskra_queue *q = rq->queue;
    struct iskra_timeouts *t = &q->timeouts;

    ISKRA_STEP(&q->round->trace, ADD_TIMER, 0);
    if (q->ops->timed_out == NULL)
        return;
    uint64_t now_ns = q->round->now_ns, timeout_ns = timeout_of(rq);
    rq->deadline_ns = add_saturating(now_ns, timeout_ns);
    iskra_list_remove(&rq->timeout_link);
    insert_sorted(list_for(t, timeout_ns), rq);

    /* Armed for an earlier time than any that may come of this one, as almost always: rounding goes
     * up, and takes divisions. */
    if (iskra_timer_armed(&t->timer) && t->timer.deadline_ns <= rq->deadline_ns &&
        t->timer.deadline_ns - now_ns <= ISKRA_TIMEOUT_FIRST_CAP_NS)
        return;
    uint64_t expiry_ns = iskra_timeout_round_up(rq->deadline_ns, timeout_ns);
    uint64_t cap_ns = iskra_timeout_round_up(add_saturating(now_ns, ISKRA_TIMEOUT_FIRST_CAP_NS),
                                             ISKRA_TIMEOUT_COARSE_NS);
    if (expiry_ns > cap_ns)
        expiry_ns = cap_ns;
    if (!iskra_timer_armed(&t->timer) || expiry_ns < t->timer.deadline_ns)
        iskra_timer_arm(&t->timer, expiry_ns);
}

void iskra_delete_timer(struct iskra_request *rq)
{
    iskra_list_remove(&rq->timeout_link);
}

/* notes F41: BLK_EH_HANDLED, fixed: complete it, unless it found its end meanwhile */
static void eh_handled(struct iskra_request *rq)
{
    ISKRA_STEP(&rq->queue->round->trace, EH_HANDLED, 0);
    (void)iskra_finish_eh_request(rq);
}

/* notes F42: BLK_EH_RESET_TIMER, needs more time: first the deadline, then the owner */
static void eh_reset_timer(struct iskra_request *rq)
{
    ISKRA_STEP(&rq->queue->round->trace, EH_RESET_TIMER, 0);
    if (rq->owner != ISKRA_OWNER_EH)
        return;
    iskra_add_timer(rq);
    iskra_request_set_owner(rq, ISKRA_OWNER_TARGET);
}

/* notes F43: BLK_EH_NOT_HANDLED, begin error recovery: it stays EH's, and whatever the target still
 * says comes second */
static void eh_not_handled(struct iskra_request *rq)
{
    ISKRA_STEP(&rq->queue->round->trace, EH_NOT_HANDLED, 0);
}

/* notes F36, notes F37: blk_rq_timed_out calls the queue's rq_timed_out_fn and obeys its verdict */
static void rq_timed_out(struct iskra_request *rq)
{
    ISKRA_STEP(&rq->queue->round->trace, RQ_TIMED_OUT, 0);
    switch (rq->queue->ops->timed_out(rq)) {
    case ISKRA_EH_HANDLED:
        eh_handled(rq);
        break;
    case ISKRA_EH_RESET_TIMER:
        eh_reset_timer(rq);
        break;
    case ISKRA_EH_NOT_HANDLED:
        eh_not_handled(rq);
        break;
    }
}

/* notes F36: blk_rq_check_expired. False: not yet. From here on a completion comes second; the
 * verdict is asked in the next round. */
static bool check_expired(struct iskra_request *rq, uint64_t now_ns)
{
    struct iskra_timeouts *t = &rq->queue->timeouts;

    ISKRA_STEP(&rq->queue->round->trace, CHECK_EXPIRED, 0);
    if (now_ns < rq->deadline_ns)
        return false;
    iskra_request_set_owner(rq, ISKRA_OWNER_EH); /* on a list of deadlines it is TARGET's */
    iskra_list_remove(&rq->timeout_link);
    iskra_list_push_back(&t->expired, &rq->timeout_link);
    iskra_timer_arm(&t->verdict_timer, now_ns);
    return true;
}

/* A round later: whatever the target had sent by then has been received. */
static void judge_expired(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_timeouts *t = iskra_container_of(timer, struct iskra_timeouts, verdict_timer);

    (void)now_ns;
    for (struct iskra_list *l; (l = iskra_list_pop_front(&t->expired)) != NULL;)
        rq_timed_out(iskra_container_of(l, struct iskra_request, timeout_link));
}

static void rearm(struct iskra_timeouts *t)
{
    uint64_t next_ns = ISKRA_NEVER;

    for (unsigned i = 0; i < ISKRA_TIMEOUT_CLASSES; i++) {
        const struct iskra_request *rq = first_of(&t->lists[i]);
        if (rq == NULL)
            continue;
        /* Behind the shared list's head a request of the finer grid may follow. */
        uint64_t timeout_ns = i == ISKRA_TIMEOUT_CLASSES - 1 ? 1 : timeout_of(rq);
        uint64_t expiry_ns = iskra_timeout_round_up(rq->deadline_ns, timeout_ns);
        if (expiry_ns < next_ns)
            next_ns = expiry_ns;
    }
    if (next_ns == ISKRA_NEVER)
        iskra_timer_disarm(&t->timer);
    else
        iskra_timer_arm(&t->timer, next_ns);
}

/* notes F33, notes F35: blk_timeout_work, the function of queue->timeout_work: checks the timeout
 * list */
static void timeout_work(struct iskra_work *work)
{
    struct iskra_timeouts *t = iskra_container_of(work, struct iskra_timeouts, timeout_work);
    struct iskra_queue *q = iskra_container_of(t, struct iskra_queue, timeouts);

    ISKRA_STEP(&q->round->trace, TIMEOUT_WORK, 0);
    for (unsigned i = 0; i < ISKRA_TIMEOUT_CLASSES; i++) {
        struct iskra_request *rq;
        do {
            rq = first_of(&t->lists[i]);
        } while (rq != NULL && check_expired(rq, q->round->now_ns));
    }
    rearm(t);
}

/* notes F34: blk_rq_timed_out_timer; judging is work of its own, so that a completion that is
 * already in the house is delivered first. */
static void rq_timed_out_timer(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_timeouts *t = iskra_container_of(timer, struct iskra_timeouts, timer);
    struct iskra_queue *q = iskra_container_of(t, struct iskra_queue, timeouts);

    (void)now_ns;
    ISKRA_STEP(&q->round->trace, RQ_TIMED_OUT_TIMER, 0);
    iskra_work_schedule(&q->round->work, &t->timeout_work);
}

static void each_on(struct iskra_list *list, void (*fn)(struct iskra_request *rq, void *arg),
                    void *arg)
{
    ISKRA_LIST_FOREACH(l, list)
    {
        fn(iskra_container_of(l, struct iskra_request, timeout_link), arg);
    }
}

/* A request that is TARGET's is on one of the lists, and no other is. */
void iskra_queue_each_sent(struct iskra_queue *q, void (*fn)(struct iskra_request *rq, void *arg),
                           void *arg)
{
    for (unsigned i = 0; i < ISKRA_TIMEOUT_CLASSES; i++)
        each_on(&q->timeouts.lists[i], fn, arg);
    each_on(&q->timeouts.expired, fn, arg);
}

void iskra_queue_end_expired(struct iskra_queue *q)
{
    for (struct iskra_list *l; (l = iskra_list_pop_front(&q->timeouts.expired)) != NULL;)
        eh_handled(iskra_container_of(l, struct iskra_request, timeout_link));
}

int iskra_timeouts_init(struct iskra_queue *q)
{
    struct iskra_timeouts *t = &q->timeouts;

    for (unsigned i = 0; i < ISKRA_TIMEOUT_CLASSES; i++)
        iskra_list_init(&t->lists[i]);
    iskra_list_init(&t->expired);
    iskra_work_init(&t->timeout_work, timeout_work);
    int rc = iskra_timer_init(&t->verdict_timer, &q->round->timers, judge_expired);
    if (rc != 0)
        return rc;
    rc = iskra_timer_init(&t->timer, &q->round->timers, rq_timed_out_timer);
    if (rc != 0)
        iskra_timer_done(&t->verdict_timer);
    return rc;
}

void iskra_timeouts_done(struct iskra_queue *q)
{
    iskra_work_cancel(&q->timeouts.timeout_work);
    iskra_timer_done(&q->timeouts.timer);
    iskra_timer_done(&q->timeouts.verdict_timer);
}
