/* What is asked of the library, by its public interface only: LUNs opened by URLs, requests of all
 * kinds in flight together, cancelled, taken back, from callbacks and from outside; LUNs closed and
 * opened again. Each request ends exactly once, never from inside its submit, and its memory is
 * left alone afterwards. */
#ifndef ISKRA_SIM_WORKLOAD_H
#define ISKRA_SIM_WORKLOAD_H

#include <iskra/iskra.h>

#include "sim/clock.h"
#include "sim/faults.h"

#define SIM_SLOT_CNT  64u
#define SIM_GUARD_LEN 64u

enum sim_slot_state {
    SIM_SLOT_FREE,
    SIM_SLOT_OUT,
};

enum sim_handle_state {
    SIM_HANDLE_CLOSED,
    SIM_HANDLE_OPENING,
    SIM_HANDLE_OPEN,
    SIM_HANDLE_CLOSING,
};

struct sim_handle {
    struct sim *sim;
    unsigned number;
    enum sim_handle_state state;
    struct iskra_lun *lun;
    unsigned failed_cnt; /* requests in a row that failed */
    uint64_t retry_ns;   /* not opened again before */
    uint64_t verify_lba;
    bool verified;
    uint32_t disk; /* that was behind the LUN when it was opened, and has to be for good */
};

struct sim_slot {
    struct iskra_io io;
    struct sim *sim;
    unsigned number;
    enum sim_slot_state state;
    struct sim_handle *handle;
    bool canceled, verifies;
    uint32_t lun, disk;
    uint64_t lba, begin;
    uint32_t cnt, write; /* write: of the oracle, 0: none */
    uint32_t spare_len;  /* of a raw CDB: bytes for which there is room, and no data */
    uint8_t cdb[16];
    uint64_t submit_ns;
    struct iovec iov[3];
    uint8_t *memory; /* guard, data, guard; a piece of the workload's */
    uint8_t poison;
};

struct sim_workload {
    struct sim_handle handles[SIM_HANDLE_CNT];
    struct sim_slot *slots; /* plan.depth of them */
    size_t data_len;        /* of a slot */
    uint8_t *memory;        /* of all slots */
    unsigned issued, ended, out;
    bool in_submit;
    uint64_t next_ns; /* when it has something to do by itself */
    uint64_t rest_ns; /* how long it waits when there was nothing to do: longer and longer */
};

void sim_workload_init(struct sim *sim);
void sim_workload_done(struct sim *sim);

/* Bytes are about to be moved from or to there: not if that is a slot's and its request has ended.
 */
void sim_workload_moved(struct sim *sim, const struct iovec *iov, int iov_cnt, const char *how);

/* Does a request of this session wait, and for how long? */
uint64_t sim_workload_waits_ns(const struct sim *sim, const uint8_t *isid);

/* Does what is due; next_ns is set. */
void sim_workload_step(struct sim *sim);
/* The faults are over: is there nothing left to do? Every LUN has been read and compared, all is
 * closed. */
bool sim_workload_finished(const struct sim *sim);

#endif
