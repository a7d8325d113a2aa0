/* The capacity of a disk: which command asks for it, and what is believed. */
#include <errno.h>
#include <stdio.h>

#include "unit/scsi/fake_target.h"

static void block_lengths_are_powers_of_two_from_512_to_64_kib(void **state)
{
    static const struct {
        uint32_t block_len;
        bool good;
    } rows[] = {{0, false},    {1, false},      {256, false},        {511, false},
                {512, true},   {520, false},    {528, false},        {4096, true},
                {65536, true}, {131072, false}, {0x80000000, false}, {UINT32_MAX, false}};
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        t->luns[0].capacity.block_len = rows[i].block_len;
        t->done_cnt = 0;
        fake_scan_lun(t, 0);
        if (rows[i].good) {
            assert_int_equal(t->status, 0);
            assert_int_equal(t->sdev->block_len, rows[i].block_len);
            assert_int_equal(t->sdev->max_transfer_len % rows[i].block_len, 0);
        } else {
            char want[128];
            snprintf(want, sizeof(want),
                     "READ CAPACITY: block length %u is not a power of two from 512 to 65536",
                     rows[i].block_len);
            assert_int_equal(t->status, -ENOTSUP);
            assert_int_equal(t->error.code, ISKRA_E_RESPONSE);
            assert_string_equal(t->error.text, want);
        }
    }
}

static void a_capacity_that_overflows_is_refused(void **state)
{
    static const struct {
        uint64_t last_lba;
        uint32_t block_len;
        bool good;
    } rows[] = {
        {UINT64_MAX, 512, false},
        {UINT64_MAX - 1, 65536, false},
        {UINT64_C(0x7fffffffffffffff) / 512, 512, false},
        {UINT64_C(0x7fffffffffffffff) / 512 - 1, 512, true},
    };
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        t->luns[0].capacity.last_lba = rows[i].last_lba;
        t->luns[0].capacity.block_len = rows[i].block_len;
        t->done_cnt = 0;
        fake_scan_lun(t, 0);
        assert_int_equal(t->status, rows[i].good ? 0 : -EOVERFLOW);
    }
    assert_int_equal(t->sdev->block_cnt, UINT64_C(0x7fffffffffffffff) / 512);
}

static void read_capacity_16_comes_first_with_spc_3(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    fake_scan_lun(t, 0);
    assert_int_equal(t->asked[ISKRA_SCSI_SERVICE_ACTION_IN_16], 1);
    assert_int_equal(t->asked[ISKRA_SCSI_READ_CAPACITY_10], 0);
}

static void without_read_capacity_16_the_10_byte_one_decides(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    t->no_capacity16 = true;
    fake_scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->sdev->block_cnt, 204800);
    assert_int_equal(t->asked[ISKRA_SCSI_READ_CAPACITY_10], 1);
}

static void an_old_disk_that_is_too_large_for_10_bytes_is_asked_with_16(void **state)
{
    struct fake_target *t = *state;
    struct fake_lun *l = fake_add_disk(t, 0);

    l->inquiry.version = 4;
    l->capacity.last_lba = UINT64_C(0x123456789);
    fake_scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->asked[ISKRA_SCSI_READ_CAPACITY_10], 1);
    assert_int_equal(t->asked[ISKRA_SCSI_SERVICE_ACTION_IN_16], 1);
    assert_int_equal(t->sdev->block_cnt, UINT64_C(0x12345678a));
}

static bool capacity_is_short(struct fake_target *t, struct iskra_cmnd *cmnd,
                              const struct iskra_cdb *cdb)
{
    static const uint8_t few[4] = {0};

    if (cdb->opcode != ISKRA_SCSI_SERVICE_ACTION_IN_16)
        return false;
    rig_data_in(cmnd, few, sizeof(few));
    return true;
}

static void a_short_capacity_is_refused_with_numbers(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    t->lie = capacity_is_short;
    fake_scan_lun(t, 0);
    assert_int_equal(t->status, -EBADMSG);
    assert_string_equal(t->error.text, "READ CAPACITY(16): 4 bytes came, at least 12 are due");
}

static bool no_medium(struct fake_target *t, struct iskra_cmnd *cmnd, const struct iskra_cdb *cdb)
{
    if (cdb->opcode == ISKRA_SCSI_INQUIRY)
        return false;
    fake_refuse(cmnd, ISKRA_SENSE_NOT_READY, 0x3a, 0x00);
    return true;
}

static void a_disk_without_a_medium_is_refused_in_scsi_words(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    t->lie = no_medium;
    fake_scan_lun(t, 0);
    assert_int_equal(t->status, -EIO);
    assert_int_equal(t->error.code, ISKRA_E_SCSI);
    assert_string_equal(t->error.text, "READ CAPACITY(16): CHECK CONDITION, NOT READY (2h), MEDIUM "
                                       "NOT PRESENT (3Ah/00h)");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(block_lengths_are_powers_of_two_from_512_to_64_kib),
        T(a_capacity_that_overflows_is_refused),
        T(read_capacity_16_comes_first_with_spc_3),
        T(without_read_capacity_16_the_10_byte_one_decides),
        T(an_old_disk_that_is_too_large_for_10_bytes_is_asked_with_16),
        T(a_short_capacity_is_refused_with_numbers),
        T(a_disk_without_a_medium_is_refused_in_scsi_words),
    };
    return cmocka_run_group_tests_name("scsi capacity", tests, NULL, NULL);
}
