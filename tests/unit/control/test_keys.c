/* control/keys.h: every key's result function, and values no target should send. */
#include "control_test.h"

#include "control/keys.h"

struct talk {
    struct iskra_key_offer offer;
    struct iskra_keys keys;
    struct iskra_text_out out;
    char out_buf[16384];
    struct iskra_error err;
};

static void begin(struct talk *t)
{
    iskra_keys_init(&t->keys, &t->offer);
    t->out = (struct iskra_text_out){.buf = t->out_buf, .size = sizeof(t->out_buf)};
    memset(&t->err, 0, sizeof(t->err));
}

/* Everything is offered. */
static void offered(struct talk *t)
{
    begin(t);
    iskra_keys_offer_security(&t->keys, &t->out);
    iskra_keys_offer_operational(&t->keys, &t->out);
    t->out.len = 0;
}

static void start(struct talk *t)
{
    iskra_key_offer_default(&t->offer, false);
    offered(t);
}

static int says(struct talk *t, const char *text)
{
    char buf[8192];
    size_t len = segment(buf, sizeof(buf), text);
    return iskra_keys_receive_all(&t->keys, (struct iskra_slice){buf, len}, &t->out, &t->err);
}

static void takes(struct talk *t, const char *text)
{
    int ret = says(t, text);
    if (ret < 0)
        print_message("%s\n", t->err.text);
    assert_int_equal(ret, 0);
}

/* Refused with this code, and the story holds the word. */
static void refuses(struct talk *t, const char *text, const char *word)
{
    assert_int_equal(says(t, text), -EPROTO);
    assert_int_equal(t->err.code, ISKRA_E_NEGOTIATION);
    if (!strstr(t->err.text, word))
        fail_msg("'%s' does not speak of '%s'", t->err.text, word);
}

static const char *answered(struct talk *t)
{
    return readable(t->out_buf, t->out.len);
}

static void the_offer_is_what_open_iscsi_offers(void **state)
{
    struct talk t;
    iskra_key_offer_default(&t.offer, false);
    begin(&t);
    iskra_keys_offer_operational(&t.keys, &t.out);
    assert_string_equal(
        answered(&t),
        "HeaderDigest=None;DataDigest=None;MaxConnections=1;InitialR2T=No;ImmediateData=Yes;"
        "MaxBurstLength=16776192;FirstBurstLength=262144;DefaultTime2Wait=2;DefaultTime2Retain=0;"
        "MaxOutstandingR2T=8;DataPDUInOrder=Yes;DataSequenceInOrder=Yes;ErrorRecoveryLevel=0;"
        "MaxRecvDataSegmentLength=262144;");
}

static void discovery_offers_neither_digests_nor_what_is_irrelevant(void **state)
{
    struct talk t;
    iskra_key_offer_default(&t.offer, true);
    t.offer.header_digest =
        (struct iskra_digest_prefs){2, {ISKRA_DIGEST_CRC32C, ISKRA_DIGEST_NONE}};
    t.offer.max_recv_data_len = 262144;
    begin(&t);
    iskra_keys_offer_operational(&t.keys, &t.out);
    assert_string_equal(answered(&t),
                        "HeaderDigest=None;DataDigest=None;DefaultTime2Wait=2;DefaultTime2Retain=0;"
                        "ErrorRecoveryLevel=0;MaxRecvDataSegmentLength=8192;");
}

static void what_is_never_mentioned_keeps_the_rfc_default(void **state)
{
    struct talk t;
    start(&t);
    assert_int_equal(iskra_keys_finish(&t.keys, &t.err), 0);
    const struct iskra_key_results *r = &t.keys.results;
    assert_int_equal(r->header_digest, ISKRA_DIGEST_NONE);
    assert_true(r->initial_r2t);
    assert_true(r->immediate_data);
    assert_int_equal(r->first_burst_len, 65536);
    assert_int_equal(r->max_burst_len, 262144);
    assert_int_equal(r->max_xmit_data_len, 8192);
    assert_int_equal(r->max_outstanding_r2t, 1);
    assert_int_equal(r->time2wait, 2);
    assert_int_equal(r->time2retain, 20);
    assert_int_equal(r->max_recv_data_len, 262144);
}

static void digest_takes_one_of_those_offered(void **state)
{
    struct talk t;
    iskra_key_offer_default(&t.offer, false);
    t.offer.header_digest =
        (struct iskra_digest_prefs){2, {ISKRA_DIGEST_CRC32C, ISKRA_DIGEST_NONE}};
    offered(&t);
    takes(&t, "HeaderDigest=CRC32C;DataDigest=None;");
    assert_int_equal(t.keys.results.header_digest, ISKRA_DIGEST_CRC32C);
    assert_int_equal(t.keys.results.data_digest, ISKRA_DIGEST_NONE);
}

static void digest_that_was_not_offered_is_refused(void **state)
{
    struct talk t;
    start(&t);
    refuses(&t, "DataDigest=CRC32C;", "DataDigest=CRC32C");
}

static void digest_of_an_unknown_kind_is_refused(void **state)
{
    struct talk t;
    start(&t);
    refuses(&t, "HeaderDigest=MD5;", "not one of those offered");
}

static void digest_proposed_by_the_target_follows_its_order(void **state)
{
    struct talk t;
    iskra_key_offer_default(&t.offer, false);
    t.offer.data_digest = (struct iskra_digest_prefs){2, {ISKRA_DIGEST_NONE, ISKRA_DIGEST_CRC32C}};
    begin(&t);
    takes(&t, "DataDigest=X-foo,CRC32C,None;HeaderDigest=X-bar;");
    assert_string_equal(answered(&t), "DataDigest=CRC32C;HeaderDigest=Reject;");
    assert_int_equal(t.keys.results.data_digest, ISKRA_DIGEST_CRC32C);
}

static void what_the_target_proposed_is_not_offered_again(void **state)
{
    struct talk t;
    iskra_key_offer_default(&t.offer, false);
    begin(&t);
    takes(&t, "MaxBurstLength=65536;");
    assert_string_equal(answered(&t), "MaxBurstLength=65536;");
    t.out.len = 0;
    iskra_keys_offer_operational(&t.keys, &t.out);
    assert_null(strstr(answered(&t), "MaxBurstLength"));
    assert_non_null(strstr(answered(&t), "FirstBurstLength"));
}

static void initial_r2t_is_yes_if_either_says_so(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "InitialR2T=Yes;");
    assert_true(t.keys.results.initial_r2t);
    start(&t);
    takes(&t, "InitialR2T=No;");
    assert_false(t.keys.results.initial_r2t);
    iskra_key_offer_default(&t.offer, false);
    t.offer.initial_r2t = true;
    offered(&t);
    refuses(&t, "InitialR2T=No;", "the offer was Yes");
}

static void immediate_data_is_yes_only_if_both_say_so(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "ImmediateData=No;");
    assert_false(t.keys.results.immediate_data);
    iskra_key_offer_default(&t.offer, false);
    t.offer.immediate_data = false;
    offered(&t);
    refuses(&t, "ImmediateData=Yes;", "the offer was No");
}

static void booleans_proposed_by_the_target_are_answered(void **state)
{
    struct talk t;
    iskra_key_offer_default(&t.offer, false);
    begin(&t);
    takes(&t, "InitialR2T=Yes;ImmediateData=No;DataPDUInOrder=No;");
    assert_string_equal(answered(&t), "InitialR2T=Yes;ImmediateData=No;DataPDUInOrder=Yes;");
}

static void a_boolean_is_yes_or_no_and_nothing_else(void **state)
{
    static const char *const values[] = {"InitialR2T=yes;", "ImmediateData=;", "ImmediateData=1;",
                                         "InitialR2T=Yes ;"};
    struct talk t;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        start(&t);
        refuses(&t, values[i], "neither Yes nor No");
    }
}

static void order_of_data_is_not_given_up(void **state)
{
    struct talk t;
    start(&t);
    refuses(&t, "DataPDUInOrder=No;", "DataPDUInOrder=No");
    start(&t);
    refuses(&t, "DataSequenceInOrder=No;", "DataSequenceInOrder=No");
}

static void burst_lengths_become_the_smaller_number(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "MaxBurstLength=0x10000;FirstBurstLength=512;");
    assert_int_equal(t.keys.results.max_burst_len, 65536);
    assert_int_equal(t.keys.results.first_burst_len, 512);
    assert_int_equal(iskra_keys_finish(&t.keys, &t.err), 0);
}

static void a_smaller_offer_is_not_answered_with_more(void **state)
{
    struct talk t;
    start(&t);
    refuses(&t, "FirstBurstLength=262145;", "the offer was 262144");
    start(&t);
    refuses(&t, "MaxConnections=2;", "MaxConnections=2");
    start(&t);
    refuses(&t, "ErrorRecoveryLevel=1;", "the offer was 0");
    start(&t);
    refuses(&t, "DefaultTime2Retain=20;", "the offer was 0");
}

static void time2wait_becomes_the_larger_number(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "DefaultTime2Wait=20;");
    assert_int_equal(t.keys.results.time2wait, 20);
    start(&t);
    refuses(&t, "DefaultTime2Wait=1;", "larger");
}

static void numbers_proposed_by_the_target_are_answered_with_the_result(void **state)
{
    struct talk t;
    iskra_key_offer_default(&t.offer, false);
    begin(&t);
    takes(&t, "MaxConnections=4;DefaultTime2Wait=0;ErrorRecoveryLevel=2;FirstBurstLength=4096;");
    assert_string_equal(
        answered(&t),
        "MaxConnections=1;DefaultTime2Wait=2;ErrorRecoveryLevel=0;FirstBurstLength=4096;");
}

static void numbers_out_of_range_are_refused_with_the_range(void **state)
{
    static const char *const values[] = {
        "MaxBurstLength=511;",
        "MaxBurstLength=16777216;",
        "FirstBurstLength=0;",
        "MaxConnections=0;",
        "MaxConnections=65536;",
        "ErrorRecoveryLevel=3;",
        "DefaultTime2Wait=3601;",
        "MaxOutstandingR2T=0;",
        "MaxRecvDataSegmentLength=0;",
        "MaxOutstandingR2T=65536;",
        "MaxRecvDataSegmentLength=511;",
        "MaxRecvDataSegmentLength=16777216;",
        "TargetPortalGroupTag=65536;",
        "MaxBurstLength=4294967296;",
        "MaxBurstLength=18446744073709551616;",
        "MaxBurstLength=0xffffffffffffffffff;",
    };
    struct talk t;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        start(&t);
        refuses(&t, values[i], "not in ");
    }
}

static void what_is_no_number_is_refused(void **state)
{
    static const char *const values[] = {"MaxBurstLength=;",
                                         "MaxBurstLength=-1;",
                                         "MaxBurstLength=1~2;",
                                         "MaxBurstLength=0x;",
                                         "MaxBurstLength= 512;",
                                         "MaxBurstLength=512k;",
                                         "MaxRecvDataSegmentLength=many;"};
    struct talk t;
    for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        start(&t);
        refuses(&t, values[i], "not a number");
    }
}

static void r2t_limit_beyond_the_offer_is_used_up_to_64(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "MaxOutstandingR2T=16;");
    assert_int_equal(iskra_keys_finish(&t.keys, &t.err), 0);
    assert_int_equal(t.keys.results.max_outstanding_r2t, 16);
    start(&t);
    takes(&t, "MaxOutstandingR2T=65535;");
    assert_int_equal(iskra_keys_finish(&t.keys, &t.err), 0);
    assert_int_equal(t.keys.results.max_outstanding_r2t, ISKRA_MAX_OUTSTANDING_R2T_LIMIT);
}

static void first_burst_beyond_max_burst_is_refused(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "MaxBurstLength=4096;FirstBurstLength=8192;");
    assert_int_equal(iskra_keys_finish(&t.keys, &t.err), -EPROTO);
    assert_non_null(strstr(t.err.text, "8192"));
}

static void first_burst_nobody_spoke_of_is_cut_to_max_burst(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "MaxBurstLength=4096;");
    assert_int_equal(iskra_keys_finish(&t.keys, &t.err), 0);
    assert_int_equal(t.keys.results.first_burst_len, 4096);
}

static void first_burst_is_irrelevant_when_nothing_goes_unasked(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "FirstBurstLength=Irrelevant;InitialR2T=Yes;ImmediateData=No;");
    assert_int_equal(iskra_keys_finish(&t.keys, &t.err), 0);
    start(&t);
    takes(&t, "FirstBurstLength=Irrelevant;InitialR2T=Yes;ImmediateData=Yes;");
    assert_int_equal(iskra_keys_finish(&t.keys, &t.err), -EPROTO);
    start(&t);
    takes(&t, "MaxBurstLength=Irrelevant;InitialR2T=Yes;ImmediateData=No;");
    assert_int_equal(iskra_keys_finish(&t.keys, &t.err), -EPROTO);
}

static void mandatory_keys_must_be_understood(void **state)
{
    struct talk t;
    start(&t);
    refuses(&t, "InitialR2T=NotUnderstood;", "understand");
    start(&t);
    refuses(&t, "HeaderDigest=Reject;", "rejects");
    start(&t);
    refuses(&t, "MaxBurstLength=Reject;", "rejects");
}

static void a_key_negotiated_twice_is_refused(void **state)
{
    struct talk t;
    start(&t);
    refuses(&t, "MaxBurstLength=65536;MaxBurstLength=65536;", "twice");
}

static void a_declaration_may_be_repeated_but_not_changed(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "TargetPortalGroupTag=1;MaxRecvDataSegmentLength=65536;");
    takes(&t, "TargetPortalGroupTag=1;MaxRecvDataSegmentLength=65536;");
    assert_int_equal(t.keys.results.tpgt, 1);
    assert_int_equal(t.keys.results.max_xmit_data_len, 65536);
    refuses(&t, "TargetPortalGroupTag=2;", "another value");
}

static void alias_is_kept_safe_to_print(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "TargetAlias=disk \033[31m\xff;");
    assert_string_equal(t.keys.results.target_alias, "disk \\x1b[31m\\xff");
}

static void unknown_keys_are_answered_not_understood(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "X-com.example.foo=1;iSCSINothing=1;Y=NotUnderstood;");
    assert_string_equal(answered(&t),
                        "X-com.example.foo=NotUnderstood;iSCSINothing=NotUnderstood;");
}

static void unknown_keys_have_a_limit(void **state)
{
    struct talk t;
    char text[2048] = "";
    start(&t);
    for (unsigned i = 0; i < ISKRA_UNKNOWN_KEYS_MAX; i++)
        (void)snprintf(text + strlen(text), sizeof(text) - strlen(text), "k%u=1;", i);
    takes(&t, text);
    refuses(&t, "one=more;", "too many");
}

static void obsolete_keys_are_rejected_politely(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "IFMarker=Yes;OFMarkInt=2048~2048;");
    assert_string_equal(answered(&t), "IFMarker=Reject;OFMarkInt=Reject;");
}

static void task_reporting_stays_at_its_default(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "TaskReporting=FastAbort,RFC3720;");
    assert_string_equal(answered(&t), "TaskReporting=RFC3720;");
    start(&t);
    takes(&t, "TaskReporting=FastAbort;");
    assert_string_equal(answered(&t), "TaskReporting=Reject;");
}

static void a_target_that_wants_credentials_is_an_authentication_error(void **state)
{
    struct talk t;
    start(&t);
    assert_int_equal(says(&t, "AuthMethod=CHAP;"), -EACCES);
    assert_int_equal(t.err.code, ISKRA_E_AUTH);
    begin(&t);
    iskra_keys_offer_security(&t.keys, &t.out);
    takes(&t, "AuthMethod=None;");
    assert_true(t.keys.results.auth_none);
}

static void initiator_keys_from_a_target_mean_nothing(void **state)
{
    struct talk t;
    start(&t);
    takes(&t, "InitiatorName=iqn.x:y;SessionType=Normal;TargetName=iqn.z;SendTargets=All;");
    assert_int_equal(t.out.len, 0);
}

static void text_that_is_no_pair_is_refused(void **state)
{
    static const char *const texts[] = {"HeaderDigest;", "=None;", "MaxBurstLength=65536", ";;x;"};
    struct talk t;
    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        start(&t);
        refuses(&t, texts[i], "not a key=value pair");
    }
}

static void irrelevant_keys_in_discovery_are_answered_so(void **state)
{
    struct talk t;
    iskra_key_offer_default(&t.offer, true);
    offered(&t);
    takes(&t, "MaxBurstLength=65536;InitialR2T=Yes;");
    assert_string_equal(answered(&t), "MaxBurstLength=Irrelevant;InitialR2T=Irrelevant;");
    assert_int_equal(iskra_keys_finish(&t.keys, &t.err), 0);
}

static void a_refusal_shows_the_value_escaped(void **state)
{
    struct talk t;
    start(&t);
    refuses(&t, "MaxBurstLength=\033]0;", "MaxBurstLength=\\x1b]0");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_offer_is_what_open_iscsi_offers),
        cmocka_unit_test(discovery_offers_neither_digests_nor_what_is_irrelevant),
        cmocka_unit_test(what_is_never_mentioned_keeps_the_rfc_default),
        cmocka_unit_test(digest_takes_one_of_those_offered),
        cmocka_unit_test(digest_that_was_not_offered_is_refused),
        cmocka_unit_test(digest_of_an_unknown_kind_is_refused),
        cmocka_unit_test(digest_proposed_by_the_target_follows_its_order),
        cmocka_unit_test(what_the_target_proposed_is_not_offered_again),
        cmocka_unit_test(initial_r2t_is_yes_if_either_says_so),
        cmocka_unit_test(immediate_data_is_yes_only_if_both_say_so),
        cmocka_unit_test(booleans_proposed_by_the_target_are_answered),
        cmocka_unit_test(a_boolean_is_yes_or_no_and_nothing_else),
        cmocka_unit_test(order_of_data_is_not_given_up),
        cmocka_unit_test(burst_lengths_become_the_smaller_number),
        cmocka_unit_test(a_smaller_offer_is_not_answered_with_more),
        cmocka_unit_test(time2wait_becomes_the_larger_number),
        cmocka_unit_test(numbers_proposed_by_the_target_are_answered_with_the_result),
        cmocka_unit_test(numbers_out_of_range_are_refused_with_the_range),
        cmocka_unit_test(what_is_no_number_is_refused),
        cmocka_unit_test(r2t_limit_beyond_the_offer_is_used_up_to_64),
        cmocka_unit_test(first_burst_beyond_max_burst_is_refused),
        cmocka_unit_test(first_burst_nobody_spoke_of_is_cut_to_max_burst),
        cmocka_unit_test(first_burst_is_irrelevant_when_nothing_goes_unasked),
        cmocka_unit_test(mandatory_keys_must_be_understood),
        cmocka_unit_test(a_key_negotiated_twice_is_refused),
        cmocka_unit_test(a_declaration_may_be_repeated_but_not_changed),
        cmocka_unit_test(alias_is_kept_safe_to_print),
        cmocka_unit_test(unknown_keys_are_answered_not_understood),
        cmocka_unit_test(unknown_keys_have_a_limit),
        cmocka_unit_test(obsolete_keys_are_rejected_politely),
        cmocka_unit_test(task_reporting_stays_at_its_default),
        cmocka_unit_test(a_target_that_wants_credentials_is_an_authentication_error),
        cmocka_unit_test(initiator_keys_from_a_target_mean_nothing),
        cmocka_unit_test(text_that_is_no_pair_is_refused),
        cmocka_unit_test(irrelevant_keys_in_discovery_are_answered_so),
        cmocka_unit_test(a_refusal_shows_the_value_escaped),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
