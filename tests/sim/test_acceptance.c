/* The acceptance checks that are about time, to the nanosecond: a command that is given up, a link
 * that is dead, a session that comes back in time or too late. tests/house/test_acceptance.py lists
 * where the others are.
 *
 * A timeout is rounded up to whole seconds for the first look, and again for each that follows; all
 * looks of one command then come at whole seconds. */
#include <errno.h>
#include <string.h>

#include "sim/scene.h"

#define PINGS   "noop_interval=5&noop_timeout=5"
#define NO_PING "noop_interval=0&noop_timeout=0"
#define TMF     "> pdu 66 " /* Task Management Request, immediate */
#define PING    "> pdu 64 " /* NOP-Out, immediate */
#define PONG    "< pdu 32 " /* NOP-In */
#define LOST    "event 6 "
#define BACK    "event 7 "
#define GONE    "event 8 "

static uint64_t round_up(uint64_t ns)
{
    return (ns + SIM_S - 1) / SIM_S * SIM_S;
}

/* ---- 3 ---- */

static void abort_of_a_command_sent_at(uint64_t sent_ns)
{
    struct scene *scene = scene_new();
    scene_fault(scene, "drop:command(read)#1");
    scene_open(scene, "timeout=30&" PINGS);
    scene_run_to(scene, sent_ns);
    struct scene_io *io = scene_read(scene, 0, 0, 8);
    scene_run_to(scene, sent_ns + 200 * SIM_S);
    uint64_t abort_ns = scene_when(scene, TMF, 0);
    assert_int_equal(abort_ns, round_up(sent_ns + 30 * SIM_S) + 60 * SIM_S + 10 * SIM_MS);
    assert_in_range(abort_ns - sent_ns, 90 * SIM_S + 10 * SIM_MS, 93 * SIM_S + 10 * SIM_MS);
    assert_int_equal(scene_count(scene, LOST), 0);
    scene_assert_done(io, 0);
    scene_free(scene);
}

static void acceptance_3_a_silent_command_on_a_live_link_is_aborted_at_the_third_look(void **state)
{
    (void)state;
    static const uint64_t sent_ns[] = {10 * SIM_S, 10 * SIM_S + 1, 10 * SIM_S + 300 * SIM_MS,
                                       11 * SIM_S - 1};
    for (unsigned i = 0; i < 4; i++)
        abort_of_a_command_sent_at(sent_ns[i]);
}

static void acceptance_3_a_dead_idle_link_is_found_ten_seconds_after_its_last_word(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    scene_open(scene, "replacement_timeout=0&login_timeout=5&" PINGS);
    scene_run_to(scene, 12 * SIM_S);
    unsigned pongs = scene_count(scene, PONG);
    assert_true(pongs > 0);
    uint64_t heard_ns = scene_when(scene, PONG, pongs - 1);
    scene_link(scene, false);
    scene_run_to(scene, heard_ns + 10 * SIM_S - 1);
    assert_int_equal(scene_when(scene, PING, pongs), heard_ns + 5 * SIM_S);
    assert_int_equal(scene_count(scene, LOST), 0);
    scene_run_to(scene, heard_ns + 10 * SIM_S);
    assert_int_equal(scene_when(scene, LOST, 0), heard_ns + 10 * SIM_S);
    struct scene_io *io = scene_read(scene, 0, 0, 1);
    scene_run_to(scene, heard_ns + 11 * SIM_S);
    scene_assert_done(io, -ETIMEDOUT);
    assert_int_equal(io->io.error.conn_error, 1022);
    scene_free(scene);
}

/* ---- 4 ---- */

static void acceptance_4_while_an_older_command_moves_a_younger_one_is_let_alone(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    scene->sim.plan.pipe_len = 1024; /* two Data-Ins at a time */
    scene_fault(scene, "drop:command(read)#2");
    scene_fault(scene, "drop:data-in(read)#400+1x113");
    scene_open(scene, "timeout=5&max_recv=512&lu_reset_timeout=30&" PINGS);
    scene_run_to(scene, 10 * SIM_S);
    struct scene_io *older = scene_read(scene, 0, 0, 512);
    struct sim_conn *conn = scene_conn(scene);
    sim_conn_stall(conn, false, true, SIM_NEVER);
    scene_run_to(scene, 11 * SIM_S);
    struct scene_io *younger = scene_read(scene, 1, 1000, 1);
    scene_run_to(scene, 12 * SIM_S);
    uint64_t now_ns = 12 * SIM_S, moved_ns = 0;
    while (scene_count(scene, "fault: drop data-in") == 0) {
        moved_ns = now_ns;
        assert_int_equal(scene_count(scene, TMF), 0);
        sim_conn_stall(conn, false, true, 0); /* a little comes through */
        scene_run_to(scene, now_ns + 1);
        sim_conn_stall(conn, false, true, SIM_NEVER);
        scene_run_to(scene, now_ns += 2 * SIM_S);
    }
    assert_true(moved_ns > 100 * SIM_S); /* many of the younger one's five seconds */
    sim_conn_stall(conn, false, true, 0);
    scene_run_to(scene, now_ns + 60 * SIM_S);
    /* Both are found guilty, and the older one's turn is first. */
    uint64_t older_ns = scene_when(scene, "session 1: LUN 0: READ(10) lba 0,", 0);
    uint64_t younger_ns = scene_when(scene, "session 1: LUN 0: READ(10) lba 1000,", 0);
    assert_int_equal(older_ns, scene_when(scene, TMF, 0));
    assert_int_equal(younger_ns, scene_when(scene, TMF, 1));
    assert_true(older_ns < younger_ns);
    assert_int_equal(scene_count(scene, LOST), 0);
    scene_assert_done(older, 0);
    scene_assert_done(younger, 0);
    scene_free(scene);
}

/* ---- 5 ---- */

/* A read whose answer waits in the network while its time runs out: at 70 s, the second look. */
static struct scene_io *answer_held(struct scene *scene)
{
    scene_open(scene, "timeout=30&" NO_PING);
    scene_run_to(scene, 10 * SIM_S);
    struct scene_io *io = scene_read(scene, 0, 0, 8);
    sim_conn_stall(scene_conn(scene), false, true, SIM_NEVER);
    scene_run_to(scene, 69 * SIM_S);
    (void)iskra_run_once(scene->sim.ctx, (int64_t)SIM_S); /* expired, and not judged yet */
    assert_int_equal(scene->sim.clock.now_ns, 70 * SIM_S);
    assert_int_equal(io->done_cnt, 0);
    return io;
}

static void acceptance_5_an_answer_between_expiry_and_verdict_is_handled(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    struct scene_io *io = answer_held(scene);
    sim_conn_stall(scene_conn(scene), false, true, 0);
    scene_run_to(scene, 70 * SIM_S);
    scene_assert_done(io, 0);
    assert_int_equal(io->done_ns, 70 * SIM_S);
    assert_int_equal(scene_count(scene, "session 1: LUN 0: READ"), 0); /* nobody was troubled */
    scene_run_to(scene, 300 * SIM_S);
    scene_assert_done(io, 0);
    assert_int_equal(scene_count(scene, TMF), 0);
    scene_free(scene);
}

static void acceptance_5_an_answer_after_the_verdict_belongs_to_error_handling(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    struct scene_io *io = answer_held(scene);
    scene_run_to(scene, 70 * SIM_S); /* judged */
    assert_int_equal(io->done_cnt, 0);
    scene_run_to(scene, 70 * SIM_S + 5 * SIM_MS);
    sim_conn_stall(scene_conn(scene), false, true, 0); /* before the abort is sent */
    scene_run_to(scene, 70 * SIM_S + 6 * SIM_MS);
    scene_assert_done(io, 0);
    assert_int_equal(scene_count(scene, "session 1: LUN 0: READ(10) lba 0, 8 blocks"), 1);
    assert_non_null(strstr(scene_line(scene, "session 1: LUN 0: READ", 0), "answered after all"));
    scene_run_to(scene, 300 * SIM_S);
    scene_assert_done(io, 0);
    assert_int_equal(scene_count(scene, TMF), 0);
    scene_free(scene);
}

/* ---- 6 ---- */

#define IN_FLIGHT 8u

/* The connection falls at 20 s, and everybody's word with it; a SYN that is not answered is sent
 * again each second, so that the next login after the link is back is at a whole one. */
static void lose(struct scene *scene, uint64_t link_back_ns)
{
    scene_open(scene, "replacement_timeout=120&login_timeout=15&" PINGS);
    scene_run_to(scene, 19 * SIM_S);
    scene_link(scene, false);
    for (unsigned i = 0; i < IN_FLIGHT; i++)
        (void)scene_write(scene, i, 8 * i, 8);
    scene_run_to(scene, 20 * SIM_S);
    scene_drop(scene);
    scene_run_to(scene, link_back_ns);
    assert_int_equal(scene_when(scene, LOST, 0), 20 * SIM_S);
}

static void acceptance_6_a_login_after_119_seconds_completes_everything(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    lose(scene, 138 * SIM_S + 500 * SIM_MS);
    scene_link(scene, true);
    scene_run_to(scene, 139 * SIM_S + 100 * SIM_MS);
    assert_in_range(scene_when(scene, BACK, 0), 139 * SIM_S, 139 * SIM_S + 100 * SIM_MS);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        scene_assert_done(&scene->ios[i], 0);
        assert_in_range(scene->ios[i].done_ns, 139 * SIM_S, 139 * SIM_S + 100 * SIM_MS);
    }
    assert_int_equal(scene_count(scene, GONE), 0);
    scene_free(scene);
}

static void acceptance_6_a_login_after_121_seconds_comes_too_late_and_revives(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    lose(scene, 140 * SIM_S - 1);
    for (unsigned i = 0; i < IN_FLIGHT; i++)
        assert_int_equal(scene->ios[i].done_cnt, 0);
    scene_run_to(scene, 140 * SIM_S);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        scene_assert_done(&scene->ios[i], -ETIMEDOUT);
        assert_int_equal(scene->ios[i].done_ns, 140 * SIM_S);
        assert_int_equal(scene->ios[i].io.error.code, ISKRA_E_CONNECTION);
    }
    assert_int_equal(scene_when(scene, GONE, 0), 140 * SIM_S);
    scene_run_to(scene, 140 * SIM_S + 500 * SIM_MS);
    scene_link(scene, true);
    scene_run_to(scene, 160 * SIM_S);
    assert_in_range(scene_when(scene, BACK, 0), 141 * SIM_S, 141 * SIM_S + 100 * SIM_MS);
    struct scene_io *io = scene_read(scene, 0, 0, 8);
    scene_run_to(scene, 161 * SIM_S);
    scene_assert_done(io, 0);
    scene_free(scene);
}

/* ---- 7 ---- */

static void acceptance_7_an_answer_with_a_tag_of_the_age_before_is_refused(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    scene_fault(scene, "field=itt=15:data-in(read)#2"); /* of index 15, age 0 */
    scene_open(scene, "replacement_timeout=0&" PINGS);
    struct scene_io *io = scene_read(scene, 0, 0, 8);
    scene_run_to(scene, 10 * SIM_S);
    scene_assert_done(io, 0);
    scene_drop(scene);
    scene_run_to(scene, 15 * SIM_S); /* age 1 */
    assert_int_equal(scene_count(scene, BACK), 1);
    io = scene_read(scene, 0, 0, 8);
    scene_run_to(scene, 16 * SIM_S);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->io.error.conn_error, 1010);
    scene_free(scene);
}

/* ---- 8 ---- */

static void acceptance_8_with_a_window_of_one_requests_go_out_one_by_one(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    scene->sim.plan.cmd_window = 1;
    scene->sim.plan.separate_status = true; /* each ends with a SCSI Response */
    scene_open(scene, PINGS);
    unsigned sent = scene_count(scene, "> pdu 1 "), answered = scene_count(scene, "< pdu 33 ");
    for (unsigned i = 0; i < IN_FLIGHT; i++)
        (void)scene_read(scene, i, 8 * i, 8);
    scene_run_to(scene, 4 * SIM_S);
    assert_int_equal(scene_count(scene, "> pdu 1 "), sent + IN_FLIGHT);
    for (unsigned i = 0; i < IN_FLIGHT; i++) {
        scene_assert_done(&scene->ios[i], 0);
        uint64_t sent_ns = scene_when(scene, "> pdu 1 ", sent + i);
        uint64_t answered_ns = scene_when(scene, "< pdu 33 ", answered + i);
        assert_true(sent_ns < answered_ns);
        if (i + 1 < IN_FLIGHT)
            assert_true(scene_when(scene, "> pdu 1 ", sent + i + 1) >= answered_ns);
    }
    scene_free(scene);
}

/* ---- 10 ---- */

static void acceptance_10_no_data_out_follows_an_abort_in_the_middle_of_a_burst(void **state)
{
    (void)state;
    struct scene *scene = scene_new();
    scene->sim.plan.pipe_len = 1024; /* not two PDUs */
    scene->sim.plan.max_recv = 512;
    scene_open(scene, "initial_r2t=yes&immediate_data=no&" PINGS);
    struct scene_io *io = scene_write(scene, 0, 0, 512);
    while (scene_count(scene, "> pdu 5 ") < 10)
        scene_run_to(scene, scene->sim.clock.now_ns + SIM_US);
    struct sim_conn *conn = scene_conn(scene);
    sim_conn_stall(conn, true, false, SIM_NEVER);
    scene_run_to(scene, scene->sim.clock.now_ns + SIM_MS); /* stuck, most likely inside one */
    assert_int_equal(iskra_cancel(&io->io), 0);
    scene_run_to(scene, scene->sim.clock.now_ns + SIM_MS);
    sim_conn_stall(conn, true, false, 0);
    scene_run_to(scene, scene->sim.clock.now_ns + SIM_S);
    assert_int_equal(scene_count(scene, TMF), 1);
    /* What had its place in the stream comes before it, nothing behind it, and by far not all. */
    unsigned data_cnt = scene_count(scene, "> pdu 5 ");
    assert_true(scene_is_before(scene, "> pdu 5 ", data_cnt - 1, TMF, 0));
    assert_in_range(data_cnt, 10, 400);
    scene_assert_done(io, -ECANCELED);
    scene_free(scene);
}

int main(void)
{
#define T(name) cmocka_unit_test(name)
    const struct CMUnitTest tests[] = {
        T(acceptance_3_a_silent_command_on_a_live_link_is_aborted_at_the_third_look),
        T(acceptance_3_a_dead_idle_link_is_found_ten_seconds_after_its_last_word),
        T(acceptance_4_while_an_older_command_moves_a_younger_one_is_let_alone),
        T(acceptance_5_an_answer_between_expiry_and_verdict_is_handled),
        T(acceptance_5_an_answer_after_the_verdict_belongs_to_error_handling),
        T(acceptance_6_a_login_after_119_seconds_completes_everything),
        T(acceptance_6_a_login_after_121_seconds_comes_too_late_and_revives),
        T(acceptance_7_an_answer_with_a_tag_of_the_age_before_is_refused),
        T(acceptance_8_with_a_window_of_one_requests_go_out_one_by_one),
        T(acceptance_10_no_data_out_follows_an_abort_in_the_middle_of_a_burst),
    };
    return cmocka_run_group_tests_name("acceptance", tests, NULL, NULL);
}
