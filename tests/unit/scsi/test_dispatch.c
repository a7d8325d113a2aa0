/* Admission, busy answers, order, cancelling. */
#include <errno.h>

#include "scsi/dispatch.h"
#include "unit/scsi/scsi_rig.h"

static void a_read_becomes_one_command_with_its_lba_and_length(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 2048, 256);

    assert_int_equal(r->sent_cnt, 1);
    assert_int_equal(r->sent[0].cdb.opcode, ISKRA_SCSI_READ_10);
    assert_int_equal(r->sent[0].cdb.lba, 2048);
    assert_int_equal(r->sent[0].cdb.block_cnt, 256);
    assert_int_equal(r->sent[0].transfer_len, 256 * 512);
    assert_int_equal(r->sent[0].cmnd->dir, ISKRA_DIR_READ);
    assert_int_equal(r->host.host_busy, 1);
    assert_int_equal(r->sdev->device_busy, 1);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(r->host.host_busy, 0);
    assert_int_equal(r->host.target_busy, 0);
    assert_int_equal(r->sdev->device_busy, 0);
}

static void read_16_begins_where_read_10_cannot_reach(void **state)
{
    static const struct {
        uint64_t lba;
        uint32_t block_cnt;
        uint8_t want;
    } rows[] = {
        {0, 2048, ISKRA_SCSI_READ_10},
        {UINT64_C(0xffffffff), 1, ISKRA_SCSI_READ_10},
        {UINT64_C(0xffffffff), 2, ISKRA_SCSI_READ_16},
        {UINT64_C(0x100000000), 1, ISKRA_SCSI_READ_16},
    };
    struct rig *r = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        rig_read(r, i, rows[i].lba, rows[i].block_cnt);
        assert_int_equal(r->sent[i].cdb.opcode, rows[i].want);
        assert_int_equal(r->sent[i].cdb.lba, rows[i].lba);
        assert_int_equal(r->sent[i].cdb.block_cnt, rows[i].block_cnt);
    }
    r->sdev->max_transfer_len = 0x10000 * 512; /* one block more than READ(10) counts */
    static struct iovec iov[16];
    for (int i = 0; i < 16; i++)
        iov[i] = (struct iovec){.iov_base = r->data, .iov_len = 4 * 1024 * 1024};
    struct rig_io *io = rig_io(r, 10);
    assert_int_equal(iskra_scsi_submit_read(&io->sreq, iov, 16, 0, 0x10000 * 512), 0);
    assert_int_equal(r->sent[4].cdb.opcode, ISKRA_SCSI_READ_16);
    assert_int_equal(r->sent[4].cdb.block_cnt, 0x10000);
}

static void a_read_is_checked_before_it_is_taken(void **state)
{
    static const struct {
        uint64_t offset, len;
        size_t room;
        int want;
        const char *text;
    } rows[] = {
        {100, 512, 512, -EINVAL, "offset 100 is not a multiple of the block length 512"},
        {512, 100, 512, -EINVAL, "length 100 is not a multiple of the block length 512"},
        {0, 1024, 512, -EINVAL, "room for 512 bytes, 1024 are to come"},
        {UINT64_C(4398046511104), 512, 512, -ERANGE,
         "512 bytes at offset 4398046511104 go beyond the end of the disk at 4398046511104"},
        {UINT64_C(0xfffffffffffffe00), 512, 512, -ERANGE, NULL},
        {0, UINT64_C(0xfffffffffffffe00), 512, -ERANGE, NULL},
    };
    struct rig *r = *state;

    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig_io *io = rig_io(r, 0);
        io->iov = (struct iovec){.iov_base = r->data, .iov_len = rows[i].room};
        assert_int_equal(
            iskra_scsi_submit_read(&io->sreq, &io->iov, 1, rows[i].offset, rows[i].len),
            rows[i].want);
        assert_int_equal(io->error.code, ISKRA_E_USAGE);
        if (rows[i].text != NULL)
            assert_string_equal(io->error.text, rows[i].text);
        rig_work(r);
        assert_int_equal(io->done_cnt, 0);
    }
    r->sdev->capacity_known = false;
    struct rig_io *io = rig_io(r, 0);
    assert_int_equal(iskra_scsi_submit_read(&io->sreq, NULL, 0, 0, 0), -ENODEV);
}

static void a_read_of_nothing_is_done_without_a_command(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 5, 0);

    assert_int_equal(io->done_cnt, 0);
    rig_work(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(r->sent_cnt, 0);
}

static void a_cdb_without_a_length_or_with_too_much_is_refused(void **state)
{
    static const uint8_t cdb[ISKRA_ECDB_LEN_MAX + 1];
    struct rig *r = *state;
    struct rig_io *io = rig_io(r, 0);

    assert_int_equal(iskra_scsi_submit_raw(&io->sreq, cdb, 0, ISKRA_DIR_NONE, NULL, 0, 0), -EINVAL);
    io = rig_io(r, 0);
    assert_int_equal(iskra_scsi_submit_raw(&io->sreq, cdb, sizeof(cdb), ISKRA_DIR_NONE, NULL, 0, 0),
                     -EINVAL);
    io = rig_io(r, 0);
    assert_int_equal(
        iskra_scsi_submit_raw(&io->sreq, cdb, sizeof(cdb) - 1, ISKRA_DIR_NONE, NULL, 0, 0), 0);
    assert_int_equal(r->sent[0].cmnd->cdb_len, ISKRA_ECDB_LEN_MAX);
}

static void the_device_takes_its_queue_depth_and_no_more(void **state)
{
    struct rig *r = *state;

    r->sdev->queue_depth = 4;
    for (unsigned i = 0; i < 6; i++)
        rig_read(r, i, i, 1);
    assert_int_equal(r->sent_cnt, 4);
    rig_answer_good(r, 1);
    assert_int_equal(r->sent_cnt, 5);
    assert_int_equal(r->sent[4].cdb.lba, 4);
    assert_int_equal(r->sdev->device_busy, 4);
}

static void the_host_takes_can_queue_over_all_devices_and_serves_the_starved(void **state)
{
    struct rig *r = *state;
    struct iskra_sdev *first = r->sdev, *second = rig_disk(r, UINT64_C(1) << 48);

    r->host.can_queue = 3;
    for (unsigned i = 0; i < 3; i++)
        rig_read(r, i, i, 1);
    r->sdev = second;
    for (unsigned i = 3; i < 6; i++)
        rig_read(r, i, 100 + i, 1);
    assert_int_equal(r->sent_cnt, 3);
    assert_false(iskra_list_empty(&r->host.starved));
    assert_int_equal(second->device_busy, 0);
    rig_answer_good(r, 0);
    assert_int_equal(r->sent_cnt, 4);
    assert_int_equal(r->sent[3].lun, UINT64_C(1) << 48);
    assert_int_equal(r->sent[3].cdb.lba, 103);
    rig_answer_good(r, 1);
    rig_answer_good(r, 2);
    assert_int_equal(r->sent_cnt, 6);
    assert_int_equal(r->host.host_busy, 3);
    assert_true(iskra_list_empty(&r->host.starved));
    assert_int_equal(first->device_busy, 0);
    assert_int_equal(second->device_busy, 3);
}

static void a_closed_window_is_tried_again_after_a_delay_and_the_request_goes(void **state)
{
    struct rig *r = *state;
    uint64_t t0_ns = r->round.now_ns;

    r->refuse = ISKRA_TARGET_BUSY;
    struct rig_io *io = rig_read(r, 0, 7, 1);
    assert_int_equal(r->refused_cnt, 1);
    assert_int_equal(r->host.target_blocked, ISKRA_TARGET_BLOCKED);
    assert_int_equal(r->sdev->device_busy, 0);
    assert_int_equal(r->host.host_busy, 0);
    assert_true(iskra_list_empty(&io->sreq.rq.timeout_link)); /* nobody has it: nothing expires */
    rig_advance_to(r, t0_ns + 100 * RIG_MS);
    unsigned tries = r->refused_cnt;
    assert_in_range(tries, 5, 40); /* it goes on trying, and does not spin */
    r->refuse = ISKRA_QUEUED;
    rig_advance_to(r, t0_ns + 120 * RIG_MS);
    assert_int_equal(r->sent_cnt, 1);
    rig_answer_good(r, 0);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(r->host.target_blocked, 0);
}

/* Nobody has the request, so no deadline runs for it: without a limit it would wait for ever. */
static void a_window_that_never_opens_costs_one_timeout_and_the_session(void **state)
{
    struct rig *r = *state;
    uint64_t t0_ns = r->round.now_ns;

    r->refuse = ISKRA_TARGET_BUSY;
    struct rig_io *io = rig_read(r, 0, 7, 1);
    rig_advance_to(r, t0_ns + 29 * RIG_S);
    assert_int_equal(io->done_cnt, 0);
    assert_int_equal(r->fail_session_cnt, 0);
    rig_advance_to(r, t0_ns + 31 * RIG_S);
    assert_int_equal(r->fail_session_cnt, 1);
    assert_int_equal(r->eh.cnt[RIG_LUN_RESET] + r->eh.cnt[RIG_TARGET_RESET], 0);
    rig_fail_tasks(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -ETIMEDOUT);
    assert_int_equal(r->host.host_busy, 0);
}

/* What was given up has no deadline any more: the session reset may take longer than that. */
static void a_request_given_up_for_a_closed_window_does_not_expire_as_well(void **state)
{
    struct rig *r = *state;

    r->refuse = ISKRA_TARGET_BUSY;
    r->eh.answer[RIG_SESSION_RESET] = RIG_EH_SILENT;
    struct rig_io *io = rig_read(r, 0, 7, 1);
    rig_advance_to(r, r->round.now_ns + 200 * RIG_S);
    assert_int_equal(r->judged_cnt, 0);
    assert_int_equal(io->done_cnt, 0);
    rig_eh_tell(r, RIG_SESSION_RESET, ISKRA_EH_FAILED);
    rig_advance_to(r, r->round.now_ns + 200 * RIG_S);
    assert_int_equal(io->done_cnt, 1);
}

static void a_window_that_opens_in_time_starts_the_limit_anew(void **state)
{
    struct rig *r = *state;

    for (unsigned i = 0; i < 3; i++) {
        r->refuse = ISKRA_TARGET_BUSY;
        struct rig_io *io = rig_read(r, i, 7, 1);
        rig_advance_to(r, r->round.now_ns + 20 * RIG_S);
        r->refuse = ISKRA_QUEUED;
        rig_advance_to(r, r->round.now_ns + RIG_S);
        rig_answer_good(r, i);
        assert_int_equal(io->done_cnt, 1);
        assert_int_equal(io->sreq.status, 0);
    }
    assert_int_equal(r->fail_session_cnt, 0);
}

static void a_closed_window_is_tried_again_when_a_command_comes_back(void **state)
{
    struct rig *r = *state;

    rig_read(r, 0, 0, 1);
    r->refuse = ISKRA_TARGET_BUSY;
    rig_read(r, 1, 1, 1);
    rig_work(r);
    assert_int_equal(r->refused_cnt, 1); /* while one is out there is no hurry */
    r->refuse = ISKRA_QUEUED;
    rig_answer_good(r, 0);
    assert_int_equal(r->sent_cnt, 2);
    assert_int_equal(r->sent[1].cdb.lba, 1);
}

static void each_refusal_sets_the_counter_of_whom_it_names(void **state)
{
    struct rig *r = *state;

    r->refuse = ISKRA_HOST_BUSY;
    rig_read(r, 0, 0, 1);
    assert_int_equal(r->host.host_blocked, ISKRA_HOST_BLOCKED);
    r->host.host_blocked = 0;
    r->refuse = ISKRA_DEVICE_BUSY;
    iskra_run_queue(&r->sdev->queue);
    assert_int_equal(r->sdev->device_blocked, ISKRA_DEVICE_BLOCKED);
    assert_int_equal(r->host.host_blocked, 0);
    assert_int_equal(r->host.target_blocked, 0);
    r->refuse = ISKRA_QUEUED;
    rig_advance_to(r, r->round.now_ns + 100 * RIG_MS);
    assert_int_equal(r->sent_cnt, 1);
}

static void refused_requests_keep_their_order(void **state)
{
    struct rig *r = *state;

    r->refuse = ISKRA_TARGET_BUSY;
    for (unsigned i = 0; i < 5; i++)
        rig_read(r, i, i, 1);
    r->refuse = ISKRA_QUEUED;
    rig_advance_to(r, r->round.now_ns + 100 * RIG_MS);
    assert_int_equal(r->sent_cnt, 5);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(r->sent[i].cdb.lba, i);
}

static void requests_of_a_lost_session_go_out_again_in_their_old_order(void **state)
{
    struct rig *r = *state;
    const unsigned back[] = {2, 0, 3, 1};

    for (unsigned i = 0; i < 4; i++)
        rig_read(r, i, i, 1);
    rig_session_lost(r, "gone");
    iskra_shost_class_ops.block(&r->host);
    for (unsigned i = 0; i < 4; i++)
        rig_answer(r, back[i], ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0), 512);
    rig_read(r, 4, 4, 1);
    rig_advance_to(r, r->round.now_ns + 60 * RIG_S);
    assert_int_equal(r->sent_cnt, 4);
    r->session.state = ISKRA_SESSION_LOGGED_IN;
    iskra_shost_class_ops.unblock(&r->host);
    assert_int_equal(r->sent_cnt, 9);
    for (unsigned i = 0; i < 5; i++)
        assert_int_equal(r->sent[4 + i].cdb.lba, i);
}

static void nothing_is_sent_while_the_session_is_dead_and_nothing_spins(void **state)
{
    struct rig *r = *state;

    rig_session_lost(r, "gone");
    struct rig_io *io = rig_read(r, 0, 0, 1);
    unsigned looks = 0;
    uint64_t next_ns;
    for (; (next_ns = iskra_timers_next_ns(&r->round.timers)) < r->round.now_ns + 60 * RIG_S;
         looks++)
        rig_advance_to(r, next_ns);
    assert_int_equal(looks, 0);
    assert_int_equal(io->done_cnt, 0);
    assert_int_equal(r->sent_cnt, 0);
}

static void a_session_that_ends_kills_what_waits_with_its_own_words(void **state)
{
    struct rig *r = *state;

    rig_session_lost(r, "connection to 127.0.0.1:3260 lost: closed by the target");
    iskra_shost_class_ops.block(&r->host);
    struct rig_io *io = rig_read(r, 0, 0, 8);
    rig_work(r);
    assert_int_equal(io->done_cnt, 0);
    iskra_shost_class_ops.transport_offline(&r->host);
    rig_work(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -104);
    assert_int_equal(io->error.code, ISKRA_E_CONNECTION);
    assert_int_equal(io->error.conn_error, ISKRA_CONN_TCP_CONN_CLOSE);
    assert_string_equal(
        io->error.text,
        "READ lba 0, 8 blocks: connection to 127.0.0.1:3260 lost: closed by the target");
    /* And so does what comes later, even when the session object is gone. */
    iskra_shost_set_session(&r->host, NULL);
    io = rig_read(r, 1, 0, 1);
    rig_work(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->error.code, ISKRA_E_CONNECTION);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_read_becomes_one_command_with_its_lba_and_length),
        T(read_16_begins_where_read_10_cannot_reach),
        T(a_read_is_checked_before_it_is_taken),
        T(a_read_of_nothing_is_done_without_a_command),
        T(a_cdb_without_a_length_or_with_too_much_is_refused),
        T(the_device_takes_its_queue_depth_and_no_more),
        T(the_host_takes_can_queue_over_all_devices_and_serves_the_starved),
        T(a_closed_window_is_tried_again_after_a_delay_and_the_request_goes),
        T(a_window_that_never_opens_costs_one_timeout_and_the_session),
        T(a_request_given_up_for_a_closed_window_does_not_expire_as_well),
        T(a_window_that_opens_in_time_starts_the_limit_anew),
        T(a_closed_window_is_tried_again_when_a_command_comes_back),
        T(each_refusal_sets_the_counter_of_whom_it_names),
        T(refused_requests_keep_their_order),
        T(requests_of_a_lost_session_go_out_again_in_their_old_order),
        T(nothing_is_sent_while_the_session_is_dead_and_nothing_spins),
        T(a_session_that_ends_kills_what_waits_with_its_own_words),
    };
    return cmocka_run_group_tests_name("scsi dispatch", tests, NULL, NULL);
}
