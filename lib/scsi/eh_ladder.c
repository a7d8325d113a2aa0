/* The ladder: with the host stopped and all commands back, one means after the other until the
 * failed commands are the mid-layer's again (spec 3.5).
 *
 * A machine of rungs and steps, driven by a work item: whatever is sent comes back as ACTED or
 * TESTED and is looked at there. Each rung tries each device once; the session reset is repeated,
 * up to a limit, as long as the session falls again under the test. There are no bus and no host to
 * reset, and no unit is started: nothing here sets allow_restart. */
#include <errno.h>

#include "error.h"
#include "scsi/eh_steps.h"
#include "scsi/host.h"

static struct iskra_sdev *sdev_at(struct iskra_list *link)
{
    return iskra_container_of(link, struct iskra_sdev, link);
}

/* The only place that changes eh->step. */
void iskra_eh_set_step(struct iskra_eh *eh, enum iskra_eh_step step)
{
    eh->step = step;
    if (step == ISKRA_EH_STEP_ACT || step == ISKRA_EH_STEP_TEST)
        eh->step_since_ns = eh->host->round->now_ns;
}

/* The only place that changes eh->rung. */
void iskra_eh_set_rung(struct iskra_eh *eh, enum iskra_eh_rung rung)
{
    eh->rung = rung;
    eh->rung_since_ns = eh->host->round->now_ns;
    ISKRA_LIST_FOREACH(l, &eh->host->devices)
    sdev_at(l)->eh_tried = false;
}

/* A removed device may have waited for the ladder to let go of it. */
void iskra_eh_let_go(struct iskra_eh *eh)
{
    struct iskra_sdev *sdev = eh->sdev;

    eh->sdev = NULL;
    eh->sreq = NULL;
    if (sdev != NULL && sdev->state == ISKRA_SDEV_CANCEL)
        iskra_work_schedule(&eh->host->round->work, &sdev->gone_work);
}

void iskra_eh_step_drop(struct iskra_eh *eh)
{
    if (eh->step == ISKRA_EH_STEP_ACT && eh->rung != ISKRA_EH_RUNG_SENSE) {
        if (eh->host->session != NULL)
            iskra_eh_op_cancel(eh->host->session, &eh->op);
    } else if (eh->step == ISKRA_EH_STEP_ACT || eh->step == ISKRA_EH_STEP_TEST) {
        iskra_eh_cmnd_cancel(&eh->cmnd);
    }
    iskra_eh_let_go(eh);
    iskra_eh_set_step(eh, ISKRA_EH_STEP_NEXT);
}

/* ---- answers: taken by the work item, wherever they come from ---- */

void iskra_eh_answer(struct iskra_eh *eh, enum iskra_eh_step step, bool good)
{
    eh->good = good;
    iskra_eh_set_step(eh, step);
    iskra_work_schedule(&eh->host->round->work, &eh->work);
}

void iskra_eh_op_told(struct iskra_eh_op *op, enum iskra_eh_outcome outcome)
{
    iskra_eh_answer(iskra_container_of(op, struct iskra_eh, op), ISKRA_EH_STEP_ACTED,
                    outcome == ISKRA_EH_SUCCESS);
}

/* ---- whose turn ---- */

struct iskra_scsi_request *iskra_eh_failed_of(const struct iskra_eh *eh,
                                              const struct iskra_sdev *sdev)
{
    ISKRA_LIST_FOREACH(l, (struct iskra_list *)&eh->failed)
    if (iskra_eh_sreq_at(l)->sdev == sdev)
        return iskra_eh_sreq_at(l);
    return NULL;
}

/* The next device with a failed command that has not had its turn on this rung. */
static struct iskra_sdev *next_sdev(const struct iskra_eh *eh)
{
    ISKRA_LIST_FOREACH(l, &eh->host->devices)
    if (!sdev_at(l)->eh_tried && iskra_eh_failed_of(eh, sdev_at(l)) != NULL)
        return sdev_at(l);
    return NULL;
}

void iskra_eh_over(struct iskra_eh *eh, struct iskra_scsi_request *sreq)
{
    iskra_list_remove(&sreq->rq.link);
    iskra_list_push_back(&eh->over, &sreq->rq.link);
}

void iskra_eh_over_all_of(struct iskra_eh *eh, const struct iskra_sdev *sdev)
{
    ISKRA_LIST_FOREACH(l, &eh->failed)
    if (iskra_eh_sreq_at(l)->sdev == sdev)
        iskra_eh_over(eh, iskra_eh_sreq_at(l));
}

/* ---- WAIT ---- */

static void wait_next(struct iskra_eh *eh)
{
    if (iskra_eh_waits_for(eh) > 0)
        return;
    ISKRA_LIST_FOREACH(l, &eh->host->devices)
    sdev_at(l)->eh_counted = false;
    eh->session_reset_cnt = 0;
    iskra_eh_set_rung(eh, ISKRA_EH_RUNG_SENSE);
}

/* ---- resets ---- */

static bool act(struct iskra_eh *eh)
{
    iskra_eh_set_step(eh, ISKRA_EH_STEP_ACT);
    if (eh->host->session != NULL)
        return true;
    iskra_eh_answer(eh, ISKRA_EH_STEP_ACTED, false);
    return false;
}

static bool logged_in(const struct iskra_eh *eh)
{
    return eh->host->session != NULL && eh->host->session->state == ISKRA_SESSION_LOGGED_IN;
}

/* Nothing that is sent now would help: the session itself is what is next. */
static bool only_session_helps(const struct iskra_eh *eh)
{
    return eh->session_suspect || iskra_eh_past_deadline(eh->host) || !logged_in(eh);
}

static const char *plural(uint32_t cnt)
{
    return cnt == 1 ? "" : "s";
}

static void lun_reset_next(struct iskra_eh *eh)
{
    struct iskra_sdev *sdev = next_sdev(eh);

    if (sdev == NULL || only_session_helps(eh)) {
        iskra_eh_drop_answered(eh);
        iskra_eh_set_rung(eh, ISKRA_EH_RUNG_TARGET_RESET);
        return;
    }
    sdev->eh_tried = true;
    eh->sdev = sdev;
    iskra_eh_note_cmnd(eh, false, iskra_eh_failed_of(eh, sdev),
                       "%.1f s old; LOGICAL UNIT RESET is sent",
                       iskra_eh_s(iskra_eh_age_ns(iskra_eh_failed_of(eh, sdev))));
    if (act(eh))
        iskra_eh_device_reset(eh->host->session, &eh->op, sdev->lun);
}

static void target_reset_next(struct iskra_eh *eh)
{
    uint32_t left_cnt = iskra_eh_cnt(&eh->failed);

    if (only_session_helps(eh)) {
        iskra_eh_set_rung(eh, ISKRA_EH_RUNG_SESSION_RESET);
        return;
    }
    iskra_eh_note(eh, false, NULL, "%u command%s left; TARGET WARM RESET is sent", left_cnt,
                  plural(left_cnt));
    if (act(eh))
        iskra_eh_target_reset(eh->host->session, &eh->op);
}

static void session_reset_next(struct iskra_eh *eh)
{
    struct iskra_error why = {.code = ISKRA_E_TIMEOUT_SCSI, .sys_errno = ETIMEDOUT};
    const struct iskra_scsi_request *sreq = iskra_eh_sreq_at(eh->failed.next);

    eh->session_reset_cnt++;
    uint32_t left_cnt = iskra_eh_cnt(&eh->failed);
    iskra_eh_note(eh, false, NULL, "%u command%s left; %s", left_cnt, plural(left_cnt),
                  logged_in(eh) ? "the connection is dropped for a new login"
                                : "the new login is waited for");
    iskra_eh_why(sreq, &why);
    if (act(eh))
        iskra_eh_session_reset(eh->host->session, &eh->op, &why);
}

/* A device that was reset tells so with its next unit attention: that is no news. */
static void expect_unit_attentions(struct iskra_eh *eh)
{
    if (eh->rung == ISKRA_EH_RUNG_LUN_RESET) {
        eh->sdev->expecting_ua = true;
        return;
    }
    if (eh->rung == ISKRA_EH_RUNG_TARGET_RESET)
        ISKRA_LIST_FOREACH(l, &eh->host->devices)
    sdev_at(l)->expecting_ua = true;
}

static void note_acted(const struct iskra_eh *eh)
{
    double took_s = iskra_eh_s(eh->host->round->now_ns - eh->step_since_ns);
    const char *what =
        eh->rung == ISKRA_EH_RUNG_LUN_RESET ? "LOGICAL UNIT RESET" : "TARGET WARM RESET";

    if (eh->rung == ISKRA_EH_RUNG_SESSION_RESET && eh->good)
        return; /* who has logged in has told so */
    if (eh->rung == ISKRA_EH_RUNG_SESSION_RESET)
        iskra_eh_note(eh, false, NULL, "no new login after %.1f s", took_s);
    else if (eh->good)
        iskra_eh_note(eh, false, eh->sdev, "%s done after %.1f s", what, took_s);
    else
        iskra_eh_note(eh, false, eh->sdev, "%s failed after %.1f s: %s", what, took_s,
                      iskra_eh_op_why(&eh->op));
}

static void take_acted(struct iskra_eh *eh)
{
    struct iskra_sdev *sdev = eh->sdev;

    if (eh->rung == ISKRA_EH_RUNG_SENSE) {
        iskra_eh_take_sensed(eh);
        return;
    }
    note_acted(eh);
    iskra_eh_set_step(eh, ISKRA_EH_STEP_NEXT);
    if (!eh->good) {
        iskra_eh_let_go(eh);
        if (eh->rung != ISKRA_EH_RUNG_LUN_RESET)
            iskra_eh_set_rung(eh, eh->rung + 1);
        return;
    }
    expect_unit_attentions(eh);
    if (sdev != NULL) {
        iskra_eh_test(eh, sdev);
        return;
    }
    eh->whole_target_done = true;
}

/* After a reset of the whole target, or of the session: device by device. */
static void test_next(struct iskra_eh *eh)
{
    struct iskra_sdev *sdev = next_sdev(eh);

    if (sdev != NULL) {
        iskra_eh_test(eh, sdev);
        return;
    }
    eh->whole_target_done = false;
    const struct iskra_session *s = eh->host->session;
    bool fell = s != NULL && s->state != ISKRA_SESSION_LOGGED_IN;
    /* It fell again while it was tested: that says nothing of its devices. */
    if (eh->rung == ISKRA_EH_RUNG_SESSION_RESET && fell &&
        eh->session_reset_cnt < ISKRA_EH_SESSION_RESETS_MAX)
        iskra_eh_set_rung(eh, ISKRA_EH_RUNG_SESSION_RESET);
    else
        iskra_eh_set_rung(eh, eh->rung + 1);
}

/* ---- OFFLINE ---- */

/* Whose fault is it? A session that is gone takes its devices with it only until it is back (Q15);
 * one that is on its way back, after all, decides for itself. */
static enum iskra_sdev_state state_of_given_up(const struct iskra_eh *eh)
{
    const struct iskra_session *s = eh->host->session;

    if (s != NULL && s->state == ISKRA_SESSION_LOGGED_IN)
        return ISKRA_SDEV_OFFLINE;
    if (s != NULL && (s->state == ISKRA_SESSION_FAILED || s->state == ISKRA_SESSION_IN_RECOVERY))
        return ISKRA_SDEV_STATE_CNT;
    return ISKRA_SDEV_TRANSPORT_OFFLINE;
}

void iskra_eh_give_up(const struct iskra_eh *eh, struct iskra_sdev *sdev, const char *why)
{
    if (!iskra_sdev_set_state(sdev, ISKRA_SDEV_OFFLINE))
        return;
    (void)iskra_fail(&sdev->offline_why, ISKRA_E_OFFLINE, ENODEV, "the device is offline: %s",
                     why); /* for those who ask for it from now on */
    iskra_eh_note(eh, false, sdev, "%s: the device is offline until a new login", why);
}

static void offline_next(struct iskra_eh *eh)
{
    enum iskra_sdev_state state = state_of_given_up(eh);
    struct iskra_sdev *sdev;

    while ((sdev = next_sdev(eh)) != NULL) {
        sdev->eh_tried = true;
        if (state == ISKRA_SDEV_OFFLINE)
            iskra_eh_give_up(eh, sdev, "no reset has made it answer");
        else if (iskra_sdev_set_state(sdev, state))
            iskra_eh_note(eh, false, sdev, "nothing helped: no requests until a new login");
        iskra_eh_over_all_of(eh, sdev);
    }
    iskra_eh_set_rung(eh, ISKRA_EH_RUNG_FLUSH);
}

/* ---- FLUSH ---- */

static void run_queues(struct iskra_shost *host)
{
    ISKRA_LIST_FOREACH(l, &host->devices)
    iskra_queue_kick(&sdev_at(l)->queue);
}

static void flush_next(struct iskra_eh *eh)
{
    eh->again_cnt = eh->ended_cnt = 0;
    while (!iskra_list_empty(&eh->over)) {
        struct iskra_scsi_request *sreq = iskra_eh_sreq_at(eh->over.next);
        sreq->abort_scheduled = false; /* the next time it begins with an abort again */
        iskra_eh_settle(eh, sreq);
    }
    eh->session_suspect = false;
    iskra_eh_set_rung(eh, ISKRA_EH_RUNG_NONE);
    iskra_eh_note(eh, false, NULL, "error handling is over after %.1f s: %u sent again, %u ended",
                  iskra_eh_s(eh->host->round->now_ns - eh->climb_since_ns), eh->again_cnt,
                  eh->ended_cnt);
    (void)iskra_shost_set_state(eh->host, ISKRA_SHOST_RUNNING); /* from RECOVERY: always */
    run_queues(eh->host);
    iskra_eh_rest(eh->host);
}

/* ---- the machine ---- */

static void climb_begin(struct iskra_eh *eh)
{
    uint32_t failed_cnt = iskra_eh_cnt(&eh->failed), waits_for = iskra_eh_waits_for(eh);

    eh->climb_since_ns = eh->host->round->now_ns;
    (void)iskra_shost_set_state(eh->host, ISKRA_SHOST_RECOVERY); /* unless it is so already */
    iskra_eh_set_rung(eh, ISKRA_EH_RUNG_WAIT);
    iskra_eh_note_cmnd(eh, false, iskra_eh_sreq_at(eh->failed.next),
                       "error handling begins for %u command%s; %u other%s waited for", failed_cnt,
                       plural(failed_cnt), waits_for, plural(waits_for));
}

static void next(struct iskra_eh *eh)
{
    if (eh->rung > ISKRA_EH_RUNG_WAIT && eh->rung < ISKRA_EH_RUNG_FLUSH &&
        iskra_list_empty(&eh->failed)) {
        eh->whole_target_done = false;
        iskra_eh_set_rung(eh, ISKRA_EH_RUNG_FLUSH);
        return;
    }
    if (eh->whole_target_done) {
        test_next(eh);
        return;
    }
    switch (eh->rung) {
    case ISKRA_EH_RUNG_NONE:
    case ISKRA_EH_RUNG_ABORT:
        climb_begin(eh);
        break;
    case ISKRA_EH_RUNG_WAIT:
        wait_next(eh);
        break;
    case ISKRA_EH_RUNG_SENSE:
        iskra_eh_sense_next(eh);
        break;
    case ISKRA_EH_RUNG_LUN_RESET:
        lun_reset_next(eh);
        break;
    case ISKRA_EH_RUNG_TARGET_RESET:
        target_reset_next(eh);
        break;
    case ISKRA_EH_RUNG_SESSION_RESET:
        session_reset_next(eh);
        break;
    case ISKRA_EH_RUNG_OFFLINE:
        offline_next(eh);
        break;
    case ISKRA_EH_RUNG_FLUSH:
    case ISKRA_EH_RUNG_CNT:
        flush_next(eh);
        break;
    }
}

/* They came back by themselves before the climb had begun: the host was stopped for nothing. */
static void no_climb(struct iskra_eh *eh)
{
    if (iskra_shost_set_state(eh->host, ISKRA_SHOST_RUNNING)) /* if it was in RECOVERY */
        run_queues(eh->host);
}

static bool nothing_to_do(const struct iskra_eh *eh)
{
    if (eh->rung == ISKRA_EH_RUNG_NONE)
        return iskra_list_empty(&eh->failed);
    return eh->rung == ISKRA_EH_RUNG_WAIT && iskra_eh_waits_for(eh) > 0;
}

void iskra_eh_climb(struct iskra_eh *eh)
{
    for (;;) {
        switch (eh->step) {
        case ISKRA_EH_STEP_ACT:
        case ISKRA_EH_STEP_TEST:
        case ISKRA_EH_STEP_CNT:
            return; /* the answer schedules the work */
        case ISKRA_EH_STEP_ACTED:
            take_acted(eh);
            break;
        case ISKRA_EH_STEP_TESTED:
            iskra_eh_take_tested(eh);
            break;
        case ISKRA_EH_STEP_NEXT:
            if (nothing_to_do(eh)) {
                if (eh->rung == ISKRA_EH_RUNG_NONE)
                    no_climb(eh);
                return;
            }
            next(eh);
            break;
        }
    }
}
