/* Whatever happens at whichever step of error handling: each request ends once or goes out again,
 * nobody waits for something that does not come, nothing is left behind. */
#include <errno.h>

#include "unit/scsi/eh_test_rig.h"

enum stage {
    STAGE_ABORT_DUE,
    STAGE_ABORT_OUT,
    STAGE_ABORTED_ON_LOAN,
    STAGE_WAIT,
    STAGE_SENSE,
    STAGE_LUN_RESET,
    STAGE_LUN_TEST,
    STAGE_TARGET_RESET,
    STAGE_TARGET_TEST,
    STAGE_SESSION_RESET,
    STAGE_SESSION_TEST,
    STAGE_CNT
};

static const char *const stage_names[STAGE_CNT] = {"abort due",
                                                   "abort out",
                                                   "aborted, on loan",
                                                   "wait",
                                                   "sense",
                                                   "LUN reset",
                                                   "LUN reset test",
                                                   "target reset",
                                                   "target reset test",
                                                   "session reset",
                                                   "session reset test"};

static enum iskra_eh_rung rung_of(enum stage stage)
{
    static const enum iskra_eh_rung rungs[STAGE_CNT] = {
        ISKRA_EH_RUNG_ABORT,         ISKRA_EH_RUNG_ABORT,        ISKRA_EH_RUNG_NONE,
        ISKRA_EH_RUNG_WAIT,          ISKRA_EH_RUNG_SENSE,        ISKRA_EH_RUNG_LUN_RESET,
        ISKRA_EH_RUNG_LUN_RESET,     ISKRA_EH_RUNG_TARGET_RESET, ISKRA_EH_RUNG_TARGET_RESET,
        ISKRA_EH_RUNG_SESSION_RESET, ISKRA_EH_RUNG_SESSION_RESET};

    return rungs[stage];
}

static bool tests(enum stage stage)
{
    return stage == STAGE_LUN_TEST || stage == STAGE_TARGET_TEST || stage == STAGE_SESSION_TEST;
}

/* How far the resets come before one is silent, or good with a silent test. */
static void answers_for(struct rig *r, enum stage stage)
{
    enum rig_eh_answer *answer = r->eh.answer;

    if (stage == STAGE_ABORT_OUT)
        answer[RIG_ABORT] = RIG_EH_SILENT;
    if (stage == STAGE_ABORTED_ON_LOAN)
        answer[RIG_ABORT] = RIG_EH_GOOD;
    r->eh.loan = stage == STAGE_ABORTED_ON_LOAN;
    if (stage == STAGE_LUN_RESET || stage == STAGE_LUN_TEST)
        answer[RIG_LUN_RESET] = tests(stage) ? RIG_EH_GOOD : RIG_EH_SILENT;
    if (stage == STAGE_TARGET_RESET || stage == STAGE_TARGET_TEST)
        answer[RIG_TARGET_RESET] = tests(stage) ? RIG_EH_GOOD : RIG_EH_SILENT;
    if (stage == STAGE_SESSION_TEST)
        answer[RIG_SESSION_RESET] = RIG_EH_GOOD;
}

/* ios[0] is the one in the handler's hands; ios[1], at WAIT, is waited for. */
static struct rig_io *climb_to(struct rig *r, enum stage stage)
{
    struct rig_io *io = rig_read(r, 0, 0, 1);

    answers_for(r, stage);
    r->verdict = ISKRA_EH_NOT_HANDLED;
    if (stage == STAGE_SENSE) {
        rig_answer(r, 0, ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_CHECK_CONDITION), 512);
    } else {
        rig_advance_to(r, 120 * RIG_S);
        if (stage == STAGE_WAIT)
            rig_read(r, 1, 1, 1);
        rig_advance_to(r, 130 * RIG_S + (stage == STAGE_ABORT_DUE ? 0 : 10 * RIG_MS));
    }
    if (stage == STAGE_SESSION_RESET)
        give_back_disrupted(r);
    assert_int_equal(status_of(r).rung, rung_of(stage));
    assert_int_equal(status_of(r).testing, tests(stage));
    assert_int_equal(status_of(r).cmnd_cnt, 1);
    return io;
}

/* From now on everything answers, well or badly. */
static void answer_everything(struct rig *r, bool well)
{
    for (unsigned i = 0; i < 200; i++) {
        for (unsigned kind = 0; kind < RIG_EH_KIND_CNT; kind++) {
            r->eh.answer[kind] = well ? RIG_EH_GOOD : RIG_EH_BAD;
            if (r->eh.op[kind] != NULL)
                rig_eh_tell(r, kind, well ? ISKRA_EH_SUCCESS : ISKRA_EH_FAILED);
        }
        if (r->eh.loaned != NULL)
            rig_return_loan(r);
        for (unsigned j = 0; j < r->sent_cnt; j++)
            if (r->sent[j].cmnd != NULL)
                rig_answer(r, j, well ? 0 : ISKRA_RESULT(ISKRA_DID_ERROR, 0), 0);
        rig_advance_to(r, r->round.now_ns + RIG_S);
    }
}

static void expect_rest(struct rig *r)
{
    struct iskra_eh_status st = status_of(r);

    assert_int_equal(st.rung, ISKRA_EH_RUNG_NONE);
    assert_int_equal(st.cmnd_cnt, 0);
    assert_int_equal(r->host.state, ISKRA_SHOST_RUNNING);
    assert_int_equal(r->host.host_busy, 0);
    assert_int_equal(r->host.target_busy, 0);
    assert_int_equal(rig_out_cnt(r), 0);
}

/* What happens; true: io's done() is to run. */
typedef bool event(struct rig *r, struct rig_io *io);

static void at_every_step(event *happens, bool well)
{
    for (enum stage stage = 0; stage < STAGE_CNT; stage++) {
        void *state;
        assert_int_equal(rig_setup(&state), 0);
        struct rig *r = state;
        struct rig_io *io = climb_to(r, stage);

        print_message("# %s\n", stage_names[stage]);
        bool done = happens(r, io);
        answer_everything(r, well);
        expect_rest(r);
        assert_int_equal(io->done_cnt, done);
        if (stage == STAGE_WAIT)
            assert_int_equal(r->ios[1].done_cnt, 1);
        assert_int_equal(rig_teardown(&state), 0);
    }
}

static void at_every_step_both_ways(event *happens)
{
    at_every_step(happens, true);
    at_every_step(happens, false);
}

/* ---- what happens ---- */

static bool nothing(struct rig *r, struct rig_io *io)
{
    (void)r;
    (void)io;
    return true;
}

static bool cancel(struct rig *r, struct rig_io *io)
{
    assert_int_equal(iskra_scsi_cancel(&io->sreq), 0);
    rig_work(r);
    return true;
}

/* The same, and then nobody answers. A status that is there already wins. */
static bool cancel_is_told(struct rig *r, struct rig_io *io)
{
    bool lent = io->sreq.lent, answered = !io->sreq.timed_out;

    (void)cancel(r, io);
    if (!lent) /* nobody else has it */
        assert_int_equal(io->done_cnt, 1);
    give_back_disrupted(r);
    if (r->eh.loaned != NULL)
        rig_return_loan(r);
    for (unsigned kind = 0; kind < RIG_EH_KIND_CNT; kind++)
        if (r->eh.op[kind] != NULL)
            rig_eh_tell(r, kind, ISKRA_EH_FAILED);
    rig_work(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_equal(io->sreq.status, answered ? -EIO : -ECANCELED);
    assert_int_equal(io->error.code, answered ? ISKRA_E_SCSI : ISKRA_E_CANCELED);
    return true;
}

static bool detach(struct rig *r, struct rig_io *io)
{
    assert_int_equal(iskra_scsi_detach(&io->sreq), 0);
    memset(&io->sreq, 0xa5, sizeof(io->sreq)); /* nobody reads it any more */
    rig_work(r);
    return false;
}

static bool remove_device(struct rig *r, struct rig_io *io)
{
    (void)io;
    iskra_sdev_remove(r->sdev, NULL, NULL);
    rig_work(r);
    return true;
}

/* A device that nobody wants any more waits for what its session has, five seconds, and for nothing
 * else: neither for a new login nor for a target that does not answer. */
static bool remove_device_alone(struct rig *r, struct rig_io *io)
{
    bool lent = io->sreq.lent;

    (void)remove_device(r, io);
    assert_int_equal(io->done_cnt, !lent);
    rig_advance_to(r, r->round.now_ns + 5 * RIG_S);
    if (lent && r->eh.loaned == NULL)
        assert_true(io->sreq.canceled && r->abort_cnt > 0);
    give_back_disrupted(r);
    if (r->eh.op[RIG_ABORT] != NULL)
        rig_eh_tell(r, RIG_ABORT, ISKRA_EH_FAILED);
    if (r->eh.loaned != NULL)
        rig_return_loan(r);
    rig_work(r);
    assert_true(iskra_list_empty(&r->host.devices));
    return true;
}

static bool remove_device_now(struct rig *r, struct rig_io *io)
{
    (void)io;
    if (r->eh.loaned != NULL)
        rig_return_loan(r);
    rig_fail_tasks(r);
    iskra_sdev_remove_now(r->sdev);
    assert_true(iskra_list_empty(&r->host.devices));
    return true;
}

static bool session_ends(struct rig *r, struct rig_io *io)
{
    if (r->eh.loaned != NULL)
        rig_return_loan(r);
    iskra_shost_class_ops.block(&r->host);
    rig_fail_tasks(r);
    iskra_shost_class_ops.transport_offline(&r->host);
    iskra_shost_class_ops.session_gone(&r->host);
    rig_work(r);
    assert_int_equal(io->done_cnt, 1);
    assert_int_not_equal(io->sreq.status, 0);
    return true;
}

static void lose(struct rig *r)
{
    iskra_shost_class_ops.block(&r->host);
    if (r->eh.loaned != NULL)
        rig_return_loan(r);
    r->session.state = ISKRA_SESSION_IN_RECOVERY;
    r->eh.answer[RIG_SESSION_RESET] = RIG_EH_SILENT;
    for (unsigned kind = 0; kind < RIG_SESSION_RESET; kind++)
        if (r->eh.op[kind] != NULL)
            rig_eh_tell(r, kind, ISKRA_EH_FAILED);
    give_back_disrupted(r);
}

static void come_back(struct rig *r)
{
    r->session.state = ISKRA_SESSION_LOGGED_IN;
    if (r->eh.op[RIG_SESSION_RESET] != NULL)
        rig_eh_tell(r, RIG_SESSION_RESET, ISKRA_EH_SUCCESS);
    iskra_shost_class_ops.unblock(&r->host);
    rig_work(r);
}

static bool session_is_away_for_a_while(struct rig *r, struct rig_io *io)
{
    (void)io;
    lose(r);
    rig_advance_to(r, r->round.now_ns + 10 * RIG_S);
    come_back(r);
    return true;
}

static bool session_is_away_for_too_long(struct rig *r, struct rig_io *io)
{
    lose(r);
    rig_advance_to(r, r->round.now_ns + 120 * RIG_S);
    r->session.state = ISKRA_SESSION_RECOVERY_FAILED;
    rig_eh_lost(r);
    iskra_shost_class_ops.transport_offline(&r->host);
    rig_advance_to(r, r->round.now_ns + RIG_S);
    assert_int_equal(io->done_cnt, 1);
    assert_int_not_equal(io->sreq.status, 0);
    come_back(r);
    assert_int_equal(r->sdev->state, ISKRA_SDEV_RUNNING);
    return true;
}

/* ---- the tests ---- */

static void each_step_ends_by_itself(void **state)
{
    (void)state;
    at_every_step_both_ways(nothing);
}

static void a_request_may_be_cancelled_at_every_step(void **state)
{
    (void)state;
    at_every_step_both_ways(cancel);
}

static void who_cancels_is_told_that_it_was_cancelled(void **state)
{
    (void)state;
    at_every_step(cancel_is_told, true);
}

static void a_request_may_be_detached_at_every_step(void **state)
{
    (void)state;
    at_every_step_both_ways(detach);
}

static void a_device_may_be_removed_at_every_step(void **state)
{
    (void)state;
    at_every_step_both_ways(remove_device);
}

static void a_removed_device_waits_only_for_what_its_session_has(void **state)
{
    (void)state;
    at_every_step(remove_device_alone, true);
}

static void a_device_may_be_removed_at_once_at_every_step(void **state)
{
    (void)state;
    at_every_step(remove_device_now, false);
}

static void the_session_may_end_at_every_step(void **state)
{
    (void)state;
    at_every_step(session_ends, false);
}

static void the_session_may_be_away_for_a_while_at_every_step(void **state)
{
    (void)state;
    at_every_step_both_ways(session_is_away_for_a_while);
}

static void the_session_may_be_away_for_too_long_at_every_step(void **state)
{
    (void)state;
    at_every_step_both_ways(session_is_away_for_too_long);
}

static void the_host_may_end_at_every_step(void **state)
{
    (void)state;
    for (enum stage stage = 0; stage < STAGE_CNT; stage++) {
        void *rig;
        assert_int_equal(rig_setup(&rig), 0);
        struct rig *r = rig;
        climb_to(r, stage);
        if (r->eh.loaned != NULL)
            rig_return_loan(r);
        assert_int_equal(rig_teardown(&rig), 0); /* which looks for memory that is left */
    }
}

#define T(name) cmocka_unit_test(name)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(each_step_ends_by_itself),
        T(a_request_may_be_cancelled_at_every_step),
        T(who_cancels_is_told_that_it_was_cancelled),
        T(a_request_may_be_detached_at_every_step),
        T(a_device_may_be_removed_at_every_step),
        T(a_removed_device_waits_only_for_what_its_session_has),
        T(a_device_may_be_removed_at_once_at_every_step),
        T(the_session_may_end_at_every_step),
        T(the_session_may_be_away_for_a_while_at_every_step),
        T(the_session_may_be_away_for_too_long_at_every_step),
        T(the_host_may_end_at_every_step),
    };
    return cmocka_run_group_tests_name("scsi eh ends", tests, NULL, NULL);
}
