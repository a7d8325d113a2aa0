/* Block operations of a disk -> CDBs, piece by piece. */
#ifndef ISKRA_SCSI_DISK_H
#define ISKRA_SCSI_DISK_H

#include "scsi/request.h"
#include "wire/sense.h"

/* 0, or a negative errno with *err filled: bytes and bounds, with numbers (decision 34). */
int iskra_disk_check_range(const struct iskra_sdev *sdev, uint64_t offset, uint64_t len,
                           struct iskra_error *err);

/* 0, or -EROFS with the reason: write-protected, or protection information that we do not make. */
int iskra_disk_check_writable(const struct iskra_sdev *sdev, struct iskra_error *err);

/* The command for what is still missing of a block operation: at most max_transfer_len bytes of a
 * READ or WRITE, or the SYNCHRONIZE CACHE that makes them safe. false: nothing is missing. */
bool iskra_disk_setup(struct iskra_scsi_request *sreq);
bool iskra_disk_finished(const struct iskra_scsi_request *sreq);

/* Is SYNCHRONIZE CACHE the block operation's command now? */
bool iskra_disk_is_sync(const struct iskra_scsi_request *sreq);

/* Does the sense say that there is no such command as SYNCHRONIZE CACHE, from a device that never
 * said that it has a cache? Then it has none. */
bool iskra_disk_sync_unknown(const struct iskra_scsi_request *sreq,
                             const struct iskra_sense *sense);

/* Before another try. What made it necessary (a reset, a lost session) may have emptied the cache:
 * a FUA write that is about to be synchronized goes back to its first byte. */
void iskra_disk_restart(struct iskra_scsi_request *sreq);

/* Bytes of the command that are in place: by the residual, or up to the block that the sense names
 * as bad. Whole blocks. */
uint32_t iskra_disk_good_bytes(const struct iskra_scsi_request *sreq);

#endif
