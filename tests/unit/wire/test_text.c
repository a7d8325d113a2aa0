/* Text segments: what a target may send, and what it may not. */
#include "wire_test.h"

#include <errno.h>

#include "wire/text.h"

#define SEGMENT(literal) ((struct iskra_slice){.p = literal, .len = sizeof(literal) - 1})

static struct iskra_slice slice(const char *text)
{
    return (struct iskra_slice){.p = text, .len = strlen(text)};
}

static void pairs_come_one_after_the_other(void **state)
{
    struct iskra_slice text = SEGMENT("HeaderDigest=None\0DataDigest=CRC32C,None\0");
    struct iskra_text_pair pair;
    assert_int_equal(iskra_text_next(&text, &pair), 1);
    assert_true(iskra_slice_is(pair.key, "HeaderDigest"));
    assert_true(iskra_slice_is(pair.value, "None"));
    assert_int_equal(iskra_text_next(&text, &pair), 1);
    assert_true(iskra_slice_is(pair.key, "DataDigest"));
    assert_true(iskra_slice_is(pair.value, "CRC32C,None"));
    assert_int_equal(iskra_text_next(&text, &pair), 0);
}

static void padding_of_nul_bytes_is_skipped(void **state)
{
    struct iskra_slice text = SEGMENT("\0\0A=1\0\0\0B=2\0\0");
    struct iskra_text_pair pair;
    assert_int_equal(iskra_text_next(&text, &pair), 1);
    assert_true(iskra_slice_is(pair.key, "A"));
    assert_int_equal(iskra_text_next(&text, &pair), 1);
    assert_true(iskra_slice_is(pair.key, "B"));
    assert_int_equal(iskra_text_next(&text, &pair), 0);
    assert_int_equal(text.len, 0);
}

static void an_empty_segment_has_no_pairs(void **state)
{
    struct iskra_slice text = {.p = NULL, .len = 0};
    struct iskra_text_pair pair;
    assert_int_equal(iskra_text_next(&text, &pair), 0);
}

static void a_pair_without_equals_is_refused(void **state)
{
    struct iskra_slice text = SEGMENT("HeaderDigest\0A=1\0");
    struct iskra_text_pair pair;
    assert_int_equal(iskra_text_next(&text, &pair), -EBADMSG);
}

static void a_pair_without_nul_is_refused(void **state)
{
    struct iskra_slice text = {.p = "A=1", .len = 3};
    struct iskra_text_pair pair;
    assert_int_equal(iskra_text_next(&text, &pair), -EBADMSG);
}

static void an_empty_key_is_refused(void **state)
{
    struct iskra_slice text = SEGMENT("=1\0");
    struct iskra_text_pair pair;
    assert_int_equal(iskra_text_next(&text, &pair), -EBADMSG);
}

static void an_empty_value_is_a_value(void **state)
{
    struct iskra_slice text = SEGMENT("TargetAlias=\0");
    struct iskra_text_pair pair;
    assert_int_equal(iskra_text_next(&text, &pair), 1);
    assert_int_equal(pair.value.len, 0);
    assert_true(iskra_slice_is(pair.value, ""));
}

static void a_value_keeps_its_own_equals_signs(void **state)
{
    struct iskra_slice text = SEGMENT("CHAP_N=a=b\0");
    struct iskra_text_pair pair;
    assert_int_equal(iskra_text_next(&text, &pair), 1);
    assert_true(iskra_slice_is(pair.key, "CHAP_N"));
    assert_true(iskra_slice_is(pair.value, "a=b"));
}

static void a_key_of_63_bytes_is_taken_and_of_64_refused(void **state)
{
    char bytes[68];
    struct iskra_text_pair pair;
    for (size_t key_len = 63; key_len <= 64; key_len++) {
        memset(bytes, 'k', sizeof(bytes));
        memcpy(bytes + key_len, "=v", 3);
        struct iskra_slice text = {.p = bytes, .len = key_len + 3};
        assert_int_equal(iskra_text_next(&text, &pair), key_len == 63 ? 1 : -EBADMSG);
    }
}

static void every_truncation_ends_without_reading_past_the_end(void **state)
{
    static const char bytes[] = "HeaderDigest=None\0MaxBurstLength=262144\0X=\0";
    AT_EVERY_LENGTH(bytes, sizeof(bytes) - 1, {
        struct iskra_slice text = {.p = (const char *)copy, .len = copy_len};
        struct iskra_text_pair pair;
        unsigned rounds = 0;
        while (iskra_text_next(&text, &pair) > 0)
            assert_true(++rounds <= 3);
    });
}

static void decimal_and_hexadecimal_numbers_are_read(void **state)
{
    uint64_t value;
    assert_int_equal(iskra_text_number(slice("0"), &value), 0);
    assert_true(value == 0);
    assert_int_equal(iskra_text_number(slice("262144"), &value), 0);
    assert_true(value == 262144);
    assert_int_equal(iskra_text_number(slice("0x1F"), &value), 0);
    assert_true(value == 31);
    assert_int_equal(iskra_text_number(slice("0Xff"), &value), 0);
    assert_true(value == 255);
    assert_int_equal(iskra_text_number(slice("007"), &value), 0);
    assert_true(value == 7);
}

static void numbers_end_at_64_bits(void **state)
{
    uint64_t value = 1;
    assert_int_equal(iskra_text_number(slice("18446744073709551615"), &value), 0);
    assert_true(value == UINT64_MAX);
    value = 1;
    assert_int_equal(iskra_text_number(slice("18446744073709551616"), &value), -ERANGE);
    assert_int_equal(iskra_text_number(slice("0x10000000000000000"), &value), -ERANGE);
    assert_true(value == 1);
    assert_int_equal(iskra_text_number(slice("0xffffffffffffffff"), &value), 0);
    assert_true(value == UINT64_MAX);
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const words[] = {"",   "0x",  "+1",  "-1",
                                        " 1", "1 ",  "1k",  "Yes",
                                        "f",  "0xg", "1~2", "99999999999999999999999z"};
    uint64_t value = 5;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
        assert_int_equal(iskra_text_number(slice(words[i]), &value), -EINVAL);
    assert_true(value == 5);
}

static void a_list_gives_its_elements_also_empty_ones(void **state)
{
    struct iskra_slice list = slice("CRC32C,,None,");
    struct iskra_slice item;
    static const char *const want[] = {"CRC32C", "", "None", ""};
    for (unsigned i = 0; i < 4; i++) {
        assert_int_equal(iskra_text_list_next(&list, &item), 1);
        assert_true(iskra_slice_is(item, want[i]));
    }
    assert_int_equal(iskra_text_list_next(&list, &item), 0);
    assert_int_equal(iskra_text_list_next(&list, &item), 0);
}

static void slices_compare_by_case_and_length(void **state)
{
    assert_true(iskra_slice_is(slice("Yes"), "Yes"));
    assert_false(iskra_slice_is(slice("yes"), "Yes"));
    assert_false(iskra_slice_is(slice("Yes!"), "Yes"));
    assert_false(iskra_slice_is(slice("Ye"), "Yes"));
}

static void pairs_are_written_with_their_nul(void **state)
{
    char buf[64];
    struct iskra_text_out out = {.buf = buf, .size = sizeof(buf)};
    iskra_text_put(&out, "MaxBurstLength", "16776192");
    iskra_text_put_u32(&out, "X", UINT32_MAX);
    iskra_text_put(&out, "Y", "");
    static const char golden[] = "MaxBurstLength=16776192\0X=4294967295\0Y=";
    assert_int_equal(out.len, sizeof(golden));
    assert_memory_equal(buf, golden, sizeof(golden));
    assert_false(out.overflow);
}

static void writing_stops_at_the_end_of_the_buffer(void **state)
{
    for (size_t size = 0; size <= 8; size++) {
        char *buf = malloc(size ? size : 1);
        struct iskra_text_out out = {.buf = buf, .size = size};
        iskra_text_put(&out, "A", "1"); /* 4 bytes */
        iskra_text_put(&out, "B", "2");
        iskra_text_put(&out, "C", "");
        assert_int_equal(out.len, size < 4 ? 0 : size < 8 ? 4 : 8);
        assert_true(out.overflow);
        free(buf);
    }
}

static void after_an_overflow_nothing_more_is_written(void **state)
{
    char buf[6];
    struct iskra_text_out out = {.buf = buf, .size = sizeof(buf)};
    iskra_text_put(&out, "Key", "value");
    iskra_text_put(&out, "K", "v");
    assert_int_equal(out.len, 0);
    assert_true(out.overflow);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(pairs_come_one_after_the_other),
        cmocka_unit_test(padding_of_nul_bytes_is_skipped),
        cmocka_unit_test(an_empty_segment_has_no_pairs),
        cmocka_unit_test(a_pair_without_equals_is_refused),
        cmocka_unit_test(a_pair_without_nul_is_refused),
        cmocka_unit_test(an_empty_key_is_refused),
        cmocka_unit_test(an_empty_value_is_a_value),
        cmocka_unit_test(a_value_keeps_its_own_equals_signs),
        cmocka_unit_test(a_key_of_63_bytes_is_taken_and_of_64_refused),
        cmocka_unit_test(every_truncation_ends_without_reading_past_the_end),
        cmocka_unit_test(decimal_and_hexadecimal_numbers_are_read),
        cmocka_unit_test(numbers_end_at_64_bits),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(a_list_gives_its_elements_also_empty_ones),
        cmocka_unit_test(slices_compare_by_case_and_length),
        cmocka_unit_test(pairs_are_written_with_their_nul),
        cmocka_unit_test(writing_stops_at_the_end_of_the_buffer),
        cmocka_unit_test(after_an_overflow_nothing_more_is_written),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
