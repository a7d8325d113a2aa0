/* The life of a connection between failures: conn_failure, start_conn, stop_conn (spec 3.12).
 *
 * A failure only stops traffic and is told upwards; what to do about it is the control plane's
 * decision, which comes back as STOP_CONN. Only then do the tasks fail. */
#include <errno.h>

#include "error.h"
#include "iscsi/class.h"
#include "iscsi/conn.h"
#include "iscsi/session.h"
#include "planted.h"

static void failure_count(struct iskra_conn *conn, enum iskra_conn_error error)
{
    if (error == ISKRA_CONN_HDR_DGST || error == ISKRA_CONN_DATA_DGST)
        conn->digest_errors++;
    if (error == ISKRA_CONN_NOP_TIMEDOUT)
        conn->timeout_errors++;
}

void iskra_conn_failure(struct iskra_conn *conn, enum iskra_conn_error error)
{
    struct iskra_session *s = conn->session;
    if (conn->failed || conn->sock == NULL)
        return;
    ISKRA_STEP(&s->round->trace, CONN_FAILURE, error);
    (void)iskra_tcp_fail(&conn->tcp, error, "the connection failed: %s",
                         iskra_conn_error_name(error)); /* only if no story was told yet */
    s->error = conn->tcp.error;
    failure_count(conn, error);
    iskra_trace_error(&s->round->trace, (uint16_t)s->sid, error);
    conn->failed = true;
    conn->tx_suspended = true;
    iskra_work_cancel(&conn->xmitwork);
    iskra_tcp_recv_suspend(&conn->tcp);
    /* While it is being recovered the session stays in recovery: this attempt failed, nothing else
     * did. */
    if (iskra_session_may_become(s->state, ISKRA_SESSION_FAILED))
        iskra_session_set_state(s, ISKRA_SESSION_FAILED);
    iskra_class_conn_error(s->cls, conn, error);
}

static int start_refused(const struct iskra_conn *conn, struct iskra_error *err)
{
    const struct iskra_session *s = conn->session;
    const struct iskra_session_params *p = &s->params;
    if (conn->stage != ISKRA_CONN_STAGE_BOUND || conn->failed)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "connection %u cannot be started: it is %s%s",
                          conn->cid, iskra_conn_stage_name(conn->stage),
                          conn->failed ? " and has failed" : "");
    if (!iskra_session_may_become(s->state, ISKRA_SESSION_LOGGED_IN))
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "session %u cannot be started: it is %s",
                          s->sid, iskra_session_state_name(s->state));
    /* RFC 7143 13.14: FirstBurstLength must not exceed MaxBurstLength; it only matters where it is
     * used. */
    if ((p->immediate_data || !p->initial_r2t) && p->first_burst_len > p->max_burst_len)
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EINVAL,
                          "FirstBurstLength %u is more than MaxBurstLength %u", p->first_burst_len,
                          p->max_burst_len);
    return 0;
}

/* What the data path takes from. */
static int set_memory_aside(struct iskra_conn *conn, struct iskra_error *err)
{
    struct iskra_session *s = conn->session;
    int rc = iskra_task_pool_set_r2ts_aside(s);
    if (rc == 0 && s->params.data_digest)
        rc = iskra_tcp_xmit_copy_payloads(&conn->tcp);
    return rc == 0
               ? 0
               : iskra_fail(err, ISKRA_E_NOMEM, -rc, "no memory to write with: %u tasks of %u R2Ts",
                            s->cmd_cnt, s->params.max_outstanding_r2t);
}

/* Puts what was negotiated into force. The last Login Response was the last PDU without digests. */
int iskra_start_conn(struct iskra_conn *conn, struct iskra_error *err)
{
    struct iskra_session *s = conn->session;
    int rc = start_refused(conn, err);
    if (rc == 0)
        rc = set_memory_aside(conn, err);
    if (rc != 0)
        return rc;
    conn->tcp.in.hdr_digest = conn->tcp.out.hdr_digest = s->params.hdr_digest;
    conn->tcp.in.data_digest = conn->tcp.out.data_digest = s->params.data_digest;
    conn->tcp.in.max_recv_data_len = s->params.max_recv_data_len;
    conn->tcp.in.max_burst_len = s->params.max_burst_len;
    conn->tcp.in.exact = false;
    conn->exp_stat_sn = s->params.exp_stat_sn;
    s->window.queued_cmd_sn = s->window.cmd_sn;
    /* A new age makes answers to tags of the earlier life recognisable. */
    if (conn->stop_flag == ISKRA_CONN_STOP_RECOVER && !ISKRA_PLANTED(AGE_KEPT))
        s->age = (s->age + 1) & ISKRA_ITT_AGE_MASK;
    conn->stop_flag = ISKRA_CONN_STOP_NONE;
    conn->stage = ISKRA_CONN_STAGE_STARTED;
    iskra_keepalive_start(conn);
    iskra_session_set_state(s, ISKRA_SESSION_LOGGED_IN);
    return 0;
}

/* Every task of the connection, in the order of their tags; the mid-layer keeps the order of first
 * dispatch. */
static void fail_all_tasks(struct iskra_conn *conn)
{
    struct iskra_session *s = conn->session;
    for (uint32_t i = 0; i < s->cmd_cnt; i++) {
        struct iskra_task *task = iskra_session_task(s, i);
        if (task->conn != conn || task->state == ISKRA_TASK_FREE)
            continue;
        if (task->late_answer_due)
            iskra_task_answered_late(task);
        else if (task->cmd != NULL)
            iskra_fail_scsi_task(task, ISKRA_DID_TRANSPORT_DISRUPTED);
        else
            iskra_complete_task(task, ISKRA_TASK_COMPLETED);
    }
}

static void stop_traffic(struct iskra_conn *conn)
{
    conn->tx_suspended = true;
    conn->tx_full = false;
    iskra_work_cancel(&conn->xmitwork);
    iskra_work_cancel(&conn->resume_work);
    iskra_keepalive_stop(conn);
    if (conn->sock != NULL)
        conn->sock->ops->unbind_conn(conn->sock);
    conn->sock = NULL;
    iskra_tcp_conn_reset(&conn->tcp);
    conn->rx_hold = 0;
    conn->nop_head = conn->nop_cnt = 0;
}

bool iskra_stop_conn(struct iskra_conn *conn, enum iskra_conn_stop flag,
                     const struct iskra_error *why)
{
    struct iskra_session *s = conn->session;
    if (conn->stop_flag == ISKRA_CONN_STOP_TERM)
        return false;
    stop_traffic(conn);
    if (!conn->failed && why != NULL && why->code != ISKRA_OK)
        s->error = *why;
    else if (!conn->failed)
        (void)iskra_session_fail(s, ISKRA_E_CONNECTION, ECONNABORTED, "the connection was stopped");
    enum iskra_session_state state =
        flag == ISKRA_CONN_STOP_TERM ? ISKRA_SESSION_TERMINATE : ISKRA_SESSION_IN_RECOVERY;
    bool newly = iskra_session_may_become(s->state, state);
    if (newly)
        iskra_session_set_state(s, state);
    conn->stop_flag = flag;
    conn->stage = ISKRA_CONN_STAGE_STOPPED;
    iskra_tmf_drop(s);
    fail_all_tasks(conn);
    return newly && flag == ISKRA_CONN_STOP_RECOVER;
}
