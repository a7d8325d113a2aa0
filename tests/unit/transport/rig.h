/* A round, the epoll driver or the one that ISKRA_DRIVER names, and a port that records what is
 * asked of it, over real sockets. */
#ifndef TRANSPORT_RIG_H
#define TRANSPORT_RIG_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "round.h"
#include "transport/transport.h"

#define RIG_BUF_LEN (8u * 1024u * 1024u)

struct rig;

struct fake_port {
    struct iskra_port port;
    struct rig *rig;
    int fd, peer_fd;
    struct iskra_sock *sock;
    /* What it does. */
    size_t window_len;  /* bytes asked for at once; 0: as staging has */
    size_t suspend_at;  /* recv() answers -EAGAIN once that many bytes are in */
    int recv_error;     /* recv() answers this */
    bool closed_window; /* recv_window() gives none */
    bool unbind_in_recv, unbind_in_write_space, unbind_in_sent;
    struct fake_port *unbind_other; /* from inside recv() */
    /* What it saw. */
    unsigned bound_cnt, window_cnt, send_window_cnt, unused_cnt, state_change_cnt, write_space_cnt;
    int state_change_err;
    size_t received, received_at_end;
    uint8_t *staging;
    size_t last_window;
    uint64_t check; /* of the bytes, in order */
    /* What it sends. */
    const uint8_t *out;
    size_t out_len, out_at;
};

struct rig {
    struct iskra_round round;
    struct iskra_driver *driver;
    struct iskra_transport *transport;
    struct iskra_error err;
};

int rig_setup(void **state);
int rig_teardown(void **state);

/* A connected pair of stream sockets; the near end is bound to the port. */
void port_open(struct rig *rig, struct fake_port *p);
void port_open_unbound(struct rig *rig, struct fake_port *p);
void port_open_tcp(struct rig *rig, struct fake_port *p);
void port_bind(struct fake_port *p);
void port_close(struct fake_port *p);

void peer_send(struct fake_port *p, const void *bytes, size_t len);
uint64_t check_bytes(uint64_t check, const uint8_t *bytes, size_t len);
bool fd_readable(int fd);

#endif
