/* The watch over a connection; see keepalive.h. */
#include "iscsi/keepalive.h"

#include "iscsi/conn.h"
#include "iscsi/session.h"

#define NS_PER_S           UINT64_C(1000000000)
#define TIMEOUT_DEFAULT_NS (5 * NS_PER_S)
#define AGAIN_NS           NS_PER_S

bool iskra_keepalive_on(const struct iskra_conn *conn)
{
    return conn->keepalive.recv_timeout_ns != 0;
}

bool iskra_keepalive_out(const struct iskra_conn *conn)
{
    const struct iskra_task *task = conn->keepalive.task;
    return task != NULL && !iskra_task_terminal(task);
}

bool iskra_keepalive_overdue(const struct iskra_conn *conn)
{
    const struct iskra_keepalive *k = &conn->keepalive;
    return iskra_keepalive_out(conn) && conn->session->round->now_ns >= k->last_recv_ns +
                                                                            k->recv_timeout_ns +
                                                                            k->ping_timeout_ns;
}

/* RFC 7143 11.18: immediate, an own tag, no target transfer tag, no data; numbers come later
 * (prep.c). */
static void task_fill(struct iskra_task *task)
{
    struct iskra_pdu_nop_out pdu = {
        .immediate = true, .itt = task->tcp.itt, .ttt = ISKRA_RESERVED_TAG};
    iskra_nop_out_encode(&pdu, task->hdr);
    task->opcode = ISKRA_OP_NOP_OUT;
}

bool iskra_keepalive_ping(struct iskra_conn *conn)
{
    struct iskra_keepalive *k = &conn->keepalive;
    if (k->task != NULL || conn->tx_suspended)
        return false;
    struct iskra_task *task = iskra_task_alloc(conn->session, conn);
    if (task == NULL)
        return false;
    task_fill(task);
    k->task = task;
    k->last_ping_ns = conn->session->round->now_ns;
    iskra_list_push_back(&conn->mgmtqueue, &task->link);
    iskra_conn_kick_xmit(conn);
    return true;
}

static void overdue(struct iskra_conn *conn)
{
    const struct iskra_keepalive *k = &conn->keepalive;
    uint64_t silence_ns = conn->session->round->now_ns - k->last_recv_ns;
    (void)iskra_tcp_fail(
        &conn->tcp, ISKRA_CONN_NOP_TIMEDOUT, "nothing was received for %.1f s: %s within %g s",
        (double)silence_ns / (double)NS_PER_S,
        k->task->state == ISKRA_TASK_PENDING ? "a ping could not be sent" : "no answer to a ping",
        (double)k->ping_timeout_ns / (double)NS_PER_S); /* passed on just below */
    iskra_conn_failure(conn, ISKRA_CONN_NOP_TIMEDOUT);
}

/* The rows of spec 3.9, the first that applies. */
static void expired(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_conn *conn = iskra_container_of(timer, struct iskra_conn, keepalive.timer);
    struct iskra_keepalive *k = &conn->keepalive;
    if (conn->session->state != ISKRA_SESSION_LOGGED_IN || !iskra_keepalive_on(conn))
        return;
    if (iskra_keepalive_overdue(conn))
        overdue(conn);
    else if (now_ns < k->last_recv_ns + k->recv_timeout_ns)
        iskra_timer_arm(timer, k->last_recv_ns + k->recv_timeout_ns);
    else if (iskra_keepalive_ping(conn))
        iskra_timer_arm(timer, k->last_ping_ns + k->ping_timeout_ns);
    else
        iskra_timer_arm(timer, now_ns + AGAIN_NS);
}

int iskra_keepalive_init(struct iskra_conn *conn)
{
    return iskra_timer_init(&conn->keepalive.timer, &conn->session->round->timers, expired);
}

void iskra_keepalive_done(struct iskra_conn *conn)
{
    iskra_timer_done(&conn->keepalive.timer);
}

void iskra_keepalive_start(struct iskra_conn *conn)
{
    const struct iskra_session_params *p = &conn->session->params;
    struct iskra_keepalive *k = &conn->keepalive;
    bool on = !p->discovery && (p->recv_timeout_ns != 0 || p->ping_timeout_ns != 0);
    k->recv_timeout_ns = k->ping_timeout_ns = 0;
    k->last_recv_ns = conn->session->round->now_ns;
    if (!on)
        return;
    k->recv_timeout_ns = p->recv_timeout_ns != 0 ? p->recv_timeout_ns : TIMEOUT_DEFAULT_NS;
    k->ping_timeout_ns = p->ping_timeout_ns != 0 ? p->ping_timeout_ns : TIMEOUT_DEFAULT_NS;
    iskra_timer_arm(&k->timer, k->last_recv_ns + k->recv_timeout_ns);
}

void iskra_keepalive_stop(struct iskra_conn *conn)
{
    iskra_timer_disarm(&conn->keepalive.timer);
}

void iskra_keepalive_received(struct iskra_conn *conn)
{
    conn->keepalive.last_recv_ns = conn->session->round->now_ns;
}

void iskra_keepalive_answered(struct iskra_conn *conn)
{
    struct iskra_keepalive *k = &conn->keepalive;
    if (iskra_timer_armed(&k->timer))
        iskra_timer_arm(&k->timer, k->last_recv_ns + k->recv_timeout_ns);
}

void iskra_keepalive_task_gone(struct iskra_conn *conn, const struct iskra_task *task)
{
    if (conn->keepalive.task == task)
        conn->keepalive.task = NULL;
}
