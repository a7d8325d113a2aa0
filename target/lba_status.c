/* See lba_status.h; SBC-3 5.5. */
#include "target/lba_status.h"

#include "wire/extent.h"

#define EXTENT_MAX ((TARGET_LBA_STATUS_LEN_MAX - ISKRA_EXTENT_HEADER_LEN) / ISKRA_EXTENT_LEN)

static uint32_t list_cnt(size_t len) /* extents, at least 1 */
{
    if (len < ISKRA_EXTENT_HEADER_LEN + ISKRA_EXTENT_LEN)
        return 1;
    size_t cnt = (len - ISKRA_EXTENT_HEADER_LEN) / ISKRA_EXTENT_LEN;
    return cnt < EXTENT_MAX ? (uint32_t)cnt : EXTENT_MAX;
}

static struct iskra_lba_extent extent_at(const struct target_lun *lun, uint64_t lba)
{
    uint64_t len;
    bool hole = target_lun_hole(lun, lba * lun->block_len, &len);
    uint64_t cnt = len / lun->block_len;
    return (struct iskra_lba_extent){.lba = lba,
                                     .block_cnt = cnt < UINT32_MAX ? (uint32_t)cnt : UINT32_MAX,
                                     .state = hole ? ISKRA_LBA_DEALLOCATED : ISKRA_LBA_MAPPED};
}

/* One more without saying anything else: a long extent becomes two. */
static void split(struct iskra_lba_extent *extents, uint32_t cnt)
{
    uint32_t i = cnt - 1;
    while (i > 0 && extents[i].block_cnt == 1)
        i--;
    for (uint32_t to = cnt; to > i + 1; to--)
        extents[to] = extents[to - 1];
    extents[i + 1] = (struct iskra_lba_extent){.lba = extents[i].lba + 1,
                                               .block_cnt = extents[i].block_cnt - 1,
                                               .state = extents[i].state};
    extents[i].block_cnt = 1;
}

size_t target_lba_status(const struct target_lun *lun, uint64_t lba, uint32_t alloc_len, size_t len,
                         uint8_t *buf)
{
    struct iskra_lba_extent extents[EXTENT_MAX];
    uint32_t cnt = 0, most = list_cnt(len ? len : alloc_len);
    while (cnt < most && lba < lun->block_cnt) {
        extents[cnt] = extent_at(lun, lba);
        lba += extents[cnt].block_cnt;
        cnt++;
    }
    /* Some of them have become one since the length was promised. Each had a block at least. */
    for (; len && cnt < most; cnt++)
        split(extents, cnt);
    return iskra_lba_status_encode(extents, cnt, buf, TARGET_LBA_STATUS_LEN_MAX);
}
