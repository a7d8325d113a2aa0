/* A session that comes back somewhere else than it was (decision 26), and one that is fought for
 * (decision 21): between a class and a world that only record and obey. */
#include "fake_class.h"

#define MS 1000000u

static struct fake *up_at(const char *host)
{
    struct fake *f = fake_new(host, false);
    fake_to_full_feature(f);
    assert_int_equal(f->up_cnt, 1);
    return f;
}

static void lose(struct fake *f)
{
    f->rx_pdus++;
    fake_later(f, 10000);
    fake_conn_error(f, NULL);
    fake_later(f, 0);
}

static void log_in_to(struct fake *f, unsigned group)
{
    char text[64];
    (void)snprintf(text, sizeof(text), "AuthMethod=None;TargetPortalGroupTag=%u;", group);
    fake_login_response(f, text);
    fake_login_response(f, "");
}

/* ---- decision 26 ---- */

static void another_address_is_not_connected_to_within_two_seconds_of_the_loss(void **state)
{
    struct fake *f = up_at("three.example");
    f->finish_error[1] = -ECONNREFUSED;
    lose(f);
    assert_string_equal(f->last_connected_to, "192.0.2.1:3260");
    fake_later(f, 300);
    fake_connected(f);
    assert_int_equal(f->connect_cnt, 2);
    fake_later(f, 1699);
    assert_int_equal(f->connect_cnt, 2);
    fake_later(f, 1);
    assert_string_equal(f->last_connected_to, "[2001:db8::2]:3260");
    fake_connected(f);
    log_in_to(f, 3);
    assert_int_equal(f->reopened_cnt, 1);
    assert_int_equal(f->retry_cnt, 0);
    fake_free(f);
}

static void the_wait_leaves_connecting_and_login_all_their_time(void **state)
{
    struct fake *f = up_at("three.example");
    f->finish_error[1] = -ECONNREFUSED;
    lose(f);
    fake_connected(f);
    fake_later(f, 2000);
    fake_connected(f);
    fake_later(f, 14999);
    assert_int_equal(f->retry_cnt, 0);
    fake_later(f, 1);
    assert_int_equal(f->retry_cnt, 1);
    assert_int_equal(f->why.code, ISKRA_E_TIMEOUT_LOGIN);
    fake_free(f);
}

static void what_the_target_asks_for_is_waited_for_elsewhere_if_it_is_more(void **state)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_login_response(f, "AuthMethod=None;TargetPortalGroupTag=3;");
    fake_login_response(f, "DefaultTime2Wait=6;");
    lose(f);
    fake_connected(f);
    fake_login_status(f, 1, 1, "TargetAddress=127.0.0.2;");
    assert_int_equal(f->connect_cnt, 2);
    fake_later(f, 5999);
    assert_int_equal(f->connect_cnt, 2);
    fake_later(f, 1);
    assert_string_equal(f->last_connected_to, "127.0.0.2:3260");
    fake_free(f);
}

static void an_outage_that_was_longer_is_not_waited_for_again(void **state)
{
    struct fake *f = up_at("three.example");
    lose(f);
    fake_later(f, 5000); /* a silent address has a third of the time */
    assert_string_equal(f->last_connected_to, "[2001:db8::2]:3260");
    fake_free(f);
}

static void another_portal_group_at_the_same_address_is_left_and_tried_again_later(void **state)
{
    struct fake *f = up_at("127.0.0.1");
    lose(f);
    fake_later(f, 500);
    fake_connected(f);
    f->log[0] = '\0';
    log_in_to(f, 4);
    assert_string_equal(f->log, "SEND_PDU STOP_CONN"); /* no START_CONN: no command */
    assert_int_equal(f->reopened_cnt, 0);
    assert_int_equal(f->retry_cnt, 1);
    assert_int_equal(f->delay_ms, 1500);
    assert_non_null(strstr(f->why.text, "portal group 4, in place of 127.0.0.1:3260, portal "
                                        "group 3"));
    fake_later(f, 1500);
    fake_connected(f);
    log_in_to(f, 4);
    assert_int_equal(f->reopened_cnt, 1);
    fake_free(f);
}

static void the_same_portal_group_is_gone_on_with_at_once(void **state)
{
    struct fake *f = up_at("127.0.0.1");
    lose(f);
    fake_connected(f);
    log_in_to(f, 3);
    assert_int_equal(f->reopened_cnt, 1);
    fake_free(f);
}

/* ---- redirects ---- */

static struct fake *up_after_a_move(uint8_t detail)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_login(f);
    fake_login_status(f, 1, detail, "TargetAddress=127.0.0.2;");
    fake_connected(f);
    log_in_to(f, 3);
    assert_int_equal(f->up_cnt, 1);
    return f;
}

static void after_a_temporary_move_it_asks_again_where_it_began(void **state)
{
    struct fake *f = up_after_a_move(1);
    lose(f);
    assert_string_equal(f->last_connected_to, "127.0.0.1:3260"); /* at once: only to ask */
    fake_connected(f);
    f->log[0] = '\0';
    fake_login_status(f, 1, 1, "TargetAddress=127.0.0.2;");
    assert_string_equal(f->log, "STOP_CONN"); /* the class session stays */
    assert_string_equal(f->last_connected_to, "127.0.0.2:3260");
    fake_connected(f);
    log_in_to(f, 3);
    assert_int_equal(f->reopened_cnt, 1);
    assert_int_equal(f->retry_cnt, 0);
    assert_int_equal(f->session_cnt, 1);
    fake_free(f);
}

static void a_place_that_only_sent_us_on_before_takes_no_command_too_early(void **state)
{
    struct fake *f = up_after_a_move(1);
    lose(f);
    fake_connected(f);
    f->log[0] = '\0';
    log_in_to(f, 3);
    assert_null(strstr(f->log, "START_CONN"));
    assert_int_equal(f->delay_ms, 2000);
    fake_later(f, 2000);
    assert_string_equal(f->last_connected_to, "127.0.0.1:3260");
    fake_connected(f);
    log_in_to(f, 3);
    assert_int_equal(f->reopened_cnt, 1);
    fake_free(f);
}

static void after_a_permanent_move_it_goes_where_that_led(void **state)
{
    struct fake *f = up_after_a_move(2);
    lose(f);
    assert_string_equal(f->last_connected_to, "127.0.0.2:3260");
    fake_connected(f);
    log_in_to(f, 3);
    assert_int_equal(f->reopened_cnt, 1);
    fake_free(f);
}

static void where_a_permanent_move_led_may_go_as_well(void **state)
{
    static const char *const places[] = {"127.0.0.2:3260", "127.0.0.1:3260", "127.0.0.2:3260",
                                         "127.0.0.1:3260"};
    struct fake *f = up_after_a_move(2);
    lose(f);
    for (unsigned i = 0; i < 3; i++)
        f->finish_error[(f->connect_cnt - 1 + i) % 8] = -ECONNREFUSED;
    for (unsigned i = 0; i < 4; i++) {
        fake_later(f, 10000); /* what of the time elsewhere is left as well */
        assert_string_equal(f->last_connected_to, places[i]);
        if (i < 3)
            fake_connected(f);
    }
    fake_connected(f);
    fake_login_status(f, 1, 2, "TargetAddress=127.0.0.3;"); /* and so it has */
    assert_string_equal(f->last_connected_to, "127.0.0.3:3260");
    fake_connected(f);
    log_in_to(f, 3);
    assert_int_equal(f->reopened_cnt, 1);
    lose(f);
    assert_string_equal(f->last_connected_to, "127.0.0.3:3260");
    fake_free(f);
}

static void each_try_may_be_redirected_as_often_as_the_first_login(void **state)
{
    struct fake *f = up_at("127.0.0.1");
    lose(f);
    for (unsigned n = 1; n <= 20; n++) {
        fake_connected(f);
        for (unsigned i = 1; i <= ISKRA_REDIRECTS_MAX; i++) {
            char text[64];
            (void)snprintf(text, sizeof(text), "TargetAddress=127.0.1.%u;", i);
            fake_login_status(f, 1, 1, text);
            fake_later(f, 2000); /* the first time */
            fake_connected(f);
        }
        fake_login_status(f, 1, 1, "TargetAddress=127.0.2.1;");
        assert_int_equal(f->retry_cnt, n);
        assert_int_equal(f->why.sys_errno, ELOOP);
        fake_later(f, f->delay_ms);
        assert_string_equal(f->last_connected_to, "127.0.0.1:3260");
    }
    fake_free(f);
}

/* ---- CHAP ---- */

static void secrets_are_there_for_every_login(void **state)
{
    static const struct iskra_chap_config chap = {.user = "me", .secret = "twelve-bytes-or-more"};
    struct fake *f = fake_new("127.0.0.1", false);
    char first[256];
    f->cfg.chap = &chap;
    fake_to_login(f);
    for (unsigned i = 0; i < 3; i++) {
        fake_login_response(f, "AuthMethod=CHAP;TargetPortalGroupTag=3;");
        fake_login_response(f, "CHAP_A=5;CHAP_I=7;CHAP_C=0x0123456789abcdef0123456789abcdef;");
        (void)snprintf(i == 0 ? first : f->noted, 200, "%.199s", readable(f->text, f->text_len));
        assert_non_null(strstr(first, "CHAP_R=0x"));
        if (i > 0)
            assert_string_equal(f->noted, first); /* the same secret, the same answer */
        fake_login_response(f, "");
        fake_login_response(f, "");
        assert_int_equal(f->up_cnt + f->reopened_cnt, i + 1);
        lose(f);
        fake_connected(f);
    }
    fake_free(f);
}

/* ---- decision 21 ---- */

/* One session more, closed by the target `life_ms` after its login. */
static void live_and_be_closed(struct fake *f, unsigned life_ms, unsigned heard)
{
    f->rx_pdus += heard;
    fake_later(f, life_ms);
    fake_conn_error(f, NULL);
    if (f->down_cnt > 0)
        return;
    fake_later(f, 3000);
    fake_connected(f);
}

static bool given_up_within(struct fake *f, unsigned sessions, unsigned tsih_step, unsigned life_ms,
                            unsigned heard)
{
    f->tsih = 77;
    for (unsigned i = 0; i < sessions && f->down_cnt == 0; i++) {
        live_and_be_closed(f, life_ms, heard);
        f->tsih = (uint16_t)(f->tsih + tsih_step);
        if (f->down_cnt == 0)
            log_in_to(f, 3);
    }
    return f->down_cnt > 0;
}

static void three_sessions_thrown_out_by_another_login_are_the_end(void **state)
{
    struct fake *f = up_at("127.0.0.1");
    assert_true(given_up_within(f, 100, 2, 400, 50));
    assert_int_equal(f->lost_cnt, 3); /* the first has no login before it */
    assert_int_equal(f->down_cnt, 1);
    assert_non_null(strstr(f->why.text, "another initiator uses this name and ISID"));
    assert_int_equal(f->why.sys_errno, EADDRINUSE);
    assert_true(f->terminated);
    assert_int_equal(f->open_fds, 0);
    fake_later(f, 3600 * 1000);
    assert_int_equal(f->down_cnt, 1);
    struct iskra_initiator_status st;
    iskra_initiator_status(f->ini, &st);
    assert_false(st.reopening);
    assert_int_equal(st.state, ISKRA_INITIATOR_CLEANUP_WAIT);
    iskra_initiator_close(f->ini);
    fake_run(f);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

static void
three_sessions_closed_without_a_word_are_the_end_where_numbers_tell_nothing(void **state)
{
    struct fake *f = up_at("127.0.0.1");
    assert_true(given_up_within(f, 100, 0, 29000, 0));
    assert_int_equal(f->lost_cnt, 2);
    fake_free(f);
}

/* What must be survived, a thousand times each. */
static void cuts_are_not_taken_for_a_rival(void **state)
{
    static const struct {
        unsigned tsih_step, life_ms, heard;
    } rows[] = {
        {1, 1000, 100}, /* a proxy that cuts every second */
        {1, 1, 0},      /* a target that closes at the first command */
        {1, 0, 0},
        {0, 2000, 100}, /* a target that is restarted every 2 s and numbers from 1 again */
        {0, 1, 1},
        {2, 1000, 100}, /* two sessions through one proxy */
        {2, 30000, 0},
        {7, 1, 1}, /* a target with many initiators */
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake *f = up_at("127.0.0.1");
        if (given_up_within(f, 1000, rows[i].tsih_step, rows[i].life_ms, rows[i].heard))
            fail_msg("row %zu: given up after %u losses", i, f->lost_cnt);
        assert_int_equal(f->reopened_cnt, 1000);
        fake_free(f);
    }
}

static void a_try_that_fails_in_between_clears_the_suspicion(void **state)
{
    struct fake *f = up_at("127.0.0.1");
    for (unsigned i = 0; i < 100; i++) {
        live_and_be_closed(f, 1, 0);
        fake_login_status(f, 3, 1, "");
        fake_later(f, f->delay_ms);
        fake_connected(f);
        log_in_to(f, 3);
    }
    assert_int_equal(f->down_cnt, 0);
    fake_free(f);
}

static void what_was_no_close_of_the_target_is_no_suspicion(void **state)
{
    struct fake *f = up_at("127.0.0.1");
    static const struct iskra_error silent = {.code = ISKRA_E_CONNECTION,
                                              .conn_error = ISKRA_CONN_NOP_TIMEDOUT};
    for (unsigned i = 0; i < 100; i++) {
        fake_conn_error(f, &silent);
        fake_later(f, 3000);
        fake_connected(f);
        log_in_to(f, 3);
    }
    assert_int_equal(f->down_cnt, 0);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(another_address_is_not_connected_to_within_two_seconds_of_the_loss),
        cmocka_unit_test(the_wait_leaves_connecting_and_login_all_their_time),
        cmocka_unit_test(what_the_target_asks_for_is_waited_for_elsewhere_if_it_is_more),
        cmocka_unit_test(an_outage_that_was_longer_is_not_waited_for_again),
        cmocka_unit_test(another_portal_group_at_the_same_address_is_left_and_tried_again_later),
        cmocka_unit_test(the_same_portal_group_is_gone_on_with_at_once),
        cmocka_unit_test(after_a_temporary_move_it_asks_again_where_it_began),
        cmocka_unit_test(a_place_that_only_sent_us_on_before_takes_no_command_too_early),
        cmocka_unit_test(after_a_permanent_move_it_goes_where_that_led),
        cmocka_unit_test(where_a_permanent_move_led_may_go_as_well),
        cmocka_unit_test(each_try_may_be_redirected_as_often_as_the_first_login),
        cmocka_unit_test(secrets_are_there_for_every_login),
        cmocka_unit_test(three_sessions_thrown_out_by_another_login_are_the_end),
        cmocka_unit_test(
            three_sessions_closed_without_a_word_are_the_end_where_numbers_tell_nothing),
        cmocka_unit_test(cuts_are_not_taken_for_a_rival),
        cmocka_unit_test(a_try_that_fails_in_between_clears_the_suspicion),
        cmocka_unit_test(what_was_no_close_of_the_target_is_no_suspicion),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
