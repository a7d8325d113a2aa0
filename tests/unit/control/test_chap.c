/* control/chap.h and the login around it: values, steps, and a target that does not keep to them.
 */
#include "control_test.h"

#include <stdlib.h>

#include "control/login.h"

static const uint8_t random_bytes[ISKRA_CHAP_CHALLENGE_MAX + 1] = {9, 1, 2, 3, 4, 5, 6, 7, 8};

struct play {
    struct iskra_chap_config chap;
    struct iskra_login login;
    struct iskra_login_text login_text;
    struct iskra_login_config cfg;
    struct iskra_pdu_login req;
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
    memcpy(p->text, text, p->text_len);
}

static struct play *begin(const char *target_secret, bool single)
{
    struct play *p = calloc(1, sizeof(*p));
    assert_non_null(p);
    strcpy(p->chap.user, "me");
    strcpy(p->chap.secret, "a-password-of-ours");
    strcpy(p->chap.target_secret, target_secret);
    p->cfg = (struct iskra_login_config){
        .initiator_name = "iqn.2026-01.org.example:i",
        .target_name = "iqn.2026-01.org.example:t",
        .chap = &p->chap,
        .chap_single = single,
        .skip_security = true, /* has no say */
    };
    memcpy(p->cfg.chap_random, random_bytes, sizeof(random_bytes));
    iskra_key_offer_default(&p->cfg.offer, false);
    p->login.text = &p->login_text;
    assert_int_equal(iskra_login_begin(&p->login, &p->cfg, &p->err), 0);
    request(p);
    return p;
}

static struct iskra_pdu_login_rsp response(const struct play *p)
{
    return (struct iskra_pdu_login_rsp){
        .transit = p->req.transit,
        .csg = p->req.csg,
        .nsg = p->req.transit ? p->req.nsg : 0,
        .tsih = 7,
        .stat_sn = 1,
    };
}

static int give_as(struct play *p, struct iskra_pdu_login_rsp rsp, const char *text)
{
    static char buf[65536];
    uint8_t hdr[ISKRA_BHS_LEN];
    size_t len = segment(buf, sizeof(buf), text);
    rsp.data_len = (uint32_t)len;
    iskra_login_rsp_encode(&rsp, hdr);
    memset(&p->err, 0, sizeof(p->err));
    int ret = iskra_login_response(&p->login, hdr, (const uint8_t *)buf, len, &p->err);
    assert_null(strstr(p->err.text, "a-password"));
    if (ret == ISKRA_LOGIN_SEND)
        request(p);
    return ret;
}

static int give(struct play *p, const char *text)
{
    return give_as(p, response(p), text);
}

static void refuses(struct play *p, const char *text, const char *word)
{
    int ret = give(p, text);
    assert_int_equal(ret, -EACCES);
    assert_int_equal(p->err.code, ISKRA_E_AUTH);
    if (!strstr(p->err.text, word))
        fail_msg("'%s' does not speak of '%s'", p->err.text, word);
    free(p);
}

static struct play *asked(const char *target_secret)
{
    struct play *p = begin(target_secret, false);
    assert_non_null(strstr(readable(p->text, p->text_len), ";AuthMethod=CHAP;"));
    assert_int_equal(p->req.csg, ISKRA_STAGE_SECURITY);
    assert_false(p->req.transit);
    assert_int_equal(give(p, "AuthMethod=CHAP;TargetPortalGroupTag=1;"), ISKRA_LOGIN_SEND);
    assert_string_equal(readable(p->text, p->text_len), "CHAP_A=5,6,7,8;");
    assert_false(p->req.transit);
    return p;
}

#define CHALLENGE "CHAP_I=7;CHAP_C=0x000102030405060708090a0b0c0d0e0f;"

static struct play *answered(const char *target_secret)
{
    struct play *p = asked(target_secret);
    assert_int_equal(give(p, "CHAP_A=5;" CHALLENGE), ISKRA_LOGIN_SEND);
    assert_true(p->req.transit);
    return p;
}

/* What each algorithm makes of id 7, "a-password-of-ours" and the bytes 0 to 15, by Python:
 * hashlib.new(name, bytes([7]) + b"a-password-of-ours" + bytes(range(16))).hexdigest() */
static void each_algorithm_gives_the_known_response(void **state)
{
    static const char *const rows[][2] = {
        {"5", "4da5b756fc0e5fe404a86d4014285b39"},
        {"6", "21f3b003ccae5d936ffca61dd4b7b2ea2437fc58"},
        {"7", "395b6ef8d18e0bfed914b532f88567a0f8a0a4f0ac609d0036e4f8817da45513"},
        {"8", "e4336cfced80ee31a0dc95e598d47bdab7b4667f420a2fbce42a268603079a72"},
    };
    for (unsigned i = 0; i < 4; i++) {
        char text[200], want[200];
        struct play *p = asked("");
        snprintf(text, sizeof(text), "CHAP_A=%s;" CHALLENGE, rows[i][0]);
        snprintf(want, sizeof(want), "CHAP_N=me;CHAP_R=0x%s;", rows[i][1]);
        assert_int_equal(give(p, text), ISKRA_LOGIN_SEND);
        assert_string_equal(readable(p->text, p->text_len), want);
        assert_int_equal(give(p, ""), ISKRA_LOGIN_SEND);
        assert_int_equal(p->req.csg, ISKRA_STAGE_OPERATIONAL);
        assert_int_equal(give(p, ""), ISKRA_LOGIN_DONE);
        free(p);
    }
}

static void proof(const struct play *p, const char *secret, char *text, size_t size)
{
    uint8_t digest[ISKRA_CHAP_DIGEST_MAX];
    assert_int_equal(
        iskra_chap_digest(ISKRA_CHAP_MD5, random_bytes[0], secret, random_bytes + 1, 16, digest),
        16);
    size_t n = (size_t)snprintf(text, size, "CHAP_N=it;CHAP_R=0x");
    for (unsigned i = 0; i < 16; i++)
        n += (size_t)snprintf(text + n, size - n, "%02X", digest[i]);
    snprintf(text + n, size - n, ";");
}

static void a_target_that_proves_itself_is_believed(void **state)
{
    char text[128];
    struct play *p = answered("a-password-of-theirs");
    assert_non_null(strstr(readable(p->text, p->text_len),
                           ";CHAP_I=9;CHAP_C=0x01020304050607080000000000000000;"));
    proof(p, "a-password-of-theirs", text, sizeof(text));
    assert_int_equal(give(p, text), ISKRA_LOGIN_SEND);
    assert_int_equal(p->req.csg, ISKRA_STAGE_OPERATIONAL);
    free(p);
}

static void a_wrong_target_secret_is_refused(void **state)
{
    char text[128];
    struct play *p = answered("a-password-of-theirs");
    proof(p, "a-password-of-others", text, sizeof(text));
    refuses(p, text, "does not match");
}

static void another_target_name_is_refused(void **state)
{
    char text[128];
    struct play *p = answered("a-password-of-theirs");
    strcpy(p->chap.target_user, "other");
    proof(p, "a-password-of-theirs", text, sizeof(text));
    refuses(p, text, "calls itself it");
}

static void a_target_that_skips_its_proof_is_refused(void **state)
{
    refuses(answered("a-password-of-theirs"), "", "asked to prove itself");
}

static void a_reflected_response_is_refused(void **state)
{
    refuses(answered("a-password-of-theirs"),
            "CHAP_N=it;CHAP_R=0x4da5b756fc0e5fe404a86d4014285b39;", "our own response");
}

static void a_response_of_another_length_is_refused(void **state)
{
    static const char *const texts[] = {"CHAP_N=it;CHAP_R=0x;",
                                        "CHAP_N=it;CHAP_R=0x4da5b756fc0e5fe404a86d4014285b;",
                                        "CHAP_N=it;CHAP_R=0x4da5b756fc0e5fe404a86d4014285b3900;",
                                        "CHAP_N=it;CHAP_R=0x4da5b756fc0e5fe404a86d4014285b3;"};
    for (unsigned i = 0; i < 4; i++)
        refuses(answered("a-password-of-theirs"), texts[i], "not 16 bytes");
}

static void our_own_challenge_is_refused(void **state)
{
    refuses(asked("a-password-of-theirs"),
            "CHAP_A=5;CHAP_I=9;CHAP_C=0x01020304050607080000000000000000;", "is our own");
}

static void answers_that_go_around_chap_are_refused(void **state)
{
    refuses(begin("", false), "AuthMethod=None;", "only CHAP was offered");
    refuses(begin("", false), "AuthMethod=Reject;", "only CHAP was offered");
    refuses(begin("", false), "", "has not answered AuthMethod");
    refuses(begin("", false), "AuthMethod=CHAP;CHAP_A=5;" CHALLENGE, "nobody asked for");
    refuses(asked(""), "CHAP_N=it;CHAP_R=0x00;", "no CHAP_A");
    refuses(asked(""), "", "no CHAP_A");
    refuses(answered(""), "CHAP_N=it;CHAP_R=0x00;", "nobody asked for");
}

static void the_security_stage_is_not_jumped_over(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        struct play *p = i < 2 ? begin("", false) : asked("");
        struct iskra_pdu_login_rsp rsp = response(p);
        rsp.transit = true;
        rsp.csg = i % 2 ? ISKRA_STAGE_OPERATIONAL : ISKRA_STAGE_SECURITY;
        rsp.nsg = i % 2 ? ISKRA_STAGE_FULL_FEATURE : ISKRA_STAGE_OPERATIONAL;
        assert_int_equal(give_as(p, rsp, "AuthMethod=CHAP;"), -EACCES);
        assert_int_equal(p->err.code, ISKRA_E_AUTH);
        free(p);
    }
}

static void hostile_values_are_refused(void **state)
{
    static const char *const rows[][2] = {
        {"CHAP_A=4;" CHALLENGE, "CHAP_A=4"},
        {"CHAP_A=9;" CHALLENGE, "CHAP_A=9"},
        {"CHAP_A=261;" CHALLENGE, "CHAP_A=261"},
        {"CHAP_A=5,6;" CHALLENGE, "CHAP_A=5,6"},
        {"CHAP_A=;" CHALLENGE, "CHAP_A="},
        {"CHAP_A=5;CHAP_A=5;" CHALLENGE, "twice"},
        {"CHAP_A=5;CHAP_X=5;" CHALLENGE, "CHAP_X"},
        {"CHAP_A=5;CHAP_I=256;CHAP_C=0x00;", "CHAP_I"},
        {"CHAP_A=5;CHAP_I=-1;CHAP_C=0x00;", "CHAP_I"},
        {"CHAP_A=5;CHAP_I=;CHAP_C=0x00;", "CHAP_I"},
        {"CHAP_A=5;CHAP_I=18446744073709551616;CHAP_C=0x00;", "CHAP_I"},
        {"CHAP_A=5;CHAP_I=7;CHAP_C=0x012;", "CHAP_C"},
        {"CHAP_A=5;CHAP_I=7;CHAP_C=0x;", "CHAP_C"},
        {"CHAP_A=5;CHAP_I=7;CHAP_C=;", "CHAP_C"},
        {"CHAP_A=5;CHAP_I=7;CHAP_C=0b;", "CHAP_C"},
        {"CHAP_A=5;CHAP_I=7;CHAP_C=0bAAA;", "CHAP_C"},
        {"CHAP_A=5;CHAP_I=7;CHAP_C=0bA===;", "CHAP_C"},
        {"CHAP_A=5;CHAP_I=7;CHAP_C=0bAA=A;", "CHAP_C"},
        {"CHAP_A=5;CHAP_I=7;CHAP_C=0bA*AA;", "CHAP_C"},
        {"CHAP_A=5;CHAP_I=7;CHAP_C=0x0g;", "CHAP_C"},
        {"CHAP_A=5;CHAP_I=7;CHAP_C=00;", "CHAP_C"},
        {"CHAP_A=5;CHAP_I=7;", "no CHAP_C"},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        refuses(asked(""), rows[i][0], rows[i][1]);
}

static void odd_but_legal_values_are_taken(void **state)
{
    static const char *const texts[] = {
        "CHAP_A=5;CHAP_I=0x7;CHAP_C=0X000102030405060708090A0B0C0D0E0F;",
        "CHAP_C=0bAAECAwQFBgcICQoLDA0ODw==;CHAP_I=7;CHAP_A=0x5;"};
    for (unsigned i = 0; i < 2; i++) {
        struct play *p = asked("");
        assert_int_equal(give(p, texts[i]), ISKRA_LOGIN_SEND);
        assert_string_equal(readable(p->text, p->text_len),
                            "CHAP_N=me;CHAP_R=0x4da5b756fc0e5fe404a86d4014285b39;");
        free(p);
    }
}

static void challenges_of_1_to_1024_bytes_are_answered(void **state)
{
    static char text[8000];
    for (unsigned len = 1; len <= 1025; len += len == 1 ? 1023 : 1) {
        struct play *p = asked("");
        size_t n = (size_t)snprintf(text, sizeof(text), "CHAP_A=5;CHAP_I=0;CHAP_C=0x");
        for (unsigned i = 0; i < len; i++)
            n += (size_t)snprintf(text + n, sizeof(text) - n, "%02x", i & 255);
        snprintf(text + n, sizeof(text) - n, ";");
        assert_int_equal(give(p, text), len <= 1024 ? ISKRA_LOGIN_SEND : -EACCES);
        free(p);
    }
}

static void a_challenge_of_more_than_a_login_may_say_is_refused(void **state)
{
    struct play *p = asked("");
    static char text[40000] = "CHAP_A=5;CHAP_I=0;CHAP_C=0x";
    memset(text + 27, 'a', sizeof(text) - 29);
    text[sizeof(text) - 2] = ';';
    assert_int_equal(give(p, text), -EACCES);
    free(p);
}

static void a_refused_list_is_tried_again_with_the_first_alone(void **state)
{
    for (unsigned detail = 0; detail < 3; detail++) {
        struct play *p = asked("");
        struct iskra_pdu_login_rsp rsp = response(p);
        rsp.status_class = 2;
        rsp.status_detail = (uint8_t)detail;
        assert_int_equal(give_as(p, rsp, ""), detail < 2 ? ISKRA_LOGIN_AGAIN : -EACCES);
        free(p);
    }
    struct play *p = asked("");
    assert_int_equal(give(p, "CHAP_A=Reject;"), ISKRA_LOGIN_AGAIN);
    free(p);
    p = begin("", true);
    assert_int_equal(give(p, "AuthMethod=CHAP;"), ISKRA_LOGIN_SEND);
    assert_string_equal(readable(p->text, p->text_len), "CHAP_A=5;");
    refuses(p, "CHAP_A=Reject;", "CHAP");
}

static void a_wrong_secret_is_not_tried_again(void **state)
{
    struct play *p = answered("");
    struct iskra_pdu_login_rsp rsp = response(p);
    rsp.status_class = 2;
    rsp.status_detail = 1;
    assert_int_equal(give_as(p, rsp, ""), -EACCES);
    assert_int_equal(p->err.code, ISKRA_E_AUTH);
    free(p);
}

static void nothing_is_left_after_a_wipe(void **state)
{
    static const struct iskra_chap nothing;
    struct play *p = answered("a-password-of-theirs");
    iskra_login_wipe(&p->login);
    assert_memory_equal(&p->login.chap, &nothing, sizeof(nothing));
    for (unsigned i = 0; i < sizeof(random_bytes); i++)
        assert_int_equal(p->login.cfg.chap_random[i], 0);
    free(p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_algorithm_gives_the_known_response),
        cmocka_unit_test(a_target_that_proves_itself_is_believed),
        cmocka_unit_test(a_wrong_target_secret_is_refused),
        cmocka_unit_test(another_target_name_is_refused),
        cmocka_unit_test(a_target_that_skips_its_proof_is_refused),
        cmocka_unit_test(a_reflected_response_is_refused),
        cmocka_unit_test(a_response_of_another_length_is_refused),
        cmocka_unit_test(our_own_challenge_is_refused),
        cmocka_unit_test(answers_that_go_around_chap_are_refused),
        cmocka_unit_test(the_security_stage_is_not_jumped_over),
        cmocka_unit_test(hostile_values_are_refused),
        cmocka_unit_test(odd_but_legal_values_are_taken),
        cmocka_unit_test(challenges_of_1_to_1024_bytes_are_answered),
        cmocka_unit_test(a_challenge_of_more_than_a_login_may_say_is_refused),
        cmocka_unit_test(a_refused_list_is_tried_again_with_the_first_alone),
        cmocka_unit_test(a_wrong_secret_is_not_tried_again),
        cmocka_unit_test(nothing_is_left_after_a_wipe),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
