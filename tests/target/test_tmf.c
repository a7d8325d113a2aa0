/* The target's task management, and logout. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "wire/sense.h"

static void logout_send(uint8_t reason, uint16_t cid)
{
    struct iskra_pdu_logout req = {
        .immediate = true, .reason = reason, .itt = 0x99, .cid = cid, .cmd_sn = peer.cmd_sn};
    iskra_logout_encode(&req, bhs);
    peer_send(&peer, bhs, NULL, 0);
}

static void logout_expect(uint8_t response)
{
    struct answer answer;
    struct iskra_pdu_logout_rsp rsp;
    peer_expect(&peer, ISKRA_OP_LOGOUT_RSP, &answer);
    iskra_logout_rsp_decode(answer.bhs, &rsp);
    assert_int_equal(rsp.response, response);
    assert_int_equal(rsp.itt, 0x99);
}

static void logout_ends_the_session(void **state)
{
    struct iskra_target_stats stats;
    logout_send(0, 0);
    logout_expect(0);
    assert_true(iskra_target_conn_finished(peer.conn));
    assert_int_equal(iskra_target_conn_error(peer.conn)->code, ISKRA_OK);
    iskra_target_stats(target, &stats);
    assert_int_equal(stats.session_cnt, 0);
}

static void logout_of_this_connection_ends_it(void **state)
{
    logout_send(1, 1);
    logout_expect(0);
    assert_true(iskra_target_conn_finished(peer.conn));
}

static void logout_of_another_connection_or_for_recovery_does_not(void **state)
{
    logout_send(1, 2);
    logout_expect(1);
    logout_send(2, 1);
    logout_expect(2);
    assert_false(iskra_target_conn_finished(peer.conn));
    rig_still_alive();
}

static void a_logout_answer_that_is_not_read_is_given_up(void **state)
{
    peer.hold = true;
    logout_send(0, 0);
    assert_false(iskra_target_conn_finished(peer.conn));
    uint64_t deadline = iskra_target_conn_deadline_ns(peer.conn);
    assert_true(deadline != UINT64_MAX);
    iskra_target_conn_tick(peer.conn, deadline);
    assert_true(iskra_target_conn_finished(peer.conn));
}

static uint8_t tmf(uint8_t function, uint64_t lun, uint32_t ref)
{
    struct answer answer;
    struct iskra_pdu_tmf_rsp rsp;
    struct iskra_pdu_tmf req = {.immediate = true,
                                .function = function,
                                .lun = lun,
                                .itt = 0x88,
                                .ref_task_tag = ref,
                                .cmd_sn = peer.cmd_sn};
    iskra_tmf_encode(&req, bhs);
    peer_send(&peer, bhs, NULL, 0);
    peer.hold = false;
    peer_drain(&peer);
    peer_expect(&peer, ISKRA_OP_TMF_RSP, &answer);
    iskra_tmf_rsp_decode(answer.bhs, &rsp);
    assert_int_equal(rsp.itt, 0x88);
    return rsp.response;
}

static void abort_of_a_finished_task_says_no_such_task(void **state)
{
    rig_still_alive();
    assert_int_equal(tmf(ISKRA_TMF_ABORT_TASK, 0, 0x100), 1);
    rig_still_alive();
}

static void an_aborted_task_is_never_answered(void **state)
{
    struct outcome o;
    peer.hold = true;
    (void)iskra_cdb_read10(cdb, 0, 8, 0);
    for (int i = 0; i < 3; i++)
        peer_command(&peer, 0, cdb, 4096, true);
    assert_int_equal(tmf(ISKRA_TMF_ABORT_TASK, 0, 0x101), 0);
    peer_outcome(&peer, &o);
    assert_int_equal(o.itt, 0x100);
    outcome_done(&o);
    peer_outcome(&peer, &o);
    assert_int_equal(o.itt, 0x102);
    assert_int_equal(o.max_cmd_sn, peer.cmd_sn + 127); /* its place in the window is free again */
    outcome_done(&o);
    rig_still_alive();
}

static void abort_task_set_clears_the_lun(void **state)
{
    peer.hold = true;
    for (int i = 0; i < 3; i++)
        peer_command(&peer, 0, cdb, 0, false);
    assert_int_equal(tmf(ISKRA_TMF_ABORT_TASK_SET, 0, 0), 0);
    assert_true(peer_silent(&peer));
    rig_still_alive();
}

static void reset_of_an_absent_lun_is_refused(void **state)
{
    assert_int_equal(tmf(ISKRA_TMF_LUN_RESET, UINT64_C(9) << 48, 0), 2);
    assert_int_equal(tmf(ISKRA_TMF_ABORT_TASK_SET, UINT64_C(9) << 48, 0), 2);
}

static void functions_that_are_not_there_are_refused(void **state)
{
    assert_int_equal(tmf(ISKRA_TMF_TASK_REASSIGN, 0, 0), 4);
    assert_int_equal(tmf(ISKRA_TMF_CLEAR_ACA, 0, 0), 5);
    assert_int_equal(tmf(99, 0, 0), 5);
}

static void a_lun_reset_is_told_to_everybody_once(void **state)
{
    struct peer other;
    struct outcome o;
    peer_open(&other, target);
    other.isid[5] = 2;
    peer_login(&other, TEXT(NAMES));
    assert_int_equal(tmf(ISKRA_TMF_LUN_RESET, 0, 0), 0);
    (void)iskra_cdb_inquiry(cdb, 36); /* does not take it */
    peer_command(&other, 0, cdb, 36, true);
    peer_outcome(&other, &o);
    assert_int_equal(o.status, 0);
    outcome_done(&o);
    memset(cdb, 0, sizeof(cdb));
    peer_refused_with(&other, 0, cdb, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 3);
    peer_refused_with(&peer, 0, cdb, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 3);
    rig_still_alive();
    peer_close(&other);
}

static void a_warm_reset_clears_all_luns(void **state)
{
    assert_int_equal(tmf(ISKRA_TMF_TARGET_WARM_RESET, 0, 0), 0);
    peer_refused_with(&peer, 0, cdb, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 3);
    rig_still_alive();
}

static void a_cold_reset_ends_all_connections(void **state)
{
    struct peer other;
    peer_open(&other, target);
    other.isid[5] = 2;
    peer_login(&other, TEXT(NAMES));
    assert_int_equal(tmf(ISKRA_TMF_TARGET_COLD_RESET, 0, 0), 0);
    assert_true(iskra_target_conn_finished(peer.conn));
    assert_true(iskra_target_conn_finished(other.conn));
    assert_true(iskra_target_roused(target));
    peer_close(&other);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(logout_ends_the_session),
        T(logout_of_this_connection_ends_it),
        T(logout_of_another_connection_or_for_recovery_does_not),
        T(a_logout_answer_that_is_not_read_is_given_up),
        T(abort_of_a_finished_task_says_no_such_task),
        T(an_aborted_task_is_never_answered),
        T(abort_task_set_clears_the_lun),
        T(reset_of_an_absent_lun_is_refused),
        T(functions_that_are_not_there_are_refused),
        T(a_lun_reset_is_told_to_everybody_once),
        T(a_warm_reset_clears_all_luns),
        T(a_cold_reset_ends_all_connections),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
