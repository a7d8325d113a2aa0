/* Every PDU of RFC 7143 section 11, pinned by 48 bytes written by hand from the figures of the RFC.
 * Each field has a value of its own, so that two fields changed over, in either direction, show. */
#include "wire_test.h"

#include "wire/bhs.h"

static void check_header(const uint8_t *got, const char *golden_hex)
{
    uint8_t golden[ISKRA_BHS_LEN];
    assert_int_equal(hex_bytes(golden_hex, golden, sizeof(golden)), ISKRA_BHS_LEN);
    assert_memory_equal(got, golden, ISKRA_BHS_LEN);
}

/* Values -> golden bytes, and golden bytes -> values -> golden bytes. */
#define CHECK_PDU(name, golden_hex, ...)                                                           \
    do {                                                                                           \
        const struct iskra_pdu_##name values = {__VA_ARGS__};                                      \
        uint8_t bhs[ISKRA_BHS_LEN];                                                                \
        memset(bhs, 0xee, sizeof(bhs));                                                            \
        iskra_##name##_encode(&values, bhs);                                                       \
        check_header(bhs, golden_hex);                                                             \
        struct iskra_pdu_##name decoded;                                                           \
        memset(&decoded, 0, sizeof(decoded));                                                      \
        iskra_##name##_decode(bhs, &decoded);                                                      \
        memset(bhs, 0xee, sizeof(bhs));                                                            \
        iskra_##name##_encode(&decoded, bhs);                                                      \
        check_header(bhs, golden_hex);                                                             \
    } while (0)

static void scsi_command_has_the_bytes_of_11_3(void **state)
{
    CHECK_PDU(scsi_cmd,
              "41 c2 00 00 05 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 33 34"
              "41 42 43 44 51 52 53 54  60 61 62 63 64 65 66 67  68 69 6a 6b 6c 6d 6e 6f",
              .immediate = true, .final = true, .read = true, .attr = ISKRA_ATTR_ORDERED,
              .ahs_words = 5, .data_len = 0x010203, .lun = 0x1112131415161718, .itt = 0x21222324,
              .edtl = 0x31323334, .cmd_sn = 0x41424344, .exp_stat_sn = 0x51525354,
              .cdb = {0x60, 0x61, 0x62, 0x63, 0x64, 0x65, 0x66, 0x67, 0x68, 0x69, 0x6a, 0x6b, 0x6c,
                      0x6d, 0x6e, 0x6f});
}

static void scsi_command_write_bit_is_20h(void **state)
{
    struct iskra_pdu_scsi_cmd cmd = {.write = true, .attr = ISKRA_ATTR_SIMPLE};
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_scsi_cmd_encode(&cmd, bhs);
    assert_int_equal(bhs[0], 0x01);
    assert_int_equal(bhs[1], 0x21);
}

static void scsi_response_has_the_bytes_of_11_4(void **state)
{
    CHECK_PDU(scsi_rsp,
              "21 8a 01 02 06 01 02 03  00 00 00 00 00 00 00 00  21 22 23 24 31 32 33 34"
              "41 42 43 44 51 52 53 54  61 62 63 64 71 72 73 74  81 82 83 84 91 92 93 94",
              .bidi_underflow = true, .underflow = true, .response = 1, .status = 2, .ahs_words = 6,
              .data_len = 0x010203, .itt = 0x21222324, .snack_tag = 0x31323334,
              .stat_sn = 0x41424344, .exp_cmd_sn = 0x51525354, .max_cmd_sn = 0x61626364,
              .exp_data_sn = 0x71727374, .bidi_residual = 0x81828384, .residual = 0x91929394);
}

static void scsi_response_overflow_bits_are_10h_and_04h(void **state)
{
    struct iskra_pdu_scsi_rsp rsp = {.bidi_overflow = true};
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_scsi_rsp_encode(&rsp, bhs);
    assert_int_equal(bhs[1], 0x90);
    rsp = (struct iskra_pdu_scsi_rsp){.overflow = true};
    iskra_scsi_rsp_encode(&rsp, bhs);
    assert_int_equal(bhs[1], 0x84);
}

static void task_management_request_has_the_bytes_of_11_5(void **state)
{
    CHECK_PDU(tmf,
              "42 85 00 00 07 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 33 34"
              "41 42 43 44 51 52 53 54  61 62 63 64 71 72 73 74  00 00 00 00 00 00 00 00",
              .immediate = true, .function = ISKRA_TMF_LUN_RESET, .ahs_words = 7,
              .data_len = 0x010203, .lun = 0x1112131415161718, .itt = 0x21222324,
              .ref_task_tag = 0x31323334, .cmd_sn = 0x41424344, .exp_stat_sn = 0x51525354,
              .ref_cmd_sn = 0x61626364, .exp_data_sn = 0x71727374);
}

static void task_management_response_has_the_bytes_of_11_6(void **state)
{
    CHECK_PDU(tmf_rsp,
              "22 80 05 00 08 01 02 03  00 00 00 00 00 00 00 00  21 22 23 24 00 00 00 00"
              "41 42 43 44 51 52 53 54  61 62 63 64 00 00 00 00  00 00 00 00 00 00 00 00",
              .response = 5, .ahs_words = 8, .data_len = 0x010203, .itt = 0x21222324,
              .stat_sn = 0x41424344, .exp_cmd_sn = 0x51525354, .max_cmd_sn = 0x61626364);
}

static void data_out_has_the_bytes_of_11_7(void **state)
{
    CHECK_PDU(data_out,
              "05 80 00 00 09 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 33 34"
              "00 00 00 00 51 52 53 54  00 00 00 00 71 72 73 74  81 82 83 84 00 00 00 00",
              .final = true, .ahs_words = 9, .data_len = 0x010203, .lun = 0x1112131415161718,
              .itt = 0x21222324, .ttt = 0x31323334, .exp_stat_sn = 0x51525354,
              .data_sn = 0x71727374, .offset = 0x81828384);
}

static void data_in_has_the_bytes_of_11_7(void **state)
{
    CHECK_PDU(data_in,
              "25 c3 00 08 0a 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 33 34"
              "41 42 43 44 51 52 53 54  61 62 63 64 71 72 73 74  81 82 83 84 91 92 93 94",
              .final = true, .ack = true, .underflow = true, .status_present = true, .status = 8,
              .ahs_words = 10, .data_len = 0x010203, .lun = 0x1112131415161718, .itt = 0x21222324,
              .ttt = 0x31323334, .stat_sn = 0x41424344, .exp_cmd_sn = 0x51525354,
              .max_cmd_sn = 0x61626364, .data_sn = 0x71727374, .offset = 0x81828384,
              .residual = 0x91929394);
}

static void data_in_overflow_bit_is_04h(void **state)
{
    struct iskra_pdu_data_in in = {.overflow = true};
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_data_in_encode(&in, bhs);
    assert_int_equal(bhs[1], 0x04);
}

static void r2t_has_the_bytes_of_11_8(void **state)
{
    CHECK_PDU(r2t,
              "31 80 00 00 0b 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 33 34"
              "41 42 43 44 51 52 53 54  61 62 63 64 71 72 73 74  81 82 83 84 91 92 93 94",
              .ahs_words = 11, .data_len = 0x010203, .lun = 0x1112131415161718, .itt = 0x21222324,
              .ttt = 0x31323334, .stat_sn = 0x41424344, .exp_cmd_sn = 0x51525354,
              .max_cmd_sn = 0x61626364, .r2t_sn = 0x71727374, .offset = 0x81828384,
              .desired_len = 0x91929394);
}

static void async_message_has_the_bytes_of_11_9(void **state)
{
    CHECK_PDU(async,
              "32 80 00 00 0c 01 02 03  11 12 13 14 15 16 17 18  ff ff ff ff 00 00 00 00"
              "41 42 43 44 51 52 53 54  61 62 63 64 01 02 71 72  81 82 91 92 00 00 00 00",
              .ahs_words = 12, .data_len = 0x010203, .lun = 0x1112131415161718,
              .itt = ISKRA_RESERVED_TAG, .stat_sn = 0x41424344, .exp_cmd_sn = 0x51525354,
              .max_cmd_sn = 0x61626364, .event = 1, .vcode = 2, .param1 = 0x7172, .param2 = 0x8182,
              .param3 = 0x9192);
}

static void text_request_has_the_bytes_of_11_10(void **state)
{
    CHECK_PDU(text,
              "44 40 00 00 0d 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 33 34"
              "41 42 43 44 51 52 53 54  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00",
              .immediate = true, .cont = true, .ahs_words = 13, .data_len = 0x010203,
              .lun = 0x1112131415161718, .itt = 0x21222324, .ttt = 0x31323334, .cmd_sn = 0x41424344,
              .exp_stat_sn = 0x51525354);
}

static void text_response_has_the_bytes_of_11_11(void **state)
{
    CHECK_PDU(text_rsp,
              "24 80 00 00 0e 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 33 34"
              "41 42 43 44 51 52 53 54  61 62 63 64 00 00 00 00  00 00 00 00 00 00 00 00",
              .final = true, .ahs_words = 14, .data_len = 0x010203, .lun = 0x1112131415161718,
              .itt = 0x21222324, .ttt = 0x31323334, .stat_sn = 0x41424344, .exp_cmd_sn = 0x51525354,
              .max_cmd_sn = 0x61626364);
}

static void login_request_has_the_bytes_of_11_12(void **state)
{
    CHECK_PDU(login,
              "43 87 01 02 0f 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 00 00"
              "41 42 43 44 51 52 53 54  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00",
              .transit = true, .csg = ISKRA_STAGE_OPERATIONAL, .nsg = ISKRA_STAGE_FULL_FEATURE,
              .version_max = 1, .version_min = 2, .ahs_words = 15, .data_len = 0x010203,
              .isid = {0x11, 0x12, 0x13, 0x14, 0x15, 0x16}, .tsih = 0x1718, .cid = 0x3132,
              .itt = 0x21222324, .cmd_sn = 0x41424344, .exp_stat_sn = 0x51525354);
}

static void login_response_has_the_bytes_of_11_13(void **state)
{
    CHECK_PDU(login_rsp,
              "23 44 01 02 10 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 00 00 00 00"
              "41 42 43 44 51 52 53 54  61 62 63 64 02 03 00 00  00 00 00 00 00 00 00 00",
              .cont = true, .csg = ISKRA_STAGE_OPERATIONAL, .nsg = ISKRA_STAGE_SECURITY,
              .version_max = 1, .version_active = 2, .ahs_words = 16, .data_len = 0x010203,
              .isid = {0x11, 0x12, 0x13, 0x14, 0x15, 0x16}, .tsih = 0x1718, .itt = 0x21222324,
              .stat_sn = 0x41424344, .exp_cmd_sn = 0x51525354, .max_cmd_sn = 0x61626364,
              .status_class = 2, .status_detail = 3);
}

static void logout_request_has_the_bytes_of_11_14(void **state)
{
    CHECK_PDU(logout,
              "46 82 00 00 11 01 02 03  00 00 00 00 00 00 00 00  21 22 23 24 31 32 00 00"
              "41 42 43 44 51 52 53 54  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00",
              .immediate = true, .reason = 2, .ahs_words = 17, .data_len = 0x010203,
              .itt = 0x21222324, .cid = 0x3132, .cmd_sn = 0x41424344, .exp_stat_sn = 0x51525354);
}

static void logout_response_has_the_bytes_of_11_15(void **state)
{
    CHECK_PDU(logout_rsp,
              "26 80 03 00 12 01 02 03  00 00 00 00 00 00 00 00  21 22 23 24 00 00 00 00"
              "41 42 43 44 51 52 53 54  61 62 63 64 00 00 00 00  81 82 83 84 00 00 00 00",
              .response = 3, .ahs_words = 18, .data_len = 0x010203, .itt = 0x21222324,
              .stat_sn = 0x41424344, .exp_cmd_sn = 0x51525354, .max_cmd_sn = 0x61626364,
              .time2wait = 0x8182, .time2retain = 0x8384);
}

static void snack_request_has_the_bytes_of_11_16(void **state)
{
    CHECK_PDU(snack,
              "10 82 00 00 13 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 33 34"
              "00 00 00 00 51 52 53 54  00 00 00 00 00 00 00 00  81 82 83 84 91 92 93 94",
              .type = 2, .ahs_words = 19, .data_len = 0x010203, .lun = 0x1112131415161718,
              .itt = 0x21222324, .ttt = 0x31323334, .exp_stat_sn = 0x51525354,
              .beg_run = 0x81828384, .run_len = 0x91929394);
}

static void reject_has_the_bytes_of_11_17(void **state)
{
    CHECK_PDU(reject,
              "3f 80 04 00 14 01 02 03  00 00 00 00 00 00 00 00  ff ff ff ff 00 00 00 00"
              "41 42 43 44 51 52 53 54  61 62 63 64 71 72 73 74  00 00 00 00 00 00 00 00",
              .reason = 4, .ahs_words = 20, .data_len = 0x010203, .itt = ISKRA_RESERVED_TAG,
              .stat_sn = 0x41424344, .exp_cmd_sn = 0x51525354, .max_cmd_sn = 0x61626364,
              .data_sn = 0x71727374);
}

static void nop_out_has_the_bytes_of_11_18(void **state)
{
    CHECK_PDU(nop_out,
              "40 80 00 00 15 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 33 34"
              "41 42 43 44 51 52 53 54  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00",
              .immediate = true, .ahs_words = 21, .data_len = 0x010203, .lun = 0x1112131415161718,
              .itt = 0x21222324, .ttt = 0x31323334, .cmd_sn = 0x41424344,
              .exp_stat_sn = 0x51525354);
}

static void nop_in_has_the_bytes_of_11_19(void **state)
{
    CHECK_PDU(nop_in,
              "20 80 00 00 16 01 02 03  11 12 13 14 15 16 17 18  21 22 23 24 31 32 33 34"
              "41 42 43 44 51 52 53 54  61 62 63 64 00 00 00 00  00 00 00 00 00 00 00 00",
              .ahs_words = 22, .data_len = 0x010203, .lun = 0x1112131415161718, .itt = 0x21222324,
              .ttt = 0x31323334, .stat_sn = 0x41424344, .exp_cmd_sn = 0x51525354,
              .max_cmd_sn = 0x61626364);
}

static void common_fields_are_read_from_any_header(void **state)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    hex_bytes("43 00 00 00 ff fe dc ba  00 00 00 00 00 00 00 00  21 22 23 24 00 00 00 00"
              "00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00  00 00 00 00 00 00 00 00",
              bhs, sizeof(bhs));
    assert_int_equal(iskra_bhs_opcode(bhs), ISKRA_OP_LOGIN);
    assert_true(iskra_bhs_immediate(bhs));
    assert_int_equal(iskra_bhs_ahs_len(bhs), ISKRA_AHS_LEN_MAX);
    assert_int_equal(iskra_bhs_data_len(bhs), 0xfedcba);
    assert_int_equal(iskra_bhs_itt(bhs), 0x21222324);
}

static void padding_completes_a_word(void **state)
{
    assert_int_equal(iskra_pad_len(0), 0);
    assert_int_equal(iskra_pad_len(1), 3);
    assert_int_equal(iskra_pad_len(2), 2);
    assert_int_equal(iskra_pad_len(3), 1);
    assert_int_equal(iskra_pad_len(4), 0);
    assert_int_equal(iskra_pad_len(ISKRA_DSL_MAX), 1);
}

static void every_opcode_has_a_name_of_its_own(void **state)
{
    unsigned named_cnt = 0;
    for (unsigned a = 0; a < 64; a++) {
        const char *name = iskra_opcode_name((uint8_t)a);
        if (strcmp(name, "?") == 0)
            continue;
        named_cnt++;
        for (unsigned b = 0; b < a; b++)
            assert_string_not_equal(name, iskra_opcode_name((uint8_t)b));
    }
    assert_int_equal(named_cnt, 18);
}

static void names_are_the_standards_words(void **state)
{
    assert_string_equal(iskra_opcode_name(0x21), "SCSI Response");
    assert_string_equal(iskra_opcode_name(0x1c), "?");
    assert_string_equal(iskra_tmf_function_name(5), "LOGICAL UNIT RESET");
    assert_string_equal(iskra_tmf_function_name(0), "?");
    assert_string_equal(iskra_reject_reason_name(4), "protocol error");
    assert_string_equal(iskra_login_status_name(2, 1), "authentication failure");
    assert_string_equal(iskra_login_status_name(1, 2), "target moved permanently");
    assert_string_equal(iskra_login_status_name(9, 9), "?");
    assert_string_equal(iskra_scsi_status_name(0x02), "CHECK CONDITION");
    assert_string_equal(iskra_sense_key_name(5), "ILLEGAL REQUEST");
    assert_string_equal(iskra_sense_key_name(15), "COMPLETED");
    assert_string_equal(iskra_sense_key_name(16), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(scsi_command_has_the_bytes_of_11_3),
        cmocka_unit_test(scsi_command_write_bit_is_20h),
        cmocka_unit_test(scsi_response_has_the_bytes_of_11_4),
        cmocka_unit_test(scsi_response_overflow_bits_are_10h_and_04h),
        cmocka_unit_test(task_management_request_has_the_bytes_of_11_5),
        cmocka_unit_test(task_management_response_has_the_bytes_of_11_6),
        cmocka_unit_test(data_out_has_the_bytes_of_11_7),
        cmocka_unit_test(data_in_has_the_bytes_of_11_7),
        cmocka_unit_test(data_in_overflow_bit_is_04h),
        cmocka_unit_test(r2t_has_the_bytes_of_11_8),
        cmocka_unit_test(async_message_has_the_bytes_of_11_9),
        cmocka_unit_test(text_request_has_the_bytes_of_11_10),
        cmocka_unit_test(text_response_has_the_bytes_of_11_11),
        cmocka_unit_test(login_request_has_the_bytes_of_11_12),
        cmocka_unit_test(login_response_has_the_bytes_of_11_13),
        cmocka_unit_test(logout_request_has_the_bytes_of_11_14),
        cmocka_unit_test(logout_response_has_the_bytes_of_11_15),
        cmocka_unit_test(snack_request_has_the_bytes_of_11_16),
        cmocka_unit_test(reject_has_the_bytes_of_11_17),
        cmocka_unit_test(nop_out_has_the_bytes_of_11_18),
        cmocka_unit_test(nop_in_has_the_bytes_of_11_19),
        cmocka_unit_test(common_fields_are_read_from_any_header),
        cmocka_unit_test(padding_completes_a_word),
        cmocka_unit_test(every_opcode_has_a_name_of_its_own),
        cmocka_unit_test(names_are_the_standards_words),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
