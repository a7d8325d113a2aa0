/* All LUNs of a target: the list, and what happens without one. */
#include <errno.h>

#include "scsi/report_luns.h"
#include "unit/scsi/fake_target.h"
#include "wire/be.h"
#include "wire/luns.h"

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

    fake_add_disk(t, 0)->inquiry.type = ISKRA_TYPE_CONTROLLER;
    fake_add_disk(t, 5);
    fake_add_disk(t, 2);
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
    fake_add_disk(t, 4);
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_entries(t, (const uint32_t[]){4}, 1);
    assert_int_equal(t->asked[ISKRA_SCSI_REPORT_LUNS], 2); /* the second to the well-known LUN */
}

static void three_hundred_luns_need_flat_addressing_and_work(void **state)
{
    struct fake_target *t = *state;

    for (uint32_t i = 0; i < 300; i++)
        fake_add_disk(t, i);
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
    fake_add_disk(t, 0);
    fake_add_disk(t, 1);
    fake_add_disk(t, 2);
    fake_add_disk(t, 4); /* behind a gap: not found */
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_entries(t, (const uint32_t[]){0, 1, 2}, 3);
}

static void one_by_one_goes_past_an_absent_lun_0(void **state)
{
    struct fake_target *t = *state;

    t->no_report_luns = t->no_well_known = true;
    fake_add_disk(t, 1);
    scan_luns(t);
    assert_entries(t, (const uint32_t[]){1}, 1);
}

static void one_by_one_ends_at_lun_255_and_with_scsi_2_at_lun_7(void **state)
{
    struct fake_target *t = *state;

    t->no_report_luns = t->no_well_known = true;
    for (uint32_t i = 0; i < 300; i++)
        fake_add_disk(t, i);
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
        fake_add_disk(t, i);
    scan_luns(t); /* the first buffer holds 511 */
    assert_int_equal(t->asked[ISKRA_SCSI_REPORT_LUNS], 2);
    assert_int_equal(t->entry_cnt, FAKE_LUN_MAX);
}

static unsigned asked_total(const struct fake_target *t)
{
    unsigned cnt = 0;

    for (unsigned i = 0; i < 256; i++)
        cnt += t->asked[i];
    return cnt;
}

static void thousands_of_luns_are_looked_at_side_by_side_each_with_as_many_commands(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    scan_luns(t);
    unsigned of_one = asked_total(t) - 1; /* the list */
    assert_int_equal(t->in_flight_max, 1);
    t->lun_cnt = 0;
    for (uint32_t i = 0; i < FAKE_LUN_MAX; i++)
        fake_add_disk(t, i);
    memset(t->asked, 0, sizeof(t->asked));
    t->entry_cnt = t->done_cnt = 0;
    scan_luns(t);
    assert_int_equal(t->entry_cnt, FAKE_LUN_MAX);
    assert_int_equal(asked_total(t), FAKE_LUN_MAX * of_one + 2);
    assert_int_equal(t->in_flight_max, t->rig->host.can_queue);
    assert_int_equal(t->rig->aside_cnt, 128);
    char line[160];
    snprintf(line, sizeof(line), "scan: %u LUNs in 0.000 s, %u commands, at most %u in flight",
             FAKE_LUN_MAX, asked_total(t), t->in_flight_max);
    assert_true(rig_noted(t->rig, line));
}

static void a_small_window_bounds_how_many_luns_are_looked_at(void **state)
{
    struct fake_target *t = *state;

    for (uint32_t i = 0; i < 100; i++)
        fake_add_disk(t, i);
    t->rig->window_len = 16;
    scan_luns(t);
    assert_int_equal(t->entry_cnt, 100);
    assert_int_equal(t->in_flight_max, 16);
}

static void luns_that_answer_last_first_are_told_in_the_targets_order(void **state)
{
    struct fake_target *t = *state;
    struct rig *r = t->rig;

    for (uint32_t i = 0; i < 20; i++)
        fake_add_disk(t, i);
    r->target = NULL;
    assert_int_equal(iskra_scan_luns(&r->host, entry, luns_done, t, &t->scan, NULL), 0);
    while (t->done_cnt == 0) {
        unsigned last = r->sent_cnt;
        while (last > 0 && r->sent[last - 1].cmnd == NULL)
            last--;
        assert_true(last > 0);
        struct iskra_cmnd *cmnd = r->sent[last - 1].cmnd;
        r->sent[last - 1].cmnd = NULL;
        r->session.scsi_cnt--;
        cmnd->task = NULL;
        cmnd->result = 0;
        fake_answer(r, cmnd);
        cmnd->scsi_done(cmnd);
        rig_work(r);
    }
    assert_int_equal(t->entry_cnt, 20);
    for (uint32_t i = 0; i < 20; i++) {
        uint32_t number;
        assert_int_equal(iskra_lun_decode(t->entries[i], &number), 0);
        assert_int_equal(number, i);
    }
    assert_int_equal(t->in_flight_max, 20);
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

    fake_add_disk(t, 0);
    fake_add_disk(t, 1);
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

    fake_add_disk(t, 0);
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

    fake_add_disk(t, 0);
    t->lie = list_is_garbage;
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_entries(t, (const uint32_t[]){0}, 1);
}

static void a_listed_lun_that_is_not_there_is_left_out(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    fake_add_disk(t, 1)->inquiry.qualifier = ISKRA_PQ_ABSENT;
    fake_add_disk(t, 2);
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_entries(t, (const uint32_t[]){0, 2}, 2);
}

static void a_disk_with_a_senseless_capacity_is_listed_without_one(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0)->capacity.block_len = 520;
    scan_luns(t);
    assert_int_equal(t->status, 0);
    assert_int_equal(t->entry_cnt, 1);
    assert_false(t->entry_known[0]);
}

static void the_callers_return_value_ends_the_list(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    fake_add_disk(t, 1);
    t->entry_rc = 42;
    scan_luns(t);
    assert_int_equal(t->entry_cnt, 1);
    assert_int_equal(t->status, 42);
}

static void a_session_lost_at_any_command_ends_the_list(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    fake_add_disk(t, 1);
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

    fake_add_disk(t, 0);
    t->rig->target = NULL;
    assert_int_equal(iskra_scan_luns(&t->rig->host, entry, luns_done, t, &t->scan, NULL), 0);
    iskra_scan_cancel(t->scan);
    t->rig->target = fake_answer;
    rig_work(t->rig);
    assert_int_equal(t->done_cnt, 1);
    assert_int_equal(t->status, -ECANCELED);
    assert_int_equal(t->entry_cnt, 0);
}

static void every_failed_allocation_of_a_list_is_survived(void **state)
{
    struct fake_target *t = *state;
    struct iskra_error err;

    fake_add_disk(t, 0);
    fake_add_disk(t, 1);
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

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_list_names_each_lun_in_the_targets_order),
        T(an_absent_lun_0_is_tolerated),
        T(three_hundred_luns_need_flat_addressing_and_work),
        T(without_any_list_luns_are_tried_one_by_one),
        T(one_by_one_goes_past_an_absent_lun_0),
        T(one_by_one_ends_at_lun_255_and_with_scsi_2_at_lun_7),
        T(a_list_longer_than_the_first_buffer_is_asked_for_again),
        T(thousands_of_luns_are_looked_at_side_by_side_each_with_as_many_commands),
        T(a_small_window_bounds_how_many_luns_are_looked_at),
        T(luns_that_answer_last_first_are_told_in_the_targets_order),
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
