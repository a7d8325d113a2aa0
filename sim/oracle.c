/* The shadow of the disks: see oracle.h. */
#include "sim/oracle.h"

#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

#define BLOCK_LEN_MAX 4096u

void sim_oracle_init(struct sim *sim)
{
    struct sim_oracle *o = &sim->oracle;
    o->versions = malloc(SIM_VERSION_CNT * sizeof(*o->versions));
    o->version_cnt = 1;
    for (uint32_t i = 0; i < SIM_DISK_CNT; i++)
        o->newest[i] = calloc(sim->plan.block_cnt, sizeof(*o->newest[i]));
    o->writes[0] = (struct sim_write){.zeroes = true, .outcome = SIM_OUTCOME_DONE};
    o->write_cnt = 1;
    o->order = 1;
}

void sim_oracle_done(struct sim *sim)
{
    free(sim->oracle.versions);
    for (unsigned i = 0; i < SIM_DISK_CNT; i++)
        free(sim->oracle.newest[i]);
}

uint64_t sim_oracle_now(struct sim *sim)
{
    return sim->oracle.order++;
}

uint32_t sim_oracle_write_begin(struct sim *sim, uint32_t disk, uint64_t lba, uint32_t cnt,
                                bool zeroes, bool perhaps)
{
    struct sim_oracle *o = &sim->oracle;
    if (o->write_cnt == SIM_WRITE_CNT || o->version_cnt + cnt > SIM_VERSION_CNT) {
        sim_fail(&sim->record, "the oracle has no room for more writes");
        return 0;
    }
    uint32_t write = o->write_cnt++;
    o->writes[write] = (struct sim_write){.disk = disk,
                                          .lba = lba,
                                          .cnt = cnt,
                                          .zeroes = zeroes,
                                          .perhaps = perhaps,
                                          .begin = o->order++,
                                          .end = UINT64_MAX,
                                          .stable = UINT64_MAX};
    for (uint32_t i = 0; i < cnt; i++) {
        uint32_t *newest = &o->newest[disk][lba + i];
        o->versions[o->version_cnt] = (struct sim_version){.write = write, .next = *newest};
        *newest = o->version_cnt++;
    }
    return write;
}

void sim_oracle_write_end(struct sim *sim, uint32_t write, enum sim_outcome outcome, bool fua)
{
    struct sim_write *w = &sim->oracle.writes[write];
    uint64_t now = sim->oracle.order++;
    w->outcome = outcome;
    if (outcome == SIM_OUTCOME_OPEN)
        return; /* it may still happen, at any time */
    w->end = now;
    if (fua && outcome == SIM_OUTCOME_DONE)
        w->stable = now;
}

void sim_oracle_pattern(const struct sim *sim, uint32_t write, uint64_t lba, uint8_t *block)
{
    const struct sim_write *w = &sim->oracle.writes[write];
    uint32_t len = sim->plan.block_len;
    if (w->zeroes) {
        memset(block, 0, len);
        return;
    }
    uint64_t x =
        sim_mix(((uint64_t)write << 40) ^ ((uint64_t)w->disk << 32) ^ lba ^ sim->plan.seed);
    for (uint32_t at = 0; at < len; at += 8) {
        uint64_t word = x | 1; /* never zero */
        memcpy(block + at, &word, 8);
        x += UINT64_C(0x9e3779b97f4a7c15);
    }
}

/* May what was acknowledged have been lost with the power before `end`? */
static bool may_be_lost(const struct sim_oracle *o, const struct sim_write *w, uint64_t end)
{
    for (unsigned i = 0; i < o->power_cnt; i++) {
        if (o->powers[i] > w->begin && o->powers[i] < end && w->stable > o->powers[i])
            return true;
    }
    return false;
}

/* Has something certainly come after `w`, before the reader began? */
static bool replaced(const struct sim_oracle *o, uint32_t newest, const struct sim_write *w,
                     uint64_t begin, uint64_t end)
{
    for (uint32_t v = newest; v != 0; v = o->versions[v].next) {
        const struct sim_write *later = &o->writes[o->versions[v].write];
        if (later->begin < w->begin)
            return false; /* all further ones are older */
        if (later->outcome == SIM_OUTCOME_DONE && !later->perhaps && later->end < begin &&
            w->end < later->begin && !may_be_lost(o, later, end))
            return true;
    }
    return false;
}

/* The writes whose bytes a reader may find in a block. */
static unsigned candidates(const struct sim_oracle *o, uint32_t newest, uint64_t begin,
                           uint64_t end, uint32_t *ret, unsigned max)
{
    unsigned cnt = 0;
    for (uint32_t v = newest; v != 0 && cnt < max - 1; v = o->versions[v].next) {
        const struct sim_write *w = &o->writes[o->versions[v].write];
        if (w->outcome != SIM_OUTCOME_NOTHING && w->begin < end &&
            !replaced(o, newest, w, begin, end))
            ret[cnt++] = o->versions[v].write;
    }
    if (!replaced(o, newest, &o->writes[0], begin, end))
        ret[cnt++] = 0;
    return cnt;
}

/* Writes that are not over, or failed half-way, leave parts. */
static bool mixture(const struct sim *sim, const uint32_t *writes, unsigned cnt, uint64_t lba,
                    const uint8_t *block)
{
    uint32_t len = sim->plan.block_len;
    bool ok[BLOCK_LEN_MAX] = {false};
    uint8_t pattern[BLOCK_LEN_MAX];
    for (unsigned i = 0; i < cnt; i++) {
        sim_oracle_pattern(sim, writes[i], lba, pattern);
        for (uint32_t at = 0; at < len; at++)
            ok[at] |= pattern[at] == block[at];
    }
    return memchr(ok, false, len) == NULL;
}

static bool block_ok(const struct sim *sim, uint32_t disk, uint64_t lba, const uint8_t *block,
                     uint64_t begin, uint64_t end, uint32_t *ret_writes, unsigned *ret_cnt)
{
    const struct sim_oracle *o = &sim->oracle;
    uint8_t pattern[BLOCK_LEN_MAX];
    *ret_cnt = candidates(o, o->newest[disk][lba], begin, end, ret_writes, SIM_WRITE_CNT);
    for (unsigned i = 0; i < *ret_cnt; i++) {
        sim_oracle_pattern(sim, ret_writes[i], lba, pattern);
        if (memcmp(pattern, block, sim->plan.block_len) == 0)
            return true;
    }
    return mixture(sim, ret_writes, *ret_cnt, lba, block);
}

/* Which write left that, legal or not: for the story. -1: none. */
static long whose(const struct sim *sim, uint32_t disk, uint64_t lba, const uint8_t *block)
{
    const struct sim_oracle *o = &sim->oracle;
    uint8_t pattern[BLOCK_LEN_MAX];
    for (uint32_t v = o->newest[disk][lba]; v != 0; v = o->versions[v].next) {
        sim_oracle_pattern(sim, o->versions[v].write, lba, pattern);
        if (memcmp(pattern, block, sim->plan.block_len) == 0)
            return (long)o->versions[v].write;
    }
    sim_oracle_pattern(sim, 0, lba, pattern);
    return memcmp(pattern, block, sim->plan.block_len) == 0 ? 0 : -1;
}

void sim_oracle_read(struct sim *sim, const char *what, uint32_t disk, uint64_t lba, uint32_t cnt,
                     const uint8_t *bytes, uint64_t begin)
{
    static uint32_t writes[SIM_WRITE_CNT];
    uint64_t end = sim_oracle_now(sim);
    for (uint32_t i = 0; i < cnt; i++) {
        const uint8_t *block = bytes + (size_t)i * sim->plan.block_len;
        unsigned writes_cnt;
        if (block_ok(sim, disk, lba + i, block, begin, end, writes, &writes_cnt))
            continue;
        sim_fail(&sim->record,
                 "%s of disk %u: block %llu holds %02x%02x%02x%02x..., of write %ld; legal are %u, "
                 "the latest is write %ld",
                 what, disk, (unsigned long long)(lba + i), block[0], block[1], block[2], block[3],
                 whose(sim, disk, lba + i, block), writes_cnt,
                 writes_cnt > 0 ? (long)writes[0] : -1);
        return;
    }
}

void sim_oracle_flushed(struct sim *sim, uint32_t disk, uint64_t begin)
{
    struct sim_oracle *o = &sim->oracle;
    uint64_t now = sim_oracle_now(sim);
    for (uint32_t i = 1; i < o->write_cnt; i++) {
        struct sim_write *w = &o->writes[i];
        if (w->disk == disk && w->outcome == SIM_OUTCOME_DONE && w->end < begin &&
            w->stable == UINT64_MAX)
            w->stable = now;
    }
}

void sim_oracle_power_lost(struct sim *sim)
{
    struct sim_oracle *o = &sim->oracle;
    uint64_t now = sim_oracle_now(sim);
    if (o->power_cnt < SIM_POWER_CNT)
        o->powers[o->power_cnt++] = now;
}

/* ---- once ---- */

void sim_oracle_once_begin(struct sim *sim, unsigned number, uint64_t lun, const uint8_t *cdb,
                           unsigned cdb_len, bool tells)
{
    struct sim_once *once = &sim->oracle.once[number];
    *once = (struct sim_once){
        .lun = lun, .live = true, .tells = tells, .generation = once->generation + 1};
    memcpy(once->cdb, cdb, cdb_len);
}

void sim_oracle_once_end(struct sim *sim, unsigned number, bool good)
{
    struct sim_once *once = &sim->oracle.once[number];
    if (good && once->tells && once->attention)
        sim_fail(&sim->record, "a raw CDB ends well, but its answer was a unit attention");
    if (!once->sent)
        sim->oracle.unseen[sim->oracle.unseen_cnt++ % SIM_UNSEEN_CNT] = *once;
    once->live = false;
}

static bool is_of(const struct sim_once *once, uint64_t lun, const uint8_t *cdb)
{
    return once->lun == lun && memcmp(once->cdb, cdb, SIM_CDB_LEN) == 0;
}

bool sim_oracle_once_may_come(const struct sim *sim, uint64_t lun, const uint8_t *cdb)
{
    const struct sim_oracle *o = &sim->oracle;
    for (unsigned i = 0; i < SIM_ONCE_CNT; i++)
        if (o->once[i].live && is_of(&o->once[i], lun, cdb))
            return true;
    for (unsigned i = 0; i < SIM_UNSEEN_CNT && i < o->unseen_cnt; i++)
        if (is_of(&o->unseen[i], lun, cdb))
            return true;
    return false;
}

int sim_oracle_once_sent(struct sim *sim, uint64_t lun, const uint8_t *cdb,
                         unsigned *ret_generation)
{
    for (unsigned i = 0; i < SIM_ONCE_CNT; i++) {
        struct sim_once *once = &sim->oracle.once[i];
        if (!once->live || !is_of(once, lun, cdb))
            continue;
        if (once->sent)
            sim_fail(&sim->record, "what may be executed once is sent again: opcode 0x%02x",
                     cdb[0]);
        if (once->tells && once->attention)
            sim_fail(&sim->record,
                     "a raw CDB is sent again after its unit attention: opcode 0x%02x", cdb[0]);
        once->sent = true;
        *ret_generation = once->generation;
        return (int)i;
    }
    return -1;
}

void sim_oracle_once_refused(struct sim *sim, int number, unsigned generation, bool attention)
{
    struct sim_once *once = &sim->oracle.once[number];
    if (once->generation != generation)
        return; /* that one has ended, and its place is another's */
    once->sent = false;
    once->attention |= attention;
}
