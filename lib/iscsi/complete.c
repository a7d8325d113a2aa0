/* complete_pdu: what a PDU that has arrived whole does (spec 3.8; notes F28, notes F31).
 *
 * The tag decides first: reserved means that the target spoke on its own account, any other must be
 * a task that expects this very kind of answer. A target that breaks this loses the connection;
 * nothing here trusts a value before it was compared. */
#include <string.h>

#include "iscsi/class.h"
#include "iscsi/conn.h"
#include "iscsi/ping.h"
#include "iscsi/session.h"
#include "wire/serial.h"

/* RFC 7143 11.18: a NOP-Out with both tags reserved asks for nothing and confirms ExpStatSN. Every
 * PDU confirms it, so this is due only after more answers in a row than commands can be out, with
 * nothing sent: asynchronous messages and rejects can do that. */
static void confirm_if_due(struct iskra_conn *conn)
{
    if (conn->confirmed_at != conn->tx_pdus)
        conn->unconfirmed_cnt = 0;
    conn->confirmed_at = conn->tx_pdus;
    if (++conn->unconfirmed_cnt <= conn->session->cmds_max || conn->nop_cnt > 0)
        return; /* an answer to a ping that waits for its turn will do */
    conn->unconfirmed_cnt = 0;
    iskra_nop_reply_queue(conn, 0, ISKRA_RESERVED_TAG);
}

/* ExpStatSN is what we acknowledge. Over one TCP connection StatSN can only jump if the target
 * miscounts: small jumps are counted, one larger than all commands that can be out means that
 * answers are lost (decision 20). */
enum iskra_conn_error iskra_update_stat_sn(struct iskra_conn *conn, uint8_t opcode,
                                           uint32_t stat_sn)
{
    struct iskra_session *s = conn->session;
    uint32_t exp = conn->exp_stat_sn;
    if (stat_sn != exp) {
        uint32_t gap = iskra_serial_lt(exp, stat_sn) ? stat_sn - exp : exp - stat_sn;
        if (gap > s->cmds_max)
            return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_PROTO,
                                  "%s: StatSN %u, expected %u: off by more than %u commands",
                                  iskra_opcode_name(opcode), stat_sn, exp, s->cmds_max);
        s->statsn_gaps++;
    }
    conn->exp_stat_sn = stat_sn + 1;
    confirm_if_due(conn);
    return ISKRA_CONN_OK;
}

static void window_take(struct iskra_conn *conn, const uint8_t *hdr)
{
    iskra_window_update(&conn->session->window, iskra_get_be32(hdr + 28), iskra_get_be32(hdr + 32));
}

static enum iskra_conn_error stat_sn_take(struct iskra_conn *conn, const uint8_t *hdr)
{
    return iskra_update_stat_sn(conn, iskra_bhs_opcode(hdr), iskra_get_be32(hdr + 24));
}

static enum iskra_conn_error bad_itt(struct iskra_conn *conn, const uint8_t *hdr)
{
    return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_BAD_ITT,
                          "%s for tag 0x%08x, which waits for no such answer",
                          iskra_opcode_name(iskra_bhs_opcode(hdr)), iskra_bhs_itt(hdr));
}

static enum iskra_conn_error bad_opcode(struct iskra_conn *conn, const uint8_t *hdr)
{
    return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_BAD_OPCODE,
                          "opcode 0x%02x with tag 0x%08x makes no sense here",
                          iskra_bhs_opcode(hdr), iskra_bhs_itt(hdr));
}

static enum iskra_conn_error unexpected_data(struct iskra_conn *conn, const uint8_t *hdr,
                                             uint32_t len)
{
    return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_PROTO, "%s with %u bytes of data",
                          iskra_opcode_name(iskra_bhs_opcode(hdr)), len);
}

/* notes F28: iscsi_recv_pdu, for some opcodes. */
enum iskra_conn_error iskra_pdu_pass_up(struct iskra_conn *conn, const uint8_t *hdr,
                                        const uint8_t *data, uint32_t len)
{
    if (iskra_class_recv_pdu(conn->session->cls, conn, hdr, data, len) == 0)
        return ISKRA_CONN_OK;
    return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_FAILED,
                          "%s could not be passed to the control plane",
                          iskra_opcode_name(iskra_bhs_opcode(hdr)));
}

/* RFC 7143 11.19: with both tags reserved it only brings numbers. */
static enum iskra_conn_error nop_in(struct iskra_conn *conn, const uint8_t *hdr, uint32_t len)
{
    struct iskra_pdu_nop_in pdu;
    iskra_nop_in_decode(hdr, &pdu);
    if (len > 0)
        return unexpected_data(conn, hdr, len);
    if (pdu.ttt != ISKRA_RESERVED_TAG)
        iskra_nop_reply_queue(conn, pdu.lun, pdu.ttt);
    return ISKRA_CONN_OK;
}

static enum iskra_conn_error async(struct iskra_conn *conn, const uint8_t *hdr, const uint8_t *data,
                                   uint32_t len)
{
    enum iskra_conn_error error = stat_sn_take(conn, hdr);
    return error != ISKRA_CONN_OK ? error : iskra_pdu_pass_up(conn, hdr, data, len);
}

/* The target spoke on its own account. */
static enum iskra_conn_error complete_untagged(struct iskra_conn *conn, const uint8_t *hdr,
                                               const uint8_t *data, uint32_t len)
{
    window_take(conn, hdr);
    switch (iskra_bhs_opcode(hdr)) {
    case ISKRA_OP_NOP_IN:
        return nop_in(conn, hdr, len);
    case ISKRA_OP_REJECT:
        return iskra_reject(conn, hdr, data, len);
    case ISKRA_OP_ASYNC:
        return async(conn, hdr, data, len);
    default:
        return bad_opcode(conn, hdr);
    }
}

static uint8_t request_of(uint8_t response_opcode)
{
    switch (response_opcode) {
    case ISKRA_OP_LOGIN_RSP:
        return ISKRA_OP_LOGIN;
    case ISKRA_OP_TEXT_RSP:
        return ISKRA_OP_TEXT;
    case ISKRA_OP_LOGOUT_RSP:
        return ISKRA_OP_LOGOUT;
    case ISKRA_OP_TMF_RSP:
        return ISKRA_OP_TMF;
    default:
        return ISKRA_OP_NOP_OUT;
    }
}

/* Text with its data is the control plane's business, as is everything about a login; our own pings
 * come back with theirs; the other answers are bare. */
static enum iskra_conn_error other_answer(struct iskra_conn *conn, const struct iskra_task *task,
                                          const uint8_t *hdr, uint32_t len)
{
    if (len > 0 && task->ping == NULL)
        return unexpected_data(conn, hdr, len);
    bool ttt_given =
        iskra_bhs_opcode(hdr) == ISKRA_OP_NOP_IN && iskra_get_be32(hdr + 20) != ISKRA_RESERVED_TAG;
    if (ttt_given)
        return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_PROTO,
                              "NOP-In for tag 0x%08x asks for an answer to an answer",
                              iskra_bhs_itt(hdr));
    return ISKRA_CONN_OK;
}

/* An answer to a management PDU: all but those to our own pings and TMFs are passed up. In the
 * login phase the control plane keeps StatSN itself and says where it stands before START_CONN. */
static enum iskra_conn_error complete_mgmt(struct iskra_conn *conn, const uint8_t *hdr,
                                           const uint8_t *data, uint32_t len)
{
    uint8_t opcode = iskra_bhs_opcode(hdr);
    struct iskra_task *task = iskra_itt_to_task(conn, iskra_bhs_itt(hdr));
    if (task == NULL || task->cmd != NULL || task->conn != conn ||
        task->state != ISKRA_TASK_RUNNING || task->opcode != request_of(opcode))
        return bad_itt(conn, hdr);
    window_take(conn, hdr);
    enum iskra_conn_error error = ISKRA_CONN_OK;
    if (opcode != ISKRA_OP_LOGIN_RSP && opcode != ISKRA_OP_TEXT_RSP)
        error = other_answer(conn, task, hdr, len);
    if (error == ISKRA_CONN_OK && conn->stage == ISKRA_CONN_STAGE_STARTED)
        error = stat_sn_take(conn, hdr);
    if (error != ISKRA_CONN_OK)
        return error;
    if (task->ping != NULL)
        iskra_ping_answered(task->ping, data, len);
    else if (task == conn->keepalive.task)
        iskra_keepalive_answered(conn);
    else if (task == conn->session->tmfs.task)
        iskra_tmf_answered(conn->session, hdr[2]);
    else
        error = iskra_pdu_pass_up(conn, hdr, data, len);
    iskra_complete_task(task, ISKRA_TASK_COMPLETED);
    return error;
}

static enum iskra_conn_error complete_scsi(struct iskra_conn *conn, const uint8_t *hdr,
                                           const uint8_t *data, uint32_t len)
{
    uint32_t itt = iskra_bhs_itt(hdr);
    struct iskra_task *task = iskra_itt_to_ctask(conn, itt);
    struct iskra_task *late = task == NULL ? iskra_itt_to_late_task(conn, itt) : NULL;
    if (late != NULL && iskra_bhs_opcode(hdr) == ISKRA_OP_SCSI_RSP)
        return iskra_late_scsi_rsp(conn, late, hdr);
    if (task == NULL)
        return bad_itt(conn, hdr);
    /* notes F31: the second look at the opcode. */
    return iskra_bhs_opcode(hdr) == ISKRA_OP_SCSI_RSP
               ? iskra_scsi_cmd_rsp(conn, task, hdr, data, len)
               : iskra_data_in_rsp(conn, task, hdr);
}

/* notes F28, notes F31, notes F32: iscsi_complete_pdu, which looks at the opcode again and
 * completes the task. */
enum iskra_conn_error iskra_complete_pdu(struct iskra_tcp_conn *tcp, const uint8_t *hdr,
                                         const uint8_t *data, uint32_t len)
{
    struct iskra_conn *conn = iskra_conn_of(tcp);
    uint8_t opcode = iskra_bhs_opcode(hdr);
    ISKRA_STEP(&conn->session->round->trace, COMPLETE_PDU, opcode);
    enum iskra_conn_error error = iskra_verify_itt(conn, iskra_bhs_itt(hdr));
    if (error != ISKRA_CONN_OK)
        return error;
    if (iskra_bhs_itt(hdr) == ISKRA_RESERVED_TAG)
        return complete_untagged(conn, hdr, data, len);
    switch (opcode) {
    case ISKRA_OP_SCSI_RSP:
    case ISKRA_OP_DATA_IN:
        return complete_scsi(conn, hdr, data, len);
    case ISKRA_OP_R2T: /* the engine has dealt with it */
        return ISKRA_CONN_OK;
    case ISKRA_OP_LOGIN_RSP:
    case ISKRA_OP_TEXT_RSP:
    case ISKRA_OP_LOGOUT_RSP:
    case ISKRA_OP_TMF_RSP:
    case ISKRA_OP_NOP_IN:
        return complete_mgmt(conn, hdr, data, len);
    default:
        return bad_opcode(conn, hdr);
    }
}
