/* The driver of the loop: how sockets, timers and deferred work reach it. A table of functions, so
 * that the loop in api/ does not know which one it runs on: epoll is the library's own, a simulator
 * brings another one through the platform table.
 *
 * The loop of a caller, one round:
 *
 *     n = iskra_driver_poll(driver, timeout_ns);   reads the clock (round->now_ns), receives
 *     run round->work; run timers; run round->work and round->xmit until both are empty
 *     iskra_driver_set_deadline(driver, earliest of all timers)
 *
 * A driver installs itself as round->ops (watches) and has a struct iskra_transport (tcp/port.h)
 * that the class is given. What is called through the table is called once per round; bytes take
 * the way that the transport's own table shows. */
#ifndef ISKRA_TRANSPORT_TRANSPORT_H
#define ISKRA_TRANSPORT_TRANSPORT_H

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "round.h"
#include "tcp/port.h"

struct iskra_driver;

struct iskra_driver_ops {
    const char *name; /* "epoll" */

    /* Returns 0 with round->ops set, or a negative errno with *err filled. round must outlive the
     * driver; round->pf is set. */
    int (*make)(struct iskra_round *round, struct iskra_driver **ret_driver,
                struct iskra_error *err);

    /* Every socket is unbound and every watch removed before. Never NULL. */
    void (*free)(struct iskra_driver *driver);

    /* Waits at most timeout_ns (0: not at all, negative: without limit), the first spin_ns of it by
     * looking again and again, reads the clock once into
     * round->now_ns and the trace, then gives every ready socket and watch its turn. A socket that
     * still has bytes after its share of a round keeps its place for the next one, which then does
     * not wait. Returns how many events were served, or a negative errno: it could not wait, or not
     * look, but the clock was read and what was known to be ready had its turn. Not from inside a
     * callback: -EDEADLK, and nothing is done. */
    int (*poll)(struct iskra_driver *driver, int64_t timeout_ns);

    /* What iskra_fd() gives out: the same for the driver's life. */
    int (*fd)(const struct iskra_driver *driver);

    /* Did a socket keep bytes for the next round? */
    bool (*pending)(const struct iskra_driver *driver);

    /* When the descriptor is to become readable by itself; ISKRA_NEVER: not. Cheap while the value
     * does not change. */
    void (*set_deadline)(struct iskra_driver *driver, uint64_t deadline_ns);

    /* Makes the descriptor readable until the next poll. From any thread. */
    void (*wake)(struct iskra_driver *driver);
};

/* The first member of every driver. */
struct iskra_driver {
    const struct iskra_driver_ops *ops;
    struct iskra_round *round;
    struct iskra_transport transport;
    uint64_t spin_ns; /* the loop's, before each poll that waits: 0, to sleep at once. A driver that
                         gains nothing by looking need not */
    bool watched;     /* the descriptor was given out: it has to show what is pending, too */
};

/* Sockets, timerfd and eventfd in one epoll set. */
extern const struct iskra_driver_ops iskra_epoll_ops;

/* The same, but sockets are received from by io_uring (receiver.h). */
extern const struct iskra_driver_ops iskra_uring_ops;

/* The one that the platform table names, or else `by_name` (NULL or "": epoll); NULL: there is none
 * of this name. A table that was built before it had such a member names none. */
static inline const struct iskra_driver_ops *iskra_driver_choose(const struct iskra_platform *pf,
                                                                 const char *by_name)
{
    bool known = pf->size >= offsetof(struct iskra_platform, driver) + sizeof(pf->driver);
    if (known && pf->driver != NULL)
        return pf->driver;
    if (by_name == NULL || by_name[0] == '\0' || strcmp(by_name, iskra_epoll_ops.name) == 0)
        return &iskra_epoll_ops;
    return strcmp(by_name, iskra_uring_ops.name) == 0 ? &iskra_uring_ops : NULL;
}

static inline void iskra_driver_free(struct iskra_driver *driver) /* NULL is accepted */
{
    if (driver != NULL)
        driver->ops->free(driver);
}

static inline int iskra_driver_poll(struct iskra_driver *driver, int64_t timeout_ns)
{
    return driver->ops->poll(driver, timeout_ns);
}

static inline int iskra_driver_fd(const struct iskra_driver *driver)
{
    return driver->ops->fd(driver);
}

static inline bool iskra_driver_pending(const struct iskra_driver *driver)
{
    return driver->ops->pending(driver);
}

/* For who is going to watch it instead of polling the driver. */
static inline int iskra_driver_give_fd(struct iskra_driver *driver)
{
    if (!driver->watched && driver->ops->pending(driver))
        driver->ops->wake(driver);
    driver->watched = true;
    return driver->ops->fd(driver);
}

static inline void iskra_driver_set_deadline(struct iskra_driver *driver, uint64_t deadline_ns)
{
    driver->ops->set_deadline(driver, deadline_ns);
}

static inline void iskra_driver_wake(struct iskra_driver *driver)
{
    driver->ops->wake(driver);
}

#endif
