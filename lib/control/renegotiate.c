/* Text in full feature phase, when the target wants to negotiate again (async event 4, RFC 7143
 * 11.9.1): an empty Text Request gives it the word, and what it says is answered until it has come
 * to an end. Commands go on meanwhile. */
#include <errno.h>

#include "control/initiator_steps.h"
#include "error.h"

/* Immediate, so that a closed command window does not hold it up. */
static int say(struct iskra_initiator *ini, struct iskra_error *err)
{
    struct iskra_login *l = ini->login;
    struct iskra_uevent ev = {.type = ISKRA_UEVENT_SEND_PDU};
    uint8_t hdr[ISKRA_BHS_LEN];
    size_t left = l->out.len - l->out_sent;
    size_t len = left > ISKRA_LOGIN_PDU_TEXT ? ISKRA_LOGIN_PDU_TEXT : left;
    const struct iskra_pdu_text pdu = {
        .immediate = true,
        .final = len == left,
        .cont = len < left,
        .data_len = (uint32_t)len,
        .lun = ini->text_lun,
        .ttt = ini->text_ttt,
    };
    iskra_text_encode(&pdu, hdr);
    int ret = iskra_initiator_request(ini, &ev, hdr, (const uint8_t *)l->text->out + l->out_sent,
                                      len, err);
    l->out_sent += len;
    ini->asking = ret == 0;
    return ret;
}

int iskra_initiator_renegotiate(struct iskra_initiator *ini, struct iskra_error *err)
{
    struct iskra_login *l = ini->login;
    if (ini->state != ISKRA_INITIATOR_LOGGED_IN || ini->asking)
        return 0; /* one that is out will do */
    int ret = iskra_initiator_borrow_text(ini, err);
    if (ret < 0)
        return ret;
    l->rounds = 0;
    l->text_total = l->in_len = l->out_sent = 0;
    l->out = (struct iskra_text_out){.buf = l->text->out, .size = sizeof(l->text->out)};
    iskra_keys_reopen(&l->keys);
    ini->text_ttt = ISKRA_RESERVED_TAG;
    ini->text_lun = 0;
    return say(ini, err);
}

/* What may change is how much the target takes in one PDU. */
static int end(struct iskra_initiator *ini, struct iskra_error *err)
{
    ini->results = ini->login->keys.results;
    iskra_initiator_return_text(ini);
    struct iskra_uevent ev = {
        .type = ISKRA_UEVENT_SET_PARAM,
        .u.set_param = {.param = ISKRA_PARAM_MAX_XMIT_DLENGTH,
                        .value = ini->login->keys.results.max_xmit_data_len},
    };
    return iskra_initiator_request(ini, &ev, NULL, NULL, 0, err);
}

/* RFC 7143 11.11.1, 11.11.4: F ends the exchange; without it there is a tag to go on with. */
static int judge(struct iskra_login *l, const struct iskra_pdu_text_rsp *rsp,
                 struct iskra_error *err)
{
    if (rsp->final ? rsp->cont || l->out_sent < l->out.len : rsp->ttt == ISKRA_RESERVED_TAG)
        return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO,
                          "Text Response with F %u, C %u and target transfer tag 0x%08x",
                          rsp->final, rsp->cont, rsp->ttt);
    if (++l->rounds > ISKRA_LOGIN_ROUNDS_MAX)
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO, "no end of negotiating after %u rounds",
                          ISKRA_LOGIN_ROUNDS_MAX);
    return 0;
}

int iskra_initiator_renegotiation_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                           const uint8_t *data, size_t len, struct iskra_error *err)
{
    struct iskra_login *l = ini->login;
    struct iskra_pdu_text_rsp rsp;
    iskra_text_rsp_decode(hdr, &rsp);
    ini->asking = false;
    if (ini->state != ISKRA_INITIATOR_LOGGED_IN)
        return 0; /* RFC 7143 11.14: nothing is sent after a Logout Request */
    int ret = judge(l, &rsp, err);
    if (ret == 0)
        ret = iskra_login_gather(l, data, len, err);
    if (ret < 0)
        return ret;
    ini->text_ttt = rsp.ttt;
    ini->text_lun = rsp.lun;
    if (!rsp.cont && l->out_sent == l->out.len) {
        l->out_sent = l->out.len = 0;
        ret = iskra_keys_receive_all(&l->keys, (struct iskra_slice){l->text->in, l->in_len},
                                     &l->out, err);
        l->in_len = 0;
    }
    if (ret < 0)
        return ret;
    return rsp.final ? end(ini, err) : say(ini, err);
}
