/* What the fuzzers share: the input as a stream of small choices, exact-size copies of what a peer
 * sends, and an assert that every build keeps. */
#ifndef ISKRA_FUZZ_INPUT_H
#define ISKRA_FUZZ_INPUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static inline void must(bool holds)
{
    if (!holds)
        abort();
}

/* Read front to back; zeros at its end. */
struct input {
    const uint8_t *at;
    size_t left;
};

static inline uint8_t input_u8(struct input *in)
{
    if (in->left == 0)
        return 0;
    in->left--;
    return *in->at++;
}

static inline uint16_t input_u16(struct input *in)
{
    uint8_t high = input_u8(in);
    return (uint16_t)(high << 8 | input_u8(in));
}

static inline size_t input_len(const struct input *in, size_t len)
{
    return len < in->left ? len : in->left;
}

/* The next `len` bytes (at most what is left) in memory of exactly that size. */
static inline uint8_t *input_take(struct input *in, size_t len)
{
    len = input_len(in, len);
    uint8_t *copy = malloc(len > 0 ? len : 1);
    must(copy != NULL);
    if (len > 0)
        memcpy(copy, in->at, len);
    in->at += len;
    in->left -= len;
    return copy;
}

/* Every byte of what was decoded is readable. */
static inline unsigned input_touch(const void *bytes, size_t len)
{
    unsigned sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += ((const uint8_t *)bytes)[i];
    return sum;
}

#endif
