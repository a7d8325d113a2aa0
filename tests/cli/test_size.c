/* Sizes and exit codes: what the program's tables can be asked without running it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"

/* output.c takes a progress bar away before it tells of an error; here is none. */
void cli_progress_hide(void) {}

static void each_suffix_is_a_power_of_1024(void **state)
{
    static const struct {
        const char *text;
        uint64_t size;
    } cases[] = {
        {"0", 0},
        {"512", 512},
        {"1k", 1024},
        {"1K", 1024},
        {"64KiB", 65536},
        {"3M", 3u << 20},
        {"2g", UINT64_C(2) << 30},
        {"16777215T", UINT64_C(16777215) << 40},
        {"18446744073709551615", UINT64_MAX},
        {"18014398509481983K", UINT64_C(18014398509481983) << 10},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t size = 1;
        assert_true(cli_size_parse(cases[i].text, &size));
        assert_int_equal(size, cases[i].size);
    }
}

static void what_is_no_size_is_refused_and_nothing_is_written(void **state)
{
    static const char *const texts[] = {"",
                                        " ",
                                        "K",
                                        "-1",
                                        "+1",
                                        "1 K",
                                        "1KB",
                                        "1Ki",
                                        "1KiBx",
                                        "1P",
                                        "0x1",
                                        "1.0",
                                        "1e3",
                                        "18446744073709551616",
                                        "18014398509481984K",
                                        "16777216T",
                                        "99999999999999999999999"};
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        uint64_t size = 7143;
        if (cli_size_parse(texts[i], &size))
            fail_msg("'%s' was taken as %llu", texts[i], (unsigned long long)size);
        assert_int_equal(size, 7143);
    }
}

static void sizes_are_shown_in_the_largest_unit_that_fits(void **state)
{
    char buf[CLI_SIZE_TEXT_LEN];
    assert_string_equal(cli_size_format(0, buf), "0 B");
    assert_string_equal(cli_size_format(1023, buf), "1023 B");
    assert_string_equal(cli_size_format(1024, buf), "1.0 KiB");
    assert_string_equal(cli_size_format(64u << 20, buf), "64.0 MiB");
    assert_string_equal(cli_size_format(UINT64_C(1) << 40, buf), "1.0 TiB");
    assert_string_equal(cli_size_format(UINT64_MAX, buf), "16.0 EiB");
}

static void only_what_a_terminal_would_act_upon_is_replaced(void **state)
{
    static const struct {
        const char *text, *want;
    } cases[] = {
        {"", ""},
        {"plain", "plain"},
        {"\x1b[31m\r\n\t\x7f", "?[31m????"},
        {"caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "caf\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80"},
        {"\xc2\x9b"
         "31m \x9b \xff",
         "??31m ? ?"}, /* CSI as UTF-8 and as a byte */
        {"a\xe2\x80\xae"
         "b\xe2\x81\xa6",
         "a???b???"},                                         /* right to left */
        {"\xc0\x9b \xe0\x80\x9b \xed\xa0\x80", "?? ??? ???"}, /* overlong, surrogate */
        {"\xf4\x90\x80\x80", "????"},                         /* beyond Unicode */
        {"cut \xe2\x82", "cut ??"},
        {"\xc3(", "?("},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char text[64];
        strcpy(text, cases[i].text);
        cli_text_make_safe(text);
        assert_string_equal(text, cases[i].want);
    }
}

static void each_error_has_its_exit_code(void **state)
{
    static const int exit_codes[] = {
        [ISKRA_OK] = 1,
        [ISKRA_E_USAGE] = 2,
        [ISKRA_E_NOMEM] = 1,
        [ISKRA_E_SYSTEM] = 1,
        [ISKRA_E_CONNECT] = 4,
        [ISKRA_E_TIMEOUT_LOGIN] = 8,
        [ISKRA_E_LOGIN] = 19,
        [ISKRA_E_AUTH] = 24,
        [ISKRA_E_NEGOTIATION] = 1,
        [ISKRA_E_PROTOCOL] = 1,
        [ISKRA_E_CONNECTION] = 1,
        [ISKRA_E_NOT_FOUND] = 21,
        [ISKRA_E_SCSI] = 5,
        [ISKRA_E_TIMEOUT_SCSI] = 33,
        [ISKRA_E_CANCELED] = 1,
        [ISKRA_E_OUTCOME_UNKNOWN] = 1,
        [ISKRA_E_RESPONSE] = 1,
        [ISKRA_E_OFFLINE] = 1,
    };
    for (size_t i = 0; i < sizeof(exit_codes) / sizeof(exit_codes[0]); i++) {
        struct iskra_error err = {.code = (enum iskra_code)i};
        if (cli_exit_code(&err) != exit_codes[i])
            fail_msg("code %zu: exit code %d, expected %d", i, cli_exit_code(&err), exit_codes[i]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_suffix_is_a_power_of_1024),
        cmocka_unit_test(what_is_no_size_is_refused_and_nothing_is_written),
        cmocka_unit_test(sizes_are_shown_in_the_largest_unit_that_fits),
        cmocka_unit_test(only_what_a_terminal_would_act_upon_is_replaced),
        cmocka_unit_test(each_error_has_its_exit_code),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
