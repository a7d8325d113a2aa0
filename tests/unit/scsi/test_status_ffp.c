/* What an initiator must be seen to do with a status that is not GOOD: the items of the full
 * feature phase list, by their numbers. Each looks at what is sent next, as CDB bytes. */
#include <errno.h>

#include "unit/scsi/scsi_rig.h"

static struct rig_io *write_block(struct rig *r, unsigned n)
{
    struct rig_io *io = rig_io(r, n);
    io->iov = (struct iovec){.iov_base = r->data, .iov_len = RIG_BLOCK_LEN};
    assert_int_equal(
        iskra_scsi_submit_write(&io->sreq, &io->iov, 1, 5 * RIG_BLOCK_LEN, RIG_BLOCK_LEN, false),
        0);
    rig_work(r);
    return io;
}

static bool same_command(const struct rig *r, unsigned a, unsigned b)
{
    return r->sent[a].cdb.opcode == r->sent[b].cdb.opcode &&
           r->sent[a].cdb.lba == r->sent[b].cdb.lba &&
           r->sent[a].transfer_len == r->sent[b].transfer_len && r->sent[b].iov_skip == 0;
}

/* Retried from its first byte, and the retry counts. */
static void sense_leads_to_a_retry(struct rig *r, uint8_t asc, uint8_t ascq)
{
    struct rig_io *io = write_block(r, 0);
    rig_answer_sense(r, 0, ISKRA_SENSE_ABORTED_COMMAND, asc, ascq);
    assert_int_equal(io->done_cnt, 0);
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_int_equal(r->sent_cnt, 2);
    assert_true(same_command(r, 0, 1));
    rig_answer_good(r, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

/* A target that says so for ever is not asked for ever. */
static void sense_for_ever_is_told(struct rig *r, uint8_t asc, uint8_t ascq)
{
    struct rig_io *io = write_block(r, 1);
    unsigned first = r->sent_cnt - 1;
    for (unsigned i = first; io->done_cnt == 0; i++) {
        assert_true(i < first + 10);
        rig_answer_sense(r, i, ISKRA_SENSE_ABORTED_COMMAND, asc, ascq);
        rig_advance_to(r, r->round.now_ns + RIG_S);
    }
    assert_int_equal(r->sent_cnt - first, 6); /* once, and five retries */
    assert_int_equal(io->sreq.status, -EIO);
    assert_int_equal(io->error.code, ISKRA_E_SCSI);
    assert_non_null(strstr(io->error.text, "ABORTED COMMAND (Bh)"));
}

static void ffp_16_4_1_crc_error_leads_to_a_retry(void **state)
{
    sense_leads_to_a_retry(*state, 0x47, 0x05);
    sense_for_ever_is_told(*state, 0x47, 0x05);
}

static void ffp_16_4_3_unexpected_unsolicited_data_is_tried_again_and_told(void **state)
{
    sense_leads_to_a_retry(*state, 0x0c, 0x0c);
    sense_for_ever_is_told(*state, 0x0c, 0x0c);
}

static void ffp_16_4_4_not_enough_unsolicited_data_is_tried_again_and_told(void **state)
{
    sense_leads_to_a_retry(*state, 0x0c, 0x0d);
    sense_for_ever_is_told(*state, 0x0c, 0x0d);
}

/* Not at once: the target asked for time. */
static void ffp_16_4_5_busy_is_issued_again_later(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_block(r, 0);
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_BUSY), RIG_BLOCK_LEN);
    assert_int_equal(io->done_cnt, 0);
    assert_int_equal(r->sent_cnt, 1);
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_int_equal(r->sent_cnt, 2);
    assert_true(same_command(r, 0, 1));
    rig_answer_good(r, 1);
    assert_int_equal(io->sreq.status, 0);
}

/* Somebody else has it: that is for the caller to judge, at once. */
static void ffp_16_4_6_reservation_conflict_is_told_and_not_issued_again(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = write_block(r, 0);
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_RESERVATION_CONFLICT), RIG_BLOCK_LEN);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -EBUSY);
    assert_non_null(strstr(io->error.text, "RESERVATION CONFLICT (18h)"));
    rig_advance_to(r, r->round.now_ns + 60 * RIG_S);
    assert_int_equal(r->sent_cnt, 1);
    write_block(r, 1); /* the next command is not held back */
    assert_int_equal(r->sent_cnt, 2);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(ffp_16_4_1_crc_error_leads_to_a_retry),
        T(ffp_16_4_3_unexpected_unsolicited_data_is_tried_again_and_told),
        T(ffp_16_4_4_not_enough_unsolicited_data_is_tried_again_and_told),
        T(ffp_16_4_5_busy_is_issued_again_later),
        T(ffp_16_4_6_reservation_conflict_is_told_and_not_issued_again),
    };
    return cmocka_run_group_tests_name("status-ffp", tests, NULL, NULL);
}
