/* Requests: from the caller's struct iskra_io to the mid-layer and back; those of other threads by
 * way of the mailbox. */
#include <errno.h>
#include <string.h>

#include "api/api.h"
#include "api/lun.h"
#include "scsi/request.h"

/* What lives in the opaque tail. */
struct io_tail {
    struct iskra_scsi_request sreq;
    struct iskra *ctx;
    struct iskra_lun *lun;  /* posted: where to */
    struct iskra_mail mail; /* posted: how it gets to the loop */
    bool posted;            /* not yet submitted: the loop will do it */
    bool unwanted;          /* posted and cancelled: the loop will not */
};
_Static_assert(sizeof(struct io_tail) <= ISKRA_IO_TAIL_LEN, "the tail of struct iskra_io is ABI");

static struct io_tail *tail_of(struct iskra_io *io)
{
    return (struct io_tail *)(void *)&io->tail;
}

static void io_done(struct iskra_scsi_request *sreq)
{
    struct io_tail *tail = iskra_container_of(sreq, struct io_tail, sreq);
    struct iskra_io *io = iskra_container_of((char *)tail, struct iskra_io, tail);
    ISKRA_STEP(&tail->ctx->round.trace, DONE, 0);
    io->status = sreq->status;
    io->residual = sreq->len - sreq->progress;
    io->overflow = sreq->kind == ISKRA_REQUEST_RAW ? sreq->cmnd.overflow : 0;
    if (sreq->kind == ISKRA_REQUEST_BLOCK_STATUS)
        io->extent_cnt = sreq->extent_cnt;
    tail->ctx->out_cnt--;
    io->done(io); /* may free io */
}

static int check_flags(struct iskra_io *io)
{
    static const uint32_t allowed[] = {
        [ISKRA_WRITE] = ISKRA_IO_FUA,
        [ISKRA_WRITE_ZEROES] = ISKRA_IO_FUA | ISKRA_IO_MAY_UNMAP,
        [ISKRA_RAW] = ISKRA_IO_DATA_OUT,
    };
    if ((unsigned)io->op >= sizeof(allowed) / sizeof(allowed[0]) ||
        (io->flags & ~allowed[io->op]) == 0)
        return 0; /* an operation that is not known is refused for that */
    return iskra_fail(&io->error, ISKRA_E_USAGE, EINVAL, "flags %#x of operation %d", io->flags,
                      (int)io->op);
}

static int submit_raw(struct iskra_io *io, struct iskra_scsi_request *sreq)
{
    enum iskra_data_dir dir = io->flags & ISKRA_IO_DATA_OUT ? ISKRA_DIR_WRITE : ISKRA_DIR_READ;
    if (io->len > UINT32_MAX)
        return iskra_fail(&io->error, ISKRA_E_USAGE, EINVAL,
                          "raw CDB with %llu bytes of data, at most %u",
                          (unsigned long long)io->len, UINT32_MAX);
    return iskra_scsi_submit_raw(sreq, io->cdb, io->cdb_len, dir, io->iov, (uint32_t)io->iov_cnt,
                                 (uint32_t)io->len);
}

static int submit(struct iskra_io *io, struct iskra_scsi_request *sreq)
{
    if (io->iov_cnt < 0 || io->done == NULL)
        return iskra_fail(&io->error, ISKRA_E_USAGE, EINVAL,
                          "request without done() or with %d iovecs", io->iov_cnt);
    int rc = check_flags(io);
    if (rc)
        return rc;
    switch (io->op) {
    case ISKRA_READ:
        return iskra_scsi_submit_read(sreq, io->iov, (uint32_t)io->iov_cnt, io->offset, io->len);
    case ISKRA_WRITE:
        return iskra_scsi_submit_write(sreq, io->iov, (uint32_t)io->iov_cnt, io->offset, io->len,
                                       io->flags & ISKRA_IO_FUA);
    case ISKRA_FLUSH:
        if (io->offset != 0 || io->len != 0)
            return iskra_fail(&io->error, ISKRA_E_USAGE, EINVAL,
                              "a flush is of everything; offset %llu, length %llu were given",
                              (unsigned long long)io->offset, (unsigned long long)io->len);
        return iskra_scsi_submit_flush(sreq);
    case ISKRA_UNMAP:
        return iskra_scsi_submit_unmap(sreq, io->offset, io->len);
    case ISKRA_WRITE_ZEROES:
        return iskra_scsi_submit_write_zeroes(sreq, io->offset, io->len, io->flags & ISKRA_IO_FUA,
                                              io->flags & ISKRA_IO_MAY_UNMAP);
    case ISKRA_COMPARE_AND_WRITE:
        return iskra_scsi_submit_compare_and_write(sreq, io->iov, (uint32_t)io->iov_cnt, io->offset,
                                                   io->len);
    case ISKRA_BLOCK_STATUS:
        return iskra_scsi_submit_block_status(sreq, io->extents, io->extent_cnt, io->offset,
                                              io->len);
    case ISKRA_RAW:
        return submit_raw(io, sreq);
    }
    return iskra_fail(&io->error, ISKRA_E_USAGE, EINVAL, "unknown operation %d", (int)io->op);
}

/* Entered. 0, or why not. */
static int take(struct iskra_lun *lun, struct iskra_io *io)
{
    struct iskra *ctx = lun->ctx;
    struct io_tail *tail = tail_of(io);
    tail->ctx = ctx;
    tail->posted = false;
    if (lun->closing)
        return iskra_fail(&io->error, ISKRA_E_USAGE, ENODEV, "LUN %u is being closed", lun->number);
    iskra_scsi_request_init(&tail->sreq, lun->sdev, io_done, &io->error);
    tail->sreq.rq.timeout_ns = io->timeout_ns;
    ctx->out_cnt++;
    int rc = submit(io, &tail->sreq);
    if (rc)
        ctx->out_cnt--;
    return rc;
}

int iskra_submit(struct iskra_lun *lun, struct iskra_io *io)
{
    struct iskra *ctx = iskra_lun_ctx(lun);
    io->error.code = ISKRA_OK;
    int rc = iskra_api_enter(ctx, &io->error);
    if (rc)
        return rc;
    rc = take(lun, io);
    iskra_api_leave(ctx);
    return rc;
}

/* ---- from other threads ---- */

static void posted_work(struct iskra_work *work)
{
    struct iskra_mail *mail = iskra_container_of(work, struct iskra_mail, work);
    struct io_tail *tail = iskra_container_of(mail, struct io_tail, mail);
    struct iskra_io *io = iskra_container_of((char *)tail, struct iskra_io, tail);
    struct iskra_lun *lun = tail->lun;
    int rc;
    tail->posted = false;
    if (tail->unwanted || lun->closing)
        rc = iskra_fail(&io->error, ISKRA_E_CANCELED, ECANCELED, "%s before the request was sent",
                        tail->unwanted ? "cancelled" : "the LUN was closed");
    else
        rc = take(lun, io);
    (void)atomic_fetch_sub(&lun->posts, 1); /* it may be freed now, but not before we return */
    if (rc) {
        io->status = rc;
        io->residual = io->len;
        io->done(io);
    }
}

int iskra_post(struct iskra_lun *lun, struct iskra_io *io)
{
    struct iskra *ctx = lun->ctx;
    struct io_tail *tail = tail_of(io);
    io->error.code = ISKRA_OK;
    if (!iskra_api_own_process(ctx))
        return iskra_api_enter(ctx, &io->error); /* which refuses, and says why */
    if (io->done == NULL)
        return iskra_fail(&io->error, ISKRA_E_USAGE, EINVAL, "request without done()");
    if (atomic_fetch_add(&lun->posts, 1) & ISKRA_LUN_POSTS_OVER) {
        unsigned number = lun->number;
        (void)atomic_fetch_sub(&lun->posts, 1);
        return iskra_fail(&io->error, ISKRA_E_USAGE, ENODEV, "LUN %u is being closed", number);
    }
    tail->ctx = ctx;
    tail->lun = lun;
    tail->posted = true;
    tail->unwanted = false;
    if (iskra_mailbox_push(&ctx->mailbox, &tail->mail, posted_work))
        iskra_driver_wake(ctx->driver);
    return 0;
}

/* ---- cancelling and detaching ---- */

static int cancel(struct io_tail *tail)
{
    if (!tail->posted)
        return iskra_scsi_cancel(&tail->sreq);
    tail->unwanted = true;
    return 0;
}

/* A request that is still in the mailbox is taken out of there with all others, which will not mind
 * to be work a little earlier. */
static int detach(struct io_tail *tail)
{
    struct iskra *ctx = tail->ctx;
    if (!tail->posted) {
        int rc = iskra_scsi_detach(&tail->sreq);
        if (rc == 0)
            ctx->out_cnt--;
        return rc;
    }
    iskra_mailbox_take(&ctx->mailbox, &ctx->round.work);
    iskra_work_cancel(&tail->mail.work);
    tail->posted = false;
    (void)atomic_fetch_sub(&tail->lun->posts, 1);
    return 0;
}

/* A request that was never submitted has no initiator, and nothing to take back. */
static int take_back(struct iskra_io *io, int (*how)(struct io_tail *tail))
{
    struct io_tail *tail = tail_of(io);
    struct iskra *ctx = tail->ctx;
    int rc = ctx != NULL ? iskra_api_enter(ctx, NULL) : -EALREADY;
    if (rc)
        return rc;
    rc = how(tail);
    iskra_api_leave(ctx);
    return rc;
}

int iskra_cancel(struct iskra_io *io)
{
    return take_back(io, cancel);
}

int iskra_detach(struct iskra_io *io)
{
    return take_back(io, detach);
}
