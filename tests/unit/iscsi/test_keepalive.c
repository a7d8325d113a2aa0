/* The watch over an idle connection: when it pings, what counts as a sign of life, when it gives
 * up. */
#include "watch_rig.h"

#include "iscsi/ping.h"

static void an_idle_connection_is_pinged_after_recv_timeout(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    watch_later(r, 5 * SECOND - 1);
    assert_false(rig_sent_any(r));
    watch_later(r, 1);
    uint32_t itt = watch_sent_ping(r);
    watch_answer(r, itt);
    watch_later(r, 5 * SECOND - 1);
    assert_false(rig_sent_any(r));
    watch_later(r, 1);
    (void)watch_sent_ping(r);
    rig_assert_no_conn_error(r);
    assert_int_equal(r->event_cnt, 0); /* the answer is nobody else's business */
    rig_free(r);
}

static void a_link_cut_when_idle_is_found_at_exactly_10_s(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    watch_later(r, 10 * SECOND - 1);
    rig_assert_no_conn_error(r);
    watch_later(r, 1);
    rig_assert_conn_error(r, ISKRA_CONN_NOP_TIMEDOUT);
    assert_string_equal(r->events[0].why,
                        "nothing was received for 10.0 s: no answer to a ping within 5 s");
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_FAILED);
    assert_int_equal(rig_conn(r)->timeout_errors, 1);
    watch_later(r, 100 * SECOND);
    rig_assert_conn_error(r, ISKRA_CONN_NOP_TIMEDOUT); /* once */
    rig_free(r);
}

static void any_byte_is_a_sign_of_life(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    uint8_t half[20] = {ISKRA_OP_NOP_IN, 0x80};
    watch_later(r, 5 * SECOND);
    (void)watch_sent_ping(r);
    for (int i = 0; i < 20; i++) { /* a header that trickles */
        watch_later(r, 4 * SECOND);
        rig_feed(r, half + i, 1);
    }
    rig_assert_no_conn_error(r);
    assert_false(rig_sent_any(r)); /* one ping is out: there is no second */
    watch_later(r, 10 * SECOND - 1);
    rig_assert_no_conn_error(r);
    watch_later(r, SECOND);
    rig_assert_conn_error(r, ISKRA_CONN_NOP_TIMEDOUT);
    rig_free(r);
}

static void fractions_of_a_second_are_kept(void **state)
{
    struct rig *r = watch_rig(SECOND / 2, SECOND / 4);
    watch_later(r, SECOND / 2);
    (void)watch_sent_ping(r);
    watch_later(r, SECOND / 4 - 1);
    rig_assert_no_conn_error(r);
    watch_later(r, 1);
    rig_assert_conn_error(r, ISKRA_CONN_NOP_TIMEDOUT);
    rig_free(r);
}

static void one_timeout_of_0_becomes_5_s_and_two_are_off(void **state)
{
    struct rig *r = watch_rig(0, SECOND);
    watch_later(r, 5 * SECOND);
    (void)watch_sent_ping(r);
    watch_later(r, SECOND);
    rig_assert_conn_error(r, ISKRA_CONN_NOP_TIMEDOUT);
    rig_free(r);
    r = watch_rig(SECOND, 0);
    watch_later(r, SECOND);
    (void)watch_sent_ping(r);
    watch_later(r, 5 * SECOND - 1);
    rig_assert_no_conn_error(r);
    watch_later(r, 1);
    rig_assert_conn_error(r, ISKRA_CONN_NOP_TIMEDOUT);
    rig_free(r);
    r = watch_rig(0, 0);
    assert_true(iskra_timers_next_ns(&r->round.timers) == ISKRA_NEVER);
    rig_free(r);
}

static void a_ping_that_the_socket_does_not_take_is_not_answered_either(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    r->room = 0;
    watch_later(r, 10 * SECOND);
    rig_assert_conn_error(r, ISKRA_CONN_NOP_TIMEDOUT);
    rig_free(r);
}

static void a_ping_that_is_rejected_is_answered(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    watch_later(r, 5 * SECOND);
    const uint8_t *sent = rig_sent(r);
    uint8_t hdr[ISKRA_BHS_LEN];
    memcpy(hdr, sent, sizeof(hdr));
    rig_feed_reject(r, 0x06, hdr, sizeof(hdr));
    rig_run(r);
    assert_int_equal(r->event_cnt, 0);
    watch_later(r, 5 * SECOND);
    (void)watch_sent_ping(r);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void a_stopped_connection_is_not_watched_and_a_started_one_is(void **state)
{
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_SESS_RECOVERY_TMO, -1), 0);
    watch_later(r, 5 * SECOND);
    (void)watch_sent_ping(r); /* never answered */
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    watch_later(r, 100 * SECOND);
    rig_assert_no_conn_error(r);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    watch_later(r, 5 * SECOND);
    (void)watch_sent_ping(r);
    rig_free(r);
}

static void ignore(void *arg, int status, uint64_t rtt_ns, const struct iskra_error *err) {}

/* Every command out, every ping of a user's unanswered: there is still room for the watch, a task
 * management request and a Logout. */
static void a_task_is_left_for_what_keeps_the_session(void **state)
{
    static struct rig_cmd cmds[32];
    struct rig *r = watch_rig(5 * SECOND, 5 * SECOND);
    unsigned queued = 0, pings = 0;
    for (; queued < 32; queued++) {
        rig_cmd_init(r, &cmds[queued], ISKRA_DIR_NONE, 0);
        if (rig_queue(&cmds[queued]) != ISKRA_QUEUED)
            break;
    }
    assert_int_equal(queued, 17);
    while (pings < 32 &&
           iskra_ping_send(rig_conn(r), NULL, 0, 3600 * SECOND, ignore, NULL, NULL) == 0)
        pings++;
    assert_int_equal(pings, ISKRA_PINGS_MAX);
    for (unsigned i = 0; i < 32 && iskra_conn_lends(rig_conn(r)); i++) { /* late answers */
        struct iskra_task *task = iskra_task_alloc(rig_session(r), rig_conn(r));
        assert_true(iskra_task_keep_tag(task));
    }
    rig_run(r);
    r->out_at = r->out_len;
    watch_later(r, 5 * SECOND);
    (void)watch_sent_ping(r);
    assert_int_equal(iskra_session_abort(rig_session(r), &cmds[0].cmnd), 0);
    rig_run(r);
    (void)watch_sent_tmf(r);
    uint8_t logout[ISKRA_BHS_LEN] = {ISKRA_OP_LOGOUT | ISKRA_OP_IMMEDIATE, 0x80};
    assert_int_equal(rig_send_pdu(r, logout, NULL, 0), 0);
    rig_run(r);
    assert_int_equal(rig_sent(r)[0] & 0x3f, ISKRA_OP_LOGOUT);
    rig_assert_no_conn_error(r);
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    rig_run(r); /* the pings are told of */
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_connection_is_pinged_after_recv_timeout),
        cmocka_unit_test(a_link_cut_when_idle_is_found_at_exactly_10_s),
        cmocka_unit_test(any_byte_is_a_sign_of_life),
        cmocka_unit_test(fractions_of_a_second_are_kept),
        cmocka_unit_test(one_timeout_of_0_becomes_5_s_and_two_are_off),
        cmocka_unit_test(a_ping_that_the_socket_does_not_take_is_not_answered_either),
        cmocka_unit_test(a_ping_that_is_rejected_is_answered),
        cmocka_unit_test(a_stopped_connection_is_not_watched_and_a_started_one_is),
        cmocka_unit_test(a_task_is_left_for_what_keeps_the_session),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
