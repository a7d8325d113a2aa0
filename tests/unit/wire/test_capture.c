/* Headers as a Linux initiator and tgt sent them, taken from captures of both: what they decode to,
 * and that encoding gives the same 48 bytes. Those with a digest were sent with
 * HeaderDigest=CRC32C; the digest is the peer's own. */
#include "wire_test.h"

#include "wire/bhs.h"
#include "wire/cdb.h"
#include "wire/crc32c.h"
#include "wire/inquiry.h"
#include "wire/sense.h"

/* Decodes the header into `pdu` and checks that it encodes to what it was. */
#define FROM_CAPTURE(name, hex)                                                                    \
    uint8_t bhs[ISKRA_BHS_LEN], again[ISKRA_BHS_LEN];                                              \
    assert_int_equal(hex_bytes(hex, bhs, sizeof(bhs)), ISKRA_BHS_LEN);                             \
    struct iskra_pdu_##name pdu;                                                                   \
    iskra_##name##_decode(bhs, &pdu);                                                              \
    iskra_##name##_encode(&pdu, again);                                                            \
    assert_memory_equal(again, bhs, ISKRA_BHS_LEN)

static void check_digest(const uint8_t *bhs, const char *digest_hex)
{
    uint8_t golden[ISKRA_DIGEST_LEN], got[ISKRA_DIGEST_LEN];
    hex_bytes(digest_hex, golden, sizeof(golden));
    iskra_crc32c_put(
        got, iskra_crc32c_finish(iskra_crc32c_update(ISKRA_CRC32C_INIT, bhs, ISKRA_BHS_LEN)));
    assert_memory_equal(got, golden, ISKRA_DIGEST_LEN);
}

static void a_login_request_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        login,
        "43870000000001a600023d0000010000000000000000000000000000000000000000000000000000000000"
        "0000000000");
    assert_int_equal(iskra_bhs_opcode(bhs), ISKRA_OP_LOGIN);
    assert_true(pdu.transit);
    assert_false(pdu.cont);
    assert_int_equal(pdu.csg, ISKRA_STAGE_OPERATIONAL);
    assert_int_equal(pdu.nsg, ISKRA_STAGE_FULL_FEATURE);
    assert_int_equal(pdu.data_len, 422);
    assert_memory_equal(pdu.isid, "\x00\x02\x3d\x00\x00\x01", ISKRA_ISID_LEN);
    assert_int_equal(pdu.tsih, 0);
    assert_int_equal(pdu.itt, 0);
}

static void a_login_response_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        login_rsp,
        "238700000000012c00023d00000158000000000000000000000000000000000000000001000000000000"
        "000000000000");
    assert_true(pdu.transit);
    assert_int_equal(pdu.nsg, ISKRA_STAGE_FULL_FEATURE);
    assert_int_equal(pdu.data_len, 300);
    assert_int_equal(pdu.tsih, 0x5800);
    assert_int_equal(pdu.stat_sn, 0);
    assert_int_equal(pdu.exp_cmd_sn, 0);
    assert_int_equal(pdu.max_cmd_sn, 1);
    assert_int_equal(pdu.status_class, 0);
}

static void a_text_request_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        text,
        "0480000000000010000000000000000000000001ffffffff0000000100000001000000000000000000000000"
        "00000000");
    assert_true(pdu.final);
    assert_int_equal(pdu.data_len, 16); /* "SendTargets=All" and its NUL */
    assert_int_equal(pdu.itt, 1);
    assert_int_equal(pdu.ttt, ISKRA_RESERVED_TAG);
    assert_int_equal(pdu.cmd_sn, 1);
}

static void a_text_response_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        text_rsp,
        "2480000000000040000000000000000000000001ffffffff00000001000000020000000200000000000000"
        "0000000000");
    assert_true(pdu.final);
    assert_int_equal(pdu.data_len, 64);
    assert_int_equal(pdu.ttt, ISKRA_RESERVED_TAG);
    assert_int_equal(pdu.stat_sn, 1);
    assert_int_equal(pdu.exp_cmd_sn, 2);
}

static void an_inquiry_command_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        scsi_cmd,
        "01c100000000000000000000000000000100000000000024000000000000000112000000240000000000000"
        "000000000");
    assert_true(pdu.final && pdu.read && !pdu.write);
    assert_int_equal(pdu.attr, ISKRA_ATTR_SIMPLE);
    assert_int_equal(pdu.itt, 0x01000000);
    assert_int_equal(pdu.edtl, 36);
    assert_int_equal(pdu.exp_stat_sn, 1);
    struct iskra_cdb cdb;
    assert_int_equal(iskra_cdb_decode(pdu.cdb, sizeof(pdu.cdb), &cdb), 0);
    assert_int_equal(cdb.opcode, ISKRA_SCSI_INQUIRY);
    assert_int_equal(cdb.alloc_len, 36);
    check_digest(bhs, "346a44c7");
}

static void a_read_capacity_16_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        scsi_cmd,
        "01c10000000000000001000000000000310000000000002000000030000000309e10000000000000000000"
        "0000200000");
    struct iskra_cdb cdb;
    assert_int_equal(iskra_cdb_decode(pdu.cdb, sizeof(pdu.cdb), &cdb), 0);
    assert_string_equal(iskra_cdb_name(cdb.opcode, cdb.service_action), "READ CAPACITY(16)");
    assert_int_equal(cdb.alloc_len, 32);
    check_digest(bhs, "bab6d5b0");
}

static void a_read_command_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        scsi_cmd,
        "01c100000000000000020000000000006300000000001000000000620000006328000000000800000800000"
        "000000000");
    assert_true(pdu.read);
    assert_true(pdu.lun == UINT64_C(0x0002000000000000));
    assert_int_equal(pdu.edtl, 4096);
    assert_int_equal(pdu.cmd_sn, 0x62);
    assert_int_equal(pdu.exp_stat_sn, 0x63);
    struct iskra_cdb cdb;
    assert_int_equal(iskra_cdb_decode(pdu.cdb, sizeof(pdu.cdb), &cdb), 0);
    assert_int_equal(cdb.opcode, ISKRA_SCSI_READ_10);
    assert_int_equal(cdb.lba, 8);
    assert_int_equal(cdb.block_cnt, 8);
}

static void a_write_with_immediate_data_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        scsi_cmd,
        "01a100000000200000010000000000006b000000000100000000006a0000006b2a0000000000000080000000"
        "00000000");
    assert_true(pdu.final && pdu.write && !pdu.read);
    assert_int_equal(pdu.data_len, 8192);
    assert_int_equal(pdu.edtl, 65536);
    struct iskra_cdb cdb;
    assert_int_equal(iskra_cdb_decode(pdu.cdb, sizeof(pdu.cdb), &cdb), 0);
    assert_int_equal(cdb.block_cnt, 128);
    assert_int_equal(iskra_cdb_dir(&cdb), ISKRA_CDB_DATA_OUT);
    check_digest(bhs, "54c69238");
}

static void data_in_with_status_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        data_in,
        "2581000000000024000000000000000001000000ffffffff0000000100000001000000810000000000000000"
        "00000000");
    assert_true(pdu.final && pdu.status_present);
    assert_int_equal(pdu.status, 0);
    assert_int_equal(pdu.data_len, 36);
    assert_int_equal(pdu.ttt, ISKRA_RESERVED_TAG);
    assert_int_equal(pdu.stat_sn, 1);
    assert_int_equal(pdu.max_cmd_sn, 0x81);
    check_digest(bhs, "e22f0379");
}

static void data_in_with_underflow_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        data_in,
        "258300000000000a000000000000000007000000ffffffff00000007000000070000008700000000000000000"
        "000001a");
    assert_true(pdu.underflow && !pdu.overflow);
    assert_int_equal(pdu.residual, 26);
    assert_int_equal(pdu.data_len, 10);
    check_digest(bhs, "f5da3265");
}

static void a_response_with_unit_attention_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        scsi_rsp,
        "2180000200000014000000000000000041000000000000000000004100000041000000c1000000000000000"
        "000000000");
    assert_int_equal(pdu.response, 0);
    assert_int_equal(pdu.status, ISKRA_STATUS_CHECK_CONDITION);
    assert_int_equal(pdu.data_len, 20);
    uint8_t segment[20];
    hex_bytes("0012700006000000000a00000000290000000000", segment, sizeof(segment));
    const uint8_t *bytes;
    size_t len;
    assert_int_equal(iskra_sense_segment(segment, sizeof(segment), &bytes, &len), 0);
    assert_int_equal(len, 18);
    struct iskra_sense sense;
    assert_int_equal(iskra_sense_decode(bytes, len, &sense), 0);
    assert_int_equal(sense.key, ISKRA_SENSE_UNIT_ATTENTION);
    assert_string_equal(iskra_asc_name(sense.asc, sense.ascq),
                        "POWER ON, RESET, OR BUS DEVICE RESET OCCURRED");
}

static void an_r2t_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(r2t, "318000000000000000010000000000006b00000010410c290000006b0000006b000000eb0000"
                      "000000002000000"
                      "0e000");
    assert_int_equal(pdu.itt, 0x6b000000);
    assert_int_equal(pdu.ttt, 0x10410c29);
    assert_int_equal(pdu.r2t_sn, 0);
    assert_int_equal(pdu.offset, 8192);
    assert_int_equal(pdu.desired_len, 57344);
    check_digest(bhs, "6f34e339");
}

static void a_data_out_decodes_and_encodes_back(void **state)
{
    FROM_CAPTURE(
        data_out,
        "058000000000200000010000000000006b00000010410c29000000000000006b00000000000000060000e000"
        "00000000");
    assert_true(pdu.final);
    assert_int_equal(pdu.ttt, 0x10410c29);
    assert_int_equal(pdu.exp_stat_sn, 0x6b);
    assert_int_equal(pdu.data_sn, 6);
    assert_int_equal(pdu.offset, 57344);
    check_digest(bhs, "cad0991f");
}

static void inquiry_data_of_a_controller_lun_decodes(void **state)
{
    uint8_t bytes[36];
    hex_bytes("0c0005123d0000024945542020202020436f6e74726f6c6c657220202020202030303031", bytes,
              sizeof(bytes));
    struct iskra_inquiry inquiry;
    assert_int_equal(iskra_inquiry_decode(bytes, sizeof(bytes), &inquiry), 0);
    assert_int_equal(inquiry.qualifier, ISKRA_PQ_CONNECTED);
    assert_string_equal(iskra_device_type_name(inquiry.type), "controller");
    assert_int_equal(inquiry.version, 5);
    assert_true(inquiry.hi_sup && inquiry.cmd_que);
    assert_int_equal(inquiry.response_format, 2);
    assert_string_equal(inquiry.vendor, "IET");
    assert_string_equal(inquiry.product, "Controller");
    assert_string_equal(inquiry.revision, "0001");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_login_request_decodes_and_encodes_back),
        cmocka_unit_test(a_login_response_decodes_and_encodes_back),
        cmocka_unit_test(a_text_request_decodes_and_encodes_back),
        cmocka_unit_test(a_text_response_decodes_and_encodes_back),
        cmocka_unit_test(an_inquiry_command_decodes_and_encodes_back),
        cmocka_unit_test(a_read_capacity_16_decodes_and_encodes_back),
        cmocka_unit_test(a_read_command_decodes_and_encodes_back),
        cmocka_unit_test(a_write_with_immediate_data_decodes_and_encodes_back),
        cmocka_unit_test(data_in_with_status_decodes_and_encodes_back),
        cmocka_unit_test(data_in_with_underflow_decodes_and_encodes_back),
        cmocka_unit_test(a_response_with_unit_attention_decodes_and_encodes_back),
        cmocka_unit_test(an_r2t_decodes_and_encodes_back),
        cmocka_unit_test(a_data_out_decodes_and_encodes_back),
        cmocka_unit_test(inquiry_data_of_a_controller_lun_decodes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
