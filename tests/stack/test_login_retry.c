/* login_retries: opens that wait for their next try are told what came of it, or that it is over.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

/* A port that refuses: bound, so that nobody else has it, and never listening. */
static int refusing_fd;
static char url[128];
static struct iskra *ctx;
static char lines[16][256];
static unsigned line_cnt;

static void take_line(void *arg, enum iskra_log_level level, const char *line)
{
    if (level == ISKRA_LOG_INFO && line_cnt < 16)
        snprintf(lines[line_cnt++], sizeof(lines[0]), "%s", line);
}

static int setup(void **state)
{
    struct sockaddr_in sin = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(sin);
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:retry",
                                 .log = take_line};
    line_cnt = 0;
    refusing_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (refusing_fd < 0 || bind(refusing_fd, (struct sockaddr *)&sin, len) ||
        getsockname(refusing_fd, (struct sockaddr *)&sin, &len))
        return -1;
    snprintf(url, sizeof(url),
             "iscsi://127.0.0.1:%u/iqn.2026-11.io.iskra:t/0?login_retries=", ntohs(sin.sin_port));
    return iskra_new(&opts, &ctx, NULL);
}

static int teardown(void **state)
{
    iskra_free(ctx);
    ctx = NULL;
    return close(refusing_fd);
}

struct told {
    unsigned cnt;
    int status;
    struct iskra_error err;
};

static void opened(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct told *told = arg;
    told->cnt++;
    told->status = status;
    told->err = *err;
    assert_null(lun);
}

static void begin(const char *retries, struct told *told)
{
    char text[160];
    snprintf(text, sizeof(text), "%s%s", url, retries);
    assert_int_equal(iskra_open(ctx, text, opened, told, NULL), 0);
}

static void a_refused_open_is_tried_as_often_as_asked(void **state)
{
    struct told told = {0};
    begin("2", &told);
    while (told.cnt == 0)
        assert_int_equal(iskra_run_once(ctx, -1), 0);
    assert_int_equal(told.status, -ECONNREFUSED);
    assert_int_equal(told.err.code, ISKRA_E_CONNECT);
    assert_non_null(strstr(told.err.text, "(try 3)"));
    assert_int_equal(line_cnt, 2);
    assert_non_null(strstr(lines[0], "try 2 of 3 in 0.0 s"));
    assert_non_null(strstr(lines[1], "try 3 of 3 in 0.1 s"));
}

static void without_the_key_there_is_one_try(void **state)
{
    struct told told = {0};
    begin("0", &told);
    while (told.cnt == 0)
        assert_int_equal(iskra_run_once(ctx, -1), 0);
    assert_int_equal(told.err.code, ISKRA_E_CONNECT);
    assert_null(strstr(told.err.text, "try"));
    assert_int_equal(line_cnt, 0);
}

static void opens_of_one_session_share_its_tries(void **state)
{
    struct told one = {0}, two = {0};
    begin("1", &one);
    begin("1", &two);
    while (one.cnt + two.cnt < 2)
        assert_int_equal(iskra_run_once(ctx, -1), 0);
    assert_int_equal(one.cnt, 1);
    assert_int_equal(two.cnt, 1);
    assert_string_equal(one.err.text, two.err.text);
    assert_int_equal(line_cnt, 1);
}

static void an_open_that_waits_ends_with_its_initiator(void **state)
{
    for (unsigned waited = 0; waited < 4; waited++) { /* before the first try, and at each later */
        struct told told = {0};
        line_cnt = 0;
        begin("9", &told);
        while (line_cnt < waited)
            assert_int_equal(iskra_run_once(ctx, -1), 0);
        iskra_free(ctx);
        assert_int_equal(told.cnt, 1);
        assert_int_equal(told.status, -ECANCELED);
        struct iskra_options opts = {.size = sizeof(opts),
                                     .initiator_name = "iqn.2026-11.io.iskra.test:retry",
                                     .log = take_line};
        assert_int_equal(iskra_new(&opts, &ctx, NULL), 0);
    }
}

static int never(void *arg, const struct iskra_portal_entry *entry)
{
    fail();
    return 0;
}

static void a_discovery_is_tried_as_often(void **state)
{
    struct iskra_error err = {0};
    char text[160];
    char *slash = strstr(url, "/iqn.");
    snprintf(text, sizeof(text), "%.*s?login_retries=2", (int)(slash - url), url);
    assert_int_equal(iskra_discover_sync(ctx, text, never, NULL, &err), -ECONNREFUSED);
    assert_non_null(strstr(err.text, "(try 3)"));
    assert_int_equal(line_cnt, 2);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_refused_open_is_tried_as_often_as_asked),
        TEST(without_the_key_there_is_one_try),
        TEST(opens_of_one_session_share_its_tries),
        TEST(an_open_that_waits_ends_with_its_initiator),
        TEST(a_discovery_is_tried_as_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
