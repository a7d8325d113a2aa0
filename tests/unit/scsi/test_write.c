/* What the mid-layer makes of writes and flushes: commands, FUA with and without the bit,
 * protection, retries. */
#include <errno.h>

#include "unit/scsi/scsi_rig.h"

static struct rig_io *write_blocks(struct rig *r, unsigned n, uint64_t lba, uint32_t block_cnt,
                                   bool fua)
{
    struct rig_io *io = rig_io(r, n);

    io->iov = (struct iovec){.iov_base = r->data, .iov_len = (size_t)block_cnt * RIG_BLOCK_LEN};
    assert_int_equal(
        iskra_scsi_submit_write(&io->sreq, &io->iov, 1, lba * RIG_BLOCK_LEN, io->iov.iov_len, fua),
        0);
    return io;
}

static struct rig_io *flush(struct rig *r, unsigned n)
{
    struct rig_io *io = rig_io(r, n);

    assert_int_equal(iskra_scsi_submit_flush(&io->sreq), 0);
    return io;
}

/* ---- commands ---- */

static void a_write_below_2_to_the_32_blocks_is_a_write_10(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 0xfffffff8, 8, false);
    const struct iskra_cmnd *cmnd = r->sent[0].cmnd;

    assert_int_equal(r->sent[0].cdb.opcode, ISKRA_SCSI_WRITE_10);
    assert_int_equal(cmnd->cdb_len, 10);
    assert_int_equal(cmnd->dir, ISKRA_DIR_WRITE);
    assert_int_equal(r->sent[0].cdb.lba, 0xfffffff8);
    assert_int_equal(r->sent[0].cdb.block_cnt, 8);
    assert_int_equal(r->sent[0].cdb.flags, 0);
    assert_int_equal(r->sent[0].transfer_len, 4096);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(r->sent_cnt, 1);
}

static void a_write_beyond_it_is_a_write_16(void **state)
{
    struct rig *r = *state;

    write_blocks(r, 0, 0xfffffff9, 8, false);
    write_blocks(r, 1, RIG_BLOCK_CNT - 1, 1, false);
    assert_int_equal(r->sent[0].cdb.opcode, ISKRA_SCSI_WRITE_16);
    assert_int_equal(r->sent[0].cmnd->cdb_len, 16);
    assert_int_equal(r->sent[0].cdb.lba, 0xfffffff9);
    assert_int_equal(r->sent[1].cdb.opcode, ISKRA_SCSI_WRITE_16);
    assert_int_equal(r->sent[1].cdb.lba, RIG_BLOCK_CNT - 1);
}

static void a_write_of_five_mib_becomes_five_commands_with_exact_lbas(void **state)
{
    struct rig *r = *state;
    const uint32_t piece = 1024 * 1024;
    struct rig_io *io = write_blocks(r, 0, 1000, 5 * piece / 512, false);

    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(io->done_cnt, 0);
        assert_int_equal(r->sent_cnt, i + 1);
        assert_int_equal(r->sent[i].cdb.lba, 1000 + i * 2048);
        assert_int_equal(r->sent[i].cdb.block_cnt, 2048);
        assert_int_equal(r->sent[i].iov_skip, i * piece);
        rig_answer_good(r, i);
    }
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void a_short_write_goes_on_where_it_stopped(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 100, 16, false);

    rig_answer(r, 0, 0, 6 * 512 + 100); /* 9 blocks and a piece */
    assert_int_equal(r->sent_cnt, 2);
    assert_int_equal(r->sent[1].cdb.lba, 109);
    assert_int_equal(r->sent[1].cdb.block_cnt, 7);
    assert_int_equal(r->sent[1].iov_skip, 9 * 512);
    rig_answer_good(r, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void a_write_that_moves_nothing_is_an_error_and_not_an_endless_loop(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 8, 8, false);

    rig_answer(r, 0, 0, 4096);
    assert_int_equal(r->sent_cnt, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -EIO);
    assert_string_equal(io->error.text,
                        "WRITE(10) lba 8, 8 blocks: GOOD, but 4096 of 4096 bytes were not taken");
}

static void a_write_of_nothing_needs_no_command(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 8, 0, true);

    assert_int_equal(io->done_cnt, 0); /* never from inside a submit */
    rig_work(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(r->sent_cnt, 0);
}

/* ---- refused before the wire ---- */

static void a_protected_lun_is_not_written_to(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);

    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 512};
    r->sdev->write_protected = true;
    assert_int_equal(iskra_scsi_submit_write(&io->sreq, &io->iov, 1, 0, 512, false), -EROFS);
    assert_string_equal(io->error.text, "the LUN is write-protected");
    r->sdev->write_protected = false;
    r->sdev->protection = true;
    io = rig_io(r, 1);
    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 512};
    assert_int_equal(iskra_scsi_submit_write(&io->sreq, &io->iov, 1, 0, 512, false), -EROFS);
    assert_string_equal(io->error.text,
                        "the LUN is formatted with protection information: it can only be read");
    rig_work(r);
    assert_int_equal(r->sent_cnt, 0);
    rig_read(r, 2, 0, 1);
    assert_int_equal(r->sent_cnt, 1);
}

static void bad_ranges_of_a_write_are_refused_with_numbers(void **state)
{
    static const struct {
        uint64_t offset, len;
        int rc;
        const char *text;
    } rows[] = {
        {1, 512, -EINVAL, "offset 1 is not a multiple of the block length 512"},
        {0, 511, -EINVAL, "length 511 is not a multiple of the block length 512"},
        {RIG_BLOCK_CNT * 512 - 512, 1024, -ERANGE,
         "1024 bytes at offset 4398046510592 go beyond the end of the disk at 4398046511104"},
        {0, 2048, -EINVAL, "1024 bytes were given, 2048 are to go"},
    };
    struct rig *r = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig_io *io = rig_io(r, 0);
        io->iov = (struct iovec){.iov_base = r->data, .iov_len = 1024};
        assert_int_equal(
            iskra_scsi_submit_write(&io->sreq, &io->iov, 1, rows[i].offset, rows[i].len, false),
            rows[i].rc);
        assert_string_equal(io->error.text, rows[i].text);
    }
    r->sdev->capacity_known = false;
    assert_int_equal(iskra_scsi_submit_flush(&rig_io(r, 0)->sreq), -ENODEV);
    assert_int_equal(r->sent_cnt, 0);
}

/* ---- flush ---- */

static void a_flush_is_synchronize_cache_of_everything(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = flush(r, 0);

    assert_int_equal(r->sent[0].cdb.opcode, ISKRA_SCSI_SYNCHRONIZE_CACHE_16);
    assert_int_equal(r->sent[0].cdb.lba, 0);
    assert_int_equal(r->sent[0].cdb.block_cnt, 0);
    assert_int_equal(r->sent[0].cdb.flags, 0); /* IMMED would make it a promise of nothing */
    assert_int_equal(r->sent[0].cmnd->dir, ISKRA_DIR_NONE);
    assert_int_equal(r->sent[0].transfer_len, 0);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    r->sdev->block_cnt = UINT64_C(1) << 32;
    flush(r, 1);
    assert_int_equal(r->sent[1].cdb.opcode, ISKRA_SCSI_SYNCHRONIZE_CACHE_10);
    assert_int_equal(r->sent[1].cmnd->cdb_len, 10);
}

static void a_flush_without_a_write_cache_needs_no_command(void **state)
{
    struct rig *r = *state;

    r->sdev->write_cache = false;
    struct rig_io *io = flush(r, 0);
    assert_int_equal(io->done_cnt, 0);
    rig_work(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(r->sent_cnt, 0);
}

static void a_flush_has_twice_the_time_unless_it_is_told(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = flush(r, 0);

    assert_int_equal(io->sreq.rq.timeout_ns, 2 * r->sdev->queue.rq_timeout_ns);
    io = rig_io(r, 1);
    io->sreq.rq.timeout_ns = 5 * RIG_S;
    assert_int_equal(iskra_scsi_submit_flush(&io->sreq), 0);
    assert_int_equal(io->sreq.rq.timeout_ns, 5 * RIG_S);
}

static void an_unknown_synchronize_cache_is_no_cache_only_if_none_was_told(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = flush(r, 0);

    rig_answer_sense(r, 0, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
    assert_int_equal(io->sreq.status, 0);
    assert_false(r->sdev->write_cache);
    r->sdev->write_cache = r->sdev->write_cache_told = true;
    io = flush(r, 1);
    rig_answer_sense(r, 1, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
    assert_int_equal(io->sreq.status, -EIO);
    assert_true(r->sdev->write_cache);
    assert_string_equal(io->error.text,
                        "SYNCHRONIZE CACHE(16): CHECK CONDITION, ILLEGAL REQUEST (5h), INVALID "
                        "COMMAND OPERATION CODE (20h/00h)");
}

static void a_deferred_error_fails_the_flush_that_was_to_make_it_safe(void **state)
{
    const struct iskra_sense sense = {
        .valid = true, .deferred = true, .key = ISKRA_SENSE_MEDIUM_ERROR, .asc = 0x0c, .ascq = 2};
    struct rig *r = *state;
    struct rig_io *io = flush(r, 0);

    rig_set_sense(r->sent[0].cmnd, &sense);
    rig_answer(r, 0, r->sent[0].cmnd->result, 0);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    assert_int_equal(r->sent_cnt, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -EIO);
    /* A write that meets it was not executed, and is sent again; the next flush tells, once. */
    io = write_blocks(r, 1, 0, 1, false);
    rig_set_sense(r->sent[1].cmnd, &sense);
    rig_answer(r, 1, r->sent[1].cmnd->result, 512);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    assert_int_equal(r->sent_cnt, 3);
    rig_answer_good(r, 2);
    assert_int_equal(io->sreq.status, 0);
    io = flush(r, 2);
    rig_answer_good(r, 3);
    assert_int_equal(io->sreq.status, -EIO);
    assert_string_equal(io->error.text,
                        "SYNCHRONIZE CACHE(16): an earlier write was lost: MEDIUM "
                        "ERROR (3h), WRITE ERROR - AUTO REALLOCATION FAILED (0Ch/02h)");
    io = flush(r, 3);
    rig_answer_good(r, 4);
    assert_int_equal(io->sreq.status, 0);
}

static void a_deferred_error_that_was_recovered_loses_nothing(void **state)
{
    const struct iskra_sense sense = {.valid = true,
                                      .deferred = true,
                                      .key = ISKRA_SENSE_RECOVERED_ERROR,
                                      .asc = 0x0c,
                                      .ascq = 1};
    struct rig *r = *state;
    struct rig_io *io = flush(r, 0);

    rig_set_sense(r->sent[0].cmnd, &sense);
    rig_answer(r, 0, r->sent[0].cmnd->result, 0);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    assert_int_equal(r->sent_cnt, 2);
    rig_answer_good(r, 1);
    assert_int_equal(io->sreq.status, 0);
}

/* ---- force unit access ---- */

static void fua_goes_by_the_bit_where_the_device_has_it(void **state)
{
    struct rig *r = *state;

    r->sdev->fua = true;
    struct rig_io *io = write_blocks(r, 0, 0, 2049, true);
    assert_int_equal(r->sent[0].cdb.flags, ISKRA_CDB_FUA);
    rig_answer_good(r, 0);
    assert_int_equal(r->sent[1].cdb.flags, ISKRA_CDB_FUA);
    rig_answer_good(r, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(r->sent_cnt, 2);
}

static void fua_without_the_bit_is_a_write_and_a_flush_before_done(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 0, 2049, true);

    assert_int_equal(r->sent[0].cdb.flags, 0);
    rig_answer_good(r, 0);
    assert_int_equal(r->sent[1].cdb.opcode, ISKRA_SCSI_WRITE_10);
    rig_answer_good(r, 1);
    assert_int_equal(io->done_cnt, 0);
    assert_int_equal(r->sent_cnt, 3);
    assert_int_equal(r->sent[2].cdb.opcode, ISKRA_SCSI_SYNCHRONIZE_CACHE_16);
    assert_int_equal(r->sent[2].transfer_len, 0);
    rig_answer_good(r, 2);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(io->sreq.progress, 2049 * 512);
}

static void fua_without_a_cache_is_a_plain_write(void **state)
{
    struct rig *r = *state;

    r->sdev->write_cache = false;
    struct rig_io *io = write_blocks(r, 0, 0, 8, true);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(r->sent_cnt, 1);
}

static void a_failing_flush_fails_the_fua_write(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 0, 8, true);

    rig_answer_good(r, 0);
    rig_answer_sense(r, 1, ISKRA_SENSE_HARDWARE_ERROR, 0x44, 0x00);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -EIO);
    assert_memory_equal(io->error.text, "SYNCHRONIZE CACHE(16): CHECK CONDITION, HARDWARE ERROR",
                        54);
}

static void a_reset_between_write_and_flush_makes_it_write_again(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 40, 8, true);

    rig_answer_good(r, 0);
    rig_answer_sense(r, 1, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    assert_int_equal(r->sent_cnt, 3);
    assert_int_equal(r->sent[2].cdb.opcode, ISKRA_SCSI_WRITE_10);
    assert_int_equal(r->sent[2].cdb.lba, 40);
    assert_int_equal(r->sent[2].iov_skip, 0);
    assert_int_equal(io->sreq.rq.timeout_ns, r->sdev->queue.rq_timeout_ns);
    rig_answer_good(r, 2);
    assert_int_equal(r->sent[3].cdb.opcode, ISKRA_SCSI_SYNCHRONIZE_CACHE_16);
    assert_int_equal(io->sreq.rq.timeout_ns, 2 * r->sdev->queue.rq_timeout_ns);
    rig_answer_good(r, 3);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void a_device_that_is_reset_before_every_flush_is_given_up(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 0, 8, true);

    for (unsigned i = 0; i < 100 && io->done_cnt == 0; i++) {
        if (r->sent[i].transfer_len > 0)
            rig_answer_good(r, i);
        else
            rig_answer_sense(r, i, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
        rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    }
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -EIO);
    assert_int_equal(r->sent_cnt, 12); /* once, and five retries, of two commands */
}

/* ---- retries ---- */

static void a_write_sees_no_unit_attention_and_is_tried_again(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 5, 1, false);

    rig_answer_sense(r, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
    assert_int_equal(io->done_cnt, 0);
    assert_int_equal(r->ua_cnt, 1);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    assert_int_equal(r->sent_cnt, 2);
    assert_int_equal(r->sent[1].cdb.opcode, ISKRA_SCSI_WRITE_10);
    rig_answer_good(r, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void a_write_that_was_out_when_its_session_fell_is_sent_again(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 5, 1, false);

    rig_session_lost(r, "cable cut");
    iskra_shost_class_ops.block(&r->host);
    rig_fail_tasks(r);
    assert_int_equal(io->done_cnt, 0);
    r->session.state = ISKRA_SESSION_LOGGED_IN;
    iskra_shost_class_ops.unblock(&r->host);
    rig_work(r);
    assert_int_equal(r->sent_cnt, 2);
    rig_answer_good(r, 1);
    assert_int_equal(io->sreq.status, 0);
}

static void a_write_to_a_protected_medium_is_told_in_words(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_blocks(r, 0, 5, 1, false);

    rig_answer_sense(r, 0, ISKRA_SENSE_DATA_PROTECT, 0x27, 0x00);
    assert_int_equal(r->sent_cnt, 1);
    assert_int_equal(io->sreq.status, -EIO);
    assert_string_equal(io->error.text, "WRITE(10) lba 5, 1 block: CHECK CONDITION, DATA PROTECT "
                                        "(7h), WRITE PROTECTED (27h/00h)");
}

/* ---- raw commands with data out ---- */

static struct rig_io *raw_out(struct rig *r, unsigned n, uint64_t timeout_ns)
{
    static const uint8_t cdb[6] = {0x15, 0x10, 0, 0, 24, 0}; /* MODE SELECT(6) */
    struct rig_io *io = rig_io(r, n);

    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 24};
    io->sreq.rq.timeout_ns = timeout_ns;
    assert_int_equal(
        iskra_scsi_submit_raw(&io->sreq, cdb, sizeof(cdb), ISKRA_DIR_WRITE, &io->iov, 1, 24), 0);
    return io;
}

static void a_raw_command_may_send_data(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = raw_out(r, 0, 0);

    assert_int_equal(r->sent[0].cmnd->dir, ISKRA_DIR_WRITE);
    assert_int_equal(r->sent[0].transfer_len, 24);
    rig_answer(r, 0, 0, 4);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(io->sreq.progress, 20);
}

static void raw_data_out_that_may_have_been_sent_has_an_unknown_outcome(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = raw_out(r, 0, 0);

    rig_session_lost(r, "cable cut");
    iskra_shost_class_ops.block(&r->host);
    rig_fail_tasks(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_OUTCOME_UNKNOWN);
    assert_int_equal(r->sent_cnt, 1);
}

static void raw_data_out_that_times_out_has_an_unknown_outcome_too(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = raw_out(r, 0, 3 * RIG_S);

    r->verdict = ISKRA_EH_NOT_HANDLED;
    rig_advance_to(r, r->round.now_ns + 5 * RIG_S);
    rig_fail_tasks(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -ETIMEDOUT);
    assert_int_equal(io->error.code, ISKRA_E_OUTCOME_UNKNOWN);
    assert_true(
        strstr(io->error.text, "may or may not have been executed: timed out after 3.0 s") != NULL);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_write_below_2_to_the_32_blocks_is_a_write_10),
        T(a_write_beyond_it_is_a_write_16),
        T(a_write_of_five_mib_becomes_five_commands_with_exact_lbas),
        T(a_short_write_goes_on_where_it_stopped),
        T(a_write_that_moves_nothing_is_an_error_and_not_an_endless_loop),
        T(a_write_of_nothing_needs_no_command),
        T(a_protected_lun_is_not_written_to),
        T(bad_ranges_of_a_write_are_refused_with_numbers),
        T(a_flush_is_synchronize_cache_of_everything),
        T(a_flush_without_a_write_cache_needs_no_command),
        T(a_flush_has_twice_the_time_unless_it_is_told),
        T(an_unknown_synchronize_cache_is_no_cache_only_if_none_was_told),
        T(a_deferred_error_fails_the_flush_that_was_to_make_it_safe),
        T(a_deferred_error_that_was_recovered_loses_nothing),
        T(fua_goes_by_the_bit_where_the_device_has_it),
        T(fua_without_the_bit_is_a_write_and_a_flush_before_done),
        T(fua_without_a_cache_is_a_plain_write),
        T(a_failing_flush_fails_the_fua_write),
        T(a_reset_between_write_and_flush_makes_it_write_again),
        T(a_device_that_is_reset_before_every_flush_is_given_up),
        T(a_write_sees_no_unit_attention_and_is_tried_again),
        T(a_write_that_was_out_when_its_session_fell_is_sent_again),
        T(a_write_to_a_protected_medium_is_told_in_words),
        T(a_raw_command_may_send_data),
        T(raw_data_out_that_may_have_been_sent_has_an_unknown_outcome),
        T(raw_data_out_that_times_out_has_an_unknown_outcome_too),
    };
    return cmocka_run_group_tests_name("scsi write", tests, NULL, NULL);
}
