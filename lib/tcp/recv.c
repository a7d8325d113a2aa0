/* Receive, PDU by PDU: header, its digest, its data, and what to do when each is complete.
 *
 * A receive never looks ahead: whatever piece of the stream it is given, it fills the current
 * segment and runs the done function of the segment's phase when that is full. Judging a header is
 * dissect.c's work. */
#include "tcp/recv.h"

#include <errno.h>

#include "spare.h"
#include "tcp/refuse.h"
#include "trace.h"
#include "wire/bhs.h"
#include "wire/crc32c.h"

#define DATA_IN_STATUS 0x01u /* S, byte 1 of a Data-In */

/* notes F8, notes F18: iscsi_tcp_hdr_recv_prep. No hash: whether the header has a digest is asked
 * when its 48 bytes are in, because START_CONN may switch digests on while the receiver already
 * waits for them. */
void iskra_tcp_hdr_recv_prep(struct iskra_tcp_conn *conn)
{
    ISKRA_STEP(conn->trace, HDR_RECV_PREP, 0);
    struct iskra_tcp_in *in = &conn->in;
    in->ahs_read = false;
    in->hdr_len = ISKRA_BHS_LEN;
    iskra_segment_init_linear(&in->segment, conn->trace, in->hdr_buf, ISKRA_BHS_LEN, false,
                              ISKRA_RECV_HDR);
}

void iskra_tcp_data_done(struct iskra_tcp_conn *conn)
{
    if (conn->data_buf != conn->small_data)
        iskra_spare_give(conn->spare, conn->pf, conn->data_buf);
    conn->data_buf = NULL;
}

/* notes F26: iscsi_tcp_data_recv_prep. */
enum iskra_conn_error iskra_tcp_data_recv_prep(struct iskra_tcp_conn *conn)
{
    struct iskra_tcp_in *in = &conn->in;
    uint32_t data_len = iskra_bhs_data_len(in->hdr_buf);
    ISKRA_STEP(conn->trace, DATA_RECV_PREP, data_len);
    conn->data_buf = data_len <= ISKRA_SMALL_DATA_LEN
                         ? conn->small_data
                         : iskra_spare_take(conn->spare, conn->pf, ISKRA_CONN_BUF_LEN);
    if (conn->data_buf == NULL)
        return iskra_tcp_fail(conn, ISKRA_CONN_FAILED, "no memory for %u bytes of data", data_len);
    iskra_segment_init_linear(&in->segment, conn->trace, conn->data_buf, data_len, in->data_digest,
                              ISKRA_RECV_DATA);
    return ISKRA_CONN_OK;
}

static enum iskra_conn_error ahs_recv_prep(struct iskra_tcp_conn *conn, uint32_t ahs_len)
{
    struct iskra_tcp_in *in = &conn->in;
    if (ahs_len > ISKRA_HDR_BUF_LEN - ISKRA_BHS_LEN)
        return iskra_tcp_refuse(conn, ISKRA_CONN_AHSLEN, "TotalAHSLength in bytes", ahs_len,
                                "at most", ISKRA_HDR_BUF_LEN - ISKRA_BHS_LEN);
    iskra_segment_extend(&in->segment, in->hdr_buf + ISKRA_BHS_LEN, ahs_len);
    in->hdr_len = ISKRA_BHS_LEN + ahs_len;
    in->ahs_read = true;
    return ISKRA_CONN_OK;
}

static enum iskra_conn_error digest_refuse(struct iskra_tcp_conn *conn, enum iskra_conn_error error)
{
    const struct iskra_segment *seg = &conn->in.segment;
    return iskra_tcp_refuse(conn, error,
                            error == ISKRA_CONN_HDR_DGST ? "header digest" : "data digest",
                            iskra_crc32c_get(seg->recv_digest), "computed", seg->crc);
}

/* notes F19, notes F21: iscsi_tcp_hdr_recv_done. Runs up to three times for one header: after the
 * BHS, after the AHS, after the digest. */
static enum iskra_conn_error hdr_recv_done(struct iskra_tcp_conn *conn)
{
    ISKRA_STEP(conn->trace, HDR_RECV_DONE, 0);
    struct iskra_tcp_in *in = &conn->in;
    uint32_t ahs_len = iskra_bhs_ahs_len(in->hdr_buf);
    if (ahs_len > 0 && !in->ahs_read)
        return ahs_recv_prep(conn, ahs_len);
    if (in->hdr_digest && in->segment.digest_len == 0) {
        uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, in->hdr_buf, in->hdr_len);
        iskra_segment_expect_digest(&in->segment, iskra_crc32c_finish(crc));
        return ISKRA_CONN_OK;
    }
    if (!iskra_segment_digest_ok(&in->segment))
        return digest_refuse(conn, ISKRA_CONN_HDR_DGST);
    iskra_trace_pdu(conn->trace, ISKRA_TRACE_PDU_IN, conn->sid, in->hdr_buf);
    return iskra_tcp_hdr_dissect(conn);
}

/* notes F29: iscsi_tcp_data_recv_done. */
static enum iskra_conn_error data_recv_done(struct iskra_tcp_conn *conn)
{
    ISKRA_STEP(conn->trace, DATA_RECV_DONE, 0);
    struct iskra_tcp_in *in = &conn->in;
    if (!iskra_segment_digest_ok(&in->segment))
        return digest_refuse(conn, ISKRA_CONN_DATA_DGST);
    enum iskra_conn_error error =
        conn->ops->complete_pdu(conn, in->hdr_buf, conn->data_buf, iskra_bhs_data_len(in->hdr_buf));
    iskra_tcp_data_done(conn);
    if (error == ISKRA_CONN_OK)
        iskra_tcp_hdr_recv_prep(conn);
    return error;
}

/* The reference on the task whose Data-In was being received, if one was needed. */
static void in_task_put(struct iskra_tcp_conn *conn)
{
    struct iskra_tcp_task *task = conn->in.task;
    bool held = conn->in.task_held;
    conn->in.task = NULL;
    conn->in.task_held = false;
    if (held)
        conn->ops->task_put(conn, task);
}

/* RFC 7143 11.7.3: with S the Data-In is also the command's response, and there comes no other. */
static enum iskra_conn_error process_data_in(struct iskra_tcp_conn *conn)
{
    ISKRA_STEP(conn->trace, PROCESS_DATA_IN, 0);
    struct iskra_tcp_in *in = &conn->in;
    if (!iskra_segment_digest_ok(&in->segment))
        return digest_refuse(conn, ISKRA_CONN_DATA_DGST);
    enum iskra_conn_error error = ISKRA_CONN_OK;
    if (in->hdr_buf[1] & DATA_IN_STATUS)
        error = conn->ops->complete_pdu(conn, in->hdr_buf, NULL, 0);
    in_task_put(conn);
    if (error == ISKRA_CONN_OK)
        iskra_tcp_hdr_recv_prep(conn);
    return error;
}

static enum iskra_conn_error (*const phase_done[ISKRA_RECV_PHASE_CNT])(struct iskra_tcp_conn *) = {
    [ISKRA_RECV_HDR] = hdr_recv_done,
    [ISKRA_RECV_DATA] = data_recv_done,
    [ISKRA_RECV_DATA_IN] = process_data_in,
};

/* The segment is full: notes F20, what segment->done() leads to. */
static enum iskra_recv_status segment_full(struct iskra_tcp_conn *conn)
{
    enum iskra_conn_error error = phase_done[conn->in.segment.phase](conn);
    if (__builtin_expect(error == ISKRA_CONN_OK, 1))
        return ISKRA_SEGMENT_DONE;
    (void)iskra_tcp_recv_fail(conn, error); /* recv() asks for the errno */
    return ISKRA_RECV_CONN_ERR;
}

/* notes F10, notes F12, notes F13, notes F14: iscsi_tcp_recv_skb. A buffer of ours is contiguous,
 * so there are no runs to walk. */
size_t iskra_tcp_recv_buf(struct iskra_tcp_conn *conn, const uint8_t *buf, size_t len,
                          enum iskra_recv_status *ret_status)
{
    ISKRA_STEP(conn->trace, RECV_BUF, len);
    if (conn->in.suspended) {
        *ret_status = ISKRA_RECV_SUSPENDED;
        return 0;
    }
    size_t copied;
    if (!iskra_segment_recv(&conn->in.segment, conn->trace, buf, len, &copied))
        *ret_status = ISKRA_BUF_DONE;
    else
        *ret_status = segment_full(conn);
    return copied;
}

enum iskra_recv_status iskra_tcp_recv_in_place(struct iskra_tcp_conn *conn, uint32_t n)
{
    if (iskra_segment_done(&conn->in.segment, conn->trace, n))
        return segment_full(conn);
    return ISKRA_BUF_DONE;
}

int iskra_tcp_recv_errno(const struct iskra_tcp_conn *conn)
{
    return conn->error.sys_errno > 0 ? -conn->error.sys_errno : -EPROTO;
}

int iskra_tcp_recv_fail(struct iskra_tcp_conn *conn, enum iskra_conn_error error)
{
    /* complete_pdu tells its own story; this one is for errors that have none. */
    (void)iskra_tcp_fail(conn, error, "%s itt 0x%08x: refused, error %u",
                         iskra_opcode_name(iskra_bhs_opcode(conn->in.hdr_buf)),
                         (unsigned)iskra_bhs_itt(conn->in.hdr_buf), (unsigned)error);
    conn->in.failed = true;
    in_task_put(conn);
    conn->ops->conn_failure(conn, error);
    return iskra_tcp_recv_errno(conn);
}
