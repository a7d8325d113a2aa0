/* Name, capacity and limits of a device from its answers. */
#include "scsi/identity.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "scsi/device.h"
#include "wire/mode.h"
#include "wire/vpd.h"

/* Higher is better; 0: says nothing that identifies the logical unit. */
static unsigned designator_rank(const struct iskra_designator *d)
{
    if (d->association != ISKRA_ASSOCIATION_LUN || d->id_len == 0)
        return 0;
    switch (d->type) {
    case ISKRA_DESIGNATOR_NAA:
        return 4;
    case ISKRA_DESIGNATOR_EUI64:
        return 3;
    case ISKRA_DESIGNATOR_T10:
        return 2;
    case ISKRA_DESIGNATOR_NAME:
        return 1;
    default:
        return 0;
    }
}

static void write_hex(char *dst, size_t dst_size, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len && 2 * i + 2 < dst_size; i++)
        snprintf(dst + 2 * i, 3, "%02x", bytes[i]);
}

static void write_designator(char *dst, size_t dst_size, const struct iskra_designator *d)
{
    static const char *const prefixes[] = {"", "name.", "t10.", "eui.", "naa."};
    unsigned rank = designator_rank(d);
    int prefix_len = snprintf(dst, dst_size, "%s", prefixes[rank]);

    if (rank >= 3)
        write_hex(dst + prefix_len, dst_size - (size_t)prefix_len, d->id, d->id_len);
    else
        iskra_escape(dst + prefix_len, dst_size - (size_t)prefix_len, d->id, d->id_len);
}

void iskra_identity_from_vpd(const uint8_t *page, size_t len, char *dst, size_t dst_size)
{
    struct iskra_designator d, best = {0};
    size_t pos = 0;

    while (iskra_vpd_designator_next(page, len, &pos, &d) == 1)
        if (designator_rank(&d) > designator_rank(&best))
            best = d;
    if (designator_rank(&best) > 0)
        write_designator(dst, dst_size, &best);
}

int iskra_capacity_settle(struct iskra_sdev *sdev, const struct iskra_capacity *c,
                          struct iskra_error *err)
{
    uint32_t block_len = c->block_len;

    if (block_len < ISKRA_BLOCK_LEN_MIN || block_len > ISKRA_BLOCK_LEN_MAX ||
        (block_len & (block_len - 1)) != 0)
        return iskra_fail(err, ISKRA_E_RESPONSE, ENOTSUP,
                          "READ CAPACITY: block length %" PRIu32
                          " is not a power of two from %u to %u",
                          block_len, ISKRA_BLOCK_LEN_MIN, ISKRA_BLOCK_LEN_MAX);
    /* Sizes in bytes have to fit a signed 64-bit offset, like those of files. */
    if (c->last_lba >= (uint64_t)INT64_MAX / block_len)
        return iskra_fail(err, ISKRA_E_RESPONSE, EOVERFLOW,
                          "READ CAPACITY: last LBA %" PRIu64 " with blocks of %" PRIu32
                          " bytes is more than 2^63 bytes",
                          c->last_lba, block_len);
    sdev->capacity_known = true;
    sdev->block_len = block_len;
    sdev->block_cnt = c->last_lba + 1;
    sdev->thin = c->lbpme;
    sdev->reads_zeroes = c->lbpme && c->lbprz;
    sdev->protection = c->prot_en;
    sdev->physical_block_len = 0;
    sdev->lowest_aligned_lba = c->lowest_aligned_lba;
    if (c->physical_exp < 16 && (uint64_t)block_len << c->physical_exp <= UINT32_MAX)
        sdev->physical_block_len = block_len << c->physical_exp;
    return 0;
}

void iskra_mode_settle(struct iskra_sdev *sdev, const struct iskra_mode *mode)
{
    struct iskra_mode_caching caching;

    sdev->write_protected = mode->write_protected;
    sdev->fua = mode->dpofua;
    if (iskra_mode_caching(mode, &caching) != 0)
        return;
    sdev->write_cache = caching.wce;
    sdev->write_cache_told = true;
}

void iskra_limits_settle(struct iskra_sdev *sdev, uint32_t max_transfer_blocks,
                         uint32_t optimal_transfer_blocks)
{
    if (!sdev->capacity_known)
        return;
    uint64_t block_len = sdev->block_len;
    uint64_t max_len = ISKRA_SDEV_TRANSFER_MAX / block_len * block_len;
    if (max_transfer_blocks != 0 && max_transfer_blocks * block_len < max_len)
        max_len = max_transfer_blocks * block_len;
    sdev->max_transfer_len = (uint32_t)max_len;
    uint64_t optimal_len = optimal_transfer_blocks * block_len;
    sdev->optimal_transfer_len = optimal_len <= UINT32_MAX ? (uint32_t)optimal_len : 0;
}

void iskra_identity_forget(struct iskra_sdev *sdev)
{
    memset(&sdev->inquiry, 0, sizeof(sdev->inquiry));
    sdev->serial[0] = sdev->identity[0] = '\0';
    sdev->capacity_known = sdev->write_protected = sdev->fua = false;
    sdev->write_cache = true;
    sdev->write_cache_told = sdev->thin = sdev->reads_zeroes = sdev->protection = false;
    sdev->block_len = 0;
    sdev->block_cnt = 0;
}
