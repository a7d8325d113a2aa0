/* Asynchronous Messages (RFC 7143 11.9) and what follows from them, between a class and a world
 * that only record. */
#include "fake_class.h"

#include <stdlib.h>

static struct fake *up(void)
{
    struct fake *f = fake_new("127.0.0.1", false);
    fake_to_full_feature(f);
    assert_int_equal(f->up_cnt, 1);
    return f;
}

/* The last PDU is a Text Request with this text and tag. */
static void asked(const struct fake *f, uint32_t ttt, const char *text)
{
    struct iskra_pdu_text pdu;
    assert_int_equal(fake_opcode(f), ISKRA_OP_TEXT);
    iskra_text_decode(f->hdr, &pdu);
    assert_true(pdu.final);
    assert_false(pdu.cont);
    assert_true(pdu.immediate);
    assert_int_equal(pdu.ttt, ttt);
    assert_string_equal(readable(f->text, f->text_len), text);
}

static void text_rsp(struct fake *f, bool final, bool cont, uint32_t ttt, const char *text)
{
    const struct iskra_pdu_text_rsp rsp = {.final = final, .cont = cont, .ttt = ttt};
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_text_rsp_encode(&rsp, hdr);
    fake_event(f, hdr, text);
}

/* The connection is over, and the session is about to come back. */
static void lost_with(struct fake *f, enum iskra_code code, const char *word)
{
    assert_int_equal(f->lost_cnt, 1);
    assert_int_equal(f->down_cnt, 0);
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_XPT_WAIT);
    assert_int_equal(f->why.code, code);
    if (!strstr(f->why.text, word))
        fail_msg("'%s' does not speak of '%s'", f->why.text, word);
    fake_free(f);
}

static void ffp_14_1_and_20_1_a_request_to_log_out_is_obeyed_at_once_and_told(void **state)
{
    struct fake *f = up();
    fake_async(f, 1);
    assert_int_equal(fake_opcode(f), ISKRA_OP_LOGOUT);
    struct iskra_pdu_logout pdu;
    iskra_logout_decode(f->hdr, &pdu);
    assert_int_equal(pdu.reason, 0); /* the session, of which this is the only connection */
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_LOGOUT_REQUESTED);
    unsigned pdu_cnt = f->pdu_cnt;
    fake_async(f, 1);
    assert_int_equal(f->pdu_cnt, pdu_cnt); /* once is enough */
    fake_logout_response(f);
    assert_int_equal(f->last_abortive, 0);
    lost_with(f, ISKRA_E_CONNECTION, "asked for a logout within 5 s");
}

static void a_logout_that_was_asked_for_and_is_not_answered_ends_too(void **state)
{
    struct fake *f = up();
    fake_async(f, 1);
    fake_later(f, 15000);
    lost_with(f, ISKRA_E_CONNECTION, "asked for a logout");
}

static void ffp_20_2_and_20_3_a_target_that_drops_connections_is_left(void **state)
{
    static const char *const words[] = {"drops the connection", "drops all connections"};
    for (uint8_t event = 2; event <= 3; event++) {
        struct fake *f = up();
        const struct iskra_pdu_async pdu = {
            .itt = ISKRA_RESERVED_TAG, .event = event, .param2 = 7, .param3 = 65535};
        fake_async_of(f, &pdu, "");
        assert_non_null(strstr(f->why.text, "after 7 s"));
        assert_non_null(strstr(f->why.text, "kept for 65535 s"));
        lost_with(f, ISKRA_E_CONNECTION, words[event - 2]);
    }
}

static void ffp_20_4_a_request_to_negotiate_is_answered_with_an_empty_text_request(void **state)
{
    struct fake *f = up();
    fake_async(f, 4);
    asked(f, ISKRA_RESERVED_TAG, "");
    unsigned pdu_cnt = f->pdu_cnt;
    fake_async(f, 4); /* one that is out will do (RFC 7143 11.9.1) */
    assert_int_equal(f->pdu_cnt, pdu_cnt);
    text_rsp(f, true, false, ISKRA_RESERVED_TAG, "");
    assert_int_equal(f->params[ISKRA_PARAM_MAX_XMIT_DLENGTH], 65536);
    assert_int_equal(f->down_cnt, 0);
    fake_async(f, 4); /* and again, later */
    assert_int_equal(f->pdu_cnt, pdu_cnt + 1);
    fake_free(f);
}

static void what_the_target_wants_otherwise_holds_from_the_end_of_the_exchange(void **state)
{
    struct fake *f = up();
    fake_async(f, 4);
    text_rsp(f, false, false, 99, "MaxRecvDataSegmentLength=4096;X-a=1;MaxBurstLength=512;");
    asked(f, 99, "X-a=NotUnderstood;MaxBurstLength=Reject;");
    assert_int_equal(f->params[ISKRA_PARAM_MAX_XMIT_DLENGTH], 65536);
    text_rsp(f, true, false, ISKRA_RESERVED_TAG, "");
    assert_int_equal(f->params[ISKRA_PARAM_MAX_XMIT_DLENGTH], 4096);
    assert_int_equal(iskra_initiator_keys(f->ini)->max_xmit_data_len, 4096);
    assert_int_equal(f->down_cnt, 0);
    fake_free(f);
}

static void text_of_a_negotiation_may_be_cut_anywhere_by_the_c_bit(void **state)
{
    static const char text[] = "MaxRecvDataSegmentLength=8192;X-a=1;";
    for (size_t cut = 0; cut < sizeof(text); cut++) {
        struct fake *f = up();
        char first[64];
        (void)snprintf(first, sizeof(first), "%.*s", (int)cut, text);
        fake_async(f, 4);
        text_rsp(f, false, true, 5, first);
        asked(f, 5, "");
        text_rsp(f, false, false, 6, text + cut);
        asked(f, 6, "X-a=NotUnderstood;");
        text_rsp(f, true, false, ISKRA_RESERVED_TAG, "");
        assert_int_equal(f->params[ISKRA_PARAM_MAX_XMIT_DLENGTH], 8192);
        fake_free(f);
    }
}

static void a_negotiation_without_end_ends(void **state)
{
    struct fake *f = up();
    fake_async(f, 4);
    unsigned rounds = 0;
    for (; f->lost_cnt == 0; rounds++) {
        assert_true(rounds < 100);
        text_rsp(f, false, false, 5, "");
    }
    assert_int_equal(rounds, ISKRA_LOGIN_ROUNDS_MAX + 1);
    lost_with(f, ISKRA_E_NEGOTIATION, "no end of negotiating");
}

static void text_responses_that_make_no_sense_end_the_connection(void **state)
{
    static const struct {
        bool final, cont;
        uint32_t ttt;
        const char *text;
        enum iskra_code code;
        const char *word;
    } rows[] = {
        {true, true, 5, "", ISKRA_E_PROTOCOL, "F 1, C 1"},
        {false, false, ISKRA_RESERVED_TAG, "", ISKRA_E_PROTOCOL, "0xffffffff"},
        {true, false, ISKRA_RESERVED_TAG, "no pair", ISKRA_E_NEGOTIATION, "not a key=value"},
        {true, false, ISKRA_RESERVED_TAG, "MaxRecvDataSegmentLength=1;", ISKRA_E_NEGOTIATION,
         "MaxRecvDataSegmentLength=1"},
    };
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct fake *f = up();
        fake_async(f, 4);
        text_rsp(f, rows[i].final, rows[i].cont, rows[i].ttt, rows[i].text);
        lost_with(f, rows[i].code, rows[i].word);
    }
}

/* RFC 7143 11.14: after a Logout Request nothing is sent. */
static void a_negotiation_does_not_go_on_after_our_logout(void **state)
{
    struct fake *f = up();
    fake_async(f, 4);
    iskra_initiator_close(f->ini);
    fake_run(f);
    unsigned pdu_cnt = f->pdu_cnt;
    text_rsp(f, false, false, 5, "X-a=1;");
    assert_int_equal(f->pdu_cnt, pdu_cnt);
    fake_logout_response(f);
    assert_int_equal(f->closed_cnt, 1);
    fake_free(f);
}

static void a_scsi_event_is_told_in_words(void **state)
{
    struct fake *f = up();
    const struct iskra_pdu_async pdu = {.itt = ISKRA_RESERVED_TAG, .event = 0};
    fake_async_of(f, &pdu, ";\x12\x70;\x06;;;;\x0a;;;;\x3f\x0e;;;;");
    assert_string_equal(f->noted,
                        "the target reports UNIT ATTENTION 3f/0e, REPORTED LUNS DATA HAS CHANGED");
    fake_async_of(f, &pdu, ";\x7f\x70");
    assert_non_null(strstr(f->noted, "3 bytes are no sense data"));
    assert_int_equal(f->down_cnt, 0);
    fake_free(f);
}

static void other_events_change_nothing(void **state)
{
    struct fake *f = up();
    unsigned pdu_cnt = f->pdu_cnt;
    fake_async(f, 0);
    for (unsigned event = 5; event < 256; event++)
        fake_async(f, (uint8_t)event);
    assert_int_equal(f->down_cnt, 0);
    assert_int_equal(f->pdu_cnt, pdu_cnt);
    assert_int_equal(iskra_initiator_state(f->ini), ISKRA_INITIATOR_LOGGED_IN);
    fake_free(f);
}

static void ffp_17_1_a_logout_is_asked_for_and_answered(void **state)
{
    struct fake *f = up();
    iskra_initiator_close(f->ini);
    fake_run(f);
    struct iskra_pdu_logout pdu;
    iskra_logout_decode(f->hdr, &pdu);
    assert_int_equal(fake_opcode(f), ISKRA_OP_LOGOUT);
    assert_int_equal(pdu.reason, 0);
    assert_true(pdu.immediate);
    fake_logout_response(f);
    assert_int_equal(f->closed_cnt, 1);
    assert_int_equal(f->last_abortive, 0);
    fake_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(ffp_14_1_and_20_1_a_request_to_log_out_is_obeyed_at_once_and_told),
        cmocka_unit_test(a_logout_that_was_asked_for_and_is_not_answered_ends_too),
        cmocka_unit_test(ffp_20_2_and_20_3_a_target_that_drops_connections_is_left),
        cmocka_unit_test(ffp_20_4_a_request_to_negotiate_is_answered_with_an_empty_text_request),
        cmocka_unit_test(what_the_target_wants_otherwise_holds_from_the_end_of_the_exchange),
        cmocka_unit_test(text_of_a_negotiation_may_be_cut_anywhere_by_the_c_bit),
        cmocka_unit_test(a_negotiation_without_end_ends),
        cmocka_unit_test(text_responses_that_make_no_sense_end_the_connection),
        cmocka_unit_test(a_negotiation_does_not_go_on_after_our_logout),
        cmocka_unit_test(a_scsi_event_is_told_in_words),
        cmocka_unit_test(other_events_change_nothing),
        cmocka_unit_test(ffp_17_1_a_logout_is_asked_for_and_answered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
