/* Who judges the answers: a shadow of each disk, as a history of writes per block. A read may
 * return what any write has left that nothing certainly came after: writes that are under way, or
 * whose outcome nobody knows, may have happened or not. What was flushed stays, whatever happens to
 * the cache. What may be executed only once is sent only once. */
#ifndef ISKRA_SIM_ORACLE_H
#define ISKRA_SIM_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "sim/faults.h"

struct sim;

#define SIM_WRITE_CNT   4096u
#define SIM_VERSION_CNT 131072u
#define SIM_ONCE_CNT    64u
#define SIM_POWER_CNT   256u
#define SIM_UNSEEN_CNT  32u
#define SIM_CDB_LEN     16u

enum sim_outcome {
    SIM_OUTCOME_OPEN,    /* no answer yet, or none that tells */
    SIM_OUTCOME_DONE,    /* acknowledged */
    SIM_OUTCOME_NOTHING, /* certainly not executed */
};

/* Times are places in the order of all that the initiator's user sees. */
struct sim_write {
    uint32_t disk;
    uint64_t lba;
    uint32_t cnt;
    bool zeroes, perhaps; /* perhaps: it may leave blocks as they are (unmap) */
    enum sim_outcome outcome;
    uint64_t begin, end, stable; /* UINT64_MAX: not yet */
};

struct sim_version {
    uint32_t write, next; /* 0: none */
};

struct sim_once {
    uint64_t lun;
    uint8_t cdb[SIM_CDB_LEN];
    bool live, sent;
    bool tells;     /* a unit attention that it gets is its user's to see */
    bool attention; /* it got one */
    unsigned generation;
};

struct sim_oracle {
    uint64_t order;
    uint32_t write_cnt, version_cnt;
    struct sim_write writes[SIM_WRITE_CNT]; /* 0: the zeros that were there first */
    struct sim_version *versions;           /* SIM_VERSION_CNT; 0 is none */
    uint32_t *newest[SIM_DISK_CNT];         /* per disk and block: a version */
    uint64_t powers[SIM_POWER_CNT];
    unsigned power_cnt;
    struct sim_once once[SIM_ONCE_CNT];
    /* Those that ended before they were seen on the wire, the latest ones: taken back when they
     * were built already, they may still come. */
    struct sim_once unseen[SIM_UNSEEN_CNT];
    unsigned unseen_cnt;
};

void sim_oracle_init(struct sim *sim);
void sim_oracle_done(struct sim *sim);

/* The number of the write, from 1 on. */
uint32_t sim_oracle_write_begin(struct sim *sim, uint32_t disk, uint64_t lba, uint32_t cnt,
                                bool zeroes, bool perhaps);
void sim_oracle_write_end(struct sim *sim, uint32_t write, enum sim_outcome outcome, bool fua);
/* What that write leaves in a block. */
void sim_oracle_pattern(const struct sim *sim, uint32_t write, uint64_t lba, uint8_t *block);

/* The place in the order, for reads and flushes. */
uint64_t sim_oracle_now(struct sim *sim);
/* Bytes that were there at some time between. */
void sim_oracle_read(struct sim *sim, const char *what, uint32_t disk, uint64_t lba, uint32_t cnt,
                     const uint8_t *bytes, uint64_t begin);
void sim_oracle_flushed(struct sim *sim, uint32_t disk, uint64_t begin);
void sim_oracle_power_lost(struct sim *sim);

/* An operation that may be executed once: number, and its CDB. `tells`: it ends with what the LUN
 * said, unit attentions, too. */
void sim_oracle_once_begin(struct sim *sim, unsigned number, uint64_t lun, const uint8_t *cdb,
                           unsigned cdb_len, bool tells);
void sim_oracle_once_end(struct sim *sim, unsigned number, bool good);
/* Is that CDB out, or may it still come of one that has ended? Then another of its like could not
 * be told from it. */
bool sim_oracle_once_may_come(const struct sim *sim, uint64_t lun, const uint8_t *cdb);
/* A command was sent: its number if it is one of those, else -1; and which of that number's. */
int sim_oracle_once_sent(struct sim *sim, uint64_t lun, const uint8_t *cdb,
                         unsigned *ret_generation);
/* Its answer says that it was not executed, because of a unit attention or otherwise. */
void sim_oracle_once_refused(struct sim *sim, int number, unsigned generation, bool attention);

#endif
