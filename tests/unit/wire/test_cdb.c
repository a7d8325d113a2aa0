/* CDBs pinned by bytes: every builder, and the same bytes decoded. */
#include "wire_test.h"

#include <errno.h>

#include "wire/cdb.h"

/* The builder gave these bytes and the rest of the 16 is zero; decoding and encoding again gives
 * the same. */
static void check_cdb(const uint8_t *cdb, unsigned len, const char *golden_hex)
{
    uint8_t golden[ISKRA_CDB_LEN_MAX] = {0};
    assert_int_equal(len, hex_bytes(golden_hex, golden, sizeof(golden)));
    assert_memory_equal(cdb, golden, ISKRA_CDB_BHS_LEN);

    struct iskra_cdb fields;
    assert_int_equal(iskra_cdb_decode(golden, len, &fields), 0);
    uint8_t again[ISKRA_CDB_LEN_MAX];
    assert_int_equal(iskra_cdb_encode(&fields, again, sizeof(again)), len);
    assert_memory_equal(again, golden, len);
    if (golden[0] != ISKRA_SCSI_VARIABLE_LENGTH)
        assert_int_equal(iskra_cdb_len(golden[0]), len);
}
#define CHECK_CDB(builder_call, golden_hex)                                                        \
    do {                                                                                           \
        uint8_t cdb[ISKRA_CDB_BHS_LEN];                                                            \
        memset(cdb, 0xee, sizeof(cdb));                                                            \
        unsigned len = builder_call;                                                               \
        check_cdb(cdb, len, golden_hex);                                                           \
    } while (0)

static void six_byte_commands_have_their_bytes(void **state)
{
    CHECK_CDB(iskra_cdb_test_unit_ready(cdb), "00 00 00 00 00 00");
    CHECK_CDB(iskra_cdb_request_sense(cdb, false, 252), "03 00 00 00 fc 00");
    CHECK_CDB(iskra_cdb_request_sense(cdb, true, 18), "03 01 00 00 12 00");
    CHECK_CDB(iskra_cdb_inquiry(cdb, 0x0124), "12 00 00 01 24 00");
    CHECK_CDB(iskra_cdb_inquiry_vpd(cdb, 0x83, 0x0402), "12 01 83 04 02 00");
    CHECK_CDB(iskra_cdb_mode_sense6(cdb, 0x08, 0x01, 0xc0), "1a 00 08 01 c0 00");
    CHECK_CDB(iskra_cdb_read6(cdb, 0x123456, 7), "08 12 34 56 07 00");
}

static void ten_byte_commands_have_their_bytes(void **state)
{
    CHECK_CDB(iskra_cdb_read_capacity10(cdb), "25 00 00 00 00 00 00 00 00 00");
    CHECK_CDB(iskra_cdb_read10(cdb, 0x12345678, 0x9abc, 0), "28 00 12 34 56 78 00 9a bc 00");
    CHECK_CDB(iskra_cdb_read10(cdb, 1, 2, ISKRA_CDB_FUA), "28 08 00 00 00 01 00 00 02 00");
    CHECK_CDB(iskra_cdb_read10(cdb, 1, 2, ISKRA_CDB_DPO), "28 10 00 00 00 01 00 00 02 00");
    CHECK_CDB(iskra_cdb_write10(cdb, 0x12345678, 0x9abc, ISKRA_CDB_FUA | ISKRA_CDB_DPO),
              "2a 18 12 34 56 78 00 9a bc 00");
    CHECK_CDB(iskra_cdb_synchronize_cache10(cdb, 0x12345678, 0x9abc, ISKRA_CDB_IMMED),
              "35 02 12 34 56 78 00 9a bc 00");
    CHECK_CDB(iskra_cdb_write_same10(cdb, 0x12345678, 0x9abc, ISKRA_CDB_UNMAP),
              "41 08 12 34 56 78 00 9a bc 00");
    CHECK_CDB(iskra_cdb_unmap(cdb, 0x1234, ISKRA_CDB_ANCHOR), "42 01 00 00 00 00 00 12 34 00");
    CHECK_CDB(iskra_cdb_mode_sense10(cdb, 0x3f, 0xff, 0x1234), "5a 00 3f ff 00 00 00 12 34 00");
}

static void twelve_byte_commands_have_their_bytes(void **state)
{
    CHECK_CDB(iskra_cdb_report_opcode(cdb, 0x93, 0x01020304),
              "a3 0c 01 93 00 00 01 02 03 04 00 00");
    CHECK_CDB(iskra_cdb_report_luns(cdb, 2, 0x12345678), "a0 00 02 00 00 00 12 34 56 78 00 00");
    CHECK_CDB(iskra_cdb_read12(cdb, 0x12345678, 0x9abcdef0, ISKRA_CDB_FUA),
              "a8 08 12 34 56 78 9a bc de f0 00 00");
    CHECK_CDB(iskra_cdb_write12(cdb, 0x12345678, 0x9abcdef0, 0),
              "aa 00 12 34 56 78 9a bc de f0 00 00");
}

static void sixteen_byte_commands_have_their_bytes(void **state)
{
    const uint64_t lba = 0x123456789abcdef0;
    CHECK_CDB(iskra_cdb_read16(cdb, lba, 0x01020304, ISKRA_CDB_FUA),
              "88 08 12 34 56 78 9a bc de f0 01 02 03 04 00 00");
    CHECK_CDB(iskra_cdb_compare_and_write(cdb, lba, 0x21, ISKRA_CDB_DPO),
              "89 10 12 34 56 78 9a bc de f0 00 00 00 21 00 00");
    CHECK_CDB(iskra_cdb_write16(cdb, lba, 0x01020304, 0),
              "8a 00 12 34 56 78 9a bc de f0 01 02 03 04 00 00");
    CHECK_CDB(iskra_cdb_synchronize_cache16(cdb, lba, 0x01020304, 0),
              "91 00 12 34 56 78 9a bc de f0 01 02 03 04 00 00");
    CHECK_CDB(iskra_cdb_write_same16(cdb, lba, 0x01020304, ISKRA_CDB_UNMAP | ISKRA_CDB_NDOB),
              "93 09 12 34 56 78 9a bc de f0 01 02 03 04 00 00");
    CHECK_CDB(iskra_cdb_write_same16(cdb, lba, 0x01020304, ISKRA_CDB_ANCHOR),
              "93 10 12 34 56 78 9a bc de f0 01 02 03 04 00 00");
    CHECK_CDB(iskra_cdb_read_capacity16(cdb, 0x20),
              "9e 10 00 00 00 00 00 00 00 00 00 00 00 20 00 00");
    CHECK_CDB(iskra_cdb_get_lba_status(cdb, lba, 0x01020304),
              "9e 12 12 34 56 78 9a bc de f0 01 02 03 04 00 00");
}

static void a_transfer_takes_the_short_form_as_long_as_it_has_room(void **state)
{
    const uint64_t end = UINT64_C(1) << 32;
    CHECK_CDB(iskra_cdb_transfer(cdb, false, 0x12345678, 0x9abc, false),
              "28 00 12 34 56 78 00 9a bc 00");
    CHECK_CDB(iskra_cdb_transfer(cdb, true, 1, 2, true), "2a 08 00 00 00 01 00 00 02 00");
    CHECK_CDB(iskra_cdb_transfer(cdb, true, end - 8, 8, false), "2a 00 ff ff ff f8 00 00 08 00");
    CHECK_CDB(iskra_cdb_transfer(cdb, true, end - 8, 9, true),
              "8a 08 00 00 00 00 ff ff ff f8 00 00 00 09 00 00");
    CHECK_CDB(iskra_cdb_transfer(cdb, false, 0, 0xffff, false), "28 00 00 00 00 00 00 ff ff 00");
    CHECK_CDB(iskra_cdb_transfer(cdb, false, 0, 0x10000, false),
              "88 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00");
    CHECK_CDB(iskra_cdb_transfer(cdb, false, 0x123456789abcdef0, 0x01020304, true),
              "88 08 12 34 56 78 9a bc de f0 01 02 03 04 00 00");
}

static void thirty_two_byte_read_has_its_bytes(void **state)
{
    const struct iskra_cdb fields = {.opcode = ISKRA_SCSI_VARIABLE_LENGTH,
                                     .service_action = ISKRA_VARLEN_READ_32,
                                     .flags = ISKRA_CDB_FUA,
                                     .protect = 5,
                                     .group = 0x11,
                                     .control = 0x80,
                                     .lba = 0x123456789abcdef0,
                                     .block_cnt = 0x01020304};
    uint8_t cdb[ISKRA_CDB_LEN_MAX];
    unsigned len = iskra_cdb_encode(&fields, cdb, sizeof(cdb));
    check_cdb(cdb, len,
              "7f 80 00 00 00 00 11 18  00 09 a8 00 12 34 56 78  9a bc de f0 00 00 00 00  00 00 00 "
              "00 01 02 03 04");
    assert_int_equal(iskra_cdb_encode(&fields, cdb, ISKRA_CDB_BHS_LEN), 0);
}

static void a_count_of_zero_in_read_6_means_256(void **state)
{
    const uint8_t cdb[6] = {0x08, 0xe0, 0x00,
                            0x05, 0x00, 0x00}; /* the high bits were the LUN once */
    struct iskra_cdb fields;
    assert_int_equal(iskra_cdb_decode(cdb, sizeof(cdb), &fields), 0);
    assert_int_equal(fields.block_cnt, 256);
    assert_int_equal(fields.lba, 5);
    uint8_t built[ISKRA_CDB_BHS_LEN];
    assert_int_equal(iskra_cdb_read6(built, 5, 256), 6);
    assert_int_equal(built[4], 0);
    assert_int_equal(iskra_cdb_read6(built, 5, 0), 0);
}

static void values_without_room_are_refused(void **state)
{
    uint8_t cdb[ISKRA_CDB_BHS_LEN];
    assert_int_equal(iskra_cdb_read6(cdb, 0x200000, 1), 0);
    assert_int_equal(iskra_cdb_read6(cdb, 0, 257), 0);
    assert_int_equal(iskra_cdb_read10(cdb, UINT64_C(0x100000000), 1, 0), 0);
    assert_int_equal(iskra_cdb_read10(cdb, 0, 0x10000, 0), 0);
    assert_int_equal(iskra_cdb_write12(cdb, UINT64_C(0x100000000), 1, 0), 0);
    assert_int_equal(iskra_cdb_read10(cdb, UINT32_MAX, 0xffff, 0), 10);
}

static void a_flag_that_the_command_lacks_is_refused(void **state)
{
    uint8_t cdb[ISKRA_CDB_BHS_LEN];
    assert_int_equal(iskra_cdb_synchronize_cache10(cdb, 0, 0, ISKRA_CDB_FUA), 0);
    assert_int_equal(iskra_cdb_write_same10(cdb, 0, 1, ISKRA_CDB_NDOB), 0);
}

static void a_command_cut_short_is_refused(void **state)
{
    const uint8_t read16[16] = {0x88};
    AT_EVERY_LENGTH(read16, sizeof(read16), {
        struct iskra_cdb fields;
        assert_int_equal(iskra_cdb_decode(copy, copy_len, &fields), copy_len < 16 ? -EBADMSG : 0);
    });
    const uint8_t read32[32] = {0x7f, 0, 0, 0, 0, 0, 0, 0x18, 0x00, 0x09};
    AT_EVERY_LENGTH(read32, sizeof(read32), {
        struct iskra_cdb fields;
        assert_int_equal(iskra_cdb_decode(copy, copy_len, &fields), copy_len < 32 ? -EBADMSG : 0);
    });
    const uint8_t capacity[16] = {0x9e, 0x10};
    AT_EVERY_LENGTH(capacity, sizeof(capacity), {
        struct iskra_cdb fields;
        assert_int_equal(iskra_cdb_decode(copy, copy_len, &fields), copy_len < 16 ? -EBADMSG : 0);
    });
}

static void a_variable_length_command_that_lies_about_its_length_is_refused(void **state)
{
    const uint8_t cdb[32] = {0x7f, 0, 0, 0, 0, 0, 0, 0x17, 0x00, 0x09};
    struct iskra_cdb fields;
    assert_int_equal(iskra_cdb_decode(cdb, sizeof(cdb), &fields), -EBADMSG);
}

static void an_unknown_opcode_is_named_in_the_answer(void **state)
{
    const uint8_t cdb[16] = {0x9e, 0x1f};
    struct iskra_cdb fields;
    assert_int_equal(iskra_cdb_decode(cdb, sizeof(cdb), &fields), -ENOTSUP);
    assert_int_equal(fields.opcode, 0x9e);
    assert_int_equal(fields.service_action, 0x1f);
    const uint8_t vendor[6] = {0xc1};
    assert_int_equal(iskra_cdb_decode(vendor, sizeof(vendor), &fields), -ENOTSUP);
    assert_int_equal(fields.opcode, 0xc1);
}

static void every_opcode_decodes_or_is_unknown(void **state)
{
    for (unsigned opcode = 0; opcode < 256; opcode++) {
        uint8_t *cdb = calloc(1, ISKRA_CDB_BHS_LEN);
        cdb[0] = (uint8_t)opcode;
        struct iskra_cdb fields;
        int rc = iskra_cdb_decode(cdb, ISKRA_CDB_BHS_LEN, &fields);
        assert_true(rc == 0 || rc == -ENOTSUP);
        if (rc == 0)
            assert_string_not_equal(iskra_cdb_name(fields.opcode, fields.service_action), "?");
        free(cdb);
    }
}

static void directions_follow_the_command(void **state)
{
    struct iskra_cdb fields = {.opcode = ISKRA_SCSI_READ_10};
    assert_int_equal(iskra_cdb_dir(&fields), ISKRA_CDB_DATA_IN);
    fields.opcode = ISKRA_SCSI_COMPARE_AND_WRITE;
    assert_int_equal(iskra_cdb_dir(&fields), ISKRA_CDB_DATA_OUT);
    fields.opcode = ISKRA_SCSI_TEST_UNIT_READY;
    assert_int_equal(iskra_cdb_dir(&fields), ISKRA_CDB_NO_DATA);
    fields = (struct iskra_cdb){.opcode = ISKRA_SCSI_WRITE_SAME_16, .flags = ISKRA_CDB_NDOB};
    assert_int_equal(iskra_cdb_dir(&fields), ISKRA_CDB_NO_DATA);
}

static void names_tell_service_actions_apart(void **state)
{
    assert_string_equal(iskra_cdb_name(0x28, 0), "READ(10)");
    assert_string_equal(iskra_cdb_name(0x28, 7), "READ(10)");
    assert_string_equal(iskra_cdb_name(0x9e, 0x10), "READ CAPACITY(16)");
    assert_string_equal(iskra_cdb_name(0x9e, 0x12), "GET LBA STATUS");
    assert_string_equal(iskra_cdb_name(0x9e, 0x01), "?");
    assert_string_equal(iskra_cdb_name(0x5f, 0), "PERSISTENT RESERVE OUT");
    assert_string_equal(iskra_cdb_name(0xff, 0), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(six_byte_commands_have_their_bytes),
        cmocka_unit_test(ten_byte_commands_have_their_bytes),
        cmocka_unit_test(twelve_byte_commands_have_their_bytes),
        cmocka_unit_test(sixteen_byte_commands_have_their_bytes),
        cmocka_unit_test(a_transfer_takes_the_short_form_as_long_as_it_has_room),
        cmocka_unit_test(thirty_two_byte_read_has_its_bytes),
        cmocka_unit_test(a_count_of_zero_in_read_6_means_256),
        cmocka_unit_test(values_without_room_are_refused),
        cmocka_unit_test(a_flag_that_the_command_lacks_is_refused),
        cmocka_unit_test(a_command_cut_short_is_refused),
        cmocka_unit_test(a_variable_length_command_that_lies_about_its_length_is_refused),
        cmocka_unit_test(an_unknown_opcode_is_named_in_the_answer),
        cmocka_unit_test(every_opcode_decodes_or_is_unknown),
        cmocka_unit_test(directions_follow_the_command),
        cmocka_unit_test(names_tell_service_actions_apart),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
