/* The transmit worker: the one ordered sender of a connection (spec 3.7 "Worker"). It runs at the
 * end of a round, so that all that the round produced goes out in one batch: PDUs are built into
 * the ring, then the transport is called once.
 *
 * Order: the unsolicited data of the command that was sent last, answers to the target's pings,
 * management PDUs, commands, Data-Out that R2Ts asked for; what stands before is looked at again
 * after each PDU. A PDU whose data finds no room now stops those behind it too. */
#include <errno.h>
#include <string.h>

#include "iscsi/conn.h"
#include "iscsi/session.h"

static struct iskra_task *next_on(struct iskra_list *queue)
{
    struct iskra_list *l = iskra_list_pop_front(queue);
    return l == NULL ? NULL : iskra_container_of(l, struct iskra_task, link);
}

/* A PDU that expects no answer (reserved tag) is over once it is in the ring, which holds its own
 * reference. */
static void mgmt_send(struct iskra_conn *conn, struct iskra_task *task)
{
    if (iskra_prep_mgmt_pdu(task) != 0) {
        iskra_complete_task(task, ISKRA_TASK_COMPLETED);
        return;
    }
    (void)iskra_tcp_xmit_task(&conn->tcp, &task->tcp, task->hdr, ISKRA_BHS_LEN, task->data,
                              task->data_len); /* fill() saw room */
    conn->tx_pdus++;
    if (iskra_bhs_itt(task->hdr) == ISKRA_RESERVED_TAG)
        iskra_complete_task(task, ISKRA_TASK_COMPLETED);
}

enum step {
    STEP_NONE, /* there is nothing of this kind to send */
    STEP_SENT,
    STEP_FULL, /* there is, and no room for it */
};

static struct iskra_task *first_on(const struct iskra_list *queue)
{
    return iskra_list_empty(queue) ? NULL
                                   : iskra_container_of(queue->next, struct iskra_task, link);
}

typedef bool held_fn(const struct iskra_session *s, const struct iskra_task *task);

/* The first that a task management request does not hold back; others pass it (spec 3.7). */
static struct iskra_task *first_free_on(const struct iskra_list *queue,
                                        const struct iskra_conn *conn, held_fn *held)
{
    if (!conn->session->tmfs.due)
        return first_on(queue);
    ISKRA_LIST_FOREACH(l, queue)
    {
        struct iskra_task *task = iskra_container_of(l, struct iskra_task, link);
        if (!held(conn->session, task))
            return task;
    }
    return NULL;
}

/* The write has sent what it may: the rest has to be asked for. */
static void wait_for_r2t(struct iskra_task *task)
{
    if (task->tcp.sent_len < task->tcp.transfer_len)
        task->r2t_since_ns = task->session->round->now_ns;
}

/* RFC 7143 4.2.5.2: unsolicited data is sent in the order of the commands, so it follows its own
 * before the next. */
static enum step cmd_step(struct iskra_conn *conn)
{
    struct iskra_task *task = first_on(&conn->cmdqueue);
    if (task != NULL && conn->session->state == ISKRA_SESSION_LOGGING_OUT) {
        iskra_fail_scsi_task(task, ISKRA_DID_IMM_RETRY);
        return STEP_SENT;
    }
    task = first_free_on(&conn->cmdqueue, conn, iskra_tmf_holds_cmd);
    if (task == NULL)
        return STEP_NONE;
    if (!iskra_tcp_xmit_takes(&conn->tcp, iskra_cmd_immediate_len(task)) ||
        (task->cmd->cdb_len > ISKRA_CDB_BHS_LEN && !iskra_tcp_xmit_takes_long_hdr(&conn->tcp)))
        return STEP_FULL;
    iskra_list_remove(&task->link);
    uint32_t hdr_len;
    uint8_t *hdr = iskra_prep_scsi_cmd_pdu(task, &hdr_len);
    if (task->tcp.dir == ISKRA_DIR_WRITE)
        iskra_tcp_xmit_write(&conn->tcp, &task->tcp, hdr, hdr_len, 0);
    else /* there is room: xmit_takes() said so */
        (void)iskra_tcp_xmit_task(&conn->tcp, &task->tcp, hdr, hdr_len, NULL, 0);
    if (iskra_tcp_data_out_due(&task->tcp) != NULL)
        iskra_list_push_back(&conn->unfinished, &task->link);
    else if (task->tcp.dir == ISKRA_DIR_WRITE)
        wait_for_r2t(task);
    conn->tx_pdus++;
    return STEP_SENT;
}

/* One Data-Out of the task. Commands that wait for answers to their R2Ts take turns,
 * PDU by PDU: a small write does not wait for a large one. RFC 7143 11.14: after a Logout Request
 * nothing more is sent. */
static enum step data_out_step(struct iskra_conn *conn, struct iskra_task *task)
{
    if (task == NULL || conn->session->state == ISKRA_SESSION_LOGGING_OUT)
        return STEP_NONE;
    struct iskra_r2t *r2t = iskra_tcp_data_out_due(&task->tcp);
    if (!iskra_tcp_xmit_takes(&conn->tcp, iskra_data_out_len(task, r2t)))
        return STEP_FULL;
    uint8_t *hdr = iskra_tcp_xmit_hdr(&conn->tcp);
    uint32_t len = iskra_prep_data_out_pdu(task, r2t, hdr);
    iskra_tcp_xmit_write(&conn->tcp, &task->tcp, hdr, ISKRA_BHS_LEN, r2t->offset + r2t->sent_len);
    iskra_tcp_data_out_sent(&task->tcp, len);
    conn->tx_pdus++;
    const struct iskra_r2t *next = iskra_tcp_data_out_due(&task->tcp);
    if (next == &task->tcp.unsolicited) /* it stays where it is */
        return STEP_SENT;
    iskra_list_remove(&task->link);
    if (next == NULL)
        wait_for_r2t(task);
    else if (!task->aborting)
        iskra_list_push_back(&conn->requeue, &task->link);
    return STEP_SENT;
}

static enum step mgmt_step(struct iskra_conn *conn)
{
    if (iskra_list_empty(&conn->mgmtqueue) && conn->nop_cnt == 0)
        return STEP_NONE;
    if (iskra_tcp_xmit_room(&conn->tcp) == 0)
        return STEP_FULL;
    if (!iskra_nop_reply_send(conn))
        mgmt_send(conn, next_on(&conn->mgmtqueue));
    return STEP_SENT;
}

/* The first that there is, in the order above. */
static enum step next_step(struct iskra_conn *conn)
{
    enum step step = data_out_step(conn, first_on(&conn->unfinished));
    if (step == STEP_NONE)
        step = mgmt_step(conn);
    if (step == STEP_NONE)
        step = cmd_step(conn);
    if (step == STEP_NONE)
        step = data_out_step(conn, first_free_on(&conn->requeue, conn, iskra_tmf_holds_data_out));
    return step;
}

/* Builds PDUs while there is room. True when something was left for lack of it. */
static bool fill(struct iskra_conn *conn)
{
    enum step step;
    do
        step = next_step(conn);
    while (step == STEP_SENT);
    return step == STEP_FULL;
}

static void xmit_failed(struct iskra_conn *conn, int rc)
{
    (void)iskra_tcp_fail(&conn->tcp, ISKRA_CONN_XMIT_FAILED, "sending failed: %s",
                         strerror(-rc)); /* its value is passed on just below */
    iskra_conn_failure(conn, ISKRA_CONN_XMIT_FAILED);
}

void iskra_xmitworker(struct iskra_work *work)
{
    struct iskra_conn *conn = iskra_container_of(work, struct iskra_conn, xmitwork);
    ISKRA_STEP(&conn->session->round->trace, XMITWORKER, 0);
    bool more = true;
    while (more && !conn->tx_suspended && !conn->tx_full) {
        more = fill(conn);
        if (!iskra_tcp_xmit_pending(&conn->tcp))
            return;
        conn->tx_full = true; /* before the call: write_space may come from inside it */
        int rc = conn->sock->ops->xmit(conn->sock);
        if (rc == -EAGAIN)
            return;
        conn->tx_full = false;
        if (rc != 0) {
            xmit_failed(conn, rc);
            return;
        }
    }
}

void iskra_conn_kick_xmit(struct iskra_conn *conn)
{
    if (!conn->tx_suspended)
        iskra_work_schedule(&conn->session->round->xmit, &conn->xmitwork);
}
