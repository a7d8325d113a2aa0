/* The transmit worker: what is built, in which order, in how many calls. */
#include <errno.h>

#include "rig.h"

static void nop_out(uint8_t *hdr, uint32_t itt, bool immediate)
{
    struct iskra_pdu_nop_out pdu = {
        .immediate = immediate, .itt = itt, .ttt = ISKRA_RESERVED_TAG, .exp_stat_sn = 77};
    iskra_nop_out_encode(&pdu, hdr);
}

static void read_command_as_it_stands_on_the_wire(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 0x1234);
    cmd.cdb[5] = 0x55;
    cmd.cdb[15] = 0xff; /* beyond cdb_len: must not be sent */
    uint32_t itt = rig_queue_and_send(r, &cmd);
    const uint8_t want[ISKRA_BHS_LEN] = {
        0x01, 0xc1, 0,    0,
        0,    0,    0,    0, /* F, R, SIMPLE */
        0x00, 0x01, 0,    0,
        0,    0,    0,    0, /* LUN 1 */
        0,    0,    0,    (uint8_t)itt,
        0,    0,    0x12, 0x34, /* ITT, EDTL */
        0,    0,    0,    RIG_CMD_SN,
        0,    0,    0x13, 0x88, /* CmdSN, ExpStatSN 5000 */
        0x28, 0,    0,    0,
        0,    0x55, 0,    0, /* CDB */
    };
    assert_memory_equal(r->out, want, sizeof(want));
    assert_int_equal(r->out_len, ISKRA_BHS_LEN);
    rig_free(r);
}

static void command_without_data_is_final_and_neither_read_nor_write(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    (void)rig_queue_and_send(r, &cmd);
    assert_int_equal(r->out[1], 0x81);
    rig_free(r);
}

static void long_cdb_goes_on_in_an_ahs(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    for (unsigned i = 0; i < sizeof(cmd.cdb); i++)
        cmd.cdb[i] = (uint8_t)(i + 1);
    cmd.cmnd.cdb_len = 33;
    (void)rig_queue_and_send(r, &cmd);
    /* 17 bytes more: AHSLength 18 (one reserved byte), type 1; 24 bytes with padding. */
    assert_int_equal(r->out[4], 6);
    assert_int_equal(r->out_len, ISKRA_BHS_LEN + 24);
    assert_memory_equal(r->out + 32, cmd.cdb, 16);
    const uint8_t *ahs = r->out + ISKRA_BHS_LEN;
    assert_int_equal(iskra_get_be16(ahs), 18);
    assert_int_equal(ahs[2], 1);
    assert_int_equal(ahs[3], 0);
    assert_memory_equal(ahs + 4, cmd.cdb + 16, 17);
    assert_int_equal(ahs[21] | ahs[22] | ahs[23], 0);
    rig_free(r);
}

static void long_cdbs_of_one_round_go_out_whole_one_after_the_other(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmds[3];
    for (unsigned n = 0; n < 3; n++) {
        rig_cmd_init(r, &cmds[n], ISKRA_DIR_NONE, 0);
        memset(cmds[n].cdb, 0x60 + (int)n, sizeof(cmds[n].cdb));
        cmds[n].cmnd.cdb_len = 20;
        assert_int_equal(iskra_queuecommand(rig_session(r), &cmds[n].cmnd), ISKRA_QUEUED);
    }
    rig_run(r);
    assert_int_equal(r->out_len, 3 * (ISKRA_BHS_LEN + 8));
    for (unsigned n = 0; n < 3; n++) {
        const uint8_t *hdr = r->out + (size_t)n * (ISKRA_BHS_LEN + 8);
        assert_memory_equal(hdr + 32, cmds[n].cdb, 16);
        assert_memory_equal(hdr + ISKRA_BHS_LEN + 4, cmds[n].cdb + 16, 4);
    }
    rig_free(r);
}

static void longest_cdb_fits_with_its_digest(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_conn(r)->tcp.out.hdr_digest = true;
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    cmd.cdb[259] = 0xee;
    cmd.cmnd.cdb_len = 260;
    (void)rig_queue_and_send(r, &cmd);
    assert_int_equal(r->out_len, ISKRA_BHS_LEN + ISKRA_CDB_AHS_LEN_MAX + ISKRA_DIGEST_LEN);
    assert_int_equal(r->out[ISKRA_BHS_LEN + 4 + 243], 0xee);
    rig_free(r);
}

static void batch_goes_out_in_one_call_in_order(void **state)
{
    struct rig *r = rig_logged_in(64);
    static struct rig_cmd cmds[20];
    for (int i = 0; i < 20; i++) {
        rig_cmd_init(r, &cmds[i], ISKRA_DIR_NONE, 0);
        assert_int_equal(rig_queue(&cmds[i]), ISKRA_QUEUED);
    }
    assert_int_equal(r->xmit_cnt, 0);
    rig_run(r);
    assert_int_equal(r->xmit_cnt, 1);
    for (uint32_t i = 0; i < 20; i++) {
        const uint8_t *hdr = rig_sent(r);
        assert_int_equal(iskra_get_be32(hdr + 24), RIG_CMD_SN + i);
        assert_int_equal(iskra_bhs_itt(hdr), cmds[i].cmnd.task->tcp.itt);
    }
    rig_free(r);
}

static void answers_to_pings_then_management_then_commands(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    uint8_t hdr[ISKRA_BHS_LEN];
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    nop_out(hdr, 0, true);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    rig_feed_nop_in(r, ISKRA_RESERVED_TAG, 0xabcd);
    rig_run(r);
    const uint8_t *first = rig_sent(r);
    assert_int_equal(first[0], ISKRA_OP_NOP_OUT | ISKRA_OP_IMMEDIATE);
    assert_int_equal(iskra_get_be32(first + 20), 0xabcd);
    const uint8_t *second = rig_sent(r);
    assert_int_equal(second[0], ISKRA_OP_NOP_OUT | ISKRA_OP_IMMEDIATE);
    assert_int_equal(iskra_get_be32(second + 20), ISKRA_RESERVED_TAG);
    assert_int_equal(rig_sent(r)[0], ISKRA_OP_SCSI_CMD);
    assert_int_equal(r->xmit_cnt, 1);
    rig_free(r);
}

static void more_than_the_ring_holds_goes_out_all_the_same(void **state)
{
    struct rig *r = rig_logged_in(128);
    struct iskra_conn *conn = rig_conn(r);
    r->room = 100; /* two PDUs and a bit: the ring stays nearly full */
    static struct rig_cmd cmds[113];
    for (int i = 0; i < 113; i++) {
        rig_cmd_init(r, &cmds[i], ISKRA_DIR_NONE, 0);
        assert_int_equal(rig_queue(&cmds[i]), ISKRA_QUEUED);
    }
    conn->tcp.out.cnt = 16; /* fewer places than PDUs */
    rig_run(r);
    assert_int_equal(r->out_len, 100);
    r->room = SIZE_MAX;
    conn->tcp.port.ops->write_space(&conn->tcp.port);
    rig_run(r);
    for (uint32_t i = 0; i < 113; i++)
        assert_int_equal(iskra_get_be32(rig_sent(r) + 24), RIG_CMD_SN + i);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void full_socket_is_left_alone_until_write_space(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct iskra_conn *conn = rig_conn(r);
    static struct rig_cmd a, b;
    rig_cmd_init(r, &a, ISKRA_DIR_NONE, 0);
    rig_cmd_init(r, &b, ISKRA_DIR_NONE, 0);
    r->room = 20;
    assert_int_equal(rig_queue(&a), ISKRA_QUEUED);
    rig_run(r);
    assert_int_equal(r->xmit_cnt, 1);
    assert_int_equal(rig_queue(&b), ISKRA_QUEUED);
    rig_run(r);
    assert_int_equal(r->xmit_cnt, 1);
    assert_int_equal(b.cmnd.task->state, ISKRA_TASK_PENDING);
    r->room = SIZE_MAX;
    conn->tcp.port.ops->write_space(&conn->tcp.port);
    rig_run(r);
    assert_int_equal(r->xmit_cnt, 2);
    assert_int_equal(r->out_len, 2 * ISKRA_BHS_LEN);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void answer_that_overtakes_the_send_waits_for_its_last_byte(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct iskra_conn *conn = rig_conn(r);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    r->room = 47;
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    rig_run(r);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, cmd.cmnd.task->tcp.itt, 0);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    assert_int_equal(cmd.done_cnt, 0); /* its header is on loan */
    r->room = SIZE_MAX;
    conn->tcp.port.ops->write_space(&conn->tcp.port);
    rig_run(r);
    assert_int_equal(cmd.done_cnt, 1);
    assert_int_equal(cmd.cmnd.result, 0);
    rig_free(r);
}

static void broken_socket_is_one_xmit_failed(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd a, b;
    rig_cmd_init(r, &a, ISKRA_DIR_NONE, 0);
    rig_cmd_init(r, &b, ISKRA_DIR_NONE, 0);
    r->xmit_rc = -EPIPE;
    assert_int_equal(rig_queue(&a), ISKRA_QUEUED);
    rig_run(r);
    rig_assert_conn_error(r, ISKRA_CONN_XMIT_FAILED);
    assert_int_equal(rig_queue(&b), ISKRA_QUEUED);
    rig_assert_conn_error(r, ISKRA_CONN_XMIT_FAILED);
    assert_int_equal(r->xmit_cnt, 1);
    assert_int_equal(a.done_cnt, 0); /* stays out until STOP_CONN */
    rig_free(r);
}

static void immediate_pdu_shows_cmd_sn_and_does_not_use_it_up(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint8_t hdr[ISKRA_BHS_LEN];
    nop_out(hdr, 0, true);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    rig_run(r);
    const uint8_t *sent = rig_sent(r);
    assert_int_equal(iskra_get_be32(sent + 24), RIG_CMD_SN);
    assert_int_equal(iskra_get_be32(sent + 28), RIG_STAT_SN);
    assert_int_equal(rig_session(r)->window.cmd_sn, RIG_CMD_SN);
    assert_int_equal(rig_session(r)->window.queued_cmd_sn, RIG_CMD_SN);
    rig_free(r);
}

static void other_pdu_uses_one_number_up(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint8_t hdr[ISKRA_BHS_LEN];
    nop_out(hdr, 0, false);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    assert_int_equal(rig_session(r)->window.queued_cmd_sn, RIG_CMD_SN + 1);
    rig_run(r);
    assert_int_equal(rig_session(r)->window.cmd_sn, RIG_CMD_SN + 1);
    rig_free(r);
}

static void pdu_without_a_tag_is_over_when_it_is_sent(void **state)
{
    struct rig *r = rig_logged_in(16);
    uint8_t hdr[ISKRA_BHS_LEN];
    for (int i = 0; i < 100; i++) { /* more than there are tasks */
        nop_out(hdr, ISKRA_RESERVED_TAG, true);
        assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
        rig_run(r);
        assert_int_equal(iskra_bhs_itt(rig_sent(r)), ISKRA_RESERVED_TAG);
    }
    rig_free(r);
}

static void after_logout_nothing_else_is_sent(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint8_t hdr[ISKRA_BHS_LEN];
    struct iskra_pdu_logout logout = {.immediate = true};
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    iskra_logout_encode(&logout, hdr);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    nop_out(hdr, 0, true);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    rig_run(r);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_LOGGING_OUT);
    assert_int_equal(iskra_bhs_opcode(rig_sent(r)), ISKRA_OP_LOGOUT);
    assert_false(rig_sent_any(r));
    assert_int_equal(cmd.cmnd.result, ISKRA_RESULT(ISKRA_DID_IMM_RETRY, 0));
    rig_feed_nop_in(r, ISKRA_RESERVED_TAG, 9);
    rig_run(r);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(read_command_as_it_stands_on_the_wire),
        cmocka_unit_test(command_without_data_is_final_and_neither_read_nor_write),
        cmocka_unit_test(long_cdb_goes_on_in_an_ahs),
        cmocka_unit_test(long_cdbs_of_one_round_go_out_whole_one_after_the_other),
        cmocka_unit_test(longest_cdb_fits_with_its_digest),
        cmocka_unit_test(batch_goes_out_in_one_call_in_order),
        cmocka_unit_test(answers_to_pings_then_management_then_commands),
        cmocka_unit_test(more_than_the_ring_holds_goes_out_all_the_same),
        cmocka_unit_test(full_socket_is_left_alone_until_write_space),
        cmocka_unit_test(answer_that_overtakes_the_send_waits_for_its_last_byte),
        cmocka_unit_test(broken_socket_is_one_xmit_failed),
        cmocka_unit_test(immediate_pdu_shows_cmd_sn_and_does_not_use_it_up),
        cmocka_unit_test(other_pdu_uses_one_number_up),
        cmocka_unit_test(pdu_without_a_tag_is_over_when_it_is_sent),
        cmocka_unit_test(after_logout_nothing_else_is_sent),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
