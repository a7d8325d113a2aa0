/* Which first logins are tried again. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "api/login_retry.h"

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
    assert_true(worth(ISKRA_E_CONNECT, EADDRNOTAVAIL, 0, 0));
    assert_true(worth(ISKRA_E_CONNECT, EMFILE, 0, 0));
    assert_true(worth(ISKRA_E_SYSTEM, EMFILE, 0, 0));
    assert_true(worth(ISKRA_E_NOMEM, ENOMEM, 0, 0));
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_may_pass_is_tried_again),
        cmocka_unit_test(what_will_be_the_same_is_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
