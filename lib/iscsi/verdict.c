/* The timeout verdict: what the expiry of a command comes to (spec 3.10). The rows are looked at in
 * the order of ISKRA_VERDICT_ROWS; the first that applies decides.
 *
 * "Since the last look" compares numbers, not times (decision 5): the connection counts what is
 * sent and received for its commands, each task remembers the count of its last, and each look
 * remembers the count then. */
#include "iscsi/class.h"
#include "iscsi/conn.h"
#include "iscsi/keepalive.h"
#include "iscsi/session.h"

/* A command that is behind others in the target's queue may just wait for them. Only those that are
 * older count, so that the oldest that is stuck is found in the end. */
static bool older_work_moves(const struct iskra_session *s, const struct iskra_task *task)
{
    for (uint32_t i = 0; i < s->cmd_cnt; i++) {
        const struct iskra_task *other = iskra_session_task(s, i);
        if (other != task && other->cmd != NULL && other->conn == task->conn &&
            other->state == ISKRA_TASK_RUNNING && other->queued_no <= task->queued_no &&
            other->tcp.last_xfer > task->last_timeout)
            return true;
    }
    return false;
}

static enum iskra_verdict_row row_of(const struct iskra_session *s, const struct iskra_cmnd *cmd)
{
    const struct iskra_task *task = cmd->task;
    const struct iskra_conn *conn = s->leadconn;
    if (task == NULL) /* its answer overtook the timer */
        return ISKRA_VERDICT_NO_TASK;
    if (s->state != ISKRA_SESSION_LOGGED_IN)
        return s->cls->shutting_down ? ISKRA_VERDICT_SHUTTING_DOWN : ISKRA_VERDICT_NOT_LOGGED_IN;
    if (conn == NULL)
        return ISKRA_VERDICT_NO_CONN;
    if (task->tcp.last_xfer > task->last_timeout)
        return ISKRA_VERDICT_MOVED;
    if (!iskra_keepalive_on(conn))
        return ISKRA_VERDICT_NO_PINGS;
    if (iskra_keepalive_overdue(conn))
        return ISKRA_VERDICT_PING_OVERDUE;
    if (older_work_moves(s, task))
        return ISKRA_VERDICT_OLDER_MOVES;
    if (task->have_checked_conn)
        return ISKRA_VERDICT_CHECKED;
    return iskra_keepalive_out(conn) ? ISKRA_VERDICT_PING_OUT : ISKRA_VERDICT_PING_SENT;
}

static void row_do(struct iskra_session *s, struct iskra_task *task, enum iskra_verdict_row row)
{
    if (row == ISKRA_VERDICT_MOVED)
        task->have_checked_conn = false;
    if (row == ISKRA_VERDICT_PING_OUT || row == ISKRA_VERDICT_PING_SENT)
        task->have_checked_conn = true;
    if (row == ISKRA_VERDICT_PING_SENT)
        (void)iskra_keepalive_ping(s->leadconn); /* no task is free for it: the next look decides */
    task->last_timeout = task->conn->tcp.xfers;
}

/* notes F40: iscsi_eh_cmd_timed_out, the host's eh_timed_out. */
enum iskra_eh_verdict iskra_eh_cmd_timed_out(struct iskra_session *s, struct iskra_cmnd *cmd)
{
    enum iskra_verdict_row row = row_of(s, cmd);
    ISKRA_STEP(&s->round->trace, EH_CMD_TIMED_OUT, row);
    if (cmd->task != NULL)
        row_do(s, cmd->task, row);
    if (row == ISKRA_VERDICT_SHUTTING_DOWN) {
        iskra_fail_scsi_task(cmd->task, ISKRA_DID_NO_CONNECT);
        if (cmd->task != NULL) /* its memory is still lent to the transport: scsi_done ends it */
            return ISKRA_EH_RESET_TIMER;
    }
    return iskra_verdict_row_words(row)->verdict;
}
