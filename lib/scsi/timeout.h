/* What a command's expiry comes to (spec 3.3). */
#ifndef ISKRA_SCSI_TIMEOUT_H
#define ISKRA_SCSI_TIMEOUT_H

#include "block/queue.h"

/* The queue's timed_out. notes F37 to F40: scsi_times_out */
enum iskra_eh_verdict iskra_scsi_times_out(struct iskra_request *rq);

#endif
