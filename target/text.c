/* Text requests in the full feature phase: SendTargets, and the few keys that may be spoken of
 * there. RFC 7143 11.10, 11.11 and Appendix C. Requests and answers may both be spread over several
 * PDUs (C bit); an answer's next piece is fetched by an empty request with the answer's Target
 * Transfer Tag. */
#include "target/conn.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void put_address(const struct iskra_target_conn *conn, struct iskra_text_out *out,
                        const char *portal)
{
    char value[160];
    (void)snprintf(value, sizeof(value), "%s,%u", portal,
                   conn->target->options.portal_group); /* cut short if absurdly long */
    iskra_text_put(out, "TargetAddress", value);
}

/* "All" is for discovery sessions; a name or nothing (this session's target) is for both. */
static void put_targets(const struct iskra_target_conn *conn, struct iskra_slice which,
                        struct iskra_text_out *out)
{
    const struct iskra_target *target = conn->target;
    bool all = iskra_slice_is(which, "All");
    if (which.len == 0 ? conn->session->discovery : all && !conn->session->discovery) {
        iskra_text_put(out, "SendTargets", "Reject");
        return;
    }
    if (which.len > 0 && !all && !iskra_slice_is(which, target->name))
        return; /* an empty list: no such target */
    iskra_text_put(out, "TargetName", target->name);
    put_address(conn, out, conn->address);
    for (unsigned i = 0; i < ISKRA_TARGET_PORTAL_MAX && target->portals[i]; i++)
        put_address(conn, out, target->portals[i]);
}

/* Answers the collected text into text_out; false when it is no text, or the answer has no room. */
static bool answer(struct iskra_target_conn *conn)
{
    struct iskra_text_out out = {.buf = conn->text_out, .size = TEXT_OUT_MAX};
    struct iskra_slice text = {conn->text_in, conn->text_in_len};
    conn->text_in_len = conn->text_out_len = conn->text_out_pos = 0;
    struct iskra_text_pair pair;
    int rc;
    while ((rc = iskra_text_next(&text, &pair)) > 0) {
        if (iskra_slice_is(pair.key, "SendTargets"))
            put_targets(conn, pair.value, &out);
        else if (target_keys_answer_pair(&conn->keys, ISKRA_STAGE_FULL_FEATURE, &pair, &out, NULL) <
                 0)
            return false;
    }
    conn->text_out_len = (uint32_t)out.len;
    return rc == 0 && !out.overflow;
}

static uint32_t ttt_new(struct iskra_target_conn *conn)
{
    conn->last_ttt++;
    if (conn->last_ttt == ISKRA_RESERVED_TAG)
        conn->last_ttt = 1;
    return conn->last_ttt;
}

/* Fills and commits the answer's next piece; `out` has room for it. */
static void respond_piece(struct iskra_target_conn *conn, const struct iskra_pdu_text *req,
                          struct out_pdu *out, uint32_t len)
{
    uint32_t left = conn->text_out_len - conn->text_out_pos;
    struct iskra_pdu_text_rsp rsp = {.lun = req->lun,
                                     .itt = req->itt,
                                     .ttt = ISKRA_RESERVED_TAG,
                                     .stat_sn = conn->stat_sn++,
                                     .exp_cmd_sn = conn->exp_cmd_sn,
                                     .max_cmd_sn = target_max_cmd_sn(conn)};
    rsp.cont = len < left;
    rsp.final = !rsp.cont && conn->text_final;
    conn->text_open = !rsp.final;
    if (conn->text_open)
        rsp.ttt = conn->text_ttt = ttt_new(conn);
    iskra_text_rsp_encode(&rsp, out->bhs);
    if (len > 0)
        memcpy(out->room, conn->text_out + conn->text_out_pos, len);
    conn->text_out_pos += len;
    target_conn_send(conn, out, NULL);
}

/* Is the request a piece of the exchange that is open, or the first of a new one? */
static bool exchange_judge(struct iskra_target_conn *conn, const struct iskra_pdu_text *req)
{
    if (req->ttt == ISKRA_RESERVED_TAG) { /* 11.10.4: a new one; what was open is forgotten */
        conn->text_in_len = conn->text_out_len = conn->text_out_pos = 0;
        conn->text_open = false;
        return true;
    }
    return conn->text_open && req->ttt == conn->text_ttt;
}

/* Collects and answers; returns false if the request cannot be accepted. */
static bool take(struct iskra_target_conn *conn, const struct iskra_pdu_text *req,
                 const struct target_pdu *pdu)
{
    if (!exchange_judge(conn, req) || (req->final && req->cont) ||
        pdu->payload_len > TEXT_IN_MAX - conn->text_in_len)
        return false;
    bool fetching = conn->text_out_pos < conn->text_out_len;
    if (fetching)
        return pdu->payload_len == 0;
    memcpy(conn->text_in + conn->text_in_len, pdu->payload, pdu->payload_len);
    conn->text_in_len += pdu->payload_len;
    conn->text_out_len = conn->text_out_pos = 0;
    conn->text_final = req->final;
    return req->cont || answer(conn);
}

enum pdu_verdict target_text_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu)
{
    struct iskra_pdu_text req;
    iskra_text_decode(pdu->bhs, &req);
    /* Whatever the answer will be, there must be room for a piece of the largest size. */
    uint32_t limit = conn->keys.value[KEY_MAX_RECV] < TEXT_OUT_MAX ? conn->keys.value[KEY_MAX_RECV]
                                                                   : TEXT_OUT_MAX;
    if (!target_out_begin(&conn->out, TEXT_OUT_MAX))
        return PDU_BLOCKED;
    if (!target_request_number(conn, pdu->bhs))
        return PDU_TAKEN;
    if (!take(conn, &req, pdu)) {
        conn->text_in_len = conn->text_out_len = conn->text_out_pos = 0;
        conn->text_open = false;
        return target_reject(conn, pdu, REJECT_PROTOCOL);
    }
    uint32_t left = conn->text_out_len - conn->text_out_pos;
    uint32_t len = left < limit ? left : limit;
    respond_piece(conn, &req, target_out_begin(&conn->out, len), len);
    return PDU_TAKEN;
}
