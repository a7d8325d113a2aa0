/* A Reject of a write's data for its digest (decision 19): something between here and the target
 * changed bytes.
 *
 * The command fails at once and is tried again, rather than found by its timeout: some targets say
 * nothing more about it. Others do as RFC 7143 7.8 asks, and answer it later with CHECK CONDITION.
 * That answer must not find another command under the tag, which is therefore kept until then.
 * Tags so kept are few: one more, and the connection is given up. */
#include <errno.h>

#include "iscsi/conn.h"
#include "iscsi/session.h"

enum iskra_conn_error iskra_data_rejected(struct iskra_conn *conn, const uint8_t *rejected_hdr)
{
    uint8_t opcode = iskra_bhs_opcode(rejected_hdr);
    if (opcode != ISKRA_OP_DATA_OUT && opcode != ISKRA_OP_SCSI_CMD)
        return ISKRA_CONN_OK;
    uint32_t itt = iskra_bhs_itt(rejected_hdr);
    enum iskra_conn_error error = iskra_verify_itt(conn, itt);
    if (error != ISKRA_CONN_OK)
        return error;
    struct iskra_task *task = iskra_itt_to_ctask(conn, itt);
    if (task == NULL || task->state != ISKRA_TASK_RUNNING || task->tcp.dir != ISKRA_DIR_WRITE)
        return ISKRA_CONN_OK; /* it is over already, or no data of ours */
    conn->digest_errors++;
    if (conn->late_answer_cnt == ISKRA_LATE_ANSWERS_MAX)
        return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_DATA_DGST,
                              "the target rejected the data of tag 0x%08x, and has not answered %u "
                              "commands whose data it rejected before",
                              itt, conn->late_answer_cnt);
    (void)iskra_cmnd_fail(task->cmd, ISKRA_E_CONNECTION, EBADMSG,
                          "the target rejected data of tag 0x%08x (CDB 0x%02x) for its digest", itt,
                          task->cmd->cdb[0]); /* the host byte says it failed */
    task->late_answer_due = true;
    conn->late_answer_cnt++;
    iskra_fail_scsi_task(task, ISKRA_DID_SOFT_ERROR);
    return ISKRA_CONN_OK;
}

/* Only its numbers count. */
enum iskra_conn_error iskra_late_scsi_rsp(struct iskra_conn *conn, struct iskra_task *task,
                                          const uint8_t *hdr)
{
    struct iskra_pdu_scsi_rsp rsp;
    iskra_scsi_rsp_decode(hdr, &rsp);
    iskra_window_update(&conn->session->window, rsp.exp_cmd_sn, rsp.max_cmd_sn);
    iskra_task_answered_late(task);
    return iskra_update_stat_sn(conn, ISKRA_OP_SCSI_RSP, rsp.stat_sn);
}
