/* The login phase: RFC 7143 section 6.3 and 11.12, 11.13. Requests and responses strictly take
 * turns; a request that comes early waits until the last response has been sent. */
#include "target/conn.h"

#include <errno.h>
#include <string.h>

/* Sends a Login Response. `payload` is copied. out is empty here, so there is room. */
static void respond(struct iskra_target_conn *conn, struct iskra_pdu_login_rsp *rsp,
                    const char *payload, uint32_t payload_len)
{
    struct out_pdu *pdu = target_out_begin(&conn->out, payload_len);
    if (!pdu) {
        target_conn_drop(conn);
        return;
    }
    memcpy(rsp->isid, conn->isid, ISKRA_ISID_LEN);
    rsp->itt = conn->login_itt;
    rsp->stat_sn = conn->stat_sn++;
    rsp->exp_cmd_sn = conn->exp_cmd_sn;
    rsp->max_cmd_sn = target_max_cmd_sn(conn);
    iskra_login_rsp_encode(rsp, pdu->bhs);
    if (payload_len > 0)
        memcpy(pdu->room, payload, payload_len);
    target_conn_send(conn, pdu, NULL); /* digests are still off */
}

static enum pdu_verdict refuse(struct iskra_target_conn *conn, enum login_status status,
                               const char *why)
{
    (void)iskra_fail(&conn->err, ISKRA_E_LOGIN, EPROTO, "login refused, %s (%04x): %s",
                     iskra_login_status_name((uint8_t)(status >> 8), (uint8_t)status), status, why);
    conn->err.login_class = (uint8_t)(status >> 8);
    conn->err.login_detail = (uint8_t)status;
    struct iskra_pdu_login_rsp rsp = {.csg = conn->stage,
                                      .status_class = (uint8_t)(status >> 8),
                                      .status_detail = (uint8_t)status};
    respond(conn, &rsp, NULL, 0);
    target_conn_enter(conn, CONN_CLOSING);
    return PDU_TAKEN;
}

static enum login_status begin(struct iskra_target_conn *conn, const struct iskra_pdu_login *req)
{
    conn->login_begun = true;
    conn->login_itt = req->itt;
    conn->cid = req->cid;
    conn->tsih = req->tsih;
    memcpy(conn->isid, req->isid, ISKRA_ISID_LEN);
    conn->exp_cmd_sn = req->cmd_sn; /* a login carries the first CmdSN and does not use it up */
    conn->stage = req->csg;
    return req->version_min > 0 ? LOGIN_VERSION : LOGIN_OK;
}

/* Is this request one that may come now? NULL, or what is wrong. */
static const char *flow_error(const struct iskra_target_conn *conn,
                              const struct iskra_pdu_login *req)
{
    if (req->itt != conn->login_itt || req->cid != conn->cid || req->tsih != conn->tsih ||
        memcmp(req->isid, conn->isid, ISKRA_ISID_LEN) != 0)
        return "tag, CID, TSIH or ISID changed during login";
    if (req->csg != conn->stage || req->csg > ISKRA_STAGE_OPERATIONAL)
        return "wrong current stage";
    if (req->transit && req->cont)
        return "T and C in one request";
    if (req->transit && (req->nsg <= req->csg || (req->nsg != ISKRA_STAGE_OPERATIONAL &&
                                                  req->nsg != ISKRA_STAGE_FULL_FEATURE)))
        return "wrong next stage";
    return NULL;
}

/* What must be known once the first request is complete (6.3.1). */
static enum login_status names_judge(struct iskra_target_conn *conn)
{
    const struct target_keys *keys = &conn->keys;
    if (keys->initiator_name[0] == '\0')
        return LOGIN_MISSING;
    if (keys->session_type_unknown)
        return LOGIN_SESSION_TYPE;
    if (keys->target_name[0] == '\0')
        return keys->discovery ? LOGIN_OK : LOGIN_MISSING;
    return strcmp(keys->target_name, conn->target->name) == 0 ? LOGIN_OK : LOGIN_NOT_FOUND;
}

/* Who logs in must say who he is. */
static bool auth_required(const struct iskra_target_conn *conn)
{
    return conn->target->chap.user[0] != '\0' &&
           (!conn->keys.discovery || conn->target->options.chap_discovery);
}

/* Once CHAP has been agreed on there is no way around it. */
static bool auth_done(const struct iskra_target_conn *conn)
{
    return conn->chap.phase == CHAP_PASSED ||
           (conn->chap.phase == CHAP_IDLE && !auth_required(conn));
}

/* The first of the initiator's methods that will do. 0 or -EACCES. */
static int method_answer(struct iskra_target_conn *conn, struct iskra_text_out *out)
{
    struct iskra_slice list = conn->keys.auth_list, item;
    while (iskra_text_list_next(&list, &item)) {
        bool chap = iskra_slice_is(item, "CHAP") && conn->target->chap.user[0] != '\0';
        if (!chap && (!iskra_slice_is(item, "None") || auth_required(conn)))
            continue;
        iskra_text_put(out, "AuthMethod", chap ? "CHAP" : "None");
        if (chap)
            target_chap_enter(&conn->chap, CHAP_AGREED);
        return 0;
    }
    return iskra_fail(&conn->err, ISKRA_E_AUTH, EACCES, "AuthMethod offers nothing that will do%s",
                      auth_required(conn) ? ", CHAP is what will" : "");
}

/* The security stage, and that nobody comes past it. A request that would leave it (`transit`) must
 * have brought something of what is missing. */
static enum login_status authenticate(struct iskra_target_conn *conn, bool transit,
                                      struct iskra_text_out *out)
{
    enum target_chap_phase before = conn->chap.phase;
    int rc = target_chap_answer(&conn->chap, &conn->target->chap, out, &conn->err);
    if (rc == 0 && conn->keys.auth_list.p)
        rc = method_answer(conn, out);
    bool leaving = transit || conn->stage != ISKRA_STAGE_SECURITY;
    if (rc == 0 && leaving && !auth_done(conn) && conn->chap.phase == before)
        rc = iskra_fail(&conn->err, ISKRA_E_AUTH, EACCES, "no login here without CHAP");
    if (rc == 0)
        return LOGIN_OK;
    return rc == -EACCES   ? LOGIN_AUTH_FAILED
           : rc == -EPROTO ? LOGIN_INITIATOR_ERROR
                           : LOGIN_TARGET_ERROR;
}

/* 0 or -EPROTO. CHAP's keys mean something only in its stage, and where it is done at all. */
static int pairs_take(struct iskra_target_conn *conn, struct iskra_slice text,
                      struct iskra_text_out *out)
{
    bool chap = conn->stage == ISKRA_STAGE_SECURITY && conn->target->chap.user[0] != '\0';
    conn->keys.auth_list = (struct iskra_slice){0};
    target_chap_round_begin(&conn->chap);
    struct iskra_text_pair pair;
    int rc;
    while ((rc = iskra_text_next(&text, &pair)) > 0) {
        rc = chap ? target_chap_take(&conn->chap, &pair, &conn->err) : 0;
        if (rc == 0)
            rc = target_keys_answer_pair(&conn->keys, conn->stage, &pair, out, &conn->err);
        if (rc < 0)
            return rc;
    }
    if (rc < 0)
        return iskra_fail(&conn->err, ISKRA_E_NEGOTIATION, EPROTO,
                          "text that is no key=value, %zu bytes from its end", text.len);
    return 0;
}

/* The collected text is complete: negotiates, and leaves the answer in text_out. */
static enum login_status negotiate(struct iskra_target_conn *conn, bool transit)
{
    struct iskra_text_out out = {.buf = conn->text_out, .size = TEXT_OUT_MAX};
    struct iskra_slice text = {conn->text_in, conn->text_in_len};
    conn->text_in_len = conn->text_out_len = conn->text_out_pos = 0;
    if (pairs_take(conn, text, &out) < 0)
        return LOGIN_INITIATOR_ERROR;
    enum login_status status = names_judge(conn);
    if (status == LOGIN_OK)
        status = authenticate(conn, transit, &out);
    if (status != LOGIN_OK)
        return status;
    /* 13.9: told in the first response of a login that names a target. */
    if (!conn->portal_group_told && conn->keys.target_name[0] != '\0')
        iskra_text_put_u32(&out, "TargetPortalGroupTag", conn->target->options.portal_group);
    conn->portal_group_told = true;
    if (conn->stage == ISKRA_STAGE_OPERATIONAL && !conn->keys_offered) {
        target_keys_offer(&conn->keys, &out);
        conn->keys_offered = true;
    }
    conn->text_out_len = (uint32_t)out.len;
    return out.overflow ? LOGIN_INITIATOR_ERROR : LOGIN_OK;
}

static bool stage_done(const struct iskra_target_conn *conn)
{
    return conn->keys.offered == 0 && auth_done(conn);
}

/* Sends the next piece of text_out; T=1 only when nothing is left to be said or asked. */
static void respond_piece(struct iskra_target_conn *conn, const struct iskra_pdu_login *req)
{
    uint32_t limit = conn->keys.value[KEY_MAX_RECV] < LOGIN_RECV_MAX
                         ? conn->keys.value[KEY_MAX_RECV]
                         : LOGIN_RECV_MAX;
    uint32_t left = conn->text_out_len - conn->text_out_pos;
    uint32_t len = left < limit ? left : limit;
    struct iskra_pdu_login_rsp rsp = {.csg = req->csg, .tsih = conn->tsih};
    rsp.cont = len < left;
    rsp.transit = req->transit && !rsp.cont && stage_done(conn);
    if (rsp.transit) {
        rsp.nsg = req->nsg;
        conn->stage = req->nsg;
        if (conn->session)
            rsp.tsih = conn->session->tsih; /* 11.13.3: in the final response */
    }
    const char *piece = conn->text_out + conn->text_out_pos;
    conn->text_out_pos += len;
    respond(conn, &rsp, piece, len);
}

static bool one_piece(const struct iskra_target_conn *conn)
{
    return conn->text_out_len <= LOGIN_RECV_MAX &&
           conn->text_out_len <= conn->keys.value[KEY_MAX_RECV];
}

/* The full feature phase begins: everything that may fail is done before the initiator is told. */
static enum pdu_verdict finish(struct iskra_target_conn *conn, const struct iskra_pdu_login *req)
{
    enum login_status status = target_session_begin(conn);
    if (status == LOGIN_OK && target_conn_full_feature(conn) < 0)
        status = LOGIN_NO_RESOURCES;
    if (status != LOGIN_OK)
        return refuse(conn, status, "no session for it");
    respond_piece(conn, req);
    conn->text_in_len = conn->text_out_len = conn->text_out_pos = 0;
    conn->header_digest = conn->keys.value[KEY_HEADER_DIGEST];
    conn->data_digest = conn->keys.value[KEY_DATA_DIGEST];
    if (conn->keys_offered) /* that told our MaxRecvDataSegmentLength */
        conn->recv_max = conn->target->options.max_recv;
    target_conn_enter(conn, CONN_FULL_FEATURE);
    return PDU_TAKEN;
}

enum pdu_verdict target_login_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu)
{
    if (conn->out.cnt > 0)
        return PDU_BLOCKED;
    if (iskra_bhs_opcode(pdu->bhs) != ISKRA_OP_LOGIN) {
        if (conn->login_begun)
            return refuse(conn, LOGIN_INVALID, iskra_opcode_name(iskra_bhs_opcode(pdu->bhs)));
        (void)iskra_fail(&conn->err, ISKRA_E_PROTOCOL, EPROTO, "opcode 0x%02x before any login",
                         iskra_bhs_opcode(pdu->bhs));
        target_conn_drop(conn);
        return PDU_TAKEN;
    }
    struct iskra_pdu_login req;
    iskra_login_decode(pdu->bhs, &req);
    if (!conn->login_begun) {
        enum login_status status = begin(conn, &req);
        if (status != LOGIN_OK)
            return refuse(conn, status, "version 0 is the only one here");
    }
    const char *wrong = flow_error(conn, &req);
    if (wrong)
        return refuse(conn, LOGIN_INITIATOR_ERROR, wrong);

    if (conn->text_out_pos < conn->text_out_len) { /* we said C; this is "go on" */
        if (pdu->payload_len > 0)
            return refuse(conn, LOGIN_INITIATOR_ERROR, "text while the answer is not complete");
        req.transit = false;
        respond_piece(conn, &req);
        return PDU_TAKEN;
    }
#ifndef ISKRA_PLANTED_TARGET_LOGIN_LENGTH /* left out to prove that the fuzzer finds it */
    if (pdu->payload_len > TEXT_IN_MAX - conn->text_in_len)
        return refuse(conn, LOGIN_INITIATOR_ERROR, "more than 8192 bytes of text");
#endif
    memcpy(conn->text_in + conn->text_in_len, pdu->payload, pdu->payload_len);
    conn->text_in_len += pdu->payload_len;
    conn->text_out_len = conn->text_out_pos = 0;
    if (req.cont) {
        respond_piece(conn, &req);
        return PDU_TAKEN;
    }
    enum login_status status = negotiate(conn, req.transit);
    if (status != LOGIN_OK)
        return refuse(conn, status, conn->err.text[0] ? conn->err.text : "see the status");
    bool last =
        req.transit && req.nsg == ISKRA_STAGE_FULL_FEATURE && stage_done(conn) && one_piece(conn);
    if (last)
        return finish(conn, &req);
    respond_piece(conn, &req);
    return PDU_TAKEN;
}
