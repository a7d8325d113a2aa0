/* The block request queue: holds, orders and hands out requests; one per device (spec 3.1, notes
 * F45).
 *
 * execute_rq_nowait -> run_queue -> run_queue_uncond -> request_fn. The queue knows neither SCSI
 * nor sockets: what to do with a request is the business of struct iskra_queue_ops, which the layer
 * above the wire implements.
 *
 * Each request has one owner at any time, changed by one setter (decision 10): the kernel's
 * COMPLETE bit made visible. QUEUE: waiting here. TARGET: dispatched; its deadline runs. EH: timed
 * out, in the hands of recovery. DONE: finished, softirq_done is due or has run. Completion and
 * timeout are legal only from TARGET; whoever comes second changes nothing. */
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
    ISKRA_OWNER_CNT
};
const char *iskra_owner_name(enum iskra_owner owner); /* "TARGET"; "?" */
bool iskra_owner_may_change(enum iskra_owner from, enum iskra_owner to);

struct iskra_request {
    struct iskra_list link;         /* on the queue's list, or on its completed list */
    struct iskra_list timeout_link; /* on a list of block/timeout.c while its deadline runs */
    struct iskra_queue *queue;
    enum iskra_owner owner;
    bool preempt;         /* internal: passes a quiesced device */
    bool killed;          /* ended by the queue (dead, or killed while queued), not by the target */
    uint64_t order;       /* of first dispatch, 0 before it (decision 12) */
    uint64_t timeout_ns;  /* 0: the queue's default */
    uint64_t deadline_ns; /* while on a timeout list */
};

/* Implemented by scsi/. Each is called with the queue consistent: it may submit, requeue, run the
 * queue. */
struct iskra_queue_ops {
    /* notes F45: take and dispatch what can be. Not re-entered: a run asked for from inside happens
     * at the end of the round. */
    void (*request_fn)(struct iskra_queue *q);
    enum iskra_eh_verdict (*timed_out)(struct iskra_request *rq); /* notes F37: rq_timed_out_fn */
    void (*softirq_done)(struct iskra_request *rq); /* a finished request, end of round */
};

struct iskra_queue {
    const struct iskra_queue_ops *ops;
    struct iskra_round *round;
    struct iskra_list requests;     /* owner QUEUE, in order */
    struct iskra_list completed;    /* owner DONE, softirq_done due */
    struct iskra_work done_work;    /* runs softirq_done at the end of the round (decision 13) */
    struct iskra_work run_work;     /* runs the queue at the end of the round */
    struct iskra_timer delay_timer; /* runs the queue later */
    struct iskra_timeouts timeouts;
    uint64_t next_order;
    uint64_t rq_timeout_ns; /* default deadline */
    bool stopped, dead, running;
};

/* 0 or -ENOMEM. */
int iskra_queue_init(struct iskra_queue *q, const struct iskra_queue_ops *ops,
                     struct iskra_round *round, uint64_t rq_timeout_ns);
void iskra_queue_done(struct iskra_queue *q); /* must be empty; accepts a zeroed one */

/* Makes a request fresh for submission: owner NONE. timeout_ns and preempt are the caller's to set.
 */
void iskra_request_init(struct iskra_request *rq, struct iskra_queue *q);

/* notes F45: blk_execute_rq_nowait. Inserts (tail, or head if asked) and runs the queue; on a dead
 * queue the request is killed. Never runs softirq_done from inside. */
void iskra_execute_rq_nowait(struct iskra_queue *q, struct iskra_request *rq, bool at_head);

void iskra_run_queue(struct iskra_queue *q);                      /* stopped: nothing */
void iskra_queue_kick(struct iskra_queue *q);                     /* run at the end of the round */
void iskra_queue_stop(struct iskra_queue *q);                     /* and forget a delayed run */
void iskra_queue_start(struct iskra_queue *q);                    /* clears stopped and runs */
void iskra_queue_delay(struct iskra_queue *q, uint64_t delay_ns); /* run again after that */
void iskra_queue_kill(struct iskra_queue *q); /* dead for good: what is queued is killed */

struct iskra_request *iskra_peek_request(struct iskra_queue *q); /* head, not taken off; or NULL */

/* notes F46: off the queue, owner TARGET, add_timer. */
void iskra_start_request(struct iskra_request *rq);

/* From TARGET, EH or DONE back to the queue: deadline dropped, back in order of first dispatch.
 * Does not run the queue. */
void iskra_requeue_request(struct iskra_request *rq);

/* The target (or a verdict HANDLED) is done with it: owner TARGET -> DONE, softirq_done at the end
 * of the round. Returns false, and changes nothing, if another owner has it. */
bool iskra_complete_request(struct iskra_request *rq);

/* Recovery is done with it: owner EH -> DONE, softirq_done at the end of the round. False if it is
 * not EH's. */
bool iskra_finish_eh_request(struct iskra_request *rq);

/* For a softirq_done that could not finish the request yet: called once more, at the end of the
 * round. The request must be DONE's and on no list. */
void iskra_softirq_again(struct iskra_request *rq);

/* Ends a queued request: owner QUEUE -> DONE, `killed` set, softirq_done at the end of the round.
 * False if it is not QUEUE's. */
bool iskra_kill_request(struct iskra_request *rq);

/* A request whose softirq_done is due is not to have one: it is out of the queue's hands. False if
 * none is due. */
bool iskra_forget_request(struct iskra_request *rq);

/* `heir` takes the place of a request that is TARGET's, EH's, or waits for iskra_softirq_again():
 * its owner, its deadline. The request is as one whose softirq_done has run. */
void iskra_move_request(struct iskra_request *rq, struct iskra_request *heir);

/* Calls fn for each request that is TARGET's, oldest deadline of its kind first, or has expired and
 * is not judged yet; fn may end it. */
void iskra_queue_each_sent(struct iskra_queue *q, void (*fn)(struct iskra_request *rq, void *arg),
                           void *arg);

/* Those that have expired and are not judged yet end: who would judge them is about to go, and the
 * target has given back what it had. */
void iskra_queue_end_expired(struct iskra_queue *q);

/* The only place that changes rq->owner; asserts that the transition is legal. */
void iskra_request_set_owner(struct iskra_request *rq, enum iskra_owner owner);

#endif
