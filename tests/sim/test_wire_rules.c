/* What the simulator demands of an initiator on the wire, and what it lets pass. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

struct bench {
    struct sim sim;
    struct sim_wire wire;
    struct sim_pdu up, down;
};

static void log_in(struct bench *b, uint32_t cmd_sn, uint32_t max_cmd_sn)
{
    sim_wire_init(&b->wire, &b->sim, 1);
    b->wire.full_feature = true;
    b->wire.isid[0] = 0x80;
    b->wire.next_cmd_sn = cmd_sn;
    b->wire.max_cmd_sn = max_cmd_sn;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof(*b));
    sim_record_init(&b->sim.record, &b->sim.clock, false, NULL);
    log_in(b, 100, 103);
    *state = b;
    return 0;
}

static int teardown(void **state)
{
    free(*state);
    return 0;
}

static void sent(struct bench *b, uint8_t byte_0, uint32_t itt, uint32_t cmd_sn)
{
    uint8_t bhs[ISKRA_BHS_LEN] = {byte_0};
    iskra_put_be32(bhs + 16, itt);
    iskra_put_be32(bhs + 24, cmd_sn);
    sim_wire_sent(&b->wire, bhs);
}

static void command(struct bench *b, uint32_t itt, uint32_t cmd_sn)
{
    sent(b, ISKRA_OP_SCSI_CMD, itt, cmd_sn);
}

static void answered(struct bench *b, uint32_t itt, uint32_t exp_cmd_sn, uint32_t max_cmd_sn)
{
    b->down.bhs[0] = ISKRA_OP_SCSI_RSP;
    iskra_put_be32(b->down.bhs + 16, itt);
    iskra_put_be32(b->down.bhs + 28, exp_cmd_sn);
    iskra_put_be32(b->down.bhs + 32, max_cmd_sn);
    sim_wire_received(&b->wire, b->down.bhs);
    sim_wire_received_all(&b->wire, &b->up, &b->down);
}

static void expect_fine(const struct bench *b)
{
    if (b->sim.record.failed)
        fail_msg("%s", b->sim.record.failure);
}

static void expect_failure(const struct bench *b, const char *words)
{
    if (!b->sim.record.failed || strstr(b->sim.record.failure, words) == NULL)
        fail_msg("not \"%s\", but \"%s\"", words, b->sim.record.failure);
}

static void commands_in_order_inside_the_window_are_fine(void **state)
{
    struct bench *b = *state;
    for (uint32_t i = 0; i < 4; i++)
        command(b, i, 100 + i);
    expect_fine(b);
}

static void a_gap_in_the_numbers_is_seen(void **state)
{
    struct bench *b = *state;
    command(b, 0, 100);
    command(b, 1, 102);
    expect_failure(b, "CmdSN 0x00000066, the next one is 0x00000065");
}

static void a_number_beyond_the_window_is_seen(void **state)
{
    struct bench *b = *state;
    for (uint32_t i = 0; i < 5; i++)
        command(b, i, 100 + i);
    expect_failure(b, "CmdSN 0x00000068 is beyond MaxCmdSN 0x00000067");
}

static void the_window_opens_and_does_not_move_back(void **state)
{
    struct bench *b = *state;
    command(b, 0, 100);
    answered(b, 0, 101, 110);
    command(b, 1, 101);
    answered(b, 1, 102, 102); /* from some other connection, or late */
    for (uint32_t i = 2; i < 11; i++)
        command(b, i, 100 + i);
    expect_fine(b);
}

static void an_immediate_command_takes_no_number(void **state)
{
    struct bench *b = *state;
    sent(b, ISKRA_OP_NOP_OUT | 0x40, 7, 100);
    command(b, 0, 100);
    expect_fine(b);
}

static void a_tag_is_not_live_twice(void **state)
{
    struct bench *b = *state;
    command(b, 9, 100);
    answered(b, 9, 101, 110);
    command(b, 9, 101);
    expect_fine(b);
    command(b, 9, 102);
    expect_failure(b, "tag 0x00000009 is live twice");
}

static void a_tag_that_was_live_is_not_the_next_connections(void **state)
{
    struct bench *b = *state;
    command(b, 8, 100);
    command(b, 9, 101);
    answered(b, 8, 102, 110);
    sim_wire_done(&b->wire);
    log_in(b, 200, 210);
    command(b, 8, 200); /* that one had its answer */
    expect_fine(b);
    command(b, 9, 201);
    expect_failure(b, "tag 0x00000009 was live when the last connection of this session ended");
}

static void nothing_but_a_login_comes_first(void **state)
{
    struct bench *b = *state;
    b->wire.full_feature = false;
    command(b, 0, 100);
    expect_failure(b, "before the login has ended");
}

static void data_are_for_commands(void **state)
{
    struct bench *b = *state;
    sent(b, ISKRA_OP_NOP_OUT | 0x40, 7, 100);
    sent(b, ISKRA_OP_DATA_OUT, 7, 0);
    expect_failure(b, "Data-Out for tag 0x00000007, which is no command");
}

static void idle_is_who_could_send_and_waits_for_nothing(void **state)
{
    struct bench *b = *state;
    b->sim.clock.now_ns = 5 * SIM_S;
    assert_int_equal(sim_wire_idle_ns(&b->wire), 5 * SIM_S);
    command(b, 0, 100);
    b->sim.clock.now_ns = 7 * SIM_S;
    assert_int_equal(sim_wire_idle_ns(&b->wire), 0);
    answered(b, 0, 101, 103);
    b->sim.clock.now_ns = 8 * SIM_S;
    assert_int_equal(sim_wire_idle_ns(&b->wire), SIM_S);
    b->wire.max_cmd_sn = 100; /* the window is closed */
    assert_int_equal(sim_wire_idle_ns(&b->wire), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(commands_in_order_inside_the_window_are_fine),
        T(a_gap_in_the_numbers_is_seen),
        T(a_number_beyond_the_window_is_seen),
        T(the_window_opens_and_does_not_move_back),
        T(an_immediate_command_takes_no_number),
        T(a_tag_is_not_live_twice),
        T(a_tag_that_was_live_is_not_the_next_connections),
        T(nothing_but_a_login_comes_first),
        T(data_are_for_commands),
        T(idle_is_who_could_send_and_waits_for_nothing),
    };
    return cmocka_run_group_tests_name("wire rules", tests, NULL, NULL);
}
