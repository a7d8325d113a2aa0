/* Pings through the whole library: how many may be out, and what ends them besides an answer. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "stack/proxy.h"
#include "stack/rig.h"

#define PING_CNT 8u /* that may be unanswered */
#define LONG_NS  UINT64_C(60000000000)
#define WAIT_NS  UINT64_C(5000000000)

static struct rig *rig;
static struct proxy *proxy;
static struct iskra *ctx;
static struct iskra_lun *lun;

/* What became of a ping. */
struct told {
    unsigned cnt;
    int status;
    uint64_t rtt_ns;
    char text[256];
};

static void tell(void *arg, int status, uint64_t rtt_ns, const struct iskra_error *err)
{
    struct told *told = arg;
    told->cnt++;
    told->status = status;
    told->rtt_ns = rtt_ns;
    snprintf(told->text, sizeof(told->text), "%s", status ? err->text : "");
}

static int setup(void **state)
{
    struct iskra_error err = {0};
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:ping"};
    proxy = proxy_start(rig_port(rig));
    int rc = iskra_new(&opts, &ctx, &err);
    if (rc == 0) /* no ping of the session's own */
        rc = iskra_open_sync(ctx, rig_url(proxy_port(proxy), 0, "noop_interval=0"), &lun, &err);
    if (rc)
        print_message("# %s\n", err.text);
    return rc;
}

static int teardown(void **state)
{
    iskra_free(ctx);
    ctx = NULL;
    lun = NULL;
    proxy_stop(proxy);
    return 0;
}

static int ping(uint64_t timeout_ns, struct told *told)
{
    struct iskra_error err = {0};
    return iskra_ping(lun, "iskra", 5, timeout_ns, tell, told, &err);
}

static void run_until(const unsigned *cnt, unsigned want)
{
    while (*cnt < want)
        assert_int_equal(iskra_run_once(ctx, WAIT_NS), 0);
}

/* Eight pings that nobody answers. */
static void eight_out(struct told told[PING_CNT])
{
    memset(told, 0, PING_CNT * sizeof(told[0]));
    proxy_hold(proxy, 1);
    for (unsigned i = 0; i < PING_CNT; i++)
        assert_int_equal(ping(LONG_NS, &told[i]), 0);
}

static void each_told_once(const struct told told[PING_CNT])
{
    for (unsigned i = 0; i < PING_CNT; i++) {
        assert_int_equal(told[i].cnt, 1);
        assert_true(told[i].status < 0);
        assert_true(told[i].text[0] != '\0');
    }
}

static void ninth_is_busy_until_one_of_eight_is_answered(void **state)
{
    struct told told[PING_CNT], ninth = {0};
    eight_out(told);
    assert_int_equal(ping(LONG_NS, &ninth), -EBUSY);
    proxy_hold(proxy, 0);
    for (unsigned i = 0; i < PING_CNT; i++) {
        run_until(&told[i].cnt, 1);
        assert_int_equal(told[i].status, 0);
        assert_true(told[i].rtt_ns > 0);
    }
    assert_int_equal(ninth.cnt, 0);
    assert_int_equal(ping(LONG_NS, &ninth), 0);
    run_until(&ninth.cnt, 1);
    assert_int_equal(ninth.status, 0);
}

static void ping_whose_time_is_up_still_counts_as_unanswered(void **state)
{
    struct told told[PING_CNT] = {{0}}, ninth = {0};
    proxy_hold(proxy, 1);
    for (unsigned i = 0; i < PING_CNT; i++)
        assert_int_equal(ping(1000000, &told[i]), 0);
    for (unsigned i = 0; i < PING_CNT; i++) {
        run_until(&told[i].cnt, 1);
        assert_int_equal(told[i].status, -ETIMEDOUT);
    }
    assert_int_equal(ping(LONG_NS, &ninth), -EBUSY);
    proxy_hold(proxy, 0);
    int rc;
    while ((rc = ping(LONG_NS, &ninth)) == -EBUSY) /* the late answers make room */
        assert_int_equal(iskra_run_once(ctx, WAIT_NS), 0);
    assert_int_equal(rc, 0);
    run_until(&ninth.cnt, 1);
    assert_int_equal(ninth.status, 0);
    each_told_once(told);
}

static void free_tells_every_ping_that_is_out(void **state)
{
    struct told told[PING_CNT];
    eight_out(told);
    iskra_free(ctx);
    ctx = NULL;
    each_told_once(told);
}

static void count(void *arg)
{
    ++*(unsigned *)arg;
}

static void close_with_pings_out_ends_and_each_is_told_once(void **state)
{
    struct told told[PING_CNT], late = {0};
    unsigned closed_cnt = 0;
    eight_out(told);
    iskra_close(lun, count, &closed_cnt);
    assert_int_equal(ping(LONG_NS, &late), -ENODEV);
    proxy_cut(proxy); /* the Logout will not be answered either */
    run_until(&closed_cnt, 1);
    for (unsigned i = 0; i < PING_CNT; i++)
        run_until(&told[i].cnt, 1);
    each_told_once(told);
    assert_int_equal(late.cnt, 0);
}

static void lost_connection_ends_every_ping_with_its_story(void **state)
{
    struct told told[PING_CNT];
    eight_out(told);
    assert_int_equal(iskra_run_once(ctx, 0), 0);
    proxy_cut(proxy);
    for (unsigned i = 0; i < PING_CNT; i++)
        run_until(&told[i].cnt, 1);
    each_told_once(told);
    assert_int_not_equal(told[0].status, -ETIMEDOUT);
}

/* ---- from inside a callback ---- */

struct chain {
    struct told told;
    unsigned left;
    int sync_rc, refused_rc;
};

static void chain_next(void *arg, int status, uint64_t rtt_ns, const struct iskra_error *err)
{
    struct chain *chain = arg;
    tell(&chain->told, status, rtt_ns, err);
    chain->sync_rc = iskra_ping_sync(lun, NULL, 0, WAIT_NS, NULL, NULL);
    if (chain->left-- > 0)
        chain->refused_rc |= iskra_ping(lun, "x", 1, WAIT_NS, chain_next, chain, NULL);
}

static void callback_may_ping_again_but_not_wait(void **state)
{
    struct chain chain = {.left = 20};
    assert_int_equal(iskra_ping(lun, "x", 1, WAIT_NS, chain_next, &chain, NULL), 0);
    run_until(&chain.told.cnt, 21);
    assert_int_equal(chain.told.status, 0);
    assert_int_equal(chain.refused_rc, 0);
    assert_int_equal(chain.sync_rc, -EDEADLK);
}

struct closer {
    struct told told;
    unsigned closed_cnt;
};

static void close_it(void *arg, int status, uint64_t rtt_ns, const struct iskra_error *err)
{
    struct closer *closer = arg;
    tell(&closer->told, status, rtt_ns, err);
    iskra_close(lun, count, &closer->closed_cnt);
}

static void callback_may_close_the_lun(void **state)
{
    struct closer closer = {0};
    struct told other = {0};
    assert_int_equal(iskra_ping(lun, NULL, 0, WAIT_NS, close_it, &closer, NULL), 0);
    assert_int_equal(ping(WAIT_NS, &other), 0);
    run_until(&closer.closed_cnt, 1);
    run_until(&other.cnt, 1);
    assert_int_equal(closer.told.cnt, 1);
    assert_int_equal(closer.told.status, 0);
    assert_int_equal(other.cnt, 1);
}

/* ---- what is refused ---- */

static void data_that_is_too_long_is_refused_and_all_lengths_below_come_back(void **state)
{
    static const uint32_t lens[] = {0, 1, 3, 4, 4095, 8192};
    static const char data[8193];
    struct iskra_error err = {0};
    struct told told = {0};
    for (unsigned i = 0; i < 6; i++)
        assert_int_equal(iskra_ping_sync(lun, data, lens[i], 0, NULL, &err), 0);
    assert_int_equal(iskra_ping(lun, data, 8193, 0, tell, &told, &err), -EMSGSIZE);
    assert_true(strstr(err.text, "8193") != NULL);
    assert_int_equal(told.cnt, 0);
}

static void many_pings_and_reads_do_not_disturb_each_other(void **state)
{
    static uint8_t buf[65536];
    struct told told[PING_CNT] = {{0}};
    for (unsigned round = 0; round < 10; round++) {
        for (unsigned i = 0; i < PING_CNT; i++)
            assert_int_equal(ping(LONG_NS, &told[i]), 0);
        assert_int_equal(iskra_read_sync(lun, buf, sizeof(buf), round * sizeof(buf), NULL), 0);
        assert_memory_equal(buf, rig_content(rig) + round * sizeof(buf), sizeof(buf));
        for (unsigned i = 0; i < PING_CNT; i++) {
            run_until(&told[i].cnt, round + 1);
            assert_int_equal(told[i].status, 0);
        }
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ninth_is_busy_until_one_of_eight_is_answered),
        T(ping_whose_time_is_up_still_counts_as_unanswered),
        T(free_tells_every_ping_that_is_out),
        T(close_with_pings_out_ends_and_each_is_told_once),
        T(lost_connection_ends_every_ping_with_its_story),
        T(callback_may_ping_again_but_not_wait),
        T(callback_may_close_the_lun),
        T(data_that_is_too_long_is_refused_and_all_lengths_below_come_back),
        T(many_pings_and_reads_do_not_disturb_each_other),
    };
    rig = rig_start(NULL);
    int rc = cmocka_run_group_tests_name("ping", tests, NULL, NULL);
    rig_stop(rig);
    return rc;
}
