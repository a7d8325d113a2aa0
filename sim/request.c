/* Drawing, judging and guarding of requests: see request.h. */
#include "sim/request.h"

#include <errno.h>
#include <string.h>

#include "sim/sim.h"

#define OPCODE_READ12  0xa8u
#define OPCODE_WRITE12 0xaau

static uint8_t *data_of(const struct sim_slot *slot)
{
    return slot->memory + SIM_GUARD_LEN;
}

/* ---- memory ---- */

size_t sim_slot_memory_len(const struct sim *sim)
{
    return sim->load.data_len + 2 * (size_t)SIM_GUARD_LEN;
}

void sim_slot_poison(struct sim_slot *slot)
{
    slot->poison = (uint8_t)(0xa0 + (slot->poison + 1) % 0x50);
    memset(slot->memory, slot->poison, sim_slot_memory_len(slot->sim));
    memset(&slot->io, slot->poison, sizeof(slot->io));
}

static bool all_poison(const uint8_t *bytes, size_t len, uint8_t poison)
{
    return bytes[0] == poison && memcmp(bytes, bytes + 1, len - 1) == 0;
}

void sim_slot_check(struct sim_slot *slot)
{
    if (slot->sim->over)
        return;
    if (!all_poison(slot->memory, sim_slot_memory_len(slot->sim), slot->poison))
        sim_fail(&slot->sim->record, "slot %u: data were touched after done()", slot->number);
    if (!all_poison((const uint8_t *)&slot->io, sizeof(slot->io), slot->poison))
        sim_fail(&slot->sim->record, "slot %u: the request was touched after done()", slot->number);
}

static void guards_check(const struct sim_slot *slot)
{
    const uint8_t *behind = data_of(slot) + slot->sim->load.data_len;
    if (!all_poison(slot->memory, SIM_GUARD_LEN, slot->poison) ||
        !all_poison(behind, SIM_GUARD_LEN, slot->poison))
        sim_fail(&slot->sim->record, "slot %u: bytes beside the data were touched", slot->number);
}

/* ---- drawing ---- */

/* Data in one to three pieces. */
static void iov_fill(struct sim_slot *slot, size_t len)
{
    struct sim_random *random = &slot->sim->load_random;
    uint8_t *at = data_of(slot);
    int cnt = 0;
    while (len > 0) {
        size_t n = cnt == 2 || sim_random_chance(random, 6000)
                       ? len
                       : (size_t)sim_random_range(random, 1, len);
        slot->iov[cnt++] = (struct iovec){.iov_base = at, .iov_len = n};
        at += n;
        len -= n;
    }
    slot->io.iov = slot->iov;
    slot->io.iov_cnt = cnt;
}

static void begin(struct sim_slot *slot, enum iskra_op op, size_t data_len)
{
    const struct sim_plan *plan = &slot->sim->plan;
    memset(&slot->io, 0, sizeof(slot->io));
    slot->io.op = op;
    slot->io.offset = slot->lba * plan->block_len;
    slot->io.len = (uint64_t)slot->cnt * plan->block_len;
    slot->io.done = sim_request_done;
    slot->io.user = slot;
    if (data_len > 0)
        iov_fill(slot, data_len);
}

static void fill_pattern(struct sim_slot *slot, uint8_t *to)
{
    const struct sim *sim = slot->sim;
    for (uint32_t i = 0; i < slot->cnt; i++)
        sim_oracle_pattern(sim, slot->write, slot->lba + i, to + (size_t)i * sim->plan.block_len);
}

static void write_begin(struct sim_slot *slot, bool zeroes, bool perhaps)
{
    slot->write =
        sim_oracle_write_begin(slot->sim, slot->disk, slot->lba, slot->cnt, zeroes, perhaps);
}

static uint64_t lun_field(const struct sim_slot *slot)
{
    return (uint64_t)slot->lun << 48; /* SAM-5 4.7.7.2, single level, below 256 */
}

static void draw_write(struct sim_slot *slot)
{
    struct sim *sim = slot->sim;
    write_begin(slot, false, false);
    begin(slot, ISKRA_WRITE, (size_t)slot->cnt * sim->plan.block_len);
    fill_pattern(slot, data_of(slot));
    if (sim_random_chance(&sim->load_random, sim->plan.fua))
        slot->io.flags = ISKRA_IO_FUA;
}

static void draw_zeroes(struct sim_slot *slot)
{
    struct sim *sim = slot->sim;
    bool unmap = sim_random_chance(&sim->load_random, 5000);
    write_begin(slot, true, unmap);
    begin(slot, unmap ? ISKRA_UNMAP : ISKRA_WRITE_ZEROES, 0);
    if (!unmap && sim_random_chance(&sim->load_random, 3000))
        slot->io.flags = ISKRA_IO_MAY_UNMAP;
}

/* The same CDB must not be out twice, or the oracle could not tell the two apart. */
static bool once_begin(struct sim_slot *slot, const uint8_t *cdb, unsigned cdb_len, bool tells)
{
    uint8_t full[SIM_CDB_LEN] = {0};
    memcpy(full, cdb, cdb_len);
    if (sim_oracle_once_may_come(slot->sim, lun_field(slot), full))
        return false;
    sim_oracle_once_begin(slot->sim, slot->number, lun_field(slot), cdb, cdb_len, tells);
    return true;
}

static void draw_read(struct sim_slot *slot)
{
    begin(slot, ISKRA_READ, (size_t)slot->cnt * slot->sim->plan.block_len);
}

/* Compares with what the latest write may have left: sometimes right, sometimes not. */
static void draw_compare(struct sim_slot *slot)
{
    struct sim *sim = slot->sim;
    size_t half = sim->plan.block_len;
    uint8_t cdb[16] = {0x89};
    slot->cnt = 1;
    iskra_put_be64(cdb + 2, slot->lba);
    cdb[13] = 1;
    if (!once_begin(slot, cdb, 16, false)) {
        draw_read(slot);
        return;
    }
    uint32_t version = sim->oracle.newest[slot->disk][slot->lba];
    uint32_t before = version ? sim->oracle.versions[version].write : 0;
    write_begin(slot, false, false);
    begin(slot, ISKRA_COMPARE_AND_WRITE, 2 * half);
    slot->io.len = half;
    sim_oracle_pattern(sim, before, slot->lba, data_of(slot));
    fill_pattern(slot, data_of(slot) + half);
}

/* Room for more than the CDB moves: the target tells how much was left over. */
static uint32_t spare_len(struct sim_slot *slot)
{
    struct sim *sim = slot->sim;
    uint64_t room = (uint64_t)(sim->plan.max_blocks - slot->cnt) * sim->plan.block_len;
    if (room == 0 || !sim_random_chance(&sim->odd_random, sim->plan.spare))
        return 0;
    return (uint32_t)sim_random_range(&sim->odd_random, 1, room);
}

static void draw_raw(struct sim_slot *slot)
{
    struct sim *sim = slot->sim;
    bool out = sim_random_chance(&sim->load_random, 5000);
    memset(slot->cdb, 0, sizeof(slot->cdb));
    slot->cdb[0] = out ? OPCODE_WRITE12 : OPCODE_READ12;
    iskra_put_be32(slot->cdb + 2, (uint32_t)slot->lba);
    iskra_put_be32(slot->cdb + 6, slot->cnt);
    if (!once_begin(slot, slot->cdb, 12, true)) {
        draw_read(slot);
        return;
    }
    if (out)
        write_begin(slot, false, false);
    slot->spare_len = spare_len(slot);
    begin(slot, ISKRA_RAW, (size_t)slot->cnt * sim->plan.block_len + slot->spare_len);
    slot->io.len += slot->spare_len;
    slot->io.offset = 0;
    slot->io.cdb = slot->cdb;
    slot->io.cdb_len = 12;
    slot->io.flags = out ? ISKRA_IO_DATA_OUT : 0;
    if (out)
        fill_pattern(slot, data_of(slot));
}

static void place(struct sim_slot *slot, uint64_t lba, uint32_t cnt)
{
    slot->lun = slot->sim->plan.handle_lun[slot->handle->number];
    slot->disk = slot->handle->disk;
    slot->spare_len = 0;
    slot->lba = lba;
    slot->cnt = cnt;
    slot->write = 0;
    slot->canceled = false;
    slot->begin = sim_oracle_now(slot->sim);
}

void sim_request_draw(struct sim_slot *slot)
{
    struct sim *sim = slot->sim;
    const struct sim_plan *plan = &sim->plan;
    struct sim_random *random = &sim->load_random;
    uint32_t cnt = (uint32_t)sim_random_range(random, 1, plan->max_blocks);
    /* Half of them in a small place, so that requests meet. */
    uint32_t area = sim_random_chance(random, 5000) && plan->block_cnt > 4 * plan->max_blocks
                        ? 4 * plan->max_blocks
                        : plan->block_cnt;
    place(slot, sim_random_below(random, area - cnt + 1), cnt);
    unsigned dice = (unsigned)sim_random_below(random, 10000);
    if (dice < plan->flush) {
        slot->lba = slot->cnt = 0;
        begin(slot, ISKRA_FLUSH, 0);
    } else if ((dice -= plan->flush) < plan->zero)
        draw_zeroes(slot);
    else if ((dice -= plan->zero) < plan->compare && plan->max_blocks > 1)
        draw_compare(slot);
    else if ((dice -= plan->compare) < plan->raw)
        draw_raw(slot);
    else if ((dice -= plan->raw) < plan->write)
        draw_write(slot);
    else
        draw_read(slot);
    sim_note(&sim->record, "submit", slot->number, slot->io.op, slot->write);
}

/* Pieces in order; the place of the next one is where the handle's last one ended. */
void sim_request_verify(struct sim_slot *slot)
{
    const struct sim_plan *plan = &slot->sim->plan;
    uint64_t lba = slot->handle->verify_lba;
    uint64_t left = plan->block_cnt - lba;
    place(slot, lba, left < plan->max_blocks ? (uint32_t)left : plan->max_blocks);
    draw_read(slot);
}

/* ---- judging ---- */

static void once_end(struct sim_slot *slot, bool good)
{
    if (slot->sim->oracle.once[slot->number].live)
        sim_oracle_once_end(slot->sim, slot->number, good);
}

static void judge_good(struct sim_slot *slot)
{
    struct sim *sim = slot->sim;
    const struct iskra_io *io = &slot->io;
    bool raw_in = io->op == ISKRA_RAW && !(io->flags & ISKRA_IO_DATA_OUT);
    if (io->op == ISKRA_FLUSH)
        sim_oracle_flushed(sim, slot->disk, slot->begin);
    if (io->residual != slot->spare_len)
        sim_fail(&sim->record,
                 "operation %d ends with residual %u, and %u bytes had nothing to move", io->op,
                 (unsigned)io->residual, slot->spare_len);
    if (io->op == ISKRA_READ || raw_in)
        sim_oracle_read(sim, "a read", slot->disk, slot->lba, slot->cnt, data_of(slot),
                        slot->begin);
    if (io->op == ISKRA_COMPARE_AND_WRITE)
        sim_oracle_read(sim, "a comparison", slot->disk, slot->lba, slot->cnt, data_of(slot),
                        slot->begin);
    if (slot->write)
        sim_oracle_write_end(sim, slot->write, SIM_OUTCOME_DONE, (io->flags & ISKRA_IO_FUA) != 0);
    if (!slot->verifies)
        return;
    slot->handle->verify_lba += slot->cnt;
    slot->handle->verified = slot->handle->verify_lba == sim->plan.block_cnt;
}

/* Without faults there is no reason to fail but the user's own wish. */
static void judge_bad(struct sim_slot *slot)
{
    struct sim *sim = slot->sim;
    const struct iskra_io *io = &slot->io;
    bool miscompare = io->error.code == ISKRA_E_MISCOMPARE;
    bool lost = io->error.code == ISKRA_E_OUTCOME_UNKNOWN || io->error.code == ISKRA_E_CONNECTION;
    bool wished = slot->canceled || slot->handle->state != SIM_HANDLE_OPEN || (sim->wished && lost);
    sim_note_text(&sim->record, io->error.text);
    if (io->status >= 0)
        sim_fail(&sim->record, "operation %d ended with status %d", io->op, io->status);
    if (!(sim->plan.kinds & SIM_FAULTS_THAT_FAIL) && !wished && !miscompare)
        sim_fail(&sim->record, "operation %d failed without a reason: %s", io->op, io->error.text);
    if (io->error.code == ISKRA_E_PROTOCOL && !sim_plan_has(&sim->plan, SIM_FAULT_CORRUPT) &&
        !sim_plan_has(&sim->plan, SIM_FAULT_SILENCE))
        sim_fail(&sim->record, "a good target is blamed: %s", io->error.text);
    if (slot->write)
        sim_oracle_write_end(sim, slot->write, miscompare ? SIM_OUTCOME_NOTHING : SIM_OUTCOME_OPEN,
                             false);
}

void sim_request_judge(struct sim_slot *slot)
{
    guards_check(slot);
    if (slot->io.status == 0)
        judge_good(slot);
    else
        judge_bad(slot);
    once_end(slot, slot->io.status == 0);
}

void sim_request_refused(struct sim_slot *slot)
{
    if (slot->write)
        sim_oracle_write_end(slot->sim, slot->write, SIM_OUTCOME_NOTHING, false);
    once_end(slot, false);
}

/* It may happen, now or later, or not; its memory is ours again. */
void sim_request_detached(struct sim_slot *slot)
{
    once_end(slot, false);
}
