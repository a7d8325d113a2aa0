/* The mixer: draw, submit, judge in done(), free. */
#include "stack/mixer.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/codes.h>

#define LEN_MAX     (4u << 20)
#define PIECE_CNT   4u
#define EXTENT_CNT  4u
#define IN_FLIGHT   256u
#define WAIT_NS     INT64_C(1000000000)
#define INQUIRY_LEN 36u

struct range {
    uint64_t offset, len;
};

struct mixer {
    struct iskra *ctx;
    struct iskra_lun *lun;
    struct iskra_lun_info info;
    struct mixer_plan plan;
    struct mixer_tally tally;
    uint8_t *shadow;
    uint64_t len, state;
    unsigned submitted_cnt, done_cnt;
    struct req *out[IN_FLIGHT];
    char why[400];
};

struct req {
    struct iskra_io io; /* first */
    struct mixer *mixer;
    struct range range; /* what nobody else may touch meanwhile; len 0: nothing */
    struct iovec *iov;
    uint8_t *data;
    struct iskra_extent *extents;
    uint8_t *cdb;
    uint32_t room;
    bool differs; /* a compare that must fail */
    bool learns;  /* a read of what an unmap left */
};

static uint64_t draw64(struct mixer *m)
{
    m->state ^= m->state << 13;
    m->state ^= m->state >> 7;
    m->state ^= m->state << 17;
    return m->state;
}

static uint32_t draw(struct mixer *m, uint32_t below)
{
    return (uint32_t)((draw64(m) >> 16) % below);
}

__attribute__((format(printf, 2, 3))) static void wrong(struct mixer *m, const char *format, ...)
{
    va_list ap;
    if (m->why[0] != 0)
        return; /* the first one says why */
    va_start(ap, format);
    vsnprintf(m->why, sizeof(m->why), format, ap);
    va_end(ap);
}

static void req_free(struct req *q)
{
    free(q->data);
    free(q->iov);
    free(q->extents);
    free(q->cdb);
    free(q);
}

static void req_wrong(struct req *q, const char *what)
{
    wrong(q->mixer, "operation %d, %llu bytes at %llu, %u done before: %s: %d %s", (int)q->io.op,
          (unsigned long long)q->range.len, (unsigned long long)q->range.offset, q->mixer->done_cnt,
          what, q->io.status, q->io.error.text);
}

static void req_submit(struct req *q)
{
    int rc = iskra_submit(q->mixer->lun, &q->io);
    if (rc != 0) {
        q->io.status = rc;
        req_wrong(q, "refused");
    }
}

/* ---- judging, inside done() ---- */

static void check_read(struct req *q)
{
    uint8_t *shadow = q->mixer->shadow + q->range.offset;
    if (q->learns)
        memcpy(shadow, q->data, q->range.len);
    else if (memcmp(q->data, shadow, q->range.len) != 0)
        req_wrong(q, "not what the shadow says");
}

static void check_extents(struct req *q)
{
    const uint8_t *shadow = q->mixer->shadow;
    uint64_t pos = q->range.offset, end = pos + q->range.len;
    if (q->io.extent_cnt < 1 || q->io.extent_cnt > q->room)
        req_wrong(q, "a wrong number of extents");
    for (uint32_t i = 0; i < q->io.extent_cnt && i < q->room; i++) {
        const struct iskra_extent *e = &q->extents[i];
        if (e->offset != pos || e->len == 0 || e->len % q->mixer->info.block_len != 0 ||
            e->len > end - pos) {
            req_wrong(q, "extents out of place");
            return;
        }
        if (e->flags & ISKRA_EXTENT_ZERO)
            for (uint64_t at = pos; at < pos + e->len; at++)
                if (shadow[at] != 0) {
                    req_wrong(q, "said to be zero and is not");
                    return;
                }
        pos += e->len;
    }
}

/* A raw CDB sees what the target injects. */
static bool met_fault(const struct req *q)
{
    const struct iskra_error *err = &q->io.error;
    if (!q->mixer->plan.faulty || q->io.op != ISKRA_RAW || err->code != ISKRA_E_SCSI)
        return false;
    return err->scsi_status == ISKRA_STATUS_BUSY ||
           err->scsi_status == ISKRA_STATUS_TASK_SET_FULL ||
           (err->scsi_status == ISKRA_STATUS_CHECK_CONDITION && err->sense_len > 2 &&
            (err->sense[2] & 0xf) == ISKRA_SENSE_UNIT_ATTENTION);
}

static bool lacks_compare(const struct req *q)
{
    return q->mixer->plan.may_lack_compare && q->io.op == ISKRA_COMPARE_AND_WRITE &&
           q->io.status == -EOPNOTSUPP && q->io.error.code == ISKRA_E_UNSUPPORTED;
}

static void check_raw(struct req *q)
{
    if (q->io.len != 0 && (q->io.residual >= INQUIRY_LEN - 5 || q->data[0] != 0))
        req_wrong(q, "no INQUIRY data of a disk");
}

/* Returns whether the request goes on as another one. */
static bool apply(struct req *q)
{
    struct mixer *m = q->mixer;
    uint8_t *shadow = m->shadow + q->range.offset;
    switch (q->io.op) {
    case ISKRA_READ:
        check_read(q);
        return false;
    case ISKRA_WRITE:
        memcpy(shadow, q->data, q->range.len);
        return false;
    case ISKRA_WRITE_ZEROES:
        memset(shadow, 0, q->range.len);
        return false;
    case ISKRA_COMPARE_AND_WRITE:
        memcpy(shadow, q->data + q->range.len, q->range.len);
        return false;
    case ISKRA_BLOCK_STATUS:
        check_extents(q);
        return false;
    case ISKRA_RAW:
        check_raw(q);
        return false;
    case ISKRA_UNMAP:
        if (m->info.unmapped_zeroes) {
            memset(shadow, 0, q->range.len);
            return false;
        }
        q->io.op = ISKRA_READ;
        q->learns = true;
        q->data = malloc(q->range.len);
        q->iov = malloc(sizeof(*q->iov));
        *q->iov = (struct iovec){q->data, q->range.len};
        q->io.iov = q->iov;
        q->io.iov_cnt = 1;
        return true;
    default:
        return false;
    }
}

static void req_done(struct iskra_io *io)
{
    struct req *q = (struct req *)io;
    struct mixer *m = q->mixer;
    unsigned slot = 0;
    while (slot < m->plan.in_flight && m->out[slot] != q)
        slot++;
    if (slot == m->plan.in_flight) {
        wrong(m, "done() of a request that is not in flight");
        return;
    }
    if (m->why[0] == 0) { /* else the test has failed already, and the rest is ended */
        if (met_fault(q)) {
            m->tally.again_cnt++;
            req_submit(q);
            return;
        }
        if (lacks_compare(q)) {
            m->info.max_compare_len = 0; /* draws no more of them */
        } else if (q->differs) {
            if (io->status != -EILSEQ || io->error.code != ISKRA_E_MISCOMPARE)
                req_wrong(q, "unequal and not told");
        } else if (io->status != 0) {
            req_wrong(q, "failed");
        } else if (apply(q)) {
            req_submit(q);
            return;
        }
    }
    m->tally.ops[q->learns ? ISKRA_UNMAP : io->op]++;
    m->done_cnt++;
    m->out[slot] = NULL;
    req_free(q);
}

/* ---- drawing ---- */

static unsigned out_cnt(const struct mixer *m)
{
    return m->submitted_cnt - m->done_cnt;
}

static bool is_free(const struct mixer *m, struct range r)
{
    for (unsigned i = 0; i < m->plan.in_flight; i++)
        if (m->out[i] != NULL && r.offset < m->out[i]->range.offset + m->out[i]->range.len &&
            m->out[i]->range.offset < r.offset + r.len)
            return false;
    return true;
}

static bool draw_range(struct mixer *m, struct range *r)
{
    uint32_t block_len = m->info.block_len;
    uint32_t blocks = 1 + draw(m, draw(m, 16) == 0 ? LEN_MAX / block_len : 32);
    uint32_t first = draw(m, (uint32_t)m->info.block_cnt - blocks + 1);
    *r = (struct range){(uint64_t)first * block_len, (uint64_t)blocks * block_len};
    return is_free(m, *r);
}

/* Memory of the exact size, in up to four pieces that begin anywhere. */
static void lend(struct req *q, uint64_t len)
{
    struct mixer *m = q->mixer;
    uint64_t at = 0;
    q->data = malloc(len);
    q->iov = calloc(PIECE_CNT, sizeof(*q->iov));
    q->io.iov_cnt = (int)(1 + draw(m, PIECE_CNT));
    for (int i = 0; i < q->io.iov_cnt; i++) {
        uint64_t piece = i + 1 == q->io.iov_cnt ? len - at : draw(m, (uint32_t)(len - at) + 1);
        q->iov[i] = (struct iovec){q->data + at, piece};
        at += piece;
    }
    q->io.iov = q->iov;
}

static void fill(struct mixer *m, uint8_t *data, uint64_t len)
{
    for (uint64_t at = 0; at < len; at += 8) {
        uint64_t value = draw64(m);
        memcpy(data + at, &value, 8);
    }
}

static void prepare_compare(struct req *q)
{
    struct mixer *m = q->mixer;
    if (q->range.len > m->info.max_compare_len)
        q->range.len = m->info.max_compare_len;
    q->io.len = q->range.len;
    lend(q, 2 * q->range.len);
    memcpy(q->data, m->shadow + q->range.offset, q->range.len);
    fill(m, q->data + q->range.len, q->range.len);
    q->differs = draw(m, 2);
    if (q->differs)
        q->data[draw(m, (uint32_t)q->range.len)] ^= 0x40;
}

static void prepare_raw(struct req *q)
{
    struct mixer *m = q->mixer;
    q->cdb = calloc(1, 6);
    q->io.cdb = q->cdb;
    q->io.cdb_len = 6;
    q->range = (struct range){0, 0};
    q->io.offset = q->io.len = 0;
    if (draw(m, 2)) { /* INQUIRY, SPC-4 6.6; else TEST UNIT READY */
        q->cdb[0] = 0x12;
        q->cdb[4] = INQUIRY_LEN;
        q->io.len = INQUIRY_LEN;
        lend(q, INQUIRY_LEN);
        memset(q->data, 0xff, INQUIRY_LEN);
    }
}

static void prepare(struct req *q)
{
    struct mixer *m = q->mixer;
    switch (q->io.op) {
    case ISKRA_READ:
        lend(q, q->range.len);
        memset(q->data, 0xee, q->range.len);
        break;
    case ISKRA_WRITE:
        lend(q, q->range.len);
        fill(m, q->data, q->range.len);
        q->io.flags = draw(m, 4) == 0 ? ISKRA_IO_FUA : 0;
        break;
    case ISKRA_FLUSH:
        q->range = (struct range){0, 0};
        q->io.offset = q->io.len = 0;
        break;
    case ISKRA_WRITE_ZEROES:
        q->io.flags = (draw(m, 2) ? ISKRA_IO_MAY_UNMAP : 0) | (draw(m, 4) == 0 ? ISKRA_IO_FUA : 0);
        break;
    case ISKRA_COMPARE_AND_WRITE:
        prepare_compare(q);
        break;
    case ISKRA_BLOCK_STATUS:
        q->room = 1 + draw(m, EXTENT_CNT);
        q->extents = calloc(q->room, sizeof(*q->extents));
        q->io.extents = q->extents;
        q->io.extent_cnt = q->room;
        break;
    case ISKRA_RAW:
        prepare_raw(q);
        break;
    default:
        break;
    }
}

static enum iskra_op draw_op(struct mixer *m)
{
    static const enum iskra_op ops[] = {
        ISKRA_READ,  ISKRA_READ,         ISKRA_READ,  ISKRA_WRITE,
        ISKRA_WRITE, ISKRA_WRITE,        ISKRA_FLUSH, ISKRA_UNMAP,
        ISKRA_RAW,   ISKRA_WRITE_ZEROES, ISKRA_RAW,   ISKRA_COMPARE_AND_WRITE,
        ISKRA_READ,  ISKRA_BLOCK_STATUS};
    for (;;) {
        enum iskra_op op = ops[draw(m, sizeof(ops) / sizeof(ops[0]))];
        if (!(op == ISKRA_UNMAP && !m->info.can_unmap) &&
            !(op == ISKRA_COMPARE_AND_WRITE && m->info.max_compare_len == 0))
            return op;
    }
}

static void start_one(struct mixer *m, struct range r)
{
    unsigned slot = 0;
    struct req *q = calloc(1, sizeof(*q));
    *q = (struct req){.mixer = m, .range = r};
    q->io.op = draw_op(m);
    q->io.offset = r.offset;
    q->io.len = r.len;
    q->io.done = req_done;
    prepare(q);
    while (m->out[slot] != NULL)
        slot++;
    m->out[slot] = q;
    m->submitted_cnt++;
    if (out_cnt(m) > m->tally.peak_cnt)
        m->tally.peak_cnt = out_cnt(m);
    req_submit(q);
}

/* Starts what has room and runs one round. */
static void go_on(struct mixer *m)
{
    struct range r;
    while (out_cnt(m) < m->plan.in_flight && m->submitted_cnt < m->plan.op_cnt && m->why[0] == 0 &&
           draw_range(m, &r))
        start_one(m, r);
    if (m->why[0] == 0 && out_cnt(m) > 0 && iskra_run_once(m->ctx, WAIT_NS) != 0)
        wrong(m, "the loop failed");
}

static void read_all(struct mixer *m, uint8_t *into)
{
    struct iskra_error err = {0};
    for (uint64_t at = 0; at < m->len && m->why[0] == 0; at += LEN_MAX) {
        uint64_t len = m->len - at < LEN_MAX ? m->len - at : LEN_MAX;
        if (iskra_read_sync(m->lun, into + at, len, at, &err) != 0)
            wrong(m, "reading it all: %s", err.text);
    }
}

uint8_t *mixer_run(struct iskra *ctx, struct iskra_lun *lun, const struct mixer_plan *plan,
                   struct mixer_tally *ret_tally, const char **why)
{
    static struct mixer mixer; /* outlives a failure, as requests in flight do */
    struct mixer *m = &mixer;
    mixer = (struct mixer){.ctx = ctx, .lun = lun, .plan = *plan};
    m->state = UINT64_C(0x9e3779b97f4a7c15) ^ ((uint64_t)plan->seed << 20 | plan->seed);
    if (m->plan.in_flight > IN_FLIGHT)
        m->plan.in_flight = IN_FLIGHT;
    iskra_lun_info(lun, &m->info);
    m->len = m->info.block_cnt * m->info.block_len;
    m->shadow = malloc(m->len);
    *why = m->why;
    read_all(m, m->shadow);
    while (m->why[0] == 0 && m->done_cnt < plan->op_cnt)
        go_on(m);
    if (m->why[0] == 0) {
        uint8_t *end = malloc(m->len);
        read_all(m, end);
        if (m->why[0] == 0 && memcmp(end, m->shadow, m->len) != 0)
            wrong(m, "what is there in the end is not what the shadow says");
        free(end);
    }
    *ret_tally = m->tally;
    if (m->why[0] == 0)
        return m->shadow;
    free(m->shadow);
    m->shadow = NULL;
    return NULL;
}
