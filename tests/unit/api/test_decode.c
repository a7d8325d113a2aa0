/* The public decoders: bytes as LUNs send them, whole, cut at every length, and nonsense. */
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <iskra/scsi.h>

static void fixed_sense_tells_key_code_and_the_wrong_field(void **state)
{
    static const uint8_t sense[18] = {0xf0, 0, 5, 0x00, 0x01, 0x02, 0x03, 10,   0,
                                      0,    0, 0, 0x24, 0x00, 7,    0xcb, 0x00, 0x02};
    struct iskra_sense_info i;
    assert_int_equal(iskra_sense_parse(sense, sizeof(sense), &i), 0);
    assert_int_equal(i.key, ISKRA_SENSE_ILLEGAL_REQUEST);
    assert_int_equal(i.asc, 0x24);
    assert_int_equal(i.ascq, 0);
    assert_int_equal(i.fru, 7);
    assert_int_equal(i.information_valid, 1);
    assert_int_equal(i.information, 0x010203);
    assert_int_equal(i.field_valid, 1);
    assert_int_equal(i.field_in_cdb, 1);
    assert_int_equal(i.field_bit, 3);
    assert_int_equal(i.field_offset, 2);
    assert_int_equal(i.progress_valid, 0);
}

static void descriptor_sense_tells_progress_and_a_large_lba(void **state)
{
    static const uint8_t sense[] = {0x73, 2,  0x04, 0x04, 0, 0, 0,    20, /* deferred */
                                    0x00, 10, 0x80, 0,    0, 0, 1,    0,    0, 0,
                                    0,    2,  0x02, 6,    0, 0, 0x80, 0x40, 0, 0};
    struct iskra_sense_info i;
    assert_int_equal(iskra_sense_parse(sense, sizeof(sense), &i), 0);
    assert_int_equal(i.key, ISKRA_SENSE_NOT_READY);
    assert_int_equal(i.deferred, 1);
    assert_int_equal(i.information, UINT64_C(0x10000000002));
    assert_int_equal(i.progress_valid, 1);
    assert_int_equal(i.progress, 0x4000);
    assert_int_equal(i.field_valid, 0);
    assert_int_equal(i.field_bit, 255);
}

static void bytes_that_are_no_sense_are_refused_and_nothing_is_written(void **state)
{
    static const uint8_t bytes[18] = {0x12, 0, 5};
    struct iskra_sense_info i, before;
    memset(&i, 0x5a, sizeof(i));
    before = i;
    assert_int_equal(iskra_sense_parse(bytes, sizeof(bytes), &i), -EBADMSG);
    assert_int_equal(iskra_sense_parse(bytes, 0, &i), -EBADMSG);
    assert_memory_equal(&i, &before, sizeof(i));
}

static void inquiry_data_is_printable(void **state)
{
    uint8_t bytes[36] = {0x20, 0x80, 6, 0x02, 31, 0x31};
    memcpy(bytes + 8, "VEND\033[2JPRODUCT         0.1 ", 28);
    struct iskra_inquiry_info i;
    assert_int_equal(iskra_inquiry_parse(bytes, sizeof(bytes), &i), 0);
    assert_int_equal(i.qualifier, ISKRA_PQ_NOT_CONNECTED);
    assert_int_equal(i.type, ISKRA_TYPE_DISK);
    assert_int_equal(i.removable, 1);
    assert_int_equal(i.tpgs, 3);
    assert_int_equal(i.protection, 1);
    assert_string_equal(i.vendor, "VEND?[2J");
    assert_string_equal(i.product, "PRODUCT");
    assert_string_equal(i.revision, "0.1");
    assert_int_equal(iskra_inquiry_parse(bytes, 35, &i), -EBADMSG);
}

static void a_capacity_of_8_bytes_is_told_from_one_of_32(void **state)
{
    static const uint8_t ten[8] = {0, 0, 0, 99, 0, 0, 2, 0};
    static const uint8_t large[8] = {0xff, 0xff, 0xff, 0xff, 0, 0, 2, 0};
    static const uint8_t sixteen[32] = {0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0x03, 0x03, 0xc0, 0x07};
    struct iskra_capacity_info i;
    assert_int_equal(iskra_capacity_parse(ten, sizeof(ten), &i), 0);
    assert_int_equal(i.block_cnt, 100);
    assert_int_equal(i.block_len, 512);
    assert_int_equal(iskra_capacity_parse(large, sizeof(large), &i), 0);
    assert_int_equal(i.block_cnt, 0);
    assert_int_equal(iskra_capacity_parse(sixteen, sizeof(sixteen), &i), 0);
    assert_int_equal(i.block_cnt, (UINT64_C(1) << 40) + 1);
    assert_int_equal(i.physical_block_len, 4096);
    assert_int_equal(i.protection_type, 2);
    assert_int_equal(i.thin, 1);
    assert_int_equal(i.unmapped_zeroes, 1);
    assert_int_equal(i.lowest_aligned_lba, 7);
    uint8_t too_large[32];
    memset(too_large, 0xff, sizeof(too_large));
    assert_int_equal(iskra_capacity_parse(too_large, sizeof(too_large), &i), -EBADMSG);
}

static void a_serial_number_is_trimmed_cut_and_printable(void **state)
{
    static const uint8_t page[] = {0, 0x80, 0, 8, ' ', 'A', 'B', 7, 'C', 'D', ' ', ' '};
    char serial[253], five[5];
    assert_int_equal(iskra_serial_parse(page, sizeof(page), serial, sizeof(serial)), 0);
    assert_string_equal(serial, "AB?CD");
    assert_int_equal(iskra_serial_parse(page, sizeof(page), five, sizeof(five)), 0);
    assert_string_equal(five, "AB?C");
    assert_int_equal(iskra_serial_parse(page, sizeof(page), five, 0), -EINVAL);
    assert_int_equal(iskra_serial_parse(page, 3, five, sizeof(five)), -EBADMSG);
}

static void designators_are_walked_one_by_one(void **state)
{
    static const uint8_t page[] = {0,   0x83, 0,   24,  0x01, 0x03, 0,    8,    0x60, 1,
                                   2,   3,    4,   5,   6,    7,    0x53, 0x98, 0,    8,
                                   'i', 'q',  'n', '.', 'x',  ',',  't',  '0'};
    struct iskra_designator_info d;
    size_t pos = 0;
    assert_int_equal(iskra_designator_next(page, sizeof(page), &pos, &d), 1);
    assert_int_equal(d.type, ISKRA_DESIGNATOR_NAA);
    assert_int_equal(d.association, ISKRA_ASSOCIATION_LUN);
    assert_int_equal(d.code_set, 1);
    assert_int_equal(d.protocol, 255);
    assert_int_equal(d.id_len, 8);
    assert_int_equal(d.id[0], 0x60);
    assert_int_equal(iskra_designator_next(page, sizeof(page), &pos, &d), 1);
    assert_int_equal(d.type, ISKRA_DESIGNATOR_NAME);
    assert_int_equal(d.association, ISKRA_ASSOCIATION_PORT);
    assert_int_equal(d.protocol, 5);
    assert_ptr_equal(d.id, page + 20);
    assert_int_equal(iskra_designator_next(page, sizeof(page), &pos, &d), 0);
    pos = 0;
    assert_int_equal(iskra_designator_next(page, 13, &pos, &d), -EBADMSG);
}

static void limits_and_provisioning_are_numbers(void **state)
{
    uint8_t b0[64] = {0, 0xb0, 0, 60, 0, 16, 0, 8, 0, 0, 0x20, 0, 0, 0, 0x10, 0};
    b0[23] = 9;    /* UNMAP: blocks ... */
    b0[27] = 3;    /* ... descriptors ... */
    b0[31] = 4;    /* ... granularity ... */
    b0[32] = 0x80; /* ... and alignment */
    b0[35] = 2;
    b0[38] = 1; /* WRITE SAME: 2^40 and some */
    static const uint8_t b2[8] = {0, 0xb2, 0, 4, 5, 0xe6, 0x02, 0};
    struct iskra_limits_info l;
    assert_int_equal(iskra_limits_parse(b0, sizeof(b0), &l), 0);
    assert_int_equal(l.max_compare_and_write_blocks, 16);
    assert_int_equal(l.optimal_granularity_blocks, 8);
    assert_int_equal(l.max_transfer_blocks, 0x2000);
    assert_int_equal(l.optimal_transfer_blocks, 0x1000);
    assert_int_equal(l.max_unmap_blocks, 9);
    assert_int_equal(l.max_unmap_descriptor_cnt, 3);
    assert_int_equal(l.unmap_granularity_blocks, 4);
    assert_int_equal(l.unmap_alignment_blocks, 2);
    assert_int_equal(l.max_write_same_blocks, UINT64_C(1) << 40);
    b0[32] = 0; /* UGAVALID */
    assert_int_equal(iskra_limits_parse(b0, sizeof(b0), &l), 0);
    assert_int_equal(l.unmap_alignment_blocks, 0);

    struct iskra_provisioning_info p;
    assert_int_equal(iskra_provisioning_parse(b2, sizeof(b2), &p), 0);
    assert_int_equal(p.type, 2);
    assert_int_equal(p.unmap, 1);
    assert_int_equal(p.write_same_16, 1);
    assert_int_equal(p.write_same_10, 1);
    assert_int_equal(p.unmapped_zeroes, 1);
    assert_int_equal(p.anchor, 1);
    assert_int_equal(p.threshold_exponent, 5);
    assert_int_equal(iskra_provisioning_parse(b0, sizeof(b0), &p), -EBADMSG); /* another page */
}

static void a_lun_list_gives_numbers_and_says_how_many_are_missing(void **state)
{
    static const uint8_t bytes[] = {0,    0, 0, 32, 0, 0, 0, 0, 0,    5, 0, 0, 0, 0, 0, 0,
                                    0x41, 2, 0, 0,  0, 0, 0, 0, 0xc1, 1, 0, 0, 0, 0, 0, 0};
    uint64_t luns[4] = {0, 0, 0, 77};
    unsigned stated = 0;
    assert_int_equal(iskra_luns_parse(bytes, sizeof(bytes), luns, 4, &stated), 3);
    assert_int_equal(stated, 4);
    assert_int_equal(luns[0], 5);
    assert_int_equal(luns[1], 0x102);
    assert_int_equal(luns[2], UINT64_C(0xc101000000000000));
    assert_int_equal(luns[3], 77);
    luns[1] = 99;
    assert_int_equal(iskra_luns_parse(bytes, sizeof(bytes), luns, 1, NULL), 3);
    assert_int_equal(luns[1], 99);
    assert_int_equal(iskra_luns_parse(bytes, sizeof(bytes), NULL, 0, NULL), 3);
    assert_int_equal(iskra_luns_parse(bytes, 7, NULL, 0, NULL), -EBADMSG);
}

/* Under ASan: whatever the length, no byte beyond it is read, whatever the bytes. */
static void any_bytes_of_any_length_are_read_within_their_bounds(void **state)
{
    uint32_t x = 1;
    for (size_t len = 0; len < 96; len++) {
        for (int turn = 0; turn < 64; turn++) {
            uint8_t *bytes = malloc(len ? len : 1);
            for (size_t i = 0; i < len; i++)
                bytes[i] = (uint8_t)((x = x * 1664525u + 1013904223u) >> 24);
            static const uint8_t pages[] = {0x80, 0x83, 0xb0, 0xb2};
            if (len > 1)
                bytes[1] = pages[turn % 4];
            if (len > 2)
                bytes[2] = 0;
            struct iskra_sense_info s;
            struct iskra_inquiry_info q;
            struct iskra_capacity_info c;
            struct iskra_designator_info d;
            struct iskra_limits_info l;
            struct iskra_provisioning_info p;
            char serial[253];
            uint64_t luns[16];
            size_t pos = 0;
            (void)iskra_sense_parse(bytes, len, &s);
            (void)iskra_inquiry_parse(bytes, len, &q);
            (void)iskra_capacity_parse(bytes, len, &c);
            (void)iskra_serial_parse(bytes, len, serial, sizeof(serial));
            int steps = 0;
            while (iskra_designator_next(bytes, len, &pos, &d) > 0) {
                assert_true(d.id + d.id_len <= bytes + len);
                assert_true(++steps < 32);
            }
            (void)iskra_limits_parse(bytes, len, &l);
            (void)iskra_provisioning_parse(bytes, len, &p);
            (void)iskra_luns_parse(bytes, len, luns, 16, NULL);
            free(bytes);
        }
    }
}

static void numbers_have_names_and_unknown_ones_a_question_mark(void **state)
{
    assert_string_equal(iskra_scsi_status_name(ISKRA_STATUS_TASK_SET_FULL), "TASK SET FULL");
    assert_string_equal(iskra_scsi_status_name(0x77), "?");
    assert_string_equal(iskra_sense_key_name(ISKRA_SENSE_MISCOMPARE), "MISCOMPARE");
    assert_string_equal(iskra_asc_name(0x3f, 0x0e), "REPORTED LUNS DATA HAS CHANGED");
    assert_string_equal(iskra_asc_name(0xee, 0xee), "?");
    assert_string_equal(iskra_cdb_name(0x88, 0), "READ(16)");
    assert_string_equal(iskra_cdb_name(0x9e, 0x10), "READ CAPACITY(16)");
    assert_string_equal(iskra_cdb_name(0xff, 0), "?");
    assert_string_equal(iskra_device_type_name(ISKRA_TYPE_DISK), "disk");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(fixed_sense_tells_key_code_and_the_wrong_field),
        cmocka_unit_test(descriptor_sense_tells_progress_and_a_large_lba),
        cmocka_unit_test(bytes_that_are_no_sense_are_refused_and_nothing_is_written),
        cmocka_unit_test(inquiry_data_is_printable),
        cmocka_unit_test(a_capacity_of_8_bytes_is_told_from_one_of_32),
        cmocka_unit_test(a_serial_number_is_trimmed_cut_and_printable),
        cmocka_unit_test(designators_are_walked_one_by_one),
        cmocka_unit_test(limits_and_provisioning_are_numbers),
        cmocka_unit_test(a_lun_list_gives_numbers_and_says_how_many_are_missing),
        cmocka_unit_test(any_bytes_of_any_length_are_read_within_their_bounds),
        cmocka_unit_test(numbers_have_names_and_unknown_ones_a_question_mark),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
