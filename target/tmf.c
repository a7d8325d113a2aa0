/* Task management: RFC 7143 11.5, 11.6. A task here is either queued or gone, so every function is
 * done when it is answered. Data-Out that still comes for one that is gone finds nobody, and is
 * dropped. */
#include "target/conn.h"

#include <errno.h>
#include <string.h>

#define ASCQ_RESET 3u /* 29h/03h: BUS DEVICE RESET FUNCTION OCCURRED */
#define EVERY_LUN  NULL

static enum iskra_tmf_response abort_task(struct iskra_target_conn *conn, uint32_t itt)
{
    for (uint32_t i = 0; i < conn->task_mem_cnt; i++) {
        struct target_task *task = &conn->task_mem[i];
        if (task->phase == TASK_FREE || task->itt != itt)
            continue;
        target_task_release(conn, task);
        return ISKRA_TMF_RESPONSE_COMPLETE;
    }
    return ISKRA_TMF_RESPONSE_NO_TASK;
}

static void clear_tasks(struct iskra_target_conn *conn, const struct target_lun *lun)
{
    for (uint32_t i = 0; i < conn->task_mem_cnt; i++) {
        struct target_task *task = &conn->task_mem[i];
        if (task->phase != TASK_FREE && (lun == EVERY_LUN || task->lun == lun))
            target_task_release(conn, task);
    }
}

/* Of all initiators; `attention`: each session is told by a unit attention. */
static void clear_everywhere(struct iskra_target *target, const struct target_lun *lun,
                             bool attention)
{
    ISKRA_LIST_FOREACH(link, &target->sessions)
    {
        struct target_session *session = iskra_container_of(link, struct target_session, link);
        clear_tasks(session->conn, lun);
        for (uint32_t i = 0; attention && i < target->lun_cnt; i++)
            if (lun == EVERY_LUN || lun == &target->luns[i])
                session->attention[i] = ASCQ_RESET;
    }
    target->roused = true; /* windows may have opened: somebody may want to send */
}

/* 11.5.1: as after power on; the connection that asked gets its answer first. */
static void cold_reset(struct iskra_target_conn *conn)
{
    struct iskra_target *target = conn->target;
    clear_everywhere(target, EVERY_LUN, false);
    ISKRA_LIST_FOREACH(link, &target->conns)
    {
        struct iskra_target_conn *other = iskra_container_of(link, struct iskra_target_conn, link);
        if (other == conn)
            continue;
        (void)iskra_fail(&other->err, ISKRA_E_CONNECTION, ECONNRESET, "target cold reset");
        target_conn_drop(other);
    }
}

static enum iskra_tmf_response execute(struct iskra_target_conn *conn,
                                       const struct iskra_pdu_tmf *req)
{
    const struct target_lun *lun = target_lun_find(conn->target, req->lun);
    switch (req->function) {
    case ISKRA_TMF_ABORT_TASK:
        return abort_task(conn, req->ref_task_tag);
    case ISKRA_TMF_ABORT_TASK_SET:
        if (!lun)
            return ISKRA_TMF_RESPONSE_NO_LUN;
        clear_tasks(conn, lun);
        return ISKRA_TMF_RESPONSE_COMPLETE;
    case ISKRA_TMF_CLEAR_TASK_SET:
    case ISKRA_TMF_LUN_RESET:
        if (!lun)
            return ISKRA_TMF_RESPONSE_NO_LUN;
        clear_everywhere(conn->target, lun, req->function == ISKRA_TMF_LUN_RESET);
        return ISKRA_TMF_RESPONSE_COMPLETE;
    case ISKRA_TMF_TARGET_WARM_RESET:
        clear_everywhere(conn->target, EVERY_LUN, true);
        return ISKRA_TMF_RESPONSE_COMPLETE;
    case ISKRA_TMF_TARGET_COLD_RESET:
        cold_reset(conn);
        return ISKRA_TMF_RESPONSE_COMPLETE;
    case ISKRA_TMF_TASK_REASSIGN:
        return ISKRA_TMF_RESPONSE_NO_REASSIGNMENT;
    default:
        return ISKRA_TMF_RESPONSE_NOT_SUPPORTED;
    }
}

enum pdu_verdict target_tmf_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu)
{
    struct iskra_pdu_tmf req;
    iskra_tmf_decode(pdu->bhs, &req);
    struct out_pdu *out = target_out_begin(&conn->out, 0);
    if (!out)
        return PDU_BLOCKED;
    if (!target_request_number(conn, pdu->bhs))
        return PDU_TAKEN;
    struct iskra_pdu_tmf_rsp rsp = {.response = (uint8_t)execute(conn, &req),
                                    .itt = req.itt,
                                    .stat_sn = conn->stat_sn++,
                                    .exp_cmd_sn = conn->exp_cmd_sn,
                                    .max_cmd_sn = target_max_cmd_sn(conn)};
    iskra_tmf_rsp_encode(&rsp, out->bhs);
    target_conn_send(conn, out, NULL);
    if (req.function == ISKRA_TMF_TARGET_COLD_RESET)
        target_conn_enter(conn, CONN_CLOSING);
    return PDU_TAKEN;
}
