/* Deferred work: what the kernel hands to work queues and softirqs, here items of one list that the
 * loop runs when the layers have returned. Queuing is O(1), idempotent while queued, and never runs
 * anything.
 *
 * An initiator has two such lists: `work` (completions, events, expired timers) and `xmit`
 * (transmit workers), run in that order, so that everything completions submit goes out in one
 * batch. */
#ifndef ISKRA_WORK_H
#define ISKRA_WORK_H

#include "list.h"

struct iskra_work {
    struct iskra_list link;
    void (*fn)(struct iskra_work *work);
};

struct iskra_workq {
    struct iskra_list items;
};

static inline void iskra_workq_init(struct iskra_workq *q)
{
    iskra_list_init(&q->items);
}

static inline void iskra_work_init(struct iskra_work *work, void (*fn)(struct iskra_work *work))
{
    iskra_list_init(&work->link);
    work->fn = fn;
}

static inline void iskra_work_schedule(struct iskra_workq *q, struct iskra_work *work)
{
    if (iskra_list_empty(&work->link))
        iskra_list_push_back(&q->items, &work->link);
}

static inline void iskra_work_cancel(struct iskra_work *work)
{
    iskra_list_remove(&work->link);
}

/* Runs what is queued now; items that queue themselves again wait for the next call. Returns how
 * many ran. */
static inline unsigned iskra_workq_run(struct iskra_workq *q)
{
    struct iskra_list now;
    iskra_list_init(&now);
    iskra_list_splice_back(&now, &q->items);
    unsigned ran = 0;
    for (struct iskra_list *l; (l = iskra_list_pop_front(&now)) != NULL; ran++) {
        struct iskra_work *work = iskra_container_of(l, struct iskra_work, link);
        work->fn(work);
    }
    return ran;
}

#endif
