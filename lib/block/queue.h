/* The block request queue: holds, orders and hands out requests; one per device (spec 3.1, notes F45).
 *
 * execute_rq_nowait -> run_queue -> run_queue_uncond -> request_fn. The queue knows neither SCSI nor sockets: what to do
 * with a request is the business of struct queue_ops, which the layer above the wire implements.
 *
 * Each request has one owner at any time, changed by one setter (decision 10): the kernel's COMPLETE bit made visible.
 * QUEUE: waiting here. TARGET: dispatched; its deadline runs. EH: timed out, in the hands of recovery. DONE: finished, its
 * done() is due or has run. Completion and timeout are legal only from TARGET; whoever comes second changes nothing. */
#ifndef ISKRA_BLOCK_QUEUE_H
#define ISKRA_BLOCK_QUEUE_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "round.h"
#include "verdict.h"
#include "block/timeout.h"

struct iskra_queue;
struct iskra_request;

enum iskra_owner {
    ISKRA_OWNER_NONE, /* not submitted */
    ISKRA_OWNER_QUEUE,
    ISKRA_OWNER_TARGET,
    ISKRA_OWNER_EH,
    ISKRA_OWNER_DONE,
};
const char *iskra_owner_name(enum iskra_owner owner);

struct iskra_request {
    struct iskra_list link;         /* on the queue's list, or on its done list */
    struct iskra_list timeout_link; /* on a list of block/timeout.c while TARGET owns it */
    struct iskra_queue *queue;
    enum iskra_owner owner;
    bool preempt;                   /* internal: passes a quiesced device */
    uint64_t order;                 /* of first dispatch, 0 before it (decision 12) */
    uint64_t timeout_ns;            /* 0: the queue's default */
    uint64_t deadline_ns;
    uint64_t submit_ns;             /* when it was first started: bounds retries */
};

/* Implemented by scsi/. Each is called with the queue consistent: it may submit, requeue, run the queue. */
struct iskra_queue_ops {
    void (*request_fn)(struct iskra_queue *q);                          /* notes F45: take and dispatch what can be */
    enum iskra_eh_verdict (*timed_out)(struct iskra_request *rq);       /* notes F37: rq_timed_out_fn */
    void (*softirq_done)(struct iskra_request *rq);                     /* a completed request, end of round */
};

struct iskra_queue {
    const struct iskra_queue_ops *ops;
    struct iskra_round *round;
    struct iskra_list requests;   /* owner QUEUE, in order */
    struct iskra_list completed;  /* owner DONE, softirq_done due */
    struct iskra_work done_work;  /* runs softirq_done at the end of the round (decision 13) */
    struct iskra_timer delay_timer; /* run the queue again later */
    struct iskra_timeouts timeouts;
    uint64_t next_order;
    uint64_t rq_timeout_ns;       /* default deadline, 30 s */
    uint32_t queued_cnt;
    bool stopped, dead, running;
};

/* 0 or -ENOMEM. */
int iskra_queue_init(struct iskra_queue *q, const struct iskra_queue_ops *ops, struct iskra_round *round,
                     uint64_t rq_timeout_ns);
void iskra_queue_done(struct iskra_queue *q); /* must be empty */

void iskra_request_init(struct iskra_request *rq, struct iskra_queue *q);

/* notes F45: blk_execute_rq_nowait. Inserts (tail, or head if asked) and runs the queue; a dead queue completes it at
 * once through softirq_done at the end of the round. Never runs done() from inside. */
void iskra_execute_rq_nowait(struct iskra_queue *q, struct iskra_request *rq, bool at_head);

void iskra_run_queue(struct iskra_queue *q);                       /* stopped: nothing */
void iskra_queue_stop(struct iskra_queue *q);
void iskra_queue_start(struct iskra_queue *q);                     /* clears stopped and runs */
void iskra_queue_delay(struct iskra_queue *q, uint64_t delay_ns);  /* run again after that */

struct iskra_request *iskra_peek_request(struct iskra_queue *q);   /* head, not taken off; NULL if none */
void iskra_start_request(struct iskra_request *rq);                /* notes F46: off the queue, owner TARGET, add_timer */
void iskra_requeue_request(struct iskra_request *rq);              /* deadline dropped, back in order of first dispatch */

/* The target (or a verdict HANDLED) is done with it: owner TARGET -> DONE, softirq_done at the end of the round. Returns
 * false, and changes nothing, if another owner has it. */
bool iskra_complete_request(struct iskra_request *rq);

/* Takes a queued request off without running softirq_done. False if it is not QUEUE's. */
bool iskra_dequeue_request(struct iskra_request *rq);

/* The only place that changes rq->owner. */
void iskra_request_set_owner(struct iskra_request *rq, enum iskra_owner owner);

#endif
