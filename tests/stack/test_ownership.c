/* Who owns what, when things go wrong: memory that runs out and a system that fails, at every point
 * of everything the library does; and requests that are freed, submitted again, cancelled or closed
 * under from inside done(), or ended by iskra_free(). Leaks are LeakSanitizer's to find. */
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

#define SECOND   INT64_C(1000000000)
#define RAM_LUN  1
#define DISK_LEN (8u << 20)
#define POINTS   2000

static struct rig *rig;

static void add_ram(struct iskra_target_options *opts)
{
    static struct iskra_target_backend backends[2];
    backends[0] = opts->backends[0];
    backends[1] = (struct iskra_target_backend){.kind = ISKRA_TARGET_RAM, .size = DISK_LEN};
    opts->backends = backends;
    opts->backend_cnt = 2;
}

/* ---- a platform that fails ---- */

enum call {
    ALLOC,
    RANDOM,
    CONNECT_START,
    CONNECT_FINISH,
    CALL_CNT
};

static enum call failing_call;
static int left;   /* calls that still succeed; negative: one has failed */
static bool lasts; /* all after it fail too */

static bool fails(enum call call)
{
    if (call != failing_call)
        return false;
    left--;
    return left == -1 || (lasts && left < 0);
}

static void *try_alloc(void *arg, size_t size)
{
    return fails(ALLOC) ? NULL : calloc(1, size);
}

static void give_back(void *arg, void *p)
{
    free(p);
}

static int try_random(void *arg, void *buf, size_t len)
{
    return fails(RANDOM) ? -EIO : iskra_platform_posix()->random(NULL, buf, len);
}

static int try_connect_start(void *arg, const struct sockaddr *addr, socklen_t addr_len)
{
    return fails(CONNECT_START) ? -ENETUNREACH
                                : iskra_platform_posix()->connect_start(NULL, addr, addr_len);
}

static int try_connect_finish(void *arg, int fd)
{
    return fails(CONNECT_FINISH) ? -ECONNREFUSED : iskra_platform_posix()->connect_finish(NULL, fd);
}

static int new_initiator(struct iskra **ret_ctx, struct iskra_error *err)
{
    static struct iskra_platform pf;
    struct iskra_options opts = {.size = sizeof(opts),
                                 .platform = &pf,
                                 .initiator_name = "iqn.2026-11.io.iskra.test:ownership"};
    pf = *iskra_platform_posix();
    pf.alloc = try_alloc;
    pf.free = give_back;
    pf.random = try_random;
    pf.connect_start = try_connect_start;
    pf.connect_finish = try_connect_finish;
    return iskra_new(&opts, ret_ctx, err);
}

/* ---- everything once ---- */

static int test_unit_ready(struct iskra_lun *lun, struct iskra_error *err);

static int every_operation(struct iskra_lun *lun, struct iskra_error *err)
{
    uint8_t buf[8192] = {0};
    struct iskra_extent extents[2];
    uint32_t extent_cnt = 2;
    uint64_t rtt_ns;
    int rc = iskra_write_sync(lun, buf, 4096, 0, ISKRA_IO_FUA, err);
    if (rc == 0)
        rc = iskra_read_sync(lun, buf, 4096, 0, err);
    if (rc == 0)
        rc = iskra_flush_sync(lun, err);
    if (rc == 0)
        rc = iskra_unmap_sync(lun, 65536, 0, err);
    if (rc == 0)
        rc = iskra_write_zeroes_sync(lun, 65536, 65536, 0, err);
    if (rc == 0)
        rc = iskra_write_zeroes_sync(lun, 65536, 65536, ISKRA_IO_MAY_UNMAP, err);
    if (rc == 0)
        rc = iskra_compare_and_write_sync(lun, buf, buf + 512, 512, 0, err);
    if (rc == 0)
        rc = iskra_block_status_sync(lun, 65536, 0, extents, &extent_cnt, err);
    if (rc == 0)
        rc = test_unit_ready(lun, err);
    if (rc == 0)
        rc = iskra_ping_sync(lun, "there", 5, 0, &rtt_ns, err);
    return rc;
}

static void raw_done(struct iskra_io *io)
{
    *(bool *)io->user = true;
}

static int test_unit_ready(struct iskra_lun *lun, struct iskra_error *err)
{
    static const uint8_t cdb[6] = {0};
    bool done = false;
    struct iskra_io io = {
        .op = ISKRA_RAW, .cdb = cdb, .cdb_len = 6, .done = raw_done, .user = &done};
    int rc = iskra_submit(lun, &io);
    while (rc == 0 && !done)
        rc = iskra_run_once(iskra_lun_ctx(lun), SECOND);
    *err = io.error;
    return rc != 0 ? rc : io.status;
}

static unsigned seen_cnt;

static int see_portal(void *arg, const struct iskra_portal_entry *portal)
{
    seen_cnt++;
    return 0;
}

static int see_lun(void *arg, const struct iskra_lun_info *info)
{
    seen_cnt++;
    return 0;
}

static int open_do_all_close(struct iskra *ctx, struct iskra_error *err)
{
    struct iskra_lun *lun = NULL;
    int rc = iskra_open_sync(ctx, rig_url(rig_port(rig), RAM_LUN, NULL), &lun, err);
    if (rc == 0)
        rc = every_operation(lun, err);
    assert_int_equal(iskra_close_sync(lun), 0);
    return rc;
}

static int discover(struct iskra *ctx, struct iskra_error *err)
{
    char portal[64];
    snprintf(portal, sizeof(portal), "iscsi://127.0.0.1:%u", rig_port(rig));
    seen_cnt = 0;
    int rc = iskra_discover_sync(ctx, portal, see_portal, NULL, err);
    assert_true(rc != 0 || seen_cnt > 0);
    return rc;
}

static int list_luns(struct iskra *ctx, struct iskra_error *err)
{
    seen_cnt = 0;
    int rc = iskra_luns_sync(ctx, rig_url(rig_port(rig), 0, NULL), see_lun, NULL, err);
    assert_true(rc != 0 || seen_cnt == 2);
    return rc;
}

static int log_in(struct iskra *ctx, struct iskra_error *err)
{
    return iskra_login_sync(ctx, rig_url(rig_port(rig), 0, NULL), err);
}

static int (*const things[])(struct iskra *ctx, struct iskra_error *err) = {
    open_do_all_close, discover, list_luns, log_in};

/* Lets the n-th call fail, for every n until none is left to fail. A failure that passes is either
 * told or made good; the second try, with the same initiator, has to succeed. */
static void fail_each(enum call call, bool lasting, unsigned thing)
{
    int n = 0, told_cnt = 0;
    for (; n < POINTS; n++) {
        struct iskra_error err = {0};
        struct iskra *ctx = NULL;
        failing_call = call;
        lasts = lasting;
        left = n;
        int rc = new_initiator(&ctx, &err);
        if (rc == 0)
            rc = things[thing](ctx, &err);
        bool failed = left < 0;
        told_cnt += rc != 0;
        if (rc > 0 || (rc != 0 && (err.code == ISKRA_OK || err.text[0] == '\0')) ||
            (rc != 0 && !failed))
            fail_msg("thing %u, call %u number %d: %d %s", thing, call, n, rc, err.text);
        left = INT32_MAX;
        lasts = false;
        if (ctx != NULL && failed) {
            err = (struct iskra_error){0};
            if (things[thing](ctx, &err) != 0)
                fail_msg("thing %u after call %u number %d: %s", thing, call, n, err.text);
        }
        iskra_free(ctx);
        if (!failed)
            break;
    }
    assert_in_range(n, 1, POINTS - 1);
    assert_true(told_cnt > 0);
}

static void an_allocation_that_fails_once_is_told_and_the_next_try_succeeds(void **state)
{
    for (unsigned i = 0; i < sizeof(things) / sizeof(things[0]); i++)
        fail_each(ALLOC, false, i);
}

static void memory_that_has_run_out_is_told_wherever_it_does(void **state)
{
    for (unsigned i = 0; i < sizeof(things) / sizeof(things[0]); i++)
        fail_each(ALLOC, true, i);
}

static void a_connection_or_random_number_that_fails_once_is_told(void **state)
{
    for (unsigned i = 0; i < sizeof(things) / sizeof(things[0]); i++)
        for (enum call call = RANDOM; call < CALL_CNT; call++)
            fail_each(call, false, i);
}

static void connections_and_random_numbers_that_fail_for_good_are_told(void **state)
{
    for (unsigned i = 0; i < sizeof(things) / sizeof(things[0]); i++)
        for (enum call call = RANDOM; call < CALL_CNT; call++)
            fail_each(call, true, i);
}

/* ---- from inside done() ---- */

#define CHAIN_CNT 16u

static unsigned done_cnt, submitted_cnt, ok_cnt, canceled_cnt, closed_cnt;
static struct iskra_lun *lun;
static struct iskra_io *others[CHAIN_CNT];
static unsigned stage; /* what the done() of this number does */
static enum {
    SUBMIT,
    CANCEL,
    CLOSE
} what;

static void closed(void *arg)
{
    closed_cnt++;
}

static void start(unsigned slot);

/* Frees the request at once, and then does it. */
static void act_and_free(struct iskra_io *io)
{
    unsigned slot = 0;
    while (others[slot] != io)
        slot++;
    assert_true(io->status == 0 || io->status == -ECANCELED);
    ok_cnt += io->status == 0;
    canceled_cnt += io->status != 0;
    others[slot] = NULL;
    free(io->user);
    free(io);
    if (done_cnt++ == stage) {
        if (what == CLOSE)
            iskra_close(lun, closed, NULL);
        for (unsigned i = 0; i < CHAIN_CNT && what == CANCEL; i++)
            if (others[i] != NULL)
                (void)iskra_cancel(others[i]);
    }
    if (what == SUBMIT && submitted_cnt < 10 * CHAIN_CNT)
        start(slot);
}

/* Memory of its own: the request, then its iovec and its data in one piece. */
static void start(unsigned slot)
{
    static const uint64_t lens[] = {512, 262144, 4096, 1 << 20};
    uint64_t len = lens[slot % 4];
    struct iskra_io *io = calloc(1, sizeof(*io));
    struct iovec *iov = malloc(sizeof(*iov) + len);
    memset(iov + 1, (int)slot, len);
    *iov = (struct iovec){iov + 1, len};
    *io = (struct iskra_io){.op = slot % 3 == 0 ? ISKRA_WRITE : ISKRA_READ,
                            .iov = iov,
                            .iov_cnt = 1,
                            .len = len,
                            .offset = slot * 262144,
                            .done = act_and_free,
                            .user = iov};
    others[slot] = io;
    submitted_cnt++;
    assert_int_equal(iskra_submit(lun, io), 0);
}

static struct iskra *begin(const char *options)
{
    struct iskra *ctx = NULL;
    struct iskra_error err = {0};
    left = INT32_MAX;
    lasts = false;
    done_cnt = submitted_cnt = ok_cnt = canceled_cnt = closed_cnt = 0;
    assert_int_equal(new_initiator(&ctx, &err), 0);
    if (iskra_open_sync(ctx, rig_url(rig_port(rig), RAM_LUN, options), &lun, &err) != 0)
        fail_msg("open: %s", err.text);
    for (unsigned i = 0; i < CHAIN_CNT; i++)
        start(i);
    return ctx;
}

static void what_is_freed_in_done_and_submitted_anew_is_not_touched(void **state)
{
    what = SUBMIT;
    struct iskra *ctx = begin(NULL);
    while (done_cnt < 10 * CHAIN_CNT)
        assert_int_equal(iskra_run_once(ctx, SECOND), 0);
    assert_int_equal(ok_cnt, 10 * CHAIN_CNT);
    assert_int_equal(iskra_close_sync(lun), 0);
    iskra_free(ctx);
}

static void all_others_are_cancelled_from_inside_every_done(void **state)
{
    what = CANCEL;
    for (stage = 0; stage < CHAIN_CNT; stage++) {
        struct iskra *ctx = begin(stage % 2 ? "queue_depth=3" : NULL);
        while (done_cnt < CHAIN_CNT)
            assert_int_equal(iskra_run_once(ctx, SECOND), 0);
        assert_int_equal(ok_cnt + canceled_cnt, CHAIN_CNT);
        assert_true(ok_cnt > stage);
        assert_int_equal(iskra_close_sync(lun), 0);
        assert_int_equal(done_cnt, CHAIN_CNT);
        iskra_free(ctx);
    }
}

static void the_lun_is_closed_from_inside_every_done(void **state)
{
    what = CLOSE;
    for (stage = 0; stage < CHAIN_CNT; stage++) {
        struct iskra *ctx = begin(stage % 2 ? "queue_depth=3" : NULL);
        while (closed_cnt == 0)
            assert_int_equal(iskra_run_once(ctx, SECOND), 0);
        assert_int_equal(done_cnt, CHAIN_CNT);
        iskra_free(ctx);
        assert_int_equal(closed_cnt, 1);
    }
}

static void freeing_the_initiator_ends_what_is_out_after_any_number_of_rounds(void **state)
{
    what = CANCEL;
    stage = UINT32_MAX;
    for (unsigned rounds = 0; rounds < 24; rounds++) {
        struct iskra *ctx = begin(NULL);
        for (unsigned i = 0; i < rounds && done_cnt < CHAIN_CNT; i++)
            assert_int_equal(iskra_run_once(ctx, SECOND), 0);
        assert_true(rounds > 0 || done_cnt == 0);
        iskra_free(ctx);
        assert_int_equal(done_cnt, CHAIN_CNT);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_allocation_that_fails_once_is_told_and_the_next_try_succeeds),
        cmocka_unit_test(memory_that_has_run_out_is_told_wherever_it_does),
        cmocka_unit_test(a_connection_or_random_number_that_fails_once_is_told),
        cmocka_unit_test(connections_and_random_numbers_that_fail_for_good_are_told),
        cmocka_unit_test(what_is_freed_in_done_and_submitted_anew_is_not_touched),
        cmocka_unit_test(all_others_are_cancelled_from_inside_every_done),
        cmocka_unit_test(the_lun_is_closed_from_inside_every_done),
        cmocka_unit_test(freeing_the_initiator_ends_what_is_out_after_any_number_of_rounds),
    };
    rig = rig_start(add_ram);
    int failed = cmocka_run_group_tests_name("ownership", tests, NULL, NULL);
    rig_stop(rig);
    return failed;
}
