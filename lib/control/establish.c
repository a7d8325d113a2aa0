/* From a connected socket to full feature phase: the class is given the socket, the login is
 * played, what was negotiated is handed down (spec 3.15, 5.1, 5.5). */
#include <errno.h>
#include <string.h>

#include "control/initiator_steps.h"
#include "error.h"
#include "trace.h"

#define INITIAL_CMD_SN 1u

struct param {
    enum iskra_param param;
    int64_t value;
};

static int set_params(struct iskra_initiator *ini, const struct param *params, size_t cnt,
                      struct iskra_error *err)
{
    for (size_t i = 0; i < cnt; i++) {
        struct iskra_uevent ev = {
            .type = ISKRA_UEVENT_SET_PARAM,
            .u.set_param = {.param = params[i].param, .value = params[i].value},
        };
        int ret = iskra_initiator_request(ini, &ev, NULL, NULL, 0, err);
        if (ret < 0)
            return ret;
    }
    return 0;
}

static int set_timeouts(struct iskra_initiator *ini, struct iskra_error *err)
{
    const struct iskra_initiator_config *cfg = &ini->cfg;
    const struct param params[] = {
        {ISKRA_PARAM_PING_TMO, (int64_t)cfg->ping_timeout_ns},
        {ISKRA_PARAM_RECV_TMO, (int64_t)cfg->recv_timeout_ns},
        {ISKRA_PARAM_ABORT_TMO, (int64_t)cfg->abort_timeout_ns},
        {ISKRA_PARAM_LU_RESET_TMO, (int64_t)cfg->lu_reset_timeout_ns},
        {ISKRA_PARAM_TGT_RESET_TMO, (int64_t)cfg->tgt_reset_timeout_ns},
        {ISKRA_PARAM_SESS_RECOVERY_TMO, cfg->replacement_timeout_ns},
        {ISKRA_PARAM_FAST_ABORT, cfg->fast_abort},
        {ISKRA_PARAM_DISCOVERY_SESS, ini->discovery != NULL},
    };
    return set_params(ini, params, sizeof(params) / sizeof(params[0]), err);
}

static int set_negotiated(struct iskra_initiator *ini, struct iskra_error *err)
{
    const struct iskra_key_results *r = &ini->login->keys.results;
    const struct param params[] = {
        {ISKRA_PARAM_MAX_RECV_DLENGTH, r->max_recv_data_len},
        {ISKRA_PARAM_MAX_XMIT_DLENGTH, r->max_xmit_data_len},
        {ISKRA_PARAM_HDRDGST_EN, r->header_digest == ISKRA_DIGEST_CRC32C},
        {ISKRA_PARAM_DATADGST_EN, r->data_digest == ISKRA_DIGEST_CRC32C},
        {ISKRA_PARAM_INITIAL_R2T_EN, r->initial_r2t},
        {ISKRA_PARAM_MAX_R2T, r->max_outstanding_r2t},
        {ISKRA_PARAM_IMM_DATA_EN, r->immediate_data},
        {ISKRA_PARAM_FIRST_BURST, r->first_burst_len},
        {ISKRA_PARAM_MAX_BURST, r->max_burst_len},
        {ISKRA_PARAM_PDU_INORDER_EN, r->data_pdu_in_order},
        {ISKRA_PARAM_DATASEQ_INORDER_EN, r->data_sequence_in_order},
        {ISKRA_PARAM_ERL, r->error_recovery_level},
        {ISKRA_PARAM_TPGT, r->tpgt},
        {ISKRA_PARAM_EXP_STATSN, ini->login->exp_stat_sn},
    };
    return set_params(ini, params, sizeof(params) / sizeof(params[0]), err);
}

static int create(struct iskra_initiator *ini, struct iskra_error *err)
{
    struct iskra_uevent session = {
        .type = ISKRA_UEVENT_CREATE_SESSION,
        .u.create_session =
            {
                .initial_cmd_sn = INITIAL_CMD_SN,
                .cmds_max = ini->cfg.cmds_max,
                .queue_depth = ini->cfg.queue_depth,
            },
    };
    int ret = iskra_initiator_request(ini, &session, NULL, NULL, 0, err);
    if (ret < 0)
        return ret;
    ini->session_created = true;
    ini->sid = session.sid;

    struct iskra_uevent conn = {.type = ISKRA_UEVENT_CREATE_CONN};
    ret = iskra_initiator_request(ini, &conn, NULL, NULL, 0, err);
    if (ret < 0)
        return ret;
    ini->conn_created = true;
    ini->cid = conn.cid;
    return 0;
}

static int bind_and_start(struct iskra_initiator *ini, enum iskra_uevent_type type,
                          struct iskra_error *err)
{
    struct iskra_uevent ev = {.type = type};
    if (type == ISKRA_UEVENT_BIND_CONN) {
        ev.u.bind_conn.fd = ini->fd;
        ev.u.bind_conn.is_leading = true;
    }
    return iskra_initiator_request(ini, &ev, NULL, NULL, 0, err);
}

static int send_login(struct iskra_initiator *ini, struct iskra_error *err)
{
    ISKRA_STEP(&ini->round->trace, LOGIN_REQUEST, ini->login->stage);
    struct iskra_uevent ev = {.type = ISKRA_UEVENT_SEND_PDU};
    uint8_t hdr[ISKRA_BHS_LEN];
    const uint8_t *text;
    size_t len;
    iskra_login_request(ini->login, hdr, &text, &len);
    return iskra_initiator_request(ini, &ev, hdr, text, len, err);
}

/* An identifier and a challenge for the target, new in every login. */
static int draw_challenge(struct iskra_initiator *ini, struct iskra_login_config *cfg,
                          struct iskra_error *err)
{
    const struct iskra_platform *pf = ini->round->pf;
    cfg->chap = ini->cfg.chap;
    cfg->chap_single = ini->chap_single;
    if (!cfg->chap)
        return 0;
    int ret = pf->random(pf->arg, cfg->chap_random, sizeof(cfg->chap_random));
    return ret < 0 ? iskra_fail(err, ISKRA_E_SYSTEM, -ret, "no random bytes: %s", strerror(-ret))
                   : 0;
}

int iskra_initiator_establish(struct iskra_initiator *ini, struct iskra_error *err)
{
    struct iskra_login_config cfg = {
        .initiator_name = ini->cfg.initiator_name,
        .initiator_alias = ini->cfg.initiator_alias,
        .target_name = ini->cfg.target_name,
        .cmd_sn = INITIAL_CMD_SN,
        .skip_security = ini->cfg.skip_security,
        .offer = ini->cfg.offer,
    };
    memcpy(cfg.isid, ini->cfg.isid, sizeof(cfg.isid));
    int ret = draw_challenge(ini, &cfg, err);
    if (ret == 0)
        ret = iskra_initiator_borrow_text(ini, err);
    if (ret == 0)
        ret = iskra_login_begin(ini->login, &cfg, err);
    if (ret == 0 && !ini->conn_created)
        ret = create(ini, err);
    if (ret == 0)
        ret = bind_and_start(ini, ISKRA_UEVENT_BIND_CONN, err);
    if (ret < 0)
        return ret;
    ini->bound = true;
    ret = set_timeouts(ini, err);
    if (ret < 0)
        return ret;
    iskra_initiator_set_state(ini, ISKRA_INITIATOR_IN_LOGIN);
    return send_login(ini, err);
}

/* START_CONN from inside the event of the last response: whatever the target sends after it is
 * parsed with the digests on. */
static int enter_full_feature(struct iskra_initiator *ini, struct iskra_error *err)
{
    int ret = iskra_reopen_too_early(ini, err);
    if (ret == 0)
        ret = set_negotiated(ini, err);
    if (ret == 0)
        ret = bind_and_start(ini, ISKRA_UEVENT_START_CONN, err);
    if (ret < 0)
        return ret;
    iskra_timer_disarm(&ini->timer);
    iskra_login_wipe(ini->login);
    iskra_initiator_return_text(ini);
    iskra_initiator_set_state(ini, ISKRA_INITIATOR_LOGGED_IN);
    iskra_reopen_logged_in(ini);
    iskra_initiator_schedule(ini, ISKRA_NEXT_UP);
    return 0;
}

/* Once: the second login offers one algorithm, so that there is no list to refuse. */
static int login_again(struct iskra_initiator *ini)
{
    ini->chap_single = true;
    if (ini->ops->note)
        ini->ops->note(ini->owner, "CHAP: the target refuses a list of algorithms; logging in once "
                                   "more with the first one alone");
    iskra_initiator_schedule(ini, ISKRA_NEXT_REDIRECT);
    return 0;
}

int iskra_initiator_login_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                   const uint8_t *data, size_t len, struct iskra_error *err)
{
    ISKRA_STEP(&ini->round->trace, LOGIN_RESPONSE, hdr[36]); /* Status-Class */
    int ret = iskra_login_response(ini->login, hdr, data, len, err);
    switch (ret) {
    case ISKRA_LOGIN_SEND:
        return send_login(ini, err);
    case ISKRA_LOGIN_DONE:
        return enter_full_feature(ini, err);
    case ISKRA_LOGIN_AGAIN:
        return login_again(ini);
    case ISKRA_LOGIN_REDIRECT:
        ret = iskra_initiator_redirect(ini, ini->login->keys.results.target_address,
                                       ini->login->moved_for_good, err);
        if (ret == 0)
            iskra_initiator_schedule(ini, ISKRA_NEXT_REDIRECT);
        return ret;
    default:
        return ret;
    }
}
