/* Block operations of a disk -> CDBs. */
#include "scsi/disk.h"

#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "scsi/device.h"
#include "wire/bhs.h"
#include "wire/cdb.h"
#include "wire/sense.h"

#define READ_10_BLOCKS_MAX 0xffffu
#define READ_10_LBA_LIMIT  (UINT64_C(1) << 32)

int iskra_disk_check_range(const struct iskra_sdev *sdev, uint64_t offset, uint64_t len,
                           struct iskra_error *err)
{
    if (!sdev->capacity_known)
        return iskra_fail(err, ISKRA_E_USAGE, ENODEV,
                          "not a disk of known size: device type %u (%s)", sdev->inquiry.type,
                          iskra_device_type_name(sdev->inquiry.type));
    uint32_t block_len = sdev->block_len;
    if (offset % block_len != 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "offset %" PRIu64 " is not a multiple of the block length %" PRIu32,
                          offset, block_len);
    if (len % block_len != 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "length %" PRIu64 " is not a multiple of the block length %" PRIu32, len,
                          block_len);
    uint64_t size = sdev->block_cnt * block_len; /* fits: judged when it was learned */
    if (offset > size || len > size - offset)
        return iskra_fail(err, ISKRA_E_USAGE, ERANGE,
                          "%" PRIu64 " bytes at offset %" PRIu64
                          " go beyond the end of the disk at %" PRIu64,
                          len, offset, size);
    return 0;
}

void iskra_disk_setup_read(struct iskra_scsi_request *sreq)
{
    const struct iskra_sdev *sdev = sreq->sdev;
    struct iskra_cmnd *cmnd = &sreq->cmnd;
    uint64_t left = sreq->len - sreq->progress;
    uint32_t len = left < sdev->max_transfer_len ? (uint32_t)left : sdev->max_transfer_len;
    uint32_t block_cnt = len / sdev->block_len;
    uint64_t lba = (sreq->offset + sreq->progress) / sdev->block_len;

    if (lba + block_cnt <= READ_10_LBA_LIMIT && block_cnt <= READ_10_BLOCKS_MAX)
        cmnd->cdb_len = (uint16_t)iskra_cdb_read10(sreq->cdb, lba, block_cnt, 0);
    else
        cmnd->cdb_len = (uint16_t)iskra_cdb_read16(sreq->cdb, lba, block_cnt, 0);
    cmnd->cdb = sreq->cdb;
    cmnd->dir = ISKRA_DIR_READ;
    cmnd->iov_skip = (size_t)sreq->progress;
    cmnd->transfer_len = len;
}

/* MEDIUM and HARDWARE ERROR say in the information field which block is the bad one (SBC-3 4.18):
 * what lies before it is good. */
static uint32_t before_bad_block(const struct iskra_scsi_request *sreq,
                                 const struct iskra_sense *sense)
{
    uint32_t block_len = sreq->sdev->block_len;
    uint64_t lba = (sreq->offset + sreq->progress) / block_len;

    if (!sense->information_valid || sense->information < lba ||
        sense->information - lba >= sreq->cmnd.transfer_len / block_len)
        return 0;
    return (uint32_t)(sense->information - lba) * block_len;
}

uint32_t iskra_disk_good_bytes(const struct iskra_scsi_request *sreq)
{
    const struct iskra_cmnd *cmnd = &sreq->cmnd;
    uint32_t came = cmnd->residual < cmnd->transfer_len ? cmnd->transfer_len - cmnd->residual : 0;
    struct iskra_sense sense;

    came -= came % sreq->sdev->block_len;
    if (ISKRA_RESULT_HOST(cmnd->result) != ISKRA_DID_OK &&
        ISKRA_RESULT_HOST(cmnd->result) != ISKRA_DID_MEDIUM_ERROR &&
        ISKRA_RESULT_HOST(cmnd->result) != ISKRA_DID_TARGET_FAILURE)
        return 0;
    if (ISKRA_RESULT_STATUS(cmnd->result) == ISKRA_STATUS_GOOD)
        return came;
    if (ISKRA_RESULT_STATUS(cmnd->result) != ISKRA_STATUS_CHECK_CONDITION ||
        iskra_sense_decode(cmnd->sense, cmnd->sense_len, &sense) != 0 || sense.deferred)
        return 0;
    switch (sense.key) {
    case ISKRA_SENSE_NO_SENSE:
    case ISKRA_SENSE_RECOVERED_ERROR:
        return came;
    case ISKRA_SENSE_MEDIUM_ERROR:
    case ISKRA_SENSE_HARDWARE_ERROR: {
        uint32_t good = before_bad_block(sreq, &sense);
        return good < came ? good : came;
    }
    default:
        return 0;
    }
}
