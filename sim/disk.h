/* The medium of a LUN: what is there now, and what would be there after a loss of power. It
 * outlives the target's processes, and all portal groups share it. */
#ifndef ISKRA_SIM_DISK_H
#define ISKRA_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "target/target.h"

struct sim;

struct sim_disk {
    struct sim *sim;
    uint32_t lun, block_len, block_cnt;
    uint8_t *now, *stable; /* the same if nothing was written since the last flush */
    bool *dirty;           /* per block: they may differ */
};

extern const struct iskra_target_disk sim_disk_ops; /* their arg: a struct sim_disk */

void sim_disk_init(struct sim_disk *disk, struct sim *sim, uint32_t lun);
void sim_disk_done(struct sim_disk *disk);

/* Each block that was not flushed is what it is now or what it was before. */
void sim_disk_lose_power(struct sim_disk *disk);

#endif
