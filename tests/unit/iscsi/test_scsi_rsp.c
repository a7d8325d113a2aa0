/* The end of a SCSI command: status, sense, residual, and reads that brought less than they claim.
 */
#include "rig.h"

#define GOOD            0x00
#define CHECK_CONDITION 0x02
#define BUSY            0x08

static struct rig_cmd cmd;

static struct rig *sent(enum iskra_data_dir dir, uint32_t len, uint32_t *ret_itt)
{
    struct rig *r = rig_logged_in(32);
    rig_cmd_init(r, &cmd, dir, len);
    *ret_itt = rig_queue_and_send(r, &cmd);
    return r;
}

/* len bytes in one Data-In without status. */
static void feed_data(struct rig *r, uint32_t itt, uint32_t len)
{
    static uint8_t data[RIG_DATA_LEN];
    for (uint32_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 7 + 1);
    struct iskra_pdu_data_in pdu = rig_data_in(r, itt, 0, 0);
    rig_feed_data_in(r, &pdu, data, len);
}

static void expect(struct rig *r, uint8_t host_byte, uint8_t status, uint32_t residual)
{
    rig_assert_no_conn_error(r);
    assert_int_equal(cmd.done_cnt, 1);
    assert_string_equal(iskra_host_byte_name(ISKRA_RESULT_HOST(cmd.cmnd.result)),
                        iskra_host_byte_name(host_byte));
    assert_int_equal(ISKRA_RESULT_STATUS(cmd.cmnd.result), status);
    assert_int_equal(cmd.cmnd.residual, residual);
}

static void good_response_completes_the_command(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_NONE, 0, &itt);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, GOOD);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    expect(r, ISKRA_DID_OK, GOOD, 0);
    assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 1);
    rig_free(r);
}

static void read_with_a_response_of_its_own_brings_the_data(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_READ, 4096, &itt);
    feed_data(r, itt, 4096);
    assert_int_equal(cmd.done_cnt, 0);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, GOOD);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    expect(r, ISKRA_DID_OK, GOOD, 0);
    assert_int_equal(cmd.data[0], 1);
    assert_int_equal(cmd.data[4095], (uint8_t)(4095 * 7 + 1));
    assert_int_equal(cmd.data[4096], 0);
    rig_free(r);
}

static void read_with_status_in_the_last_data_in(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_READ, 5000, &itt);
    feed_data(r, itt, 3000);
    static const uint8_t rest[2000] = {0x77};
    struct iskra_pdu_data_in pdu = rig_data_in(r, itt, 1, 3000);
    pdu.final = pdu.status_present = true;
    pdu.max_cmd_sn = RIG_CMD_SN + 200;
    rig_feed_data_in(r, &pdu, rest, 2000);
    expect(r, ISKRA_DID_OK, GOOD, 0);
    assert_int_equal(cmd.data[3000], 0x77);
    assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 1);
    assert_int_equal(rig_session(r)->window.max_cmd_sn, RIG_CMD_SN + 200);
    rig_free(r);
}

static void response_code_other_than_0_is_an_error_whatever_the_status(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_NONE, 0, &itt);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, CHECK_CONDITION);
    rsp.response = 1;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    expect(r, ISKRA_DID_ERROR, GOOD, 0);
    assert_non_null(strstr(cmd.error.text, "response code 1"));
    rig_free(r);
}

static void other_status_is_passed_on(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_READ, 512, &itt);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, BUSY);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    expect(r, ISKRA_DID_OK, BUSY, 512);
    rig_free(r);
}

/* CHECK CONDITION with data_len bytes that state sense_len. */
static struct rig *check_condition(uint16_t sense_len, uint32_t data_len)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_NONE, 0, &itt);
    static uint8_t data[512];
    memset(data, 0x5a, sizeof(data));
    iskra_put_be16(data, sense_len);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, CHECK_CONDITION);
    rig_feed_scsi_rsp(r, &rsp, data, data_len);
    return r;
}

static void sense_is_taken(void **state)
{
    struct rig *r = check_condition(18, 20);
    expect(r, ISKRA_DID_OK, CHECK_CONDITION, 0);
    assert_int_equal(cmd.cmnd.sense_len, 18);
    assert_int_equal(cmd.cmnd.sense[17], 0x5a);
    assert_int_equal(cmd.cmnd.sense[18], 0);
    rig_free(r);
}

static void sense_beyond_the_buffer_is_cut(void **state)
{
    struct rig *r = check_condition(300, 302);
    expect(r, ISKRA_DID_OK, CHECK_CONDITION, 0);
    assert_int_equal(cmd.cmnd.sense_len, ISKRA_SENSE_LEN_MAX);
    rig_free(r);
}

static void sense_of_no_bytes_is_no_sense(void **state)
{
    struct rig *r = check_condition(0, 2);
    expect(r, ISKRA_DID_OK, CHECK_CONDITION, 0);
    assert_int_equal(cmd.cmnd.sense_len, 0);
    rig_free(r);
}

static void check_condition_without_data_is_a_bad_target(void **state)
{
    struct rig *r = check_condition(0, 0);
    expect(r, ISKRA_DID_BAD_TARGET, CHECK_CONDITION, 0);
    rig_free(r);
}

static void check_condition_with_one_byte_is_a_bad_target(void **state)
{
    struct rig *r = check_condition(0, 1);
    expect(r, ISKRA_DID_BAD_TARGET, CHECK_CONDITION, 0);
    rig_free(r);
}

static void sense_that_lies_by_one_is_a_bad_target(void **state)
{
    struct rig *r = check_condition(18, 19);
    expect(r, ISKRA_DID_BAD_TARGET, CHECK_CONDITION, 0);
    assert_int_equal(cmd.cmnd.sense_len, 0);
    rig_free(r);
}

static void sense_that_counts_its_own_length_is_a_bad_target(void **state)
{
    struct rig *r = check_condition(20, 20);
    expect(r, ISKRA_DID_BAD_TARGET, CHECK_CONDITION, 0);
    rig_free(r);
}

/* Each residual is tried with a separate response and with a Data-In that carries the status. */
static const struct residual_row {
    bool overflow, underflow;
    uint32_t count, data_len; /* of 1000 asked */
    uint8_t host_byte;
    uint32_t residual;
} residual_rows[] = {
    {false, false, 0, 1000, ISKRA_DID_OK, 0},
    {false, false, 77, 1000, ISKRA_DID_OK, 0}, /* no flag: the count means nothing */
    {false, true, 200, 800, ISKRA_DID_OK, 200},
    {false, true, 1000, 0, ISKRA_DID_OK, 1000},
    {false, true, 1001, 0, ISKRA_DID_BAD_TARGET, 0},
    {false, true, 0, 1000, ISKRA_DID_BAD_TARGET, 0},
    {true, false, 5000, 1000, ISKRA_DID_OK, 0},
    {true, false, 0, 1000, ISKRA_DID_BAD_TARGET, 0},
    {false, false, 0, 999, ISKRA_DID_ERROR, 1000},
    {false, false, 0, 0, ISKRA_DID_ERROR, 1000},
    {false, true, 200, 900, ISKRA_DID_ERROR, 1000},
    {false, true, 200, 700, ISKRA_DID_ERROR, 1000},
    {true, false, 1, 999, ISKRA_DID_ERROR, 1000},
};

static void residual_table_with_a_response_of_its_own(void **state)
{
    for (size_t i = 0; i < sizeof(residual_rows) / sizeof(residual_rows[0]); i++) {
        const struct residual_row *row = &residual_rows[i];
        uint32_t itt;
        struct rig *r = sent(ISKRA_DIR_READ, 1000, &itt);
        if (row->data_len > 0)
            feed_data(r, itt, row->data_len);
        struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, GOOD);
        rsp.overflow = row->overflow;
        rsp.underflow = row->underflow;
        rsp.residual = row->count;
        rig_feed_scsi_rsp(r, &rsp, NULL, 0);
        expect(r, row->host_byte, GOOD, row->residual);
        rig_free(r);
    }
}

static void residual_table_with_status_in_the_data_in(void **state)
{
    static const uint8_t data[1000];
    for (size_t i = 0; i < sizeof(residual_rows) / sizeof(residual_rows[0]); i++) {
        const struct residual_row *row = &residual_rows[i];
        uint32_t itt;
        struct rig *r = sent(ISKRA_DIR_READ, 1000, &itt);
        struct iskra_pdu_data_in pdu = rig_data_in(r, itt, 0, 0);
        pdu.final = pdu.status_present = true;
        pdu.overflow = row->overflow;
        pdu.underflow = row->underflow;
        pdu.residual = row->count;
        rig_feed_data_in(r, &pdu, data, row->data_len);
        expect(r, row->host_byte, GOOD, row->residual);
        rig_free(r);
    }
}

static void short_read_says_how_much_came(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_READ, 1000, &itt);
    feed_data(r, itt, 600);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, GOOD);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    expect(r, ISKRA_DID_ERROR, GOOD, 1000);
    assert_int_equal(cmd.error.code, ISKRA_E_RESPONSE);
    assert_non_null(strstr(cmd.error.text, "600 bytes arrived"));
    rig_free(r);
}

static void failed_read_may_be_short(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_READ, 1000, &itt);
    feed_data(r, itt, 600);
    static const uint8_t sense[20] = {0, 18, 0x70};
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, CHECK_CONDITION);
    rsp.underflow = true;
    rsp.residual = 400;
    rig_feed_scsi_rsp(r, &rsp, sense, sizeof(sense));
    expect(r, ISKRA_DID_OK, CHECK_CONDITION, 400);
    rig_free(r);
}

/* RECOVERED ERROR lets the data stand: only what arrived, whatever the residual says. */
static void status_that_keeps_the_data_vouches_only_for_what_came(void **state)
{
    static const uint8_t sense[20] = {0, 18, 0x70, 0, 1};
    static const struct {
        uint32_t data_len, count, residual;
    } rows[] = {{0, 0, 1000}, {600, 0, 400}, {600, 100, 400}, {600, 500, 500}, {1000, 0, 0}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        uint32_t itt;
        struct rig *r = sent(ISKRA_DIR_READ, 1000, &itt);
        if (rows[i].data_len > 0)
            feed_data(r, itt, rows[i].data_len);
        struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, CHECK_CONDITION);
        rsp.underflow = rows[i].count > 0;
        rsp.residual = rows[i].count;
        rig_feed_scsi_rsp(r, &rsp, sense, sizeof(sense));
        expect(r, ISKRA_DID_OK, CHECK_CONDITION, rows[i].residual);
        rig_free(r);
    }
}

static void window_in_the_response_is_taken(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_NONE, 0, &itt);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, GOOD);
    rsp.max_cmd_sn = RIG_CMD_SN + 500;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    assert_int_equal(rig_session(r)->window.exp_cmd_sn, RIG_CMD_SN + 1);
    assert_int_equal(rig_session(r)->window.max_cmd_sn, RIG_CMD_SN + 500);
    rig_free(r);
}

static void small_gap_in_stat_sn_is_counted(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_NONE, 0, &itt);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, GOOD);
    rsp.stat_sn += 32; /* as many as there can be commands */
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    expect(r, ISKRA_DID_OK, GOOD, 0);
    assert_int_equal(rig_session(r)->statsn_gaps, 1);
    assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 33);
    rig_free(r);
}

static void ffp_5_1_a_large_gap_in_stat_sn_loses_the_connection(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_NONE, 0, &itt);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, GOOD);
    rsp.stat_sn += 33;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_assert_conn_error(r, ISKRA_CONN_PROTO);
    assert_int_equal(cmd.done_cnt, 0);
    assert_non_null(strstr(r->events[0].why, "StatSN 5033, expected 5000"));
    rig_free(r);
}

static void stat_sn_far_behind_loses_the_connection(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_NONE, 0, &itt);
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, GOOD);
    rsp.stat_sn -= 33;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_assert_conn_error(r, ISKRA_CONN_PROTO);
    rig_free(r);
}

static void stat_sn_wraps(void **state)
{
    uint32_t itt;
    struct rig *r = sent(ISKRA_DIR_NONE, 0, &itt);
    rig_conn(r)->exp_stat_sn = 0xffffffff;
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, GOOD);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    expect(r, ISKRA_DID_OK, GOOD, 0);
    assert_int_equal(rig_conn(r)->exp_stat_sn, 0);
    assert_int_equal(rig_session(r)->statsn_gaps, 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_response_completes_the_command),
        cmocka_unit_test(read_with_a_response_of_its_own_brings_the_data),
        cmocka_unit_test(read_with_status_in_the_last_data_in),
        cmocka_unit_test(response_code_other_than_0_is_an_error_whatever_the_status),
        cmocka_unit_test(other_status_is_passed_on),
        cmocka_unit_test(sense_is_taken),
        cmocka_unit_test(sense_beyond_the_buffer_is_cut),
        cmocka_unit_test(sense_of_no_bytes_is_no_sense),
        cmocka_unit_test(check_condition_without_data_is_a_bad_target),
        cmocka_unit_test(check_condition_with_one_byte_is_a_bad_target),
        cmocka_unit_test(sense_that_lies_by_one_is_a_bad_target),
        cmocka_unit_test(sense_that_counts_its_own_length_is_a_bad_target),
        cmocka_unit_test(residual_table_with_a_response_of_its_own),
        cmocka_unit_test(residual_table_with_status_in_the_data_in),
        cmocka_unit_test(short_read_says_how_much_came),
        cmocka_unit_test(failed_read_may_be_short),
        cmocka_unit_test(status_that_keeps_the_data_vouches_only_for_what_came),
        cmocka_unit_test(window_in_the_response_is_taken),
        cmocka_unit_test(small_gap_in_stat_sn_is_counted),
        cmocka_unit_test(ffp_5_1_a_large_gap_in_stat_sn_loses_the_connection),
        cmocka_unit_test(stat_sn_far_behind_loses_the_connection),
        cmocka_unit_test(stat_sn_wraps),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
