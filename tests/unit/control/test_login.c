/* control/login.h: the login phase against a target that is played by hand. */
#include "control_test.h"

#include <stdlib.h>

#include "control/login.h"

static const uint8_t isid[ISKRA_ISID_LEN] = {0x80, 1, 2, 3, 4, 5};

struct play {
    struct iskra_login login;
    struct iskra_login_text login_text;
    struct iskra_login_config cfg;
    struct iskra_pdu_login req; /* the last request */
    char text[8193];
    size_t text_len;
    struct iskra_error err;
};

static void request(struct play *p)
{
    uint8_t hdr[ISKRA_BHS_LEN];
    const uint8_t *text;
    iskra_login_request(&p->login, hdr, &text, &p->text_len);
    iskra_login_decode(hdr, &p->req);
    assert_int_equal(hdr[0], 0x43); /* immediate Login Request */
    assert_int_equal(p->req.data_len, p->text_len);
    assert_true(p->text_len <= 8192);
    if (p->text_len > 0)
        memcpy(p->text, text, p->text_len);
}

static struct play *begin_with(void (*change)(struct iskra_login_config *cfg))
{
    struct play *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    p->cfg = (struct iskra_login_config){
        .initiator_name = "iqn.2026-01.org.example:i",
        .target_name = "iqn.2026-01.org.example:t",
        .cmd_sn = 1,
    };
    memcpy(p->cfg.isid, isid, sizeof(isid));
    iskra_key_offer_default(&p->cfg.offer, false);
    if (change)
        change(&p->cfg);
    p->login.text = &p->login_text;
    assert_int_equal(iskra_login_begin(&p->login, &p->cfg, &p->err), 0);
    request(p);
    return p;
}

static struct play *begin(void)
{
    return begin_with(NULL);
}

/* A response in order: fields that a test wants otherwise it changes. */
static struct iskra_pdu_login_rsp response(const struct play *p)
{
    struct iskra_pdu_login_rsp rsp = {
        .transit = p->req.transit,
        .csg = p->req.csg,
        .nsg = p->req.transit ? p->req.nsg : 0,
        .tsih = p->req.csg == ISKRA_STAGE_OPERATIONAL ? 7 : 0,
        .stat_sn = p->req.exp_stat_sn ? p->req.exp_stat_sn : 100,
        .exp_cmd_sn = 1,
        .max_cmd_sn = 32,
    };
    memcpy(rsp.isid, isid, sizeof(isid));
    return rsp;
}

static int give_bytes(struct play *p, const struct iskra_pdu_login_rsp *rsp, const void *text,
                      size_t len)
{
    uint8_t hdr[ISKRA_BHS_LEN];
    struct iskra_pdu_login_rsp copy = *rsp;
    copy.data_len = (uint32_t)len;
    iskra_login_rsp_encode(&copy, hdr);
    memset(&p->err, 0, sizeof(p->err));
    return iskra_login_response(&p->login, hdr, text, len, &p->err);
}

static int give(struct play *p, const struct iskra_pdu_login_rsp *rsp, const char *text)
{
    char buf[8192];
    size_t len = segment(buf, sizeof(buf), text);
    return give_bytes(p, rsp, buf, len);
}

static void to_operational(struct play *p)
{
    struct iskra_pdu_login_rsp rsp = response(p);
    assert_int_equal(give(p, &rsp, "AuthMethod=None;TargetPortalGroupTag=1;"), ISKRA_LOGIN_SEND);
    request(p);
}

static void refused(struct play *p, const struct iskra_pdu_login_rsp *rsp, enum iskra_code code,
                    const char *word)
{
    assert_true(give(p, rsp, "") < 0);
    assert_int_equal(p->err.code, code);
    if (!strstr(p->err.text, word))
        fail_msg("'%s' does not speak of '%s'", p->err.text, word);
    free(p);
}

static void two_stages_lead_to_full_feature_phase(void **state)
{
    struct play *p = begin();
    assert_string_equal(
        readable(p->text, p->text_len),
        "InitiatorName=iqn.2026-01.org.example:i;TargetName=iqn.2026-01.org.example:t;"
        "SessionType=Normal;AuthMethod=None;");
    assert_int_equal(p->req.csg, ISKRA_STAGE_SECURITY);
    assert_int_equal(p->req.nsg, ISKRA_STAGE_OPERATIONAL);
    assert_true(p->req.transit);
    assert_memory_equal(p->req.isid, isid, sizeof(isid));
    assert_int_equal(p->req.tsih, 0);
    to_operational(p);
    assert_int_equal(p->req.csg, ISKRA_STAGE_OPERATIONAL);
    assert_int_equal(p->req.nsg, ISKRA_STAGE_FULL_FEATURE);
    assert_int_equal(p->req.exp_stat_sn, 101);
    struct iskra_pdu_login_rsp rsp = response(p);
    assert_int_equal(
        give(p, &rsp, "HeaderDigest=None;MaxBurstLength=65536;MaxRecvDataSegmentLength=131072;"),
        ISKRA_LOGIN_DONE);
    assert_int_equal(p->login.tsih, 7);
    assert_int_equal(p->login.exp_stat_sn, 102);
    assert_int_equal(p->login.keys.results.tpgt, 1);
    assert_int_equal(p->login.keys.results.max_xmit_data_len, 131072);
    free(p);
}

static void start_operational(struct iskra_login_config *cfg)
{
    cfg->skip_security = true;
}

static void one_stage_is_enough_without_security(void **state)
{
    struct play *p = begin_with(start_operational);
    assert_int_equal(p->req.csg, ISKRA_STAGE_OPERATIONAL);
    assert_null(strstr(readable(p->text, p->text_len), "AuthMethod"));
    assert_non_null(strstr(readable(p->text, p->text_len), "InitiatorName"));
    struct iskra_pdu_login_rsp rsp = response(p);
    assert_int_equal(give(p, &rsp, ""), ISKRA_LOGIN_DONE);
    free(p);
}

static void discovery(struct iskra_login_config *cfg)
{
    cfg->target_name = NULL;
    cfg->initiator_alias = "me";
    iskra_key_offer_default(&cfg->offer, true);
}

static void a_discovery_session_names_no_target(void **state)
{
    struct play *p = begin_with(discovery);
    assert_string_equal(readable(p->text, p->text_len),
                        "InitiatorName=iqn.2026-01.org.example:i;InitiatorAlias=me;"
                        "SessionType=Discovery;AuthMethod=None;");
    free(p);
}

static void a_target_may_take_several_rounds(void **state)
{
    struct play *p = begin();
    to_operational(p);
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.transit = false;
    rsp.nsg = 0;
    assert_int_equal(give(p, &rsp, "MaxBurstLength=65536;X-a=b;"), ISKRA_LOGIN_SEND);
    request(p);
    assert_string_equal(readable(p->text, p->text_len), "X-a=NotUnderstood;");
    assert_true(p->req.transit);
    rsp = response(p);
    assert_int_equal(give(p, &rsp, "FirstBurstLength=65536;"), ISKRA_LOGIN_DONE);
    free(p);
}

static void answers_owed_go_along_into_the_next_stage(void **state)
{
    struct play *p = begin();
    struct iskra_pdu_login_rsp rsp = response(p);
    assert_int_equal(give(p, &rsp, "AuthMethod=None;X-a=b;"), ISKRA_LOGIN_SEND);
    request(p);
    assert_non_null(strstr(readable(p->text, p->text_len), "X-a=NotUnderstood;HeaderDigest=None;"));
    free(p);
}

static void text_may_be_cut_anywhere_by_the_c_bit(void **state)
{
    static const char text[] = "TargetAlias=long;TargetPortalGroupTag=9;AuthMethod=None;";
    char buf[128];
    size_t len = segment(buf, sizeof(buf), text);
    for (size_t cut = 0; cut <= len; cut++) {
        struct play *p = begin();
        struct iskra_pdu_login_rsp rsp = response(p);
        rsp.transit = false;
        rsp.nsg = 0;
        rsp.cont = true;
        assert_int_equal(give_bytes(p, &rsp, buf, cut), ISKRA_LOGIN_SEND);
        request(p);
        assert_false(p->req.transit); /* only "go on" */
        assert_int_equal(p->text_len, 0);
        rsp = response(p);
        assert_int_equal(give_bytes(p, &rsp, buf + cut, len - cut), ISKRA_LOGIN_SEND);
        request(p);
        assert_true(p->req.transit);
        assert_int_equal(p->login.keys.results.tpgt, 9);
        assert_string_equal(p->login.keys.results.target_alias, "long");
        free(p);
    }
}

static void the_c_bit_for_ever_ends(void **state)
{
    struct play *p = begin();
    unsigned rounds = 1;
    for (;; rounds++) {
        struct iskra_pdu_login_rsp rsp = response(p);
        rsp.transit = false;
        rsp.nsg = 0;
        rsp.cont = true;
        int ret = give(p, &rsp, "a");
        if (ret < 0)
            break;
        assert_int_equal(ret, ISKRA_LOGIN_SEND);
        request(p);
        assert_true(rounds <= 100);
    }
    assert_int_equal(rounds, ISKRA_LOGIN_ROUNDS_MAX);
    assert_int_equal(p->err.code, ISKRA_E_NEGOTIATION);
    free(p);
}

static void the_t_bit_never_ends_as_well(void **state)
{
    struct play *p = begin();
    unsigned rounds = 1;
    for (;; rounds++) {
        struct iskra_pdu_login_rsp rsp = response(p);
        rsp.transit = false;
        rsp.nsg = 0;
        if (give(p, &rsp, "") < 0)
            break;
        request(p);
        assert_true(rounds <= 100);
    }
    assert_int_equal(rounds, ISKRA_LOGIN_ROUNDS_MAX);
    free(p);
}

static void text_of_more_than_64_kib_is_refused(void **state)
{
    struct play *p = begin();
    static char text[8192];
    memset(text, 'a', sizeof(text));
    for (unsigned i = 0; i < 8; i++) {
        struct iskra_pdu_login_rsp rsp = response(p);
        rsp.transit = false;
        rsp.nsg = 0;
        rsp.cont = true;
        assert_int_equal(give_bytes(p, &rsp, text, sizeof(text)), ISKRA_LOGIN_SEND);
        request(p);
    }
    struct iskra_pdu_login_rsp rsp = response(p);
    assert_int_equal(give_bytes(p, &rsp, text, 1), -EMSGSIZE);
    assert_int_equal(p->err.code, ISKRA_E_NEGOTIATION);
    free(p);
}

static void another_current_stage_is_refused(void **state)
{
    struct play *p = begin();
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.csg = ISKRA_STAGE_OPERATIONAL;
    refused(p, &rsp, ISKRA_E_PROTOCOL, "current stage operational");
}

static void another_next_stage_is_refused(void **state)
{
    for (unsigned nsg = 0; nsg < 4; nsg++) {
        if (nsg == ISKRA_STAGE_OPERATIONAL)
            continue;
        struct play *p = begin();
        struct iskra_pdu_login_rsp rsp = response(p);
        rsp.nsg = (uint8_t)nsg;
        refused(p, &rsp, ISKRA_E_PROTOCOL, "next stage");
    }
}

static void a_transit_nobody_asked_for_is_refused(void **state)
{
    struct play *p = begin();
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.transit = false;
    rsp.nsg = 0;
    rsp.cont = true;
    assert_int_equal(give(p, &rsp, "A"), ISKRA_LOGIN_SEND);
    request(p);
    rsp = response(p);
    rsp.transit = true;
    rsp.nsg = ISKRA_STAGE_OPERATIONAL;
    refused(p, &rsp, ISKRA_E_PROTOCOL, "T bit");
}

static void t_and_c_bit_together_are_refused(void **state)
{
    struct play *p = begin();
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.cont = true;
    refused(p, &rsp, ISKRA_E_PROTOCOL, "together");
}

static void tsih_zero_at_the_end_is_refused(void **state)
{
    struct play *p = begin();
    to_operational(p);
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.tsih = 0;
    refused(p, &rsp, ISKRA_E_PROTOCOL, "TSIH 0");
}

static void another_isid_is_refused(void **state)
{
    struct play *p = begin();
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.isid[5] ^= 1;
    refused(p, &rsp, ISKRA_E_PROTOCOL, "ISID");
}

static void another_version_is_refused(void **state)
{
    struct play *p = begin();
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.version_active = 1;
    refused(p, &rsp, ISKRA_E_PROTOCOL, "Version-active 1");
}

static void stat_sn_is_followed_wherever_it_goes(void **state)
{
    struct play *p = begin();
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.stat_sn = UINT32_MAX;
    assert_int_equal(give(p, &rsp, "AuthMethod=None;"), ISKRA_LOGIN_SEND);
    request(p);
    assert_int_equal(p->req.exp_stat_sn, 0);
    rsp = response(p);
    rsp.stat_sn = 77;
    assert_int_equal(give(p, &rsp, ""), ISKRA_LOGIN_DONE);
    assert_int_equal(p->login.exp_stat_sn, 78);
    free(p);
}

static void a_bad_key_ends_the_login(void **state)
{
    struct play *p = begin();
    to_operational(p);
    struct iskra_pdu_login_rsp rsp = response(p);
    assert_true(give(p, &rsp, "MaxBurstLength=0;") < 0);
    assert_int_equal(p->err.code, ISKRA_E_NEGOTIATION);
    free(p);
}

static void status_classes_become_error_codes(void **state)
{
    static const struct {
        uint8_t status_class, detail;
        enum iskra_code code;
        int sys_errno;
    } table[] = {
        {2, 0, ISKRA_E_LOGIN, EIO},     {2, 1, ISKRA_E_AUTH, EACCES},
        {2, 2, ISKRA_E_AUTH, EACCES},   {2, 3, ISKRA_E_LOGIN, ENOENT},
        {2, 4, ISKRA_E_LOGIN, ENOENT},  {2, 5, ISKRA_E_LOGIN, EIO},
        {2, 11, ISKRA_E_LOGIN, EIO},    {2, 255, ISKRA_E_LOGIN, EIO},
        {3, 0, ISKRA_E_LOGIN, EAGAIN},  {3, 1, ISKRA_E_LOGIN, EAGAIN},
        {3, 2, ISKRA_E_LOGIN, EAGAIN},  {4, 0, ISKRA_E_LOGIN, EIO},
        {255, 255, ISKRA_E_LOGIN, EIO}, {1, 0, ISKRA_E_LOGIN, EIO},
        {1, 3, ISKRA_E_LOGIN, EIO},
    };
    for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
        struct play *p = begin();
        struct iskra_pdu_login_rsp rsp = response(p);
        rsp.status_class = table[i].status_class;
        rsp.status_detail = table[i].detail;
        rsp.csg = 3; /* the rest of such a response means nothing */
        assert_int_equal(give(p, &rsp, ""), -table[i].sys_errno);
        assert_int_equal(p->err.code, table[i].code);
        assert_int_equal(p->err.login_class, table[i].status_class);
        assert_int_equal(p->err.login_detail, table[i].detail);
        free(p);
    }
}

static void target_not_found_says_so(void **state)
{
    struct play *p = begin();
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.status_class = 2;
    rsp.status_detail = 3;
    refused(p, &rsp, ISKRA_E_LOGIN, "target not found");
}

static void both_kinds_of_redirect_bring_the_address(void **state)
{
    for (uint8_t detail = 1; detail <= 2; detail++) {
        struct play *p = begin();
        struct iskra_pdu_login_rsp rsp = response(p);
        rsp.status_class = 1;
        rsp.status_detail = detail;
        rsp.transit = false;
        assert_int_equal(
            give(p, &rsp, "X-a=1;TargetAddress=192.0.2.7:3261,2;TargetAddress=192.0.2.8;"),
            ISKRA_LOGIN_REDIRECT);
        assert_string_equal(p->login.keys.results.target_address, "192.0.2.7:3261,2");
        free(p);
    }
}

static void a_redirect_without_an_address_is_refused(void **state)
{
    struct play *p = begin();
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.status_class = 1;
    rsp.status_detail = 1;
    refused(p, &rsp, ISKRA_E_PROTOCOL, "does not say where to");
}

static void a_redirect_to_4_kib_of_host_is_refused(void **state)
{
    struct play *p = begin();
    struct iskra_pdu_login_rsp rsp = response(p);
    static char text[4096] = "TargetAddress=";
    memset(text + 14, 'a', sizeof(text) - 15);
    rsp.status_class = 1;
    rsp.status_detail = 1;
    assert_true(give_bytes(p, &rsp, text, sizeof(text)) < 0);
    assert_int_equal(p->err.code, ISKRA_E_NEGOTIATION);
    free(p);
}

/* As many long unknown keys as are allowed make an answer of more than one PDU. */
static void a_long_answer_goes_out_in_pieces_with_the_c_bit(void **state)
{
    struct play *p = begin();
    for (unsigned i = 0; i < 9000; i++)
        p->login_text.out[i] = 'k';
    p->login.out.len = 9000;
    p->login.out_sent = 0;
    request(p);
    assert_int_equal(p->text_len, 8192);
    assert_true(p->req.cont);
    assert_false(p->req.transit);
    struct iskra_pdu_login_rsp rsp = response(p);
    assert_int_equal(give(p, &rsp, ""), ISKRA_LOGIN_SEND);
    request(p);
    assert_int_equal(p->text_len, 808);
    assert_false(p->req.cont);
    assert_true(p->req.transit);
    free(p);
}

static void text_in_the_middle_of_ours_is_refused(void **state)
{
    struct play *p = begin();
    p->login.out.len = 9000;
    p->login.out_sent = 0;
    request(p);
    struct iskra_pdu_login_rsp rsp = response(p);
    assert_true(give(p, &rsp, "AuthMethod=None;") < 0);
    assert_int_equal(p->err.code, ISKRA_E_PROTOCOL);
    free(p);
}

/* Any header bytes at all: an answer or an error, never anything else. */
static void any_header_is_survived(void **state)
{
    uint32_t seed = 12345;
    for (unsigned i = 0; i < 20000; i++) {
        static struct play *p;
        if (!p || i % 16 == 0) {
            free(p);
            p = begin();
        }
        uint8_t hdr[ISKRA_BHS_LEN];
        for (unsigned j = 0; j < sizeof(hdr); j++) {
            seed = seed * 1664525u + 1013904223u;
            hdr[j] = (uint8_t)(seed >> 24);
        }
        if (i % 2 == 0)
            hdr[36] = hdr[37] = 0;
        if (i % 4 == 0) {
            hdr[3] = 0;
            memcpy(hdr + 8, isid, sizeof(isid));
        }
        uint8_t text[64];
        for (unsigned j = 0; j < sizeof(text); j++) {
            seed = seed * 1664525u + 1013904223u;
            text[j] = (uint8_t)(seed >> 24);
        }
        memset(&p->err, 0, sizeof(p->err));
        int ret = iskra_login_response(&p->login, hdr, text, seed % 65, &p->err);
        assert_true(ret < 0 || (ret >= ISKRA_LOGIN_SEND && ret <= ISKRA_LOGIN_REDIRECT));
        assert_int_equal(ret < 0, p->err.code != ISKRA_OK);
        if (i == 19999) {
            free(p);
            p = NULL;
        }
    }
}

static void names_that_do_not_fit_are_refused(void **state)
{
    struct play *p = begin();
    char *name = calloc(1, 9000);
    assert_non_null(name);
    memset(name, 'i', 8999);
    p->cfg.initiator_name = name;
    assert_int_equal(iskra_login_begin(&p->login, &p->cfg, &p->err), -EINVAL);
    free(name);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(two_stages_lead_to_full_feature_phase),
        cmocka_unit_test(one_stage_is_enough_without_security),
        cmocka_unit_test(a_discovery_session_names_no_target),
        cmocka_unit_test(a_target_may_take_several_rounds),
        cmocka_unit_test(answers_owed_go_along_into_the_next_stage),
        cmocka_unit_test(text_may_be_cut_anywhere_by_the_c_bit),
        cmocka_unit_test(the_c_bit_for_ever_ends),
        cmocka_unit_test(the_t_bit_never_ends_as_well),
        cmocka_unit_test(text_of_more_than_64_kib_is_refused),
        cmocka_unit_test(another_current_stage_is_refused),
        cmocka_unit_test(another_next_stage_is_refused),
        cmocka_unit_test(a_transit_nobody_asked_for_is_refused),
        cmocka_unit_test(t_and_c_bit_together_are_refused),
        cmocka_unit_test(tsih_zero_at_the_end_is_refused),
        cmocka_unit_test(another_isid_is_refused),
        cmocka_unit_test(another_version_is_refused),
        cmocka_unit_test(stat_sn_is_followed_wherever_it_goes),
        cmocka_unit_test(a_bad_key_ends_the_login),
        cmocka_unit_test(status_classes_become_error_codes),
        cmocka_unit_test(target_not_found_says_so),
        cmocka_unit_test(both_kinds_of_redirect_bring_the_address),
        cmocka_unit_test(a_redirect_without_an_address_is_refused),
        cmocka_unit_test(a_redirect_to_4_kib_of_host_is_refused),
        cmocka_unit_test(a_long_answer_goes_out_in_pieces_with_the_c_bit),
        cmocka_unit_test(text_in_the_middle_of_ours_is_refused),
        cmocka_unit_test(any_header_is_survived),
        cmocka_unit_test(names_that_do_not_fit_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
