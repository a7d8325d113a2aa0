/* CHAP at the target (RFC 7143 12.1.3): what it asks for, what it takes, and that nobody comes past
 * it. Random numbers are 1, 2, 3, ..., so that challenges and responses can be pinned by bytes that
 * another program computed. */
#include "peer.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

#define USER        "user"
#define SECRET      "a secret of the user"
#define MUTUAL_USER "target"
#define MUTUAL      "a secret of the target"

static struct iskra_target *target;
static struct iskra_target_options options;
static struct peer peer;
static uint8_t next_random;

static int count_up(void *arg, void *buf, size_t len)
{
    uint8_t *p = buf;
    for (size_t i = 0; i < len; i++)
        p[i] = next_random++;
    return 0;
}

static int options_set(void **state)
{
    iskra_target_options_init(&options);
    options.user = USER;
    options.password = SECRET;
    options.mutual_user = MUTUAL_USER;
    options.mutual_password = MUTUAL;
    options.random = count_up;
    next_random = 1;
    target = NULL;
    return 0;
}

static void begin(void)
{
    target = peer_target(&options);
    peer_open(&peer, target);
}

static int teardown(void **state)
{
    if (target)
        peer_close(&peer);
    iskra_target_free(target);
    return 0;
}

/* What the target said last. */
static struct iskra_pdu_login_rsp rsp;
static struct answer answer;

static void say(uint8_t csg, uint8_t nsg, bool transit, const char *text, uint32_t len)
{
    peer_login_send(&peer, csg, nsg, transit, text, len);
}

static void expect(bool transit)
{
    peer_login_expect(&peer, &rsp, &answer);
    assert_int_equal(rsp.status_class << 8 | rsp.status_detail, 0);
    assert_int_equal(rsp.transit, transit);
}

static void refused(uint16_t status)
{
    peer_login_refused(&peer, status);
}

static void method_agree(void)
{
    say(0, 1, false, TEXT(NAMES "\0AuthMethod=CHAP,None"));
    expect(false);
    assert_string_equal(answer_value(&answer, "AuthMethod"), "CHAP");
}

/* Up to the challenge, by the algorithms given. */
static void challenge_get(const char *chap_a)
{
    method_agree();
    char text[64];
    int len = snprintf(text, sizeof(text), "CHAP_A=%s", chap_a);
    say(0, 1, false, text, (uint32_t)len + 1);
    expect(false);
}

static void hex_put(char *text, const uint8_t *bytes, size_t len)
{
    for (size_t i = 0; i < len; i++)
        (void)sprintf(text + 2 * i, "%02x", bytes[i]);
}

/* The response to the challenge 1 + ..., by MD5, as hexadecimal digits. */
static void response_make(char *ret_digits, uint8_t id, const uint8_t *challenge, size_t len)
{
    uint8_t input[2048], digest[EVP_MAX_MD_SIZE];
    unsigned digest_len;
    input[0] = id;
    memcpy(input + 1, SECRET, strlen(SECRET));
    memcpy(input + 1 + strlen(SECRET), challenge, len);
    assert_int_equal(
        EVP_Digest(input, 1 + strlen(SECRET) + len, digest, &digest_len, EVP_md5(), NULL), 1);
    hex_put(ret_digits, digest, digest_len);
}

#define CHALLENGE_HEX "02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021"
#define RESPONSE_MD5  "9b3610ff2fb4122afb2ca8b86f580e94"
#define PROOF_ASK     "\0CHAP_I=200\0CHAP_C=0x00112233445566778899aabbccddeeff"
#define PROOF_MD5     "0x8cf9ef99575d6999241cc995b1619b4b"
#define ANSWER        "CHAP_N=" USER "\0CHAP_R=0x" RESPONSE_MD5

/* ---- what is asked for ---- */

static void a_login_by_md5_takes_these_steps(void **state)
{
    begin();
    challenge_get("5");
    assert_string_equal(answer_value(&answer, "CHAP_A"), "5");
    assert_string_equal(answer_value(&answer, "CHAP_I"), "1");
    assert_string_equal(answer_value(&answer, "CHAP_C"), "0x" CHALLENGE_HEX);
    say(0, 1, true, TEXT(ANSWER));
    expect(true);
    assert_int_equal(rsp.nsg, 1);
    assert_string_equal(answer_value(&answer, "CHAP_N"), "");
    assert_string_equal(answer_value(&answer, "CHAP_R"), "");
    say(1, 3, true, NULL, 0);
    expect(true);
    assert_int_not_equal(rsp.tsih, 0);
}

static void each_algorithm_has_its_known_response(void **state)
{
    static const struct {
        const char *number, *response;
    } rows[] = {
        {"5", "0x" RESPONSE_MD5},
        {"6", "0x74e7fe787f175f55898eb7fde05c84b545aca77f"},
        {"7", "0x133ac210cc2f80e6c971754ff3794633956fc4cc7fe350371c43711d52c432d9"},
        {"8", "0x94000a43abdaca1fc6765cafc12eaee51b4372559efa2efc20bf70f964d09423"},
    };
    for (unsigned i = 0; i < 4; i++) {
        next_random = 1;
        begin();
        challenge_get(rows[i].number);
        assert_string_equal(answer_value(&answer, "CHAP_A"), rows[i].number);
        char text[128];
        int len = snprintf(text, sizeof(text), "CHAP_N=%s%cCHAP_R=%s", USER, 0, rows[i].response);
        say(0, 3, true, text, (uint32_t)len + 1);
        expect(true);
        teardown(NULL);
        target = NULL;
    }
}

static void the_first_algorithm_of_the_list_that_is_allowed_is_chosen(void **state)
{
    static const struct {
        unsigned allowed;
        const char *list, *chosen;
    } rows[] = {
        {ISKRA_TARGET_CHAP_ALL, "8,7,6,5", "8"},
        {ISKRA_TARGET_CHAP_ALL, "5,8", "5"},
        {ISKRA_TARGET_CHAP_MD5 | ISKRA_TARGET_CHAP_SHA1, "8,7,6,5", "6"},
        {ISKRA_TARGET_CHAP_SHA256, "5,6,0x7", "7"},
        {ISKRA_TARGET_CHAP_ALL, "99,x,,6", "6"},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        options.chap_algorithms = rows[i].allowed;
        begin();
        challenge_get(rows[i].list);
        assert_string_equal(answer_value(&answer, "CHAP_A"), rows[i].chosen);
        teardown(NULL);
        target = NULL;
    }
}

static void no_algorithm_in_common_is_refused(void **state)
{
    options.chap_algorithms = ISKRA_TARGET_CHAP_SHA256 | ISKRA_TARGET_CHAP_SHA3_256;
    begin();
    method_agree();
    say(0, 1, false, TEXT("CHAP_A=5,6"));
    refused(0x0201);
}

static void a_target_for_single_algorithms_refuses_a_list(void **state)
{
    options.chap_single = true;
    begin();
    method_agree();
    say(0, 1, false, TEXT("CHAP_A=5,7"));
    refused(0x0200);
}

static void a_target_for_single_algorithms_takes_one(void **state)
{
    options.chap_single = true;
    begin();
    challenge_get("5");
    say(0, 3, true, TEXT(ANSWER));
    expect(true);
}

static void challenges_are_not_the_same_twice(void **state)
{
    options.random = iskra_target_random;
    begin();
    char first[512];
    challenge_get("5");
    (void)snprintf(first, sizeof(first), "%s", answer_value(&answer, "CHAP_C"));
    struct peer other = peer;
    peer_open(&peer, target);
    challenge_get("5");
    assert_int_equal(strlen(first), 66);
    assert_string_not_equal(answer_value(&answer, "CHAP_C"), first);
    peer_close(&other);
}

static int no_random(void *arg, void *buf, size_t len)
{
    return -5;
}

static void without_random_numbers_nobody_is_let_in(void **state)
{
    options.random = no_random;
    begin();
    method_agree();
    say(0, 1, false, TEXT("CHAP_A=5"));
    refused(0x0300);
}

static void challenges_of_any_legal_length_are_answered(void **state)
{
    static const uint32_t lens[] = {1, 2, 16, 255, 1024};
    for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        options.chap_challenge_len = lens[i];
        next_random = 1;
        begin();
        challenge_get("5");
        uint8_t challenge[1024];
        for (uint32_t at = 0; at < lens[i]; at++)
            challenge[at] = (uint8_t)(at + 2);
        char text[256] = "CHAP_N=" USER "\0CHAP_R=0x";
        response_make(text + sizeof("CHAP_N=" USER "\0CHAP_R=0x") - 1, 1, challenge, lens[i]);
        say(0, 3, true, text, sizeof(ANSWER));
        expect(true);
        teardown(NULL);
        target = NULL;
    }
}

static void a_challenge_can_be_base64(void **state)
{
    options.chap_base64 = true;
    begin();
    challenge_get("5");
    assert_string_equal(answer_value(&answer, "CHAP_C"),
                        "0bAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE=");
    say(0, 3, true, TEXT(ANSWER));
    expect(true);
}

static void a_challenge_can_be_in_capitals(void **state)
{
    options.chap_hex_upper = true;
    begin();
    challenge_get("5");
    assert_string_equal(answer_value(&answer, "CHAP_C"),
                        "0X02030405060708090A0B0C0D0E0F101112131415161718191A1B1C1D1E1F2021");
}

/* ---- what is taken ---- */

static void these_answers_are_taken(void **state)
{
    static const struct row {
        const char *text;
        uint32_t len;
    } rows[] = {
        {TEXT(ANSWER)},
        {TEXT("CHAP_R=0x" RESPONSE_MD5 "\0CHAP_N=" USER)},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0X9B3610FF2FB4122AFB2CA8B86F580E94")},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0bmzYQ/y+0Eir7LKi4b1gOlA==")},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0BmzYQ/y+0Eir7LKi4b1gOlA==")},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        next_random = 1;
        begin();
        challenge_get("5");
        say(0, 3, true, rows[i].text, rows[i].len);
        expect(true);
        teardown(NULL);
        target = NULL;
    }
}

static void these_answers_are_refused(void **state)
{
    static const struct row {
        const char *text;
        uint32_t len;
        uint16_t status;
    } rows[] = {
        {TEXT("CHAP_N=" USER "\0CHAP_R=0x00000000000000000000000000000000"), 0x0201},
        {TEXT("CHAP_N=User\0CHAP_R=0x" RESPONSE_MD5), 0x0201},
        {TEXT("CHAP_N=use\0CHAP_R=0x" RESPONSE_MD5), 0x0201},
        {TEXT("CHAP_N=\0CHAP_R=0x" RESPONSE_MD5), 0x0201},
        {TEXT("CHAP_R=0x" RESPONSE_MD5), 0x0201},
        {TEXT("CHAP_N=" USER), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R="), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0x"), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R=" RESPONSE_MD5), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0x" RESPONSE_MD5 "0"), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0x" RESPONSE_MD5 "00"), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0x" RESPONSE_MD5 "0x"), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0xg0" RESPONSE_MD5), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0b="), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0bmzYQ/y+0Eir7LKi4b1gOlB=="), 0x0201}, /* bits left over */
        {TEXT("CHAP_N=" USER "\0CHAP_R=0b===="), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0bmzYQ/y+0Eir7LKi4b1gOlA"), 0x0201},
        {TEXT("CHAP_N=" USER "\0CHAP_R=0b!mzYQ/y+0Eir7LKi4b1gOlA=="), 0x0201},
        {TEXT(ANSWER "\0CHAP_R=0x" RESPONSE_MD5), 0x0200},
        {TEXT(ANSWER "\0CHAP_A=5"), 0x0200},
        {TEXT(ANSWER "\0AuthMethod=None"), 0x0200},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        next_random = 1;
        begin();
        challenge_get("5");
        say(0, 3, true, rows[i].text, rows[i].len);
        refused(rows[i].status);
        teardown(NULL);
        target = NULL;
    }
}

static void an_answer_may_be_spread_by_the_c_bit(void **state)
{
    static const char text[] = ANSWER PROOF_ASK;
    begin();
    challenge_get("5");
    struct iskra_pdu_login req = {.cont = true, .cid = 1, .itt = 0x55};
    memcpy(req.isid, peer.isid, ISKRA_ISID_LEN);
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_login_encode(&req, bhs);
    peer_send(&peer, bhs, text, 30);
    expect(false);
    assert_int_equal(answer.len, 0);
    say(0, 3, true, text + 30, sizeof(text) - 30);
    expect(true);
    assert_string_equal(answer_value(&answer, "CHAP_R"), PROOF_MD5);
}

static void a_response_of_one_digit_too_few_is_refused(void **state)
{
    begin();
    challenge_get("5");
    char text[] = ANSWER;
    text[sizeof(text) - 2] = '\0';
    say(0, 3, true, text, sizeof(text) - 1);
    refused(0x0201);
}

static void a_response_of_a_thousand_digits_is_refused(void **state)
{
    begin();
    challenge_get("5");
    char text[1100] = "CHAP_N=" USER "\0CHAP_R=0x";
    memset(text + sizeof("CHAP_N=" USER "\0CHAP_R=0x") - 1, '0', 1000);
    say(0, 3, true, text, sizeof(text));
    refused(0x0201);
}

static void each_single_bit_of_a_response_counts(void **state)
{
    for (unsigned digit = 0; digit < 32; digit++) {
        next_random = 1;
        begin();
        challenge_get("5");
        char text[] = ANSWER;
        char *at = text + sizeof(text) - 33 + digit;
        *at = *at == '0' ? '1' : '0';
        say(0, 3, true, text, sizeof(text));
        refused(0x0201);
        teardown(NULL);
        target = NULL;
    }
}

static void a_response_to_the_last_challenge_is_refused(void **state)
{
    begin();
    challenge_get("5");
    peer_close(&peer);
    peer_open(&peer, target);
    challenge_get("5");
    say(0, 3, true, TEXT(ANSWER));
    refused(0x0201);
}

/* ---- nobody comes past it ---- */

static void offering_only_none_is_refused(void **state)
{
    begin();
    say(0, 1, true, TEXT(NAMES "\0AuthMethod=None"));
    refused(0x0201);
}

static void none_before_chap_does_not_help(void **state)
{
    begin();
    say(0, 1, true, TEXT(NAMES "\0AuthMethod=None,CHAP"));
    expect(false);
    assert_string_equal(answer_value(&answer, "AuthMethod"), "CHAP");
}

static void the_stage_cannot_be_skipped(void **state)
{
    begin();
    say(1, 3, true, TEXT(NAMES));
    refused(0x0201);
}

static void the_stage_cannot_be_skipped_without_t_either(void **state)
{
    begin();
    say(1, 0, false, TEXT(NAMES));
    refused(0x0201);
}

static void leaving_the_stage_without_a_method_is_refused(void **state)
{
    begin();
    say(0, 1, true, TEXT(NAMES));
    refused(0x0201);
}

static void leaving_the_stage_instead_of_a_list_is_refused(void **state)
{
    begin();
    method_agree();
    say(0, 1, true, NULL, 0);
    refused(0x0201);
}

static void leaving_the_stage_instead_of_a_response_is_refused(void **state)
{
    begin();
    challenge_get("5");
    say(0, 3, true, NULL, 0);
    refused(0x0201);
}

static void an_operational_stage_in_the_middle_is_refused(void **state)
{
    begin();
    challenge_get("5");
    say(1, 3, true, NULL, 0);
    refused(0x0200);
}

static void t_is_not_answered_before_chap_has_passed(void **state)
{
    begin();
    say(0, 3, true, TEXT(NAMES "\0AuthMethod=CHAP"));
    expect(false);
    say(0, 3, true, TEXT("CHAP_A=5"));
    expect(false);
    say(0, 3, true, TEXT(ANSWER));
    expect(true);
}

static void the_stage_may_be_left_after_chap_has_passed(void **state)
{
    begin();
    challenge_get("5");
    say(0, 1, false, TEXT(ANSWER));
    expect(false);
    say(0, 1, true, NULL, 0);
    expect(true);
}

static void a_response_before_the_challenge_is_refused(void **state)
{
    begin();
    method_agree();
    say(0, 3, true, TEXT(ANSWER));
    refused(0x0200);
}

static void algorithms_before_the_method_are_refused(void **state)
{
    begin();
    say(0, 1, false, TEXT(NAMES "\0AuthMethod=CHAP\0CHAP_A=5"));
    refused(0x0200);
}

static void a_second_list_of_algorithms_is_refused(void **state)
{
    begin();
    challenge_get("5");
    say(0, 1, false, TEXT("CHAP_A=6"));
    refused(0x0200);
}

static void reinstatement_needs_chap_too(void **state)
{
    begin();
    challenge_get("5");
    say(0, 3, true, TEXT(ANSWER));
    expect(true);
    struct peer old = peer;
    peer_open(&peer, target);
    say(0, 3, true, TEXT(NAMES "\0AuthMethod=None"));
    refused(0x0201);
    assert_false(iskra_target_conn_finished(old.conn));
    peer_close(&old);
}

/* ---- the target's own proof ---- */

static void a_proof_is_given_when_it_is_asked_for(void **state)
{
    begin();
    challenge_get("5");
    say(0, 3, true, TEXT(ANSWER PROOF_ASK));
    expect(true);
    assert_string_equal(answer_value(&answer, "CHAP_N"), MUTUAL_USER);
    assert_string_equal(answer_value(&answer, "CHAP_R"), PROOF_MD5);
}

static void a_proof_is_not_given_to_a_wrong_initiator(void **state)
{
    begin();
    challenge_get("5");
    say(0, 3, true, TEXT("CHAP_N=user\0CHAP_R=0x00000000000000000000000000000000" PROOF_ASK));
    refused(0x0201);
}

static void a_proof_without_a_secret_is_refused(void **state)
{
    options.mutual_user = options.mutual_password = NULL;
    begin();
    challenge_get("5");
    say(0, 3, true, TEXT(ANSWER PROOF_ASK));
    refused(0x0201);
}

static void a_reflected_challenge_is_refused(void **state)
{
    begin();
    challenge_get("5");
    say(0, 3, true, TEXT(ANSWER "\0CHAP_I=2\0CHAP_C=0x" CHALLENGE_HEX));
    refused(0x0201);
}

static void a_challenge_reflected_as_base64_is_refused(void **state)
{
    begin();
    challenge_get("5");
    say(0, 3, true,
        TEXT(ANSWER "\0CHAP_I=2\0CHAP_C=0bAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE="));
    refused(0x0201);
}

static void broken_demands_for_a_proof_are_refused(void **state)
{
    static const struct row {
        const char *text;
        uint32_t len;
    } rows[] = {
        {TEXT(ANSWER "\0CHAP_I=1")},
        {TEXT(ANSWER "\0CHAP_C=0x00")},
        {TEXT(ANSWER "\0CHAP_I=256\0CHAP_C=0x00")},
        {TEXT(ANSWER "\0CHAP_I=-1\0CHAP_C=0x00")},
        {TEXT(ANSWER "\0CHAP_I=\0CHAP_C=0x00")},
        {TEXT(ANSWER "\0CHAP_I=1\0CHAP_C=0x")},
        {TEXT(ANSWER "\0CHAP_I=1\0CHAP_C=0x000")},
        {TEXT(ANSWER "\0CHAP_I=1\0CHAP_C=12")},
        {TEXT(ANSWER "\0CHAP_I=1\0CHAP_C=0bA")},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        next_random = 1;
        begin();
        challenge_get("5");
        say(0, 3, true, rows[i].text, rows[i].len);
        refused(0x0201);
        teardown(NULL);
        target = NULL;
    }
}

/* 1024 bytes are the most that RFC 7143 6.1 allows. */
static void an_initiator_may_challenge_with_1024_bytes_and_no_more(void **state)
{
    for (unsigned extra = 0; extra < 2; extra++) {
        next_random = 1;
        begin();
        challenge_get("5");
        static char text[3000] = ANSWER "\0CHAP_I=1\0CHAP_C=0x";
        const size_t at = sizeof(ANSWER "\0CHAP_I=1\0CHAP_C=0x") - 1;
        memset(text + at, 'a', 2 * (1024 + extra));
        say(0, 3, true, text, (uint32_t)(at + 2 * (1024 + extra) + 1));
        if (extra)
            refused(0x0201);
        else
            expect(true);
        teardown(NULL);
        target = NULL;
    }
}

/* ---- discovery, and no CHAP at all ---- */

#define DISCOVERY "InitiatorName=" PEER_INITIATOR "\0SessionType=Discovery"

static void discovery_needs_chap_too(void **state)
{
    begin();
    say(0, 3, true, TEXT(DISCOVERY "\0AuthMethod=None"));
    refused(0x0201);
}

static void discovery_can_be_open_to_all(void **state)
{
    options.chap_discovery = false;
    begin();
    say(0, 3, true, TEXT("AuthMethod=None\0" DISCOVERY));
    expect(true);
}

static void open_discovery_does_not_open_the_target(void **state)
{
    options.chap_discovery = false;
    begin();
    say(0, 3, true, TEXT(NAMES "\0AuthMethod=None"));
    refused(0x0201);
}

static void open_discovery_with_chap_must_pass_it(void **state)
{
    options.chap_discovery = false;
    begin();
    say(0, 3, false, TEXT(DISCOVERY "\0AuthMethod=CHAP,None"));
    expect(false);
    assert_string_equal(answer_value(&answer, "AuthMethod"), "CHAP");
    say(0, 3, true, NULL, 0);
    refused(0x0201);
}

static void without_a_user_the_keys_of_chap_mean_nothing(void **state)
{
    options.user = options.password = options.mutual_user = options.mutual_password = NULL;
    begin();
    say(0, 3, true, TEXT(NAMES "\0AuthMethod=CHAP,None\0CHAP_A=5"));
    expect(true);
    assert_string_equal(answer_value(&answer, "AuthMethod"), "None");
    assert_string_equal(answer_value(&answer, "CHAP_A"), "NotUnderstood");
}

/* ---- options ---- */

static void refused_options(const char *pattern)
{
    struct iskra_target_backend ram = {.kind = ISKRA_TARGET_RAM, .size = 4096};
    struct iskra_error err = {0};
    struct iskra_target *none = NULL;
    options.backends = &ram;
    options.backend_cnt = 1;
    assert_int_equal(iskra_target_new(&options, &none, &err), -22);
    if (!strstr(err.text, pattern))
        fail_msg("\"%s\" does not tell \"%s\"", err.text, pattern);
    assert_null(strstr(err.text, "secret of the"));
}

static void equal_secrets_in_both_directions_are_refused(void **state)
{
    options.mutual_password = SECRET;
    refused_options("same");
}

static void half_of_a_pair_is_refused(void **state)
{
    options.password = NULL;
    refused_options("the user's secret has 0 bytes");
    options_set(NULL);
    options.mutual_user = NULL;
    refused_options("the target's own name has 0 bytes");
    options_set(NULL);
    options.user = options.password = NULL;
    refused_options("need a user");
}

static void a_secret_of_256_bytes_is_refused(void **state)
{
    char secret[257];
    memset(secret, 'x', 256);
    secret[256] = '\0';
    options.password = secret;
    refused_options("256 bytes");
}

static void odd_numbers_in_the_options_are_refused(void **state)
{
    options.chap_challenge_len = 0;
    refused_options("chap_challenge_len is 0");
    options.chap_challenge_len = 1025;
    refused_options("chap_challenge_len is 1025");
    options.chap_challenge_len = 16;
    options.chap_algorithms = 0;
    refused_options("chap_algorithms is 0x0");
    options.chap_algorithms = 0x10;
    refused_options("chap_algorithms is 0x10");
}

static void the_log_tells_why_and_no_secret(void **state)
{
    begin();
    challenge_get("5");
    say(0, 3, true, TEXT("CHAP_N=user\0CHAP_R=0x00000000000000000000000000000000"));
    refused(0x0201);
    const struct iskra_error *err = iskra_target_conn_error(peer.conn);
    assert_int_equal(err->code, ISKRA_E_AUTH);
    assert_int_equal(err->login_class << 8 | err->login_detail, 0x0201);
    assert_string_equal(err->text, "CHAP: name or response is wrong");
}

#define T(name) cmocka_unit_test_setup_teardown(name, options_set, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_login_by_md5_takes_these_steps),
        T(each_algorithm_has_its_known_response),
        T(the_first_algorithm_of_the_list_that_is_allowed_is_chosen),
        T(no_algorithm_in_common_is_refused),
        T(a_target_for_single_algorithms_refuses_a_list),
        T(a_target_for_single_algorithms_takes_one),
        T(challenges_are_not_the_same_twice),
        T(without_random_numbers_nobody_is_let_in),
        T(challenges_of_any_legal_length_are_answered),
        T(a_challenge_can_be_base64),
        T(a_challenge_can_be_in_capitals),
        T(these_answers_are_taken),
        T(these_answers_are_refused),
        T(an_answer_may_be_spread_by_the_c_bit),
        T(a_response_of_one_digit_too_few_is_refused),
        T(a_response_of_a_thousand_digits_is_refused),
        T(each_single_bit_of_a_response_counts),
        T(a_response_to_the_last_challenge_is_refused),
        T(offering_only_none_is_refused),
        T(none_before_chap_does_not_help),
        T(the_stage_cannot_be_skipped),
        T(the_stage_cannot_be_skipped_without_t_either),
        T(leaving_the_stage_without_a_method_is_refused),
        T(leaving_the_stage_instead_of_a_list_is_refused),
        T(leaving_the_stage_instead_of_a_response_is_refused),
        T(an_operational_stage_in_the_middle_is_refused),
        T(t_is_not_answered_before_chap_has_passed),
        T(the_stage_may_be_left_after_chap_has_passed),
        T(a_response_before_the_challenge_is_refused),
        T(algorithms_before_the_method_are_refused),
        T(a_second_list_of_algorithms_is_refused),
        T(reinstatement_needs_chap_too),
        T(a_proof_is_given_when_it_is_asked_for),
        T(a_proof_is_not_given_to_a_wrong_initiator),
        T(a_proof_without_a_secret_is_refused),
        T(a_reflected_challenge_is_refused),
        T(a_challenge_reflected_as_base64_is_refused),
        T(broken_demands_for_a_proof_are_refused),
        T(an_initiator_may_challenge_with_1024_bytes_and_no_more),
        T(discovery_needs_chap_too),
        T(discovery_can_be_open_to_all),
        T(open_discovery_does_not_open_the_target),
        T(open_discovery_with_chap_must_pass_it),
        T(without_a_user_the_keys_of_chap_mean_nothing),
        T(equal_secrets_in_both_directions_are_refused),
        T(half_of_a_pair_is_refused),
        T(a_secret_of_256_bytes_is_refused),
        T(odd_numbers_in_the_options_are_refused),
        T(the_log_tells_why_and_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
