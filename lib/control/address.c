/* TargetAddress values and iSCSI names: text of a target's, judged byte by byte before anybody uses
 * it. */
#include "control/address.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

static bool is_alnum(char c)
{
    return is_digit(c) || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}

/* A decimal number and nothing else; RFC 7143 13.8 knows no hexadecimal port. */
static int decimal(struct iskra_slice s, uint32_t max, uint16_t *ret_value)
{
    uint64_t value;
    for (size_t i = 0; i < s.len; i++) {
        if (!is_digit(s.p[i]))
            return -EINVAL;
    }
    int ret = iskra_text_number(s, &value);
    if (ret < 0)
        return ret;
    if (value > max)
        return -ERANGE;
    *ret_value = (uint16_t)value;
    return 0;
}

static int take_host(struct iskra_slice host, bool v6, struct iskra_target_address *addr)
{
    if (host.len == 0)
        return -EINVAL;
    if (host.len > ISKRA_HOST_TEXT_MAX)
        return -ENAMETOOLONG;
    for (size_t i = 0; i < host.len; i++) {
        char c = host.p[i];
        if (!is_alnum(c) && c != '.' && c != '-' && c != '_' && !(v6 && (c == ':' || c == '%')))
            return -EINVAL;
    }
    memcpy(addr->host, host.p, host.len);
    addr->host[host.len] = '\0';
    return 0;
}

/* Splits at the first of `c`: what is before it, and what is after it (p NULL when there is none).
 */
static struct iskra_slice cut(struct iskra_slice s, char c, struct iskra_slice *ret_rest)
{
    const char *at = s.len > 0 ? memchr(s.p, c, s.len) : NULL;
    *ret_rest = (struct iskra_slice){0};
    if (!at)
        return s;
    size_t before = (size_t)(at - s.p);
    *ret_rest = (struct iskra_slice){.p = at + 1, .len = s.len - before - 1};
    return (struct iskra_slice){.p = s.p, .len = before};
}

int iskra_target_address_parse(struct iskra_slice text, struct iskra_target_address *ret_addr)
{
    struct iskra_target_address addr = {.port = ISKRA_ISCSI_PORT};
    struct iskra_slice tag, port = {0}, host;
    struct iskra_slice place = cut(text, ',', &tag);
    bool v6 = place.len > 0 && place.p[0] == '[';
    if (v6) {
        struct iskra_slice after;
        host = cut((struct iskra_slice){.p = place.p + 1, .len = place.len - 1}, ']', &after);
        if (!after.p || (after.len > 0 && after.p[0] != ':'))
            return -EINVAL;
        if (after.len > 0)
            port = (struct iskra_slice){.p = after.p + 1, .len = after.len - 1};
    } else {
        host = cut(place, ':', &port);
    }

    int ret = take_host(host, v6, &addr);
    if (ret == 0 && port.p)
        ret = decimal(port, UINT16_MAX, &addr.port);
    if (ret == 0 && tag.p)
        ret = decimal(tag, UINT16_MAX, &addr.tpgt);
    if (ret == 0 && addr.port == 0)
        ret = -ERANGE;
    if (ret == 0)
        *ret_addr = addr;
    return ret;
}

/* RFC 7143 4.2.7: a type and what such names are made of. Names in the wild have underscores and
 * capitals as well. RFC 3722 would allow letters of any alphabet, but what is let through here is
 * printed and typed again: nothing that could be a path, a format or a control character of any
 * encoding. */
bool iskra_iscsi_name_ok(struct iskra_slice name)
{
    if (name.len <= 4 || name.len > ISKRA_NAME_TEXT_MAX)
        return false;
    if (memcmp(name.p, "iqn.", 4) != 0 && memcmp(name.p, "eui.", 4) != 0 &&
        memcmp(name.p, "naa.", 4) != 0)
        return false;
    for (size_t i = 4; i < name.len; i++) {
        char c = name.p[i];
        if (!is_alnum(c) && c != '.' && c != '-' && c != ':' && c != '_')
            return false;
    }
    return true;
}
