/* Deadlines of a queue's requests and the one timer that watches them (spec 3.2, decision 4; notes
 * F33-F37).
 *
 * rq_timed_out_timer -> schedules timeout_work (a work item of its own, decision 2) ->
 * check_expired for each request; in the round after that, when everything received meanwhile has
 * been delivered, rq_timed_out -> the queue's timed_out -> verdict. Grid:
 * timeouts of 2 s and more are looked at on whole seconds of the clock, shorter ones on
 * milliseconds; never early. One FIFO list per timeout value, so that adding and removing are O(1).
 */
#ifndef ISKRA_BLOCK_TIMEOUT_H
#define ISKRA_BLOCK_TIMEOUT_H

#include <stdint.h>

#include "list.h"
#include "timer.h"
#include "work.h"

struct iskra_queue;
struct iskra_request;

/* Timeout values kept apart; the last list takes the requests of all further values, sorted. */
#define ISKRA_TIMEOUT_CLASSES 8

#define ISKRA_TIMEOUT_COARSE_NS UINT64_C(2000000000) /* from here on the grid is 1 s */
#define ISKRA_TIMEOUT_FIRST_CAP_NS                                                                 \
    UINT64_C(5000000000) /* a request arms the timer no later than this */

struct iskra_timeouts {
    struct iskra_timer timer;                       /* rq_timed_out_timer */
    struct iskra_work timeout_work;                 /* notes F33 */
    struct iskra_list lists[ISKRA_TIMEOUT_CLASSES]; /* each in order of deadline */
    uint64_t values_ns[ISKRA_TIMEOUT_CLASSES];      /* of the list, while it is not empty */
    struct iskra_list expired;                      /* EH's, not judged yet: in the next round */
    struct iskra_timer verdict_timer;               /* the next round */
};

int iskra_timeouts_init(struct iskra_queue *q); /* 0 or -ENOMEM */
void iskra_timeouts_done(struct iskra_queue *q);
void iskra_add_timer(struct iskra_request *rq); /* notes F46: blk_add_timer; now = the round's */
void iskra_delete_timer(
    struct iskra_request *rq); /* unlinks only; the timer may fire for nothing */

/* When the timer looks at a deadline: rounded up to the grid of its timeout. */
uint64_t iskra_timeout_round_up(uint64_t deadline_ns, uint64_t timeout_ns);

#endif
