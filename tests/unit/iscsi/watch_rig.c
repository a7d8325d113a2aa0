/* See watch_rig.h. */
#include "watch_rig.h"

static void window_open(struct rig *r)
{
    uint32_t cmd_sn = rig_session(r)->window.cmd_sn;
    iskra_window_update(&rig_session(r)->window, cmd_sn, cmd_sn + rig_session(r)->cmds_max - 1);
}

struct rig *watch_rig(uint64_t recv_timeout_ns, uint64_t ping_timeout_ns)
{
    struct rig *r = rig_new(32);
    r->round.now_ns = 1000 * SECOND;
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_RECV_TMO, (int64_t)recv_timeout_ns), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_PING_TMO, (int64_t)ping_timeout_ns), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_EXP_STATSN, RIG_STAT_SN), 0);
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    window_open(r);
    return r;
}

void watch_later(struct rig *r, uint64_t ns)
{
    uint64_t end_ns = r->round.now_ns + ns;
    for (uint64_t at_ns; (at_ns = iskra_timers_next_ns(&r->round.timers)) <= end_ns;) {
        if (at_ns > r->round.now_ns)
            r->round.now_ns = at_ns;
        iskra_timers_run(&r->round.timers, r->round.now_ns);
        rig_run(r);
    }
    r->round.now_ns = end_ns;
}

uint32_t watch_sent_ping(struct rig *r)
{
    struct iskra_pdu_nop_out pdu;
    const uint8_t *hdr = rig_sent(r);
    assert_int_equal(hdr[0], ISKRA_OP_NOP_OUT | ISKRA_OP_IMMEDIATE);
    iskra_nop_out_decode(hdr, &pdu);
    assert_int_equal(pdu.ttt, ISKRA_RESERVED_TAG);
    assert_int_equal(pdu.data_len, 0);
    assert_int_not_equal(pdu.itt, ISKRA_RESERVED_TAG);
    return pdu.itt;
}

void watch_answer(struct rig *r, uint32_t itt)
{
    rig_feed_nop_in(r, itt, ISKRA_RESERVED_TAG);
    rig_run(r);
}

struct iskra_pdu_tmf watch_sent_tmf(struct rig *r)
{
    const uint8_t *hdr = rig_sent(r);
    assert_int_equal(hdr[0], ISKRA_OP_TMF | ISKRA_OP_IMMEDIATE);
    struct iskra_pdu_tmf pdu;
    iskra_tmf_decode(hdr, &pdu);
    return pdu;
}

void watch_relogin(struct rig *r)
{
    rig_run(r);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    r->out_len = r->out_at = 0;
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_start(r), 0);
    window_open(r);
}
