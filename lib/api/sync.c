/* Blocking calls: the asynchronous ones plus waiting. */
#include <errno.h>
#include <string.h>

#include <iskra/scsi.h>

#include "api/api.h"
#include "api/lun.h"

struct waiter {
    bool flag;
    int status;
    struct iskra_lun *lun;
    struct iskra_error *err;
};

static void io_done(struct iskra_io *io)
{
    *(bool *)io->user = true;
}

/* Submits and waits. The request is on this stack, so it is waited for whatever happens: its own
 * timeout bounds that. */
static int io_sync(struct iskra_lun *lun, struct iskra_io *io, struct iskra_error *err)
{
    struct iskra *ctx = iskra_lun_ctx(lun);
    bool finished = false;
    int rc = iskra_api_may_block(ctx, err);
    if (rc)
        return rc;
    io->done = io_done;
    io->user = &finished;
    rc = iskra_submit(lun, io);
    if (rc == 0)
        rc = iskra_api_wait(ctx, &finished);
    if (rc == 0)
        rc = io->status;
    if (rc && err != NULL)
        *err = io->error;
    return rc;
}

int iskra_read_sync(struct iskra_lun *lun, void *buf, uint64_t len, uint64_t offset,
                    struct iskra_error *err)
{
    struct iovec iov = {buf, (size_t)len};
    struct iskra_io io = {
        .op = ISKRA_READ, .offset = offset, .iov = &iov, .iov_cnt = 1, .len = len};
    return io_sync(lun, &io, err);
}

int iskra_write_sync(struct iskra_lun *lun, const void *buf, uint64_t len, uint64_t offset,
                     uint32_t flags, struct iskra_error *err)
{
    struct iovec iov = {(void *)buf, (size_t)len}; /* only read from */
    struct iskra_io io = {
        .op = ISKRA_WRITE, .flags = flags, .offset = offset, .iov = &iov, .iov_cnt = 1, .len = len};
    return io_sync(lun, &io, err);
}

int iskra_flush_sync(struct iskra_lun *lun, struct iskra_error *err)
{
    struct iskra_io io = {.op = ISKRA_FLUSH};
    return io_sync(lun, &io, err);
}

int iskra_unmap_sync(struct iskra_lun *lun, uint64_t len, uint64_t offset, struct iskra_error *err)
{
    struct iskra_io io = {.op = ISKRA_UNMAP, .offset = offset, .len = len};
    return io_sync(lun, &io, err);
}

int iskra_write_zeroes_sync(struct iskra_lun *lun, uint64_t len, uint64_t offset, uint32_t flags,
                            struct iskra_error *err)
{
    struct iskra_io io = {.op = ISKRA_WRITE_ZEROES, .flags = flags, .offset = offset, .len = len};
    return io_sync(lun, &io, err);
}

int iskra_compare_and_write_sync(struct iskra_lun *lun, const void *compare, const void *write,
                                 uint64_t len, uint64_t offset, struct iskra_error *err)
{
    const struct iovec iov[] = {{(void *)compare, len}, {(void *)write, len}}; /* only read from */
    struct iskra_io io = {
        .op = ISKRA_COMPARE_AND_WRITE, .offset = offset, .iov = iov, .iov_cnt = 2, .len = len};
    return io_sync(lun, &io, err);
}

int iskra_block_status_sync(struct iskra_lun *lun, uint64_t len, uint64_t offset,
                            struct iskra_extent *extents, uint32_t *extent_cnt,
                            struct iskra_error *err)
{
    struct iskra_io io = {.op = ISKRA_BLOCK_STATUS,
                          .offset = offset,
                          .len = len,
                          .extents = extents,
                          .extent_cnt = *extent_cnt};
    int rc = io_sync(lun, &io, err);
    if (rc == 0)
        *extent_cnt = io.extent_cnt;
    return rc;
}

static int raw_sync(struct iskra_lun *lun, const uint8_t *cdb, unsigned cdb_len, uint32_t flags,
                    struct iovec iov, uint32_t *ret_len, struct iskra_error *err)
{
    struct iskra_io io = {.op = ISKRA_RAW,
                          .flags = flags,
                          .cdb = cdb,
                          .cdb_len = cdb_len,
                          .iov = &iov,
                          .iov_cnt = iov.iov_len ? 1 : 0,
                          .len = iov.iov_len};
    int rc = io_sync(lun, &io, err);
    if (rc == 0 && ret_len != NULL)
        *ret_len = (uint32_t)(iov.iov_len - io.residual);
    return rc;
}

int iskra_raw_sync(struct iskra_lun *lun, const uint8_t *cdb, unsigned cdb_len, void *in,
                   uint32_t in_len, uint32_t *ret_len, struct iskra_error *err)
{
    return raw_sync(lun, cdb, cdb_len, 0, (struct iovec){in, in_len}, ret_len, err);
}

int iskra_raw_out_sync(struct iskra_lun *lun, const uint8_t *cdb, unsigned cdb_len, const void *out,
                       uint32_t out_len, uint32_t *ret_len, struct iskra_error *err)
{
    return raw_sync(lun, cdb, cdb_len, ISKRA_IO_DATA_OUT, (struct iovec){(void *)out, out_len},
                    ret_len, err); /* only read from */
}

static void opened(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct waiter *w = arg;
    w->flag = true;
    w->status = status;
    w->lun = lun;
    if (status && w->err != NULL)
        *w->err = *err;
}

static int open_sync(struct iskra *ctx, const char *url, bool raw, struct iskra_lun **ret_lun,
                     struct iskra_error *err)
{
    struct waiter w = {.err = err};
    int rc = iskra_api_may_block(ctx, err);
    if (rc == 0)
        rc =
            raw ? iskra_open_raw(ctx, url, opened, &w, err) : iskra_open(ctx, url, opened, &w, err);
    if (rc == 0)
        rc = iskra_api_wait(ctx, &w.flag);
    if (rc == 0)
        rc = w.status;
    if (rc == 0)
        *ret_lun = w.lun;
    return rc;
}

int iskra_open_sync(struct iskra *ctx, const char *url, struct iskra_lun **ret_lun,
                    struct iskra_error *err)
{
    return open_sync(ctx, url, false, ret_lun, err);
}

int iskra_open_raw_sync(struct iskra *ctx, const char *url, struct iskra_lun **ret_lun,
                        struct iskra_error *err)
{
    return open_sync(ctx, url, true, ret_lun, err);
}

static void closed(void *arg)
{
    *(bool *)arg = true;
}

int iskra_close_sync(struct iskra_lun *lun)
{
    if (lun == NULL)
        return 0;
    struct iskra *ctx = iskra_lun_ctx(lun);
    bool flag = false;
    int rc = iskra_api_may_block(ctx, NULL);
    if (rc)
        return rc;
    iskra_close(lun, closed, &flag);
    return iskra_api_wait(ctx, &flag);
}
