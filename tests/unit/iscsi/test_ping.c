/* Our own pings: what is sent, and every way in which one ends. */
#include "rig.h"

#include <errno.h>

#include "iscsi/ping.h"

#define SECOND UINT64_C(1000000000)

struct outcome {
    unsigned cnt;
    int status;
    uint64_t rtt_ns;
    struct iskra_error error;
};

static void told(void *arg, int status, uint64_t rtt_ns, const struct iskra_error *err)
{
    struct outcome *o = arg;
    o->cnt++;
    o->status = status;
    o->rtt_ns = rtt_ns;
    o->error = *err;
}

static int ping(struct rig *r, struct outcome *o, const void *data, uint32_t len)
{
    memset(o, 0, sizeof(*o));
    return iskra_ping_send(rig_conn(r), data, len, 5 * SECOND, told, o, &o->error);
}

/* Sent; returns its tag. */
static uint32_t ping_out(struct rig *r, struct outcome *o, const char *data)
{
    assert_int_equal(ping(r, o, data, (uint32_t)strlen(data)), 0);
    rig_run(r);
    const uint8_t *hdr = rig_sent(r);
    assert_int_equal(iskra_bhs_opcode(hdr), ISKRA_OP_NOP_OUT);
    uint32_t itt = iskra_bhs_itt(hdr);
    r->out_at = r->out_len; /* its data */
    return itt;
}

static void answer(struct rig *r, uint32_t itt, const char *data)
{
    struct iskra_pdu_nop_in pdu = {
        .itt = itt,
        .ttt = ISKRA_RESERVED_TAG,
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = RIG_CMD_SN,
        .max_cmd_sn = RIG_CMD_SN + 31,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_nop_in_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, data, (uint32_t)strlen(data));
    rig_run(r);
}

static void reject(struct rig *r, uint8_t reason, const uint8_t *rejected)
{
    struct iskra_pdu_reject pdu = {
        .reason = reason,
        .itt = ISKRA_RESERVED_TAG,
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = RIG_CMD_SN,
        .max_cmd_sn = RIG_CMD_SN + 31,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_reject_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, rejected, ISKRA_BHS_LEN);
    rig_run(r);
}

/* Pings that nobody answers any more end with their connection. */
static void end(struct rig *r)
{
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    rig_run(r);
    assert_int_equal(rig_conn(r)->ping_cnt, 0);
    rig_free(r);
}

static void at(struct rig *r, uint64_t ns)
{
    r->round.now_ns = ns;
    iskra_timers_run(&r->round.timers, ns);
    rig_run(r);
}

static void answer_tells_how_long_it_took(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    uint64_t begin_ns = r->round.now_ns;
    uint32_t itt = ping_out(r, &o, "");
    assert_int_equal(o.cnt, 0);
    r->round.now_ns = begin_ns + 1234;
    answer(r, itt, "");
    assert_int_equal(o.cnt, 1);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.rtt_ns, 1234);
    assert_int_equal(rig_conn(r)->exp_stat_sn, RIG_STAT_SN + 1);
    assert_int_equal(rig_conn(r)->ping_cnt, 0);
    assert_int_equal(r->event_cnt, 0); /* nothing of the control plane's */
    at(r, begin_ns + 100 * SECOND);
    assert_int_equal(o.cnt, 1);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void time_runs_from_sending_not_from_asking(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    assert_int_equal(ping(r, &o, NULL, 0), 0);
    r->round.now_ns += 700;
    rig_run(r);
    uint32_t itt = iskra_bhs_itt(rig_sent(r));
    r->round.now_ns += 50;
    answer(r, itt, "");
    assert_int_equal(o.rtt_ns, 50);
    rig_free(r);
}

static void command_window_is_left_alone(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    struct iskra_cmd_window *w = &rig_session(r)->window;
    w->max_cmd_sn = w->cmd_sn - 1; /* closed */
    uint32_t queued_cmd_sn = w->queued_cmd_sn;
    uint32_t itt = ping_out(r, &o, "abc");
    assert_int_equal(w->cmd_sn, RIG_CMD_SN);
    assert_int_equal(w->queued_cmd_sn, queued_cmd_sn);
    answer(r, itt, "abc");
    assert_int_equal(o.status, 0);
    rig_free(r);
}

static void data_that_comes_back_otherwise_is_told_with_the_byte(void **state)
{
    static const struct {
        const char *back, *why;
    } cases[] = {
        {"pong-pang", "byte 1 of 9 of a ping was 0x69 and came back as 0x6f"},
        {"ping", "a ping of 9 bytes came back with 4"},
        {"ping-pang+more", "a ping of 9 bytes came back with 14"},
        {"", "a ping of 9 bytes came back with 0"},
    };
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig *r = rig_logged_in(32);
        struct outcome o;
        uint32_t itt = ping_out(r, &o, "ping-pang");
        r->round.now_ns += 9;
        answer(r, itt, cases[i].back);
        assert_int_equal(o.status, -EBADMSG);
        assert_string_equal(o.error.text, cases[i].why);
        assert_int_equal(o.rtt_ns, 9);
        rig_assert_no_conn_error(r);
        rig_free(r);
    }
}

static void all_bytes_come_back_under_both_digests(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct iskra_tcp_conn *tcp = &rig_conn(r)->tcp;
    tcp->in.hdr_digest = tcp->in.data_digest = tcp->out.hdr_digest = tcp->out.data_digest = true;
    struct outcome o;
    static uint8_t data[ISKRA_CONN_BUF_LEN];
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i * 7 + i / 256);
    assert_int_equal(ping(r, &o, data, sizeof(data)), 0);
    rig_run(r);
    const uint8_t *hdr = rig_sent(r);
    assert_int_equal(iskra_bhs_data_len(hdr), sizeof(data));
    struct iskra_pdu_nop_in pdu = {.itt = iskra_bhs_itt(hdr),
                                   .ttt = ISKRA_RESERVED_TAG,
                                   .stat_sn = RIG_STAT_SN,
                                   .exp_cmd_sn = RIG_CMD_SN,
                                   .max_cmd_sn = RIG_CMD_SN + 31};
    uint8_t back[ISKRA_BHS_LEN];
    iskra_nop_in_encode(&pdu, back);
    rig_feed_pdu(r, back, data, sizeof(data));
    rig_run(r);
    assert_int_equal(o.cnt, 1);
    assert_int_equal(o.status, 0);
    rig_free(r);
}

static void silence_ends_when_the_time_is_up(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    uint64_t begin_ns = r->round.now_ns;
    (void)ping_out(r, &o, "");
    at(r, begin_ns + 5 * SECOND - 1);
    assert_int_equal(o.cnt, 0);
    at(r, begin_ns + 5 * SECOND);
    assert_int_equal(o.cnt, 1);
    assert_int_equal(o.status, -ETIMEDOUT);
    assert_int_equal(o.error.code, ISKRA_E_TIMEOUT_SCSI);
    assert_string_equal(o.error.text, "no answer to a ping within 5 s");
    rig_assert_no_conn_error(r);
    end(r);
}

static void late_answer_hurts_nobody_and_frees_the_tag(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    uint32_t itt = ping_out(r, &o, "data");
    at(r, 60 * SECOND);
    assert_int_equal(o.cnt, 1);
    assert_int_equal(rig_conn(r)->ping_cnt, 1);
    answer(r, itt, "whatever");
    assert_int_equal(o.cnt, 1);
    assert_int_equal(rig_conn(r)->ping_cnt, 0);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void ping_that_never_left_is_taken_back(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    assert_int_equal(ping(r, &o, "x", 1), 0);
    r->round.now_ns += 6 * SECOND;
    iskra_timers_run(&r->round.timers, r->round.now_ns);
    rig_run(r);
    assert_int_equal(o.status, -ETIMEDOUT);
    assert_string_equal(o.error.text, "a ping was not sent within 5 s");
    assert_int_equal(rig_conn(r)->ping_cnt, 0);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

/* Its time is up while the socket holds half of it: the memory must last until it is gone. */
static void data_outlives_a_full_socket(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    r->room = 50;
    assert_int_equal(ping(r, &o, "twenty bytes of data", 20), 0);
    rig_run(r);
    at(r, 60 * SECOND);
    assert_int_equal(o.status, -ETIMEDOUT);
    r->room = SIZE_MAX;
    rig_conn(r)->tcp.port.ops->write_space(&rig_conn(r)->tcp.port);
    rig_run(r);
    assert_int_equal(r->out_len, ISKRA_BHS_LEN + 20);
    assert_memory_equal(r->out + ISKRA_BHS_LEN, "twenty bytes of data", 20);
    answer(r, iskra_bhs_itt(r->out), "");
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void second_answer_loses_the_connection(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    uint32_t itt = ping_out(r, &o, "");
    answer(r, itt, "");
    answer(r, itt, "");
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    assert_int_equal(o.cnt, 1);
    rig_free(r);
}

static void answer_to_another_tag_is_no_answer(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    uint32_t itt = ping_out(r, &o, "");
    answer(r, itt + 1, "");
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    assert_int_equal(o.cnt, 0); /* until the connection is stopped */
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    rig_run(r);
    assert_int_equal(o.cnt, 1);
    rig_free(r);
}

static void answer_that_asks_for_an_answer_is_refused(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    uint32_t itt = ping_out(r, &o, "");
    rig_feed_nop_in(r, itt, 0x1234);
    rig_run(r);
    rig_assert_conn_error(r, ISKRA_CONN_PROTO);
    end(r);
}

static void lost_connection_is_what_the_ping_tells(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    (void)ping_out(r, &o, "data");
    rig_conn(r)->tcp.port.ops->state_change(&rig_conn(r)->tcp.port, ECONNRESET);
    rig_run(r);
    assert_int_equal(rig_stop(r, ISKRA_STOP_TERM), 0);
    rig_run(r);
    assert_int_equal(o.cnt, 1);
    assert_true(o.status < 0);
    assert_int_equal(o.error.conn_error, ISKRA_CONN_TCP_CONN_CLOSE);
    assert_int_equal(rig_conn(r)->ping_cnt, 0);
    rig_free(r);
}

static void rejected_ping_tells_the_reason(void **state)
{
    static const struct {
        uint8_t reason;
        int status;
    } cases[] = {{0x06, -EAGAIN}, {0x09, -EPROTO}, {0x02, -EPROTO}, {0xee, -EPROTO}};
    for (unsigned i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct rig *r = rig_logged_in(32);
        struct outcome o;
        (void)ping_out(r, &o, "data");
        uint8_t hdr[ISKRA_BHS_LEN];
        memcpy(hdr, r->out, sizeof(hdr));
        reject(r, cases[i].reason, hdr);
        assert_int_equal(o.cnt, 1);
        assert_int_equal(o.status, cases[i].status);
        assert_non_null(strstr(o.error.text, "the target rejected a ping: reason 0x"));
        assert_int_equal(rig_conn(r)->ping_cnt, 0);
        rig_assert_no_conn_error(r);
        rig_free(r);
    }
}

static void eight_in_flight_are_answered_in_any_order(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o[ISKRA_PINGS_MAX], more;
    uint32_t itts[ISKRA_PINGS_MAX];
    for (unsigned i = 0; i < ISKRA_PINGS_MAX; i++) {
        itts[i] = ping_out(r, &o[i], "");
        for (unsigned k = 0; k < i; k++)
            assert_int_not_equal(itts[i], itts[k]);
    }
    assert_int_equal(ping(r, &more, NULL, 0), -EBUSY);
    assert_string_equal(more.error.text, "no ping: 8 are not answered yet");
    for (unsigned i = ISKRA_PINGS_MAX; i-- > 0;) {
        answer(r, itts[i], "");
        assert_int_equal(o[i].cnt, 1);
        assert_int_equal(o[i].status, 0);
    }
    (void)ping_out(r, &more, "");
    rig_assert_no_conn_error(r);
    end(r);
}

static void more_data_than_both_sides_take_is_refused(void **state)
{
    static uint8_t data[ISKRA_CONN_BUF_LEN + 1];
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    struct iskra_session_params *p = &rig_session(r)->params;
    assert_int_equal(ping(r, &o, data, sizeof(data)), -EMSGSIZE);
    p->max_xmit_data_len = 512;
    assert_int_equal(ping(r, &o, data, 513), -EMSGSIZE);
    assert_string_equal(o.error.text,
                        "a ping with 513 bytes of data; at most 512 are possible here");
    p->max_xmit_data_len = ISKRA_CONN_BUF_LEN;
    p->max_recv_data_len = 1024;
    assert_int_equal(ping(r, &o, data, 1025), -EMSGSIZE);
    assert_int_equal(ping(r, &o, data, 1024), 0);
    rig_run(r);
    end(r);
}

static void session_that_is_not_up_sends_none(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    iskra_conn_failure(rig_conn(r), ISKRA_CONN_FAILED);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(ping(r, &o, NULL, 0), -ENOTCONN);
    assert_string_equal(o.error.text,
                        "no ping: the session is IN_RECOVERY: the connection failed: FAILED");
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(ping(r, &o, NULL, 0), -ENOTCONN);
    rig_free(r);
}

static void no_ping_follows_a_logout(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    uint8_t hdr[ISKRA_BHS_LEN] = {ISKRA_OP_LOGOUT | ISKRA_OP_IMMEDIATE, 0x80};
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    assert_int_equal(ping(r, &o, NULL, 0), 0);
    rig_run(r);
    assert_int_equal(iskra_bhs_opcode(rig_sent(r)), ISKRA_OP_LOGOUT);
    assert_false(rig_sent_any(r));
    assert_int_equal(o.status, -ENOTCONN);
    assert_int_equal(o.error.code, ISKRA_E_CONNECTION);
    rig_free(r);
}

static void no_memory_is_an_error_and_nothing_more(void **state)
{
    struct rig *r = rig_logged_in(32);
    struct outcome o;
    r->alloc_fail_at = r->alloc_cnt + 1;
    assert_int_equal(ping(r, &o, "x", 1), -ENOMEM);
    assert_int_equal(rig_conn(r)->ping_cnt, 0);
    r->alloc_fail_at = 0;
    (void)ping_out(r, &o, "x");
    end(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(answer_tells_how_long_it_took),
        cmocka_unit_test(time_runs_from_sending_not_from_asking),
        cmocka_unit_test(command_window_is_left_alone),
        cmocka_unit_test(data_that_comes_back_otherwise_is_told_with_the_byte),
        cmocka_unit_test(all_bytes_come_back_under_both_digests),
        cmocka_unit_test(silence_ends_when_the_time_is_up),
        cmocka_unit_test(late_answer_hurts_nobody_and_frees_the_tag),
        cmocka_unit_test(ping_that_never_left_is_taken_back),
        cmocka_unit_test(data_outlives_a_full_socket),
        cmocka_unit_test(second_answer_loses_the_connection),
        cmocka_unit_test(answer_to_another_tag_is_no_answer),
        cmocka_unit_test(answer_that_asks_for_an_answer_is_refused),
        cmocka_unit_test(lost_connection_is_what_the_ping_tells),
        cmocka_unit_test(rejected_ping_tells_the_reason),
        cmocka_unit_test(eight_in_flight_are_answered_in_any_order),
        cmocka_unit_test(more_data_than_both_sides_take_is_refused),
        cmocka_unit_test(session_that_is_not_up_sends_none),
        cmocka_unit_test(no_ping_follows_a_logout),
        cmocka_unit_test(no_memory_is_an_error_and_nothing_more),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
