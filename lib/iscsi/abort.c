/* Aborting a command (spec 3.11, "abort task"), for its owner (decision 16) or for error handling:
 * by then the target touches it no more, or its session is gone.
 *
 * From the request on no Data-Out of the task is built any more, except unsolicited data, which has
 * to stay in its place in front of everything else and so goes before the ABORT TASK. If the target
 * does not want to abort, the command goes on as if nothing had been asked. */
#include <errno.h>

#include "iscsi/conn.h"
#include "iscsi/eh.h"
#include "iscsi/session.h"
#include "iscsi/tmf.h"

/* It may owe answers to R2Ts that it got meanwhile. */
static void go_on(struct iskra_task *task)
{
    struct iskra_conn *conn = task->conn;
    if (task->tcp.detached || iskra_tcp_data_out_due(&task->tcp) == NULL)
        return;
    if (iskra_list_empty(&task->link))
        iskra_list_push_back(&conn->requeue, &task->link);
    iskra_conn_kick_xmit(conn);
}

/* NO_TASK: over one connection a status would have come before this answer, so the target has
 * forgotten the command: whoever wanted it back has it. Error handling, which wanted to know what
 * became of it, has to look further (spec 3.11). TIMED_OUT, LOST: the session ends it. */
static void told(struct iskra_tmf *tmf, enum iskra_tmf_outcome outcome)
{
    struct iskra_task *task = iskra_container_of(tmf, struct iskra_task, abort);
    bool cancelled = task->cancelled;
    task->aborting = task->cancelled = false;
    if (outcome == ISKRA_TMF_COMPLETE || (outcome == ISKRA_TMF_NO_TASK && cancelled)) {
        iskra_fail_scsi_task(task, ISKRA_DID_ABORT);
        return;
    }
    if (outcome == ISKRA_TMF_REFUSED)
        go_on(task);
    iskra_eh_task_stays(task, tmf);
}

static bool on_requeue(const struct iskra_task *task)
{
    return !iskra_list_empty(&task->link) && task->state == ISKRA_TASK_RUNNING &&
           task->tcp.unsolicited.sent_len == task->tcp.unsolicited.desired_len;
}

bool iskra_task_abort(struct iskra_task *task)
{
    if (task->aborting)
        return true;
    if (task->state == ISKRA_TASK_PENDING) {
        iskra_fail_scsi_task(task, ISKRA_DID_ABORT);
        return true;
    }
    task->abort = (struct iskra_tmf){
        .function = ISKRA_TMF_ABORT_TASK, .lun = task->cmd->lun, .ref = task, .told = told};
    iskra_list_init(&task->abort.link);
    task->aborting = iskra_tmf_submit(task->session, &task->abort) == 0;
    if (task->aborting && on_requeue(task))
        iskra_list_remove(&task->link);
    return task->aborting;
}

int iskra_session_abort(struct iskra_session *s, struct iskra_cmnd *cmd)
{
    struct iskra_task *task = cmd->task;
    (void)s;
    if (task == NULL)
        return -EALREADY;
    if (iskra_task_terminal(task)) /* only a loan is waited for */
        return 0;
    task->cancelled = true;
    (void)iskra_task_abort(task); /* if nobody can be asked, its failing session ends it */
    return 0;
}
