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

static void config_pick(struct iskra_login_config *cfg, uint8_t bits)
{
    *cfg = (struct iskra_login_config){.initiator_name = "iqn.2026-11.org.iskra:fuzz",
                                       .skip_security = bits & 2};
    cfg->target_name = bits & 1 ? NULL : "iqn.2026-11.org.iskra:target";
    cfg->initiator_alias = bits & 4 ? "alias" : NULL;
    memcpy(cfg->isid, isid, sizeof(isid));
    iskra_key_offer_default(&cfg->offer, bits & 1);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct iskra_login_config cfg;
    config_pick(&cfg, input_u8(&in));
    struct iskra_login *login = malloc(sizeof(*login));
    must(login != NULL);
    struct iskra_error err = {0};
    int ret = iskra_login_begin(login, &cfg, &err) < 0 ? -1 : ISKRA_LOGIN_SEND;
    for (unsigned rounds = 0; ret == ISKRA_LOGIN_SEND; rounds++) {
        uint8_t hdr[ISKRA_BHS_LEN];
        const uint8_t *text;
        size_t len;
        must(rounds <= ISKRA_LOGIN_ROUNDS_MAX);
        iskra_login_request(login, hdr, &text, &len);
        must(len <= ISKRA_LOGIN_PDU_TEXT);
        (void)input_touch(text, len);
        if (in.left == 0)
            break;
        ret = respond(login, &in, &err);
        must((ret < 0) == (err.code != ISKRA_OK));
    }
    free(login);
    return 0;
}
