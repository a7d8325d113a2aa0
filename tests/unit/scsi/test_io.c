/* What becomes of a command that ended: pieces, short transfers, retries, errors and their words.
 */
#include <errno.h>

#include "unit/scsi/scsi_rig.h"

static void a_read_of_five_mib_becomes_five_commands_with_exact_lbas(void **state)
{
    struct rig *r = *state;
    const uint32_t piece = 1024 * 1024;
    struct rig_io *io = rig_read(r, 0, 1000, 5 * piece / 512);

    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(io->done_cnt, 0);
        assert_int_equal(r->sent_cnt, i + 1);
        assert_int_equal(r->sent[i].cdb.lba, 1000 + i * 2048);
        assert_int_equal(r->sent[i].cdb.block_cnt, 2048);
        assert_int_equal(r->sent[i].transfer_len, piece);
        assert_int_equal(r->sent[i].iov_skip, i * piece);
        rig_answer_good(r, i);
    }
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(io->sreq.progress, 5 * piece);
}

static void the_last_piece_is_as_long_as_what_is_left(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 2048 + 3);

    rig_answer_good(r, 0);
    assert_int_equal(r->sent[1].cdb.lba, 2048);
    assert_int_equal(r->sent[1].cdb.block_cnt, 3);
    rig_answer_good(r, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void the_next_piece_goes_before_what_was_submitted_later(void **state)
{
    struct rig *r = *state;

    r->sdev->queue_depth = 1;
    rig_read(r, 0, 0, 4096);
    rig_read(r, 1, 9999, 1);
    rig_answer_good(r, 0);
    assert_int_equal(r->sent[1].cdb.lba, 2048);
    rig_answer_good(r, 1);
    assert_int_equal(r->sent[2].cdb.lba, 9999);
}

static void a_short_transfer_goes_on_where_it_stopped(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 100, 16);

    rig_answer(r, 0, 0, 6 * 512 + 100); /* 9 blocks and a piece */
    assert_int_equal(r->sent_cnt, 2);
    assert_int_equal(r->sent[1].cdb.lba, 109);
    assert_int_equal(r->sent[1].cdb.block_cnt, 7);
    assert_int_equal(r->sent[1].iov_skip, 9 * 512);
    rig_answer_good(r, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void a_transfer_of_nothing_is_an_error_and_not_an_endless_loop(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 8, 8);

    rig_answer(r, 0, 0, 4096);
    assert_int_equal(r->sent_cnt, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -EIO);
    assert_int_equal(io->error.code, ISKRA_E_RESPONSE);
    assert_string_equal(io->error.text,
                        "READ(10) lba 8, 8 blocks: GOOD, but 4096 of 4096 bytes are missing");
}

static void a_residual_larger_than_the_command_counts_as_all_of_it(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 8, 8);

    rig_answer(r, 0, 0, UINT32_MAX);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_RESPONSE);
}

static void a_medium_error_is_told_in_words_and_numbers(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 2048, 256);
    const struct iskra_sense sense = {.valid = true,
                                      .key = ISKRA_SENSE_MEDIUM_ERROR,
                                      .asc = 0x11,
                                      .information_valid = true,
                                      .information = 2050};

    rig_set_sense(r->sent[0].cmnd, &sense);
    rig_answer(r, 0, r->sent[0].cmnd->result, 256 * 512 - 1024);
    assert_int_equal(r->sent_cnt, 1); /* the block is lost: no retry */
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -EIO);
    assert_int_equal(io->sreq.progress, 1024); /* two blocks before it are good */
    assert_int_equal(io->error.code, ISKRA_E_SCSI);
    assert_int_equal(io->error.scsi_status, ISKRA_STATUS_CHECK_CONDITION);
    assert_true(io->error.sense_len > 0);
    assert_int_equal(io->error.sense[1], ISKRA_SENSE_MEDIUM_ERROR);
    assert_string_equal(io->error.text,
                        "READ(10) lba 2048, 256 blocks: CHECK CONDITION, MEDIUM ERROR (3h), "
                        "UNRECOVERED READ ERROR (11h/00h) at lba 2050");
}

static void a_bad_block_outside_the_command_is_not_believed(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 2048, 4);
    const struct iskra_sense sense = {.valid = true,
                                      .key = ISKRA_SENSE_MEDIUM_ERROR,
                                      .asc = 0x11,
                                      .information_valid = true,
                                      .information = 5};

    rig_set_sense(r->sent[0].cmnd, &sense);
    rig_answer(r, 0, r->sent[0].cmnd->result, 0);
    assert_int_equal(io->sreq.progress, 0);
}

static void a_recovered_error_is_a_success(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 4);
    const struct iskra_sense sense = {
        .valid = true, .key = ISKRA_SENSE_RECOVERED_ERROR, .asc = 0x17};

    rig_set_sense(r->sent[0].cmnd, &sense);
    rig_answer(r, 0, r->sent[0].cmnd->result, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void check_condition_without_sense_is_an_error_with_words(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 4);

    io->sreq.allowed = 0;
    rig_answer(r, 0, ISKRA_STATUS_CHECK_CONDITION, 2048);
    assert_int_equal(r->sent[1].cdb.opcode, ISKRA_SCSI_REQUEST_SENSE);
    rig_answer(r, 1, 0, r->sent[1].transfer_len); /* nothing to say */
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_SCSI);
    assert_string_equal(
        io->error.text,
        "READ(10) lba 0, 4 blocks: CHECK CONDITION without readable sense data (0 bytes)");
}

static void a_reservation_conflict_is_ebusy(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    rig_answer(r, 0, ISKRA_STATUS_RESERVATION_CONFLICT, 512);
    assert_int_equal(io->sreq.status, -EBUSY);
    assert_int_equal(io->error.scsi_status, ISKRA_STATUS_RESERVATION_CONFLICT);
    assert_string_equal(io->error.text,
                        "READ(10) lba 0, 1 block: status RESERVATION CONFLICT (18h)");
}

static void block_operations_do_not_see_unit_attentions_but_the_callback_does(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    rig_answer_sense(r, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
    assert_int_equal(io->done_cnt, 0);
    assert_int_equal(r->ua_cnt, 1);
    assert_int_equal(r->ua_asc, 0x29);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    assert_int_equal(r->sent_cnt, 2);
    rig_answer_good(r, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void a_device_that_says_nothing_but_unit_attention_is_given_up(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    for (unsigned i = 0; i < 100 && io->done_cnt == 0; i++) {
        rig_answer_sense(r, i, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
        rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    }
    assert_int_equal(r->sent_cnt, 6); /* once, and five retries */
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_SCSI);
}

static void a_raw_command_sees_its_unit_attention_at_once(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_tur(r, 0);

    rig_answer_sense(r, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
    assert_int_equal(r->sent_cnt, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -EIO);
    assert_string_equal(io->error.text,
                        "TEST UNIT READY: CHECK CONDITION, UNIT ATTENTION (6h), POWER ON, RESET, "
                        "OR BUS DEVICE RESET OCCURRED (29h/00h)");
}

static void a_raw_command_that_may_have_been_executed_has_an_unknown_outcome(void **state)
{
    struct rig *r = *state;
    struct rig_io *raw = rig_tur(r, 0), *read = rig_read(r, 1, 0, 1);

    rig_session_lost(r, "cable cut");
    iskra_shost_class_ops.block(&r->host);
    rig_fail_tasks(r);
    assert_int_equal(raw->done_cnt, 1);
    assert_int_equal(raw->error.code, ISKRA_E_OUTCOME_UNKNOWN);
    assert_string_equal(raw->error.text,
                        "TEST UNIT READY may or may not have been executed: cable cut");
    assert_int_equal(read->done_cnt, 0); /* may be read again */
    iskra_shost_class_ops.transport_offline(&r->host);
    rig_work(r);
    assert_int_equal(read->done_cnt, 1);
    assert_int_equal(read->error.code, ISKRA_E_CONNECTION);
}

static void a_raw_commands_residual_is_what_is_missing(void **state)
{
    static const uint8_t cdb[6] = {ISKRA_SCSI_INQUIRY, 0, 0, 0, 96, 0};
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);

    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 96};
    assert_int_equal(
        iskra_scsi_submit_raw(&io->sreq, cdb, sizeof(cdb), ISKRA_DIR_READ, &io->iov, 1, 96), 0);
    assert_int_equal(r->sent[0].cmnd->dir, ISKRA_DIR_READ);
    rig_answer(r, 0, 0, 60);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(io->sreq.progress, 36);
}

static void busy_and_task_set_full_are_tried_again_and_the_depth_goes_down(void **state)
{
    struct rig *r = *state;

    for (unsigned i = 0; i < 10; i++)
        rig_read(r, i, i, 1);
    rig_answer(r, 9, ISKRA_STATUS_TASK_SET_FULL, 512);
    assert_int_equal(r->sdev->queue_depth, 9);
    rig_answer_good(r, 0);
    assert_int_equal(r->sent_cnt, 11);
    assert_int_equal(r->sent[10].cdb.lba, 9);
    rig_answer(r, 10, ISKRA_STATUS_BUSY, 512);
    for (unsigned i = 1; i < 9; i++)
        rig_answer_good(r, i);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    rig_answer_good(r, 11);
    assert_int_equal(r->ios[9].done_cnt, 1);
    assert_int_equal(r->ios[9].sreq.status, 0);
    assert_int_equal(r->sdev->queue_depth, 9);
    r->round.now_ns += 121 * RIG_S; /* it may rise again */
    rig_read(r, 0, 0, 1);
    rig_answer_good(r, r->sent_cnt - 1);
    assert_int_equal(r->sdev->queue_depth, 10);
}

static void a_busy_device_is_not_tried_for_ever(void **state)
{
    struct rig *r = *state;
    uint64_t t0_ns = r->round.now_ns;
    struct rig_io *io = rig_io(r, 0);

    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 512};
    io->sreq.rq.timeout_ns = RIG_S;
    assert_int_equal(iskra_scsi_submit_read(&io->sreq, &io->iov, 1, 0, 512), 0);
    while (io->done_cnt == 0 && r->sent_cnt < RIG_SENT_MAX) {
        if (rig_out_cnt(r) > 0)
            rig_answer(r, r->sent_cnt - 1, ISKRA_STATUS_BUSY, 512);
        rig_advance_to(r, r->round.now_ns + RIG_MS);
    }
    assert_int_equal(io->done_cnt, 1);
    uint64_t spent_ns = r->round.now_ns - t0_ns; /* (5 + 1) x 1 s */
    assert_in_range(spent_ns, 6 * RIG_S, 6 * RIG_S + 50 * RIG_MS);
    assert_string_equal(io->error.text, "READ(10) lba 0, 1 block: status BUSY (08h)");
}

static void the_time_a_session_is_away_does_not_count(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    rig_session_lost(r, "gone");
    iskra_shost_class_ops.block(&r->host);
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0), 512);
    rig_advance_to(r, r->round.now_ns + 1000 * RIG_S);
    r->session.state = ISKRA_SESSION_LOGGED_IN;
    iskra_shost_class_ops.unblock(&r->host);
    rig_answer(r, 1, ISKRA_STATUS_BUSY, 512); /* still worth a try */
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    assert_int_equal(r->sent_cnt, 3);
    rig_answer_good(r, 2);
    assert_int_equal(io->sreq.status, 0);
}

static void a_device_that_becomes_ready_is_waited_for(void **state)
{
    static const uint8_t ascqs[] = {0x04, 0x05, 0x06, 0x07, 0x08, 0x09, 0x0a, 0x11, 0x14};
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    for (unsigned i = 0; i < sizeof(ascqs); i++) {
        rig_answer_sense(r, i, ISKRA_SENSE_NOT_READY, 0x04, ascqs[i]);
        rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
        assert_int_equal(r->sent_cnt, i + 2);
    }
    rig_answer_sense(r, sizeof(ascqs), ISKRA_SENSE_NOT_READY, 0x04, 0x03); /* manual intervention */
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_SCSI);
}

static void contradicting_lengths_are_a_response_error(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_BAD_TARGET, 0), 0);
    assert_int_equal(io->sreq.status, -EBADMSG);
    assert_int_equal(io->error.code, ISKRA_E_RESPONSE);
}

static void an_offline_device_says_so(void **state)
{
    struct rig *r = *state;

    assert_true(iskra_sdev_set_state(r->sdev, ISKRA_SDEV_OFFLINE));
    struct rig_io *io = rig_read(r, 0, 0, 1);
    rig_work(r);
    assert_int_equal(io->sreq.status, -ENODEV);
    assert_int_equal(io->error.code, ISKRA_E_OFFLINE);
}

static void submit_again(struct rig_io *io)
{
    struct rig *r = io->rig;

    if (io->done_cnt >= 3)
        return;
    iskra_scsi_request_init(&io->sreq, r->sdev, io->sreq.done, &io->error);
    assert_int_equal(iskra_scsi_submit_read(&io->sreq, &io->iov, 1, io->done_cnt * 512, 512), 0);
}

static void a_request_may_be_submitted_again_from_inside_done(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    io->on_done = submit_again;
    for (unsigned i = 0; i < 3; i++) {
        assert_int_equal(r->sent[i].cdb.lba, i);
        rig_answer_good(r, i);
    }
    assert_int_equal(io->done_cnt, 3);
    assert_int_equal(rig_out_cnt(r), 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_read_of_five_mib_becomes_five_commands_with_exact_lbas),
        T(the_last_piece_is_as_long_as_what_is_left),
        T(the_next_piece_goes_before_what_was_submitted_later),
        T(a_short_transfer_goes_on_where_it_stopped),
        T(a_transfer_of_nothing_is_an_error_and_not_an_endless_loop),
        T(a_residual_larger_than_the_command_counts_as_all_of_it),
        T(a_medium_error_is_told_in_words_and_numbers),
        T(a_bad_block_outside_the_command_is_not_believed),
        T(a_recovered_error_is_a_success),
        T(check_condition_without_sense_is_an_error_with_words),
        T(a_reservation_conflict_is_ebusy),
        T(block_operations_do_not_see_unit_attentions_but_the_callback_does),
        T(a_device_that_says_nothing_but_unit_attention_is_given_up),
        T(a_raw_command_sees_its_unit_attention_at_once),
        T(a_raw_command_that_may_have_been_executed_has_an_unknown_outcome),
        T(a_raw_commands_residual_is_what_is_missing),
        T(busy_and_task_set_full_are_tried_again_and_the_depth_goes_down),
        T(a_busy_device_is_not_tried_for_ever),
        T(the_time_a_session_is_away_does_not_count),
        T(a_device_that_becomes_ready_is_waited_for),
        T(contradicting_lengths_are_a_response_error),
        T(an_offline_device_says_so),
        T(a_request_may_be_submitted_again_from_inside_done),
    };
    return cmocka_run_group_tests_name("scsi io", tests, NULL, NULL);
}
