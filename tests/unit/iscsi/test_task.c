/* Tags, the pool, references. */
#include "rig.h"

static void tag_is_index_and_age(void **state)
{
    struct rig *r = rig_new(16);
    struct iskra_session *s = rig_session(r);
    s->age = 0xa;
    struct iskra_task *task = iskra_task_alloc(s, rig_conn(r));
    assert_int_equal(task->tcp.itt, 0xa0000000u | task->index);
    assert_ptr_equal(iskra_itt_to_task(rig_conn(r), task->tcp.itt), task);
    iskra_complete_task(task, ISKRA_TASK_COMPLETED);
    rig_free(r);
}

static void acceptance_7_a_tag_of_another_age_is_refused(void **state)
{
    struct rig *r = rig_new(16);
    rig_session(r)->age = 3;
    for (uint32_t age = 0; age < 16; age++) {
        enum iskra_conn_error want = age == 3 ? ISKRA_CONN_OK : ISKRA_CONN_BAD_ITT;
        assert_int_equal(iskra_verify_itt(rig_conn(r), age << 28 | 5), want);
    }
    rig_free(r);
}

static void tag_beyond_the_table_is_refused(void **state)
{
    struct rig *r = rig_new(16);
    assert_int_equal(iskra_verify_itt(rig_conn(r), 15), ISKRA_CONN_OK);
    assert_int_equal(iskra_verify_itt(rig_conn(r), 16), ISKRA_CONN_BAD_ITT);
    assert_int_equal(iskra_verify_itt(rig_conn(r), 0x1fff), ISKRA_CONN_BAD_ITT);
    assert_null(iskra_itt_to_task(rig_conn(r), 16));
    rig_free(r);
}

static void tag_with_bits_that_we_never_set_is_refused(void **state)
{
    struct rig *r = rig_new(16);
    for (unsigned bit = 13; bit < 28; bit++)
        assert_int_equal(iskra_verify_itt(rig_conn(r), 1u << bit | 5), ISKRA_CONN_BAD_ITT);
    rig_free(r);
}

static void reserved_tag_is_fine_but_names_no_task(void **state)
{
    struct rig *r = rig_new(16);
    rig_session(r)->age = 9;
    assert_int_equal(iskra_verify_itt(rig_conn(r), ISKRA_RESERVED_TAG), ISKRA_CONN_OK);
    assert_null(iskra_itt_to_task(rig_conn(r), ISKRA_RESERVED_TAG));
    assert_null(iskra_itt_to_ctask(rig_conn(r), ISKRA_RESERVED_TAG));
    rig_free(r);
}

static void story_of_a_stale_tag_names_both_ages(void **state)
{
    struct rig *r = rig_new(16);
    rig_session(r)->age = 2;
    assert_int_equal(iskra_verify_itt(rig_conn(r), 0x10000004), ISKRA_CONN_BAD_ITT);
    assert_non_null(strstr(rig_conn(r)->tcp.error.text, "0x10000004 of age 1"));
    assert_non_null(strstr(rig_conn(r)->tcp.error.text, "is 2"));
    rig_free(r);
}

static void only_a_sent_scsi_task_is_found_as_one(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct iskra_conn *conn = rig_conn(r);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    struct iskra_task *task = cmd.cmnd.task;
    uint32_t itt = task->tcp.itt;
    assert_null(iskra_itt_to_ctask(conn, itt)); /* PENDING: the target cannot know it */
    rig_run(r);
    assert_ptr_equal(iskra_itt_to_ctask(conn, itt), task);
    assert_null(iskra_itt_to_ctask(conn, conn->login_task->index));
    assert_null(iskra_itt_to_ctask(conn, itt + 1)); /* FREE */
    cmd.cmnd.age = 1;
    assert_null(iskra_itt_to_ctask(conn, itt)); /* queued in another life */
    cmd.cmnd.age = 0;
    rig_free(r);
}

static void pool_is_first_in_first_out(void **state)
{
    struct rig *r = rig_new(16);
    struct iskra_session *s = rig_session(r);
    struct iskra_conn *conn = rig_conn(r);
    struct iskra_task *a = iskra_task_alloc(s, conn), *b = iskra_task_alloc(s, conn);
    uint32_t first = a->index, second = b->index;
    iskra_complete_task(b, ISKRA_TASK_COMPLETED);
    iskra_complete_task(a, ISKRA_TASK_COMPLETED);
    /* 15 are in the pool: 13 that were never taken, then b, then a. */
    struct iskra_task *all[15];
    for (int i = 0; i < 15; i++)
        all[i] = iskra_task_alloc(s, conn);
    assert_null(iskra_task_alloc(s, conn));
    assert_int_equal(all[13]->index, second);
    assert_int_equal(all[14]->index, first);
    for (int i = 0; i < 15; i++)
        iskra_complete_task(all[i], ISKRA_TASK_COMPLETED);
    rig_free(r);
}

static void scsi_done_waits_for_the_last_loan(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    (void)rig_queue_and_send(r, &cmd);
    struct iskra_task *task = cmd.cmnd.task;
    iskra_task_get(task);
    iskra_task_get(task);
    iskra_complete_task(task, ISKRA_TASK_COMPLETED);
    assert_int_equal(task->state, ISKRA_TASK_COMPLETED);
    assert_int_equal(cmd.done_cnt, 0);
    iskra_task_put(task);
    assert_int_equal(cmd.done_cnt, 0);
    iskra_task_put(task);
    assert_int_equal(cmd.done_cnt, 1);
    assert_true(cmd.task_was_gone);
    assert_int_equal(task->state, ISKRA_TASK_FREE);
    rig_free(r);
}

static void completing_twice_changes_nothing(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    (void)rig_queue_and_send(r, &cmd);
    struct iskra_task *task = cmd.cmnd.task;
    iskra_task_get(task);
    iskra_fail_scsi_task(task, ISKRA_DID_TIME_OUT);
    assert_int_equal(task->state, ISKRA_TASK_ABRT_TMF);
    iskra_complete_task(task, ISKRA_TASK_COMPLETED);
    iskra_fail_scsi_task(task, ISKRA_DID_ERROR);
    assert_int_equal(task->state, ISKRA_TASK_ABRT_TMF);
    iskra_task_put(task);
    assert_int_equal(cmd.done_cnt, 1);
    assert_int_equal(cmd.cmnd.result, ISKRA_RESULT(ISKRA_DID_TIME_OUT, 0));
    rig_free(r);
}

static void answer_to_a_failed_task_on_loan_does_not_change_its_result(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    uint32_t itt = rig_queue_and_send(r, &cmd);
    struct iskra_task *task = cmd.cmnd.task;
    iskra_task_get(task);
    iskra_fail_scsi_task(task, ISKRA_DID_TIME_OUT);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_assert_no_conn_error(r);
    iskra_task_put(task);
    assert_int_equal(cmd.cmnd.result, ISKRA_RESULT(ISKRA_DID_TIME_OUT, 0));
    rig_free(r);
}

static void failing_a_pending_task_gives_its_number_back(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct iskra_cmd_window *w = &rig_session(r)->window;
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 512);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    assert_int_equal(w->queued_cmd_sn, RIG_CMD_SN + 1);
    iskra_fail_scsi_task(cmd.cmnd.task, ISKRA_DID_ABORT);
    assert_int_equal(w->queued_cmd_sn, RIG_CMD_SN);
    assert_int_equal(w->cmd_sn, RIG_CMD_SN);
    assert_int_equal(cmd.done_cnt, 1);
    assert_int_equal(cmd.cmnd.residual, 512);
    rig_run(r);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void task_states_have_names(void **state)
{
    assert_string_equal(iskra_task_state_name(ISKRA_TASK_FREE), "FREE");
    assert_string_equal(iskra_task_state_name(ISKRA_TASK_ABRT_SESS_RECOV), "ABRT_SESS_RECOV");
    assert_string_equal(iskra_task_state_name(ISKRA_TASK_STATE_CNT), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(tag_is_index_and_age),
        cmocka_unit_test(acceptance_7_a_tag_of_another_age_is_refused),
        cmocka_unit_test(tag_beyond_the_table_is_refused),
        cmocka_unit_test(tag_with_bits_that_we_never_set_is_refused),
        cmocka_unit_test(reserved_tag_is_fine_but_names_no_task),
        cmocka_unit_test(story_of_a_stale_tag_names_both_ages),
        cmocka_unit_test(only_a_sent_scsi_task_is_found_as_one),
        cmocka_unit_test(pool_is_first_in_first_out),
        cmocka_unit_test(scsi_done_waits_for_the_last_loan),
        cmocka_unit_test(completing_twice_changes_nothing),
        cmocka_unit_test(answer_to_a_failed_task_on_loan_does_not_change_its_result),
        cmocka_unit_test(failing_a_pending_task_gives_its_number_back),
        cmocka_unit_test(task_states_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
