/* The connection object, and what the engine asks of it (struct iskra_tcp_ops). */
#include "iscsi/conn.h"

#include <errno.h>
#include <string.h>

#include "error.h"
#include "iscsi/session.h"

#define TX_PDU_MIN 64u /* a large write is many, and one command */

const char *iskra_conn_stage_name(enum iskra_conn_stage stage)
{
    static const char *const names[ISKRA_CONN_STAGE_CNT] = {
        "INITIAL",
        "BOUND",
        "STARTED",
        "STOPPED",
    };
    return (unsigned)stage < ISKRA_CONN_STAGE_CNT ? names[stage] : "?";
}

static void resume_run(struct iskra_work *work);

static void conn_free(struct iskra_conn *conn)
{
    const struct iskra_platform *pf = conn->session->round->pf;
    iskra_tcp_conn_done(&conn->tcp);
    iskra_keepalive_done(conn);
    iskra_spare_give(&conn->session->round->pdu_data, pf, conn->login_data);
    pf->free(pf->arg, conn);
}

int iskra_conn_create(struct iskra_session *s, uint32_t cid, struct iskra_conn **ret_conn)
{
    const struct iskra_platform *pf = s->round->pf;
    struct iskra_conn *conn = pf->alloc(pf->arg, sizeof(*conn));
    if (conn == NULL)
        return -ENOMEM;
    conn->session = s;
    conn->cid = cid;
    conn->tx_suspended = true; /* until it is bound */
    iskra_list_init(&conn->mgmtqueue);
    iskra_list_init(&conn->cmdqueue);
    iskra_list_init(&conn->unfinished);
    iskra_list_init(&conn->requeue);
    iskra_work_init(&conn->xmitwork, iskra_xmitworker);
    iskra_work_init(&conn->resume_work, resume_run);
    int rc = iskra_keepalive_init(conn);
    if (rc == 0)
        rc = iskra_tcp_conn_init(&conn->tcp, &iskra_conn_tcp_ops, pf, &s->round->trace,
                                 (uint16_t)s->sid,
                                 s->cmd_cnt < TX_PDU_MIN ? TX_PDU_MIN : s->cmd_cnt);
    conn->tcp.spare = &s->round->pdu_data;
    if (rc == 0 && iskra_list_empty(&s->pool))
        rc = -EBUSY;
    if (rc != 0) {
        conn_free(conn);
        return rc;
    }
    conn->login_task = iskra_container_of(iskra_list_pop_front(&s->pool), struct iskra_task, link);
    iskra_list_push_back(&s->conns, &conn->link);
    *ret_conn = conn;
    return 0;
}

void iskra_conn_destroy(struct iskra_conn *conn)
{
    if (conn == NULL)
        return;
    struct iskra_session *s = conn->session;
    (void)iskra_stop_conn(conn, ISKRA_CONN_STOP_TERM, NULL); /* TERM never blocks devices */
    if (s->leadconn == conn)
        s->leadconn = NULL;
    iskra_list_remove(&conn->link);
    iskra_list_push_back(&s->pool, &conn->login_task->link);
    conn_free(conn);
}

bool iskra_conn_lends(const struct iskra_conn *conn)
{
    return conn->ping_cnt + conn->late_answer_cnt < ISKRA_MGMT_LENDABLE_MAX;
}

struct iskra_conn *iskra_conn_find(const struct iskra_session *s, uint32_t cid)
{
    ISKRA_LIST_FOREACH(l, &s->conns)
    {
        struct iskra_conn *conn = iskra_container_of(l, struct iskra_conn, link);
        if (conn->cid == cid)
            return conn;
    }
    return NULL;
}

/* The login phase reads no byte beyond the current segment, so that what follows the final Login
 * Response is parsed with the digests that START_CONN puts into force (decision 13). */
int iskra_bind_conn(struct iskra_conn *conn, struct iskra_transport *transport, int fd,
                    bool is_leading, struct iskra_error *err)
{
    struct iskra_session *s = conn->session;
    if (conn->stage == ISKRA_CONN_STAGE_BOUND || conn->stage == ISKRA_CONN_STAGE_STARTED)
        return iskra_fail(err, ISKRA_E_USAGE, EBUSY, "connection %u is bound already (%s)",
                          conn->cid, iskra_conn_stage_name(conn->stage));
    if (s->state == ISKRA_SESSION_TERMINATE)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "session %u is terminated", s->sid);
    memset(&conn->tcp.error, 0, sizeof(conn->tcp.error));
    conn->tcp.in.exact = true;
    conn->tcp.in.max_recv_data_len = ISKRA_CONN_BUF_LEN;
    int rc =
        transport->ops->bind_conn(transport, &conn->tcp.port, fd, is_leading, &conn->sock, err);
    if (rc != 0)
        return rc;
    if (is_leading) {
        s->leadconn = conn;
        /* The session that this login makes has its own idea of the window; the old one's may be
         * wider. */
        iskra_window_init(&s->window, s->window.cmd_sn);
    }
    conn->stage = ISKRA_CONN_STAGE_BOUND;
    conn->tx_suspended = conn->tx_full = conn->failed = false;
    return 0;
}

void iskra_conn_hold_rx(struct iskra_conn *conn, enum iskra_rx_hold why)
{
    if (conn->rx_hold == 0)
        iskra_tcp_recv_suspend(&conn->tcp);
    conn->rx_hold |= why;
}

void iskra_conn_release_rx(struct iskra_conn *conn, enum iskra_rx_hold why)
{
    if ((conn->rx_hold & why) == 0)
        return;
    conn->rx_hold &= ~(unsigned)why;
    if (conn->rx_hold == 0)
        iskra_work_schedule(&conn->session->round->work, &conn->resume_work);
}

/* Bytes that were in already come first; they may suspend receive again, or be the end of the
 * connection. */
static void resume_run(struct iskra_work *work)
{
    struct iskra_conn *conn = iskra_container_of(work, struct iskra_conn, resume_work);
    if (conn->rx_hold != 0 || conn->failed || conn->sock == NULL)
        return;
    if (iskra_tcp_recv_resume(&conn->tcp) == 0)
        conn->sock->ops->resume(conn->sock);
}

/* The engine asks once per header: the place to count PDUs, Data-In without status included. */
static enum iskra_conn_error verify_itt(struct iskra_tcp_conn *tcp, uint32_t itt)
{
    struct iskra_conn *conn = iskra_conn_of(tcp);
    conn->rx_pdus++;
    return iskra_verify_itt(conn, itt);
}

static struct iskra_tcp_task *itt_to_ctask(struct iskra_tcp_conn *tcp, uint32_t itt)
{
    struct iskra_conn *conn = iskra_conn_of(tcp);
    struct iskra_task *task = iskra_itt_to_ctask(conn, itt);
    if (task == NULL) /* the target may not know yet that its command is over */
        task = iskra_itt_to_late_task(conn, itt);
    return task == NULL ? NULL : &task->tcp;
}

static void update_cmd_window(struct iskra_tcp_conn *tcp, uint32_t exp_cmd_sn, uint32_t max_cmd_sn)
{
    iskra_window_update(&iskra_conn_of(tcp)->session->window, exp_cmd_sn, max_cmd_sn);
}

/* A task that is on a list already comes to this R2T in its turn; one that is being aborted, if the
 * target refuses to. */
static void r2t_queued(struct iskra_tcp_conn *tcp, struct iskra_tcp_task *tcp_task)
{
    struct iskra_conn *conn = iskra_conn_of(tcp);
    struct iskra_task *task = iskra_task_of(tcp_task);
    iskra_waits_r2t_came(&conn->session->waits, &task->r2t_since_ns, conn->session->round->now_ns);
    if (task->aborting || tcp_task->detached)
        return;
    if (iskra_list_empty(&task->link))
        iskra_list_push_back(&conn->requeue, &task->link);
    iskra_conn_kick_xmit(conn);
}

static bool logged_in(struct iskra_tcp_conn *tcp)
{
    return iskra_conn_of(tcp)->session->state == ISKRA_SESSION_LOGGED_IN;
}

static void task_get(struct iskra_tcp_conn *tcp, struct iskra_tcp_task *task)
{
    (void)tcp;
    iskra_task_get(iskra_task_of(task));
}

static void task_put(struct iskra_tcp_conn *tcp, struct iskra_tcp_task *task)
{
    (void)tcp;
    iskra_task_put(iskra_task_of(task));
}

static void received(struct iskra_tcp_conn *tcp)
{
    iskra_keepalive_received(iskra_conn_of(tcp));
}

static void conn_failure(struct iskra_tcp_conn *tcp, enum iskra_conn_error error)
{
    iskra_conn_failure(iskra_conn_of(tcp), error);
}

/* While LOGGING_OUT too: the kernel leaves that to the logout timer, but an answer that cannot come
 * any more need not be waited for. One that came before is delivered first, and its STOP_CONN drops
 * this event. */
static void closed(struct iskra_tcp_conn *tcp, int err)
{
    struct iskra_conn *conn = iskra_conn_of(tcp);
    if (conn->failed)
        return;
    (void)(err == 0
               ? iskra_tcp_fail(tcp, ISKRA_CONN_TCP_CONN_CLOSE, "the target closed the connection")
               : iskra_tcp_fail(tcp, ISKRA_CONN_TCP_CONN_CLOSE, "the connection broke: %s",
                                strerror(err))); /* its value is passed on just below */
    iskra_conn_failure(conn, ISKRA_CONN_TCP_CONN_CLOSE);
}

static void write_space(struct iskra_tcp_conn *tcp)
{
    struct iskra_conn *conn = iskra_conn_of(tcp);
    conn->tx_full = false;
    iskra_conn_kick_xmit(conn);
}

const struct iskra_tcp_ops iskra_conn_tcp_ops = {
    .verify_itt = verify_itt,
    .itt_to_ctask = itt_to_ctask,
    .update_cmd_window = update_cmd_window,
    .complete_pdu = iskra_complete_pdu,
    .r2t_queued = r2t_queued,
    .logged_in = logged_in,
    .task_get = task_get,
    .task_put = task_put,
    .conn_failure = conn_failure,
    .received = received,
    .closed = closed,
    .write_space = write_space,
};
