/* control/initiator.h against a class that only records: order of requests, ends of every kind,
 * redirects, discovery. */
#include "fake_class.h"

#define MS_PER_S 1000u

static void down_with(struct fake *f, enum iskra_code code, const char *word)
{
    assert_int_equal(f->down_cnt, 1);
    assert_int_equal(f->up_cnt, 0);
    assert_int_equal(f->why.code, code);
    if (!strstr(f->why.text, word))
        fail_msg("'%s' does not speak of '%s'", f->why.text, word);
    assert_int_equal(f->open_fds, 0);
    fake_free(f);
}

static void a_login_makes_these_requests_in_this_order(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_full_feature(f);
    assert_string_equal(
        f->log,
        "CREATE_SESSION CREATE_CONN BIND_CONN SET_PARAM SEND_PDU SEND_PDU SET_PARAM START_CONN");
    assert_int_equal(f->up_cnt, 1);
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_LOGGED_IN);
    for (unsigned i = 0; i < ISKRA_PARAM_CNT; i++)
        assert_true(f->param_set[i]);
    fake_free(f);
}

static void what_was_negotiated_is_handed_down(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    f->cfg.offer.header_digest =
        (struct iskra_digest_prefs){2, {ISKRA_DIGEST_CRC32C, ISKRA_DIGEST_NONE}};
    fake_to_login(f);
    fake_login_response(f, "TargetPortalGroupTag=3;TargetAlias=disks;");
    fake_login_response(
        f,
        "HeaderDigest=CRC32C;DataDigest=None;InitialR2T=No;ImmediateData=No;MaxBurstLength=65536;"
        "FirstBurstLength=16384;MaxOutstandingR2T=4;MaxRecvDataSegmentLength=131072;");
    assert_int_equal(f->params[ISKRA_PARAM_HDRDGST_EN], 1);
    assert_int_equal(f->params[ISKRA_PARAM_DATADGST_EN], 0);
    assert_int_equal(f->params[ISKRA_PARAM_INITIAL_R2T_EN], 0);
    assert_int_equal(f->params[ISKRA_PARAM_IMM_DATA_EN], 0);
    assert_int_equal(f->params[ISKRA_PARAM_MAX_BURST], 65536);
    assert_int_equal(f->params[ISKRA_PARAM_FIRST_BURST], 16384);
    assert_int_equal(f->params[ISKRA_PARAM_MAX_R2T], 4);
    assert_int_equal(f->params[ISKRA_PARAM_MAX_XMIT_DLENGTH], 131072);
    assert_int_equal(f->params[ISKRA_PARAM_MAX_RECV_DLENGTH], 262144);
    assert_int_equal(f->params[ISKRA_PARAM_TPGT], 3);
    assert_int_equal(f->params[ISKRA_PARAM_EXP_STATSN], 2);
    assert_int_equal(f->params[ISKRA_PARAM_SESS_RECOVERY_TMO], 120000000000);
    assert_int_equal(f->params[ISKRA_PARAM_PING_TMO], 5000000000);
    assert_int_equal(f->params[ISKRA_PARAM_DISCOVERY_SESS], 0);
    assert_string_equal(iskra_initiator_keys(f->ini)->target_alias, "disks");
    assert_string_equal(iskra_initiator_portal(f->ini), "127.0.0.1:3260");
    assert_int_equal(iskra_initiator_tsih(f->ini), 77);
    fake_free(f);
}

static void the_isid_is_of_the_random_kind(void **state)
{
    static const uint8_t isid[ISKRA_ISID_LEN] = {0x80, 0x5a, 0x5a, 0x5a, 0x5a, 0x5a};
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    struct iskra_pdu_login req;
    iskra_login_decode(f->hdr, &req);
    assert_memory_equal(req.isid, isid, sizeof(isid));
    assert_int_equal(req.tsih, 0);
    fake_free(f);
}

static void a_given_isid_is_used(void **state)
{
    static const uint8_t isid[ISKRA_ISID_LEN] = {0x00, 1, 2, 3, 4, 5};
    struct fake *f = fake_new("127.0.0.1", false);
    f->cfg.isid_given = true;
    memcpy(f->cfg.isid, isid, sizeof(isid));
    fake_to_login(f);
    struct iskra_pdu_login req;
    iskra_login_decode(f->hdr, &req);
    assert_memory_equal(req.isid, isid, sizeof(isid));
    fake_free(f);
}

static void a_refused_connection_is_told_after_all_addresses(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_open(f);
    f->finish_error[0] = -ECONNREFUSED;
    fake_connected(f);
    assert_int_equal(f->why.sys_errno, ECONNREFUSED);
    assert_string_equal(f->log, "");
    down_with(f, ISKRA_E_CONNECT, "127.0.0.1:3260: Connection refused");
}

static void a_refused_address_leads_to_the_next(void **state)
{
    struct fake *f = fake_new("three.example", false);
    f->finish_error[0] = -ECONNREFUSED;
    f->finish_error[1] = -EHOSTUNREACH;
    fake_open(f);
    fake_connected(f);
    fake_connected(f);
    assert_int_equal(f->down_cnt, 0);
    fake_connected(f);
    assert_string_equal(f->connected_to[0], "192.0.2.1:3260");
    assert_string_equal(f->connected_to[1], "[2001:db8::2]:3260");
    assert_string_equal(f->connected_to[2], "192.0.2.3:3260");
    assert_string_equal(iskra_initiator_portal(f->ini), "192.0.2.3:3260");
    assert_int_equal(f->open_fds, 1);
    fake_login_response(f, "");
    fake_login_response(f, "");
    assert_int_equal(f->up_cnt, 1);
    fake_free(f);
}

static void all_addresses_refused_is_one_error(void **state)
{
    struct fake *f = fake_new("three.example", false);
    f->finish_error[0] = f->finish_error[1] = f->finish_error[2] = -ECONNREFUSED;
    fake_open(f);
    fake_connected(f);
    fake_connected(f);
    fake_connected(f);
    assert_int_equal(f->connect_cnt, 3);
    down_with(f, ISKRA_E_CONNECT, "3 addresses tried: 192.0.2.3:3260: Connection refused");
}

static void a_silent_address_leaves_time_for_the_others(void **state)
{
    struct fake *f = fake_new("three.example", false);
    fake_open(f);
    fake_later(f, 5 * MS_PER_S);
    assert_int_equal(f->connect_cnt, 2);
    assert_int_equal(f->open_fds, 1);
    fake_later(f, 5 * MS_PER_S);
    assert_int_equal(f->connect_cnt, 3);
    fake_later(f, 5 * MS_PER_S);
    down_with(f, ISKRA_E_TIMEOUT_LOGIN, "3 addresses tried");
}

static void an_unknown_name_is_told(void **state)
{
    struct fake *f = fake_new("unknown.example", false);
    fake_open(f);
    down_with(f, ISKRA_E_CONNECT, "unknown.example");
}

static void a_silent_name_server_is_a_timeout(void **state)
{
    struct fake *f = fake_new("silent.example", false);
    fake_open(f);
    fake_later(f, 15 * MS_PER_S);
    down_with(f, ISKRA_E_TIMEOUT_LOGIN, "look-up");
}

static void close_during_a_look_up_ends_at_once(void **state)
{
    struct fake *f = fake_new("silent.example", false);
    fake_open(f);
    iskra_initiator_close(f->ini);
    fake_run(f);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

static void a_connection_that_cannot_even_start_is_told(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    f->connect_start_error = -ENETUNREACH;
    fake_open(f);
    down_with(f, ISKRA_E_CONNECT, "Network is unreachable");
}

static void silence_while_connecting_is_a_timeout(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_open(f);
    fake_later(f, 15 * MS_PER_S - 1);
    assert_int_equal(f->down_cnt, 0);
    fake_later(f, 1);
    down_with(f, ISKRA_E_TIMEOUT_LOGIN, "127.0.0.1");
}

static void silence_in_the_login_is_a_timeout(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_open(f);
    fake_later(f, 10 * MS_PER_S);
    fake_connected(f);
    fake_login_response(f, "AuthMethod=None;");
    fake_later(f, 5 * MS_PER_S - 1);
    assert_int_equal(f->down_cnt, 0);
    fake_later(f, 1);
    down_with(f, ISKRA_E_TIMEOUT_LOGIN, "no answer within 15 s");
}

static void a_logged_in_session_has_no_deadline(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_full_feature(f);
    fake_later(f, 3600 * MS_PER_S);
    assert_int_equal(f->down_cnt, 0);
    fake_free(f);
}

static void a_refused_login_tells_class_and_detail(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_login_status(f, 2, 3, "");
    assert_int_equal(f->why.login_class, 2);
    assert_int_equal(f->why.login_detail, 3);
    assert_string_equal(f->log,
                        "CREATE_SESSION CREATE_CONN BIND_CONN SET_PARAM SEND_PDU STOP_CONN");
    down_with(f, ISKRA_E_LOGIN, "target not found");
}

static void authentication_failure_has_its_own_code(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_login_status(f, 2, 1, "");
    down_with(f, ISKRA_E_AUTH, "authentication");
}

static void a_bad_value_ends_the_login_before_start_conn(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_login_response(f, "");
    fake_login_response(f, "ErrorRecoveryLevel=3;");
    assert_null(strstr(f->log, "START_CONN"));
    down_with(f, ISKRA_E_NEGOTIATION, "ErrorRecoveryLevel=3");
}

static void another_pdu_than_a_login_response_ends_the_login(void **state)
{
    static const uint8_t opcodes[] = {0x20, 0x21, 0x22, 0x24, 0x25, 0x26,
                                      0x31, 0x32, 0x3f, 0x03, 0x00};
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        struct fake *f = fake_new("127.0.0.1", false);
        uint8_t hdr[ISKRA_BHS_LEN] = {opcodes[i]};
        fake_to_login(f);
        fake_event(f, hdr, "");
        down_with(f, ISKRA_E_PROTOCOL, "IN_LOGIN");
    }
}

static void requests_the_class_refuses_end_the_login(void **state)
{
    static const char *const names[] = {"CREATE_SESSION", "CREATE_CONN", "BIND_CONN", "SET_PARAM",
                                        "SEND_PDU"};
    for (size_t i = 0; i < 5; i++) {
        struct fake *f = fake_new("127.0.0.1", false);
        f->refuse = names[i];
        fake_open(f);
        fake_connected(f);
        f->refuse = NULL;
        down_with(f, ISKRA_E_SYSTEM, names[i]);
    }
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_login_response(f, "");
    f->refuse = "START_CONN";
    fake_login_response(f, "");
    f->refuse = NULL;
    down_with(f, ISKRA_E_SYSTEM, "START_CONN");
}

static void a_connection_error_in_the_login_ends_it(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_conn_error(f, NULL);
    assert_int_equal(f->why.conn_error, ISKRA_CONN_TCP_CONN_CLOSE);
    down_with(f, ISKRA_E_CONNECTION, "127.0.0.1:3260");
}

static void a_connection_error_before_up_was_told_is_a_failed_login(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    struct iskra_error why = {
        .code = ISKRA_E_PROTOCOL, .conn_error = ISKRA_CONN_DATASN, .text = "DataSN 5, expected 4"};
    fake_to_login(f);
    fake_login_response(f, "AuthMethod=None;TargetPortalGroupTag=3;");
    f->lost_at_once = &why;
    fake_login_response(f, "");
    assert_int_equal(f->up_cnt, 0);
    assert_int_equal(f->down_cnt, 1);
    assert_string_equal(f->why.text, "DataSN 5, expected 4");
    assert_int_equal(f->why.conn_error, ISKRA_CONN_DATASN);
    assert_int_equal(f->last_abortive, 1);
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_CLEANUP_WAIT);
    assert_int_equal(f->session_cnt, 1); /* its devices may still look at it */
    fake_conn_error(f, NULL);
    assert_int_equal(f->down_cnt, 1);
    iskra_initiator_close(f->ini);
    fake_run(f);
    assert_int_equal(f->closed_cnt, 1);
    assert_int_equal(f->session_cnt, 0);
    fake_free(f);
}

static void events_that_come_while_connecting_are_ignored(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    uint8_t hdr[ISKRA_BHS_LEN] = {ISKRA_OP_LOGIN_RSP};
    fake_open(f);
    fake_conn_error(f, NULL);
    fake_event(f, hdr, "");
    assert_int_equal(f->down_cnt, 0);
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_XPT_WAIT);
    fake_free(f);
}

static void close_logs_out_and_waits_for_the_answer(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_full_feature(f);
    f->log[0] = '\0';
    iskra_initiator_close(f->ini);
    fake_run(f);
    assert_int_equal(fake_opcode(f), ISKRA_OP_LOGOUT);
    assert_int_equal(f->hdr[0], 0x46);
    assert_int_equal(f->hdr[1], 0x80); /* close the session */
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_IN_LOGOUT);
    assert_int_equal(f->closed_cnt, 0);
    fake_logout_response(f);
    assert_int_equal(f->closed_cnt, 1);
    assert_int_equal(f->down_cnt, 0);
    assert_int_equal(f->last_abortive, 0);
    assert_string_equal(f->log, "SEND_PDU STOP_CONN DESTROY_CONN DESTROY_SESSION");
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_FREE);
    fake_free(f);
}

static void a_logout_without_an_answer_ends_all_the_same(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_full_feature(f);
    iskra_initiator_close(f->ini);
    fake_later(f, 15 * MS_PER_S - 1);
    assert_int_equal(f->closed_cnt, 0);
    fake_later(f, 1);
    assert_int_equal(f->closed_cnt, 1);
    assert_int_equal(f->last_abortive, 1);
    fake_free(f);
}

static void a_connection_lost_during_logout_is_a_good_end(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_full_feature(f);
    iskra_initiator_close(f->ini);
    fake_conn_error(f, NULL);
    assert_int_equal(f->closed_cnt, 1);
    assert_int_equal(f->down_cnt, 0);
    fake_free(f);
}

static void a_logout_that_cannot_be_sent_is_not_waited_for(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_full_feature(f);
    f->refuse = "SEND_PDU";
    iskra_initiator_close(f->ini);
    fake_run(f);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

static void close_while_connecting_ends_at_once(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_open(f);
    iskra_initiator_close(f->ini);
    iskra_initiator_close(f->ini);
    assert_int_equal(f->closed_cnt, 0); /* not from inside */
    fake_run(f);
    assert_int_equal(f->closed_cnt, 1);
    assert_int_equal(f->open_fds, 0);
    fake_free(f);
}

static void close_before_the_name_is_known_ends_at_once(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_make(f);
    assert_int_equal(iskra_initiator_open(f->ini, &f->err), 0);
    iskra_initiator_close(f->ini);
    fake_run(f);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

static void close_in_the_login_ends_at_once(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    iskra_initiator_close(f->ini);
    fake_run(f);
    assert_int_equal(f->closed_cnt, 1);
    assert_int_equal(f->down_cnt, 0);
    fake_free(f);
}

static void close_without_open_ends_too(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_make(f);
    iskra_initiator_close(f->ini);
    fake_run(f);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

static void close_from_inside_up_logs_out(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    f->close_in_up = true;
    fake_to_full_feature(f);
    assert_int_equal(fake_opcode(f), ISKRA_OP_LOGOUT);
    fake_logout_response(f);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

static void the_initiator_may_be_freed_in_any_callback(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    f->free_in_callback = true;
    fake_to_full_feature(f);
    assert_int_equal(f->up_cnt, 1);
    assert_null(f->ini);
    fake_free(f);

    f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    f->free_in_callback = true;
    fake_conn_error(f, NULL);
    down_with(f, ISKRA_E_CONNECTION, "failed");

    f = fake_new("127.0.0.1", false);
    fake_to_full_feature(f);
    f->free_in_callback = true;
    iskra_initiator_close(f->ini);
    fake_logout_response(f);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

static void free_leaves_nothing_behind_in_any_state(void **state)
{
    for (unsigned stage = 0; stage < 5; stage++) {
        struct fake *f = fake_new("127.0.0.1", false);
        fake_make(f);
        if (stage == 1)
            assert_int_equal(iskra_initiator_open(f->ini, &f->err), 0);
        if (stage == 2)
            fake_open(f);
        if (stage == 3)
            fake_to_login(f);
        if (stage == 4)
            fake_to_full_feature(f);
        unsigned told = f->up_cnt;
        iskra_initiator_free(f->ini);
        f->ini = NULL;
        fake_run(f);
        assert_int_equal(f->up_cnt + f->down_cnt + f->closed_cnt, told);
        fake_free(f);
    }
}

/* ---- redirects ---- */

static void a_redirect_is_followed_on_a_new_connection(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_login_status(f, 1, 1, "TargetAddress=127.0.0.2:3261,1;");
    assert_int_equal(f->open_fds, 1);
    assert_string_equal(f->connected_to[1], "127.0.0.2:3261");
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_XPT_WAIT);
    fake_connected(f);
    fake_login_response(f, "");
    fake_login_response(f, "");
    assert_int_equal(f->up_cnt, 1);
    assert_string_equal(iskra_initiator_portal(f->ini), "127.0.0.2:3261");
    assert_string_equal(
        f->log, "CREATE_SESSION CREATE_CONN BIND_CONN SET_PARAM SEND_PDU STOP_CONN DESTROY_CONN "
                "DESTROY_SESSION CREATE_SESSION CREATE_CONN BIND_CONN SET_PARAM SEND_PDU SEND_PDU "
                "SET_PARAM START_CONN");
    fake_free(f);
}

/* Moves of these kinds ('p'ermanent, 't'emporary), one after the other; home is where the n-th
 * leads. */
static void a_permanent_redirect_is_remembered_unless_a_temporary_one_led_there(void **state)
{
    static const struct {
        const char *moves;
        unsigned home;
    } rows[] = {{"p", 1}, {"t", 0}, {"pp", 2}, {"pt", 1}, {"tp", 0}, {"ptp", 1}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake *f = fake_new("127.0.0.10", false);
        char text[64];
        fake_to_login(f);
        for (unsigned n = 0; rows[i].moves[n]; n++) {
            (void)snprintf(text, sizeof(text), "TargetAddress=127.0.0.1%u;", n + 1);
            fake_login_status(f, 1, rows[i].moves[n] == 'p' ? 2 : 1, text);
            fake_connected(f);
        }
        (void)snprintf(text, sizeof(text), "127.0.0.1%u", rows[i].home);
        assert_string_equal(iskra_initiator_home(f->ini)->host, text);
        fake_free(f);
    }
}

static void a_redirect_may_name_a_host_whose_addresses_are_tried_in_order(void **state)
{
    struct fake *f = fake_new("127.0.0.1", true);
    fake_to_login(f);
    f->finish_error[1] = f->finish_error[2] = -ECONNREFUSED;
    fake_login_status(f, 1, 1, "TargetAddress=three.example:3261,1;");
    fake_connected(f);
    fake_connected(f);
    fake_connected(f);
    assert_string_equal(f->connected_to[1], "192.0.2.1:3261");
    assert_string_equal(f->connected_to[2], "[2001:db8::2]:3261");
    assert_string_equal(f->connected_to[3], "192.0.2.3:3261");
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_IN_LOGIN);
    fake_free(f);
}

static void a_redirect_in_a_circle_is_refused(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_login_status(f, 1, 2, "TargetAddress=127.0.0.2;");
    fake_connected(f);
    fake_login_status(f, 1, 2, "TargetAddress=127.0.0.1:3260,7;");
    down_with(f, ISKRA_E_LOGIN, "circle");
}

static void a_redirect_to_itself_is_refused(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_login_status(f, 1, 1, "TargetAddress=127.0.0.1;");
    down_with(f, ISKRA_E_LOGIN, "circle");
}

static void redirects_have_a_limit(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    for (unsigned i = 1; i <= ISKRA_REDIRECTS_MAX; i++) {
        char text[64];
        (void)snprintf(text, sizeof(text), "TargetAddress=127.0.1.%u;", i);
        fake_login_status(f, 1, 1, text);
        assert_int_equal(f->down_cnt, 0);
        fake_connected(f);
    }
    fake_login_status(f, 1, 1, "TargetAddress=127.0.2.1;");
    assert_int_equal(f->connect_cnt, 1 + ISKRA_REDIRECTS_MAX);
    down_with(f, ISKRA_E_LOGIN, "more than 8 times");
}

static void a_redirect_to_no_address_is_refused(void **state)
{
    static const char *const texts[] = {
        "TargetAddress=127.0.0.2:0;",  "TargetAddress=127.0.0.2:99999;",
        "TargetAddress=::1;",          "TargetAddress=;",
        "TargetAddress=http://a.b/c;", "TargetAddress=[::1];TargetAddress=[",
    };
    for (size_t i = 0; i < 5; i++) {
        struct fake *f = fake_new("127.0.0.1", false);
        fake_to_login(f);
        fake_login_status(f, 1, 1, texts[i]);
        down_with(f, ISKRA_E_PROTOCOL, "no address");
    }
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_login_status(f, 1, 1, texts[5]);
    assert_string_equal(f->connected_to[1], "[::1]:3260");
    fake_free(f);
}

static void answers_to_nothing_end_the_connection(void **state)
{
    static const uint8_t opcodes[] = {ISKRA_OP_LOGIN_RSP, ISKRA_OP_TEXT_RSP, ISKRA_OP_LOGOUT_RSP};
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        struct fake *f = fake_new("127.0.0.1", false);
        uint8_t hdr[ISKRA_BHS_LEN] = {opcodes[i]};
        fake_to_full_feature(f);
        fake_event(f, hdr, "");
        assert_int_equal(f->lost_cnt, 1);
        assert_int_equal(f->why.code, ISKRA_E_PROTOCOL);
        fake_free(f);
    }
}

/* ---- discovery ---- */

static void discovery_asks_gives_and_logs_out(void **state)
{
    struct fake *f = fake_new("127.0.0.1", true);
    fake_to_full_feature(f);
    assert_int_equal(f->up_cnt, 0);
    assert_int_equal(f->params[ISKRA_PARAM_DISCOVERY_SESS], 1);
    assert_int_equal(f->params[ISKRA_PARAM_MAX_RECV_DLENGTH], 8192);
    assert_int_equal(fake_opcode(f), ISKRA_OP_TEXT);
    assert_string_equal(readable(f->text, f->text_len), "SendTargets=All;");
    fake_text_response(f, false, "TargetName=iqn.a:1;TargetAddr");
    assert_int_equal(f->text_len, 0);
    fake_text_response(f, true, "ess=10.0.0.1:3260,1;TargetName=iqn.a:2;");
    assert_string_equal(f->targets, "iqn.a:1 10.0.0.1:3260,1;iqn.a:2 127.0.0.1:3260,3;");
    assert_int_equal(fake_opcode(f), ISKRA_OP_LOGOUT);
    fake_logout_response(f);
    assert_int_equal(f->closed_cnt, 1);
    assert_int_equal(f->down_cnt, 0);
    fake_free(f);
}

static void discovery_stops_when_the_caller_has_enough(void **state)
{
    struct fake *f = fake_new("127.0.0.1", true);
    f->stop_after = 1;
    fake_to_full_feature(f);
    fake_text_response(f, false,
                       "TargetName=iqn.a:1;TargetAddress=10.0.0.1;TargetAddress=10.0.0.2;");
    assert_int_equal(f->target_cnt, 1);
    fake_logout_response(f);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

static void silence_in_discovery_is_a_timeout(void **state)
{
    struct fake *f = fake_new("127.0.0.1", true);
    fake_to_full_feature(f);
    fake_later(f, 14 * MS_PER_S);
    fake_text_response(f, false, "TargetName=iqn.a:1;");
    fake_later(f, 14 * MS_PER_S);
    assert_int_equal(f->down_cnt, 0);
    fake_later(f, 1 * MS_PER_S);
    down_with(f, ISKRA_E_TIMEOUT_LOGIN, "discovery");
}

static void discovery_by_single_bytes_has_an_end(void **state)
{
    struct fake *f = fake_new("127.0.0.1", true);
    fake_to_full_feature(f);
    unsigned seconds = 0;
    for (; f->down_cnt == 0; seconds += 10) {
        assert_true(seconds < 1000);
        fake_text_response(f, false, ";");
        fake_later(f, 10 * MS_PER_S);
    }
    assert_int_equal(seconds, 300);
    down_with(f, ISKRA_E_TIMEOUT_LOGIN, "no end within 300 s");
}

static void bad_discovery_text_is_told(void **state)
{
    struct fake *f = fake_new("127.0.0.1", true);
    fake_to_full_feature(f);
    fake_text_response(f, true, "TargetAddress=10.0.0.1;");
    down_with(f, ISKRA_E_PROTOCOL, "before any TargetName");
}

static void a_text_response_nobody_asked_for_ends_discovery(void **state)
{
    struct fake *f = fake_new("127.0.0.1", true);
    fake_to_full_feature(f);
    fake_text_response(f, true, "TargetName=iqn.a:1;");
    fake_text_response(f, true, "TargetName=iqn.a:2;");
    assert_int_equal(f->target_cnt, 1);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

/* ---- configuration ---- */

static void impossible_configurations_are_refused(void **state)
{
    struct fake *f = fake_new("", false);
    static const struct iskra_initiator_ops no_ops;
    assert_int_equal(iskra_initiator_new(&f->round, &f->cfg, &no_ops, f, &f->ini, &f->err),
                     -EINVAL);
    f->cfg.host = "127.0.0.1";
    f->cfg.port = 0;
    assert_int_equal(iskra_initiator_new(&f->round, &f->cfg, &no_ops, f, &f->ini, &f->err),
                     -EINVAL);
    f->cfg.port = 3260;
    f->cfg.initiator_name = NULL;
    assert_int_equal(iskra_initiator_new(&f->round, &f->cfg, &no_ops, f, &f->ini, &f->err),
                     -EINVAL);
    fake_free(f);
}

static void no_memory_anywhere_is_an_error_and_no_leak(void **state)
{
    static const struct iskra_initiator_ops no_ops;
    int ret = -ENOMEM;
    unsigned n = 0;
    while (ret < 0) {
        struct fake *f = fake_new("127.0.0.1", true);
        f->alloc_fails_at = ++n;
        ret = iskra_initiator_new(&f->round, &f->cfg, &no_ops, f, &f->ini, &f->err);
        if (ret < 0) {
            assert_int_equal(ret, -ENOMEM);
            assert_int_equal(f->err.code, ISKRA_E_NOMEM);
        }
        fake_free(f);
    }
    assert_true(n > 4); /* itself, its strings, login, discovery */
}

static void an_initiator_is_opened_once(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_open(f);
    assert_int_equal(iskra_initiator_open(f->ini, &f->err), -EINVAL);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_makes_these_requests_in_this_order),
        cmocka_unit_test(what_was_negotiated_is_handed_down),
        cmocka_unit_test(the_isid_is_of_the_random_kind),
        cmocka_unit_test(a_given_isid_is_used),
        cmocka_unit_test(a_refused_connection_is_told_after_all_addresses),
        cmocka_unit_test(a_refused_address_leads_to_the_next),
        cmocka_unit_test(all_addresses_refused_is_one_error),
        cmocka_unit_test(a_silent_address_leaves_time_for_the_others),
        cmocka_unit_test(an_unknown_name_is_told),
        cmocka_unit_test(a_silent_name_server_is_a_timeout),
        cmocka_unit_test(close_during_a_look_up_ends_at_once),
        cmocka_unit_test(a_connection_that_cannot_even_start_is_told),
        cmocka_unit_test(silence_while_connecting_is_a_timeout),
        cmocka_unit_test(silence_in_the_login_is_a_timeout),
        cmocka_unit_test(a_logged_in_session_has_no_deadline),
        cmocka_unit_test(a_refused_login_tells_class_and_detail),
        cmocka_unit_test(authentication_failure_has_its_own_code),
        cmocka_unit_test(a_bad_value_ends_the_login_before_start_conn),
        cmocka_unit_test(another_pdu_than_a_login_response_ends_the_login),
        cmocka_unit_test(requests_the_class_refuses_end_the_login),
        cmocka_unit_test(a_connection_error_in_the_login_ends_it),
        cmocka_unit_test(a_connection_error_before_up_was_told_is_a_failed_login),
        cmocka_unit_test(events_that_come_while_connecting_are_ignored),
        cmocka_unit_test(close_logs_out_and_waits_for_the_answer),
        cmocka_unit_test(a_logout_without_an_answer_ends_all_the_same),
        cmocka_unit_test(a_connection_lost_during_logout_is_a_good_end),
        cmocka_unit_test(a_logout_that_cannot_be_sent_is_not_waited_for),
        cmocka_unit_test(close_while_connecting_ends_at_once),
        cmocka_unit_test(close_before_the_name_is_known_ends_at_once),
        cmocka_unit_test(close_in_the_login_ends_at_once),
        cmocka_unit_test(close_without_open_ends_too),
        cmocka_unit_test(close_from_inside_up_logs_out),
        cmocka_unit_test(the_initiator_may_be_freed_in_any_callback),
        cmocka_unit_test(free_leaves_nothing_behind_in_any_state),
        cmocka_unit_test(a_redirect_is_followed_on_a_new_connection),
        cmocka_unit_test(a_permanent_redirect_is_remembered_unless_a_temporary_one_led_there),
        cmocka_unit_test(a_redirect_may_name_a_host_whose_addresses_are_tried_in_order),
        cmocka_unit_test(a_redirect_in_a_circle_is_refused),
        cmocka_unit_test(a_redirect_to_itself_is_refused),
        cmocka_unit_test(redirects_have_a_limit),
        cmocka_unit_test(a_redirect_to_no_address_is_refused),
        cmocka_unit_test(answers_to_nothing_end_the_connection),
        cmocka_unit_test(discovery_asks_gives_and_logs_out),
        cmocka_unit_test(discovery_stops_when_the_caller_has_enough),
        cmocka_unit_test(silence_in_discovery_is_a_timeout),
        cmocka_unit_test(discovery_by_single_bytes_has_an_end),
        cmocka_unit_test(bad_discovery_text_is_told),
        cmocka_unit_test(a_text_response_nobody_asked_for_ends_discovery),
        cmocka_unit_test(impossible_configurations_are_refused),
        cmocka_unit_test(no_memory_anywhere_is_an_error_and_no_leak),
        cmocka_unit_test(an_initiator_is_opened_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
