/* From the session's last word to the caller's done(): scsi_done, softirq_done, finish_command,
 * io_completion (spec 3.4). */
#ifndef ISKRA_SCSI_FINISH_H
#define ISKRA_SCSI_FINISH_H

#include "scsi/request.h"

void iskra_scsi_done(struct iskra_cmnd *cmd);           /* the session gives the command back */
void iskra_scsi_softirq_done(struct iskra_request *rq); /* the queue's softirq_done; end of round */

/* Another try of a request that is TARGET's, EH's or DONE's, with what that takes. */
void iskra_scsi_try_again(struct iskra_scsi_request *sreq);

#endif
