/* Sessions of the target: how many there may be, reinstatement, the login timeout. */
#include "peer.h"

#include <stdio.h>
#include <string.h>

static struct iskra_target *target;
static struct peer peer;

static int setup(void **state)
{
    target = peer_target(NULL);
    peer_open(&peer, target);
    return 0;
}

static int teardown(void **state)
{
    peer_close(&peer);
    iskra_target_free(target);
    return 0;
}

struct refusal {
    const char *text;
    uint32_t len;
    uint16_t status;
};

static void too_many_sessions_are_refused(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.max_sessions = 1;
    struct iskra_target *small = peer_target(&options);
    struct peer one, two;
    peer_open(&one, small);
    peer_login(&one, TEXT(NAMES));
    peer_open(&two, small);
    two.isid[5] = 9;
    peer_login_send(&two, 1, 3, true, TEXT(NAMES));
    peer_login_refused(&two, 0x0206);
    assert_false(iskra_target_conn_finished(one.conn));
    peer_close(&one);
    peer_close(&two);
    iskra_target_free(small);
}

static void connections_are_limited(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.max_conns = 1;
    struct iskra_target *small = peer_target(&options);
    struct peer one;
    peer_open(&one, small);
    assert_null(iskra_target_conn_new(small, "x", 0));
    peer_close(&one);
    peer_open(&one, small);
    peer_close(&one);
    iskra_target_free(small);
}

static void login_told(void *arg, const char *text)
{
    strcat(arg, text);
    strcat(arg, "\n");
}

static void each_login_is_told_with_its_isid(void **state)
{
    char told[1024] = "", expected[1024];
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.login_told = login_told;
    options.login_told_arg = told;
    struct iskra_target *telling = peer_target(&options);
    struct peer one, two;
    peer_open(&one, telling);
    memcpy(one.isid, "\x80\x01\x02\x03\xfe\xff", 6);
    peer_login(&one, TEXT(NAMES));
    peer_open(&two, telling);
    peer_login_send(&two, 1, 3, true, TEXT("InitiatorName=" PEER_INITIATOR "\0TargetName=nobody"));
    peer_close(&two); /* refused: not told */
    peer_open(&two, telling);
    memcpy(two.isid, one.isid, 6);
    peer_login(&two, TEXT("InitiatorName=" PEER_INITIATOR "\0SessionType=Discovery"));
    snprintf(expected, sizeof(expected),
             "login of " PEER_INITIATOR ", ISID 80010203feff, TSIH %u\n"
             "discovery of " PEER_INITIATOR ", ISID 80010203feff, TSIH %u\n",
             one.tsih, two.tsih);
    assert_string_equal(told, expected);
    peer_close(&one);
    peer_close(&two);
    iskra_target_free(telling);
}

static void two_isids_are_two_sessions(void **state)
{
    struct peer two;
    peer_login(&peer, TEXT(NAMES));
    peer_open(&two, target);
    two.isid[5] = 2;
    peer_login(&two, TEXT(NAMES));
    assert_false(iskra_target_conn_finished(peer.conn));
    assert_int_not_equal(peer.tsih, two.tsih);
    struct iskra_target_stats stats;
    iskra_target_stats(target, &stats);
    assert_int_equal(stats.session_cnt, 2);
    peer_close(&two);
}

static void the_same_isid_throws_the_old_session_out(void **state)
{
    struct peer two;
    peer_login(&peer, TEXT(NAMES));
    (void)iskra_target_roused(target);
    peer_open(&two, target);
    peer_login(&two, TEXT(NAMES));
    assert_true(iskra_target_roused(target));
    assert_true(iskra_target_conn_finished(peer.conn));
    assert_false(iskra_target_conn_finished(two.conn));
    assert_int_not_equal(peer.tsih, two.tsih);
    struct iskra_target_stats stats;
    iskra_target_stats(target, &stats);
    assert_int_equal(stats.session_cnt, 1);
    peer_close(&two);
}

static void a_discovery_with_the_same_isid_leaves_the_session_alone(void **state)
{
    struct peer two;
    peer_login(&peer, TEXT(NAMES));
    peer_open(&two, target);
    peer_login(&two, TEXT("InitiatorName=" PEER_INITIATOR "\0SessionType=Discovery"));
    assert_false(iskra_target_conn_finished(peer.conn));
    peer_close(&two);
}

static void the_tsih_of_a_live_session_and_its_cid_reinstate_the_connection(void **state)
{
    struct peer two;
    peer_login(&peer, TEXT(NAMES));
    peer_open(&two, target);
    two.tsih = peer.tsih;
    peer_login(&two, TEXT(NAMES));
    assert_int_equal(two.tsih, peer.tsih);
    assert_true(iskra_target_conn_finished(peer.conn));
    peer_close(&two);
}

static void an_unknown_tsih_is_refused(void **state)
{
    peer.tsih = 77;
    peer_login_send(&peer, 1, 3, true, TEXT(NAMES));
    peer_login_refused(&peer, 0x020a);
}

static void a_silent_connection_is_closed_after_the_login_timeout(void **state)
{
    assert_int_equal(iskra_target_conn_deadline_ns(peer.conn), UINT64_C(15000000000));
    iskra_target_conn_tick(peer.conn, UINT64_C(14999999999));
    assert_false(iskra_target_conn_finished(peer.conn));
    iskra_target_conn_tick(peer.conn, UINT64_C(15000000000));
    assert_true(iskra_target_conn_finished(peer.conn));
    assert_int_equal(iskra_target_conn_error(peer.conn)->code, ISKRA_E_TIMEOUT_LOGIN);
}

static void a_session_has_no_deadline(void **state)
{
    peer_login(&peer, TEXT(NAMES));
    assert_true(iskra_target_conn_deadline_ns(peer.conn) == UINT64_MAX);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define R(name)                                                                                    \
    {                                                                                              \
        "refused: " #name, refused_text, NULL, NULL, &name                                         \
    }

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(too_many_sessions_are_refused),
        T(connections_are_limited),
        T(each_login_is_told_with_its_isid),
        T(two_isids_are_two_sessions),
        T(the_same_isid_throws_the_old_session_out),
        T(a_discovery_with_the_same_isid_leaves_the_session_alone),
        T(the_tsih_of_a_live_session_and_its_cid_reinstate_the_connection),
        T(an_unknown_tsih_is_refused),
        T(a_silent_connection_is_closed_after_the_login_timeout),
        T(a_session_has_no_deadline),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
