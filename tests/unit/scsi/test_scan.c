/* The scan against a fake target, honest and otherwise. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "scsi/report_luns.h"
#include "scsi/scan.h"
#include "unit/scsi/scsi_rig.h"
#include "wire/be.h"
#include "wire/capacity.h"
#include "wire/inquiry.h"
#include "wire/luns.h"
#include "wire/mode.h"
#include "wire/vpd.h"

#define FAKE_LUN_MAX 600

struct fake_lun {
    uint32_t number;
    struct iskra_inquiry inquiry;
    struct iskra_capacity capacity;
    uint32_t max_transfer_blocks;
};

struct fake_target {
    struct rig *rig;
    struct fake_lun luns[FAKE_LUN_MAX];
    unsigned lun_cnt;
    bool no_report_luns, no_well_known, no_capacity16;
    unsigned ua_cnt;      /* that many commands are answered with a unit attention */
    uint64_t refuse_page; /* a bit per VPD page */
    /* true: answered */
    bool (*lie)(struct fake_target *t, struct iskra_cmnd *cmnd, const struct iskra_cdb *cdb);
    unsigned asked[256]; /* per opcode */
    unsigned asked_vpd[256];
    uint64_t lose_after; /* after so many commands the session is lost */
    unsigned cmd_cnt;

    /* what the scan said */
    unsigned done_cnt;
    int status;
    struct iskra_error error;
    struct iskra_sdev *sdev;
    unsigned entry_cnt;
    uint64_t entries[FAKE_LUN_MAX];
    bool entry_known[FAKE_LUN_MAX];
    int entry_rc;
    struct iskra_scan *scan;
};

static void refuse(struct iskra_cmnd *cmnd, uint8_t key, uint8_t asc, uint8_t ascq)
{
    const struct iskra_sense s = {.valid = true, .key = key, .asc = asc, .ascq = ascq};

    rig_set_sense(cmnd, &s);
}

static const struct fake_lun *find_lun(const struct fake_target *t, uint64_t lun)
{
    for (unsigned i = 0; i < t->lun_cnt; i++) {
        uint64_t encoded;
        if (iskra_lun_encode(t->luns[i].number, &encoded) == 0 && encoded == lun)
            return &t->luns[i];
    }
    return NULL;
}

static void answer_vpd(struct iskra_cmnd *cmnd, const struct fake_lun *l, uint8_t page)
{
    static const uint8_t naa[] = {0x60, 0x01, 0x40, 0x5a, 0xbc};
    static const uint8_t pages[] = {0x00, 0x80, 0x83, 0xb0};
    const struct iskra_designator designators[] = {
        {.code_set = 2, .type = ISKRA_DESIGNATOR_T10, .id = (const uint8_t *)"SPARK", .id_len = 5},
        {.code_set = 1, .type = ISKRA_DESIGNATOR_NAA, .id = naa, .id_len = sizeof(naa)},
        {.code_set = 1,
         .association = ISKRA_ASSOCIATION_PORT,
         .type = ISKRA_DESIGNATOR_PORT,
         .id = naa,
         .id_len = 4},
    };
    uint8_t buf[512];
    struct iskra_vpd_out out;
    char serial[20];

    if (page == ISKRA_VPD_BLOCK_LIMITS) {
        const struct iskra_block_limits limits = {.max_transfer_blocks = l->max_transfer_blocks,
                                                  .optimal_transfer_blocks = 64};
        rig_data_in(cmnd, buf, iskra_vpd_block_limits_encode(&limits, 0, buf));
        return;
    }
    iskra_vpd_begin(&out, buf, sizeof(buf), l->inquiry.type, page);
    if (page == ISKRA_VPD_SUPPORTED) {
        iskra_vpd_put_bytes(&out, pages, sizeof(pages));
    } else if (page == ISKRA_VPD_SERIAL) {
        snprintf(serial, sizeof(serial), " SN\x1b%04u ", l->number);
        iskra_vpd_put_bytes(&out, serial, strlen(serial));
    } else {
        for (size_t i = 0; i < sizeof(designators) / sizeof(designators[0]); i++)
            iskra_vpd_put_designator(&out, &designators[i]);
    }
    rig_data_in(cmnd, buf, (uint32_t)iskra_vpd_end(&out));
}

static void answer_report_luns(struct fake_target *t, struct iskra_cmnd *cmnd)
{
    static uint8_t buf[ISKRA_LUNS_HEADER_LEN + 8 * FAKE_LUN_MAX];
    uint64_t luns[FAKE_LUN_MAX];

    if (cmnd->lun == ISKRA_LUN_WELL_KNOWN_REPORT_LUNS ? t->no_well_known : t->no_report_luns) {
        refuse(cmnd, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
        return;
    }
    for (unsigned i = 0; i < t->lun_cnt; i++)
        assert_int_equal(iskra_lun_encode(t->luns[i].number, &luns[i]), 0);
    rig_data_in(cmnd, buf, (uint32_t)iskra_luns_encode(luns, t->lun_cnt, buf, sizeof(buf)));
}

static void answer_inquiry(struct iskra_cmnd *cmnd, const struct fake_lun *l)
{
    uint8_t buf[ISKRA_INQUIRY_LEN] = {0};

    if (l != NULL)
        iskra_inquiry_encode(&l->inquiry, buf);
    else
        buf[0] = 0x7f;
    buf[4] = sizeof(buf) - 5;
    rig_data_in(cmnd, buf, sizeof(buf));
}

static void target(struct rig *r, struct iskra_cmnd *cmnd)
{
    struct fake_target *t = r->target_arg;
    const struct fake_lun *l = find_lun(t, cmnd->lun);
    struct iskra_cdb cdb;
    uint8_t buf[64];

    assert_int_equal(iskra_cdb_decode(cmnd->cdb, cmnd->cdb_len, &cdb), 0);
    assert_int_equal(cdb.opcode == ISKRA_SCSI_READ_CAPACITY_10 ? 8 : cdb.alloc_len,
                     cmnd->transfer_len);
    t->asked[cdb.opcode]++;
    if (cdb.flags & ISKRA_CDB_EVPD)
        t->asked_vpd[cdb.page]++;
    if (t->lose_after != 0 && ++t->cmd_cnt > t->lose_after) {
        rig_session_lost(r, "cable cut");
        iskra_shost_class_ops.transport_offline(&r->host);
        cmnd->result = ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0);
        return;
    }
    if (t->ua_cnt > 0) {
        t->ua_cnt--;
        refuse(cmnd, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
        return;
    }
    if (t->lie != NULL && t->lie(t, cmnd, &cdb))
        return;
    if (cdb.opcode == ISKRA_SCSI_REPORT_LUNS) {
        answer_report_luns(t, cmnd);
        return;
    }
    if (cdb.opcode == ISKRA_SCSI_INQUIRY && !(cdb.flags & ISKRA_CDB_EVPD)) {
        answer_inquiry(cmnd, l);
        return;
    }
    if (l == NULL) {
        refuse(cmnd, ISKRA_SENSE_ILLEGAL_REQUEST, 0x25, 0x00);
        return;
    }
    switch (cdb.opcode) {
    case ISKRA_SCSI_INQUIRY:
        answer_vpd(cmnd, l, cdb.page);
        return;
    case ISKRA_SCSI_READ_CAPACITY_10:
        rig_data_in(cmnd, buf, iskra_capacity10_encode(&l->capacity, buf));
        return;
    case ISKRA_SCSI_SERVICE_ACTION_IN_16:
        if (t->no_capacity16)
            break;
        rig_data_in(cmnd, buf, iskra_capacity16_encode(&l->capacity, buf));
        return;
    case ISKRA_SCSI_MODE_SENSE_6: {
        const struct iskra_mode mode = {.write_protected = true};
        rig_data_in(cmnd, buf, (uint32_t)iskra_mode6_encode(&mode, buf, sizeof(buf)));
        return;
    }
    default:
        break;
    }
    refuse(cmnd, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
}

static struct fake_lun *add_disk(struct fake_target *t, uint32_t number)
{
    struct fake_lun *l = &t->luns[t->lun_cnt++];

    *l = (struct fake_lun){
        .number = number,
        .inquiry = {.version = 5, .vendor = "ISKRA", .product = "spark", .revision = "1"},
        .capacity = {.last_lba = 204799, .block_len = 512, .physical_exp = 3, .lbpme = true}};
    return l;
}

static int scan_setup(void **state)
{
    rig_setup(state);
    struct rig *r = *state;
    struct fake_target *t = test_calloc(1, sizeof(*t));
    iskra_sdev_remove_now(r->sdev); /* the scan makes its own */
    t->rig = r;
    r->target = target;
    r->target_arg = t;
    *state = t;
    return 0;
}

static int scan_teardown(void **state)
{
    struct fake_target *t = *state;
    void *rig = t->rig;

    rig_teardown(&rig);
    test_free(t);
    return 0;
}

/* ---- one LUN ---- */

static void lun_done(void *arg, int status, struct iskra_sdev *sdev, const struct iskra_error *err)
{
    struct fake_target *t = arg;

    t->done_cnt++;
    t->status = status;
    t->sdev = sdev;
    if (err != NULL)
        t->error = *err;
    assert_true((status == 0) == (sdev != NULL));
}

static void scan_lun(struct fake_target *t, uint32_t number)
{
    uint64_t lun;

    assert_int_equal(iskra_lun_encode(number, &lun), 0);
    assert_int_equal(iskra_scan_lun(&t->rig->host, lun, lun_done, t, &t->scan, NULL), 0);
    assert_int_equal(t->done_cnt, 0);
    rig_advance_to(t->rig, t->rig->round.now_ns + 10 * RIG_S);
    assert_int_equal(t->done_cnt, 1);
}

static void a_disk_tells_all_about_itself(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 3)->max_transfer_blocks = 100;
    scan_lun(t, 3);
    assert_int_equal(t->status, 0);
    const struct iskra_sdev *d = t->sdev;
    assert_string_equal(iskra_sdev_state_name(d->state), "RUNNING");
    assert_string_equal(d->inquiry.vendor, "ISKRA");
    assert_string_equal(d->inquiry.product, "spark");
    assert_string_equal(d->serial, "SN\\x1b0003");
    assert_string_equal(d->identity, "naa.6001405abc");
    assert_true(d->capacity_known);
    assert_int_equal(d->block_len, 512);
    assert_int_equal(d->block_cnt, 204800);
    assert_int_equal(d->physical_block_len, 4096);
    assert_true(d->thin);
    assert_true(d->write_protected);
    assert_int_equal(d->max_transfer_len, 100 * 512);
    assert_int_equal(d->optimal_transfer_len, 64 * 512);
    assert_int_equal(t->asked[ISKRA_SCSI_REPORT_LUNS], 0); /* decision 33 */
}

static void no_such_lun_is_said_with_its_number(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    scan_lun(t, 7);
    assert_int_equal(t->status, -ENXIO);
    assert_int_equal(t->error.code, ISKRA_E_NOT_FOUND);
    assert_string_equal(t->error.text, "no LUN 7 at this target");
    assert_true(iskra_list_empty(&t->rig->host.devices));
}

static bool inquiry_says_25(struct fake_target *t, struct iskra_cmnd *cmnd,
                            const struct iskra_cdb *cdb)
{
    if (cdb->opcode == ISKRA_SCSI_INQUIRY)
        refuse(cmnd, ISKRA_SENSE_ILLEGAL_REQUEST, 0x25, 0x00);
    return cdb->opcode == ISKRA_SCSI_INQUIRY;
}

static void lun_not_supported_as_sense_is_no_such_lun_too(void **state)
{
    struct fake_target *t = *state;

    t->lie = inquiry_says_25;
    scan_lun(t, 7);
    assert_int_equal(t->status, -ENXIO);
    assert_int_equal(t->error.code, ISKRA_E_NOT_FOUND);
}

static void unit_attentions_are_outlasted(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->ua_cnt = 3;
    scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->rig->ua_cnt, 3);
}

static void a_lun_of_nothing_but_unit_attentions_is_given_up(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->ua_cnt = 1000;
    scan_lun(t, 0);
    assert_int_equal(t->status, -EIO);
    assert_int_equal(t->error.code, ISKRA_E_SCSI);
    assert_int_equal(t->asked[ISKRA_SCSI_INQUIRY], 5);
}

static bool inquiry_is_short(struct fake_target *t, struct iskra_cmnd *cmnd,
                             const struct iskra_cdb *cdb)
{
    static const uint8_t few[4] = {0, 0, 5, 2};

    if (cdb->opcode != ISKRA_SCSI_INQUIRY)
        return false;
    rig_data_in(cmnd, few, t->lun_cnt == 1 ? 4 : 0);
    return true;
}

static void a_short_inquiry_is_refused_with_numbers(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->lie = inquiry_is_short;
    scan_lun(t, 0);
    assert_int_equal(t->status, -EBADMSG);
    assert_int_equal(t->error.code, ISKRA_E_RESPONSE);
    assert_string_equal(t->error.text, "INQUIRY: 4 bytes came, at least 36 are due");
}

static void an_empty_inquiry_is_asked_for_a_few_times(void **state)
{
    struct fake_target *t = *state;

    t->lie = inquiry_is_short;
    scan_lun(t, 0);
    assert_int_equal(t->status, -EBADMSG);
    assert_int_equal(t->asked[ISKRA_SCSI_INQUIRY], 5);
}

static bool inquiry_offers_255(struct fake_target *t, struct iskra_cmnd *cmnd,
                               const struct iskra_cdb *cdb)
{
    uint8_t buf[255] = {0};

    if (cdb->opcode != ISKRA_SCSI_INQUIRY || (cdb->flags & ISKRA_CDB_EVPD))
        return false;
    iskra_inquiry_encode(&t->luns[0].inquiry, buf);
    buf[4] = 255; /* 260 bytes would be too many to ask for */
    if (cmnd->transfer_len > ISKRA_INQUIRY_LEN)
        memcpy(buf + 16, "LONGER", 6);
    rig_data_in(cmnd, buf, sizeof(buf));
    return true;
}

static void what_inquiry_offers_beyond_36_bytes_is_asked_for_once(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->lie = inquiry_offers_255;
    scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_string_equal(t->sdev->inquiry.product, "LONGER");
}

static bool all_vpd_lies(struct fake_target *t, struct iskra_cmnd *cmnd,
                         const struct iskra_cdb *cdb)
{
    static uint8_t buf[4096];

    if (cdb->opcode != ISKRA_SCSI_INQUIRY || !(cdb->flags & ISKRA_CDB_EVPD) || cdb->page == 0)
        return false;
    memset(buf, 0xff, sizeof(buf));
    buf[1] = cdb->page; /* states 65535 bytes, all ones */
    rig_data_in(cmnd, buf, cmnd->transfer_len);
    return true;
}

static void lying_vpd_pages_are_bounded_and_not_fatal(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->lie = all_vpd_lies;
    scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_string_equal(t->sdev->identity, "");
    assert_int_equal(t->asked_vpd[ISKRA_VPD_DEVICE_ID], 2); /* 252 bytes, then as much as we take */
    assert_true(t->sdev->max_transfer_len <= ISKRA_SDEV_TRANSFER_MAX);
    assert_true(strlen(t->sdev->serial) < sizeof(t->sdev->serial));
}

static bool vpd_of_other_pages(struct fake_target *t, struct iskra_cmnd *cmnd,
                               const struct iskra_cdb *cdb)
{
    static const uint8_t wrong[] = {0, 0x42, 0, 4, 1, 2, 3, 4};

    if (cdb->opcode != ISKRA_SCSI_INQUIRY || !(cdb->flags & ISKRA_CDB_EVPD))
        return false;
    rig_data_in(cmnd, wrong, sizeof(wrong));
    return true;
}

static void a_wrong_page_00_means_that_no_other_is_asked_for(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->lie = vpd_of_other_pages;
    scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_string_equal(t->sdev->serial, "");
    assert_int_equal(t->asked_vpd[ISKRA_VPD_SERIAL], 0);
}

static bool everything_but_inquiry_and_capacity_fails(struct fake_target *t,
                                                      struct iskra_cmnd *cmnd,
                                                      const struct iskra_cdb *cdb)
{
    if ((cdb->opcode == ISKRA_SCSI_INQUIRY && !(cdb->flags & ISKRA_CDB_EVPD)) ||
        cdb->opcode == ISKRA_SCSI_SERVICE_ACTION_IN_16)
        return false;
    cmnd->result = ISKRA_RESULT(ISKRA_DID_BAD_TARGET, 0);
    return true;
}

static void refused_pages_leave_their_fields_empty(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->lie = everything_but_inquiry_and_capacity_fails;
    scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_true(t->sdev->capacity_known);
    assert_false(t->sdev->write_protected);
    assert_int_equal(t->sdev->max_transfer_len, ISKRA_SDEV_TRANSFER_MAX);
}

static void block_lengths_are_powers_of_two_from_512_to_64_kib(void **state)
{
    static const struct {
        uint32_t block_len;
        bool good;
    } rows[] = {{0, false},    {1, false},      {256, false},        {511, false},
                {512, true},   {520, false},    {528, false},        {4096, true},
                {65536, true}, {131072, false}, {0x80000000, false}, {UINT32_MAX, false}};
    struct fake_target *t = *state;

    add_disk(t, 0);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        t->luns[0].capacity.block_len = rows[i].block_len;
        t->done_cnt = 0;
        scan_lun(t, 0);
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

    add_disk(t, 0);
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        t->luns[0].capacity.last_lba = rows[i].last_lba;
        t->luns[0].capacity.block_len = rows[i].block_len;
        t->done_cnt = 0;
        scan_lun(t, 0);
        assert_int_equal(t->status, rows[i].good ? 0 : -EOVERFLOW);
    }
    assert_int_equal(t->sdev->block_cnt, UINT64_C(0x7fffffffffffffff) / 512);
}

static void read_capacity_16_comes_first_with_spc_3(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    scan_lun(t, 0);
    assert_int_equal(t->asked[ISKRA_SCSI_SERVICE_ACTION_IN_16], 1);
    assert_int_equal(t->asked[ISKRA_SCSI_READ_CAPACITY_10], 0);
}

static void without_read_capacity_16_the_10_byte_one_decides(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->no_capacity16 = true;
    scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->sdev->block_cnt, 204800);
    assert_int_equal(t->asked[ISKRA_SCSI_READ_CAPACITY_10], 1);
}

static void an_old_disk_that_is_too_large_for_10_bytes_is_asked_with_16(void **state)
{
    struct fake_target *t = *state;
    struct fake_lun *l = add_disk(t, 0);

    l->inquiry.version = 4;
    l->capacity.last_lba = UINT64_C(0x123456789);
    scan_lun(t, 0);
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

    add_disk(t, 0);
    t->lie = capacity_is_short;
    scan_lun(t, 0);
    assert_int_equal(t->status, -EBADMSG);
    assert_string_equal(t->error.text, "READ CAPACITY(16): 4 bytes came, at least 12 are due");
}

static bool no_medium(struct fake_target *t, struct iskra_cmnd *cmnd, const struct iskra_cdb *cdb)
{
    if (cdb->opcode == ISKRA_SCSI_INQUIRY)
        return false;
    refuse(cmnd, ISKRA_SENSE_NOT_READY, 0x3a, 0x00);
    return true;
}

static void a_disk_without_a_medium_is_refused_in_scsi_words(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->lie = no_medium;
    scan_lun(t, 0);
    assert_int_equal(t->status, -EIO);
    assert_int_equal(t->error.code, ISKRA_E_SCSI);
    assert_string_equal(t->error.text, "READ CAPACITY(16): CHECK CONDITION, NOT READY (2h), MEDIUM "
                                       "NOT PRESENT (3Ah/00h)");
}

static void another_device_than_a_disk_is_opened_without_a_capacity(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0)->inquiry.type = ISKRA_TYPE_CONTROLLER;
    scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_false(t->sdev->capacity_known);
    assert_int_equal(t->asked[ISKRA_SCSI_SERVICE_ACTION_IN_16], 0);
    assert_int_equal(t->asked[ISKRA_SCSI_READ_CAPACITY_10], 0);
}

static void a_session_lost_at_any_command_ends_the_scan_of_a_lun(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    for (t->lose_after = 1; t->lose_after < 50; t->lose_after++) {
        t->cmd_cnt = 0;
        t->done_cnt = 0;
        scan_lun(t, 0);
        if (t->status == 0)
            break;
        assert_int_equal(t->error.code, ISKRA_E_CONNECTION);
        assert_non_null(strstr(t->error.text, "cable cut"));
        assert_true(iskra_list_empty(&t->rig->host.devices));
        t->rig->session.state = ISKRA_SESSION_LOGGED_IN;
        iskra_shost_class_ops.unblock(&t->rig->host);
    }
    assert_in_range(t->lose_after, 5, 20);
}

static void a_cancelled_scan_says_so_once(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->rig->target = NULL; /* nobody answers for now */
    assert_int_equal(iskra_scan_lun(&t->rig->host, 0, lun_done, t, &t->scan, NULL), 0);
    iskra_scan_cancel(t->scan);
    rig_work(t->rig);
    assert_int_equal(t->done_cnt, 0); /* the command is out */
    t->rig->target = target;
    rig_work(t->rig);
    assert_int_equal(t->done_cnt, 1);
    assert_int_equal(t->status, -ECANCELED);
    assert_int_equal(t->error.code, ISKRA_E_CANCELED);
}

static void every_failed_allocation_of_a_scan_is_survived(void **state)
{
    struct fake_target *t = *state;
    struct iskra_error err;

    add_disk(t, 0);
    for (unsigned n = 1; n < 20; n++) {
        struct counted_memory *m = &t->rig->memory;
        memset(&err, 0, sizeof(err));
        t->done_cnt = 0;
        m->fail_at = m->call_cnt + n;
        int rc = iskra_scan_lun(&t->rig->host, 0, lun_done, t, NULL, &err);
        rig_work(t->rig);
        m->fail_at = 0;
        if (rc == 0) {
            assert_int_equal(t->status, 0);
            return;
        }
        assert_int_equal(rc, -ENOMEM);
        assert_int_equal(err.code, ISKRA_E_NOMEM);
        assert_int_equal(t->done_cnt, 0);
    }
    fail_msg("it never succeeds");
}

/* ---- all LUNs ---- */

static int entry(void *arg, const struct iskra_sdev *sdev)
{
    struct fake_target *t = arg;

    t->entries[t->entry_cnt] = sdev->lun;
    t->entry_known[t->entry_cnt++] = sdev->capacity_known;
    return t->entry_rc;
}

static void luns_done(void *arg, int status, const struct iskra_error *err)
{
    struct fake_target *t = arg;

    t->done_cnt++;
    t->status = status;
    if (err != NULL)
        t->error = *err;
}

static void scan_luns(struct fake_target *t)
{
    assert_int_equal(iskra_scan_luns(&t->rig->host, entry, luns_done, t, &t->scan, NULL), 0);
    rig_advance_to(t->rig, t->rig->round.now_ns + 100 * RIG_S);
    assert_int_equal(t->done_cnt, 1);
    assert_true(iskra_list_empty(&t->rig->host.devices));
}

static void assert_entries(const struct fake_target *t, const uint32_t *want, unsigned cnt)
{
    assert_int_equal(t->entry_cnt, cnt);
    for (unsigned i = 0; i < cnt; i++) {
        uint32_t number;
        assert_int_equal(iskra_lun_decode(t->entries[i], &number), 0);
        assert_int_equal(number, want[i]);
    }
}

static void a_list_names_each_lun_in_the_targets_order(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0)->inquiry.type = ISKRA_TYPE_CONTROLLER;
    add_disk(t, 5);
    add_disk(t, 2);
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_entries(t, (const uint32_t[]){0, 5, 2}, 3);
    assert_false(t->entry_known[0]);
    assert_true(t->entry_known[1]);
}

static void an_absent_lun_0_is_tolerated(void **state)
{
    struct fake_target *t = *state;

    t->no_report_luns = true; /* by LUN 0, which is not there */
    add_disk(t, 4);
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_entries(t, (const uint32_t[]){4}, 1);
    assert_int_equal(t->asked[ISKRA_SCSI_REPORT_LUNS], 2); /* the second to the well-known LUN */
}

static void three_hundred_luns_need_flat_addressing_and_work(void **state)
{
    struct fake_target *t = *state;

    for (uint32_t i = 0; i < 300; i++)
        add_disk(t, i);
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->entry_cnt, 300);
    for (uint32_t i = 0; i < 300; i++) {
        uint32_t number;
        assert_int_equal(iskra_lun_decode(t->entries[i], &number), 0);
        assert_int_equal(number, i);
    }
    assert_int_equal(t->entries[299] >> 48, 0x4000 | 299);
}

static void without_any_list_luns_are_tried_one_by_one(void **state)
{
    struct fake_target *t = *state;

    t->no_report_luns = t->no_well_known = true;
    add_disk(t, 0);
    add_disk(t, 1);
    add_disk(t, 2);
    add_disk(t, 4); /* behind a gap: not found */
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_entries(t, (const uint32_t[]){0, 1, 2}, 3);
}

static void one_by_one_goes_past_an_absent_lun_0(void **state)
{
    struct fake_target *t = *state;

    t->no_report_luns = t->no_well_known = true;
    add_disk(t, 1);
    scan_luns(t);
    assert_entries(t, (const uint32_t[]){1}, 1);
}

static void one_by_one_ends_at_lun_255_and_with_scsi_2_at_lun_7(void **state)
{
    struct fake_target *t = *state;

    t->no_report_luns = t->no_well_known = true;
    for (uint32_t i = 0; i < 300; i++)
        add_disk(t, i);
    scan_luns(t);
    assert_int_equal(t->entry_cnt, 256);
    t->luns[0].inquiry.version = 2;
    t->entry_cnt = t->done_cnt = 0;
    scan_luns(t);
    assert_int_equal(t->entry_cnt, 8);
}

static void a_list_longer_than_the_first_buffer_is_asked_for_again(void **state)
{
    struct fake_target *t = *state;

    for (uint32_t i = 0; i < FAKE_LUN_MAX; i++)
        add_disk(t, i);
    scan_luns(t); /* the first buffer holds 511 */
    assert_int_equal(t->asked[ISKRA_SCSI_REPORT_LUNS], 2);
    assert_int_equal(t->entry_cnt, FAKE_LUN_MAX);
}

static bool list_grows(struct fake_target *t, struct iskra_cmnd *cmnd, const struct iskra_cdb *cdb)
{
    uint8_t buf[24] = {0};

    if (cdb->opcode != ISKRA_SCSI_REPORT_LUNS)
        return false;
    /* Always twice as much as was asked for; two LUNs come. */
    iskra_put_be32(buf, cmnd->transfer_len / 8 * 16);
    buf[17] = 1;
    rig_data_in(cmnd, buf, sizeof(buf));
    return true;
}

static void a_list_that_says_it_goes_on_for_ever_is_bounded(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    add_disk(t, 1);
    t->lie = list_grows;
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_in_range(t->asked[ISKRA_SCSI_REPORT_LUNS], 2, 8);
    assert_entries(t, (const uint32_t[]){0, 1}, 2);
}

static bool list_claims_all(struct fake_target *t, struct iskra_cmnd *cmnd,
                            const struct iskra_cdb *cdb)
{
    static const uint8_t buf[16] = {0xff, 0xff, 0xff, 0xf8};

    if (cdb->opcode != ISKRA_SCSI_REPORT_LUNS)
        return false;
    assert_true(cmnd->transfer_len <= ISKRA_REPORT_LUNS_LEN_MAX);
    rig_data_in(cmnd, buf, sizeof(buf));
    return true;
}

static void a_list_of_four_gib_is_asked_for_with_16_mib_at_most(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->lie = list_claims_all;
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_entries(t, (const uint32_t[]){0}, 1);
    assert_int_equal(t->asked[ISKRA_SCSI_REPORT_LUNS], 2);
}

static bool list_is_garbage(struct fake_target *t, struct iskra_cmnd *cmnd,
                            const struct iskra_cdb *cdb)
{
    static const uint8_t buf[12] = {0, 0, 0, 3};

    if (cdb->opcode != ISKRA_SCSI_REPORT_LUNS)
        return false;
    rig_data_in(cmnd, buf, sizeof(buf));
    return true;
}

static void a_garbled_list_is_as_good_as_none(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->lie = list_is_garbage;
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_entries(t, (const uint32_t[]){0}, 1);
}

static void a_listed_lun_that_is_not_there_is_left_out(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    add_disk(t, 1)->inquiry.qualifier = ISKRA_PQ_ABSENT;
    add_disk(t, 2);
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_entries(t, (const uint32_t[]){0, 2}, 2);
}

static void a_disk_with_a_senseless_capacity_is_listed_without_one(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0)->capacity.block_len = 520;
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->entry_cnt, 1);
    assert_false(t->entry_known[0]);
}

static void the_callers_return_value_ends_the_list(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    add_disk(t, 1);
    t->entry_rc = 42;
    scan_luns(t);
    assert_int_equal(t->entry_cnt, 1);
    assert_int_equal(t->status, 42);
}

static void a_session_lost_at_any_command_ends_the_list(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    add_disk(t, 1);
    for (t->lose_after = 1; t->lose_after < 60; t->lose_after++) {
        t->cmd_cnt = t->done_cnt = t->entry_cnt = 0;
        scan_luns(t);
        if (t->status == 0)
            break;
        assert_int_equal(t->error.code, ISKRA_E_CONNECTION);
        t->rig->session.state = ISKRA_SESSION_LOGGED_IN;
        iskra_shost_class_ops.unblock(&t->rig->host);
    }
    assert_in_range(t->lose_after, 10, 40);
}

static void a_cancelled_list_says_so_once(void **state)
{
    struct fake_target *t = *state;

    add_disk(t, 0);
    t->rig->target = NULL;
    assert_int_equal(iskra_scan_luns(&t->rig->host, entry, luns_done, t, &t->scan, NULL), 0);
    iskra_scan_cancel(t->scan);
    t->rig->target = target;
    rig_work(t->rig);
    assert_int_equal(t->done_cnt, 1);
    assert_int_equal(t->status, -ECANCELED);
    assert_int_equal(t->entry_cnt, 0);
}

static void every_failed_allocation_of_a_list_is_survived(void **state)
{
    struct fake_target *t = *state;
    struct iskra_error err;

    add_disk(t, 0);
    add_disk(t, 1);
    for (unsigned n = 1; n < 40; n++) {
        struct counted_memory *m = &t->rig->memory;
        memset(&err, 0, sizeof(err));
        t->done_cnt = t->entry_cnt = 0;
        m->fail_at = m->call_cnt + n;
        int rc = iskra_scan_luns(&t->rig->host, entry, luns_done, t, NULL, &err);
        rig_work(t->rig);
        m->fail_at = 0;
        assert_int_equal(t->done_cnt, rc == 0);
        if (rc == 0 && t->status == 0) {
            assert_true(n > 4);
            return;
        }
        assert_int_equal(rc == 0 ? t->status : rc, -ENOMEM);
        assert_true(iskra_list_empty(&t->rig->host.devices));
    }
    fail_msg("it never succeeds");
}

#define T(name) cmocka_unit_test_setup_teardown(name, scan_setup, scan_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_disk_tells_all_about_itself),
        T(no_such_lun_is_said_with_its_number),
        T(lun_not_supported_as_sense_is_no_such_lun_too),
        T(unit_attentions_are_outlasted),
        T(a_lun_of_nothing_but_unit_attentions_is_given_up),
        T(a_short_inquiry_is_refused_with_numbers),
        T(an_empty_inquiry_is_asked_for_a_few_times),
        T(what_inquiry_offers_beyond_36_bytes_is_asked_for_once),
        T(lying_vpd_pages_are_bounded_and_not_fatal),
        T(a_wrong_page_00_means_that_no_other_is_asked_for),
        T(refused_pages_leave_their_fields_empty),
        T(block_lengths_are_powers_of_two_from_512_to_64_kib),
        T(a_capacity_that_overflows_is_refused),
        T(read_capacity_16_comes_first_with_spc_3),
        T(without_read_capacity_16_the_10_byte_one_decides),
        T(an_old_disk_that_is_too_large_for_10_bytes_is_asked_with_16),
        T(a_short_capacity_is_refused_with_numbers),
        T(a_disk_without_a_medium_is_refused_in_scsi_words),
        T(another_device_than_a_disk_is_opened_without_a_capacity),
        T(a_session_lost_at_any_command_ends_the_scan_of_a_lun),
        T(a_cancelled_scan_says_so_once),
        T(every_failed_allocation_of_a_scan_is_survived),
        T(a_list_names_each_lun_in_the_targets_order),
        T(an_absent_lun_0_is_tolerated),
        T(three_hundred_luns_need_flat_addressing_and_work),
        T(without_any_list_luns_are_tried_one_by_one),
        T(one_by_one_goes_past_an_absent_lun_0),
        T(one_by_one_ends_at_lun_255_and_with_scsi_2_at_lun_7),
        T(a_list_longer_than_the_first_buffer_is_asked_for_again),
        T(a_list_that_says_it_goes_on_for_ever_is_bounded),
        T(a_list_of_four_gib_is_asked_for_with_16_mib_at_most),
        T(a_garbled_list_is_as_good_as_none),
        T(a_listed_lun_that_is_not_there_is_left_out),
        T(a_disk_with_a_senseless_capacity_is_listed_without_one),
        T(the_callers_return_value_ends_the_list),
        T(a_session_lost_at_any_command_ends_the_list),
        T(a_cancelled_list_says_so_once),
        T(every_failed_allocation_of_a_list_is_survived),
    };
    return cmocka_run_group_tests_name("scsi scan", tests, NULL, NULL);
}
