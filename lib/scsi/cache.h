/* What a volatile write cache may hold that the caller was told is written: counted, so that a
 * reset of the target that may have emptied it does not pass in silence (decision 30).
 *
 * A flush covers the writes whose done() ran before its submit (decision 29). Raw commands are not
 * looked into: neither a WRITE nor a SYNCHRONIZE CACHE among them counts. */
#ifndef ISKRA_SCSI_CACHE_H
#define ISKRA_SCSI_CACHE_H

#include "scsi/host.h"
#include "scsi/request.h"

void iskra_cache_flush_begins(struct iskra_scsi_request *sreq);
/* A write or a flush ended well. */
void iskra_cache_written(const struct iskra_scsi_request *sreq);
void iskra_cache_flushed(const struct iskra_scsi_request *sreq);

/* A unit attention of this device. If it tells of a reset with writes in a volatile cache, the host
 * is told how many, and, if it wants that, the next flush fails (sdev->reset_lost_cnt). Devices of
 * the same LUN share its fate: the target tells of it only once. */
void iskra_cache_unit_attention(struct iskra_sdev *sdev, uint8_t asc, uint8_t ascq);

/* The sense that a command of this device ended with. If it tells that an earlier write was lost,
 * the next flush of the device, and of those of the same LUN, fails; not of this one if it is that
 * flush itself. */
void iskra_cache_sense(struct iskra_sdev *sdev, const struct iskra_sense *sense, bool flush);

#endif
