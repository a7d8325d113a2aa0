/* Getting a request to the session, or back into its queue (spec 3.4). */
#ifndef ISKRA_SCSI_DISPATCH_H
#define ISKRA_SCSI_DISPATCH_H

#include "scsi/request.h"

#define ISKRA_QUEUE_DELAY_NS UINT64_C(3000000) /* before an idle device tries again */
#define ISKRA_HOST_BLOCKED   7u
#define ISKRA_DEVICE_BLOCKED 3u
#define ISKRA_TARGET_BLOCKED 3u

/* Why a request goes back; each sets the blocked counter of whom it names. */
enum iskra_insert_reason {
    ISKRA_INSERT_HOST_BUSY,
    ISKRA_INSERT_DEVICE_BUSY,
    ISKRA_INSERT_TARGET_BUSY,
    ISKRA_INSERT_EH_RETRY,
    ISKRA_INSERT_REST, /* one command of several is done, the next is due: nobody is blocked */
};

/* The queue's request_fn. notes F44, notes F45, notes F46: scsi_request_fn */
void iskra_scsi_request_fn(struct iskra_queue *q);

/* Back into the queue, in order of first dispatch, which runs at the end of the round. One that
 * nobody wants any more ends instead. */
void iskra_scsi_queue_insert(struct iskra_scsi_request *sreq, enum iskra_insert_reason reason);

/* Counts one that had come back as out again: the error handler has it. */
void iskra_scsi_busy_again(struct iskra_scsi_request *sreq);

/* Takes it out of the busy counters and lets those run who waited for that. Idempotent. */
void iskra_scsi_unbusy(struct iskra_scsi_request *sreq);

#endif
