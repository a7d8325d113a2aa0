/* Answers to the target's pings (RFC 7143 11.19): a NOP-In with a target transfer tag is echoed as
 * an immediate NOP-Out.
 *
 * A target that pings faster than its socket takes the answers would make them pile up: at
 * ISKRA_NOP_REPLIES_MAX reading stops until they are on their way, and TCP tells the target to wait
 * (decision 39). */
#include <string.h>

#include "iscsi/conn.h"
#include "iscsi/session.h"

void iskra_nop_reply_queue(struct iskra_conn *conn, uint64_t lun, uint32_t ttt)
{
    /* Receive is held when the last place is taken, so there is one. */
    struct iskra_nop_reply *reply =
        &conn->nop_replies[(conn->nop_head + conn->nop_cnt) % ISKRA_NOP_REPLIES_MAX];
    *reply = (struct iskra_nop_reply){.lun = lun, .ttt = ttt};
    if (++conn->nop_cnt == ISKRA_NOP_REPLIES_MAX)
        iskra_conn_hold_rx(conn, ISKRA_RX_HOLD_NOP);
    iskra_conn_kick_xmit(conn);
}

static void echo_encode(const struct iskra_conn *conn, const struct iskra_nop_reply *reply,
                        uint8_t *hdr)
{
    struct iskra_pdu_nop_out pdu = {
        .immediate = true,
        .lun = reply->lun,
        .itt = ISKRA_RESERVED_TAG,
        .ttt = reply->ttt,
        .cmd_sn = conn->session->window.cmd_sn,
        .exp_stat_sn = conn->exp_stat_sn,
    };
    iskra_nop_out_encode(&pdu, hdr);
}

bool iskra_nop_reply_send(struct iskra_conn *conn)
{
    if (conn->nop_cnt == 0)
        return false;
    /* RFC 7143 11.14: after a Logout Request nothing more is sent, not even this. */
    if (conn->session->state != ISKRA_SESSION_LOGGING_OUT) {
        uint8_t hdr[ISKRA_BHS_LEN + ISKRA_DIGEST_LEN];
        echo_encode(conn, &conn->nop_replies[conn->nop_head], hdr);
        if (iskra_tcp_xmit_task(&conn->tcp, NULL, hdr, ISKRA_BHS_LEN, NULL, 0) != 0)
            return false;
        conn->tx_pdus++;
    }
    conn->nop_head = (conn->nop_head + 1) % ISKRA_NOP_REPLIES_MAX;
    if (--conn->nop_cnt == 0)
        iskra_conn_release_rx(conn, ISKRA_RX_HOLD_NOP);
    return true;
}
