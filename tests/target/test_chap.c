/* CHAP at the target (RFC 7143 12.1.3): what it asks for, and which answers it takes. */
#include "chap_peer.h"

#include <stdio.h>
#include <string.h>

#include <openssl/evp.h>

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

/* ---- what is asked for ---- */

static void a_login_by_md5_takes_these_steps(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    assert_string_equal(answer_value(&chap.answer, "CHAP_A"), "5");
    assert_string_equal(answer_value(&chap.answer, "CHAP_I"), "1");
    assert_string_equal(answer_value(&chap.answer, "CHAP_C"), "0x" CHALLENGE_HEX);
    chap_say(0, 1, true, TEXT(ANSWER));
    chap_expect(true);
    assert_int_equal(chap.rsp.nsg, 1);
    assert_string_equal(answer_value(&chap.answer, "CHAP_N"), "");
    assert_string_equal(answer_value(&chap.answer, "CHAP_R"), "");
    chap_say(1, 3, true, NULL, 0);
    chap_expect(true);
    assert_int_not_equal(chap.rsp.tsih, 0);
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
        chap_begin();
        chap_challenge_get(rows[i].number);
        assert_string_equal(answer_value(&chap.answer, "CHAP_A"), rows[i].number);
        char text[128];
        int len = snprintf(text, sizeof(text), "CHAP_N=%s%cCHAP_R=%s", USER, 0, rows[i].response);
        chap_say(0, 3, true, text, (uint32_t)len + 1);
        chap_expect(true);
        chap_end();
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
        chap.options.chap_algorithms = rows[i].allowed;
        chap_begin();
        chap_challenge_get(rows[i].list);
        assert_string_equal(answer_value(&chap.answer, "CHAP_A"), rows[i].chosen);
        chap_end();
    }
}

static void no_algorithm_in_common_is_refused(void **state)
{
    chap.options.chap_algorithms = ISKRA_TARGET_CHAP_SHA256 | ISKRA_TARGET_CHAP_SHA3_256;
    chap_begin();
    chap_method_agree();
    chap_say(0, 1, false, TEXT("CHAP_A=5,6"));
    chap_refused(0x0201);
}

static void a_target_for_single_algorithms_refuses_a_list(void **state)
{
    chap.options.chap_single = true;
    chap_begin();
    chap_method_agree();
    chap_say(0, 1, false, TEXT("CHAP_A=5,7"));
    chap_refused(0x0200);
}

static void a_target_for_single_algorithms_takes_one(void **state)
{
    chap.options.chap_single = true;
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 3, true, TEXT(ANSWER));
    chap_expect(true);
}

static void challenges_are_not_the_same_twice(void **state)
{
    chap.options.random = iskra_target_random;
    chap_begin();
    char first[512];
    chap_challenge_get("5");
    (void)snprintf(first, sizeof(first), "%s", answer_value(&chap.answer, "CHAP_C"));
    struct peer other = chap.peer;
    peer_open(&chap.peer, chap.target);
    chap_challenge_get("5");
    assert_int_equal(strlen(first), 66);
    assert_string_not_equal(answer_value(&chap.answer, "CHAP_C"), first);
    peer_close(&other);
}

static int no_random(void *arg, void *buf, size_t len)
{
    return -5;
}

static void without_random_numbers_nobody_is_let_in(void **state)
{
    chap.options.random = no_random;
    chap_begin();
    chap_method_agree();
    chap_say(0, 1, false, TEXT("CHAP_A=5"));
    chap_refused(0x0300);
}

static void challenges_of_any_legal_length_are_answered(void **state)
{
    static const uint32_t lens[] = {1, 2, 16, 255, 1024};
    for (unsigned i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        chap.options.chap_challenge_len = lens[i];
        chap_begin();
        chap_challenge_get("5");
        uint8_t challenge[1024];
        for (uint32_t at = 0; at < lens[i]; at++)
            challenge[at] = (uint8_t)(at + 2);
        char text[256] = "CHAP_N=" USER "\0CHAP_R=0x";
        response_make(text + sizeof("CHAP_N=" USER "\0CHAP_R=0x") - 1, 1, challenge, lens[i]);
        chap_say(0, 3, true, text, sizeof(ANSWER));
        chap_expect(true);
        chap_end();
    }
}

static void a_challenge_can_be_base64(void **state)
{
    chap.options.chap_base64 = true;
    chap_begin();
    chap_challenge_get("5");
    assert_string_equal(answer_value(&chap.answer, "CHAP_C"),
                        "0bAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE=");
    chap_say(0, 3, true, TEXT(ANSWER));
    chap_expect(true);
}

static void a_challenge_can_be_in_capitals(void **state)
{
    chap.options.chap_hex_upper = true;
    chap_begin();
    chap_challenge_get("5");
    assert_string_equal(answer_value(&chap.answer, "CHAP_C"),
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
        chap_begin();
        chap_challenge_get("5");
        chap_say(0, 3, true, rows[i].text, rows[i].len);
        chap_expect(true);
        chap_end();
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
        chap_begin();
        chap_challenge_get("5");
        chap_say(0, 3, true, rows[i].text, rows[i].len);
        chap_refused(rows[i].status);
        chap_end();
    }
}

static void an_answer_may_be_spread_by_the_c_bit(void **state)
{
    static const char text[] = ANSWER PROOF_ASK;
    chap_begin();
    chap_challenge_get("5");
    struct iskra_pdu_login req = {.cont = true, .cid = 1, .itt = 0x55};
    memcpy(req.isid, chap.peer.isid, ISKRA_ISID_LEN);
    uint8_t bhs[ISKRA_BHS_LEN];
    iskra_login_encode(&req, bhs);
    peer_send(&chap.peer, bhs, text, 30);
    chap_expect(false);
    assert_int_equal(chap.answer.len, 0);
    chap_say(0, 3, true, text + 30, sizeof(text) - 30);
    chap_expect(true);
    assert_string_equal(answer_value(&chap.answer, "CHAP_R"), PROOF_MD5);
}

static void a_response_of_one_digit_too_few_is_refused(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    char text[] = ANSWER;
    text[sizeof(text) - 2] = '\0';
    chap_say(0, 3, true, text, sizeof(text) - 1);
    chap_refused(0x0201);
}

static void a_response_of_a_thousand_digits_is_refused(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    char text[1100] = "CHAP_N=" USER "\0CHAP_R=0x";
    memset(text + sizeof("CHAP_N=" USER "\0CHAP_R=0x") - 1, '0', 1000);
    chap_say(0, 3, true, text, sizeof(text));
    chap_refused(0x0201);
}

static void each_single_bit_of_a_response_counts(void **state)
{
    for (unsigned digit = 0; digit < 32; digit++) {
        chap_begin();
        chap_challenge_get("5");
        char text[] = ANSWER;
        char *at = text + sizeof(text) - 33 + digit;
        *at = *at == '0' ? '1' : '0';
        chap_say(0, 3, true, text, sizeof(text));
        chap_refused(0x0201);
        chap_end();
    }
}

static void a_response_to_the_last_challenge_is_refused(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    peer_close(&chap.peer);
    peer_open(&chap.peer, chap.target);
    chap_challenge_get("5");
    chap_say(0, 3, true, TEXT(ANSWER));
    chap_refused(0x0201);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHAP_TEST(a_login_by_md5_takes_these_steps),
        CHAP_TEST(each_algorithm_has_its_known_response),
        CHAP_TEST(the_first_algorithm_of_the_list_that_is_allowed_is_chosen),
        CHAP_TEST(no_algorithm_in_common_is_refused),
        CHAP_TEST(a_target_for_single_algorithms_refuses_a_list),
        CHAP_TEST(a_target_for_single_algorithms_takes_one),
        CHAP_TEST(challenges_are_not_the_same_twice),
        CHAP_TEST(without_random_numbers_nobody_is_let_in),
        CHAP_TEST(challenges_of_any_legal_length_are_answered),
        CHAP_TEST(a_challenge_can_be_base64),
        CHAP_TEST(a_challenge_can_be_in_capitals),
        CHAP_TEST(these_answers_are_taken),
        CHAP_TEST(these_answers_are_refused),
        CHAP_TEST(an_answer_may_be_spread_by_the_c_bit),
        CHAP_TEST(a_response_of_one_digit_too_few_is_refused),
        CHAP_TEST(a_response_of_a_thousand_digits_is_refused),
        CHAP_TEST(each_single_bit_of_a_response_counts),
        CHAP_TEST(a_response_to_the_last_challenge_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
