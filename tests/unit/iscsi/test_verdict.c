/* The timeout verdict: each of its rows, and how they follow each other. Which row decided is read
 * from the trace. */
#include "watch_rig.h"

#include <stdio.h>

#include "verdict.h"

static void note_row(void *arg, const struct iskra_trace_record *rec)
{
    if (rec->kind == ISKRA_TRACE_ENTER && rec->what == ISKRA_STEP_EH_CMD_TIMED_OUT)
        *(unsigned *)arg = rec->a;
}

/* The command's time is over: the row that decides. Its verdict has to be the table's. */
static unsigned look(struct rig *r, struct rig_cmd *cmd)
{
    unsigned row = 0;
    r->round.trace.fn = note_row;
    r->round.trace.fn_arg = &row;
    r->round.trace.steps = true;
    enum iskra_eh_verdict verdict = iskra_eh_cmd_timed_out(rig_session(r), &cmd->cmnd);
    r->round.trace.steps = false;
    assert_non_null(iskra_verdict_row_words(row));
    assert_int_equal(verdict, iskra_verdict_row_words(row)->verdict);
    rig_run(r);
    return row;
}

static struct rig_cmd cmds[3];

static uint32_t send_cmd(struct rig *r, struct rig_cmd *cmd)
{
    rig_cmd_init(r, cmd, ISKRA_DIR_READ, 4096);
    return rig_queue_and_send(r, cmd);
}

static void feed_data(struct rig *r, uint32_t itt, uint32_t data_sn)
{
    static const uint8_t data[512];
    struct iskra_pdu_data_in pdu = rig_data_in(r, itt, data_sn, data_sn * 512);
    pdu.final = false;
    rig_feed_data_in(r, &pdu, data, 512);
    rig_run(r);
}

static void row_1_the_answer_overtook_the_timer(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    rig_cmd_init(r, &cmds[0], ISKRA_DIR_NONE, 0);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_NO_TASK);
    rig_free(r);
}

static void row_2_ends_the_command_when_nobody_will_recover_the_session(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    (void)send_cmd(r, &cmds[0]);
    iskra_class_shut_down(&r->cls);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_MOVED); /* not while it is up */
    iskra_conn_failure(rig_conn(r), ISKRA_CONN_FAILED);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_SHUTTING_DOWN);
    assert_int_equal(cmds[0].done_cnt, 1);
    assert_int_equal(cmds[0].cmnd.result, ISKRA_RESULT(ISKRA_DID_NO_CONNECT, 0));
    rig_free(r);
}

static void row_2_waits_for_the_end_of_a_loan(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    r->room = 10;
    rig_cmd_init(r, &cmds[0], ISKRA_DIR_NONE, 0);
    assert_int_equal(rig_queue(&cmds[0]), ISKRA_QUEUED);
    rig_run(r); /* half sent */
    iskra_class_shut_down(&r->cls);
    iskra_conn_failure(rig_conn(r), ISKRA_CONN_FAILED);
    assert_int_equal(iskra_eh_cmd_timed_out(rig_session(r), &cmds[0].cmnd), ISKRA_EH_RESET_TIMER);
    assert_int_equal(cmds[0].done_cnt, 0);
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    assert_int_equal(cmds[0].done_cnt, 1);
    assert_int_equal(cmds[0].cmnd.result, ISKRA_RESULT(ISKRA_DID_NO_CONNECT, 0));
    rig_free(r);
}

static void row_3_recovery_decides(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    (void)send_cmd(r, &cmds[0]);
    iskra_conn_failure(rig_conn(r), ISKRA_CONN_FAILED);
    for (int i = 0; i < 10; i++)
        assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_NOT_LOGGED_IN);
    assert_int_equal(cmds[0].done_cnt, 0);
    rig_free(r);
}

static void row_4_without_a_connection(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    (void)send_cmd(r, &cmds[0]);
    struct iskra_conn *conn = rig_conn(r);
    rig_session(r)->leadconn = NULL;
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_NO_CONN);
    rig_session(r)->leadconn = conn;
    rig_free(r);
}

static void row_5_sending_and_receiving_are_progress_and_undo_the_check(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    uint32_t itt = send_cmd(r, &cmds[0]);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_MOVED); /* it was sent */
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_PING_SENT);
    assert_true(cmds[0].cmnd.task->have_checked_conn);
    feed_data(r, itt, 0);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_MOVED);
    assert_false(cmds[0].cmnd.task->have_checked_conn);
    rig_free(r);
}

static void row_6_without_pings_silence_is_enough(void **state)
{
    struct rig *r = watch_rig(0, 0);
    (void)send_cmd(r, &cmds[0]);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_MOVED);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_NO_PINGS);
    rig_free(r);
}

static void row_7_the_connection_is_about_to_fail(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    (void)send_cmd(r, &cmds[0]);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_MOVED);
    watch_later(r, 5 * SECOND);
    (void)watch_sent_ping(r);
    r->round.now_ns += 5 * SECOND; /* its timer comes later in this round */
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_PING_OVERDUE);
    rig_free(r);
}

/* Spec 6.4, check 4. */
static void row_8_the_younger_command_waits_while_the_older_one_moves(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    uint32_t older = send_cmd(r, &cmds[0]);
    (void)send_cmd(r, &cmds[1]);
    assert_int_equal(look(r, &cmds[1]), ISKRA_VERDICT_MOVED);
    for (uint32_t i = 0; i < 5; i++) {
        feed_data(r, older, i);
        assert_int_equal(look(r, &cmds[1]), ISKRA_VERDICT_OLDER_MOVES);
        assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_MOVED);
    }
    /* It stops: both get their verdicts, in the order of their age. */
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_PING_SENT);
    watch_answer(r, watch_sent_ping(r));
    assert_int_equal(look(r, &cmds[1]), ISKRA_VERDICT_PING_SENT);
    watch_answer(r, watch_sent_ping(r));
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_CHECKED);
    assert_int_equal(look(r, &cmds[1]), ISKRA_VERDICT_CHECKED);
    rig_free(r);
}

static void row_8_what_is_younger_does_not_count(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    (void)send_cmd(r, &cmds[0]);
    uint32_t younger = send_cmd(r, &cmds[1]);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_MOVED);
    feed_data(r, younger, 0);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_PING_SENT);
    watch_answer(r, watch_sent_ping(r));
    feed_data(r, younger, 1);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_CHECKED);
    rig_free(r);
}

static void row_10_a_ping_that_is_out_already_will_do(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    (void)send_cmd(r, &cmds[0]);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_MOVED);
    watch_later(r, 5 * SECOND);
    uint32_t itt = watch_sent_ping(r);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_PING_OUT);
    assert_false(rig_sent_any(r));
    watch_answer(r, itt);
    assert_int_equal(look(r, &cmds[0]), ISKRA_VERDICT_CHECKED);
    rig_free(r);
}

/* Spec 6.4, check 3, as far as the session's part goes: looks at 30, 60 and 90 s. */
static void a_silent_target_that_answers_pings_gets_three_looks(void **state)
{
    static const unsigned rows[] = {ISKRA_VERDICT_MOVED, ISKRA_VERDICT_PING_SENT,
                                    ISKRA_VERDICT_CHECKED};
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    (void)send_cmd(r, &cmds[0]);
    for (unsigned i = 0; i < 3; i++) {
        for (unsigned s = 0; s < 30; s++) {
            watch_later(r, SECOND);
            while (rig_sent_any(r))
                watch_answer(r, watch_sent_ping(r));
        }
        assert_int_equal(look(r, &cmds[0]), rows[i]);
    }
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void every_row_has_its_number_in_its_name(void **state)
{
    for (unsigned row = 1; row < ISKRA_VERDICT_ROW_CNT; row++) {
        char number[8];
        snprintf(number, sizeof(number), "%u: ", row);
        assert_memory_equal(iskra_verdict_row_words(row)->word, number, strlen(number));
        assert_string_equal(iskra_step_detail_word(ISKRA_STEP_EH_CMD_TIMED_OUT, row),
                            iskra_verdict_row_words(row)->word);
    }
    assert_int_equal(ISKRA_VERDICT_ROW_CNT - 1, 11);
    assert_null(iskra_verdict_row_words(0));
    assert_null(iskra_verdict_row_words(ISKRA_VERDICT_ROW_CNT));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(row_1_the_answer_overtook_the_timer),
        cmocka_unit_test(row_2_ends_the_command_when_nobody_will_recover_the_session),
        cmocka_unit_test(row_2_waits_for_the_end_of_a_loan),
        cmocka_unit_test(row_3_recovery_decides),
        cmocka_unit_test(row_4_without_a_connection),
        cmocka_unit_test(row_5_sending_and_receiving_are_progress_and_undo_the_check),
        cmocka_unit_test(row_6_without_pings_silence_is_enough),
        cmocka_unit_test(row_7_the_connection_is_about_to_fail),
        cmocka_unit_test(row_8_the_younger_command_waits_while_the_older_one_moves),
        cmocka_unit_test(row_8_what_is_younger_does_not_count),
        cmocka_unit_test(row_10_a_ping_that_is_out_already_will_do),
        cmocka_unit_test(a_silent_target_that_answers_pings_gets_three_looks),
        cmocka_unit_test(every_row_has_its_number_in_its_name),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
