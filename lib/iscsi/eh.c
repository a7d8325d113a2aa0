/* The operations of error handling; see eh.h. Each ends in settle(), once; the outcome is told from
 * the round's work. */
#include "iscsi/eh.h"

#include <assert.h>

#include "iscsi/conn.h"
#include "iscsi/session.h"

const char *iskra_eh_outcome_name(enum iskra_eh_outcome outcome)
{
    return outcome == ISKRA_EH_SUCCESS ? "SUCCESS" : "FAILED";
}

static void tell(struct iskra_work *work)
{
    struct iskra_eh_op *op = iskra_container_of(work, struct iskra_eh_op, work);
    op->session = NULL; /* before the call: it may ask for the next thing */
    op->told(op, op->outcome);
}

void iskra_eh_op_init(struct iskra_eh_op *op, iskra_eh_told_fn *told)
{
    *op = (struct iskra_eh_op){.told = told};
    iskra_list_init(&op->tmf.link);
    iskra_list_init(&op->link);
    iskra_work_init(&op->work, tell);
}

static void begin(struct iskra_session *s, struct iskra_eh_op *op)
{
    assert(op->session == NULL);
    op->session = s;
    op->task = NULL;
    op->tmf.outcome = ISKRA_TMF_LOST;
}

static void settle(struct iskra_eh_op *op, enum iskra_eh_outcome outcome)
{
    iskra_list_remove(&op->link);
    if (op->task != NULL)
        op->task->eh_op = NULL;
    op->task = NULL;
    op->outcome = outcome;
    iskra_work_schedule(&op->session->round->work, &op->work);
}

/* ---- one command ---- */

void iskra_eh_task_ended(struct iskra_task *task)
{
    if (task->eh_op != NULL)
        settle(task->eh_op, ISKRA_EH_SUCCESS);
}

void iskra_eh_task_stays(struct iskra_task *task, const struct iskra_tmf *tmf)
{
    struct iskra_eh_op *op = task->eh_op;
    if (op == NULL)
        return;
    if (tmf != NULL) {
        op->tmf.outcome = tmf->outcome;
        op->tmf.response = tmf->response;
    }
    settle(op, ISKRA_EH_FAILED);
}

const char *iskra_eh_op_why(const struct iskra_eh_op *op)
{
    switch (op->tmf.outcome) {
    case ISKRA_TMF_NO_TASK:
    case ISKRA_TMF_REFUSED:
        return iskra_tmf_response_name(op->tmf.response);
    case ISKRA_TMF_TIMED_OUT:
        return "no answer in time";
    case ISKRA_TMF_COMPLETE:
    case ISKRA_TMF_LOST:
        break;
    }
    return "the session is not logged in";
}

void iskra_eh_abort(struct iskra_session *s, struct iskra_eh_op *op, struct iskra_cmnd *cmd)
{
    struct iskra_task *task = cmd->task;
    begin(s, op);
    if (task == NULL || iskra_task_terminal(task)) {
        settle(op, ISKRA_EH_SUCCESS);
        return;
    }
    if (s->state != ISKRA_SESSION_LOGGED_IN || s->leadconn == NULL || cmd->age != s->age ||
        task->eh_op != NULL) {
        settle(op, ISKRA_EH_FAILED);
        return;
    }
    op->task = task;
    task->eh_op = op;
    if (!iskra_task_abort(task))
        iskra_eh_task_stays(task, NULL);
}

/* ---- a LUN, the target ---- */

static void reset_told(struct iskra_tmf *tmf, enum iskra_tmf_outcome outcome)
{
    struct iskra_eh_op *op = iskra_container_of(tmf, struct iskra_eh_op, tmf);
    settle(op, outcome == ISKRA_TMF_COMPLETE ? ISKRA_EH_SUCCESS : ISKRA_EH_FAILED);
}

static void reset(struct iskra_session *s, struct iskra_eh_op *op, uint8_t function, uint64_t lun,
                  iskra_tmf_told_fn *told)
{
    begin(s, op);
    op->tmf = (struct iskra_tmf){
        .function = function, .lun = lun, .told = told, .outcome = ISKRA_TMF_LOST};
    iskra_list_init(&op->tmf.link);
    if (iskra_tmf_submit(s, &op->tmf) != 0)
        settle(op, ISKRA_EH_FAILED);
}

void iskra_eh_device_reset(struct iskra_session *s, struct iskra_eh_op *op, uint64_t lun)
{
    reset(s, op, ISKRA_TMF_LUN_RESET, lun, reset_told);
}

void iskra_eh_abort_task_set(struct iskra_session *s, struct iskra_eh_op *op, uint64_t lun)
{
    reset(s, op, ISKRA_TMF_ABORT_TASK_SET, lun, reset_told);
}

void iskra_eh_target_reset(struct iskra_session *s, struct iskra_eh_op *op)
{
    reset(s, op, ISKRA_TMF_TARGET_WARM_RESET, 0, reset_told);
}

/* ---- the session ---- */

enum fate {
    FATE_OPEN, /* still being recovered */
    FATE_BACK,
    FATE_OVER,
};

static enum fate fate_of(enum iskra_session_state state)
{
    switch (state) {
    case ISKRA_SESSION_LOGGED_IN:
        return FATE_BACK;
    case ISKRA_SESSION_FAILED:
    case ISKRA_SESSION_IN_RECOVERY:
    case ISKRA_SESSION_LOGGING_OUT:
        return FATE_OPEN;
    default: /* FREE: there never was one to come back */
        return FATE_OVER;
    }
}

static void await_session(struct iskra_session *s, struct iskra_eh_op *op)
{
    if (fate_of(s->state) == FATE_OPEN)
        iskra_list_push_back(&s->eh_ops, &op->link);
    else
        settle(op, ISKRA_EH_FAILED);
}

void iskra_eh_session_changed(struct iskra_session *s)
{
    enum fate fate = fate_of(s->state);
    while (fate != FATE_OPEN && !iskra_list_empty(&s->eh_ops))
        settle(iskra_container_of(s->eh_ops.next, struct iskra_eh_op, link),
               fate == FATE_BACK ? ISKRA_EH_SUCCESS : ISKRA_EH_FAILED);
}

/* RFC 7143 11.5.1: after a cold reset the target ends all its connections, before its answer or
 * after it. */
static void cold_reset_told(struct iskra_tmf *tmf, enum iskra_tmf_outcome outcome)
{
    struct iskra_eh_op *op = iskra_container_of(tmf, struct iskra_eh_op, tmf);
    if (outcome == ISKRA_TMF_LOST)
        await_session(op->session, op);
    else
        reset_told(tmf, outcome);
}

void iskra_eh_target_cold_reset(struct iskra_session *s, struct iskra_eh_op *op)
{
    reset(s, op, ISKRA_TMF_TARGET_COLD_RESET, 0, cold_reset_told);
}

/* One that is being recovered already is not disturbed: its connection may be in the midst of its
 * new login. */
void iskra_eh_session_reset(struct iskra_session *s, struct iskra_eh_op *op,
                            const struct iskra_error *why)
{
    struct iskra_conn *conn = s->leadconn;
    begin(s, op);
    if (conn != NULL &&
        (s->state == ISKRA_SESSION_LOGGED_IN || s->state == ISKRA_SESSION_LOGGING_OUT)) {
        (void)iskra_tcp_fail(&conn->tcp, ISKRA_CONN_SCSI_EH_SESSION_RST, "%s",
                             why->text); /* passed on just below */
        iskra_conn_failure(conn, ISKRA_CONN_SCSI_EH_SESSION_RST);
    }
    await_session(s, op);
}

/* ---- nobody asks any more ---- */

void iskra_eh_op_cancel(struct iskra_session *s, struct iskra_eh_op *op)
{
    if (op->session != NULL && !iskra_list_empty(&op->work.link)) { /* the outcome is known */
        iskra_work_cancel(&op->work);
    } else if (op->session != NULL) {
        iskra_list_remove(&op->link);
        if (op->task != NULL)
            op->task->eh_op = NULL;
        else
            iskra_tmf_withdraw(s, &op->tmf);
    }
    op->task = NULL;
    op->session = NULL;
}
