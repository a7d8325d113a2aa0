/* queuecommand: every row of its table, and what an accepted command leads to. */
#include "rig.h"

/* Queues one command, expects it to be answered by the session itself, from the round's work. */
static void expect_answer(struct rig *r, uint8_t host_byte)
{
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 4096);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    assert_int_equal(cmd.done_cnt, 0); /* not from inside */
    rig_run(r);
    assert_int_equal(cmd.done_cnt, 1);
    assert_string_equal(iskra_host_byte_name(ISKRA_RESULT_HOST(cmd.cmnd.result)),
                        iskra_host_byte_name(host_byte));
    assert_int_equal(ISKRA_RESULT_STATUS(cmd.cmnd.result), 0);
    assert_int_equal(cmd.cmnd.residual, 4096);
    assert_true(cmd.task_was_gone);
    assert_false(rig_sent_any(r));
    assert_int_equal(rig_session(r)->window.queued_cmd_sn, RIG_CMD_SN);
}

static void class_failed_means_retry_at_once(void **state)
{
    struct rig *r = rig_logged_in(32);
    r->cls.state = ISKRA_CLASS_FAILED;
    expect_answer(r, ISKRA_DID_IMM_RETRY);
    rig_free(r);
}

static void class_free_means_failfast(void **state)
{
    struct rig *r = rig_logged_in(32);
    r->cls.state = ISKRA_CLASS_FREE;
    expect_answer(r, ISKRA_DID_TRANSPORT_FAILFAST);
    rig_free(r);
}

static void each_session_state_has_its_answer(void **state)
{
    static const struct {
        enum iskra_session_state state;
        uint8_t host_byte;
    } rows[] = {
        {ISKRA_SESSION_FAILED, ISKRA_DID_IMM_RETRY},
        {ISKRA_SESSION_IN_RECOVERY, ISKRA_DID_IMM_RETRY},
        {ISKRA_SESSION_LOGGING_OUT, ISKRA_DID_IMM_RETRY},
        {ISKRA_SESSION_RECOVERY_FAILED, ISKRA_DID_TRANSPORT_FAILFAST},
        {ISKRA_SESSION_TERMINATE, ISKRA_DID_NO_CONNECT},
        {ISKRA_SESSION_FREE, ISKRA_DID_NO_CONNECT},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *r = rig_logged_in(32);
        rig_session(r)->state = rows[i].state;
        expect_answer(r, rows[i].host_byte);
        rig_free(r);
    }
}

static void class_state_is_looked_at_first(void **state)
{
    struct rig *r = rig_logged_in(32);
    r->cls.state = ISKRA_CLASS_FAILED;
    rig_session(r)->state = ISKRA_SESSION_TERMINATE;
    expect_answer(r, ISKRA_DID_IMM_RETRY);
    rig_free(r);
}

static void without_a_lead_connection_there_is_no_connect(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_session(r)->leadconn = NULL;
    expect_answer(r, ISKRA_DID_NO_CONNECT);
    rig_free(r);
}

static void suspended_sending_is_said_in_the_host_byte(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_conn(r)->tx_suspended = true;
    expect_answer(r, ISKRA_DID_REQUEUE);
    rig_free(r);
}

static void closed_window_is_target_busy(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_session(r)->window.max_cmd_sn = RIG_CMD_SN - 1;
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 512);
    assert_int_equal(rig_queue(&cmd), ISKRA_TARGET_BUSY);
    rig_run(r);
    assert_int_equal(cmd.done_cnt, 0);
    assert_null(cmd.cmnd.task);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void acceptance_8_a_window_of_one_lets_one_out_at_a_time(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_session(r)->window.max_cmd_sn = RIG_CMD_SN;
    static struct rig_cmd a, b;
    rig_cmd_init(r, &a, ISKRA_DIR_NONE, 0);
    rig_cmd_init(r, &b, ISKRA_DIR_NONE, 0);
    uint32_t itt = rig_queue_and_send(r, &a);
    assert_int_equal(rig_queue(&b), ISKRA_TARGET_BUSY);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rsp.max_cmd_sn = RIG_CMD_SN + 1;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    assert_int_equal(a.done_cnt, 1);
    assert_int_equal(rig_queue(&b), ISKRA_QUEUED);
    rig_free(r);
}

static void management_tasks_are_kept_back(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct iskra_session *s = rig_session(r);
    assert_int_equal(s->scsi_cmds_room, 32 - 15);
    static struct rig_cmd cmds[18];
    for (int i = 0; i < 18; i++) {
        rig_cmd_init(r, &cmds[i], ISKRA_DIR_NONE, 0);
        assert_int_equal(rig_queue(&cmds[i]), i < 17 ? ISKRA_QUEUED : ISKRA_TARGET_BUSY);
    }
    assert_false(iskra_list_empty(&s->pool));
    rig_free(r);
}

static void empty_pool_is_target_busy(void **state)
{
    struct rig *r = rig_logged_in(16);
    struct iskra_session *s = rig_session(r);
    struct iskra_task *taken[16];
    int cnt = 0;
    while ((taken[cnt] = iskra_task_alloc(s, rig_conn(r))) != NULL)
        cnt++;
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    assert_int_equal(rig_queue(&cmd), ISKRA_TARGET_BUSY);
    while (cnt > 0)
        iskra_complete_task(taken[--cnt], ISKRA_TASK_COMPLETED);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    rig_free(r);
}

static void accepted_command_is_numbered_and_stamped(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_session(r)->age = 6;
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 4096);
    cmd.cmnd.iov_skip = 100;
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    assert_int_equal(cmd.cmnd.age, 6);
    assert_int_equal(cmd.cmnd.task->state, ISKRA_TASK_PENDING);
    assert_int_equal(cmd.cmnd.task->tcp.sg.offset, 100);
    assert_int_equal(rig_session(r)->window.queued_cmd_sn, RIG_CMD_SN + 1);
    assert_int_equal(rig_session(r)->window.cmd_sn, RIG_CMD_SN); /* given out when it is built */
    assert_false(rig_sent_any(r));                               /* nor sent from inside */
    rig_run(r);
    assert_int_equal(rig_session(r)->window.cmd_sn, RIG_CMD_SN + 1);
    rig_free(r);
}

static void nothing_is_allocated_for_a_command(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    unsigned before = r->alloc_cnt;
    for (int i = 0; i < 100; i++) {
        rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
        struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, rig_queue_and_send(r, &cmd), 0);
        rsp.exp_cmd_sn++;
        rsp.max_cmd_sn++;
        rig_feed_scsi_rsp(r, &rsp, NULL, 0);
        assert_int_equal(cmd.done_cnt, 1);
    }
    assert_int_equal(r->alloc_cnt, before);
    rig_free(r);
}

static void refused_commands_still_get_their_answer_when_the_session_ends(void **state)
{
    struct rig *r = rig_logged_in(32);
    r->cls.state = ISKRA_CLASS_FAILED;
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    iskra_class_done(&r->cls);
    assert_int_equal(cmd.done_cnt, 1);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(class_failed_means_retry_at_once),
        cmocka_unit_test(class_free_means_failfast),
        cmocka_unit_test(each_session_state_has_its_answer),
        cmocka_unit_test(class_state_is_looked_at_first),
        cmocka_unit_test(without_a_lead_connection_there_is_no_connect),
        cmocka_unit_test(suspended_sending_is_said_in_the_host_byte),
        cmocka_unit_test(closed_window_is_target_busy),
        cmocka_unit_test(acceptance_8_a_window_of_one_lets_one_out_at_a_time),
        cmocka_unit_test(management_tasks_are_kept_back),
        cmocka_unit_test(empty_pool_is_target_busy),
        cmocka_unit_test(accepted_command_is_numbered_and_stamped),
        cmocka_unit_test(nothing_is_allocated_for_a_command),
        cmocka_unit_test(refused_commands_still_get_their_answer_when_the_session_ends),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
