/* One run: a world is made, faults strike while it works, then they end, and everything has to come
 * to its end in time. */
#include "sim/sim.h"

#define FAULTS_MAX_NS (900 * SIM_S) /* what was not issued by then is not */

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
        sim_network_judge_idle(sim);
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
    if (sim_world_make(sim)) {
        sim_workload_init(sim);
        run(sim);
    }
    if (sim->marks) {
        sim->marks->run_cnt++;
        sim->marks->event_cnt += sim->record.event_cnt;
        sim->marks->request_cnt += sim->load.ended;
        sim->marks->conn_cnt += sim->network.conn_cnt;
    }
    if (sim->record.failed && sim->leaves_ruins)
        return false;
    sim_world_unmake(sim);
    sim_workload_done(sim);
    return !sim->record.failed;
}
