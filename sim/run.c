/* One run: a world is made, faults strike while it works, then they end, and everything has to come
 * to its end in time. */
#include <string.h>

#include "sim/sim.h"

#define FAULTS_MAX_NS (900 * SIM_S) /* what was not issued by then is not */

static void log_line(void *arg, enum iskra_log_level level, const char *line)
{
    struct sim *sim = arg;
    sim_note_text(&sim->record, line);
}

static void event(void *arg, const struct iskra_event *ev)
{
    struct sim *sim = arg;
    sim_note(&sim->record, "event", ev->kind, ev->sid, ev->lun);
}

static bool world_make(struct sim *sim)
{
    uint64_t seed = sim->plan.seed;
    struct iskra_error err = {0};
    sim->clock.now_ns = SIM_S;
    sim_random_init(&sim->net_random, seed, 2);
    sim_random_init(&sim->lib_random, seed, 3);
    sim_random_init(&sim->load_random, seed, 4);
    sim_random_init(&sim->fault_random, seed, 5);
    sim_random_init(&sim->target_random, seed, 6);
    sim_network_init(sim);
    for (uint32_t i = 0; i < sim->plan.lun_cnt; i++)
        sim_disk_init(&sim->disks[i], sim, i);
    sim_oracle_init(sim);
    sim_portals_init(sim);
    sim_workload_init(sim);
    sim_platform_init(sim);
    const struct iskra_options options = {
        .size = sizeof(options),
        .initiator_name = "iqn.2026-11.org.example:sim-initiator",
        .platform = &sim->platform,
        .log = log_line,
        .log_arg = sim,
        .event = event,
        .event_arg = sim,
    };
    if (iskra_new(&options, &sim->ctx, &err) < 0) {
        sim_fail(&sim->record, "iskra_new: %s", err.text);
        return false;
    }
    sim_faults_begin(sim);
    return true;
}

static void world_unmake(struct sim *sim)
{
    sim->over = true;
    iskra_free(sim->ctx);
    if (sim->ctx && sim->block_cnt > 0)
        sim_fail(&sim->record, "%llu pieces of memory were not given back",
                 (unsigned long long)sim->block_cnt);
    sim_faults_done(sim);
    sim_portals_done(sim);
    sim_network_done(sim);
    sim_workload_done(sim);
    sim_oracle_done(sim);
    for (uint32_t i = 0; i < sim->plan.lun_cnt; i++)
        sim_disk_done(&sim->disks[i]);
}

/* What is late, in words. */
static void fail_late(struct sim *sim)
{
    const struct sim_workload *load = &sim->load;
    const char *waits = "LUNs are not closed";
    for (unsigned i = 0; i < sim->plan.handle_cnt; i++) {
        if (!load->handles[i].verified)
            waits = load->handles[i].state == SIM_HANDLE_OPEN ? "LUNs are not read"
                                                              : "LUNs are not open";
    }
    sim_fail(&sim->record, "%u requests are out and %s %.0f s after the faults have ended",
             load->out, waits, (double)sim->plan.bound_ns / 1e9);
}

static void run(struct sim *sim)
{
    uint64_t faults_end_ns = sim->clock.now_ns + FAULTS_MAX_NS, end_ns = SIM_NEVER;
    sim->load.next_ns = sim->clock.now_ns;
    while (!sim->record.failed) {
        sim_workload_step(sim);
        uint64_t now_ns = sim->clock.now_ns;
        if (!sim->calm && (sim->load.issued >= sim->plan.io_cnt || now_ns >= faults_end_ns)) {
            sim_faults_end(sim);
            end_ns = now_ns + sim->plan.bound_ns;
            continue;
        }
        if (sim->calm && sim_workload_finished(sim))
            return;
        if (now_ns > end_ns) {
            fail_late(sim);
            return;
        }
        uint64_t next_ns = sim->load.next_ns < end_ns ? sim->load.next_ns : end_ns + 1;
        int64_t wait_ns = next_ns == SIM_NEVER ? (int64_t)SIM_S
                          : next_ns > now_ns   ? (int64_t)(next_ns - now_ns)
                                               : 0;
        (void)iskra_run_once(sim->ctx, wait_ns);
    }
}

bool sim_run(struct sim *sim)
{
    if (world_make(sim))
        run(sim);
    if (sim->marks) {
        sim->marks->run_cnt++;
        sim->marks->event_cnt += sim->record.event_cnt;
        sim->marks->request_cnt += sim->load.ended;
        sim->marks->conn_cnt += sim->network.conn_cnt;
    }
    world_unmake(sim);
    return !sim->record.failed;
}
