/* busy_poll_us: when the loop sleeps, and when it looks for answers instead. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdatomic.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/iskra.h>

#include "stack/rig.h"

#define READ_CNT 50

/* One second, so that even a slow machine answers within it. */
#define BUSY "busy_poll_us=1000000"

static struct rig *rig;
static struct iskra *ctx;
static struct iskra_platform platform; /* the default one, counting */
static atomic_int sleep_cnt, look_cnt, clock_cnt;

static uint64_t counting_now_ns(void *arg)
{
    const struct iskra_platform *real = iskra_platform_posix();
    atomic_fetch_add(&clock_cnt, 1);
    return real->now_ns(real->arg);
}

static int counting_wait(void *arg, struct pollfd *fds, unsigned fd_cnt, int64_t timeout_ns)
{
    const struct iskra_platform *real = iskra_platform_posix();
    atomic_fetch_add(timeout_ns != 0 ? &sleep_cnt : &look_cnt, 1);
    return real->wait(real->arg, fds, fd_cnt, timeout_ns);
}

static int setup_with(int own_thread)
{
    platform = *iskra_platform_posix();
    platform.now_ns = counting_now_ns;
    platform.wait = counting_wait;
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:busy",
                                 .platform = &platform,
                                 .own_thread = own_thread,
                                 .driver = "epoll"}; /* whose every wait can be counted */
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

static struct iskra_lun *open_rig(const char *options)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    if (iskra_open_sync(ctx, rig_url(rig_port(rig), 0, options), &lun, &err))
        fail_msg("%s", err.text);
    return lun;
}

/* How often the loop went to sleep over that. */
static int sleeps_of_reads(struct iskra_lun *lun)
{
    uint8_t buf[4096];
    int before = sleep_cnt;
    for (unsigned i = 0; i < READ_CNT; i++) {
        assert_int_equal(iskra_read_sync(lun, buf, sizeof(buf), i * sizeof(buf), NULL), 0);
        assert_memory_equal(buf, rig_content(rig) + i * sizeof(buf), sizeof(buf));
    }
    return sleep_cnt - before;
}

static void without_it_every_wait_for_an_answer_sleeps(void **state)
{
    struct iskra_lun *lun = open_rig(NULL);
    assert_true(sleeps_of_reads(lun) >= READ_CNT);
    iskra_close_sync(lun);
}

static void while_commands_are_out_the_loop_looks_and_does_not_sleep(void **state)
{
    struct iskra_lun *lun = open_rig(BUSY);
    assert_in_range(sleeps_of_reads(lun), 0, READ_CNT / 5);
    iskra_close_sync(lun);
}

static void an_idle_session_sleeps_at_once(void **state)
{
    struct iskra_lun *lun = open_rig(BUSY);
    (void)sleeps_of_reads(lun);
    int slept = sleep_cnt, read = clock_cnt;
    assert_int_equal(iskra_run_once(ctx, 1000000), 0);
    assert_int_equal(sleep_cnt - slept, 1);
    assert_in_range(clock_cnt - read, 1, 10);
    iskra_close_sync(lun);
}

/* Of two sessions of one loop the one that did not ask for it waits. */
static void a_session_that_did_not_ask_for_it_is_waited_for_asleep(void **state)
{
    struct iskra_lun *busy = open_rig(BUSY), *calm = open_rig(NULL);
    assert_true(sleeps_of_reads(calm) >= READ_CNT);
    assert_in_range(sleeps_of_reads(busy), 0, READ_CNT / 5);
    iskra_close_sync(busy);
    iskra_close_sync(calm);
}

static void dispatching_by_a_loop_of_ones_own_never_looks(void **state)
{
    struct iskra_lun *lun = open_rig(BUSY);
    int slept = sleep_cnt, read = clock_cnt;
    for (int i = 0; i < 10; i++)
        assert_int_equal(iskra_dispatch(ctx), 0);
    assert_int_equal(sleep_cnt, slept);
    assert_in_range(clock_cnt - read, 10, 40);
    iskra_close_sync(lun);
}

static void answer_late(struct iskra_target_options *opts)
{
    static const char *const late[] = {"delay=50ms:data-in#1+"};
    opts->faults = late;
    opts->fault_cnt = 1;
}

/* It sleeps between two reads, and so has to be woken to look. The answers leave it the time. */
static void the_librarys_own_thread_looks_too(void **state)
{
    struct rig *slow = rig_start(answer_late);
    struct iskra_lun *lun = NULL;
    uint8_t buf[4096];
    assert_int_equal(iskra_open_sync(ctx, rig_url(rig_port(slow), 0, BUSY), &lun, NULL), 0);
    int looked = look_cnt;
    for (int i = 0; i < 5; i++)
        assert_int_equal(iskra_read_sync(lun, buf, sizeof(buf), 0, NULL), 0);
    assert_true(look_cnt > looked + 5);
    iskra_close_sync(lun);
    rig_stop(slow);
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
        TEST(without_it_every_wait_for_an_answer_sleeps),
        TEST(while_commands_are_out_the_loop_looks_and_does_not_sleep),
        TEST(an_idle_session_sleeps_at_once),
        TEST(a_session_that_did_not_ask_for_it_is_waited_for_asleep),
        TEST(dispatching_by_a_loop_of_ones_own_never_looks),
        cmocka_unit_test_setup_teardown(the_librarys_own_thread_looks_too, setup_own_thread,
                                        teardown),
    };
    return cmocka_run_group_tests(tests, rig_setup, rig_teardown);
}
