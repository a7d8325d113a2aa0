/* Which first logins are tried again, and when. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/login_retry.h"

#define MS UINT64_C(1000000)

static bool worth(enum iskra_code code, int sys_errno, uint8_t status_class, uint8_t detail)
{
    struct iskra_error err = {
        .code = code, .sys_errno = sys_errno, .login_class = status_class, .login_detail = detail};
    return iskra_login_retry_worth(&err);
}

static void what_may_pass_is_tried_again(void **state)
{
    assert_true(worth(ISKRA_E_CONNECT, ECONNREFUSED, 0, 0));
    assert_true(worth(ISKRA_E_CONNECT, EHOSTUNREACH, 0, 0));
    assert_true(worth(ISKRA_E_TIMEOUT_LOGIN, ETIMEDOUT, 0, 0));
    assert_true(worth(ISKRA_E_CONNECTION, ECONNRESET, 0, 0));
    for (int detail = 0; detail < 256; detail++)
        assert_true(worth(ISKRA_E_LOGIN, EAGAIN, 3, (uint8_t)detail));
}

static void what_will_be_the_same_is_not(void **state)
{
    assert_false(worth(ISKRA_E_CONNECT, EACCES, 0, 0));
    assert_false(worth(ISKRA_E_CONNECT, ENOENT, 0, 0));
    for (int status_class = 0; status_class < 256; status_class++) {
        for (int detail = 0; detail < 256 && status_class != 3; detail++)
            assert_false(worth(ISKRA_E_LOGIN, EIO, (uint8_t)status_class, (uint8_t)detail));
    }
    for (unsigned code = 0; code < 64; code++) {
        if (code != ISKRA_E_TIMEOUT_LOGIN)
            assert_false(worth((enum iskra_code)code, EPROTO, 0, 0));
    }
    assert_false(worth(ISKRA_E_AUTH, EACCES, 2, 1));
    assert_false(worth(ISKRA_E_PROTOCOL, ECONNRESET, 0, 0));
    assert_false(worth(ISKRA_E_NEGOTIATION, ECONNRESET, 0, 0));
}

static void delays_begin_at_once_and_end_at_three_seconds(void **state)
{
    static const unsigned want_ms[] = {0, 0, 100, 200, 400, 800, 1600, 3000, 3000, 3000};
    for (unsigned n = 1; n < 10; n++)
        assert_int_equal(iskra_login_retry_delay_ns(n, 0), want_ms[n] * MS);
    assert_int_equal(iskra_login_retry_delay_ns(UINT32_MAX, 0), 3000 * MS);
}

static void jitter_adds_an_eighth_at_most(void **state)
{
    assert_int_equal(iskra_login_retry_delay_ns(1, 255), 0);
    for (unsigned n = 2; n < 12; n++) {
        uint64_t least_ns = iskra_login_retry_delay_ns(n, 0), before_ns = least_ns;
        for (int random = 1; random < 256; random++) {
            uint64_t delay_ns = iskra_login_retry_delay_ns(n, (uint8_t)random);
            assert_true(delay_ns >= before_ns && delay_ns <= least_ns + least_ns / 8);
            before_ns = delay_ns;
        }
        assert_int_equal(before_ns, least_ns + least_ns / 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_pass_is_tried_again),
        cmocka_unit_test(what_will_be_the_same_is_not),
        cmocka_unit_test(delays_begin_at_once_and_end_at_three_seconds),
        cmocka_unit_test(jitter_adds_an_eighth_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
