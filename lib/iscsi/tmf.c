/* Task management requests; see tmf.h. What a function does to the tasks it concerns is decided by
 * who asked for it. */
#include "iscsi/tmf.h"

#include <errno.h>

#include "iscsi/conn.h"
#include "iscsi/session.h"
#include "iscsi/task.h"
#include "wire/bhs.h"

#define NS_PER_S UINT64_C(1000000000)

static void timed_out(struct iskra_timer *timer, uint64_t now_ns);

int iskra_tmf_init(struct iskra_session *s)
{
    iskra_list_init(&s->tmfs.waiting);
    return iskra_timer_init(&s->tmfs.timer, &s->round->timers, timed_out);
}

void iskra_tmf_done(struct iskra_session *s)
{
    iskra_timer_done(&s->tmfs.timer);
}

static bool session_up(const struct iskra_session *s)
{
    return s->state == ISKRA_SESSION_LOGGED_IN && s->leadconn != NULL &&
           s->leadconn->stage == ISKRA_CONN_STAGE_STARTED && !s->leadconn->tx_suspended;
}

/* 0 is none, and none could be met. */
static uint64_t timeout_ns(const struct iskra_session_params *p, uint8_t function)
{
    uint64_t ns = p->tgt_reset_timeout_ns;
    if (function == ISKRA_TMF_ABORT_TASK || function == ISKRA_TMF_ABORT_TASK_SET)
        ns = p->abort_timeout_ns;
    else if (function == ISKRA_TMF_LUN_RESET)
        ns = p->lu_reset_timeout_ns;
    return ns > 0 ? ns : NS_PER_S;
}

/* RFC 7143 11.5.3 to 11.5.5: tag and CmdSN of the task are reserved unless one is meant. The
 * request's own numbers are filled in when it is sent (prep.c). */
static void task_fill(struct iskra_task *task, const struct iskra_tmf *tmf)
{
    bool whole_target = tmf->function == ISKRA_TMF_TARGET_WARM_RESET ||
                        tmf->function == ISKRA_TMF_TARGET_COLD_RESET;
    struct iskra_pdu_tmf pdu = {
        .immediate = true,
        .function = tmf->function,
        .lun = whole_target ? 0 : tmf->lun,
        .itt = task->tcp.itt,
        .ref_task_tag = tmf->ref != NULL ? tmf->ref->tcp.itt : ISKRA_RESERVED_TAG,
        .ref_cmd_sn = tmf->ref != NULL ? tmf->ref->cmd_sn : 0,
    };
    iskra_tmf_encode(&pdu, task->hdr);
    task->opcode = ISKRA_OP_TMF;
}

/* Whose turn it is. What waits while the session is away is told of by drop(). */
static void next_begin(struct iskra_session *s)
{
    struct iskra_tmfs *t = &s->tmfs;
    if (t->task != NULL || iskra_list_empty(&t->waiting) || !session_up(s))
        return;
    struct iskra_tmf *tmf =
        iskra_container_of(iskra_list_pop_front(&t->waiting), struct iskra_tmf, link);
    struct iskra_conn *conn = tmf->ref != NULL ? tmf->ref->conn : s->leadconn;
    struct iskra_task *task = iskra_task_alloc(s, conn);
    if (task == NULL) {
        (void)iskra_tcp_fail(&conn->tcp, ISKRA_CONN_FAILED, "no task is free for %s",
                             iskra_tmf_function_name(tmf->function)); /* passed on just below */
        iskra_list_push_front(&t->waiting, &tmf->link); /* told when the connection is stopped */
        iskra_conn_failure(conn, ISKRA_CONN_FAILED);
        return;
    }
    t->out = tmf;
    t->task = task;
    t->function = tmf->function;
    t->lun = tmf->lun;
    t->due = true;
    task_fill(task, tmf);
    iskra_list_push_back(&conn->mgmtqueue, &task->link);
    iskra_timer_arm(&t->timer, s->round->now_ns + timeout_ns(&s->params, tmf->function));
    iskra_conn_kick_xmit(conn);
}

int iskra_tmf_submit(struct iskra_session *s, struct iskra_tmf *tmf)
{
    if (!session_up(s))
        return -ENOTCONN;
    iskra_list_push_back(&s->tmfs.waiting, &tmf->link);
    next_begin(s);
    return 0;
}

void iskra_tmf_withdraw(struct iskra_session *s, struct iskra_tmf *tmf)
{
    struct iskra_tmfs *t = &s->tmfs;
    iskra_list_remove(&tmf->link);
    if (t->out != tmf)
        return;
    t->out = NULL;
    if (t->task->state == ISKRA_TASK_PENDING)
        iskra_complete_task(t->task, ISKRA_TASK_COMPLETED);
}

static void tell(struct iskra_session *s, enum iskra_tmf_outcome outcome)
{
    struct iskra_tmf *tmf = s->tmfs.out;
    s->tmfs.out = NULL;
    s->tmfs.due = false;
    iskra_timer_disarm(&s->tmfs.timer);
    if (tmf != NULL) {
        tmf->outcome = outcome;
        tmf->told(tmf, outcome);
    }
}

/* Is the task within reach of the request that is out, if that is for more than one task? */
static bool reaches(const struct iskra_tmfs *t, const struct iskra_task *task)
{
    switch (t->function) {
    case ISKRA_TMF_LUN_RESET:
    case ISKRA_TMF_ABORT_TASK_SET:
        return task->cmd->lun == t->lun;
    case ISKRA_TMF_TARGET_WARM_RESET:
    case ISKRA_TMF_TARGET_COLD_RESET:
        return true;
    default:
        return false;
    }
}

bool iskra_tmf_holds_cmd(const struct iskra_session *s, const struct iskra_task *task)
{
    return s->tmfs.due && reaches(&s->tmfs, task);
}

bool iskra_tmf_holds_data_out(const struct iskra_session *s, const struct iskra_task *task)
{
    return s->params.fast_abort && iskra_tmf_holds_cmd(s, task);
}

/* The target has ended them, whether or not anybody still asks. Those that were held back end too:
 * they were handed in before the reset was over (spec 3.11). */
static void reached_fail(struct iskra_session *s)
{
    for (uint32_t i = 0; i < s->cmd_cnt; i++) {
        struct iskra_task *task = iskra_session_task(s, i);
        if (task->state != ISKRA_TASK_FREE && task->cmd != NULL && reaches(&s->tmfs, task))
            iskra_fail_scsi_task(task, ISKRA_DID_ERROR);
    }
}

void iskra_tmf_answered(struct iskra_session *s, uint8_t response)
{
    if (response == ISKRA_TMF_RESPONSE_COMPLETE)
        reached_fail(s);
    iskra_conn_kick_xmit(s->leadconn); /* what was held back may go, or found its end */
    if (s->tmfs.out != NULL)
        s->tmfs.out->response = response;
    tell(s, response == ISKRA_TMF_RESPONSE_COMPLETE  ? ISKRA_TMF_COMPLETE
            : response == ISKRA_TMF_RESPONSE_NO_TASK ? ISKRA_TMF_NO_TASK
                                                     : ISKRA_TMF_REFUSED);
}

void iskra_tmf_rejected(struct iskra_session *s)
{
    iskra_conn_kick_xmit(s->leadconn);
    if (s->tmfs.out != NULL)
        s->tmfs.out->response = ISKRA_TMF_RESPONSE_REJECTED;
    tell(s, ISKRA_TMF_REFUSED);
}

/* Its tag is free again: the next one may go. Nobody was told yet if it was never sent. */
void iskra_tmf_task_gone(struct iskra_session *s)
{
    s->tmfs.task = NULL;
    tell(s, ISKRA_TMF_LOST);
    next_begin(s);
}

static void timed_out(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_session *s = iskra_container_of(timer, struct iskra_session, tmfs.timer);
    struct iskra_tmfs *t = &s->tmfs;
    struct iskra_conn *conn = t->task->conn;
    (void)now_ns;
    (void)iskra_tcp_fail(&conn->tcp, ISKRA_CONN_SCSI_EH_SESSION_RST, "%s %s within %g s",
                         t->task->state == ISKRA_TASK_PENDING ? "could not send" : "no answer to",
                         iskra_tmf_function_name(t->function),
                         (double)timeout_ns(&s->params, t->function) /
                             (double)NS_PER_S); /* passed on just below */
    iskra_conn_failure(conn, ISKRA_CONN_SCSI_EH_SESSION_RST);
    tell(s, ISKRA_TMF_TIMED_OUT);
}

void iskra_tmf_drop(struct iskra_session *s)
{
    tell(s, ISKRA_TMF_LOST);
    for (struct iskra_list *l; (l = iskra_list_pop_front(&s->tmfs.waiting)) != NULL;) {
        struct iskra_tmf *tmf = iskra_container_of(l, struct iskra_tmf, link);
        tmf->outcome = ISKRA_TMF_LOST;
        tmf->told(tmf, ISKRA_TMF_LOST);
    }
}
