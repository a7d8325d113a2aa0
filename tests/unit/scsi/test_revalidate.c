/* A session came back: what is looked at before anything that waits is sent. */
#include <errno.h>

#include "scsi/revalidate.h"
#include "unit/scsi/fake_target.h"
#include "wire/vpd.h"

/* The cable is pulled: tasks come back, devices are blocked. */
static void lose(struct fake_target *t)
{
    struct rig *r = t->rig;
    void (*target)(struct rig * r, struct iskra_cmnd * cmnd) = r->target;

    iskra_shost_class_ops.block(&r->host);
    r->target = NULL;
    rig_fail_tasks(r);
    r->target = target;
    r->session.state = ISKRA_SESSION_IN_RECOVERY;
}

static void come_back(struct fake_target *t)
{
    t->rig->session.state = ISKRA_SESSION_LOGGED_IN;
    memset(t->asked, 0, sizeof(t->asked));
    iskra_shost_class_ops.unblock(&t->rig->host);
}

static struct iskra_sdev *open_disk(struct fake_target *t, uint32_t number)
{
    fake_add_disk(t, number);
    t->done_cnt = 0;
    fake_scan_lun(t, number);
    assert_int_equal(t->status, 0);
    t->rig->sdev = t->sdev;
    t->rig->ready_cnt = 0;
    return t->sdev;
}

static void run(struct fake_target *t, uint64_t ns)
{
    rig_advance_to(t->rig, t->rig->round.now_ns + ns);
}

static void expect_read(const struct fake_target *t, const struct rig_io *io, int status)
{
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, status);
    assert_int_equal(t->asked[ISKRA_SCSI_READ_10], status == 0);
}

static bool read_before_identity(struct fake_target *t, struct iskra_cmnd *cmnd,
                                 const struct iskra_cdb *cdb)
{
    (void)cmnd;
    if (cdb->opcode == ISKRA_SCSI_READ_10) {
        assert_int_equal(t->asked[ISKRA_SCSI_TEST_UNIT_READY], 1);
        assert_true(t->asked[ISKRA_SCSI_INQUIRY] >= 4); /* itself, which pages, 80h, 83h */
        assert_int_equal(t->asked[ISKRA_SCSI_SERVICE_ACTION_IN_16], 1);
    }
    return false;
}

static void the_same_disk_gets_what_waited_after_it_was_looked_at(void **state)
{
    struct fake_target *t = *state;
    struct iskra_sdev *sdev = open_disk(t, 3);

    lose(t);
    struct rig_io *io = rig_read(t->rig, 0, 0, 1);
    run(t, RIG_S);
    assert_int_equal(io->done_cnt, 0);
    t->lie = read_before_identity;
    come_back(t);
    assert_int_equal(sdev->state, ISKRA_SDEV_QUIESCE);
    assert_int_equal(t->rig->ready_cnt, 0);
    run(t, RIG_S);
    expect_read(t, io, 0);
    assert_int_equal(sdev->state, ISKRA_SDEV_RUNNING);
    assert_int_equal(t->rig->ready_cnt, 1);
}

static void another_disk_gets_nothing_and_each_request_is_told_why(void **state)
{
    struct fake_target *t = *state;
    struct iskra_sdev *sdev = open_disk(t, 3);

    lose(t);
    struct rig_io *io = rig_read(t->rig, 0, 0, 1);
    t->luns[0].generation = 1;
    come_back(t);
    run(t, RIG_S);
    expect_read(t, io, -ESTALE);
    assert_int_equal(io->error.code, ISKRA_E_OFFLINE);
    assert_string_equal(io->error.text, "READ lba 0, 1 block: LUN 3 is another disk than before: "
                                        "its name was naa.6001405abc and is naa.6001405abd");
    assert_int_equal(sdev->state, ISKRA_SDEV_OFFLINE);
    assert_int_equal(t->rig->ready_cnt, 1);
    io = rig_read(t->rig, 1, 0, 1);
    run(t, RIG_S);
    expect_read(t, io, -ESTALE);
}

static void the_right_disk_at_a_later_login_is_used_again(void **state)
{
    struct fake_target *t = *state;

    open_disk(t, 3);
    lose(t);
    t->luns[0].generation = 1;
    come_back(t);
    run(t, RIG_S);
    assert_int_equal(t->rig->sdev->state, ISKRA_SDEV_OFFLINE);
    lose(t);
    t->luns[0].generation = 0;
    come_back(t);
    struct rig_io *io = rig_read(t->rig, 0, 0, 1);
    run(t, RIG_S);
    expect_read(t, io, 0);
}

static void a_lun_that_is_gone_is_said_to_be(void **state)
{
    struct fake_target *t = *state;

    open_disk(t, 3);
    lose(t);
    t->lun_cnt = 0;
    struct rig_io *io = rig_read(t->rig, 0, 0, 1);
    come_back(t);
    run(t, RIG_S);
    expect_read(t, io, -ENXIO);
    assert_string_equal(io->error.text, "READ lba 0, 1 block: no LUN 3 at this target");
}

static void another_block_length_is_another_disk(void **state)
{
    struct fake_target *t = *state;

    open_disk(t, 3);
    lose(t);
    t->luns[0].capacity.block_len = 4096;
    struct rig_io *io = rig_read(t->rig, 0, 0, 1);
    come_back(t);
    run(t, RIG_S);
    expect_read(t, io, -ESTALE);
    assert_string_equal(io->error.text, "READ lba 0, 1 block: LUN 3 is another disk than before: "
                                        "its block length was 512 and is 4096");
}

static void another_size_is_taken_over_and_told(void **state)
{
    struct fake_target *t = *state;
    struct iskra_sdev *sdev = open_disk(t, 3);

    for (unsigned i = 0; i < 2; i++) {
        uint64_t was = sdev->block_cnt, is = i == 0 ? 409600 : 1000;
        lose(t);
        t->luns[0].capacity.last_lba = is - 1;
        come_back(t);
        run(t, RIG_S);
        assert_int_equal(sdev->state, ISKRA_SDEV_RUNNING);
        assert_int_equal(sdev->block_cnt, is);
        assert_int_equal(t->rig->capacity_cnt, i + 1);
        assert_int_equal(t->rig->capacity_was, was);
    }
    struct rig_io *io = rig_io(t->rig, 0);
    io->iov = (struct iovec){.iov_base = t->rig->data, .iov_len = 512};
    assert_int_equal(iskra_scsi_submit_read(&io->sreq, &io->iov, 1, 1000 * 512, 512), -ERANGE);
}

static void write_protection_is_taken_over_and_told(void **state)
{
    struct fake_target *t = *state;
    struct iskra_sdev *sdev = open_disk(t, 3);

    for (unsigned i = 0; i < 3; i++) {
        lose(t);
        t->writable = i != 1;
        t->rig->eh.note_cnt = 0;
        come_back(t);
        run(t, RIG_S);
        assert_int_equal(sdev->write_protected, i == 1);
        assert_true(
            rig_noted(t->rig, i == 1 ? "LUN 3 is write-protected now" : "LUN 3 is writable now"));
    }
    lose(t); /* no news */
    t->rig->eh.note_cnt = 0;
    come_back(t);
    run(t, RIG_S);
    assert_int_equal(t->rig->eh.note_cnt, 0);
}

static void unit_attentions_are_drained_and_each_is_told(void **state)
{
    struct fake_target *t = *state;

    open_disk(t, 3);
    lose(t);
    t->rig->ua_cnt = 0;
    t->ua_cnt = 20;
    struct rig_io *io = rig_read(t->rig, 0, 0, 1);
    come_back(t);
    run(t, RIG_S);
    expect_read(t, io, 0);
    assert_int_equal(t->rig->ua_cnt, 20);
}

static bool lost_write(struct fake_target *t, struct iskra_cmnd *cmnd, const struct iskra_cdb *cdb)
{
    static const struct iskra_sense lost = {
        .valid = true, .deferred = true, .key = ISKRA_SENSE_MEDIUM_ERROR, .asc = 0x0c};

    if (cdb->opcode != ISKRA_SCSI_TEST_UNIT_READY || t->asked[ISKRA_SCSI_TEST_UNIT_READY] > 1)
        return false;
    rig_set_sense(cmnd, &lost);
    return true;
}

static void a_lost_write_that_is_told_then_fails_the_next_flush(void **state)
{
    struct fake_target *t = *state;
    struct iskra_sdev *sdev = open_disk(t, 3);

    lose(t);
    t->lie = lost_write;
    come_back(t);
    run(t, RIG_S);
    assert_int_equal(sdev->state, ISKRA_SDEV_RUNNING);
    assert_true(sdev->lost_write.valid);
}

static void a_session_lost_in_the_middle_begins_anew(void **state)
{
    struct fake_target *t = *state;
    struct rig *r = t->rig;

    open_disk(t, 3);
    for (unsigned step = 0; step < 6; step++) {
        lose(t);
        struct rig_io *io = rig_read(r, 0, 0, 1);
        r->target = NULL;
        r->sent_cnt = 0;
        come_back(t);
        rig_work(r);
        for (unsigned i = 0; i < step; i++) { /* that many answers come */
            struct iskra_cmnd *cmnd = r->sent[r->sent_cnt - 1].cmnd;
            r->sent[r->sent_cnt - 1].cmnd = NULL;
            cmnd->task = NULL;
            cmnd->result = 0;
            fake_answer(r, cmnd);
            cmnd->scsi_done(cmnd);
            rig_work(r);
        }
        r->ready_cnt = 0;
        lose(t);
        t->luns[0].generation = 1; /* what was said before must not count */
        r->target = fake_answer;
        come_back(t);
        run(t, RIG_S);
        expect_read(t, io, -ESTALE);
        assert_int_equal(r->ready_cnt, 1);
        lose(t); /* the right disk again, for the next step */
        t->luns[0].generation = 0;
        come_back(t);
        run(t, RIG_S);
    }
}

static bool busy(struct fake_target *t, struct iskra_cmnd *cmnd, const struct iskra_cdb *cdb)
{
    (void)t;
    if (cdb->opcode != ISKRA_SCSI_INQUIRY)
        return false;
    fake_refuse(cmnd, ISKRA_SENSE_HARDWARE_ERROR, 0x44, 0x00);
    return true;
}

static void no_answer_that_decides_is_asked_for_again(void **state)
{
    struct fake_target *t = *state;

    open_disk(t, 3);
    lose(t);
    t->lie = busy;
    struct rig_io *io = rig_read(t->rig, 0, 0, 1);
    come_back(t);
    run(t, 60 * RIG_S);
    assert_int_equal(io->done_cnt, 0);
    assert_int_equal(t->rig->ready_cnt, 0);
    assert_in_range(t->asked[ISKRA_SCSI_TEST_UNIT_READY], 30, 61); /* no faster than each second */
    t->lie = NULL;
    run(t, 2 * RIG_S);
    expect_read(t, io, 0);
    assert_int_equal(t->rig->ready_cnt, 1);
}

/* Decision 14: what a request may take does not count the time for which its session, or the answer
 * who is there, is away. */
static bool busy_once(struct fake_target *t, struct iskra_cmnd *cmnd, const struct iskra_cdb *cdb)
{
    if (cdb->opcode != ISKRA_SCSI_READ_10 || t->asked[ISKRA_SCSI_READ_10] > 1)
        return false;
    cmnd->result = ISKRA_STATUS_BUSY;
    cmnd->residual = cmnd->transfer_len;
    return true;
}

static void the_time_it_takes_does_not_count_for_what_waits(void **state)
{
    struct fake_target *t = *state;
    void (*target)(struct rig * r, struct iskra_cmnd * cmnd) = t->rig->target;

    open_disk(t, 3);
    t->rig->target = NULL;
    struct rig_io *io = rig_read(t->rig, 0, 0, 1);
    run(t, 20 * RIG_S); /* it is out, and counts */
    t->rig->target = target;
    lose(t);
    t->lie = busy;
    come_back(t);
    run(t, 1000 * RIG_S);
    assert_int_equal(io->done_cnt, 0);
    t->lie = busy_once;
    run(t, 2 * RIG_S);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(t->asked[ISKRA_SCSI_READ_10], 2);
}

static void too_long_a_wait_ends_the_requests_and_the_answer_revives_the_disk(void **state)
{
    struct fake_target *t = *state;

    open_disk(t, 3);
    lose(t);
    t->lie = busy;
    struct rig_io *io = rig_read(t->rig, 0, 0, 1);
    come_back(t);
    run(t, 10 * RIG_S);
    iskra_shost_class_ops.transport_offline(&t->rig->host); /* the replacement timer */
    run(t, RIG_S);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, -ETIMEDOUT);
    assert_string_equal(
        io->error.text,
        "READ lba 0, 1 block: LUN 3 has not told after a new login whether it is "
        "the same disk: INQUIRY: CHECK CONDITION, HARDWARE ERROR (4h), INTERNAL TARGET "
        "FAILURE (44h/00h)");
    t->lie = NULL;
    run(t, 2 * RIG_S);
    assert_int_equal(t->rig->sdev->state, ISKRA_SDEV_RUNNING);
    io = rig_read(t->rig, 1, 0, 1);
    run(t, RIG_S);
    expect_read(t, io, 0);
}

static void a_device_that_was_never_asked_runs_at_once(void **state)
{
    struct fake_target *t = *state;

    fake_add_disk(t, 0);
    t->rig->sdev = rig_disk(t->rig, 0);
    lose(t);
    struct rig_io *io = rig_tur(t->rig, 0);
    t->ua_cnt = 1;
    come_back(t);
    assert_int_equal(t->rig->ready_cnt, 1);
    run(t, RIG_S);
    assert_int_equal(io->done_cnt, 1); /* and sees its unit attention itself */
    assert_int_equal(io->sreq.status, -EIO);
    assert_int_equal(t->asked[ISKRA_SCSI_INQUIRY], 0);
}

static void many_disks_are_looked_at_together(void **state)
{
    struct fake_target *t = *state;
    struct rig *r = t->rig;

    for (unsigned n = 0; n < 300; n++)
        open_disk(t, n);
    lose(t);
    r->target = NULL;
    r->sent_cnt = 0;
    come_back(t);
    rig_work(r);
    assert_int_equal(rig_out_cnt(r), r->host.can_queue); /* as many as may be out */
    r->target = fake_answer;
    run(t, RIG_S);
    assert_int_equal(r->ready_cnt, 1);
}

static void a_device_may_be_removed_in_the_middle(void **state)
{
    struct fake_target *t = *state;
    struct rig *r = t->rig;

    open_disk(t, 3);
    lose(t);
    r->target = NULL;
    r->sent_cnt = 0;
    come_back(t);
    rig_work(r);
    iskra_sdev_remove(r->sdev, NULL, NULL);
    assert_int_equal(r->ready_cnt, 1);
    r->target = fake_answer;
    run(t, RIG_S);
    assert_true(iskra_list_empty(&r->host.devices));
}

static void the_host_may_go_in_the_middle(void **state)
{
    struct fake_target *t = *state;

    open_disk(t, 3);
    lose(t);
    t->rig->target = NULL;
    come_back(t);
    rig_work(t->rig); /* the rest is the end of every test: nothing is left */
}

static bool silent_after_names(struct fake_target *t, struct iskra_cmnd *cmnd,
                               const struct iskra_cdb *cdb)
{
    (void)cmnd;
    if ((cdb->flags & ISKRA_CDB_EVPD) != 0 && cdb->page == ISKRA_VPD_DEVICE_ID)
        t->rig->target = NULL;
    return false;
}

/* Half of a LUN has been asked for when the session is lost. */
static void begin_to_open(struct fake_target *t)
{
    fake_add_disk(t, 0);
    t->lie = silent_after_names;
    assert_int_equal(iskra_scan_lun(&t->rig->host, 0, fake_lun_done, t, &t->scan, NULL), 0);
    rig_work(t->rig);
    assert_int_equal(t->done_cnt, 0);
    lose(t);
}

static void
a_lun_that_is_opened_while_the_session_is_lost_is_the_disk_that_is_there_afterwards(void **state)
{
    struct fake_target *t = *state;

    begin_to_open(t);
    t->luns[0].generation = 1;
    t->lie = NULL;
    t->rig->target = fake_answer;
    come_back(t);
    run(t, RIG_S);
    assert_int_equal(t->done_cnt, 1);
    assert_int_equal(t->status, 0);
    assert_string_equal(t->sdev->identity, "naa.6001405abd");
    assert_int_equal(t->sdev->block_cnt, 204800);
}

static void a_lun_whose_session_is_lost_over_and_over_is_not_opened_for_ever(void **state)
{
    struct fake_target *t = *state;
    unsigned lost_cnt = 1;

    for (begin_to_open(t); lost_cnt < 100; lost_cnt++) {
        t->rig->target = fake_answer;
        come_back(t);
        run(t, RIG_S);
        if (t->done_cnt > 0)
            break;
        lose(t);
    }
    assert_int_equal(lost_cnt, 4);
    assert_int_equal(t->status, -ECONNABORTED);
    assert_string_equal(t->error.text, "the session was lost 4 times while the LUN was looked at");
}

/* The session was lost for its sake: neither INQUIRY nor the abort was answered. */
static void a_lun_that_does_not_answer_is_not_asked_again_after_a_new_login(void **state)
{
    struct fake_target *t = *state;
    struct rig *r = t->rig;

    fake_add_disk(t, 0);
    r->target = NULL;
    r->verdict = ISKRA_EH_NOT_HANDLED;
    r->eh.answer[RIG_ABORT] = RIG_EH_SILENT;
    assert_int_equal(iskra_scan_lun(&r->host, 0, fake_lun_done, t, &t->scan, NULL), 0);
    run(t, 25 * RIG_S);
    iskra_shost_class_ops.block(&r->host);
    r->session.state = ISKRA_SESSION_IN_RECOVERY;
    rig_answer(r, r->sent_cnt - 1, ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0), 0);
    rig_eh_tell(r, RIG_ABORT, ISKRA_EH_FAILED);
    r->target = fake_answer;
    come_back(t);
    rig_eh_tell(r, RIG_SESSION_RESET, ISKRA_EH_SUCCESS);
    run(t, RIG_S);
    assert_int_equal(t->done_cnt, 1);
    assert_int_equal(t->status, -ETIMEDOUT);
    assert_int_equal(t->asked[ISKRA_SCSI_INQUIRY], 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(the_same_disk_gets_what_waited_after_it_was_looked_at),
        T(another_disk_gets_nothing_and_each_request_is_told_why),
        T(the_right_disk_at_a_later_login_is_used_again),
        T(a_lun_that_is_gone_is_said_to_be),
        T(another_block_length_is_another_disk),
        T(another_size_is_taken_over_and_told),
        T(write_protection_is_taken_over_and_told),
        T(unit_attentions_are_drained_and_each_is_told),
        T(a_lost_write_that_is_told_then_fails_the_next_flush),
        T(a_session_lost_in_the_middle_begins_anew),
        T(no_answer_that_decides_is_asked_for_again),
        T(the_time_it_takes_does_not_count_for_what_waits),
        T(too_long_a_wait_ends_the_requests_and_the_answer_revives_the_disk),
        T(a_device_that_was_never_asked_runs_at_once),
        T(many_disks_are_looked_at_together),
        T(a_device_may_be_removed_in_the_middle),
        T(the_host_may_go_in_the_middle),
        T(a_lun_that_is_opened_while_the_session_is_lost_is_the_disk_that_is_there_afterwards),
        T(a_lun_whose_session_is_lost_over_and_over_is_not_opened_for_ever),
        T(a_lun_that_does_not_answer_is_not_asked_again_after_a_new_login),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
