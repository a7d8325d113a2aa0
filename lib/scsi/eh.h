/* The error handler: what becomes of commands that were not answered in time, or answered with
 * something that nobody understands (spec 3.3, 3.5).
 *
 * Two levels. A command whose verdict was NOT_HANDLED is aborted 10 ms later, while everything else
 * goes on (eh_abort.c). What cannot be aborted, or expires a second time, stops the host: state
 * RECOVERY, all other commands are waited for (decision 11), and then the ladder is climbed until
 * its commands are the mid-layer's again (eh_ladder.c): REQUEST SENSE, LUN reset, target reset,
 * session reset, each tested by TEST UNIT READY; what is left then makes its device OFFLINE.
 *
 * Its requests are owner EH. Those that the session still has (`lent`) are neither ended nor sent
 * again before scsi_done (decision 15). One that the target answers after all takes that answer:
 * whatever is known of a command is worth more than a guess. Nothing here waits without a limit;
 * all memory is set aside with the host's first device. */
#ifndef ISKRA_SCSI_EH_H
#define ISKRA_SCSI_EH_H

#include "scsi/eh_status.h"
#include "scsi/host.h"
#include "scsi/request.h"

/* With each device of the host: 0, or -ENOMEM. */
int iskra_eh_prepare(struct iskra_shost *host);
void iskra_eh_done(struct iskra_shost *host); /* without devices; accepts one never prepared */

/* The verdict was NOT_HANDLED: to be aborted soon; or, the second time, up the ladder. */
void iskra_eh_timed_out(struct iskra_scsi_request *sreq);

/* A request that is EH's, and that the session does not have, goes up the ladder. session_suspect:
 * nothing below a session reset would help. */
void iskra_eh_scmd_add(struct iskra_scsi_request *sreq, bool session_suspect);

/* Its answer makes no sense (disposition FAILED), and is DONE's: sense may be asked for, or its
 * device reset. False: neither would help, it ends as it is. Once per request. */
bool iskra_eh_take_failed(struct iskra_scsi_request *sreq);

/* The session gave a request of EH's back. */
void iskra_eh_scmd_returned(struct iskra_scsi_request *sreq);

/* EH's, and not with the session: there is no more to be done for it, or nobody wants it any more.
 * It is judged, or ends, at the end of the round. */
void iskra_eh_scmd_finish(struct iskra_scsi_request *sreq);

/* If it has nothing to do, the clock of eh_deadline stops. */
void iskra_eh_rest(struct iskra_shost *host);

/* A command is no longer out: perhaps it was the last that the ladder waited for. */
void iskra_eh_wake(struct iskra_shost *host);

/* The session is about to go, after giving everything back. */
void iskra_eh_session_gone(struct iskra_shost *host);

/* The device is being removed: what the session has given back ends, and if that was all, no step
 * of the ladder is waited for on its account. */
void iskra_eh_sdev_gone(struct iskra_sdev *sdev);
void iskra_eh_cancel_all_of(const struct iskra_sdev *sdev); /* and the rest is aborted */
bool iskra_eh_holds(const struct iskra_sdev *sdev); /* a step of the ladder is at this device */

#endif
