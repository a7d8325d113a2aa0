/* What the tests of wire/ share: cmocka, and copies that end where their block ends, so that ASan
 * sees a read past the end. */
#ifndef ISKRA_TEST_WIRE_H
#define ISKRA_TEST_WIRE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

static inline uint8_t *exact_copy(const void *bytes, size_t len)
{
    uint8_t *copy = malloc(len);
    assert_non_null(copy);
    if (len > 0)
        memcpy(copy, bytes, len);
    return copy;
}

/* Runs the statement with `copy` and `copy_len` for every length from 0 to len of the bytes. */
#define AT_EVERY_LENGTH(bytes, len, ...)                                                           \
    for (size_t copy_len = 0; copy_len <= (len); copy_len++) {                                     \
        uint8_t *copy = exact_copy(bytes, copy_len);                                               \
        __VA_ARGS__;                                                                               \
        free(copy);                                                                                \
    }

/* "01 c1 00" or "01c100" -> bytes; returns how many. */
static inline size_t hex_bytes(const char *hex, uint8_t *ret, size_t size)
{
    size_t len = 0;
    while (*hex) {
        if (*hex == ' ') {
            hex++;
            continue;
        }
        unsigned byte = 0;
        assert_int_equal(sscanf(hex, "%2x", &byte), 1);
        assert_true(len < size);
        ret[len++] = (uint8_t)byte;
        hex += 2;
    }
    return len;
}

#endif
