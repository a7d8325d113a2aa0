/* SEND_PDU: a PDU of the control plane becomes a task on the mgmtqueue (spec 3.14). */
#include <errno.h>
#include <string.h>

#include "error.h"
#include "iscsi/conn.h"
#include "iscsi/session.h"

static bool is_login_or_text(uint8_t opcode)
{
    return opcode == ISKRA_OP_LOGIN || opcode == ISKRA_OP_TEXT;
}

static int login_pdu_refused(const struct iskra_conn *conn, uint8_t opcode, size_t data_len,
                             struct iskra_error *err)
{
    if (conn->login_task->state != ISKRA_TASK_FREE)
        return iskra_fail(err, ISKRA_E_USAGE, EPERM, "%s refused: one is still outstanding",
                          iskra_opcode_name(opcode));
    if (data_len > ISKRA_CONN_BUF_LEN)
        return iskra_fail(err, ISKRA_E_USAGE, EPERM, "%s refused: %zu bytes of data, limit %u",
                          iskra_opcode_name(opcode), data_len, ISKRA_CONN_BUF_LEN);
    return 0;
}

static int other_pdu_refused(const struct iskra_conn *conn, uint8_t opcode, size_t data_len,
                             struct iskra_error *err)
{
    const struct iskra_session *s = conn->session;
    if (opcode != ISKRA_OP_NOP_OUT && opcode != ISKRA_OP_LOGOUT && opcode != ISKRA_OP_TMF)
        return iskra_fail(err, ISKRA_E_USAGE, EPERM, "PDU refused: opcode 0x%02x is not for here",
                          opcode);
    if (s->state != ISKRA_SESSION_LOGGED_IN)
        return iskra_fail(err, ISKRA_E_USAGE, EPERM, "%s refused: the session is %s",
                          iskra_opcode_name(opcode), iskra_session_state_name(s->state));
    if (data_len > 0)
        return iskra_fail(err, ISKRA_E_USAGE, EPERM, "%s refused: it may not carry data",
                          iskra_opcode_name(opcode));
    if (iskra_list_empty(&s->pool))
        return iskra_fail(err, ISKRA_E_USAGE, EPERM, "%s refused: no task is free",
                          iskra_opcode_name(opcode));
    return 0;
}

static int send_pdu_refused(const struct iskra_conn *conn, const uint8_t *hdr, size_t data_len,
                            bool takes_cmd_sn, struct iskra_error *err)
{
    const struct iskra_session *s = conn->session;
    uint8_t opcode = iskra_bhs_opcode(hdr);
    if (conn->sock == NULL || conn->tx_suspended || s->state == ISKRA_SESSION_TERMINATE)
        return iskra_fail(err, ISKRA_E_USAGE, EPERM, "%s refused: connection %u is %s%s",
                          iskra_opcode_name(opcode), conn->cid, iskra_conn_stage_name(conn->stage),
                          conn->failed ? " and has failed" : "");
    if (takes_cmd_sn && iskra_window_closed(&s->window))
        return iskra_fail(err, ISKRA_E_USAGE, EPERM, "%s refused: the command window is closed",
                          iskra_opcode_name(opcode));
    return is_login_or_text(opcode) ? login_pdu_refused(conn, opcode, data_len, err)
                                    : other_pdu_refused(conn, opcode, data_len, err);
}

static struct iskra_task *task_for(struct iskra_conn *conn, uint8_t opcode)
{
    if (!is_login_or_text(opcode))
        return iskra_task_alloc(conn->session, conn);
    iskra_task_revive(conn->login_task, conn);
    return conn->login_task;
}

int iskra_conn_send_pdu(struct iskra_conn *conn, const uint8_t *hdr, const uint8_t *data,
                        size_t data_len, struct iskra_error *err)
{
    struct iskra_session *s = conn->session;
    uint8_t opcode = iskra_bhs_opcode(hdr);
    /* The login phase's PDUs are all immediate; a started connection numbers what is not. */
    bool takes_cmd_sn = conn->stage == ISKRA_CONN_STAGE_STARTED && !iskra_bhs_immediate(hdr) &&
                        iskra_bhs_itt(hdr) != ISKRA_RESERVED_TAG;
    int rc = send_pdu_refused(conn, hdr, data_len, takes_cmd_sn, err);
    if (rc != 0)
        return rc;
    if (data_len > 0) { /* Login or Text: the one that is out has given its back */
        conn->login_data = iskra_spare_take(&s->round->pdu_data, s->round->pf, ISKRA_CONN_BUF_LEN);
        if (conn->login_data == NULL)
            return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for %zu bytes of text",
                              data_len);
    }
    struct iskra_task *task = task_for(conn, opcode);
    task->opcode = opcode;
    memcpy(task->hdr, hdr, ISKRA_BHS_LEN);
    task->hdr[4] = 0; /* no AHS */
    iskra_put_be24(task->hdr + 5, (uint32_t)data_len);
    if (iskra_bhs_itt(hdr) != ISKRA_RESERVED_TAG)
        iskra_put_be32(task->hdr + 16, task->tcp.itt);
    if (data_len > 0) {
        memcpy(conn->login_data, data, data_len);
        task->data = conn->login_data;
        task->data_len = (uint32_t)data_len;
    }
    task->takes_cmd_sn = takes_cmd_sn;
    if (takes_cmd_sn)
        s->window.queued_cmd_sn++;
    iskra_list_push_back(&conn->mgmtqueue, &task->link);
    iskra_conn_kick_xmit(conn);
    return 0;
}
