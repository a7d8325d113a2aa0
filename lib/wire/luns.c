/* LUN numbers and REPORT LUNS data. */
#include "wire/luns.h"

#include <assert.h>
#include <errno.h>
#include <stdbool.h>
#include <string.h>

#include "wire/be.h"

/* SAM-5 4.7.7: the first byte says the addressing method in its two high bits. */
#define METHOD_PERIPHERAL    0u
#define METHOD_FLAT          1u
#define METHOD_EXTENDED      3u
#define EXTENDED_FLAT_3BYTES 0xd2u /* extended, length 4 bytes, extended address method 2 */

int iskra_lun_encode(uint32_t number, uint64_t *ret_lun)
{
    if (number > ISKRA_LUN_NUMBER_MAX)
        return -ERANGE;
    if (number <= 0xff)
        *ret_lun = (uint64_t)number << 48;
    else if (number <= 0x3fff)
        *ret_lun = (uint64_t)(METHOD_FLAT << 14 | number) << 48;
    else
        *ret_lun = (uint64_t)(EXTENDED_FLAT_3BYTES << 24 | number) << 32;
    return 0;
}

int iskra_lun_decode(uint64_t lun, uint32_t *ret_number)
{
    uint32_t first = (uint32_t)(lun >> 48); /* the first level: two bytes */
    uint32_t method = first >> 14;
    bool one_level = (lun & UINT64_C(0xffffffffffff)) == 0;
    if (method == METHOD_PERIPHERAL && one_level && first <= 0xff)
        *ret_number = first;
    else if (method == METHOD_FLAT && one_level)
        *ret_number = first & 0x3fff;
    else if (first >> 8 == EXTENDED_FLAT_3BYTES && (uint32_t)lun == 0)
        *ret_number = (uint32_t)(lun >> 32) & 0xffffff;
    else
        return -ENOTSUP;
    return 0;
}

int iskra_luns_decode(const uint8_t *bytes, size_t len, struct iskra_luns *ret)
{
#ifndef ISKRA_PLANTED_LUNS_LENGTH /* left out on purpose to prove that the fuzzer finds it */
    if (len < ISKRA_LUNS_HEADER_LEN)
        return -EBADMSG;
#endif
    uint32_t stated_len = iskra_get_be32(bytes);
    if (stated_len % 8 != 0)
        return -EBADMSG;
    size_t there_cnt = (len - ISKRA_LUNS_HEADER_LEN) / 8;
    ret->entries = bytes + ISKRA_LUNS_HEADER_LEN;
    ret->stated_cnt = stated_len / 8;
    ret->cnt = there_cnt < ret->stated_cnt ? (uint32_t)there_cnt : ret->stated_cnt;
    return 0;
}

uint64_t iskra_luns_at(const struct iskra_luns *luns, uint32_t index)
{
    assert(index < luns->cnt);
    return iskra_get_be64(luns->entries + (size_t)index * 8);
}

size_t iskra_luns_encode(const uint64_t *luns, uint32_t cnt, uint8_t *buf, size_t size)
{
    if (size < ISKRA_LUNS_HEADER_LEN || cnt > UINT32_MAX / 8)
        return 0;
    memset(buf, 0, ISKRA_LUNS_HEADER_LEN);
    iskra_put_be32(buf, cnt * 8);
    size_t pos = ISKRA_LUNS_HEADER_LEN;
    for (uint32_t i = 0; i < cnt && size - pos >= 8; i++, pos += 8)
        iskra_put_be64(buf + pos, luns[i]);
    return pos;
}
