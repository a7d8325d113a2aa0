/* The target's end of connections: see portal.h. */
#include "sim/portal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/redirect.h"
#include "sim/sim.h"

#define TURN_MAX 32

/* ---- processes ---- */

static int target_random(void *arg, void *buf, size_t len)
{
    struct sim_random *random = arg;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)sim_random_next(random);
    return 0;
}

static void fault_told(void *arg, const char *text)
{
    struct sim *sim = arg;
    enum sim_fault kind = sim_fault_of_spec(text);
    sim_note_text(&sim->record, text);
    sim_fault_note(sim, kind, 0, 0);
}

static void process_start(void *arg)
{
    struct sim_process *process = arg;
    struct sim *sim = process->sim;
    const struct sim_plan *plan = &sim->plan;
    struct iskra_target_backend backends[SIM_LUN_CNT];
    const char *faults[SIM_SPEC_CNT];
    struct iskra_target_options o;
    struct iskra_error err = {0};
    iskra_target_options_init(&o);
    o.name = SIM_TARGET_NAME;
    o.portal_group = (uint16_t)(process->group + 1);
    for (uint32_t i = 0; i < plan->lun_cnt; i++)
        backends[i] =
            (struct iskra_target_backend){.kind = ISKRA_TARGET_DISK,
                                          .size = (uint64_t)plan->block_len * plan->block_cnt,
                                          .block_len = plan->block_len,
                                          .disk = &sim_disk_ops,
                                          .disk_arg = sim_disk_of_lun(sim, i),
                                          .identity = sim_disk_identity(sim_disk_of_lun(sim, i))};
    o.backends = backends;
    o.backend_cnt = plan->lun_cnt;
    o.max_recv = plan->max_recv;
    o.first_burst = plan->first_burst;
    o.max_burst = plan->max_burst;
    o.max_outstanding_r2t = plan->max_r2t;
    o.r2t_len = plan->r2t_len;
    o.immediate_data = plan->immediate_data;
    o.initial_r2t = plan->initial_r2t;
    o.max_data_in = plan->max_data_in;
    o.separate_status = plan->separate_status;
    o.early_status = plan->early_status;
    o.cmd_window = plan->cmd_window;
    o.random = target_random;
    o.random_arg = &sim->target_random;
    for (unsigned i = 0; i < plan->spec_cnt; i++)
        faults[i] = plan->specs[i];
    o.faults = faults;
    o.fault_cnt = plan->spec_cnt;
    o.fault_told = fault_told;
    o.fault_told_arg = sim;
    if (iskra_target_new(&o, &process->core, &err) < 0) {
        sim_fail(&sim->record, "no target: %s", err.text);
        return;
    }
    iskra_target_faults_enable(process->core, !sim->calm);
    sim_note(&sim->record, "target starts", process->group, 0, 0);
}

void sim_portals_init(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_GROUP_CNT; i++) {
        struct sim_process *process = &sim->portals.processes[i];
        *process = (struct sim_process){.sim = sim, .group = i};
        process->restart = (struct sim_event){.fn = process_start, .arg = process};
        iskra_list_init(&process->peers);
        if (i < sim->plan.group_cnt)
            process_start(process);
    }
}

/* ---- peers ---- */

static void peer_free(struct sim_peer *peer)
{
    sim_clock_clear(&peer->sim->clock, &peer->pump);
    sim_clock_clear(&peer->sim->clock, &peer->tick);
    if (peer->process)
        iskra_list_remove(&peer->link);
    iskra_target_conn_free(peer->core);
    free(peer);
}

/* The target closes. */
static void peer_close(struct sim_peer *peer, bool abortive)
{
    struct sim_conn *conn = peer->conn;
    peer_free(peer);
    if (conn)
        sim_conn_peer_gone(conn, abortive);
}

static size_t cut(struct sim *sim, size_t len)
{
    return len > 1 && sim_random_chance(&sim->target_random, sim->plan.partial)
               ? (size_t)sim_random_range(&sim->target_random, 1, len < 8192 ? len : 8192)
               : len;
}

static bool receive(struct sim_peer *peer)
{
    struct iovec iov[2];
    size_t len = sim_pipe_readable(&peer->conn->up);
    if (len == 0 || iskra_target_conn_recv_window(peer->core, iov) == 0)
        return false;
    len = cut(peer->sim, len < iov[0].iov_len ? len : iov[0].iov_len);
    sim_pipe_read(&peer->conn->up, iov[0].iov_base, len);
    peer->conn->writable = true;
    iskra_target_conn_received(peer->core, len, peer->sim->clock.now_ns);
    return true;
}

static bool send_some(struct sim_peer *peer)
{
    struct iovec iov[8];
    struct sim_pipe *down = &peer->conn->down;
    size_t room = sim_pipe_writable(down), sent = 0;
    if (room == 0)
        return false;
    unsigned cnt = iskra_target_conn_send_window(peer->core, iov, 8);
    if (cnt == 0)
        return false;
    room = cut(peer->sim, room);
    for (unsigned i = 0; i < cnt && sent < room; i++) {
        size_t n = iov[i].iov_len < room - sent ? iov[i].iov_len : room - sent;
        sim_pipe_write(down, iov[i].iov_base, n);
        sent += n;
    }
    iskra_target_conn_sent(peer->core, sent, peer->sim->clock.now_ns);
    return true;
}

static void pump(void *arg);

static void rouse(struct sim_peer *peer)
{
    struct sim *sim = peer->sim;
    if (!sim_event_is_set(&peer->pump))
        sim_clock_set(&sim->clock, &peer->pump,
                      sim->clock.now_ns +
                          sim_random_below(&sim->target_random, sim->plan.service_ns));
}

static void rouse_all(struct sim_process *process)
{
    ISKRA_LIST_FOREACH(l, &process->peers)
    rouse(iskra_container_of(l, struct sim_peer, link));
}

static void settle(struct sim_peer *peer)
{
    struct sim_process *process = peer->process;
    uint64_t deadline_ns = iskra_target_conn_deadline_ns(peer->core);
    bool over = peer->conn && sim_pipe_at_end(&peer->conn->up);
    if (iskra_target_roused(process->core))
        rouse_all(process);
    if (iskra_target_conn_finished(peer->core) || over)
        peer_close(peer, false);
    else if (deadline_ns == UINT64_MAX)
        sim_clock_clear(&peer->sim->clock, &peer->tick);
    else
        sim_clock_set(&peer->sim->clock, &peer->tick, deadline_ns);
}

static void pump(void *arg)
{
    struct sim_peer *peer = arg;
    bool moved = true;
    for (int turn = 0; turn < TURN_MAX && moved && peer->conn; turn++) {
        moved = receive(peer);
        moved |= send_some(peer);
    }
    if (moved && peer->conn)
        rouse(peer);
    settle(peer);
}

static void tick(void *arg)
{
    struct sim_peer *peer = arg;
    iskra_target_conn_tick(peer->core, peer->sim->clock.now_ns);
    rouse(peer);
    settle(peer);
}

bool sim_peer_accept(struct sim_conn *conn)
{
    struct sim *sim = conn->sim;
    bool redirects = sim_plan_has(&sim->plan, SIM_FAULT_REDIRECT) && conn->portal == 0;
    unsigned group = sim_plan_has(&sim->plan, SIM_FAULT_REDIRECT) ? conn->portal - 1 : conn->portal;
    struct sim_process *process =
        redirects || group >= SIM_GROUP_CNT ? NULL : &sim->portals.processes[group];
    if (!redirects && (!process || !process->core))
        return false;
    struct sim_peer *peer = calloc(1, sizeof(*peer));
    peer->sim = sim;
    peer->conn = conn;
    peer->process = process;
    peer->pump = (struct sim_event){.fn = redirects ? sim_redirect_pump : pump, .arg = peer};
    peer->tick = (struct sim_event){.fn = tick, .arg = peer};
    if (redirects) {
        sim_redirect_init(peer);
    } else {
        char address[32];
        snprintf(address, sizeof(address), "127.0.0.1:%u", SIM_PORT + conn->portal);
        peer->core = iskra_target_conn_new(process->core, address, sim->clock.now_ns);
        iskra_list_push_back(&process->peers, &peer->link);
        sim_clock_set(&sim->clock, &peer->tick, iskra_target_conn_deadline_ns(peer->core));
    }
    conn->peer = peer;
    return true;
}

void sim_peer_rouse(struct sim_conn *conn)
{
    rouse(conn->peer);
}

void sim_peer_lost(struct sim_conn *conn)
{
    struct sim_peer *peer = conn->peer;
    if (!peer)
        return;
    struct sim *sim = conn->sim;
    conn->peer = NULL;
    peer->conn = NULL;
    /* The target may not notice: its session waits for who will never come. */
    if (peer->process && !sim->over && !sim->calm && sim_fault_happens(sim, SIM_FAULT_MEMORY, 5000))
        return;
    struct sim_process *process = peer->process;
    peer_free(peer);
    if (process && process->core && iskra_target_roused(process->core))
        rouse_all(process);
}

static void forget_all(struct sim_process *process, bool abortive)
{
    for (struct iskra_list *l = process->peers.next, *next; l != &process->peers; l = next) {
        next = l->next;
        peer_close(iskra_container_of(l, struct sim_peer, link), abortive);
    }
}

void sim_process_kill(struct sim_process *process, uint64_t back_ns)
{
    if (!process->core)
        return;
    sim_note(&process->sim->record, "target dies", process->group, 0, 0);
    forget_all(process, sim_random_chance(&process->sim->target_random, 5000));
    iskra_target_free(process->core);
    process->core = NULL;
    sim_clock_set(&process->sim->clock, &process->restart, back_ns);
}

void sim_portals_heal(struct sim *sim)
{
    bool restart = sim_plan_has(&sim->plan, SIM_FAULT_SWAP); /* with the disks that belong there */
    memset(sim->swapped, 0, sizeof(sim->swapped));
    for (unsigned i = 0; i < sim->plan.group_cnt; i++) {
        struct sim_process *process = &sim->portals.processes[i];
        if (restart)
            sim_process_kill(process, sim->clock.now_ns);
        if (!process->core) {
            sim_clock_clear(&sim->clock, &process->restart);
            process_start(process);
            continue;
        }
        iskra_target_faults_enable(process->core, false);
    }
}

void sim_portals_done(struct sim *sim)
{
    for (unsigned i = 0; i < SIM_GROUP_CNT; i++) {
        struct sim_process *process = &sim->portals.processes[i];
        sim_clock_clear(&sim->clock, &process->restart);
        if (process->peers.next)
            forget_all(process, true);
        iskra_target_free(process->core);
        process->core = NULL;
    }
}
