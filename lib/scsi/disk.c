/* Block operations of a disk -> CDBs. */
#include "scsi/disk.h"

#include <errno.h>
#include <inttypes.h>

#include "error.h"
#include "scsi/block_status.h"
#include "scsi/cache.h"
#include "scsi/device.h"
#include "wire/bhs.h"
#include "wire/cdb.h"
#include "wire/sense.h"

#define CDB_10_LBA_LIMIT     (UINT64_C(1) << 32)
#define ASC_INVALID_OPCODE   0x20u
#define FLUSH_TIMEOUT_FACTOR 2u

int iskra_disk_check_range(const struct iskra_sdev *sdev, uint64_t offset, uint64_t len,
                           struct iskra_error *err)
{
    if (!sdev->capacity_known)
        return iskra_fail(err, ISKRA_E_USAGE, ENODEV,
                          "not a disk of known size: device type %u (%s)", sdev->inquiry.type,
                          iskra_device_type_name(sdev->inquiry.type));
    uint32_t block_len = sdev->block_len;
    if ((offset & (block_len - 1)) != 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "offset %" PRIu64 " is not a multiple of the block length %" PRIu32,
                          offset, block_len);
    if ((len & (block_len - 1)) != 0)
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

int iskra_disk_check_writable(const struct iskra_sdev *sdev, struct iskra_error *err)
{
    if (sdev->write_protected)
        return iskra_fail(err, ISKRA_E_USAGE, EROFS, "the LUN is write-protected");
    if (sdev->protection)
        return iskra_fail(err, ISKRA_E_USAGE, EROFS,
                          "the LUN is formatted with protection information: it can only be read");
    return 0;
}

/* ---- transfers ---- */

/* Blocks of so many bytes: the block length is a power of two. */
static uint64_t blocks_of(const struct iskra_sdev *sdev, uint64_t len)
{
    return len >> __builtin_ctz(sdev->block_len);
}

/* The rest, or as much of it as one command takes. A command that is not the last ends where the
 * device likes them to, so that not every one of a large request that begins elsewhere makes it
 * read and write the physical blocks at both ends. */
static uint32_t transfer_len(const struct iskra_sdev *sdev, uint64_t pos, uint64_t left)
{
    uint32_t most = sdev->max_transfer_len;
    uint32_t unit = sdev->optimal_transfer_len;

    if (left <= most)
        return (uint32_t)left;
    if (unit == 0 || unit > most)
        unit = sdev->physical_block_len;
    if (unit <= sdev->block_len || unit % sdev->block_len != 0)
        return most;
    /* The first block that is aligned has a number, which may not be 0. */
    uint64_t first = (uint64_t)sdev->lowest_aligned_lba * sdev->block_len % unit;
    uint64_t over = (pos + most + unit - first) % unit;
    return over < most ? most - (uint32_t)over : most;
}

static void setup_transfer(struct iskra_scsi_request *sreq)
{
    const struct iskra_sdev *sdev = sreq->sdev;
    struct iskra_cmnd *cmnd = &sreq->cmnd;
    bool write = sreq->kind == ISKRA_REQUEST_WRITE;
    uint64_t pos = sreq->offset + sreq->progress;
    uint32_t len = transfer_len(sdev, pos, sreq->len - sreq->progress);

    cmnd->cdb_len =
        (uint16_t)iskra_cdb_transfer(sreq->cdb, write, blocks_of(sdev, pos),
                                     (uint32_t)blocks_of(sdev, len), sreq->fua && sdev->fua);
    cmnd->cdb = sreq->cdb;
    cmnd->dir = write ? ISKRA_DIR_WRITE : ISKRA_DIR_READ;
    cmnd->iov_skip = (size_t)sreq->progress;
    cmnd->transfer_len = len;
    sreq->piece_len = len;
}

/* Both halves of the data go with it. A device told how many blocks it takes: at most 255. */
static void setup_compare_and_write(struct iskra_scsi_request *sreq)
{
    const struct iskra_sdev *sdev = sreq->sdev;
    struct iskra_cmnd *cmnd = &sreq->cmnd;

    cmnd->cdb_len = (uint16_t)iskra_cdb_compare_and_write(
        sreq->cdb, sreq->offset / sdev->block_len, (uint8_t)(sreq->len / sdev->block_len), 0);
    cmnd->cdb = sreq->cdb;
    cmnd->dir = ISKRA_DIR_WRITE;
    cmnd->iov_skip = 0;
    cmnd->transfer_len = (uint32_t)(2 * sreq->len);
    sreq->piece_len = sreq->len;
    sreq->by_range = true;
}

/* ---- the cache ---- */

static bool changes_blocks(const struct iskra_scsi_request *sreq)
{
    return sreq->kind == ISKRA_REQUEST_WRITE || sreq->kind == ISKRA_REQUEST_WRITE_ZEROES;
}

/* FUA by the bit: WRITE has one, WRITE SAME has not. */
static bool fua_by_bit(const struct iskra_scsi_request *sreq)
{
    return sreq->kind == ISKRA_REQUEST_WRITE && sreq->sdev->fua;
}

static bool sync_due(const struct iskra_scsi_request *sreq)
{
    const struct iskra_sdev *sdev = sreq->sdev;

    if (sreq->synced || !sdev->write_cache)
        return false;
    return sreq->kind == ISKRA_REQUEST_FLUSH ||
           (changes_blocks(sreq) && sreq->fua && sreq->len > 0 && !fua_by_bit(sreq));
}

/* All of the cache: LBA 0, and 0 blocks, which means as many as there are (SBC-3 5.24). */
static void setup_sync(struct iskra_scsi_request *sreq)
{
    const struct iskra_sdev *sdev = sreq->sdev;
    struct iskra_cmnd *cmnd = &sreq->cmnd;
    uint64_t *timeout_ns = &sreq->rq.timeout_ns;

    if (!sreq->syncing && (*timeout_ns == 0 || changes_blocks(sreq)))
        *timeout_ns =
            FLUSH_TIMEOUT_FACTOR * (*timeout_ns != 0 ? *timeout_ns : sdev->queue.rq_timeout_ns);
    sreq->syncing = true;
    if (changes_blocks(sreq)) /* a flush counts from its submit */
        iskra_cache_flush_begins(sreq);
    if (sdev->block_cnt <= CDB_10_LBA_LIMIT)
        cmnd->cdb_len = (uint16_t)iskra_cdb_synchronize_cache10(sreq->cdb, 0, 0, 0);
    else
        cmnd->cdb_len = (uint16_t)iskra_cdb_synchronize_cache16(sreq->cdb, 0, 0, 0);
    cmnd->cdb = sreq->cdb;
    cmnd->dir = ISKRA_DIR_NONE;
    cmnd->iov_skip = 0;
    cmnd->transfer_len = 0;
}

bool iskra_disk_finished(const struct iskra_scsi_request *sreq)
{
    return sreq->progress == sreq->len && !sync_due(sreq);
}

bool iskra_disk_is_sync(const struct iskra_scsi_request *sreq)
{
    return iskra_scsi_request_is_block(sreq) && sreq->syncing;
}

bool iskra_disk_sync_unknown(const struct iskra_scsi_request *sreq, const struct iskra_sense *sense)
{
    return !sreq->sdev->write_cache_told && sense->valid && !sense->deferred &&
           sense->key == ISKRA_SENSE_ILLEGAL_REQUEST && sense->asc == ASC_INVALID_OPCODE;
}

void iskra_disk_restart(struct iskra_scsi_request *sreq)
{
    if (!sreq->syncing || !changes_blocks(sreq))
        return;
    sreq->rq.timeout_ns /= FLUSH_TIMEOUT_FACTOR;
    sreq->syncing = false;
    sreq->restarted = true;
    sreq->progress = 0;
}

bool iskra_disk_setup(struct iskra_scsi_request *sreq)
{
    if (iskra_disk_finished(sreq))
        return false;
    if (sreq->progress == sreq->len) {
        setup_sync(sreq);
        return true;
    }
    switch ((enum iskra_request_kind)sreq->kind) {
    case ISKRA_REQUEST_UNMAP:
        /* Another request may have been refused since this one was submitted. What WRITE SAME
         * makes of 0 blocks is all that follow. */
        if (iskra_space_unmap_closed(sreq))
            return false;
        iskra_space_setup_unmap(sreq);
        break;
    case ISKRA_REQUEST_WRITE_ZEROES:
        iskra_space_setup_zeroes(sreq);
        break;
    case ISKRA_REQUEST_BLOCK_STATUS:
        iskra_block_status_setup(sreq);
        break;
    case ISKRA_REQUEST_COMPARE_AND_WRITE:
        setup_compare_and_write(sreq);
        break;
    case ISKRA_REQUEST_READ:
    case ISKRA_REQUEST_WRITE:
    case ISKRA_REQUEST_FLUSH:
    case ISKRA_REQUEST_RAW:
    case ISKRA_REQUEST_INTERNAL:
        setup_transfer(sreq);
        break;
    }
    return true;
}

/* ---- how far a transfer came ---- */

/* MEDIUM and HARDWARE ERROR say in the information field which block is the bad one (SBC-3 4.18):
 * what lies before it is good. */
static uint32_t before_bad_block(const struct iskra_scsi_request *sreq,
                                 const struct iskra_sense *sense)
{
    uint32_t block_len = sreq->sdev->block_len;
    uint64_t lba = (sreq->offset + sreq->progress) / block_len;

    if (sreq->by_range || !sense->information_valid || sense->information < lba ||
        sense->information - lba >= sreq->cmnd.transfer_len / block_len)
        return 0;
    return (uint32_t)(sense->information - lba) * block_len;
}

uint32_t iskra_disk_good_bytes(const struct iskra_scsi_request *sreq)
{
    const struct iskra_cmnd *cmnd = &sreq->cmnd;
    uint32_t came = cmnd->residual < cmnd->transfer_len ? cmnd->transfer_len - cmnd->residual : 0;
    struct iskra_sense sense;

    if (sreq->kind == ISKRA_REQUEST_BLOCK_STATUS)
        return came; /* an answer, not blocks */
    if (sreq->by_range)
        came = cmnd->residual == 0 ? (uint32_t)sreq->piece_len : 0;
    came &= ~(sreq->sdev->block_len - 1);
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
