/* The epoll driver over real sockets: draining, fairness, suspension, ends, and callbacks that
 * unbind. */
#include "rig.h"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#define MS 1000000

static int poll_now(struct rig *rig)
{
    return iskra_driver_poll(rig->driver, 0);
}

static void bytes_reach_the_port_in_order(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    uint8_t bytes[3000];
    for (size_t i = 0; i < sizeof(bytes); i++)
        bytes[i] = (uint8_t)(i * 7);
    port_open(rig, &p);
    p.window_len = 48;
    peer_send(&p, bytes, sizeof(bytes));
    while (p.received < sizeof(bytes))
        assert_true(poll_now(rig) > 0);
    assert_int_equal(p.received, sizeof(bytes));
    assert_true(p.check == check_bytes(0, bytes, sizeof(bytes)));
    port_close(&p);
}

static void bytes_that_came_before_the_binding_are_read(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open_unbound(rig, &p);
    peer_send(&p, "hello", 5);
    port_bind(&p);
    assert_int_equal(p.received, 0); /* nothing is read by the bind itself */
    poll_now(rig);
    assert_int_equal(p.received, 5);
    port_close(&p);
}

static void binding_sets_the_options_of_a_data_socket(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open_tcp(rig, &p);
    int value = 0;
    socklen_t len = sizeof(value);
    assert_true((fcntl(p.fd, F_GETFL) & O_NONBLOCK) != 0);
    assert_true((fcntl(p.fd, F_GETFD) & FD_CLOEXEC) != 0);
    assert_int_equal(getsockopt(p.fd, IPPROTO_TCP, TCP_NODELAY, &value, &len), 0);
    assert_int_equal(value != 0, 1);
    assert_int_equal(getsockopt(p.fd, SOL_SOCKET, SO_KEEPALIVE, &value, &len), 0);
    assert_int_equal(value, 0);
    port_close(&p);
}

static int bind_fd(struct rig *rig, struct fake_port *p, int fd)
{
    struct iskra_sock *sock = NULL;
    memset(&rig->err, 0, sizeof(rig->err));
    return rig->transport->ops->bind_conn(rig->transport, &p->port, fd, true, &sock, &rig->err);
}

static void what_is_no_socket_is_refused_with_eexist(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open_unbound(rig, &p);
    int fd = eventfd(0, EFD_CLOEXEC);
    assert_int_equal(bind_fd(rig, &p, fd), -EEXIST);
    assert_non_null(strstr(rig->err.text, "not a socket"));
    assert_int_equal(bind_fd(rig, &p, -1), -EEXIST);
    assert_int_equal(p.bound_cnt, 0);
    (void)close(fd);
    port_close(&p);
}

static void a_datagram_socket_is_refused(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open_unbound(rig, &p);
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind_fd(rig, &p, fd), -EINVAL);
    (void)close(fd);
    port_close(&p);
}

static void a_socket_that_was_reset_before_its_binding_is_a_lost_connection(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open_unbound(rig, &p);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind_fd(rig, &p, fd), -ENOTCONN);
    assert_int_equal(rig->err.code, ISKRA_E_CONNECTION);
    assert_int_equal(rig->err.conn_error, ISKRA_CONN_TCP_CONN_CLOSE);
    (void)close(fd);
    port_close(&p);
}

static void a_suspended_port_is_left_alone_until_resume(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    p.window_len = 4;
    p.suspend_at = 4;
    peer_send(&p, "abcdefgh", 8);
    poll_now(rig);
    assert_int_equal(p.received, 4);
    peer_send(&p, "ijkl", 4);
    poll_now(rig);
    poll_now(rig);
    assert_int_equal(p.received, 4);
    p.suspend_at = 0;
    rig->transport->ops->resume(p.sock);
    assert_true(fd_readable(iskra_driver_fd(rig->driver)));
    poll_now(rig);
    assert_int_equal(p.received, 12);
    port_close(&p);
}

static void a_port_without_a_window_is_left_alone_until_resume(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    p.closed_window = true;
    peer_send(&p, "abcd", 4);
    poll_now(rig);
    poll_now(rig);
    assert_int_equal(p.window_cnt, 1);
    p.closed_window = false;
    rig->transport->ops->resume(p.sock);
    poll_now(rig);
    assert_int_equal(p.received, 4);
    port_close(&p);
}

static void the_end_is_told_once_and_after_all_bytes(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    uint8_t bytes[4096] = {0};
    port_open(rig, &p);
    p.window_len = 16;
    peer_send(&p, bytes, sizeof(bytes));
    (void)close(p.peer_fd);
    p.peer_fd = -1;
    for (int i = 0; i < 100; i++)
        poll_now(rig);
    assert_int_equal(p.state_change_cnt, 1);
    assert_int_equal(p.state_change_err, 0);
    assert_int_equal(p.received_at_end, sizeof(bytes));
    port_close(&p);
}

static void the_end_is_told_after_a_short_read_too(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    peer_send(&p, "abcd", 4);
    (void)close(p.peer_fd);
    p.peer_fd = -1;
    for (int i = 0; i < 5; i++)
        poll_now(rig);
    assert_int_equal(p.received_at_end, 4);
    assert_int_equal(p.state_change_cnt, 1);
    port_close(&p);
}

static void an_end_followed_by_a_reset_is_told_once(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    struct linger linger = {.l_onoff = 1};
    port_open_tcp(rig, &p);
    assert_int_equal(shutdown(p.peer_fd, SHUT_WR), 0);
    poll_now(rig);
    assert_int_equal(p.state_change_cnt, 1);
    assert_int_equal(setsockopt(p.peer_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    (void)close(p.peer_fd);
    p.peer_fd = -1;
    for (int i = 0; i < 5; i++)
        poll_now(rig);
    assert_int_equal(p.state_change_cnt, 1);
    port_close(&p);
}

static void the_end_waits_while_the_port_is_suspended(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    p.window_len = 4;
    p.suspend_at = 4;
    peer_send(&p, "abcdefgh", 8);
    (void)close(p.peer_fd);
    p.peer_fd = -1;
    for (int i = 0; i < 5; i++)
        poll_now(rig);
    assert_int_equal(p.state_change_cnt, 0);
    p.suspend_at = 0;
    rig->transport->ops->resume(p.sock);
    for (int i = 0; i < 5; i++)
        poll_now(rig);
    assert_int_equal(p.received, 8);
    assert_int_equal(p.state_change_cnt, 1);
    port_close(&p);
}

static void a_reset_is_told_with_its_errno(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open_tcp(rig, &p);
    struct linger linger = {.l_onoff = 1};
    assert_int_equal(setsockopt(p.peer_fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)), 0);
    (void)close(p.peer_fd);
    p.peer_fd = -1;
    for (int i = 0; i < 5; i++)
        poll_now(rig);
    assert_int_equal(p.state_change_cnt, 1);
    assert_int_equal(p.state_change_err, ECONNRESET);
    port_close(&p);
}

static void a_port_that_failed_is_never_asked_again(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    p.window_len = 4;
    p.recv_error = -EPROTO;
    peer_send(&p, "abcdefgh", 8);
    (void)close(p.peer_fd);
    p.peer_fd = -1;
    for (int i = 0; i < 5; i++)
        poll_now(rig);
    assert_int_equal(p.received, 4);
    assert_int_equal(p.window_cnt, 1);
    assert_int_equal(p.state_change_cnt, 0);
    port_close(&p);
}

static void everything_offered_is_sent(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    uint8_t got[16];
    port_open(rig, &p);
    p.out = (const uint8_t *)"0123456789";
    p.out_len = 10;
    assert_int_equal(rig->transport->ops->xmit(p.sock), 0);
    assert_int_equal(p.out_at, 10);
    assert_int_equal(read(p.peer_fd, got, sizeof(got)), 10);
    assert_memory_equal(got, "0123456789", 10);
    poll_now(rig);
    assert_int_equal(p.write_space_cnt, 0); /* it was never full */
    port_close(&p);
}

static void a_full_socket_is_continued_after_write_space(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    uint8_t *bytes = malloc(RIG_BUF_LEN), *got = malloc(RIG_BUF_LEN);
    assert_non_null(bytes);
    assert_non_null(got);
    for (size_t i = 0; i < RIG_BUF_LEN; i++)
        bytes[i] = (uint8_t)(i ^ (i >> 8));
    port_open(rig, &p);
    assert_int_equal(fcntl(p.peer_fd, F_SETFL, O_NONBLOCK), 0);
    p.out = bytes;
    p.out_len = RIG_BUF_LEN;
    assert_int_equal(rig->transport->ops->xmit(p.sock), -EAGAIN);
    assert_true(p.out_at < p.out_len);
    poll_now(rig);
    assert_int_equal(p.write_space_cnt, 0);
    unsigned asked = p.send_window_cnt;
    assert_int_equal(rig->transport->ops->xmit(p.sock), -EAGAIN);
    assert_int_equal(p.send_window_cnt, asked); /* still full: a system call would not help */
    size_t got_len = 0;
    unsigned told = 0;
    while (got_len < RIG_BUF_LEN) {
        ssize_t n = read(p.peer_fd, got + got_len, RIG_BUF_LEN - got_len);
        if (n > 0)
            got_len += (size_t)n;
        poll_now(rig);
        if (p.write_space_cnt > told) {
            told = p.write_space_cnt;
            (void)rig->transport->ops->xmit(p.sock);
        }
    }
    assert_true(told > 0);
    assert_int_equal(p.out_at, RIG_BUF_LEN);
    assert_memory_equal(got, bytes, RIG_BUF_LEN);
    port_close(&p);
    free(bytes);
    free(got);
}

static void sending_to_a_closed_peer_is_an_error_and_no_signal(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    (void)close(p.peer_fd);
    p.peer_fd = -1;
    p.out = (const uint8_t *)"x";
    p.out_len = 1;
    assert_int_equal(rig->transport->ops->xmit(p.sock), -EPIPE);
    port_close(&p);
}

static void unbinding_inside_recv_is_the_last_callback(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    p.window_len = 4;
    p.unbind_in_recv = true;
    peer_send(&p, "abcdefgh", 8);
    (void)close(p.peer_fd);
    p.peer_fd = -1;
    for (int i = 0; i < 5; i++)
        poll_now(rig);
    assert_int_equal(p.received, 4);
    assert_int_equal(p.window_cnt, 1);
    assert_int_equal(p.state_change_cnt, 0);
    port_close(&p);
}

static void unbinding_another_socket_strikes_out_its_event(void **state)
{
    struct rig *rig = *state;
    struct fake_port a, b;
    port_open(rig, &a);
    port_open(rig, &b);
    a.unbind_other = &b;
    b.unbind_other = &a;
    peer_send(&a, "x", 1);
    peer_send(&b, "x", 1);
    for (int i = 0; i < 5; i++)
        poll_now(rig);
    assert_int_equal(a.received + b.received, 1); /* whichever came first */
    port_close(&a);
    port_close(&b);
}

static void unbinding_a_socket_that_waits_for_its_turn_is_safe(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    uint8_t bytes[4096] = {0};
    port_open(rig, &p);
    p.window_len = 16;
    peer_send(&p, bytes, sizeof(bytes));
    poll_now(rig);
    size_t received = p.received;
    rig->transport->ops->unbind_conn(p.sock);
    p.sock = NULL;
    for (int i = 0; i < 5; i++)
        poll_now(rig);
    assert_int_equal(p.received, received);
    port_close(&p);
}

static void unbinding_inside_sent_ends_the_transmission(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    p.out = (const uint8_t *)"0123456789";
    p.out_len = 10;
    p.unbind_in_sent = true;
    assert_int_equal(rig->transport->ops->xmit(p.sock), -ENOTCONN);
    port_close(&p);
}

static void unbinding_inside_write_space_is_safe(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    uint8_t *bytes = calloc(1, RIG_BUF_LEN);
    assert_non_null(bytes);
    port_open(rig, &p);
    assert_int_equal(fcntl(p.peer_fd, F_SETFL, O_NONBLOCK), 0);
    p.out = bytes;
    p.out_len = RIG_BUF_LEN;
    p.unbind_in_write_space = true;
    assert_int_equal(rig->transport->ops->xmit(p.sock), -EAGAIN);
    while (p.write_space_cnt == 0) {
        (void)!read(p.peer_fd, bytes, 65536);
        poll_now(rig);
    }
    assert_null(p.sock);
    port_close(&p);
    free(bytes);
}

static void unbinding_nothing_is_allowed(void **state)
{
    struct rig *rig = *state;
    rig->transport->ops->unbind_conn(NULL);
}

static void the_same_descriptor_can_be_bound_again(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    rig->transport->ops->unbind_conn(p.sock);
    p.bound_cnt = 0;
    port_bind(&p);
    peer_send(&p, "abc", 3);
    poll_now(rig);
    assert_int_equal(p.received, 3);
    port_close(&p);
}

/* ---- watches, deadline, wake ---- */

struct watched {
    struct iskra_watch watch;
    struct rig *rig;
    unsigned cnt;
    uint32_t revents;
    bool remove_self;
    struct watched *remove_other, *add_other;
};

static void watched_fn(struct iskra_watch *watch, uint32_t revents)
{
    struct watched *w = iskra_container_of(watch, struct watched, watch);
    struct iskra_round *round = &w->rig->round;
    w->cnt++;
    w->revents = revents;
    if (w->remove_self)
        round->ops->watch_remove(round, watch);
    if (w->remove_other)
        round->ops->watch_remove(round, &w->remove_other->watch);
    if (w->add_other)
        assert_int_equal(round->ops->watch_add(round, &w->add_other->watch), 0);
    w->add_other = NULL;
}

static void watch_init(struct rig *rig, struct watched *w, uint64_t count)
{
    memset(w, 0, sizeof(*w));
    w->rig = rig;
    w->watch = (struct iskra_watch){
        .fd = eventfd((unsigned)count, EFD_NONBLOCK), .events = POLLIN, .fn = watched_fn};
}

static void watch_done(struct watched *w)
{
    w->rig->round.ops->watch_remove(&w->rig->round, &w->watch);
    (void)close(w->watch.fd);
}

static void a_watch_is_called_while_its_descriptor_is_ready(void **state)
{
    struct rig *rig = *state;
    struct watched w;
    watch_init(rig, &w, 0);
    assert_int_equal(rig->round.ops->watch_add(&rig->round, &w.watch), 0);
    poll_now(rig);
    assert_int_equal(w.cnt, 0);
    assert_int_equal(eventfd_write(w.watch.fd, 1), 0);
    poll_now(rig);
    poll_now(rig);
    assert_int_equal(w.cnt, 2); /* level-triggered */
    assert_int_equal(w.revents, POLLIN);
    watch_done(&w);
    poll_now(rig);
    assert_int_equal(w.cnt, 2);
}

static void a_watch_may_remove_itself_and_others_and_add_one(void **state)
{
    struct rig *rig = *state;
    struct watched a, b, c;
    watch_init(rig, &a, 1);
    watch_init(rig, &b, 1);
    watch_init(rig, &c, 1);
    a.remove_self = b.remove_self = true;
    a.remove_other = &b;
    b.remove_other = &a;
    a.add_other = b.add_other = &c;
    assert_int_equal(rig->round.ops->watch_add(&rig->round, &a.watch), 0);
    assert_int_equal(rig->round.ops->watch_add(&rig->round, &b.watch), 0);
    poll_now(rig);
    poll_now(rig);
    assert_int_equal(a.cnt + b.cnt, 1); /* whichever came first took the other's event away */
    assert_true(c.cnt > 0);
    watch_done(&a);
    watch_done(&b);
    watch_done(&c);
}

static void a_bad_descriptor_cannot_be_watched(void **state)
{
    struct rig *rig = *state;
    struct iskra_watch watch = {.fd = -1, .events = POLLIN, .fn = watched_fn};
    assert_int_equal(rig->round.ops->watch_add(&rig->round, &watch), -EBADF);
}

/* A wait may end early with nothing to serve: a signal, or the kernel's own business. */
static void wait_for_event(struct rig *rig)
{
    int served;
    do
        served = iskra_driver_poll(rig->driver, 10000ll * MS);
    while (served == 0);
    assert_true(served > 0);
}

static void the_deadline_makes_the_descriptor_readable(void **state)
{
    struct rig *rig = *state;
    const struct iskra_platform *pf = rig->round.pf;
    int fd = iskra_driver_fd(rig->driver);
    uint64_t now_ns = pf->now_ns(pf->arg);
    assert_false(fd_readable(fd));
    iskra_driver_set_deadline(rig->driver, now_ns + 5 * MS);
    wait_for_event(rig);
    assert_true(rig->round.now_ns >= now_ns + 5 * MS); /* never early */
    assert_false(fd_readable(fd));
    iskra_driver_set_deadline(rig->driver, now_ns); /* past: at once */
    wait_for_event(rig);
    iskra_driver_set_deadline(rig->driver, now_ns); /* the same again, after it has run out */
    wait_for_event(rig);
    iskra_driver_set_deadline(rig->driver, now_ns + 1);
    iskra_driver_set_deadline(rig->driver, ISKRA_NEVER);
    assert_false(fd_readable(fd));
}

static void wake_makes_the_descriptor_readable_once(void **state)
{
    struct rig *rig = *state;
    int fd = iskra_driver_fd(rig->driver);
    iskra_driver_wake(rig->driver);
    iskra_driver_wake(rig->driver);
    assert_true(fd_readable(fd));
    assert_int_equal(iskra_driver_poll(rig->driver, -1), 1);
    assert_false(fd_readable(fd));
    iskra_driver_wake(rig->driver);
    assert_true(fd_readable(fd));
    poll_now(rig);
    assert_int_equal(iskra_driver_fd(rig->driver), fd);
}

struct virtual
{
    uint64_t now_ns;
    int64_t timeout_ns;
    unsigned wait_cnt;
};

static uint64_t virtual_now_ns(void *arg)
{
    return ((struct virtual *)arg)->now_ns;
}

static int virtual_wait(void *arg, struct pollfd *fds, unsigned fd_cnt, int64_t timeout_ns)
{
    struct virtual *v = arg;
    v->wait_cnt++;
    v->timeout_ns = timeout_ns;
    v->now_ns += (uint64_t)timeout_ns;
    return 0;
}

static void waiting_goes_through_the_platform(void **state)
{
    struct rig *rig = *state;
    struct virtual v = {.now_ns = 1000};
    struct iskra_platform pf = *rig->round.pf,
                          *real = (struct iskra_platform *)(uintptr_t)rig->round.pf;
    pf.arg = &v;
    pf.now_ns = virtual_now_ns;
    pf.wait = virtual_wait;
    rig->round.pf = &pf;
    assert_int_equal(iskra_driver_poll(rig->driver, 3600ll * 1000 * MS),
                     0); /* an hour in no time */
    assert_int_equal(v.wait_cnt, 1);
    assert_int_equal(rig->round.now_ns, 1000 + 3600ull * 1000 * MS);
    assert_int_equal(rig->round.trace.now_ns, rig->round.now_ns);
    assert_int_equal(poll_now(rig), 0);
    assert_int_equal(v.wait_cnt, 1); /* without waiting it is not asked */
    rig->round.pf = real;
}

static void nested_poll(struct iskra_watch *watch, uint32_t revents)
{
    struct watched *w = iskra_container_of(watch, struct watched, watch);
    w->cnt++;
    assert_int_equal(iskra_driver_poll(w->rig->driver, 0), -EDEADLK);
}

static void polling_from_inside_a_callback_is_refused(void **state)
{
    struct rig *rig = *state;
    struct watched w;
    watch_init(rig, &w, 1);
    w.watch.fn = nested_poll;
    assert_int_equal(rig->round.ops->watch_add(&rig->round, &w.watch), 0);
    poll_now(rig);
    assert_int_equal(w.cnt, 1);
    watch_done(&w);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

static void the_platform_names_the_driver_before_anybody_else(void **state)
{
    static const struct iskra_driver_ops other;
    struct iskra_platform pf = *iskra_platform_posix();
    (void)state;
    pf.driver = &other;
    assert_ptr_equal(iskra_driver_choose(&pf, NULL), &other);
    assert_ptr_equal(iskra_driver_choose(&pf, "epoll"), &other);
}

static void a_driver_is_chosen_by_its_name_and_none_means_epoll(void **state)
{
    const struct iskra_platform *pf = iskra_platform_posix();
    (void)state;
    assert_ptr_equal(iskra_driver_choose(pf, NULL), &iskra_epoll_ops);
    assert_ptr_equal(iskra_driver_choose(pf, ""), &iskra_epoll_ops);
    assert_ptr_equal(iskra_driver_choose(pf, "epoll"), &iskra_epoll_ops);
    assert_ptr_equal(iskra_driver_choose(pf, "io_uring"), &iskra_uring_ops);
    assert_null(iskra_driver_choose(pf, "kqueue"));
}

static void a_platform_from_before_there_were_drivers_names_none(void **state)
{
    static const struct iskra_driver_ops beyond_the_end;
    struct iskra_platform pf = *iskra_platform_posix();
    (void)state;
    pf.size = offsetof(struct iskra_platform, driver);
    pf.driver = &beyond_the_end;
    assert_ptr_equal(iskra_driver_choose(&pf, NULL), &iskra_epoll_ops);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(bytes_reach_the_port_in_order),
        TEST(bytes_that_came_before_the_binding_are_read),
        TEST(binding_sets_the_options_of_a_data_socket),
        TEST(what_is_no_socket_is_refused_with_eexist),
        TEST(a_datagram_socket_is_refused),
        TEST(a_socket_that_was_reset_before_its_binding_is_a_lost_connection),
        TEST(a_suspended_port_is_left_alone_until_resume),
        TEST(a_port_without_a_window_is_left_alone_until_resume),
        TEST(the_end_is_told_once_and_after_all_bytes),
        TEST(the_end_is_told_after_a_short_read_too),
        TEST(an_end_followed_by_a_reset_is_told_once),
        TEST(the_end_waits_while_the_port_is_suspended),
        TEST(a_reset_is_told_with_its_errno),
        TEST(a_port_that_failed_is_never_asked_again),
        TEST(everything_offered_is_sent),
        TEST(a_full_socket_is_continued_after_write_space),
        TEST(sending_to_a_closed_peer_is_an_error_and_no_signal),
        TEST(unbinding_inside_recv_is_the_last_callback),
        TEST(unbinding_another_socket_strikes_out_its_event),
        TEST(unbinding_a_socket_that_waits_for_its_turn_is_safe),
        TEST(unbinding_inside_sent_ends_the_transmission),
        TEST(unbinding_inside_write_space_is_safe),
        TEST(unbinding_nothing_is_allowed),
        TEST(the_same_descriptor_can_be_bound_again),
        TEST(a_watch_is_called_while_its_descriptor_is_ready),
        TEST(a_watch_may_remove_itself_and_others_and_add_one),
        TEST(a_bad_descriptor_cannot_be_watched),
        TEST(the_deadline_makes_the_descriptor_readable),
        TEST(wake_makes_the_descriptor_readable_once),
        TEST(waiting_goes_through_the_platform),
        TEST(polling_from_inside_a_callback_is_refused),
        TEST(the_platform_names_the_driver_before_anybody_else),
        TEST(a_driver_is_chosen_by_its_name_and_none_means_epoll),
        TEST(a_platform_from_before_there_were_drivers_names_none),
    };
    return cmocka_run_group_tests_name("epoll", tests, NULL, NULL);
}
