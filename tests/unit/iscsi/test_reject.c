/* A Reject ends what it names, with its reason in words; a header that names nothing of ours ends
 * nothing. */
#include "write_rig.h"

#define SOFT_ERROR ISKRA_RESULT(ISKRA_DID_SOFT_ERROR, 0)
#define BAD_TARGET ISKRA_RESULT(ISKRA_DID_BAD_TARGET, 0)

static struct rig_cmd cmd;
static struct write_cmd writes[ISKRA_LATE_ANSWERS_MAX + 1];

/* A command of 512 bytes, sent; its header goes to hdr. */
static struct rig *sent(enum iskra_data_dir dir, uint8_t *hdr)
{
    struct rig *r = rig_logged_in(32);
    rig_cmd_init(r, &cmd, dir, dir == ISKRA_DIR_NONE ? 0 : 512);
    assert_int_equal(rig_queue(&cmd), ISKRA_QUEUED);
    rig_run(r);
    memcpy(hdr, rig_sent(r), ISKRA_BHS_LEN);
    return r;
}

static void each_reason_ends_the_command_at_once_and_is_told(void **state)
{
    (void)state;
    static const struct {
        uint8_t reason;
        uint32_t result;
        const char *text;
    } rows[] = {
        {0x01, BAD_TARGET, "no reason known here (reason 0x01)"},
        {0x02, SOFT_ERROR, "data digest error (reason 0x02)"},
        {0x04, BAD_TARGET, "protocol error (reason 0x04)"},
        {0x05, BAD_TARGET, "command not supported (reason 0x05)"},
        {0x06, SOFT_ERROR, "immediate command reject (reason 0x06)"},
        {0x07, BAD_TARGET, "task in progress (reason 0x07)"},
        {0x09, BAD_TARGET, "invalid PDU field (reason 0x09)"},
        {0x0a, SOFT_ERROR, "long operation reject (reason 0x0a)"},
        {0x0b, BAD_TARGET, "negotiation reset (reason 0x0b)"},
        {0x0c, BAD_TARGET, "waiting for logout (reason 0x0c)"},
        {0xff, BAD_TARGET, "no reason known here (reason 0xff)"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t hdr[ISKRA_BHS_LEN];
        struct rig *r = sent(i % 2 ? ISKRA_DIR_READ : ISKRA_DIR_NONE, hdr);
        rig_feed_reject(r, rows[i].reason, hdr, ISKRA_BHS_LEN);
        rig_run(r);
        assert_int_equal(cmd.done_cnt, 1);
        assert_int_equal(cmd.cmnd.result, rows[i].result);
        assert_int_equal(cmd.cmnd.residual, cmd.cmnd.transfer_len);
        assert_true(cmd.cmnd.told);
        assert_non_null(strstr(cmd.error.text, "the target rejected the SCSI Command of tag 0x"));
        assert_non_null(strstr(cmd.error.text, rows[i].text));
        assert_int_equal(rig_conn(r)->late_answer_cnt, 0); /* it was never begun */
        assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 1);
        rig_assert_no_conn_error(r);
        rig_free(r);
    }
}

static void rejected_command_is_over_once(void **state)
{
    (void)state;
    uint8_t hdr[ISKRA_BHS_LEN];
    struct rig *r = sent(ISKRA_DIR_READ, hdr);
    rig_feed_reject(r, 4, hdr, ISKRA_BHS_LEN);
    rig_feed_reject(r, 4, hdr, ISKRA_BHS_LEN);
    rig_run(r);
    assert_int_equal(cmd.done_cnt, 1);
    assert_int_equal(rig_session(r)->scsi_cnt, 0);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

/* A header of ours in which one thing is not as it was sent. */
static void header_that_names_no_command_of_ours_ends_none(void **state)
{
    (void)state;
    static const struct {
        unsigned at;
        uint8_t flip;
    } rows[] = {
        {0, ISKRA_OP_SCSI_CMD ^ ISKRA_OP_NOP_OUT},
        {0, ISKRA_OP_SCSI_CMD ^ ISKRA_OP_DATA_OUT},
        {0, ISKRA_OP_SCSI_CMD ^ ISKRA_OP_SCSI_RSP},
        {0, ISKRA_OP_SCSI_CMD ^ ISKRA_OP_TMF},
        {19, 0x03}, /* the tag of a task that is free */
        {24, 0x80}, /* an older command's CmdSN */
        {27, 0x01},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint8_t hdr[ISKRA_BHS_LEN];
        struct rig *r = sent(ISKRA_DIR_READ, hdr);
        hdr[rows[i].at] ^= rows[i].flip;
        rig_feed_reject(r, 4, hdr, ISKRA_BHS_LEN);
        rig_run(r);
        assert_int_equal(cmd.done_cnt, 0);
        assert_int_equal(r->event_cnt, 0);
        rig_assert_no_conn_error(r);
        rig_free(r);
    }
}

static void tag_of_another_life_or_out_of_range_loses_the_connection(void **state)
{
    (void)state;
    static const uint32_t itts[] = {0x50000001, 0x00000fff, 0x0fff0000};
    for (int i = 0; i < 3; i++) {
        uint8_t hdr[ISKRA_BHS_LEN];
        struct rig *r = sent(ISKRA_DIR_READ, hdr);
        iskra_put_be32(hdr + 16, itts[i]);
        rig_feed_reject(r, 9, hdr, ISKRA_BHS_LEN);
        rig_run(r);
        rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
        assert_int_equal(cmd.done_cnt, 0); /* its end comes with the connection's */
        rig_free(r);
    }
}

static void command_that_was_not_sent_cannot_be_rejected(void **state)
{
    (void)state;
    uint8_t hdr[ISKRA_BHS_LEN];
    struct rig *r = sent(ISKRA_DIR_READ, hdr);
    static struct rig_cmd waiting;
    rig_cmd_init(r, &waiting, ISKRA_DIR_READ, 512);
    rig_conn(r)->tx_full = true;
    assert_int_equal(rig_queue(&waiting), ISKRA_QUEUED);
    rig_run(r);
    iskra_put_be32(hdr + 16, waiting.cmnd.task->tcp.itt);
    rig_feed_reject(r, 4, hdr, ISKRA_BHS_LEN);
    rig_run(r);
    assert_int_equal(waiting.done_cnt, 0);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

/* Its data was on the way: whatever comes for it now finds no memory. */
static void read_that_had_begun_gets_no_data_after_its_reject(void **state)
{
    (void)state;
    static const uint8_t data[256] = {0xee};
    uint8_t hdr[ISKRA_BHS_LEN];
    struct rig *r = sent(ISKRA_DIR_READ, hdr);
    struct iskra_pdu_data_in pdu = rig_data_in(r, iskra_bhs_itt(hdr), 0, 0);
    rig_feed_data_in(r, &pdu, data, 256);
    rig_feed_reject(r, 4, hdr, ISKRA_BHS_LEN);
    rig_run(r);
    assert_int_equal(cmd.done_cnt, 1);
    assert_int_equal(rig_conn(r)->late_answer_cnt, 1);
    pdu = rig_data_in(r, iskra_bhs_itt(hdr), 1, 256);
    rig_feed_data_in(r, &pdu, data, 256);
    rig_assert_conn_error(r, ISKRA_CONN_PROTO);
    assert_int_equal(cmd.data[256], 0);
    rig_free(r);
}

static void late_answer_to_a_rejected_read_only_counts(void **state)
{
    (void)state;
    static const uint8_t data[256];
    uint8_t hdr[ISKRA_BHS_LEN];
    struct rig *r = sent(ISKRA_DIR_READ, hdr);
    struct iskra_pdu_data_in pdu = rig_data_in(r, iskra_bhs_itt(hdr), 0, 0);
    rig_feed_data_in(r, &pdu, data, 256);
    rig_feed_reject(r, 4, hdr, ISKRA_BHS_LEN);
    rig_run(r);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, iskra_bhs_itt(hdr), 8);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_run(r);
    assert_int_equal(cmd.done_cnt, 1);
    assert_int_equal(rig_conn(r)->late_answer_cnt, 0);
    assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 2);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void rejected_data_out_keeps_its_tag_for_the_late_answer(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_default;
    keys.immediate_data = false;
    struct rig *r = write_rig(&keys, 4);
    for (unsigned i = 0; i <= ISKRA_LATE_ANSWERS_MAX; i++) {
        write_init(r, &writes[i], 1024, 1);
        write_queue(r, &writes[i]);
        rig_run(r);
        (void)rig_sent(r);
        write_feed_r2t(r, &writes[i], 512, 512, NULL); /* the second half first */
        rig_run(r);
        rig_feed_reject(r, 9, rig_sent(r), ISKRA_BHS_LEN);
        rig_run(r);
        if (i == ISKRA_LATE_ANSWERS_MAX)
            break;
        assert_int_equal(writes[i].cmd.done_cnt, 1);
        assert_int_equal(writes[i].cmd.cmnd.result, BAD_TARGET);
        assert_non_null(strstr(writes[i].cmd.error.text, "rejected the Data-Out of tag"));
        assert_int_equal(rig_conn(r)->late_answer_cnt, i + 1);
        rig_assert_no_conn_error(r);
    }
    rig_assert_conn_error(r, ISKRA_CONN_PROTO);
    assert_non_null(strstr(rig_conn(r)->tcp.error.text, "has not answered 8 commands"));
    rig_free(r);
}

static void data_out_that_cannot_have_been_sent_ends_nothing(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_default;
    keys.immediate_data = false;
    struct rig *r = write_rig(&keys, 4);
    write_init(r, &writes[0], 1024, 1);
    write_queue(r, &writes[0]);
    rig_run(r);
    (void)rig_sent(r);
    struct iskra_pdu_data_out out = {.itt = writes[0].gen.itt, .data_len = 512};
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_data_out_encode(&out, hdr);
    rig_feed_reject(r, 4, hdr, ISKRA_BHS_LEN); /* before the first R2T */
    write_feed_r2t(r, &writes[0], 0, 512, NULL);
    rig_run(r);
    out.offset = 0xfffffff0; /* beyond the command's end, and around the corner */
    iskra_data_out_encode(&out, hdr);
    rig_feed_reject(r, 4, hdr, ISKRA_BHS_LEN);
    rig_run(r);
    assert_int_equal(writes[0].cmd.done_cnt, 0);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

/* A management request, sent; its header goes to hdr. */
static struct rig *mgmt_sent(uint8_t opcode, uint8_t *hdr)
{
    struct rig *r = rig_logged_in(32);
    uint8_t request[ISKRA_BHS_LEN] = {opcode | ISKRA_OP_IMMEDIATE, 0x80};
    iskra_put_be32(request + 20, ISKRA_RESERVED_TAG);
    assert_int_equal(rig_send_pdu(r, request, NULL, 0), 0);
    rig_run(r);
    memcpy(hdr, rig_sent(r), ISKRA_BHS_LEN);
    return r;
}

static void rejected_ping_or_task_management_is_passed_up_and_over(void **state)
{
    (void)state;
    static const uint8_t opcodes[] = {ISKRA_OP_NOP_OUT, ISKRA_OP_TMF};
    for (unsigned i = 0; i < 2; i++) {
        for (unsigned reason = 4; reason <= 12; reason++) {
            uint8_t hdr[ISKRA_BHS_LEN];
            struct rig *r = mgmt_sent(opcodes[i], hdr);
            struct iskra_task *task = iskra_itt_to_task(rig_conn(r), iskra_bhs_itt(hdr));
            rig_feed_reject(r, (uint8_t)reason, hdr, ISKRA_BHS_LEN);
            rig_run(r);
            assert_int_equal(r->event_cnt, 1);
            assert_int_equal(iskra_bhs_opcode(r->events[0].hdr), ISKRA_OP_REJECT);
            assert_int_equal(r->events[0].hdr[2], reason);
            assert_memory_equal(r->events[0].data, hdr, ISKRA_BHS_LEN);
            assert_int_equal(task->state, ISKRA_TASK_FREE);
            rig_feed_reject(r, (uint8_t)reason, hdr, ISKRA_BHS_LEN);
            rig_run(r);
            assert_int_equal(r->event_cnt, 1);
            rig_assert_no_conn_error(r);
            rig_free(r);
        }
    }
}

static void rejected_text_or_logout_ends_the_connection_with_its_reason(void **state)
{
    (void)state;
    static const struct {
        uint8_t opcode;
        const char *text;
    } rows[] = {
        {ISKRA_OP_TEXT, "rejected our Text Request: invalid PDU field (reason 0x09)"},
        {ISKRA_OP_LOGOUT, "rejected our Logout Request: invalid PDU field (reason 0x09)"},
    };
    for (unsigned i = 0; i < 2; i++) {
        uint8_t hdr[ISKRA_BHS_LEN];
        struct rig *r = mgmt_sent(rows[i].opcode, hdr);
        rig_feed_reject(r, 9, hdr, ISKRA_BHS_LEN);
        rig_run(r);
        rig_assert_conn_error(r, ISKRA_CONN_PROTO);
        assert_non_null(strstr(r->events[0].why, rows[i].text));
        rig_free(r);
    }
}

static void reject_in_the_login_phase_is_about_the_login(void **state)
{
    (void)state;
    struct rig *r = rig_new(32);
    assert_int_equal(rig_bind(r), 0);
    uint8_t hdr[ISKRA_BHS_LEN] = {ISKRA_OP_LOGIN | ISKRA_OP_IMMEDIATE};
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    rig_run(r);
    rig_feed_reject(r, 0x0b, rig_sent(r), ISKRA_BHS_LEN);
    rig_run(r);
    rig_assert_conn_error(r, ISKRA_CONN_PROTO);
    assert_non_null(
        strstr(r->events[0].why, "rejected the login: negotiation reset (reason 0x0b)"));
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_reason_ends_the_command_at_once_and_is_told),
        cmocka_unit_test(rejected_command_is_over_once),
        cmocka_unit_test(header_that_names_no_command_of_ours_ends_none),
        cmocka_unit_test(tag_of_another_life_or_out_of_range_loses_the_connection),
        cmocka_unit_test(command_that_was_not_sent_cannot_be_rejected),
        cmocka_unit_test(read_that_had_begun_gets_no_data_after_its_reject),
        cmocka_unit_test(late_answer_to_a_rejected_read_only_counts),
        cmocka_unit_test(rejected_data_out_keeps_its_tag_for_the_late_answer),
        cmocka_unit_test(data_out_that_cannot_have_been_sent_ends_nothing),
        cmocka_unit_test(rejected_ping_or_task_management_is_passed_up_and_over),
        cmocka_unit_test(rejected_text_or_logout_ends_the_connection_with_its_reason),
        cmocka_unit_test(reject_in_the_login_phase_is_about_the_login),
    };
    return cmocka_run_group_tests_name("reject", tests, NULL, NULL);
}
