/* The VPD pages of block devices: B0h block limits, B1h block device characteristics, B2h logical
 * block provisioning.
 *
 * Devices of different ages send these pages in different lengths. A decoder copies what came into
 * a zeroed page of full length and reads that, so that a field that is not there reads as "not
 * said". */
#include "wire/vpd.h"

#include <errno.h>
#include <string.h>

#include "wire/be.h"

#define UGAVALID 0x80000000u

/* The page with its header, offsets as in the standard. `need_len`: the shortest page of that kind.
 */
static int page_copy(const uint8_t *bytes, size_t len, uint8_t code, size_t need_len, uint8_t *ret,
                     size_t ret_size)
{
    struct iskra_vpd_page page;
    int rc = iskra_vpd_page(bytes, len, code, &page);
    if (rc < 0)
        return rc;
    size_t page_len = ISKRA_VPD_HEADER_LEN + page.body_len;
    if (page_len < need_len)
        return -EBADMSG;
    memset(ret, 0, ret_size);
    memcpy(ret, bytes, page_len < ret_size ? page_len : ret_size);
    return 0;
}

static void page_begin(uint8_t *buf, unsigned len, uint8_t type, uint8_t code)
{
    memset(buf, 0, len);
    buf[0] = type & 0x1f;
    buf[1] = code;
    iskra_put_be16(buf + 2, (uint16_t)(len - ISKRA_VPD_HEADER_LEN));
}

/* SBC-3 6.6.4; the first 16 bytes are what SBC-2 had. */
int iskra_vpd_block_limits_decode(const uint8_t *bytes, size_t len, struct iskra_block_limits *ret)
{
    uint8_t p[ISKRA_VPD_BLOCK_LIMITS_LEN];
    int rc = page_copy(bytes, len, ISKRA_VPD_BLOCK_LIMITS, 16, p, sizeof(p));
    if (rc < 0)
        return rc;
    uint32_t alignment = iskra_get_be32(p + 32);
    *ret = (struct iskra_block_limits){
        .wsnz = (p[4] & 1) != 0,
        .max_compare_and_write_blocks = p[5],
        .optimal_granularity_blocks = iskra_get_be16(p + 6),
        .max_transfer_blocks = iskra_get_be32(p + 8),
        .optimal_transfer_blocks = iskra_get_be32(p + 12),
        .max_prefetch_blocks = iskra_get_be32(p + 16),
        .max_unmap_blocks = iskra_get_be32(p + 20),
        .max_unmap_descriptor_cnt = iskra_get_be32(p + 24),
        .unmap_granularity_blocks = iskra_get_be32(p + 28),
        .unmap_alignment_valid = (alignment & UGAVALID) != 0,
        .unmap_alignment_blocks = alignment & ~UGAVALID,
        .max_write_same_blocks = iskra_get_be64(p + 36),
    };
    return 0;
}

unsigned iskra_vpd_block_limits_encode(const struct iskra_block_limits *fields, uint8_t type,
                                       uint8_t *buf)
{
    page_begin(buf, ISKRA_VPD_BLOCK_LIMITS_LEN, type, ISKRA_VPD_BLOCK_LIMITS);
    buf[4] = fields->wsnz ? 1 : 0;
    buf[5] = fields->max_compare_and_write_blocks;
    iskra_put_be16(buf + 6, fields->optimal_granularity_blocks);
    iskra_put_be32(buf + 8, fields->max_transfer_blocks);
    iskra_put_be32(buf + 12, fields->optimal_transfer_blocks);
    iskra_put_be32(buf + 16, fields->max_prefetch_blocks);
    iskra_put_be32(buf + 20, fields->max_unmap_blocks);
    iskra_put_be32(buf + 24, fields->max_unmap_descriptor_cnt);
    iskra_put_be32(buf + 28, fields->unmap_granularity_blocks);
    iskra_put_be32(buf + 32, (fields->unmap_alignment_valid ? UGAVALID : 0) |
                                 (fields->unmap_alignment_blocks & ~UGAVALID));
    iskra_put_be64(buf + 36, fields->max_write_same_blocks);
    return ISKRA_VPD_BLOCK_LIMITS_LEN;
}

/* SBC-3 6.6.3 */
int iskra_vpd_block_characteristics_decode(const uint8_t *bytes, size_t len,
                                           struct iskra_block_characteristics *ret)
{
    uint8_t p[ISKRA_VPD_BLOCK_CHARACTERISTICS_LEN];
    int rc = page_copy(bytes, len, ISKRA_VPD_BLOCK_CHARACTERISTICS, 6, p, sizeof(p));
    if (rc < 0)
        return rc;
    *ret = (struct iskra_block_characteristics){
        .rotation_rate = iskra_get_be16(p + 4),
        .product_type = p[6],
        .form_factor = p[7] & 0x0f,
        .fuab = (p[8] & 2) != 0,
        .vbuls = (p[8] & 1) != 0,
    };
    return 0;
}

unsigned iskra_vpd_block_characteristics_encode(const struct iskra_block_characteristics *fields,
                                                uint8_t type, uint8_t *buf)
{
    page_begin(buf, ISKRA_VPD_BLOCK_CHARACTERISTICS_LEN, type, ISKRA_VPD_BLOCK_CHARACTERISTICS);
    iskra_put_be16(buf + 4, fields->rotation_rate);
    buf[6] = fields->product_type;
    buf[7] = fields->form_factor & 0x0f;
    buf[8] = (uint8_t)((fields->fuab ? 2 : 0) | (fields->vbuls ? 1 : 0));
    return ISKRA_VPD_BLOCK_CHARACTERISTICS_LEN;
}

/* SBC-3 6.6.6 */
int iskra_vpd_provisioning_decode(const uint8_t *bytes, size_t len, struct iskra_provisioning *ret)
{
    uint8_t p[ISKRA_VPD_PROVISIONING_LEN];
    int rc = page_copy(bytes, len, ISKRA_VPD_PROVISIONING, 6, p, sizeof(p));
    if (rc < 0)
        return rc;
    *ret = (struct iskra_provisioning){
        .threshold_exponent = p[4],
        .lbpu = (p[5] & 0x80) != 0,
        .lbpws = (p[5] & 0x40) != 0,
        .lbpws10 = (p[5] & 0x20) != 0,
        .lbprz = p[5] >> 2 & 7,
        .anc_sup = (p[5] & 2) != 0,
        .dp = (p[5] & 1) != 0,
        .provisioning_type = p[6] & 7,
    };
    return 0;
}

unsigned iskra_vpd_provisioning_encode(const struct iskra_provisioning *fields, uint8_t type,
                                       uint8_t *buf)
{
    page_begin(buf, ISKRA_VPD_PROVISIONING_LEN, type, ISKRA_VPD_PROVISIONING);
    buf[4] = fields->threshold_exponent;
    buf[5] = (uint8_t)((fields->lbpu ? 0x80 : 0) | (fields->lbpws ? 0x40 : 0) |
                       (fields->lbpws10 ? 0x20 : 0) | (fields->lbprz & 7) << 2 |
                       (fields->anc_sup ? 2 : 0) | (fields->dp ? 1 : 0));
    buf[6] = fields->provisioning_type & 7;
    return ISKRA_VPD_PROVISIONING_LEN;
}
