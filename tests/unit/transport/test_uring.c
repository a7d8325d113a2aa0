/* What io_uring adds to the driver: windows that stay out over the turns of the loop, and how they
 * come back. The rest is test_epoll.c, run with this driver too. */
#include "rig.h"

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

static int setup(void **state)
{
    (void)setenv("ISKRA_DRIVER", "io_uring", 1);
    return rig_setup(state);
}

static void poll_now(struct rig *rig)
{
    assert_true(iskra_driver_poll(rig->driver, 0) >= 0);
}

/* Bound, read empty, its window with the kernel. */
static void port_lent(struct rig *rig, struct fake_port *p)
{
    port_open(rig, p);
    poll_now(rig);
    assert_true(p->last_window > 0);
}

static void the_window_of_an_empty_socket_stays_out(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_lent(rig, &p);
    unsigned asked = p.window_cnt;
    for (int i = 0; i < 5; i++)
        poll_now(rig);
    assert_int_equal(p.window_cnt, asked);
    peer_send(&p, "12345", 5);
    while (p.received < 5)
        assert_true(iskra_driver_poll(rig->driver, -1) >= 0);
    assert_true(p.check == check_bytes(0, (const uint8_t *)"12345", 5));
    port_close(&p);
}

static void what_has_arrived_makes_the_descriptor_readable(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_lent(rig, &p);
    struct pollfd pfd = {.fd = iskra_driver_fd(rig->driver), .events = POLLIN};
    poll_now(rig);
    assert_int_equal(poll(&pfd, 1, 0), 0);
    peer_send(&p, "12345", 5);
    assert_int_equal(poll(&pfd, 1, 10000), 1);
    poll_now(rig);
    assert_int_equal(p.received, 5);
    poll_now(rig);
    assert_int_equal(poll(&pfd, 1, 0), 0);
    port_close(&p);
}

static void a_window_that_is_recalled_comes_back_at_once_and_unused(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_lent(rig, &p);
    unsigned unused = p.unused_cnt;
    rig->transport->ops->recall(p.sock);
    assert_int_equal(p.last_window, 0);
    assert_int_equal(p.unused_cnt, unused + 1);
    peer_send(&p, "12345", 5); /* not into that window */
    while (p.received < 5)
        assert_true(iskra_driver_poll(rig->driver, -1) >= 0);
    port_close(&p);
}

static void a_window_that_is_recalled_brings_what_has_come_in(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_lent(rig, &p);
    peer_send(&p, "12345", 5);
    (void)fd_readable(iskra_driver_fd(rig->driver)); /* enters the kernel, which moves them */
    rig->transport->ops->recall(p.sock);
    assert_int_equal(p.last_window, 0);
    assert_int_equal(p.received, 5);
    peer_send(&p, "6789", 4);
    while (p.received < 9)
        assert_true(iskra_driver_poll(rig->driver, -1) >= 0);
    assert_true(p.check == check_bytes(0, (const uint8_t *)"123456789", 9));
    port_close(&p);
}

static void recalling_what_is_not_out_does_nothing(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_lent(rig, &p);
    rig->transport->ops->recall(p.sock);
    unsigned unused = p.unused_cnt;
    rig->transport->ops->recall(p.sock);
    assert_int_equal(p.unused_cnt, unused);
    port_close(&p);
}

static void an_unbound_sockets_window_is_never_written_to(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    static uint8_t before[16];
    port_lent(rig, &p);
    uint8_t *staging = p.staging; /* stays until the driver comes by */
    memset(staging, 0xa5, sizeof(before));
    memset(before, 0xa5, sizeof(before));
    rig->transport->ops->unbind_conn(p.sock);
    p.sock = NULL;
    peer_send(&p, "0123456789abcdef", 16);
    (void)fd_readable(iskra_driver_fd(rig->driver));
    assert_memory_equal(staging, before, sizeof(before));
    assert_int_equal(p.received, 0);
    uint8_t rest[16];
    assert_int_equal(recv(p.fd, rest, sizeof(rest), MSG_DONTWAIT), 16); /* all is still there */
    poll_now(rig);
    port_close(&p);
}

static void unbinding_a_socket_whose_bytes_have_come_loses_them_and_nothing_else(void **state)
{
    struct rig *rig = *state;
    struct fake_port a, b;
    port_lent(rig, &a);
    port_lent(rig, &b);
    peer_send(&a, "12345", 5);
    peer_send(&b, "678", 3);
    (void)fd_readable(iskra_driver_fd(rig->driver));
    rig->transport->ops->unbind_conn(a.sock);
    a.sock = NULL;
    for (int i = 0; i < 3; i++)
        poll_now(rig);
    assert_int_equal(a.received, 0);
    assert_int_equal(b.received, 3);
    port_close(&a);
    port_close(&b);
}

static void *poll_once(void *arg)
{
    struct rig *rig = arg;
    (void)iskra_driver_poll(rig->driver, 0);
    return NULL;
}

/* The kernel cancels what a thread had begun when it ends. */
static void a_window_lent_by_a_thread_that_has_ended_is_lent_again(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    pthread_t thread;
    port_open(rig, &p);
    assert_int_equal(pthread_create(&thread, NULL, poll_once, rig), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(p.last_window > 0);
    peer_send(&p, "12345", 5);
    while (p.received < 5)
        assert_true(iskra_driver_poll(rig->driver, -1) >= 0);
    assert_int_equal(p.state_change_cnt, 0);
    port_close(&p);
}

static void many_sockets_are_lent_at_once(void **state)
{
    enum {
        CNT = 300
    }; /* more than the ring takes at a time */
    struct rig *rig = *state;
    struct fake_port *p = calloc(CNT, sizeof(*p));
    size_t received = 0;
    assert_non_null(p);
    for (int i = 0; i < CNT; i++)
        port_open(rig, &p[i]);
    poll_now(rig);
    for (int i = 0; i < CNT; i++)
        peer_send(&p[i], "12345", 5);
    for (int turn = 0; turn < 1000 && received < 5 * CNT; turn++) {
        poll_now(rig);
        received = 0;
        for (int i = 0; i < CNT; i++)
            received += p[i].received;
    }
    assert_int_equal(received, 5 * CNT);
    for (int i = 0; i < CNT; i++)
        port_close(&p[i]);
    free(p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(the_window_of_an_empty_socket_stays_out),
        TEST(what_has_arrived_makes_the_descriptor_readable),
        TEST(a_window_that_is_recalled_comes_back_at_once_and_unused),
        TEST(a_window_that_is_recalled_brings_what_has_come_in),
        TEST(recalling_what_is_not_out_does_nothing),
        TEST(an_unbound_sockets_window_is_never_written_to),
        TEST(unbinding_a_socket_whose_bytes_have_come_loses_them_and_nothing_else),
        TEST(a_window_lent_by_a_thread_that_has_ended_is_lent_again),
        TEST(many_sockets_are_lent_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
