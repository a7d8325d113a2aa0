/* What makes the descriptor of a loop readable although no socket is: a timerfd, re-armed only when
 * the deadline changes, and an eventfd that any thread may ring. A driver watches both descriptors
 * and says when they were readable. */
#ifndef ISKRA_TRANSPORT_BELL_H
#define ISKRA_TRANSPORT_BELL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include <iskra/platform.h>

struct iskra_bell {
    const struct iskra_platform *pf;
    int timer_fd, wake_fd;
    uint64_t deadline_ns; /* what timer_fd is set to */
    atomic_bool woken;
};

/* 0 or a negative errno; iskra_bell_done() is right after either. */
int iskra_bell_init(struct iskra_bell *bell, const struct iskra_platform *pf);
void iskra_bell_done(struct iskra_bell *bell);

/* As the functions of struct iskra_driver_ops; ring is wake. */
void iskra_bell_set_deadline(struct iskra_bell *bell, uint64_t deadline_ns);
void iskra_bell_ring(struct iskra_bell *bell);

/* The descriptor was readable: takes what made it so. */
void iskra_bell_timer_served(struct iskra_bell *bell);
void iskra_bell_wake_served(struct iskra_bell *bell);

#endif
