/* Full feature phase conformance, byte by byte: NOP-Out (items 15.1 to 15.3), Logout (17.1),
 * the tag of a Text Request (18.2). */
#include "rig.h"

#include "iscsi/ping.h"

#define SECOND UINT64_C(1000000000)

static void ffp_15_1_ping_of_the_target_comes_back_with_its_tag_and_lun(void **state)
{
    struct rig *r = rig_logged_in(32);
    const uint8_t nop_in[ISKRA_BHS_LEN] = {
        0x20, 0x80, 0,    0,
        0,    0,    0,    0, /* NOP-In, F */
        0x00, 0x07, 0,    0,
        0,    0,    0,    0, /* LUN 7 */
        0xff, 0xff, 0xff, 0xff,
        0xde, 0xad, 0x00, 0x01,       /* no ITT, a TTT */
        0,    0,    0x13, 0x88,       /* StatSN: the next one, 5000 */
        0,    0,    0,    RIG_CMD_SN, /* ExpCmdSN */
        0,    0,    0,    RIG_CMD_SN + 31,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    memcpy(hdr, nop_in, sizeof(hdr));
    rig_feed_pdu(r, hdr, NULL, 0);
    rig_run(r);
    const uint8_t want[ISKRA_BHS_LEN] = {
        0x40, 0x80, 0,    0,          0,    0,    0,    0,    /* I, NOP-Out; F; no data */
        0x00, 0x07, 0,    0,          0,    0,    0,    0,    /* its LUN */
        0xff, 0xff, 0xff, 0xff,       0xde, 0xad, 0x00, 0x01, /* reserved ITT, its TTT */
        0,    0,    0,    RIG_CMD_SN, 0,    0,    0x13, 0x88, /* CmdSN, ExpStatSN */
    };
    assert_memory_equal(rig_sent(r), want, sizeof(want));
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void told(void *arg, int status, uint64_t rtt_ns, const struct iskra_error *err)
{
    (void)rtt_ns, (void)err;
    *(int *)arg = status;
}

static void ffp_15_2_our_own_ping_has_a_valid_itt_and_no_ttt(void **state)
{
    struct rig *r = rig_logged_in(32);
    int status = 1;
    assert_int_equal(iskra_ping_send(rig_conn(r), "iskra", 5, SECOND, told, &status, NULL), 0);
    rig_run(r);
    uint8_t want[ISKRA_BHS_LEN + 8] = {
        0x40, 0x80, 0, 0,          0,    0,    0,    5,    /* I, NOP-Out; F; 5 bytes of data */
        0,    0,    0, 0,          0,    0,    0,    0,    /* no LUN without a TTT */
        0,    0,    0, 0,          0xff, 0xff, 0xff, 0xff, /* ITT below; reserved TTT */
        0,    0,    0, RIG_CMD_SN, 0,    0,    0x13, 0x88, /* CmdSN, ExpStatSN */
    };
    memcpy(want + ISKRA_BHS_LEN, "iskra\0\0\0", 8); /* padded to a word */
    uint32_t itt = iskra_bhs_itt(r->out);
    assert_int_not_equal(itt, ISKRA_RESERVED_TAG);
    iskra_put_be32(want + 16, itt);
    assert_int_equal(r->out_len, sizeof(want));
    assert_memory_equal(r->out, want, sizeof(want));
    assert_int_equal(rig_session(r)->window.cmd_sn, RIG_CMD_SN); /* immediate: not used up */

    struct iskra_pdu_nop_in pdu = {
        .itt = itt,
        .ttt = ISKRA_RESERVED_TAG,
        .stat_sn = RIG_STAT_SN,
        .exp_cmd_sn = RIG_CMD_SN,
        .max_cmd_sn = RIG_CMD_SN + 31,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_nop_in_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, "iskra", 5);
    rig_run(r);
    assert_int_equal(status, 0);
    rig_free(r);
}

static void feed_async(struct rig *r, uint32_t stat_sn)
{
    struct iskra_pdu_async pdu = {
        .itt = ISKRA_RESERVED_TAG,
        .event = 0xff, /* vendor specific: changes nothing */
        .stat_sn = stat_sn,
        .exp_cmd_sn = RIG_CMD_SN,
        .max_cmd_sn = RIG_CMD_SN + 31,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_async_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, NULL, 0);
    rig_run(r);
    r->event_cnt = 0;
}

static void ffp_15_3_nop_out_without_tags_confirms_stat_sn_when_nothing_else_does(void **state)
{
    struct rig *r = rig_logged_in(32);
    for (uint32_t i = 0; i < 32; i++)
        feed_async(r, RIG_STAT_SN + i);
    assert_false(rig_sent_any(r));
    feed_async(r, RIG_STAT_SN + 32);
    uint8_t want[ISKRA_BHS_LEN] = {
        0x40, 0x80, 0,    0,          0,    0,    0,    0,    /* I, NOP-Out; F */
        0,    0,    0,    0,          0,    0,    0,    0,    /* no LUN */
        0xff, 0xff, 0xff, 0xff,       0xff, 0xff, 0xff, 0xff, /* no answer is asked for */
        0,    0,    0,    RIG_CMD_SN,
    };
    iskra_put_be32(want + 28, RIG_STAT_SN + 33);
    assert_memory_equal(rig_sent(r), want, sizeof(want));
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void ffp_15_3_any_pdu_confirms_stat_sn_as_well(void **state)
{
    struct rig *r = rig_logged_in(32);
    for (uint32_t i = 0; i < 20; i++)
        feed_async(r, RIG_STAT_SN + i);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 512);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    rig_run(r);
    assert_int_equal(iskra_get_be32(rig_sent(r) + 28), RIG_STAT_SN + 20);
    for (uint32_t i = 20; i < 52; i++)
        feed_async(r, RIG_STAT_SN + i);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void ffp_17_1_logout_is_the_last_pdu_and_its_answer_the_end(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint8_t request[ISKRA_BHS_LEN] = {ISKRA_OP_LOGOUT | ISKRA_OP_IMMEDIATE, 0x80};
    assert_int_equal(rig_send_pdu(r, request, NULL, 0), 0);
    rig_run(r);
    uint8_t want[ISKRA_BHS_LEN] = {
        0x46, 0x80, 0, 0,          0, 0, 0,    0,    /* I, Logout; F, reason 0: close the session */
        0,    0,    0, 0,          0, 0, 0,    0,    /* reserved */
        0,    0,    0, 0,          0, 0, 0,    0,    /* ITT below; CID: reserved */
        0,    0,    0, RIG_CMD_SN, 0, 0, 0x13, 0x88, /* CmdSN, ExpStatSN */
    };
    const uint8_t *sent = rig_sent(r);
    uint32_t itt = iskra_bhs_itt(sent);
    assert_int_not_equal(itt, ISKRA_RESERVED_TAG);
    iskra_put_be32(want + 16, itt);
    assert_memory_equal(sent, want, sizeof(want));

    static struct rig_cmd cmd; /* RFC 7143 11.14: nothing follows */
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 512);
    (void)rig_queue(&cmd); /* refused or ended, not sent */
    rig_feed_nop_in(r, ISKRA_RESERVED_TAG, 0x1234);
    rig_run(r);
    assert_false(rig_sent_any(r));

    struct iskra_pdu_logout_rsp rsp = {
        .itt = itt,
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = RIG_CMD_SN,
        .max_cmd_sn = RIG_CMD_SN + 31,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_logout_rsp_encode(&rsp, hdr);
    rig_feed_pdu(r, hdr, NULL, 0);
    rig_run(r);
    assert_int_equal(r->event_cnt, 1);
    assert_int_equal(iskra_bhs_opcode(r->events[0].hdr), ISKRA_OP_LOGOUT_RSP);
    rig_assert_no_conn_error(r);
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void ffp_18_2_text_request_has_a_tag_that_nothing_else_has(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 512);
    uint32_t cmd_itt = rig_queue_and_send(r, &cmd);
    uint8_t text[ISKRA_BHS_LEN] = {ISKRA_OP_TEXT, 0x80};
    assert_int_equal(rig_send_pdu(r, text, NULL, 0), 0);
    rig_run(r);
    uint32_t text_itt = iskra_bhs_itt(rig_sent(r));
    assert_int_not_equal(text_itt, ISKRA_RESERVED_TAG);
    assert_int_not_equal(text_itt, cmd_itt);
    assert_int_not_equal(rig_send_pdu(r, text, NULL, 0), 0); /* one at a time */
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    rig_run(r);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ffp_15_1_ping_of_the_target_comes_back_with_its_tag_and_lun),
        cmocka_unit_test(ffp_15_2_our_own_ping_has_a_valid_itt_and_no_ttt),
        cmocka_unit_test(ffp_15_3_nop_out_without_tags_confirms_stat_sn_when_nothing_else_does),
        cmocka_unit_test(ffp_15_3_any_pdu_confirms_stat_sn_as_well),
        cmocka_unit_test(ffp_18_2_text_request_has_a_tag_that_nothing_else_has),
        cmocka_unit_test(ffp_17_1_logout_is_the_last_pdu_and_its_answer_the_end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
