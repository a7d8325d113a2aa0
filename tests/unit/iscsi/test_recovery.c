/* Failure, stop, start again: what is raised, what fails, who is blocked. */
#include <errno.h>

#include "rig.h"

static void lose_connection(struct rig *r)
{
    rig_conn(r)->tcp.port.ops->state_change(&rig_conn(r)->tcp.port, 0);
}

static void close_by_the_target_is_raised_once(void **state)
{
    struct rig *r = rig_logged_in(16);
    lose_connection(r);
    assert_int_equal(r->event_cnt, 0); /* at the end of the round */
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_FAILED);
    iskra_conn_failure(rig_conn(r), ISKRA_CONN_XMIT_FAILED);
    iskra_conn_failure(rig_conn(r), ISKRA_CONN_SCSI_EH_SESSION_RST);
    rig_assert_conn_error(r, ISKRA_CONN_TCP_CONN_CLOSE);
    assert_int_equal(r->event_cnt, 1);
    assert_string_equal(r->events[0].why, "the target closed the connection");
    assert_string_equal(rig_session(r)->error.text, r->events[0].why);
    rig_free(r);
}

static void broken_connection_says_why(void **state)
{
    struct rig *r = rig_logged_in(16);
    rig_conn(r)->tcp.port.ops->state_change(&rig_conn(r)->tcp.port, ETIMEDOUT);
    rig_assert_conn_error(r, ISKRA_CONN_TCP_CONN_CLOSE);
    assert_non_null(strstr(r->events[0].why, strerror(ETIMEDOUT)));
    rig_free(r);
}

static void close_before_the_answer_to_our_logout_is_told_at_once(void **state)
{
    struct rig *r = rig_logged_in(16);
    uint8_t hdr[ISKRA_BHS_LEN];
    struct iskra_pdu_logout logout = {.immediate = true};
    iskra_logout_encode(&logout, hdr);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    rig_run(r);
    lose_connection(r);
    rig_run(r);
    rig_assert_conn_error(r, ISKRA_CONN_TCP_CONN_CLOSE);
    rig_free(r);
}

static void failure_stops_traffic_and_dispatch_but_fails_no_command(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    uint32_t itt = rig_queue_and_send(r, &cmd);
    lose_connection(r);
    assert_int_equal(r->block_cnt, 1); /* decision 12: at once */
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_run(r);
    assert_int_equal(cmd.done_cnt, 0);
    assert_true(r->in_stopped);
    assert_int_equal(r->cls.state, ISKRA_CLASS_LOGGED_IN);
    rig_free(r);
}

static void stop_for_recovery_fails_every_task_and_blocks(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd sent, pending;
    rig_cmd_init(r, &sent, ISKRA_DIR_READ, 512);
    rig_cmd_init(r, &pending, ISKRA_DIR_READ, 512);
    (void)rig_queue_and_send(r, &sent);
    assert_int_equal(rig_queue(&pending), ISKRA_QUEUED);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(sent.cmnd.result, ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0));
    assert_int_equal(pending.cmnd.result, ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0));
    assert_int_equal(sent.cmnd.residual, 512);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_IN_RECOVERY);
    assert_int_equal(r->cls.state, ISKRA_CLASS_FAILED);
    assert_int_equal(r->block_cnt, 1);
    assert_int_equal(r->unbind_cnt, 1);
    assert_int_equal(rig_session(r)->scsi_cnt, 0);
    assert_int_equal(rig_session(r)->window.queued_cmd_sn, rig_session(r)->window.cmd_sn);
    assert_string_equal(rig_session(r)->error.text, "the connection was stopped");
    rig_free(r);
}

static void story_of_the_failure_outlives_the_stop(void **state)
{
    struct rig *r = rig_logged_in(16);
    lose_connection(r);
    rig_run(r);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_string_equal(rig_session(r)->error.text, "the target closed the connection");
    assert_int_equal(rig_session(r)->error.code, ISKRA_E_CONNECTION);
    rig_free(r);
}

static void command_half_sent_is_done_when_the_socket_is_gone(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    r->room = 10;
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    rig_run(r);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(cmd.done_cnt, 1);
    assert_int_equal(r->unbind_cnt, 1);
    rig_free(r);
}

static void half_received_data_in_is_done_when_the_socket_is_gone(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    static uint8_t pdu_bytes[ISKRA_BHS_LEN + 1000], hdr[ISKRA_BHS_LEN], data[1000];
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 1000);
    uint32_t itt = rig_queue_and_send(r, &cmd);
    struct iskra_pdu_data_in pdu = rig_data_in(r, itt, 0, 0);
    iskra_data_in_encode(&pdu, hdr);
    (void)rig_pdu_put(pdu_bytes, hdr, data, 1000, false, false);
    rig_feed(r, pdu_bytes, 500);
    lose_connection(r);
    assert_int_equal(cmd.done_cnt, 0);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(cmd.done_cnt, 1);
    assert_int_equal(cmd.cmnd.result, ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0));
    rig_free(r);
}

static void relogin_changes_the_age_and_unblocks(void **state)
{
    struct rig *r = rig_logged_in(32);
    for (unsigned i = 1; i <= 17; i++) {
        lose_connection(r);
        rig_run(r);
        assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
        assert_int_equal(rig_bind(r), 0);
        assert_int_equal(rig_session(r)->age, (i - 1) & 15);
        assert_int_equal(rig_start(r), 0);
        assert_int_equal(rig_session(r)->age, i & 15);
        assert_int_equal(r->event_cnt, i);
        assert_int_equal(r->unblock_cnt, i + 1);
        assert_int_equal(rig_session(r)->state, ISKRA_SESSION_LOGGED_IN);
        assert_int_equal(r->cls.state, ISKRA_CLASS_LOGGED_IN);
    }
    rig_free(r);
}

static void answer_from_an_earlier_life_loses_the_connection(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    uint32_t itt = rig_queue_and_send(r, &cmd);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    assert_int_equal(cmd.done_cnt, 1);
    rig_free(r);
}

static void new_login_begins_with_a_window_of_its_own(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_session(r)->window.max_cmd_sn = RIG_CMD_SN + 1000;
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_session(r)->window.max_cmd_sn, RIG_CMD_SN);
    rig_free(r);
}

static void failed_relogin_is_raised_and_stays_in_recovery(void **state)
{
    struct rig *r = rig_logged_in(32);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(rig_bind(r), 0);
    lose_connection(r);
    rig_assert_conn_error(r, ISKRA_CONN_TCP_CONN_CLOSE);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_IN_RECOVERY);
    assert_int_equal(rig_start(r), -EINVAL);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(r->block_cnt, 1);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    rig_free(r);
}

static void failed_first_login_can_be_tried_again(void **state)
{
    struct rig *r = rig_new(16);
    assert_int_equal(rig_bind(r), 0);
    lose_connection(r);
    rig_assert_conn_error(r, ISKRA_CONN_TCP_CONN_CLOSE);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_FAILED);
    assert_int_equal(rig_start(r), -EINVAL);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    rig_free(r);
}

static void error_that_was_not_delivered_yet_does_not_reach_the_next_life(void **state)
{
    struct rig *r = rig_logged_in(16);
    lose_connection(r);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void replacement_timer_gives_up(void **state)
{
    struct rig *r = rig_logged_in(16);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_SESS_RECOVERY_TMO, INT64_C(5000000000)), 0);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    iskra_timers_run(&r->round.timers, r->round.now_ns + 4999999999u);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_IN_RECOVERY);
    iskra_timers_run(&r->round.timers, r->round.now_ns + 5000000000u);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_RECOVERY_FAILED);
    assert_int_equal(r->cls.state, ISKRA_CLASS_FREE);
    assert_int_equal(r->offline_cnt, 1);
    assert_string_equal(rig_session(r)->error.text,
                        "not back within 5 s: the connection was stopped");
    assert_int_equal(rig_session(r)->error.sys_errno, ECONNABORTED);
    /* A later START_CONN still revives it. */
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    assert_int_equal(rig_session(r)->age, 1);
    assert_int_equal(r->cls.state, ISKRA_CLASS_LOGGED_IN);
    assert_int_equal(r->unblock_cnt, 2);
    rig_free(r);
}

static void replacement_timer_of_0_gives_up_in_the_next_round(void **state)
{
    struct rig *r = rig_logged_in(16);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_SESS_RECOVERY_TMO, 0), 0);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(r->offline_cnt, 0);
    iskra_timers_run(&r->round.timers, r->round.now_ns);
    assert_int_equal(r->offline_cnt, 1);
    rig_free(r);
}

static void negative_replacement_timer_never_gives_up(void **state)
{
    struct rig *r = rig_logged_in(16);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_SESS_RECOVERY_TMO, -1), 0);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_true(iskra_timers_next_ns(&r->round.timers) == ISKRA_NEVER);
    rig_free(r);
}

static void a_stop_that_says_why_is_what_commands_tell(void **state)
{
    struct rig *r = rig_logged_in(16);
    const struct iskra_error why = {.code = ISKRA_E_CONNECTION,
                                    .text = "the target asked for a logout"};
    struct iskra_uevent ev = {
        .type = ISKRA_UEVENT_STOP_CONN,
        .sid = RIG_SID,
        .cid = RIG_CID,
        .u.stop_conn = {.flag = ISKRA_STOP_TERM, .why = &why},
    };
    assert_int_equal(rig_request(r, &ev, NULL, NULL, 0), 0);
    assert_string_equal(rig_session(r)->error.text, "the target asked for a logout");
    rig_free(r);
}

static void start_stops_the_replacement_timer(void **state)
{
    struct rig *r = rig_logged_in(16);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_false(iskra_timers_next_ns(&r->round.timers) == ISKRA_NEVER);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    assert_true(iskra_timers_next_ns(&r->round.timers) == ISKRA_NEVER);
    rig_free(r);
}

static void stop_for_good_terminates_and_cannot_be_undone(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    (void)rig_queue_and_send(r, &cmd);
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    assert_int_equal(cmd.cmnd.result, ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0));
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_TERMINATE);
    assert_int_equal(r->offline_cnt, 1);
    assert_int_equal(r->block_cnt, 0);
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(r->offline_cnt, 1);
    assert_int_equal(r->unbind_cnt, 1);
    assert_int_equal(rig_bind(r), -EINVAL);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_TERMINATE);
    rig_free(r);
}

static void stop_for_good_during_recovery_ends_the_waiting(void **state)
{
    struct rig *r = rig_logged_in(32);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    assert_int_equal(r->cls.state, ISKRA_CLASS_FREE);
    assert_int_equal(r->offline_cnt, 1);
    assert_true(iskra_timers_next_ns(&r->round.timers) == ISKRA_NEVER);
    rig_free(r);
}

static void digest_errors_are_counted(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_conn(r)->tcp.in.hdr_digest = true;
    static const uint8_t wrong[ISKRA_BHS_LEN + ISKRA_DIGEST_LEN] = {ISKRA_OP_NOP_IN};
    rig_feed(r, wrong, sizeof(wrong));
    rig_assert_conn_error(r, ISKRA_CONN_HDR_DGST);
    assert_int_equal(rig_conn(r)->digest_errors, 1);
    rig_free(r);
}

/* Every failure the peer can cause ends with all commands done and all memory given back. */
static void hundred_lives_leak_no_task(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmds[10];
    for (int life = 0; life < 100; life++) {
        r->room = life % 3 == 0 ? 100 : SIZE_MAX;
        for (int i = 0; i < 10; i++) {
            rig_cmd_init(r, &cmds[i], ISKRA_DIR_READ, 512);
            assert_int_equal(rig_queue(&cmds[i]),
                             life % 3 == 1 && i > 0 ? ISKRA_TARGET_BUSY : ISKRA_QUEUED);
            if (life % 2 == 0)
                rig_run(r);
        }
        lose_connection(r);
        assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
        for (int i = 0; i < 10; i++)
            assert_int_equal(cmds[i].done_cnt, life % 3 == 1 && i > 0 ? 0 : 1);
        r->out_len = r->out_at = 0;
        assert_int_equal(rig_bind(r), 0);
        assert_int_equal(rig_start(r), 0);
        if ((life + 1) % 3 != 1) /* else the window stays at one */
            rig_session(r)->window.max_cmd_sn += 30;
        r->event_cnt = 0;
    }
    unsigned free_cnt = 0;
    ISKRA_LIST_FOREACH(l, &rig_session(r)->pool) free_cnt++;
    assert_int_equal(free_cnt, 31);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(close_by_the_target_is_raised_once),
        cmocka_unit_test(broken_connection_says_why),
        cmocka_unit_test(close_before_the_answer_to_our_logout_is_told_at_once),
        cmocka_unit_test(failure_stops_traffic_and_dispatch_but_fails_no_command),
        cmocka_unit_test(stop_for_recovery_fails_every_task_and_blocks),
        cmocka_unit_test(story_of_the_failure_outlives_the_stop),
        cmocka_unit_test(command_half_sent_is_done_when_the_socket_is_gone),
        cmocka_unit_test(half_received_data_in_is_done_when_the_socket_is_gone),
        cmocka_unit_test(relogin_changes_the_age_and_unblocks),
        cmocka_unit_test(answer_from_an_earlier_life_loses_the_connection),
        cmocka_unit_test(new_login_begins_with_a_window_of_its_own),
        cmocka_unit_test(failed_relogin_is_raised_and_stays_in_recovery),
        cmocka_unit_test(failed_first_login_can_be_tried_again),
        cmocka_unit_test(error_that_was_not_delivered_yet_does_not_reach_the_next_life),
        cmocka_unit_test(replacement_timer_gives_up),
        cmocka_unit_test(replacement_timer_of_0_gives_up_in_the_next_round),
        cmocka_unit_test(negative_replacement_timer_never_gives_up),
        cmocka_unit_test(a_stop_that_says_why_is_what_commands_tell),
        cmocka_unit_test(start_stops_the_replacement_timer),
        cmocka_unit_test(stop_for_good_terminates_and_cannot_be_undone),
        cmocka_unit_test(stop_for_good_during_recovery_ends_the_waiting),
        cmocka_unit_test(digest_errors_are_counted),
        cmocka_unit_test(hundred_lives_leak_no_task),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
