/* Several threads at one initiator: the mailbox, and a loop in a thread of the library's own. Built
 * with ThreadSanitizer too (make tsan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
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
#include "stack/proxy.h"
#include "stack/rig.h"

#define LEN        4096u /* of one request */
#define SLOT_CNT   16    /* requests of one thread in flight */
#define ROUND_CNT  1000  /* requests of one thread, each way */
#define THREAD_MAX 4

static struct rig *rig;
static struct iskra *ctx;
static struct iskra_platform platform; /* the default one, its clock moved by leap_ns */
static atomic_ullong leap_ns;
static sem_t session_lost; /* the log has said so */
static atomic_int slow_cnt;

static uint64_t leaping_now_ns(void *arg)
{
    const struct iskra_platform *real = iskra_platform_posix();
    return real->now_ns(real->arg) + atomic_load(&leap_ns);
}

static void note_line(void *arg, enum iskra_log_level level, const char *line)
{
    if (strstr(line, ": lost: ") != NULL)
        sem_post(&session_lost);
    if (strstr(line, "callbacks took") != NULL)
        atomic_fetch_add(&slow_cnt, 1);
}

static int setup_with(int own_thread)
{
    platform = *iskra_platform_posix();
    platform.now_ns = leaping_now_ns;
    sem_init(&session_lost, 0, 0);
    slow_cnt = 0;
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:threads",
                                 .platform = &platform,
                                 .log = note_line,
                                 .own_thread = own_thread};
    return iskra_new(&opts, &ctx, NULL);
}

static int setup(void **state)
{
    return setup_with(0);
}

static int setup_own_thread(void **state)
{
    return setup_with(1);
}

static int teardown(void **state)
{
    iskra_free(ctx);
    ctx = NULL;
    return 0;
}

static struct iskra_lun *open_rig(uint16_t port, unsigned number, const char *options)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    if (iskra_open_sync(ctx, rig_url(port, number, options), &lun, &err))
        fail_msg("%s", err.text);
    return lun;
}

/* ---- a thread that posts ---- */

struct poster;

struct slot {
    struct iskra_io io;
    struct iovec iov;
    struct poster *poster;
    atomic_bool busy;
    uint8_t buf[LEN];
};

struct poster {
    pthread_t id;
    struct iskra_lun *lun;
    uint64_t base; /* of its part of the disk */
    atomic_bool *stop;
    struct slot slots[SLOT_CNT];
    sem_t free_cnt;
    atomic_int done_cnt, failed_cnt, wrong_cnt, canceled_cnt;
    int posted_cnt;
    struct iskra_call finished;
};

static atomic_int finished_cnt;

static void count_finished(struct iskra_call *call)
{
    atomic_fetch_add(&finished_cnt, 1);
}

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset / LEN * 7 + offset % LEN * 13 + 1);
}

static void slot_done(struct iskra_io *io)
{
    struct slot *s = io->user;
    struct poster *p = s->poster;
    atomic_fetch_add(&p->done_cnt, 1);
    if (io->error.code == ISKRA_E_CANCELED)
        atomic_fetch_add(&p->canceled_cnt, 1);
    else if (io->status != 0)
        atomic_fetch_add(&p->failed_cnt, 1);
    for (size_t i = 0; io->op == ISKRA_READ && io->status == 0 && i < LEN; i++) {
        if (s->buf[i] != byte_at(io->offset + i)) {
            atomic_fetch_add(&p->wrong_cnt, 1);
            break;
        }
    }
    atomic_store(&s->busy, false);
    sem_post(&p->free_cnt);
}

static struct slot *free_slot(struct poster *p)
{
    for (int i = 0; i < SLOT_CNT; i++) {
        if (!atomic_load(&p->slots[i].busy))
            return &p->slots[i];
    }
    return NULL;
}

static int post(struct poster *p, struct slot *s, enum iskra_op op, uint64_t offset)
{
    for (size_t i = 0; i < LEN; i++)
        s->buf[i] = op == ISKRA_WRITE ? byte_at(offset + i) : 0;
    s->iov = (struct iovec){s->buf, LEN};
    s->io.op = op;
    s->io.iov = &s->iov;
    s->io.iov_cnt = 1;
    s->io.len = LEN;
    s->io.offset = offset;
    s->io.done = slot_done;
    s->io.user = s;
    atomic_store(&s->busy, true);
    return iskra_post(p->lun, &s->io);
}

static void post_all(struct poster *p, enum iskra_op op)
{
    for (int i = 0; i < ROUND_CNT; i++) {
        while (sem_wait(&p->free_cnt) != 0)
            ;
        if (post(p, free_slot(p), op, p->base + (uint64_t)(i % 256) * LEN) != 0)
            atomic_fetch_add(&p->failed_cnt, 1);
    }
    for (int i = 0; i < SLOT_CNT; i++)
        while (sem_wait(&p->free_cnt) != 0)
            ;
    for (int i = 0; i < SLOT_CNT; i++)
        sem_post(&p->free_cnt);
}

static void *write_and_read(void *arg)
{
    struct poster *p = arg;
    post_all(p, ISKRA_WRITE);
    post_all(p, ISKRA_READ);
    p->finished.fn = count_finished;
    if (iskra_post_call(ctx, &p->finished) != 0)
        abort();
    return NULL;
}

static struct poster *posters_new(int cnt, struct iskra_lun *lun, atomic_bool *stop)
{
    struct poster *all = calloc((size_t)cnt, sizeof(*all));
    for (int i = 0; i < cnt; i++) {
        all[i].lun = lun;
        all[i].base = (uint64_t)i * 256 * LEN;
        all[i].stop = stop;
        sem_init(&all[i].free_cnt, 0, SLOT_CNT);
        for (int j = 0; j < SLOT_CNT; j++)
            all[i].slots[j].poster = &all[i];
    }
    return all;
}

static void posters_start(struct poster *all, int cnt, void *(*run)(void *arg))
{
    for (int i = 0; i < cnt; i++)
        assert_int_equal(pthread_create(&all[i].id, NULL, run, &all[i]), 0);
}

static void posters_join(struct poster *all, int cnt)
{
    for (int i = 0; i < cnt; i++)
        pthread_join(all[i].id, NULL);
}

/* As a program with a loop of its own does it. */
static void dispatch_once(void)
{
    struct pollfd fd = {.fd = iskra_fd(ctx), .events = POLLIN};
    int n = poll(&fd, 1, 30000);
    assert_true(n == 1 || (n < 0 && errno == EINTR));
    assert_int_equal(iskra_dispatch(ctx), 0);
}

static void threads_post(int cnt, bool own_thread)
{
    struct iskra_lun *lun = open_rig(rig_port(rig), 0, NULL);
    struct poster *all = posters_new(cnt, lun, NULL);
    atomic_store(&finished_cnt, 0);
    posters_start(all, cnt, write_and_read);
    while (!own_thread && atomic_load(&finished_cnt) < cnt)
        dispatch_once();
    posters_join(all, cnt);
    assert_int_equal(iskra_close_sync(lun), 0); /* what was posted before has run */
    assert_int_equal(atomic_load(&finished_cnt), cnt);
    for (int i = 0; i < cnt; i++) {
        assert_int_equal(all[i].done_cnt, 2 * ROUND_CNT);
        assert_int_equal(all[i].failed_cnt, 0);
        assert_int_equal(all[i].wrong_cnt, 0);
    }
    free(all);
}

static void two_threads_submit_by_mailbox(void **state)
{
    threads_post(2, false);
}

static void four_threads_submit_by_mailbox(void **state)
{
    threads_post(4, false);
}

static void threads_post_to_a_loop_in_a_thread_of_its_own(void **state)
{
    threads_post(3, true);
}

/* ---- order ---- */

#define CALL_CNT 2000

struct caller {
    pthread_t id;
    struct numbered {
        struct iskra_call call;
        struct caller *caller;
        int number;
    } calls[CALL_CNT];
    int next, wrong_cnt; /* the loop's */
};

static void called(struct iskra_call *call)
{
    struct numbered *n = (struct numbered *)call;
    n->caller->wrong_cnt += n->number != n->caller->next;
    n->caller->next++;
}

static void *call_all(void *arg)
{
    struct caller *c = arg;
    for (int i = 0; i < CALL_CNT; i++) {
        c->calls[i] = (struct numbered){.call.fn = called, .caller = c, .number = i};
        if (iskra_post_call(ctx, &c->calls[i].call) != 0)
            abort();
    }
    return NULL;
}

static void what_one_thread_posts_runs_in_its_order_and_once(void **state)
{
    struct caller *callers = calloc(2, sizeof(*callers));
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&callers[i].id, NULL, call_all, &callers[i]), 0);
    while (callers[0].next + callers[1].next < 2 * CALL_CNT)
        dispatch_once();
    for (int i = 0; i < 2; i++) {
        pthread_join(callers[i].id, NULL);
        assert_int_equal(callers[i].wrong_cnt, 0);
        assert_int_equal(callers[i].next, CALL_CNT);
    }
    assert_int_equal(iskra_dispatch(ctx), 0);
    assert_int_equal(callers[0].next, CALL_CNT);
    free(callers);
}

/* ---- refused, cancelled, closed, freed ---- */

static void a_refusal_of_a_posted_request_comes_in_done(void **state)
{
    struct iskra_lun *lun = open_rig(rig_port(rig), 0, NULL);
    struct poster *p = posters_new(1, lun, NULL);
    assert_int_equal(post(p, &p->slots[0], ISKRA_READ, 1), 0);
    assert_int_equal(post(p, &p->slots[1], ISKRA_READ, UINT64_C(1) << 40), 0);
    assert_int_equal(p->done_cnt, 0);
    assert_int_equal(iskra_dispatch(ctx), 0);
    assert_int_equal(p->done_cnt, 2);
    assert_int_equal(p->slots[0].io.status, -EINVAL);
    assert_int_equal(p->slots[0].io.error.code, ISKRA_E_USAGE);
    assert_int_equal(p->slots[1].io.status, -ERANGE);
    p->slots[2].io.done = NULL;
    assert_int_equal(iskra_post(lun, &p->slots[2].io), -EINVAL);
    assert_int_equal(iskra_close_sync(lun), 0);
    free(p);
}

static void a_posted_request_is_cancelled_before_it_is_taken(void **state)
{
    struct iskra_lun *lun = open_rig(rig_port(rig), 0, NULL);
    struct poster *p = posters_new(1, lun, NULL);
    assert_int_equal(post(p, &p->slots[0], ISKRA_READ, 0), 0);
    assert_int_equal(iskra_cancel(&p->slots[0].io), 0);
    assert_int_equal(p->done_cnt, 0);
    assert_int_equal(iskra_dispatch(ctx), 0);
    assert_int_equal(p->done_cnt, 1);
    assert_int_equal(p->slots[0].io.status, -ECANCELED);
    assert_int_equal(p->slots[0].io.error.code, ISKRA_E_CANCELED);
    assert_int_equal(iskra_close_sync(lun), 0);
    free(p);
}

static void set_flag(void *arg)
{
    *(bool *)arg = true;
}

static void what_was_posted_before_a_close_ends_before_it_does(void **state)
{
    struct iskra_lun *lun = open_rig(rig_port(rig), 0, NULL);
    struct poster *p = posters_new(1, lun, NULL);
    bool closed = false;
    for (int i = 0; i < SLOT_CNT - 1; i++)
        assert_int_equal(post(p, &p->slots[i], ISKRA_READ, 0), 0);
    iskra_close(lun, set_flag, &closed);
    assert_int_equal(post(p, &p->slots[SLOT_CNT - 1], ISKRA_READ, 0), -ENODEV);
    while (!closed)
        dispatch_once();
    assert_int_equal(p->done_cnt, SLOT_CNT - 1);
    assert_int_equal(p->canceled_cnt, SLOT_CNT - 1);
    free(p);
}

struct post_then_close {
    struct iskra_call call;
    struct poster *poster;
    bool closed;
};

static void post_then_close(struct iskra_call *call)
{
    struct post_then_close *c = (struct post_then_close *)call;
    if (post(c->poster, &c->poster->slots[0], ISKRA_READ, 0) != 0)
        abort();
    iskra_close(c->poster->lun, set_flag, &c->closed);
}

static void a_post_and_the_whole_close_fit_into_one_round(void **state)
{
    struct iskra_lun *other = open_rig(rig_port(rig), 0, NULL); /* the session stays */
    struct iskra_lun *lun = open_rig(rig_port(rig), 0, NULL);
    struct post_then_close c = {.call.fn = post_then_close, .poster = posters_new(1, lun, NULL)};
    assert_int_equal(iskra_post_call(ctx, &c.call), 0);
    assert_int_equal(iskra_dispatch(ctx), 0);
    assert_true(c.closed);
    assert_int_equal(c.poster->done_cnt, 1);
    assert_int_equal(c.poster->canceled_cnt, 1);
    assert_int_equal(iskra_close_sync(other), 0);
    free(c.poster);
}

static void *post_until_closed(void *arg)
{
    struct poster *p = arg;
    int rc = 0;
    while (rc == 0 && !atomic_load(p->stop)) {
        struct slot *s = free_slot(p);
        if (s == NULL) {
            sched_yield();
            continue;
        }
        rc = post(p, s, ISKRA_READ, RIG_SIZE / 2);
        p->posted_cnt += rc == 0;
    }
    return (void *)(intptr_t)rc;
}

static void threads_post_while_the_lun_is_closed(void **state)
{
    for (int again = 0; again < 20; again++) {
        struct iskra_lun *lun = open_rig(rig_port(rig), 0, NULL);
        atomic_bool stop = false;
        struct poster *all = posters_new(3, lun, &stop);
        bool closed = false;
        posters_start(all, 3, post_until_closed);
        for (int i = 0; i < 10 * again; i++)
            dispatch_once();
        iskra_close(lun, set_flag, &closed);
        atomic_store(&stop, true);
        posters_join(all, 3); /* as iskra_post() asks for: before the end of the close */
        while (!closed)
            dispatch_once();
        for (int i = 0; i < 3; i++)
            assert_int_equal(all[i].done_cnt, all[i].posted_cnt);
        free(all);
    }
}

static void refused_call(struct iskra_call *call)
{
    *(int *)call->user = iskra_post_call(ctx, call);
}

static void free_runs_what_was_posted_and_not_taken(void **state)
{
    struct iskra_lun *lun = open_rig(rig_port(rig), 0, NULL);
    struct poster *p = posters_new(1, lun, NULL);
    int rc = 0;
    struct iskra_call call = {.fn = refused_call, .user = &rc};
    for (int i = 0; i < SLOT_CNT; i++)
        assert_int_equal(post(p, &p->slots[i], ISKRA_READ, 0), 0);
    assert_int_equal(iskra_post_call(ctx, &call), 0);
    iskra_free(ctx);
    ctx = NULL;
    assert_int_equal(p->done_cnt, SLOT_CNT);
    assert_int_equal(p->canceled_cnt, SLOT_CNT);
    assert_int_equal(rc, -ECANCELED);
    free(p);
}

/* ---- callbacks ---- */

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
    struct again a = {.lun = open_rig(rig_port(rig), 0, NULL), .left = 1000};
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

static void take_long(struct iskra_call *call)
{
    atomic_fetch_add(&leap_ns, 1500000000ull);
}

static void a_callback_that_takes_over_a_second_is_one_line(void **state)
{
    struct iskra_call call = {.fn = take_long};
    assert_int_equal(iskra_post_call(ctx, &call), 0);
    assert_int_equal(iskra_dispatch(ctx), 0);
    assert_int_equal(iskra_dispatch(ctx), 0);
    assert_int_equal(slow_cnt, 1);
}

/* ---- a loop in a thread of its own ---- */

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
        all[i] = (struct blocker){.lun = open_rig(rig_port(rig), 0, NULL), .number = i};
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

static void an_idle_thread_ends_with_its_initiator(void **state)
{
    for (int i = 0; i < 50; i++) {
        assert_int_equal(teardown(NULL), 0);
        assert_int_equal(setup_with(1), 0);
        if (i % 10 == 0)
            (void)open_rig(rig_port(rig), 0, NULL);
    }
}

static void free_ends_what_the_thread_has_not(void **state)
{
    struct proxy *proxy = proxy_start(rig_port(rig));
    struct iskra_lun *lun = open_rig(proxy_port(proxy), 0, NULL);
    struct poster *p = posters_new(1, lun, NULL);
    proxy_hold(proxy, 1);
    for (int i = 0; i < SLOT_CNT; i++)
        assert_int_equal(post(p, &p->slots[i], ISKRA_READ, 0), 0);
    iskra_free(ctx);
    ctx = NULL;
    assert_int_equal(p->done_cnt, SLOT_CNT);
    assert_int_equal(p->canceled_cnt, SLOT_CNT);
    free(p);
    proxy_stop(proxy);
}

static void a_lost_connection_is_noticed_while_the_program_does_other_things(void **state)
{
    struct proxy *proxy = proxy_start(rig_port(rig));
    struct iskra_lun *lun = open_rig(proxy_port(proxy), 0, "noop_interval=0");
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
    struct iskra_lun *lun = open_rig(pinger_port(pinger), 0, "noop_interval=0");
    uint8_t buf[LEN];
    for (int i = 0; i < 3; i++) {
        pinger_ping(pinger); /* waits for the answer, and calls nothing of the library */
        assert_int_equal(iskra_read_sync(lun, buf, LEN, RIG_SIZE - LEN, NULL), 0);
        assert_memory_equal(buf, rig_content(rig) + RIG_SIZE - LEN, LEN);
    }
    assert_int_equal(iskra_close_sync(lun), 0);
    pinger_stop(pinger);
}

static int child_is_refused(struct iskra_lun *lun)
{
    struct iskra_call call = {.fn = count_finished};
    struct iskra_io io = {.op = ISKRA_FLUSH, .done = slot_done};
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
    struct iskra_lun *lun = open_rig(rig_port(rig), 0, NULL);
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

#define TEST(name)     cmocka_unit_test_setup_teardown(name, setup, teardown)
#define TEST_OWN(name) cmocka_unit_test_setup_teardown(name, setup_own_thread, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(two_threads_submit_by_mailbox),
        TEST(four_threads_submit_by_mailbox),
        TEST(what_one_thread_posts_runs_in_its_order_and_once),
        TEST(a_refusal_of_a_posted_request_comes_in_done),
        TEST(a_posted_request_is_cancelled_before_it_is_taken),
        TEST(what_was_posted_before_a_close_ends_before_it_does),
        TEST(a_post_and_the_whole_close_fit_into_one_round),
        TEST(threads_post_while_the_lun_is_closed),
        TEST(free_runs_what_was_posted_and_not_taken),
        TEST(a_callback_that_takes_over_a_second_is_one_line),
        TEST_OWN(threads_post_to_a_loop_in_a_thread_of_its_own),
        TEST_OWN(done_submits_again_and_may_not_block),
        TEST_OWN(four_threads_make_blocking_calls_at_will),
        TEST_OWN(an_idle_thread_ends_with_its_initiator),
        TEST_OWN(free_ends_what_the_thread_has_not),
        TEST_OWN(a_lost_connection_is_noticed_while_the_program_does_other_things),
        TEST_OWN(a_ping_of_the_target_is_answered_while_the_program_does_other_things),
        TEST_OWN(a_forked_child_is_refused_though_the_thread_is_not_there),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
