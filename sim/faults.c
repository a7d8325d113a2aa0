/* Faults that strike by the clock, and the counting of all: see faults.h. */
#include "sim/faults.h"

#include <string.h>

#include "sim/sim.h"

/* Enough is enough: what could not be done by then is done in peace. */
#define STRIKE_CNT 200u
#define SWAP_CNT   20u

const char *const sim_fault_names[SIM_FAULT_CNT] = {
    "partial",      "delay",        "hold",        "corrupt",    "stall",
    "reset",        "half-close",   "outage",      "memory",     "kill",
    "power",        "late",         "silence",     "busy",       "attention",
    "aborted",      "window",       "tmf-refused", "tmf-silent", "login-refused",
    "login-silent", "target-close", "redirect",    "refused",    "swap"};

void sim_fault_note(struct sim *sim, enum sim_fault kind, uint64_t a, uint64_t b)
{
    sim_note(&sim->record, sim_fault_names[kind], a, b, 0);
    sim_marks_count(sim, kind);
}

bool sim_fault_happens(struct sim *sim, enum sim_fault kind, unsigned rate)
{
    if (!sim_plan_has(&sim->plan, kind) || !sim_random_chance(&sim->fault_random, rate))
        return false;
    bool cuts_only = kind == SIM_FAULT_PARTIAL; /* they hinder nothing */
    if ((sim->calm || sim->over) && !cuts_only)
        return false;
    if (cuts_only)
        sim_marks_count(sim, kind); /* too many to note each */
    else
        sim_fault_note(sim, kind, 0, 0);
    return true;
}

/* ---- by the clock ---- */

static struct sim_conn *any_conn(struct sim *sim)
{
    struct sim_conn *open[SIM_CONN_CNT];
    unsigned cnt = 0;
    ISKRA_LIST_FOREACH(l, &sim->network.conns)
    {
        struct sim_conn *conn = iskra_container_of(l, struct sim_conn, link);
        if (conn->phase <= SIM_CONN_OPEN && cnt < SIM_CONN_CNT)
            open[cnt++] = conn;
    }
    return cnt > 0 ? open[sim_random_below(&sim->fault_random, cnt)] : NULL;
}

static uint64_t away_ns(struct sim *sim)
{
    /* Short ones are as likely as long ones. */
    uint64_t most_ns = sim->plan.away_ns >> sim_random_below(&sim->fault_random, 12);
    return sim->clock.now_ns + sim_random_range(&sim->fault_random, SIM_US, most_ns + SIM_US);
}

static void outage_end(void *arg)
{
    struct sim *sim = arg;
    sim->network.down = false;
}

static void outage_begin(struct sim *sim)
{
    uint64_t end_ns = away_ns(sim);
    sim->network.down = true;
    sim_clock_set(&sim->clock, &sim->faults.outage_end, end_ns);
    ISKRA_LIST_FOREACH(l, &sim->network.conns)
    sim_conn_stall(iskra_container_of(l, struct sim_conn, link), true, true, end_ns);
}

static void kill_all(struct sim *sim) /* one machine */
{
    for (unsigned i = 0; i < sim->plan.group_cnt; i++)
        sim_process_kill(&sim->portals.processes[i], away_ns(sim));
}

static void kill_one(struct sim *sim, bool power)
{
    struct sim_process *process =
        &sim->portals.processes[sim_random_below(&sim->fault_random, sim->plan.group_cnt)];
    if (!power) {
        sim_process_kill(process, away_ns(sim));
        return;
    }
    kill_all(sim);
    for (uint32_t i = 0; i < SIM_DISK_CNT; i++)
        sim_disk_lose_power(&sim->disks[i]);
    sim_oracle_power_lost(sim);
}

static void strike_conn(struct sim *sim, enum sim_fault kind)
{
    struct sim_conn *conn = any_conn(sim);
    if (!conn)
        return;
    unsigned sides = (unsigned)sim_random_range(&sim->fault_random, 1, 3);
    sim_fault_note(sim, kind, conn->number, sides);
    if (kind == SIM_FAULT_STALL && sim->plan.moves) /* until the initiator has had enough */
        sim_conn_stall(conn, true, false, sim->clock.now_ns + 60 * SIM_S);
    else if (kind == SIM_FAULT_STALL)
        sim_conn_stall(conn, sides & 1, sides & 2, away_ns(sim));
    else if (kind == SIM_FAULT_HALF_CLOSE)
        sim_conn_half_close(conn);
    else
        sim_conn_reset(conn);
}

static void strike_one(struct sim *sim)
{
    static const enum sim_fault kinds[] = {SIM_FAULT_STALL,  SIM_FAULT_RESET, SIM_FAULT_HALF_CLOSE,
                                           SIM_FAULT_OUTAGE, SIM_FAULT_KILL,  SIM_FAULT_POWER};
    enum sim_fault kind = kinds[sim_random_below(&sim->fault_random, 6)];
    if (!sim_plan_has(&sim->plan, kind))
        return;
    switch (kind) {
    case SIM_FAULT_OUTAGE:
        sim_fault_note(sim, kind, 0, 0);
        outage_begin(sim);
        return;
    case SIM_FAULT_KILL:
    case SIM_FAULT_POWER:
        sim_fault_note(sim, kind, 0, 0);
        kill_one(sim, kind == SIM_FAULT_POWER);
        return;
    default:
        strike_conn(sim, kind);
        return;
    }
}

static void strike_again(struct sim *sim)
{
    sim_clock_set(&sim->clock, &sim->faults.strike,
                  sim->clock.now_ns +
                      sim_random_range(&sim->fault_random, 1, 2 * sim->plan.strike_ns));
}

static void strike(void *arg)
{
    struct sim *sim = arg;
    strike_one(sim);
    unsigned most = sim->plan.moves ? 10 * STRIKE_CNT : STRIKE_CNT; /* most meet who is down */
    if (++sim->faults.strike_cnt < most)
        strike_again(sim);
}

static void swap_later(struct sim *sim)
{
    sim_clock_set(&sim->clock, &sim->faults.swap,
                  sim->clock.now_ns +
                      sim_random_range(&sim->fault_random, 1, 10 * sim->plan.strike_ns));
}

/* Somebody has changed the target's configuration while it was down. */
static void swap(void *arg)
{
    struct sim *sim = arg;
    uint32_t lun = (uint32_t)sim_random_below(&sim->fault_random, sim->plan.lun_cnt);
    sim_fault_note(sim, SIM_FAULT_SWAP, lun, 0);
    sim->swapped[lun] = !sim->swapped[lun];
    kill_all(sim);
    if (++sim->faults.swap_cnt < SWAP_CNT)
        swap_later(sim);
}

void sim_faults_begin(struct sim *sim)
{
    sim->faults.swap = (struct sim_event){.fn = swap, .arg = sim};
    if (sim_plan_has(&sim->plan, SIM_FAULT_SWAP))
        swap_later(sim);
    sim->faults.strike = (struct sim_event){.fn = strike, .arg = sim};
    sim->faults.outage_end = (struct sim_event){.fn = outage_end, .arg = sim};
    strike_again(sim);
}

void sim_faults_done(struct sim *sim)
{
    sim_clock_clear(&sim->clock, &sim->faults.strike);
    sim_clock_clear(&sim->clock, &sim->faults.outage_end);
    sim_clock_clear(&sim->clock, &sim->faults.swap);
}

void sim_faults_end(struct sim *sim)
{
    sim_faults_done(sim);
    sim->calm = true;
    sim_note(&sim->record, "calm", 0, 0, 0);
    sim_network_heal(sim);
    sim_portals_heal(sim);
}
