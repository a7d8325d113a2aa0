/* The target with its faults, the initiator with its clock, and the requests. */
#include "stack/lossy.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#define DISK_LEN (64u << 20)

struct lossy lossy;
static const char *faults[2];
static unsigned fault_cnt;

static void with_faults(struct iskra_target_options *opts)
{
    static struct iskra_target_backend backends[2];
    backends[0] = opts->backends[0];
    backends[1] = (struct iskra_target_backend){.kind = ISKRA_TARGET_RAM, .size = DISK_LEN};
    opts->backends = backends;
    opts->backend_cnt = 2;
    opts->faults = faults;
    opts->fault_cnt = fault_cnt;
    opts->separate_status = lossy.separate_status;
}

void lossy_begin(const char *fault, const char *another)
{
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:cancel",
                                 .platform = &lossy.bent.pf};
    bent_init(&lossy.bent, NULL);
    faults[0] = fault;
    faults[1] = another;
    fault_cnt = fault == NULL ? 0 : another == NULL ? 1 : 2;
    lossy.rig = rig_start(with_faults);
    assert_int_equal(iskra_new(&opts, &lossy.ctx, NULL), 0);
}

void lossy_end(void)
{
    iskra_free(lossy.ctx);
    rig_stop(lossy.rig);
}

struct iskra_lun *lossy_open(unsigned number, const char *options)
{
    struct iskra_error err = {0};
    struct iskra_lun *lun = NULL;
    if (iskra_open_sync(lossy.ctx, rig_url(rig_port(lossy.rig), number, options), &lun, &err) != 0)
        fail_msg("open: %s", err.text);
    return lun;
}

static void req_done(struct iskra_io *io)
{
    struct req *q = (struct req *)io;
    q->done_cnt++;
    if (q->then != NULL)
        q->then(q);
}

struct req *req_new(enum iskra_op op, uint64_t offset, uint64_t len)
{
    struct req *q = calloc(1, sizeof(*q));
    q->data = malloc(len);
    memset(q->data, op == ISKRA_WRITE ? 0xaa : 0xee, len);
    q->iov = malloc(sizeof(*q->iov));
    *q->iov = (struct iovec){q->data, len};
    q->io = (struct iskra_io){
        .op = op, .offset = offset, .iov = q->iov, .iov_cnt = 1, .len = len, .done = req_done};
    return q;
}

void req_free(struct req *q)
{
    free(q->data);
    free(q->iov);
    free(q);
}

struct req *req_start(struct iskra_lun *lun, enum iskra_op op, uint64_t offset, uint64_t len)
{
    struct req *q = req_new(op, offset, len);
    assert_int_equal(iskra_submit(lun, &q->io), 0);
    return q;
}

void lossy_run_until(const unsigned *cnt, unsigned want)
{
    while (*cnt < want)
        assert_int_equal(iskra_run_once(lossy.ctx, 5 * SECOND), 0);
}

void lossy_rounds(unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++)
        assert_int_equal(iskra_run_once(lossy.ctx, 2000000), 0);
}

void req_was_canceled(const struct req *q)
{
    assert_int_equal(q->done_cnt, 1);
    assert_int_equal(q->io.status, -ECANCELED);
    assert_int_equal(q->io.error.code, ISKRA_E_CANCELED);
}

void lossy_works(struct iskra_lun *lun)
{
    uint8_t *buf = malloc(1 << 20);
    struct iskra_error err = {0};
    for (uint64_t at = 0; at < 4 << 20; at += 1 << 20) {
        if (iskra_read_sync(lun, buf, 1 << 20, at, &err) != 0)
            fail_msg("read: %s", err.text);
        assert_memory_equal(buf, rig_content(lossy.rig) + at, 1 << 20);
    }
    free(buf);
}
