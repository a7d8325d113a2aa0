/* Resets of a target with acknowledged writes in a volatile cache (decision 30). */
#include <errno.h>

#include "scsi/cache.h"
#include "unit/scsi/scsi_rig.h"

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

static uint64_t told_cnt; /* by cache_lost, of the current test */

static void cache_lost(void *arg, struct iskra_sdev *sdev, uint64_t write_cnt)
{
    (void)arg;
    (void)sdev;
    told_cnt += write_cnt;
}

/* A host that listens, and fails the next flush or does not. */
static struct rig *listening(void **state, struct iskra_shost_ops *ops, bool fails)
{
    struct rig *r = *state;
    *ops = *r->host.ops;
    ops->cache_lost = cache_lost;
    r->host.ops = ops;
    r->host.flush_after_reset_fails = fails;
    r->sdev->write_cache = true;
    told_cnt = 0;
    return r;
}

/* The last command that was sent. */
static unsigned last(const struct rig *r)
{
    return r->sent_cnt - 1;
}

static struct rig_io *written(struct rig *r, unsigned n, bool fua)
{
    struct rig_io *io = rig_io(r, n);
    io->iov = (struct iovec){r->data, RIG_BLOCK_LEN};
    assert_int_equal(iskra_scsi_submit_write(&io->sreq, &io->iov, 1, 0, RIG_BLOCK_LEN, fua), 0);
    rig_work(r);
    rig_answer_good(r, last(r));
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    return io;
}

static struct rig_io *flush_sent(struct rig *r, unsigned n)
{
    struct rig_io *io = rig_io(r, n);
    assert_int_equal(iskra_scsi_submit_flush(&io->sreq), 0);
    rig_work(r);
    return io;
}

static int flushed(struct rig *r, unsigned n)
{
    struct rig_io *io = flush_sent(r, n);
    rig_answer_good(r, last(r));
    assert_int_equal(io->done_cnt, 1);
    return io->sreq.status;
}

static void unit_attention(struct rig *r, unsigned n, uint8_t asc, uint8_t ascq)
{
    struct rig_io *io = rig_tur(r, n);
    rig_answer_sense(r, last(r), ISKRA_SENSE_UNIT_ATTENTION, asc, ascq);
    assert_int_equal(io->done_cnt, 1);
}

/* FUA without the bit: the SYNCHRONIZE CACHE behind the write is for all that was written before.
 */
static void a_flush_behind_a_write_covers_what_was_written_before(void **state)
{
    struct iskra_shost_ops ops;
    struct rig *r = listening(state, &ops, true);
    r->sdev->fua = false;
    written(r, 0, false);
    struct rig_io *io = rig_io(r, 1);
    io->iov = (struct iovec){r->data, RIG_BLOCK_LEN};
    assert_int_equal(iskra_scsi_submit_write(&io->sreq, &io->iov, 1, 0, RIG_BLOCK_LEN, true), 0);
    rig_work(r);
    rig_answer_good(r, last(r));
    assert_int_equal(r->sent[last(r)].cdb.opcode, ISKRA_SCSI_SYNCHRONIZE_CACHE_16);
    rig_answer_good(r, last(r));
    assert_int_equal(io->sreq.status, 0);
    unit_attention(r, 2, 0x29, 0x00);
    assert_int_equal(told_cnt, 0);
    assert_int_equal(flushed(r, 3), 0);
}

static void the_next_flush_after_a_reset_fails_once(void **state)
{
    struct iskra_shost_ops ops;
    struct rig *r = listening(state, &ops, true);
    written(r, 0, false);
    written(r, 1, false);
    unit_attention(r, 2, 0x29, 0x00);
    assert_int_equal(told_cnt, 2);
    assert_int_equal(flushed(r, 3), -EIO);
    assert_string_equal(r->ios[3].error.text,
                        "SYNCHRONIZE CACHE(16): the target was reset and may have lost 2 "
                        "acknowledged writes");
    assert_int_equal(r->ios[3].error.code, ISKRA_E_SCSI);
    assert_int_equal(flushed(r, 4), 0);
}

static void without_the_option_a_reset_is_only_told_of(void **state)
{
    struct iskra_shost_ops ops;
    struct rig *r = listening(state, &ops, false);
    written(r, 0, false);
    unit_attention(r, 1, 0x29, 0x01);
    assert_int_equal(told_cnt, 1);
    assert_int_equal(flushed(r, 2), 0);
}

static void the_flush_that_hears_of_the_reset_fails(void **state)
{
    struct iskra_shost_ops ops;
    struct rig *r = listening(state, &ops, true);
    written(r, 0, false);
    struct rig_io *io = flush_sent(r, 1);
    rig_answer_sense(r, last(r), ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    rig_answer_good(r, last(r)); /* sent again */
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -EIO);
}

static void a_write_that_hears_of_the_reset_is_not_among_the_lost(void **state)
{
    struct iskra_shost_ops ops;
    struct rig *r = listening(state, &ops, true);
    struct rig_io *io = rig_io(r, 0);
    io->iov = (struct iovec){r->data, RIG_BLOCK_LEN};
    assert_int_equal(iskra_scsi_submit_write(&io->sreq, &io->iov, 1, 0, RIG_BLOCK_LEN, false), 0);
    rig_work(r);
    rig_answer_sense(r, last(r), ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    rig_answer_good(r, last(r));
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(told_cnt, 0);
    assert_int_equal(flushed(r, 1), 0);
}

static void what_is_safe_is_not_lost(void **state)
{
    struct iskra_shost_ops ops;
    struct rig *r = listening(state, &ops, true);
    unit_attention(r, 0, 0x29, 0x00); /* nothing was written */
    written(r, 1, false);
    assert_int_equal(flushed(r, 2), 0);
    unit_attention(r, 3, 0x29, 0x00); /* all of it is flushed */
    r->sdev->fua = true;
    written(r, 4, true);
    unit_attention(r, 5, 0x29, 0x00); /* on the medium by itself */
    r->sdev->write_cache = false;
    written(r, 6, false);
    unit_attention(r, 7, 0x29, 0x00); /* no cache to lose it from */
    assert_int_equal(told_cnt, 0);
    r->sdev->write_cache = true;
    assert_int_equal(flushed(r, 8), 0);
}

static void a_flush_covers_what_was_done_before_its_submit(void **state)
{
    struct iskra_shost_ops ops;
    struct rig *r = listening(state, &ops, true);
    written(r, 0, false);
    struct rig_io *io = flush_sent(r, 1);
    unsigned flush_index = last(r);
    written(r, 2, false); /* while the flush is out: not covered */
    rig_answer_good(r, flush_index);
    assert_int_equal(io->sreq.status, 0);
    unit_attention(r, 3, 0x29, 0x02);
    assert_int_equal(told_cnt, 1);
    assert_int_equal(flushed(r, 4), -EIO);
}

static void other_unit_attentions_leave_the_cache_alone(void **state)
{
    static const uint8_t others[][2] = {{0x29, 0x05}, {0x29, 0x06}, {0x29, 0x07}, {0x28, 0x00},
                                        {0x2a, 0x01}, {0x2a, 0x09}, {0x3f, 0x0e}, {0x2f, 0x00}};
    struct iskra_shost_ops ops;
    struct rig *r = listening(state, &ops, true);
    written(r, 0, false);
    for (unsigned i = 0; i < sizeof(others) / sizeof(others[0]); i++)
        unit_attention(r, 1 + i, others[i][0], others[i][1]);
    assert_int_equal(told_cnt, 0);
    assert_int_equal(flushed(r, 20), 0);
}

static void devices_of_the_same_lun_share_a_reset_and_others_do_not(void **state)
{
    struct iskra_shost_ops ops;
    struct rig *r = listening(state, &ops, true);
    struct iskra_sdev *first = r->sdev, *twin = rig_disk(r, first->lun),
                      *other = rig_disk(r, UINT64_C(0x0007) << 48);
    twin->write_cache = other->write_cache = true;
    r->sdev = twin;
    written(r, 0, false);
    r->sdev = other;
    written(r, 1, false);
    r->sdev = first;
    unit_attention(r, 2, 0x29, 0x00);
    assert_int_equal(told_cnt, 1);
    assert_int_equal(flushed(r, 3), 0);
    r->sdev = twin;
    assert_int_equal(flushed(r, 4), -EIO);
    r->sdev = other;
    assert_int_equal(flushed(r, 5), 0);
    r->sdev = first;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_flush_behind_a_write_covers_what_was_written_before),
        T(the_next_flush_after_a_reset_fails_once),
        T(without_the_option_a_reset_is_only_told_of),
        T(the_flush_that_hears_of_the_reset_fails),
        T(a_write_that_hears_of_the_reset_is_not_among_the_lost),
        T(what_is_safe_is_not_lost),
        T(a_flush_covers_what_was_done_before_its_submit),
        T(other_unit_attentions_leave_the_cache_alone),
        T(devices_of_the_same_lun_share_a_reset_and_others_do_not),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
