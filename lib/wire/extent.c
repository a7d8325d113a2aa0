/* Extents of LBAs: UNMAP's parameter list and GET LBA STATUS data. */
#include "wire/extent.h"

#include <errno.h>
#include <string.h>

#include "wire/be.h"

static void extent_get(const uint8_t *p, uint8_t state, struct iskra_lba_extent *ret)
{
    *ret = (struct iskra_lba_extent){
        .lba = iskra_get_be64(p), .block_cnt = iskra_get_be32(p + 8), .state = state};
}

int iskra_unmap_next(const uint8_t *bytes, size_t len, size_t *pos, struct iskra_lba_extent *ret)
{
    if (len < ISKRA_EXTENT_HEADER_LEN)
        return -EBADMSG;
    size_t stated_len = iskra_get_be16(bytes + 2);
    if (*pos >= stated_len)
        return 0;
    size_t there_len = len - ISKRA_EXTENT_HEADER_LEN;
    size_t list_len = stated_len < there_len ? stated_len : there_len;
    if (*pos > list_len || list_len - *pos < ISKRA_EXTENT_LEN)
        return -EBADMSG;
    extent_get(bytes + ISKRA_EXTENT_HEADER_LEN + *pos, 0, ret);
    *pos += ISKRA_EXTENT_LEN;
    return 1;
}

int iskra_lba_status_next(const uint8_t *bytes, size_t len, size_t *pos,
                          struct iskra_lba_extent *ret)
{
    if (len < ISKRA_EXTENT_HEADER_LEN)
        return -EBADMSG;
    /* The length counts from the reserved bytes on, which makes it 4 more than the descriptors. */
    size_t stated_len = iskra_get_be32(bytes);
    stated_len = stated_len > 4 ? stated_len - 4 : 0;
    size_t there_len = len - ISKRA_EXTENT_HEADER_LEN;
    size_t list_len = stated_len < there_len ? stated_len : there_len;
    if (*pos > list_len || list_len - *pos < ISKRA_EXTENT_LEN)
        return 0;
    const uint8_t *p = bytes + ISKRA_EXTENT_HEADER_LEN + *pos;
    extent_get(p, p[12] & 0x0f, ret);
    *pos += ISKRA_EXTENT_LEN;
    return 1;
}

static void extents_put(const struct iskra_lba_extent *extents, uint32_t cnt, uint8_t *buf)
{
    for (uint32_t i = 0; i < cnt; i++) {
        uint8_t *p = buf + (size_t)i * ISKRA_EXTENT_LEN;
        memset(p, 0, ISKRA_EXTENT_LEN);
        iskra_put_be64(p, extents[i].lba);
        iskra_put_be32(p + 8, extents[i].block_cnt);
    }
}

size_t iskra_unmap_encode(const struct iskra_lba_extent *extents, uint32_t cnt, uint8_t *buf,
                          size_t size)
{
    size_t list_len = (size_t)cnt * ISKRA_EXTENT_LEN;
    if (list_len > UINT16_MAX - 6 || size < ISKRA_EXTENT_HEADER_LEN + list_len)
        return 0;
    memset(buf, 0, ISKRA_EXTENT_HEADER_LEN);
    iskra_put_be16(buf, (uint16_t)(list_len + 6)); /* what follows this field */
    iskra_put_be16(buf + 2, (uint16_t)list_len);
    extents_put(extents, cnt, buf + ISKRA_EXTENT_HEADER_LEN);
    return ISKRA_EXTENT_HEADER_LEN + list_len;
}

size_t iskra_lba_status_encode(const struct iskra_lba_extent *extents, uint32_t cnt, uint8_t *buf,
                               size_t size)
{
    size_t list_len = (size_t)cnt * ISKRA_EXTENT_LEN;
    if (list_len > UINT32_MAX - 4 || size < ISKRA_EXTENT_HEADER_LEN + list_len)
        return 0;
    memset(buf, 0, ISKRA_EXTENT_HEADER_LEN);
    iskra_put_be32(buf, (uint32_t)(list_len + 4));
    extents_put(extents, cnt, buf + ISKRA_EXTENT_HEADER_LEN);
    for (uint32_t i = 0; i < cnt; i++)
        buf[ISKRA_EXTENT_HEADER_LEN + (size_t)i * ISKRA_EXTENT_LEN + 12] = extents[i].state & 0x0f;
    return ISKRA_EXTENT_HEADER_LEN + list_len;
}
