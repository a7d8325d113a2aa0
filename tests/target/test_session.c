/* The target's full feature phase beside SCSI: numbering and window, NOP, text and discovery, task
 * management, logout, Reject, and how much the connection takes in when nobody reads. */
#include "peer.h"

#include <stdio.h>
#include <string.h>

#include "wire/sense.h"

#define DISCOVERY "InitiatorName=" PEER_INITIATOR "\0SessionType=Discovery"

static struct iskra_target *target;
static struct peer peer;
static uint8_t cdb[ISKRA_CDB_BHS_LEN], bhs[ISKRA_BHS_LEN];

static int open_target(const struct iskra_target_options *options)
{
    target = peer_target(options);
    peer_open(&peer, target);
    memset(cdb, 0, sizeof(cdb));
    return 0;
}

static int setup(void **state)
{
    open_target(NULL);
    peer_login(&peer, TEXT(NAMES "\0MaxRecvDataSegmentLength=65536"));
    return 0;
}

static int setup_discovery(void **state)
{
    open_target(NULL);
    peer_login(&peer, TEXT(DISCOVERY));
    return 0;
}

static int setup_digests(void **state)
{
    open_target(NULL);
    peer_login(&peer, TEXT(NAMES "\0HeaderDigest=CRC32C\0DataDigest=CRC32C"));
    return 0;
}

static int setup_small_window(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.cmd_window = 4;
    open_target(&options);
    peer_login(&peer, TEXT(NAMES));
    return 0;
}

static int teardown(void **state)
{
    peer_close(&peer);
    iskra_target_free(target);
    return 0;
}

static void reject_expect(uint8_t reason, const uint8_t *header)
{
    struct answer answer;
    struct iskra_pdu_reject reject;
    peer_expect(&peer, ISKRA_OP_REJECT, &answer);
    iskra_reject_decode(answer.bhs, &reject);
    assert_int_equal(reject.reason, reason);
    assert_int_equal(reject.itt, ISKRA_RESERVED_TAG);
    assert_int_equal(answer.len, ISKRA_BHS_LEN);
    assert_memory_equal(answer.payload, header, ISKRA_BHS_LEN);
}

static void still_alive(void)
{
    struct outcome o;
    (void)iskra_cdb_test_unit_ready(cdb);
    peer_command(&peer, 0, cdb, 0, false);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.exp_cmd_sn, peer.cmd_sn);
    outcome_done(&o);
    assert_true(peer_silent(&peer));
}

static void nop_send(bool immediate, uint32_t itt, const void *ping, uint32_t len)
{
    struct iskra_pdu_nop_out nop = {.immediate = immediate,
                                    .lun = UINT64_C(5) << 48,
                                    .itt = itt,
                                    .ttt = ISKRA_RESERVED_TAG,
                                    .cmd_sn = peer.cmd_sn};
    if (!immediate)
        peer.cmd_sn++;
    iskra_nop_out_encode(&nop, bhs);
    peer_send(&peer, bhs, ping, len);
}

static void a_ping_comes_back_with_its_data(void **state)
{
    static uint8_t ping[65537];
    static const uint32_t sizes[] = {0, 1, 3, 4, 512, 65535, 65536};
    for (size_t i = 0; i < sizeof(ping); i++)
        ping[i] = (uint8_t)(i * 7);
    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        struct answer answer;
        struct iskra_pdu_nop_in in;
        nop_send(i & 1, 0x42, ping, sizes[i]);
        peer_expect(&peer, ISKRA_OP_NOP_IN, &answer);
        iskra_nop_in_decode(answer.bhs, &in);
        assert_int_equal(in.itt, 0x42);
        assert_int_equal(in.ttt, ISKRA_RESERVED_TAG);
        assert_true(in.lun == UINT64_C(5) << 48);
        assert_int_equal(in.stat_sn, 2 + i);
        assert_int_equal(in.exp_cmd_sn, peer.cmd_sn);
        assert_int_equal(answer.len, sizes[i]);
        assert_memory_equal(answer.payload, ping, sizes[i]);
    }
    still_alive();
}

static void an_echo_is_cut_to_what_the_initiator_takes(void **state)
{
    static uint8_t ping[65540];
    struct answer answer;
    nop_send(true, 1, ping, sizeof(ping));
    peer_expect(&peer, ISKRA_OP_NOP_IN, &answer);
    assert_int_equal(answer.len, 65536);
}

static void a_nop_with_the_reserved_tag_is_swallowed(void **state)
{
    nop_send(true, ISKRA_RESERVED_TAG, NULL, 0);
    assert_true(peer_silent(&peer));
    still_alive();
}

static void ten_commands_in_one_receive_are_all_answered(void **state)
{
    uint8_t bytes[10 * ISKRA_BHS_LEN];
    for (uint32_t i = 0; i < 10; i++) {
        struct iskra_pdu_scsi_cmd req = {
            .final = true, .read = true, .itt = i, .edtl = 4096, .cmd_sn = peer.cmd_sn++};
        (void)iskra_cdb_read10(req.cdb, i, 8, 0);
        iskra_scsi_cmd_encode(&req, bytes + i * ISKRA_BHS_LEN);
    }
    peer_send_bytes(&peer, bytes, sizeof(bytes));
    for (uint32_t i = 0; i < 10; i++) {
        struct outcome o;
        peer_outcome(&peer, &o);
        assert_int_equal(o.itt, i);
        assert_int_equal(o.len, 4096);
        assert_int_equal(o.exp_cmd_sn, peer.cmd_sn);
        assert_int_equal(o.max_cmd_sn, peer.cmd_sn + 128 - 1 - (9 - i));
        outcome_done(&o);
    }
}

static void the_window_is_told_and_what_is_beyond_it_ignored(void **state)
{
    struct outcome o;
    peer.hold = true;
    (void)iskra_cdb_read10(cdb, 0, 8, 0);
    for (int i = 0; i < 6; i++) /* the window is 4: two are too many */
        peer_command(&peer, 0, cdb, 4096, true);
    peer.hold = false;
    peer_drain(&peer);
    for (int i = 0; i < 4; i++) {
        peer_outcome(&peer, &o);
        assert_int_equal(o.itt, 0x100 + i);
        assert_int_equal(o.exp_cmd_sn, 7 + 4);
        assert_int_equal(o.max_cmd_sn, 7 + 4 + i);
        outcome_done(&o);
    }
    assert_true(peer_silent(&peer));
    peer.cmd_sn = 7 + 4;
    still_alive();
}

static void an_immediate_command_needs_no_number(void **state)
{
    struct outcome o;
    struct iskra_pdu_scsi_cmd req = {
        .immediate = true, .final = true, .itt = 9, .cmd_sn = peer.cmd_sn};
    iskra_scsi_cmd_encode(&req, bhs);
    peer_send(&peer, bhs, NULL, 0);
    peer_outcome(&peer, &o);
    assert_int_equal(o.itt, 9);
    assert_int_equal(o.exp_cmd_sn, peer.cmd_sn);
    outcome_done(&o);
    still_alive();
}

static void too_many_immediate_commands_are_rejected(void **state)
{
    struct iskra_pdu_scsi_cmd req = {
        .immediate = true, .final = true, .itt = 9, .cmd_sn = peer.cmd_sn};
    iskra_scsi_cmd_encode(&req, bhs);
    peer.hold = true;
    for (int i = 0; i < 17; i++)
        peer_send(&peer, bhs, NULL, 0);
    peer.hold = false;
    peer_drain(&peer);
    reject_expect(0x06, bhs);
    for (int i = 0; i < 16; i++) {
        struct outcome o;
        peer_outcome(&peer, &o);
        outcome_done(&o);
    }
    still_alive();
}

static void an_old_number_is_ignored(void **state)
{
    still_alive();
    peer.cmd_sn--;
    (void)iskra_cdb_test_unit_ready(cdb);
    peer_command(&peer, 0, cdb, 0, false);
    assert_true(peer_silent(&peer));
    still_alive();
}

static void a_gap_in_the_numbers_ends_the_connection(void **state)
{
    peer.cmd_sn++;
    (void)iskra_cdb_test_unit_ready(cdb);
    peer_command(&peer, 0, cdb, 0, false);
    assert_true(iskra_target_conn_finished(peer.conn));
}

static void command_numbers_wrap_around(void **state)
{
    struct peer one;
    peer_open(&one, target);
    one.isid[5] = 7;
    one.cmd_sn = 0xfffffffe;
    peer_login(&one, TEXT(NAMES));
    for (int i = 0; i < 4; i++) {
        struct outcome o;
        peer_command(&one, 0, cdb, 0, false);
        peer_outcome(&one, &o);
        assert_int_equal(o.exp_cmd_sn, one.cmd_sn);
        outcome_done(&o);
    }
    peer_close(&one);
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
    open_target(&options);
    peer_login(&peer, TEXT(DISCOVERY "\0MaxRecvDataSegmentLength=512"));
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
    reject_expect(0x04, bhs);
    assert_false(iskra_target_conn_finished(peer.conn));
}

static void text_that_is_none_is_rejected(void **state)
{
    text_send(ISKRA_RESERVED_TAG, true, false, TEXT("SendTargets"));
    reject_expect(0x04, bhs);
    text_send(ISKRA_RESERVED_TAG, true, true, TEXT("SendTargets=All"));
    reject_expect(0x04, bhs);
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
    reject_expect(0x05, sent);
    struct iskra_pdu_tmf tmf = {.immediate = true, .function = ISKRA_TMF_LUN_RESET};
    iskra_tmf_encode(&tmf, sent);
    peer_send(&peer, sent, NULL, 0);
    reject_expect(0x05, sent);
}

static void logout_send(uint8_t reason, uint16_t cid)
{
    struct iskra_pdu_logout req = {
        .immediate = true, .reason = reason, .itt = 0x99, .cid = cid, .cmd_sn = peer.cmd_sn};
    iskra_logout_encode(&req, bhs);
    peer_send(&peer, bhs, NULL, 0);
}

static void logout_expect(uint8_t response)
{
    struct answer answer;
    struct iskra_pdu_logout_rsp rsp;
    peer_expect(&peer, ISKRA_OP_LOGOUT_RSP, &answer);
    iskra_logout_rsp_decode(answer.bhs, &rsp);
    assert_int_equal(rsp.response, response);
    assert_int_equal(rsp.itt, 0x99);
}

static void logout_ends_the_session(void **state)
{
    struct iskra_target_stats stats;
    logout_send(0, 0);
    logout_expect(0);
    assert_true(iskra_target_conn_finished(peer.conn));
    assert_int_equal(iskra_target_conn_error(peer.conn)->code, ISKRA_OK);
    iskra_target_stats(target, &stats);
    assert_int_equal(stats.session_cnt, 0);
}

static void logout_of_this_connection_ends_it(void **state)
{
    logout_send(1, 1);
    logout_expect(0);
    assert_true(iskra_target_conn_finished(peer.conn));
}

static void logout_of_another_connection_or_for_recovery_does_not(void **state)
{
    logout_send(1, 2);
    logout_expect(1);
    logout_send(2, 1);
    logout_expect(2);
    assert_false(iskra_target_conn_finished(peer.conn));
    still_alive();
}

static void a_logout_answer_that_is_not_read_is_given_up(void **state)
{
    peer.hold = true;
    logout_send(0, 0);
    assert_false(iskra_target_conn_finished(peer.conn));
    uint64_t deadline = iskra_target_conn_deadline_ns(peer.conn);
    assert_true(deadline != UINT64_MAX);
    iskra_target_conn_tick(peer.conn, deadline);
    assert_true(iskra_target_conn_finished(peer.conn));
}

static uint8_t tmf(uint8_t function, uint64_t lun, uint32_t ref)
{
    struct answer answer;
    struct iskra_pdu_tmf_rsp rsp;
    struct iskra_pdu_tmf req = {.immediate = true,
                                .function = function,
                                .lun = lun,
                                .itt = 0x88,
                                .ref_task_tag = ref,
                                .cmd_sn = peer.cmd_sn};
    iskra_tmf_encode(&req, bhs);
    peer_send(&peer, bhs, NULL, 0);
    peer.hold = false;
    peer_drain(&peer);
    peer_expect(&peer, ISKRA_OP_TMF_RSP, &answer);
    iskra_tmf_rsp_decode(answer.bhs, &rsp);
    assert_int_equal(rsp.itt, 0x88);
    return rsp.response;
}

static void abort_of_a_finished_task_says_no_such_task(void **state)
{
    still_alive();
    assert_int_equal(tmf(ISKRA_TMF_ABORT_TASK, 0, 0x100), 1);
    still_alive();
}

static void an_aborted_task_is_never_answered(void **state)
{
    struct outcome o;
    peer.hold = true;
    (void)iskra_cdb_read10(cdb, 0, 8, 0);
    for (int i = 0; i < 3; i++)
        peer_command(&peer, 0, cdb, 4096, true);
    assert_int_equal(tmf(ISKRA_TMF_ABORT_TASK, 0, 0x101), 0);
    peer_outcome(&peer, &o);
    assert_int_equal(o.itt, 0x100);
    outcome_done(&o);
    peer_outcome(&peer, &o);
    assert_int_equal(o.itt, 0x102);
    assert_int_equal(o.max_cmd_sn, peer.cmd_sn + 127); /* its place in the window is free again */
    outcome_done(&o);
    still_alive();
}

static void abort_task_set_clears_the_lun(void **state)
{
    peer.hold = true;
    for (int i = 0; i < 3; i++)
        peer_command(&peer, 0, cdb, 0, false);
    assert_int_equal(tmf(ISKRA_TMF_ABORT_TASK_SET, 0, 0), 0);
    assert_true(peer_silent(&peer));
    still_alive();
}

static void reset_of_an_absent_lun_is_refused(void **state)
{
    assert_int_equal(tmf(ISKRA_TMF_LUN_RESET, UINT64_C(9) << 48, 0), 2);
    assert_int_equal(tmf(ISKRA_TMF_ABORT_TASK_SET, UINT64_C(9) << 48, 0), 2);
}

static void functions_that_are_not_there_are_refused(void **state)
{
    assert_int_equal(tmf(ISKRA_TMF_TASK_REASSIGN, 0, 0), 4);
    assert_int_equal(tmf(ISKRA_TMF_CLEAR_ACA, 0, 0), 5);
    assert_int_equal(tmf(99, 0, 0), 5);
}

static void a_lun_reset_is_told_to_everybody_once(void **state)
{
    struct peer other;
    struct outcome o;
    peer_open(&other, target);
    other.isid[5] = 2;
    peer_login(&other, TEXT(NAMES));
    assert_int_equal(tmf(ISKRA_TMF_LUN_RESET, 0, 0), 0);
    (void)iskra_cdb_inquiry(cdb, 36); /* does not take it */
    peer_command(&other, 0, cdb, 36, true);
    peer_outcome(&other, &o);
    assert_int_equal(o.status, 0);
    outcome_done(&o);
    memset(cdb, 0, sizeof(cdb));
    peer_refused_with(&other, 0, cdb, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 3);
    peer_refused_with(&peer, 0, cdb, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 3);
    still_alive();
    peer_close(&other);
}

static void a_warm_reset_clears_all_luns(void **state)
{
    assert_int_equal(tmf(ISKRA_TMF_TARGET_WARM_RESET, 0, 0), 0);
    peer_refused_with(&peer, 0, cdb, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 3);
    still_alive();
}

static void a_cold_reset_ends_all_connections(void **state)
{
    struct peer other;
    peer_open(&other, target);
    other.isid[5] = 2;
    peer_login(&other, TEXT(NAMES));
    assert_int_equal(tmf(ISKRA_TMF_TARGET_COLD_RESET, 0, 0), 0);
    assert_true(iskra_target_conn_finished(peer.conn));
    assert_true(iskra_target_conn_finished(other.conn));
    assert_true(iskra_target_roused(target));
    peer_close(&other);
}

static void a_snack_is_rejected(void **state)
{
    struct iskra_pdu_snack req = {.itt = 1, .ttt = ISKRA_RESERVED_TAG};
    iskra_snack_encode(&req, bhs);
    peer_send(&peer, bhs, NULL, 0);
    reject_expect(0x03, bhs);
    still_alive();
}

static void a_second_login_is_rejected(void **state)
{
    uint8_t sent[ISKRA_BHS_LEN] = {0x43, 0x87};
    peer_send(&peer, sent, TEXT(NAMES));
    reject_expect(0x04, sent);
    still_alive();
}

static void unknown_opcodes_are_rejected_with_their_header(void **state)
{
    static const uint8_t opcodes[] = {0x07, 0x1c, 0x20, 0x25, 0x31, 0x3f, 0x5e};
    static const uint8_t junk[100];
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        uint8_t sent[ISKRA_BHS_LEN] = {opcodes[i], 0x80, 0xaa};
        peer_send(&peer, sent, junk, (uint32_t)(7 * i));
        reject_expect(0x05, sent);
    }
    still_alive();
}

static void an_additional_header_segment_is_skipped(void **state)
{
    uint8_t pdu[ISKRA_BHS_LEN + 8] = {0};
    struct iskra_pdu_nop_out nop = {
        .immediate = true, .ahs_words = 2, .itt = 3, .ttt = ISKRA_RESERVED_TAG};
    iskra_nop_out_encode(&nop, pdu);
    peer_send_bytes(&peer, pdu, sizeof(pdu));
    struct answer answer;
    peer_expect(&peer, ISKRA_OP_NOP_IN, &answer);
    still_alive();
}

static void a_header_digest_error_ends_the_connection(void **state)
{
    uint8_t pdu[ISKRA_BHS_LEN + 4] = {0x40, 0x80};
    assert_true(peer.header_digest);
    peer_send_bytes(&peer, pdu, sizeof(pdu));
    assert_true(iskra_target_conn_finished(peer.conn));
    assert_true(peer_silent(&peer));
}

static void requests_with_digests_are_understood(void **state)
{
    struct answer answer;
    nop_send(true, 1, "12345", 5);
    peer_expect(&peer, ISKRA_OP_NOP_IN, &answer);
    assert_memory_equal(answer.payload, "12345", 5);
    still_alive();
}

static void a_ping_with_damaged_data_is_rejected(void **state)
{
    struct answer answer;
    peer.spoil = true;
    nop_send(false, 1, "12345678", 8);
    peer.spoil = false;
    reject_expect(0x02, bhs);
    nop_send(false, 2, "12345678", 8);
    peer_expect(&peer, ISKRA_OP_NOP_IN, &answer);
    still_alive();
}

/* RFC 7143 7.8: a Reject for the PDU, and CHECK CONDITION for the command. */
static void a_command_with_damaged_immediate_data_ends_in_a_crc_error(void **state)
{
    struct outcome o;
    struct iskra_pdu_scsi_cmd req = {
        .final = true, .write = true, .itt = 5, .edtl = 512, .cmd_sn = peer.cmd_sn++};
    static const uint8_t junk[512];
    (void)iskra_cdb_write10(req.cdb, 0, 1, 0);
    iskra_scsi_cmd_encode(&req, bhs);
    peer.spoil = true;
    peer_send(&peer, bhs, junk, sizeof(junk));
    peer.spoil = false;
    reject_expect(0x02, bhs);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, ISKRA_STATUS_CHECK_CONDITION);
    assert_int_equal(o.key, ISKRA_SENSE_ABORTED_COMMAND);
    assert_int_equal(o.asc, 0x47);
    outcome_done(&o);
    still_alive();
}

/* The stream of a whole session, cut anywhere, gives the same answers to the byte. */
static size_t session_bytes(uint8_t *buf, size_t chunk)
{
    struct peer one;
    struct iskra_target *fresh = peer_target(NULL);
    peer_open(&one, fresh);
    one.chunk = chunk;
    peer_login(&one, TEXT(NAMES "\0HeaderDigest=CRC32C\0DataDigest=CRC32C"));
    for (uint32_t i = 1; i < 20; i++) {
        (void)iskra_cdb_read10(cdb, i, i, 0);
        peer_command(&one, 0, cdb, i * 512, true);
        struct iskra_pdu_nop_out nop = {
            .immediate = true, .itt = i, .ttt = ISKRA_RESERVED_TAG, .cmd_sn = one.cmd_sn};
        iskra_nop_out_encode(&nop, bhs);
        peer_send(&one, bhs, "abcdefghijklmnopqrstuvwxyz", i);
        (void)iskra_cdb_inquiry(cdb, (uint16_t)(30 + i));
        peer_command(&one, 0, cdb, 30 + i, true);
    }
    memcpy(buf, one.rx, one.rx_len);
    size_t len = one.rx_len;
    peer_close(&one);
    iskra_target_free(fresh);
    return len;
}

static void bytes_one_by_one_give_the_same_answers(void **state)
{
    static uint8_t whole[1 << 18], split[1 << 18];
    static const size_t chunks[] = {1, 2, 3, 7, 47, 48, 49, 52, 199};
    size_t len = session_bytes(whole, 0);
    assert_true(len > 100000);
    for (size_t i = 0; i < sizeof(chunks) / sizeof(chunks[0]); i++) {
        assert_int_equal(session_bytes(split, chunks[i]), len);
        assert_memory_equal(split, whole, len);
    }
}

/* Nobody reads the answers: at some point nothing more is taken in, and nothing is lost. */
static void pings_that_nobody_reads_stop_the_intake(void **state)
{
    static uint8_t ping[8192];
    peer.hold = true;
    struct iovec iov[2];
    unsigned sent = 0;
    size_t pdu_len = ISKRA_BHS_LEN + sizeof(ping);
    while (iskra_target_conn_recv_window(peer.conn, iov) > 0 && iov[0].iov_len >= pdu_len) {
        ping[0] = (uint8_t)sent;
        nop_send(true, sent++, ping, sizeof(ping));
        assert_true(sent < 1000);
    }
    assert_true(sent > 10);
    peer.hold = false;
    for (unsigned i = 0; i < sent; i++) {
        struct answer answer;
        peer_drain(&peer);
        peer_expect(&peer, ISKRA_OP_NOP_IN, &answer);
        assert_int_equal(iskra_bhs_itt(answer.bhs), i);
        assert_int_equal(answer.payload[0], (uint8_t)i);
    }
    still_alive();
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
#define D(name) cmocka_unit_test_setup_teardown(name, setup_discovery, teardown)
#define C(name) cmocka_unit_test_setup_teardown(name, setup_digests, teardown)
#define W(name) cmocka_unit_test_setup_teardown(name, setup_small_window, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_ping_comes_back_with_its_data),
        T(an_echo_is_cut_to_what_the_initiator_takes),
        T(a_nop_with_the_reserved_tag_is_swallowed),
        T(ten_commands_in_one_receive_are_all_answered),
        W(the_window_is_told_and_what_is_beyond_it_ignored),
        T(an_immediate_command_needs_no_number),
        T(too_many_immediate_commands_are_rejected),
        T(an_old_number_is_ignored),
        T(a_gap_in_the_numbers_ends_the_connection),
        T(command_numbers_wrap_around),
        D(sendtargets_lists_name_and_address),
        D(sendtargets_of_another_name_is_empty),
        T(a_session_may_ask_for_its_own_target_only),
        cmocka_unit_test_teardown(a_long_list_is_fetched_piece_by_piece, teardown),
        D(a_question_may_come_in_pieces_too),
        D(a_wrong_target_transfer_tag_is_rejected),
        D(text_that_is_none_is_rejected),
        T(a_key_of_the_login_is_rejected_later),
        D(a_discovery_session_takes_no_commands),
        T(logout_ends_the_session),
        T(logout_of_this_connection_ends_it),
        T(logout_of_another_connection_or_for_recovery_does_not),
        T(a_logout_answer_that_is_not_read_is_given_up),
        T(abort_of_a_finished_task_says_no_such_task),
        T(an_aborted_task_is_never_answered),
        T(abort_task_set_clears_the_lun),
        T(reset_of_an_absent_lun_is_refused),
        T(functions_that_are_not_there_are_refused),
        T(a_lun_reset_is_told_to_everybody_once),
        T(a_warm_reset_clears_all_luns),
        T(a_cold_reset_ends_all_connections),
        T(a_snack_is_rejected),
        T(a_second_login_is_rejected),
        T(unknown_opcodes_are_rejected_with_their_header),
        T(an_additional_header_segment_is_skipped),
        C(a_header_digest_error_ends_the_connection),
        C(requests_with_digests_are_understood),
        C(a_ping_with_damaged_data_is_rejected),
        C(a_command_with_damaged_immediate_data_ends_in_a_crc_error),
        T(bytes_one_by_one_give_the_same_answers),
        T(pings_that_nobody_reads_stop_the_intake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
