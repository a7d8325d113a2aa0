/* Vital product data: the page header, the pages that are lists or text (00h, 80h, 83h), and
 * writing those. The pages of fixed fields are in vpd_block.c. */
#include "wire/vpd.h"

#include <errno.h>
#include <string.h>

#include "wire/be.h"

int iskra_vpd_page(const uint8_t *bytes, size_t len, uint8_t code, struct iskra_vpd_page *ret)
{
    if (len < ISKRA_VPD_HEADER_LEN || bytes[1] != code)
        return -EBADMSG;
    size_t stated_len = iskra_get_be16(bytes + 2);
    size_t there_len = len - ISKRA_VPD_HEADER_LEN;
    *ret = (struct iskra_vpd_page){
        .qualifier = bytes[0] >> 5,
        .type = bytes[0] & 0x1f,
        .code = code,
        .body = bytes + ISKRA_VPD_HEADER_LEN,
        .body_len = stated_len < there_len ? stated_len : there_len,
        .stated_len = stated_len,
    };
    return 0;
}

bool iskra_vpd_supports(const uint8_t *bytes, size_t len, uint8_t code)
{
    struct iskra_vpd_page page;
    return iskra_vpd_page(bytes, len, ISKRA_VPD_SUPPORTED, &page) == 0 && page.body_len > 0 &&
           memchr(page.body, code, page.body_len) != NULL;
}

int iskra_vpd_serial(const uint8_t *bytes, size_t len, const uint8_t **ret_serial, size_t *ret_len)
{
    struct iskra_vpd_page page;
    int rc = iskra_vpd_page(bytes, len, ISKRA_VPD_SERIAL, &page);
    if (rc < 0)
        return rc;
    const uint8_t *serial = page.body;
    size_t serial_len = page.body_len;
    while (serial_len > 0 && (serial[serial_len - 1] == ' ' || serial[serial_len - 1] == '\0'))
        serial_len--;
    while (serial_len > 0 && *serial == ' ') {
        serial++;
        serial_len--;
    }
    *ret_serial = serial;
    *ret_len = serial_len;
    return 0;
}

/* SPC-4 7.8.5: protocol and code set, PIV and association and type, reserved, length; then the
 * identifier. */
#define DESIGNATOR_HEADER_LEN 4u
#define PIV                   0x80u

int iskra_vpd_designator_next(const uint8_t *bytes, size_t len, size_t *pos,
                              struct iskra_designator *ret)
{
    struct iskra_vpd_page page;
    int rc = iskra_vpd_page(bytes, len, ISKRA_VPD_DEVICE_ID, &page);
    if (rc < 0)
        return rc;
    if (*pos >= page.body_len)
        return 0;
    size_t left = page.body_len - *pos;
    const uint8_t *d = page.body + *pos;
#ifndef ISKRA_PLANTED_SCSI_LENGTH /* left out on purpose to prove that the fuzzer finds it */
    if (left < DESIGNATOR_HEADER_LEN || d[3] > left - DESIGNATOR_HEADER_LEN)
        return -EBADMSG;
#endif
    *ret = (struct iskra_designator){
        .protocol = d[0] >> 4,
        .protocol_valid = (d[1] & PIV) != 0,
        .code_set = d[0] & 0x0f,
        .association = d[1] >> 4 & 3,
        .type = d[1] & 0x0f,
        .id = d + DESIGNATOR_HEADER_LEN,
        .id_len = d[3],
    };
    *pos += DESIGNATOR_HEADER_LEN + ret->id_len;
    return 1;
}

void iskra_vpd_begin(struct iskra_vpd_out *out, uint8_t *buf, size_t size, uint8_t type,
                     uint8_t code)
{
    const uint8_t header[ISKRA_VPD_HEADER_LEN] = {type & 0x1f, code};
    *out = (struct iskra_vpd_out){.buf = buf, .size = size};
    iskra_vpd_put_bytes(out, header, sizeof(header));
}

void iskra_vpd_put_bytes(struct iskra_vpd_out *out, const void *bytes, size_t len)
{
    if (out->overflow || len > out->size - out->len) {
        out->overflow = true;
        return;
    }
    if (len > 0)
        memcpy(out->buf + out->len, bytes, len);
    out->len += len;
}

void iskra_vpd_put_designator(struct iskra_vpd_out *out, const struct iskra_designator *d)
{
    if (d->id_len > UINT8_MAX || DESIGNATOR_HEADER_LEN + d->id_len > out->size - out->len) {
        out->overflow = true;
        return;
    }
    const uint8_t header[DESIGNATOR_HEADER_LEN] = {
        (uint8_t)(d->protocol << 4 | (d->code_set & 0x0f)),
        (uint8_t)((d->protocol_valid ? PIV : 0) | (d->association & 3u) << 4 | (d->type & 0x0fu)),
        0,
        (uint8_t)d->id_len,
    };
    iskra_vpd_put_bytes(out, header, sizeof(header));
    iskra_vpd_put_bytes(out, d->id, d->id_len);
}

size_t iskra_vpd_end(struct iskra_vpd_out *out)
{
    if (out->len < ISKRA_VPD_HEADER_LEN)
        return 0;
    size_t body_len = out->len - ISKRA_VPD_HEADER_LEN;
    if (body_len > UINT16_MAX) {
        out->overflow = true;
        body_len = UINT16_MAX;
        out->len = ISKRA_VPD_HEADER_LEN + body_len;
    }
    iskra_put_be16(out->buf + 2, (uint16_t)body_len);
    return out->len;
}
