/* The epoll driver: the default way in which sockets, timers and deferred work reach the loop.
 *
 * One epoll descriptor for the life of the initiator; it is what iskra_fd() gives out. Data sockets
 * are registered once, edge-triggered, so that no epoll_ctl is needed per I/O. The same descriptor
 * becomes readable when the deadline passes (a timerfd, re-armed only when the deadline changes)
 * and when iskra_epoll_wake() was called (an eventfd).
 *
 * The loop of a caller, one round:
 *
 *     n = iskra_epoll_poll(driver, timeout_ns);   reads the clock (round->now_ns), receives
 *     run round->work; run timers; run round->work and round->xmit until both are empty
 *     iskra_epoll_set_deadline(driver, earliest of all timers)
 *
 * A driver installs itself as round->ops (watches) and is handed to the class as a struct
 * iskra_transport (tcp/port.h). */
#ifndef ISKRA_TRANSPORT_TRANSPORT_H
#define ISKRA_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "round.h"
#include "tcp/port.h"

struct iskra_epoll;

/* Returns 0 with round->ops set, or a negative errno with *err filled. round must outlive the
 * driver; round->pf is set. */
int iskra_epoll_new(struct iskra_round *round, struct iskra_epoll **ret_driver,
                    struct iskra_error *err);

/* Every socket must be unbound and every watch removed before. NULL is accepted. */
void iskra_epoll_free(struct iskra_epoll *driver);

int iskra_epoll_fd(const struct iskra_epoll *driver); /* the same for the driver's life */
struct iskra_transport *iskra_epoll_transport(struct iskra_epoll *driver);

/* Waits at most timeout_ns (0: not at all, negative: without limit) through the platform's wait,
 * reads the clock once into round->now_ns and the trace, then gives every ready socket and watch
 * its turn. A socket that still has bytes after its share of a round keeps its place for the next
 * one, which then does not wait. Returns how many events were served, or a negative errno. Not from
 * inside a callback. */
int iskra_epoll_poll(struct iskra_epoll *driver, int64_t timeout_ns);

/* Did a socket keep bytes for the next round? */
bool iskra_epoll_pending(const struct iskra_epoll *driver);

/* When the descriptor is to become readable by itself; ISKRA_NEVER: not. Cheap while the value does
 * not change. */
void iskra_epoll_set_deadline(struct iskra_epoll *driver, uint64_t deadline_ns);

/* Makes the descriptor readable until the next poll. From any thread. */
void iskra_epoll_wake(struct iskra_epoll *driver);

#endif
