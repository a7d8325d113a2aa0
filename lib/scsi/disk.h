/* Block operations of a disk -> CDBs, piece by piece. */
#ifndef ISKRA_SCSI_DISK_H
#define ISKRA_SCSI_DISK_H

#include "scsi/request.h"

/* 0, or a negative errno with *err filled: bytes and bounds, with numbers (decision 34). */
int iskra_disk_check_range(const struct iskra_sdev *sdev, uint64_t offset, uint64_t len,
                           struct iskra_error *err);

/* The command for what is still missing of a READ, at most max_transfer_len bytes of it. */
void iskra_disk_setup_read(struct iskra_scsi_request *sreq);

/* Bytes of the command that are in place: by the residual, or up to the block that the sense names
 * as bad. Whole blocks. */
uint32_t iskra_disk_good_bytes(const struct iskra_scsi_request *sreq);

#endif
