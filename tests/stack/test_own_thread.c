/* A loop in a thread of the library's own: several threads that post and block, and a program that
 * does other things. Built with ThreadSanitizer too (make tsan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/session.h>
#include <iskra/trace.h>

#include "stack/pinger.h"
#include "stack/poster.h"
#include "stack/proxy.h"
#include "stack/rig.h"

#define LEN 4096u /* of one request */

static struct rig *rig;
static struct iskra *ctx;
static sem_t session_lost; /* the log has said so */

static void note_line(void *arg, enum iskra_log_level level, const char *line)
{
    if (strstr(line, ": lost: ") != NULL)
        sem_post(&session_lost);
}

static int setup(void **state)
{
    sem_init(&session_lost, 0, 0);
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:own-thread",
                                 .log = note_line,
                                 .own_thread = 1};
    return iskra_new(&opts, &ctx, NULL);
}

static int teardown(void **state)
{
    iskra_free(ctx);
    ctx = NULL;
    return 0;
}

static struct iskra_lun *open_rig(uint16_t port, const char *options)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    if (iskra_open_sync(ctx, rig_url(port, 0, options), &lun, &err))
        fail_msg("%s", err.text);
    return lun;
}

/* ---- posts and callbacks ---- */

static void threads_post_to_a_loop_in_a_thread_of_its_own(void **state)
{
    posters_write_and_read(3, open_rig(rig_port(rig), NULL), NULL);
}

struct again {
    struct iskra_io io;
    struct iovec iov;
    uint8_t buf[LEN];
    struct iskra_lun *lun;
    int left, sync_rc, dispatch_rc;
    bool term_blocked;
    sem_t over;
};

static void submit_again(struct iskra_io *io)
{
    struct again *a = (struct again *)io;
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    a->term_blocked = sigismember(&mask, SIGTERM) == 1;
    a->sync_rc = iskra_read_sync(a->lun, a->buf, LEN, 0, NULL);
    a->dispatch_rc = iskra_dispatch(ctx);
    iskra_free(ctx); /* is told no */
    if (--a->left == 0 || io->status != 0)
        sem_post(&a->over);
    else if ((a->left % 2 ? iskra_submit(a->lun, io) : iskra_post(a->lun, io)) != 0)
        abort();
}

static void done_submits_again_and_may_not_block(void **state)
{
    struct again a = {.lun = open_rig(rig_port(rig), NULL), .left = 1000};
    sem_init(&a.over, 0, 0);
    a.iov = (struct iovec){a.buf, LEN};
    a.io = (struct iskra_io){
        .op = ISKRA_READ, .iov = &a.iov, .iov_cnt = 1, .len = LEN, .done = submit_again};
    assert_int_equal(iskra_submit(a.lun, &a.io), 0);
    while (sem_wait(&a.over) != 0)
        ;
    assert_int_equal(a.left, 0);
    assert_int_equal(a.sync_rc, -EDEADLK);
    assert_int_equal(a.dispatch_rc, -EBUSY);
    assert_true(a.term_blocked); /* a signal for the program does not go to the library's thread */
    sigset_t mask;
    pthread_sigmask(SIG_BLOCK, NULL, &mask);
    assert_int_equal(sigismember(&mask, SIGTERM), 0); /* and the program's mask is what it was */
    assert_int_equal(iskra_run_once(ctx, 0), -EBUSY);
    assert_int_equal(iskra_close_sync(a.lun), 0);
}

/* ---- blocking calls ---- */

struct blocker {
    pthread_t id;
    struct iskra_lun *lun;
    unsigned number;
    int failed_cnt;
};

static int count_lun(void *arg, const struct iskra_lun_info *info)
{
    ++*(int *)arg;
    return 0;
}

static void look(struct blocker *b)
{
    struct iskra_lun_info lun;
    struct iskra_session_info session;
    struct iskra_session_stats stats;
    struct iskra_trace_record records[16];
    struct iskra_lun *other = NULL;
    int found = 0;
    iskra_lun_info(b->lun, &lun);
    iskra_session_info(b->lun, &session);
    iskra_session_stats(b->lun, &stats);
    b->failed_cnt += lun.block_len != 512 || strcmp(session.target_name, RIG_NAME) != 0;
    b->failed_cnt += stats.commands == 0;
    b->failed_cnt += iskra_trace_read(ctx, records, 16) != 16;
    b->failed_cnt += iskra_ping_sync(b->lun, NULL, 0, 0, NULL, NULL) != 0;
    b->failed_cnt += iskra_luns_sync(ctx, rig_url(rig_port(rig), 0, NULL), count_lun, &found, NULL);
    b->failed_cnt += iskra_login_sync(ctx, rig_url(rig_port(rig), 0, "timeout=9"), NULL) != 0;
    b->failed_cnt += found != 1;
    b->failed_cnt += iskra_open_sync(ctx, rig_url(rig_port(rig), 0, NULL), &other, NULL) != 0 ||
                     iskra_close_sync(other) != 0;
}

static void *block(void *arg)
{
    struct blocker *b = arg;
    uint8_t wrote[LEN], got[LEN];
    for (unsigned i = 0; i < 200; i++) {
        uint64_t offset = (b->number * 64 + i % 64) * (uint64_t)LEN;
        memset(wrote, (int)(b->number + i), LEN);
        b->failed_cnt += iskra_write_sync(b->lun, wrote, LEN, offset, 0, NULL) != 0;
        b->failed_cnt += iskra_read_sync(b->lun, got, LEN, offset, NULL) != 0;
        b->failed_cnt += memcmp(wrote, got, LEN) != 0;
    }
    b->failed_cnt += iskra_flush_sync(b->lun, NULL) != 0;
    return NULL;
}

static void four_threads_make_blocking_calls_at_will(void **state)
{
    struct blocker all[4];
    for (unsigned i = 0; i < 4; i++) {
        all[i] = (struct blocker){.lun = open_rig(rig_port(rig), NULL), .number = i};
        assert_int_equal(pthread_create(&all[i].id, NULL, block, &all[i]), 0);
    }
    struct blocker here = {.lun = all[0].lun}; /* a fifth one */
    for (int i = 0; i < 20; i++)
        look(&here);
    for (int i = 0; i < 4; i++) {
        pthread_join(all[i].id, NULL);
        assert_int_equal(all[i].failed_cnt, 0);
        assert_int_equal(iskra_close_sync(all[i].lun), 0);
    }
    assert_int_equal(here.failed_cnt, 0);
}

/* ---- while the program does other things ---- */

static void an_idle_thread_ends_with_its_initiator(void **state)
{
    for (int i = 0; i < 50; i++) {
        assert_int_equal(teardown(NULL), 0);
        assert_int_equal(setup(NULL), 0);
        if (i % 10 == 0)
            (void)open_rig(rig_port(rig), NULL);
    }
}

static void free_ends_what_the_thread_has_not(void **state)
{
    struct proxy *proxy = proxy_start(rig_port(rig));
    struct iskra_lun *lun = open_rig(proxy_port(proxy), NULL);
    struct poster *p = posters_new(1, lun, NULL);
    proxy_hold(proxy, 1);
    for (int i = 0; i < POSTER_SLOT_CNT; i++)
        assert_int_equal(poster_post(p, &p->slots[i], ISKRA_READ, 0), 0);
    iskra_free(ctx);
    ctx = NULL;
    assert_int_equal(p->done_cnt, POSTER_SLOT_CNT);
    assert_int_equal(p->canceled_cnt, POSTER_SLOT_CNT);
    free(p);
    proxy_stop(proxy);
}

static void a_lost_connection_is_noticed_while_the_program_does_other_things(void **state)
{
    struct proxy *proxy = proxy_start(rig_port(rig));
    struct iskra_lun *lun = open_rig(proxy_port(proxy), "noop_interval=0");
    uint8_t buf[LEN];
    proxy_cut(proxy);
    while (sem_wait(&session_lost) != 0)
        ;
    /* It comes back by itself. */
    assert_int_equal(iskra_read_sync(lun, buf, LEN, RIG_SIZE - LEN, NULL), 0);
    assert_memory_equal(buf, rig_content(rig) + RIG_SIZE - LEN, LEN);
    assert_int_equal(iskra_close_sync(lun), 0);
    proxy_stop(proxy);
}

static void a_ping_of_the_target_is_answered_while_the_program_does_other_things(void **state)
{
    struct pinger *pinger = pinger_start(rig_port(rig));
    struct iskra_lun *lun = open_rig(pinger_port(pinger), "noop_interval=0");
    uint8_t buf[LEN];
    for (int i = 0; i < 3; i++) {
        pinger_ping(pinger); /* waits for the answer, and calls nothing of the library */
        assert_int_equal(iskra_read_sync(lun, buf, LEN, RIG_SIZE - LEN, NULL), 0);
        assert_memory_equal(buf, rig_content(rig) + RIG_SIZE - LEN, LEN);
    }
    assert_int_equal(iskra_close_sync(lun), 0);
    pinger_stop(pinger);
}

static void never_called(struct iskra_call *call)
{
    abort();
}

static void never_done(struct iskra_io *io)
{
    abort();
}

static int child_is_refused(struct iskra_lun *lun)
{
    struct iskra_call call = {.fn = never_called};
    struct iskra_io io = {.op = ISKRA_FLUSH, .done = never_done};
    int right = iskra_post(lun, &io) == -EPERM;
    right += iskra_submit(lun, &io) == -EPERM;
    right += iskra_post_call(ctx, &call) == -EPERM;
    right += iskra_flush_sync(lun, NULL) == -EPERM;
    right += iskra_close_sync(lun) == -EPERM;
    iskra_free(ctx);
    return right == 5 ? 0 : 1;
}

static void a_forked_child_is_refused_though_the_thread_is_not_there(void **state)
{
    struct iskra_lun *lun = open_rig(rig_port(rig), NULL);
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_is_refused(lun));
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    assert_int_equal(iskra_close_sync(lun), 0);
}

static int rig_setup(void **state)
{
    rig = rig_start(NULL);
    return 0;
}

static int rig_teardown(void **state)
{
    rig_stop(rig);
    return 0;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(threads_post_to_a_loop_in_a_thread_of_its_own),
        TEST(done_submits_again_and_may_not_block),
        TEST(four_threads_make_blocking_calls_at_will),
        TEST(an_idle_thread_ends_with_its_initiator),
        TEST(free_ends_what_the_thread_has_not),
        TEST(a_lost_connection_is_noticed_while_the_program_does_other_things),
        TEST(a_ping_of_the_target_is_answered_while_the_program_does_other_things),
        TEST(a_forked_child_is_refused_though_the_thread_is_not_there),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
