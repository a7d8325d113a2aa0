/* Standard INQUIRY data. */
#include "wire/inquiry.h"

#include <errno.h>
#include <string.h>

/* Padded text on the wire -> a string: padding off, and nothing in it that a terminal would act on.
 */
static void text_get(const uint8_t *bytes, size_t len, char *ret_text)
{
    while (len > 0 && (bytes[len - 1] == ' ' || bytes[len - 1] == '\0'))
        len--;
    for (size_t i = 0; i < len; i++)
        ret_text[i] = bytes[i] >= 0x20 && bytes[i] <= 0x7e ? (char)bytes[i] : '?';
    ret_text[len] = '\0';
}

static void text_put(uint8_t *bytes, size_t len, const char *text)
{
    memset(bytes, ' ', len);
    memcpy(bytes, text, strnlen(text, len));
}

int iskra_inquiry_decode(const uint8_t *bytes, size_t len, struct iskra_inquiry *ret)
{
    if (len < ISKRA_INQUIRY_LEN_MIN)
        return -EBADMSG;
    *ret = (struct iskra_inquiry){
        .qualifier = bytes[0] >> 5,
        .type = bytes[0] & 0x1f,
        .removable = (bytes[1] & 0x80) != 0,
        .version = bytes[2],
        .norm_aca = (bytes[3] & 0x20) != 0,
        .hi_sup = (bytes[3] & 0x10) != 0,
        .response_format = bytes[3] & 0x0f,
        .tpgs = bytes[5] >> 4 & 3,
        .third_party_copy = (bytes[5] & 0x08) != 0,
        .protect = (bytes[5] & 0x01) != 0,
        .enc_serv = (bytes[6] & 0x40) != 0,
        .multi_port = (bytes[6] & 0x10) != 0,
        .cmd_que = (bytes[7] & 0x02) != 0,
    };
    text_get(bytes + 8, 8, ret->vendor);
    text_get(bytes + 16, 16, ret->product);
    text_get(bytes + 32, 4, ret->revision);
    return 0;
}

static uint8_t bit(bool set, uint8_t mask)
{
    return set ? mask : 0;
}

unsigned iskra_inquiry_encode(const struct iskra_inquiry *fields, uint8_t *buf)
{
    memset(buf, 0, ISKRA_INQUIRY_LEN);
    buf[0] = (uint8_t)(fields->qualifier << 5 | (fields->type & 0x1f));
    buf[1] = bit(fields->removable, 0x80);
    buf[2] = fields->version;
    buf[3] =
        bit(fields->norm_aca, 0x20) | bit(fields->hi_sup, 0x10) | (fields->response_format & 0x0f);
    buf[4] = ISKRA_INQUIRY_LEN - 5; /* additional length: what follows this byte */
    buf[5] = (uint8_t)((fields->tpgs & 3) << 4 | bit(fields->third_party_copy, 0x08) |
                       bit(fields->protect, 0x01));
    buf[6] = bit(fields->enc_serv, 0x40) | bit(fields->multi_port, 0x10);
    buf[7] = bit(fields->cmd_que, 0x02);
    text_put(buf + 8, 8, fields->vendor);
    text_put(buf + 16, 16, fields->product);
    text_put(buf + 32, 4, fields->revision);
    return ISKRA_INQUIRY_LEN;
}

const char *iskra_device_type_name(uint8_t type)
{
    switch (type) {
    case ISKRA_TYPE_DISK:
        return "disk";
    case ISKRA_TYPE_TAPE:
        return "tape";
    case ISKRA_TYPE_CDROM:
        return "cdrom";
    case ISKRA_TYPE_CONTROLLER:
        return "controller";
    case ISKRA_TYPE_ENCLOSURE:
        return "enclosure";
    case ISKRA_TYPE_WELL_KNOWN:
        return "well-known";
    case ISKRA_TYPE_UNKNOWN:
        return "unknown";
    default:
        return "?";
    }
}
