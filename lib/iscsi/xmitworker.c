/* The transmit worker: the one ordered sender of a connection (spec 3.7 "Worker"). It runs at the
 * end of a round, so that all that the round produced goes out in one batch: PDUs are built into
 * the ring, then the transport is called once.
 *
 * Order: answers to the target's pings, management PDUs, commands; what stands before is looked at
 * again after each. (The Data-Out that R2Ts ask for belongs behind the commands.) */
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

static void cmd_send(struct iskra_conn *conn, struct iskra_task *task)
{
    if (conn->session->state == ISKRA_SESSION_LOGGING_OUT) {
        iskra_fail_scsi_task(task, ISKRA_DID_IMM_RETRY);
        return;
    }
    uint32_t hdr_len;
    if (iskra_prep_scsi_cmd_pdu(task, &hdr_len) != 0) {
        iskra_fail_scsi_task(task, ISKRA_DID_ABORT);
        return;
    }
    (void)iskra_tcp_xmit_task(&conn->tcp, &task->tcp, task->hdr, hdr_len, NULL, 0); /* as above */
    conn->tx_pdus++;
}

/* Builds PDUs while the ring has room. True when something was left for lack of it. */
static bool fill(struct iskra_conn *conn)
{
    struct iskra_task *task;
    while (iskra_tcp_xmit_room(&conn->tcp) > 0) {
        if (iskra_nop_reply_send(conn))
            continue;
        if ((task = next_on(&conn->mgmtqueue)) != NULL)
            mgmt_send(conn, task);
        else if ((task = next_on(&conn->cmdqueue)) != NULL)
            cmd_send(conn, task);
        else
            return false;
    }
    return conn->nop_cnt > 0 || !iskra_list_empty(&conn->mgmtqueue) ||
           !iskra_list_empty(&conn->cmdqueue);
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
