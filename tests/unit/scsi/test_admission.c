/* Who may send, and how much: counters of device, target and host, what a refusal costs, the queue
 * depth, turns; and where a large request is cut. */
#include "scsi/dispatch.h"
#include "unit/scsi/scsi_rig.h"

#define LUN(n) ((uint64_t)(n) << 48)

static struct rig_io *read_on(struct rig *r, struct iskra_sdev *sdev, unsigned n)
{
    struct iskra_sdev *own = r->sdev;
    r->sdev = sdev;
    struct rig_io *io = rig_read(r, n, n, 1);
    r->sdev = own;
    return io;
}

static void devices_that_want_the_same_place_take_turns(void **state)
{
    struct rig *r = *state;
    struct iskra_sdev *sdevs[3] = {r->sdev, rig_disk(r, LUN(1)), rig_disk(r, LUN(2))};
    r->host.can_queue = 1;
    for (unsigned i = 0; i < 12; i++)
        read_on(r, sdevs[i / 4], i);
    for (unsigned i = 0; i < 12; i++) {
        assert_int_equal(r->sent_cnt, i + 1);
        rig_answer_good(r, i);
    }
    unsigned cnt[3] = {0};
    for (unsigned i = 0; i < 12; i++) {
        unsigned n = (unsigned)(r->sent[i].lun >> 48);
        cnt[n]++;
        for (unsigned j = 0; i < 10 && j < 3; j++) /* nobody is far ahead */
            if (cnt[n] > cnt[j] + 2)
                fail_msg("command %u: device %u has had %u turns, device %u %u", i, n, cnt[n], j,
                         cnt[j]);
    }
    for (unsigned i = 0; i < 12; i++)
        assert_int_equal(r->ios[i].done_cnt, 1);
}

static void the_target_s_places_are_the_session_s(void **state)
{
    struct rig *r = *state;
    struct iskra_sdev *second = rig_disk(r, LUN(1));
    r->host.can_queue = 2;
    read_on(r, r->sdev, 0);
    read_on(r, second, 1);
    read_on(r, second, 2);
    assert_int_equal(r->sent_cnt, 2);
    assert_int_equal(r->host.target_busy, 2);
    assert_int_equal(r->host.host_busy, 2);
    assert_int_equal(second->device_busy, 1);
    rig_answer_good(r, 0);
    assert_int_equal(r->sent_cnt, 3);
    rig_answer_good(r, 1);
    rig_answer_good(r, 2);
    assert_int_equal(r->host.target_busy, 0);
    assert_int_equal(r->host.host_busy, 0);
    assert_int_equal(second->device_busy, 0);
}

/* How often it was tried again until it was sent. */
static unsigned tries_after(struct rig *r, enum iskra_queue_status refusal)
{
    uint64_t t0_ns = r->round.now_ns;
    r->refuse = refusal;
    rig_read(r, 0, 0, 1);
    assert_int_equal(r->refused_cnt, 1);
    r->refuse = ISKRA_QUEUED;
    while (r->sent_cnt == 0 && r->round.now_ns < t0_ns + RIG_S)
        rig_advance_to(r, r->round.now_ns + RIG_MS);
    assert_int_equal(r->sent_cnt, 1);
    rig_answer_good(r, 0);
    /* The first at once, the others 3 ms apart; the last one sends. */
    return 1 + (unsigned)((r->round.now_ns - t0_ns) / ISKRA_QUEUE_DELAY_NS);
}

static void a_busy_device_is_let_alone_for_3_tries(void **state)
{
    assert_int_equal(tries_after(*state, ISKRA_DEVICE_BUSY), 3);
}

static void a_busy_target_is_let_alone_for_3_tries(void **state)
{
    assert_int_equal(tries_after(*state, ISKRA_TARGET_BUSY), 3);
}

static void a_busy_host_is_let_alone_for_7_tries(void **state)
{
    assert_int_equal(tries_after(*state, ISKRA_HOST_BUSY), 7);
}

/* Two devices of one session, and a window that takes nothing for now: each refusal must wait for a
 * command that comes back, or for time, and not for the other device. */
static void a_closed_window_is_not_asked_again_and_again(void **state)
{
    struct rig *r = *state;
    struct iskra_sdev *second = rig_disk(r, LUN(1));
    for (unsigned out = 0; out < 2; out++) {
        for (unsigned i = 0; i < out; i++)
            rig_read(r, 10 + i, i, 1);
        unsigned sent_cnt = r->sent_cnt;
        r->refuse = ISKRA_TARGET_BUSY;
        r->session.window.max_cmd_sn = r->session.window.queued_cmd_sn - 1;
        r->refused_cnt = 0;
        read_on(r, r->sdev, 0);
        read_on(r, second, 1);
        rig_work(r); /* which ends */
        rig_advance_to(r, r->round.now_ns + RIG_S);
        assert_int_equal(r->sent_cnt, sent_cnt);
        assert_in_range(r->refused_cnt, 1, RIG_S / ISKRA_QUEUE_DELAY_NS);
        r->refuse = ISKRA_QUEUED;
        r->session.window.max_cmd_sn = r->session.window.queued_cmd_sn + 1000;
        if (out > 0)
            rig_answer_good(r, sent_cnt - 1);
        rig_advance_to(r, r->round.now_ns + 10 * ISKRA_QUEUE_DELAY_NS);
        assert_int_equal(r->sent_cnt, sent_cnt + 2);
        rig_answer_good(r, sent_cnt);
        rig_answer_good(r, sent_cnt + 1);
    }
}

/* Each of them counts the target's block down, so that one in three asks it: not without end. */
static void many_devices_do_not_ask_a_busy_target_without_end(void **state)
{
    struct rig *r = *state;
    struct iskra_sdev *sdevs[] = {r->sdev, rig_disk(r, LUN(1)), rig_disk(r, LUN(2)),
                                  rig_disk(r, LUN(3))};
    unsigned sent_cnt = r->sent_cnt;

    r->refuse = ISKRA_TARGET_BUSY;
    for (unsigned i = 0; i < 4; i++)
        read_on(r, sdevs[i], i);
    rig_work(r); /* which ends */
    r->refused_cnt = 0;
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_in_range(r->refused_cnt, 1, 4 * (RIG_S / ISKRA_QUEUE_DELAY_NS));
    r->refuse = ISKRA_QUEUED;
    rig_advance_to(r, r->round.now_ns + 10 * ISKRA_QUEUE_DELAY_NS);
    assert_int_equal(r->sent_cnt, sent_cnt + 4);
    for (unsigned i = 0; i < 4; i++)
        rig_answer_good(r, sent_cnt + i);
}

/* The first in the row is who looks whether the window is open again. */
static void a_turn_that_is_not_wanted_any_more_is_passed_on(void **state)
{
    struct rig *r = *state;
    struct iskra_sdev *second = rig_disk(r, LUN(1)), *third = rig_disk(r, LUN(2));
    rig_read(r, 10, 0, 1);
    unsigned sent_cnt = r->sent_cnt;

    r->refuse = ISKRA_TARGET_BUSY;
    r->session.window.max_cmd_sn = r->session.window.queued_cmd_sn - 1;
    read_on(r, second, 0);
    read_on(r, third, 1);
    rig_answer_good(r, sent_cnt - 1);
    assert_int_equal(iskra_scsi_cancel(&r->ios[0].sreq), 0);
    rig_work(r);
    assert_int_equal(r->ios[0].done_cnt, 1);
    r->refuse = ISKRA_QUEUED;
    r->session.window.max_cmd_sn = r->session.window.queued_cmd_sn + 1000;
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_int_equal(r->sent_cnt, sent_cnt + 1);
    rig_answer_good(r, sent_cnt);
}

static void an_end_clears_all_three_counters(void **state)
{
    struct rig *r = *state;
    rig_read(r, 0, 0, 1);
    r->sdev->device_blocked = r->host.target_blocked = r->host.host_blocked = 5;
    rig_read(r, 1, 1, 1); /* with one out, the counters stand still */
    assert_int_equal(r->sent_cnt, 1);
    assert_int_equal(r->sdev->device_blocked, 5);
    rig_answer_good(r, 0);
    assert_int_equal(r->sdev->device_blocked, 0);
    assert_int_equal(r->host.target_blocked, 0);
    assert_int_equal(r->host.host_blocked, 0);
    assert_int_equal(r->sent_cnt, 2);
}

static void the_depth_rises_one_by_one_and_not_beyond_what_it_was(void **state)
{
    struct rig *r = *state;
    r->sdev->queue_depth_max = 5;
    for (unsigned i = 0; i < 3; i++)
        rig_read(r, i, i, 1);
    rig_answer(r, 2, ISKRA_STATUS_TASK_SET_FULL, 512);
    assert_int_equal(r->sdev->queue_depth, 2);
    for (unsigned minutes = 0; minutes <= 10; minutes++) {
        unsigned want = 2 + minutes / 2 < 5 ? 2 + minutes / 2 : 5;
        rig_read(r, 5, 5, 1);
        while (rig_out_cnt(r) > 0)
            for (unsigned i = 0; i < r->sent_cnt; i++)
                if (r->sent[i].cmnd)
                    rig_answer_good(r, i);
        assert_int_equal(r->sdev->queue_depth, want);
        rig_advance_to(r, r->round.now_ns + 60 * RIG_S);
    }
}

static void task_set_full_with_nothing_else_out_leaves_a_depth_of_one(void **state)
{
    struct rig *r = *state;
    rig_read(r, 0, 0, 1);
    rig_answer(r, 0, ISKRA_STATUS_TASK_SET_FULL, 512);
    assert_int_equal(r->sdev->queue_depth, 1);
    rig_advance_to(r, r->round.now_ns + 20 * RIG_MS);
    assert_int_equal(r->sent_cnt, 2);
    rig_answer_good(r, 1);
    assert_int_equal(r->ios[0].done_cnt, 1);
}

/* 04h/0Ah: another path group takes over; that takes seconds, and is no error. */
static void an_alua_transition_is_waited_out(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 9, 1);
    for (unsigned i = 0; i < 20; i++) {
        uint64_t t0_ns = r->round.now_ns;
        rig_answer_sense(r, i, ISKRA_SENSE_NOT_READY, 0x04, 0x0a);
        assert_int_equal(r->sent_cnt, i + 1); /* not at once */
        while (r->sent_cnt == i + 1 && r->round.now_ns < t0_ns + RIG_S)
            rig_advance_to(r, r->round.now_ns + RIG_MS);
        assert_int_equal(r->sent[i + 1].cdb.lba, 9);
    }
    rig_answer_good(r, 20);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

/* ---- pieces ---- */

static void submit(struct rig *r, uint64_t offset, uint32_t len)
{
    struct rig_io *io = rig_io(r, 0);
    io->iov = (struct iovec){.iov_base = r->data, .iov_len = len};
    assert_int_equal(iskra_scsi_submit_read(&io->sreq, &io->iov, 1, offset, len), 0);
    rig_work(r);
    for (unsigned i = 0; i < r->sent_cnt; i++)
        rig_answer_good(r, i);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
}

/* Each command begins where the one before ended, none is too long, and all boundaries inside are
 * multiples of `unit` behind `first`. */
static void cut_at(const struct rig *r, uint64_t offset, uint32_t len, uint32_t unit,
                   uint32_t first)
{
    uint64_t pos = offset;
    for (unsigned i = 0; i < r->sent_cnt; i++) {
        const struct rig_sent *s = &r->sent[i];
        assert_true(s->cdb.lba * RIG_BLOCK_LEN == pos);
        assert_int_equal(s->iov_skip, pos - offset);
        assert_in_range(s->transfer_len, 1, r->sdev->max_transfer_len);
        if (i > 0 && (pos - first) % unit != 0)
            fail_msg("command %u begins at %llu", i, (unsigned long long)pos);
        pos += s->transfer_len;
    }
    assert_true(pos == offset + len);
}

static void pieces_end_where_physical_blocks_do(void **state)
{
    struct rig *r = *state;
    r->sdev->physical_block_len = 4096;
    submit(r, 5 * 512, 3u << 20);
    cut_at(r, 5 * 512, 3u << 20, 4096, 0);
    assert_int_equal(r->sent_cnt, 4);
}

static void pieces_end_where_the_optimal_transfer_does(void **state)
{
    struct rig *r = *state;
    r->sdev->physical_block_len = 4096;
    r->sdev->optimal_transfer_len = 192 * 1024; /* a stripe of three */
    submit(r, 7 * 512, 4u << 20);
    cut_at(r, 7 * 512, 4u << 20, 192 * 1024, 0);
}

static void an_aligned_block_that_is_not_the_first_counts(void **state)
{
    struct rig *r = *state;
    r->sdev->physical_block_len = 4096;
    r->sdev->lowest_aligned_lba = 7;
    submit(r, 0, 3u << 20);
    cut_at(r, 0, 3u << 20, 4096, 7 * 512);
}

static void a_unit_that_fits_no_command_does_not_count(void **state)
{
    struct rig *r = *state;
    static const struct {
        uint32_t max, physical, optimal;
    } rows[] = {{8192, 0, 1u << 20}, {512, 4096, 0}, {1024, 1024, 1536}, {4096, 4096, 700}};
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        r->sent_cnt = 0;
        r->sdev->max_transfer_len = rows[i].max;
        r->sdev->physical_block_len = rows[i].physical;
        r->sdev->optimal_transfer_len = rows[i].optimal;
        submit(r, 512 * 3, 65536);
        cut_at(r, 512 * 3, 65536, 512, 0);
        assert_in_range(r->sent_cnt, 65536 / rows[i].max, 2 * 65536 / rows[i].max + 1);
    }
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(devices_that_want_the_same_place_take_turns),
        T(the_target_s_places_are_the_session_s),
        T(a_busy_device_is_let_alone_for_3_tries),
        T(a_busy_target_is_let_alone_for_3_tries),
        T(a_busy_host_is_let_alone_for_7_tries),
        T(a_closed_window_is_not_asked_again_and_again),
        T(many_devices_do_not_ask_a_busy_target_without_end),
        T(a_turn_that_is_not_wanted_any_more_is_passed_on),
        T(an_end_clears_all_three_counters),
        T(the_depth_rises_one_by_one_and_not_beyond_what_it_was),
        T(task_set_full_with_nothing_else_out_leaves_a_depth_of_one),
        T(an_alua_transition_is_waited_out),
        T(pieces_end_where_physical_blocks_do),
        T(pieces_end_where_the_optimal_transfer_does),
        T(an_aligned_block_that_is_not_the_first_counts),
        T(a_unit_that_fits_no_command_does_not_count),
    };
    return cmocka_run_group_tests_name("scsi admission", tests, NULL, NULL);
}
