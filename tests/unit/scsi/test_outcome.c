/* Whose story is told, and what it says: of the command that failed, of its last try. */
#include <errno.h>

#include "unit/scsi/scsi_rig.h"

static void session_tells(struct rig_io *io, const char *text)
{
    assert_ptr_equal(io->sreq.cmnd.error, &io->error);
    io->error = (struct iskra_error){.code = ISKRA_E_RESPONSE, .sys_errno = EIO};
    strcpy(io->error.text, text);
    io->sreq.cmnd.told = true;
}

static void an_answer_the_session_refused_keeps_its_story(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    session_tells(io, "response code 1");
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_BAD_TARGET, 0), 0);
    assert_int_equal(io->sreq.status, -EIO);
    assert_int_equal(io->error.code, ISKRA_E_RESPONSE);
    assert_string_equal(io->error.text, "READ(10) lba 0, 1 block: response code 1");
}

/* Both end in one round: neither tells the other's story. */
static void commands_that_fail_together_tell_each_its_own_story(void **state)
{
    struct rig *r = *state;
    struct rig_io *first = rig_read(r, 0, 0, 1);
    struct rig_io *second = rig_read(r, 1, 7, 1);

    session_tells(first, "response code 1");
    session_tells(second, "response code 2");
    for (unsigned i = 0; i < 2; i++) {
        struct iskra_cmnd *cmnd = r->sent[i].cmnd;
        r->sent[i].cmnd = NULL;
        cmnd->result = ISKRA_RESULT(ISKRA_DID_BAD_TARGET, 0);
        cmnd->scsi_done(cmnd);
    }
    rig_work(r);
    assert_string_equal(first->error.text, "READ(10) lba 0, 1 block: response code 1");
    assert_string_equal(second->error.text, "READ(10) lba 7, 1 block: response code 2");
}

static void a_try_that_goes_well_leaves_no_story_of_an_earlier_one(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = rig_read(r, 0, 0, 1);

    session_tells(io, "rejected");
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_SOFT_ERROR, 0), 512);
    assert_int_equal(io->done_cnt, 0);
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_int_equal(r->sent_cnt, 2);
    assert_false(io->sreq.cmnd.told);
    rig_answer_good(r, 1);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, 0);
    assert_int_equal(io->error.code, ISKRA_OK);
    assert_string_equal(io->error.text, "");
}

/* As good as GOOD, if the data were there: 3.4 keeps the command, decision 20 the stale memory. */
static void a_recovered_error_without_the_data_is_told_with_status_and_sense(void **state)
{
    struct rig *r = *state;
    static const struct {
        uint8_t key;
        const char *text;
    } rows[] = {
        {ISKRA_SENSE_NO_SENSE, "READ(10) lba 0, 1 block: CHECK CONDITION, NO SENSE (0h), "},
        {ISKRA_SENSE_RECOVERED_ERROR,
         "READ(10) lba 0, 1 block: CHECK CONDITION, RECOVERED ERROR (1h), "},
    };

    for (unsigned i = 0; i < 2; i++) {
        struct rig_io *io = rig_read(r, i, 0, 1);
        rig_answer_sense(r, i, rows[i].key, 0x17, 0);
        assert_int_equal(io->sreq.status, -EIO);
        assert_memory_equal(io->error.text, rows[i].text, strlen(rows[i].text));
        assert_non_null(strstr(io->error.text, "but 512 of 512 bytes are missing"));
        assert_int_equal(io->error.scsi_status, ISKRA_STATUS_CHECK_CONDITION);
        assert_int_equal(io->error.sense[1], rows[i].key);
    }
}

/* ---- decision 25: what may not be done twice ---- */

enum once {
    ONCE_COMPARE_AND_WRITE,
    ONCE_RESERVE_OUT,
    ONCE_EXTENDED_COPY,
    ONCE_MODE_SELECT,
    ONCE_START_STOP, /* no data */
    ONCE_CNT
};

static struct rig_io *submit_once(struct rig *r, enum once what)
{
    static const uint8_t cdbs[ONCE_CNT][16] = {
        [ONCE_RESERVE_OUT] = {0x5f, 0x01, 0x01, [8] = 24},
        [ONCE_EXTENDED_COPY] = {0x83, [13] = 24},
        [ONCE_MODE_SELECT] = {0x15, 0x10, [4] = 24},
        [ONCE_START_STOP] = {0x1b, [4] = 1},
    };
    static const uint8_t cdb_lens[ONCE_CNT] = {0, 10, 16, 6, 6};
    struct rig_io *io = rig_io(r, what);
    uint32_t len = what == ONCE_START_STOP ? 0 : 24;

    io->iov = (struct iovec){.iov_base = r->data, .iov_len = 1024};
    r->sdev->space.max_compare_len = 4096;
    int rc = what == ONCE_COMPARE_AND_WRITE
                 ? iskra_scsi_submit_compare_and_write(&io->sreq, &io->iov, 1, 0, 512)
                 : iskra_scsi_submit_raw(&io->sreq, cdbs[what], cdb_lens[what], ISKRA_DIR_WRITE,
                                         &io->iov, 1, len);
    assert_int_equal(rc, 0);
    return io;
}

/* Nothing that comes later may send it once more. */
static void ends_once(struct rig *r, const struct rig_io *io, unsigned sent_cnt)
{
    rig_advance_to(r, r->round.now_ns + 100 * RIG_S);
    assert_int_equal(io->done_cnt, 1);
    assert_int_not_equal(io->sreq.status, 0);
    assert_int_equal(r->sent_cnt, sent_cnt);
}

static void ends_unknown(struct rig *r, const struct rig_io *io, unsigned sent_cnt)
{
    ends_once(r, io, sent_cnt);
    assert_int_equal(io->error.code, ISKRA_E_OUTCOME_UNKNOWN);
    assert_non_null(strstr(io->error.text, " may or may not have been executed: "));
}

static void what_has_no_status_has_an_unknown_outcome(void **state)
{
    struct rig *r = *state;
    static const uint32_t results[] = {
        ISKRA_RESULT(ISKRA_DID_ERROR, 0), /* somebody's reset */
        ISKRA_RESULT(ISKRA_DID_ABORT, 0),
        ISKRA_RESULT(ISKRA_DID_RESET, 0),
        ISKRA_RESULT(ISKRA_DID_NO_CONNECT, 0),
        ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0),
        ISKRA_RESULT(ISKRA_DID_BAD_TARGET, 0),
        ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_TASK_ABORTED),
    };

    for (unsigned i = 0; i < sizeof(results) / sizeof(results[0]); i++)
        for (enum once what = 0; what < ONCE_CNT; what++) {
            struct rig_io *io = submit_once(r, what);
            unsigned sent_cnt = r->sent_cnt;
            rig_answer(r, sent_cnt - 1, results[i], r->sent[sent_cnt - 1].transfer_len);
            ends_unknown(r, io, sent_cnt);
        }
}

static void an_answer_that_contradicts_itself_leaves_the_outcome_unknown(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = submit_once(r, ONCE_COMPARE_AND_WRITE);

    session_tells(io, "response code 1");
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_ERROR, 0), 1024);
    ends_unknown(r, io, 1);
    assert_string_equal(io->error.text, "COMPARE AND WRITE lba 0, 1 block may or may not have been "
                                        "executed: response code 1");
}

static void what_the_target_rejected_was_not_executed(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = submit_once(r, ONCE_RESERVE_OUT);

    session_tells(io, "rejected");
    io->error.code = ISKRA_E_PROTOCOL;
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_BAD_TARGET, 0), 24);
    ends_once(r, io, 1);
    assert_int_equal(io->error.code, ISKRA_E_PROTOCOL);
}

/* In the session's queue, behind a closed window or a reset, when its end came. */
static void what_was_never_sent_was_not_executed(void **state)
{
    struct rig *r = *state;
    static const uint8_t host_bytes[] = {ISKRA_DID_ERROR, ISKRA_DID_ABORT, ISKRA_DID_NO_CONNECT,
                                         ISKRA_DID_TRANSPORT_DISRUPTED};

    r->held = true;
    for (unsigned i = 0; i < sizeof(host_bytes); i++)
        for (enum once what = 0; what < ONCE_CNT; what++) {
            struct rig_io *io = submit_once(r, what);
            unsigned sent_cnt = r->sent_cnt;
            rig_answer(r, sent_cnt - 1, ISKRA_RESULT(host_bytes[i], 0),
                       r->sent[sent_cnt - 1].transfer_len);
            ends_once(r, io, sent_cnt);
            assert_int_not_equal(io->error.code, ISKRA_E_OUTCOME_UNKNOWN);
            assert_null(strstr(io->error.text, "may or may not"));
        }
}

static void a_command_that_times_out_unsent_is_said_to_be(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = submit_once(r, ONCE_COMPARE_AND_WRITE);

    r->sent[0].cmnd->sent = false;
    r->verdict = ISKRA_EH_NOT_HANDLED;
    r->eh.answer[RIG_ABORT] = RIG_EH_GOOD;
    ends_once(r, io, 1);
    assert_int_equal(io->error.code, ISKRA_E_TIMEOUT_SCSI);
    assert_string_equal(io->error.text,
                        "COMPARE AND WRITE lba 0, 1 block was not sent: timed out after 30.0 s");
}

/* What tells that it was not executed: it may be sent again, and is. */
static void what_was_certainly_not_executed_is_sent_again(void **state)
{
    struct rig *r = *state;
    static const uint32_t results[] = {
        ISKRA_RESULT(ISKRA_DID_REQUEUE, 0),
        ISKRA_RESULT(ISKRA_DID_IMM_RETRY, 0),
        ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_BUSY),
        ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_TASK_SET_FULL),
    };

    for (unsigned i = 0; i < sizeof(results) / sizeof(results[0]); i++)
        for (enum once what = 0; what < ONCE_CNT; what++) {
            struct rig_io *io = submit_once(r, what);
            unsigned sent_cnt = r->sent_cnt;
            rig_answer(r, sent_cnt - 1, results[i], r->sent[sent_cnt - 1].transfer_len);
            rig_advance_to(r, r->round.now_ns + RIG_S);
            assert_int_equal(r->sent_cnt, sent_cnt + 1);
            rig_answer_good(r, sent_cnt);
            assert_int_equal(io->done_cnt, 1);
            assert_int_equal(io->sreq.status, 0);
        }
}

/* Sent, refused for now, and the device is gone before its turn comes again. */
static void what_was_refused_the_last_time_was_not_executed(void **state)
{
    struct rig *r = *state;
    struct rig_io *io = submit_once(r, ONCE_COMPARE_AND_WRITE);

    r->refuse = ISKRA_HOST_BUSY;
    rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_BUSY), 1024);
    assert_true(iskra_sdev_set_state(r->sdev, ISKRA_SDEV_OFFLINE));
    ends_once(r, io, 1);
    assert_int_equal(io->error.code, ISKRA_E_OFFLINE);
}

/* Silent, and nothing but a rung of the ladder gives it back: whichever it is, once is enough. */
static void the_ladder_does_not_send_it_again(void **state)
{
    struct rig *r = *state;

    r->verdict = ISKRA_EH_NOT_HANDLED;
    for (enum rig_eh_kind helps = RIG_ABORT; helps < RIG_EH_KIND_CNT; helps++)
        for (enum once what = 0; what < ONCE_CNT; what++) {
            for (enum rig_eh_kind kind = RIG_ABORT; kind < RIG_EH_KIND_CNT; kind++)
                r->eh.answer[kind] = kind == helps ? RIG_EH_GOOD : RIG_EH_BAD;
            struct rig_io *io = submit_once(r, what);
            unsigned sent_cnt = r->sent_cnt;
            for (unsigned i = 0; i < 400 && io->done_cnt == 0; i++) {
                rig_advance_to(r, r->round.now_ns + RIG_S / 10);
                if (rig_out_cnt(r) > 0 && r->sent_cnt > sent_cnt)
                    rig_answer_good(r, r->sent_cnt - 1); /* TEST UNIT READY */
            }
            for (unsigned i = sent_cnt; i < r->sent_cnt; i++)
                assert_int_equal(r->sent[i].cdb.opcode, ISKRA_SCSI_TEST_UNIT_READY);
            ends_unknown(r, io, r->sent_cnt);
            assert_int_equal(r->sdev->state, ISKRA_SDEV_RUNNING);
            r->sdev->medium_timeout_cnt = 0;
        }
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_answer_the_session_refused_keeps_its_story),
        T(commands_that_fail_together_tell_each_its_own_story),
        T(a_try_that_goes_well_leaves_no_story_of_an_earlier_one),
        T(a_recovered_error_without_the_data_is_told_with_status_and_sense),
        T(what_has_no_status_has_an_unknown_outcome),
        T(an_answer_that_contradicts_itself_leaves_the_outcome_unknown),
        T(what_the_target_rejected_was_not_executed),
        T(what_was_never_sent_was_not_executed),
        T(a_command_that_times_out_unsent_is_said_to_be),
        T(what_was_certainly_not_executed_is_sent_again),
        T(what_was_refused_the_last_time_was_not_executed),
        T(the_ladder_does_not_send_it_again),
    };
    return cmocka_run_group_tests_name("outcome", tests, NULL, NULL);
}
