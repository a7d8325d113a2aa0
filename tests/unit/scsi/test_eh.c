/* The error handler: the asynchronous abort, each rung of the ladder, and what comes back late,
 * is cancelled, or goes away at each of them. */
#include <errno.h>

#include "scsi/eh_steps.h"
#include "unit/scsi/eh_test_rig.h"

/* ---- the asynchronous abort ---- */

static void an_expired_command_is_aborted_after_ten_ms_and_sent_again(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    r->eh.answer[RIG_ABORT] = RIG_EH_GOOD;
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 130 * RIG_S + 10 * RIG_MS - 1);
    assert_int_equal(r->eh.cnt[RIG_ABORT], 0);
    rig_advance_to(r, 130 * RIG_S + 10 * RIG_MS);
    assert_int_equal(r->eh.cnt[RIG_ABORT], 1);
    assert_int_equal(r->host.state, ISKRA_SHOST_RUNNING);
    rig_advance_to(r, 131 * RIG_S);
    assert_int_equal(r->sent_cnt, 2);
    assert_int_equal(io->sreq.retries, 1);
    assert_true(rig_noted(r, "LUN 0: READ(10) lba 0, 1 block, tag 0x00000012: no answer in 30.0 s; "
                             "ABORT TASK is sent"));
    rig_answer_good(r, 1);
    assert_good(io);
}

static void a_second_timeout_of_the_same_command_goes_up_the_ladder(void **state)
{
    struct rig *r = *state;

    r->eh.answer[RIG_ABORT] = RIG_EH_GOOD;
    r->eh.answer[RIG_LUN_RESET] = RIG_EH_SILENT;
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_read(r, 0, 0, 1);
    rig_advance_to(r, 170 * RIG_S);
    assert_int_equal(r->eh.cnt[RIG_ABORT], 1);
    assert_int_equal(r->eh.cnt[RIG_LUN_RESET], 1);
    assert_int_equal(r->host.state, ISKRA_SHOST_RECOVERY);
}

static void a_raw_command_that_was_aborted_ends_as_timed_out(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_tur(r, 0);

    r->eh.answer[RIG_ABORT] = RIG_EH_GOOD;
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 131 * RIG_S);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_TIMEOUT_SCSI);
    assert_int_equal(r->sent_cnt, 1);
}

static void a_command_without_retries_left_ends_after_its_abort(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    io->sreq.allowed = 0;
    r->eh.answer[RIG_ABORT] = RIG_EH_GOOD;
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 131 * RIG_S);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_TIMEOUT_SCSI);
}

static void commands_that_expire_together_are_aborted_one_after_the_other(void **state)
{
    struct rig *r = *state;

    for (unsigned i = 0; i < 3; i++)
        rig_read(r, i, i, 1);
    r->eh.answer[RIG_ABORT] = RIG_EH_SILENT;
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 131 * RIG_S);
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(r->eh.cnt[RIG_ABORT], i + 1);
        assert_int_equal(status_of(r).rung, ISKRA_EH_RUNG_ABORT);
        assert_int_equal(status_of(r).cmnd_cnt, 3 - i);
        rig_eh_tell(r, RIG_ABORT, ISKRA_EH_SUCCESS);
        rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    }
    assert_int_equal(r->sent_cnt, 6);
    assert_int_equal(status_of(r).rung, ISKRA_EH_RUNG_NONE);
}

static void an_aborted_command_on_loan_is_sent_again_when_the_loan_ends(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    r->eh.answer[RIG_ABORT] = RIG_EH_GOOD;
    r->eh.loan = true;
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 131 * RIG_S);
    assert_int_equal(r->sent_cnt, 1);
    assert_int_equal(status_of(r).cmnd_cnt, 1);
    rig_return_loan(r);
    rig_advance_to(r, 132 * RIG_S);
    assert_int_equal(r->sent_cnt, 2);
    rig_answer_good(r, 1);
    assert_good(io);
}

static void an_answer_overtakes_the_abort_that_is_out(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_tur(r, 0), *second = rig_read(r, 1, 0, 1);

    r->eh.answer[RIG_ABORT] = RIG_EH_SILENT;
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 131 * RIG_S);
    rig_answer_good(r, 0);
    assert_good(io);
    rig_advance_to(r, 132 * RIG_S);
    assert_int_equal(r->eh.cnt[RIG_ABORT], 2); /* the next one's turn */
    rig_answer_good(r, 1);
    assert_good(second);
}

/* ---- the ladder ---- */

static void the_ladder_waits_for_all_commands_of_the_host(void **state)
{
    struct rig *r = *state;
    struct rig_io *stuck = rig_read(r, 0, 0, 1);

    rig_advance_to(r, 120 * RIG_S);
    struct rig_io *other = rig_read(r, 1, 1, 1);
    r->verdict = ISKRA_EH_NOT_HANDLED;
    r->eh.answer[RIG_LUN_RESET] = RIG_EH_GOOD;
    rig_advance_to(r, 131 * RIG_S);
    assert_int_equal(status_of(r).rung, ISKRA_EH_RUNG_WAIT);
    assert_int_equal(status_of(r).wait_cnt, 1);
    assert_int_equal(r->eh.cnt[RIG_LUN_RESET], 0);
    rig_answer_good(r, 1);
    assert_good(other);
    assert_int_equal(r->eh.cnt[RIG_LUN_RESET], 1);
    answer_tur(r, true);
    send_again(r, stuck);
}

static void an_answer_before_the_climb_leaves_a_running_host(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    for (unsigned i = 0; i < 2000 && !io->sreq.in_eh; i++)
        rig_advance_to(r, r->round.now_ns + RIG_S / 10);
    assert_true(io->sreq.in_eh);
    iskra_eh_fail(r->host.eh, &io->sreq);
    assert_int_equal(r->host.state, ISKRA_SHOST_RECOVERY);
    rig_answer_good(r, 0);
    assert_good(io);
    assert_int_equal(r->eh.cnt[RIG_LUN_RESET], 0);
    assert_int_equal(r->host.state, ISKRA_SHOST_RUNNING);
}

static void each_rung_is_climbed_when_the_one_before_failed(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    silent_all(r);
    begin_ladder(r);
    assert_int_equal(status_of(r).rung, ISKRA_EH_RUNG_LUN_RESET);
    rig_eh_tell(r, RIG_LUN_RESET, ISKRA_EH_FAILED);
    assert_int_equal(status_of(r).rung, ISKRA_EH_RUNG_TARGET_RESET);
    rig_eh_tell(r, RIG_TARGET_RESET, ISKRA_EH_FAILED);
    assert_int_equal(status_of(r).rung, ISKRA_EH_RUNG_SESSION_RESET);
    give_back_disrupted(r);
    rig_eh_tell(r, RIG_SESSION_RESET, ISKRA_EH_SUCCESS);
    assert_true(status_of(r).testing);
    answer_tur(r, true);
    send_again(r, io);
}

static void a_device_that_is_not_ready_after_its_reset_climbs_on(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    r->eh.answer[RIG_LUN_RESET] = RIG_EH_GOOD;
    r->eh.answer[RIG_TARGET_RESET] = RIG_EH_GOOD;
    begin_ladder(r);
    assert_true(r->sdev->expecting_ua);
    answer_tur(r, false);
    assert_int_equal(r->eh.cnt[RIG_TARGET_RESET], 1);
    answer_tur(r, false);
    assert_int_equal(r->eh.cnt[RIG_SESSION_RESET], 1);
    rig_eh_tell(r, RIG_SESSION_RESET, ISKRA_EH_SUCCESS);
    answer_tur(r, false);
    assert_int_equal(r->sdev->state, ISKRA_SDEV_OFFLINE);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -ETIMEDOUT);
    assert_int_equal(r->host.state, ISKRA_SHOST_RUNNING);
    assert_true(rig_noted(r, "LUN 0: no reset has made it answer: the device is offline until "
                             "a new login"));
}

static void a_unit_attention_after_our_reset_is_no_reason_to_climb_on(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    r->eh.answer[RIG_LUN_RESET] = RIG_EH_GOOD;
    begin_ladder(r);
    rig_answer_sense(r, r->sent_cnt - 1, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x03);
    assert_false(r->sdev->expecting_ua);
    assert_int_equal(r->ua_cnt, 1);
    answer_tur(r, true);
    send_again(r, io);
    assert_int_equal(r->eh.cnt[RIG_TARGET_RESET], 0);
}

static void a_test_that_is_not_answered_is_aborted_and_counts_as_not_ready(void **state)
{
    struct rig *r = *state;

    to_the_ladder(r);
    r->eh.answer[RIG_LUN_RESET] = RIG_EH_GOOD;
    r->eh.answer[RIG_TARGET_RESET] = RIG_EH_SILENT;
    begin_ladder(r);
    r->eh.answer[RIG_ABORT] = RIG_EH_GOOD;
    unsigned abort_cnt = r->eh.cnt[RIG_ABORT];
    rig_advance_to(r, r->round.now_ns + 9 * RIG_S);
    assert_int_equal(r->eh.cnt[RIG_ABORT], abort_cnt);
    rig_advance_to(r, r->round.now_ns + 2 * RIG_S);
    assert_int_equal(r->eh.cnt[RIG_ABORT], abort_cnt + 1);
    assert_int_equal(r->eh.cnt[RIG_TARGET_RESET], 1);
}

static void two_devices_are_reset_one_after_the_other(void **state)
{
    struct rig *r = *state;
    struct rig_io *a = to_the_ladder(r);
    struct iskra_sdev *first = r->sdev;

    r->sdev = rig_disk(r, UINT64_C(1) << 48);
    struct rig_io *b = rig_read(r, 1, 5, 1);
    r->sdev = first;
    r->eh.answer[RIG_LUN_RESET] = RIG_EH_GOOD;
    begin_ladder(r);
    assert_int_equal(r->eh.cnt[RIG_LUN_RESET], 1);
    answer_tur(r, true);
    assert_int_equal(r->eh.cnt[RIG_LUN_RESET], 2);
    assert_int_equal(r->eh.lun, UINT64_C(1) << 48);
    assert_int_equal(r->host.state, ISKRA_SHOST_RECOVERY);
    answer_tur(r, true);
    assert_int_equal(r->host.state, ISKRA_SHOST_RUNNING);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    rig_answer_good(r, r->sent_cnt - 2);
    rig_answer_good(r, r->sent_cnt - 1);
    assert_good(a);
    assert_good(b);
}

static void a_session_that_is_lost_for_good_leaves_devices_transport_offline(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    begin_ladder(r);
    assert_int_equal(status_of(r).rung, ISKRA_EH_RUNG_SESSION_RESET);
    give_back_disrupted(r);
    rig_eh_tell(r, RIG_SESSION_RESET, ISKRA_EH_FAILED);
    assert_int_equal(r->sdev->state, ISKRA_SDEV_TRANSPORT_OFFLINE);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(r->host.state, ISKRA_SHOST_RUNNING);
}

static void a_session_that_falls_again_under_the_test_is_waited_for_again(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    begin_ladder(r);
    give_back_disrupted(r);
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(r->eh.cnt[RIG_SESSION_RESET], i + 1);
        assert_int_equal(io->done_cnt, 0);
        rig_eh_tell(r, RIG_SESSION_RESET, ISKRA_EH_SUCCESS);
        r->session.state = ISKRA_SESSION_IN_RECOVERY;
        rig_answer(r, r->sent_cnt - 1, ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0), 0);
    }
    /* Enough: the command waits with all others for the session, and the device is what it was. */
    assert_int_equal(r->eh.cnt[RIG_SESSION_RESET], 5);
    assert_int_equal(r->sdev->state, ISKRA_SDEV_RUNNING);
    assert_int_equal(r->host.state, ISKRA_SHOST_RUNNING);
    assert_int_equal(io->sreq.rq.owner, ISKRA_OWNER_QUEUE);
}

static void a_device_that_is_ready_but_does_no_io_is_offline_the_second_time(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    r->eh.answer[RIG_LUN_RESET] = RIG_EH_GOOD;
    for (unsigned i = 0; i < 2; i++) {
        begin_ladder(r);
        assert_int_equal(io->done_cnt, 0);
        answer_tur(r, true);
        rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    }
    assert_int_equal(r->sdev->state, ISKRA_SDEV_OFFLINE);
    assert_int_equal(io->done_cnt, 1);
    assert_true(rig_noted(r, "LUN 0: it is ready, but does no I/O: the device is offline until "
                             "a new login"));
}

static void a_device_that_was_given_up_works_again_after_the_next_login(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    r->eh.answer[RIG_SESSION_RESET] = RIG_EH_GOOD;
    begin_ladder(r);
    answer_tur(r, false);
    assert_int_equal(r->sdev->state, ISKRA_SDEV_OFFLINE);
    assert_int_equal(io->done_cnt, 1);
    io = rig_read(r, 1, 0, 1);
    rig_work(r);
    assert_int_equal(io->error.code, ISKRA_E_OFFLINE);
    assert_string_equal(io->error.text, "READ lba 0, 1 block: the device is offline: no reset has "
                                        "made it answer");
    iskra_shost_class_ops.block(&r->host);
    iskra_shost_class_ops.unblock(&r->host);
    assert_int_equal(r->sdev->state, ISKRA_SDEV_RUNNING);
    io = rig_read(r, 2, 0, 1);
    rig_work(r);
    rig_answer_good(r, r->sent_cnt - 1);
    assert_good(io);
}

static void io_that_works_forgives_the_first_climb(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    r->eh.answer[RIG_LUN_RESET] = RIG_EH_GOOD;
    begin_ladder(r);
    answer_tur(r, true);
    assert_int_equal(r->sdev->medium_timeout_cnt, 1);
    send_again(r, io);
    assert_int_equal(r->sdev->medium_timeout_cnt, 0);
}

static void past_the_deadline_only_the_session_is_reset(void **state)
{
    struct rig *r = *state;

    to_the_ladder(r);
    r->host.eh_deadline_ns = 0;
    begin_ladder(r);
    assert_int_equal(r->eh.cnt[RIG_ABORT] + r->eh.cnt[RIG_LUN_RESET] + r->eh.cnt[RIG_TARGET_RESET],
                     0);
    assert_int_equal(r->eh.cnt[RIG_SESSION_RESET], 1);
}

static void the_deadline_begins_anew_with_the_next_error(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    r->host.eh_deadline_ns = 60 * (int64_t)RIG_S;
    r->eh.answer[RIG_LUN_RESET] = RIG_EH_GOOD;
    begin_ladder(r);
    assert_int_not_equal(r->host.last_reset_ns, 0);
    answer_tur(r, true);
    assert_int_equal(r->host.last_reset_ns, 0);
    send_again(r, io);
}

/* Commands that only take long, once in a while, are nobody's error. */
static void a_timeout_that_is_excused_does_not_start_the_deadline(void **state)
{
    struct rig *r = *state;

    r->host.eh_deadline_ns = 60 * (int64_t)RIG_S;
    rig_read(r, 0, 0, 1);
    r->verdict = ISKRA_EH_RESET_TIMER;
    rig_advance_to(r, r->round.now_ns + 40 * RIG_S);
    assert_int_equal(r->judged_cnt, 1);
    rig_answer_good(r, 0);
    rig_advance_to(r, r->round.now_ns + 3600 * RIG_S);
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_read(r, 1, 0, 1);
    rig_advance_to(r, r->round.now_ns + 31 * RIG_S);
    assert_int_equal(r->eh.cnt[RIG_ABORT], 1);
}

static void without_a_login_nothing_but_the_next_one_is_waited_for(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);

    r->eh.answer[RIG_ABORT] = RIG_EH_SILENT;
    rig_advance_to(r, r->round.now_ns + 31 * RIG_S);
    r->session.state = ISKRA_SESSION_IN_RECOVERY;
    give_back_disrupted(r);
    rig_eh_tell(r, RIG_ABORT, ISKRA_EH_FAILED);
    assert_int_equal(r->eh.cnt[RIG_LUN_RESET] + r->eh.cnt[RIG_TARGET_RESET], 0);
    assert_int_equal(r->eh.cnt[RIG_SESSION_RESET], 1);
    assert_true(rig_noted(r, "LUN 0: READ(10) lba 0, 1 block: not aborted: the rig said so"));
    assert_true(rig_noted(r, "1 command left; the new login is waited for"));
    rig_eh_tell(r, RIG_SESSION_RESET, ISKRA_EH_SUCCESS);
    answer_tur(r, true);
    assert_true(rig_noted(r, "error handling is over after 0.0 s: 1 sent again, 0 ended"));
    send_again(r, io);
}

/* Whoever is told of it first: it must not be forgotten. */
static void a_lost_write_that_the_test_is_told_of_fails_the_next_flush(void **state)
{
    static const struct iskra_sense lost = {
        .valid = true, .deferred = true, .key = ISKRA_SENSE_MEDIUM_ERROR, .asc = 0x0c};
    struct rig *r = *state;
    struct rig_io *io = to_the_ladder(r);
    struct iskra_sdev *other = rig_disk(r, r->sdev->lun), *third = rig_disk(r, UINT64_C(1) << 48);

    r->eh.answer[RIG_LUN_RESET] = RIG_EH_GOOD;
    begin_ladder(r);
    rig_set_sense(r->sent[r->sent_cnt - 1].cmnd, &lost);
    rig_answer(r, r->sent_cnt - 1, r->sent[r->sent_cnt - 1].cmnd->result, 0);
    answer_tur(r, true); /* it is asked once more */
    send_again(r, io);
    assert_true(r->sdev->lost_write.valid && other->lost_write.valid);
    assert_false(third->lost_write.valid);
    io = rig_io(r, 1);
    assert_int_equal(iskra_scsi_submit_flush(&io->sreq), 0);
    rig_answer_good(r, r->sent_cnt - 1);
    assert_int_equal(io->sreq.status, -EIO);
    assert_non_null(strstr(io->error.text, "an earlier write was lost"));
    assert_false(r->sdev->lost_write.valid);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_expired_command_is_aborted_after_ten_ms_and_sent_again),
        T(a_second_timeout_of_the_same_command_goes_up_the_ladder),
        T(a_raw_command_that_was_aborted_ends_as_timed_out),
        T(a_command_without_retries_left_ends_after_its_abort),
        T(commands_that_expire_together_are_aborted_one_after_the_other),
        T(an_aborted_command_on_loan_is_sent_again_when_the_loan_ends),
        T(an_answer_overtakes_the_abort_that_is_out),
        T(the_ladder_waits_for_all_commands_of_the_host),
        T(an_answer_before_the_climb_leaves_a_running_host),
        T(each_rung_is_climbed_when_the_one_before_failed),
        T(a_device_that_is_not_ready_after_its_reset_climbs_on),
        T(a_unit_attention_after_our_reset_is_no_reason_to_climb_on),
        T(a_test_that_is_not_answered_is_aborted_and_counts_as_not_ready),
        T(two_devices_are_reset_one_after_the_other),
        T(a_session_that_is_lost_for_good_leaves_devices_transport_offline),
        T(a_session_that_falls_again_under_the_test_is_waited_for_again),
        T(a_device_that_is_ready_but_does_no_io_is_offline_the_second_time),
        T(a_device_that_was_given_up_works_again_after_the_next_login),
        T(io_that_works_forgives_the_first_climb),
        T(past_the_deadline_only_the_session_is_reset),
        T(the_deadline_begins_anew_with_the_next_error),
        T(a_timeout_that_is_excused_does_not_start_the_deadline),
        T(without_a_login_nothing_but_the_next_one_is_waited_for),
        T(a_lost_write_that_the_test_is_told_of_fails_the_next_flush),
    };
    return cmocka_run_group_tests_name("scsi eh", tests, NULL, NULL);
}
