/* A session that was lost comes back (spec 3.15; decisions 26, 28), between a class and a world
 * that only record and obey. */
#include "fake_class.h"

#include <stdlib.h>

static struct fake *up(void)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_full_feature(f);
    assert_int_equal(f->up_cnt, 1);
    f->log[0] = '\0';
    return f;
}

/* After `ms`, and the next try has begun. */
static void tries_after(struct fake *f, unsigned ms)
{
    unsigned cnt = f->connect_cnt;
    if (ms > 0)
        fake_later(f, ms - 1);
    assert_int_equal(f->connect_cnt, cnt);
    fake_later(f, ms > 0 ? 1 : 0);
    assert_int_equal(f->connect_cnt, cnt + 1);
}

static void log_in(struct fake *f)
{
    fake_connected(f);
    fake_login_response(f, "AuthMethod=None;TargetPortalGroupTag=3;");
    fake_login_response(f, "");
}

/* As long as the session lasted, nothing was wrong with it. */
static void lose_in_good_health(struct fake *f)
{
    f->rx_pdus++;
    fake_later(f, 10000);
    fake_conn_error(f, NULL);
}

static enum iskra_initiator_state state_of(const struct fake *f)
{
    return iskra_initiator_state(f->ini);
}

static void a_lost_session_begins_again_at_once_and_keeps_its_place_in_the_class(void **state)
{
    struct fake *f = up();
    const struct iskra_error why = {.code = ISKRA_E_CONNECTION, .text = "the cable"};
    fake_later(f, 10000);
    fake_conn_error(f, &why);
    assert_int_equal(f->lost_cnt, 1);
    assert_string_equal(f->why.text, "the cable");
    assert_string_equal(f->stopped.text, "the cable"); /* what its commands are to tell */
    assert_int_equal(state_of(f), ISKRA_INITIATOR_XPT_WAIT);
    assert_int_equal(f->open_fds, 0);
    assert_int_equal(f->last_abortive, 1);
    assert_string_equal(f->log, "STOP_CONN");
    assert_false(f->terminated);
    tries_after(f, 0);
    log_in(f);
    assert_string_equal(f->log,
                        "STOP_CONN BIND_CONN SET_PARAM SEND_PDU SEND_PDU SET_PARAM START_CONN");
    assert_int_equal(f->reopened_cnt, 1);
    assert_int_equal(f->up_cnt, 1);
    assert_int_equal(f->down_cnt + f->retry_cnt, 0);
    assert_int_equal(state_of(f), ISKRA_INITIATOR_LOGGED_IN);
    fake_later(f, 3600000);
    assert_int_equal(f->lost_cnt, 1);
    fake_free(f);
}

static void every_login_has_the_same_isid_and_tsih_0(void **state)
{
    struct fake *f = up();
    for (unsigned i = 0; i < 20; i++) {
        struct iskra_pdu_login req;
        lose_in_good_health(f);
        tries_after(f, 0);
        fake_connected(f);
        iskra_login_decode(f->hdr, &req);
        assert_memory_equal(req.isid, iskra_initiator_isid(f->ini), ISKRA_ISID_LEN);
        assert_int_equal(req.tsih, 0);
        assert_non_null(
            strstr(readable(f->text, f->text_len), "InitiatorName=iqn.2026-01.org.example:i;"));
        fake_login_response(f, "AuthMethod=None;TargetPortalGroupTag=3;");
        fake_login_response(f, "");
        assert_int_equal(f->reopened_cnt, i + 1);
        assert_int_equal(f->session_cnt, 1);
    }
    fake_free(f);
}

static void tries_that_fail_come_0_and_a_tenth_to_3_s_apart_for_ever(void **state)
{
    static const unsigned delays_ms[] = {0, 100, 200, 400, 800, 1600, 3000, 3000};
    struct fake *f = up();
    for (unsigned i = 0; i < 8; i++)
        f->finish_error[i] = -ECONNREFUSED;
    lose_in_good_health(f);
    for (unsigned i = 0; i < 1000; i++) {
        tries_after(f, delays_ms[i < 7 ? i : 7]);
        fake_connected(f);
        assert_int_equal(f->retry_cnt, i + 1);
        assert_int_equal(f->attempt, i + 1);
        assert_int_equal(f->delay_ms, delays_ms[i + 1 < 7 ? i + 1 : 7]);
        assert_int_equal(f->why.sys_errno, ECONNREFUSED);
        assert_int_equal(f->open_fds, 0);
        assert_int_equal(state_of(f), ISKRA_INITIATOR_XPT_WAIT);
    }
    assert_string_equal(f->log, "STOP_CONN"); /* the class hears nothing of it */
    memset(f->finish_error, 0, sizeof(f->finish_error));
    tries_after(f, 3000);
    log_in(f);
    assert_int_equal(f->reopened_cnt, 1);
    lose_in_good_health(f); /* and again from the beginning */
    assert_int_equal(f->lost_cnt, 2);
    tries_after(f, 0);
    fake_free(f);
}

/* ---- every way a try can fail ---- */

static void silent(struct fake *f)
{
    fake_later(f, 15000);
}

static void silent_in_login(struct fake *f)
{
    fake_connected(f);
    fake_later(f, 15000);
}

static void cut_in_login(struct fake *f)
{
    fake_connected(f);
    fake_conn_error(f, NULL);
}

static void not_authorized(struct fake *f)
{
    fake_connected(f);
    fake_login_status(f, 2, 1, "");
}

static void no_such_target(struct fake *f)
{
    fake_connected(f);
    fake_login_status(f, 2, 3, "");
}

static void out_of_resources(struct fake *f)
{
    fake_connected(f);
    fake_login_status(f, 3, 2, "");
}

static void circle(struct fake *f)
{
    fake_connected(f);
    fake_login_status(f, 1, 1, "TargetAddress=127.0.0.1;");
}

static void nonsense(struct fake *f)
{
    uint8_t hdr[ISKRA_BHS_LEN] = {ISKRA_OP_SCSI_RSP};
    fake_connected(f);
    fake_event(f, hdr, "");
}

static void bad_key(struct fake *f)
{
    fake_connected(f);
    fake_login_response(f, "AuthMethod=None;");
    fake_login_response(f, "ErrorRecoveryLevel=3;");
}

static void bind_refused(struct fake *f)
{
    f->refuse = "BIND_CONN";
    fake_connected(f);
    f->refuse = NULL;
}

static void start_refused(struct fake *f)
{
    fake_connected(f);
    fake_login_response(f, "AuthMethod=None;TargetPortalGroupTag=3;");
    f->refuse = "START_CONN";
    fake_login_response(f, "");
    f->refuse = NULL;
}

static void lost_as_soon_as_logged_in(struct fake *f)
{
    static const struct iskra_error why = {.code = ISKRA_E_CONNECTION, .text = "at once"};
    fake_connected(f);
    fake_login_response(f, "AuthMethod=None;TargetPortalGroupTag=3;");
    f->lost_at_once = &why;
    fake_login_response(f, "");
    f->lost_at_once = NULL;
}

static const struct {
    void (*happen)(struct fake *f);
    enum iskra_code code;
} failures[] = {
    {silent, ISKRA_E_TIMEOUT_LOGIN},
    {silent_in_login, ISKRA_E_TIMEOUT_LOGIN},
    {cut_in_login, ISKRA_E_CONNECTION},
    {not_authorized, ISKRA_E_AUTH},
    {no_such_target, ISKRA_E_LOGIN},
    {out_of_resources, ISKRA_E_LOGIN},
    {circle, ISKRA_E_LOGIN},
    {nonsense, ISKRA_E_PROTOCOL},
    {bad_key, ISKRA_E_NEGOTIATION},
    {bind_refused, ISKRA_E_SYSTEM},
    {start_refused, ISKRA_E_SYSTEM},
    {lost_as_soon_as_logged_in, ISKRA_E_CONNECTION},
};
#define FAILURE_CNT (sizeof(failures) / sizeof(failures[0]))

static void a_failure_of_any_kind_is_told_and_tried_again(void **state)
{
    for (size_t i = 0; i < FAILURE_CNT; i++) {
        struct fake *f = up();
        lose_in_good_health(f);
        for (unsigned n = 1; n <= 10; n++) {
            fake_later(f, n == 1 ? 0 : f->delay_ms);
            failures[i].happen(f);
            assert_int_equal(f->retry_cnt, n);
            assert_int_equal(f->attempt, n);
            assert_int_equal(f->why.code, failures[i].code);
            assert_int_equal(state_of(f), ISKRA_INITIATOR_XPT_WAIT);
            assert_int_equal(f->open_fds, 0);
            assert_false(f->bound);
            assert_false(f->terminated);
            assert_int_equal(f->session_cnt, 1);
        }
        assert_int_equal(f->down_cnt, 0);
        fake_later(f, f->delay_ms);
        log_in(f);
        assert_int_equal(f->reopened_cnt, 1);
        fake_free(f);
    }
}

static void the_initiator_may_be_freed_by_whoever_is_told(void **state)
{
    for (unsigned which = 0; which < 3; which++) {
        struct fake *f = up();
        f->free_in_callback = which == 0;
        lose_in_good_health(f);
        if (which > 0) {
            fake_later(f, 0);
            f->free_in_callback = true;
            if (which == 1)
                cut_in_login(f);
            else
                log_in(f);
        }
        assert_null(f->ini);
        assert_int_equal(f->lost_cnt + f->retry_cnt + f->reopened_cnt, which == 0 ? 1 : 2);
        fake_free(f);
    }
}

/* ---- events and timers in each state ---- */

static void what_comes_between_the_tries_is_of_an_earlier_connection(void **state)
{
    struct fake *f = up();
    const uint8_t hdr[ISKRA_BHS_LEN] = {ISKRA_OP_LOGIN_RSP};
    lose_in_good_health(f);
    for (unsigned connecting = 0; connecting < 2; connecting++) {
        fake_conn_error(f, NULL);
        fake_event(f, hdr, "");
        fake_async(f, 1);
        assert_int_equal(state_of(f), ISKRA_INITIATOR_XPT_WAIT);
        fake_later(f, 0);
    }
    log_in(f);
    assert_int_equal(f->lost_cnt, 1);
    assert_int_equal(f->retry_cnt, 0);
    assert_int_equal(f->reopened_cnt, 1);
    fake_free(f);
}

/* 0 while it waits, 1 connecting, 2 in login, 3 back again, 4 on the way out on the target's wish.
 */
static struct fake *reopening(unsigned stage)
{
    struct fake *f = up();
    f->finish_error[1] = -ECONNREFUSED;
    lose_in_good_health(f);
    fake_later(f, 0);
    fake_connected(f); /* refused; the next in 0.1 s */
    if (stage >= 1)
        fake_later(f, 100);
    if (stage >= 2)
        fake_connected(f);
    if (stage >= 3) {
        fake_login_response(f, "AuthMethod=None;TargetPortalGroupTag=3;");
        fake_login_response(f, "");
    }
    if (stage == 4)
        fake_async(f, 1);
    return f;
}

static void close_while_reopening_ends_at_once(void **state)
{
    for (unsigned stage = 0; stage < 3; stage++) {
        struct fake *f = reopening(stage);
        unsigned told = f->lost_cnt + f->retry_cnt;
        iskra_initiator_close(f->ini);
        fake_run(f);
        assert_int_equal(f->closed_cnt, 1);
        assert_int_equal(f->down_cnt, 0);
        assert_int_equal(f->lost_cnt + f->retry_cnt, told);
        assert_int_equal(f->session_cnt + f->open_fds, 0);
        assert_int_equal(state_of(f), ISKRA_INITIATOR_FREE);
        fake_free(f);
    }
}

static void close_of_a_session_that_came_back_logs_out(void **state)
{
    struct fake *f = reopening(3);
    iskra_initiator_close(f->ini);
    fake_run(f);
    assert_int_equal(fake_opcode(f), ISKRA_OP_LOGOUT);
    fake_logout_response(f);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

static void close_of_a_session_that_was_lost_in_the_same_round_ends_at_once(void **state)
{
    struct fake *f = up();
    struct iskra_event_sink sink = iskra_initiator_sink(f->ini);
    struct iskra_uevent ev = {.type = ISKRA_KEVENT_CONN_ERROR, .sid = f->sid};
    sink.event(sink.arg, &ev, NULL, NULL, 0, NULL);
    iskra_initiator_close(f->ini);
    fake_run(f);
    assert_int_equal(f->closed_cnt, 1);
    assert_int_equal(f->lost_cnt, 0);
    fake_free(f);
}

static void close_during_the_logout_that_the_target_wanted_waits_for_it_and_no_longer(void **state)
{
    for (unsigned end = 0; end < 3; end++) {
        struct fake *f = reopening(4);
        iskra_initiator_close(f->ini);
        fake_run(f);
        assert_int_equal(f->closed_cnt, 0);
        if (end == 0)
            fake_logout_response(f);
        else if (end == 1)
            fake_conn_error(f, NULL);
        else
            fake_later(f, 15000);
        assert_int_equal(f->closed_cnt, 1);
        assert_int_equal(f->lost_cnt, 1); /* the one before */
        fake_free(f);
    }
}

static void free_leaves_nothing_behind_in_any_state(void **state)
{
    for (unsigned stage = 0; stage < 5; stage++)
        fake_free(reopening(stage));
}

static void a_session_that_asked_for_a_logout_comes_back_after_it(void **state)
{
    for (unsigned end = 0; end < 3; end++) {
        struct fake *f = up();
        fake_later(f, 10000);
        fake_async(f, 1);
        assert_int_equal(state_of(f), ISKRA_INITIATOR_LOGOUT_REQUESTED);
        assert_int_equal(f->lost_cnt, 0);
        if (end == 0)
            fake_logout_response(f);
        else if (end == 1)
            fake_conn_error(f, NULL);
        else
            fake_later(f, 15000); /* stuck */
        assert_int_equal(f->lost_cnt, 1);
        assert_non_null(strstr(f->why.text, "asked for a logout"));
        assert_int_equal(f->last_abortive, end > 0);
        tries_after(f, 0);
        log_in(f);
        assert_int_equal(f->reopened_cnt, 1);
        fake_free(f);
    }
}

/* ---- Time2Wait ---- */

static void drop(struct fake *f, uint8_t event, uint16_t time2wait)
{
    const struct iskra_pdu_async pdu = {
        .itt = ISKRA_RESERVED_TAG, .event = event, .param2 = time2wait, .param3 = 20};
    fake_async_of(f, &pdu, "");
}

static void
a_target_that_drops_connections_says_when_to_come_back_and_that_counts_once(void **state)
{
    for (uint8_t event = 2; event <= 3; event++) {
        struct fake *f = up();
        struct iskra_initiator_status st;
        fake_later(f, 10000);
        drop(f, event, 7);
        assert_int_equal(f->lost_cnt, 1);
        fake_later(f, 3000);
        iskra_initiator_status(f->ini, &st);
        assert_int_equal(st.time2wait_ns / 1000000, 4000);
        assert_int_equal(st.next_ns / 1000000, 4000);
        f->finish_error[1] = -ECONNREFUSED;
        tries_after(f, 4000);
        fake_connected(f);
        assert_int_equal(f->delay_ms, 100);
        tries_after(f, 100);
        log_in(f);
        lose_in_good_health(f);
        tries_after(f, 0);
        fake_free(f);
    }
}

static void nobody_is_kept_away_for_more_than_an_hour(void **state)
{
    struct fake *f = up();
    fake_later(f, 10000);
    drop(f, 3, 65535);
    tries_after(f, 3600 * 1000);
    fake_free(f);
}

static void a_logout_that_failed_says_when_to_come_back(void **state)
{
    for (uint8_t response = 0; response < 4; response++) {
        struct fake *f = up();
        const struct iskra_pdu_logout_rsp rsp = {.response = response, .time2wait = 5};
        uint8_t hdr[ISKRA_BHS_LEN];
        iskra_logout_rsp_encode(&rsp, hdr);
        fake_later(f, 10000);
        fake_async(f, 1);
        fake_event(f, hdr, "");
        assert_int_equal(f->lost_cnt, 1);
        tries_after(f, response >= 2 ? 5000 : 0);
        fake_free(f);
    }
}

/* ---- lives that are short ---- */

static void lose(struct fake *f, unsigned after_ms, bool heard)
{
    f->rx_pdus += heard;
    fake_later(f, after_ms);
    fake_conn_error(f, &(const struct iskra_error){.code = ISKRA_E_PROTOCOL, .text = "nonsense"});
}

static void
a_session_that_is_lost_as_soon_as_it_is_there_comes_back_more_and_more_slowly(void **state)
{
    static const unsigned delays_ms[] = {0, 100, 200, 400, 800, 1600, 3000, 3000};
    struct fake *f = up();
    for (unsigned i = 0; i < 8; i++) {
        lose(f, 1, false);
        tries_after(f, delays_ms[i]);
        log_in(f);
    }
    lose(f, 500, false);
    tries_after(f, 0);
    fake_free(f);
}

static void one_that_answers_before_it_is_lost_comes_back_soon(void **state)
{
    struct fake *f = up();
    for (unsigned i = 0; i < 20; i++) {
        lose(f, 1, true);
        tries_after(f, i > 0 ? 100 : 0);
        log_in(f);
    }
    fake_free(f);
}

static void one_that_is_cut_every_second_comes_back_at_once(void **state)
{
    struct fake *f = up();
    for (unsigned i = 0; i < 100; i++) {
        lose(f, 1000, false);
        tries_after(f, 0);
        log_in(f);
    }
    assert_int_equal(f->reopened_cnt, 100);
    assert_int_equal(f->down_cnt, 0);
    fake_free(f);
}

/* ---- what is shown ---- */

static void status_says_what_it_is_doing(void **state)
{
    struct fake *f = up();
    struct iskra_initiator_status st;
    iskra_initiator_status(f->ini, &st);
    assert_false(st.reopening);
    assert_int_equal(st.state, ISKRA_INITIATOR_LOGGED_IN);
    assert_int_equal(st.error.code, ISKRA_OK);
    f->finish_error[1] = f->finish_error[2] = -ECONNREFUSED;
    lose_in_good_health(f);
    iskra_initiator_status(f->ini, &st);
    assert_true(st.reopening);
    assert_int_equal(st.attempt, 0);
    assert_int_equal(st.error.code, ISKRA_E_CONNECTION);
    fake_later(f, 0);
    fake_connected(f);
    fake_later(f, 100);
    fake_connected(f);
    fake_later(f, 50);
    iskra_initiator_status(f->ini, &st);
    assert_true(st.reopening);
    assert_int_equal(st.attempt, 2);
    assert_int_equal(st.away_ns / 1000000, 150);
    assert_int_equal(st.next_ns / 1000000, 150);
    assert_int_equal(st.time2wait_ns, 0);
    assert_int_equal(st.error.sys_errno, ECONNREFUSED);
    fake_later(f, 150);
    iskra_initiator_status(f->ini, &st);
    assert_int_equal(st.attempt, 3);
    assert_int_equal(st.next_ns, 0);
    assert_int_equal(st.error.sys_errno, ECONNREFUSED); /* until there is another */
    log_in(f);
    iskra_initiator_status(f->ini, &st);
    assert_false(st.reopening);
    assert_int_equal(st.error.sys_errno, ECONNREFUSED);
    fake_free(f);
}

static void what_was_negotiated_last_is_shown_until_the_next_login_is_through(void **state)
{
    struct fake *f = up();
    f->tsih = 78;
    lose_in_good_health(f);
    fake_later(f, 0);
    fake_connected(f);
    assert_int_equal(iskra_initiator_tsih(f->ini), 77);
    assert_int_equal(iskra_initiator_keys(f->ini)->max_xmit_data_len, 65536);
    fake_login_response(f, "AuthMethod=None;TargetPortalGroupTag=3;");
    fake_login_response(f, "MaxRecvDataSegmentLength=4096;");
    assert_int_equal(iskra_initiator_tsih(f->ini), 78);
    assert_int_equal(iskra_initiator_keys(f->ini)->max_xmit_data_len, 4096);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_lost_session_begins_again_at_once_and_keeps_its_place_in_the_class),
        cmocka_unit_test(every_login_has_the_same_isid_and_tsih_0),
        cmocka_unit_test(tries_that_fail_come_0_and_a_tenth_to_3_s_apart_for_ever),
        cmocka_unit_test(a_failure_of_any_kind_is_told_and_tried_again),
        cmocka_unit_test(the_initiator_may_be_freed_by_whoever_is_told),
        cmocka_unit_test(what_comes_between_the_tries_is_of_an_earlier_connection),
        cmocka_unit_test(close_while_reopening_ends_at_once),
        cmocka_unit_test(close_of_a_session_that_came_back_logs_out),
        cmocka_unit_test(close_of_a_session_that_was_lost_in_the_same_round_ends_at_once),
        cmocka_unit_test(close_during_the_logout_that_the_target_wanted_waits_for_it_and_no_longer),
        cmocka_unit_test(free_leaves_nothing_behind_in_any_state),
        cmocka_unit_test(a_session_that_asked_for_a_logout_comes_back_after_it),
        cmocka_unit_test(
            a_target_that_drops_connections_says_when_to_come_back_and_that_counts_once),
        cmocka_unit_test(nobody_is_kept_away_for_more_than_an_hour),
        cmocka_unit_test(a_logout_that_failed_says_when_to_come_back),
        cmocka_unit_test(
            a_session_that_is_lost_as_soon_as_it_is_there_comes_back_more_and_more_slowly),
        cmocka_unit_test(one_that_answers_before_it_is_lost_comes_back_soon),
        cmocka_unit_test(one_that_is_cut_every_second_comes_back_at_once),
        cmocka_unit_test(status_says_what_it_is_doing),
        cmocka_unit_test(what_was_negotiated_last_is_shown_until_the_next_login_is_through),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
