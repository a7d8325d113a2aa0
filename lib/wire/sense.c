/* Sense data, fixed and descriptor format. Names of additional sense codes are in sense_names.c. */
#include "wire/sense.h"

#include <errno.h>
#include <string.h>

#include "wire/be.h"

#define FIXED_CURRENT       0x70
#define FIXED_DEFERRED      0x71
#define DESCRIPTOR_CURRENT  0x72
#define DESCRIPTOR_DEFERRED 0x73

/* Bits of fixed format byte 2 and of the stream commands descriptor byte 3. */
#define BIT_FILEMARK  0x80
#define BIT_EOM       0x40
#define BIT_ILI       0x20
#define BIT_SDAT_OVFL 0x10
#define BIT_VALID     0x80 /* information is there: byte 0 fixed, byte 2 of its descriptor */
#define BIT_SKSV      0x80

/* Sense descriptor types, SPC-4 4.5.2.1. */
enum {
    DESC_INFORMATION = 0x00,
    DESC_SPECIFIC = 0x01,
    DESC_SKS = 0x02,
    DESC_FRU = 0x03,
    DESC_STREAM = 0x04,
    DESC_BLOCK = 0x05,
};

static size_t min_len(size_t a, size_t b)
{
    return a < b ? a : b;
}

static int decode_fixed(const uint8_t *sense, size_t len, struct iskra_sense *s)
{
    if (len < 3)
        return -EBADMSG;
    /* The additional length counts from byte 8; what lies behind it is no sense. */
    if (len > 7)
        len = min_len(len, 8u + sense[7]);
    uint8_t bytes[ISKRA_SENSE_FIXED_LEN] = {0};
    memcpy(bytes, sense, min_len(len, sizeof(bytes)));

    s->key = bytes[2] & 0x0f;
    s->filemark = (bytes[2] & BIT_FILEMARK) != 0;
    s->eom = (bytes[2] & BIT_EOM) != 0;
    s->ili = (bytes[2] & BIT_ILI) != 0;
    s->sdat_ovfl = (bytes[2] & BIT_SDAT_OVFL) != 0;
    s->information_valid = (bytes[0] & BIT_VALID) != 0 && len >= 7;
    if (s->information_valid)
        s->information = iskra_get_be32(bytes + 3);
    /* Fixed format has no bit for the command-specific field: 0 is as good as absent. */
    s->specific = iskra_get_be32(bytes + 8);
    s->specific_valid = s->specific != 0;
    s->asc = bytes[12];
    s->ascq = bytes[13];
    s->fru = bytes[14];
    s->sks_valid = (bytes[15] & BIT_SKSV) != 0 && len >= 18;
    if (s->sks_valid)
        memcpy(s->sks, bytes + 15, sizeof(s->sks));
    return 0;
}

/* One descriptor; `d` has `len` bytes, type and length bytes included. One that is shorter than its
 * type says is skipped. */
static void decode_descriptor(const uint8_t *d, size_t len, struct iskra_sense *s)
{
    switch (d[0]) {
    case DESC_INFORMATION:
        if (len >= 12 && (d[2] & BIT_VALID)) {
            s->information_valid = true;
            s->information = iskra_get_be64(d + 4);
        }
        break;
    case DESC_SPECIFIC:
        if (len >= 12) {
            s->specific_valid = true;
            s->specific = iskra_get_be64(d + 4);
        }
        break;
    case DESC_SKS:
        if (len >= 7 && (d[4] & BIT_SKSV)) {
            s->sks_valid = true;
            memcpy(s->sks, d + 4, sizeof(s->sks));
        }
        break;
    case DESC_FRU:
        if (len >= 4)
            s->fru = d[3];
        break;
    case DESC_STREAM:
        if (len >= 4) {
            s->filemark = (d[3] & BIT_FILEMARK) != 0;
            s->eom = (d[3] & BIT_EOM) != 0;
            s->ili = (d[3] & BIT_ILI) != 0;
        }
        break;
    case DESC_BLOCK:
        if (len >= 4)
            s->ili = (d[3] & BIT_ILI) != 0;
        break;
    default:
        break;
    }
}

static int decode_descriptors(const uint8_t *sense, size_t len, struct iskra_sense *s)
{
    if (len < 4)
        return -EBADMSG;
    s->descriptor = true;
    s->key = sense[1] & 0x0f;
    s->asc = sense[2];
    s->ascq = sense[3];
    if (len < 8)
        return 0;
    s->sdat_ovfl = (sense[4] & 0x80) != 0;
    len = min_len(len, 8u + sense[7]);
    /* Each round takes at least the two bytes of type and length, also when the length says 0. */
    for (size_t pos = 8; len - pos >= 2;) {
        size_t desc_len = 2u + sense[pos + 1];
#ifndef ISKRA_PLANTED_SENSE_LENGTH /* left out on purpose to prove that the fuzzer finds it */
        if (desc_len > len - pos)
            break;
#endif
        decode_descriptor(sense + pos, desc_len, s);
        pos += desc_len;
    }
    return 0;
}

int iskra_sense_decode(const uint8_t *sense, size_t len, struct iskra_sense *ret)
{
    if (len == 0)
        return -EBADMSG;
    struct iskra_sense s = {.valid = true};
    uint8_t code = sense[0] & 0x7f;
    s.deferred = code == FIXED_DEFERRED || code == DESCRIPTOR_DEFERRED;
    int rc = -EBADMSG;
    if (code == FIXED_CURRENT || code == FIXED_DEFERRED)
        rc = decode_fixed(sense, len, &s);
    else if (code == DESCRIPTOR_CURRENT || code == DESCRIPTOR_DEFERRED)
        rc = decode_descriptors(sense, len, &s);
    if (rc == 0)
        *ret = s;
    return rc;
}

unsigned iskra_sense_encode_fixed(const struct iskra_sense *fields, uint8_t *buf)
{
    memset(buf, 0, ISKRA_SENSE_FIXED_LEN);
    buf[0] = fields->deferred ? FIXED_DEFERRED : FIXED_CURRENT;
    /* SPC-4 4.5.3: a value that needs more than 32 bits is not valid in this format. */
    if (fields->information_valid && fields->information <= UINT32_MAX) {
        buf[0] |= BIT_VALID;
        iskra_put_be32(buf + 3, (uint32_t)fields->information);
    }
    buf[2] = (uint8_t)((fields->filemark ? BIT_FILEMARK : 0) | (fields->eom ? BIT_EOM : 0) |
                       (fields->ili ? BIT_ILI : 0) | (fields->sdat_ovfl ? BIT_SDAT_OVFL : 0) |
                       (fields->key & 0x0f));
    buf[7] = ISKRA_SENSE_FIXED_LEN - 8;
    if (fields->specific_valid && fields->specific <= UINT32_MAX)
        iskra_put_be32(buf + 8, (uint32_t)fields->specific);
    buf[12] = fields->asc;
    buf[13] = fields->ascq;
    buf[14] = fields->fru;
    if (fields->sks_valid) {
        memcpy(buf + 15, fields->sks, sizeof(fields->sks));
        buf[15] |= BIT_SKSV;
    }
    return ISKRA_SENSE_FIXED_LEN;
}

/* Starts a descriptor of `len` bytes at *pos and returns where its bytes are. */
static uint8_t *descriptor_add(uint8_t *buf, unsigned *pos, uint8_t type, uint8_t len)
{
    uint8_t *d = buf + *pos;
    d[0] = type;
    d[1] = (uint8_t)(len - 2);
    *pos += len;
    return d;
}

unsigned iskra_sense_encode_descriptor(const struct iskra_sense *fields, uint8_t *buf)
{
    memset(buf, 0, ISKRA_SENSE_DESCRIPTOR_LEN_MAX);
    buf[0] = fields->deferred ? DESCRIPTOR_DEFERRED : DESCRIPTOR_CURRENT;
    buf[1] = fields->key & 0x0f;
    buf[2] = fields->asc;
    buf[3] = fields->ascq;
    buf[4] = fields->sdat_ovfl ? 0x80 : 0;
    unsigned pos = 8;
    if (fields->information_valid) {
        uint8_t *d = descriptor_add(buf, &pos, DESC_INFORMATION, 12);
        d[2] = BIT_VALID;
        iskra_put_be64(d + 4, fields->information);
    }
    if (fields->specific_valid)
        iskra_put_be64(descriptor_add(buf, &pos, DESC_SPECIFIC, 12) + 4, fields->specific);
    if (fields->sks_valid) {
        uint8_t *d = descriptor_add(buf, &pos, DESC_SKS, 8);
        memcpy(d + 4, fields->sks, sizeof(fields->sks));
        d[4] |= BIT_SKSV;
    }
    if (fields->fru)
        descriptor_add(buf, &pos, DESC_FRU, 4)[3] = fields->fru;
    if (fields->filemark || fields->eom || fields->ili)
        descriptor_add(buf, &pos, DESC_STREAM, 4)[3] =
            (uint8_t)((fields->filemark ? BIT_FILEMARK : 0) | (fields->eom ? BIT_EOM : 0) |
                      (fields->ili ? BIT_ILI : 0));
    buf[7] = (uint8_t)(pos - 8);
    return pos;
}

int iskra_sense_segment(const uint8_t *segment, size_t len, const uint8_t **ret_sense,
                        size_t *ret_len)
{
    size_t sense_len = 0;
    if (len > 0) {
        if (len < 2)
            return -EBADMSG;
        sense_len = iskra_get_be16(segment);
        if (sense_len > len - 2)
            return -EBADMSG;
    }
    *ret_sense = sense_len > 0 ? segment + 2 : NULL;
    *ret_len = sense_len;
    return 0;
}
