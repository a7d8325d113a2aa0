/* Where connections of the simulated network lead to: processes with the embedded target's core
 * inside, one per portal group, on shared disks; and a portal that only sends elsewhere. Processes
 * die and come back, with or without memory of their sessions. */
#ifndef ISKRA_SIM_PORTAL_H
#define ISKRA_SIM_PORTAL_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "sim/clock.h"
#include "sim/pdu.h"
#include "target/target.h"

struct sim;
struct sim_conn;
struct sim_process;

#define SIM_GROUP_CNT 2u
#define SIM_PORT      3260u

/* The target's end of a connection. */
struct sim_peer {
    struct iskra_list link; /* process->peers; of a redirecting portal: nowhere */
    struct sim *sim;
    struct sim_conn *conn;          /* NULL: gone, and the target does not know */
    struct sim_process *process;    /* NULL: it redirects */
    struct iskra_target_conn *core; /* NULL: it redirects */
    struct sim_event pump, tick;
    struct sim_pdu pdu; /* of a redirecting portal */
    bool answered;
};

struct sim_process {
    struct sim *sim;
    unsigned group;
    struct iskra_target *core; /* NULL: it is dead */
    struct iskra_list peers;
    struct sim_event restart;
};

struct sim_portals {
    struct sim_process processes[SIM_GROUP_CNT];
};

void sim_portals_init(struct sim *sim);
void sim_portals_done(struct sim *sim);
/* All processes live, and behave from now on. */
void sim_portals_heal(struct sim *sim);

/* The connection's other end; false: nobody listens there. */
bool sim_peer_accept(struct sim_conn *conn);
/* Something has arrived, or there is room again. */
void sim_peer_rouse(struct sim_conn *conn);
/* The connection is gone without a word. conn->peer is NULL afterwards. */
void sim_peer_lost(struct sim_conn *conn);

/* Dies; comes back at that time. */
void sim_process_kill(struct sim_process *process, uint64_t back_ns);

#endif
