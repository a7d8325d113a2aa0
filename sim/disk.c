/* A medium with a volatile cache: see disk.h. */
#include "sim/disk.h"

#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

void sim_disk_init(struct sim_disk *disk, struct sim *sim, uint32_t number)
{
    *disk = (struct sim_disk){.sim = sim,
                              .number = number,
                              .block_len = sim->plan.block_len,
                              .block_cnt = sim->plan.block_cnt};
    size_t len = (size_t)disk->block_len * disk->block_cnt;
    disk->now = calloc(2, len);
    disk->stable = disk->now + len;
    disk->dirty = calloc(disk->block_cnt, sizeof(*disk->dirty));
}

void sim_disk_done(struct sim_disk *disk)
{
    free(disk->now);
    free(disk->dirty);
}

struct sim_disk *sim_disk_of_lun(struct sim *sim, uint32_t lun)
{
    return &sim->disks[sim->swapped[lun] ? SIM_LUN_CNT + lun : lun];
}

/* Not in the lowest bits, of which page 83h shows less than page 80h. */
#define IDENTITY_SHIFT 32

uint64_t sim_disk_identity(const struct sim_disk *disk)
{
    return (uint64_t)(disk->number + 1) << IDENTITY_SHIFT;
}

uint32_t sim_disk_by_serial(const char *serial)
{
    uint64_t number = (strtoull(serial, NULL, 16) >> IDENTITY_SHIFT) - 1;
    return number < SIM_DISK_CNT ? (uint32_t)number : SIM_DISK_CNT;
}

static void soil(struct sim_disk *disk, const char *what, uint64_t pos, uint64_t len)
{
    sim_note(&disk->sim->record, what, disk->number, pos / disk->block_len, len / disk->block_len);
    for (uint64_t i = pos / disk->block_len; i * disk->block_len < pos + len; i++)
        disk->dirty[i] = true;
}

static int disk_read(void *arg, uint64_t pos, uint8_t *buf, uint32_t len)
{
    const struct sim_disk *disk = arg;
    memcpy(buf, disk->now + pos, len);
    return 0;
}

static int disk_write(void *arg, uint64_t pos, const uint8_t *buf, uint32_t len)
{
    struct sim_disk *disk = arg;
    memcpy(disk->now + pos, buf, len);
    soil(disk, "disk writes", pos, len);
    return 0;
}

static int disk_discard(void *arg, uint64_t pos, uint64_t len)
{
    struct sim_disk *disk = arg;
    memset(disk->now + pos, 0, (size_t)len);
    soil(disk, "disk discards", pos, len);
    return 0;
}

static int disk_flush(void *arg)
{
    struct sim_disk *disk = arg;
    for (uint32_t i = 0; i < disk->block_cnt; i++) {
        if (!disk->dirty[i])
            continue;
        size_t at = (size_t)i * disk->block_len;
        memcpy(disk->stable + at, disk->now + at, disk->block_len);
        disk->dirty[i] = false;
    }
    sim_note(&disk->sim->record, "disk flushes", disk->number, 0, 0);
    return 0;
}

const struct iskra_target_disk sim_disk_ops = {disk_read, disk_write, disk_discard, disk_flush};

void sim_disk_lose_power(struct sim_disk *disk)
{
    for (uint32_t i = 0; i < disk->block_cnt; i++) {
        size_t at = (size_t)i * disk->block_len;
        if (!disk->dirty[i])
            continue;
        if (sim_random_chance(&disk->sim->target_random, 5000))
            memcpy(disk->now + at, disk->stable + at, disk->block_len);
        else
            memcpy(disk->stable + at, disk->now + at, disk->block_len);
        disk->dirty[i] = false;
    }
}
