/* What a program can do to itself: group 13 of the hostile inputs, and those of group 12 that a
 * command line cannot bring about. tests/hostile/items.tsv refers to them by name. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dlfcn.h>
#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "stack/cutter.h"
#include "stack/proxy.h"
#include "stack/rig.h"

static struct rig *rig;
static struct iskra *ctx;
static struct iskra_platform platform; /* the default one, its clock moved by `leap_ns` */
static uint64_t leap_ns;
static int log_cnt;

static uint64_t leaping_now_ns(void *arg)
{
    const struct iskra_platform *real = iskra_platform_posix();
    return real->now_ns(real->arg) + leap_ns;
}

static void count_line(void *arg, enum iskra_log_level level, const char *line)
{
    log_cnt += strstr(line, "iskra_free()") != NULL;
}

static int setup(void **state)
{
    platform = *iskra_platform_posix();
    platform.now_ns = leaping_now_ns;
    leap_ns = 0;
    log_cnt = 0;
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:local",
                                 .platform = &platform,
                                 .log = count_line};
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

struct read {
    struct iskra_io io;
    struct iovec iov;
    uint8_t buf[4096];
    struct iskra_lun *lun;
    int done_cnt, again_cnt, sync_rc, dispatch_rc;
};

static void prepare(struct read *r, struct iskra_lun *lun, void (*done)(struct iskra_io *io))
{
    memset(r, 0, sizeof(*r));
    r->lun = lun;
    r->iov = (struct iovec){r->buf, sizeof(r->buf)};
    r->io = (struct iskra_io){
        .op = ISKRA_READ, .iov = &r->iov, .iov_cnt = 1, .len = sizeof(r->buf), .done = done};
}

static void wait_for(struct read *r, int done_cnt)
{
    while (r->done_cnt < done_cnt)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    assert_int_equal(r->io.status, 0);
    assert_memory_equal(r->buf, rig_content(rig), sizeof(r->buf));
}

static void counted(struct iskra_io *io)
{
    ((struct read *)io)->done_cnt++;
}

/* ---- from inside a callback ---- */

static void submit_again(struct iskra_io *io)
{
    struct read *r = (struct read *)io;
    r->done_cnt++;
    r->dispatch_rc = iskra_dispatch(ctx);
    r->sync_rc = iskra_read_sync(r->lun, r->buf, sizeof(r->buf), 0, NULL);
    if (r->done_cnt <= r->again_cnt)
        (void)iskra_submit(r->lun, io);
}

static void h_901_a_callback_submits_the_same_request_a_thousand_times(void **state)
{
    struct iskra_lun *lun = open_rig(rig_port(rig), NULL);
    struct read r;
    prepare(&r, lun, submit_again);
    r.again_cnt = 1000;
    assert_int_equal(iskra_submit(lun, &r.io), 0);
    wait_for(&r, 1001);
    assert_int_equal(r.dispatch_rc, -EDEADLK);
    assert_int_equal(r.sync_rc, -EDEADLK);
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void free_all(struct iskra_io *io)
{
    ((struct read *)io)->done_cnt++;
    iskra_free(ctx);
}

static void h_902_a_callback_that_frees_the_initiator_is_told_no(void **state)
{
    struct iskra_lun *lun = open_rig(rig_port(rig), NULL);
    struct read r;
    prepare(&r, lun, free_all);
    assert_int_equal(iskra_submit(lun, &r.io), 0);
    wait_for(&r, 1);
    assert_int_equal(log_cnt, 1);
    assert_int_equal(iskra_read_sync(lun, r.buf, sizeof(r.buf), 0, NULL), 0); /* it lives on */
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void h_903_a_callback_of_free_frees_again_and_submits(void **state)
{
    struct proxy *p = proxy_start(rig_port(rig));
    struct iskra_lun *lun = open_rig(proxy_port(p), NULL);
    struct read r[2];
    proxy_hold(p, 1);
    prepare(&r[0], lun, free_all);
    prepare(&r[1], lun, submit_again);
    for (int i = 0; i < 2; i++)
        assert_int_equal(iskra_submit(lun, &r[i].io), 0);
    iskra_free(ctx);
    ctx = NULL;
    for (int i = 0; i < 2; i++) {
        assert_int_equal(r[i].done_cnt, 1);
        assert_int_equal(r[i].io.error.code, ISKRA_E_CANCELED);
    }
    assert_int_equal(log_cnt, 1);
    assert_int_equal(r[1].sync_rc, -EDEADLK);
    proxy_stop(p);
}

/* ---- threads ---- */

#define THREAD_READS 200

struct worker {
    pthread_mutex_t *lock;
    struct iskra_lun *lun;
    uint64_t offset;
    int wrong_cnt;
};

static void *work(void *arg)
{
    struct worker *w = arg;
    uint8_t buf[4096];
    for (int i = 0; i < THREAD_READS; i++) {
        uint64_t offset = (w->offset + (uint64_t)i * sizeof(buf)) % RIG_SIZE;
        pthread_mutex_lock(w->lock);
        int rc = iskra_read_sync(w->lun, buf, sizeof(buf), offset, NULL);
        pthread_mutex_unlock(w->lock);
        if (rc || memcmp(buf, rig_content(rig) + offset, sizeof(buf)) != 0)
            w->wrong_cnt++;
    }
    return NULL;
}

static void h_904_two_threads_take_turns_at_one_initiator(void **state)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    struct iskra_lun *lun = open_rig(rig_port(rig), NULL);
    struct worker w[2] = {{&lock, lun, 0, 0}, {&lock, lun, RIG_SIZE / 2, 0}};
    pthread_t threads[2];
    for (int i = 0; i < 2; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, work, &w[i]), 0);
    for (int i = 0; i < 2; i++) {
        pthread_join(threads[i], NULL);
        assert_int_equal(w[i].wrong_cnt, 0);
    }
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* ---- fork ---- */

static int child_is_refused(struct iskra_lun *lun)
{
    struct read r;
    prepare(&r, lun, counted);
    int right = iskra_submit(lun, &r.io) == -EPERM;
    right += iskra_dispatch(ctx) == -EPERM;
    right += iskra_run_once(ctx, 0) == -EPERM;
    right += iskra_read_sync(lun, r.buf, sizeof(r.buf), 0, NULL) == -EPERM;
    iskra_free(ctx);
    return right == 4 ? 0 : 1;
}

static void h_905_a_forked_child_can_do_nothing_to_its_parents_session(void **state)
{
    struct iskra_lun *lun = open_rig(rig_port(rig), NULL);
    struct read r;
    prepare(&r, lun, counted);
    assert_int_equal(iskra_submit(lun, &r.io), 0); /* in flight while the process forks */
    pid_t pid = fork();
    if (pid == 0)
        _exit(child_is_refused(lun));
    int status = -1;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    wait_for(&r, 1);
    assert_int_equal(iskra_read_sync(lun, r.buf, sizeof(r.buf), 0, NULL), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* ---- clocks ---- */

static void h_906_a_clock_that_leaps_an_hour_ends_nothing_that_was_answered(void **state)
{
    struct iskra_lun *lun = open_rig(rig_port(rig), "timeout=2&noop_interval=1&noop_timeout=1");
    struct read r;
    prepare(&r, lun, counted);
    assert_int_equal(iskra_submit(lun, &r.io), 0);
    struct pollfd answer = {.fd = iskra_fd(ctx), .events = POLLIN};
    assert_int_equal(poll(&answer, 1, 30000), 1); /* the answer is in, and nobody has looked */
    leap_ns += UINT64_C(3600000000000);
    wait_for(&r, 1);
    assert_int_equal(iskra_read_sync(lun, r.buf, sizeof(r.buf), 0, NULL), 0);
    assert_int_equal(iskra_close_sync(lun), 0);
}

static uint64_t monotonic_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000 + (uint64_t)ts.tv_nsec;
}

static void h_907_a_step_of_the_wall_clock_is_not_seen_at_all(void **state)
{
    const struct iskra_platform *real = iskra_platform_posix();
    uint64_t before_ns = monotonic_ns(), now_ns = real->now_ns(real->arg);
    assert_in_range(now_ns, before_ns, monotonic_ns());
}

/* ---- a resolver that hangs ---- */

#define HANGS "hangs.invalid"
static sem_t resolver_let_go;
static atomic_int resolver_asked;

/* In front of libc's: hangs for one name until it is let go. */
int getaddrinfo(const char *node, const char *service, const struct addrinfo *hints,
                struct addrinfo **res)
{
    static int (*real)(const char *, const char *, const struct addrinfo *, struct addrinfo **);
    if (!real)
        *(void **)&real = dlsym(RTLD_NEXT, "getaddrinfo");
    if (node && strcmp(node, HANGS) == 0 && !(hints && hints->ai_flags & AI_NUMERICHOST)) {
        atomic_fetch_add(&resolver_asked, 1);
        sem_wait(&resolver_let_go);
        sem_post(&resolver_let_go);
        return EAI_AGAIN;
    }
    return real(node, service, hints, res);
}

struct opening {
    int cnt, status;
    enum iskra_code code;
};

static void opened(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct opening *o = arg;
    o->cnt++;
    o->status = status;
    o->code = err ? err->code : ISKRA_OK;
}

static void h_908_a_resolver_that_hangs_holds_up_nothing_else(void **state)
{
    struct opening o = {0};
    struct iskra_lun *lun = open_rig(rig_port(rig), NULL);
    struct read r;
    sem_init(&resolver_let_go, 0, 0);
    assert_int_equal(
        iskra_open(ctx, "iscsi://" HANGS "/" RIG_NAME "/0?login_timeout=1", opened, &o, NULL), 0);
    for (int i = 0; i < 50; i++) {
        prepare(&r, lun, counted);
        assert_int_equal(iskra_submit(lun, &r.io), 0);
        wait_for(&r, 1);
    }
    while (!o.cnt)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    assert_int_equal(o.cnt, 1);
    assert_true(o.status < 0);
    assert_true(atomic_load(&resolver_asked) > 0);
    assert_int_equal(o.code, ISKRA_E_TIMEOUT_LOGIN);
    sem_post(&resolver_let_go);
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* ---- a connection that is cut ---- */

static void read_cut_after(struct cutter *cut, uint64_t byte_cnt, bool *ret_whole)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    uint8_t buf[512];
    cutter_arm(cut, byte_cnt);
    int rc =
        iskra_open_sync(ctx, rig_url(cutter_port(cut), 0, "replacement_timeout=0"), &lun, &err);
    if (rc == 0)
        rc = iskra_read_sync(lun, buf, sizeof(buf), 512, &err);
    *ret_whole = rc == 0;
    if (rc == 0)
        assert_memory_equal(buf, rig_content(rig) + 512, sizeof(buf));
    else
        assert_int_equal(err.code, ISKRA_E_CONNECTION);
    if (lun)
        assert_int_equal(iskra_close_sync(lun), 0);
}

static void h_909_a_connection_cut_after_any_byte_is_an_error_or_the_right_data(void **state)
{
    struct cutter *cut = cutter_start(rig_port(rig));
    bool whole = false;
    uint64_t byte_cnt = 0;
    while (!whole)
        read_cut_after(cut, byte_cnt++, &whole);
    assert_true(byte_cnt > 1000); /* login, identification and 512 bytes of data are more */
    cutter_stop(cut);
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
        TEST(h_901_a_callback_submits_the_same_request_a_thousand_times),
        TEST(h_902_a_callback_that_frees_the_initiator_is_told_no),
        TEST(h_903_a_callback_of_free_frees_again_and_submits),
        TEST(h_904_two_threads_take_turns_at_one_initiator),
        TEST(h_905_a_forked_child_can_do_nothing_to_its_parents_session),
        TEST(h_906_a_clock_that_leaps_an_hour_ends_nothing_that_was_answered),
        TEST(h_907_a_step_of_the_wall_clock_is_not_seen_at_all),
        TEST(h_908_a_resolver_that_hangs_holds_up_nothing_else),
        TEST(h_909_a_connection_cut_after_any_byte_is_an_error_or_the_right_data),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
