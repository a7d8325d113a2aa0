/* The whole library against the embedded target: what a program that embeds it can rely on. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/scsi.h>
#include <iskra/session.h>

#include "stack/proxy.h"
#include "stack/rig.h"

static struct rig *rig;
static struct iskra *ctx;

static int setup(void **state)
{
    struct iskra_error err = {0};
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:stack"};
    int rc = iskra_new(&opts, &ctx, &err);
    if (rc)
        print_message("# %s\n", err.text);
    return rc;
}

static int teardown(void **state)
{
    iskra_free(ctx);
    ctx = NULL;
    return 0;
}

static struct iskra_lun *open_url(const char *url)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    int rc = iskra_open_sync(ctx, url, &lun, &err);
    if (rc)
        print_message("# %s: %s\n", url, err.text);
    assert_int_equal(rc, 0);
    return lun;
}

static void open_fails(const char *url, enum iskra_code code)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    int rc = iskra_open_sync(ctx, url, &lun, &err);
    assert_true(rc < 0);
    if (err.code != code)
        print_message("# %s\n", err.text);
    assert_int_equal(err.code, code);
    assert_true(err.text[0] != '\0');
    assert_null(lun);
}

/* ---- reading ---- */

static void what_is_read_is_what_is_there(void **state)
{
    uint8_t *buf = malloc(RIG_SIZE);
    static const char *const options[] = {NULL, "header_digest=crc32c", "data_digest=crc32c",
                                          "header_digest=crc32c&data_digest=crc32c"};
    for (int i = 0; i < 4; i++) {
        struct iskra_lun *lun = open_url(rig_url(rig_port(rig), 0, options[i]));
        struct iskra_session_info info;
        iskra_session_info(lun, &info);
        assert_int_equal(info.header_digest, i & 1);
        assert_int_equal(info.data_digest, i >> 1);
        memset(buf, 0, RIG_SIZE);
        assert_int_equal(iskra_read_sync(lun, buf, RIG_SIZE, 0, NULL), 0);
        assert_memory_equal(buf, rig_content(rig), RIG_SIZE);
        assert_int_equal(iskra_close_sync(lun), 0);
    }
    free(buf);
}

static void count_down(struct iskra_io *io)
{
    --*(int *)io->user;
}

static void scattered_memory_is_filled_in_order(void **state)
{
    struct iskra_lun *lun = open_url(rig_url(rig_port(rig), 0, NULL));
    uint8_t *buf = calloc(1, 3 << 20);
    struct iovec iov[5] = {{buf, 1},
                           {buf + 1, 0},
                           {buf + 1, 511},
                           {buf + 512, 1 << 20},
                           {buf + 512 + (1 << 20), 1 << 20}};
    int left = 1;
    struct iskra_io io = {.op = ISKRA_READ,
                          .offset = 512 * 7,
                          .iov = iov,
                          .iov_cnt = 5,
                          .len = (2 << 20) + 512,
                          .done = count_down,
                          .user = &left};
    assert_int_equal(iskra_submit(lun, &io), 0);
    while (left)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    assert_int_equal(io.status, 0);
    assert_memory_equal(buf, rig_content(rig) + 512 * 7, (2 << 20) + 512);
    assert_int_equal(iskra_close_sync(lun), 0);
    free(buf);
}

static void requests_beyond_the_disk_or_off_the_blocks_are_refused(void **state)
{
    struct iskra_lun *lun = open_url(rig_url(rig_port(rig), 0, NULL));
    uint8_t buf[1024];
    struct iskra_error err = {0};
    assert_int_equal(iskra_read_sync(lun, buf, 100, 0, &err), -EINVAL);
    assert_int_equal(iskra_read_sync(lun, buf, 512, 1, &err), -EINVAL);
    assert_true(iskra_read_sync(lun, buf, 1024, RIG_SIZE - 512, &err) < 0);
    assert_true(iskra_read_sync(lun, buf, 512, UINT64_MAX - 511, &err) < 0);
    assert_int_equal(iskra_read_sync(lun, buf, 512, RIG_SIZE - 512, NULL), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* ---- many requests ---- */

struct stream {
    struct iskra_io io;
    struct iovec iov;
    struct iskra_lun *lun;
    uint8_t buf[16384];
    uint32_t seed;
    int left, *running;
};

static void stream_next(struct iskra_io *io);

static void stream_submit(struct stream *s)
{
    s->seed = s->seed * 1664525u + 1013904223u;
    s->io.len = 512 * (1 + (s->seed >> 24) % 32);
    s->io.offset = (uint64_t)(s->seed >> 8) * 512 % (RIG_SIZE - sizeof(s->buf));
    s->iov = (struct iovec){s->buf, s->io.len};
    s->io.op = ISKRA_READ;
    s->io.iov = &s->iov;
    s->io.iov_cnt = 1;
    s->io.done = stream_next;
    assert_int_equal(iskra_submit(s->lun, &s->io), 0);
}

static void stream_next(struct iskra_io *io)
{
    struct stream *s = (struct stream *)io;
    assert_int_equal(io->status, 0);
    assert_memory_equal(s->buf, rig_content(rig) + io->offset, io->len);
    if (--s->left > 0)
        stream_submit(s);
    else
        --*s->running;
}

static void many_random_reads_at_once_are_all_right_using_only_the_descriptor(void **state)
{
    int running = 40;
    struct stream *s = calloc((size_t)running, sizeof(*s));
    struct iskra_lun *lun = open_url(rig_url(rig_port(rig), 0, "data_digest=crc32c"));
    for (int i = 0; i < 40; i++) {
        s[i].lun = lun;
        s[i].seed = (uint32_t)i * 77 + 1;
        s[i].left = 50;
        s[i].running = &running;
        stream_submit(&s[i]);
    }
    while (running) {
        struct pollfd pfd = {iskra_fd(ctx), POLLIN, 0};
        assert_int_equal(poll(&pfd, 1, 10000), 1);
        assert_int_equal(iskra_dispatch(ctx), 0);
    }
    assert_int_equal(iskra_close_sync(lun), 0);
    free(s);
}

/* ---- sharing, closing ---- */

static void luns_of_one_target_share_a_session_unless_their_options_differ(void **state)
{
    struct iskra_lun *a = open_url(rig_url(rig_port(rig), 0, NULL));
    struct iskra_lun *b = open_url(rig_url(rig_port(rig), 1, NULL));
    struct iskra_lun *c = open_url(rig_url(rig_port(rig), 1, "header_digest=crc32c"));
    struct iskra_session_info ia, ib, ic;
    iskra_session_info(a, &ia);
    iskra_session_info(b, &ib);
    iskra_session_info(c, &ic);
    assert_memory_equal(ia.isid, ib.isid, 6);
    assert_int_equal(ia.tsih, ib.tsih);
    assert_memory_not_equal(ia.isid, ic.isid, 6);
    assert_int_equal(iskra_close_sync(a), 0);
    uint8_t buf[512];
    assert_int_equal(iskra_read_sync(b, buf, 512, 0, NULL), 0);
    assert_int_equal(iskra_close_sync(b), 0);
    assert_int_equal(iskra_close_sync(c), 0);
}

static void a_write_protected_lun_says_so(void **state)
{
    for (unsigned n = 0; n < 2; n++) {
        struct iskra_lun *lun = open_url(rig_url(rig_port(rig), n, NULL));
        struct iskra_lun_info info;
        iskra_lun_info(lun, &info);
        assert_int_equal(info.write_protected, n);
        assert_int_equal(iskra_close_sync(lun), 0);
    }
}

struct closer {
    struct iskra_io io;
    struct iovec iov;
    uint8_t buf[512];
    struct iskra_lun *lun;
    int done_cnt, closed_cnt, sync_rc;
};

static void closer_closed(void *arg)
{
    ((struct closer *)arg)->closed_cnt++;
}

static void closer_done(struct iskra_io *io)
{
    struct closer *c = (struct closer *)io;
    c->done_cnt++;
    c->sync_rc = iskra_read_sync(c->lun, c->buf, 512, 0, NULL);
    iskra_close(c->lun, closer_closed, c);
}

static void a_lun_may_be_closed_from_inside_done_where_blocking_calls_are_refused(void **state)
{
    struct closer c = {.lun = open_url(rig_url(rig_port(rig), 0, NULL))};
    c.iov = (struct iovec){c.buf, 512};
    c.io = (struct iskra_io){
        .op = ISKRA_READ, .iov = &c.iov, .iov_cnt = 1, .len = 512, .done = closer_done};
    assert_int_equal(iskra_submit(c.lun, &c.io), 0);
    while (!c.closed_cnt)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    assert_int_equal(c.done_cnt, 1);
    assert_int_equal(c.io.status, 0);
    assert_int_equal(c.sync_rc, -EDEADLK);
}

struct count {
    struct iskra_io io;
    struct iovec iov;
    uint8_t *buf;
    int done_cnt;
};

static void count_done(struct iskra_io *io)
{
    ((struct count *)io)->done_cnt++;
}

static void start(struct iskra_lun *lun, struct count *c, uint64_t len, uint64_t timeout_ns)
{
    memset(c, 0, sizeof(*c));
    c->buf = malloc(len);
    c->iov = (struct iovec){c->buf, len};
    c->io = (struct iskra_io){.op = ISKRA_READ,
                              .iov = &c->iov,
                              .iov_cnt = 1,
                              .len = len,
                              .done = count_done,
                              .timeout_ns = timeout_ns};
    assert_int_equal(iskra_submit(lun, &c->io), 0);
}

static void count_closed(void *arg)
{
    ++*(int *)arg;
}

static void freeing_the_initiator_ends_every_request(void **state)
{
    struct count c[8];
    struct proxy *p = proxy_start(rig_port(rig));
    struct iskra_lun *lun = open_url(rig_url(proxy_port(p), 0, "queue_depth=4"));
    proxy_hold(p, 1);
    for (int i = 0; i < 8; i++)
        start(lun, &c[i], 4096, 0);
    iskra_free(ctx);
    for (int i = 0; i < 8; i++) {
        assert_int_equal(c[i].done_cnt, 1);
        assert_true(c[i].io.status < 0);
        free(c[i].buf);
    }
    proxy_stop(p);
    assert_int_equal(setup(NULL), 0);
}

static int reopen_cnt;

static void reopen(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    assert_int_equal(status, -ECANCELED);
    if (++reopen_cnt < 3)
        assert_int_equal(iskra_open(ctx, arg, reopen, arg, NULL), 0);
}

static void an_open_begun_while_the_initiator_is_freed_ends_too(void **state)
{
    char url[512];
    snprintf(url, sizeof(url), "%s", rig_url(rig_port(rig), 0, NULL));
    assert_int_equal(iskra_open(ctx, url, reopen, url, NULL), 0);
    iskra_free(ctx);
    ctx = NULL;
    assert_int_equal(reopen_cnt, 3);
}

static void freeing_the_initiator_ends_a_close_under_way_too(void **state)
{
    struct count c;
    int closed_cnt = 0;
    struct proxy *p = proxy_start(rig_port(rig));
    struct iskra_lun *lun = open_url(rig_url(proxy_port(p), 0, NULL));
    proxy_hold(p, 1);
    start(lun, &c, 4096, 0);
    assert_int_equal(iskra_run_once(ctx, 0), 0);
    iskra_close(lun, count_closed, &closed_cnt);
    iskra_free(ctx);
    assert_int_equal(c.done_cnt, 1);
    assert_int_equal(closed_cnt, 1);
    free(c.buf);
    proxy_stop(p);
    assert_int_equal(setup(NULL), 0);
}

/* ---- things going wrong ---- */

static void a_silent_target_costs_one_timeout_and_the_session(void **state)
{
    struct proxy *p = proxy_start(rig_port(rig));
    struct iskra_lun *lun = open_url(rig_url(proxy_port(p), 0, "replacement_timeout=0"));
    struct count slow, other;
    proxy_hold(p, 1);
    start(lun, &slow, 4096, 200000000);
    start(lun, &other, 4096, 0);
    while (!slow.done_cnt || !other.done_cnt)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    assert_int_equal(slow.done_cnt, 1);
    assert_int_equal(slow.io.error.code, ISKRA_E_TIMEOUT_SCSI);
    assert_non_null(strstr(slow.io.error.text, "0.2"));
    assert_int_equal(other.done_cnt, 1);
    assert_int_equal(other.io.error.code, ISKRA_E_CONNECTION);
    uint8_t buf[512];
    struct iskra_error err = {0};
    assert_true(iskra_read_sync(lun, buf, 512, 0, &err) < 0);
    assert_true(err.text[0] != '\0');
    assert_int_equal(iskra_close_sync(lun), 0);
    free(slow.buf);
    free(other.buf);
    proxy_stop(p);
}

static void a_reset_connection_fails_everything_once(void **state)
{
    struct proxy *p = proxy_start(rig_port(rig));
    struct iskra_lun *lun = open_url(rig_url(proxy_port(p), 0, "replacement_timeout=0"));
    struct count c[20];
    proxy_hold(p, 1);
    for (int i = 0; i < 20; i++)
        start(lun, &c[i], 4096, 0);
    assert_int_equal(iskra_run_once(ctx, 0), 0);
    proxy_cut(p);
    for (int i = 0; i < 20; i++) {
        while (!c[i].done_cnt)
            assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
        assert_int_equal(c[i].io.error.code, ISKRA_E_CONNECTION);
    }
    for (int i = 0; i < 5; i++)
        assert_int_equal(iskra_run_once(ctx, 0), 0);
    for (int i = 0; i < 20; i++) {
        assert_int_equal(c[i].done_cnt, 1);
        free(c[i].buf);
    }
    assert_int_equal(iskra_close_sync(lun), 0);
    proxy_stop(p);
}

static void a_lun_opened_while_its_session_is_away_waits_for_it(void **state)
{
    struct proxy *p = proxy_start(rig_port(rig));
    struct iskra_lun *lun = open_url(rig_url(proxy_port(p), 0, NULL));
    uint8_t buf[512];
    for (int i = 0; i < 5; i++) {
        proxy_cut(p);
        struct iskra_lun *again = open_url(rig_url(proxy_port(p), 0, NULL));
        assert_int_equal(iskra_read_sync(again, buf, 512, 0, NULL), 0);
        assert_int_equal(iskra_close_sync(again), 0);
    }
    assert_int_equal(iskra_read_sync(lun, buf, 512, 0, NULL), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
    proxy_stop(p);
}

static void an_open_that_cannot_succeed_says_why(void **state)
{
    char url[256];
    open_fails("iscsi://127.0.0.1:1/" RIG_NAME "/0", ISKRA_E_CONNECT);
    snprintf(url, sizeof(url), "iscsi://127.0.0.1:%u/iqn.2026-11.io.iskra.test:nobody/0",
             rig_port(rig));
    open_fails(url, ISKRA_E_LOGIN);
    open_fails(rig_url(rig_port(rig), 99, NULL), ISKRA_E_NOT_FOUND);
    open_fails("iscsi://127.0.0.1/" RIG_NAME, ISKRA_E_USAGE);
}

static void a_portal_that_says_nothing_ends_the_login_in_time(void **state)
{
    struct proxy *p = proxy_start(rig_port(rig));
    proxy_hold(p, 1);
    open_fails(rig_url(proxy_port(p), 0, "login_timeout=0.2"), ISKRA_E_TIMEOUT_LOGIN);
    proxy_stop(p);
}

static void raw_commands_tell_their_sense(void **state)
{
    struct iskra_lun *lun = open_url(rig_url(rig_port(rig), 0, NULL));
    static const uint8_t tur[6] = {0x00}, inquiry[6] = {0x12, 0, 0, 0, 96, 0}, nonsense[6] = {0xff};
    uint8_t buf[96];
    uint32_t len = 0;
    struct iskra_error err = {0};
    assert_int_equal(iskra_raw_sync(lun, tur, 6, NULL, 0, NULL, &err), 0);
    assert_int_equal(iskra_raw_sync(lun, inquiry, 6, buf, 96, &len, &err), 0);
    assert_true(len >= 36 && len <= 96);
    assert_int_equal(iskra_raw_sync(lun, nonsense, 6, NULL, 0, NULL, &err), -EIO);
    assert_int_equal(err.code, ISKRA_E_SCSI);
    assert_int_equal(err.scsi_status, 0x02);
    assert_true(err.sense_len >= 14);
    assert_int_equal(err.sense[2] & 0xf, 0x05);
    assert_int_equal(err.sense[12], 0x20);
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* ---- looking around ---- */

static int count_portals(void *arg, const struct iskra_portal_entry *e)
{
    assert_string_equal(e->target_name, RIG_NAME);
    assert_string_equal(e->address, "127.0.0.1");
    assert_int_equal(e->tpgt, 1);
    ++*(int *)arg;
    return 0;
}

static int count_luns(void *arg, const struct iskra_lun_info *info)
{
    int *n = arg;
    assert_int_equal(info->lun, *n);
    assert_int_equal(info->block_len, 512);
    assert_int_equal(info->block_cnt, RIG_SIZE / 512);
    ++*n;
    return 0;
}

static void discovery_and_scan_find_what_is_there(void **state)
{
    char portal[64];
    int portals = 0, luns = 0;
    struct iskra_error err = {0};
    snprintf(portal, sizeof(portal), "127.0.0.1:%u", rig_port(rig));
    assert_int_equal(iskra_discover_sync(ctx, portal, count_portals, &portals, &err), 0);
    assert_int_equal(portals, 1);
    assert_int_equal(iskra_luns_sync(ctx, rig_url(rig_port(rig), 0, NULL), count_luns, &luns, &err),
                     0);
    assert_int_equal(luns, 2);
    assert_int_equal(iskra_login_sync(ctx, rig_url(rig_port(rig), 0, NULL), &err), 0);
}

static void a_forked_child_is_refused(void **state)
{
    struct iskra_lun *lun = open_url(rig_url(rig_port(rig), 0, NULL));
    pid_t pid = fork();
    if (pid == 0) {
        uint8_t buf[512];
        _exit(iskra_read_sync(lun, buf, 512, 0, NULL) == -EPERM ? 0 : 1);
    }
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    uint8_t buf[512];
    assert_int_equal(iskra_read_sync(lun, buf, 512, 0, NULL), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* ---- memory that runs out ---- */

static int alloc_left;

static void *failing_alloc(void *arg, size_t size)
{
    return alloc_left-- > 0 ? calloc(1, size) : NULL;
}

static void failing_free(void *arg, void *p)
{
    free(p);
}

static int open_read_close(const struct iskra_platform *pf)
{
    struct iskra_options opts = {
        .size = sizeof(opts), .platform = pf, .initiator_name = "iqn.2026-11.io.iskra.test:oom"};
    struct iskra *c = NULL;
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    uint8_t buf[4096];
    int rc = iskra_new(&opts, &c, &err);
    if (rc == 0)
        rc = iskra_open_sync(c, rig_url(rig_port(rig), 0, NULL), &lun, &err);
    if (rc == 0)
        rc = iskra_read_sync(lun, buf, sizeof(buf), 0, &err);
    if (rc)
        assert_true(err.code != ISKRA_OK && err.text[0] != '\0');
    else
        assert_memory_equal(buf, rig_content(rig), sizeof(buf));
    assert_int_equal(iskra_close_sync(lun), 0);
    iskra_free(c);
    return rc;
}

static void an_allocation_that_fails_is_an_error_whichever_it_is(void **state)
{
    struct iskra_platform pf = *iskra_platform_posix();
    pf.alloc = failing_alloc;
    pf.free = failing_free;
    int n = 0;
    for (; n < 1000; n++) {
        alloc_left = n;
        int rc = open_read_close(&pf);
        if (rc == 0 && alloc_left >= 0)
            break;
    }
    print_message("# %d allocations\n", n);
    assert_in_range(n, 5, 999);
}

/* The same content twice, the second time write-protected. */
static void two_luns(struct iskra_target_options *opts)
{
    static struct iskra_target_backend backends[2];
    backends[0] = backends[1] = opts->backends[0];
    backends[1].read_only = true;
    opts->backends = backends;
    opts->backend_cnt = 2;
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(what_is_read_is_what_is_there),
        TEST(scattered_memory_is_filled_in_order),
        TEST(requests_beyond_the_disk_or_off_the_blocks_are_refused),
        TEST(many_random_reads_at_once_are_all_right_using_only_the_descriptor),
        TEST(luns_of_one_target_share_a_session_unless_their_options_differ),
        TEST(a_write_protected_lun_says_so),
        TEST(a_lun_may_be_closed_from_inside_done_where_blocking_calls_are_refused),
        TEST(freeing_the_initiator_ends_every_request),
        TEST(freeing_the_initiator_ends_a_close_under_way_too),
        TEST(an_open_begun_while_the_initiator_is_freed_ends_too),
        TEST(a_silent_target_costs_one_timeout_and_the_session),
        TEST(a_reset_connection_fails_everything_once),
        TEST(a_lun_opened_while_its_session_is_away_waits_for_it),
        TEST(an_open_that_cannot_succeed_says_why),
        TEST(a_portal_that_says_nothing_ends_the_login_in_time),
        TEST(raw_commands_tell_their_sense),
        TEST(discovery_and_scan_find_what_is_there),
        TEST(a_forked_child_is_refused),
        TEST(an_allocation_that_fails_is_an_error_whichever_it_is),
    };
    rig = rig_start(two_luns);
    int rc = cmocka_run_group_tests(tests, NULL, NULL);
    rig_stop(rig);
    return rc;
}
