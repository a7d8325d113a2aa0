/* complete_pdu: which answer fits which tag, what is passed up, and what loses the connection. */
#include "rig.h"

static void send_mgmt(struct rig *r, uint8_t opcode, uint32_t *ret_itt)
{
    uint8_t hdr[ISKRA_BHS_LEN] = {opcode | ISKRA_OP_IMMEDIATE, 0x80};
    iskra_put_be32(hdr + 20, ISKRA_RESERVED_TAG);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    rig_run(r);
    *ret_itt = iskra_bhs_itt(rig_sent(r));
}

/* A target's header with right numbers. */
static void answer(struct rig *r, uint8_t *hdr, uint8_t opcode, uint32_t itt)
{
    memset(hdr, 0, ISKRA_BHS_LEN);
    hdr[0] = opcode;
    hdr[1] = 0x80;
    iskra_put_be32(hdr + 16, itt);
    iskra_put_be32(hdr + 20, ISKRA_RESERVED_TAG);
    iskra_put_be32(hdr + 24, rig_conn(r)->exp_stat_sn);
    iskra_put_be32(hdr + 28, rig_session(r)->window.cmd_sn);
    iskra_put_be32(hdr + 32, rig_session(r)->window.max_cmd_sn + 3);
}

static const struct {
    uint8_t request, response;
} mgmt_pairs[] = {
    {ISKRA_OP_TEXT, ISKRA_OP_TEXT_RSP},
    {ISKRA_OP_LOGOUT, ISKRA_OP_LOGOUT_RSP},
    {ISKRA_OP_TMF, ISKRA_OP_TMF_RSP},
    {ISKRA_OP_NOP_OUT, ISKRA_OP_NOP_IN},
};
#define PAIR_CNT (sizeof(mgmt_pairs) / sizeof(mgmt_pairs[0]))

static void answers_to_management_are_passed_up_and_end_their_task(void **state)
{
    for (size_t i = 0; i < PAIR_CNT; i++) {
        struct rig *r = rig_logged_in(32);
        uint32_t itt, max_cmd_sn = rig_session(r)->window.max_cmd_sn;
        send_mgmt(r, mgmt_pairs[i].request, &itt);
        uint8_t hdr[ISKRA_BHS_LEN];
        answer(r, hdr, mgmt_pairs[i].response, itt);
        rig_feed_pdu(r, hdr, NULL, 0);
        assert_int_equal(r->event_cnt, 0); /* not from inside the receive */
        rig_run(r);
        assert_int_equal(r->event_cnt, 1);
        assert_int_equal(r->events[0].type, ISKRA_KEVENT_RECV_PDU);
        assert_int_equal(r->events[0].sid, RIG_SID);
        assert_int_equal(r->events[0].cid, RIG_CID);
        assert_memory_equal(r->events[0].hdr, hdr, ISKRA_BHS_LEN);
        struct iskra_task *task = iskra_itt_to_task(rig_conn(r), itt);
        assert_int_equal(task->state, ISKRA_TASK_FREE);
        assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 1);
        assert_int_equal(rig_session(r)->window.max_cmd_sn, max_cmd_sn + 3);
        rig_free(r);
    }
}

static void answer_to_another_request_is_refused(void **state)
{
    for (size_t i = 0; i < PAIR_CNT; i++) {
        for (size_t j = 0; j < PAIR_CNT; j++) {
            if (i == j)
                continue;
            struct rig *r = rig_logged_in(32);
            uint32_t itt;
            send_mgmt(r, mgmt_pairs[i].request, &itt);
            uint8_t hdr[ISKRA_BHS_LEN];
            answer(r, hdr, mgmt_pairs[j].response, itt);
            rig_feed_pdu(r, hdr, NULL, 0);
            rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
            rig_free(r);
        }
    }
}

static void same_answer_twice_is_refused(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint32_t itt;
    send_mgmt(r, ISKRA_OP_NOP_OUT, &itt);
    uint8_t hdr[ISKRA_BHS_LEN];
    answer(r, hdr, ISKRA_OP_NOP_IN, itt);
    rig_feed_pdu(r, hdr, NULL, 0);
    rig_assert_no_conn_error(r);
    answer(r, hdr, ISKRA_OP_NOP_IN, itt);
    rig_feed_pdu(r, hdr, NULL, 0);
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    rig_free(r);
}

static void management_answer_for_a_command_is_refused(void **state)
{
    static const uint8_t opcodes[] = {ISKRA_OP_LOGIN_RSP, ISKRA_OP_TEXT_RSP, ISKRA_OP_LOGOUT_RSP,
                                      ISKRA_OP_TMF_RSP, ISKRA_OP_NOP_IN};
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        struct rig *r = rig_logged_in(32);
        static struct rig_cmd cmd;
        rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
        uint32_t itt = rig_queue_and_send(r, &cmd);
        uint8_t hdr[ISKRA_BHS_LEN];
        answer(r, hdr, opcodes[i], itt);
        rig_feed_pdu(r, hdr, NULL, 0);
        rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
        assert_int_equal(cmd.done_cnt, 0);
        rig_free(r);
    }
}

static void response_for_a_free_task_is_refused(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, 9, 0);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    rig_free(r);
}

static void response_for_a_management_task_is_refused(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint32_t itt;
    send_mgmt(r, ISKRA_OP_TMF, &itt);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    rig_free(r);
}

static void response_for_a_command_that_was_not_sent_is_refused(void **state)
{
    struct rig *r = rig_logged_in(32);
    static struct rig_cmd cmd;
    rig_cmd_init(r, &cmd, ISKRA_DIR_NONE, 0);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, cmd.cmnd.task->tcp.itt, 0);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    assert_int_equal(cmd.done_cnt, 0);
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    rig_free(r);
}

static void nop_in_with_our_tag_and_one_of_its_own_is_refused(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint32_t itt;
    send_mgmt(r, ISKRA_OP_NOP_OUT, &itt);
    rig_feed_nop_in(r, itt, 5);
    rig_assert_conn_error(r, ISKRA_CONN_PROTO);
    rig_free(r);
}

static void opcodes_that_make_no_sense_with_their_tag_are_refused(void **state)
{
    static const struct {
        uint8_t opcode;
        bool tagged;
    } rows[] = {
        {ISKRA_OP_LOGIN_RSP, false}, {ISKRA_OP_TEXT_RSP, false}, {ISKRA_OP_LOGOUT_RSP, false},
        {ISKRA_OP_TMF_RSP, false},   {ISKRA_OP_SCSI_RSP, false}, {ISKRA_OP_REJECT, true},
        {ISKRA_OP_ASYNC, true},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *r = rig_logged_in(32);
        uint32_t itt = ISKRA_RESERVED_TAG;
        if (rows[i].tagged)
            send_mgmt(r, ISKRA_OP_NOP_OUT, &itt);
        uint8_t hdr[ISKRA_BHS_LEN];
        answer(r, hdr, rows[i].opcode, itt);
        rig_feed_pdu(r, hdr, NULL, 0);
        rig_assert_conn_error(r, ISKRA_CONN_BAD_OPCODE);
        rig_free(r);
    }
}

static void async_message_is_passed_up_with_its_data(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint8_t hdr[ISKRA_BHS_LEN];
    answer(r, hdr, ISKRA_OP_ASYNC, ISKRA_RESERVED_TAG);
    hdr[36] = 1;
    rig_feed_pdu(r, hdr, "sense", 5);
    rig_run(r);
    assert_int_equal(r->event_cnt, 1);
    assert_int_equal(r->events[0].data_len, 5);
    assert_memory_equal(r->events[0].data, "sense", 5);
    assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 1);
    rig_free(r);
}

static void rejects_of_what_is_not_ours_only_count(void **state)
{
    for (unsigned reason = 1; reason <= 12; reason++) {
        struct rig *r = rig_logged_in(32);
        const uint8_t rejected[ISKRA_BHS_LEN] = {ISKRA_OP_SCSI_CMD};
        rig_feed_reject(r, (uint8_t)reason, rejected, sizeof(rejected));
        rig_assert_no_conn_error(r);
        assert_int_equal(r->event_cnt, 0);
        assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 1);
        assert_false(rig_sent_any(r));
        rig_free(r);
    }
}

static void reject_without_a_whole_header_is_refused(void **state)
{
    static const uint8_t rejected[47];
    struct rig *r = rig_logged_in(32);
    rig_feed_reject(r, 6, rejected, 47);
    rig_assert_conn_error(r, ISKRA_CONN_PROTO);
    rig_free(r);
    r = rig_logged_in(32);
    rig_feed_reject(r, 6, NULL, 0);
    rig_assert_conn_error(r, ISKRA_CONN_PROTO);
    rig_free(r);
}

static void rejected_echo_is_sent_again(void **state)
{
    struct rig *r = rig_logged_in(32);
    rig_feed_nop_in(r, ISKRA_RESERVED_TAG, 0x1234);
    rig_run(r);
    const uint8_t *first = rig_sent(r);
    rig_feed_reject(r, 6, first, ISKRA_BHS_LEN);
    rig_run(r);
    const uint8_t *second = rig_sent(r);
    assert_int_equal(iskra_get_be32(second + 20), 0x1234);
    assert_memory_equal(second + 8, first + 8, 8); /* LUN */
    rig_free(r);
}

static void rejected_ping_of_ours_counts_as_answered(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint32_t itt;
    send_mgmt(r, ISKRA_OP_NOP_OUT, &itt);
    rig_feed_reject(r, 6, r->out, ISKRA_BHS_LEN);
    rig_assert_no_conn_error(r);
    assert_int_equal(r->event_cnt, 1);
    assert_int_equal(iskra_bhs_opcode(r->events[0].hdr), ISKRA_OP_REJECT);
    assert_int_equal(iskra_itt_to_task(rig_conn(r), itt)->state, ISKRA_TASK_FREE);
    rig_free(r);
}

static void reject_of_a_ping_with_a_stale_tag_is_refused(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint8_t rejected[ISKRA_BHS_LEN] = {ISKRA_OP_NOP_OUT | ISKRA_OP_IMMEDIATE};
    iskra_put_be32(rejected + 16, 0x50000001);
    rig_feed_reject(r, 6, rejected, sizeof(rejected));
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    rig_free(r);
}

static void reject_of_a_ping_that_is_over_changes_nothing(void **state)
{
    struct rig *r = rig_logged_in(32);
    uint8_t rejected[ISKRA_BHS_LEN] = {ISKRA_OP_NOP_OUT | ISKRA_OP_IMMEDIATE};
    iskra_put_be32(rejected + 16, 5);
    rig_feed_reject(r, 6, rejected, sizeof(rejected));
    rig_assert_no_conn_error(r);
    assert_int_equal(r->event_cnt, 0);
    rig_free(r);
}

static void answers_are_the_same_however_the_stream_is_cut(void **state)
{
    for (size_t chunk = 1; chunk < 80; chunk++) {
        struct rig *r = rig_logged_in(32);
        rig_conn(r)->tcp.in.hdr_digest = rig_conn(r)->tcp.in.data_digest = true;
        r->chunk = chunk;
        static struct rig_cmd cmd;
        rig_cmd_init(r, &cmd, ISKRA_DIR_READ, 301);
        uint32_t itt = rig_queue_and_send(r, &cmd);
        static uint8_t data[301];
        memset(data, 0x3c, sizeof(data));
        struct iskra_pdu_data_in pdu = rig_data_in(r, itt, 0, 0);
        rig_feed_data_in(r, &pdu, data, 150);
        pdu = rig_data_in(r, itt, 1, 150);
        pdu.status_present = pdu.final = true;
        rig_feed_data_in(r, &pdu, data, 151);
        rig_assert_no_conn_error(r);
        assert_int_equal(cmd.done_cnt, 1);
        assert_int_equal(cmd.cmnd.result, 0);
        assert_memory_equal(cmd.data, data, sizeof(data));
        rig_free(r);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answers_to_management_are_passed_up_and_end_their_task),
        cmocka_unit_test(answer_to_another_request_is_refused),
        cmocka_unit_test(same_answer_twice_is_refused),
        cmocka_unit_test(management_answer_for_a_command_is_refused),
        cmocka_unit_test(response_for_a_free_task_is_refused),
        cmocka_unit_test(response_for_a_management_task_is_refused),
        cmocka_unit_test(response_for_a_command_that_was_not_sent_is_refused),
        cmocka_unit_test(nop_in_with_our_tag_and_one_of_its_own_is_refused),
        cmocka_unit_test(opcodes_that_make_no_sense_with_their_tag_are_refused),
        cmocka_unit_test(async_message_is_passed_up_with_its_data),
        cmocka_unit_test(rejects_of_what_is_not_ours_only_count),
        cmocka_unit_test(reject_without_a_whole_header_is_refused),
        cmocka_unit_test(rejected_echo_is_sent_again),
        cmocka_unit_test(rejected_ping_of_ours_counts_as_answered),
        cmocka_unit_test(reject_of_a_ping_with_a_stale_tag_is_refused),
        cmocka_unit_test(reject_of_a_ping_that_is_over_changes_nothing),
        cmocka_unit_test(answers_are_the_same_however_the_stream_is_cut),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
