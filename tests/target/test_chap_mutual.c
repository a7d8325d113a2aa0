/* The target's own proof by CHAP (RFC 7143 12.1.3), to whom it is given, and which secrets may be
 * set for the two directions. */
#include "chap_peer.h"

#include <string.h>

/* ---- the target's own proof ---- */

static void a_proof_is_given_when_it_is_asked_for(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 3, true, TEXT(ANSWER PROOF_ASK));
    chap_expect(true);
    assert_string_equal(answer_value(&chap.answer, "CHAP_N"), MUTUAL_USER);
    assert_string_equal(answer_value(&chap.answer, "CHAP_R"), PROOF_MD5);
}

static void a_proof_is_not_given_to_a_wrong_initiator(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 3, true, TEXT("CHAP_N=user\0CHAP_R=0x00000000000000000000000000000000" PROOF_ASK));
    chap_refused(0x0201);
}

static void a_proof_without_a_secret_is_refused(void **state)
{
    chap.options.mutual_user = chap.options.mutual_password = NULL;
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 3, true, TEXT(ANSWER PROOF_ASK));
    chap_refused(0x0201);
}

static void a_reflected_challenge_is_refused(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 3, true, TEXT(ANSWER "\0CHAP_I=2\0CHAP_C=0x" CHALLENGE_HEX));
    chap_refused(0x0201);
}

static void a_challenge_reflected_as_base64_is_refused(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 3, true,
             TEXT(ANSWER "\0CHAP_I=2\0CHAP_C=0bAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4fICE="));
    chap_refused(0x0201);
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
        chap_begin();
        chap_challenge_get("5");
        chap_say(0, 3, true, rows[i].text, rows[i].len);
        chap_refused(0x0201);
        chap_end();
    }
}

/* 1024 bytes are the most that RFC 7143 6.1 allows. */
static void an_initiator_may_challenge_with_1024_bytes_and_no_more(void **state)
{
    for (unsigned extra = 0; extra < 2; extra++) {
        chap_begin();
        chap_challenge_get("5");
        static char text[3000] = ANSWER "\0CHAP_I=1\0CHAP_C=0x";
        const size_t at = sizeof(ANSWER "\0CHAP_I=1\0CHAP_C=0x") - 1;
        memset(text + at, 'a', 2 * (1024 + extra));
        chap_say(0, 3, true, text, (uint32_t)(at + 2 * (1024 + extra) + 1));
        if (extra)
            chap_refused(0x0201);
        else
            chap_expect(true);
        chap_end();
    }
}

/* ---- options ---- */

static void refused_options(const char *pattern)
{
    struct iskra_target_backend ram = {.kind = ISKRA_TARGET_RAM, .size = 4096};
    struct iskra_error err = {0};
    struct iskra_target *none = NULL;
    chap.options.backends = &ram;
    chap.options.backend_cnt = 1;
    assert_int_equal(iskra_target_new(&chap.options, &none, &err), -22);
    if (!strstr(err.text, pattern))
        fail_msg("\"%s\" does not tell \"%s\"", err.text, pattern);
    assert_null(strstr(err.text, "secret of the"));
}

static void equal_secrets_in_both_directions_are_refused(void **state)
{
    chap.options.mutual_password = SECRET;
    refused_options("same");
}

static void half_of_a_pair_is_refused(void **state)
{
    chap.options.password = NULL;
    refused_options("the user's secret has 0 bytes");
    (void)chap_setup(NULL);
    chap.options.mutual_user = NULL;
    refused_options("the target's own name has 0 bytes");
    (void)chap_setup(NULL);
    chap.options.user = chap.options.password = NULL;
    refused_options("need a user");
}

static void a_secret_of_256_bytes_is_refused(void **state)
{
    char secret[257];
    memset(secret, 'x', 256);
    secret[256] = '\0';
    chap.options.password = secret;
    refused_options("256 bytes");
}

static void odd_numbers_in_the_options_are_refused(void **state)
{
    chap.options.chap_challenge_len = 0;
    refused_options("chap_challenge_len is 0");
    chap.options.chap_challenge_len = 1025;
    refused_options("chap_challenge_len is 1025");
    chap.options.chap_challenge_len = 16;
    chap.options.chap_algorithms = 0;
    refused_options("chap_algorithms is 0x0");
    chap.options.chap_algorithms = 0x10;
    refused_options("chap_algorithms is 0x10");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHAP_TEST(a_proof_is_given_when_it_is_asked_for),
        CHAP_TEST(a_proof_is_not_given_to_a_wrong_initiator),
        CHAP_TEST(a_proof_without_a_secret_is_refused),
        CHAP_TEST(a_reflected_challenge_is_refused),
        CHAP_TEST(a_challenge_reflected_as_base64_is_refused),
        CHAP_TEST(broken_demands_for_a_proof_are_refused),
        CHAP_TEST(an_initiator_may_challenge_with_1024_bytes_and_no_more),
        CHAP_TEST(equal_secrets_in_both_directions_are_refused),
        CHAP_TEST(half_of_a_pair_is_refused),
        CHAP_TEST(a_secret_of_256_bytes_is_refused),
        CHAP_TEST(odd_numbers_in_the_options_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
