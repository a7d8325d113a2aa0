/* What drives the loop, by option and by environment. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/iskra.h>

#include "stack/rig.h"

static bool excused; /* the log has said why it is not io_uring */

static void note_line(void *arg, enum iskra_log_level level, const char *line)
{
    excused |= level == ISKRA_LOG_INFO && strstr(line, "no io_uring: ") != NULL;
}

static struct iskra *new_ctx(const char *driver)
{
    struct iskra *ctx = NULL;
    struct iskra_error err = {0};
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:driver",
                                 .log = note_line,
                                 .driver = driver};
    excused = false;
    if (iskra_new(&opts, &ctx, &err))
        fail_msg("%s", err.text);
    return ctx;
}

static int setup(void **state)
{
    return unsetenv("ISKRA_DRIVER");
}

static void is_io_uring_or_says_why_not(const struct iskra *ctx)
{
    assert_string_equal(iskra_driver_name(ctx), excused ? "epoll" : "io_uring");
}

static void without_a_wish_it_is_epoll(void **state)
{
    struct iskra *ctx = new_ctx(NULL);
    assert_string_equal(iskra_driver_name(ctx), "epoll");
    assert_false(excused);
    iskra_free(ctx);
}

static void io_uring_is_used_where_the_machine_has_it_and_reads_what_is_there(void **state)
{
    struct rig *rig = rig_start(NULL);
    struct iskra *ctx = new_ctx("io_uring");
    struct iskra_lun *lun = NULL;
    uint8_t *buf = malloc(RIG_SIZE);
    is_io_uring_or_says_why_not(ctx);
    assert_int_equal(iskra_open_sync(ctx, rig_url(rig_port(rig), 0, NULL), &lun, NULL), 0);
    for (size_t len = 512; len <= 1u << 20; len *= 2) { /* from staging to the middle of payloads */
        memset(buf, 0, len);
        assert_int_equal(iskra_read_sync(lun, buf, len, 4096, NULL), 0);
        assert_memory_equal(buf, rig_content(rig) + 4096, len);
    }
    iskra_close_sync(lun);
    iskra_free(ctx);
    free(buf);
    rig_stop(rig);
}

static void the_environment_chooses_if_the_option_does_not(void **state)
{
    assert_int_equal(setenv("ISKRA_DRIVER", "io_uring", 1), 0);
    struct iskra *ctx = new_ctx(NULL);
    is_io_uring_or_says_why_not(ctx);
    iskra_free(ctx);
    ctx = new_ctx("epoll");
    assert_string_equal(iskra_driver_name(ctx), "epoll");
    iskra_free(ctx);
}

static void a_driver_that_nobody_knows_is_refused_by_its_name(void **state)
{
    struct iskra *ctx = NULL;
    struct iskra_error err = {0};
    struct iskra_options opts = {.size = sizeof(opts), .driver = "kqueue"};
    assert_int_equal(iskra_new(&opts, &ctx, &err), -EINVAL);
    assert_null(ctx);
    assert_int_equal(err.code, ISKRA_E_USAGE);
    assert_string_equal(err.text, "driver 'kqueue' is neither epoll nor io_uring");
}

#define TEST(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(without_a_wish_it_is_epoll),
        TEST(io_uring_is_used_where_the_machine_has_it_and_reads_what_is_there),
        TEST(the_environment_chooses_if_the_option_does_not),
        TEST(a_driver_that_nobody_knows_is_refused_by_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
