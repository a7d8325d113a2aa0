/* Hexadecimal and base64 of text keys. See binary.h. */
#include "target/binary.h"

#include <errno.h>
#include <string.h>

static const char base64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

static int hex_decode(const char *digits, size_t cnt, uint8_t *buf, uint32_t max)
{
    if (cnt == 0 || cnt % 2 != 0 || cnt / 2 > max)
        return -EINVAL;
    for (size_t i = 0; i < cnt; i += 2) {
        int high = hex_digit(digits[i]), low = hex_digit(digits[i + 1]);
        if (high < 0 || low < 0)
            return -EINVAL;
        buf[i / 2] = (uint8_t)(high << 4 | low);
    }
    return (int)(cnt / 2);
}

static int base64_digit(char c)
{
    const char *at = c == '\0' ? NULL : strchr(base64, c);
    return at ? (int)(at - base64) : -1;
}

/* RFC 4648 4: four digits are three bytes, '=' fills up the last four. */
static int base64_decode(const char *digits, size_t cnt, uint8_t *buf, uint32_t max)
{
    if (cnt == 0 || cnt % 4 != 0)
        return -EINVAL;
    size_t pad = digits[cnt - 1] != '=' ? 0 : digits[cnt - 2] != '=' ? 1 : 2;
    size_t len = cnt / 4 * 3 - pad, made = 0;
    if (len > max)
        return -EINVAL;
    uint32_t bits = 0;
    unsigned bit_cnt = 0;
    for (size_t i = 0; i < cnt - pad; i++) {
        int digit = base64_digit(digits[i]);
        if (digit < 0)
            return -EINVAL;
        bits = bits << 6 | (uint32_t)digit;
        bit_cnt += 6;
        if (bit_cnt < 8)
            continue;
        bit_cnt -= 8;
        buf[made++] = (uint8_t)(bits >> bit_cnt);
    }
    bool left_over = bits & ((1u << bit_cnt) - 1);
    return left_over ? -EINVAL : (int)len;
}

int target_binary_decode(struct iskra_slice text, uint8_t *buf, uint32_t max)
{
    if (text.len < 2 || text.p[0] != '0')
        return -EINVAL;
    switch (text.p[1]) {
    case 'x':
    case 'X':
        return hex_decode(text.p + 2, text.len - 2, buf, max);
    case 'b':
    case 'B':
        return base64_decode(text.p + 2, text.len - 2, buf, max);
    default:
        return -EINVAL;
    }
}

static size_t hex_encode(const uint8_t *bytes, uint32_t len, const char *digits, char *out)
{
    for (uint32_t i = 0; i < len; i++) {
        out[2 * i] = digits[bytes[i] >> 4];
        out[2 * i + 1] = digits[bytes[i] & 15];
    }
    return 2 * (size_t)len;
}

static size_t base64_encode(const uint8_t *bytes, uint32_t len, char *out)
{
    size_t at = 0;
    for (uint32_t i = 0; i < len; i += 3) {
        uint32_t left = len - i;
        uint32_t bits = (uint32_t)bytes[i] << 16 | (left > 1 ? (uint32_t)bytes[i + 1] << 8 : 0) |
                        (left > 2 ? bytes[i + 2] : 0);
        out[at++] = base64[bits >> 18];
        out[at++] = base64[bits >> 12 & 63];
        out[at++] = '=';
        out[at++] = '=';
        if (left > 1)
            out[at - 2] = base64[bits >> 6 & 63];
        if (left > 2)
            out[at - 1] = base64[bits & 63];
    }
    return at;
}

struct iskra_slice target_binary_encode(const uint8_t *bytes, uint32_t len,
                                        enum target_binary_form form, char *buf)
{
    buf[0] = '0';
    buf[1] = form == BINARY_BASE64 ? 'b' : form == BINARY_HEX_UPPER ? 'X' : 'x';
    size_t cnt = form == BINARY_BASE64 ? base64_encode(bytes, len, buf + 2)
                                       : hex_encode(bytes, len,
                                                    form == BINARY_HEX_UPPER ? "0123456789ABCDEF"
                                                                             : "0123456789abcdef",
                                                    buf + 2);
    return (struct iskra_slice){.p = buf, .len = 2 + cnt};
}
