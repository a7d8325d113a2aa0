/* All operations of a LUN, drawn at random, through the whole library onto the embedded target:
 * after each, what it answered and what can be read is what a shadow copy in memory says. */
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
#include <iskra/session.h>

#include "stack/rig.h"

#define DISK_LEN   (8u << 20)
#define LEN_MAX    (1u << 20)
#define OP_CNT     1000
#define EXTENT_CNT 4u

static struct rig *rig;
static struct iskra *ctx;
static struct iskra_lun *lun;
static struct iskra_lun_info info;
static uint8_t *shadow, *buf;
static uint32_t seed;

static void add_luns(struct iskra_target_options *opts)
{
    static struct iskra_target_backend backends[3];
    backends[0] = opts->backends[0];
    backends[1] = (struct iskra_target_backend){.kind = ISKRA_TARGET_RAM, .size = DISK_LEN};
    backends[2] = (struct iskra_target_backend){
        .kind = ISKRA_TARGET_RAM, .size = DISK_LEN, .block_len = 4096};
    opts->backends = backends;
    opts->backend_cnt = 3;
}

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

static int setup(void **state)
{
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:ops"};
    seed = 7144;
    shadow = calloc(1, DISK_LEN);
    buf = malloc(2 * LEN_MAX);
    return iskra_new(&opts, &ctx, NULL);
}

static int teardown(void **state)
{
    iskra_free(ctx);
    free(shadow);
    free(buf);
    return 0;
}

static void must(int rc, const struct iskra_error *err, const char *what)
{
    if (rc != 0)
        fail_msg("%s: %d, %s", what, rc, err->text);
}

static void lun_open(unsigned number)
{
    struct iskra_error err = {0};
    must(iskra_open_sync(ctx, rig_url(rig_port(rig), number, NULL), &lun, &err), &err, "open");
    iskra_lun_info(lun, &info);
    assert_int_equal(info.block_len * info.block_cnt, DISK_LEN);
    must(iskra_read_sync(lun, shadow, DISK_LEN, 0, &err), &err, "read");
}

struct range {
    uint64_t offset, len;
};

static struct range draw_range(uint32_t len_max)
{
    uint32_t blocks = 1 + draw(draw(4) == 0 ? len_max / info.block_len : 16);
    uint32_t first = draw((uint32_t)info.block_cnt - blocks + 1);
    return (struct range){(uint64_t)first * info.block_len, (uint64_t)blocks * info.block_len};
}

static void do_read(struct range r, struct iskra_error *err)
{
    memset(buf, 0xee, r.len);
    must(iskra_read_sync(lun, buf, r.len, r.offset, err), err, "read");
    assert_memory_equal(buf, shadow + r.offset, r.len);
}

static void do_write(struct range r, struct iskra_error *err)
{
    for (uint64_t i = 0; i < r.len; i++)
        shadow[r.offset + i] = (uint8_t)draw(256);
    must(iskra_write_sync(lun, shadow + r.offset, r.len, r.offset, draw(4) == 0 ? ISKRA_IO_FUA : 0,
                          err),
         err, "write");
}

static void do_zeroes(struct range r, struct iskra_error *err)
{
    uint32_t flags = (draw(2) ? ISKRA_IO_MAY_UNMAP : 0) | (draw(4) == 0 ? ISKRA_IO_FUA : 0);
    must(iskra_write_zeroes_sync(lun, r.len, r.offset, flags, err), err, "write zeroes");
    memset(shadow + r.offset, 0, r.len);
}

static void do_unmap(struct range r, struct iskra_error *err)
{
    must(iskra_unmap_sync(lun, r.len, r.offset, err), err, "unmap");
    memset(shadow + r.offset, 0, r.len);
}

static void do_compare(struct range r, struct iskra_error *err)
{
    bool equal = draw(2);
    if (r.len > info.max_compare_len)
        r.len = info.max_compare_len;
    memcpy(buf, shadow + r.offset, r.len);
    uint32_t differs = draw((uint32_t)r.len);
    if (!equal)
        buf[differs] ^= 1;
    for (uint64_t i = 0; i < r.len; i++)
        buf[r.len + i] = (uint8_t)draw(256);
    int rc = iskra_compare_and_write_sync(lun, buf, buf + r.len, r.len, r.offset, err);
    if (equal) {
        must(rc, err, "compare and write");
        memcpy(shadow + r.offset, buf + r.len, r.len);
    } else {
        char where[40];
        snprintf(where, sizeof(where), "differs at byte %u", (unsigned)differs);
        assert_int_equal(rc, -EILSEQ);
        assert_int_equal(err->code, ISKRA_E_MISCOMPARE);
        assert_non_null(strstr(err->text, where));
    }
    r.len = info.block_len;
    do_read(r, err);
}

static void do_status(struct range r, struct iskra_error *err)
{
    struct iskra_extent extents[EXTENT_CNT];
    uint32_t cnt = 1 + draw(EXTENT_CNT), room = cnt;
    uint64_t pos = r.offset;
    must(iskra_block_status_sync(lun, r.len, r.offset, extents, &cnt, err), err, "block status");
    assert_in_range(cnt, 1, room);
    for (uint32_t i = 0; i < cnt; i++) {
        assert_int_equal(extents[i].offset, pos);
        assert_true(extents[i].len > 0 && extents[i].len % info.block_len == 0);
        pos += extents[i].len;
        if (extents[i].flags & ISKRA_EXTENT_ZERO)
            for (uint64_t at = extents[i].offset; at < pos; at++)
                if (shadow[at] != 0)
                    fail_msg("byte %llu is said to be zero", (unsigned long long)at);
    }
    assert_true(pos <= r.offset + r.len);
}

static void do_flush(struct range r, struct iskra_error *err)
{
    (void)r;
    must(iskra_flush_sync(lun, err), err, "flush");
}

static void every_operation_at_random(unsigned number)
{
    static void (*const ops[])(struct range r, struct iskra_error * err) = {
        do_read, do_write, do_write, do_zeroes, do_unmap, do_compare, do_status, do_flush};
    struct iskra_error err = {0};
    lun_open(number);
    assert_int_equal(info.can_unmap, 1);
    assert_int_equal(info.unmapped_zeroes, 1);
    assert_true(info.max_compare_len >= info.block_len);
    for (unsigned i = 0; i < OP_CNT; i++)
        ops[draw(sizeof(ops) / sizeof(ops[0]))](draw_range(LEN_MAX), &err);
    for (uint64_t pos = 0; pos < DISK_LEN; pos += LEN_MAX)
        do_read((struct range){pos, LEN_MAX}, &err);
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void every_operation_on_a_file_keeps_the_shadow(void **state)
{
    every_operation_at_random(0);
}

static void every_operation_in_memory_keeps_the_shadow(void **state)
{
    every_operation_at_random(1);
}

static void every_operation_with_4096_byte_blocks_keeps_the_shadow(void **state)
{
    every_operation_at_random(2);
}

/* One answer for the whole range, with these flags. */
static void told(uint64_t offset, uint64_t len, uint32_t flags)
{
    struct iskra_error err = {0};
    struct iskra_extent extent;
    uint32_t cnt = 1;
    must(iskra_block_status_sync(lun, len, offset, &extent, &cnt, &err), &err, "block status");
    assert_int_equal(cnt, 1);
    assert_int_equal(extent.offset, offset);
    assert_int_equal(extent.len, len);
    assert_int_equal(extent.flags, flags);
}

static void what_is_unmapped_is_told_as_a_hole(void **state)
{
    const uint64_t at = 1 << 20, len = 256 << 10, hole = ISKRA_EXTENT_HOLE | ISKRA_EXTENT_ZERO;
    struct iskra_error err = {0};
    for (unsigned number = 1; number < 3; number++) { /* what a file tells is its file system's */
        lun_open(number);
        for (unsigned way = 0; way < 2; way++) {
            memset(buf, 0x5a, len);
            must(iskra_write_sync(lun, buf, len, at, 0, &err), &err, "write");
            told(at, len, 0);
            if (way == 0)
                must(iskra_unmap_sync(lun, len, at, &err), &err, "unmap");
            else
                must(iskra_write_zeroes_sync(lun, len, at, ISKRA_IO_MAY_UNMAP, &err), &err, "zero");
            told(at, len, (uint32_t)hole);
            told(at + len / 2, len / 4, (uint32_t)hole);
        }
        assert_int_equal(iskra_close_sync(lun), 0);
    }
}

/* The target says that its WRITE SAME(16) needs no data, so none is sent; and without leave to
 * unmap the blocks stay where they are. */
static void zeroes_are_written_without_sending_any(void **state)
{
    const uint64_t len = 1 << 20;
    struct iskra_error err = {0};
    struct iskra_session_info before, after;
    lun_open(1);
    memset(buf, 0x5a, len);
    must(iskra_write_sync(lun, buf, len, 0, 0, &err), &err, "write");
    iskra_session_info(lun, &before);
    must(iskra_write_zeroes_sync(lun, len, 0, 0, &err), &err, "write zeroes");
    iskra_session_info(lun, &after);
    assert_in_range(after.tx_bytes - before.tx_bytes, 48, 511);
    told(0, len, 0);
    memset(shadow, 0, len);
    do_read((struct range){0, len}, &err);
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void never(struct iskra_io *io)
{
    fail_msg("operation %d was taken", (int)io->op);
}

static void flags_that_do_not_fit_the_operation_are_refused(void **state)
{
    static const struct {
        enum iskra_op op;
        uint32_t flags;
    } rows[] = {{ISKRA_READ, ISKRA_IO_FUA},
                {ISKRA_WRITE, ISKRA_IO_MAY_UNMAP},
                {ISKRA_UNMAP, ISKRA_IO_FUA},
                {ISKRA_WRITE_ZEROES, ISKRA_IO_DATA_OUT},
                {ISKRA_COMPARE_AND_WRITE, ISKRA_IO_FUA},
                {ISKRA_BLOCK_STATUS, 1u << 31},
                {(enum iskra_op)8, 0},
                {(enum iskra_op)0, 0},
                {(enum iskra_op)1000, 0}};
    lun_open(1);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct iskra_io io = {.op = rows[i].op, .flags = rows[i].flags, .done = never};
        assert_int_equal(iskra_submit(lun, &io), -EINVAL);
        assert_int_equal(io.error.code, ISKRA_E_USAGE);
    }
    assert_int_equal(iskra_close_sync(lun), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(every_operation_on_a_file_keeps_the_shadow),
        T(every_operation_in_memory_keeps_the_shadow),
        T(every_operation_with_4096_byte_blocks_keeps_the_shadow),
        T(what_is_unmapped_is_told_as_a_hole),
        T(zeroes_are_written_without_sending_any),
        T(flags_that_do_not_fit_the_operation_are_refused),
    };
    rig = rig_start(add_luns);
    int failed = cmocka_run_group_tests(tests, NULL, NULL);
    rig_stop(rig);
    return failed;
}
