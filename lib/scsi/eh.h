/* The error handler, as far as it goes: a command that timed out takes its session down with it,
 * and ends as timed out when the session has given it back (the loan ends first: decision 15).
 * Aborts and resets are not among its means. */
#ifndef ISKRA_SCSI_EH_H
#define ISKRA_SCSI_EH_H

#include "scsi/eh_status.h"
#include "scsi/host.h"
#include "scsi/request.h"

/* The verdict was NOT_HANDLED: the command is EH's. The host goes to RECOVERY; its session is told
 * to fail at the end of the round. */
void iskra_eh_scmd_add(struct iskra_scsi_request *sreq);

/* The session gave one of EH's commands back: it ends now. */
void iskra_eh_scmd_returned(struct iskra_scsi_request *sreq);

void iskra_eh_init(struct iskra_shost *host);
void iskra_eh_done(struct iskra_shost *host);

#endif
