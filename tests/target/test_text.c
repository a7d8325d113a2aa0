/* The target's text requests: SendTargets, in one piece and in many, and keys after the login. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "wire/sense.h"

static int setup_discovery(void **state)
{
    rig_open(NULL);
    peer_login(&peer, TEXT(RIG_DISCOVERY));
    return 0;
}

static void text_send(uint32_t ttt, bool final, bool cont, const char *text, uint32_t len)
{
    struct iskra_pdu_text req = {
        .final = final, .cont = cont, .itt = 0x77, .ttt = ttt, .cmd_sn = peer.cmd_sn++};
    iskra_text_encode(&req, bhs);
    peer_send(&peer, bhs, text, len);
}

static void text_expect(struct iskra_pdu_text_rsp *rsp, struct answer *answer)
{
    peer_expect(&peer, ISKRA_OP_TEXT_RSP, answer);
    iskra_text_rsp_decode(answer->bhs, rsp);
    assert_int_equal(rsp->itt, 0x77);
    assert_int_equal(rsp->exp_cmd_sn, peer.cmd_sn);
}

static void sendtargets_lists_name_and_address(void **state)
{
    static const char expected[] = "TargetName=" PEER_TARGET "\0TargetAddress=127.0.0.1:3260,1";
    static const char *const asked[] = {"SendTargets=All", "SendTargets=" PEER_TARGET};
    for (int i = 0; i < 2; i++) {
        struct iskra_pdu_text_rsp rsp;
        struct answer answer;
        text_send(ISKRA_RESERVED_TAG, true, false, asked[i], (uint32_t)strlen(asked[i]) + 1);
        text_expect(&rsp, &answer);
        assert_true(rsp.final);
        assert_false(rsp.cont);
        assert_int_equal(rsp.ttt, ISKRA_RESERVED_TAG);
        assert_int_equal(answer.len, sizeof(expected));
        assert_memory_equal(answer.payload, expected, sizeof(expected));
    }
}

static void sendtargets_of_another_name_is_empty(void **state)
{
    struct iskra_pdu_text_rsp rsp;
    struct answer answer;
    text_send(ISKRA_RESERVED_TAG, true, false, TEXT("SendTargets=iqn.2026-11.org.example:none"));
    text_expect(&rsp, &answer);
    assert_true(rsp.final);
    assert_int_equal(answer.len, 0);
}

static void a_session_may_ask_for_its_own_target_only(void **state)
{
    struct iskra_pdu_text_rsp rsp;
    struct answer answer;
    text_send(ISKRA_RESERVED_TAG, true, false, TEXT("SendTargets="));
    text_expect(&rsp, &answer);
    assert_string_equal(answer_value(&answer, "TargetName"), PEER_TARGET);
    text_send(ISKRA_RESERVED_TAG, true, false, TEXT("SendTargets=All"));
    text_expect(&rsp, &answer);
    assert_string_equal(answer_value(&answer, "SendTargets"), "Reject");
}

/* 40 portals make an answer of over 1 KiB; the initiator takes 512 bytes at a time. */
static void a_long_list_is_fetched_piece_by_piece(void **state)
{
    char text[40][32];
    const char *portals[40];
    for (int i = 0; i < 40; i++) {
        (void)snprintf(text[i], sizeof(text[i]), "192.0.2.%d:3260", i);
        portals[i] = text[i];
    }
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.portals = portals;
    options.portal_cnt = 40;
    rig_open(&options);
    peer_login(&peer, TEXT(RIG_DISCOVERY "\0MaxRecvDataSegmentLength=512"));
    struct iskra_pdu_text_rsp rsp;
    struct answer answer;
    static char all[8192];
    uint32_t len = 0, pieces = 0;
    text_send(ISKRA_RESERVED_TAG, true, false, TEXT("SendTargets=All"));
    do {
        text_expect(&rsp, &answer);
        assert_true(answer.len <= 512);
        memcpy(all + len, answer.payload, answer.len);
        len += answer.len;
        pieces++;
        assert_int_equal(rsp.final, !rsp.cont);
        if (rsp.cont) {
            assert_int_equal(answer.len, 512);
            assert_int_not_equal(rsp.ttt, ISKRA_RESERVED_TAG);
            text_send(rsp.ttt, true, false, NULL, 0);
        }
    } while (rsp.cont);
    assert_int_equal(pieces, (len + 511) / 512);
    assert_true(pieces > 2);
    struct iskra_slice list = {all, len};
    struct iskra_text_pair pair;
    int addresses = 0;
    while (iskra_text_next(&list, &pair) > 0)
        addresses += iskra_slice_is(pair.key, "TargetAddress");
    assert_int_equal(addresses, 41);
}

static void a_question_may_come_in_pieces_too(void **state)
{
    struct iskra_pdu_text_rsp rsp;
    struct answer answer;
    text_send(ISKRA_RESERVED_TAG, false, true, "SendTa", 6);
    text_expect(&rsp, &answer);
    assert_false(rsp.final);
    assert_int_equal(answer.len, 0);
    text_send(rsp.ttt, true, false, TEXT("rgets=All"));
    text_expect(&rsp, &answer);
    assert_true(rsp.final);
    assert_string_equal(answer_value(&answer, "TargetName"), PEER_TARGET);
}

static void a_wrong_target_transfer_tag_is_rejected(void **state)
{
    text_send(4711, true, false, TEXT("SendTargets=All"));
    rig_reject_expect(0x04, bhs);
    assert_false(iskra_target_conn_finished(peer.conn));
}

static void text_that_is_none_is_rejected(void **state)
{
    text_send(ISKRA_RESERVED_TAG, true, false, TEXT("SendTargets"));
    rig_reject_expect(0x04, bhs);
    text_send(ISKRA_RESERVED_TAG, true, true, TEXT("SendTargets=All"));
    rig_reject_expect(0x04, bhs);
}

static void a_key_of_the_login_is_rejected_later(void **state)
{
    struct iskra_pdu_text_rsp rsp;
    struct answer answer;
    text_send(ISKRA_RESERVED_TAG, true, false,
              TEXT("HeaderDigest=CRC32C\0MaxRecvDataSegmentLength=512\0X=1"));
    text_expect(&rsp, &answer);
    assert_string_equal(answer_value(&answer, "HeaderDigest"), "Reject");
    assert_string_equal(answer_value(&answer, "X"), "NotUnderstood");
    struct outcome o; /* the new limit holds */
    (void)iskra_cdb_read10(cdb, 0, 8, 0);
    peer_command(&peer, 0, cdb, 4096, true);
    peer_outcome(&peer, &o);
    assert_int_equal(o.data_in_cnt, 8);
    outcome_done(&o);
}

static void a_discovery_session_takes_no_commands(void **state)
{
    uint8_t sent[ISKRA_BHS_LEN];
    struct iskra_pdu_scsi_cmd req = {.final = true, .itt = 3, .cmd_sn = peer.cmd_sn};
    iskra_scsi_cmd_encode(&req, sent);
    peer_send(&peer, sent, NULL, 0);
    rig_reject_expect(0x05, sent);
    struct iskra_pdu_tmf tmf = {.immediate = true, .function = ISKRA_TMF_LUN_RESET};
    iskra_tmf_encode(&tmf, sent);
    peer_send(&peer, sent, NULL, 0);
    rig_reject_expect(0x05, sent);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
#define D(name) cmocka_unit_test_setup_teardown(name, setup_discovery, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        D(sendtargets_lists_name_and_address),
        D(sendtargets_of_another_name_is_empty),
        T(a_session_may_ask_for_its_own_target_only),
        cmocka_unit_test_teardown(a_long_list_is_fetched_piece_by_piece, rig_teardown),
        D(a_question_may_come_in_pieces_too),
        D(a_wrong_target_transfer_tag_is_rejected),
        D(text_that_is_none_is_rejected),
        T(a_key_of_the_login_is_rejected_later),
        D(a_discovery_session_takes_no_commands),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
