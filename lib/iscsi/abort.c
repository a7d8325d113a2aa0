/* Aborting a command on behalf of the mid-layer (spec 3.11, "abort task"; decision 16): by then the
 * target touches it no more, or its session is gone.
 *
 * From the request on no Data-Out of the task is built any more, except unsolicited data, which has
 * to stay in its place in front of everything else and so goes before the ABORT TASK. If the target
 * does not want to abort, the command goes on as if nothing had been asked. */
#include <errno.h>

#include "iscsi/conn.h"
#include "iscsi/session.h"
#include "iscsi/tmf.h"

/* It may owe answers to R2Ts that it got meanwhile. */
static void go_on(struct iskra_task *task)
{
    struct iskra_conn *conn = task->conn;
    task->aborting = false;
    if (task->tcp.detached || iskra_tcp_data_out_due(&task->tcp) == NULL)
        return;
    if (iskra_list_empty(&task->link))
        iskra_list_push_back(&conn->requeue, &task->link);
    iskra_conn_kick_xmit(conn);
}

/* NO_TASK: over one connection a status would have come before this answer, so the target has
 * forgotten the command. TIMED_OUT, LOST: the session ends it. */
static void told(struct iskra_tmf *tmf, enum iskra_tmf_outcome outcome)
{
    struct iskra_task *task = iskra_container_of(tmf, struct iskra_task, abort);
    switch (outcome) {
    case ISKRA_TMF_COMPLETE:
    case ISKRA_TMF_NO_TASK:
        task->aborting = false;
        iskra_fail_scsi_task(task, ISKRA_DID_ABORT);
        break;
    case ISKRA_TMF_REFUSED:
        go_on(task);
        break;
    case ISKRA_TMF_TIMED_OUT:
    case ISKRA_TMF_LOST:
        task->aborting = false;
        break;
    }
}

static bool on_requeue(const struct iskra_task *task)
{
    return !iskra_list_empty(&task->link) && task->state == ISKRA_TASK_RUNNING &&
           task->tcp.unsolicited.sent_len == task->tcp.unsolicited.desired_len;
}

int iskra_session_abort(struct iskra_session *s, struct iskra_cmnd *cmd)
{
    struct iskra_task *task = cmd->task;
    if (task == NULL)
        return -EALREADY;
    if (task->aborting || iskra_task_terminal(task))
        return 0; /* it will end, or has: only a loan is waited for */
    if (task->state == ISKRA_TASK_PENDING) {
        iskra_fail_scsi_task(task, ISKRA_DID_ABORT);
        return 0;
    }
    task->abort = (struct iskra_tmf){
        .function = ISKRA_TMF_ABORT_TASK, .lun = cmd->lun, .ref = task, .told = told};
    iskra_list_init(&task->abort.link);
    task->aborting = iskra_tmf_submit(s, &task->abort) == 0; /* else its failing session ends it */
    if (task->aborting && on_requeue(task))
        iskra_list_remove(&task->link);
    return 0;
}
