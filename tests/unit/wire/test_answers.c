/* What else LUNs answer: capacities, LUN lists, mode pages, extents. */
#include "wire_test.h"

#include <errno.h>

#include "wire/capacity.h"
#include "wire/extent.h"
#include "wire/luns.h"
#include "wire/mode.h"

static void capacity_10_has_its_bytes(void **state)
{
    const uint8_t golden[8] = {0x00, 0x01, 0xff, 0xff, 0x00, 0x00, 0x02, 0x00};
    const struct iskra_capacity values = {.last_lba = 0x1ffff, .block_len = 512};
    uint8_t buf[ISKRA_CAPACITY_10_LEN];
    assert_int_equal(iskra_capacity10_encode(&values, buf), 8);
    assert_memory_equal(buf, golden, 8);
    AT_EVERY_LENGTH(golden, sizeof(golden), {
        struct iskra_capacity c;
        int rc = iskra_capacity10_decode(copy, copy_len, &c);
        assert_int_equal(rc, copy_len < 8 ? -EBADMSG : 0);
        if (rc == 0) {
            assert_int_equal(c.last_lba, 0x1ffff);
            assert_int_equal(c.block_len, 512);
        }
    });
}

static void a_large_capacity_sends_the_asker_to_read_capacity_16(void **state)
{
    const struct iskra_capacity values = {.last_lba = UINT64_C(0x100000000), .block_len = 512};
    uint8_t buf[ISKRA_CAPACITY_10_LEN];
    iskra_capacity10_encode(&values, buf);
    assert_memory_equal(buf, "\xff\xff\xff\xff", 4);
}

static void capacity_16_has_its_bytes(void **state)
{
    const struct iskra_capacity values = {.last_lba = 0x0102030405060708,
                                          .block_len = 4096,
                                          .prot_en = true,
                                          .prot_type = 2,
                                          .prot_intervals_exp = 5,
                                          .physical_exp = 3,
                                          .lbpme = true,
                                          .lbprz = true,
                                          .lowest_aligned_lba = 0x1234};
    uint8_t golden[ISKRA_CAPACITY_16_LEN] = {0}, buf[ISKRA_CAPACITY_16_LEN],
            again[ISKRA_CAPACITY_16_LEN];
    hex_bytes("01 02 03 04 05 06 07 08 00 00 10 00 05 53 d2 34", golden, sizeof(golden));
    assert_int_equal(iskra_capacity16_encode(&values, buf), 32);
    assert_memory_equal(buf, golden, 32);
    struct iskra_capacity c;
    assert_int_equal(iskra_capacity16_decode(golden, 32, &c), 0);
    iskra_capacity16_encode(&c, again);
    assert_memory_equal(again, golden, 32);
}

static void capacity_16_needs_its_first_twelve_bytes(void **state)
{
    uint8_t bytes[ISKRA_CAPACITY_16_LEN] = {0};
    hex_bytes("00 00 00 00 00 00 00 08 00 00 10 00 01 03 c0 00", bytes, sizeof(bytes));
    AT_EVERY_LENGTH(bytes, sizeof(bytes), {
        struct iskra_capacity c;
        int rc = iskra_capacity16_decode(copy, copy_len, &c);
        assert_int_equal(rc, copy_len < 12 ? -EBADMSG : 0);
        if (rc == 0) {
            assert_int_equal(c.last_lba, 8);
            assert_int_equal(c.physical_exp, copy_len < 14 ? 0 : 3);
        }
    });
}

static uint64_t encoded(uint32_t number)
{
    uint64_t lun = UINT64_MAX;
    assert_int_equal(iskra_lun_encode(number, &lun), 0);
    return lun;
}

static void lun_numbers_take_the_shortest_addressing(void **state)
{
    assert_true(encoded(0) == 0);
    assert_true(encoded(1) == UINT64_C(0x0001000000000000));
    assert_true(encoded(255) == UINT64_C(0x00ff000000000000));
    assert_true(encoded(256) == UINT64_C(0x4100000000000000));
    assert_true(encoded(16383) == UINT64_C(0x7fff000000000000));
    assert_true(encoded(16384) == UINT64_C(0xd200400000000000));
    assert_true(encoded(0xffffff) == UINT64_C(0xd2ffffff00000000));
    uint64_t lun = 5;
    assert_int_equal(iskra_lun_encode(0x1000000, &lun), -ERANGE);
    assert_true(lun == 5);
}

static void lun_numbers_survive_the_way_there_and_back(void **state)
{
    for (uint32_t number = 0; number < 70000; number++) {
        uint32_t back = UINT32_MAX;
        assert_int_equal(iskra_lun_decode(encoded(number), &back), 0);
        assert_int_equal(back, number);
    }
}

static void flat_addressing_of_a_small_number_is_understood(void **state)
{
    uint32_t number = 0;
    assert_int_equal(iskra_lun_decode(UINT64_C(0x4003000000000000), &number), 0);
    assert_int_equal(number, 3);
}

static void luns_that_are_no_plain_number_are_refused(void **state)
{
    static const uint64_t luns[] = {
        UINT64_C(0x0103000000000000),     /* another bus */
        UINT64_C(0x0001000200000000),     /* a second level */
        UINT64_C(0x8001000000000000),     /* logical unit addressing */
        UINT64_C(0x4001000000000001),     /* something behind the flat number */
        ISKRA_LUN_WELL_KNOWN_REPORT_LUNS, /* well-known */
        UINT64_C(0xd200000100000001),     /* something behind the extended number */
        UINT64_C(0xe200000000000000),     /* long extended flat */
        UINT64_MAX,
    };
    for (size_t i = 0; i < sizeof(luns) / sizeof(luns[0]); i++) {
        uint32_t number = 77;
        assert_int_equal(iskra_lun_decode(luns[i], &number), -ENOTSUP);
        assert_int_equal(number, 77);
    }
}

static void a_lun_list_has_its_bytes(void **state)
{
    const uint64_t values[2] = {0, UINT64_C(0x0001000000000000)};
    uint8_t golden[24], buf[24];
    hex_bytes("00 00 00 10 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00", golden,
              sizeof(golden));
    assert_int_equal(iskra_luns_encode(values, 2, buf, sizeof(buf)), 24);
    assert_memory_equal(buf, golden, 24);
}

static void a_lun_list_that_was_cut_says_how_many_there_are(void **state)
{
    uint8_t bytes[24];
    hex_bytes("00 00 00 10 00 00 00 00 00 00 00 00 00 00 00 00 00 01 00 00 00 00 00 00", bytes,
              sizeof(bytes));
    AT_EVERY_LENGTH(bytes, sizeof(bytes), {
        struct iskra_luns luns;
        int rc = iskra_luns_decode(copy, copy_len, &luns);
        assert_int_equal(rc, copy_len < 8 ? -EBADMSG : 0);
        if (rc == 0) {
            assert_int_equal(luns.stated_cnt, 2);
            assert_int_equal(luns.cnt, (copy_len - 8) / 8);
            for (uint32_t i = 0; i < luns.cnt; i++)
                assert_true(iskra_luns_at(&luns, i) == (uint64_t)i << 48);
        }
    });
}

static void bytes_behind_the_lun_list_are_no_luns(void **state)
{
    uint8_t bytes[32] = {0x00, 0x00, 0x00, 0x08};
    struct iskra_luns luns;
    assert_int_equal(iskra_luns_decode(bytes, sizeof(bytes), &luns), 0);
    assert_int_equal(luns.cnt, 1);
    assert_int_equal(luns.stated_cnt, 1);
}

static void a_lun_list_of_a_broken_length_is_refused(void **state)
{
    uint8_t bytes[32] = {0x00, 0x00, 0x00, 0x0c};
    struct iskra_luns luns;
    assert_int_equal(iskra_luns_decode(bytes, sizeof(bytes), &luns), -EBADMSG);
    memset(bytes, 0xff, 3);
    bytes[3] = 0xf8;
    assert_int_equal(iskra_luns_decode(bytes, sizeof(bytes), &luns), 0);
    assert_int_equal(luns.cnt, 3);
    assert_int_equal(luns.stated_cnt, 0x1fffffff);
}

static void a_lun_list_is_written_as_far_as_it_fits(void **state)
{
    const uint64_t values[3] = {1, 2, 3};
    for (size_t size = 0; size <= 32; size++) {
        uint8_t *buf = malloc(size ? size : 1);
        size_t len = iskra_luns_encode(values, 3, buf, size);
        assert_int_equal(len, size < 8 ? 0 : size / 8 * 8);
        if (len > 0)
            assert_memory_equal(buf, "\x00\x00\x00\x18", 4);
        free(buf);
    }
}

static void mode_6_data_is_read(void **state)
{
    uint8_t bytes[64];
    size_t len = hex_bytes(
        "1f 00 90 08 00 00 10 00 00 00 02 00  08 12 04 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00"
        "00 00",
        bytes, sizeof(bytes));
    struct iskra_mode mode;
    assert_int_equal(iskra_mode6_decode(bytes, len, &mode), 0);
    assert_true(mode.write_protected && mode.dpofua);
    assert_int_equal(mode.pages_len, 20);
    struct iskra_mode_caching caching;
    assert_int_equal(iskra_mode_caching(&mode, &caching), 0);
    assert_true(caching.wce && !caching.rcd);
}

static void mode_10_data_has_its_bytes(void **state)
{
    uint8_t page[ISKRA_MODE_CACHING_LEN], buf[64], golden[64];
    assert_int_equal(iskra_mode_caching_encode(&(struct iskra_mode_caching){.rcd = true}, page),
                     20);
    const struct iskra_mode values = {
        .write_protected = true, .pages = page, .pages_len = sizeof(page)};
    size_t len = hex_bytes(
        "00 1a 00 80 00 00 00 00  08 12 01 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00 00",
        golden, sizeof(golden));
    assert_int_equal(iskra_mode10_encode(&values, buf, sizeof(buf)), len);
    assert_memory_equal(buf, golden, len);
    AT_EVERY_LENGTH(golden, len, {
        struct iskra_mode mode;
        struct iskra_mode_caching caching;
        int rc = iskra_mode10_decode(copy, copy_len, &mode);
        assert_int_equal(rc, copy_len < 8 ? -EBADMSG : 0);
        if (rc == 0)
            assert_int_equal(iskra_mode_caching(&mode, &caching), copy_len == 8    ? -ENOENT
                                                                  : copy_len < len ? -EBADMSG
                                                                                   : 0);
    });
}

static void mode_6_data_is_written_within_its_buffer(void **state)
{
    uint8_t page[ISKRA_MODE_CACHING_LEN], buf[24];
    iskra_mode_caching_encode(&(struct iskra_mode_caching){.wce = true}, page);
    const struct iskra_mode values = {.dpofua = true, .pages = page, .pages_len = sizeof(page)};
    assert_int_equal(iskra_mode6_encode(&values, buf, 23), 0);
    assert_int_equal(iskra_mode6_encode(&values, buf, 24), 24);
    assert_memory_equal(buf, "\x17\x00\x10\x00\x08\x12\x04", 7);
}

static void block_descriptors_beyond_the_data_are_refused(void **state)
{
    const uint8_t bytes[] = {0x07, 0x00, 0x00, 0x08, 0, 0, 0, 0};
    struct iskra_mode mode;
    assert_int_equal(iskra_mode6_decode(bytes, sizeof(bytes), &mode), -EBADMSG);
}

static void subpages_are_walked(void **state)
{
    const uint8_t bytes[] = {0x0d, 0x00, 0x00, 0x00, 0xc8, 0x01, 0x00,
                             0x01, 0xaa, 0x08, 0x02, 0x05, 0x00, 0x00};
    struct iskra_mode mode;
    assert_int_equal(iskra_mode6_decode(bytes, sizeof(bytes), &mode), 0);
    size_t pos = 0;
    struct iskra_mode_page page;
    assert_int_equal(iskra_mode_page_next(&mode, &pos, &page), 1);
    assert_int_equal(page.code, 8);
    assert_int_equal(page.subpage, 1);
    assert_true(page.saveable);
    assert_int_equal(page.body_len, 1);
    struct iskra_mode_caching caching; /* the subpage is not the caching page */
    assert_int_equal(iskra_mode_caching(&mode, &caching), 0);
    assert_true(caching.wce && caching.rcd);
}

static void an_unmap_list_has_its_bytes(void **state)
{
    const struct iskra_lba_extent extent = {.lba = 0x0102030405060708, .block_cnt = 0x11121314};
    uint8_t golden[24], buf[24];
    hex_bytes("00 16 00 10 00 00 00 00 01 02 03 04 05 06 07 08 11 12 13 14 00 00 00 00", golden,
              sizeof(golden));
    assert_int_equal(iskra_unmap_encode(&extent, 1, buf, sizeof(buf)), 24);
    assert_memory_equal(buf, golden, 24);
    AT_EVERY_LENGTH(golden, sizeof(golden), {
        size_t pos = 0;
        struct iskra_lba_extent e;
        int rc = iskra_unmap_next(copy, copy_len, &pos, &e);
        assert_int_equal(rc, copy_len < 24 ? -EBADMSG : 1);
        if (rc == 1) {
            assert_int_equal(e.block_cnt, 0x11121314);
            assert_int_equal(iskra_unmap_next(copy, copy_len, &pos, &e), 0);
        }
    });
}

static void lba_status_has_its_bytes(void **state)
{
    const struct iskra_lba_extent extent = {
        .lba = 0x0102030405060708, .block_cnt = 0x11121314, .state = 1};
    uint8_t golden[24], buf[24];
    hex_bytes("00 00 00 14 00 00 00 00 01 02 03 04 05 06 07 08 11 12 13 14 01 00 00 00", golden,
              sizeof(golden));
    assert_int_equal(iskra_lba_status_encode(&extent, 1, buf, sizeof(buf)), 24);
    assert_memory_equal(buf, golden, 24);
    AT_EVERY_LENGTH(golden, sizeof(golden), {
        size_t pos = 0;
        struct iskra_lba_extent e;
        int rc = iskra_lba_status_next(copy, copy_len, &pos, &e);
        assert_int_equal(rc, copy_len < 8 ? -EBADMSG : copy_len < 24 ? 0 : 1);
        if (rc == 1) {
            assert_int_equal(e.state, ISKRA_LBA_DEALLOCATED);
            assert_int_equal(iskra_lba_status_next(copy, copy_len, &pos, &e), 0);
        }
    });
}

static void an_unmap_list_beyond_its_length_field_is_refused(void **state)
{
    static struct iskra_lba_extent extents[4096];
    static uint8_t buf[8 + sizeof(extents)];
    assert_int_equal(iskra_unmap_encode(extents, 4095, buf, sizeof(buf)), 8 + 4095 * 16);
    assert_int_equal(iskra_unmap_encode(extents, 4096, buf, sizeof(buf)), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(capacity_10_has_its_bytes),
        cmocka_unit_test(a_large_capacity_sends_the_asker_to_read_capacity_16),
        cmocka_unit_test(capacity_16_has_its_bytes),
        cmocka_unit_test(capacity_16_needs_its_first_twelve_bytes),
        cmocka_unit_test(lun_numbers_take_the_shortest_addressing),
        cmocka_unit_test(lun_numbers_survive_the_way_there_and_back),
        cmocka_unit_test(flat_addressing_of_a_small_number_is_understood),
        cmocka_unit_test(luns_that_are_no_plain_number_are_refused),
        cmocka_unit_test(a_lun_list_has_its_bytes),
        cmocka_unit_test(a_lun_list_that_was_cut_says_how_many_there_are),
        cmocka_unit_test(bytes_behind_the_lun_list_are_no_luns),
        cmocka_unit_test(a_lun_list_of_a_broken_length_is_refused),
        cmocka_unit_test(a_lun_list_is_written_as_far_as_it_fits),
        cmocka_unit_test(mode_6_data_is_read),
        cmocka_unit_test(mode_10_data_has_its_bytes),
        cmocka_unit_test(mode_6_data_is_written_within_its_buffer),
        cmocka_unit_test(block_descriptors_beyond_the_data_are_refused),
        cmocka_unit_test(subpages_are_walked),
        cmocka_unit_test(an_unmap_list_has_its_bytes),
        cmocka_unit_test(lba_status_has_its_bytes),
        cmocka_unit_test(an_unmap_list_beyond_its_length_field_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
