/* Answers to the target's pings, and what happens when there are too many. */
#include "rig.h"

static void echo_as_it_stands_on_the_wire(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_feed_nop_in(r, ISKRA_RESERVED_TAG, 0xa1b2c3d4);
    assert_int_equal(r->out_len, 0);
    rig_run(r);
    const uint8_t want[ISKRA_BHS_LEN] = {
        0x40, 0x80, 0,    0,          0,    0,    0,    0,    /* immediate NOP-Out, F */
        0x40, 0x01, 0,    0,          0,    0,    0,    0,    /* the LUN that came */
        0xff, 0xff, 0xff, 0xff,       0xa1, 0xb2, 0xc3, 0xd4, /* no ITT, the TTT that came */
        0,    0,    0,    RIG_CMD_SN, 0,    0,    0x13, 0x88, /* CmdSN, ExpStatSN 5000 */
    };
    assert_int_equal(r->out_len, ISKRA_BHS_LEN);
    assert_memory_equal(r->out, want, sizeof(want));
    assert_int_equal(rig_session(r)->window.cmd_sn, RIG_CMD_SN);
    assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN); /* RFC 7143 11.19: not advanced */
    rig_free(r);
}

static void nop_in_without_tags_only_brings_numbers(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_session(r)->window.max_cmd_sn = RIG_CMD_SN;
    struct iskra_pdu_nop_in pdu = {
        .itt = ISKRA_RESERVED_TAG,
        .ttt = ISKRA_RESERVED_TAG,
        .stat_sn = RIG_STAT_SN,
        .exp_cmd_sn = RIG_CMD_SN,
        .max_cmd_sn = RIG_CMD_SN + 9,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_nop_in_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, NULL, 0);
    rig_run(r);
    assert_int_equal(r->out_len, 0);
    assert_int_equal(rig_session(r)->window.max_cmd_sn, RIG_CMD_SN + 9);
    assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN);
    rig_free(r);
}

static void nop_in_with_data_is_refused(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint8_t hdr[ISKRA_BHS_LEN] = {ISKRA_OP_NOP_IN, 0x80};
    iskra_put_be32(hdr + 16, ISKRA_RESERVED_TAG);
    rig_feed_pdu(r, hdr, "ping", 4);
    rig_assert_conn_error(r, ISKRA_CONN_PROTO);
    assert_int_equal(r->out_len, 0);
    rig_free(r);
}

static void echo_carries_the_header_digest(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_conn(r)->tcp.out.hdr_digest = true;
    rig_feed_nop_in(r, ISKRA_RESERVED_TAG, 1);
    rig_run(r);
    assert_int_equal(r->out_len, ISKRA_BHS_LEN + ISKRA_DIGEST_LEN);
    rig_free(r);
}

/* cnt pings glued together. */
static void feed_flood(struct rig *r, uint32_t cnt)
{
    static uint8_t stream[200 * ISKRA_BHS_LEN];
    assert_true(cnt <= 200);
    for (uint32_t i = 0; i < cnt; i++) {
        struct iskra_pdu_nop_in pdu = {
            .itt = ISKRA_RESERVED_TAG,
            .ttt = 1000 + i,
            .stat_sn = RIG_STAT_SN,
            .exp_cmd_sn = RIG_CMD_SN,
            .max_cmd_sn = RIG_CMD_SN + 31,
        };
        iskra_nop_in_encode(&pdu, stream + i * ISKRA_BHS_LEN);
    }
    rig_feed(r, stream, cnt * ISKRA_BHS_LEN);
}

static void eight_waiting_answers_stop_reading(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct iskra_conn *conn = rig_conn(r);
    feed_flood(r, 200);
    assert_int_equal(conn->nop_cnt, ISKRA_NOP_REPLIES_MAX);
    assert_true(r->in_stopped);
    assert_int_equal(r->out_len, 0);
    rig_free(r);
}

static void seven_do_not(void **state)
{
    struct rig *r = rig_logged_in(32);
    feed_flood(r, 7);
    assert_false(r->in_stopped);
    rig_free(r);
}

static void flood_is_answered_in_order_once_there_is_room(void **state)
{
    for (int full = 0; full < 2; full++) {
        struct rig *r = rig_logged_in(32);
        struct iskra_conn *conn = rig_conn(r);
        r->room = full ? 10 : SIZE_MAX;
        feed_flood(r, 200);
        rig_run(r);
        if (full) {
            /* Those in the ring wait for the socket, eight more here, and nothing is read. */
            assert_int_equal(conn->nop_cnt, ISKRA_NOP_REPLIES_MAX);
            assert_int_equal(r->out_len, 10);
            unsigned long rx_pdus = conn->rx_pdus;
            rig_run(r);
            assert_int_equal(conn->rx_pdus, rx_pdus);
            r->room = SIZE_MAX;
            conn->tcp.port.ops->write_space(&conn->tcp.port);
            rig_run(r);
        }
        for (uint32_t i = 0; i < 200; i++)
            assert_int_equal(iskra_get_be32(rig_sent(r) + 20), 1000 + i);
        assert_false(rig_sent_any(r));
        assert_int_equal(r->in_len, 0);
        assert_false(r->in_stopped);
        rig_assert_no_conn_error(r);
        rig_free(r);
    }
}

/* The target does not want one of our answers yet. */
static void feed_reject(struct rig *r, uint8_t reason)
{
    const struct iskra_pdu_nop_out answer = {
        .immediate = true, .itt = ISKRA_RESERVED_TAG, .ttt = 77};
    uint8_t rejected[ISKRA_BHS_LEN];
    iskra_nop_out_encode(&answer, rejected);
    rig_feed_reject(r, reason, rejected, sizeof(rejected));
}

/* There is one place left, and both a confirmation and a repetition are due. */
static void answers_that_wait_confirm_stat_sn_as_well(void **state)
{
    struct rig *r = rig_logged_in(32);
    feed_flood(r, 7);
    for (uint32_t i = 0; i < 32; i++)
        feed_reject(r, 0x09);
    feed_reject(r, 0x06);
    assert_int_equal(rig_conn(r)->nop_cnt, ISKRA_NOP_REPLIES_MAX);
    rig_run(r);
    for (uint32_t i = 0; i < 8; i++)
        assert_int_equal(iskra_get_be32(rig_sent(r) + 20), i < 7 ? 1000 + i : 77);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void stop_conn_forgets_what_was_not_answered(void **state)
{
    struct rig *r = rig_logged_in(32);
    feed_flood(r, 20);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    rig_run(r);
    assert_int_equal(r->out_len, 0);
    assert_int_equal(rig_bind(r), 0);
    rig_feed_nop_in(r, ISKRA_RESERVED_TAG, 77);
    rig_run(r);
    assert_int_equal(iskra_get_be32(rig_sent(r) + 20), 77);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(echo_as_it_stands_on_the_wire),
        cmocka_unit_test(nop_in_without_tags_only_brings_numbers),
        cmocka_unit_test(nop_in_with_data_is_refused),
        cmocka_unit_test(echo_carries_the_header_digest),
        cmocka_unit_test(eight_waiting_answers_stop_reading),
        cmocka_unit_test(seven_do_not),
        cmocka_unit_test(flood_is_answered_in_order_once_there_is_room),
        cmocka_unit_test(answers_that_wait_confirm_stat_sn_as_well),
        cmocka_unit_test(stop_conn_forgets_what_was_not_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
