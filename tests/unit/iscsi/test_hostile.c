/* A target that says anything at all: whatever it does, one failure at most is raised per life,
 * each command is done exactly once, and the session can start again. Fixed seeds. */
#include "rig.h"

#include <stdio.h>

static uint32_t rnd_state;

static uint32_t rnd(uint32_t below)
{
    rnd_state = rnd_state * 1664525u + 1013904223u;
    return (uint32_t)((uint64_t)(rnd_state >> 8) * below >> 24);
}

static const uint8_t opcodes[] = {
    ISKRA_OP_NOP_IN,    ISKRA_OP_SCSI_RSP,
    ISKRA_OP_SCSI_RSP,  ISKRA_OP_TMF_RSP,
    ISKRA_OP_LOGIN_RSP, ISKRA_OP_TEXT_RSP,
    ISKRA_OP_DATA_IN,   ISKRA_OP_DATA_IN,
    ISKRA_OP_DATA_IN,   ISKRA_OP_LOGOUT_RSP,
    ISKRA_OP_R2T,       ISKRA_OP_ASYNC,
    ISKRA_OP_REJECT,    0x1f,
};

#define CMD_CNT 12
static struct rig_cmd cmds[CMD_CNT];
static bool out[CMD_CNT]; /* the session has it */
static unsigned long queued_cnt, done_cnt, lives, answered_cnt;

/* Nearly right, so that it gets far: tags that exist, numbers that are due, now and then not. */
static void random_pdu(struct rig *r)
{
    uint8_t hdr[ISKRA_BHS_LEN];
    static uint8_t data[600];
    for (size_t i = 0; i < sizeof(hdr); i++)
        hdr[i] = rnd(8) == 0 ? (uint8_t)rnd(256) : 0;
    for (size_t i = 0; i < sizeof(data); i += 1 + rnd(40))
        data[i] = (uint8_t)rnd(256);
    struct iskra_session *s = rig_session(r);
    struct iskra_task *task = iskra_session_task(s, rnd(s->cmd_cnt));
    for (int i = 0; i < 40 && task->state != ISKRA_TASK_RUNNING; i++)
        task = iskra_session_task(s, rnd(s->cmd_cnt));
    hdr[0] = opcodes[rnd(sizeof(opcodes))];
    hdr[1] = rnd(3) == 0 ? (uint8_t)rnd(256) : 0x81;
    hdr[2] = rnd(8) == 0 ? (uint8_t)rnd(256) : 0;
    hdr[4] = rnd(30) == 0 ? (uint8_t)rnd(60) : 0;
    uint32_t itt = rnd(4) == 0 ? ISKRA_RESERVED_TAG : task->tcp.itt;
    iskra_put_be32(hdr + 16, rnd(40) == 0 ? rnd(1u << 16) : itt);
    if (rnd(2) == 0)
        iskra_put_be32(hdr + 20, ISKRA_RESERVED_TAG);
    iskra_put_be32(hdr + 24, rig_conn(r)->exp_stat_sn + (rnd(40) == 0 ? rnd(80) : 0));
    iskra_put_be32(hdr + 28, s->window.cmd_sn);
    iskra_put_be32(hdr + 32, s->window.cmd_sn + rnd(20));
    uint32_t len = rnd(2) == 0 ? 0 : rnd(sizeof(data));
    if (hdr[0] == ISKRA_OP_DATA_IN && rnd(20) != 0) {
        iskra_put_be32(hdr + 36, task->tcp.exp_data_sn);
        iskra_put_be32(hdr + 40, task->tcp.recv_len);
        uint32_t left = task->tcp.transfer_len - task->tcp.recv_len;
        len = rnd(3) == 0 || left > sizeof(data) ? rnd((uint32_t)sizeof(data)) : left;
    }
    if (hdr[4] != 0) { /* an AHS: bytes of its own */
        static uint8_t with_ahs[ISKRA_BHS_LEN + 60 * 4];
        iskra_put_be24(hdr + 5, 0);
        memcpy(with_ahs, hdr, sizeof(hdr));
        rig_feed(r, with_ahs, ISKRA_BHS_LEN + iskra_bhs_ahs_len(hdr));
        return;
    }
    rig_feed_pdu(r, hdr, data, len);
}

static uint8_t answer_to(uint8_t request)
{
    switch (request) {
    case ISKRA_OP_TEXT:
        return ISKRA_OP_TEXT_RSP;
    case ISKRA_OP_TMF:
        return ISKRA_OP_TMF_RSP;
    default:
        return ISKRA_OP_NOP_IN;
    }
}

/* What a good target would say next to one of the tasks, or a ping. Its numbers count what was fed
 * and is not received yet, too. */
static void sane_pdu(struct rig *r)
{
    struct iskra_session *s = rig_session(r);
    struct iskra_task *task = iskra_session_task(s, rnd(s->cmd_cnt));
    for (int i = 0; i < 40 && task->state != ISKRA_TASK_RUNNING; i++)
        task = iskra_session_task(s, rnd(s->cmd_cnt));
    if (r->in_len > 0 || task->state != ISKRA_TASK_RUNNING || rnd(10) == 0) {
        rig_feed_nop_in(r, ISKRA_RESERVED_TAG, rnd(1000));
        return;
    }
    uint32_t left = task->tcp.transfer_len - task->tcp.recv_len;
    if (task->cmd == NULL) {
        uint8_t hdr[ISKRA_BHS_LEN] = {answer_to(task->opcode), 0x80};
        iskra_put_be32(hdr + 16, task->tcp.itt);
        iskra_put_be32(hdr + 20, ISKRA_RESERVED_TAG);
        iskra_put_be32(hdr + 24, rig_conn(r)->exp_stat_sn);
        rig_feed_pdu(r, hdr, NULL, 0);
    } else if (task->tcp.dir == ISKRA_DIR_READ && rnd(3) != 0 && left > 0) {
        static const uint8_t data[900];
        struct iskra_pdu_data_in pdu =
            rig_data_in(r, task->tcp.itt, task->tcp.exp_data_sn, task->tcp.recv_len);
        uint32_t len = 1 + rnd(left);
        pdu.final = pdu.status_present = len == left;
        rig_feed_data_in(r, &pdu, data, len);
    } else {
        struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, task->tcp.itt, 0);
        rsp.max_cmd_sn = s->window.cmd_sn + 20;
        rsp.underflow = left > 0;
        rsp.residual = left;
        rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    }
}

static void collect(struct rig *r)
{
    for (int i = 0; i < CMD_CNT; i++) {
        assert_true(cmds[i].done_cnt <= 1);
        if (!out[i] || cmds[i].done_cnt == 0)
            continue;
        out[i] = false;
        done_cnt++;
        answered_cnt += ISKRA_RESULT_HOST(cmds[i].cmnd.result) == ISKRA_DID_OK;
    }
    r->done_cnt = 0;
}

static void ours(struct rig *r)
{
    int i = (int)rnd(CMD_CNT);
    if (!out[i]) {
        rig_cmd_init(r, &cmds[i], rnd(3) == 0 ? ISKRA_DIR_NONE : ISKRA_DIR_READ, 0);
        if (cmds[i].cmnd.dir == ISKRA_DIR_READ)
            cmds[i].cmnd.transfer_len = 1 + rnd(900);
        out[i] = rig_queue(&cmds[i]) == ISKRA_QUEUED;
        queued_cnt += out[i];
    }
    static const uint8_t mgmt[] = {ISKRA_OP_NOP_OUT, ISKRA_OP_TMF, ISKRA_OP_TEXT};
    uint8_t hdr[ISKRA_BHS_LEN] = {mgmt[rnd(3)] | ISKRA_OP_IMMEDIATE, 0x80};
    if (rnd(4) == 0)
        (void)rig_send_pdu(r, hdr, NULL, 0); /* refused when there are too many */
}

static void next_life(struct rig *r)
{
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    rig_run(r);
    collect(r);
    for (int i = 0; i < CMD_CNT; i++)
        assert_false(out[i]);
    assert_int_equal(rig_session(r)->scsi_cnt, 0);
    unsigned free_cnt = 0;
    ISKRA_LIST_FOREACH(l, &rig_session(r)->pool) free_cnt++;
    assert_int_equal(free_cnt, rig_session(r)->cmd_cnt - 1);
    r->chunk = rnd(3) == 0 ? 1 + rnd(100) : 0;
    r->room = rnd(4) == 0 ? 30 + rnd(200) : SIZE_MAX;
    assert_int_equal(rig_bind(r), 0);
    bool digests = rnd(2) == 0;
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_HDRDGST_EN, digests), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_DATADGST_EN, digests), 0);
    assert_int_equal(rig_start(r), 0);
    rig_session(r)->window.max_cmd_sn += 20;
    lives++;
}

static void anything_the_target_says_ends_well(void **state)
{
    for (uint32_t seed = 1; seed <= 20; seed++) {
        rnd_state = seed;
        struct rig *r = rig_logged_in(32);
        memset(out, 0, sizeof(out));
        for (int step = 0; step < 3000; step++) {
            ours(r);
            if (rnd(2) == 0)
                rig_run(r);
            if (rnd(30) != 0)
                sane_pdu(r);
            else
                random_pdu(r);
            if (rnd(3) == 0)
                rig_run(r);
            if (rnd(5) == 0 && rig_conn(r)->sock != NULL && r->room == 0) {
                r->room = rnd(500);
                rig_conn(r)->tcp.port.ops->write_space(&rig_conn(r)->tcp.port);
            }
            collect(r);
            if (rig_conn(r)->failed || rnd(200) == 0) {
                rig_run(r);
                unsigned errors = 0;
                for (unsigned i = 0; i < r->event_cnt; i++)
                    errors += r->events[i].type == ISKRA_KEVENT_CONN_ERROR;
                assert_int_equal(errors, rig_conn(r)->failed ? 1 : 0);
                next_life(r);
                r->event_cnt = 0;
            }
            if (r->event_cnt > RIG_EVENT_CNT / 2 && !rig_conn(r)->failed)
                r->event_cnt = 0;
            r->out_len = r->out_at = 0;
        }
        next_life(r);
        rig_free(r);
    }
    assert_int_equal(queued_cnt, done_cnt);
    print_message("# %lu commands, %lu answered, %lu lives\n", queued_cnt, answered_cnt, lives);
    assert_true(answered_cnt > 10000); /* else the target only talked nonsense */
    assert_true(lives > 100);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(anything_the_target_says_ends_well),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
