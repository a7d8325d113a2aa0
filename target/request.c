/* The full feature phase: which request goes where, command numbering, and the small ones: NOP-Out,
 * Logout, Reject. */
#include "target/conn.h"

#include <errno.h>
#include <string.h>

#include "wire/serial.h"

/* RFC 7143 4.2.2.1. On the only connection of a session commands cannot overtake one another, so a
 * gap inside the window would never be filled. */
bool target_request_number(struct iskra_target_conn *conn, const uint8_t *bhs)
{
    if (iskra_bhs_immediate(bhs))
        return true;
    uint32_t cmd_sn = iskra_get_be32(bhs + 24);
    if (iskra_serial_lt(cmd_sn, conn->exp_cmd_sn) ||
        iskra_serial_gt(cmd_sn, target_max_cmd_sn(conn)))
        return false; /* MUST be ignored silently */
    if (cmd_sn != conn->exp_cmd_sn) {
        (void)iskra_fail(&conn->err, ISKRA_E_PROTOCOL, EPROTO, "CmdSN %u, expected %u", cmd_sn,
                         conn->exp_cmd_sn);
        target_conn_drop(conn);
        return false;
    }
    conn->exp_cmd_sn++;
    return true;
}

enum pdu_verdict target_reject(struct iskra_target_conn *conn, const struct target_pdu *pdu,
                               enum reject_reason reason)
{
    struct out_pdu *out = target_out_begin(&conn->out, ISKRA_BHS_LEN);
    if (!out)
        return PDU_BLOCKED;
    memcpy(out->room, pdu->bhs, ISKRA_BHS_LEN);
    struct iskra_pdu_reject rej = {.reason = (uint8_t)reason,
                                   .itt = ISKRA_RESERVED_TAG,
                                   .stat_sn = conn->stat_sn++,
                                   .exp_cmd_sn = conn->exp_cmd_sn,
                                   .max_cmd_sn = target_max_cmd_sn(conn)};
    iskra_reject_encode(&rej, out->bhs);
    target_conn_send(conn, out, NULL);
    return PDU_TAKEN;
}

static enum pdu_verdict nop_out(struct iskra_target_conn *conn, const struct target_pdu *pdu)
{
    struct iskra_pdu_nop_out req;
    iskra_nop_out_decode(pdu->bhs, &req);
    if (req.itt == ISKRA_RESERVED_TAG) { /* 11.18: wants no answer */
        (void)target_request_number(conn, pdu->bhs);
        return PDU_TAKEN;
    }
    uint32_t recv_max = conn->keys.value[KEY_MAX_RECV];
    uint32_t echo_len = pdu->payload_len < recv_max ? pdu->payload_len : recv_max;
    struct out_pdu *out = target_out_begin(&conn->out, echo_len);
    if (!out)
        return PDU_BLOCKED;
    if (!target_request_number(conn, pdu->bhs))
        return PDU_TAKEN;
    if (echo_len > 0)
        memcpy(out->room, pdu->payload, echo_len);
    struct iskra_pdu_nop_in rsp = {.lun = req.lun,
                                   .itt = req.itt,
                                   .ttt = ISKRA_RESERVED_TAG,
                                   .stat_sn = conn->stat_sn++,
                                   .exp_cmd_sn = conn->exp_cmd_sn,
                                   .max_cmd_sn = target_max_cmd_sn(conn)};
    iskra_nop_in_encode(&rsp, out->bhs);
    target_conn_send(conn, out, NULL);
    return PDU_TAKEN;
}

enum {
    LOGOUT_OK = 0,
    LOGOUT_NO_CID = 1,
    LOGOUT_NO_RECOVERY = 2
};

/* 11.14.1, 11.15.1 */
static uint8_t logout_judge(const struct iskra_target_conn *conn,
                            const struct iskra_pdu_logout *req)
{
    if (req->reason == 0)
        return LOGOUT_OK;
    if (req->reason == 1)
        return req->cid == conn->cid ? LOGOUT_OK : LOGOUT_NO_CID;
    return LOGOUT_NO_RECOVERY;
}

static enum pdu_verdict logout(struct iskra_target_conn *conn, const struct target_pdu *pdu)
{
    struct iskra_pdu_logout req;
    iskra_logout_decode(pdu->bhs, &req);
    struct out_pdu *out = target_out_begin(&conn->out, 0);
    if (!out)
        return PDU_BLOCKED;
    if (!target_request_number(conn, pdu->bhs))
        return PDU_TAKEN;
    uint8_t response = logout_judge(conn, &req);
    struct iskra_pdu_logout_rsp rsp = {.response = response,
                                       .itt = req.itt,
                                       .stat_sn = conn->stat_sn++,
                                       .exp_cmd_sn = conn->exp_cmd_sn,
                                       .max_cmd_sn = target_max_cmd_sn(conn),
                                       .time2wait = (uint16_t)conn->keys.value[KEY_TIME2WAIT]};
    iskra_logout_rsp_encode(&rsp, out->bhs);
    target_conn_send(conn, out, NULL);
    if (response == LOGOUT_OK)
        target_conn_enter(conn, CONN_CLOSING);
    return PDU_TAKEN;
}

/* The number of a request is good although its data are not: it is used up. */
static enum pdu_verdict reject_data(struct iskra_target_conn *conn, const struct target_pdu *pdu)
{
    if (target_reject(conn, pdu, REJECT_DATA_DIGEST) == PDU_BLOCKED)
        return PDU_BLOCKED;
    (void)target_request_number(conn, pdu->bhs);
    return PDU_TAKEN;
}

enum pdu_verdict target_request_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu)
{
    uint8_t opcode = iskra_bhs_opcode(pdu->bhs);
    bool discovery = conn->session->discovery;
    if (opcode == ISKRA_OP_SCSI_CMD && !discovery)
        return target_scsi_pdu(conn, pdu);
    if (opcode == ISKRA_OP_DATA_OUT)
        return target_data_out_pdu(conn, pdu);
    if (!pdu->digest_ok)
        return reject_data(conn, pdu);
    switch (opcode) {
    case ISKRA_OP_NOP_OUT:
        return nop_out(conn, pdu);
    case ISKRA_OP_TEXT:
        return target_text_pdu(conn, pdu);
    case ISKRA_OP_LOGOUT:
        return logout(conn, pdu);
    case ISKRA_OP_TMF:
        return discovery ? target_reject(conn, pdu, REJECT_NOT_SUPPORTED)
                         : target_tmf_pdu(conn, pdu);
    case ISKRA_OP_SNACK:
        return target_reject(conn, pdu, REJECT_SNACK);
    case ISKRA_OP_LOGIN:
        return target_reject(conn, pdu, REJECT_PROTOCOL);
    default:
        return target_reject(conn, pdu, REJECT_NOT_SUPPORTED);
    }
}
