/* Standard INQUIRY data and the VPD pages, pinned by bytes and cut at every length. */
#include "wire_test.h"

#include <errno.h>

#include "wire/inquiry.h"
#include "wire/vpd.h"

static const char inquiry_hex[] = "20 80 06 32 1f 39 50 02 49 53 4b 52 41 20 20 20"
                                  "52 41 4d 20 44 49 53 4b 20 20 20 20 20 20 20 20 30 30 30 31";

static const struct iskra_inquiry inquiry_values = {.qualifier = 1,
                                                    .type = ISKRA_TYPE_DISK,
                                                    .removable = true,
                                                    .version = 6,
                                                    .norm_aca = true,
                                                    .hi_sup = true,
                                                    .response_format = 2,
                                                    .tpgs = 3,
                                                    .third_party_copy = true,
                                                    .protect = true,
                                                    .enc_serv = true,
                                                    .multi_port = true,
                                                    .cmd_que = true,
                                                    .vendor = "ISKRA",
                                                    .product = "RAM DISK",
                                                    .revision = "0001"};

static void inquiry_data_is_written_byte_by_byte(void **state)
{
    uint8_t golden[ISKRA_INQUIRY_LEN], buf[ISKRA_INQUIRY_LEN];
    assert_int_equal(hex_bytes(inquiry_hex, golden, sizeof(golden)), sizeof(golden));
    assert_int_equal(iskra_inquiry_encode(&inquiry_values, buf), sizeof(golden));
    assert_memory_equal(buf, golden, sizeof(golden));
}

static void inquiry_data_is_read_at_full_length_only(void **state)
{
    uint8_t bytes[ISKRA_INQUIRY_LEN];
    hex_bytes(inquiry_hex, bytes, sizeof(bytes));
    AT_EVERY_LENGTH(bytes, sizeof(bytes), {
        struct iskra_inquiry q;
        int rc = iskra_inquiry_decode(copy, copy_len, &q);
        assert_int_equal(rc, copy_len < 36 ? -EBADMSG : 0);
        if (rc == 0) {
            uint8_t again[ISKRA_INQUIRY_LEN];
            iskra_inquiry_encode(&q, again);
            assert_memory_equal(again, bytes, sizeof(bytes));
        }
    });
}

static void inquiry_texts_cannot_act_on_a_terminal(void **state)
{
    uint8_t bytes[ISKRA_INQUIRY_LEN] = {0};
    memcpy(bytes + 8, "A\033[2J\n\xff", 8);
    memcpy(bytes + 16, "0123456789abcdef", 16);
    struct iskra_inquiry q;
    assert_int_equal(iskra_inquiry_decode(bytes, sizeof(bytes), &q), 0);
    assert_string_equal(q.vendor, "A?[2J??");
    assert_string_equal(q.product, "0123456789abcdef");
    assert_string_equal(q.revision, "");
}

static void a_page_of_another_code_is_refused(void **state)
{
    const uint8_t bytes[] = {0x00, 0x83, 0x00, 0x00};
    struct iskra_vpd_page page;
    assert_int_equal(iskra_vpd_page(bytes, sizeof(bytes), 0x80, &page), -EBADMSG);
    assert_int_equal(iskra_vpd_page(bytes, sizeof(bytes), 0x83, &page), 0);
}

static void a_page_longer_than_what_came_says_how_long_it_is(void **state)
{
    const uint8_t bytes[] = {0x6d, 0x80, 0x01, 0x02, 'a', 'b'};
    struct iskra_vpd_page page;
    assert_int_equal(iskra_vpd_page(bytes, sizeof(bytes), 0x80, &page), 0);
    assert_int_equal(page.qualifier, 3);
    assert_int_equal(page.type, 0x0d);
    assert_int_equal(page.body_len, 2);
    assert_int_equal(page.stated_len, 0x0102);
}

static void supported_pages_are_found_within_the_stated_length(void **state)
{
    const uint8_t bytes[] = {0x00, 0x00, 0x00, 0x03, 0x00, 0x80, 0x83, 0xb0};
    assert_true(iskra_vpd_supports(bytes, sizeof(bytes), 0x83));
    assert_false(iskra_vpd_supports(bytes, sizeof(bytes), 0xb0)); /* behind the end */
    AT_EVERY_LENGTH(bytes, sizeof(bytes),
                    { assert_int_equal(iskra_vpd_supports(copy, copy_len, 0x83), copy_len >= 7); });
}

static void a_serial_number_loses_its_padding(void **state)
{
    const uint8_t bytes[] = {0x00, 0x80, 0x00, 0x08, ' ', ' ', 'b', ' ', 'f', '1', ' ', '\0'};
    const uint8_t *serial;
    size_t len;
    assert_int_equal(iskra_vpd_serial(bytes, sizeof(bytes), &serial, &len), 0);
    assert_int_equal(len, 4);
    assert_memory_equal(serial, "b f1", 4);
    AT_EVERY_LENGTH(bytes, sizeof(bytes), {
        assert_int_equal(iskra_vpd_serial(copy, copy_len, &serial, &len),
                         copy_len < 4 ? -EBADMSG : 0);
    });
}

/* NAA 6 of the LUN, then relative port 1 of the port, with iSCSI as protocol. */
static const char device_id_hex[] =
    "00 83 00 1c  01 03 00 10 60 01 02 03 04 05 06 07 08 09 0a 0b 0c 0d 0e 0f"
    "51 94 00 04 00 00 00 01";

static void designators_come_one_after_the_other(void **state)
{
    uint8_t bytes[32];
    size_t len = hex_bytes(device_id_hex, bytes, sizeof(bytes));
    size_t pos = 0;
    struct iskra_designator d;
    assert_int_equal(iskra_vpd_designator_next(bytes, len, &pos, &d), 1);
    assert_int_equal(d.type, ISKRA_DESIGNATOR_NAA);
    assert_int_equal(d.code_set, 1);
    assert_int_equal(d.association, ISKRA_ASSOCIATION_LUN);
    assert_false(d.protocol_valid);
    assert_int_equal(d.id_len, 16);
    assert_int_equal(d.id[15], 0x0f);
    assert_int_equal(iskra_vpd_designator_next(bytes, len, &pos, &d), 1);
    assert_int_equal(d.type, ISKRA_DESIGNATOR_PORT);
    assert_int_equal(d.association, ISKRA_ASSOCIATION_PORT);
    assert_true(d.protocol_valid);
    assert_int_equal(d.protocol, 5);
    assert_int_equal(iskra_vpd_designator_next(bytes, len, &pos, &d), 0);
}

static void designators_are_written_byte_by_byte(void **state)
{
    uint8_t golden[32], buf[32];
    size_t len = hex_bytes(device_id_hex, golden, sizeof(golden));
    const uint8_t naa[16] = {0x60, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15};
    const uint8_t port[4] = {0, 0, 0, 1};
    struct iskra_vpd_out out;
    iskra_vpd_begin(&out, buf, sizeof(buf), ISKRA_TYPE_DISK, ISKRA_VPD_DEVICE_ID);
    iskra_vpd_put_designator(
        &out, &(struct iskra_designator){
                  .code_set = 1, .type = ISKRA_DESIGNATOR_NAA, .id = naa, .id_len = 16});
    iskra_vpd_put_designator(&out, &(struct iskra_designator){.protocol = 5,
                                                              .protocol_valid = true,
                                                              .code_set = 1,
                                                              .association = ISKRA_ASSOCIATION_PORT,
                                                              .type = ISKRA_DESIGNATOR_PORT,
                                                              .id = port,
                                                              .id_len = 4});
    assert_int_equal(iskra_vpd_end(&out), len);
    assert_false(out.overflow);
    assert_memory_equal(buf, golden, len);
}

static void designators_end_at_every_truncation(void **state)
{
    uint8_t bytes[32];
    size_t len = hex_bytes(device_id_hex, bytes, sizeof(bytes));
    AT_EVERY_LENGTH(bytes, len, {
        size_t pos = 0;
        struct iskra_designator d;
        unsigned rounds = 0;
        int rc;
        while ((rc = iskra_vpd_designator_next(copy, copy_len, &pos, &d)) > 0) {
            rounds++;
            assert_true(d.id + d.id_len <= copy + copy_len);
        }
        bool whole = copy_len == 4 || copy_len == 24 || copy_len == 32;
        assert_int_equal(rc, whole ? 0 : -EBADMSG);
        assert_true(rounds <= 2);
    });
}

static void a_designator_that_lies_about_its_length_is_refused(void **state)
{
    const uint8_t bytes[] = {0x00, 0x83, 0x00, 0x05, 0x01, 0x03, 0x00, 0x02, 0x60, 0xee};
    size_t pos = 0;
    struct iskra_designator d;
    assert_int_equal(iskra_vpd_designator_next(bytes, sizeof(bytes), &pos, &d), -EBADMSG);
}

static void empty_designators_do_not_make_the_walk_endless(void **state)
{
    uint8_t bytes[4 + 400] = {0x00, 0x83, 0x01, 0x90};
    size_t pos = 0;
    struct iskra_designator d;
    unsigned cnt = 0;
    while (iskra_vpd_designator_next(bytes, sizeof(bytes), &pos, &d) > 0)
        cnt++;
    assert_int_equal(cnt, 100);
}

static void writing_a_page_stops_at_the_end_of_the_buffer(void **state)
{
    for (size_t size = 0; size < 12; size++) {
        uint8_t *buf = malloc(size ? size : 1);
        struct iskra_vpd_out out;
        iskra_vpd_begin(&out, buf, size, 0, ISKRA_VPD_SERIAL);
        iskra_vpd_put_bytes(&out, "12345678", 8);
        assert_int_equal(iskra_vpd_end(&out), size < 4 ? 0 : 4);
        assert_true(out.overflow);
        free(buf);
    }
}

static const char limits_hex[] =
    "00 b0 00 3c 01 21 00 22 00 00 00 23 00 00 00 24 00 00 00 25 00 00 00 26 00 00 00 27"
    "00 00 00 28 80 00 00 29 00 00 00 00 00 00 00 2a 00 00 00 00 00 00 00 00 00 00 00 00"
    "00 00 00 00 00 00 00 00";

static void block_limits_have_their_bytes(void **state)
{
    const struct iskra_block_limits values = {.wsnz = true,
                                              .max_compare_and_write_blocks = 0x21,
                                              .optimal_granularity_blocks = 0x22,
                                              .max_transfer_blocks = 0x23,
                                              .optimal_transfer_blocks = 0x24,
                                              .max_prefetch_blocks = 0x25,
                                              .max_unmap_blocks = 0x26,
                                              .max_unmap_descriptor_cnt = 0x27,
                                              .unmap_granularity_blocks = 0x28,
                                              .unmap_alignment_valid = true,
                                              .unmap_alignment_blocks = 0x29,
                                              .max_write_same_blocks = 0x2a};
    uint8_t golden[64], buf[64], again[64];
    hex_bytes(limits_hex, golden, sizeof(golden));
    assert_int_equal(iskra_vpd_block_limits_encode(&values, 0, buf), 64);
    assert_memory_equal(buf, golden, 64);
    struct iskra_block_limits decoded;
    assert_int_equal(iskra_vpd_block_limits_decode(golden, 64, &decoded), 0);
    iskra_vpd_block_limits_encode(&decoded, 0, again);
    assert_memory_equal(again, golden, 64);
}

static void short_block_limits_leave_the_rest_unsaid(void **state)
{
    uint8_t bytes[64];
    hex_bytes(limits_hex, bytes, sizeof(bytes));
    AT_EVERY_LENGTH(bytes, sizeof(bytes), {
        struct iskra_block_limits l;
        int rc = iskra_vpd_block_limits_decode(copy, copy_len, &l);
        assert_int_equal(rc, copy_len < 16 ? -EBADMSG : 0);
        if (rc == 0) {
            assert_int_equal(l.max_transfer_blocks, 0x23);
            assert_int_equal(l.max_unmap_blocks, copy_len < 24 ? 0 : 0x26);
            assert_int_equal(l.max_write_same_blocks, copy_len < 44 ? 0 : 0x2a);
        }
    });
}

static void block_characteristics_have_their_bytes(void **state)
{
    const struct iskra_block_characteristics values = {
        .rotation_rate = 7200, .product_type = 3, .form_factor = 4, .fuab = true};
    uint8_t buf[64];
    assert_int_equal(iskra_vpd_block_characteristics_encode(&values, 0, buf), 64);
    assert_memory_equal(buf, "\x00\xb1\x00\x3c\x1c\x20\x03\x04\x02\x00", 10);
    AT_EVERY_LENGTH(buf, sizeof(buf), {
        struct iskra_block_characteristics c;
        int rc = iskra_vpd_block_characteristics_decode(copy, copy_len, &c);
        assert_int_equal(rc, copy_len < 6 ? -EBADMSG : 0);
        if (rc == 0) {
            assert_int_equal(c.rotation_rate, 7200);
            assert_int_equal(c.form_factor, copy_len < 8 ? 0 : 4);
            assert_int_equal(c.fuab, copy_len > 8);
        }
    });
}

static void provisioning_has_its_bytes(void **state)
{
    const struct iskra_provisioning values = {.threshold_exponent = 9,
                                              .lbpu = true,
                                              .lbpws10 = true,
                                              .lbprz = 1,
                                              .anc_sup = true,
                                              .provisioning_type = 2};
    uint8_t buf[8];
    assert_int_equal(iskra_vpd_provisioning_encode(&values, 0, buf), 8);
    assert_memory_equal(buf, "\x00\xb2\x00\x04\x09\xa6\x02\x00", 8);
    AT_EVERY_LENGTH(buf, sizeof(buf), {
        struct iskra_provisioning p;
        int rc = iskra_vpd_provisioning_decode(copy, copy_len, &p);
        assert_int_equal(rc, copy_len < 6 ? -EBADMSG : 0);
        if (rc == 0) {
            assert_true(p.lbpu && !p.lbpws && p.lbpws10 && p.anc_sup && !p.dp);
            assert_int_equal(p.lbprz, 1);
            assert_int_equal(p.provisioning_type, copy_len < 7 ? 0 : 2);
        }
    });
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(inquiry_data_is_written_byte_by_byte),
        cmocka_unit_test(inquiry_data_is_read_at_full_length_only),
        cmocka_unit_test(inquiry_texts_cannot_act_on_a_terminal),
        cmocka_unit_test(a_page_of_another_code_is_refused),
        cmocka_unit_test(a_page_longer_than_what_came_says_how_long_it_is),
        cmocka_unit_test(supported_pages_are_found_within_the_stated_length),
        cmocka_unit_test(a_serial_number_loses_its_padding),
        cmocka_unit_test(designators_come_one_after_the_other),
        cmocka_unit_test(designators_are_written_byte_by_byte),
        cmocka_unit_test(designators_end_at_every_truncation),
        cmocka_unit_test(a_designator_that_lies_about_its_length_is_refused),
        cmocka_unit_test(empty_designators_do_not_make_the_walk_endless),
        cmocka_unit_test(writing_a_page_stops_at_the_end_of_the_buffer),
        cmocka_unit_test(block_limits_have_their_bytes),
        cmocka_unit_test(short_block_limits_leave_the_rest_unsaid),
        cmocka_unit_test(block_characteristics_have_their_bytes),
        cmocka_unit_test(provisioning_has_its_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
