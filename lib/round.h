/* What every layer sees of the loop it runs in: the round's time, exact timers, deferred work, the
 * trace, the platform, and a way to have a descriptor watched. One per initiator (struct iskra);
 * everything in it belongs to one thread at a time.
 *
 * A round: read the clock once, receive, complete, run timers, run `work`, then `xmit`. now_ns is
 * that one reading, so time costs nothing per I/O; a submit from outside a round refreshes it
 * first. */
#ifndef ISKRA_ROUND_H
#define ISKRA_ROUND_H

#include <stdint.h>

#include <iskra/platform.h>

#include "spare.h"
#include "timer.h"
#include "trace.h"
#include "work.h"

struct iskra_round;

/* A descriptor watched for readiness (connects in progress, name resolution, mailboxes): not for
 * data sockets, which are bound to a port instead. Level-triggered. */
struct iskra_watch {
    int fd;
    uint32_t events; /* POLLIN, POLLOUT */
    void (*fn)(struct iskra_watch *watch, uint32_t revents);
};

struct iskra_round_ops {
    /* 0 or a negative errno. */
    int (*watch_add)(struct iskra_round *round, struct iskra_watch *watch);
    /* Safe from inside fn. */
    void (*watch_remove)(struct iskra_round *round, struct iskra_watch *watch);
};

struct iskra_round {
    const struct iskra_round_ops *ops;
    const struct iskra_platform *pf;
    uint64_t now_ns;
    struct iskra_timers timers;
    struct iskra_workq work; /* completions, events, expired timers */
    struct iskra_workq xmit; /* transmit workers; run when `work` is empty */
    struct iskra_trace trace;
    /* What all sessions share, because each needs it only while it logs in: room for a login's text
     * (control/login.h), and for the data of a PDU (tcp/recv.h). */
    struct iskra_spare login_texts, pdu_data;
};

#endif
