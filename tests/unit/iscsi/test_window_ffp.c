/* What an initiator must be seen to do with its numbers and its window: the items of the full
 * feature phase list, by their numbers, as they stand in the bytes of the PDUs. */
#include "rig.h"

#define CMD_CNT 24u

static struct rig_cmd cmds[CMD_CNT];

static uint32_t cmd_sn_of(const uint8_t *hdr)
{
    return iskra_get_be32(hdr + 24);
}

static void queue_reads(struct rig *r, unsigned first, unsigned cnt)
{
    for (unsigned i = first; i < first + cnt; i++) {
        rig_cmd_init(r, &cmds[i], ISKRA_DIR_READ, 512);
        assert_int_equal(rig_queue(&cmds[i]), ISKRA_QUEUED);
    }
}

/* The next PDU sent is a SCSI Command that is not immediate: its tag; *cmd_sn as on the wire. */
static uint32_t sent_command(struct rig *r, uint32_t *cmd_sn)
{
    const uint8_t *hdr = rig_sent(r);
    assert_int_equal(hdr[0], ISKRA_OP_SCSI_CMD);
    *cmd_sn = cmd_sn_of(hdr);
    return iskra_bhs_itt(hdr);
}

/* GOOD for a read that is told to have moved nothing, with a window as the test says. */
static void answer(struct rig *r, uint32_t itt, uint32_t exp_cmd_sn, uint32_t max_cmd_sn)
{
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rsp.underflow = true;
    rsp.residual = 512;
    rsp.exp_cmd_sn = exp_cmd_sn;
    rsp.max_cmd_sn = max_cmd_sn;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_run(r);
}

/* A NOP-In without tags: it brings numbers only. */
static void window_told(struct rig *r, uint32_t exp_cmd_sn, uint32_t max_cmd_sn)
{
    const struct iskra_pdu_nop_in pdu = {
        .itt = ISKRA_RESERVED_TAG,
        .ttt = ISKRA_RESERVED_TAG,
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = exp_cmd_sn,
        .max_cmd_sn = max_cmd_sn,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_nop_in_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, NULL, 0);
    rig_run(r);
}

/* What the Login Response told. */
static struct rig *logged_in(uint32_t cmds_max, uint32_t max_cmd_sn)
{
    struct rig *r = rig_logged_in(cmds_max);
    rig_session(r)->window.max_cmd_sn = max_cmd_sn;
    return r;
}

static void ffp_1_1_cmd_sn_grows_by_one_for_each_command(void **state)
{
    (void)state;
    struct rig *r = logged_in(32, RIG_CMD_SN + 50);
    for (unsigned i = 0; i < CMD_CNT; i++) {
        uint32_t cmd_sn;
        queue_reads(r, i, 1);
        rig_run(r);
        uint32_t itt = sent_command(r, &cmd_sn);
        assert_int_equal(cmd_sn, RIG_CMD_SN + i);
        if (i % 3 == 0) /* answered or not makes no difference */
            answer(r, itt, RIG_CMD_SN + i + 1, RIG_CMD_SN + 50);
    }
    rig_free(r);
}

/* The PDU itself, then what the next command shows: the same number. */
static void immediate_uses_no_number(uint8_t opcode)
{
    struct rig *r = logged_in(32, RIG_CMD_SN + 50);
    uint32_t cmd_sn;
    queue_reads(r, 0, 1);
    rig_run(r);
    (void)sent_command(r, &cmd_sn);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t hdr[ISKRA_BHS_LEN] = {opcode | ISKRA_OP_IMMEDIATE, 0x80};
        iskra_put_be32(hdr + 20, ISKRA_RESERVED_TAG);
        assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
        rig_run(r);
        const uint8_t *sent = rig_sent(r);
        assert_int_equal(sent[0], opcode | ISKRA_OP_IMMEDIATE);
        assert_int_equal(cmd_sn_of(sent), RIG_CMD_SN + 1 + i);
        queue_reads(r, i + 1, 1);
        rig_run(r);
        (void)sent_command(r, &cmd_sn);
        assert_int_equal(cmd_sn, RIG_CMD_SN + 1 + i);
    }
    rig_free(r);
}

static void ffp_2_1_immediate_pdu_carries_cmd_sn_and_does_not_use_it_up(void **state)
{
    (void)state;
    immediate_uses_no_number(ISKRA_OP_NOP_OUT);
}

static void ffp_2_2_task_management_carries_cmd_sn_and_does_not_use_it_up(void **state)
{
    (void)state;
    immediate_uses_no_number(ISKRA_OP_TMF);
}

static void ffp_3_1_zero_window_stops_commands_until_it_opens(void **state)
{
    (void)state;
    struct rig *r = logged_in(32, RIG_CMD_SN);
    uint32_t cmd_sn; /* room for one */
    queue_reads(r, 0, 1);
    rig_run(r);
    uint32_t itt = sent_command(r, &cmd_sn);
    answer(r, itt, RIG_CMD_SN + 1, RIG_CMD_SN); /* MaxCmdSN = ExpCmdSN - 1 */
    rig_cmd_init(r, &cmds[1], ISKRA_DIR_READ, 512);
    assert_int_equal(rig_queue(&cmds[1]), ISKRA_TARGET_BUSY);
    rig_run(r);
    assert_false(rig_sent_any(r));
    window_told(r, RIG_CMD_SN + 1, RIG_CMD_SN + 1);
    queue_reads(r, 1, 1);
    rig_run(r);
    (void)sent_command(r, &cmd_sn);
    assert_int_equal(cmd_sn, RIG_CMD_SN + 1);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void ffp_3_2_large_window_is_used_and_numbers_are_contiguous(void **state)
{
    (void)state;
    struct rig *r = logged_in(64, RIG_CMD_SN + CMD_CNT - 1);
    queue_reads(r, 0, CMD_CNT);
    rig_run(r);
    bool itt_seen[64] = {false};
    for (unsigned i = 0; i < CMD_CNT; i++) { /* all are out before the first answer */
        uint32_t cmd_sn;
        uint32_t itt = sent_command(r, &cmd_sn);
        assert_int_equal(cmd_sn, RIG_CMD_SN + i);
        assert_true(itt < 64 && !itt_seen[itt]);
        itt_seen[itt] = true;
    }
    static struct rig_cmd more;
    rig_cmd_init(r, &more, ISKRA_DIR_READ, 512);
    assert_int_equal(rig_queue(&more), ISKRA_TARGET_BUSY);
    rig_free(r);
}

static void ffp_3_3_window_of_one_serialises_commands(void **state)
{
    (void)state;
    struct rig *r = logged_in(32, RIG_CMD_SN);
    for (unsigned i = 0; i < 6; i++) {
        uint32_t cmd_sn;
        queue_reads(r, i, 1);
        rig_run(r);
        uint32_t itt = sent_command(r, &cmd_sn);
        assert_int_equal(cmd_sn, RIG_CMD_SN + i);
        rig_cmd_init(r, &cmds[i + 1], ISKRA_DIR_READ, 512);
        assert_int_equal(rig_queue(&cmds[i + 1]), ISKRA_TARGET_BUSY);
        rig_run(r);
        assert_false(rig_sent_any(r));
        answer(r, itt, RIG_CMD_SN + i + 1, RIG_CMD_SN + i + 1);
        assert_int_equal(cmds[i].done_cnt, 1);
    }
    rig_free(r);
}

/* A read of 512 bytes: its data in one Data-In that carries the status as well. */
static void ffp_10_1_status_in_the_final_data_in_is_accepted(void **state)
{
    (void)state;
    struct rig *r = rig_logged_in(32);
    uint8_t data[512];
    memset(data, 0x5a, sizeof(data));
    rig_cmd_init(r, &cmds[0], ISKRA_DIR_READ, 512);
    uint32_t itt = rig_queue_and_send(r, &cmds[0]);
    struct iskra_pdu_data_in pdu = rig_data_in(r, itt, 0, 0);
    pdu.final = pdu.status_present = true;
    rig_feed_data_in(r, &pdu, data, sizeof(data));
    rig_run(r);
    assert_int_equal(cmds[0].done_cnt, 1);
    assert_int_equal(cmds[0].cmnd.result, 0);
    assert_int_equal(cmds[0].cmnd.residual, 0);
    assert_memory_equal(cmds[0].data, data, sizeof(data));
    assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 1);
    queue_reads(r, 1, 1);
    rig_run(r);
    assert_int_equal(iskra_get_be32(rig_sent(r) + 28), RIG_STAT_SN + 1); /* and acknowledged */
    rig_assert_no_conn_error(r);
    rig_free(r);
}

/* Before, between and behind the data; counted in DataSN, as RFC 7143 11.7.5 has it, or not, as the
 * kernel does. */
static void ffp_11_1_2_data_in_of_length_0_is_accepted(void **state)
{
    (void)state;
    static const uint8_t data[256] = {0x11};
    for (unsigned counted = 0; counted < 2; counted++) {
        struct rig *r = rig_logged_in(32);
        rig_cmd_init(r, &cmds[0], ISKRA_DIR_READ, 512);
        uint32_t itt = rig_queue_and_send(r, &cmds[0]);
        uint32_t data_sn = 0;
        for (unsigned half = 0; half < 2; half++) {
            for (unsigned i = 0; i < 3; i++) {
                struct iskra_pdu_data_in empty = rig_data_in(r, itt, data_sn, half * 256);
                rig_feed_data_in(r, &empty, NULL, 0);
                data_sn += counted;
            }
            struct iskra_pdu_data_in pdu = rig_data_in(r, itt, data_sn++, half * 256);
            rig_feed_data_in(r, &pdu, data, sizeof(data));
        }
        struct iskra_pdu_data_in last = rig_data_in(r, itt, data_sn, 512);
        last.final = last.status_present = true;
        rig_feed_data_in(r, &last, NULL, 0);
        rig_run(r);
        assert_int_equal(cmds[0].done_cnt, 1);
        assert_int_equal(cmds[0].cmnd.result, 0);
        assert_int_equal(cmds[0].cmnd.residual, 0);
        assert_int_equal(cmds[0].data[256], 0x11);
        rig_assert_no_conn_error(r);
        rig_free(r);
    }
}

static void empty_data_in_hides_no_missing_one(void **state)
{
    (void)state;
    static const uint8_t data[256];
    for (unsigned empty_cnt = 0; empty_cnt < 4; empty_cnt++) {
        struct rig *r = rig_logged_in(32);
        rig_cmd_init(r, &cmds[0], ISKRA_DIR_READ, 512);
        uint32_t itt = rig_queue_and_send(r, &cmds[0]);
        for (unsigned i = 0; i < empty_cnt; i++) {
            struct iskra_pdu_data_in empty = rig_data_in(r, itt, i, 0);
            rig_feed_data_in(r, &empty, NULL, 0);
        }
        struct iskra_pdu_data_in wrong = rig_data_in(r, itt, 7, 0); /* counts for nothing */
        rig_feed_data_in(r, &wrong, NULL, 0);
        struct iskra_pdu_data_in pdu = rig_data_in(r, itt, empty_cnt + 1, 0);
        rig_feed_data_in(r, &pdu, data, sizeof(data));
        rig_assert_conn_error(r, ISKRA_CONN_DATASN);
        rig_free(r);
    }
}

static void ffp_16_5_max_cmd_sn_of_a_scsi_response_is_obeyed(void **state)
{
    (void)state;
    struct rig *r = logged_in(32, RIG_CMD_SN);
    uint32_t cmd_sn;
    queue_reads(r, 0, 1);
    rig_run(r);
    uint32_t itt = sent_command(r, &cmd_sn);
    answer(r, itt, RIG_CMD_SN + 1, RIG_CMD_SN + 3);
    queue_reads(r, 1, 3);
    rig_cmd_init(r, &cmds[4], ISKRA_DIR_READ, 512);
    assert_int_equal(rig_queue(&cmds[4]), ISKRA_TARGET_BUSY);
    rig_run(r);
    for (unsigned i = 1; i <= 3; i++) {
        (void)sent_command(r, &cmd_sn);
        assert_int_equal(cmd_sn, RIG_CMD_SN + i);
    }
    assert_false(rig_sent_any(r));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ffp_1_1_cmd_sn_grows_by_one_for_each_command),
        cmocka_unit_test(ffp_2_1_immediate_pdu_carries_cmd_sn_and_does_not_use_it_up),
        cmocka_unit_test(ffp_2_2_task_management_carries_cmd_sn_and_does_not_use_it_up),
        cmocka_unit_test(ffp_3_1_zero_window_stops_commands_until_it_opens),
        cmocka_unit_test(ffp_3_2_large_window_is_used_and_numbers_are_contiguous),
        cmocka_unit_test(ffp_3_3_window_of_one_serialises_commands),
        cmocka_unit_test(ffp_10_1_status_in_the_final_data_in_is_accepted),
        cmocka_unit_test(ffp_11_1_2_data_in_of_length_0_is_accepted),
        cmocka_unit_test(empty_data_in_hides_no_missing_one),
        cmocka_unit_test(ffp_16_5_max_cmd_sn_of_a_scsi_response_is_obeyed),
    };
    return cmocka_run_group_tests_name("window-ffp", tests, NULL, NULL);
}
