/* Commands that are not answered in time: verdicts, races with completions, and the end of the
 * session. */
#include <errno.h>

#include "unit/scsi/scsi_rig.h"

static void an_expired_request_fails_once_when_its_session_has_given_it_back(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, UINT64_C(8589934588), 2), *other = rig_read(r, 1, 0, 1);

    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 130 * RIG_S - 1);
    assert_int_equal(r->judged_cnt, 0);
    rig_advance_to(r, 130 * RIG_S);
    assert_int_equal(r->judged_cnt, 2);
    assert_int_equal(r->fail_session_cnt, 0);
    rig_advance_to(r, 130 * RIG_S + 10 * RIG_MS);
    assert_int_equal(r->eh.cnt[RIG_ABORT], 2); /* neither this nor anything else helps */
    assert_int_equal(r->fail_session_cnt, 1);
    assert_string_equal(r->fail_session_text,
                        "READ(16) lba 8589934588, 2 blocks timed out after 30.0 s");
    assert_string_equal(iskra_shost_state_name(r->host.state), "RECOVERY");
    assert_int_equal(io->done_cnt, 0); /* its memory is still lent */
    iskra_shost_class_ops.transport_offline(&r->host);
    rig_fail_tasks(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -ETIMEDOUT);
    assert_int_equal(io->error.code, ISKRA_E_TIMEOUT_SCSI);
    assert_string_equal(io->error.text, "READ(16) lba 8589934588, 2 blocks timed out after 30.0 s");
    assert_int_equal(other->done_cnt, 1);
    assert_int_equal(other->error.code, ISKRA_E_TIMEOUT_SCSI);
    assert_string_equal(iskra_shost_state_name(r->host.state), "RUNNING");
    assert_int_equal(rig_eh_cnt(r), 0);
    assert_int_equal(r->host.host_busy, 0);
    rig_advance_to(r, 200 * RIG_S);
    assert_int_equal(io->done_cnt, 1);
}

static void a_device_may_go_between_expiry_and_verdict(void **state)
{
    struct rig *r = *state;
    struct iskra_sdev *first = r->sdev, *second = rig_disk(r, UINT64_C(1) << 48);

    r->sdev = second;
    struct rig_io *io = rig_read(r, 0, 0, 1);
    r->sdev = first;
    r->round.now_ns += 130 * RIG_S;
    iskra_timers_run(&r->round.timers, r->round.now_ns);
    while (io->sreq.rq.owner != ISKRA_OWNER_EH)
        (void)iskra_workq_run(&r->round.work);
    assert_int_equal(r->judged_cnt, 0);
    rig_fail_tasks(r);
    iskra_sdev_remove_now(second);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(r->host.host_busy, 0);
}

static void the_others_of_that_session_end_as_connection_errors(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    rig_advance_to(r, 110 * RIG_S);
    struct rig_io *other = rig_read(r, 1, 1, 1);
    r->verdict = ISKRA_EH_NOT_HANDLED;
    r->eh.answer[RIG_ABORT] = RIG_EH_SILENT;
    rig_advance_to(r, 131 * RIG_S);
    rig_session_lost(r, "no answer to ABORT TASK within 15 s");
    iskra_shost_class_ops.transport_offline(&r->host);
    rig_fail_tasks(r);
    assert_int_equal(io->error.code, ISKRA_E_TIMEOUT_SCSI);
    assert_int_equal(other->done_cnt, 1);
    assert_int_equal(other->error.code, ISKRA_E_CONNECTION);
    assert_int_equal(other->error.conn_error, ISKRA_CONN_TCP_CONN_CLOSE);
    assert_string_equal(other->error.text,
                        "READ(10) lba 1, 1 block: no answer to ABORT TASK within 15 s");
}

static void nothing_new_is_sent_while_the_error_handler_works(void **state)
{
    struct rig *r = *state;

    rig_read(r, 0, 0, 1);
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 130 * RIG_S + 10 * RIG_MS);
    rig_read(r, 1, 1, 1);
    rig_advance_to(r, 132 * RIG_S);
    assert_int_equal(r->sent_cnt, 1);
}

/* What is known of a command is worth more than a guess. */
static void a_late_answer_is_taken_and_needs_no_abort(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 130 * RIG_S);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    rig_advance_to(r, 200 * RIG_S);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(r->eh.cnt[RIG_ABORT], 0);
}

static void reset_timer_leaves_the_request_where_it_is(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    rig_advance_to(r, 195 * RIG_S);
    assert_int_equal(r->judged_cnt, 3);
    assert_int_equal(r->fail_session_cnt, 0);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

/* HANDLED says: its answer overtook the timer. The session still holds the command until scsi_done,
 * and only then may the caller have its memory back. */
static void a_verdict_handled_waits_for_the_session_to_let_go(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    r->verdict = ISKRA_EH_HANDLED;
    rig_advance_to(r, 130 * RIG_S);
    assert_int_equal(io->done_cnt, 0);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void a_completion_between_expiry_and_verdict_wins(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    rig_advance_to(r, 129 * RIG_S); /* past the capped first look */
    r->verdict = ISKRA_EH_NOT_HANDLED;
    r->round.now_ns = 130 * RIG_S;
    assert_int_equal(iskra_timers_run(&r->round.timers, r->round.now_ns), 1);
    rig_answer_good(r, 0); /* comes in before timeout_work runs */
    assert_int_equal(r->judged_cnt, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

/* Spec 6.4, check 5: the other order of the same race. */
static void a_completion_after_expiry_and_before_the_verdict_ends_it_once(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    rig_advance_to(r, 129 * RIG_S);
    r->round.now_ns = 130 * RIG_S;
    assert_int_equal(iskra_timers_run(&r->round.timers, r->round.now_ns), 1);
    rig_work(r);
    assert_int_equal(io->sreq.rq.owner, ISKRA_OWNER_EH);
    assert_int_equal(r->judged_cnt, 0);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 0);
    r->verdict = ISKRA_EH_HANDLED; /* it has no task any more */
    rig_advance_to(r, 131 * RIG_S);
    assert_int_equal(r->judged_cnt, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(r->host.host_busy, 0);
}

static void a_short_timeout_is_told_in_milliseconds(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);

    io->sreq.rq.timeout_ns = 50 * RIG_MS;
    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 512};
    assert_int_equal(iskra_scsi_submit_read(&io->sreq, &io->iov, 1, 0, 512), 0);
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 101 * RIG_S);
    rig_fail_tasks(r);
    assert_string_equal(io->error.text, "READ(10) lba 0, 1 block timed out after 50 ms");
}

static void what_was_tried_for_longer_than_its_timeout_says_so(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    rig_advance_to(r, 170 * RIG_S); /* two looks excuse it */
    assert_int_equal(r->judged_cnt, 2);
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 195 * RIG_S);
    rig_fail_tasks(r);
    assert_string_equal(io->error.text,
                        "READ(10) lba 0, 1 block timed out after 30.0 s, tried for 90.0 s");
}

static void the_eh_deadline_is_inert_unless_asked_for(void **state)
{
    struct rig *r = *state;

    rig_read(r, 0, 0, 1);
    rig_advance_to(r, 130 * RIG_S);
    assert_int_equal(r->host.last_reset_ns, 0);
    r->host.eh_deadline_ns = 5;
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, 160 * RIG_S);
    assert_int_equal(r->host.last_reset_ns, 160 * RIG_S);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_expired_request_fails_once_when_its_session_has_given_it_back),
        T(a_device_may_go_between_expiry_and_verdict),
        T(the_others_of_that_session_end_as_connection_errors),
        T(nothing_new_is_sent_while_the_error_handler_works),
        T(a_late_answer_is_taken_and_needs_no_abort),
        T(reset_timer_leaves_the_request_where_it_is),
        T(a_verdict_handled_waits_for_the_session_to_let_go),
        T(a_completion_between_expiry_and_verdict_wins),
        T(a_completion_after_expiry_and_before_the_verdict_ends_it_once),
        T(a_short_timeout_is_told_in_milliseconds),
        T(what_was_tried_for_longer_than_its_timeout_says_so),
        T(the_eh_deadline_is_inert_unless_asked_for),
    };
    return cmocka_run_group_tests_name("scsi timeout", tests, NULL, NULL);
}
