#include "rig.h"

#include <errno.h>
#include <stdlib.h>

#include "wire/crc32c.h"

/* ---- platform ---- */

static void *rig_alloc(void *arg, size_t size)
{
    struct rig *r = arg;
    if (++r->alloc_cnt == r->alloc_fail_at)
        return NULL;
    r->live_cnt++;
    return calloc(1, size);
}

static void rig_dealloc(void *arg, void *p)
{
    struct rig *r = arg;
    if (p != NULL)
        r->live_cnt--;
    free(p);
}

static uint64_t rig_now(void *arg)
{
    return ((struct rig *)arg)->round.now_ns;
}

/* ---- transport ---- */

static struct rig *rig_of_transport(struct iskra_transport *t)
{
    return iskra_container_of(t, struct rig, transport);
}

static struct rig *rig_of_sock(struct iskra_sock *sock)
{
    return iskra_container_of(sock, struct rig, sock);
}

static const struct iskra_transport_ops transport_ops;

static int fake_bind(struct iskra_transport *t, struct iskra_port *port, int fd, bool is_leading,
                     struct iskra_sock **ret_sock, struct iskra_error *err)
{
    (void)err;
    struct rig *r = rig_of_transport(t);
    r->bind_cnt++;
    if (r->bind_rc != 0)
        return r->bind_rc;
    assert_false(r->bound);
    r->bound = true;
    r->fd = fd;
    r->is_leading = is_leading;
    r->in_len = 0;
    r->in_stopped = false;
    r->in_rc = 0;
    r->sock = (struct iskra_sock){.ops = &transport_ops, .port = port};
    port->ops->bound(port);
    *ret_sock = &r->sock;
    return 0;
}

static void fake_unbind(struct iskra_sock *sock)
{
    struct rig *r = rig_of_sock(sock);
    assert_true(r->bound);
    r->bound = false;
    r->unbind_cnt++;
}

/* Like the real ones: until nothing is offered or the socket is full; a partial send counts. */
static int fake_xmit(struct iskra_sock *sock)
{
    struct rig *r = rig_of_sock(sock);
    struct iskra_port *port = sock->port;
    r->xmit_cnt++;
    if (r->xmit_rc != 0)
        return r->xmit_rc;
    for (;;) {
        struct iovec iov[16];
        int cnt = port->ops->send_window(port, iov, 16, SIZE_MAX);
        if (cnt == 0)
            return 0;
        size_t n = 0;
        for (int i = 0; i < cnt && r->room > 0; i++) {
            size_t len = iov[i].iov_len < r->room ? iov[i].iov_len : r->room;
            assert_true(r->out_len + len <= RIG_OUT_LEN);
            memcpy(r->out + r->out_len, iov[i].iov_base, len);
            r->out_len += len;
            r->room -= len;
            n += len;
        }
        port->ops->sent(port, n);
        if (r->room == 0)
            return -EAGAIN;
    }
}

static void fake_resume(struct iskra_sock *sock)
{
    struct rig *r = rig_of_sock(sock);
    r->resume_cnt++;
    r->in_stopped = false;
}

static const struct iskra_transport_ops transport_ops = {
    .name = "fake",
    .bind_conn = fake_bind,
    .unbind_conn = fake_unbind,
    .xmit = fake_xmit,
    .resume = fake_resume,
};

/* Moves what was fed into the windows, chunk by chunk. */
static void receive(struct rig *r)
{
    struct iskra_port *port = r->sock.port;
    while (r->in_len > 0 && !r->in_stopped && r->bound) {
        struct iovec iov[8];
        size_t n = 0;
        int cnt = port->ops->recv_window(port, r->staging, sizeof(r->staging), iov, 8);
        if (cnt == 0) {
            r->in_stopped = true;
            return;
        }
        size_t want = r->chunk > 0 && r->chunk < r->in_len ? r->chunk : r->in_len;
        for (int i = 0; i < cnt && n < want; i++) {
            size_t len = iov[i].iov_len < want - n ? iov[i].iov_len : want - n;
            memcpy(iov[i].iov_base, r->in + n, len);
            n += len;
        }
        memmove(r->in, r->in + n, r->in_len - n);
        r->in_len -= n;
        r->in_rc = port->ops->recv(port, n);
        r->in_stopped = r->in_rc != 0;
    }
}

void rig_feed(struct rig *r, const void *bytes, size_t len)
{
    assert_true(r->in_len + len <= RIG_IN_LEN);
    memcpy(r->in + r->in_len, bytes, len);
    r->in_len += len;
    receive(r);
}

void rig_run(struct rig *r)
{
    for (int pass = 0; pass < 1000; pass++) {
        receive(r);
        if (iskra_workq_run(&r->round.work) == 0 && iskra_workq_run(&r->round.xmit) == 0)
            return;
    }
    fail_msg("work never ends");
}

/* ---- above ---- */

static void fake_block(void *host)
{
    ((struct rig *)host)->block_cnt++;
}

static void fake_unblock(void *host)
{
    struct rig *r = host;
    r->unblock_cnt++;
    if (!r->devices_unsure)
        iskra_class_ready(&r->cls);
}

static void fake_offline(void *host)
{
    ((struct rig *)host)->offline_cnt++;
}

static const struct iskra_class_host_ops host_ops = {
    .block = fake_block,
    .unblock = fake_unblock,
    .transport_offline = fake_offline,
};

static void sink_event(void *arg, const struct iskra_uevent *uev, const uint8_t *hdr,
                       const uint8_t *data, size_t data_len, const struct iskra_error *why)
{
    struct rig *r = arg;
    assert_true(r->event_cnt < RIG_EVENT_CNT);
    struct rig_event *ev = &r->events[r->event_cnt++];
    ev->type = uev->type;
    ev->sid = uev->sid;
    ev->cid = uev->cid;
    ev->error = uev->type == ISKRA_KEVENT_CONN_ERROR ? uev->u.conn_error.error : 0;
    ev->data_len = data_len;
    if (hdr != NULL)
        memcpy(ev->hdr, hdr, ISKRA_BHS_LEN);
    if (data_len > 0)
        memcpy(ev->data, data, data_len);
    if (why != NULL)
        memcpy(ev->why, why->text, sizeof(ev->why));
    if (r->on_event != NULL)
        r->on_event(r, ev);
}

/* ---- life ---- */

struct rig *rig_new_of_depth(uint32_t cmds_max, uint32_t queue_depth)
{
    struct rig *r = calloc(1, sizeof(*r));
    assert_non_null(r);
    r->pf = (struct iskra_platform){
        .size = sizeof(r->pf),
        .arg = r,
        .now_ns = rig_now,
        .alloc = rig_alloc,
        .free = rig_dealloc,
    };
    r->room = SIZE_MAX;
    r->transport.ops = &transport_ops;
    r->round.pf = &r->pf;
    r->round.now_ns = 1000;
    iskra_workq_init(&r->round.work);
    iskra_workq_init(&r->round.xmit);
    iskra_timers_init(&r->round.timers, &r->pf);
    assert_int_equal(iskra_trace_init(&r->round.trace, &r->pf, 256), 0);
    assert_int_equal(iskra_class_init(&r->cls, &r->round, &r->transport), 0);
    r->cls.sid = RIG_SID;
    r->cls.sink = (struct iskra_event_sink){.event = sink_event, .arg = r};
    iskra_class_set_host(&r->cls, &host_ops, r);
    struct iskra_uevent ev = {
        .type = ISKRA_UEVENT_CREATE_SESSION,
        .u.create_session = {.initial_cmd_sn = RIG_CMD_SN,
                             .cmds_max = cmds_max,
                             .queue_depth = queue_depth},
    };
    assert_int_equal(rig_request(r, &ev, NULL, NULL, 0), 0);
    assert_int_equal(ev.sid, RIG_SID);
    ev = (struct iskra_uevent){.type = ISKRA_UEVENT_CREATE_CONN, .sid = RIG_SID, .cid = RIG_CID};
    assert_int_equal(rig_request(r, &ev, NULL, NULL, 0), 0);
    return r;
}

struct rig *rig_new(uint32_t cmds_max)
{
    return rig_new_of_depth(cmds_max, 0);
}

void rig_log_in(struct rig *r)
{
    assert_int_equal(rig_bind(r), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_EXP_STATSN, RIG_STAT_SN), 0);
    assert_int_equal(rig_set_param(r, ISKRA_PARAM_MAX_RECV_DLENGTH, 65536), 0);
    assert_int_equal(rig_start(r), 0);
    /* What the Login Responses would have said. */
    uint32_t cmds = rig_session(r)->cmds_max;
    iskra_window_update(&rig_session(r)->window, RIG_CMD_SN, RIG_CMD_SN + cmds - 1);
}

struct rig *rig_logged_in(uint32_t cmds_max)
{
    struct rig *r = rig_new(cmds_max);
    rig_log_in(r);
    return r;
}

void rig_free(struct rig *r)
{
    iskra_class_done(&r->cls);
    iskra_timers_done(&r->round.timers);
    iskra_trace_done(&r->round.trace);
    assert_int_equal(r->live_cnt, 0);
    assert_false(r->bound);
    free(r);
}

struct iskra_session *rig_session(struct rig *r)
{
    return r->cls.session;
}

struct iskra_conn *rig_conn(struct rig *r)
{
    return iskra_conn_find(r->cls.session, RIG_CID);
}

/* ---- requests ---- */

int rig_request(struct rig *r, struct iskra_uevent *ev, const uint8_t *hdr, const void *data,
                size_t data_len)
{
    return iskra_class_if_ops.request(&r->cls, ev, hdr, data, data_len, NULL);
}

int rig_bind(struct rig *r)
{
    struct iskra_uevent ev = {
        .type = ISKRA_UEVENT_BIND_CONN,
        .sid = RIG_SID,
        .cid = RIG_CID,
        .u.bind_conn = {.fd = 42, .is_leading = true},
    };
    int rc = rig_request(r, &ev, NULL, NULL, 0);
    assert_int_equal(ev.r.retcode, rc);
    return rc;
}

int rig_set_param(struct rig *r, enum iskra_param param, int64_t value)
{
    struct iskra_uevent ev = {
        .type = ISKRA_UEVENT_SET_PARAM,
        .sid = RIG_SID,
        .cid = RIG_CID,
        .u.set_param = {.param = param, .value = value},
    };
    return rig_request(r, &ev, NULL, NULL, 0);
}

int rig_start(struct rig *r)
{
    struct iskra_uevent ev = {.type = ISKRA_UEVENT_START_CONN, .sid = RIG_SID, .cid = RIG_CID};
    int rc = rig_request(r, &ev, NULL, NULL, 0);
    assert_int_equal(ev.r.retcode, rc);
    return rc;
}

int rig_stop(struct rig *r, enum iskra_stop_flag flag)
{
    struct iskra_uevent ev = {
        .type = ISKRA_UEVENT_STOP_CONN,
        .sid = RIG_SID,
        .cid = RIG_CID,
        .u.stop_conn = {.flag = flag},
    };
    return rig_request(r, &ev, NULL, NULL, 0);
}

int rig_send_pdu(struct rig *r, const uint8_t *hdr, const void *data, size_t data_len)
{
    struct iskra_uevent ev = {.type = ISKRA_UEVENT_SEND_PDU, .sid = RIG_SID, .cid = RIG_CID};
    int rc = rig_request(r, &ev, hdr, data, data_len);
    assert_int_equal(ev.r.retcode, rc);
    return rc;
}

/* ---- PDUs ---- */

static void digest_put(uint8_t *dst, const void *bytes, size_t len)
{
    uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, bytes, len);
    iskra_crc32c_put(dst, iskra_crc32c_finish(crc));
}

size_t rig_pdu_put(uint8_t *dst, uint8_t *hdr, const void *data, uint32_t data_len, bool hdr_digest,
                   bool data_digest)
{
    iskra_put_be24(hdr + 5, data_len);
    memcpy(dst, hdr, ISKRA_BHS_LEN);
    size_t len = ISKRA_BHS_LEN;
    if (hdr_digest) {
        digest_put(dst + len, dst, len);
        len += ISKRA_DIGEST_LEN;
    }
    if (data_len == 0)
        return len;
    uint32_t padded_len = data_len + iskra_pad_len(data_len);
    memset(dst + len, 0, padded_len);
    memcpy(dst + len, data, data_len);
    len += padded_len;
    if (data_digest) {
        digest_put(dst + len, dst + len - padded_len, padded_len);
        len += ISKRA_DIGEST_LEN;
    }
    return len;
}

void rig_feed_pdu(struct rig *r, uint8_t *hdr, const void *data, uint32_t data_len)
{
    static uint8_t buf[RIG_IN_LEN];
    const struct iskra_tcp_in *in = &rig_conn(r)->tcp.in;
    rig_feed(r, buf, rig_pdu_put(buf, hdr, data, data_len, in->hdr_digest, in->data_digest));
}

bool rig_sent_any(const struct rig *r)
{
    return r->out_at < r->out_len;
}

const uint8_t *rig_sent(struct rig *r)
{
    const struct iskra_tcp_out *out = &rig_conn(r)->tcp.out;
    assert_true(r->out_len - r->out_at >= ISKRA_BHS_LEN);
    const uint8_t *hdr = r->out + r->out_at;
    uint32_t data_len = iskra_bhs_data_len(hdr);
    r->out_at += ISKRA_BHS_LEN + iskra_bhs_ahs_len(hdr);
    r->out_at += out->hdr_digest ? ISKRA_DIGEST_LEN : 0;
    r->out_at += data_len + iskra_pad_len(data_len);
    r->out_at += out->data_digest && data_len > 0 ? ISKRA_DIGEST_LEN : 0;
    assert_true(r->out_at <= r->out_len);
    return hdr;
}

/* ---- commands ---- */

static void cmd_done(struct iskra_cmnd *cmnd)
{
    struct rig_cmd *cmd = (struct rig_cmd *)cmnd;
    cmd->done_cnt++;
    cmd->task_was_gone = cmnd->task == NULL;
    cmd->rig->done[cmd->rig->done_cnt++ % 256] = cmd;
}

void rig_cmd_init(struct rig *r, struct rig_cmd *cmd, enum iskra_data_dir dir, uint32_t len)
{
    memset(cmd, 0, sizeof(*cmd));
    cmd->rig = r;
    cmd->cdb[0] = dir == ISKRA_DIR_READ ? 0x28 : dir == ISKRA_DIR_WRITE ? 0x2a : 0x00;
    cmd->iov = (struct iovec){.iov_base = cmd->data, .iov_len = sizeof(cmd->data)};
    cmd->cmnd = (struct iskra_cmnd){
        .cdb = cmd->cdb,
        .cdb_len = dir == ISKRA_DIR_NONE ? 6 : 10,
        .dir = dir,
        .lun = UINT64_C(0x0001000000000000),
        .iov = &cmd->iov,
        .iov_cnt = 1,
        .transfer_len = len,
        .result = 0xdeadbeef,
        .error = &cmd->error,
        .scsi_done = cmd_done,
    };
}

enum iskra_queue_status rig_queue(struct rig_cmd *cmd)
{
    return iskra_queuecommand(rig_session(cmd->rig), &cmd->cmnd);
}

uint32_t rig_queue_and_send(struct rig *r, struct rig_cmd *cmd)
{
    assert_int_equal(rig_queue(cmd), ISKRA_QUEUED);
    rig_run(r);
    return iskra_bhs_itt(rig_sent(r));
}

void rig_queue_on_lun(struct rig *r, struct rig_cmd *cmd, uint64_t lun)
{
    rig_cmd_init(r, cmd, ISKRA_DIR_READ, 512);
    cmd->cmnd.lun = lun;
    assert_int_equal(rig_queue(cmd), ISKRA_QUEUED);
    rig_run(r);
}

void rig_answer_tmf(struct rig *r, uint32_t itt, uint8_t response)
{
    struct iskra_pdu_tmf_rsp pdu = {
        .response = response,
        .itt = itt,
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = rig_session(r)->window.cmd_sn,
        .max_cmd_sn = rig_session(r)->window.max_cmd_sn,
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_tmf_rsp_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, NULL, 0);
    rig_run(r);
}

/* ---- answers ---- */

static uint32_t max_cmd_sn(struct rig *r)
{
    return rig_session(r)->window.max_cmd_sn;
}

struct iskra_pdu_scsi_rsp rig_scsi_rsp(struct rig *r, uint32_t itt, uint8_t status)
{
    return (struct iskra_pdu_scsi_rsp){
        .status = status,
        .itt = itt,
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = rig_session(r)->window.cmd_sn,
        .max_cmd_sn = max_cmd_sn(r),
    };
}

void rig_feed_scsi_rsp(struct rig *r, const struct iskra_pdu_scsi_rsp *rsp, const void *data,
                       uint32_t data_len)
{
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_scsi_rsp_encode(rsp, hdr);
    rig_feed_pdu(r, hdr, data, data_len);
}

struct iskra_pdu_data_in rig_data_in(struct rig *r, uint32_t itt, uint32_t data_sn, uint32_t offset)
{
    return (struct iskra_pdu_data_in){
        .itt = itt,
        .ttt = ISKRA_RESERVED_TAG,
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = rig_session(r)->window.cmd_sn,
        .max_cmd_sn = max_cmd_sn(r),
        .data_sn = data_sn,
        .offset = offset,
    };
}

void rig_feed_data_in(struct rig *r, const struct iskra_pdu_data_in *pdu, const void *data,
                      uint32_t data_len)
{
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_data_in_encode(pdu, hdr);
    rig_feed_pdu(r, hdr, data, data_len);
}

void rig_feed_reject(struct rig *r, uint8_t reason, const void *rejected, uint32_t len)
{
    const struct iskra_pdu_reject pdu = {
        .reason = reason,
        .itt = ISKRA_RESERVED_TAG,
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = rig_session(r)->window.cmd_sn,
        .max_cmd_sn = max_cmd_sn(r),
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_reject_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, rejected, len);
}

void rig_feed_nop_in(struct rig *r, uint32_t itt, uint32_t ttt)
{
    struct iskra_pdu_nop_in pdu = {
        .lun = UINT64_C(0x4001000000000000),
        .itt = itt,
        .ttt = ttt,
        .stat_sn = rig_conn(r)->exp_stat_sn,
        .exp_cmd_sn = rig_session(r)->window.cmd_sn,
        .max_cmd_sn = max_cmd_sn(r),
    };
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_nop_in_encode(&pdu, hdr);
    rig_feed_pdu(r, hdr, NULL, 0);
}

static unsigned conn_errors(const struct rig *r, uint32_t *ret_error)
{
    unsigned cnt = 0;
    for (unsigned i = 0; i < r->event_cnt; i++) {
        if (r->events[i].type != ISKRA_KEVENT_CONN_ERROR)
            continue;
        *ret_error = r->events[i].error;
        cnt++;
    }
    return cnt;
}

void rig_assert_conn_error(struct rig *r, uint32_t error)
{
    uint32_t raised = 0;
    rig_run(r);
    assert_int_equal(conn_errors(r, &raised), 1);
    assert_int_equal(raised, error);
}

void rig_assert_no_conn_error(struct rig *r)
{
    uint32_t raised = 0;
    rig_run(r);
    unsigned cnt = conn_errors(r, &raised);
    assert_int_equal(raised, 0);
    assert_int_equal(cnt, 0);
}
