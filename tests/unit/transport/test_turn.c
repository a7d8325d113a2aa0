/* A socket's turn in a round, when the driver reads by itself, one read after the other: how much
 * it takes in, when it ends, and who is next. */
#include "rig.h"

#define MS 1000000

static int poll_now(struct rig *rig)
{
    return iskra_driver_poll(rig->driver, 0);
}

static void a_short_read_ends_the_turn(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    peer_send(&p, "0123456789", 10);
    poll_now(rig);
    assert_int_equal(p.received, 10);
    assert_int_equal(p.window_cnt, 1);
    assert_int_equal(p.unused_cnt, 0);
    port_close(&p);
}

static void a_window_that_brings_nothing_comes_back_unused(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    p.window_len = 10;
    peer_send(&p, "0123456789", 10);
    poll_now(rig);
    assert_int_equal(p.received, 10);
    assert_int_equal(p.window_cnt, 2);
    assert_int_equal(p.unused_cnt, 1);
    assert_false(iskra_driver_pending(rig->driver));
    assert_int_equal(poll_now(rig), 0);
    port_close(&p);
}

static void a_busy_socket_leaves_the_others_their_turn(void **state)
{
    struct rig *rig = *state;
    struct fake_port busy, quiet;
    uint8_t bytes[4096] = {0};
    port_open(rig, &busy);
    port_open(rig, &quiet);
    busy.window_len = 16;
    peer_send(&busy, bytes, sizeof(bytes));
    peer_send(&quiet, "x", 1);
    poll_now(rig);
    assert_int_equal(busy.received, 16 * 16); /* its share of a round */
    assert_int_equal(quiet.received, 1);
    assert_true(iskra_driver_pending(rig->driver));
    while (busy.received < sizeof(bytes))
        assert_true(iskra_driver_poll(rig->driver, -1) > 0); /* does not wait */
    port_close(&busy);
    port_close(&quiet);
}

/* Ringing costs two calls: only for who watches the descriptor instead of asking what is pending.
 */
static void the_descriptor_shows_what_is_left_to_who_has_it(void **state)
{
    static const uint8_t bytes[1024];
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    p.window_len = 16;
    poll_now(rig); /* the event of a new socket, which can be written to */
    peer_send(&p, bytes, sizeof(bytes));
    poll_now(rig);
    assert_true(iskra_driver_pending(rig->driver));
    assert_false(fd_readable(iskra_driver_fd(rig->driver)));
    int fd = iskra_driver_give_fd(rig->driver); /* late, and yet it is told at once */
    assert_int_equal(fd, iskra_driver_fd(rig->driver));
    while (p.received < sizeof(bytes)) {
        assert_true(fd_readable(fd));
        poll_now(rig);
    }
    port_close(&p);
}

/* Looking costs a call: with a socket that has more to give it can wait, but not for long. */
static void others_are_seen_in_every_other_poll(void **state)
{
    static const uint8_t bytes[4096];
    struct rig *rig = *state;
    struct fake_port busy, quiet;
    port_open(rig, &busy);
    port_open(rig, &quiet);
    busy.window_len = 16;
    peer_send(&busy, bytes, sizeof(bytes));
    poll_now(rig);
    for (unsigned i = 1; i <= 3; i++) {
        peer_send(&quiet, "x", 1);
        poll_now(rig);
        assert_int_equal(quiet.received, i - 1);
        poll_now(rig);
        assert_int_equal(quiet.received, i);
    }
    assert_true(iskra_driver_pending(rig->driver));
    port_close(&busy);
    port_close(&quiet);
}

/* What the first part completes is to go out while the rest still comes in. */
static void a_socket_that_awaits_much_takes_in_a_part_of_it_in_a_round(void **state)
{
    static const uint8_t bytes[128 * 1024];
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    peer_send(&p, bytes, sizeof(bytes));
    poll_now(rig);
    assert_int_equal(p.received, 64 * 1024);
    poll_now(rig);
    assert_int_equal(p.received, 128 * 1024);

    p.port.awaited_len = 400 * 1024;
    peer_send(&p, bytes, sizeof(bytes)); /* an event, while it waits for its turn all the same */
    poll_now(rig);
    assert_int_equal(p.received, (128 + 100) * 1024);
    poll_now(rig);
    assert_int_equal(p.received, 256 * 1024);
    port_close(&p);
}

static void a_socket_suspended_when_empty_is_not_read_in_vain(void **state)
{
    struct rig *rig = *state;
    struct fake_port p;
    port_open(rig, &p);
    p.window_len = 4;
    p.suspend_at = 4;
    peer_send(&p, "abcd", 4);
    poll_now(rig);
    p.suspend_at = 0;
    rig->transport->ops->resume(p.sock);
    poll_now(rig);
    assert_int_equal(p.window_cnt, 1);
    peer_send(&p, "efgh", 4);
    poll_now(rig);
    assert_int_equal(p.received, 8);
    port_close(&p);
}

static int no_wait(void *arg, struct pollfd *fds, unsigned fd_cnt, int64_t timeout_ns)
{
    return -ENOMEM;
}

static void a_wait_that_fails_keeps_nothing_from_its_turn(void **state)
{
    struct rig *rig = *state;
    struct fake_port p = {0};
    struct iskra_platform pf = *rig->round.pf;
    const struct iskra_platform *real = rig->round.pf;
    port_open(rig, &p);
    peer_send(&p, "12345", 5);
    pf.wait = no_wait;
    rig->round.pf = &pf;
    rig->round.now_ns = 0;
    assert_int_equal(iskra_driver_poll(rig->driver, 1000 * MS), -ENOMEM);
    assert_int_equal(p.received, 5);
    assert_int_not_equal(rig->round.now_ns, 0);
    rig->round.pf = real;
    port_close(&p);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_short_read_ends_the_turn),
        TEST(a_window_that_brings_nothing_comes_back_unused),
        TEST(a_busy_socket_leaves_the_others_their_turn),
        TEST(the_descriptor_shows_what_is_left_to_who_has_it),
        TEST(others_are_seen_in_every_other_poll),
        TEST(a_socket_that_awaits_much_takes_in_a_part_of_it_in_a_round),
        TEST(a_socket_suspended_when_empty_is_not_read_in_vain),
        TEST(a_wait_that_fails_keeps_nothing_from_its_turn),
    };
    return cmocka_run_group_tests_name("turn", tests, NULL, NULL);
}
