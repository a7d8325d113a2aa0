/* The login phase: stages, rounds, text in both directions. See login.h. With credentials,
 * chap.c's steps stand between the offer of AuthMethod and leaving the security stage. */
#include "control/login.h"

#include <errno.h>
#include <string.h>

#include "control/address.h"
#include "control/login_status.h"
#include "error.h"

static const char *stage_name(unsigned stage)
{
    static const char *const names[] = {"security", "operational", "2", "full feature"};
    return names[stage & 3];
}

static void put_names(struct iskra_login *l)
{
    const struct iskra_login_config *cfg = &l->cfg;
    iskra_text_put(&l->out, "InitiatorName", cfg->initiator_name);
    if (cfg->initiator_alias && cfg->initiator_alias[0])
        iskra_text_put(&l->out, "InitiatorAlias", cfg->initiator_alias);
    if (cfg->target_name)
        iskra_text_put(&l->out, "TargetName", cfg->target_name);
    iskra_text_put(&l->out, "SessionType", cfg->target_name ? "Normal" : "Discovery");
}

static void enter_stage(struct iskra_login *l, uint8_t stage)
{
    l->stage = stage;
    if (stage == ISKRA_STAGE_SECURITY)
        iskra_keys_offer_security(&l->keys, &l->out);
    else
        iskra_keys_offer_operational(&l->keys, &l->out);
}

int iskra_login_begin(struct iskra_login *login, const struct iskra_login_config *cfg,
                      struct iskra_error *err)
{
    struct iskra_login *l = login;
    l->cfg = *cfg;
    l->transit_sent = l->cont_sent = l->gathering = l->moved_for_good = false;
    l->rounds = 0;
    l->exp_stat_sn = 0;
    l->tsih = 0;
    l->text_total = l->in_len = l->out_sent = 0;
    l->out = (struct iskra_text_out){.buf = l->text->out, .size = sizeof(l->text->out)};
    l->cfg.offer.chap = cfg->chap != NULL;
    iskra_keys_init(&l->keys, &l->cfg.offer);
    int ret = cfg->chap
                  ? iskra_chap_begin(&l->chap, cfg->chap, cfg->chap_random, cfg->chap_single, err)
                  : 0;
    if (ret < 0)
        return ret;
    put_names(l);
    enter_stage(l,
                cfg->skip_security && !cfg->chap ? ISKRA_STAGE_OPERATIONAL : ISKRA_STAGE_SECURITY);
    if (l->out.overflow || l->out.len > ISKRA_LOGIN_PDU_TEXT)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "the names do not fit a Login Request of %u bytes", ISKRA_LOGIN_PDU_TEXT);
    return 0;
}

void iskra_login_wipe(struct iskra_login *login)
{
    iskra_chap_wipe(&login->chap);
    explicit_bzero(login->cfg.chap_random, sizeof(login->cfg.chap_random));
}

/* In the security stage with credentials, and CHAP has not come to its last step. */
static bool chap_under_way(const struct iskra_login *l)
{
    return l->cfg.chap && l->stage == ISKRA_STAGE_SECURITY && l->chap.step < ISKRA_CHAP_PROOF;
}

/* RFC 7143 6.2: what does not fit one PDU goes on in the next, with C set in all but the last; T
 * only with the last. */
void iskra_login_request(struct iskra_login *login, uint8_t *hdr, const uint8_t **ret_text,
                         size_t *ret_len)
{
    struct iskra_login *l = login;
    size_t left = l->out.len - l->out_sent;
    size_t len = left > ISKRA_LOGIN_PDU_TEXT ? ISKRA_LOGIN_PDU_TEXT : left;
    l->cont_sent = len < left;
    /* While the target is in the middle of its text, it is only asked to go on. */
    l->transit_sent = !l->cont_sent && !l->gathering && !chap_under_way(l);

    struct iskra_pdu_login pdu = {
        .transit = l->transit_sent,
        .cont = l->cont_sent,
        .csg = l->stage,
        .data_len = (uint32_t)len,
        .cid = l->cfg.cid,
        .cmd_sn = l->cfg.cmd_sn,
        .exp_stat_sn = l->exp_stat_sn,
    };
    if (l->transit_sent)
        pdu.nsg =
            l->stage == ISKRA_STAGE_SECURITY ? ISKRA_STAGE_OPERATIONAL : ISKRA_STAGE_FULL_FEATURE;
    memcpy(pdu.isid, l->cfg.isid, sizeof(pdu.isid));
    iskra_login_encode(&pdu, hdr);

    *ret_text = (const uint8_t *)l->text->out + l->out_sent;
    *ret_len = len;
    l->out_sent += len;
    l->rounds++;
}

int iskra_login_refused(uint8_t status_class, uint8_t status_detail, struct iskra_error *err)
{
    struct iskra_login_verdict v = iskra_login_status_judge(status_class, status_detail);
    struct iskra_error refused = {0};
    int ret =
        iskra_fail(&refused, v.code, v.sys_errno, "login refused: %s (status class %u, detail %u)",
                   v.words, status_class, status_detail);
    refused.login_class = status_class;
    refused.login_detail = status_detail;
    if (err && err->code == ISKRA_OK)
        *err = refused;
    return ret;
}

static int protocol(struct iskra_error *err, const char *what, unsigned got, unsigned want)
{
    return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO, "Login Response: %s %u, expected %u", what,
                      got, want);
}

/* RFC 7143 11.13: what a response may say at this point, its text aside. */
static int judge_header(const struct iskra_login *l, const struct iskra_pdu_login_rsp *rsp,
                        struct iskra_error *err)
{
    if (rsp->version_active != 0)
        return protocol(err, "Version-active", rsp->version_active, 0);
    if (memcmp(rsp->isid, l->cfg.isid, sizeof(rsp->isid)) != 0)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "Login Response: the ISID is not that of the request");
    /* The security stage is not jumped over when it was asked for. */
    if (chap_under_way(l) && (rsp->csg != l->stage || rsp->transit))
        return iskra_fail(err, ISKRA_E_AUTH, EACCES,
                          "the target leaves the security stage before CHAP has ended");
    if (rsp->csg != l->stage)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "Login Response: current stage %s, the request's was %s",
                          stage_name(rsp->csg), stage_name(l->stage));
    if (rsp->transit && rsp->cont)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO, "Login Response: T and C bit together");
    if (rsp->transit && !l->transit_sent)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "Login Response: T bit, the request had none");
    unsigned asked =
        l->stage == ISKRA_STAGE_SECURITY ? ISKRA_STAGE_OPERATIONAL : ISKRA_STAGE_FULL_FEATURE;
    if (rsp->transit && rsp->nsg != asked)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "Login Response: next stage %s, the request's was %s",
                          stage_name(rsp->nsg), stage_name(asked));
    if (rsp->transit && asked == ISKRA_STAGE_FULL_FEATURE && rsp->tsih == 0)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "Login Response: TSIH 0 at the end of the login");
    return 0;
}

int iskra_login_gather(struct iskra_login *login, const uint8_t *text, size_t len,
                       struct iskra_error *err)
{
    struct iskra_login *l = login;
#ifndef ISKRA_PLANTED_LOGIN_LENGTH /* left out on purpose to prove that the fuzzer finds it */
    if (len > ISKRA_LOGIN_TEXT_MAX - l->text_total)
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EMSGSIZE,
                          "the target's login text is longer than %u bytes", ISKRA_LOGIN_TEXT_MAX);
#endif
    if (len > 0)
        memcpy(l->text->in + l->in_len, text, len); /* in_len <= text_total */
    l->in_len += len;
    l->text_total += len;
    return 0;
}

/* Class 1. Only the address matters; where it leads is for the initiator to judge. */
static int redirected(struct iskra_login *l, const struct iskra_pdu_login_rsp *rsp,
                      struct iskra_error *err)
{
    if (rsp->status_detail != 1 && rsp->status_detail != 2)
        return iskra_login_refused(rsp->status_class, rsp->status_detail, err);
    l->moved_for_good = rsp->status_detail == 2;
    struct iskra_slice text = {l->text->in, l->in_len};
    struct iskra_text_pair pair;
    while (iskra_text_next(&text, &pair) > 0) {
        if (!iskra_slice_is(pair.key, "TargetAddress"))
            continue;
        l->keys.results.target_address[0] = '\0';
        l->keys.answered = 0; /* the first address of this response, whatever was said before */
        int ret = iskra_keys_receive(&l->keys, &pair, &l->out, err);
        return ret < 0 ? ret : ISKRA_LOGIN_REDIRECT;
    }
    return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                      "the target has moved and does not say where to");
}

/* A refusal in the answer to a list in CHAP_A may be for the list: some targets know one number
 * only. */
static bool may_be_the_list(const struct iskra_login *l)
{
    return l->cfg.chap && !l->cfg.chap_single && l->stage == ISKRA_STAGE_SECURITY &&
           iskra_chap_list_refused(&l->chap);
}

/* CHAP's own keys go to CHAP, the others where all keys go. 0, ISKRA_LOGIN_AGAIN or a negative
 * errno. */
static int take_security(struct iskra_login *l, struct iskra_slice text, struct iskra_error *err)
{
    struct iskra_text_pair pair;
    int ret = 0;
    while (ret == 0 && iskra_text_next(&text, &pair) > 0) {
        bool rejected = iskra_slice_is(pair.key, "CHAP_A") && iskra_slice_is(pair.value, "Reject");
        if (rejected && may_be_the_list(l))
            ret = ISKRA_LOGIN_AGAIN;
        else if (iskra_chap_key(&pair))
            ret = iskra_chap_take(&l->chap, &pair, err);
        else
            ret = iskra_keys_receive(&l->keys, &pair, &l->out, err);
    }
    /* What is left is nothing, or no pair at all, which is told in one place. */
    if (ret == 0)
        ret = iskra_keys_receive_all(&l->keys, text, &l->out, err);
    if (ret == 0)
        ret = iskra_chap_advance(&l->chap, l->keys.results.auth_chap, &l->out, err);
    if (ret == 0 && l->chap.step == ISKRA_CHAP_PROVEN) {
        l->keys.results.chap_alg = l->chap.alg;
        l->keys.results.chap_mutual = l->cfg.chap->target_secret[0] != '\0';
    }
    return ret;
}

/* The text is complete: judge it, and see where that leads. */
static int take_text(struct iskra_login *l, const struct iskra_pdu_login_rsp *rsp,
                     struct iskra_error *err)
{
    struct iskra_slice text = {l->text->in, l->in_len};
    l->out.len = l->out_sent = 0;
    int ret = l->cfg.chap && l->stage == ISKRA_STAGE_SECURITY
                  ? take_security(l, text, err)
                  : iskra_keys_receive_all(&l->keys, text, &l->out, err);
    l->in_len = 0;
    if (ret != 0)
        return ret;
    if (!rsp->transit)
        return ISKRA_LOGIN_SEND;
    if (rsp->nsg == ISKRA_STAGE_OPERATIONAL) {
        enter_stage(l, ISKRA_STAGE_OPERATIONAL); /* answers still owed go along */
        return ISKRA_LOGIN_SEND;
    }
    l->stage = ISKRA_STAGE_FULL_FEATURE;
    l->tsih = rsp->tsih;
    ret = iskra_keys_finish(&l->keys, err);
    return ret < 0 ? ret : ISKRA_LOGIN_DONE;
}

int iskra_login_response(struct iskra_login *login, const uint8_t *hdr, const uint8_t *text,
                         size_t len, struct iskra_error *err)
{
    struct iskra_login *l = login;
    struct iskra_pdu_login_rsp rsp;
    iskra_login_rsp_decode(hdr, &rsp);
    if (rsp.status_class == 2 && rsp.status_detail <= 1 && may_be_the_list(l))
        return ISKRA_LOGIN_AGAIN;
    if (rsp.status_class > 1 || (rsp.status_class == 0 && rsp.status_detail != 0))
        return iskra_login_refused(rsp.status_class, rsp.status_detail, err);
    if (rsp.status_class == 1)
        l->in_len = 0; /* nothing said before matters any more */
    int ret = iskra_login_gather(l, text, len, err);
    if (ret < 0)
        return ret;
    if (rsp.status_class == 1)
        return redirected(l, &rsp, err);

    ret = judge_header(l, &rsp, err);
    if (ret < 0)
        return ret;
    /* The target numbers its responses as it likes until full feature phase; we acknowledge what
     * came. */
    l->exp_stat_sn = rsp.stat_sn + 1;
    if (l->rounds >= ISKRA_LOGIN_ROUNDS_MAX &&
        !(rsp.transit && rsp.nsg == ISKRA_STAGE_FULL_FEATURE))
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO, "no end of the login after %u requests",
                          l->rounds);
    if (l->cont_sent) {
        /* RFC 7143 6.2: in the middle of our text the target may only say "go on". */
        if (len > 0)
            return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                              "Login Response: %zu bytes of text in the middle of the request's",
                              len);
        return ISKRA_LOGIN_SEND;
    }
    l->gathering = rsp.cont;
    if (rsp.cont) {
        l->out.len = l->out_sent = 0;
        return ISKRA_LOGIN_SEND;
    }
    return take_text(l, &rsp, err);
}
