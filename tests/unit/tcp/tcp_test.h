/* What every test file of this folder begins with. */
#ifndef ISKRA_TEST_TCP_TEST_H
#define ISKRA_TEST_TCP_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <errno.h>

#include "fake.h"

/* One fake per test. */
static inline int fake_setup(void **state)
{
    struct fake *f = malloc(sizeof(*f));
    if (!f)
        return -1;
    fake_init(f);
    *state = f;
    return 0;
}

static inline int fake_teardown(void **state)
{
    fake_done(*state);
    free(*state);
    return 0;
}

#define FAKE_TEST(fn) cmocka_unit_test_setup_teardown(fn, fake_setup, fake_teardown)

#endif
