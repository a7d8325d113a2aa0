/* What the tests of control/ share: cmocka, and short ways to make text. */
#ifndef CONTROL_TEST_H
#define CONTROL_TEST_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "wire/text.h"

/* A text segment from a C string in which ';' stands for NUL: "HeaderDigest=None;InitialR2T=Yes;"
 */
static inline size_t segment(char *buf, size_t size, const char *text)
{
    size_t len = strlen(text);
    assert_true(len < size);
    for (size_t i = 0; i < len; i++)
        buf[i] = (char)(text[i] == ';' ? '\0' : text[i]);
    return len;
}

/* The other way round, so that a failure can be read. */
static inline const char *readable(const char *text, size_t len)
{
    static char buf[16384];
    assert_true(len < sizeof(buf));
    for (size_t i = 0; i < len; i++)
        buf[i] = (char)(text[i] == '\0' ? ';' : text[i]);
    buf[len] = '\0';
    return buf;
}

#endif
