/* READ CAPACITY data. */
#include "wire/capacity.h"

#include <errno.h>
#include <string.h>

#include "wire/be.h"

int iskra_capacity10_decode(const uint8_t *bytes, size_t len, struct iskra_capacity *ret)
{
    if (len < ISKRA_CAPACITY_10_LEN)
        return -EBADMSG;
    *ret = (struct iskra_capacity){.last_lba = iskra_get_be32(bytes),
                                   .block_len = iskra_get_be32(bytes + 4)};
    return 0;
}

int iskra_capacity16_decode(const uint8_t *bytes, size_t len, struct iskra_capacity *ret)
{
    if (len < 12) /* last LBA and block length */
        return -EBADMSG;
    uint8_t p[ISKRA_CAPACITY_16_LEN] = {0};
    memcpy(p, bytes, len < sizeof(p) ? len : sizeof(p));
    *ret = (struct iskra_capacity){
        .last_lba = iskra_get_be64(p),
        .block_len = iskra_get_be32(p + 8),
        .prot_en = (p[12] & 1) != 0,
        .prot_type = p[12] >> 1 & 7,
        .prot_intervals_exp = p[13] >> 4,
        .physical_exp = p[13] & 0x0f,
        .lbpme = (p[14] & 0x80) != 0,
        .lbprz = (p[14] & 0x40) != 0,
        .lowest_aligned_lba = iskra_get_be16(p + 14) & 0x3fff,
    };
    return 0;
}

unsigned iskra_capacity10_encode(const struct iskra_capacity *fields, uint8_t *buf)
{
    iskra_put_be32(buf, fields->last_lba < UINT32_MAX ? (uint32_t)fields->last_lba : UINT32_MAX);
    iskra_put_be32(buf + 4, fields->block_len);
    return ISKRA_CAPACITY_10_LEN;
}

unsigned iskra_capacity16_encode(const struct iskra_capacity *fields, uint8_t *buf)
{
    memset(buf, 0, ISKRA_CAPACITY_16_LEN);
    iskra_put_be64(buf, fields->last_lba);
    iskra_put_be32(buf + 8, fields->block_len);
    buf[12] = (uint8_t)((fields->prot_type & 7) << 1 | (fields->prot_en ? 1 : 0));
    buf[13] = (uint8_t)(fields->prot_intervals_exp << 4 | (fields->physical_exp & 0x0f));
    iskra_put_be16(buf + 14,
                   (uint16_t)((fields->lbpme ? 0x8000 : 0) | (fields->lbprz ? 0x4000 : 0) |
                              (fields->lowest_aligned_lba & 0x3fff)));
    return ISKRA_CAPACITY_16_LEN;
}
