/* A world from its plan, and its end: everything but what is asked of the library. */
#include "sim/sim.h"

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

bool sim_world_make(struct sim *sim)
{
    uint64_t seed = sim->plan.seed;
    struct iskra_error err = {0};
    sim->clock.now_ns = SIM_S;
    sim_random_init(&sim->net_random, seed, 2);
    sim_random_init(&sim->lib_random, seed, 3);
    sim_random_init(&sim->load_random, seed, 4);
    sim_random_init(&sim->fault_random, seed, 5);
    sim_random_init(&sim->target_random, seed, 6);
    sim_random_init(&sim->odd_random, seed, 8);
    sim_network_init(sim);
    for (uint32_t i = 0; i < SIM_DISK_CNT; i++)
        sim_disk_init(&sim->disks[i], sim, i);
    sim_oracle_init(sim);
    sim_portals_init(sim);
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

void sim_world_unmake(struct sim *sim)
{
    sim->over = true;
    iskra_free(sim->ctx);
    if (sim->ctx && sim->block_cnt > 0)
        sim_fail(&sim->record, "%llu pieces of memory were not given back",
                 (unsigned long long)sim->block_cnt);
    sim_faults_done(sim);
    sim_portals_done(sim);
    sim_network_done(sim);
    sim_oracle_done(sim);
    for (uint32_t i = 0; i < SIM_DISK_CNT; i++)
        sim_disk_done(&sim->disks[i]);
}
