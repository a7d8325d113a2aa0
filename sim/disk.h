/* The medium of a LUN: what is there now, and what would be there after a loss of power. It
 * outlives the target's processes, and all portal groups share it. For each LUN there are two of
 * them, n and SIM_LUN_CNT + n: which one is behind its number may change while the target is down.
 */
#ifndef ISKRA_SIM_DISK_H
#define ISKRA_SIM_DISK_H

#include <stdbool.h>
#include <stdint.h>

#include "target/target.h"

struct sim;

struct sim_disk {
    struct sim *sim;
    uint32_t number, block_len, block_cnt;
    uint8_t *now, *stable; /* the same if nothing was written since the last flush */
    bool *dirty;           /* per block: they may differ */
};

extern const struct iskra_target_disk sim_disk_ops; /* their arg: a struct sim_disk */

void sim_disk_init(struct sim_disk *disk, struct sim *sim, uint32_t number);
void sim_disk_done(struct sim_disk *disk);

/* The one that is behind that number now, and what its LUN says who it is. */
struct sim_disk *sim_disk_of_lun(struct sim *sim, uint32_t lun);
uint64_t sim_disk_identity(const struct sim_disk *disk);
/* The number of the disk with that VPD serial number; SIM_DISK_CNT: none. */
uint32_t sim_disk_by_serial(const char *serial);

/* Each block that was not flushed is what it is now or what it was before. */
void sim_disk_lose_power(struct sim_disk *disk);

#endif
