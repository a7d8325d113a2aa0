/* Fuzzer of the login engine: a sequence of Login Responses. Each takes a few bytes of the input
 * for its header, then text: bytes of the input, or so many of one byte. */
#include "control/login.h"
#include "input.h"
#include "wire/be.h"

static const uint8_t isid[ISKRA_ISID_LEN] = {0x80, 1, 2, 3, 4, 5};

static int respond(struct iskra_login *login, struct input *in, struct iskra_error *err)
{
    uint8_t hdr[ISKRA_BHS_LEN] = {0x23};
    uint8_t shape = input_u8(in), len = input_u8(in);
    hdr[1] = input_u8(in); /* T, C, CSG, NSG */
    if (shape & 1)
        hdr[3] = input_u8(in);
    memcpy(hdr + 8, isid, sizeof(isid));
    if (shape & 2)
        hdr[13] = input_u8(in);
    iskra_put_be16(hdr + 14, shape & 4 ? 0 : 1);
    if (shape & 8)
        iskra_put_be16(hdr + 36, input_u16(in)); /* status */
    size_t text_len = shape & 16 ? 256u * len : input_len(in, len);
    uint8_t *text = shape & 16 ? malloc(text_len > 0 ? text_len : 1) : input_take(in, text_len);
    must(text != NULL);
    if (shape & 16)
        memset(text, 'a', text_len);
    int ret = iskra_login_response(login, hdr, text, text_len, err);
    free(text);
    return ret;
}

/* Its random numbers are none, so that a corpus entry can hold the right answers. */
static void chap_pick(struct iskra_chap_config *chap, struct input *in, uint8_t bits)
{
    memset(chap, 0, sizeof(*chap));
    strcpy(chap->user, "user");
    strcpy(chap->secret, "a secret of enough bytes");
    if (bits & 16)
        strcpy(chap->target_secret, "the other secret's bytes");
    if (bits & 64)
        strcpy(chap->target_user, "target");
    if (bits & 32) {
        chap->alg_cnt = 1;
        chap->algs[0] = (uint8_t)(ISKRA_CHAP_MD5 + input_u8(in) % ISKRA_CHAP_ALG_CNT);
    }
}

static void config_pick(struct iskra_login_config *cfg, struct iskra_chap_config *chap,
                        struct input *in)
{
    uint8_t bits = input_u8(in);
    *cfg = (struct iskra_login_config){.initiator_name = "iqn.2026-11.org.iskra:fuzz"};
    cfg->skip_security = (bits & 2) && !(bits & 8);
    cfg->target_name = bits & 1 ? NULL : "iqn.2026-11.org.iskra:target";
    cfg->initiator_alias = bits & 4 ? "alias" : NULL;
    cfg->chap_single = bits & 128;
    memcpy(cfg->isid, isid, sizeof(isid));
    memset(cfg->chap_random, 0x5a, sizeof(cfg->chap_random));
    iskra_key_offer_default(&cfg->offer, bits & 1);
    if (bits & 8) {
        chap_pick(chap, in, bits);
        cfg->chap = chap;
    }
}

/* One login; returns how it ended. */
static int log_in(struct iskra_login *login, const struct iskra_login_config *cfg, struct input *in)
{
    struct iskra_error err = {0};
    int ret = iskra_login_begin(login, cfg, &err) < 0 ? -1 : ISKRA_LOGIN_SEND;
    for (unsigned rounds = 0; ret == ISKRA_LOGIN_SEND; rounds++) {
        uint8_t hdr[ISKRA_BHS_LEN];
        const uint8_t *text;
        size_t len;
        must(rounds <= ISKRA_LOGIN_ROUNDS_MAX);
        iskra_login_request(login, hdr, &text, &len);
        must(len <= ISKRA_LOGIN_PDU_TEXT);
        (void)input_touch(text, len);
        if (in->left == 0)
            break;
        ret = respond(login, in, &err);
        must((ret < 0) == (err.code != ISKRA_OK));
    }
    /* Nobody is believed before he has proven what he was asked to. */
    if (ret == ISKRA_LOGIN_DONE && cfg->chap)
        must(login->chap.step == ISKRA_CHAP_PROVEN);
    iskra_login_wipe(login);
    return ret;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct iskra_login_config cfg;
    struct iskra_chap_config chap;
    config_pick(&cfg, &chap, &in);
    struct iskra_login *login = malloc(sizeof(*login));
    must(login != NULL);
    login->text = malloc(sizeof(*login->text));
    must(login->text != NULL);
    if (log_in(login, &cfg, &in) == ISKRA_LOGIN_AGAIN) { /* as the initiator does, once */
        must(!cfg.chap_single);
        cfg.chap_single = true;
        must(log_in(login, &cfg, &in) != ISKRA_LOGIN_AGAIN);
    }
    free(login->text);
    free(login);
    return 0;
}
