/* What the end of a SCSI command means: status, sense, residual (spec 3.8.2, 3.8.3), from a SCSI
 * Response or from the last Data-In, and whether a read really brought what it claims (decision
 * 20). */
#include <errno.h>
#include <string.h>

#include "iscsi/conn.h"
#include "iscsi/session.h"

#define STATUS_GOOD            0x00u
#define STATUS_CHECK_CONDITION 0x02u
#define SENSE_LEN_FIELD        2u /* RFC 7143 11.4.7.1: SenseLength stands before the sense data */

/* RFC 7143 11.4.5.1. False: the count cannot be true. An overflow left nothing unmoved. */
static bool residual_take(struct iskra_cmnd *cmd, bool overflow, bool underflow, uint32_t residual)
{
    if (!overflow && !underflow)
        return true;
    if (residual == 0 || (!overflow && residual > cmd->transfer_len))
        return false;
    cmd->residual = overflow ? 0 : residual;
    cmd->overflow = overflow ? residual : 0;
    return true;
}

/* Quirk Q4 repaired: the two bytes of SenseLength itself are counted. */
static bool sense_take(struct iskra_cmnd *cmd, const uint8_t *data, uint32_t len)
{
    if (len < SENSE_LEN_FIELD)
        return false;
    uint32_t sense_len = iskra_get_be16(data);
    if (sense_len > len - SENSE_LEN_FIELD)
        return false;
    cmd->sense_len = (uint8_t)(sense_len < ISKRA_SENSE_LEN_MAX ? sense_len : ISKRA_SENSE_LEN_MAX);
    memcpy(cmd->sense, data + SENSE_LEN_FIELD, cmd->sense_len);
    return true;
}

/* GOOD says that the command did all it was asked. If what arrived and what was declared missing do
 * not add up, the caller's memory holds stale bytes somewhere, and must not be taken for data. Any
 * other status vouches for no more than what arrived: CHECK CONDITION with RECOVERED ERROR keeps
 * the data, and its residual is not always told. */
static void read_check(const struct iskra_task *task)
{
    struct iskra_cmnd *cmd = task->cmd;
    if (ISKRA_RESULT_HOST(cmd->result) != ISKRA_DID_OK || cmd->dir != ISKRA_DIR_READ)
        return;
    uint32_t missing = cmd->transfer_len - task->tcp.recv_len;
    if (ISKRA_RESULT_STATUS(cmd->result) != STATUS_GOOD) {
        if (cmd->residual < missing)
            cmd->residual = missing;
        return;
    }
    if (cmd->residual == missing)
        return;
    cmd->result = ISKRA_RESULT(ISKRA_DID_ERROR, 0);
    (void)iskra_cmnd_fail(cmd, ISKRA_E_RESPONSE, EIO,
                          "GOOD for tag 0x%08x (CDB 0x%02x), but %u bytes arrived and %u were "
                          "declared missing of %u",
                          task->tcp.itt, cmd->cdb[0], task->tcp.recv_len, cmd->residual,
                          cmd->transfer_len); /* told, and the host byte says it failed */
    cmd->residual = cmd->transfer_len;
}

/* The same for a write: what was not even sent cannot have been written. */
static void write_check(const struct iskra_task *task)
{
    struct iskra_cmnd *cmd = task->cmd;
    if (cmd->result != ISKRA_RESULT(ISKRA_DID_OK, STATUS_GOOD) || cmd->dir != ISKRA_DIR_WRITE)
        return;
    if ((uint64_t)task->tcp.sent_len + cmd->residual >= cmd->transfer_len)
        return;
    cmd->result = ISKRA_RESULT(ISKRA_DID_ERROR, 0);
    (void)iskra_cmnd_fail(cmd, ISKRA_E_RESPONSE, EIO,
                          "GOOD for tag 0x%08x (CDB 0x%02x), but %u bytes were sent and %u "
                          "were declared missing of %u",
                          task->tcp.itt, cmd->cdb[0], task->tcp.sent_len, cmd->residual,
                          cmd->transfer_len); /* told, and the host byte says it failed */
    cmd->residual = cmd->transfer_len;
}

static void bad_answer(const struct iskra_task *task, const char *what, uint32_t number)
{
    (void)iskra_cmnd_fail(task->cmd, ISKRA_E_RESPONSE, EIO,
                          "answer to tag 0x%08x (CDB 0x%02x): %s %u", task->tcp.itt,
                          task->cmd->cdb[0], what, number); /* the host byte says it failed */
}

static uint32_t result_of(struct iskra_task *task, const struct iskra_pdu_scsi_rsp *rsp,
                          const uint8_t *data, uint32_t len)
{
    struct iskra_cmnd *cmd = task->cmd;
    if (rsp->response != 0) {
        bad_answer(task, "response code", rsp->response);
        return ISKRA_RESULT(ISKRA_DID_ERROR, 0);
    }
    if (rsp->status == STATUS_CHECK_CONDITION && !sense_take(cmd, data, len)) {
        bad_answer(task, "sense longer than its data segment of", len);
        return ISKRA_RESULT(ISKRA_DID_BAD_TARGET, rsp->status);
    }
    if (!residual_take(cmd, rsp->overflow, rsp->underflow, rsp->residual)) {
        bad_answer(task, "impossible residual count", rsp->residual);
        return ISKRA_RESULT(ISKRA_DID_BAD_TARGET, rsp->status);
    }
    return ISKRA_RESULT(ISKRA_DID_OK, rsp->status);
}

static void rsp_take(struct iskra_task *task, const struct iskra_pdu_scsi_rsp *rsp,
                     const uint8_t *data, uint32_t len)
{
    task->cmd->result = result_of(task, rsp, data, len);
    read_check(task);
    write_check(task);
    iskra_complete_task(task, ISKRA_TASK_COMPLETED);
}

/* notes F32: iscsi_scsi_cmd_rsp: change status, complete task. */
enum iskra_conn_error iskra_scsi_cmd_rsp(struct iskra_conn *conn, struct iskra_task *task,
                                         const uint8_t *hdr, const uint8_t *data, uint32_t len)
{
    struct iskra_pdu_scsi_rsp rsp;
    iskra_scsi_rsp_decode(hdr, &rsp);
    iskra_window_update(&conn->session->window, rsp.exp_cmd_sn, rsp.max_cmd_sn);
    enum iskra_conn_error error = iskra_update_stat_sn(conn, ISKRA_OP_SCSI_RSP, rsp.stat_sn);
    if (task->late_answer_due)
        iskra_task_answered_late(task);
    else if (error == ISKRA_CONN_OK && !iskra_task_terminal(task))
        rsp_take(task, &rsp, data, len);
    return error;
}

/* Phase collapse: the last Data-In carries the status (RFC 7143 11.7.3). Without S there is nothing
 * to do. */
enum iskra_conn_error iskra_data_in_rsp(struct iskra_conn *conn, struct iskra_task *task,
                                        const uint8_t *hdr)
{
    struct iskra_pdu_data_in pdu;
    iskra_data_in_decode(hdr, &pdu);
    if (!pdu.status_present)
        return ISKRA_CONN_OK;
    iskra_window_update(&conn->session->window, pdu.exp_cmd_sn, pdu.max_cmd_sn);
    enum iskra_conn_error error = iskra_update_stat_sn(conn, ISKRA_OP_DATA_IN, pdu.stat_sn);
    if (error != ISKRA_CONN_OK || iskra_task_terminal(task))
        return error;
    struct iskra_cmnd *cmd = task->cmd;
    enum iskra_host_byte host_byte = ISKRA_DID_OK;
    if (!residual_take(cmd, pdu.overflow, pdu.underflow, pdu.residual)) {
        bad_answer(task, "impossible residual count", pdu.residual);
        host_byte = ISKRA_DID_BAD_TARGET;
    }
    cmd->result = ISKRA_RESULT(host_byte, pdu.status);
    read_check(task);
    write_check(task);
    iskra_complete_task(task, ISKRA_TASK_COMPLETED);
    return ISKRA_CONN_OK;
}
