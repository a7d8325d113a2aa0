/* The epoll driver: which descriptor is ready, and whose turn it is. Bound sockets are in
 * epoll_socket.c; what is done with a ready one in stream.c.
 *
 * One epoll descriptor for the life of the initiator. Data sockets are registered once,
 * edge-triggered, so that no epoll_ctl is needed per I/O. The same descriptor becomes readable when
 * the deadline passes and when the loop is to be woken (bell.h). Waiting goes through the platform.
 *
 * The io_uring driver is this one with a receiver (receiver.h): bytes come in by the ring, whose
 * descriptor is in the epoll set; all else is the same.
 *
 * Events are fetched in batches, and any callback may unbind a socket or remove a watch that has an
 * event in the batch; such events are struck out, and a socket's memory is kept until the batch is
 * over. */
#include "transport/epoll.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "error.h"
#include "trace.h"
#include "transport/spin.h"

static uint64_t event_of(void *p, enum event_kind kind)
{
    return (uint64_t)(uintptr_t)p | (uint64_t)kind;
}

int iskra_epoll_add(struct iskra_epoll *d, int fd, uint32_t events, void *p, enum event_kind kind)
{
    struct epoll_event ev = {.events = events, .data = {.u64 = event_of(p, kind)}};
    return epoll_ctl(d->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0 ? -errno : 0;
}

void iskra_epoll_strike_out(struct iskra_epoll *d, void *p, enum event_kind kind)
{
    for (unsigned i = 0; i < d->event_cnt; i++) {
        if (d->events[i].data.u64 == event_of(p, kind))
            d->events[i].data.u64 = EVENT_STRUCK;
    }
}

/* ---- watches ---- */

static struct iskra_epoll *driver_of(struct iskra_round *round)
{
    return (struct iskra_epoll *)((char *)(uintptr_t)round->ops -
                                  offsetof(struct iskra_epoll, round_ops));
}

static int watch_add(struct iskra_round *round, struct iskra_watch *watch)
{
    uint32_t events = (watch->events & POLLIN ? (uint32_t)EPOLLIN : 0) |
                      (watch->events & POLLOUT ? (uint32_t)EPOLLOUT : 0);
    return iskra_epoll_add(driver_of(round), watch->fd, events, watch, EVENT_WATCH);
}

static void watch_remove(struct iskra_round *round, struct iskra_watch *watch)
{
    struct iskra_epoll *d = driver_of(round);
    (void)epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, watch->fd, NULL); /* gone already: fine */
    iskra_epoll_strike_out(d, watch, EVENT_WATCH);
}

static void serve_watch(struct iskra_watch *watch, uint32_t events)
{
    uint32_t revents = 0;
    revents |= events & EPOLLIN ? (uint32_t)POLLIN : 0;
    revents |= events & EPOLLOUT ? (uint32_t)POLLOUT : 0;
    revents |= events & EPOLLERR ? (uint32_t)POLLERR : 0;
    revents |= events & EPOLLHUP ? (uint32_t)POLLHUP : 0;
    watch->fn(watch, revents);
}

/* ---- the driver ---- */

static void driver_wake(struct iskra_driver *driver)
{
    iskra_bell_ring(&((struct iskra_epoll *)driver)->bell);
}

static void receiver_free(struct iskra_receiver *receiver)
{
    if (receiver != NULL)
        receiver->ops->free(receiver);
}

static void driver_free(struct iskra_driver *driver)
{
    struct iskra_epoll *d = (struct iskra_epoll *)driver;
    iskra_epoll_free_unbound(d);
    if (d->epoll_fd >= 0)
        (void)close(d->epoll_fd);
    iskra_bell_done(&d->bell);
    receiver_free(d->receiver);
    driver->round->ops = NULL;
    const struct iskra_platform *pf = driver->round->pf;
    pf->free(pf->arg, d);
}

static int open_all(struct iskra_epoll *d)
{
    const struct iskra_platform *pf = d->driver.round->pf;
    d->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    int ret = d->epoll_fd < 0 ? -errno : 0;
    int bell_ret = iskra_bell_init(&d->bell, pf);
    if (ret == 0)
        ret = bell_ret;
    if (ret == 0)
        ret = iskra_epoll_add(d, d->bell.timer_fd, EPOLLIN, NULL, EVENT_TIMER);
    if (ret == 0)
        ret = iskra_epoll_add(d, d->bell.wake_fd, EPOLLIN, NULL, EVENT_WAKE);
    if (ret == 0 && d->receiver != NULL)
        ret = iskra_epoll_add(d, d->receiver->fd, EPOLLIN, NULL, EVENT_RECEIVER);
    return ret;
}

static int make(const struct iskra_driver_ops *ops, struct iskra_round *round,
                struct iskra_receiver *receiver, struct iskra_driver **ret_driver,
                struct iskra_error *err)
{
    const struct iskra_platform *pf = round->pf;
    struct iskra_epoll *d = pf->alloc(pf->arg, sizeof(*d));
    if (!d) {
        receiver_free(receiver);
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for the event loop");
    }
    d->driver = (struct iskra_driver){.ops = ops, .round = round};
    d->driver.transport.ops =
        receiver != NULL ? &iskra_uring_transport_ops : &iskra_epoll_transport_ops;
    d->round_ops = (struct iskra_round_ops){.watch_add = watch_add, .watch_remove = watch_remove};
    d->receiver = receiver;
    d->waits_itself = true;
    iskra_list_init(&d->ready);
    iskra_list_init(&d->unbound);

    int ret = open_all(d);
    if (ret < 0) {
        driver_free(&d->driver);
        return iskra_fail(err, ISKRA_E_SYSTEM, -ret, "no event loop: %s", strerror(-ret));
    }
    round->ops = &d->round_ops;
    *ret_driver = &d->driver;
    return 0;
}

static int driver_make(struct iskra_round *round, struct iskra_driver **ret_driver,
                       struct iskra_error *err)
{
    return make(&iskra_epoll_ops, round, NULL, ret_driver, err);
}

static int uring_make(struct iskra_round *round, struct iskra_driver **ret_driver,
                      struct iskra_error *err)
{
    struct iskra_receiver *receiver = NULL;
#ifdef ISKRA_IO_URING
    int ret = iskra_uring_receiver_new(round->pf, &receiver);
#else
    int ret = -ENOSYS;
#endif
    if (ret < 0)
        return iskra_fail(err, ISKRA_E_SYSTEM, -ret, "no io_uring: %s", strerror(-ret));
    return make(&iskra_uring_ops, round, receiver, ret_driver, err);
}

static int driver_fd(const struct iskra_driver *driver)
{
    return ((const struct iskra_epoll *)driver)->epoll_fd;
}

static bool arrived(const struct iskra_epoll *d)
{
    return d->receiver != NULL && d->receiver->ops->arrived(d->receiver);
}

/* Is there something to do without looking at the descriptors? */
static bool something_left(const struct iskra_epoll *d)
{
    return !iskra_list_empty(&d->ready) || arrived(d);
}

static bool driver_pending(const struct iskra_driver *driver)
{
    return something_left((const struct iskra_epoll *)driver);
}

static void driver_set_deadline(struct iskra_driver *driver, uint64_t deadline_ns)
{
    iskra_bell_set_deadline(&((struct iskra_epoll *)driver)->bell, deadline_ns);
}

static void serve_event(struct iskra_epoll *d, const struct epoll_event *ev)
{
    uintptr_t p = (uintptr_t)ev->data.u64;
    enum event_kind kind = (enum event_kind)(p & EVENT_KIND_MASK);
    void *target = (void *)(p & ~(uintptr_t)EVENT_KIND_MASK);
    switch (kind) {
    case EVENT_STRUCK:
    case EVENT_RECEIVER: /* looked at in any case */
        break;
    case EVENT_WATCH:
        serve_watch(target, ev->events);
        break;
    case EVENT_STREAM: {
        struct iskra_stream *stream = target;
        iskra_list_remove(&stream->link); /* its turn is now, and no other one in this poll */
        iskra_epoll_serve_stream(d, stream, ev->events);
        break;
    }
    case EVENT_TIMER:
        iskra_bell_timer_served(&d->bell);
        break;
    case EVENT_WAKE:
        iskra_bell_wake_served(&d->bell);
        break;
    }
}

static void read_clock(struct iskra_epoll *d)
{
    const struct iskra_platform *pf = d->driver.round->pf;
    d->driver.round->now_ns = pf->now_ns(pf->arg);
    d->driver.round->trace.now_ns = d->driver.round->now_ns;
}

/* Through the platform, which may have a time of its own. 0, or why it could not wait: then it has
 * not, and everything else goes on all the same. */
static int wait_for_event(struct iskra_epoll *d, int64_t timeout_ns)
{
    const struct iskra_platform *pf = d->driver.round->pf;
    struct pollfd pfd = {.fd = d->epoll_fd, .events = POLLIN};
    int ret = pf->wait(pf->arg, &pfd, 1, timeout_ns);
    return ret < 0 && ret != -EINTR ? ret : 0;
}

/* What is ready now. */
static int fetch_events(struct iskra_epoll *d)
{
    int n = epoll_wait(d->epoll_fd, d->events, ISKRA_EPOLL_EVENT_CNT, 0);
    d->event_cnt = n > 0 ? (unsigned)n : 0;
    return n < 0 && errno != EINTR ? -errno : 0;
}

/* What is ready now or will be, in one call. False: it could not; if this kernel (before 5.11) or a
 * filter of system calls does not know the call, it is not tried again. */
static bool wait_and_fetch(struct iskra_epoll *d, int64_t timeout_ns)
{
#ifdef ISKRA_EPOLL_PWAIT2
    struct timespec ts = {0};
    if (timeout_ns > 0) {
        ts.tv_sec = (time_t)(timeout_ns / 1000000000);
        ts.tv_nsec = (long)(timeout_ns % 1000000000);
    }
    int n = epoll_pwait2(d->epoll_fd, d->events, ISKRA_EPOLL_EVENT_CNT, timeout_ns < 0 ? NULL : &ts,
                         NULL);
    d->event_cnt = n > 0 ? (unsigned)n : 0;
    if (n < 0 && (errno == ENOSYS || errno == EPERM))
        d->waits_itself = false;
    return n >= 0 || errno == EINTR;
#else
    return false;
#endif
}

/* Fetches without sleeping until something is there. False: nothing came in spin_ns, which is taken
 * off the timeout. */
static bool look_busily(struct iskra_epoll *d, int64_t *timeout_ns)
{
    struct iskra_spin spin;
    iskra_spin_begin(&spin, d->driver.round->pf, d->driver.spin_ns, *timeout_ns);
    do {
        if (fetch_events(d) < 0 || d->event_cnt > 0 || arrived(d))
            break;
    } while (iskra_spin_again(&spin));
    *timeout_ns = iskra_spin_left_ns(&spin, *timeout_ns);
    return d->event_cnt > 0 || arrived(d);
}

/* Sockets that wait for their turn are reason enough not to ask for more, but once at most: new
 * events are seen in every other poll. */
static bool goes_on(struct iskra_epoll *d)
{
    d->went_on = !d->went_on && !iskra_list_empty(&d->ready) && d->receiver == NULL;
    return d->went_on;
}

/* Waits, reads the clock, fetches. */
static int next_events(struct iskra_epoll *d, int64_t timeout_ns)
{
    int waited = 0;
    if (goes_on(d)) {
        read_clock(d);
        return 0;
    }
    bool wait = timeout_ns != 0 && !something_left(d);
    bool itself = d->waits_itself && d->driver.round->pf->wait == iskra_platform_posix()->wait;
    bool there = wait && d->driver.spin_ns > 0 && look_busily(d, &timeout_ns);
    if (there || (wait && itself && wait_and_fetch(d, timeout_ns))) {
        read_clock(d);
        return 0;
    }
    if (wait)
        waited = wait_for_event(d, timeout_ns);
    read_clock(d);
    int ret = fetch_events(d);
    return ret < 0 ? ret : waited;
}

static int driver_poll(struct iskra_driver *driver, int64_t timeout_ns)
{
    struct iskra_epoll *d = (struct iskra_epoll *)driver;
    if (d->polling)
        return -EDEADLK;
    iskra_epoll_free_unbound(d);
    int ret = next_events(d, timeout_ns);
    d->polling = true;
    struct iskra_list due;
    iskra_list_init(&due);
    iskra_list_splice_back(&due, &d->ready);
    int served = 0;
    if (d->receiver != NULL)
        served += iskra_epoll_serve_arrived(d);
    for (unsigned i = 0; i < d->event_cnt; i++) {
        /* A copy: the callback may strike out this very event. */
        struct epoll_event ev = d->events[i];
        serve_event(d, &ev);
        served += (ev.data.u64 & EVENT_KIND_MASK) != EVENT_STRUCK;
    }
    d->event_cnt = 0;
    served += iskra_epoll_serve_ready(d, &due);
    d->polling = false;
    if (d->receiver != NULL)
        d->receiver->ops->submit(d->receiver);
    if (d->driver.watched && something_left(d))
        driver_wake(&d->driver);
    return ret < 0 ? ret : served;
}

const struct iskra_driver_ops iskra_epoll_ops = {
    .name = "epoll",
    .make = driver_make,
    .free = driver_free,
    .poll = driver_poll,
    .fd = driver_fd,
    .pending = driver_pending,
    .set_deadline = driver_set_deadline,
    .wake = driver_wake,
};

const struct iskra_driver_ops iskra_uring_ops = {
    .name = "io_uring",
    .make = uring_make,
    .free = driver_free,
    .poll = driver_poll,
    .fd = driver_fd,
    .pending = driver_pending,
    .set_deadline = driver_set_deadline,
    .wake = driver_wake,
};
