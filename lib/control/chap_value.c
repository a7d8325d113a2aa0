/* Binary values of text keys (RFC 7143 6.1): their length is judged before a byte is decoded. */
#include <errno.h>

#include "control/chap.h"

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 0x20;
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int decode_hex(struct iskra_slice s, uint8_t *dst, size_t size)
{
    if (s.len == 0 || s.len % 2 != 0)
        return -EINVAL;
#ifndef ISKRA_PLANTED_CHAP_LENGTH /* left out on purpose to prove that the fuzzer finds it */
    if (s.len / 2 > size)
        return -EINVAL;
#endif
    for (size_t i = 0; i < s.len; i++) {
        if (hex_digit(s.p[i]) < 0)
            return -EINVAL;
    }
    for (size_t i = 0; i < s.len / 2; i++)
        dst[i] = (uint8_t)(hex_digit(s.p[2 * i]) << 4 | hex_digit(s.p[2 * i + 1]));
    return (int)(s.len / 2);
}

static int base64_digit(char c)
{
    if (c >= 'A' && c <= 'Z')
        return c - 'A';
    if (c >= 'a' && c <= 'z')
        return c - 'a' + 26;
    if (c >= '0' && c <= '9')
        return c - '0' + 52;
    return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* RFC 4648 section 4: groups of four, the last one filled up with '='. */
static int decode_base64(struct iskra_slice s, uint8_t *dst, size_t size)
{
    size_t digits = s.len;
    while (digits > 0 && s.len - digits < 2 && s.p[digits - 1] == '=')
        digits--;
    size_t len = digits / 4 * 3 + (digits % 4 > 0 ? digits % 4 - 1 : 0);
    if (s.len == 0 || s.len % 4 != 0 || len == 0 || len > size)
        return -EINVAL;
    for (size_t i = 0; i < digits; i++) {
        if (base64_digit(s.p[i]) < 0)
            return -EINVAL;
    }
    uint32_t bits = 0;
    size_t n = 0;
    for (size_t i = 0; i < digits; i++) {
        bits = bits << 6 | (uint32_t)base64_digit(s.p[i]);
        if (i % 4 != 0)
            dst[n++] = (uint8_t)(bits >> (6 - 2 * (i % 4)));
    }
    return (int)n;
}

int iskra_chap_decode(struct iskra_slice value, uint8_t *dst, size_t size)
{
    if (value.len < 2 || value.p[0] != '0')
        return -EINVAL;
    struct iskra_slice rest = {value.p + 2, value.len - 2};
    if (value.p[1] == 'x' || value.p[1] == 'X')
        return decode_hex(rest, dst, size);
    if (value.p[1] == 'b' || value.p[1] == 'B')
        return decode_base64(rest, dst, size);
    return -EINVAL;
}
