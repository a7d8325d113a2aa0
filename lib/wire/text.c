/* Text segments, RFC 7143 6.1: reading pairs as slices, writing them into a caller's buffer. */
#include "wire/text.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

int iskra_text_next(struct iskra_slice *text, struct iskra_text_pair *ret_pair)
{
    const char *p = text->p;
    size_t len = text->len;
    while (len > 0 && *p == '\0') {
        p++;
        len--;
    }
    if (len == 0) {
        *text = (struct iskra_slice){.p = p, .len = 0};
        return 0;
    }

    const char *end = memchr(p, '\0', len);
    if (!end)
        return -EBADMSG;
    const char *equals = memchr(p, '=', (size_t)(end - p));
    if (!equals || equals == p || (size_t)(equals - p) > ISKRA_KEY_LEN_MAX)
        return -EBADMSG;

    ret_pair->key = (struct iskra_slice){.p = p, .len = (size_t)(equals - p)};
    ret_pair->value = (struct iskra_slice){.p = equals + 1, .len = (size_t)(end - equals - 1)};
    size_t taken = (size_t)(end - p) + 1;
    *text = (struct iskra_slice){.p = p + taken, .len = len - taken};
    return 1;
}

bool iskra_slice_is(struct iskra_slice s, const char *word)
{
    return s.len == strlen(word) && memcmp(s.p, word, s.len) == 0;
}

/* The digit's value, or 16 for what is no digit in any base. */
static unsigned digit_value(char c)
{
    if (c >= '0' && c <= '9')
        return (unsigned)(c - '0');
    if (c >= 'a' && c <= 'f')
        return (unsigned)(c - 'a') + 10;
    if (c >= 'A' && c <= 'F')
        return (unsigned)(c - 'A') + 10;
    return 16;
}

int iskra_text_number(struct iskra_slice s, uint64_t *ret_value)
{
    unsigned base = 10;
    size_t i = 0;
    if (s.len >= 2 && s.p[0] == '0' && (s.p[1] == 'x' || s.p[1] == 'X')) {
        base = 16;
        i = 2;
    }
    if (i == s.len)
        return -EINVAL;

    uint64_t value = 0;
    bool too_big = false;
    for (; i < s.len; i++) {
        unsigned digit = digit_value(s.p[i]);
        if (digit >= base)
            return -EINVAL;
        if (value > (UINT64_MAX - digit) / base)
            too_big = true; /* still look at the rest: "not a number" is the better answer */
        else
            value = value * base + digit;
    }
    if (too_big)
        return -ERANGE;
    *ret_value = value;
    return 0;
}

/* A list of n commas has n + 1 elements, the last of which may be empty; "none left" must be told
 * from that, so the list that is used up has p == NULL. */
int iskra_text_list_next(struct iskra_slice *list, struct iskra_slice *ret_item)
{
    if (!list->p)
        return 0;
    const char *comma = list->len > 0 ? memchr(list->p, ',', list->len) : NULL;
    if (!comma) {
        *ret_item = *list;
        *list = (struct iskra_slice){0};
        return 1;
    }
    size_t item_len = (size_t)(comma - list->p);
    *ret_item = (struct iskra_slice){.p = list->p, .len = item_len};
    *list = (struct iskra_slice){.p = comma + 1, .len = list->len - item_len - 1};
    return 1;
}

void iskra_text_put_slice(struct iskra_text_out *out, struct iskra_slice key,
                          struct iskra_slice value)
{
    size_t room = out->size - out->len;
#ifndef ISKRA_PLANTED_KEYS_LENGTH /* left out on purpose to prove that the fuzzer finds it */
    if (out->overflow || key.len > room || value.len > room - key.len ||
        room - key.len - value.len < 2) {
        out->overflow = true;
        return;
    }
#endif
    char *p = out->buf + out->len;
    memcpy(p, key.p, key.len);
    p[key.len] = '=';
    if (value.len > 0)
        memcpy(p + key.len + 1, value.p, value.len);
    p[key.len + 1 + value.len] = '\0';
    out->len += key.len + value.len + 2;
}

void iskra_text_put(struct iskra_text_out *out, const char *key, const char *value)
{
    iskra_text_put_slice(out, (struct iskra_slice){.p = key, .len = strlen(key)},
                         (struct iskra_slice){.p = value, .len = strlen(value)});
}

void iskra_text_put_u32(struct iskra_text_out *out, const char *key, uint32_t value)
{
    char digits[11];
    (void)snprintf(digits, sizeof(digits), "%u",
                   (unsigned)value); /* ten digits at most: always fits */
    iskra_text_put(out, key, digits);
}
