/* Connections between the initiator and portals: handles instead of descriptors, two pipes each,
 * and what can go wrong with them.
 *
 * The initiator's end is used by the platform table (connect, close) and the loop's driver (bytes);
 * the other end by portal.h. An end that is closed is closed for the other end some time later; the
 * bytes that were on their way may still arrive. */
#ifndef ISKRA_SIM_NETWORK_H
#define ISKRA_SIM_NETWORK_H

#include <sys/uio.h>

#include "list.h"
#include "sim/pdu.h"
#include "sim/pipe.h"
#include "sim/wire_rules.h"

struct sim;
struct sim_peer;

enum sim_conn_phase {
    SIM_CONN_CONNECTING,
    SIM_CONN_OPEN,
    SIM_CONN_REFUSED,
    SIM_CONN_CLOSED, /* by the initiator */
};

#define SIM_CONN_CNT 256u /* at a time */

struct sim_conn {
    struct iskra_list link; /* network->conns */
    struct sim *sim;
    int fd;
    unsigned portal;
    unsigned number;           /* counts connections of the run */
    enum sim_conn_phase phase; /* set by conn_enter() only */
    int error;                 /* what the initiator's reads and writes meet; 0: none */
    bool readable, writable;
    bool was_stuck;
    /* there was no room for more when it was judged last */ /* something changed since the
                                                                driver looked */
    struct sim_pipe up, down;                                /* from the initiator, to it */
    struct sim_event connect_event, reset_event;
    struct sim_peer *peer; /* the target's end; NULL: gone */
    /* The wire as the initiator's end sees it: what it has sent, and what it has read. */
    struct sim_pdu up_pdu, down_pdu;
    struct sim_wire wire;
    uint8_t *spoil; /* during one feed: a copy whose bits may be flipped */
};

struct sim_network {
    struct iskra_list conns;
    struct sim_conn *by_fd[SIM_CONN_CNT];
    unsigned conn_cnt;
    bool down; /* nobody gets through: connects are lost, bytes wait */
};

void sim_network_init(struct sim *sim);
void sim_network_done(struct sim *sim);

/* ---- the initiator's end ---- */

int sim_conn_start(struct sim *sim, unsigned portal); /* a handle, or a negative errno */
struct sim_conn *sim_conn_find(struct sim *sim, int fd);
int sim_conn_result(const struct sim_conn *conn);
void sim_conn_close(struct sim_conn *conn, bool abortive);

/* As readv() and writev(): bytes, 0 at the end, or a negative errno. */
ssize_t sim_conn_read(struct sim_conn *conn, const struct iovec *iov, int iov_cnt);
ssize_t sim_conn_write(struct sim_conn *conn, const struct iovec *iov, int iov_cnt);

/* ---- the other end ---- */

void sim_conn_peer_gone(struct sim_conn *conn, bool abortive);

/* ---- what goes wrong ---- */

void sim_conn_reset(struct sim_conn *conn); /* by somebody in the middle */
void sim_conn_half_close(struct sim_conn *conn);
void sim_conn_stall(struct sim_conn *conn, bool up, bool down, uint64_t until_ns);
/* The one in the middle works again, for good. */
/* Requests do not wait for long where a command could be sent and nothing is waited for. */
void sim_network_judge_idle(struct sim *sim);
void sim_network_heal(struct sim *sim);

#endif
