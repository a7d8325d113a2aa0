/* What error handling asks of a session: every operation with every answer, and what is sent
 * meanwhile. */
#include "watch_rig.h"

#include "iscsi/eh.h"
#include "write_rig.h"

#define LUN_A UINT64_C(0x0001000000000000)
#define LUN_B UINT64_C(0x0002000000000000)

struct op {
    struct iskra_eh_op op; /* first */
    unsigned told_cnt;
    enum iskra_eh_outcome outcome;
};

static void told(struct iskra_eh_op *op, enum iskra_eh_outcome outcome)
{
    struct op *o = (struct op *)op;
    o->told_cnt++;
    o->outcome = outcome;
}

static struct op op;
static struct rig_cmd cmds[6];

static struct rig *begin(void)
{
    op.told_cnt = 0;
    iskra_eh_op_init(&op.op, told);
    return watch_rig(0, 0);
}

static uint32_t send_cmd(struct rig *r, struct rig_cmd *cmd, uint64_t lun)
{
    rig_cmd_init(r, cmd, ISKRA_DIR_READ, 512);
    cmd->cmnd.lun = lun;
    return rig_queue_and_send(r, cmd);
}

static void good(struct rig *r, uint32_t itt)
{
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rsp.underflow = true;
    rsp.residual = 512;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_run(r);
}

static void assert_ended(const struct rig_cmd *cmd, enum iskra_host_byte host_byte)
{
    assert_int_equal(cmd->done_cnt, 1);
    assert_int_equal(cmd->cmnd.result, ISKRA_RESULT(host_byte, 0));
}

static void assert_told(struct rig *r, enum iskra_eh_outcome outcome)
{
    assert_int_equal(op.told_cnt, 0); /* never from inside */
    rig_run(r);
    assert_int_equal(op.told_cnt, 1);
    assert_string_equal(iskra_eh_outcome_name(op.outcome), iskra_eh_outcome_name(outcome));
}

/* The answer to what is out comes; then the outcome. */
static void answered(struct rig *r, uint32_t itt, uint8_t response, enum iskra_eh_outcome outcome)
{
    assert_int_equal(op.told_cnt, 0);
    rig_answer_tmf(r, itt, response);
    assert_int_equal(op.told_cnt, 1);
    assert_string_equal(iskra_eh_outcome_name(op.outcome), iskra_eh_outcome_name(outcome));
}

static uint32_t ask_abort(struct rig *r, struct rig_cmd *cmd)
{
    iskra_eh_abort(rig_session(r), &op.op, &cmd->cmnd);
    rig_run(r);
    struct iskra_pdu_tmf pdu = watch_sent_tmf(r);
    assert_int_equal(pdu.function, ISKRA_TMF_ABORT_TASK);
    return pdu.itt;
}

static void an_abort_that_is_complete_ends_the_command(void **state)
{
    struct rig *r = begin();
    (void)send_cmd(r, &cmds[0], LUN_A);
    answered(r, ask_abort(r, &cmds[0]), 0, ISKRA_EH_SUCCESS);
    assert_ended(&cmds[0], ISKRA_DID_ABORT);
    rig_free(r);
}

static void an_abort_that_finds_no_task_fails_while_the_command_is_out(void **state)
{
    struct rig *r = begin();
    uint32_t itt = send_cmd(r, &cmds[0], LUN_A);
    answered(r, ask_abort(r, &cmds[0]), 1, ISKRA_EH_FAILED);
    assert_string_equal(iskra_eh_op_why(&op.op), "task does not exist");
    assert_int_equal(cmds[0].done_cnt, 0);
    good(r, itt);
    assert_ended(&cmds[0], ISKRA_DID_OK);
    rig_free(r);
}

static void an_abort_that_is_refused_fails(void **state)
{
    struct rig *r = begin();
    (void)send_cmd(r, &cmds[0], LUN_A);
    answered(r, ask_abort(r, &cmds[0]), 5, ISKRA_EH_FAILED);
    assert_string_equal(iskra_eh_op_why(&op.op), "function not supported");
    assert_int_equal(cmds[0].done_cnt, 0);
    rig_free(r);
}

static void an_answer_that_overtakes_the_abort_is_success(void **state)
{
    struct rig *r = begin();
    uint32_t itt = send_cmd(r, &cmds[0], LUN_A);
    uint32_t tmf_itt = ask_abort(r, &cmds[0]);
    good(r, itt);
    assert_ended(&cmds[0], ISKRA_DID_OK);
    assert_int_equal(op.told_cnt, 1);
    assert_int_equal(op.outcome, ISKRA_EH_SUCCESS);
    rig_answer_tmf(r, tmf_itt, 1);
    assert_int_equal(op.told_cnt, 1);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void a_command_that_was_not_sent_needs_no_request(void **state)
{
    struct rig *r = begin();
    rig_cmd_init(r, &cmds[0], ISKRA_DIR_READ, 512);
    assert_int_equal(rig_queue(&cmds[0]), ISKRA_QUEUED);
    iskra_eh_abort(rig_session(r), &op.op, &cmds[0].cmnd);
    assert_told(r, ISKRA_EH_SUCCESS);
    assert_ended(&cmds[0], ISKRA_DID_ABORT);
    assert_false(rig_sent_any(r));
    iskra_eh_op_init(&op.op, told);
    op.told_cnt = 0;
    iskra_eh_abort(rig_session(r), &op.op, &cmds[0].cmnd); /* it is gone */
    assert_told(r, ISKRA_EH_SUCCESS);
    rig_free(r);
}

static void nothing_is_asked_of_a_session_that_is_not_up(void **state)
{
    for (int what = 0; what < 5; what++) {
        struct rig *r = begin();
        (void)send_cmd(r, &cmds[0], LUN_A);
        iskra_conn_failure(rig_conn(r), ISKRA_CONN_FAILED);
        struct iskra_session *s = rig_session(r);
        if (what == 0)
            iskra_eh_abort(s, &op.op, &cmds[0].cmnd);
        else if (what == 1)
            iskra_eh_device_reset(s, &op.op, LUN_A);
        else if (what == 2)
            iskra_eh_target_reset(s, &op.op);
        else if (what == 3)
            iskra_eh_abort_task_set(s, &op.op, LUN_A);
        else
            iskra_eh_target_cold_reset(s, &op.op);
        assert_told(r, ISKRA_EH_FAILED);
        rig_free(r);
    }
}

static void a_request_without_an_answer_costs_the_connection(void **state)
{
    struct rig *r = begin();
    (void)send_cmd(r, &cmds[0], LUN_A);
    (void)ask_abort(r, &cmds[0]);
    watch_later(r, 10 * SECOND - 1);
    rig_assert_no_conn_error(r);
    watch_later(r, 1);
    rig_assert_conn_error(r, ISKRA_CONN_SCSI_EH_SESSION_RST);
    assert_int_equal(op.told_cnt, 1);
    assert_int_equal(op.outcome, ISKRA_EH_FAILED);
    assert_int_equal(cmds[0].done_cnt, 0); /* the session ends it */
    /* Quirk Q14: nothing more is asked until the next life. */
    iskra_eh_op_init(&op.op, told);
    op.told_cnt = 0;
    iskra_eh_device_reset(rig_session(r), &op.op, LUN_A);
    assert_told(r, ISKRA_EH_FAILED);
    r->event_cnt = 0;
    watch_relogin(r);
    assert_ended(&cmds[0], ISKRA_DID_TRANSPORT_DISRUPTED);
    op.told_cnt = 0;
    iskra_eh_device_reset(rig_session(r), &op.op, LUN_A);
    rig_run(r);
    answered(r, watch_sent_tmf(r).itt, 0, ISKRA_EH_SUCCESS);
    rig_free(r);
}

static void a_lun_reset_ends_the_commands_of_its_lun_and_no_others(void **state)
{
    struct rig *r = begin();
    (void)send_cmd(r, &cmds[0], LUN_A);
    uint32_t other = send_cmd(r, &cmds[1], LUN_B);
    (void)send_cmd(r, &cmds[2], LUN_A);
    iskra_eh_device_reset(rig_session(r), &op.op, LUN_A);
    rig_run(r);
    struct iskra_pdu_tmf pdu = watch_sent_tmf(r);
    assert_int_equal(pdu.function, ISKRA_TMF_LUN_RESET);
    assert_true(pdu.lun == LUN_A);
    assert_int_equal(pdu.ref_task_tag, ISKRA_RESERVED_TAG);
    answered(r, pdu.itt, 0, ISKRA_EH_SUCCESS);
    assert_ended(&cmds[0], ISKRA_DID_ERROR);
    assert_ended(&cmds[2], ISKRA_DID_ERROR);
    assert_int_equal(cmds[1].done_cnt, 0);
    good(r, other);
    assert_ended(&cmds[1], ISKRA_DID_OK);
    rig_free(r);
}

/* Spec 3.7 "TMF rule", decision 9. */
static void new_commands_wait_for_a_reset_of_their_lun_and_others_pass(void **state)
{
    static const uint8_t functions[] = {ISKRA_TMF_LUN_RESET, ISKRA_TMF_ABORT_TASK_SET};
    for (unsigned i = 0; i < 2; i++)
        for (uint8_t response = 0; response <= 5; response += 5) {
            struct rig *r = begin();
            if (functions[i] == ISKRA_TMF_LUN_RESET)
                iskra_eh_device_reset(rig_session(r), &op.op, LUN_A);
            else
                iskra_eh_abort_task_set(rig_session(r), &op.op, LUN_A);
            rig_run(r);
            struct iskra_pdu_tmf pdu = watch_sent_tmf(r);
            assert_int_equal(pdu.function, functions[i]);
            rig_queue_on_lun(r, &cmds[0], LUN_A);
            assert_false(rig_sent_any(r));
            rig_queue_on_lun(r, &cmds[1], LUN_B);
            assert_int_equal(rig_sent(r)[0] & 0x3f, ISKRA_OP_SCSI_CMD);
            assert_false(rig_sent_any(r));
            answered(r, pdu.itt, response, response == 0 ? ISKRA_EH_SUCCESS : ISKRA_EH_FAILED);
            if (response == 0) {
                assert_ended(&cmds[0], ISKRA_DID_ERROR);
                assert_false(rig_sent_any(r));
            } else {
                assert_int_equal(rig_sent(r)[0] & 0x3f, ISKRA_OP_SCSI_CMD);
                assert_int_equal(cmds[0].done_cnt, 0);
            }
            rig_free(r);
        }
}

static void a_target_reset_holds_everything_back_and_ends_it(void **state)
{
    for (int cold = 0; cold <= 1; cold++) {
        struct rig *r = begin();
        (void)send_cmd(r, &cmds[0], LUN_A);
        (cold ? iskra_eh_target_cold_reset : iskra_eh_target_reset)(rig_session(r), &op.op);
        rig_run(r);
        struct iskra_pdu_tmf pdu = watch_sent_tmf(r);
        assert_int_equal(pdu.function,
                         cold ? ISKRA_TMF_TARGET_COLD_RESET : ISKRA_TMF_TARGET_WARM_RESET);
        rig_queue_on_lun(r, &cmds[1], LUN_B);
        assert_false(rig_sent_any(r));
        answered(r, pdu.itt, 0, ISKRA_EH_SUCCESS);
        assert_ended(&cmds[0], ISKRA_DID_ERROR);
        assert_ended(&cmds[1], ISKRA_DID_ERROR);
        rig_free(r);
    }
}

static void a_cold_reset_that_ends_the_connection_waits_for_the_next(void **state)
{
    struct rig *r = begin();
    iskra_eh_target_cold_reset(rig_session(r), &op.op);
    rig_run(r);
    (void)watch_sent_tmf(r);
    iskra_conn_failure(rig_conn(r), ISKRA_CONN_TCP_CONN_CLOSE);
    rig_run(r);
    assert_int_equal(op.told_cnt, 0);
    watch_relogin(r);
    assert_told(r, ISKRA_EH_SUCCESS);
    rig_free(r);
}

static void data_out_waits_for_a_reset_only_with_fast_abort(void **state)
{
    for (int fast = 0; fast <= 1; fast++) {
        static struct write_cmd w;
        struct gen_keys keys = write_keys_default;
        struct rig *r = write_rig(&keys, 4);
        op.told_cnt = 0;
        iskra_eh_op_init(&op.op, told);
        rig_session(r)->params.fast_abort = fast != 0;
        write_init(r, &w, 8192, 3);
        write_queue(r, &w);
        rig_run(r);
        (void)write_expect_command(r, &keys, &w);
        iskra_eh_device_reset(rig_session(r), &op.op, w.cmd.cmnd.lun);
        rig_run(r);
        uint32_t itt = watch_sent_tmf(r).itt;
        write_feed_r2t(r, &w, 512, 512, NULL);
        rig_run(r);
        assert_int_equal(rig_sent_any(r), !fast);
        r->out_at = r->out_len;
        rig_answer_tmf(r, itt, 5);
        assert_int_equal(rig_sent_any(r), fast);
        rig_free(r);
    }
}

static void what_nobody_asks_for_any_more_is_done_all_the_same(void **state)
{
    struct rig *r = begin();
    (void)send_cmd(r, &cmds[0], LUN_A);
    iskra_eh_device_reset(rig_session(r), &op.op, LUN_A);
    rig_run(r);
    uint32_t itt = watch_sent_tmf(r).itt;
    iskra_eh_op_cancel(rig_session(r), &op.op);
    iskra_eh_op_cancel(rig_session(r), &op.op); /* idempotent */
    rig_answer_tmf(r, itt, 0);
    assert_ended(&cmds[0], ISKRA_DID_ERROR);
    assert_int_equal(op.told_cnt, 0);
    (void)send_cmd(r, &cmds[1], LUN_A);
    itt = ask_abort(r, &cmds[1]);
    iskra_eh_op_cancel(rig_session(r), &op.op);
    rig_answer_tmf(r, itt, 0);
    assert_ended(&cmds[1], ISKRA_DID_ABORT);
    assert_int_equal(op.told_cnt, 0);
    iskra_eh_abort(rig_session(r), &op.op, &cmds[1].cmnd);
    iskra_eh_op_cancel(rig_session(r), &op.op); /* the outcome is on its way */
    rig_run(r);
    assert_int_equal(op.told_cnt, 0);
    rig_free(r);
}

static void a_cancel_and_error_handling_share_one_abort(void **state)
{
    for (int cancel_first = 0; cancel_first <= 1; cancel_first++) {
        struct rig *r = begin();
        (void)send_cmd(r, &cmds[0], LUN_A);
        if (cancel_first)
            assert_int_equal(iskra_session_abort(rig_session(r), &cmds[0].cmnd), 0);
        iskra_eh_abort(rig_session(r), &op.op, &cmds[0].cmnd);
        if (!cancel_first)
            assert_int_equal(iskra_session_abort(rig_session(r), &cmds[0].cmnd), 0);
        rig_run(r);
        uint32_t itt = watch_sent_tmf(r).itt;
        assert_false(rig_sent_any(r));
        answered(r, itt, 1, ISKRA_EH_SUCCESS); /* who cancelled takes "no task" for an end */
        assert_ended(&cmds[0], ISKRA_DID_ABORT);
        rig_free(r);
    }
}

static const struct iskra_error why = {.code = ISKRA_E_TIMEOUT_SCSI, .text = "read(10): no answer"};

static void a_session_reset_waits_for_the_login(void **state)
{
    struct rig *r = begin();
    (void)send_cmd(r, &cmds[0], LUN_A);
    iskra_eh_session_reset(rig_session(r), &op.op, &why);
    rig_run(r);
    rig_assert_conn_error(r, ISKRA_CONN_SCSI_EH_SESSION_RST);
    assert_string_equal(r->events[0].why, why.text);
    assert_int_equal(op.told_cnt, 0);
    assert_int_equal(cmds[0].done_cnt, 0);
    watch_relogin(r);
    assert_ended(&cmds[0], ISKRA_DID_TRANSPORT_DISRUPTED);
    assert_told(r, ISKRA_EH_SUCCESS);
    rig_free(r);
}

static void a_session_reset_fails_when_recovery_does(void **state)
{
    for (int term = 0; term <= 1; term++) {
        struct rig *r = begin();
        iskra_eh_session_reset(rig_session(r), &op.op, &why);
        rig_run(r);
        assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
        rig_run(r);
        assert_int_equal(op.told_cnt, 0);
        if (term)
            assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
        else
            watch_later(r, 120 * SECOND);
        rig_run(r);
        assert_int_equal(op.told_cnt, 1);
        assert_int_equal(op.outcome, ISKRA_EH_FAILED);
        op.told_cnt = 0;
        iskra_eh_session_reset(rig_session(r), &op.op, &why); /* and there is nothing to reset */
        assert_told(r, ISKRA_EH_FAILED);
        rig_free(r);
    }
}

static void a_session_that_is_being_recovered_is_not_disturbed(void **state)
{
    struct rig *r = begin();
    iskra_conn_failure(rig_conn(r), ISKRA_CONN_FAILED);
    rig_run(r);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(rig_bind(r), 0);
    r->event_cnt = 0;
    iskra_eh_session_reset(rig_session(r), &op.op, &why);
    rig_run(r);
    rig_assert_no_conn_error(r);
    assert_int_equal(rig_start(r), 0);
    assert_told(r, ISKRA_EH_SUCCESS);
    rig_free(r);
}

static void an_operation_outlives_its_session(void **state)
{
    struct rig *r = begin();
    struct iskra_workq *work = &r->round.work;
    iskra_eh_session_reset(rig_session(r), &op.op, &why);
    rig_run(r);
    iskra_class_done(&r->cls);
    while (iskra_workq_run(work) > 0)
        ;
    assert_int_equal(op.told_cnt, 1);
    assert_int_equal(op.outcome, ISKRA_EH_FAILED);
    rig_free(r);
}

/* Its target logs in and then answers nothing: the devices stop waiting when the time is up, not
 * when the next connection is lost. */
static void the_replacement_timer_runs_until_the_devices_are_ready(void **state)
{
    struct rig *r = begin();
    r->devices_unsure = true;
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    watch_later(r, 50 * SECOND);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    watch_later(r, 50 * SECOND);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0); /* lost again: the same 120 s */
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    watch_later(r, 20 * SECOND - 1);
    assert_int_equal(r->offline_cnt, 0);
    watch_later(r, 1);
    assert_int_equal(r->offline_cnt, 1);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_LOGGED_IN);
    assert_int_equal(r->cls.state, ISKRA_CLASS_LOGGED_IN);
    iskra_class_ready(&r->cls);
    assert_true(iskra_timers_next_ns(&r->round.timers) == ISKRA_NEVER);
    rig_free(r);
}

static void devices_that_are_ready_too_late_for_their_session_do_not_stop_the_timer(void **state)
{
    struct rig *r = begin();
    r->devices_unsure = true;
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    iskra_class_ready(&r->cls);
    watch_later(r, 120 * SECOND);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_RECOVERY_FAILED);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_abort_that_is_complete_ends_the_command),
        cmocka_unit_test(an_abort_that_finds_no_task_fails_while_the_command_is_out),
        cmocka_unit_test(an_abort_that_is_refused_fails),
        cmocka_unit_test(an_answer_that_overtakes_the_abort_is_success),
        cmocka_unit_test(a_command_that_was_not_sent_needs_no_request),
        cmocka_unit_test(nothing_is_asked_of_a_session_that_is_not_up),
        cmocka_unit_test(a_request_without_an_answer_costs_the_connection),
        cmocka_unit_test(a_lun_reset_ends_the_commands_of_its_lun_and_no_others),
        cmocka_unit_test(new_commands_wait_for_a_reset_of_their_lun_and_others_pass),
        cmocka_unit_test(a_target_reset_holds_everything_back_and_ends_it),
        cmocka_unit_test(a_cold_reset_that_ends_the_connection_waits_for_the_next),
        cmocka_unit_test(data_out_waits_for_a_reset_only_with_fast_abort),
        cmocka_unit_test(what_nobody_asks_for_any_more_is_done_all_the_same),
        cmocka_unit_test(a_cancel_and_error_handling_share_one_abort),
        cmocka_unit_test(a_session_reset_waits_for_the_login),
        cmocka_unit_test(a_session_reset_fails_when_recovery_does),
        cmocka_unit_test(a_session_that_is_being_recovered_is_not_disturbed),
        cmocka_unit_test(an_operation_outlives_its_session),
        cmocka_unit_test(the_replacement_timer_runs_until_the_devices_are_ready),
        cmocka_unit_test(devices_that_are_ready_too_late_for_their_session_do_not_stop_the_timer),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
