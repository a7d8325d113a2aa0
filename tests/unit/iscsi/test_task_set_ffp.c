/* Full feature phase items 19.4: ABORT TASK SET (RFC 7143 4.2.3.3, 11.5.1). */
#include "watch_rig.h"

#include "iscsi/eh.h"
#include "write_rig.h"

#define LUN_A UINT64_C(0x0001000000000000)
#define LUN_B UINT64_C(0x0002000000000000)

static struct rig_cmd of_a[6], of_b[2];
static struct op {
    struct iskra_eh_op op; /* first */
    unsigned told_cnt, ended_cnt;
    enum iskra_eh_outcome outcome;
} op;

static unsigned ended_cnt(void)
{
    unsigned cnt = 0;
    for (unsigned i = 0; i < 6; i++)
        cnt += of_a[i].done_cnt;
    return cnt;
}

static void told(struct iskra_eh_op *which, enum iskra_eh_outcome outcome)
{
    struct op *o = (struct op *)which;
    o->told_cnt++;
    o->outcome = outcome;
    o->ended_cnt = ended_cnt();
}

static struct rig *begin(void)
{
    memset(&op, 0, sizeof(op));
    memset(of_a, 0, sizeof(of_a));
    memset(of_b, 0, sizeof(of_b));
    iskra_eh_op_init(&op.op, told);
    return watch_rig(0, 0);
}

static uint32_t send_cmd(struct rig *r, struct rig_cmd *cmd, enum iskra_data_dir dir, uint64_t lun)
{
    rig_cmd_init(r, cmd, dir, 4096);
    cmd->cmnd.lun = lun;
    return rig_queue_and_send(r, cmd);
}

static struct iskra_pdu_tmf ask(struct rig *r)
{
    iskra_eh_abort_task_set(rig_session(r), &op.op, LUN_A);
    rig_run(r);
    struct iskra_pdu_tmf pdu = watch_sent_tmf(r);
    assert_int_equal(pdu.function, ISKRA_TMF_ABORT_TASK_SET);
    return pdu;
}

static void good(struct rig *r, uint32_t itt, uint32_t len)
{
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rsp.underflow = true;
    rsp.residual = len;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_run(r);
}

static void assert_ended(const struct rig_cmd *cmd, enum iskra_host_byte host_byte)
{
    assert_int_equal(cmd->done_cnt, 1);
    assert_int_equal(cmd->cmnd.result, ISKRA_RESULT(host_byte, 0));
}

/* Reads, a write that owes data, commands without data: one request names the LUN and no tag, and
 * none of them is left. */
static void ffp_19_4_1_abort_task_set_ends_all_tasks_of_its_lun_and_no_others(void **state)
{
    static const enum iskra_data_dir dirs[] = {ISKRA_DIR_READ, ISKRA_DIR_WRITE, ISKRA_DIR_NONE};
    struct rig *r = begin();
    for (unsigned i = 0; i < 6; i++)
        (void)send_cmd(r, &of_a[i], dirs[i % 3], LUN_A);
    uint32_t other = send_cmd(r, &of_b[0], ISKRA_DIR_READ, LUN_B);
    uint32_t cmd_sn = rig_session(r)->window.cmd_sn;
    struct iskra_pdu_tmf pdu = ask(r);
    assert_true(pdu.immediate);
    assert_int_equal(pdu.cmd_sn, cmd_sn); /* carried, not used up */
    assert_int_equal(rig_session(r)->window.cmd_sn, cmd_sn);
    assert_true(pdu.lun == LUN_A);
    assert_int_equal(pdu.ref_task_tag, ISKRA_RESERVED_TAG);
    assert_int_equal(pdu.ref_cmd_sn, 0);
    assert_int_equal(ended_cnt(), 0); /* nothing is taken for granted */
    rig_answer_tmf(r, pdu.itt, 0);
    for (unsigned i = 0; i < 6; i++)
        assert_ended(&of_a[i], ISKRA_DID_ERROR); /* the mid-layer sends them again */
    assert_int_equal(of_b[0].done_cnt, 0);
    good(r, other, 4096);
    assert_ended(&of_b[0], ISKRA_DID_OK);
    assert_false(rig_sent_any(r)); /* one request, and nothing else */
    rig_assert_no_conn_error(r);
    rig_free(r);
}

/* Neither commands that come meanwhile nor those that had come and were not sent; other LUNs have
 * theirs sent. When it is over, whichever way, new ones go out. */
static void ffp_19_4_2_no_task_of_the_lun_is_sent_before_the_answer(void **state)
{
    for (uint8_t response = 0; response <= 5; response += 5) {
        struct rig *r = begin();
        (void)send_cmd(r, &of_a[0], ISKRA_DIR_READ, LUN_A);
        rig_cmd_init(r, &of_a[1], ISKRA_DIR_READ, 512);
        of_a[1].cmnd.lun = LUN_A;
        assert_int_equal(rig_queue(&of_a[1]), ISKRA_QUEUED); /* and not sent yet */
        struct iskra_pdu_tmf pdu = ask(r);
        rig_queue_on_lun(r, &of_a[2], LUN_A);
        assert_false(rig_sent_any(r));
        rig_queue_on_lun(r, &of_b[0], LUN_B);
        assert_true(iskra_get_be64(rig_sent(r) + 8) == LUN_B);
        assert_false(rig_sent_any(r));
        rig_answer_tmf(r, pdu.itt, response);
        assert_int_equal(op.told_cnt, 1);
        if (response == 0) { /* they were handed in before it was over, and share its end */
            assert_int_equal(ended_cnt(), 3);
            assert_false(rig_sent_any(r));
        } else { /* refused: as if nothing had been */
            assert_int_equal(ended_cnt(), 0);
            assert_true(iskra_get_be64(rig_sent(r) + 8) == LUN_A);
            assert_true(iskra_get_be64(rig_sent(r) + 8) == LUN_A);
        }
        rig_queue_on_lun(r, &of_a[3], LUN_A);
        assert_true(iskra_get_be64(rig_sent(r) + 8) == LUN_A);
        assert_false(rig_sent_any(r));
        rig_free(r);
    }
}

/* Data that the target had asked for goes out (unless fast_abort says that it need not), answers
 * that were on their way are taken as answers, and who asked is told when all tasks are gone. */
static void ffp_19_4_3_the_outcome_is_told_when_every_task_of_the_lun_is_gone(void **state)
{
    struct rig *r = begin();
    uint32_t itts[4];
    for (unsigned i = 0; i < 4; i++)
        itts[i] = send_cmd(r, &of_a[i], ISKRA_DIR_READ, LUN_A);
    struct iskra_pdu_tmf pdu = ask(r);
    good(r, itts[2], 4096); /* it was faster */
    assert_ended(&of_a[2], ISKRA_DID_OK);
    struct iskra_pdu_data_in in = rig_data_in(r, itts[0], 0, 0);
    static const uint8_t bytes[1024];
    rig_feed_data_in(r, &in, bytes, sizeof(bytes)); /* so was a part of this one's data */
    rig_run(r);
    assert_int_equal(op.told_cnt, 0);
    assert_int_equal(ended_cnt(), 1);
    rig_answer_tmf(r, pdu.itt, 0);
    assert_int_equal(op.told_cnt, 1);
    assert_int_equal(op.outcome, ISKRA_EH_SUCCESS);
    assert_int_equal(op.ended_cnt, 4); /* when it was told */
    assert_ended(&of_a[0], ISKRA_DID_ERROR);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void ffp_19_4_3_data_that_was_asked_for_is_sent_before_the_outcome(void **state)
{
    static struct write_cmd w;
    struct gen_keys keys = write_keys_default;
    struct rig *r = write_rig(&keys, 4);
    memset(&op, 0, sizeof(op));
    iskra_eh_op_init(&op.op, told);
    rig_session(r)->params.fast_abort = false;
    write_init(r, &w, 4096, 5);
    write_queue(r, &w);
    rig_run(r);
    (void)write_expect_command(r, &keys, &w);
    iskra_eh_abort_task_set(rig_session(r), &op.op, w.cmd.cmnd.lun);
    rig_run(r);
    uint32_t itt = watch_sent_tmf(r).itt;
    struct gen_r2t r2t;
    write_feed_r2t(r, &w, 512, 1024, &r2t);
    rig_run(r);
    write_expect_answer(r, &keys, &w, &r2t);
    assert_int_equal(op.told_cnt, 0);
    rig_answer_tmf(r, itt, 0);
    assert_int_equal(op.told_cnt, 1);
    assert_int_equal(op.outcome, ISKRA_EH_SUCCESS);
    assert_ended(&w.cmd, ISKRA_DID_ERROR);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ffp_19_4_1_abort_task_set_ends_all_tasks_of_its_lun_and_no_others),
        cmocka_unit_test(ffp_19_4_2_no_task_of_the_lun_is_sent_before_the_answer),
        cmocka_unit_test(ffp_19_4_3_the_outcome_is_told_when_every_task_of_the_lun_is_gone),
        cmocka_unit_test(ffp_19_4_3_data_that_was_asked_for_is_sent_before_the_outcome),
    };
    return cmocka_run_group_tests_name("iscsi task set ffp", tests, NULL, NULL);
}
