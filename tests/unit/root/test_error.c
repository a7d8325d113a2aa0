/* struct iskra_error and escaping. */
#include "heap_platform.h"

#include <errno.h>

#include "error.h"

static void a_failure_is_told_with_its_numbers(void **state)
{
    struct iskra_error err = {0};
    assert_int_equal(iskra_fail(&err, ISKRA_E_PROTOCOL, EPROTO, "R2TSN %u, expected %u", 7u, 3u),
                     -EPROTO);
    assert_int_equal(err.code, ISKRA_E_PROTOCOL);
    assert_int_equal(err.sys_errno, EPROTO);
    assert_string_equal(err.text, "R2TSN 7, expected 3");
}

static void the_first_failure_wins(void **state)
{
    struct iskra_error err = {0};
    (void)iskra_fail(&err, ISKRA_E_CONNECT, ECONNREFUSED,
                     "first"); /* only what it leaves is looked at */
    assert_int_equal(iskra_fail(&err, ISKRA_E_NOMEM, ENOMEM, "second"), -ENOMEM);
    assert_int_equal(err.code, ISKRA_E_CONNECT);
    assert_int_equal(err.sys_errno, ECONNREFUSED);
    assert_string_equal(err.text, "first");
}

static void a_failure_without_an_error_struct_still_returns_its_errno(void **state)
{
    assert_int_equal(iskra_fail(NULL, ISKRA_E_SYSTEM, EIO, "nobody listens"), -EIO);
}

static void a_failure_clears_what_was_in_the_struct(void **state)
{
    struct iskra_error err;
    memset(&err, 0xee, sizeof(err));
    err.code = ISKRA_OK;
    (void)iskra_fail(&err, ISKRA_E_SCSI, EIO, "x"); /* only what it leaves is looked at */
    assert_int_equal(err.conn_error, 0);
    assert_int_equal(err.sense_len, 0);
}

static void a_long_text_is_cut_and_ended(void **state)
{
    struct iskra_error err = {0};
    (void)iskra_fail(&err, ISKRA_E_USAGE, EINVAL, "%0400d",
                     5); /* only what it leaves is looked at */
    assert_int_equal(strlen(err.text), sizeof(err.text) - 1);
}

static void a_text_is_one_line_without_control_bytes(void **state)
{
    struct iskra_error err = {0};
    (void)iskra_fail(&err, ISKRA_E_USAGE, EINVAL,
                     "a\nb\033[31mc\x7f"); /* only what it leaves is looked at */
    assert_string_equal(err.text, "a b [31mc ");
}

static void every_code_has_a_name_of_its_own(void **state)
{
    for (int a = 0; a <= ISKRA_E_MISCOMPARE; a++) {
        const char *name = iskra_code_name((enum iskra_code)a);
        assert_string_not_equal(name, "?");
        for (int b = 0; b < a; b++)
            assert_string_not_equal(name, iskra_code_name((enum iskra_code)b));
    }
    assert_string_equal(iskra_code_name((enum iskra_code)(ISKRA_E_MISCOMPARE + 1)), "?");
    assert_string_equal(iskra_code_name(ISKRA_E_PROTOCOL), "protocol");
}

static void escaping_keeps_printable_bytes(void **state)
{
    char dst[64];
    assert_string_equal(iskra_escape(dst, sizeof(dst), "iqn.2026-11.test:x ~", 20),
                        "iqn.2026-11.test:x ~");
}

static void escaping_shows_everything_else_in_hex(void **state)
{
    char dst[64];
    assert_string_equal(iskra_escape(dst, sizeof(dst), "\033[2J\0\n\\\x7f\xff", 9),
                        "\\x1b[2J\\x00\\x0a\\x5c\\x7f\\xff");
}

static void escaping_cuts_between_escapes(void **state)
{
    char dst[9];
    assert_string_equal(iskra_escape(dst, sizeof(dst), "12345678", 8), "12345678");
    assert_string_equal(iskra_escape(dst, sizeof(dst), "123456789", 9), "12345...");
    assert_string_equal(iskra_escape(dst, sizeof(dst), "1\xff\xff", 3), "1\\xff...");
    assert_string_equal(iskra_escape(dst, sizeof(dst), "123\xff\xff", 5), "123...");
}

static void escaping_never_leaves_its_buffer(void **state)
{
    static const char bytes[] = "ab\x01\x02yz\\\xff end";
    for (size_t size = 0; size <= 48; size++) {
        char *dst = malloc(size ? size : 1);
        assert_ptr_equal(iskra_escape(dst, size, bytes, sizeof(bytes)), dst);
        if (size > 0)
            assert_true(strlen(dst) < size);
        free(dst);
    }
}

static void escaping_nothing_gives_an_empty_text(void **state)
{
    char dst[4] = "xyz";
    assert_string_equal(iskra_escape(dst, sizeof(dst), NULL, 0), "");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_failure_is_told_with_its_numbers),
        cmocka_unit_test(the_first_failure_wins),
        cmocka_unit_test(a_failure_without_an_error_struct_still_returns_its_errno),
        cmocka_unit_test(a_failure_clears_what_was_in_the_struct),
        cmocka_unit_test(a_long_text_is_cut_and_ended),
        cmocka_unit_test(a_text_is_one_line_without_control_bytes),
        cmocka_unit_test(every_code_has_a_name_of_its_own),
        cmocka_unit_test(escaping_keeps_printable_bytes),
        cmocka_unit_test(escaping_shows_everything_else_in_hex),
        cmocka_unit_test(escaping_cuts_between_escapes),
        cmocka_unit_test(escaping_never_leaves_its_buffer),
        cmocka_unit_test(escaping_nothing_gives_an_empty_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
