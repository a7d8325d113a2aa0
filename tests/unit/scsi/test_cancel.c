/* Cancelling and detaching requests, wherever they are: done() once, or never, and what was counted
 * is counted back. */
#include "unit/scsi/scsi_rig.h"

#include <errno.h>

#include "scsi/scan.h"

#define ABORTED ISKRA_RESULT(ISKRA_DID_ABORT, 0)

static void assert_canceled(const struct rig_io *io)
{
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -ECANCELED);
    assert_int_equal(io->error.code, ISKRA_E_CANCELED);
}

static void assert_nothing_is_out(const struct rig *r)
{
    assert_int_equal(r->sdev->device_busy, 0);
    assert_int_equal(r->host.host_busy, 0);
    assert_int_equal(r->host.target_busy, 0);
}

static void a_queued_request_is_cancelled_at_once_but_not_from_inside(void **state)
{
    struct rig *r = *state;

    r->sdev->queue_depth = 1;
    struct rig_io *out = rig_read(r, 0, 0, 1), *queued = rig_read(r, 1, 1, 1);
    assert_int_equal(iskra_scsi_cancel(&queued->sreq), 0);
    assert_int_equal(queued->done_cnt, 0);
    assert_int_equal(iskra_scsi_cancel(&queued->sreq), -EALREADY);
    rig_work(r);
    assert_canceled(queued);
    assert_int_equal(iskra_scsi_cancel(&queued->sreq), -EALREADY);
    assert_int_equal(r->abort_cnt, 0); /* the target never saw it */
    rig_answer_good(r, 0);
    assert_int_equal(out->sreq.status, 0);
    assert_nothing_is_out(r);
}

static void a_sent_request_is_cancelled_when_the_target_has_said_so(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    assert_int_equal(iskra_scsi_cancel(&io->sreq), 0);
    assert_int_equal(r->abort_cnt, 1);
    rig_work(r);
    assert_int_equal(io->done_cnt, 0);
    rig_answer(r, 0, ABORTED, 512);
    assert_canceled(io);
    assert_string_equal(io->error.text, "READ(10) lba 0, 1 block: cancelled");
    assert_int_equal(r->sent_cnt, 1);
    assert_nothing_is_out(r);
}

static void a_status_that_comes_first_wins(void **state)
{
    struct rig *r = *state;
    struct rig_io *good = rig_read(r, 0, 0, 1), *bad = rig_read(r, 1, 1, 1);

    assert_int_equal(iskra_scsi_cancel(&good->sreq), 0);
    assert_int_equal(iskra_scsi_cancel(&bad->sreq), 0);
    rig_answer_good(r, 0);
    assert_int_equal(good->sreq.status, 0);
    rig_answer_sense(r, 1, ISKRA_SENSE_MEDIUM_ERROR, 0x11, 0);
    assert_int_equal(bad->sreq.status, -EIO);
    assert_int_equal(bad->error.code, ISKRA_E_SCSI);
}

static void a_status_that_tells_of_the_abort_is_no_other_failure(void **state)
{
    struct rig *r = *state;
    struct rig_io *read = rig_read(r, 0, 0, 1), *raw = rig_tur(r, 1);

    assert_int_equal(iskra_scsi_cancel(&read->sreq), 0);
    assert_int_equal(iskra_scsi_cancel(&raw->sreq), 0);
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_TASK_ABORTED), 512);
    rig_answer(r, 1, ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_TASK_ABORTED), 0);
    assert_canceled(read);
    assert_canceled(raw);
}

static void a_lost_session_cancels_what_was_to_be_cancelled(void **state)
{
    struct rig *r = *state;
    struct rig_io *read = rig_read(r, 0, 0, 1), *raw = rig_tur(r, 1);

    assert_int_equal(iskra_scsi_cancel(&read->sreq), 0);
    assert_int_equal(iskra_scsi_cancel(&raw->sreq), 0);
    rig_session_lost(r, "closed by the target");
    rig_fail_tasks(r);
    assert_canceled(read);
    assert_canceled(raw);
}

static void a_cancelled_request_is_not_tried_again(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    assert_int_equal(iskra_scsi_cancel(&io->sreq), 0);
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_BUSY), 512);
    assert_int_equal(r->sent_cnt, 1);
    assert_canceled(io);
}

static void a_cancelled_transfer_of_several_commands_ends_after_the_one_that_is_out(void **state)
{
    struct rig *r = *state;

    r->sdev->max_transfer_len = 4096;
    struct rig_io *io = rig_read(r, 0, 0, 24);
    assert_int_equal(iskra_scsi_cancel(&io->sreq), 0);
    rig_answer_good(r, 0);
    assert_int_equal(r->sent_cnt, 1);
    assert_canceled(io);
}

static void one_that_nobody_aborts_has_its_timeout(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    assert_int_equal(iskra_scsi_cancel(&io->sreq), 0);
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, r->round.now_ns + 32 * RIG_S);
    assert_int_equal(r->fail_session_cnt, 1);
    rig_fail_tasks(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -ETIMEDOUT);
}

static void cancel_next(struct rig_io *io)
{
    assert_int_equal(iskra_scsi_cancel(&io->sreq), -EALREADY); /* this one is over */
    assert_int_equal(iskra_scsi_cancel(&(io + 1)->sreq), 0);
}

static void a_request_may_be_cancelled_from_another_one_s_done(void **state)
{
    struct rig *r = *state;
    struct rig_io *first = rig_read(r, 0, 0, 1), *second = rig_read(r, 1, 1, 1);

    first->on_done = cancel_next;
    rig_answer_good(r, 0);
    assert_int_equal(r->abort_cnt, 1);
    rig_answer(r, 1, ABORTED, 512);
    assert_canceled(second);
}

/* ---- detach ---- */

/* Everything that the caller could free is not its own any more. */
static void detach(struct rig_io *io)
{
    assert_int_equal(iskra_scsi_detach(&io->sreq), 0);
    assert_int_equal(iskra_scsi_detach(&io->sreq), -EALREADY);
    assert_int_equal(iskra_scsi_cancel(&io->sreq), -EALREADY);
    memset(io, 0xee, sizeof(*io));
}

static void a_detached_request_that_was_queued_leaves_no_trace(void **state)
{
    struct rig *r = *state;

    r->sdev->queue_depth = 1;
    struct rig_io *out = rig_read(r, 0, 0, 1), *queued = rig_read(r, 1, 1, 1);
    struct rig_io *last = rig_read(r, 2, 2, 1);
    detach(queued);
    rig_work(r);
    rig_answer_good(r, 0);
    assert_int_equal(out->done_cnt, 1);
    assert_int_equal(r->sent_cnt, 2);
    assert_int_equal(r->sent[1].cdb.lba, 2);
    rig_answer_good(r, 1);
    assert_int_equal(last->done_cnt, 1);
    assert_int_equal(r->abort_cnt, 0);
    assert_nothing_is_out(r);
}

static void a_detached_request_that_was_sent_counts_until_its_end(void **state)
{
    static const uint32_t results[] = {
        ABORTED,
        0,
        ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_BUSY),
        ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_CHECK_CONDITION),
        ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0),
        ISKRA_RESULT(ISKRA_DID_SOFT_ERROR, 0),
        ISKRA_RESULT(ISKRA_DID_BAD_TARGET, 0),
    };
    struct rig *r = *state;

    for (unsigned i = 0; i < sizeof(results) / sizeof(results[0]); i++) {
        unsigned live_cnt = r->memory.live_cnt;
        struct rig_io *io = rig_read(r, 0, i, 1);
        detach(io);
        rig_work(r);
        assert_int_equal(r->abort_cnt, i + 1);
        assert_int_equal(r->sdev->device_busy, 1);
        rig_answer(r, i, results[i], 512);
        assert_int_equal(r->sent_cnt, i + 1); /* not tried again */
        assert_nothing_is_out(r);
        assert_int_equal(r->memory.live_cnt, live_cnt);
    }
}

static void a_request_of_each_kind_is_detached(void **state)
{
    struct rig *r = *state;
    struct iskra_extent extents[2];

    r->sdev->write_cache = true;
    r->sdev->space.lba_status = true;
    r->sdev->space.unmap = ISKRA_UNMAP_LIST;
    r->sdev->space.max_compare_len = 4096;
    for (unsigned i = 0; i < 6; i++) {
        struct rig_io *io = rig_io(r, 0);
        int rc = -1;
        io->iov = (struct iovec){.iov_base = r->data, .iov_len = 4096};
        switch (i) {
        case 0:
            rc = iskra_scsi_submit_write(&io->sreq, &io->iov, 1, 0, 512, true);
            break;
        case 1:
            rc = iskra_scsi_submit_flush(&io->sreq);
            break;
        case 2:
            rc = iskra_scsi_submit_unmap(&io->sreq, 0, 512);
            break;
        case 3:
            rc = iskra_scsi_submit_write_zeroes(&io->sreq, 0, 512, false, false);
            break;
        case 4:
            rc = iskra_scsi_submit_compare_and_write(&io->sreq, &io->iov, 1, 0, 512);
            break;
        default:
            rc = iskra_scsi_submit_block_status(&io->sreq, extents, 2, 0, 512);
            break;
        }
        assert_int_equal(rc, 0);
        assert_int_equal(r->sent_cnt, i + 1);
        detach(io);
        rig_answer(r, i, i % 2 == 0 ? 0 : ISKRA_RESULT(ISKRA_DID_ERROR, 0), 0);
        assert_int_equal(r->sent_cnt, i + 1);
        assert_nothing_is_out(r);
    }
}

static void a_request_whose_end_is_due_is_detached_without_it(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);
    struct iskra_cmnd *cmnd = r->sent[0].cmnd;

    r->sent[0].cmnd = NULL;
    cmnd->result = 0;
    cmnd->scsi_done(cmnd);
    detach(io);
    rig_work(r);
    assert_nothing_is_out(r);
}

static void a_detached_request_that_times_out_takes_its_session_with_it(void **state)
{
    struct rig *r = *state;

    detach(rig_read(r, 0, 0, 1));
    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, r->round.now_ns + 32 * RIG_S);
    assert_int_equal(r->fail_session_cnt, 1);
    assert_string_equal(r->fail_session_text, "READ(10) lba 0, 1 block timed out after 30.0 s");
    rig_fail_tasks(r);
    assert_nothing_is_out(r);
}

static void a_request_of_the_error_handler_s_is_detached(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, r->round.now_ns + 32 * RIG_S);
    assert_int_equal(io->sreq.rq.owner, ISKRA_OWNER_EH);
    detach(io);
    rig_fail_tasks(r);
    assert_int_equal(rig_eh_cnt(r), 0);
    assert_nothing_is_out(r);
}

static void without_memory_nothing_is_detached(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    r->memory.fail_at = r->memory.call_cnt + 1;
    assert_int_equal(iskra_scsi_detach(&io->sreq), -ENOMEM);
    r->memory.fail_at = 0;
    assert_int_equal(r->abort_cnt, 0);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void memory_that_a_driver_receives_into_is_not_taken_away(void **state)
{
    struct rig *r = *state;

    r->sdev->queue_depth = 1;
    struct rig_io *io = rig_read(r, 0, 0, 1), *queued = rig_read(r, 1, 1, 1);
    r->keeps_memory = true;
    assert_int_equal(iskra_scsi_detach(&io->sreq), -EBUSY);
    assert_int_equal(r->abort_cnt, 0);
    detach(queued); /* nobody receives into this one */
    r->keeps_memory = false;
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_nothing_is_out(r);
}

static void a_removed_device_waits_for_a_detached_request(void **state)
{
    struct rig *r = *state;

    detach(rig_read(r, 0, 0, 1));
    iskra_sdev_remove(r->sdev, NULL, NULL);
    rig_work(r);
    assert_false(iskra_list_empty(&r->host.devices));
    rig_answer(r, 0, ABORTED, 512);
    assert_true(iskra_list_empty(&r->host.devices));
}

static void detach_next(struct rig_io *io)
{
    assert_int_equal(iskra_scsi_detach(&io->sreq), -EALREADY); /* its done() runs */
    detach(io + 1);
}

static void a_request_may_be_detached_from_another_one_s_done(void **state)
{
    struct rig *r = *state;
    struct rig_io *first = rig_read(r, 0, 0, 1);

    (void)rig_read(r, 1, 1, 1);
    first->on_done = detach_next;
    struct iskra_cmnd *cmnds[] = {r->sent[0].cmnd, r->sent[1].cmnd};
    for (int i = 0; i < 2; i++) { /* both are due when the first one's runs */
        r->sent[i].cmnd = NULL;
        cmnds[i]->result = 0;
        cmnds[i]->task = NULL;
        cmnds[i]->scsi_done(cmnds[i]);
    }
    rig_work(r);
    assert_nothing_is_out(r);
}

/* ---- removal, as far as it cancels ---- */

static void a_removed_device_waits_a_while_then_cancels_what_is_out(void **state)
{
    struct rig *r = *state;
    struct rig_io *slow = rig_read(r, 0, 0, 1), *other = rig_read(r, 1, 1, 1);

    slow->sreq.rq.timeout_ns = 0;
    iskra_sdev_remove(r->sdev, NULL, NULL);
    rig_advance_to(r, r->round.now_ns + ISKRA_SDEV_REMOVE_WAIT_NS - 1);
    assert_int_equal(r->abort_cnt, 0);
    rig_answer_good(r, 1); /* it was in time */
    rig_advance_to(r, r->round.now_ns + 1);
    assert_int_equal(r->abort_cnt, 1);
    assert_int_equal(other->sreq.status, 0);
    rig_answer(r, 0, ABORTED, 512);
    assert_canceled(slow);
    assert_true(iskra_list_empty(&r->host.devices));
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_queued_request_is_cancelled_at_once_but_not_from_inside),
        T(a_sent_request_is_cancelled_when_the_target_has_said_so),
        T(a_status_that_comes_first_wins),
        T(a_status_that_tells_of_the_abort_is_no_other_failure),
        T(a_lost_session_cancels_what_was_to_be_cancelled),
        T(a_cancelled_request_is_not_tried_again),
        T(a_cancelled_transfer_of_several_commands_ends_after_the_one_that_is_out),
        T(one_that_nobody_aborts_has_its_timeout),
        T(a_request_may_be_cancelled_from_another_one_s_done),
        T(a_detached_request_that_was_queued_leaves_no_trace),
        T(a_detached_request_that_was_sent_counts_until_its_end),
        T(a_request_of_each_kind_is_detached),
        T(a_request_whose_end_is_due_is_detached_without_it),
        T(a_detached_request_that_times_out_takes_its_session_with_it),
        T(a_request_of_the_error_handler_s_is_detached),
        T(without_memory_nothing_is_detached),
        T(memory_that_a_driver_receives_into_is_not_taken_away),
        T(a_removed_device_waits_for_a_detached_request),
        T(a_request_may_be_detached_from_another_one_s_done),
        T(a_removed_device_waits_a_while_then_cancels_what_is_out),
    };
    return cmocka_run_group_tests_name("scsi cancel", tests, NULL, NULL);
}
