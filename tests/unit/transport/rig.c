#include "rig.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

int rig_setup(void **state)
{
    struct rig *rig = calloc(1, sizeof(*rig));
    if (!rig)
        return -1;
    struct iskra_round *round = &rig->round;
    round->pf = iskra_platform_posix();
    iskra_timers_init(&round->timers, round->pf);
    iskra_workq_init(&round->work);
    iskra_workq_init(&round->xmit);
    const char *name = getenv("ISKRA_DRIVER");
    bool ring = name != NULL && strcmp(name, "io_uring") == 0;
    if (iskra_trace_init(&round->trace, round->pf, 256) < 0)
        return -1;
    if (iskra_driver_choose(round->pf, name)->make(round, &rig->driver, &rig->err) < 0) {
        if (ring) { /* this machine has none, or forbids it */
            printf("1..0 # SKIP %s\n", rig->err.text);
            exit(0);
        }
        return -1;
    }
    rig->transport = &rig->driver->transport;
    *state = rig;
    return 0;
}

int rig_teardown(void **state)
{
    struct rig *rig = *state;
    iskra_driver_free(rig->driver);
    iskra_timers_done(&rig->round.timers);
    iskra_trace_done(&rig->round.trace);
    free(rig);
    return 0;
}

uint64_t check_bytes(uint64_t check, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        check = (check ^ bytes[i]) * 1099511628211u; /* FNV-1a */
    return check;
}

bool fd_readable(int fd)
{
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    return poll(&pfd, 1, 0) == 1;
}

static void unbind(struct fake_port *p)
{
    p->rig->transport->ops->unbind_conn(p->sock);
    p->sock = NULL;
}

static void fake_bound(struct iskra_port *port)
{
    ((struct fake_port *)port)->bound_cnt++;
}

static int fake_recv_window(struct iskra_port *port, uint8_t *staging, size_t staging_len,
                            struct iovec *iov, int iov_max)
{
    struct fake_port *p = (struct fake_port *)port;
    assert_true(iov_max >= 2);
    assert_int_equal(p->last_window, 0); /* one window at a time */
    p->window_cnt++;
    if (p->closed_window)
        return 0;
    size_t len = p->window_len && p->window_len < staging_len ? p->window_len : staging_len;
    p->staging = staging;
    p->last_window = len;
    iov[0] = (struct iovec){.iov_base = staging, .iov_len = len > 10 ? 10 : len};
    iov[1] = (struct iovec){.iov_base = staging + iov[0].iov_len, .iov_len = len - iov[0].iov_len};
    return 2;
}

static int fake_recv(struct iskra_port *port, size_t n)
{
    struct fake_port *p = (struct fake_port *)port;
    assert_true(n <= p->last_window);
    p->last_window = 0;
    p->unused_cnt += n == 0;
    p->check = check_bytes(p->check, p->staging, n);
    p->received += n;
    if (n > 0 && p->unbind_other) {
        unbind(p->unbind_other);
        p->unbind_other = NULL;
    }
    if (n > 0 && p->unbind_in_recv)
        unbind(p);
    if (p->recv_error)
        return p->recv_error;
    return p->suspend_at && p->received >= p->suspend_at ? -EAGAIN : 0;
}

static void fake_state_change(struct iskra_port *port, int err)
{
    struct fake_port *p = (struct fake_port *)port;
    p->state_change_cnt++;
    p->state_change_err = err;
    p->received_at_end = p->received;
}

static void fake_write_space(struct iskra_port *port)
{
    struct fake_port *p = (struct fake_port *)port;
    p->write_space_cnt++;
    if (p->unbind_in_write_space)
        unbind(p);
}

static int fake_send_window(struct iskra_port *port, struct iovec *iov, int iov_max, size_t max_len)
{
    struct fake_port *p = (struct fake_port *)port;
    size_t left = p->out_len - p->out_at;
    p->send_window_cnt++;
    if (left == 0)
        return 0;
    if (left > max_len)
        left = max_len;
    iov[0] = (struct iovec){.iov_base = (void *)(uintptr_t)(p->out + p->out_at), .iov_len = left};
    return 1;
}

static void fake_sent(struct iskra_port *port, size_t n)
{
    struct fake_port *p = (struct fake_port *)port;
    p->out_at += n;
    if (p->unbind_in_sent)
        unbind(p);
}

static const struct iskra_port_ops fake_ops = {
    .bound = fake_bound,
    .recv_window = fake_recv_window,
    .recv = fake_recv,
    .state_change = fake_state_change,
    .write_space = fake_write_space,
    .send_window = fake_send_window,
    .sent = fake_sent,
};

static void port_init(struct rig *rig, struct fake_port *p, int fd, int peer_fd)
{
    memset(p, 0, sizeof(*p));
    p->port.ops = &fake_ops;
    p->port.trace = &rig->round.trace;
    p->rig = rig;
    p->fd = fd;
    p->peer_fd = peer_fd;
}

void port_bind(struct fake_port *p)
{
    assert_int_equal(p->rig->transport->ops->bind_conn(p->rig->transport, &p->port, p->fd, true,
                                                       &p->sock, &p->rig->err),
                     0);
    assert_int_equal(p->bound_cnt, 1);
    assert_ptr_equal(p->sock->port, &p->port);
}

void port_open_unbound(struct rig *rig, struct fake_port *p)
{
    int fds[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    port_init(rig, p, fds[0], fds[1]);
}

void port_open(struct rig *rig, struct fake_port *p)
{
    port_open_unbound(rig, p);
    port_bind(p);
}

void port_open_tcp(struct rig *rig, struct fake_port *p)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
    socklen_t len = sizeof(addr);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(listener, (struct sockaddr *)&addr, sizeof(addr)), 0);
    assert_int_equal(listen(listener, 1), 0);
    assert_int_equal(getsockname(listener, (struct sockaddr *)&addr, &len), 0);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
    int peer_fd = accept(listener, NULL, NULL);
    assert_true(peer_fd >= 0);
    (void)close(listener);
    port_init(rig, p, fd, peer_fd);
    port_bind(p);
}

void port_close(struct fake_port *p)
{
    p->rig->transport->ops->unbind_conn(p->sock);
    (void)close(p->fd);
    if (p->peer_fd >= 0)
        (void)close(p->peer_fd);
}

void peer_send(struct fake_port *p, const void *bytes, size_t len)
{
    assert_int_equal(send(p->peer_fd, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}
