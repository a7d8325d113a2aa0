/* Watches, sockets, and the turn of the loop: see driver.h. */
#include "sim/driver.h"

#include <errno.h>
#include <poll.h>
#include <string.h>

#include "error.h"
#include "sim/sim.h"

#define STAGING_LEN  65536u
#define IOV_CNT      64
#define READS_MAX    8
#define WATCH_CNT    64u
#define ROUND_IDLE   10000u /* rounds at one time: more is a loop without end */
#define SEND_LEN_MAX 65536u

struct socket {
    struct iskra_sock sock; /* first */
    struct iskra_list link; /* driver->sockets or ->unbound */
    struct sim_driver *driver;
    struct sim_conn *conn;
    bool suspended, full, finished, unbound;
    /* A window that is kept for a while before bytes are put into it. */
    bool held;
    int held_cnt;
    struct iovec held_iov[IOV_CNT];
    struct sim_event release;
};

struct sim_driver {
    struct iskra_driver driver; /* first */
    struct iskra_round_ops round_ops;
    struct sim *sim;
    struct iskra_list sockets, unbound;
    struct iskra_watch *watches[WATCH_CNT];
    unsigned watch_cnt;
    bool woken, polling;
    uint64_t idle_ns;
    unsigned idle_cnt;
    uint8_t staging[STAGING_LEN];
};

static struct sim *sim_of(const struct iskra_round *round)
{
    return round->pf->arg;
}

/* ---- watches ---- */

static struct sim_driver *driver_of(struct iskra_round *round)
{
    return sim_of(round)->driver;
}

static int watch_add(struct iskra_round *round, struct iskra_watch *watch)
{
    struct sim_driver *d = driver_of(round);
    if (!sim_conn_find(d->sim, watch->fd))
        return -EBADF;
    if (d->watch_cnt == WATCH_CNT)
        return -ENOSPC;
    d->watches[d->watch_cnt++] = watch;
    return 0;
}

static void watch_remove(struct iskra_round *round, struct iskra_watch *watch)
{
    struct sim_driver *d = driver_of(round);
    for (unsigned i = 0; i < d->watch_cnt; i++) {
        if (d->watches[i] == watch) {
            d->watches[i] = d->watches[--d->watch_cnt];
            return;
        }
    }
}

static bool watch_ready(const struct sim_driver *d, const struct iskra_watch *watch)
{
    const struct sim_conn *conn = sim_conn_find(d->sim, watch->fd);
    return conn && (watch->events & POLLOUT) && conn->phase != SIM_CONN_CONNECTING;
}

/* ---- sockets ---- */

static bool readable(const struct socket *s)
{
    if (s->unbound || s->suspended || s->finished || s->held)
        return false;
    return sim_pipe_readable(&s->conn->down) > 0 || sim_pipe_at_end(&s->conn->down) ||
           s->conn->error != 0;
}

static bool writable(const struct socket *s)
{
    if (s->unbound || s->finished || !s->full)
        return false;
    const struct sim_conn *conn =
        s->conn; /* that its peer has gone is known when the end is here */
    return sim_pipe_writable(&conn->up) > 0 || conn->error != 0 ||
           (!conn->peer && conn->down.end_arrived);
}

static bool ready(const struct sim_driver *d)
{
    if (d->woken)
        return true;
    for (unsigned i = 0; i < d->watch_cnt; i++)
        if (watch_ready(d, d->watches[i]))
            return true;
    ISKRA_LIST_FOREACH(l, &d->sockets)
    {
        const struct socket *s = iskra_container_of(l, struct socket, link);
        if (readable(s) || writable(s))
            return true;
    }
    return false;
}

static void give(struct socket *s, size_t n)
{
    int ret = s->sock.port->ops->recv(s->sock.port, n);
    if (s->unbound)
        return;
    if (ret == -EAGAIN)
        s->suspended = true;
    else if (ret < 0)
        s->finished = true;
}

static void end_of_stream(struct socket *s, int err)
{
    give(s, 0);
    if (s->unbound || s->suspended || s->finished)
        return;
    s->finished = true;
    s->sock.port->ops->state_change(s->sock.port, err);
}

/* Fills the window that is out. False: nothing more in this turn. */
static bool fill(struct socket *s, const struct iovec *iov, int cnt)
{
    ssize_t n = sim_conn_read(s->conn, iov, cnt);
    if (n > 0)
        sim_workload_moved(s->driver->sim, iov, cnt, "received");
    if (n == -EAGAIN)
        give(s, 0);
    else if (n <= 0)
        end_of_stream(s, (int)-n);
    else
        give(s, (size_t)n);
    return n > 0;
}

static void release(void *arg)
{
    struct socket *s = arg;
    s->driver->woken = true; /* the rest is done in a turn of the loop */
}

/* The window is out of the port's hands, and nothing is done with it for now. */
static bool hold(struct socket *s, const struct iovec *iov, int cnt)
{
    struct sim *sim = s->driver->sim;
    if (!sim_fault_happens(sim, SIM_FAULT_HOLD, sim->plan.hold))
        return false;
    s->held = true;
    s->held_cnt = cnt;
    memcpy(s->held_iov, iov, (size_t)cnt * sizeof(*iov));
    sim_clock_set(&sim->clock, &s->release,
                  sim->clock.now_ns + sim_random_below(&sim->net_random, sim->plan.hold_ns));
    return true;
}

static void read_sock(struct socket *s)
{
    struct iskra_port *port = s->sock.port;
    for (int i = 0; i < READS_MAX && readable(s); i++) {
        struct iovec iov[IOV_CNT];
        int cnt = port->ops->recv_window(port, s->driver->staging, STAGING_LEN, iov, IOV_CNT);
        if (cnt <= 0) {
            s->suspended = true;
            return;
        }
        if (hold(s, iov, cnt) || !fill(s, iov, cnt))
            return;
    }
}

static void serve(struct socket *s)
{
    if (s->held && !sim_event_is_set(&s->release)) {
        s->held = false;
        (void)fill(s, s->held_iov, s->held_cnt);
    }
    if (!s->unbound && readable(s))
        read_sock(s);
    if (!s->unbound && writable(s)) {
        s->full = false;
        s->sock.port->ops->write_space(s->sock.port);
    }
}

static void free_unbound(struct sim_driver *d)
{
    const struct iskra_platform *pf = d->driver.round->pf;
    for (struct iskra_list *l; (l = iskra_list_pop_front(&d->unbound)) != NULL;)
        pf->free(pf->arg, iskra_container_of(l, struct socket, link));
}

static int bind_conn(struct iskra_transport *transport, struct iskra_port *port, int fd,
                     bool is_leading, struct iskra_sock **ret_sock, struct iskra_error *err)
{
    struct sim_driver *d = iskra_container_of(transport, struct sim_driver, driver.transport);
    const struct iskra_platform *pf = d->driver.round->pf;
    struct sim_conn *conn = sim_conn_find(d->sim, fd);
    if (!conn)
        return iskra_fail(err, ISKRA_E_SYSTEM, EEXIST, "descriptor %d is not a socket", fd);
    struct socket *s = pf->alloc(pf->arg, sizeof(*s));
    if (!s)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a socket");
    s->sock = (struct iskra_sock){.ops = transport->ops, .port = port};
    s->driver = d;
    s->conn = conn;
    s->release = (struct sim_event){.fn = release, .arg = s};
    iskra_list_push_back(&d->sockets, &s->link);
    port->ops->bound(port);
    *ret_sock = &s->sock;
    return 0;
}

static void unbind_conn(struct iskra_sock *sock)
{
    if (!sock)
        return;
    struct socket *s = (struct socket *)sock;
    sim_clock_clear(&s->driver->sim->clock, &s->release);
    s->unbound = true;
    iskra_list_remove(&s->link);
    iskra_list_push_back(&s->driver->unbound, &s->link); /* a caller may still look at it */
}

static int xmit(struct iskra_sock *sock)
{
    struct socket *s = (struct socket *)sock;
    struct iskra_port *port = sock->port;
    struct iovec iov[IOV_CNT];
    if (s->unbound)
        return -ENOTCONN;
    if (s->full)
        return -EAGAIN;
    for (;;) {
        int cnt = port->ops->send_window(port, iov, IOV_CNT, SEND_LEN_MAX);
        if (cnt <= 0)
            return 0;
        size_t len = 0;
        for (int i = 0; i < cnt; i++)
            len += iov[i].iov_len;
        sim_workload_moved(s->driver->sim, iov, cnt, "sent");
        ssize_t n = sim_conn_write(s->conn, iov, cnt);
        if (n == -EAGAIN || (n >= 0 && (size_t)n < len))
            s->full = true; /* before sent(), which may call back */
        port->ops->sent(port, n > 0 ? (size_t)n : 0);
        if (s->unbound)
            return -ENOTCONN;
        if (n < 0)
            return (int)n;
        if (s->full)
            return -EAGAIN;
    }
}

static void resume(struct iskra_sock *sock)
{
    struct socket *s = (struct socket *)sock;
    s->suspended = false;
    if (!s->driver->polling)
        s->driver->woken = true;
}

static void recall(struct iskra_sock *sock)
{
    struct socket *s = (struct socket *)sock;
    if (!s->held)
        return;
    sim_clock_clear(&s->driver->sim->clock, &s->release);
    s->held = false;
    give(s, 0);
}

static const struct iskra_transport_ops transport_ops = {
    .name = "sim",
    .bind_conn = bind_conn,
    .unbind_conn = unbind_conn,
    .xmit = xmit,
    .recall = recall,
    .resume = resume,
};

/* ---- the driver ---- */

static int driver_make(struct iskra_round *round, struct iskra_driver **ret_driver,
                       struct iskra_error *err)
{
    const struct iskra_platform *pf = round->pf;
    struct sim_driver *d = pf->alloc(pf->arg, sizeof(*d));
    if (!d)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for the event loop");
    d->driver = (struct iskra_driver){
        .ops = &sim_driver_ops, .round = round, .transport = {.ops = &transport_ops}};
    d->round_ops = (struct iskra_round_ops){.watch_add = watch_add, .watch_remove = watch_remove};
    d->sim = sim_of(round);
    iskra_list_init(&d->sockets);
    iskra_list_init(&d->unbound);
    round->ops = &d->round_ops;
    d->sim->driver = d;
    *ret_driver = &d->driver;
    return 0;
}

static void driver_free(struct iskra_driver *driver)
{
    struct sim_driver *d = (struct sim_driver *)driver;
    const struct iskra_platform *pf = driver->round->pf;
    free_unbound(d);
    driver->round->ops = NULL;
    d->sim->driver = NULL;
    pf->free(pf->arg, d);
}

/* Lets time go on until something is ready or the limit is reached. */
static int let_time_pass(struct sim_driver *d, int64_t timeout_ns)
{
    struct sim *sim = d->sim;
    uint64_t limit_ns = timeout_ns < 0 ? SIM_NEVER : sim->clock.now_ns + (uint64_t)timeout_ns;
    while (!ready(d)) {
        uint64_t next_ns = sim_clock_next_ns(&sim->clock);
        if (next_ns == SIM_NEVER && limit_ns == SIM_NEVER) {
            sim_fail(&sim->record, "somebody waits, and nothing will ever happen");
            return -EIO;
        }
        if (next_ns > limit_ns) {
            sim->clock.now_ns = limit_ns;
            return 0;
        }
        sim_clock_run_next(&sim->clock);
    }
    return 0;
}

/* Rounds without end, in which time stands still. */
static void judge_progress(struct sim_driver *d)
{
    struct sim *sim = d->sim;
    d->idle_cnt = d->idle_ns == sim->clock.now_ns ? d->idle_cnt + 1 : 0;
    d->idle_ns = sim->clock.now_ns;
    if (d->idle_cnt == ROUND_IDLE)
        sim_fail(&sim->record, "%u rounds of the loop in which no time has passed", ROUND_IDLE);
}

static void serve_watches(struct sim_driver *d)
{
    for (unsigned i = 0; i < d->watch_cnt; i++) {
        if (!watch_ready(d, d->watches[i]))
            continue;
        struct iskra_watch *watch = d->watches[i];
        watch->fn(watch, POLLOUT);
        i = (unsigned)-1; /* it may have added and removed some */
        if (d->watch_cnt == 0 || !ready(d))
            return;
    }
}

static int driver_poll(struct iskra_driver *driver, int64_t timeout_ns)
{
    struct sim_driver *d = (struct sim_driver *)driver;
    if (d->polling)
        return -EDEADLK;
    free_unbound(d);
    int ret = let_time_pass(d, timeout_ns);
    driver->round->now_ns = d->sim->clock.now_ns;
    driver->round->trace.now_ns = driver->round->now_ns;
    if (ret < 0)
        return ret;
    judge_progress(d);
    d->polling = true;
    d->woken = false;
    serve_watches(d);
    struct iskra_list turn;
    iskra_list_init(&turn);
    iskra_list_splice_back(&turn, &d->sockets);
    int served = 0;
    for (struct iskra_list *l; (l = iskra_list_pop_front(&turn)) != NULL; served++) {
        struct socket *s = iskra_container_of(l, struct socket, link);
        iskra_list_push_back(&d->sockets, &s->link);
        serve(s);
    }
    d->polling = false;
    return served;
}

static int driver_fd(const struct iskra_driver *driver)
{
    return -1;
}

static bool driver_pending(const struct iskra_driver *driver)
{
    const struct sim_driver *d = (const struct sim_driver *)driver;
    ISKRA_LIST_FOREACH(l, &d->sockets)
    {
        if (readable(iskra_container_of(l, struct socket, link)))
            return true;
    }
    return false;
}

/* The library's own limit on each wait has it already. */
static void driver_set_deadline(struct iskra_driver *driver, uint64_t deadline_ns) {}

static void driver_wake(struct iskra_driver *driver)
{
    ((struct sim_driver *)driver)->woken = true;
}

const struct iskra_driver_ops sim_driver_ops = {
    .name = "sim",
    .make = driver_make,
    .free = driver_free,
    .poll = driver_poll,
    .fd = driver_fd,
    .pending = driver_pending,
    .set_deadline = driver_set_deadline,
    .wake = driver_wake,
};
