/* Names to addresses: numeric ones at once, names by a thread, and what cancelling leaves behind.
 */
#include "rig.h"

#include <netdb.h>
#include <netinet/in.h>

#include "transport/resolve.h"

struct answer {
    unsigned cnt, addr_cnt;
    int status;
    char text[512];
    struct iskra_error err;
};

static void answered(void *arg, int status, const struct iskra_address *addrs, unsigned cnt,
                     const struct iskra_error *err)
{
    struct answer *a = arg;
    a->cnt++;
    a->status = status;
    a->addr_cnt = cnt;
    a->err = *err;
    for (unsigned i = 0; i < cnt; i++) {
        char buf[ISKRA_ADDRESS_TEXT];
        size_t len = strlen(a->text);
        (void)snprintf(a->text + len, sizeof(a->text) - len, "%s ",
                       iskra_address_format(&addrs[i], buf, sizeof(buf)));
    }
}

static struct iskra_resolve *start(struct rig *rig, struct answer *a, const char *host)
{
    struct iskra_resolve *resolve = NULL;
    memset(a, 0, sizeof(*a));
    assert_int_equal(iskra_resolve_start(&rig->round, host, 3260, answered, a, &resolve, &rig->err),
                     0);
    assert_int_equal(a->cnt, 0); /* never from inside */
    return resolve;
}

static void numeric_addresses_need_no_thread(void **state)
{
    static const char *const table[][2] = {
        {"127.0.0.1", "127.0.0.1:3260 "},
        {"::1", "[::1]:3260 "},
        {"2001:db8::7", "[2001:db8::7]:3260 "},
    };
    struct rig *rig = *state;
    for (size_t i = 0; i < 3; i++) {
        struct answer a;
        (void)start(rig, &a, table[i][0]);
        assert_int_equal(iskra_workq_run(&rig->round.work), 1);
        assert_int_equal(a.cnt, 1);
        assert_int_equal(a.status, 0);
        assert_string_equal(a.text, table[i][1]);
    }
}

/* A bare container may have no /etc/hosts; the answer is the system's then, too. */
static bool localhost_is_known(void)
{
    struct addrinfo *found = NULL;
    int rc = getaddrinfo("localhost", "3260", NULL, &found);
    if (rc == 0)
        freeaddrinfo(found);
    return rc == 0;
}

static void a_name_is_looked_up_beside_the_loop(void **state)
{
    struct rig *rig = *state;
    struct answer a;
    (void)start(rig, &a, "localhost");
    assert_int_equal(iskra_workq_run(&rig->round.work), 0);
    while (a.cnt == 0)
        assert_true(iskra_driver_poll(rig->driver, -1) >= 0);
    if (!localhost_is_known()) {
        assert_true(a.status < 0);
        assert_non_null(strstr(a.err.text, "localhost"));
        return;
    }
    assert_int_equal(a.status, 0);
    assert_true(a.addr_cnt >= 1);
    if (!strstr(a.text, "127.0.0.1:3260") && !strstr(a.text, "[::1]:3260"))
        fail_msg("localhost is %s", a.text);
}

static void a_cancelled_look_up_never_answers(void **state)
{
    struct rig *rig = *state;
    struct answer a;
    for (unsigned i = 0; i < 20; i++) {
        struct iskra_resolve *resolve = start(rig, &a, "localhost");
        iskra_resolve_cancel(resolve);
        (void)iskra_driver_poll(rig->driver, 0);
        assert_int_equal(a.cnt, 0);
    }
    struct iskra_resolve *resolve = start(rig, &a, "127.0.0.1");
    iskra_resolve_cancel(resolve);
    iskra_workq_run(&rig->round.work);
    assert_int_equal(a.cnt, 0);
    iskra_resolve_cancel(NULL);
}

static void an_impossible_name_is_refused_at_once(void **state)
{
    struct rig *rig = *state;
    struct iskra_resolve *resolve = NULL;
    char host[300];
    struct answer a = {0};
    memset(host, 'a', sizeof(host));
    host[256] = '\0';
    assert_int_equal(iskra_resolve_start(&rig->round, host, 1, answered, &a, &resolve, &rig->err),
                     -EINVAL);
    assert_int_equal(iskra_resolve_start(&rig->round, "", 1, answered, &a, &resolve, &rig->err),
                     -EINVAL);
    assert_int_equal(a.cnt, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(numeric_addresses_need_no_thread),
        TEST(a_name_is_looked_up_beside_the_loop),
        TEST(a_cancelled_look_up_never_answers),
        TEST(an_impossible_name_is_refused_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
