/* One LUN and what it says of itself. */
#include <errno.h>
#include <stdio.h>

#include "unit/scsi/fake_target.h"
#include "wire/luns.h"
#include "wire/vpd.h"

static void a_disk_tells_all_about_itself(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 3)->max_transfer_blocks = 100;
    fake_scan_lun(t, 3);
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

static void a_device_begins_with_the_timeout_of_its_host(void **state)
{
    struct fake_target *t = *state;

    t->rig->host.rq_timeout_ns = 3 * RIG_S;
    fake_add_disk(t, 3);
    fake_scan_lun(t, 3);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->sdev->queue.rq_timeout_ns, 3 * RIG_S);
}

static void the_cache_is_what_the_caching_page_says(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    for (unsigned i = 0; i < 8; i++) {
        t->caching_among_all = i & 1;
        t->caching_by_name = !(i & 1);
        t->wce = i & 2;
        t->dpofua = i & 4;
        t->done_cnt = 0;
        t->asked[ISKRA_SCSI_MODE_SENSE_6] = 0;
        fake_scan_lun(t, 0);
        assert_int_equal(t->status, 0);
        assert_true(t->sdev->write_cache_told);
        assert_int_equal(t->sdev->write_cache, (i & 2) != 0);
        assert_int_equal(t->sdev->fua, (i & 4) != 0);
        assert_int_equal(t->asked[ISKRA_SCSI_MODE_SENSE_6], t->caching_among_all ? 1 : 2);
    }
}

static void without_a_caching_page_a_cache_is_assumed(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    fake_scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_true(t->sdev->write_cache);
    assert_false(t->sdev->write_cache_told);
    assert_false(t->sdev->fua);
}

static void no_such_lun_is_said_with_its_number(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    fake_scan_lun(t, 7);
    assert_int_equal(t->status, -ENXIO);
    assert_int_equal(t->error.code, ISKRA_E_NOT_FOUND);
    assert_string_equal(t->error.text, "no LUN 7 at this target");
    assert_true(iskra_list_empty(&t->rig->host.devices));
}

static bool inquiry_says_25(struct fake_target *t, struct iskra_cmnd *cmnd,
                            const struct iskra_cdb *cdb)
{
    if (cdb->opcode == ISKRA_SCSI_INQUIRY)
        fake_refuse(cmnd, ISKRA_SENSE_ILLEGAL_REQUEST, 0x25, 0x00);
    return cdb->opcode == ISKRA_SCSI_INQUIRY;
}

static void lun_not_supported_as_sense_is_no_such_lun_too(void **state)
{
    struct fake_target *t = *state;

    t->lie = inquiry_says_25;
    fake_scan_lun(t, 7);
    assert_int_equal(t->status, -ENXIO);
    assert_int_equal(t->error.code, ISKRA_E_NOT_FOUND);
}

static void unit_attentions_are_outlasted(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    t->ua_cnt = 3;
    fake_scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->rig->ua_cnt, 3);
}

static void a_lun_of_nothing_but_unit_attentions_is_given_up(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    t->ua_cnt = 1000;
    fake_scan_lun(t, 0);
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

    fake_add_disk(t, 0);
    t->lie = inquiry_is_short;
    fake_scan_lun(t, 0);
    assert_int_equal(t->status, -EBADMSG);
    assert_int_equal(t->error.code, ISKRA_E_RESPONSE);
    assert_string_equal(t->error.text, "INQUIRY: 4 bytes came, at least 36 are due");
}

static void an_empty_inquiry_is_asked_for_a_few_times(void **state)
{
    struct fake_target *t = *state;

    t->lie = inquiry_is_short;
    fake_scan_lun(t, 0);
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

    fake_add_disk(t, 0);
    t->lie = inquiry_offers_255;
    fake_scan_lun(t, 0);
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

    fake_add_disk(t, 0);
    t->lie = all_vpd_lies;
    fake_scan_lun(t, 0);
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

    fake_add_disk(t, 0);
    t->lie = vpd_of_other_pages;
    fake_scan_lun(t, 0);
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

    fake_add_disk(t, 0);
    t->lie = everything_but_inquiry_and_capacity_fails;
    fake_scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_true(t->sdev->capacity_known);
    assert_false(t->sdev->write_protected);
    assert_int_equal(t->sdev->max_transfer_len, ISKRA_SDEV_TRANSFER_MAX);
}

static void another_device_than_a_disk_is_opened_without_a_capacity(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0)->inquiry.type = ISKRA_TYPE_CONTROLLER;
    fake_scan_lun(t, 0);
    assert_int_equal(t->status, 0);
    assert_false(t->sdev->capacity_known);
    assert_int_equal(t->asked[ISKRA_SCSI_SERVICE_ACTION_IN_16], 0);
    assert_int_equal(t->asked[ISKRA_SCSI_READ_CAPACITY_10], 0);
}

static void a_session_lost_at_any_command_ends_the_scan_of_a_lun(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    for (t->lose_after = 1; t->lose_after < 50; t->lose_after++) {
        t->cmd_cnt = 0;
        t->done_cnt = 0;
        fake_scan_lun(t, 0);
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

    fake_add_disk(t, 0);
    t->rig->target = NULL; /* nobody answers for now */
    assert_int_equal(iskra_scan_lun(&t->rig->host, 0, fake_lun_done, t, &t->scan, NULL), 0);
    iskra_scan_cancel(t->scan);
    rig_work(t->rig);
    assert_int_equal(t->done_cnt, 0); /* the command is out */
    t->rig->target = fake_answer;
    rig_work(t->rig);
    assert_int_equal(t->done_cnt, 1);
    assert_int_equal(t->status, -ECANCELED);
    assert_int_equal(t->error.code, ISKRA_E_CANCELED);
}

static void every_failed_allocation_of_a_scan_is_survived(void **state)
{
    struct fake_target *t = *state;
    struct iskra_error err;

    fake_add_disk(t, 0);
    for (unsigned n = 1; n < 20; n++) {
        struct counted_memory *m = &t->rig->memory;
        memset(&err, 0, sizeof(err));
        t->done_cnt = 0;
        m->fail_at = m->call_cnt + n;
        int rc = iskra_scan_lun(&t->rig->host, 0, fake_lun_done, t, NULL, &err);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_disk_tells_all_about_itself),
        T(a_device_begins_with_the_timeout_of_its_host),
        T(the_cache_is_what_the_caching_page_says),
        T(without_a_caching_page_a_cache_is_assumed),
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
        T(another_device_than_a_disk_is_opened_without_a_capacity),
        T(a_session_lost_at_any_command_ends_the_scan_of_a_lun),
        T(a_cancelled_scan_says_so_once),
        T(every_failed_allocation_of_a_scan_is_survived),
    };
    return cmocka_run_group_tests_name("scsi probe", tests, NULL, NULL);
}
