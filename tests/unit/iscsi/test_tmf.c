/* Task management: what is sent, and every way in which a request and the command that it is about
 * end. */
#include "write_rig.h"

#include <errno.h>

#include "iscsi/tmf.h"

#define SECOND        UINT64_C(1000000000)
#define ABORT_TIMEOUT 10 /* seconds, the session's own default */

static int abort_cmd(struct rig *r, struct rig_cmd *cmd)
{
    int rc = iskra_session_abort(rig_session(r), &cmd->cmnd);
    rig_run(r);
    return rc;
}

/* The next PDU sent is a task management request. */
static struct iskra_pdu_tmf sent_tmf(struct rig *r)
{
    const uint8_t *hdr = rig_sent(r);
    assert_int_equal(hdr[0], ISKRA_OP_TMF | ISKRA_OP_IMMEDIATE);
    struct iskra_pdu_tmf pdu;
    iskra_tmf_decode(hdr, &pdu);
    return pdu;
}

static void good(struct rig *r, uint32_t itt)
{
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rsp.underflow = true;
    rsp.residual = 512;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_run(r);
}

static void later(struct rig *r, uint64_t ns)
{
    r->round.now_ns += ns;
    iskra_timers_run(&r->round.timers, r->round.now_ns);
    rig_run(r);
}

static struct rig *with_read(struct rig_cmd *cmd, uint32_t *ret_itt)
{
    struct rig *r = rig_logged_in(32);
    rig_cmd_init(r, cmd, ISKRA_DIR_READ, 512);
    *ret_itt = rig_queue_and_send(r, cmd);
    return r;
}

static void assert_ended(const struct rig_cmd *cmd, enum iskra_host_byte host_byte)
{
    assert_int_equal(cmd->done_cnt, 1);
    assert_int_equal(cmd->cmnd.result, ISKRA_RESULT(host_byte, 0));
}

static void ffp_19_1_tmf_is_immediate_and_carries_the_next_cmd_sn(void **state)
{
    static struct rig_cmd cmd, next;
    uint32_t itt;
    struct rig *r = with_read(&cmd, &itt);
    assert_int_equal(abort_cmd(r, &cmd), 0);
    struct iskra_pdu_tmf pdu = sent_tmf(r);
    assert_int_equal(pdu.function, ISKRA_TMF_ABORT_TASK);
    assert_true(pdu.immediate);
    assert_int_equal(pdu.cmd_sn, RIG_CMD_SN + 1);
    assert_int_equal(pdu.exp_stat_sn, RIG_STAT_SN);
    assert_int_not_equal(pdu.itt, itt);
    rig_cmd_init(r, &next, ISKRA_DIR_NONE, 0);
    assert_int_equal(rig_queue(&next), ISKRA_QUEUED);
    rig_run(r);
    assert_int_equal(iskra_get_be32(rig_sent(r) + 24), RIG_CMD_SN + 1); /* not used up */
    rig_free(r);
}

static void ffp_19_2_tmf_carries_the_lun_of_its_command(void **state)
{
    static struct rig_cmd cmd;
    struct rig *r = rig_logged_in(32);
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 512);
    cmd.cmnd.lun = UINT64_C(0x4123000000000000);
    uint32_t itt = rig_queue_and_send(r, &cmd);
    assert_int_equal(abort_cmd(r, &cmd), 0);
    struct iskra_pdu_tmf pdu = sent_tmf(r);
    assert_true(pdu.lun == UINT64_C(0x4123000000000000));
    assert_int_equal(pdu.ref_task_tag, itt);
    rig_free(r);
}

static void ffp_19_3_abort_task_carries_the_cmd_sn_of_its_command(void **state)
{
    static struct rig_cmd cmds[5];
    struct rig *r = rig_logged_in(32);
    for (int i = 0; i < 5; i++) {
        rig_cmd_init(r, &cmds[i], ISKRA_DIR_READ, 512);
        (void)rig_queue_and_send(r, &cmds[i]);
    }
    assert_int_equal(abort_cmd(r, &cmds[3]), 0);
    struct iskra_pdu_tmf pdu = sent_tmf(r);
    assert_int_equal(pdu.ref_cmd_sn, RIG_CMD_SN + 3);
    assert_int_equal(pdu.cmd_sn, RIG_CMD_SN + 5);
    rig_free(r);
}

static void an_abort_that_is_complete_or_finds_no_task_ends_the_command(void **state)
{
    for (uint8_t response = 0; response <= 1; response++) {
        static struct rig_cmd cmd;
        uint32_t itt;
        struct rig *r = with_read(&cmd, &itt);
        assert_int_equal(abort_cmd(r, &cmd), 0);
        assert_int_equal(cmd.done_cnt, 0); /* not before the target has said so */
        rig_answer_tmf(r, sent_tmf(r).itt, response);
        assert_ended(&cmd, ISKRA_DID_ABORT);
        assert_int_equal(cmd.cmnd.residual, 512);
        assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 1);
        later(r, 100 * SECOND);
        rig_assert_no_conn_error(r);
        assert_int_equal(r->event_cnt, 0); /* nothing of the control plane's */
        rig_free(r);
    }
}

static void an_abort_that_is_refused_leaves_the_command_to_itself(void **state)
{
    static const uint8_t responses[] = {2, 3, 4, 5, 6, 7, 254, 255};
    for (size_t i = 0; i < sizeof(responses); i++) {
        static struct rig_cmd cmd;
        uint32_t itt;
        struct rig *r = with_read(&cmd, &itt);
        assert_int_equal(abort_cmd(r, &cmd), 0);
        rig_answer_tmf(r, sent_tmf(r).itt, responses[i]);
        later(r, 100 * SECOND);
        assert_int_equal(cmd.done_cnt, 0);
        rig_assert_no_conn_error(r);
        good(r, itt);
        assert_ended(&cmd, ISKRA_DID_OK);
        rig_free(r);
    }
}

static void a_rejected_abort_leaves_the_command_to_itself(void **state)
{
    static struct rig_cmd cmd;
    uint32_t itt;
    struct rig *r = with_read(&cmd, &itt);
    assert_int_equal(abort_cmd(r, &cmd), 0);
    rig_feed_reject(r, 0x05, rig_sent(r), ISKRA_BHS_LEN);
    later(r, 100 * SECOND);
    assert_int_equal(cmd.done_cnt, 0);
    assert_int_equal(r->event_cnt, 0);
    good(r, itt);
    assert_ended(&cmd, ISKRA_DID_OK);
    rig_free(r);
}

static void a_status_that_comes_first_wins(void **state)
{
    static struct rig_cmd cmd, other;
    uint32_t itt;
    struct rig *r = with_read(&cmd, &itt);
    assert_int_equal(abort_cmd(r, &cmd), 0);
    uint32_t tmf_itt = sent_tmf(r).itt;
    good(r, itt);
    assert_ended(&cmd, ISKRA_DID_OK);
    memset(&cmd, 0xee, sizeof(cmd)); /* nobody touches it any more */
    rig_cmd_init(r, &other, ISKRA_DIR_READ, 512);
    uint32_t other_itt = rig_queue_and_send(r, &other);
    rig_answer_tmf(r, tmf_itt, 1);
    assert_int_equal(other.done_cnt, 0);
    good(r, other_itt);
    assert_ended(&other, ISKRA_DID_OK);
    later(r, 100 * SECOND);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void an_abort_that_was_not_sent_yet_is_not_sent_when_its_command_ends(void **state)
{
    static struct rig_cmd cmds[2];
    uint32_t itts[2];
    struct rig *r = rig_logged_in(32);
    for (int i = 0; i < 2; i++) {
        rig_cmd_init(r, &cmds[i], ISKRA_DIR_READ, 512);
        itts[i] = rig_queue_and_send(r, &cmds[i]);
    }
    assert_int_equal(iskra_session_abort(rig_session(r), &cmds[0].cmnd), 0);
    assert_int_equal(iskra_session_abort(rig_session(r), &cmds[1].cmnd), 0);
    for (int i = 0; i < 2; i++) { /* the first is in the queue, the second waits for its turn */
        struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itts[i], 0);
        rsp.underflow = true;
        rsp.residual = 512;
        rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    }
    rig_run(r);
    assert_ended(&cmds[0], ISKRA_DID_OK);
    assert_ended(&cmds[1], ISKRA_DID_OK);
    assert_false(rig_sent_any(r));
    later(r, 100 * SECOND);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void a_command_that_was_not_sent_is_taken_back_without_a_word(void **state)
{
    static struct rig_cmd cmd;
    struct rig *r = rig_logged_in(32);
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 512);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    assert_int_equal(iskra_session_abort(rig_session(r), &cmd.cmnd), 0);
    assert_ended(&cmd, ISKRA_DID_ABORT);
    rig_run(r);
    assert_false(rig_sent_any(r));
    assert_int_equal(rig_session(r)->window.queued_cmd_sn, RIG_CMD_SN);
    assert_int_equal(iskra_session_abort(rig_session(r), &cmd.cmnd), -EALREADY);
    rig_free(r);
}

static void one_request_is_out_at_a_time_and_each_has_its_turn(void **state)
{
    enum {
        CNT = 20
    };
    static struct rig_cmd cmds[CNT];
    uint32_t itts[CNT];
    struct rig *r = rig_logged_in(64);
    for (int i = 0; i < CNT; i++) {
        rig_cmd_init(r, &cmds[i], ISKRA_DIR_READ, 512);
        itts[i] = rig_queue_and_send(r, &cmds[i]);
    }
    for (int i = 0; i < CNT; i++) {
        assert_int_equal(abort_cmd(r, &cmds[i]), 0);
        assert_int_equal(abort_cmd(r, &cmds[i]), 0); /* twice is once */
    }
    for (int i = 0; i < CNT; i++) {
        struct iskra_pdu_tmf pdu = sent_tmf(r);
        assert_int_equal(pdu.ref_task_tag, itts[i]);
        assert_false(rig_sent_any(r));
        later(r, 5 * SECOND); /* each has its own time */
        rig_answer_tmf(r, pdu.itt, 0);
        assert_ended(&cmds[i], ISKRA_DID_ABORT);
    }
    assert_false(rig_sent_any(r));
    later(r, 100 * SECOND);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void an_abort_without_an_answer_costs_the_connection(void **state)
{
    static struct rig_cmd cmds[2];
    struct rig *r = rig_logged_in(32);
    for (int i = 0; i < 2; i++) {
        rig_cmd_init(r, &cmds[i], ISKRA_DIR_READ, 512);
        (void)rig_queue_and_send(r, &cmds[i]);
        assert_int_equal(abort_cmd(r, &cmds[i]), 0);
    }
    later(r, ABORT_TIMEOUT * SECOND - 1);
    assert_int_equal(r->event_cnt, 0);
    later(r, 1);
    rig_assert_conn_error(r, ISKRA_CONN_SCSI_EH_SESSION_RST);
    assert_string_equal(r->events[0].why, "no answer to ABORT TASK within 10 s");
    assert_int_equal(cmds[0].done_cnt, 0);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    for (int i = 0; i < 2; i++)
        assert_ended(&cmds[i], ISKRA_DID_TRANSPORT_DISRUPTED);
    rig_free(r);
}

static void an_abort_that_cannot_be_sent_costs_the_connection(void **state)
{
    struct gen_keys keys = write_keys_default;
    static struct write_cmd w;
    struct rig *r = write_rig(&keys, 1);
    r->room = 100; /* the middle of its immediate data */
    write_init(r, &w, 512, 1);
    write_queue(r, &w);
    rig_run(r);
    assert_int_equal(abort_cmd(r, &w.cmd), 0);
    later(r, ABORT_TIMEOUT * SECOND);
    rig_assert_conn_error(r, ISKRA_CONN_SCSI_EH_SESSION_RST);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_ended(&w.cmd, ISKRA_DID_TRANSPORT_DISRUPTED);
    rig_free(r);
}

static void a_session_that_ends_meanwhile_ends_them_all_once(void **state)
{
    enum {
        CNT = 6
    };
    static struct rig_cmd cmds[CNT];
    struct rig *r = rig_logged_in(32);
    for (int i = 0; i < CNT; i++) {
        rig_cmd_init(r, &cmds[i], ISKRA_DIR_READ, 512);
        (void)rig_queue_and_send(r, &cmds[i]);
        if (i % 2 == 0)
            assert_int_equal(abort_cmd(r, &cmds[i]), 0);
    }
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    rig_run(r);
    for (int i = 0; i < CNT; i++)
        assert_ended(&cmds[i], ISKRA_DID_TRANSPORT_DISRUPTED);
    later(r, 100 * SECOND);
    /* and the next life begins without them */
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    iskra_window_update(&rig_session(r)->window, RIG_CMD_SN, RIG_CMD_SN + 31);
    r->out_at = r->out_len;
    rig_cmd_init(r, &cmds[0], ISKRA_DIR_READ, 512);
    (void)rig_queue_and_send(r, &cmds[0]);
    assert_int_equal(abort_cmd(r, &cmds[0]), 0);
    rig_answer_tmf(r, sent_tmf(r).itt, 0);
    assert_ended(&cmds[0], ISKRA_DID_ABORT);
    rig_free(r);
}

static void an_answer_under_another_tag_loses_the_connection(void **state)
{
    static struct rig_cmd cmd;
    uint32_t itt;
    struct rig *r = with_read(&cmd, &itt);
    assert_int_equal(abort_cmd(r, &cmd), 0);
    rig_answer_tmf(r, itt, 0); /* the command's own */
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    assert_int_equal(cmd.done_cnt, 0);
    rig_free(r);
}

static void data_that_comes_before_the_answer_is_taken(void **state)
{
    static struct rig_cmd cmd;
    uint32_t itt;
    uint8_t bytes[256];
    memset(bytes, 0x5a, sizeof(bytes));
    struct rig *r = with_read(&cmd, &itt);
    assert_int_equal(abort_cmd(r, &cmd), 0);
    struct iskra_pdu_data_in pdu = rig_data_in(r, itt, 0, 0);
    rig_feed_data_in(r, &pdu, bytes, sizeof(bytes));
    rig_answer_tmf(r, sent_tmf(r).itt, 0);
    assert_ended(&cmd, ISKRA_DID_ABORT);
    assert_memory_equal(cmd.data, bytes, sizeof(bytes));
    rig_assert_no_conn_error(r);
    rig_free(r);
}

/* A write with one R2T answered as far as the ring takes it, and more of it to come. */
static struct rig *with_write(struct write_cmd *w)
{
    struct gen_keys keys = write_keys_default;
    struct rig *r = write_rig(&keys, 4);
    write_init(r, w, 8192, 3);
    write_queue(r, w);
    rig_run(r);
    (void)write_expect_command(r, &keys, w);
    return r;
}

static void acceptance_10_no_data_out_follows_an_abort(void **state)
{
    static struct write_cmd w;
    struct rig *r = with_write(&w);
    write_feed_r2t(r, &w, 512, 4096, NULL); /* not answered yet: the worker has not run */
    assert_int_equal(iskra_session_abort(rig_session(r), &w.cmd.cmnd), 0);
    write_feed_r2t(r, &w, 4608, 1024, NULL); /* it does not know yet */
    rig_run(r);
    uint32_t tmf_itt = sent_tmf(r).itt;
    assert_false(rig_sent_any(r));
    rig_answer_tmf(r, tmf_itt, 0);
    assert_ended(&w.cmd, ISKRA_DID_ABORT);
    assert_false(rig_sent_any(r));
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void a_write_whose_abort_is_refused_goes_on_where_it_was(void **state)
{
    static struct write_cmd w;
    struct gen_r2t first, second;
    struct gen_keys keys = write_keys_default;
    struct rig *r = with_write(&w);
    write_feed_r2t(r, &w, 512, 4096, &first);
    assert_int_equal(iskra_session_abort(rig_session(r), &w.cmd.cmnd), 0);
    write_feed_r2t(r, &w, 4608, 3584, &second);
    rig_run(r);
    uint32_t tmf_itt = sent_tmf(r).itt;
    assert_false(rig_sent_any(r));
    rig_answer_tmf(r, tmf_itt, 5);
    w.gen.exp_stat_sn = rig_conn(r)->exp_stat_sn;
    write_expect_answer(r, &keys, &w, &first);
    write_expect_answer(r, &keys, &w, &second);
    write_finish(r, &w);
    rig_free(r);
}

static void unsolicited_data_stays_in_its_place_before_the_abort(void **state)
{
    struct gen_keys keys = write_keys_default;
    keys.initial_r2t = false;
    static struct write_cmd w;
    struct rig *r = write_rig(&keys, 1);
    r->room = 0;
    write_init(r, &w, 2048, 5);
    write_queue(r, &w);
    rig_run(r);
    assert_int_equal(abort_cmd(r, &w.cmd), 0);
    write_socket_takes(r, SIZE_MAX);
    (void)write_expect_command(r, &keys, &w); /* with its unsolicited Data-Out, F and all */
    rig_answer_tmf(r, sent_tmf(r).itt, 0);
    assert_ended(&w.cmd, ISKRA_DID_ABORT);
    rig_free(r);
}

/* Whoever asks first is answered; done waits for the half that is still being sent. */
static void a_half_sent_pdu_is_waited_for(void **state)
{
    struct gen_keys keys = write_keys_default;
    static struct write_cmd w;
    struct rig *r = write_rig(&keys, 1);
    r->room = 100;
    write_init(r, &w, 512, 1);
    write_queue(r, &w);
    rig_run(r);
    uint32_t itt = w.gen.itt;
    assert_int_equal(abort_cmd(r, &w.cmd), 0);
    good(r, itt); /* a status without all data: the target gave up early */
    assert_int_equal(w.cmd.done_cnt, 0);
    write_socket_takes(r, SIZE_MAX);
    assert_int_equal(w.cmd.done_cnt, 1);
    assert_false(w.cmd.cmnd.task);
    later(r, 100 * SECOND);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static unsigned told_cnt;
static enum iskra_tmf_outcome told_outcome;

static void told(struct iskra_tmf *tmf, enum iskra_tmf_outcome outcome)
{
    told_cnt++;
    told_outcome = outcome;
}

static void resets_name_no_task_and_those_of_the_target_no_lun(void **state)
{
    static const uint8_t functions[] = {ISKRA_TMF_ABORT_TASK_SET, ISKRA_TMF_LUN_RESET,
                                        ISKRA_TMF_TARGET_WARM_RESET, ISKRA_TMF_TARGET_COLD_RESET};
    const uint64_t lun = UINT64_C(0x0005000000000000);
    struct rig *r = rig_logged_in(32);
    for (size_t i = 0; i < sizeof(functions); i++) {
        struct iskra_tmf tmf = {.function = functions[i], .lun = lun, .told = told};
        iskra_list_init(&tmf.link);
        told_cnt = 0;
        assert_int_equal(iskra_tmf_submit(rig_session(r), &tmf), 0);
        rig_run(r);
        struct iskra_pdu_tmf pdu = sent_tmf(r);
        assert_int_equal(pdu.function, functions[i]);
        assert_true(pdu.lun == (i < 2 ? lun : 0));
        assert_int_equal(pdu.ref_task_tag, ISKRA_RESERVED_TAG);
        assert_int_equal(pdu.ref_cmd_sn, 0);
        rig_answer_tmf(r, pdu.itt, 0);
        assert_int_equal(told_cnt, 1);
        assert_int_equal(told_outcome, ISKRA_TMF_COMPLETE);
    }
    rig_free(r);
}

static void each_function_has_its_own_time(void **state)
{
    static const struct {
        uint8_t function;
        uint32_t s;
    } rows[] = {{ISKRA_TMF_ABORT_TASK_SET, 10},
                {ISKRA_TMF_LUN_RESET, 15},
                {ISKRA_TMF_TARGET_WARM_RESET, 30},
                {ISKRA_TMF_TARGET_COLD_RESET, 30}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *r = rig_logged_in(32);
        struct iskra_tmf tmf = {.function = rows[i].function, .told = told};
        iskra_list_init(&tmf.link);
        told_cnt = 0;
        assert_int_equal(iskra_tmf_submit(rig_session(r), &tmf), 0);
        rig_run(r);
        later(r, rows[i].s * SECOND - 1);
        assert_int_equal(told_cnt, 0);
        later(r, 1);
        assert_int_equal(told_cnt, 1);
        assert_int_equal(told_outcome, ISKRA_TMF_TIMED_OUT);
        rig_assert_conn_error(r, ISKRA_CONN_SCSI_EH_SESSION_RST);
        rig_free(r);
    }
}

static void those_that_wait_are_told_when_the_session_ends(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct iskra_tmf tmfs[3];
    told_cnt = 0;
    for (int i = 0; i < 3; i++) {
        tmfs[i] = (struct iskra_tmf){.function = ISKRA_TMF_LUN_RESET, .told = told};
        iskra_list_init(&tmfs[i].link);
        assert_int_equal(iskra_tmf_submit(rig_session(r), &tmfs[i]), 0);
    }
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    assert_int_equal(told_cnt, 3);
    assert_int_equal(told_outcome, ISKRA_TMF_LOST);
    assert_int_equal(iskra_tmf_submit(rig_session(r), &tmfs[0]), -ENOTCONN);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ffp_19_1_tmf_is_immediate_and_carries_the_next_cmd_sn),
        cmocka_unit_test(ffp_19_2_tmf_carries_the_lun_of_its_command),
        cmocka_unit_test(ffp_19_3_abort_task_carries_the_cmd_sn_of_its_command),
        cmocka_unit_test(an_abort_that_is_complete_or_finds_no_task_ends_the_command),
        cmocka_unit_test(an_abort_that_is_refused_leaves_the_command_to_itself),
        cmocka_unit_test(a_rejected_abort_leaves_the_command_to_itself),
        cmocka_unit_test(a_status_that_comes_first_wins),
        cmocka_unit_test(an_abort_that_was_not_sent_yet_is_not_sent_when_its_command_ends),
        cmocka_unit_test(a_command_that_was_not_sent_is_taken_back_without_a_word),
        cmocka_unit_test(one_request_is_out_at_a_time_and_each_has_its_turn),
        cmocka_unit_test(an_abort_without_an_answer_costs_the_connection),
        cmocka_unit_test(an_abort_that_cannot_be_sent_costs_the_connection),
        cmocka_unit_test(a_session_that_ends_meanwhile_ends_them_all_once),
        cmocka_unit_test(an_answer_under_another_tag_loses_the_connection),
        cmocka_unit_test(data_that_comes_before_the_answer_is_taken),
        cmocka_unit_test(acceptance_10_no_data_out_follows_an_abort),
        cmocka_unit_test(a_write_whose_abort_is_refused_goes_on_where_it_was),
        cmocka_unit_test(unsolicited_data_stays_in_its_place_before_the_abort),
        cmocka_unit_test(a_half_sent_pdu_is_waited_for),
        cmocka_unit_test(resets_name_no_task_and_those_of_the_target_no_lun),
        cmocka_unit_test(each_function_has_its_own_time),
        cmocka_unit_test(those_that_wait_are_told_when_the_session_ends),
    };
    return cmocka_run_group_tests_name("iscsi tmf", tests, NULL, NULL);
}
