/* Submitting and cancelling SCSI requests. */
#include "scsi/request.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "error.h"
#include "planted.h"
#include "scsi/cache.h"
#include "scsi/block_status.h"
#include "scsi/device.h"
#include "scsi/disk.h"
#include "scsi/eh.h"
#include "scsi/host.h"

/* Internal commands are worth a few tries, a caller's own is sent once. */
#define INTERNAL_RETRIES_ALLOWED 3u

void iskra_scsi_request_init(struct iskra_scsi_request *sreq, struct iskra_sdev *sdev,
                             iskra_scsi_done_fn *done, struct iskra_error *error)
{
    /* Sense and parameters are written before they are read. */
    memset(sreq, 0, offsetof(struct iskra_scsi_request, cmnd.sense));
    iskra_request_init(&sreq->rq, &sdev->queue);
    sreq->sdev = sdev;
    sreq->done = done;
    sreq->error = error;
    sreq->cmnd.error = error;
}

static int check_iov(const struct iovec *iov, uint32_t iov_cnt, uint64_t len,
                     enum iskra_data_dir dir, struct iskra_error *err)
{
    uint64_t room = 0;

    if (len == 0)
        return 0;
    for (uint32_t i = 0; i < iov_cnt; i++) {
        if (iov[i].iov_len >= len - room)
            return 0;
        room += iov[i].iov_len;
    }
    if (dir == ISKRA_DIR_WRITE)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "%" PRIu64 " bytes were given, %" PRIu64 " are to go", room, len);
    return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                      "room for %" PRIu64 " bytes, %" PRIu64 " are to come", room, len);
}

static int check_device(const struct iskra_sdev *sdev, struct iskra_error *err)
{
    if (sdev->queue.dead)
        return iskra_fail(err, ISKRA_E_USAGE, ENODEV, "the LUN is being closed");
    return 0;
}

static void submit(struct iskra_scsi_request *sreq, enum iskra_request_kind kind,
                   const struct iovec *iov, uint32_t iov_cnt, uint64_t len)
{
    sreq->kind = (uint8_t)kind;
    sreq->len = len;
    sreq->cmnd.lun = sreq->sdev->lun;
    sreq->cmnd.iov = iov;
    sreq->cmnd.iov_cnt = iov_cnt;
    iskra_execute_rq_nowait(&sreq->sdev->queue, &sreq->rq, false);
}

static int submit_transfer(struct iskra_scsi_request *sreq, enum iskra_request_kind kind,
                           const struct iovec *iov, uint32_t iov_cnt, uint64_t offset, uint64_t len)
{
    enum iskra_data_dir dir = kind == ISKRA_REQUEST_WRITE ? ISKRA_DIR_WRITE : ISKRA_DIR_READ;
    int rc = iskra_disk_check_range(sreq->sdev, offset, len, sreq->error);

    if (rc == 0)
        rc = check_iov(iov, iov_cnt, len, dir, sreq->error);
    if (rc != 0)
        return rc;
    sreq->offset = offset;
    sreq->allowed = sreq->sdev->retries_allowed;
    submit(sreq, kind, iov, iov_cnt, len);
    return 0;
}

int iskra_scsi_submit_read(struct iskra_scsi_request *sreq, const struct iovec *iov,
                           uint32_t iov_cnt, uint64_t offset, uint64_t len)
{
    int rc = check_device(sreq->sdev, sreq->error);

    return rc != 0 ? rc : submit_transfer(sreq, ISKRA_REQUEST_READ, iov, iov_cnt, offset, len);
}

int iskra_scsi_submit_write(struct iskra_scsi_request *sreq, const struct iovec *iov,
                            uint32_t iov_cnt, uint64_t offset, uint64_t len, bool fua)
{
    int rc = check_device(sreq->sdev, sreq->error);

    if (rc == 0)
        rc = iskra_disk_check_writable(sreq->sdev, sreq->error);
    if (rc != 0)
        return rc;
    sreq->fua = fua;
    return submit_transfer(sreq, ISKRA_REQUEST_WRITE, iov, iov_cnt, offset, len);
}

/* The device is there, writable, and has the range. */
static int check_change(const struct iskra_scsi_request *sreq, uint64_t offset, uint64_t len)
{
    int rc = check_device(sreq->sdev, sreq->error);

    if (rc == 0)
        rc = iskra_disk_check_writable(sreq->sdev, sreq->error);
    return rc != 0 ? rc : iskra_disk_check_range(sreq->sdev, offset, len, sreq->error);
}

int iskra_scsi_submit_unmap(struct iskra_scsi_request *sreq, uint64_t offset, uint64_t len)
{
    int rc = check_change(sreq, offset, len);

    if (rc != 0)
        return rc;
    sreq->offset = offset;
    sreq->len = len;
    if (iskra_space_unmap_closed(sreq))
        return iskra_fail(sreq->error, ISKRA_E_UNSUPPORTED, EOPNOTSUPP, "the LUN does not unmap%s",
                          sreq->sdev->space.unmap == ISKRA_UNMAP_NOT ? "" : " beyond 2^32 blocks");
    sreq->allowed = sreq->sdev->retries_allowed;
    submit(sreq, ISKRA_REQUEST_UNMAP, NULL, 0, len);
    return 0;
}

int iskra_scsi_submit_write_zeroes(struct iskra_scsi_request *sreq, uint64_t offset, uint64_t len,
                                   bool fua, bool may_unmap)
{
    int rc = check_change(sreq, offset, len);

    if (rc != 0)
        return rc;
    sreq->offset = offset;
    sreq->fua = fua;
    sreq->may_unmap = may_unmap;
    sreq->allowed = sreq->sdev->retries_allowed;
    submit(sreq, ISKRA_REQUEST_WRITE_ZEROES, NULL, 0, len);
    return 0;
}

int iskra_scsi_submit_compare_and_write(struct iskra_scsi_request *sreq, const struct iovec *iov,
                                        uint32_t iov_cnt, uint64_t offset, uint64_t len)
{
    uint32_t max_len = sreq->sdev->space.max_compare_len;
    int rc = check_change(sreq, offset, len);

    if (rc != 0)
        return rc;
    if (max_len == 0)
        return iskra_fail(sreq->error, ISKRA_E_UNSUPPORTED, EOPNOTSUPP,
                          "the LUN does not know COMPARE AND WRITE");
    if (len == 0 || len > max_len)
        return iskra_fail(sreq->error, ISKRA_E_USAGE, EINVAL,
                          "compare and write of %" PRIu64 " bytes: %" PRIu32 " to %" PRIu32
                          " are possible",
                          len, sreq->sdev->block_len, max_len);
    rc = check_iov(iov, iov_cnt, 2 * len, ISKRA_DIR_WRITE, sreq->error);
    if (rc != 0)
        return rc;
    sreq->offset = offset;
    if (ISKRA_PLANTED(COMPARE_RETRIED))
        sreq->allowed = sreq->sdev->retries_allowed;
    submit(sreq, ISKRA_REQUEST_COMPARE_AND_WRITE, iov, iov_cnt, len);
    return 0;
}

int iskra_scsi_submit_block_status(struct iskra_scsi_request *sreq, struct iskra_extent *extents,
                                   uint32_t extent_max, uint64_t offset, uint64_t len)
{
    int rc = check_device(sreq->sdev, sreq->error);

    if (rc == 0)
        rc = iskra_disk_check_range(sreq->sdev, offset, len, sreq->error);
    if (rc != 0)
        return rc;
    if (extents == NULL || extent_max == 0 || len == 0)
        return iskra_fail(sreq->error, ISKRA_E_USAGE, EINVAL,
                          "block status of %" PRIu64 " bytes, with room for %" PRIu32 " extents",
                          len, extents != NULL ? extent_max : 0);
    sreq->offset = offset;
    sreq->allowed = sreq->sdev->retries_allowed;
    sreq->extents = extents;
    sreq->extent_max = extent_max;
    sreq->len = len;
    if (!sreq->sdev->space.lba_status)
        iskra_block_status_unknown(sreq);
    submit(sreq, ISKRA_REQUEST_BLOCK_STATUS, NULL, 0, len);
    return 0;
}

int iskra_scsi_submit_flush(struct iskra_scsi_request *sreq)
{
    int rc = check_device(sreq->sdev, sreq->error);

    if (rc == 0)
        rc = iskra_disk_check_range(sreq->sdev, 0, 0, sreq->error);
    if (rc != 0)
        return rc;
    sreq->allowed = sreq->sdev->retries_allowed;
    iskra_cache_flush_begins(sreq);
    submit(sreq, ISKRA_REQUEST_FLUSH, NULL, 0, 0);
    return 0;
}

static int submit_cdb(struct iskra_scsi_request *sreq, enum iskra_request_kind kind,
                      const uint8_t *cdb, uint32_t cdb_len, enum iskra_data_dir dir,
                      const struct iovec *iov, uint32_t iov_cnt, uint32_t len)
{
    int rc = check_device(sreq->sdev, sreq->error);

    if (rc != 0)
        return rc;
    if (cdb_len == 0 || cdb_len > ISKRA_ECDB_LEN_MAX)
        return iskra_fail(sreq->error, ISKRA_E_USAGE, EINVAL,
                          "a CDB of %" PRIu32 " bytes; 1 to %d are possible", cdb_len,
                          ISKRA_ECDB_LEN_MAX);
    rc = check_iov(iov, iov_cnt, len, dir, sreq->error);
    if (rc != 0)
        return rc;
    sreq->cmnd.cdb = cdb;
    sreq->cmnd.cdb_len = (uint16_t)cdb_len;
    sreq->cmnd.dir = len > 0 ? dir : ISKRA_DIR_NONE;
    sreq->cmnd.transfer_len = len;
    submit(sreq, kind, iov, iov_cnt, len);
    return 0;
}

int iskra_scsi_submit_raw(struct iskra_scsi_request *sreq, const uint8_t *cdb, uint32_t cdb_len,
                          enum iskra_data_dir dir, const struct iovec *iov, uint32_t iov_cnt,
                          uint32_t len)
{
    return submit_cdb(sreq, ISKRA_REQUEST_RAW, cdb, cdb_len, dir, iov, iov_cnt, len);
}

int iskra_scsi_submit_internal(struct iskra_scsi_request *sreq, uint32_t cdb_len,
                               const struct iovec *iov, uint32_t iov_cnt, uint32_t len)
{
    sreq->rq.preempt = true;
    sreq->allowed = INTERNAL_RETRIES_ALLOWED;
    return submit_cdb(sreq, ISKRA_REQUEST_INTERNAL, sreq->cdb, cdb_len, ISKRA_DIR_READ, iov,
                      iov_cnt, len);
}

int iskra_scsi_cancel(struct iskra_scsi_request *sreq)
{
    if (sreq->rq.owner == ISKRA_OWNER_NONE ||
        (sreq->rq.owner == ISKRA_OWNER_DONE && !sreq->postponed))
        return -EALREADY;
    /* Whoever has it looks at this before sending it once more. */
    sreq->canceled = true;
    sreq->canceled_in_eh = sreq->in_eh;
    struct iskra_session *session = sreq->sdev->host->session;
    if (iskra_kill_request(&sreq->rq))
        return 0;
    if (sreq->lent && session != NULL)
        (void)iskra_session_abort(session, &sreq->cmnd); /* if not, scsi_done is due */
    else if (!sreq->lent && sreq->rq.owner == ISKRA_OWNER_EH)
        iskra_eh_scmd_finish(sreq);
    return 0;
}
