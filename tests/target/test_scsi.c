/* The target's disk: what it says of itself, and what it refuses. Reads are in test_read.c. */
#include "rig.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "wire/capacity.h"
#include "wire/inquiry.h"
#include "wire/luns.h"
#include "wire/mode.h"
#include "wire/sense.h"
#include "wire/vpd.h"

#define LUN_FILE (UINT64_C(1) << 48)
#define LUN_NULL (UINT64_C(2) << 48)
#define LUN_NONE (UINT64_C(3) << 48)
#define CDB_LEN  ISKRA_CDB_BHS_LEN
#define ILLEGAL  ISKRA_SENSE_ILLEGAL_REQUEST

static void inquiry_describes_a_disk(void **state)
{
    struct outcome o;
    struct iskra_inquiry inquiry;
    (void)iskra_cdb_inquiry(cdb, 255);
    rig_good(0, 255, &o);
    assert_int_equal(iskra_inquiry_decode(o.bytes, o.len, &inquiry), 0);
    assert_int_equal(inquiry.qualifier, 0);
    assert_int_equal(inquiry.type, ISKRA_TYPE_DISK);
    assert_string_equal(inquiry.vendor, "ISKRA");
    assert_string_equal(inquiry.product, "RAM DISK");
    assert_true(inquiry.cmd_que);
    assert_int_equal(o.bytes[4] + 5, o.len);
    assert_true(o.underflow);
    assert_int_equal(o.residual, 255 - o.len);
    outcome_done(&o);
}

static void inquiry_is_cut_to_the_allocation_length(void **state)
{
    struct outcome o;
    (void)iskra_cdb_inquiry(cdb, 5);
    rig_good(0, 5, &o);
    assert_int_equal(o.len, 5);
    assert_int_equal(o.bytes[4], 96 - 5);
    assert_false(o.underflow || o.overflow);
    outcome_done(&o);
}

static void inquiry_of_an_absent_lun_has_qualifier_3(void **state)
{
    struct outcome o;
    (void)iskra_cdb_inquiry(cdb, 36);
    rig_good(LUN_NONE, 36, &o);
    assert_int_equal(o.bytes[0], 0x7f);
    outcome_done(&o);
}

static void vpd_pages_are_listed_and_there(void **state)
{
    static const uint8_t list[] = {0, 0, 0, 6, 0x00, 0x80, 0x83, 0xb0, 0xb1, 0xb2};
    struct outcome o;
    (void)iskra_cdb_inquiry_vpd(cdb, 0, 255);
    rig_good(LUN_FILE, 255, &o);
    assert_int_equal(o.len, sizeof(list));
    assert_memory_equal(o.bytes, list, sizeof(list));
    outcome_done(&o);
    for (size_t i = 4; i < sizeof(list); i++) {
        (void)iskra_cdb_inquiry_vpd(cdb, list[i], 255);
        rig_good(LUN_FILE, 255, &o);
        assert_int_equal(o.bytes[1], list[i]);
        assert_int_equal(iskra_get_be16(o.bytes + 2) + 4, o.len);
        outcome_done(&o);
    }
}

static void serials_differ_between_luns_and_last(void **state)
{
    uint8_t first[16];
    struct outcome o;
    (void)iskra_cdb_inquiry_vpd(cdb, ISKRA_VPD_SERIAL, 255);
    rig_good(0, 255, &o);
    assert_int_equal(o.len, 20);
    memcpy(first, o.bytes + 4, 16);
    outcome_done(&o);
    rig_good(LUN_FILE, 255, &o);
    assert_memory_not_equal(first, o.bytes + 4, 16);
    outcome_done(&o);
    rig_teardown(NULL);
    rig_disks_setup(NULL);
    (void)iskra_cdb_inquiry_vpd(cdb, ISKRA_VPD_SERIAL, 255);
    rig_good(0, 255, &o);
    assert_memory_equal(first, o.bytes + 4, 16);
    outcome_done(&o);
}

static void page_83h_has_an_naa_a_t10_and_a_port(void **state)
{
    struct outcome o;
    struct iskra_designator d;
    size_t pos = 0;
    unsigned types = 0, cnt = 0;
    (void)iskra_cdb_inquiry_vpd(cdb, ISKRA_VPD_DEVICE_ID, 1000);
    rig_good(0, 1000, &o);
    while (iskra_vpd_designator_next(o.bytes, o.len, &pos, &d) > 0) {
        types |= 1u << d.type;
        cnt++;
        if (d.type == ISKRA_DESIGNATOR_NAA) {
            assert_int_equal(d.association, ISKRA_ASSOCIATION_LUN);
            assert_int_equal(d.id_len, 8);
            assert_int_equal(d.id[0] >> 4, 3);
        }
        if (d.type == ISKRA_DESIGNATOR_NAME)
            assert_memory_equal(d.id, PEER_TARGET ",t,0x0001", sizeof(PEER_TARGET ",t,0x0001"));
    }
    assert_int_equal(cnt, 4);
    assert_int_equal(types, 1u << 1 | 1u << 3 | 1u << 4 | 1u << 8);
    outcome_done(&o);
}

static void an_unknown_vpd_page_is_a_bad_field(void **state)
{
    (void)iskra_cdb_inquiry_vpd(cdb, 0xb7, 255);
    peer_refused_with(&peer, 0, cdb, 255, ILLEGAL, 0x24, 0);
}

static void a_page_code_without_evpd_is_a_bad_field(void **state)
{
    (void)iskra_cdb_inquiry(cdb, 255);
    cdb[2] = 0x80;
    peer_refused_with(&peer, 0, cdb, 255, ILLEGAL, 0x24, 0);
}

static void vpd_of_an_absent_lun_is_refused(void **state)
{
    (void)iskra_cdb_inquiry_vpd(cdb, 0, 255);
    peer_refused_with(&peer, LUN_NONE, cdb, 255, ILLEGAL, 0x25, 0);
}

static void read_capacity_10_counts_blocks(void **state)
{
    struct outcome o;
    struct iskra_capacity capacity;
    (void)iskra_cdb_read_capacity10(cdb);
    rig_good(LUN_FILE, 8, &o);
    assert_int_equal(iskra_capacity10_decode(o.bytes, o.len, &capacity), 0);
    assert_int_equal(capacity.last_lba, RIG_FILE_LEN / 512 - 1);
    assert_int_equal(capacity.block_len, 512);
    outcome_done(&o);
    rig_good(LUN_NULL, 8, &o);
    assert_memory_equal(o.bytes, "\xff\xff\xff\xff\x00\x00\x02\x00", 8);
    outcome_done(&o);
}

static void read_capacity_16_goes_beyond_2_to_32(void **state)
{
    struct outcome o;
    struct iskra_capacity capacity;
    (void)iskra_cdb_read_capacity16(cdb, 32);
    rig_good(LUN_NULL, 32, &o);
    assert_int_equal(o.len, 32);
    assert_int_equal(iskra_capacity16_decode(o.bytes, o.len, &capacity), 0);
    assert_true(capacity.last_lba == RIG_NULL_LEN / 512 - 1);
    assert_int_equal(capacity.block_len, 512);
    outcome_done(&o);
}

static void report_luns_lists_all(void **state)
{
    static const uint8_t list[32] = {0, 0, 0, 24, 0, 0, 0, 0, [17] = 1, [25] = 2};
    struct outcome o;
    (void)iskra_cdb_report_luns(cdb, 0, 256);
    rig_good(0, 256, &o);
    assert_int_equal(o.len, 32);
    assert_memory_equal(o.bytes, list, 32);
    outcome_done(&o);
    (void)iskra_cdb_report_luns(cdb, 2, 16);
    rig_good(LUN_NONE, 16, &o);
    assert_memory_equal(o.bytes, list, 16);
    outcome_done(&o);
    (void)iskra_cdb_report_luns(cdb, 1, 256);
    rig_good(0, 256, &o);
    assert_int_equal(o.len, 8);
    outcome_done(&o);
}

static void report_luns_with_a_bad_select_or_length_is_refused(void **state)
{
    (void)iskra_cdb_report_luns(cdb, 3, 256);
    peer_refused_with(&peer, 0, cdb, 256, ILLEGAL, 0x24, 0);
    (void)iskra_cdb_report_luns(cdb, 0, 15);
    peer_refused_with(&peer, 0, cdb, 15, ILLEGAL, 0x24, 0);
}

/* A list that takes several Data-In PDUs is built anew for each of them. */
static void a_thousand_luns_are_listed_over_many_pdus(void **state)
{
    struct iskra_target_options options;
    iskra_target_options_init(&options);
    struct iskra_target_backend backend = {.kind = ISKRA_TARGET_NULL, .size = 4096};
    options.backends = &backend;
    options.backend_cnt = 1;
    options.lun_cnt = 1000;
    struct iskra_target *many = peer_target(&options);
    struct peer one;
    struct outcome o;
    struct iskra_luns luns;
    uint32_t number;
    peer_open(&one, many);
    peer_login(&one, TEXT(NAMES "\0MaxRecvDataSegmentLength=512"));
    (void)iskra_cdb_report_luns(cdb, 0, 65536);
    peer_command(&one, 0, cdb, 65536, true);
    peer_outcome(&one, &o);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.data_in_cnt, (8008 + 511) / 512);
    assert_int_equal(iskra_luns_decode(o.bytes, o.len, &luns), 0);
    assert_int_equal(luns.cnt, 1000);
    for (uint32_t i = 0; i < 1000; i++) {
        assert_int_equal(iskra_lun_decode(iskra_luns_at(&luns, i), &number), 0);
        assert_int_equal(number, i);
    }
    uint64_t last = iskra_luns_at(&luns, 999);
    outcome_done(&o);
    (void)iskra_cdb_test_unit_ready(cdb);
    peer_command(&one, last, cdb, 0, false);
    peer_outcome(&one, &o);
    assert_int_equal(o.status, 0);
    outcome_done(&o);
    peer_close(&one);
    iskra_target_free(many);
}

static void unknown_commands_are_refused(void **state)
{
    static const uint8_t opcodes[] = {0x8b, 0xff, 0x5e, 0x7f, 0x83, 0x34};
    for (size_t i = 0; i < sizeof(opcodes); i++) {
        cdb[0] = opcodes[i];
        peer_refused_with(&peer, 0, cdb, 0, ILLEGAL, 0x20, 0);
    }
}

static void commands_to_absent_luns_are_refused(void **state)
{
    (void)iskra_cdb_test_unit_ready(cdb);
    peer_refused_with(&peer, LUN_NONE, cdb, 0, ILLEGAL, 0x25, 0);
    peer_refused_with(&peer, UINT64_MAX, cdb, 0, ILLEGAL, 0x25, 0);
    (void)iskra_cdb_read10(cdb, 0, 1, 0);
    peer_refused_with(&peer, LUN_NONE, cdb, 512, ILLEGAL, 0x25, 0);
}

static void request_sense_tells_of_an_absent_lun_in_its_data(void **state)
{
    struct outcome o;
    struct iskra_sense sense;
    (void)iskra_cdb_request_sense(cdb, false, 252);
    rig_good(LUN_NONE, 252, &o);
    assert_int_equal(iskra_sense_decode(o.bytes, o.len, &sense), 0);
    assert_int_equal(sense.key, ILLEGAL);
    assert_int_equal(sense.asc, 0x25);
    outcome_done(&o);
    (void)iskra_cdb_request_sense(cdb, true, 252);
    rig_good(0, 252, &o);
    assert_int_equal(o.bytes[0], 0x72);
    assert_int_equal(o.bytes[1], 0);
    outcome_done(&o);
}

static void mode_sense_tells_cache_and_protection(void **state)
{
    struct outcome o;
    struct iskra_mode mode;
    struct iskra_mode_caching caching;
    (void)iskra_cdb_mode_sense6(cdb, ISKRA_MODE_PAGE_ALL, 0, 255);
    rig_good(LUN_FILE, 255, &o);
    assert_int_equal(iskra_mode6_decode(o.bytes, o.len, &mode), 0);
    assert_false(mode.write_protected);
    assert_true(mode.dpofua);
    assert_int_equal(iskra_mode_caching(&mode, &caching), 0);
    assert_true(caching.wce);
    outcome_done(&o);
    (void)iskra_cdb_mode_sense10(cdb, ISKRA_MODE_PAGE_CACHING, 0, 255);
    rig_good(0, 255, &o);
    assert_int_equal(iskra_mode10_decode(o.bytes, o.len, &mode), 0);
    assert_int_equal(iskra_mode_caching(&mode, &caching), 0);
    assert_false(caching.wce);
    outcome_done(&o);
}

static void mode_sense_of_unknown_or_saved_pages_is_a_bad_field(void **state)
{
    (void)iskra_cdb_mode_sense6(cdb, 0x1c, 0, 255);
    peer_refused_with(&peer, 0, cdb, 255, ILLEGAL, 0x24, 0);
    (void)iskra_cdb_mode_sense6(cdb, ISKRA_MODE_PAGE_CACHING, 0, 255);
    cdb[2] |= 0xc0;
    peer_refused_with(&peer, 0, cdb, 255, ILLEGAL, 0x24, 0);
}

static void changeable_mode_bits_are_none(void **state)
{
    static const uint8_t zeros[18];
    struct outcome o;
    struct iskra_mode mode;
    (void)iskra_cdb_mode_sense6(cdb, ISKRA_MODE_PAGE_ALL, 0, 255);
    cdb[2] |= 0x40;
    rig_good(LUN_FILE, 255, &o);
    assert_int_equal(iskra_mode6_decode(o.bytes, o.len, &mode), 0);
    assert_int_equal(mode.pages_len, 32);
    assert_memory_equal(mode.pages + 2, zeros, 18);
    assert_memory_equal(mode.pages + 22, zeros, 10);
    outcome_done(&o);
}

static void flush_ready_and_start_are_good(void **state)
{
    struct outcome o;
    (void)iskra_cdb_synchronize_cache10(cdb, 0, 0, 0);
    rig_good(LUN_FILE, 0, &o);
    outcome_done(&o);
    (void)iskra_cdb_synchronize_cache16(cdb, 0, 16, 0);
    rig_good(0, 0, &o);
    outcome_done(&o);
    (void)iskra_cdb_test_unit_ready(cdb);
    rig_good(LUN_NULL, 0, &o);
    outcome_done(&o);
    memset(cdb, 0, sizeof(cdb));
    cdb[0] = ISKRA_SCSI_START_STOP_UNIT;
    rig_good(0, 0, &o);
    outcome_done(&o);
}

static void get_lba_status_says_mapped(void **state)
{
    struct outcome o;
    (void)iskra_cdb_get_lba_status(cdb, 10, 24);
    rig_good(LUN_FILE, 24, &o);
    assert_int_equal(o.len, 24);
    assert_int_equal(iskra_get_be64(o.bytes + 8), 10);
    assert_int_equal(iskra_get_be32(o.bytes + 16), RIG_FILE_LEN / 512 - 10);
    outcome_done(&o);
    (void)iskra_cdb_get_lba_status(cdb, RIG_FILE_LEN / 512, 24);
    peer_refused_with(&peer, LUN_FILE, cdb, 24, ILLEGAL, 0x21, 0);
}

/* Its data are there and must not be taken for the next header. */
static void data_of_an_unknown_command_are_swallowed(void **state)
{
    static uint8_t junk[4097];
    struct outcome o;
    memset(junk, 0x41, sizeof(junk));
    struct iskra_pdu_scsi_cmd req = {
        .write = true, .itt = 5, .edtl = 8192, .cmd_sn = peer.cmd_sn++};
    req.cdb[0] = 0xc1;
    iskra_scsi_cmd_encode(&req, bhs);
    peer_send(&peer, bhs, junk, sizeof(junk));
    struct iskra_pdu_data_out out = {.final = true, .itt = 5, .ttt = ISKRA_RESERVED_TAG};
    iskra_data_out_encode(&out, bhs);
    peer_send(&peer, bhs, junk, 4095);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, ISKRA_STATUS_CHECK_CONDITION);
    assert_int_equal(o.asc, 0x20);
    assert_int_equal(o.residual, 8192);
    outcome_done(&o);
    (void)iskra_cdb_test_unit_ready(cdb);
    rig_good(0, 0, &o);
    outcome_done(&o);
}

static void backends_that_cannot_be_are_refused(void **state)
{
    static const struct iskra_target_backend bad[] = {
        {.kind = ISKRA_TARGET_RAM, .size = 0},
        {.kind = ISKRA_TARGET_RAM, .size = 511},
        {.kind = ISKRA_TARGET_RAM, .size = UINT64_MAX},
        {.kind = ISKRA_TARGET_NULL, .size = 4096, .block_len = 513},
        {.kind = ISKRA_TARGET_FILE, .path = "/nonexistent/disk"},
        {.kind = ISKRA_TARGET_FILE},
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct iskra_target_options options;
        struct iskra_error err = {0};
        struct iskra_target *none = NULL;
        iskra_target_options_init(&options);
        options.backends = &bad[i];
        options.backend_cnt = 1;
        assert_true(iskra_target_new(&options, &none, &err) < 0);
        assert_null(none);
        assert_string_not_equal(err.text, "");
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_disks_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(inquiry_describes_a_disk),
        T(inquiry_is_cut_to_the_allocation_length),
        T(inquiry_of_an_absent_lun_has_qualifier_3),
        T(vpd_pages_are_listed_and_there),
        T(serials_differ_between_luns_and_last),
        T(page_83h_has_an_naa_a_t10_and_a_port),
        T(an_unknown_vpd_page_is_a_bad_field),
        T(a_page_code_without_evpd_is_a_bad_field),
        T(vpd_of_an_absent_lun_is_refused),
        T(read_capacity_10_counts_blocks),
        T(read_capacity_16_goes_beyond_2_to_32),
        T(report_luns_lists_all),
        T(report_luns_with_a_bad_select_or_length_is_refused),
        T(a_thousand_luns_are_listed_over_many_pdus),
        T(unknown_commands_are_refused),
        T(commands_to_absent_luns_are_refused),
        T(request_sense_tells_of_an_absent_lun_in_its_data),
        T(mode_sense_tells_cache_and_protection),
        T(mode_sense_of_unknown_or_saved_pages_is_a_bad_field),
        T(changeable_mode_bits_are_none),
        T(flush_ready_and_start_are_good),
        T(get_lba_status_says_mapped),
        T(data_of_an_unknown_command_are_swallowed),
        T(backends_that_cannot_be_are_refused),
    };
    return cmocka_run_group_tests(tests, rig_disks_make, rig_disks_remove);
}
