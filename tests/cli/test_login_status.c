/* All 65536 pairs of Status-Class and Status-Detail (RFC 7143 11.13.5): each refusal has words, a
 * code, an errno and an exit code that says so. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "cli/cli.h"
#include "control/login.h"
#include "control/login_status.h"

static int want_exit(unsigned status_class, unsigned detail)
{
    if (status_class == 0)
        return 1; /* a status that does not exist, not a refusal */
    return status_class == 2 && (detail == 1 || detail == 2) ? 24 : 19;
}

static void each_pair_but_0000_is_a_refusal_with_words(void **state)
{
    for (unsigned status = 1; status < 0x10000; status++) {
        uint8_t status_class = (uint8_t)(status >> 8), detail = (uint8_t)status;
        struct iskra_error err = {0};
        char numbers[48];
        snprintf(numbers, sizeof(numbers), " (status class %u, detail %u)", status_class, detail);
        int rc = iskra_login_refused(status_class, detail, &err);
        assert_true(rc < 0);
        assert_int_equal(err.sys_errno, -rc);
        assert_int_equal(err.login_class, status_class);
        assert_int_equal(err.login_detail, detail);
        assert_int_equal(cli_exit_code(&err), want_exit(status_class, detail));
        const char *at = strstr(err.text, numbers);
        assert_non_null(at);
        assert_true(at > err.text + strlen("login refused: ") + 4);
        assert_null(strchr(err.text, '?'));
    }
}

static void success_is_0000_alone(void **state)
{
    assert_int_equal(iskra_login_status_judge(0, 0).code, ISKRA_OK);
    for (unsigned status = 1; status < 0x10000; status++)
        assert_int_not_equal(iskra_login_status_judge((uint8_t)(status >> 8), (uint8_t)status).code,
                             ISKRA_OK);
}

static void only_the_targets_own_errors_may_pass(void **state)
{
    for (unsigned status = 0; status < 0x10000; status++) {
        struct iskra_login_verdict v =
            iskra_login_status_judge((uint8_t)(status >> 8), (uint8_t)status);
        assert_int_equal(v.transient, status >> 8 == 3);
        assert_int_equal(v.sys_errno == EAGAIN, status >> 8 == 3);
    }
}

static void the_pairs_of_the_standard_have_words_of_their_own(void **state)
{
    static const uint16_t pairs[] = {0x0000, 0x0101, 0x0102, 0x0200, 0x0201, 0x0202,
                                     0x0203, 0x0204, 0x0205, 0x0206, 0x0207, 0x0208,
                                     0x0209, 0x020a, 0x020b, 0x0300, 0x0301, 0x0302};
    const char *words[sizeof(pairs) / sizeof(pairs[0])];
    for (size_t i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        words[i] = iskra_login_status_judge((uint8_t)(pairs[i] >> 8), (uint8_t)pairs[i]).words;
        assert_null(strstr(words[i], "unknown"));
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(words[i], words[j]);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_pair_but_0000_is_a_refusal_with_words),
        cmocka_unit_test(success_is_0000_alone),
        cmocka_unit_test(only_the_targets_own_errors_may_pass),
        cmocka_unit_test(the_pairs_of_the_standard_have_words_of_their_own),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
