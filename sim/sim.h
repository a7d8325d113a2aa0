/* A world in one piece: clock, network, targets with their disks, the library under test, what is
 * asked of it, and who judges the answers. Everything in it follows from the seed. */
#ifndef ISKRA_SIM_SIM_H
#define ISKRA_SIM_SIM_H

#include <iskra/iskra.h>

#include "sim/clock.h"
#include "sim/disk.h"
#include "sim/driver.h"
#include "sim/faults.h"
#include "sim/marks.h"
#include "sim/network.h"
#include "sim/oracle.h"
#include "sim/portal.h"
#include "sim/random.h"
#include "sim/record.h"
#include "sim/workload.h"

#define SIM_TARGET_NAME "iqn.2026-11.org.example:sim"

struct sim {
    struct sim_plan plan;
    struct sim_clock clock;
    struct sim_record record;
    struct sim_random net_random, lib_random, load_random, fault_random, target_random, odd_random;
    bool calm; /* the faults are over */
    bool over; /* nothing is judged any more */
    bool
        leaves_ruins; /* a run that failed ends as it is: what is left may not bear being touched */

    struct sim_network network;
    struct sim_portals portals;
    struct sim_disk disks[SIM_DISK_CNT]; /* those that belong there, and those that do not */
    bool swapped[SIM_LUN_CNT];           /* which of the two is there */
    struct sim_old_tags old_tags[SIM_HANDLE_CNT];
    struct sim_faults faults;

    struct iskra_platform platform;
    struct sim_driver *driver;
    struct iskra *ctx;
    uint64_t block_cnt; /* of memory given to the library */
    struct sim_workload load;
    bool wished; /* the user took something back: its abort may take the session along */
    struct sim_oracle oracle;
    struct sim_marks *marks; /* or NULL */
};

/* One run. False: something must not have happened; see record. The caller has set `plan` and
 * initialised `record`, and zeroed the rest. */
bool sim_run(struct sim *sim);

/* world.c: the same without anything being asked of the library yet, ctx; false: see record. Both
 * are needed in any case. */
bool sim_world_make(struct sim *sim);
void sim_world_unmake(struct sim *sim);

/* platform.c */
void sim_platform_init(struct sim *sim);

#endif
