/* That nobody comes past CHAP at the target (RFC 7143 12.1.3): not by another order of the steps,
 * nor by discovery. */
#include "chap_peer.h"

/* ---- the order of the steps ---- */

static void offering_only_none_is_refused(void **state)
{
    chap_begin();
    chap_say(0, 1, true, TEXT(NAMES "\0AuthMethod=None"));
    chap_refused(0x0201);
}

static void none_before_chap_does_not_help(void **state)
{
    chap_begin();
    chap_say(0, 1, true, TEXT(NAMES "\0AuthMethod=None,CHAP"));
    chap_expect(false);
    assert_string_equal(answer_value(&chap.answer, "AuthMethod"), "CHAP");
}

static void the_stage_cannot_be_skipped(void **state)
{
    chap_begin();
    chap_say(1, 3, true, TEXT(NAMES));
    chap_refused(0x0201);
}

static void the_stage_cannot_be_skipped_without_t_either(void **state)
{
    chap_begin();
    chap_say(1, 0, false, TEXT(NAMES));
    chap_refused(0x0201);
}

static void leaving_the_stage_without_a_method_is_refused(void **state)
{
    chap_begin();
    chap_say(0, 1, true, TEXT(NAMES));
    chap_refused(0x0201);
}

static void leaving_the_stage_instead_of_a_list_is_refused(void **state)
{
    chap_begin();
    chap_method_agree();
    chap_say(0, 1, true, NULL, 0);
    chap_refused(0x0201);
}

static void leaving_the_stage_instead_of_a_response_is_refused(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 3, true, NULL, 0);
    chap_refused(0x0201);
}

static void an_operational_stage_in_the_middle_is_refused(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    chap_say(1, 3, true, NULL, 0);
    chap_refused(0x0200);
}

static void t_is_not_answered_before_chap_has_passed(void **state)
{
    chap_begin();
    chap_say(0, 3, true, TEXT(NAMES "\0AuthMethod=CHAP"));
    chap_expect(false);
    chap_say(0, 3, true, TEXT("CHAP_A=5"));
    chap_expect(false);
    chap_say(0, 3, true, TEXT(ANSWER));
    chap_expect(true);
}

static void the_stage_may_be_left_after_chap_has_passed(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 1, false, TEXT(ANSWER));
    chap_expect(false);
    chap_say(0, 1, true, NULL, 0);
    chap_expect(true);
}

static void a_response_before_the_challenge_is_refused(void **state)
{
    chap_begin();
    chap_method_agree();
    chap_say(0, 3, true, TEXT(ANSWER));
    chap_refused(0x0200);
}

static void algorithms_before_the_method_are_refused(void **state)
{
    chap_begin();
    chap_say(0, 1, false, TEXT(NAMES "\0AuthMethod=CHAP\0CHAP_A=5"));
    chap_refused(0x0200);
}

static void a_second_list_of_algorithms_is_refused(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 1, false, TEXT("CHAP_A=6"));
    chap_refused(0x0200);
}

static void reinstatement_needs_chap_too(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 3, true, TEXT(ANSWER));
    chap_expect(true);
    struct peer old = chap.peer;
    peer_open(&chap.peer, chap.target);
    chap_say(0, 3, true, TEXT(NAMES "\0AuthMethod=None"));
    chap_refused(0x0201);
    assert_false(iskra_target_conn_finished(old.conn));
    peer_close(&old);
}

/* ---- discovery, and no CHAP at all ---- */

#define DISCOVERY "InitiatorName=" PEER_INITIATOR "\0SessionType=Discovery"

static void discovery_needs_chap_too(void **state)
{
    chap_begin();
    chap_say(0, 3, true, TEXT(DISCOVERY "\0AuthMethod=None"));
    chap_refused(0x0201);
}

static void discovery_can_be_open_to_all(void **state)
{
    chap.options.chap_discovery = false;
    chap_begin();
    chap_say(0, 3, true, TEXT("AuthMethod=None\0" DISCOVERY));
    chap_expect(true);
}

static void open_discovery_does_not_open_the_target(void **state)
{
    chap.options.chap_discovery = false;
    chap_begin();
    chap_say(0, 3, true, TEXT(NAMES "\0AuthMethod=None"));
    chap_refused(0x0201);
}

static void open_discovery_with_chap_must_pass_it(void **state)
{
    chap.options.chap_discovery = false;
    chap_begin();
    chap_say(0, 3, false, TEXT(DISCOVERY "\0AuthMethod=CHAP,None"));
    chap_expect(false);
    assert_string_equal(answer_value(&chap.answer, "AuthMethod"), "CHAP");
    chap_say(0, 3, true, NULL, 0);
    chap_refused(0x0201);
}

static void without_a_user_the_keys_of_chap_mean_nothing(void **state)
{
    chap.options.user = chap.options.password = chap.options.mutual_user =
        chap.options.mutual_password = NULL;
    chap_begin();
    chap_say(0, 3, true, TEXT(NAMES "\0AuthMethod=CHAP,None\0CHAP_A=5"));
    chap_expect(true);
    assert_string_equal(answer_value(&chap.answer, "AuthMethod"), "None");
    assert_string_equal(answer_value(&chap.answer, "CHAP_A"), "NotUnderstood");
}

/* ---- what the log says ---- */

static void the_log_tells_why_and_no_secret(void **state)
{
    chap_begin();
    chap_challenge_get("5");
    chap_say(0, 3, true, TEXT("CHAP_N=user\0CHAP_R=0x00000000000000000000000000000000"));
    chap_refused(0x0201);
    const struct iskra_error *err = iskra_target_conn_error(chap.peer.conn);
    assert_int_equal(err->code, ISKRA_E_AUTH);
    assert_int_equal(err->login_class << 8 | err->login_detail, 0x0201);
    assert_string_equal(err->text, "CHAP: name or response is wrong");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        CHAP_TEST(offering_only_none_is_refused),
        CHAP_TEST(none_before_chap_does_not_help),
        CHAP_TEST(the_stage_cannot_be_skipped),
        CHAP_TEST(the_stage_cannot_be_skipped_without_t_either),
        CHAP_TEST(leaving_the_stage_without_a_method_is_refused),
        CHAP_TEST(leaving_the_stage_instead_of_a_list_is_refused),
        CHAP_TEST(leaving_the_stage_instead_of_a_response_is_refused),
        CHAP_TEST(an_operational_stage_in_the_middle_is_refused),
        CHAP_TEST(t_is_not_answered_before_chap_has_passed),
        CHAP_TEST(the_stage_may_be_left_after_chap_has_passed),
        CHAP_TEST(a_response_before_the_challenge_is_refused),
        CHAP_TEST(algorithms_before_the_method_are_refused),
        CHAP_TEST(a_second_list_of_algorithms_is_refused),
        CHAP_TEST(reinstatement_needs_chap_too),
        CHAP_TEST(discovery_needs_chap_too),
        CHAP_TEST(discovery_can_be_open_to_all),
        CHAP_TEST(open_discovery_does_not_open_the_target),
        CHAP_TEST(open_discovery_with_chap_must_pass_it),
        CHAP_TEST(without_a_user_the_keys_of_chap_mean_nothing),
        CHAP_TEST(the_log_tells_why_and_no_secret),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
