/* A session that is lost comes back, through the whole library: targets that are restarted, cut off
 * in the middle of reads and writes, away for just less and just more than the replacement timeout;
 * and two initiators that are one and the same to the target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <glob.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "stack/bent.h"
#include "stack/rig.h"
#include "stack/told.h"

#define SECOND  UINT64_C(1000000000)
#define REQ_CNT 24u
#define LEN     65536u

static struct rig *rig;
static struct iskra *ctx;
static struct bent bent;
static struct told told;
static char isid[24]; /* the key; no other run of this test has the same */

static struct iskra *initiator_new(void)
{
    struct iskra *made;
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:reopen",
                                 .platform = &bent.pf,
                                 .event = told_take,
                                 .event_arg = &told};
    assert_int_equal(iskra_new(&opts, &made, NULL), 0);
    return made;
}

static int setup(void **state)
{
    bent_init(&bent, &rig);
    told_forget(&told);
    (void)snprintf(isid, sizeof(isid), "isid=80aa%08lx", (unsigned long)getpid());
    rig = rig_start(NULL);
    ctx = initiator_new();
    return 0;
}

static int teardown(void **state)
{
    iskra_free(ctx);
    rig_stop(rig);
    return 0;
}

/* All connections end, and what the target knew of sessions is gone. */
static void restart(void)
{
    rig_stop(rig);
    rig = rig_start(NULL);
}

static const char *url(const char *keys)
{
    return rig_url(3260, 0, keys);
}

static struct iskra_lun *open_lun(const char *keys)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    if (iskra_open_sync(ctx, url(keys), &lun, &err) != 0)
        fail_msg("%s", err.text);
    return lun;
}

struct req {
    struct iskra_io io;
    unsigned done_cnt;
    uint64_t offset;
    struct iovec iov;
    uint8_t buf[LEN];
};
static struct req *reqs;

static void req_done(struct iskra_io *io)
{
    ((struct req *)io)->done_cnt++;
}

/* Reads, or writes of what is there already, so that everything has one right answer. */
static void start(struct iskra_lun *lun, enum iskra_op op)
{
    reqs = calloc(REQ_CNT, sizeof(*reqs));
    for (unsigned i = 0; i < REQ_CNT; i++) {
        struct req *q = &reqs[i];
        q->offset = (uint64_t)i * LEN;
        if (op == ISKRA_WRITE)
            memcpy(q->buf, rig_content(rig) + q->offset, LEN);
        q->iov = (struct iovec){q->buf, LEN};
        q->io = (struct iskra_io){.op = op,
                                  .offset = q->offset,
                                  .iov = &q->iov,
                                  .iov_cnt = 1,
                                  .len = LEN,
                                  .done = req_done};
        assert_int_equal(iskra_submit(lun, &q->io), 0);
    }
}

static unsigned done_cnt(void)
{
    unsigned cnt = 0;
    for (unsigned i = 0; i < REQ_CNT; i++) {
        assert_true(reqs[i].done_cnt <= 1);
        cnt += reqs[i].done_cnt;
    }
    return cnt;
}

static void wait_for_all(void)
{
    while (done_cnt() < REQ_CNT)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
}

static void all_are_right(void)
{
    for (unsigned i = 0; i < REQ_CNT; i++) {
        if (reqs[i].io.status != 0)
            fail_msg("request %u: %s", i, reqs[i].io.error.text);
        assert_memory_equal(reqs[i].buf, rig_content(rig) + reqs[i].offset, LEN);
    }
    free(reqs);
}

/* So much time, in steps small enough for every timer. */
static void pass(uint64_t ns)
{
    for (uint64_t until_ns = bent.skew_ns + ns; bent.skew_ns < until_ns;) {
        uint64_t step_ns =
            SECOND / 4 < until_ns - bent.skew_ns ? SECOND / 4 : until_ns - bent.skew_ns;
        bent.skew_ns += step_ns;
        for (int i = 0; i < 3; i++)
            assert_int_equal(iskra_run_once(ctx, 0), 0);
    }
}

static void a_target_that_is_restarted_in_the_middle_costs_time_and_nothing_else(void **state)
{
    struct iskra_lun *lun = open_lun(NULL);
    struct iskra_session_info before, after;
    struct iskra_session_stats stats;
    iskra_session_info(lun, &before);
    for (unsigned i = 0; i < 10; i++) {
        start(lun, i % 2 ? ISKRA_WRITE : ISKRA_READ);
        for (unsigned n = 0; n < i; n++)
            assert_int_equal(iskra_run_once(ctx, 0), 0);
        restart();
        wait_for_all();
        all_are_right();
        told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERED, i + 1);
        bent.skew_ns += SECOND; /* each life was long enough to be of use */
    }
    iskra_session_info(lun, &after);
    assert_memory_equal(after.isid, before.isid, sizeof(after.isid));
    assert_true(after.rx_bytes > before.rx_bytes); /* over all connections */
    iskra_session_stats(lun, &stats);
    assert_int_equal(stats.logins, 11);
    assert_int_equal(told_cnt(&told, ISKRA_EVENT_SESSION_RECOVERING), 10);
    assert_int_equal(told_cnt(&told, ISKRA_EVENT_SESSION_GIVEN_UP), 0);
    assert_int_equal(told_cnt(&told, ISKRA_EVENT_SESSION_LOST), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void with_gap(struct iskra_target_options *opts)
{
    static const char *const gap = "field=statsn+1000:data-in(read)#3"; /* answers must be lost */
    opts->faults = &gap;
    opts->fault_cnt = 1;
}

/* At error recovery level 0 the recovery action is a new connection; the commands go out again. */
static void ffp_5_1_a_large_gap_in_stat_sn_is_recovered_from_by_a_new_connection(void **state)
{
    struct iskra_session_stats before, after;
    rig_stop(rig);
    rig = rig_start(with_gap);
    struct iskra_lun *lun = open_lun(NULL);
    iskra_session_stats(lun, &before);
    start(lun, ISKRA_READ);
    wait_for_all();
    all_are_right();
    iskra_session_stats(lun, &after);
    assert_int_equal(after.logins, before.logins + 1);
    assert_true(after.retries > before.retries);
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* Spec 6.4, check 6. */
static void away_for_119_seconds_nothing_fails(void **state)
{
    struct iskra_lun *lun = open_lun(NULL);
    start(lun, ISKRA_READ);
    bent.away = true;
    restart();
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERING, 1);
    bent.frozen_ns = iskra_platform_posix()->now_ns(NULL);
    pass(115 * SECOND);
    assert_true(done_cnt() < REQ_CNT); /* some may have been answered before the loss */
    bent.away = false;
    pass(4 * SECOND - SECOND / 2); /* the next try comes after 3.4 s at most */
    while (done_cnt() < REQ_CNT) {
        assert_int_equal(iskra_run_once(ctx, 5000000), 0);
        bent.skew_ns += 100000;
    }
    all_are_right();
    assert_int_equal(told_cnt(&told, ISKRA_EVENT_SESSION_GIVEN_UP), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void away_for_121_seconds_everything_fails_and_then_it_works_again(void **state)
{
    struct iskra_lun *lun = open_lun(NULL);
    uint8_t block[512];
    bent.away = true;
    restart();
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERING, 1);
    start(lun, ISKRA_READ);
    pass(118 * SECOND);
    assert_int_equal(done_cnt(), 0);
    pass(3 * SECOND);
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_GIVEN_UP, 1);
    wait_for_all();
    for (unsigned i = 0; i < REQ_CNT; i++) {
        assert_true(reqs[i].io.status < 0);
        assert_true(reqs[i].io.error.text[0] != '\0');
    }
    free(reqs);
    assert_true(iskra_read_sync(lun, block, sizeof(block), 0, NULL) < 0); /* at once */
    bent.away = false;
    pass(4 * SECOND);
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERED, 1);
    start(lun, ISKRA_WRITE);
    wait_for_all();
    all_are_right();
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void opened(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct {
        unsigned cnt;
        int status;
        struct iskra_lun *lun;
    } *o = arg;
    o->cnt++;
    o->status = status;
    o->lun = lun;
    assert_true(status == 0 || err->text[0] != '\0');
}

static void who_opens_meanwhile_waits_as_long_as_requests_do(void **state)
{
    struct iskra_lun *lun = open_lun("replacement_timeout=20");
    struct {
        unsigned cnt;
        int status;
        struct iskra_lun *lun;
    } back = {0}, late = {0}, never = {0};
    bent.away = true;
    restart();
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERING, 1);
    assert_int_equal(iskra_open(ctx, url("replacement_timeout=20"), opened, &back, NULL), 0);
    pass(10 * SECOND);
    assert_int_equal(back.cnt, 0);
    bent.away = false;
    pass(4 * SECOND);
    while (back.cnt == 0)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    assert_int_equal(back.status, 0);
    assert_int_equal(iskra_close_sync(back.lun), 0);

    bent.away = true;
    restart();
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERING, 2);
    assert_int_equal(iskra_open(ctx, url("replacement_timeout=20"), opened, &late, NULL), 0);
    pass(21 * SECOND);
    while (late.cnt == 0)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    assert_int_equal(late.status, -ECONNREFUSED);
    assert_int_equal(iskra_open(ctx, url("replacement_timeout=20"), opened, &never, NULL), 0);
    while (never.cnt == 0)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    assert_int_equal(never.status, -ECONNREFUSED);
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* Before the first login is through it fails at once, with the reason; from then on it goes on. */
static void an_open_that_is_cut_at_any_moment_fails_fast_or_goes_on(void **state)
{
    unsigned well = 0, failed = 0;
    for (unsigned rounds = 0; rounds < 24; rounds++) {
        struct {
            unsigned cnt;
            int status;
            struct iskra_lun *lun;
        } o = {0};
        assert_int_equal(iskra_open(ctx, url(NULL), opened, &o, NULL), 0);
        for (unsigned i = 0; i < rounds && o.cnt == 0; i++)
            assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
        restart();
        while (o.cnt == 0)
            assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
        if (o.status != 0) {
            failed++;
            continue;
        }
        well++;
        start(o.lun, ISKRA_READ);
        wait_for_all();
        all_are_right();
        assert_int_equal(iskra_close_sync(o.lun), 0);
    }
    assert_true(failed > 0);
    assert_true(well > 0);
}

static void a_close_while_it_is_away_ends_at_once(void **state)
{
    struct iskra_lun *lun = open_lun(NULL);
    bent.away = true;
    restart();
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERING, 1);
    uint64_t before_ns = bent.pf.now_ns(&bent);
    assert_int_equal(iskra_close_sync(lun), 0);
    assert_true(bent.pf.now_ns(&bent) - before_ns < 15 * SECOND); /* not for want of an answer */
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_CLOSED, 1);
}

/* ---- one name, one ISID, two initiators ---- */

static void a_second_session_with_the_same_isid_is_refused_with_the_pid_of_the_first(void **state)
{
    struct iskra *other = initiator_new();
    struct iskra_lun *lun = open_lun(isid), *second = NULL;
    struct iskra_error err = {0};
    char pid[24];
    (void)snprintf(pid, sizeof(pid), "process %ld", (long)getpid());
    for (unsigned i = 0; i < 2; i++) {
        assert_int_equal(iskra_open_sync(other, url(isid), &second, &err), -EADDRINUSE);
        assert_non_null(strstr(err.text, pid));
    }
    assert_int_equal(iskra_open_sync(other, url(NULL), &second, &err), 0);
    assert_int_equal(iskra_close_sync(second), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
    assert_int_equal(iskra_open_sync(other, url(isid), &second, &err), 0); /* it is free again */
    assert_int_equal(iskra_close_sync(second), 0);
    iskra_free(other);
}

/* With the lock files in it. */
static void folder_remove(const char *dir)
{
    char sub[64], pattern[80];
    glob_t found;
    (void)snprintf(sub, sizeof(sub), "%s/iskra", dir);
    (void)snprintf(pattern, sizeof(pattern), "%s/isid-*", sub);
    assert_int_equal(glob(pattern, 0, NULL, &found), 0);
    for (size_t i = 0; i < found.gl_pathc; i++)
        assert_int_equal(unlink(found.gl_pathv[i]), 0);
    globfree(&found);
    assert_int_equal(rmdir(sub), 0);
    assert_int_equal(rmdir(dir), 0);
}

static void of_two_that_throw_each_other_out_one_gives_up(void **state)
{
    char dir[] = "/tmp/iskra-reopen-XXXXXX", *last = getenv("XDG_RUNTIME_DIR");
    struct iskra *other = initiator_new();
    struct iskra_lun *lun = open_lun(isid), *second = NULL;
    struct iskra_error err = {0};
    last = last != NULL ? strdup(last) : NULL;
    assert_non_null(mkdtemp(dir));
    setenv("XDG_RUNTIME_DIR", dir, 1); /* so that neither knows of the other */
    assert_int_equal(iskra_open_sync(other, url(isid), &second, &err), 0);
    while (told_cnt(&told, ISKRA_EVENT_SESSION_LOST) == 0) {
        assert_true(told.cnt < 60);
        assert_int_equal(iskra_run_once(ctx, 10000000), 0);
        assert_int_equal(iskra_run_once(other, 10000000), 0);
    }
    const struct iskra_event *ev = &told.events[told.cnt - 1];
    assert_int_equal(ev->kind, ISKRA_EVENT_SESSION_LOST);
    assert_non_null(strstr(ev->error.text, "another initiator uses this name and ISID"));
    assert_int_equal(iskra_close_sync(lun), 0);
    assert_int_equal(iskra_close_sync(second), 0);
    iskra_free(other);
    if (last != NULL)
        setenv("XDG_RUNTIME_DIR", last, 1);
    else
        unsetenv("XDG_RUNTIME_DIR");
    free(last);
    folder_remove(dir);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_target_that_is_restarted_in_the_middle_costs_time_and_nothing_else),
        cmocka_unit_test_setup_teardown(
            ffp_5_1_a_large_gap_in_stat_sn_is_recovered_from_by_a_new_connection, setup, teardown),
        TEST(away_for_119_seconds_nothing_fails),
        TEST(away_for_121_seconds_everything_fails_and_then_it_works_again),
        TEST(who_opens_meanwhile_waits_as_long_as_requests_do),
        TEST(an_open_that_is_cut_at_any_moment_fails_fast_or_goes_on),
        TEST(a_close_while_it_is_away_ends_at_once),
        TEST(a_second_session_with_the_same_isid_is_refused_with_the_pid_of_the_first),
        TEST(of_two_that_throw_each_other_out_one_gives_up),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
