/* hdr_dissect: a header is complete and its digest is right. Is it one we may get, and what follows
 * it?
 *
 * The order of the tests is part of the behaviour: it decides which error is reported. Every length
 * is judged here, before a byte of data has a home. */
#include "tcp/refuse.h"

#include <inttypes.h>

#include "trace.h"
#include "wire/bhs.h"

/* Fields of a Data-In that the hot path needs (RFC 7143 11.7); the rest are decoded by who wants
 * them. */
#define DATA_IN_STATUS 0x01u
static uint32_t data_in_exp_cmd_sn(const uint8_t *hdr)
{
    return iskra_get_be32(hdr + 28);
}
static uint32_t data_in_max_cmd_sn(const uint8_t *hdr)
{
    return iskra_get_be32(hdr + 32);
}
static uint32_t data_in_data_sn(const uint8_t *hdr)
{
    return iskra_get_be32(hdr + 36);
}
static uint32_t data_in_offset(const uint8_t *hdr)
{
    return iskra_get_be32(hdr + 40);
}

enum iskra_conn_error iskra_tcp_refuse(struct iskra_tcp_conn *conn, enum iskra_conn_error error,
                                       const char *field, uint64_t got, const char *rule,
                                       uint64_t limit)
{
    const uint8_t *hdr = conn->in.hdr_buf;
    return iskra_tcp_fail(conn, error, "%s itt 0x%08x: %s %" PRIu64 ", %s %" PRIu64,
                          iskra_opcode_name(iskra_bhs_opcode(hdr)), (unsigned)iskra_bhs_itt(hdr),
                          field, got, rule, limit);
}

static enum iskra_conn_error refuse_itt(struct iskra_tcp_conn *conn)
{
    const uint8_t *hdr = conn->in.hdr_buf;
    return iskra_tcp_fail(conn, ISKRA_CONN_BAD_ITT, "%s itt 0x%08x: no such task",
                          iskra_opcode_name(iskra_bhs_opcode(hdr)), (unsigned)iskra_bhs_itt(hdr));
}

static enum iskra_conn_error complete_without_data(struct iskra_tcp_conn *conn)
{
    enum iskra_conn_error error = conn->ops->complete_pdu(conn, conn->in.hdr_buf, NULL, 0);
    if (error == ISKRA_CONN_OK)
        iskra_tcp_hdr_recv_prep(conn);
    return error;
}

/* RFC 7143 11.7.5 counts every Data-In, the kernel's initiator only those with data, and there are
 * targets for both: one with nothing in it may have used its DataSN up, or not. */
static void data_in_without_data(struct iskra_tcp_task *task, uint32_t data_sn)
{
    if (data_sn == task->exp_data_sn + task->empty_cnt)
        task->empty_cnt++;
}

/* Nothing with data in it is missing before this one. */
static bool data_sn_expected(const struct iskra_tcp_task *task, uint32_t data_sn)
{
    return data_sn - task->exp_data_sn <= task->empty_cnt;
}

/* Where a Data-In's data belongs. Quirks Q7, Q12; decision 20: with DataPDUInOrder the next PDU
 * starts where the last one ended, else bytes that never came would be returned as data. */
static enum iskra_conn_error data_in_judge(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task,
                                           uint32_t data_len)
{
    const uint8_t *hdr = conn->in.hdr_buf;
    uint32_t data_sn = data_in_data_sn(hdr);
    uint32_t offset = data_in_offset(hdr);
    if (task->dir != ISKRA_DIR_READ)
        return iskra_tcp_refuse(conn, ISKRA_CONN_PROTO, "DataSegmentLength", data_len,
                                "read length of the command", 0);
    if (!data_sn_expected(task, data_sn))
        return iskra_tcp_refuse(conn, ISKRA_CONN_DATASN, "DataSN", data_sn, "expected",
                                task->exp_data_sn);
    if ((uint64_t)offset + data_len > task->transfer_len)
        return iskra_tcp_refuse(conn, ISKRA_CONN_DATA_OFFSET, "end of the data",
                                (uint64_t)offset + data_len, "end of the command's data",
                                task->transfer_len);
    if (offset != task->recv_len)
        return iskra_tcp_refuse(conn, ISKRA_CONN_DATA_OFFSET, "Buffer Offset", offset, "expected",
                                task->recv_len);
    return ISKRA_CONN_OK;
}

static enum iskra_conn_error dissect_data_in(struct iskra_tcp_conn *conn)
{
    struct iskra_tcp_in *in = &conn->in;
    const uint8_t *hdr = in->hdr_buf;
    struct iskra_tcp_task *task = conn->ops->itt_to_ctask(conn, iskra_bhs_itt(hdr));
    if (!task)
        return refuse_itt(conn);
    if (!(hdr[1] & DATA_IN_STATUS)) /* with S, complete_pdu does it */
        conn->ops->update_cmd_window(conn, data_in_exp_cmd_sn(hdr), data_in_max_cmd_sn(hdr));
    uint32_t data_len = iskra_bhs_data_len(hdr);
    if (data_len == 0) {
        data_in_without_data(task, data_in_data_sn(hdr));
        return complete_without_data(conn);
    }
    enum iskra_conn_error error = data_in_judge(conn, task, data_len);
    if (error != ISKRA_CONN_OK)
        return error;
    if (iskra_segment_seek_sg(&in->segment, conn->trace, &task->sg, task->recv_len, data_len,
                              in->data_digest, ISKRA_RECV_DATA_IN) != 0)
        return iskra_tcp_refuse(conn, ISKRA_CONN_DATA_OFFSET, "end of the data",
                                (uint64_t)task->recv_len + data_len, "memory from", task->sg.pos);
    task->exp_data_sn = data_in_data_sn(hdr) + 1;
    task->empty_cnt = 0;
    task->recv_len += data_len;
    task->last_xfer = ++conn->xfers;
    in->task = task;
    in->large_data = data_len >= ISKRA_DIRECT_RECV_MIN;
    return ISKRA_CONN_OK;
}

/* Answers whose data goes to the connection's buffer: SCSI Response, Login, Text, Reject, Async. */
static enum iskra_conn_error dissect_with_buffer(struct iskra_tcp_conn *conn)
{
    uint32_t data_len = iskra_bhs_data_len(conn->in.hdr_buf);
    if (data_len == 0)
        return complete_without_data(conn);
#ifndef ISKRA_PLANTED_RECV_LENGTH /* left out on purpose to prove that the fuzzer finds it */
    if (data_len > ISKRA_CONN_BUF_LEN)
        return iskra_tcp_refuse(conn, ISKRA_CONN_PROTO, "DataSegmentLength", data_len, "at most",
                                ISKRA_CONN_BUF_LEN);
#endif
    return iskra_tcp_data_recv_prep(conn);
}

/* Answers that have no data here: Logout and TMF responses never do. Quirk Q6: refused before
 * anything is done with them. */
static enum iskra_conn_error dissect_bare(struct iskra_tcp_conn *conn)
{
    uint32_t data_len = iskra_bhs_data_len(conn->in.hdr_buf);
    if (data_len > 0)
        return iskra_tcp_refuse(conn, ISKRA_CONN_PROTO, "DataSegmentLength", data_len, "allowed",
                                0);
    return complete_without_data(conn);
}

/* The answer to a ping of ours brings its data back; a ping of the target's has none for us. */
static enum iskra_conn_error dissect_nop_in(struct iskra_tcp_conn *conn)
{
    return iskra_bhs_itt(conn->in.hdr_buf) == ISKRA_RESERVED_TAG ? dissect_bare(conn)
                                                                 : dissect_with_buffer(conn);
}

static enum iskra_conn_error dissect_r2t(struct iskra_tcp_conn *conn)
{
    const uint8_t *hdr = conn->in.hdr_buf;
    struct iskra_tcp_task *task = conn->ops->itt_to_ctask(conn, iskra_bhs_itt(hdr));
    if (!task)
        return refuse_itt(conn);
    if (iskra_bhs_ahs_len(hdr) > 0)
        return iskra_tcp_refuse(conn, ISKRA_CONN_AHSLEN, "TotalAHSLength in bytes",
                                iskra_bhs_ahs_len(hdr), "allowed", 0);
    if (task->dir != ISKRA_DIR_WRITE)
        return iskra_tcp_refuse(conn, ISKRA_CONN_PROTO, "Desired Data Transfer Length",
                                iskra_get_be32(hdr + 44), "write length of the command", 0);
    task->last_xfer = ++conn->xfers;
    enum iskra_conn_error error = iskra_tcp_r2t_rsp(conn, task, hdr);
    if (error == ISKRA_CONN_OK)
        iskra_tcp_hdr_recv_prep(conn);
    return error;
}

/* notes F22, notes F23, notes F30: iscsi_tcp_hdr_dissect; notes F24, notes F26: a SCSI Response may
 * lead to data_recv_prep.
 */
enum iskra_conn_error iskra_tcp_hdr_dissect(struct iskra_tcp_conn *conn)
{
    const uint8_t *hdr = conn->in.hdr_buf;
    uint8_t opcode = iskra_bhs_opcode(hdr);
    ISKRA_STEP(conn->trace, HDR_DISSECT, opcode);
    uint32_t data_len = iskra_bhs_data_len(hdr);
    if (data_len > conn->in.max_recv_data_len)
        return iskra_tcp_refuse(conn, ISKRA_CONN_DATALEN, "DataSegmentLength", data_len, "at most",
                                conn->in.max_recv_data_len);
    if (conn->ops->verify_itt(conn, iskra_bhs_itt(hdr)) != ISKRA_CONN_OK)
        return refuse_itt(conn);

    switch (opcode) {
    case ISKRA_OP_DATA_IN:
        return dissect_data_in(conn);
    case ISKRA_OP_SCSI_RSP:
    case ISKRA_OP_LOGIN_RSP:
    case ISKRA_OP_TEXT_RSP:
    case ISKRA_OP_REJECT:
    case ISKRA_OP_ASYNC:
        return dissect_with_buffer(conn);
    case ISKRA_OP_R2T:
        return dissect_r2t(conn);
    case ISKRA_OP_NOP_IN:
        return dissect_nop_in(conn);
    case ISKRA_OP_TMF_RSP:
    case ISKRA_OP_LOGOUT_RSP:
        return dissect_bare(conn);
    default:
        return iskra_tcp_fail(conn, ISKRA_CONN_BAD_OPCODE,
                              "opcode 0x%02x itt 0x%08x: not one of a target's", opcode,
                              (unsigned)iskra_bhs_itt(hdr));
    }
}
