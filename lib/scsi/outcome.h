/* The story of a command that failed: from result word and sense to struct iskra_error, in SCSI
 * words with numbers. */
#ifndef ISKRA_SCSI_OUTCOME_H
#define ISKRA_SCSI_OUTCOME_H

#include <stddef.h>

#include "scsi/host.h"
#include "scsi/request.h"

/* "READ(16) lba 8589934592, 8 blocks"; "INQUIRY". Returns buf. */
char *iskra_outcome_command(const struct iskra_scsi_request *sreq, char *buf, size_t size);

/* Fill *sreq->error and return the negative errno. */
int iskra_outcome_fail(
    const struct iskra_scsi_request *sreq); /* by cmnd.result, sense, device and session */
int iskra_outcome_timed_out(const struct iskra_scsi_request *sreq);
int iskra_outcome_canceled(const struct iskra_scsi_request *sreq);
int iskra_outcome_short(const struct iskra_scsi_request *sreq); /* GOOD, and not one block moved */
int iskra_outcome_unsupported(const struct iskra_scsi_request *sreq);
int iskra_outcome_reset(struct iskra_scsi_request *sreq);      /* takes reset_lost_cnt from it */
int iskra_outcome_lost_write(struct iskra_scsi_request *sreq); /* takes it from the device */

#endif
