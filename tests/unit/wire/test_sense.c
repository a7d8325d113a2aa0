/* Sense data: both formats, and what broken targets make of them. */
#include "wire_test.h"

#include <errno.h>

#include "wire/sense.h"

static struct iskra_sense decode(const char *hex)
{
    uint8_t bytes[256];
    size_t len = hex_bytes(hex, bytes, sizeof(bytes));
    uint8_t *copy = exact_copy(bytes, len);
    struct iskra_sense sense = {0};
    assert_int_equal(iskra_sense_decode(copy, len, &sense), 0);
    free(copy);
    return sense;
}

static void fixed_sense_is_read_field_by_field(void **state)
{
    struct iskra_sense s = decode("f0 00 e5 12 34 56 78 0a  21 22 23 24 25 01 07 c8 00 03");
    assert_true(s.valid);
    assert_false(s.deferred || s.descriptor || s.sdat_ovfl);
    assert_int_equal(s.key, ISKRA_SENSE_ILLEGAL_REQUEST);
    assert_true(s.filemark && s.eom && s.ili);
    assert_true(s.information_valid);
    assert_int_equal(s.information, 0x12345678);
    assert_true(s.specific_valid);
    assert_int_equal(s.specific, 0x21222324);
    assert_int_equal(s.asc, 0x25);
    assert_int_equal(s.ascq, 0x01);
    assert_int_equal(s.fru, 7);
    assert_true(s.sks_valid);
    assert_memory_equal(s.sks, "\xc8\x00\x03", 3);
}

static void fixed_information_without_the_valid_bit_is_none(void **state)
{
    struct iskra_sense s = decode("70 00 03 12 34 56 78 0a 00 00 00 00 11 00 00 00 00 00");
    assert_false(s.information_valid);
    assert_int_equal(s.key, ISKRA_SENSE_MEDIUM_ERROR);
}

static void deferred_sense_says_so(void **state)
{
    assert_true(decode("71 00 04 00 00 00 00 0a 00 00 00 00 44 00 00 00 00 00").deferred);
    assert_true(decode("73 04 44 00 00 00 00 00").deferred);
}

static void descriptor_sense_is_read_field_by_field(void **state)
{
    struct iskra_sense s = decode("72 05 21 02 80 00 00 24"
                                  "00 0a 80 00 01 02 03 04 05 06 07 08"
                                  "01 0a 00 00 11 12 13 14 15 16 17 18"
                                  "02 06 00 00 cf 00 02 00"
                                  "03 02 00 09");
    assert_true(s.descriptor && s.sdat_ovfl);
    assert_int_equal(s.key, 5);
    assert_int_equal(s.asc, 0x21);
    assert_int_equal(s.ascq, 0x02);
    assert_true(s.information_valid);
    assert_true(s.information == UINT64_C(0x0102030405060708));
    assert_true(s.specific_valid);
    assert_true(s.specific == UINT64_C(0x1112131415161718));
    assert_true(s.sks_valid);
    assert_memory_equal(s.sks, "\xcf\x00\x02", 3);
    assert_int_equal(s.fru, 9);
}

static void descriptors_of_length_zero_do_not_stop_the_walk(void **state)
{
    struct iskra_sense s =
        decode("72 03 11 00 00 00 00 10  77 00  78 00  00 0a 80 00 00 00 00 00 00 00 00 2a");
    assert_true(s.information_valid);
    assert_int_equal(s.information, 0x2a);
}

static void a_descriptor_that_does_not_fit_ends_the_walk(void **state)
{
    struct iskra_sense s = decode("72 03 11 00 00 00 00 06  00 0a 80 00 00 00");
    assert_int_equal(s.key, 3);
    assert_false(s.information_valid);
}

static void a_known_descriptor_too_short_for_its_type_is_skipped(void **state)
{
    struct iskra_sense s = decode("72 03 11 00 00 00 00 08  00 02 80 00  03 02 00 05");
    assert_false(s.information_valid);
    assert_int_equal(s.fru, 5);
}

static void an_additional_length_beyond_the_bytes_is_cut(void **state)
{
    struct iskra_sense s = decode("70 00 06 00 00 00 00 ff 00 00 00 00 29 00");
    assert_int_equal(s.key, 6);
    assert_int_equal(s.asc, 0x29);
    s = decode("72 06 29 00 00 00 00 ff  03 02 00 05");
    assert_int_equal(s.fru, 5);
}

static void bytes_behind_the_additional_length_are_no_sense(void **state)
{
    struct iskra_sense s = decode("70 00 05 00 00 00 00 02 00 00 00 00 24 00 00 00 00 00");
    assert_int_equal(s.key, 5);
    assert_int_equal(s.asc, 0);
    s = decode("72 05 24 00 00 00 00 00  03 02 00 05");
    assert_int_equal(s.fru, 0);
}

static void every_truncation_of_fixed_sense_is_safe(void **state)
{
    uint8_t bytes[18];
    hex_bytes("f0 00 05 12 34 56 78 0a 21 22 23 24 25 00 07 c0 00 03", bytes, sizeof(bytes));
    AT_EVERY_LENGTH(bytes, sizeof(bytes), {
        struct iskra_sense s;
        assert_int_equal(iskra_sense_decode(copy, copy_len, &s), copy_len < 3 ? -EBADMSG : 0);
        if (copy_len >= 3)
            assert_int_equal(s.key, 5);
    });
}

static void every_truncation_of_descriptor_sense_is_safe(void **state)
{
    uint8_t bytes[44];
    hex_bytes("72 05 21 02 80 00 00 24 00 0a 80 00 01 02 03 04 05 06 07 08"
              "01 0a 00 00 11 12 13 14 15 16 17 18 02 06 00 00 cf 00 02 00 03 02 00 09",
              bytes, sizeof(bytes));
    AT_EVERY_LENGTH(bytes, sizeof(bytes), {
        struct iskra_sense s;
        assert_int_equal(iskra_sense_decode(copy, copy_len, &s), copy_len < 4 ? -EBADMSG : 0);
    });
}

static void unknown_response_codes_are_refused(void **state)
{
    uint8_t bytes[18] = {0};
    struct iskra_sense s;
    for (unsigned code = 0; code < 128; code++) {
        bytes[0] = (uint8_t)code;
        assert_int_equal(iskra_sense_decode(bytes, sizeof(bytes), &s),
                         code >= 0x70 && code <= 0x73 ? 0 : -EBADMSG);
    }
}

static const struct iskra_sense full = {.key = 5,
                                        .asc = 0x24,
                                        .ascq = 1,
                                        .ili = true,
                                        .information_valid = true,
                                        .information = 0x12345678,
                                        .specific_valid = true,
                                        .specific = 0x21222324,
                                        .fru = 7,
                                        .sks_valid = true,
                                        .sks = {0xc0, 0x00, 0x02}};

static void fixed_sense_is_written_byte_by_byte(void **state)
{
    uint8_t golden[ISKRA_SENSE_FIXED_LEN], buf[ISKRA_SENSE_FIXED_LEN];
    hex_bytes("f0 00 25 12 34 56 78 0a 21 22 23 24 24 01 07 c0 00 02", golden, sizeof(golden));
    assert_int_equal(iskra_sense_encode_fixed(&full, buf), sizeof(golden));
    assert_memory_equal(buf, golden, sizeof(golden));
}

static void descriptor_sense_is_written_byte_by_byte(void **state)
{
    uint8_t golden[ISKRA_SENSE_DESCRIPTOR_LEN_MAX], buf[ISKRA_SENSE_DESCRIPTOR_LEN_MAX];
    hex_bytes("72 05 24 01 00 00 00 28 00 0a 80 00 00 00 00 00 12 34 56 78"
              "01 0a 00 00 00 00 00 00 21 22 23 24 02 06 00 00 c0 00 02 00 03 02 00 07 04 02 00 20",
              golden, sizeof(golden));
    assert_int_equal(iskra_sense_encode_descriptor(&full, buf), sizeof(golden));
    assert_memory_equal(buf, golden, sizeof(golden));
}

static void information_of_more_than_32_bits_is_not_valid_in_fixed_format(void **state)
{
    struct iskra_sense wide = full;
    wide.information = UINT64_C(0x100000000);
    uint8_t buf[ISKRA_SENSE_FIXED_LEN];
    iskra_sense_encode_fixed(&wide, buf);
    assert_int_equal(buf[0], 0x70);
}

static void a_response_segment_gives_its_sense(void **state)
{
    const uint8_t segment[] = {0x00, 0x03, 0x70, 0x00, 0x05, 0xee, 0xee};
    const uint8_t *sense;
    size_t len;
    assert_int_equal(iskra_sense_segment(segment, sizeof(segment), &sense, &len), 0);
    assert_ptr_equal(sense, segment + 2);
    assert_int_equal(len, 3);
    assert_int_equal(iskra_sense_segment(segment, 0, &sense, &len), 0);
    assert_int_equal(len, 0);
}

static void a_sense_length_beyond_the_segment_is_refused(void **state)
{
    const uint8_t segment[] = {0x00, 0x12, 0x70, 0x00, 0x05};
    AT_EVERY_LENGTH(segment, sizeof(segment), {
        const uint8_t *sense;
        size_t len;
        assert_int_equal(iskra_sense_segment(copy, copy_len, &sense, &len),
                         copy_len == 0 ? 0 : -EBADMSG);
    });
}

static void a_sense_length_does_not_count_its_own_two_bytes(void **state)
{
    const uint8_t segment[] = {0x00, 0x03, 0x70, 0x00, 0x05};
    AT_EVERY_LENGTH(segment, sizeof(segment), {
        const uint8_t *sense;
        size_t len;
        int want = copy_len == 0 || copy_len == sizeof(segment) ? 0 : -EBADMSG;
        assert_int_equal(iskra_sense_segment(copy, copy_len, &sense, &len), want);
    });
}

static void common_sense_codes_have_names(void **state)
{
    assert_string_equal(iskra_asc_name(0x21, 0x00), "LOGICAL BLOCK ADDRESS OUT OF RANGE");
    assert_string_equal(iskra_asc_name(0x3f, 0x0e), "REPORTED LUNS DATA HAS CHANGED");
    assert_string_equal(iskra_asc_name(0xff, 0xff), "?");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_sense_is_read_field_by_field),
        cmocka_unit_test(fixed_information_without_the_valid_bit_is_none),
        cmocka_unit_test(deferred_sense_says_so),
        cmocka_unit_test(descriptor_sense_is_read_field_by_field),
        cmocka_unit_test(descriptors_of_length_zero_do_not_stop_the_walk),
        cmocka_unit_test(a_descriptor_that_does_not_fit_ends_the_walk),
        cmocka_unit_test(a_known_descriptor_too_short_for_its_type_is_skipped),
        cmocka_unit_test(an_additional_length_beyond_the_bytes_is_cut),
        cmocka_unit_test(bytes_behind_the_additional_length_are_no_sense),
        cmocka_unit_test(every_truncation_of_fixed_sense_is_safe),
        cmocka_unit_test(every_truncation_of_descriptor_sense_is_safe),
        cmocka_unit_test(unknown_response_codes_are_refused),
        cmocka_unit_test(fixed_sense_is_written_byte_by_byte),
        cmocka_unit_test(descriptor_sense_is_written_byte_by_byte),
        cmocka_unit_test(information_of_more_than_32_bits_is_not_valid_in_fixed_format),
        cmocka_unit_test(a_response_segment_gives_its_sense),
        cmocka_unit_test(a_sense_length_beyond_the_segment_is_refused),
        cmocka_unit_test(a_sense_length_does_not_count_its_own_two_bytes),
        cmocka_unit_test(common_sense_codes_have_names),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
