/* GET LBA STATUS, read into the caller's array and decoded where it lies. */
#include "scsi/block_status.h"

#include <errno.h>
#include <inttypes.h>

#include <iskra/extent.h>

#include "error.h"
#include "scsi/device.h"
#include "scsi/request.h"
#include "wire/cdb.h"
#include "wire/extent.h"

#define EXTENTS_ASKED_MAX 4096u

/* An extent is larger than a descriptor by at least the header of the list: so n of them have room
 * for a list of n, and unpacking from the last to the first never overwrites what is still to be
 * read. */
_Static_assert(sizeof(struct iskra_extent) >= ISKRA_EXTENT_LEN + ISKRA_EXTENT_HEADER_LEN,
               "GET LBA STATUS is decoded in place");

void iskra_block_status_unknown(struct iskra_scsi_request *sreq)
{
    sreq->extents[0] = (struct iskra_extent){.offset = sreq->offset, .len = sreq->len};
    sreq->extent_cnt = 1;
    sreq->progress = sreq->len;
}

void iskra_block_status_setup(struct iskra_scsi_request *sreq)
{
    struct iskra_cmnd *cmnd = &sreq->cmnd;
    uint32_t cnt = sreq->extent_max < EXTENTS_ASKED_MAX ? sreq->extent_max : EXTENTS_ASKED_MAX;
    uint32_t len = ISKRA_EXTENT_HEADER_LEN + cnt * ISKRA_EXTENT_LEN;

    sreq->piece_len = sreq->len;
    sreq->param_iov = (struct iovec){.iov_base = sreq->extents, .iov_len = len};
    cmnd->cdb_len =
        (uint16_t)iskra_cdb_get_lba_status(sreq->cdb, sreq->offset / sreq->sdev->block_len, len);
    cmnd->cdb = sreq->cdb;
    cmnd->dir = ISKRA_DIR_READ;
    cmnd->iov = &sreq->param_iov;
    cmnd->iov_cnt = 1;
    cmnd->iov_skip = 0;
    cmnd->transfer_len = len;
}

static uint32_t flags_of(const struct iskra_scsi_request *sreq, uint8_t state)
{
    if (state != ISKRA_LBA_DEALLOCATED && state != ISKRA_LBA_ANCHORED)
        return 0;
    return sreq->sdev->reads_zeroes ? ISKRA_EXTENT_HOLE | ISKRA_EXTENT_ZERO : ISKRA_EXTENT_HOLE;
}

/* How many descriptors from the first one on make sense: the first covers the offset, each begins
 * where the one before ended, and begins inside the range. What is said about blocks that were not
 * asked for does not count. */
static uint32_t sound_cnt(const struct iskra_scsi_request *sreq, const uint8_t *bytes, uint32_t len)
{
    uint64_t lba = sreq->offset / sreq->sdev->block_len;
    uint64_t end = lba + sreq->len / sreq->sdev->block_len;
    struct iskra_lba_extent e;
    size_t pos = 0;
    uint32_t cnt = 0;

    while (lba < end && iskra_lba_status_next(bytes, len, &pos, &e) == 1) {
        uint64_t skipped = lba - e.lba; /* of the first: it may begin before the offset */
        if (e.lba > lba || (cnt > 0 && skipped != 0) || e.block_cnt <= skipped)
            break;
        lba = e.lba + e.block_cnt;
        cnt++;
        if (lba < e.lba)
            break; /* past the end of all numbers; the range ends before */
    }
    return cnt;
}

static void unpack(struct iskra_scsi_request *sreq, const uint8_t *bytes, uint32_t len,
                   uint32_t cnt)
{
    uint32_t block_len = sreq->sdev->block_len;
    uint64_t first = sreq->offset / block_len, end = first + sreq->len / block_len;

    for (uint32_t i = cnt; i-- > 0;) {
        size_t pos = (size_t)i * ISKRA_EXTENT_LEN;
        struct iskra_lba_extent e = {0};
        (void)iskra_lba_status_next(bytes, len, &pos, &e); /* it is there: it was counted */
        uint64_t from = e.lba > first ? e.lba : first;
        uint64_t skipped = from - e.lba, there = e.block_cnt - skipped;
        uint64_t block_cnt = there < end - from ? there : end - from;
        sreq->extents[i] = (struct iskra_extent){.offset = from * block_len,
                                                 .len = block_cnt * block_len,
                                                 .flags = flags_of(sreq, e.state)};
    }
}

int iskra_block_status_take(struct iskra_scsi_request *sreq, uint32_t len)
{
    const uint8_t *bytes = (const uint8_t *)sreq->extents;
    uint32_t cnt = sound_cnt(sreq, bytes, len);
    struct iskra_lba_extent first;
    size_t pos = 0;

    if (iskra_lba_status_next(bytes, len, &pos, &first) == 0) {
        iskra_block_status_unknown(sreq); /* a list of nothing says nothing */
        return 0;
    }
    if (cnt == 0)
        return iskra_fail(sreq->error, ISKRA_E_RESPONSE, EBADMSG,
                          "GET LBA STATUS lba %" PRIu64 ": the answer (%" PRIu32
                          " bytes) does not begin with that block",
                          sreq->offset / sreq->sdev->block_len, len);
    unpack(sreq, bytes, len, cnt);
    sreq->extent_cnt = cnt;
    sreq->progress = sreq->len;
    return 0;
}
