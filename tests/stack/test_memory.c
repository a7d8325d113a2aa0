/* What sessions cost in memory, counted where they ask for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/platform.h>

#include "rig.h"
#include "told.h"

#define REQ_CNT         40u
#define READ_LEN        4096u
#define SESSION_CNT     100u
#define SESSION_LEN_MAX (64u * 1024u) /* with its LUN, when nothing is out */

static unsigned alloc_cnt;

static void *counted_alloc(void *arg, size_t size)
{
    size_t *held = arg;
    alloc_cnt++;
    size_t *p = calloc(1, sizeof(max_align_t) + size);
    if (p == NULL)
        return NULL;
    *p = size;
    *held += size;
    return (uint8_t *)p + sizeof(max_align_t);
}

static void counted_free(void *arg, void *p)
{
    size_t *held = arg;
    if (p == NULL)
        return;
    size_t *block = (size_t *)(void *)((uint8_t *)p - sizeof(max_align_t));
    *held -= *block;
    free(block);
}

static void one_open(struct iskra *ctx, const struct rig *rig, unsigned i)
{
    char options[96];
    struct iskra_lun *lun;
    struct iskra_error err = {0};
    /* A name of its own makes a session of its own. */
    snprintf(options, sizeof(options), "initiator_name=iqn.2026-11.io.iskra.test:idle-%u", i);
    assert_int_equal(iskra_open_sync(ctx, rig_url(rig_port(rig), 0, options), &lun, &err), 0);
}

/* The counting platform and an initiator on it. */
static struct iskra *counted_new(size_t *held)
{
    static struct iskra_platform pf;
    pf = *iskra_platform_posix();
    pf.arg = held;
    pf.alloc = counted_alloc;
    pf.free = counted_free;
    const struct iskra_options opts = {.size = sizeof(opts), .platform = &pf};
    struct iskra *ctx;
    *held = 0;
    assert_int_equal(iskra_new(&opts, &ctx, NULL), 0);
    return ctx;
}

static void an_idle_session_takes_little_memory_however_many_there_are(void **state)
{
    (void)state;
    struct rig *rig = rig_start(NULL);
    size_t held;
    struct iskra *ctx = counted_new(&held);
    one_open(ctx, rig, 0); /* with what all share */
    size_t before = held;
    for (unsigned i = 1; i <= SESSION_CNT; i++)
        one_open(ctx, rig, i);
    assert_in_range((held - before) / SESSION_CNT, 1, SESSION_LEN_MAX);
    iskra_free(ctx);
    assert_int_equal(held, 0);
    rig_stop(rig);
}

static unsigned done_cnt;

static void read_done(struct iskra_io *io)
{
    assert_int_equal(io->status, 0);
    done_cnt++;
}

/* Two LUNs of one session, each with all its requests out at once: as many as two queue depths. */
static void nothing_is_allocated_between_submit_and_done(void **state)
{
    (void)state;
    static struct iskra_io ios[2 * REQ_CNT];
    static uint8_t data[2 * REQ_CNT][READ_LEN];
    struct iovec iov[2 * REQ_CNT];
    struct rig *rig = rig_start(NULL);
    struct iskra_lun *luns[2];
    size_t held;
    struct iskra *ctx = counted_new(&held);
    for (unsigned i = 0; i < 2; i++)
        assert_int_equal(
            iskra_open_sync(ctx, rig_url(rig_port(rig), 0, "queue_depth=40"), &luns[i], NULL), 0);
    unsigned before = alloc_cnt;
    done_cnt = 0;
    for (unsigned i = 0; i < 2 * REQ_CNT; i++) {
        iov[i] = (struct iovec){.iov_base = data[i], .iov_len = READ_LEN};
        ios[i] = (struct iskra_io){.op = ISKRA_READ,
                                   .offset = (uint64_t)i * READ_LEN,
                                   .len = READ_LEN,
                                   .iov = &iov[i],
                                   .iov_cnt = 1,
                                   .done = read_done};
        assert_int_equal(iskra_submit(luns[i % 2], &ios[i]), 0);
    }
    assert_int_equal(told_status(ctx).in_flight_cnt, 2 * REQ_CNT);
    while (done_cnt < 2 * REQ_CNT)
        assert_int_equal(iskra_run_once(ctx, 1000000000), 0);
    assert_int_equal(alloc_cnt, before);
    iskra_free(ctx);
    rig_stop(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_session_takes_little_memory_however_many_there_are),
        cmocka_unit_test(nothing_is_allocated_between_submit_and_done),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
