/* Sockets around the target's core: see portal.h. Level-triggered, with bounded work per socket and
 * round, so that one busy initiator cannot starve another. */
#include "target/portal.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "error.h"
#include "list.h"
#include "target/address.h"
#include "transport/loopback.h"

#define LISTENER_MAX   8u
#define EVENT_MAX      64
#define IOV_MAX_SEND   512u
#define TURN_MAX       8 /* receives, and sends, of one socket in one round */
#define DRAIN_NS       UINT64_C(2000000000)
#define ACCEPT_REST_NS UINT64_C(100000000) /* after running out of descriptors */

enum socket_kind {
    SOCKET_STOP,
    SOCKET_LISTENER,
    SOCKET_CONN,  /* serves an initiator */
    SOCKET_DRAIN, /* has said all it will say; waits for the peer's end, lest a reset overtake our
                     last PDU */
};

struct socket {
    struct iskra_list link; /* in portal->sockets */
    enum socket_kind kind;
    int fd;
    uint32_t armed; /* epoll events asked for */
    uint64_t drain_end_ns;
    struct iskra_target_conn *conn;
};

struct iskra_target_portal {
    struct iskra_target *target;
    int epoll_fd;
    uint64_t now_ns, next_ns; /* next_ns: no deadline is earlier */
    uint64_t busy_poll_ns, look_until_ns;
    struct iskra_list sockets;
    struct socket listeners[LISTENER_MAX];
    char addresses[LISTENER_MAX][ADDRESS_TEXT_MAX];
    unsigned listener_cnt;
};

static uint64_t clock_ns(void)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
    return (uint64_t)ts.tv_sec * UINT64_C(1000000000) + (uint64_t)ts.tv_nsec;
}

static int watch(struct iskra_target_portal *portal, struct socket *s, int op, uint32_t events)
{
    struct epoll_event event = {.events = events, .data.ptr = s};
    s->armed = events;
    return epoll_ctl(portal->epoll_fd, op, s->fd, &event) < 0 ? -errno : 0;
}

static void wake_at(struct iskra_target_portal *portal, uint64_t ns)
{
    if (ns < portal->next_ns)
        portal->next_ns = ns;
}

int iskra_target_portal_new(struct iskra_target *target, struct iskra_target_portal **ret_portal,
                            struct iskra_error *err)
{
    struct iskra_target_portal *portal = calloc(1, sizeof(*portal));
    if (!portal)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a portal");
    portal->target = target;
    portal->next_ns = UINT64_MAX;
    iskra_list_init(&portal->sockets);
    portal->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (portal->epoll_fd < 0) {
        int rc = iskra_fail(err, ISKRA_E_SYSTEM, errno, "epoll_create1: %s", strerror(errno));
        free(portal);
        return rc;
    }
    *ret_portal = portal;
    return 0;
}

void iskra_target_portal_busy_poll(struct iskra_target_portal *portal, uint64_t ns)
{
    portal->busy_poll_ns = ns;
}

static int listener_open(const struct sockaddr *addr, socklen_t len)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    const int on = 1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on,
                     sizeof(on)); /* else a restart has to wait */
    if (addr->sa_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &on, sizeof(on)); /* one family each */
    iskra_sock_unpaced_on_loopback(fd, addr);
    if (bind(fd, addr, len) < 0 || listen(fd, 128) < 0) {
        int rc = -errno;
        (void)close(fd);
        return rc;
    }
    return fd;
}

int iskra_target_portal_listen(struct iskra_target_portal *portal, const char *address,
                               struct iskra_error *err)
{
    if (portal->listener_cnt == LISTENER_MAX)
        return iskra_fail(err, ISKRA_E_USAGE, ENOSPC, "more than %u listeners", LISTENER_MAX);
    struct sockaddr_storage addr;
    socklen_t len;
    int rc = target_address_parse(address, &addr, &len, err);
    if (rc < 0)
        return rc;
    int fd = listener_open((const struct sockaddr *)&addr, len);
    if (fd < 0)
        return iskra_fail(err, ISKRA_E_SYSTEM, -fd, "cannot listen on %s: %s", address,
                          strerror(-fd));
    struct socket *s = &portal->listeners[portal->listener_cnt];
    *s = (struct socket){.kind = SOCKET_LISTENER, .fd = fd};
    iskra_list_init(&s->link);
    rc = target_address_local(fd, portal->addresses[portal->listener_cnt]);
    if (rc == 0)
        rc = watch(portal, s, EPOLL_CTL_ADD, EPOLLIN);
    if (rc < 0) {
        (void)close(fd);
        return iskra_fail(err, ISKRA_E_SYSTEM, -rc, "cannot listen on %s: %s", address,
                          strerror(-rc));
    }
    portal->listener_cnt++;
    return 0;
}

const char *iskra_target_portal_address(const struct iskra_target_portal *portal, unsigned index)
{
    return index < portal->listener_cnt ? portal->addresses[index] : NULL;
}

/* A core connection for a fresh descriptor; the descriptor is closed if there can be none. */
static void conn_open(struct iskra_target_portal *portal, int fd)
{
    char local[ADDRESS_TEXT_MAX];
    const int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on)); /* slower without, no worse */
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof(on)); /* for peers that vanish */
    struct socket *s = calloc(1, sizeof(*s));
    if (s && target_address_local(fd, local) == 0)
        s->conn = iskra_target_conn_new(portal->target, local, portal->now_ns);
    if (!s || !s->conn) {
        free(s);
        (void)close(fd);
        return;
    }
    s->kind = SOCKET_CONN;
    s->fd = fd;
    iskra_list_push_back(&portal->sockets, &s->link);
    wake_at(portal, iskra_target_conn_deadline_ns(s->conn));
    if (watch(portal, s, EPOLL_CTL_ADD, EPOLLIN) == 0)
        return;
    iskra_list_remove(&s->link);
    iskra_target_conn_free(s->conn);
    free(s);
    (void)close(fd);
}

static void accept_all(struct iskra_target_portal *portal, struct socket *listener)
{
    for (int turn = 0; turn < EVENT_MAX; turn++) {
        int fd = accept4(listener->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd >= 0) {
            conn_open(portal, fd);
            continue;
        }
        if (errno == EINTR || errno == ECONNABORTED)
            continue;
        if (errno != EAGAIN) { /* no descriptors or memory: rest, instead of spinning */
            (void)watch(portal, listener, EPOLL_CTL_MOD, 0);
            wake_at(portal, portal->now_ns + ACCEPT_REST_NS);
        }
        return;
    }
}

/* Closing alone takes a descriptor off epoll only if nobody has a copy of it, and a process that
 * was forked from ours in this moment has: then its events would go on, to memory that is free. */
static void socket_free(struct iskra_target_portal *portal, struct socket *s)
{
    iskra_list_remove(&s->link);
    iskra_target_conn_free(s->conn);
    (void)epoll_ctl(portal->epoll_fd, EPOLL_CTL_DEL, s->fd, NULL); /* it was added */
    (void)close(s->fd);
    free(s);
}

/* The core is done with it; the socket lives on until the peer has read what we said. */
static void drain_begin(struct iskra_target_portal *portal, struct socket *s)
{
    iskra_target_conn_free(s->conn);
    s->conn = NULL;
    s->kind = SOCKET_DRAIN;
    s->drain_end_ns = portal->now_ns + DRAIN_NS;
    wake_at(portal, s->drain_end_ns);
    if (shutdown(s->fd, SHUT_WR) < 0 || watch(portal, s, EPOLL_CTL_MOD, EPOLLIN) < 0)
        socket_free(portal, s);
}

static void drain(struct iskra_target_portal *portal, struct socket *s)
{
    uint8_t sink[16384];
    for (int turn = 0; turn < TURN_MAX; turn++) {
        ssize_t n = recv(s->fd, sink, sizeof(sink), 0);
        if (n > 0)
            continue;
        if (n == 0 || (errno != EAGAIN && errno != EINTR))
            socket_free(portal, s);
        return;
    }
}

enum io {
    IO_MORE,
    IO_DRY,
    IO_LOST
};

static enum io io_failed(void)
{
    return errno == EAGAIN || errno == EINTR ? IO_DRY : IO_LOST;
}

static enum io receive(struct iskra_target_portal *portal, struct socket *s)
{
    struct iovec iov[2];
    unsigned cnt = iskra_target_conn_recv_window(s->conn, iov);
    if (cnt == 0)
        return IO_DRY;
    size_t room = iov[0].iov_len + (cnt > 1 ? iov[1].iov_len : 0);
    ssize_t n =
        cnt == 1 ? recv(s->fd, iov[0].iov_base, iov[0].iov_len, 0) : readv(s->fd, iov, (int)cnt);
    if (n == 0)
        return IO_LOST;
    if (n < 0)
        return io_failed();
    iskra_target_conn_received(s->conn, (size_t)n, portal->now_ns);
    return (size_t)n == room ? IO_MORE : IO_DRY;
}

/* IO_MORE: nothing is left to send now. */
static enum io send_all(struct iskra_target_portal *portal, struct socket *s)
{
    struct iovec iov[IOV_MAX_SEND];
    for (int turn = 0; turn < TURN_MAX; turn++) {
        unsigned cnt = iskra_target_conn_send_window(s->conn, iov, IOV_MAX_SEND);
        if (cnt == 0)
            return IO_MORE;
        struct msghdr msg = {.msg_iov = iov, .msg_iovlen = cnt};
        ssize_t n = sendmsg(s->fd, &msg, MSG_NOSIGNAL);
        if (n < 0)
            return io_failed();
        iskra_target_conn_sent(s->conn, (size_t)n, portal->now_ns);
    }
    return IO_DRY;
}

static void rearm(struct iskra_target_portal *portal, struct socket *s, bool sending)
{
    struct iovec iov[2];
    uint32_t events = (sending ? EPOLLOUT : 0u) |
                      (iskra_target_conn_recv_window(s->conn, iov) > 0 ? EPOLLIN : 0u);
    if (events == 0) /* nothing to do but to see the peer go */
        events = EPOLLRDHUP;
    if (events != s->armed && watch(portal, s, EPOLL_CTL_MOD, events) < 0)
        socket_free(portal, s);
    else
        wake_at(portal, iskra_target_conn_deadline_ns(s->conn));
}

static void serve(struct iskra_target_portal *portal, struct socket *s, uint32_t events)
{
    enum io in = events & (EPOLLIN | EPOLLHUP | EPOLLERR) ? IO_MORE : IO_DRY;
    enum io out = IO_MORE;
    for (int turn = 0; turn < TURN_MAX; turn++) {
        if (in == IO_MORE)
            in = receive(portal, s);
        if (in != IO_LOST)
            out = send_all(portal, s);
        if (in == IO_LOST || out == IO_LOST) {
            socket_free(portal, s);
            return;
        }
        if (iskra_target_conn_finished(s->conn)) {
            drain_begin(portal, s);
            return;
        }
        if (in == IO_DRY)
            break;
    }
    struct iovec iov[2];
    if ((events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)) &&
        iskra_target_conn_recv_window(s->conn, iov) == 0)
        socket_free(portal,
                    s); /* the peer is gone, and what it said last does not matter any more */
    else
        rearm(portal, s, out == IO_DRY);
}

static void socket_event(struct iskra_target_portal *portal, struct socket *s, uint32_t events)
{
    switch (s->kind) {
    case SOCKET_LISTENER:
        accept_all(portal, s);
        break;
    case SOCKET_CONN:
        serve(portal, s, events);
        break;
    case SOCKET_DRAIN:
        drain(portal, s);
        break;
    case SOCKET_STOP:
        break;
    }
}

/* Looks at every socket: when a deadline has come, or one connection has done something to others.
 */
static void look_around(struct iskra_target_portal *portal)
{
    portal->next_ns = UINT64_MAX;
    for (unsigned i = 0; i < portal->listener_cnt; i++)
        if (portal->listeners[i].armed == 0)
            (void)watch(portal, &portal->listeners[i], EPOLL_CTL_MOD, EPOLLIN);
    ISKRA_LIST_FOREACH(link, &portal->sockets)
    {
        struct socket *s = iskra_container_of(link, struct socket, link);
        if (s->kind == SOCKET_DRAIN) {
            if (portal->now_ns >= s->drain_end_ns)
                socket_free(portal, s);
            else
                wake_at(portal, s->drain_end_ns);
            continue;
        }
        if (portal->now_ns >= iskra_target_conn_deadline_ns(s->conn))
            iskra_target_conn_tick(s->conn, portal->now_ns);
        serve(portal, s, 0);
    }
}

static int wait_ms(const struct iskra_target_portal *portal)
{
    if (portal->next_ns == UINT64_MAX)
        return -1;
    if (portal->next_ns <= portal->now_ns)
        return 0;
    uint64_t ms = (portal->next_ns - portal->now_ns + 999999) / 1000000;
    return ms < 60000 ? (int)ms : 60000;
}

/* What happened last is followed by something else soon: no sleep until then, for a while. */
static int next_events(struct iskra_target_portal *portal, struct epoll_event *events)
{
    portal->now_ns = clock_ns();
    bool busily = portal->now_ns < portal->look_until_ns;
    int cnt = epoll_wait(portal->epoll_fd, events, EVENT_MAX, busily ? 0 : wait_ms(portal));
    if (cnt < 0)
        return -errno;
    portal->now_ns = clock_ns();
    if (cnt > 0)
        portal->look_until_ns = portal->now_ns + portal->busy_poll_ns;
    return cnt;
}

int iskra_target_portal_run(struct iskra_target_portal *portal, int stop_fd,
                            struct iskra_error *err)
{
    struct socket stop = {.kind = SOCKET_STOP, .fd = stop_fd};
    int rc = watch(portal, &stop, EPOLL_CTL_ADD, EPOLLIN);
    if (rc < 0)
        return iskra_fail(err, ISKRA_E_SYSTEM, -rc, "cannot watch the stop descriptor: %s",
                          strerror(-rc));
    bool stopped = false;
    while (!stopped) {
        struct epoll_event events[EVENT_MAX];
        int cnt = next_events(portal, events);
        if (cnt < 0 && cnt != -EINTR) {
            rc = iskra_fail(err, ISKRA_E_SYSTEM, -cnt, "epoll_wait: %s", strerror(-cnt));
            break;
        }
        /* A socket is freed only by its own event, of which there is one per round. */
        for (int i = 0; i < cnt; i++) {
            struct socket *s = events[i].data.ptr;
            if (s == &stop)
                stopped = true;
            else
                socket_event(portal, s, events[i].events);
        }
        if (iskra_target_roused(portal->target) || portal->now_ns >= portal->next_ns)
            look_around(portal);
    }
    (void)epoll_ctl(portal->epoll_fd, EPOLL_CTL_DEL, stop_fd, NULL); /* it was added above */
    return rc;
}

void iskra_target_portal_free(struct iskra_target_portal *portal)
{
    if (!portal)
        return;
    ISKRA_LIST_FOREACH(link, &portal->sockets)
    {
        socket_free(portal, iskra_container_of(link, struct socket, link));
    }
    for (unsigned i = 0; i < portal->listener_cnt; i++)
        (void)close(portal->listeners[i].fd);
    (void)close(portal->epoll_fd);
    free(portal);
}
