/* The target's full feature phase beside SCSI: numbering and window, NOP, Reject, digests, and how
 * much a connection takes in when nobody reads. */
#include "rig.h"

#include <stdio.h>
#include <string.h>

#include "wire/sense.h"

static int setup_digests(void **state)
{
    rig_open(NULL);
    peer_login(&peer, TEXT(NAMES "\0HeaderDigest=CRC32C\0DataDigest=CRC32C"));
    return 0;
}

static int setup_small_window(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.cmd_window = 4;
    rig_open(&options);
    peer_login(&peer, TEXT(NAMES));
    return 0;
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
    rig_still_alive();
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
    rig_still_alive();
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
    rig_still_alive();
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
    rig_still_alive();
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
    rig_reject_expect(0x06, bhs);
    for (int i = 0; i < 16; i++) {
        struct outcome o;
        peer_outcome(&peer, &o);
        outcome_done(&o);
    }
    rig_still_alive();
}

static void an_old_number_is_ignored(void **state)
{
    rig_still_alive();
    peer.cmd_sn--;
    (void)iskra_cdb_test_unit_ready(cdb);
    peer_command(&peer, 0, cdb, 0, false);
    assert_true(peer_silent(&peer));
    rig_still_alive();
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

static void a_snack_is_rejected(void **state)
{
    struct iskra_pdu_snack req = {.itt = 1, .ttt = ISKRA_RESERVED_TAG};
    iskra_snack_encode(&req, bhs);
    peer_send(&peer, bhs, NULL, 0);
    rig_reject_expect(0x03, bhs);
    rig_still_alive();
}

static void a_second_login_is_rejected(void **state)
{
    uint8_t sent[ISKRA_BHS_LEN] = {0x43, 0x87};
    peer_send(&peer, sent, TEXT(NAMES));
    rig_reject_expect(0x04, sent);
    rig_still_alive();
}

static void unknown_opcodes_are_rejected_with_their_header(void **state)
{
    static const uint8_t opcodes[] = {0x07, 0x1c, 0x20, 0x25, 0x31, 0x3f, 0x5e};
    static const uint8_t junk[100];
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        uint8_t sent[ISKRA_BHS_LEN] = {opcodes[i], 0x80, 0xaa};
        peer_send(&peer, sent, junk, (uint32_t)(7 * i));
        rig_reject_expect(0x05, sent);
    }
    rig_still_alive();
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
    rig_still_alive();
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
    rig_still_alive();
}

static void a_ping_with_damaged_data_is_rejected(void **state)
{
    struct answer answer;
    peer.spoil = true;
    nop_send(false, 1, "12345678", 8);
    peer.spoil = false;
    rig_reject_expect(0x02, bhs);
    nop_send(false, 2, "12345678", 8);
    peer_expect(&peer, ISKRA_OP_NOP_IN, &answer);
    rig_still_alive();
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
    rig_reject_expect(0x02, bhs);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, ISKRA_STATUS_CHECK_CONDITION);
    assert_int_equal(o.key, ISKRA_SENSE_ABORTED_COMMAND);
    assert_int_equal(o.asc, 0x47);
    outcome_done(&o);
    rig_still_alive();
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
    rig_still_alive();
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
#define C(name) cmocka_unit_test_setup_teardown(name, setup_digests, rig_teardown)
#define W(name) cmocka_unit_test_setup_teardown(name, setup_small_window, rig_teardown)

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
