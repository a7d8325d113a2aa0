#include "write_rig.h"

struct rig *write_rig(const struct gen_keys *keys, uint32_t max_r2t)
{
    struct rig *r = rig_new(32);
    const struct {
        enum iskra_param param;
        int64_t value;
    } params[] = {
        {ISKRA_PARAM_EXP_STATSN, RIG_STAT_SN},
        {ISKRA_PARAM_MAX_RECV_DLENGTH, 65536},
        {ISKRA_PARAM_MAX_XMIT_DLENGTH, keys->max_recv},
        {ISKRA_PARAM_IMM_DATA_EN, keys->immediate_data},
        {ISKRA_PARAM_INITIAL_R2T_EN, keys->initial_r2t},
        {ISKRA_PARAM_FIRST_BURST, keys->first_burst},
        {ISKRA_PARAM_MAX_BURST, keys->max_burst},
        {ISKRA_PARAM_MAX_R2T, max_r2t},
        {ISKRA_PARAM_HDRDGST_EN, keys->hdr_digest},
        {ISKRA_PARAM_DATADGST_EN, keys->data_digest},
    };
    assert_int_equal(rig_bind(r), 0);
    for (size_t i = 0; i < sizeof(params) / sizeof(params[0]); i++)
        assert_int_equal(rig_set_param(r, params[i].param, params[i].value), 0);
    assert_int_equal(rig_start(r), 0);
    iskra_window_update(&rig_session(r)->window, RIG_CMD_SN, RIG_CMD_SN + 31);
    return r;
}

static uint32_t next_random(uint32_t *seed)
{
    *seed = *seed * 1664525u + 1013904223u;
    return *seed >> 8;
}

void write_init(struct rig *r, struct write_cmd *w, uint32_t len, uint32_t seed)
{
    rig_cmd_init(r, &w->cmd, ISKRA_DIR_WRITE, len);
    memset(w->sheet, 0xee, sizeof(w->sheet));
    for (uint32_t i = 0; i < len; i++)
        w->plain[i] = (uint8_t)(next_random(&seed) >> 3);
    w->r2t_sn = 0;
    size_t skip = next_random(&seed) % 40, at = 0;
    uint32_t left = len + (uint32_t)skip, i = 0;
    for (; left > 0 && i < WRITE_IOV_CNT - 1; i++) { /* holes between the pieces */
        uint32_t n = i % 4 == 3 ? 0 : 1 + next_random(&seed) % (len / 8 + 60);
        if (n > left)
            n = left;
        w->iov[i] = (struct iovec){.iov_base = w->sheet + at, .iov_len = n};
        at += n + 7;
        left -= n;
    }
    w->iov[i++] = (struct iovec){.iov_base = w->sheet + at, .iov_len = left};
    struct iskra_sg_cursor sg;
    iskra_sg_cursor_init(&sg, w->iov, i, skip);
    for (uint32_t k = 0; k < len; k++) {
        ((uint8_t *)w->iov[sg.index].iov_base)[sg.offset] = w->plain[k];
        iskra_sg_cursor_advance(&sg, 1);
    }
    w->cmd.cmnd.iov = w->iov;
    w->cmd.cmnd.iov_cnt = i;
    w->cmd.cmnd.iov_skip = skip;
}

void write_queue(struct rig *r, struct write_cmd *w)
{
    assert_int_equal(rig_queue(&w->cmd), ISKRA_QUEUED);
    w->gen = (struct gen_write){
        .itt = w->cmd.cmnd.task->tcp.itt,
        .cmd_sn = rig_session(r)->window.queued_cmd_sn - 1,
        .exp_stat_sn = rig_conn(r)->exp_stat_sn,
        .cdb = w->cmd.cdb,
        .cdb_len = w->cmd.cmnd.cdb_len,
        .data = w->plain,
        .len = w->cmd.cmnd.transfer_len,
    };
}

void write_submit(struct rig *r, struct write_cmd *w, uint32_t len, uint32_t seed)
{
    write_init(r, w, len, seed);
    write_queue(r, w);
}

uint32_t write_begin(struct rig *r, const struct gen_keys *keys, struct write_cmd *w, uint32_t len,
                     uint32_t seed)
{
    write_submit(r, w, len, seed);
    rig_run(r);
    return write_expect_command(r, keys, w);
}

void write_socket_takes(struct rig *r, size_t len)
{
    r->room = len;
    r->sock.port->ops->write_space(r->sock.port);
    rig_run(r);
}

void write_expect_bytes(struct rig *r, const uint8_t *want, size_t len)
{
    assert_true(r->out_len - r->out_at >= len);
    assert_memory_equal(r->out + r->out_at, want, len);
    r->out_at += len;
}

uint32_t write_expect_command(struct rig *r, const struct gen_keys *keys, const struct write_cmd *w)
{
    static uint8_t want[RIG_OUT_LEN];
    uint32_t covered;
    write_expect_bytes(r, want, gen_command(keys, &w->gen, want, &covered));
    return covered;
}

void write_expect_answer(struct rig *r, const struct gen_keys *keys, const struct write_cmd *w,
                         const struct gen_r2t *r2t)
{
    static uint8_t want[RIG_OUT_LEN];
    write_expect_bytes(r, want, gen_answer(keys, &w->gen, r2t, want));
}

void write_feed_r2t(struct rig *r, struct write_cmd *w, uint32_t offset, uint32_t len,
                    struct gen_r2t *ret)
{
    struct iskra_pdu_r2t pdu = {
        .lun = w->cmd.cmnd.lun,
        .itt = w->gen.itt,
        .ttt = WRITE_TTT + (w->gen.itt << 8) + w->r2t_sn,
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = rig_session(r)->window.cmd_sn,
        .max_cmd_sn = rig_session(r)->window.max_cmd_sn,
        .r2t_sn = w->r2t_sn++,
        .offset = offset,
        .desired_len = len,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_r2t_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, NULL, 0);
    if (ret != NULL)
        *ret = (struct gen_r2t){.ttt = pdu.ttt, .offset = offset, .len = len, .lun = pdu.lun};
}

void write_finish(struct rig *r, struct write_cmd *w)
{
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, w->gen.itt, 0);
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
    rig_run(r);
    assert_int_equal(w->cmd.done_cnt, 1);
    assert_int_equal(w->cmd.cmnd.result, 0);
    assert_int_equal(w->cmd.cmnd.residual, 0);
    assert_false(rig_sent_any(r));
}

struct iskra_pdu_data_out write_sent_data_out(struct rig *r)
{
    const uint8_t *hdr = rig_sent(r);
    assert_int_equal(hdr[0], ISKRA_OP_DATA_OUT);
    struct iskra_pdu_data_out pdu;
    iskra_data_out_decode(hdr, &pdu);
    return pdu;
}
