/* Unmapping and zeroing: which command, how much of the range. */
#include "scsi/space.h"

#include "scsi/device.h"
#include "scsi/request.h"
#include "wire/cdb.h"
#include "wire/extent.h"

#define ASC_INVALID_OPCODE 0x20u
#define ASC_INVALID_FIELD  0x24u

/* A device that sets no limit is not trusted with a range that it could not finish within a
 * timeout. */
#define UNMAP_LEN_MAX (UINT64_C(1) << 30)
#define ZERO_LEN_MAX  (UINT64_C(128) << 20) /* if it sets one */
#define ZERO_LEN_OWN  (UINT64_C(32) << 20)  /* if it sets none */

/* The zeros themselves: never written to. The list makes of them as much as one WRITE may carry. */
static uint8_t zeros[ISKRA_BLOCK_LEN_MAX];
#define ZEROS_CNT (ISKRA_SDEV_TRANSFER_MAX / ISKRA_BLOCK_LEN_MAX)
#define Z1                                                                                         \
    {                                                                                              \
        .iov_base = zeros, .iov_len = sizeof(zeros)                                                \
    }
#define Z4 Z1, Z1, Z1, Z1
static const struct iovec zero_iov[] = {Z4, Z4, Z4, Z4};
_Static_assert(sizeof(zero_iov) / sizeof(zero_iov[0]) == ZEROS_CNT, "one WRITE's worth of zeros");

const char *iskra_unmap_way_name(enum iskra_unmap_way way)
{
    static const char *const names[ISKRA_UNMAP_WAY_CNT] = {
        [ISKRA_UNMAP_NOT] = "none",
        [ISKRA_UNMAP_LIST] = "UNMAP",
        [ISKRA_UNMAP_WRITE_SAME_16] = "WRITE SAME(16)",
        [ISKRA_UNMAP_WRITE_SAME_10] = "WRITE SAME(10)",
    };
    return (unsigned)way < ISKRA_UNMAP_WAY_CNT ? names[way] : "?";
}

const char *iskra_zero_way_name(enum iskra_zero_way way)
{
    static const char *const names[ISKRA_ZERO_WAY_CNT] = {
        [ISKRA_ZERO_NDOB] = "WRITE SAME(16), no data",
        [ISKRA_ZERO_WRITE_SAME_16] = "WRITE SAME(16)",
        [ISKRA_ZERO_WRITE_SAME_10] = "WRITE SAME(10)",
        [ISKRA_ZERO_WRITES] = "WRITE",
    };
    return (unsigned)way < ISKRA_ZERO_WAY_CNT ? names[way] : "?";
}

/* ---- what the device can do ---- */

static enum iskra_unmap_way unmap_way(const struct iskra_space_facts *f)
{
    bool list = f->limits.max_unmap_blocks > 0 && f->limits.max_unmap_descriptor_cnt > 0;

    if (!f->provisioning_told) /* SBC-3 drafts knew no such page */
        return list ? ISKRA_UNMAP_LIST : ISKRA_UNMAP_NOT;
    if (f->provisioning.lbpu && list)
        return ISKRA_UNMAP_LIST;
    if (f->provisioning.lbpws)
        return ISKRA_UNMAP_WRITE_SAME_16;
    return f->provisioning.lbpws10 ? ISKRA_UNMAP_WRITE_SAME_10 : ISKRA_UNMAP_NOT;
}

static enum iskra_zero_way zero_way(const struct iskra_space_facts *f)
{
    if (f->write_same_ndob)
        return ISKRA_ZERO_NDOB;
    return f->write_same_support == ISKRA_OPCODE_UNKNOWN ? ISKRA_ZERO_WRITE_SAME_10
                                                         : ISKRA_ZERO_WRITE_SAME_16;
}

/* blocks 0: no limit told. Whole blocks, at least one. */
static uint64_t limit_len(uint64_t blocks, uint32_t block_len, uint64_t len_max, uint64_t len_own)
{
    if (blocks == 0)
        return len_own;
    return blocks < len_max / block_len ? blocks * block_len : len_max;
}

void iskra_space_settle(struct iskra_sdev *sdev, const struct iskra_space_facts *f)
{
    struct iskra_space *space = &sdev->space;
    uint32_t block_len = sdev->block_len;

    *space = (struct iskra_space){.zero = ISKRA_ZERO_WRITES};
    if (!sdev->capacity_known)
        return;
    space->zero = zero_way(f);
    space->max_zero_len =
        limit_len(f->limits.max_write_same_blocks, block_len, ZERO_LEN_MAX, ZERO_LEN_OWN);
    space->max_compare_len = f->limits.max_compare_and_write_blocks * block_len;
    if (!sdev->thin)
        return;
    space->lba_status = true;
    space->unmap = unmap_way(f);
    if (space->unmap == ISKRA_UNMAP_LIST)
        space->max_unmap_len =
            limit_len(f->limits.max_unmap_blocks, block_len, UNMAP_LEN_MAX, UNMAP_LEN_MAX);
    else if (space->unmap != ISKRA_UNMAP_NOT)
        space->max_unmap_len = space->max_zero_len;
    space->unmap_zeroes = (f->zeroes_told || f->provisioning.lbprz == 1) &&
                          (f->provisioning.lbpws || f->provisioning.lbpws10);
}

/* ---- commands ---- */

struct range {
    uint64_t lba;
    uint32_t block_cnt;
};

static struct range next_piece(struct iskra_scsi_request *sreq, uint64_t len_max)
{
    uint64_t left = sreq->len - sreq->progress;
    uint32_t block_len = sreq->sdev->block_len;

    sreq->piece_len = left < len_max ? left : len_max;
    return (struct range){.lba = (sreq->offset + sreq->progress) / block_len,
                          .block_cnt = (uint32_t)(sreq->piece_len / block_len)};
}

static void command_is(struct iskra_scsi_request *sreq, unsigned cdb_len, const struct iovec *iov,
                       uint32_t iov_cnt, uint32_t transfer_len)
{
    struct iskra_cmnd *cmnd = &sreq->cmnd;

    cmnd->cdb = sreq->cdb;
    cmnd->cdb_len = (uint16_t)cdb_len;
    cmnd->dir = transfer_len > 0 ? ISKRA_DIR_WRITE : ISKRA_DIR_NONE;
    cmnd->iov = iov;
    cmnd->iov_cnt = iov_cnt;
    cmnd->iov_skip = 0;
    cmnd->transfer_len = transfer_len;
    sreq->by_range = true;
}

#define WRITE_SAME_10_BLOCKS_MAX 0xffffu
#define LBA_10_LIMIT             (UINT64_C(1) << 32)

/* A range that the 10-byte form cannot name has to go by the other way. */
static bool write_same_10_reaches(const struct iskra_scsi_request *sreq)
{
    return (sreq->offset + sreq->len) / sreq->sdev->block_len <= LBA_10_LIMIT;
}

static void setup_write_same(struct iskra_scsi_request *sreq, bool wide, uint64_t len_max,
                             uint32_t flags)
{
    uint32_t block_len = sreq->sdev->block_len;
    uint64_t narrow_max = (uint64_t)WRITE_SAME_10_BLOCKS_MAX * block_len;
    struct range r = next_piece(sreq, wide || len_max < narrow_max ? len_max : narrow_max);
    unsigned cdb_len = wide ? iskra_cdb_write_same16(sreq->cdb, r.lba, r.block_cnt, flags)
                            : iskra_cdb_write_same10(sreq->cdb, r.lba, r.block_cnt, flags);
    command_is(sreq, cdb_len, zero_iov, 1, flags & ISKRA_CDB_NDOB ? 0 : block_len);
}

static void setup_list(struct iskra_scsi_request *sreq)
{
    struct range r = next_piece(sreq, sreq->sdev->space.max_unmap_len);
    const struct iskra_lba_extent extent = {.lba = r.lba, .block_cnt = r.block_cnt};
    uint32_t len = (uint32_t)iskra_unmap_encode(&extent, 1, sreq->param, sizeof(sreq->param));

    sreq->param_iov = (struct iovec){.iov_base = sreq->param, .iov_len = len};
    command_is(sreq, iskra_cdb_unmap(sreq->cdb, (uint16_t)len, 0), &sreq->param_iov, 1, len);
}

bool iskra_space_unmap_closed(const struct iskra_scsi_request *sreq)
{
    switch (sreq->sdev->space.unmap) {
    case ISKRA_UNMAP_LIST:
    case ISKRA_UNMAP_WRITE_SAME_16:
        return false;
    case ISKRA_UNMAP_WRITE_SAME_10:
        return !write_same_10_reaches(sreq);
    case ISKRA_UNMAP_NOT:
    case ISKRA_UNMAP_WAY_CNT:
        break;
    }
    return true;
}

void iskra_space_setup_unmap(struct iskra_scsi_request *sreq)
{
    const struct iskra_space *space = &sreq->sdev->space;

    sreq->way = (uint8_t)space->unmap;
    if (space->unmap == ISKRA_UNMAP_LIST)
        setup_list(sreq);
    else
        setup_write_same(sreq, space->unmap == ISKRA_UNMAP_WRITE_SAME_16, space->max_unmap_len,
                         ISKRA_CDB_UNMAP);
}

static void setup_writes(struct iskra_scsi_request *sreq)
{
    const struct iskra_sdev *sdev = sreq->sdev;
    struct range r = next_piece(sreq, sdev->max_transfer_len);
    bool wide = r.lba + r.block_cnt > LBA_10_LIMIT || r.block_cnt > WRITE_SAME_10_BLOCKS_MAX;
    unsigned cdb_len = wide ? iskra_cdb_write16(sreq->cdb, r.lba, r.block_cnt, 0)
                            : iskra_cdb_write10(sreq->cdb, r.lba, r.block_cnt, 0);

    command_is(sreq, cdb_len, zero_iov, ZEROS_CNT, (uint32_t)sreq->piece_len);
    sreq->by_range = false;
}

static enum iskra_zero_way zero_way_for(const struct iskra_scsi_request *sreq)
{
    enum iskra_zero_way way = sreq->sdev->space.zero;

    return way == ISKRA_ZERO_WRITE_SAME_10 && !write_same_10_reaches(sreq) ? ISKRA_ZERO_WRITES
                                                                           : way;
}

void iskra_space_setup_zeroes(struct iskra_scsi_request *sreq)
{
    const struct iskra_space *space = &sreq->sdev->space;
    enum iskra_zero_way way = zero_way_for(sreq);
    uint32_t flags = sreq->may_unmap && space->unmap_zeroes ? ISKRA_CDB_UNMAP : 0;

    sreq->way = (uint8_t)way;
    sreq->unmaps = way != ISKRA_ZERO_WRITES && flags != 0;
    if (way == ISKRA_ZERO_WRITES)
        setup_writes(sreq);
    else
        setup_write_same(sreq, way != ISKRA_ZERO_WRITE_SAME_10, space->max_zero_len,
                         way == ISKRA_ZERO_NDOB ? flags | ISKRA_CDB_NDOB : flags);
}

/* ---- refusals ---- */

bool iskra_space_refusal(const struct iskra_sense *s)
{
    return s->valid && !s->deferred && s->key == ISKRA_SENSE_ILLEGAL_REQUEST &&
           (s->asc == ASC_INVALID_OPCODE || s->asc == ASC_INVALID_FIELD);
}

/* Another request may have learned the same meanwhile: only the way that this one went is closed.
 */
bool iskra_space_next_way(struct iskra_scsi_request *sreq)
{
    struct iskra_space *space = &sreq->sdev->space;

    if (sreq->kind == ISKRA_REQUEST_UNMAP) {
        space->unmap = ISKRA_UNMAP_NOT;
        space->max_unmap_len = 0;
        return false;
    }
    if (sreq->kind != ISKRA_REQUEST_WRITE_ZEROES || sreq->way == ISKRA_ZERO_WRITES)
        return false;
    if (sreq->unmaps && space->unmap_zeroes)
        space->unmap_zeroes = false;
    else if (!sreq->unmaps && space->zero == (enum iskra_zero_way)sreq->way)
        space->zero++;
    return true;
}
