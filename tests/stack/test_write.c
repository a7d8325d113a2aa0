/* Writes of the whole library onto the embedded target: what is read back is what a shadow copy in
 * memory says, whatever was negotiated and however the data was cut. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/scsi.h>
#include <iskra/session.h>

#include "stack/proxy.h"
#include "stack/rig.h"

#define BLOCK     512u
#define DISK_LEN  (8u << 20)
#define BURST_CNT 32 /* requests in flight */

/* LUNs of the target. */
enum {
    FILE_LUN,
    RAM_LUN,
    PROTECTED_LUN
};

static struct rig *rig;
static struct iskra *ctx;
static uint8_t *shadow; /* what the disk has to hold */
static uint32_t seed;

static void add_luns(struct iskra_target_options *opts)
{
    static struct iskra_target_backend backends[3];
    backends[0] = opts->backends[0];
    backends[1] = (struct iskra_target_backend){.kind = ISKRA_TARGET_RAM, .size = DISK_LEN};
    backends[2] =
        (struct iskra_target_backend){.kind = ISKRA_TARGET_RAM, .size = 1 << 20, .read_only = true};
    opts->backends = backends;
    opts->backend_cnt = 3;
    opts->first_burst = 64 << 10; /* so that the sizes below need every way of sending */
    opts->max_burst = 256 << 10;
    opts->max_recv = 32 << 10;
}

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static void fill(uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = (uint8_t)draw(256);
}

static int setup(void **state)
{
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:write"};
    seed = 7143;
    shadow = calloc(1, DISK_LEN);
    return iskra_new(&opts, &ctx, NULL);
}

static int teardown(void **state)
{
    iskra_free(ctx);
    free(shadow);
    ctx = NULL;
    return 0;
}

static struct iskra_lun *open_lun(unsigned number, const char *options)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    int rc = iskra_open_sync(ctx, rig_url(rig_port(rig), number, options), &lun, &err);
    if (rc)
        print_message("# %s\n", err.text);
    assert_int_equal(rc, 0);
    return lun;
}

/* By another session, so that nothing of the one that wrote is trusted. */
static void disk_is_the_shadow(unsigned number)
{
    struct iskra_lun *lun = open_lun(number, "initiator_name=iqn.2026-11.io.iskra.test:reader");
    uint8_t *buf = malloc(DISK_LEN);
    assert_int_equal(iskra_read_sync(lun, buf, DISK_LEN, 0, NULL), 0);
    for (unsigned block = 0; block < DISK_LEN / BLOCK; block++)
        if (memcmp(buf + block * BLOCK, shadow + block * BLOCK, BLOCK) != 0)
            fail_msg("block %u is not what was written", block);
    free(buf);
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void disk_is_made_the_shadow(unsigned number)
{
    struct iskra_lun *lun = open_lun(number, NULL);
    assert_int_equal(iskra_read_sync(lun, shadow, DISK_LEN, 0, NULL), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* ---- many at once ---- */

struct stream {
    struct iskra_io io;
    struct iovec iov;
    struct iskra_lun *lun;
    uint8_t buf[64 * BLOCK];
    unsigned index;
    int left, *running;
};

static void stream_next(struct iskra_io *io);

/* Each stream has its own part of the disk: the target may execute in any order. */
static void stream_submit(struct stream *s)
{
    unsigned part_blocks = DISK_LEN / BLOCK / BURST_CNT;
    unsigned block_cnt = 1 + draw(64);
    unsigned block = s->index * part_blocks + draw(part_blocks - block_cnt + 1);
    fill(s->buf, block_cnt * BLOCK);
    memcpy(shadow + block * BLOCK, s->buf, block_cnt * BLOCK);
    s->iov = (struct iovec){s->buf, block_cnt * BLOCK};
    s->io.op = ISKRA_WRITE;
    s->io.flags = draw(16) == 0 ? ISKRA_IO_FUA : 0;
    s->io.offset = (uint64_t)block * BLOCK;
    s->io.len = s->iov.iov_len;
    s->io.iov = &s->iov;
    s->io.iov_cnt = 1;
    s->io.done = stream_next;
    assert_int_equal(iskra_submit(s->lun, &s->io), 0);
}

static void stream_next(struct iskra_io *io)
{
    struct stream *s = (struct stream *)io;
    if (io->status)
        print_message("# %s\n", io->error.text);
    assert_int_equal(io->status, 0);
    if (--s->left > 0)
        stream_submit(s);
    else
        --*s->running;
}

static void write_at_random(unsigned number, const char *options)
{
    int running = BURST_CNT;
    struct stream *streams = calloc(BURST_CNT, sizeof(*streams));
    struct iskra_lun *lun = open_lun(number, options);
    for (unsigned i = 0; i < BURST_CNT; i++) {
        streams[i].lun = lun;
        streams[i].index = i;
        streams[i].left = 12;
        streams[i].running = &running;
        stream_submit(&streams[i]);
    }
    while (running)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    assert_int_equal(iskra_flush_sync(lun, NULL), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
    free(streams);
    disk_is_the_shadow(number);
}

static void random_writes_at_queue_depth_32_are_all_there_with_any_digests(void **state)
{
    static const char *const options[] = {NULL, "header_digest=crc32c", "data_digest=crc32c",
                                          "header_digest=crc32c&data_digest=crc32c"};
    disk_is_made_the_shadow(RAM_LUN);
    for (int i = 0; i < 4; i++)
        write_at_random(RAM_LUN, options[i]);
}

static void random_writes_are_all_there_with_any_first_data(void **state)
{
    disk_is_made_the_shadow(FILE_LUN);
    for (int i = 0; i < 4; i++) {
        char options[100];
        snprintf(options, sizeof(options), "immediate_data=%s&initial_r2t=%s&data_digest=crc32c",
                 i & 1 ? "yes" : "no", i & 2 ? "yes" : "no");
        struct iskra_lun *lun = open_lun(FILE_LUN, options);
        struct iskra_session_info info;
        iskra_session_info(lun, &info);
        assert_int_equal(info.immediate_data, i & 1);
        assert_int_equal(info.initial_r2t, i >> 1);
        assert_int_equal(iskra_close_sync(lun), 0);
        write_at_random(FILE_LUN, options);
    }
}

/* ---- sizes and scattered memory ---- */

/* Cuts len bytes at buf into parts of odd lengths, empty ones among them. */
static int cut(struct iovec *iov, int max, uint8_t *buf, size_t len)
{
    int cnt = 0;
    while (len > 0 && cnt < max - 1) {
        size_t part = draw(8) == 0 ? 0 : 1 + draw(200000);
        part = part < len ? part : len;
        iov[cnt++] = (struct iovec){buf, part};
        buf += part;
        len -= part;
    }
    iov[cnt++] = (struct iovec){buf, len};
    return cnt;
}

static void count_down(struct iskra_io *io)
{
    --*(int *)io->user;
}

static void write_of(struct iskra_lun *lun, size_t len)
{
    struct iovec iov[64];
    uint64_t offset = (uint64_t)draw((uint32_t)((DISK_LEN - len) / BLOCK + 1)) * BLOCK;
    uint8_t *buf = malloc(len + 1);
    int left = 1;
    fill(buf + 1, len);
    memcpy(shadow + offset, buf + 1, len);
    struct iskra_io io = {.op = ISKRA_WRITE,
                          .offset = offset,
                          .iov = iov,
                          .iov_cnt = cut(iov, 64, buf + 1, len),
                          .len = len,
                          .done = count_down,
                          .user = &left};
    assert_int_equal(iskra_submit(lun, &io), 0);
    while (left)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    if (io.status)
        print_message("# %zu bytes: %s\n", len, io.error.text);
    assert_int_equal(io.status, 0);
    free(buf);
}

static void writes_of_every_size_from_scattered_memory_arrive(void **state)
{
    /* Around FirstBurstLength, MaxRecvDataSegmentLength, MaxBurstLength, the command's limit. */
    static const size_t sizes[] = {
        512,    1024,   32256,  32768,  33280,           65024,   65536,           66048,
        131072, 261632, 262144, 262656, (1 << 20) - 512, 1 << 20, (1 << 20) + 512, (3 << 20) + 1536,
        5 << 20};
    disk_is_made_the_shadow(RAM_LUN);
    for (int i = 0; i < 8; i++) {
        char options[120];
        snprintf(options, sizeof(options), "immediate_data=%s&initial_r2t=%s&data_digest=%s",
                 i & 1 ? "yes" : "no", i & 2 ? "yes" : "no", i & 4 ? "crc32c" : "none");
        struct iskra_lun *lun = open_lun(RAM_LUN, options);
        for (size_t n = 0; n < sizeof(sizes) / sizeof(sizes[0]); n++)
            write_of(lun, sizes[n]);
        assert_int_equal(iskra_close_sync(lun), 0);
    }
    disk_is_the_shadow(RAM_LUN);
}

/* ---- ends that come too early ---- */

#define LOST_LEN (256u << 10) /* each of them needs R2Ts */

struct lost {
    struct iskra_io io;
    struct iovec iov;
    uint8_t *buf;
    unsigned done_cnt;
};

static void lost_done(struct iskra_io *io)
{
    ((struct lost *)io)->done_cnt++;
}

/* One write to each of BURST_CNT parts of the disk, whose old content is the shadow's. */
static struct lost *burst_submit(struct iskra_lun *lun)
{
    struct lost *burst = calloc(BURST_CNT, sizeof(*burst));
    for (unsigned i = 0; i < BURST_CNT; i++) {
        struct lost *l = &burst[i];
        l->buf = malloc(LOST_LEN);
        fill(l->buf, LOST_LEN);
        l->iov = (struct iovec){l->buf, LOST_LEN};
        l->io = (struct iskra_io){.op = ISKRA_WRITE,
                                  .offset = (uint64_t)i * LOST_LEN,
                                  .iov = &l->iov,
                                  .iov_cnt = 1,
                                  .len = LOST_LEN,
                                  .done = lost_done};
        assert_int_equal(iskra_submit(lun, &l->io), 0);
    }
    return burst;
}

static bool all_done(const struct lost *burst)
{
    for (unsigned i = 0; i < BURST_CNT; i++)
        if (burst[i].done_cnt == 0)
            return false;
    return true;
}

/* What succeeded is there, what was never sent left no trace, and no block is something else than
 * before or after. Frees the burst, and with it memory that nobody may touch any more. */
static void burst_check(struct lost *burst, enum iskra_code code)
{
    struct iskra_lun *lun = open_lun(RAM_LUN, "initiator_name=iqn.2026-11.io.iskra.test:reader");
    uint8_t *disk = malloc(DISK_LEN);
    assert_int_equal(iskra_read_sync(lun, disk, DISK_LEN, 0, NULL), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
    for (unsigned i = 0; i < BURST_CNT; i++) {
        struct lost *l = &burst[i];
        assert_int_equal(l->done_cnt, 1);
        assert_true(l->io.status <= 0);
        if (l->io.status != 0)
            assert_int_equal(l->io.error.code, code);
        for (size_t at = 0; at < LOST_LEN; at += BLOCK) {
            const uint8_t *is = disk + l->io.offset + at;
            bool new = memcmp(is, l->buf + at, BLOCK) == 0;
            bool old = memcmp(is, shadow + l->io.offset + at, BLOCK) == 0;
            if (!new && !old)
                fail_msg("write %u: byte %zu belongs to neither before nor after", i, at);
            if (l->io.status == 0 && !new)
                fail_msg("write %u was done and byte %zu is not there", i, at);
            if (l->io.status == -ECANCELED && !old)
                fail_msg("write %u was cancelled before it was sent and byte %zu is there", i, at);
        }
        free(l->buf);
    }
    free(disk);
    free(burst);
}

static void a_connection_cut_in_the_middle_of_writes_ends_each_with_its_reason(void **state)
{
    disk_is_made_the_shadow(RAM_LUN);
    for (unsigned rounds = 1; rounds <= 9; rounds += 4) {
        struct proxy *p = proxy_start(rig_port(rig));
        struct iskra_lun *lun = NULL;
        assert_int_equal(iskra_open_sync(ctx, rig_url(proxy_port(p), RAM_LUN, NULL), &lun, NULL),
                         0);
        struct lost *burst = burst_submit(lun);
        for (unsigned i = 0; i < rounds; i++)
            assert_int_equal(iskra_run_once(ctx, 1000000), 0);
        proxy_cut(p);
        while (!all_done(burst))
            assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
        assert_int_equal(iskra_close_sync(lun), 0);
        proxy_stop(p);
        burst_check(burst, ISKRA_E_CONNECTION);
        disk_is_made_the_shadow(RAM_LUN);
    }
}

static void cancelled_writes_that_were_not_sent_leave_no_trace(void **state)
{
    disk_is_made_the_shadow(RAM_LUN);
    struct iskra_lun *lun = open_lun(RAM_LUN, "queue_depth=4");
    struct lost *burst = burst_submit(lun);
    for (unsigned i = 0; i < BURST_CNT; i++)
        assert_int_equal(iskra_cancel(&burst[i].io), 0);
    while (!all_done(burst))
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    for (unsigned i = 0; i < BURST_CNT; i++) {
        if (i >= 4 || burst[i].io.status != 0)
            assert_int_equal(burst[i].io.status, -ECANCELED);
        if (i < 4 && burst[i].io.status != 0) /* it was sent: nobody knows what came of it */
            burst[i].io.status = -EINTR;
    }
    assert_int_equal(iskra_close_sync(lun), 0);
    burst_check(burst, ISKRA_E_CANCELED);
}

static void closing_waits_for_the_writes_that_were_sent(void **state)
{
    disk_is_made_the_shadow(RAM_LUN);
    struct iskra_lun *lun = open_lun(RAM_LUN, "queue_depth=8&data_digest=crc32c");
    struct lost *burst = burst_submit(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    assert_true(all_done(burst));
    for (unsigned i = 0; i < BURST_CNT; i++)
        assert_int_equal(burst[i].io.status, i < 8 ? 0 : -ECANCELED);
    burst_check(burst, ISKRA_E_CANCELED);
}

static void freeing_the_initiator_in_the_middle_of_writes_ends_each_once(void **state)
{
    disk_is_made_the_shadow(RAM_LUN);
    for (unsigned rounds = 0; rounds <= 6; rounds += 2) {
        struct iskra_options opts = {.size = sizeof(opts),
                                     .initiator_name = "iqn.2026-11.io.iskra.test:write"};
        struct iskra_lun *lun = open_lun(RAM_LUN, rounds & 2 ? "data_digest=crc32c" : NULL);
        struct lost *burst = burst_submit(lun);
        for (unsigned i = 0; i < rounds; i++)
            assert_int_equal(iskra_run_once(ctx, 1000000), 0);
        iskra_free(ctx);
        assert_true(all_done(burst));
        assert_int_equal(iskra_new(&opts, &ctx, NULL), 0);
        for (unsigned i = 0; i < BURST_CNT; i++) /* sent or not, all are cancelled */
            if (burst[i].io.status == -ECANCELED)
                burst[i].io.status = -EINTR;
        burst_check(burst, ISKRA_E_CANCELED);
        disk_is_made_the_shadow(RAM_LUN);
    }
}

/* ---- the rest of the interface ---- */

static void a_lun_tells_of_its_cache_and_protection(void **state)
{
    struct iskra_lun *file = open_lun(FILE_LUN, NULL), *ram = open_lun(RAM_LUN, NULL);
    struct iskra_lun *protected_lun = open_lun(PROTECTED_LUN, NULL);
    struct iskra_lun_info info;
    iskra_lun_info(file, &info);
    assert_int_equal(info.write_cache, 1);
    assert_int_equal(info.fua, 1);
    assert_int_equal(info.write_protected, 0);
    iskra_lun_info(ram, &info);
    assert_int_equal(info.write_cache, 0);
    iskra_lun_info(protected_lun, &info);
    assert_int_equal(info.write_protected, 1);
    assert_int_equal(iskra_flush_sync(file, NULL), 0);
    assert_int_equal(iskra_flush_sync(ram, NULL), 0);
    assert_int_equal(iskra_flush_sync(protected_lun, NULL), 0);
    assert_int_equal(iskra_close_sync(file), 0);
    assert_int_equal(iskra_close_sync(ram), 0);
    assert_int_equal(iskra_close_sync(protected_lun), 0);
}

static void writes_that_cannot_be_are_refused_with_a_reason(void **state)
{
    struct iskra_lun *ram = open_lun(RAM_LUN, NULL), *protected_lun = open_lun(PROTECTED_LUN, NULL);
    struct iskra_error err = {0};
    uint8_t buf[1024] = {0};
    assert_int_equal(iskra_write_sync(protected_lun, buf, 512, 0, 0, &err), -EROFS);
    assert_string_equal(err.text, "the LUN is write-protected");
    assert_int_equal(iskra_write_sync(ram, buf, 100, 0, 0, &err), -EINVAL);
    assert_int_equal(iskra_write_sync(ram, buf, 512, 1, 0, &err), -EINVAL);
    assert_int_equal(iskra_write_sync(ram, buf, 1024, DISK_LEN - 512, 0, &err), -ERANGE);
    assert_int_equal(iskra_write_sync(ram, buf, 512, 0, ISKRA_IO_DATA_OUT, &err), -EINVAL);
    struct iovec iov = {buf, 512};
    int left = 1;
    struct iskra_io io = {.op = ISKRA_READ,
                          .flags = ISKRA_IO_FUA,
                          .iov = &iov,
                          .iov_cnt = 1,
                          .len = 512,
                          .done = count_down,
                          .user = &left};
    assert_int_equal(iskra_submit(ram, &io), -EINVAL);
    io.op = ISKRA_FLUSH;
    io.flags = 0;
    assert_int_equal(iskra_submit(ram, &io), -EINVAL);
    assert_int_equal(iskra_close_sync(ram), 0);
    assert_int_equal(iskra_close_sync(protected_lun), 0);
}

static void a_raw_write_16_with_fua_is_there(void **state)
{
    /* WRITE(16), FUA, LBA 9, 2 blocks */
    static const uint8_t cdb[16] = {0x8a, 0x08, [9] = 9, [13] = 2};
    struct iskra_lun *lun = open_lun(FILE_LUN, NULL);
    uint8_t out[1024], in[1024] = {0};
    uint32_t taken = 0;
    fill(out, sizeof(out));
    assert_int_equal(iskra_raw_out_sync(lun, cdb, sizeof(cdb), out, sizeof(out), &taken, NULL), 0);
    assert_int_equal(taken, sizeof(out));
    assert_int_equal(iskra_read_sync(lun, in, sizeof(in), 9 * BLOCK, NULL), 0);
    assert_memory_equal(in, out, sizeof(out));
    /* Five blocks were given, the command takes two: the rest is residual. */
    uint8_t more[5 * BLOCK];
    fill(more, sizeof(more));
    assert_int_equal(iskra_raw_out_sync(lun, cdb, sizeof(cdb), more, sizeof(more), &taken, NULL),
                     0);
    assert_int_equal(taken, 2 * BLOCK);
    assert_int_equal(iskra_read_sync(lun, in, sizeof(in), 9 * BLOCK, NULL), 0);
    assert_memory_equal(in, more, sizeof(in));
    assert_int_equal(iskra_close_sync(lun), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(random_writes_at_queue_depth_32_are_all_there_with_any_digests),
        T(random_writes_are_all_there_with_any_first_data),
        T(writes_of_every_size_from_scattered_memory_arrive),
        T(a_connection_cut_in_the_middle_of_writes_ends_each_with_its_reason),
        T(cancelled_writes_that_were_not_sent_leave_no_trace),
        T(closing_waits_for_the_writes_that_were_sent),
        T(freeing_the_initiator_in_the_middle_of_writes_ends_each_once),
        T(a_lun_tells_of_its_cache_and_protection),
        T(writes_that_cannot_be_are_refused_with_a_reason),
        T(a_raw_write_16_with_fua_is_there),
    };
    rig = rig_start(add_luns);
    int failed = cmocka_run_group_tests_name("writes", tests, NULL, NULL);
    rig_stop(rig);
    return failed;
}
