/* queuecommand: the mid-layer's way in (spec 3.7). It accepts, refuses for a while (the command
 * stays the mid-layer's), or answers itself, and never calls scsi_done from inside. */
#include <assert.h>

#include "iscsi/class.h"
#include "iscsi/conn.h"
#include "iscsi/session.h"

/* The rows of the table that end a command without a task, first match wins. DID_OK: none of them.
 */
static enum iskra_host_byte refusal(const struct iskra_session *s)
{
    switch (s->cls->state) {
    case ISKRA_CLASS_FAILED:
        return ISKRA_DID_IMM_RETRY;
    case ISKRA_CLASS_FREE:
        return ISKRA_DID_TRANSPORT_FAILFAST;
    default:
        break;
    }
    switch (s->state) {
    case ISKRA_SESSION_LOGGED_IN:
        break;
    case ISKRA_SESSION_FAILED:
    case ISKRA_SESSION_IN_RECOVERY:
    case ISKRA_SESSION_LOGGING_OUT:
        return ISKRA_DID_IMM_RETRY;
    case ISKRA_SESSION_RECOVERY_FAILED:
        return ISKRA_DID_TRANSPORT_FAILFAST;
    default:
        return ISKRA_DID_NO_CONNECT;
    }
    if (s->leadconn == NULL)
        return ISKRA_DID_NO_CONNECT;
    if (s->leadconn->tx_suspended)
        return ISKRA_DID_REQUEUE;
    return ISKRA_DID_OK;
}

static enum iskra_queue_status answer(struct iskra_session *s, struct iskra_cmnd *cmd,
                                      enum iskra_host_byte host_byte)
{
    cmd->result = ISKRA_RESULT(host_byte, 0);
    cmd->residual = cmd->transfer_len;
    iskra_list_init(&cmd->link);
    iskra_list_push_back(&s->refused, &cmd->link);
    iskra_work_schedule(&s->round->work, &s->refused_work);
    return ISKRA_QUEUED;
}

enum iskra_queue_status iskra_queuecommand(struct iskra_session *s, struct iskra_cmnd *cmd)
{
    ISKRA_STEP(&s->round->trace, QUEUECOMMAND, 0);
    assert(cmd->cdb_len >= 1 && cmd->cdb_len <= ISKRA_ECDB_LEN_MAX);
    cmd->task = NULL;
    cmd->sense_len = 0;
    enum iskra_host_byte host_byte = refusal(s);
    if (__builtin_expect(host_byte != ISKRA_DID_OK, 0))
        return answer(s, cmd, host_byte);
    if (!iskra_session_window_open(s) || s->scsi_cnt >= s->scsi_cmds_room)
        return ISKRA_TARGET_BUSY;
    struct iskra_conn *conn = s->leadconn;
    struct iskra_task *task = iskra_task_alloc(s, conn);
    if (task == NULL)
        return ISKRA_TARGET_BUSY;

    cmd->task = task;
    cmd->age = s->age;
    cmd->result = 0;
    cmd->residual = 0;
    task->cmd = cmd;
    task->opcode = ISKRA_OP_SCSI_CMD;
    task->takes_cmd_sn = true;
    task->queued_no = ++s->queued_cnt;
    task->tcp.last_xfer = task->last_timeout = conn->tcp.xfers;
    task->have_checked_conn = false;
    task->tcp.dir = cmd->dir;
    task->tcp.transfer_len = cmd->transfer_len;
    iskra_sg_cursor_init(&task->tcp.sg, cmd->iov, cmd->iov_cnt, cmd->iov_skip);
    if (cmd->dir == ISKRA_DIR_WRITE) {
        /* Not as a copy of sg, which would have to be waited for: see write_cursor(). */
        iskra_sg_cursor_init(&task->tcp.out_sg, cmd->iov, cmd->iov_cnt, cmd->iov_skip);
        task->tcp.r2t = &task->r2ts;
        iskra_r2t_queue_init(&task->r2ts, task->r2ts.entries, task->r2ts.entry_cnt);
    }
    iskra_waits_window_accepts(&s->waits, s->round->now_ns, s->scsi_cnt);
    s->scsi_cnt++;
    if (cmd->dir == ISKRA_DIR_READ)
        conn->tcp.port.awaited_len += cmd->transfer_len;
    s->window.queued_cmd_sn++;
    iskra_list_push_back(&conn->cmdqueue, &task->link);
    iskra_conn_kick_xmit(conn);
    return ISKRA_QUEUED;
}
