/* MODE SENSE data. */
#include "wire/mode.h"

#include <errno.h>
#include <string.h>

#include "wire/be.h"

#define BIT_WP     0x80u
#define BIT_DPOFUA 0x10u
#define HEADER_6   4u
#define HEADER_10  8u

/* What both headers have in common, once it is known where the block descriptors end.
 * `mode_data_len` counts what follows the length field itself, which is `len_width` bytes. */
static int mode_decode(const uint8_t *bytes, size_t len, size_t mode_data_len, size_t len_width,
                       size_t pages_pos, struct iskra_mode *ret)
{
    if (mode_data_len + len_width < len)
        len = mode_data_len + len_width;
    if (pages_pos > len)
        return -EBADMSG;
    *ret = (struct iskra_mode){
        .medium_type = bytes[len_width],
        .write_protected = (bytes[len_width + 1] & BIT_WP) != 0,
        .dpofua = (bytes[len_width + 1] & BIT_DPOFUA) != 0,
        .pages = bytes + pages_pos,
        .pages_len = len - pages_pos,
    };
    return 0;
}

int iskra_mode6_decode(const uint8_t *bytes, size_t len, struct iskra_mode *ret)
{
    if (len < HEADER_6)
        return -EBADMSG;
    return mode_decode(bytes, len, bytes[0], 1, HEADER_6 + bytes[3], ret);
}

int iskra_mode10_decode(const uint8_t *bytes, size_t len, struct iskra_mode *ret)
{
    if (len < HEADER_10)
        return -EBADMSG;
    return mode_decode(bytes, len, iskra_get_be16(bytes), 2, HEADER_10 + iskra_get_be16(bytes + 6),
                       ret);
}

int iskra_mode_page_next(const struct iskra_mode *mode, size_t *pos, struct iskra_mode_page *ret)
{
    if (*pos >= mode->pages_len)
        return 0;
    const uint8_t *p = mode->pages + *pos;
    size_t left = mode->pages_len - *pos;
    bool sub_format = (p[0] & 0x40) != 0;
    size_t header_len = sub_format ? 4 : 2;
    if (left < header_len)
        return -EBADMSG;
    size_t body_len = sub_format ? iskra_get_be16(p + 2) : p[1];
    if (body_len > left - header_len)
        return -EBADMSG;
    *ret = (struct iskra_mode_page){
        .code = p[0] & 0x3f,
        .subpage = sub_format ? p[1] : 0,
        .saveable = (p[0] & 0x80) != 0,
        .body = p + header_len,
        .body_len = body_len,
    };
    *pos += header_len + body_len;
    return 1;
}

int iskra_mode_caching(const struct iskra_mode *mode, struct iskra_mode_caching *ret)
{
    size_t pos = 0;
    struct iskra_mode_page page;
    int rc;
    while ((rc = iskra_mode_page_next(mode, &pos, &page)) > 0) {
        if (page.code != ISKRA_MODE_PAGE_CACHING || page.subpage != 0)
            continue;
        if (page.body_len < 1)
            return -EBADMSG;
        ret->wce = (page.body[0] & 0x04) != 0;
        ret->rcd = (page.body[0] & 0x01) != 0;
        return 0;
    }
    return rc < 0 ? rc : -ENOENT;
}

static uint8_t device_specific(const struct iskra_mode *fields)
{
    return (uint8_t)((fields->write_protected ? BIT_WP : 0) | (fields->dpofua ? BIT_DPOFUA : 0));
}

static void pages_put(const struct iskra_mode *fields, uint8_t *dst)
{
    if (fields->pages_len > 0)
        memcpy(dst, fields->pages, fields->pages_len);
}

size_t iskra_mode6_encode(const struct iskra_mode *fields, uint8_t *buf, size_t size)
{
    if (fields->pages_len > UINT8_MAX - (HEADER_6 - 1) || size < HEADER_6 + fields->pages_len)
        return 0;
    size_t len = HEADER_6 + fields->pages_len;
    memset(buf, 0, HEADER_6);
    buf[0] = (uint8_t)(len - 1);
    buf[1] = fields->medium_type;
    buf[2] = device_specific(fields);
    pages_put(fields, buf + HEADER_6);
    return len;
}

size_t iskra_mode10_encode(const struct iskra_mode *fields, uint8_t *buf, size_t size)
{
    if (fields->pages_len > UINT16_MAX - (HEADER_10 - 2) || size < HEADER_10 + fields->pages_len)
        return 0;
    size_t len = HEADER_10 + fields->pages_len;
    memset(buf, 0, HEADER_10);
    iskra_put_be16(buf, (uint16_t)(len - 2));
    buf[2] = fields->medium_type;
    buf[3] = device_specific(fields);
    pages_put(fields, buf + HEADER_10);
    return len;
}

unsigned iskra_mode_caching_encode(const struct iskra_mode_caching *fields, uint8_t *buf)
{
    memset(buf, 0, ISKRA_MODE_CACHING_LEN);
    buf[0] = ISKRA_MODE_PAGE_CACHING;
    buf[1] = ISKRA_MODE_CACHING_LEN - 2;
    buf[2] = (uint8_t)((fields->wce ? 0x04 : 0) | (fields->rcd ? 0x01 : 0));
    return ISKRA_MODE_CACHING_LEN;
}
