/* The target's disk: reads, from where they come, how they are cut into PDUs, how they end. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/sense.h"
#include "wire/vpd.h"

#define LUN_FILE (UINT64_C(1) << 48)
#define LUN_NULL (UINT64_C(2) << 48)
#define CDB_LEN  ISKRA_CDB_BHS_LEN
#define ILLEGAL  ISKRA_SENSE_ILLEGAL_REQUEST

static int setup_separate(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.separate_status = true;
    return rig_disks_open(&options,
                          TEXT(NAMES "\0MaxRecvDataSegmentLength=8192\0MaxBurstLength=16384"));
}

static int setup_digests(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    return rig_disks_open(&options, TEXT(NAMES "\0HeaderDigest=CRC32C\0DataDigest=CRC32C"));
}

static void read_bytes(uint64_t lun, uint32_t lba, uint32_t blocks, struct outcome *o)
{
    (void)iskra_cdb_read16(cdb, lba, blocks, 0);
    rig_good(lun, blocks * 512, o);
    assert_int_equal(o->len, blocks * 512);
    assert_int_equal(o->residual, 0);
}

static void a_read_of_a_file_is_the_file(void **state)
{
    struct outcome o;
    for (uint32_t blocks = 1; blocks <= RIG_FILE_LEN / 512; blocks = blocks * 2 + 1) {
        uint32_t lba = (uint32_t)(RIG_FILE_LEN / 512) - blocks;
        read_bytes(LUN_FILE, lba, blocks, &o);
        assert_memory_equal(o.bytes, rig_image + (size_t)lba * 512, blocks * 512);
        assert_true(o.collapsed);
        assert_int_equal(o.data_in_cnt, (blocks * 512 + 8191) / 8192);
        outcome_done(&o);
    }
}

static void all_sizes_of_read_cdbs_read(void **state)
{
    struct outcome o;
    unsigned len[4];
    uint8_t cdbs[4][CDB_LEN];
    len[0] = iskra_cdb_read6(cdbs[0], 3, 2);
    len[1] = iskra_cdb_read10(cdbs[1], 3, 2, ISKRA_CDB_FUA | ISKRA_CDB_DPO);
    len[2] = iskra_cdb_read12(cdbs[2], 3, 2, 0);
    len[3] = iskra_cdb_read16(cdbs[3], 3, 2, 0);
    for (int i = 0; i < 4; i++) {
        assert_int_not_equal(len[i], 0);
        memcpy(cdb, cdbs[i], CDB_LEN);
        rig_good(LUN_FILE, 1024, &o);
        assert_int_equal(o.len, 1024);
        assert_memory_equal(o.bytes, rig_image + 3 * 512, 1024);
        outcome_done(&o);
    }
}

static void ram_and_null_read_as_zeros(void **state)
{
    static const uint8_t zeros[65536];
    struct outcome o;
    read_bytes(0, 5, 128, &o);
    assert_memory_equal(o.bytes, zeros, sizeof(zeros));
    outcome_done(&o);
    (void)iskra_cdb_read16(cdb, RIG_NULL_LEN / 512 - 128, 128, 0);
    rig_good(LUN_NULL, 65536, &o);
    assert_int_equal(o.len, 65536);
    assert_memory_equal(o.bytes, zeros, sizeof(zeros));
    outcome_done(&o);
}

/* RFC 7143 11.7.2: F ends a sequence of MaxBurstLength (16384 here), in PDUs of at most 8192. */
static void f_is_set_at_the_end_of_each_burst(void **state)
{
    (void)iskra_cdb_read10(cdb, 0, 80, 0);
    peer_command(&peer, LUN_FILE, cdb, 40960, true);
    static const bool final[5] = {false, true, false, true, true};
    for (int i = 0; i < 5; i++) {
        struct answer answer;
        struct iskra_pdu_data_in in;
        peer_expect(&peer, ISKRA_OP_DATA_IN, &answer);
        iskra_data_in_decode(answer.bhs, &in);
        assert_int_equal(in.final, final[i]);
        assert_int_equal(in.status_present, i == 4);
        assert_int_equal(answer.len, 8192);
        assert_int_equal(in.data_sn, i);
    }
    assert_true(peer_silent(&peer));
}

/* MaxRecvDataSegmentLength 10000 does not divide MaxBurstLength 16384: the second PDU is the
 * shorter one. */
static void a_pdu_never_crosses_the_end_of_a_burst(void **state)
{
    struct peer one;
    peer_open(&one, target);
    one.isid[5] = 2;
    peer_login(&one, TEXT(NAMES "\0MaxRecvDataSegmentLength=10000\0MaxBurstLength=16384"));
    (void)iskra_cdb_read10(cdb, 0, 80, 0);
    peer_command(&one, LUN_FILE, cdb, 40960, true);
    static const uint32_t lens[] = {10000, 6384, 10000, 6384, 8192};
    for (int i = 0; i < 5; i++) {
        struct answer answer;
        struct iskra_pdu_data_in in;
        peer_expect(&one, ISKRA_OP_DATA_IN, &answer);
        iskra_data_in_decode(answer.bhs, &in);
        assert_int_equal(answer.len, lens[i]);
        assert_int_equal(in.final, i % 2 == 1 || i == 4);
        assert_memory_equal(answer.payload, rig_image + in.offset, answer.len);
    }
    peer_close(&one);
}

static void status_comes_in_the_last_data_in_with_these_bytes(void **state)
{
    (void)iskra_cdb_read10(cdb, 1, 1, 0);
    peer_command(&peer, LUN_FILE, cdb, 512, true);
    static const uint8_t golden[48] = {
        0x25, 0x81, 0, 0, 0,    0,    2,    0,    0, 0, 0, 0, 0, 0, 0, 0, /* F, S, 512 bytes */
        0,    0,    1, 0, 0xff, 0xff, 0xff, 0xff, 0, 0, 0, 2,             /* ITT, TTT, StatSN */
        0,    0,    0, 8, 0,    0,    0,    0x87};                        /* ExpCmdSN, MaxCmdSN */
    struct answer answer;
    peer_expect(&peer, ISKRA_OP_DATA_IN, &answer);
    assert_memory_equal(answer.bhs, golden, 48);
    assert_memory_equal(answer.payload, rig_image + 512, 512);
}

static void separate_status_comes_in_a_response_with_these_bytes(void **state)
{
    (void)iskra_cdb_read10(cdb, 1, 1, 0);
    peer_command(&peer, LUN_FILE, cdb, 512, true);
    static const uint8_t data_in[48] = {
        0x25, 0x80, 0,    0,    0,    0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0,   0, 1,
        0,    0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 8, 0, 0, 0, 0x86}; /* the window opens
                                                                                 when the command
                                                                                 has ended */
    static const uint8_t rsp[48] = {0x21, 0x80, 0, 0, 0, 0, 0, 0,    0, 0, 0, 0, 0, 0,
                                    0,    0,    0, 0, 1, 0, 0, 0,    0, 0, 0, 0, 0, 2,
                                    0,    0,    0, 8, 0, 0, 0, 0x87, 0, 0, 0, 1}; /* ExpDataSN 1 */
    struct answer answer;
    peer_expect(&peer, ISKRA_OP_DATA_IN, &answer);
    assert_memory_equal(answer.bhs, data_in, 48);
    peer_expect(&peer, ISKRA_OP_SCSI_RSP, &answer);
    assert_memory_equal(answer.bhs, rsp, 48);
    assert_true(peer_silent(&peer));
}

static void sense_is_in_the_response_after_its_length(void **state)
{
    static const uint8_t segment[20] = {0, 18, 0x70, 0, 5, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x21};
    struct answer answer;
    struct iskra_pdu_scsi_rsp rsp;
    (void)iskra_cdb_read10(cdb, RIG_FILE_LEN / 512, 1, 0);
    peer_command(&peer, LUN_FILE, cdb, 512, true);
    peer_expect(&peer, ISKRA_OP_SCSI_RSP, &answer);
    iskra_scsi_rsp_decode(answer.bhs, &rsp);
    assert_int_equal(rsp.status, 2);
    assert_int_equal(rsp.residual, 512);
    assert_true(rsp.underflow);
    assert_int_equal(answer.len, 20);
    assert_memory_equal(answer.payload, segment, 20);
}

static void reads_beyond_the_end_are_out_of_range(void **state)
{
    (void)iskra_cdb_read10(cdb, RIG_FILE_LEN / 512 - 1, 2, 0);
    peer_refused_with(&peer, LUN_FILE, cdb, 1024, ILLEGAL, 0x21, 0);
    (void)iskra_cdb_read16(cdb, UINT64_MAX, 2, 0);
    peer_refused_with(&peer, LUN_FILE, cdb, 1024, ILLEGAL, 0x21, 0);
    (void)iskra_cdb_read16(cdb, RIG_FILE_LEN / 512 + 1, 0, 0);
    peer_refused_with(&peer, LUN_FILE, cdb, 0, ILLEGAL, 0x21, 0);
}

static void a_read_of_no_blocks_is_good(void **state)
{
    struct outcome o;
    (void)iskra_cdb_read10(cdb, RIG_FILE_LEN / 512, 0, 0);
    rig_good(LUN_FILE, 512, &o);
    assert_int_equal(o.len, 0);
    assert_true(o.underflow);
    assert_int_equal(o.residual, 512);
    outcome_done(&o);
}

static void fewer_bytes_expected_than_read_is_overflow(void **state)
{
    struct outcome o;
    (void)iskra_cdb_read10(cdb, 0, 4, 0);
    rig_good(LUN_FILE, 600, &o);
    assert_int_equal(o.len, 600);
    assert_true(o.overflow);
    assert_int_equal(o.residual, 2048 - 600);
    assert_memory_equal(o.bytes, rig_image, 600);
    outcome_done(&o);
}

static void more_bytes_expected_than_read_is_underflow(void **state)
{
    struct outcome o;
    (void)iskra_cdb_read10(cdb, 0, 1, 0);
    rig_good(LUN_FILE, 4096, &o);
    assert_int_equal(o.len, 512);
    assert_true(o.underflow);
    assert_int_equal(o.residual, 4096 - 512);
    outcome_done(&o);
}

static void a_read_without_the_read_bit_moves_nothing(void **state)
{
    struct outcome o;
    (void)iskra_cdb_read10(cdb, 0, 1, 0);
    peer_command(&peer, LUN_FILE, cdb, 0, false);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.len, 0);
    assert_true(o.overflow);
    assert_int_equal(o.residual, 512);
    outcome_done(&o);
}

static void read_protection_is_a_bad_field(void **state)
{
    (void)iskra_cdb_read10(cdb, 0, 1, 0);
    cdb[1] |= 0x20;
    peer_refused_with(&peer, LUN_FILE, cdb, 512, ILLEGAL, 0x24, 0);
}

static void reads_beyond_the_transfer_limit_are_a_bad_field(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.max_transfer_blocks = 8;
    struct iskra_target *limited = peer_target(&options);
    struct peer one;
    struct iskra_block_limits limits;
    struct outcome o;
    peer_open(&one, limited);
    peer_login(&one, TEXT(NAMES));
    (void)iskra_cdb_read10(cdb, 0, 9, 0);
    peer_refused_with(&one, 0, cdb, 9 * 512, ILLEGAL, 0x24, 0);
    (void)iskra_cdb_inquiry_vpd(cdb, ISKRA_VPD_BLOCK_LIMITS, 64);
    peer_command(&one, 0, cdb, 64, true);
    peer_outcome(&one, &o);
    assert_int_equal(iskra_vpd_block_limits_decode(o.bytes, o.len, &limits), 0);
    assert_int_equal(limits.max_transfer_blocks, 8);
    outcome_done(&o);
    peer_close(&one);
    iskra_target_free(limited);
}

static void reads_are_right_under_both_digests(void **state)
{
    struct outcome o;
    assert_true(peer.header_digest && peer.data_digest);
    static const uint64_t luns[] = {0, LUN_FILE, LUN_NULL};
    for (int i = 0; i < 3; i++) {
        read_bytes(luns[i], 3, 300, &o);
        if (luns[i] == LUN_FILE)
            assert_memory_equal(o.bytes, rig_image + 3 * 512, 300 * 512);
        outcome_done(&o);
    }
    (void)iskra_cdb_inquiry(cdb, 37); /* an odd length: padding is hashed */
    rig_good(0, 37, &o);
    assert_int_equal(o.len, 37);
    outcome_done(&o);
}

static void a_disk_of_4096_byte_blocks(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    options.block_len = 4096;
    struct iskra_target *large = peer_target(&options);
    struct peer one;
    struct outcome o;
    peer_open(&one, large);
    peer_login(&one, TEXT(NAMES));
    (void)iskra_cdb_read_capacity10(cdb);
    peer_command(&one, 0, cdb, 8, true);
    peer_outcome(&one, &o);
    assert_memory_equal(o.bytes, "\x00\x00\x00\xff\x00\x00\x10\x00", 8);
    outcome_done(&o);
    (void)iskra_cdb_read10(cdb, 255, 1, 0);
    peer_command(&one, 0, cdb, 4096, true);
    peer_outcome(&one, &o);
    assert_int_equal(o.len, 4096);
    outcome_done(&o);
    peer_close(&one);
    iskra_target_free(large);
}

static void a_file_cut_short_under_us_is_a_medium_error(void **state)
{
    struct outcome o;
    assert_int_equal(truncate(rig_path, 8192), 0);
    (void)iskra_cdb_read10(cdb, 0, 32, 0);
    peer_command(&peer, LUN_FILE, cdb, 16384, true);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, ISKRA_STATUS_CHECK_CONDITION);
    assert_int_equal(o.key, ISKRA_SENSE_MEDIUM_ERROR);
    assert_int_equal(o.asc, 0x11);
    assert_int_equal(o.len, 8192);
    assert_int_equal(o.residual, 8192);
    outcome_done(&o);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_disks_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_read_of_a_file_is_the_file),
        T(all_sizes_of_read_cdbs_read),
        T(ram_and_null_read_as_zeros),
        T(f_is_set_at_the_end_of_each_burst),
        T(a_pdu_never_crosses_the_end_of_a_burst),
        T(status_comes_in_the_last_data_in_with_these_bytes),
        cmocka_unit_test_setup_teardown(separate_status_comes_in_a_response_with_these_bytes,
                                        setup_separate, rig_teardown),
        T(sense_is_in_the_response_after_its_length),
        T(reads_beyond_the_end_are_out_of_range),
        T(a_read_of_no_blocks_is_good),
        T(fewer_bytes_expected_than_read_is_overflow),
        T(more_bytes_expected_than_read_is_underflow),
        T(a_read_without_the_read_bit_moves_nothing),
        T(read_protection_is_a_bad_field),
        T(reads_beyond_the_transfer_limit_are_a_bad_field),
        cmocka_unit_test_setup_teardown(reads_are_right_under_both_digests, setup_digests,
                                        rig_teardown),
        T(a_disk_of_4096_byte_blocks),
        T(a_file_cut_short_under_us_is_a_medium_error), /* last: the file is gone after it */
    };
    return cmocka_run_group_tests(tests, rig_disks_make, rig_disks_remove);
}
