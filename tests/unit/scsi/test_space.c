/* Unmap, write zeroes, compare and write, block status: which commands the mid-layer makes of them,
 * and what it learns when they are refused. */
#include <errno.h>

#include "scsi/space.h"
#include "unit/scsi/scsi_rig.h"
#include "wire/extent.h"

#define MIB UINT64_C(1048576)

/* A thin disk that knows everything. */
static void all_is_known(struct rig *r)
{
    r->sdev->thin = true;
    r->sdev->reads_zeroes = true;
    r->sdev->space = (struct iskra_space){.unmap = ISKRA_UNMAP_LIST,
                                          .zero = ISKRA_ZERO_NDOB,
                                          .unmap_zeroes = true,
                                          .lba_status = true,
                                          .max_unmap_len = 64 * MIB,
                                          .max_zero_len = 16 * MIB,
                                          .max_compare_len = 4 * RIG_BLOCK_LEN};
}

static int space_setup(void **state)
{
    int rc = rig_setup(state);

    all_is_known(*state);
    return rc;
}

static struct rig_io *unmap(struct rig *r, unsigned n, uint64_t lba, uint64_t block_cnt)
{
    struct rig_io *io = rig_io(r, n);

    assert_int_equal(iskra_scsi_submit_unmap(&io->sreq, lba * 512, block_cnt * 512), 0);
    return io;
}

static struct rig_io *zero(struct rig *r, unsigned n, uint64_t lba, uint64_t block_cnt,
                           bool may_unmap)
{
    struct rig_io *io = rig_io(r, n);

    assert_int_equal(
        iskra_scsi_submit_write_zeroes(&io->sreq, lba * 512, block_cnt * 512, false, may_unmap), 0);
    return io;
}

static struct rig_io *compare(struct rig *r, unsigned n, uint64_t lba, uint64_t block_cnt)
{
    struct rig_io *io = rig_io(r, n);

    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 2 * block_cnt * 512};
    assert_int_equal(
        iskra_scsi_submit_compare_and_write(&io->sreq, &io->iov, 1, lba * 512, block_cnt * 512), 0);
    return io;
}

/* The first bytes of the command's data. */
static const uint8_t *data_of(const struct rig *r, unsigned index)
{
    return r->sent[index].cmnd->iov[0].iov_base;
}

static void ends_well(const struct rig_io *io)
{
    assert_int_equal(io->done_cnt, 1);
    assert_string_equal(io->error.text, "");
    assert_int_equal(io->sreq.status, 0);
}

/* ---- unmap ---- */

static void an_unmap_is_a_list_of_one_range(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = unmap(r, 0, UINT64_C(0x100000007), 9);
    struct iskra_lba_extent e;
    size_t pos = 0;

    assert_int_equal(r->sent[0].cdb.opcode, ISKRA_SCSI_UNMAP);
    assert_int_equal(r->sent[0].cmnd->cdb_len, 10);
    assert_int_equal(r->sent[0].cdb.alloc_len, 24);
    assert_int_equal(r->sent[0].cmnd->dir, ISKRA_DIR_WRITE);
    assert_int_equal(r->sent[0].transfer_len, 24);
    assert_int_equal(iskra_unmap_next(data_of(r, 0), 24, &pos, &e), 1);
    assert_int_equal(e.lba, UINT64_C(0x100000007));
    assert_int_equal(e.block_cnt, 9);
    assert_int_equal(iskra_unmap_next(data_of(r, 0), 24, &pos, &e), 0);
    rig_answer_good(r, 0);
    ends_well(io);
}

static void a_large_unmap_is_cut_at_what_the_device_takes(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = unmap(r, 0, 0, 160 * MIB / 512);
    static const uint32_t blocks[] = {64 * MIB / 512, 64 * MIB / 512, 32 * MIB / 512};

    for (unsigned i = 0; i < 3; i++) {
        struct iskra_lba_extent e;
        size_t pos = 0;
        assert_int_equal(r->sent_cnt, i + 1);
        assert_int_equal(iskra_unmap_next(data_of(r, i), 24, &pos, &e), 1);
        assert_int_equal(e.lba, i * (64 * MIB / 512));
        assert_int_equal(e.block_cnt, blocks[i]);
        rig_answer_good(r, i);
    }
    ends_well(io);
    assert_int_equal(r->sent_cnt, 3);
}

static void a_device_may_unmap_by_write_same(void **state)
{
    struct rig *r = *state;

    r->sdev->space.unmap = ISKRA_UNMAP_WRITE_SAME_16;
    struct rig_io *io = unmap(r, 0, 5, 7);
    assert_int_equal(r->sent[0].cdb.opcode, ISKRA_SCSI_WRITE_SAME_16);
    assert_int_equal(r->sent[0].cdb.flags, ISKRA_CDB_UNMAP);
    assert_int_equal(r->sent[0].cdb.lba, 5);
    assert_int_equal(r->sent[0].cdb.block_cnt, 7);
    assert_int_equal(r->sent[0].transfer_len, 512);
    rig_answer_good(r, 0);
    ends_well(io);
    r->sdev->space.unmap = ISKRA_UNMAP_WRITE_SAME_10;
    unmap(r, 1, 5, 0x20000);
    assert_int_equal(r->sent[1].cdb.opcode, ISKRA_SCSI_WRITE_SAME_10);
    assert_int_equal(r->sent[1].cdb.block_cnt, 0xffff); /* of 0x20000 */
}

static void a_device_that_does_not_unmap_is_not_asked(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);

    r->sdev->space.unmap = ISKRA_UNMAP_NOT;
    assert_int_equal(iskra_scsi_submit_unmap(&io->sreq, 0, 512), -EOPNOTSUPP);
    assert_int_equal(io->error.code, ISKRA_E_UNSUPPORTED);
    assert_string_equal(io->error.text, "the LUN does not unmap");
    rig_work(r);
    assert_int_equal(r->sent_cnt, 0);
}

static void an_unmap_that_is_refused_is_not_tried_again(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = unmap(r, 0, 8, 8);

    rig_answer_sense(r, 0, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -EOPNOTSUPP);
    assert_int_equal(io->error.code, ISKRA_E_UNSUPPORTED);
    assert_string_equal(io->error.text,
                        "UNMAP lba 8, 8 blocks: the LUN does not know this command");
    assert_int_equal(iskra_scsi_submit_unmap(&rig_io(r, 1)->sreq, 0, 512), -EOPNOTSUPP);
    assert_int_equal(r->sent_cnt, 1);
}

/* WRITE SAME of 0 blocks would be all blocks up to the end. */
static void unmaps_that_wait_when_one_is_refused_are_not_sent(void **state)
{
    struct rig *r = *state;

    r->sdev->queue_depth = 1;
    unmap(r, 0, 8, 8);
    struct rig_io *waiting = unmap(r, 1, 80, 8);
    assert_int_equal(r->sent_cnt, 1);
    rig_answer_sense(r, 0, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
    rig_work(r);
    assert_int_equal(r->sent_cnt, 1);
    assert_int_equal(waiting->done_cnt, 1);
    assert_int_equal(waiting->sreq.status, -EOPNOTSUPP);
    assert_string_equal(waiting->error.text,
                        "UNMAP lba 80, 8 blocks: the LUN does not know this command");
}

static void an_unmap_under_way_is_not_sent_again_after_anothers_refusal(void **state)
{
    struct rig *r = *state;
    struct rig_io *large = unmap(r, 0, 0, 160 * MIB / 512);

    unmap(r, 1, 8, 8);
    assert_int_equal(r->sent_cnt, 2);
    rig_answer_sense(r, 1, ISKRA_SENSE_ILLEGAL_REQUEST, 0x24, 0x00);
    rig_answer_good(r, 0);
    rig_work(r);
    assert_int_equal(r->sent_cnt, 2);
    assert_int_equal(large->done_cnt, 1);
    assert_int_equal(large->sreq.status, -EOPNOTSUPP);
}

static void write_same_10_unmaps_nothing_beyond_32_bits(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);

    r->sdev->space.unmap = ISKRA_UNMAP_WRITE_SAME_10;
    assert_int_equal(
        iskra_scsi_submit_unmap(&io->sreq, (UINT64_C(1) << 32) * RIG_BLOCK_LEN, RIG_BLOCK_LEN),
        -EOPNOTSUPP);
    assert_string_equal(io->error.text, "the LUN does not unmap beyond 2^32 blocks");
    unmap(r, 1, UINT32_MAX, 1);
    assert_int_equal(r->sent_cnt, 1);
    assert_int_equal(r->sent[0].cdb.lba, UINT32_MAX);
}

static void an_unmap_of_nothing_needs_no_command(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = unmap(r, 0, 8, 0);

    rig_work(r);
    ends_well(io);
    assert_int_equal(r->sent_cnt, 0);
}

static void an_unmap_is_repeated_after_a_unit_attention(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = unmap(r, 0, 8, 8);

    rig_answer_sense(r, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_int_equal(r->sent_cnt, 2);
    rig_answer_good(r, 1);
    ends_well(io);
}

static void a_protected_lun_is_neither_unmapped_nor_zeroed_nor_compared(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);

    r->sdev->write_protected = true;
    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 1024};
    assert_int_equal(iskra_scsi_submit_unmap(&io->sreq, 0, 512), -EROFS);
    assert_int_equal(iskra_scsi_submit_write_zeroes(&io->sreq, 0, 512, false, true), -EROFS);
    assert_int_equal(iskra_scsi_submit_compare_and_write(&io->sreq, &io->iov, 1, 0, 512), -EROFS);
    assert_int_equal(r->sent_cnt, 0);
}

static void ranges_are_judged_as_those_of_writes(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);
    struct iskra_extent extent;

    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 1024};
    assert_int_equal(iskra_scsi_submit_unmap(&io->sreq, 1, 512), -EINVAL);
    assert_int_equal(iskra_scsi_submit_unmap(&io->sreq, RIG_BLOCK_CNT * 512, 512), -ERANGE);
    assert_int_equal(iskra_scsi_submit_write_zeroes(&io->sreq, 0, 5, false, false), -EINVAL);
    assert_int_equal(iskra_scsi_submit_write_zeroes(&io->sreq, 0, UINT64_MAX - 511, false, false),
                     -ERANGE);
    assert_int_equal(
        iskra_scsi_submit_compare_and_write(&io->sreq, &io->iov, 1, RIG_BLOCK_CNT * 512, 512),
        -ERANGE);
    assert_int_equal(iskra_scsi_submit_block_status(&io->sreq, &extent, 1, 7, 512), -EINVAL);
    assert_int_equal(r->sent_cnt, 0);
}

/* ---- write zeroes ---- */

static void zeroes_go_without_data_where_the_device_takes_that(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = zero(r, 0, 3, 5, false);

    assert_int_equal(r->sent[0].cdb.opcode, ISKRA_SCSI_WRITE_SAME_16);
    assert_int_equal(r->sent[0].cdb.flags, ISKRA_CDB_NDOB);
    assert_int_equal(r->sent[0].cdb.lba, 3);
    assert_int_equal(r->sent[0].cdb.block_cnt, 5);
    assert_int_equal(r->sent[0].transfer_len, 0);
    assert_int_equal(r->sent[0].cmnd->dir, ISKRA_DIR_NONE);
    rig_answer_good(r, 0);
    ends_well(io);
}

static void zeroes_that_may_unmap_say_so(void **state)
{
    struct rig *r = *state;

    zero(r, 0, 3, 5, true);
    assert_int_equal(r->sent[0].cdb.flags, ISKRA_CDB_NDOB | ISKRA_CDB_UNMAP);
    r->sdev->space.unmap_zeroes = false; /* what is unmapped need not read as zeros */
    zero(r, 1, 3, 5, true);
    assert_int_equal(r->sent[1].cdb.flags, ISKRA_CDB_NDOB);
}

static void write_same_of_zeros_sends_one_block_of_them(void **state)
{
    struct rig *r = *state;
    static const uint8_t zeros[512];

    r->sdev->space.zero = ISKRA_ZERO_WRITE_SAME_16;
    struct rig_io *io = zero(r, 0, 3, 100000, false);
    assert_int_equal(r->sent[0].cdb.flags, 0);
    assert_int_equal(r->sent[0].cdb.block_cnt, 16 * MIB / 512);
    assert_int_equal(r->sent[0].transfer_len, 512);
    assert_memory_equal(data_of(r, 0), zeros, 512);
    unsigned i = 0;
    for (; io->done_cnt == 0 && i < 10; i++)
        rig_answer_good(r, i);
    assert_int_equal(i, 4); /* 100000 blocks, 32768 at a time */
    assert_int_equal(r->sent[3].cdb.lba, 3 + 3 * 32768);
    assert_int_equal(r->sent[3].cdb.block_cnt, 100000 - 3 * 32768);
    ends_well(io);
}

static void each_refusal_leads_to_the_next_way_and_is_remembered(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = zero(r, 0, 3, 5, true);

    rig_answer_sense(r, 0, ISKRA_SENSE_ILLEGAL_REQUEST, 0x24, 0x00);
    assert_int_equal(r->sent[1].cdb.opcode, ISKRA_SCSI_WRITE_SAME_16);
    assert_int_equal(r->sent[1].cdb.flags, ISKRA_CDB_NDOB); /* without UNMAP */
    rig_answer_sense(r, 1, ISKRA_SENSE_ILLEGAL_REQUEST, 0x24, 0x00);
    assert_int_equal(r->sent[2].cdb.flags, 0); /* with data */
    rig_answer_sense(r, 2, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
    assert_int_equal(r->sent[3].cdb.opcode, ISKRA_SCSI_WRITE_SAME_10);
    rig_answer_sense(r, 3, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
    assert_int_equal(r->sent[4].cdb.opcode, ISKRA_SCSI_WRITE_10);
    assert_int_equal(r->sent[4].transfer_len, 5 * 512);
    rig_answer_good(r, 4);
    ends_well(io);
    zero(r, 1, 3, 5, true);
    assert_int_equal(r->sent[5].cdb.opcode, ISKRA_SCSI_WRITE_10);
}

static void two_refusals_of_one_way_close_only_that_way(void **state)
{
    struct rig *r = *state;

    r->sdev->space.unmap_zeroes = false;
    zero(r, 0, 3, 5, false);
    zero(r, 1, 30, 5, false);
    assert_int_equal(r->sent_cnt, 2);
    rig_answer_sense(r, 0, ISKRA_SENSE_ILLEGAL_REQUEST, 0x24, 0x00);
    rig_answer_sense(r, 1, ISKRA_SENSE_ILLEGAL_REQUEST, 0x24, 0x00);
    assert_int_equal(r->sdev->space.zero, ISKRA_ZERO_WRITE_SAME_16);
    assert_int_equal(r->sent[2].cdb.opcode, ISKRA_SCSI_WRITE_SAME_16);
    assert_int_equal(r->sent[3].cdb.opcode, ISKRA_SCSI_WRITE_SAME_16);
}

static void plain_writes_of_zeros_are_cut_like_all_writes(void **state)
{
    struct rig *r = *state;

    r->sdev->space.zero = ISKRA_ZERO_WRITES;
    struct rig_io *io = zero(r, 0, 0, 5 * 2048 / 2, false); /* 2.5 MiB */
    for (unsigned i = 0; i < 3; i++) {
        size_t room = 0;
        for (uint32_t v = 0; v < r->sent[i].cmnd->iov_cnt; v++)
            room += r->sent[i].cmnd->iov[v].iov_len;
        assert_true(room >= r->sent[i].transfer_len);
        assert_int_equal(r->sent[i].cdb.lba, i * 2048);
        assert_int_equal(r->sent[i].transfer_len, i < 2 ? MIB : MIB / 2);
        assert_int_equal(r->sent[i].iov_skip, 0);
        rig_answer_good(r, i);
    }
    ends_well(io);
}

static void write_same_10_does_not_reach_beyond_32_bits(void **state)
{
    struct rig *r = *state;

    r->sdev->space.zero = ISKRA_ZERO_WRITE_SAME_10;
    zero(r, 0, UINT32_MAX, 1, false);
    assert_int_equal(r->sent[0].cdb.opcode, ISKRA_SCSI_WRITE_SAME_10);
    zero(r, 1, UINT64_C(1) << 32, 1, false);
    assert_int_equal(r->sent[1].cdb.opcode, ISKRA_SCSI_WRITE_16);
}

static void zeroes_with_fua_are_followed_by_a_flush(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);

    r->sdev->fua = true; /* of which WRITE SAME knows nothing */
    r->sdev->write_cache = true;
    assert_int_equal(iskra_scsi_submit_write_zeroes(&io->sreq, 0, 4096, true, false), 0);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 0);
    assert_int_equal(r->sent[1].cdb.opcode, ISKRA_SCSI_SYNCHRONIZE_CACHE_16);
    rig_answer_good(r, 1);
    ends_well(io);
}

static void a_refused_flush_behind_zeroes_is_the_end(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);

    r->sdev->write_cache = true;
    r->sdev->write_cache_told = true;
    assert_int_equal(iskra_scsi_submit_write_zeroes(&io->sreq, 0, 4096, true, false), 0);
    rig_answer_good(r, 0);
    rig_answer_sense(r, 1, ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0x00);
    assert_int_equal(r->sent_cnt, 2);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_SCSI);
    assert_int_equal(r->sdev->space.zero, ISKRA_ZERO_NDOB);
}

/* ---- compare and write ---- */

static void compare_and_write_sends_both_halves(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = compare(r, 0, 77, 2);

    assert_int_equal(r->sent[0].cdb.opcode, ISKRA_SCSI_COMPARE_AND_WRITE);
    assert_int_equal(r->sent[0].cdb.lba, 77);
    assert_int_equal(r->sent[0].cdb.block_cnt, 2);
    assert_int_equal(r->sent[0].transfer_len, 2048);
    rig_answer_good(r, 0);
    ends_well(io);
}

static void a_miscompare_has_a_code_of_its_own(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = compare(r, 0, 77, 1);
    const struct iskra_sense sense = {.valid = true,
                                      .key = ISKRA_SENSE_MISCOMPARE,
                                      .asc = 0x1d,
                                      .information_valid = true,
                                      .information = 17};

    rig_set_sense(r->sent[0].cmnd, &sense);
    rig_answer(r, 0, r->sent[0].cmnd->result, 1024);
    assert_int_equal(io->sreq.status, -EILSEQ);
    assert_int_equal(io->error.code, ISKRA_E_MISCOMPARE);
    assert_string_equal(io->error.text,
                        "COMPARE AND WRITE lba 77, 1 block: what is there differs at byte 17");
    assert_int_equal(r->sent_cnt, 1);
}

static void compare_and_write_is_not_sent_twice(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = compare(r, 0, 77, 1);

    rig_session_lost(r, "cable cut");
    rig_fail_tasks(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_OUTCOME_UNKNOWN);
    assert_string_equal(
        io->error.text,
        "COMPARE AND WRITE lba 77, 1 block may or may not have been executed: cable cut");
}

static void an_aborted_compare_and_write_is_not_sent_twice(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = compare(r, 0, 77, 1);

    rig_answer_sense(r, 0, ISKRA_SENSE_ABORTED_COMMAND, 0x47, 0x05);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_SCSI);
    assert_int_equal(r->sent_cnt, 1);
}

static void compare_and_write_is_sent_again_when_it_was_not_executed(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = compare(r, 0, 77, 1);

    rig_answer_sense(r, 0, ISKRA_SENSE_UNIT_ATTENTION, 0x2a, 0x01);
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_int_equal(r->sent_cnt, 2);
    rig_answer(r, 1, ISKRA_STATUS_BUSY, 1024);
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_int_equal(r->sent_cnt, 3);
    rig_answer_good(r, 2);
    ends_well(io);
}

/* As any other, which it is while the target does not take it. */
static void compare_and_write_waits_for_a_busy_target_as_long_as_a_write(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = compare(r, 0, 77, 1);

    for (unsigned n = 0; n < 170; n++) {
        rig_answer(r, n, ISKRA_STATUS_TASK_SET_FULL, 1024);
        rig_advance_to(r, r->round.now_ns + RIG_S);
        assert_int_equal(r->sent_cnt, n + 2);
    }
    rig_advance_to(r, r->round.now_ns + 20 * RIG_S);
    rig_answer(r, 170, ISKRA_STATUS_TASK_SET_FULL, 1024);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_SCSI);
}

static void compare_and_write_has_its_limits(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);

    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 10 * 512};
    assert_int_equal(iskra_scsi_submit_compare_and_write(&io->sreq, &io->iov, 1, 0, 5 * 512),
                     -EINVAL);
    assert_string_equal(io->error.text,
                        "compare and write of 2560 bytes: 512 to 2048 are possible");
    assert_int_equal(iskra_scsi_submit_compare_and_write(&io->sreq, &io->iov, 1, 0, 0), -EINVAL);
    io->iov.iov_len = 3 * 512;
    assert_int_equal(iskra_scsi_submit_compare_and_write(&io->sreq, &io->iov, 1, 0, 2 * 512),
                     -EINVAL);
    r->sdev->space.max_compare_len = 0;
    assert_int_equal(iskra_scsi_submit_compare_and_write(&io->sreq, &io->iov, 1, 0, 512),
                     -EOPNOTSUPP);
    assert_int_equal(r->sent_cnt, 0);
}

/* ---- block status ---- */

static struct iskra_extent extents[8];

static struct rig_io *status(struct rig *r, uint64_t lba, uint64_t block_cnt, uint32_t room)
{
    struct rig_io *io = rig_io(r, 0);

    memset(extents, 0xee, sizeof(extents));
    assert_int_equal(
        iskra_scsi_submit_block_status(&io->sreq, extents, room, lba * 512, block_cnt * 512), 0);
    return io;
}

static void answer_status(struct rig *r, const struct iskra_lba_extent *list, uint32_t cnt)
{
    uint8_t buf[256];

    rig_data_in(r->sent[0].cmnd, buf,
                (uint32_t)iskra_lba_status_encode(list, cnt, buf, sizeof(buf)));
    rig_answer(r, 0, 0, r->sent[0].cmnd->residual);
}

static void extent_is(unsigned i, uint64_t lba, uint64_t block_cnt, uint32_t flags)
{
    assert_int_equal(extents[i].offset, lba * 512);
    assert_int_equal(extents[i].len, block_cnt * 512);
    assert_int_equal(extents[i].flags, flags);
}

static void block_status_is_get_lba_status_cut_to_the_range(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = status(r, 100, 1000, 8);
    const struct iskra_lba_extent list[] = {{90, 20, ISKRA_LBA_MAPPED},
                                            {110, 40, ISKRA_LBA_DEALLOCATED},
                                            {150, 50, ISKRA_LBA_ANCHORED},
                                            {200, 5000, ISKRA_LBA_MAPPED}};

    assert_int_equal(r->sent[0].cdb.service_action, ISKRA_SAI_GET_LBA_STATUS);
    assert_int_equal(r->sent[0].cdb.lba, 100);
    assert_int_equal(r->sent[0].cdb.alloc_len, 8 + 8 * 16);
    answer_status(r, list, 4);
    ends_well(io);
    assert_int_equal(io->sreq.extent_cnt, 4);
    extent_is(0, 100, 10, 0);
    extent_is(1, 110, 40, ISKRA_EXTENT_HOLE | ISKRA_EXTENT_ZERO);
    extent_is(2, 150, 50, ISKRA_EXTENT_HOLE | ISKRA_EXTENT_ZERO);
    extent_is(3, 200, 900, 0);
}

static void a_hole_is_not_said_to_be_zero_unless_the_device_says_so(void **state)
{
    struct rig *r = *state;

    r->sdev->reads_zeroes = false;
    status(r, 100, 10, 1);
    answer_status(r, &(struct iskra_lba_extent){100, 100, ISKRA_LBA_DEALLOCATED}, 1);
    extent_is(0, 100, 10, ISKRA_EXTENT_HOLE);
}

static void descriptors_after_a_gap_do_not_count(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = status(r, 100, 1000, 8);
    const struct iskra_lba_extent list[] = {
        {100, 10, ISKRA_LBA_MAPPED}, {111, 40, ISKRA_LBA_DEALLOCATED}, {151, 9, ISKRA_LBA_MAPPED}};

    answer_status(r, list, 3);
    ends_well(io);
    assert_int_equal(io->sreq.extent_cnt, 1);
    extent_is(0, 100, 10, 0);
}

static void an_answer_about_other_blocks_is_an_error(void **state)
{
    static const struct iskra_lba_extent wrong[] = {
        {101, 10, ISKRA_LBA_MAPPED},                   /* after it */
        {90, 10, ISKRA_LBA_MAPPED},                    /* before it */
        {100, 0, ISKRA_LBA_MAPPED},                    /* nothing */
        {UINT64_MAX - 5, UINT32_MAX, ISKRA_LBA_MAPPED} /* around the end of all numbers */
    };

    for (unsigned i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
        struct rig *r = *state;
        r->sent_cnt = 0;
        struct rig_io *io = status(r, 100, 1000, 8);
        answer_status(r, &wrong[i], 1);
        assert_int_equal(io->sreq.status, -EBADMSG);
        assert_string_equal(io->error.text,
                            "GET LBA STATUS lba 100: the answer (24 bytes) does not "
                            "begin with that block");
    }
}

static void an_empty_list_says_nothing(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = status(r, 100, 1000, 8);

    answer_status(r, NULL, 0);
    ends_well(io);
    assert_int_equal(io->sreq.extent_cnt, 1);
    extent_is(0, 100, 1000, 0);
}

static void more_blocks_than_asked_for_change_nothing(void **state)
{
    struct rig *r = *state;

    status(r, RIG_BLOCK_CNT - 4, 4, 2);
    answer_status(r, &(struct iskra_lba_extent){0, UINT32_MAX, ISKRA_LBA_MAPPED}, 1);
    assert_int_equal(r->ios[0].sreq.status, -EBADMSG);
    r->sent_cnt = 0;
    struct rig_io *io = status(r, RIG_BLOCK_CNT - 4, 4, 2);
    answer_status(r, &(struct iskra_lba_extent){RIG_BLOCK_CNT - 4, UINT32_MAX, ISKRA_LBA_MAPPED},
                  1);
    ends_well(io);
    extent_is(0, RIG_BLOCK_CNT - 4, 4, 0);
}

static void a_device_that_does_not_know_is_all_data(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = status(r, 100, 1000, 8);

    rig_answer_sense(r, 0, ISKRA_SENSE_ILLEGAL_REQUEST, 0x24, 0x00);
    ends_well(io);
    assert_int_equal(io->sreq.extent_cnt, 1);
    extent_is(0, 100, 1000, 0);
    io = status(r, 7, 10, 1); /* and is not asked again */
    rig_work(r);
    ends_well(io);
    assert_int_equal(r->sent_cnt, 1);
    extent_is(0, 7, 10, 0);
}

/* ---- what the probe makes of the pages ---- */

static void ways_follow_from_the_pages(void **state)
{
    static const struct {
        struct iskra_space_facts facts;
        bool thin;
        enum iskra_unmap_way unmap;
        enum iskra_zero_way zero;
        bool unmap_zeroes;
    } rows[] = {
        {{.zeroes_told = false}, false, ISKRA_UNMAP_NOT, ISKRA_ZERO_WRITE_SAME_16, false},
        {{.zeroes_told = false}, true, ISKRA_UNMAP_NOT, ISKRA_ZERO_WRITE_SAME_16, false},
        {{.limits = {.max_unmap_blocks = 8, .max_unmap_descriptor_cnt = 1}},
         true,
         ISKRA_UNMAP_LIST,
         ISKRA_ZERO_WRITE_SAME_16,
         false},
        {{.limits = {.max_unmap_blocks = 8, .max_unmap_descriptor_cnt = 1}},
         false, /* not thin: nothing to unmap */
         ISKRA_UNMAP_NOT,
         ISKRA_ZERO_WRITE_SAME_16,
         false},
        {{.limits = {.max_unmap_blocks = 8, .max_unmap_descriptor_cnt = 1},
          .provisioning_told = true,
          .provisioning = {.lbpws = true, .lbprz = 1}},
         true,
         ISKRA_UNMAP_WRITE_SAME_16,
         ISKRA_ZERO_WRITE_SAME_16,
         true},
        {{.provisioning_told = true, .provisioning = {.lbpu = true, .lbpws10 = true}},
         true, /* UNMAP of at most 0 blocks */
         ISKRA_UNMAP_WRITE_SAME_10,
         ISKRA_ZERO_WRITE_SAME_16,
         false},
        {{.write_same_support = ISKRA_OPCODE_UNKNOWN},
         false,
         ISKRA_UNMAP_NOT,
         ISKRA_ZERO_WRITE_SAME_10,
         false},
        {{.write_same_support = ISKRA_OPCODE_STANDARD, .write_same_ndob = true},
         false,
         ISKRA_UNMAP_NOT,
         ISKRA_ZERO_NDOB,
         false},
    };
    struct rig *r = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        r->sdev->thin = rows[i].thin;
        iskra_space_settle(r->sdev, &rows[i].facts);
        assert_string_equal(iskra_unmap_way_name(r->sdev->space.unmap),
                            iskra_unmap_way_name(rows[i].unmap));
        assert_string_equal(iskra_zero_way_name(r->sdev->space.zero),
                            iskra_zero_way_name(rows[i].zero));
        assert_int_equal(r->sdev->space.unmap_zeroes, rows[i].unmap_zeroes);
    }
}

static void limits_are_whole_blocks_and_never_none(void **state)
{
    struct rig *r = *state;
    struct iskra_space_facts facts = {
        .limits = {.max_unmap_blocks = UINT32_MAX,
                   .max_unmap_descriptor_cnt = 1,
                   .max_write_same_blocks = UINT64_MAX,
                   .max_compare_and_write_blocks = 255},
    };

    r->sdev->thin = true;
    r->sdev->block_len = 65536;
    iskra_space_settle(r->sdev, &facts);
    assert_int_equal(r->sdev->space.max_unmap_len, UINT64_C(1) << 30);
    assert_int_equal(r->sdev->space.max_zero_len, 128 * MIB);
    assert_int_equal(r->sdev->space.max_compare_len, 255 * 65536);
    facts.limits.max_unmap_blocks = 1;
    facts.limits.max_write_same_blocks = 1;
    iskra_space_settle(r->sdev, &facts);
    assert_int_equal(r->sdev->space.max_unmap_len, 65536);
    assert_int_equal(r->sdev->space.max_zero_len, 65536);
    facts.limits.max_write_same_blocks = 0;
    iskra_space_settle(r->sdev, &facts);
    assert_int_equal(r->sdev->space.max_zero_len, 32 * MIB);
}

#define T(name) cmocka_unit_test_setup_teardown(name, space_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_unmap_is_a_list_of_one_range),
        T(a_large_unmap_is_cut_at_what_the_device_takes),
        T(a_device_may_unmap_by_write_same),
        T(a_device_that_does_not_unmap_is_not_asked),
        T(an_unmap_that_is_refused_is_not_tried_again),
        T(unmaps_that_wait_when_one_is_refused_are_not_sent),
        T(an_unmap_under_way_is_not_sent_again_after_anothers_refusal),
        T(write_same_10_unmaps_nothing_beyond_32_bits),
        T(an_unmap_of_nothing_needs_no_command),
        T(an_unmap_is_repeated_after_a_unit_attention),
        T(a_protected_lun_is_neither_unmapped_nor_zeroed_nor_compared),
        T(ranges_are_judged_as_those_of_writes),
        T(zeroes_go_without_data_where_the_device_takes_that),
        T(zeroes_that_may_unmap_say_so),
        T(write_same_of_zeros_sends_one_block_of_them),
        T(each_refusal_leads_to_the_next_way_and_is_remembered),
        T(two_refusals_of_one_way_close_only_that_way),
        T(plain_writes_of_zeros_are_cut_like_all_writes),
        T(write_same_10_does_not_reach_beyond_32_bits),
        T(zeroes_with_fua_are_followed_by_a_flush),
        T(a_refused_flush_behind_zeroes_is_the_end),
        T(compare_and_write_sends_both_halves),
        T(a_miscompare_has_a_code_of_its_own),
        T(compare_and_write_is_not_sent_twice),
        T(an_aborted_compare_and_write_is_not_sent_twice),
        T(compare_and_write_waits_for_a_busy_target_as_long_as_a_write),
        T(compare_and_write_is_sent_again_when_it_was_not_executed),
        T(compare_and_write_has_its_limits),
        T(block_status_is_get_lba_status_cut_to_the_range),
        T(a_hole_is_not_said_to_be_zero_unless_the_device_says_so),
        T(descriptors_after_a_gap_do_not_count),
        T(an_answer_about_other_blocks_is_an_error),
        T(an_empty_list_says_nothing),
        T(more_blocks_than_asked_for_change_nothing),
        T(a_device_that_does_not_know_is_all_data),
        T(ways_follow_from_the_pages),
        T(limits_are_whole_blocks_and_never_none),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
