/* Reject (RFC 7143 11.17): the target tells that it did not take a PDU of ours, and sends its
 * header back.
 *
 * When that header names something of ours that still waits for its answer, the wait ends here,
 * with the reason: it would end as a timeout otherwise, and nobody would know why. A header that
 * names nothing of ours changes nothing; a tag of another life of the session loses the connection,
 * as it does in any other answer. */
#include <errno.h>
#include <string.h>

#include "iscsi/conn.h"
#include "iscsi/ping.h"
#include "iscsi/session.h"

/* RFC 7143 11.17.1 */
#define REASON_DATA_DIGEST       0x02u
#define REASON_IMMEDIATE_COMMAND 0x06u
#define REASON_LONG_OPERATION    0x0au

static const char *reason_text(uint8_t reason)
{
    const char *name = iskra_reject_reason_name(reason);
    return strcmp(name, "?") == 0 ? "for no reason known here" : name;
}

/* Tags are used again, numbers hardly: an old Reject must not end what carries its tag now. A
 * Data-Out has no CmdSN, but it is data of a write that has sent some. */
static bool names_task(const struct iskra_task *task, const uint8_t *rejected)
{
    uint8_t opcode = iskra_bhs_opcode(rejected);
    if (opcode == task->opcode)
        return iskra_get_be32(rejected + 24) == task->cmd_sn;
    if (opcode != ISKRA_OP_DATA_OUT || task->cmd == NULL || task->tcp.dir != ISKRA_DIR_WRITE)
        return false;
    uint64_t end = (uint64_t)iskra_get_be32(rejected + 40) + iskra_bhs_data_len(rejected);
    return task->tcp.sent_len > 0 && end <= task->tcp.transfer_len;
}

/* What it says in words and numbers decides who tries again: data that arrived damaged, and a
 * target that had no room (bounded, and after a delay, like any other retry). What it does not
 * understand or not allow it will not understand the next time either. */
static enum iskra_host_byte verdict(uint8_t reason)
{
    switch (reason) {
    case REASON_DATA_DIGEST: /* decision 19 */
    case REASON_IMMEDIATE_COMMAND:
    case REASON_LONG_OPERATION:
        return ISKRA_DID_SOFT_ERROR;
    default:
        return ISKRA_DID_BAD_TARGET;
    }
}

/* A command whose data had begun to move was taken before this was found: RFC 7143 11.17.1 and 7.8
 * want it answered by a SCSI Response all the same, and some targets do. That answer must not find
 * another command under the tag. A command without data was never begun. */
static bool answer_may_follow(const struct iskra_task *task)
{
    return task->tcp.sent_len > 0 || task->tcp.exp_data_sn > 0;
}

static enum iskra_conn_error cmd_rejected(struct iskra_conn *conn, struct iskra_task *task,
                                          uint8_t opcode, uint8_t reason)
{
    uint32_t itt = task->tcp.itt;
    uint8_t cdb0 = task->cmd->cdb[0];
    bool by_digest = reason == REASON_DATA_DIGEST;
    if (by_digest)
        conn->digest_errors++;
    if (answer_may_follow(task) && !iskra_task_keep_tag(task))
        return iskra_tcp_fail(&conn->tcp, by_digest ? ISKRA_CONN_DATA_DGST : ISKRA_CONN_PROTO,
                              "the target rejected the %s of tag 0x%08x (CDB 0x%02x): %s (reason "
                              "0x%02x), and has not answered %u commands that it rejected before",
                              iskra_opcode_name(opcode), itt, cdb0, reason_text(reason), reason,
                              conn->late_answer_cnt);
    (void)iskra_cmnd_fail(task->cmd, by_digest ? ISKRA_E_CONNECTION : ISKRA_E_PROTOCOL,
                          by_digest ? EBADMSG : EPROTO,
                          "the target rejected the %s of tag 0x%08x (CDB 0x%02x): %s (reason "
                          "0x%02x)",
                          iskra_opcode_name(opcode), itt, cdb0, reason_text(reason),
                          reason); /* the host byte says it failed */
    iskra_fail_scsi_task(task, verdict(reason));
    return ISKRA_CONN_OK;
}

/* The answer to a command that was rejected: only its numbers count. */
enum iskra_conn_error iskra_late_scsi_rsp(struct iskra_conn *conn, struct iskra_task *task,
                                          const uint8_t *hdr)
{
    struct iskra_pdu_scsi_rsp rsp;
    iskra_scsi_rsp_decode(hdr, &rsp);
    iskra_window_update(&conn->session->window, rsp.exp_cmd_sn, rsp.max_cmd_sn);
    iskra_task_answered_late(task);
    return iskra_update_stat_sn(conn, ISKRA_OP_SCSI_RSP, rsp.stat_sn);
}

/* Whoever waits for a ping or a task management response is told and judges: a Reject is a sign of
 * life, too. A Login, Text or Logout Request that is not taken is the end of what was meant, and
 * the connection with it. */
static enum iskra_conn_error mgmt_rejected(struct iskra_conn *conn, struct iskra_task *task,
                                           const uint8_t *hdr, const uint8_t *data, uint32_t len)
{
    if (task->opcode != ISKRA_OP_NOP_OUT && task->opcode != ISKRA_OP_TMF)
        return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_PROTO,
                              "the target rejected our %s: %s (reason 0x%02x)",
                              iskra_opcode_name(task->opcode), reason_text(hdr[2]), hdr[2]);
    enum iskra_conn_error error = ISKRA_CONN_OK;
    if (task->ping != NULL)
        iskra_ping_rejected(task->ping, hdr[2]);
    else if (task == conn->keepalive.task)
        iskra_keepalive_answered(conn);
    else if (task == conn->session->tmfs.task)
        iskra_tmf_rejected(conn->session);
    else
        error = iskra_pdu_pass_up(conn, hdr, data, len);
    iskra_complete_task(task, ISKRA_TASK_COMPLETED);
    return error;
}

/* Our answer to the target's ping has no tag. "Too many immediate commands" is the reason that asks
 * for it again. */
static void echo_rejected(struct iskra_conn *conn, const uint8_t *rejected, uint8_t reason)
{
    if (iskra_bhs_opcode(rejected) != ISKRA_OP_NOP_OUT || reason != REASON_IMMEDIATE_COMMAND)
        return;
    struct iskra_pdu_nop_out nop;
    iskra_nop_out_decode(rejected, &nop);
    iskra_nop_reply_queue(conn, nop.lun, nop.ttt);
}

static enum iskra_conn_error numbers_take(struct iskra_conn *conn,
                                          const struct iskra_pdu_reject *pdu, uint32_t len)
{
    /* In the login phase only the login can be meant, and its numbers are the control plane's. */
    if (conn->stage != ISKRA_CONN_STAGE_STARTED)
        return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_PROTO,
                              "the target rejected the login: %s (reason 0x%02x)",
                              reason_text(pdu->reason), pdu->reason);
    enum iskra_conn_error error = iskra_update_stat_sn(conn, ISKRA_OP_REJECT, pdu->stat_sn);
    if (error == ISKRA_CONN_OK && len < ISKRA_BHS_LEN)
        error = iskra_tcp_fail(&conn->tcp, ISKRA_CONN_PROTO,
                               "Reject (%s, reason 0x%02x) with %u bytes of data, less than a "
                               "header",
                               reason_text(pdu->reason), pdu->reason, len);
    return error;
}

enum iskra_conn_error iskra_reject(struct iskra_conn *conn, const uint8_t *hdr, const uint8_t *data,
                                   uint32_t len)
{
    struct iskra_pdu_reject pdu;
    iskra_reject_decode(hdr, &pdu);
    enum iskra_conn_error error = numbers_take(conn, &pdu, len);
    if (error != ISKRA_CONN_OK)
        return error;
    uint32_t itt = iskra_bhs_itt(data);
    if (itt == ISKRA_RESERVED_TAG) {
        echo_rejected(conn, data, pdu.reason);
        return ISKRA_CONN_OK;
    }
    error = iskra_verify_itt(conn, itt);
    if (error != ISKRA_CONN_OK)
        return error;
    struct iskra_task *task = iskra_itt_to_task(conn, itt);
    if (task == NULL || task->conn != conn || task->state != ISKRA_TASK_RUNNING ||
        !names_task(task, data))
        return ISKRA_CONN_OK; /* it is over already, or never was */
    return task->cmd != NULL ? cmd_rejected(conn, task, iskra_bhs_opcode(data), pdu.reason)
                             : mgmt_rejected(conn, task, hdr, data, len);
}
