/* Tasks: taken from and given back to the session's pool, counted references, found by tag. */
#include "iscsi/task.h"

#include <assert.h>

#include "iscsi/conn.h"
#include "iscsi/eh.h"
#include "iscsi/ping.h"
#include "iscsi/session.h"
#include "planted.h"

const char *iskra_task_state_name(enum iskra_task_state state)
{
    static const char *const names[ISKRA_TASK_STATE_CNT] = {
        "FREE", "PENDING", "RUNNING", "COMPLETED", "ABRT_TMF", "ABRT_SESS_RECOV",
    };
    return (unsigned)state < ISKRA_TASK_STATE_CNT ? names[state] : "?";
}

void iskra_task_revive(struct iskra_task *task, struct iskra_conn *conn)
{
    struct iskra_session *s = task->session;
    assert(task->state == ISKRA_TASK_FREE);
    task->tcp = (struct iskra_tcp_task){
        .itt = task->index | (uint32_t)s->age << ISKRA_ITT_AGE_SHIFT,
    };
    task->conn = conn;
    task->refs = 1;
    task->takes_cmd_sn = false;
    task->aborting = task->cancelled = false;
    task->eh_op = NULL;
    task->r2t_since_ns = 0;
    task->data = NULL;
    task->data_len = 0;
    task->state = ISKRA_TASK_PENDING;
}

struct iskra_task *iskra_task_alloc(struct iskra_session *s, struct iskra_conn *conn)
{
    struct iskra_list *l = iskra_list_pop_front(&s->pool);
    if (l == NULL)
        return NULL;
    struct iskra_task *task = iskra_container_of(l, struct iskra_task, link);
    iskra_task_revive(task, conn);
    return task;
}

/* First in, first out, so that a tag comes back as late as possible. */
static void tag_free(struct iskra_task *task)
{
    bool is_login_task = task->conn->login_task == task;
    task->conn = NULL;
    task->state = ISKRA_TASK_FREE;
    if (!is_login_task)
        iskra_list_push_back(&task->session->pool, &task->link);
}

/* The text of a login is on its way no more. */
static void login_data_return(struct iskra_conn *conn)
{
    struct iskra_round *round = conn->session->round;
    iskra_spare_give(&round->pdu_data, round->pf, conn->login_data);
    conn->login_data = NULL;
}

/* The other half of what queuecommand has added. */
static void data_not_awaited(struct iskra_task *task)
{
    struct iskra_port *port = &task->conn->tcp.port;
    if (task->cmd->dir == ISKRA_DIR_READ)
        port->awaited_len -= task->cmd->transfer_len;
    assert(task->session->scsi_cnt > 1 || port->awaited_len == 0);
}

static void task_free(struct iskra_task *task)
{
    struct iskra_session *s = task->session;
    struct iskra_cmnd *cmd = task->cmd;
    if (cmd != NULL)
        data_not_awaited(task);
    task->cmd = NULL;
    iskra_keepalive_task_gone(task->conn, task);
    if (task->ping != NULL)
        iskra_ping_task_gone(task->ping, task);
    task->ping = NULL;
    bool is_tmf = s->tmfs.task == task;
    if (task == task->conn->login_task)
        login_data_return(task->conn);
    if (!task->late_answer_due)
        tag_free(task);
    if (is_tmf)
        iskra_tmf_task_gone(s);
    if (cmd == NULL)
        return;
    if (--s->scsi_cnt == 0)
        s->waits.idle_since_ns = s->round->now_ns;
    cmd->task = NULL;
    cmd->scsi_done(cmd);
}

void iskra_task_get(struct iskra_task *task)
{
    task->refs++;
}

void iskra_task_put(struct iskra_task *task)
{
    assert(task->refs > 0);
    if (--task->refs == 0)
        task_free(task);
}

/* No memory will be there for a read's data; R2Ts of a write are dropped without any. */
bool iskra_task_keep_tag(struct iskra_task *task)
{
    if (task->conn->late_answer_cnt >= ISKRA_LATE_ANSWERS_MAX || !iskra_conn_lends(task->conn))
        return false;
    if (task->tcp.dir == ISKRA_DIR_READ)
        task->tcp.dir = ISKRA_DIR_NONE;
    task->late_answer_due = true;
    task->conn->late_answer_cnt++;
    return true;
}

void iskra_task_answered_late(struct iskra_task *task)
{
    assert(task->late_answer_due);
    task->late_answer_due = false;
    task->conn->late_answer_cnt--;
    if (task->refs == 0)
        tag_free(task);
}

void iskra_task_run(struct iskra_task *task, uint32_t cmd_sn)
{
    assert(task->state == ISKRA_TASK_PENDING);
    task->cmd_sn = cmd_sn;
    task->state = ISKRA_TASK_RUNNING;
    task->tcp.running = true;
}

/* notes F32: iscsi_complete_task. */
void iskra_complete_task(struct iskra_task *task, enum iskra_task_state state)
{
    ISKRA_STEP(&task->session->round->trace, COMPLETE_TASK, 0);
    if (iskra_task_terminal(task))
        return;
    /* What was accepted but never built has used no number: the next command takes its place. */
    if (task->state == ISKRA_TASK_PENDING && task->takes_cmd_sn)
        task->session->window.queued_cmd_sn--;
    iskra_list_remove(&task->link);
    if (task->aborting)
        iskra_tmf_withdraw(task->session, &task->abort);
    task->aborting = false;
    task->state = state;
    task->tcp.running = false;
    iskra_eh_task_ended(task);
    if (ISKRA_PLANTED(LOAN_FORGOTTEN))
        task->refs = 1;
    iskra_task_put(task);
}

void iskra_fail_scsi_task(struct iskra_task *task, enum iskra_host_byte host_byte)
{
    if (iskra_task_terminal(task))
        return;
    enum iskra_task_state state = ISKRA_TASK_COMPLETED;
    if (task->state == ISKRA_TASK_RUNNING)
        state = host_byte == ISKRA_DID_TRANSPORT_DISRUPTED ? ISKRA_TASK_ABRT_SESS_RECOV
                                                           : ISKRA_TASK_ABRT_TMF;
    task->cmd->result = ISKRA_RESULT(host_byte, 0);
    task->cmd->residual = task->cmd->transfer_len;
    iskra_complete_task(task, state);
}

/* notes F25: iscsi_verify_itt. A tag of another age is an answer to an earlier life of the session;
 * every bit that we left zero must have come back zero. */
enum iskra_conn_error iskra_verify_itt(struct iskra_conn *conn, uint32_t itt)
{
    const struct iskra_session *s = conn->session;
    ISKRA_STEP(&s->round->trace, VERIFY_ITT, 0);
    if (itt == ISKRA_RESERVED_TAG)
        return ISKRA_CONN_OK;
    uint32_t age = itt >> ISKRA_ITT_AGE_SHIFT & ISKRA_ITT_AGE_MASK;
    if (age != s->age)
        return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_BAD_ITT,
                              "the target answered to tag 0x%08x of age %u; this session's is %u",
                              itt, age, s->age);
    uint32_t index = itt & ~(ISKRA_ITT_AGE_MASK << ISKRA_ITT_AGE_SHIFT);
    if (index >= s->cmd_cnt)
        return iskra_tcp_fail(&conn->tcp, ISKRA_CONN_BAD_ITT,
                              "the target answered to tag 0x%08x; there are only %u tasks", itt,
                              s->cmd_cnt);
    return ISKRA_CONN_OK;
}

static struct iskra_task *task_at(struct iskra_conn *conn, uint32_t itt)
{
    uint32_t index = itt & ISKRA_ITT_INDEX_MASK;
    if (itt == ISKRA_RESERVED_TAG || index >= conn->session->cmd_cnt)
        return NULL;
    return iskra_session_task(conn->session, index);
}

/* notes F25: iscsi_itt_to_task: session->cmds[]. */
struct iskra_task *iskra_itt_to_task(struct iskra_conn *conn, uint32_t itt)
{
    ISKRA_STEP(&conn->session->round->trace, ITT_TO_TASK, 0);
    return task_at(conn, itt);
}

/* The last time that anyone looked at a command is a round trip ago. While its data is copied, what
 * ends it comes nearer: the lines around it (scsi/request.h). */
static void fetch(const struct iskra_cmnd *cmd)
{
    for (int line = -3; line <= 1; line++)
        __builtin_prefetch((const char *)cmd + (ptrdiff_t)line * 64);
}

/* notes F25: iscsi_itt_to_ctask. The age is compared twice: the tag's in verify_itt, the command's
 * own here, because a task taken over from an earlier life would carry a tag of today. */
struct iskra_task *iskra_itt_to_ctask(struct iskra_conn *conn, uint32_t itt)
{
    ISKRA_STEP(&conn->session->round->trace, ITT_TO_CTASK, 0);
    if (iskra_verify_itt(conn, itt) != ISKRA_CONN_OK)
        return NULL;
    struct iskra_task *task = task_at(conn, itt);
    if (task == NULL || task->cmd == NULL || task->state == ISKRA_TASK_PENDING ||
        task->cmd->age != conn->session->age)
        return NULL;
    fetch(task->cmd);
    return task;
}

struct iskra_task *iskra_itt_to_late_task(struct iskra_conn *conn, uint32_t itt)
{
    struct iskra_task *task = task_at(conn, itt);
    return task != NULL && task->late_answer_due && task->cmd == NULL ? task : NULL;
}
