/* The login phase: Login PDUs up and down, and what may come glued to the last one. */
#include "rig.h"

static void login_request(struct rig *r, const char *text)
{
    struct iskra_pdu_login pdu = {.transit = true, .csg = 1, .nsg = 3};
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_login_encode(&pdu, hdr);
    assert_int_equal(rig_send_pdu(r, hdr, text, strlen(text)), 0);
}

static void login_response(struct rig *r, uint8_t *hdr)
{
    struct iskra_pdu_login_rsp pdu = {
        .transit = true,
        .csg = 1,
        .nsg = 3,
        .itt = rig_conn(r)->login_task->tcp.itt,
        .stat_sn = RIG_STAT_SN - 1,
        .exp_cmd_sn = RIG_CMD_SN,
        .max_cmd_sn = RIG_CMD_SN + 15,
    };
    iskra_login_rsp_encode(&pdu, hdr);
}

/* The final Login Response and a NOP-In behind it, with a header digest. */
static size_t glued(struct rig *r, uint8_t *stream)
{
    uint8_t hdr[ISKRA_BHS_LEN];
    login_response(r, hdr);
    size_t len = rig_pdu_put(stream, hdr, "HeaderDigest=CRC32C", 20, false, false);
    struct iskra_pdu_nop_in nop = {
        .itt = ISKRA_RESERVED_TAG,
        .ttt = 0x4711,
        .stat_sn = RIG_STAT_SN,
        .exp_cmd_sn = RIG_CMD_SN,
        .max_cmd_sn = RIG_CMD_SN + 31,
    };
    iskra_nop_in_encode(&nop, hdr);
    return len + rig_pdu_put(stream + len, hdr, NULL, 0, true, false);
}

static void start_with_digests(struct rig *r, const struct rig_event *ev)
{
    if (ev->type != ISKRA_KEVENT_RECV_PDU || iskra_bhs_opcode(ev->hdr) != ISKRA_OP_LOGIN_RSP)
        return;
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_HDRDGST_EN, 1), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_EXP_STATSN, RIG_STAT_SN), 0);
    assert_int_equal(rig_start(r), 0);
}

static void login_response_comes_up_with_its_keys(void **state)
{
    struct rig *r = rig_new(16);
    assert_int_equal(rig_bind(r), 0);
    login_request(r, "A=1");
    rig_run(r);
    uint8_t hdr[ISKRA_BHS_LEN];
    login_response(r, hdr);
    rig_feed_pdu(r, hdr, "B=2", 4);
    assert_true(rig_conn(r)->rx_hold != 0);
    rig_run(r);
    assert_int_equal(rig_conn(r)->rx_hold, 0);
    assert_int_equal(r->event_cnt, 1);
    assert_int_equal(r->events[0].data_len, 4);
    assert_memory_equal(r->events[0].data, "B=2", 4);
    assert_memory_equal(r->events[0].hdr, hdr, ISKRA_BHS_LEN);
    assert_int_equal(rig_conn(r)->login_task->state, ISKRA_TASK_FREE);
    assert_int_equal(rig_session(r)->window.max_cmd_sn, RIG_CMD_SN + 15);
    login_request(r, "C=3"); /* the one login task is there again */
    rig_run(r);
    assert_int_equal(r->xmit_cnt, 2);
    rig_free(r);
}

static void answer_at_once(struct rig *r, const struct rig_event *ev)
{
    if (r->event_cnt < 3)
        login_request(r, "more");
}

static void next_login_request_may_come_from_inside_the_event(void **state)
{
    struct rig *r = rig_new(16);
    r->on_event = answer_at_once;
    assert_int_equal(rig_bind(r), 0);
    login_request(r, "first");
    for (unsigned i = 0; i < 3; i++) {
        rig_run(r);
        assert_int_equal(iskra_bhs_opcode(rig_sent(r)), ISKRA_OP_LOGIN);
        uint8_t hdr[ISKRA_BHS_LEN];
        login_response(r, hdr);
        rig_feed_pdu(r, hdr, NULL, 0);
    }
    rig_run(r);
    assert_int_equal(r->event_cnt, 3);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void what_is_glued_to_the_last_login_response_is_parsed_with_digests(void **state)
{
    for (size_t chunk = 0; chunk < 130; chunk++) {
        struct rig *r = rig_new(16);
        uint8_t stream[256];
        r->on_event = start_with_digests;
        r->chunk = chunk;
        assert_int_equal(rig_bind(r), 0);
        login_request(r, "A=1");
        rig_run(r);
        (void)rig_sent(r);
        size_t len = glued(r, stream);
        rig_feed(r, stream, len);
        assert_int_equal(rig_session(r)->state, ISKRA_SESSION_FREE);
        assert_int_equal(r->out_at, r->out_len);
        rig_run(r);
        rig_assert_no_conn_error(r);
        assert_int_equal(rig_session(r)->state, ISKRA_SESSION_LOGGED_IN);
        assert_int_equal(iskra_get_be32(rig_sent(r) + 20), 0x4711);
        assert_int_equal(r->in_len, 0);
        rig_free(r);
    }
}

/* A transport that has read too far (io_uring may) hands over everything in one piece all the same.
 */
static void bytes_read_ahead_are_held_until_the_event_was_delivered(void **state)
{
    struct rig *r = rig_new(16);
    uint8_t stream[256];
    r->on_event = start_with_digests;
    assert_int_equal(rig_bind(r), 0);
    login_request(r, "A=1");
    rig_run(r);
    (void)rig_sent(r);
    rig_conn(r)->tcp.in.exact = false;
    rig_feed(r, stream, glued(r, stream));
    assert_int_equal(r->in_len, 0);
    rig_run(r);
    rig_assert_no_conn_error(r);
    assert_int_equal(iskra_get_be32(rig_sent(r) + 20), 0x4711);
    rig_free(r);
}

static void stop_inside(struct rig *r, const struct rig_event *ev)
{
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
}

static void connection_may_be_stopped_from_inside_the_event(void **state)
{
    struct rig *r = rig_new(16);
    uint8_t stream[256];
    r->on_event = stop_inside;
    assert_int_equal(rig_bind(r), 0);
    login_request(r, "A=1");
    rig_run(r);
    rig_feed(r, stream, glued(r, stream));
    rig_run(r);
    assert_int_equal(r->event_cnt, 1);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_TERMINATE);
    rig_free(r);
}

static void destroy_inside(struct rig *r, const struct rig_event *ev)
{
    if (r->event_cnt == 1)
        iskra_class_done(&r->cls);
}

static void class_may_be_destroyed_from_inside_the_event(void **state)
{
    struct rig *r = rig_new(16);
    uint8_t stream[256];
    r->on_event = destroy_inside;
    assert_int_equal(rig_bind(r), 0);
    login_request(r, "A=1");
    rig_run(r);
    rig_feed(r, stream, glued(r, stream));
    rig_conn(r)->tcp.port.ops->state_change(&rig_conn(r)->tcp.port, 0); /* a second event waits */
    rig_run(r);
    assert_int_equal(r->event_cnt, 1);
    rig_free(r);
}

static void destroy_session_inside(struct rig *r, const struct rig_event *ev)
{
    struct iskra_uevent req = {.type = ISKRA_UEVENT_DESTROY_SESSION, .sid = RIG_SID};
    assert_int_equal(rig_request(r, &req, NULL, NULL, 0), 0);
}

static void session_may_be_destroyed_from_inside_the_event(void **state)
{
    struct rig *r = rig_new(16);
    uint8_t hdr[ISKRA_BHS_LEN];
    r->on_event = destroy_session_inside;
    assert_int_equal(rig_bind(r), 0);
    login_request(r, "A=1");
    rig_run(r);
    login_response(r, hdr);
    rig_feed_pdu(r, hdr, "B=2", 4);
    rig_run(r);
    assert_int_equal(r->event_cnt, 1);
    assert_null(r->cls.session);
    rig_free(r);
}

static void login_response_nobody_asked_for_is_refused(void **state)
{
    struct rig *r = rig_new(16);
    uint8_t hdr[ISKRA_BHS_LEN];
    assert_int_equal(rig_bind(r), 0);
    login_response(r, hdr);
    iskra_put_be32(hdr + 16, rig_conn(r)->login_task->index);
    rig_feed_pdu(r, hdr, NULL, 0);
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    assert_int_equal(rig_session(r)->state, ISKRA_SESSION_FAILED);
    rig_free(r);
}

static void login_response_for_a_request_not_sent_yet_is_refused(void **state)
{
    struct rig *r = rig_new(16);
    uint8_t hdr[ISKRA_BHS_LEN];
    assert_int_equal(rig_bind(r), 0);
    login_request(r, "A=1");
    login_response(r, hdr);
    rig_feed_pdu(r, hdr, NULL, 0);
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    rig_free(r);
}

static void login_data_beyond_the_buffer_is_refused(void **state)
{
    struct rig *r = rig_new(16);
    static uint8_t data[8196];
    uint8_t hdr[ISKRA_BHS_LEN];
    assert_int_equal(rig_bind(r), 0);
    login_request(r, "A=1");
    rig_run(r);
    login_response(r, hdr);
    rig_feed_pdu(r, hdr, data, 8193);
    rig_assert_conn_error(r, ISKRA_CONN_DATALEN);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(login_response_comes_up_with_its_keys),
        cmocka_unit_test(next_login_request_may_come_from_inside_the_event),
        cmocka_unit_test(what_is_glued_to_the_last_login_response_is_parsed_with_digests),
        cmocka_unit_test(bytes_read_ahead_are_held_until_the_event_was_delivered),
        cmocka_unit_test(connection_may_be_stopped_from_inside_the_event),
        cmocka_unit_test(class_may_be_destroyed_from_inside_the_event),
        cmocka_unit_test(session_may_be_destroyed_from_inside_the_event),
        cmocka_unit_test(login_response_nobody_asked_for_is_refused),
        cmocka_unit_test(login_response_for_a_request_not_sent_yet_is_refused),
        cmocka_unit_test(login_data_beyond_the_buffer_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
