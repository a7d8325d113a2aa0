/* Several threads at one initiator, whose loop is the test's: the mailbox. Built with
 * ThreadSanitizer too (make tsan). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/iskra.h>

#include "stack/poster.h"
#include "stack/rig.h"

static struct rig *rig;
static struct iskra *ctx;
static struct iskra_platform platform; /* the default one, its clock moved by leap_ns */
static atomic_ullong leap_ns;
static atomic_int slow_cnt;

static uint64_t leaping_now_ns(void *arg)
{
    const struct iskra_platform *real = iskra_platform_posix();
    return real->now_ns(real->arg) + atomic_load(&leap_ns);
}

static void note_line(void *arg, enum iskra_log_level level, const char *line)
{
    if (strstr(line, "callbacks took") != NULL)
        atomic_fetch_add(&slow_cnt, 1);
}

static int setup(void **state)
{
    platform = *iskra_platform_posix();
    platform.now_ns = leaping_now_ns;
    slow_cnt = 0;
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:threads",
                                 .platform = &platform,
                                 .log = note_line};
    return iskra_new(&opts, &ctx, NULL);
}

static int teardown(void **state)
{
    iskra_free(ctx);
    ctx = NULL;
    return 0;
}

static struct iskra_lun *open_rig(void)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    if (iskra_open_sync(ctx, rig_url(rig_port(rig), 0, NULL), &lun, &err))
        fail_msg("%s", err.text);
    return lun;
}

/* As a program with a loop of its own does it. */
static void dispatch_once(void)
{
    struct pollfd fd = {.fd = iskra_fd(ctx), .events = POLLIN};
    int n = poll(&fd, 1, 30000);
    assert_true(n == 1 || (n < 0 && errno == EINTR));
    assert_int_equal(iskra_dispatch(ctx), 0);
}

static void two_threads_submit_by_mailbox(void **state)
{
    posters_write_and_read(2, open_rig(), dispatch_once);
}

static void four_threads_submit_by_mailbox(void **state)
{
    posters_write_and_read(4, open_rig(), dispatch_once);
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
    struct iskra_lun *lun = open_rig();
    struct poster *p = posters_new(1, lun, NULL);
    assert_int_equal(poster_post(p, &p->slots[0], ISKRA_READ, 1), 0);
    assert_int_equal(poster_post(p, &p->slots[1], ISKRA_READ, UINT64_C(1) << 40), 0);
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
    struct iskra_lun *lun = open_rig();
    struct poster *p = posters_new(1, lun, NULL);
    assert_int_equal(poster_post(p, &p->slots[0], ISKRA_READ, 0), 0);
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
    struct iskra_lun *lun = open_rig();
    struct poster *p = posters_new(1, lun, NULL);
    bool closed = false;
    for (int i = 0; i < POSTER_SLOT_CNT - 1; i++)
        assert_int_equal(poster_post(p, &p->slots[i], ISKRA_READ, 0), 0);
    iskra_close(lun, set_flag, &closed);
    assert_int_equal(poster_post(p, &p->slots[POSTER_SLOT_CNT - 1], ISKRA_READ, 0), -ENODEV);
    while (!closed)
        dispatch_once();
    assert_int_equal(p->done_cnt, POSTER_SLOT_CNT - 1);
    assert_int_equal(p->canceled_cnt, POSTER_SLOT_CNT - 1);
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
    if (poster_post(c->poster, &c->poster->slots[0], ISKRA_READ, 0) != 0)
        abort();
    iskra_close(c->poster->lun, set_flag, &c->closed);
}

static void a_post_and_the_whole_close_fit_into_one_round(void **state)
{
    struct iskra_lun *other = open_rig(); /* the session stays */
    struct iskra_lun *lun = open_rig();
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
        struct slot *s = poster_slot(p);
        if (s == NULL) {
            sched_yield();
            continue;
        }
        rc = poster_post(p, s, ISKRA_READ, RIG_SIZE / 2);
        p->posted_cnt += rc == 0;
    }
    return (void *)(intptr_t)rc;
}

static void threads_post_while_the_lun_is_closed(void **state)
{
    for (int again = 0; again < 20; again++) {
        struct iskra_lun *lun = open_rig();
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
    struct iskra_lun *lun = open_rig();
    struct poster *p = posters_new(1, lun, NULL);
    int rc = 0;
    struct iskra_call call = {.fn = refused_call, .user = &rc};
    for (int i = 0; i < POSTER_SLOT_CNT; i++)
        assert_int_equal(poster_post(p, &p->slots[i], ISKRA_READ, 0), 0);
    assert_int_equal(iskra_post_call(ctx, &call), 0);
    iskra_free(ctx);
    ctx = NULL;
    assert_int_equal(p->done_cnt, POSTER_SLOT_CNT);
    assert_int_equal(p->canceled_cnt, POSTER_SLOT_CNT);
    assert_int_equal(rc, -ECANCELED);
    free(p);
}

/* ---- callbacks ---- */

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
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
