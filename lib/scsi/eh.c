/* The error handler's ways in and out; see eh.h. */
#include "scsi/eh.h"

#include <assert.h>
#include <errno.h>

#include "scsi/device.h"
#include "scsi/dispatch.h"
#include "scsi/finish.h"
#include "scsi/eh_steps.h"

static void eh_work_fn(struct iskra_work *work)
{
    iskra_eh_climb(iskra_container_of(work, struct iskra_eh, work));
}

int iskra_eh_prepare(struct iskra_shost *host)
{
    const struct iskra_platform *pf = host->round->pf;

    if (host->eh != NULL)
        return 0;
    struct iskra_eh *eh = pf->alloc(pf->arg, sizeof(*eh));
    if (eh == NULL)
        return -ENOMEM;
    eh->host = host;
    iskra_work_init(&eh->work, eh_work_fn);
    iskra_list_init(&eh->aborts);
    iskra_list_init(&eh->failed);
    iskra_list_init(&eh->over);
    iskra_list_init(&eh->loaned);
    iskra_eh_op_init(&eh->op, iskra_eh_op_told);
    int rc = iskra_eh_cmnd_init(&eh->cmnd, host);
    if (rc == 0) {
        rc = iskra_eh_abort_init(eh);
        if (rc != 0)
            iskra_eh_cmnd_done(&eh->cmnd);
    }
    if (rc != 0) {
        pf->free(pf->arg, eh);
        return rc;
    }
    host->eh = eh;
    return 0;
}

void iskra_eh_done(struct iskra_shost *host)
{
    const struct iskra_platform *pf = host->round->pf;
    struct iskra_eh *eh = host->eh;

    if (eh == NULL)
        return;
    iskra_eh_step_drop(eh);
    iskra_work_cancel(&eh->work);
    iskra_eh_cmnd_done(&eh->cmnd);
    iskra_timer_done(&eh->abort_timer);
    pf->free(pf->arg, eh);
    host->eh = NULL;
}

bool iskra_eh_past_deadline(const struct iskra_shost *host)
{
    return host->eh_deadline_ns != -1 && host->last_reset_ns != 0 &&
           host->round->now_ns - host->last_reset_ns >= (uint64_t)host->eh_deadline_ns;
}

void iskra_eh_rest(struct iskra_shost *host)
{
    const struct iskra_eh *eh = host->eh;

    if (iskra_list_empty(&eh->aborts) && iskra_list_empty(&eh->failed) &&
        eh->rung == ISKRA_EH_RUNG_NONE)
        host->last_reset_ns = 0;
}

/* ---- in ---- */

void iskra_eh_timed_out(struct iskra_scsi_request *sreq)
{
    struct iskra_eh *eh = sreq->sdev->host->eh;

    sreq->timed_out = true;
    sreq->in_eh = true;
    if (sreq->abort_scheduled) {
        iskra_eh_note_cmnd(eh, false, sreq, "no answer again: it is not aborted a second time");
        iskra_eh_fail(eh, sreq);
    } else {
        sreq->abort_scheduled = true;
        iskra_eh_abort_schedule(eh, sreq);
    }
}

void iskra_eh_fail(struct iskra_eh *eh, struct iskra_scsi_request *sreq)
{
    iskra_list_remove(&sreq->rq.link);
    iskra_list_push_back(&eh->failed, &sreq->rq.link);
    (void)iskra_shost_set_state(eh->host, ISKRA_SHOST_RECOVERY); /* unless it is so already */
    iskra_work_schedule(&eh->host->round->work, &eh->work);
}

void iskra_eh_scmd_add(struct iskra_scsi_request *sreq, bool session_suspect)
{
    struct iskra_eh *eh = sreq->sdev->host->eh;

    sreq->timed_out = true;
    sreq->in_eh = true;
    if (session_suspect)
        eh->session_suspect = true;
    iskra_eh_fail(eh, sreq);
}

/* A reset is for those that can be tried again afterwards. Sense is asked for all; it is the answer
 * that is missing. */
bool iskra_eh_take_failed(struct iskra_scsi_request *sreq)
{
    if (sreq->eh_seen || sreq->canceled || sreq->detached || !iskra_sdev_online(sreq->sdev) ||
        sreq->sdev->state == ISKRA_SDEV_CANCEL)
        return false;
    if (!iskra_eh_sense_missing(sreq) &&
        (!iskra_scsi_request_is_idempotent(sreq) || sreq->retries >= sreq->allowed))
        return false;
    struct iskra_eh *eh = sreq->sdev->host->eh;
    sreq->eh_seen = true;
    sreq->in_eh = true;
    iskra_scsi_busy_again(sreq);
    iskra_request_set_owner(&sreq->rq, ISKRA_OWNER_EH);
    iskra_eh_note_cmnd(eh, false, sreq, "answered with status %02Xh, which says nothing",
                       ISKRA_RESULT_STATUS(sreq->cmnd.result));
    iskra_eh_fail(eh, sreq);
    return true;
}

/* ---- out ---- */

void iskra_eh_take(struct iskra_eh *eh, struct iskra_scsi_request *sreq)
{
    iskra_eh_abort_withdraw(eh, sreq);
    if (eh->sreq == sreq)
        eh->sreq = NULL;
    iskra_list_remove(&sreq->rq.link);
    sreq->in_eh = sreq->settled = false;
}

/* A device that is being removed, and nothing of it is left to be tried for. */
static void step_away(struct iskra_eh *eh, const struct iskra_sdev *sdev)
{
    if (eh->sdev != sdev || sdev->state != ISKRA_SDEV_CANCEL ||
        iskra_eh_failed_of(eh, sdev) != NULL)
        return;
    iskra_eh_step_drop(eh);
    iskra_work_schedule(&eh->host->round->work, &eh->work);
}

static void finish(struct iskra_eh *eh, struct iskra_scsi_request *sreq)
{
    const struct iskra_sdev *sdev = sreq->sdev;

    iskra_eh_take(eh, sreq);
    (void)iskra_finish_eh_request(&sreq->rq); /* EH's: always true */
    iskra_eh_rest(eh->host);
    step_away(eh, sdev);
}

/* Spec 3.5, the end: online, worth a retry, and one is left. */
static bool may_try_again(const struct iskra_scsi_request *sreq)
{
    return iskra_sdev_online(sreq->sdev) && sreq->sdev->state != ISKRA_SDEV_CANCEL &&
           iskra_scsi_request_is_idempotent(sreq) && !sreq->canceled &&
           sreq->retries < sreq->allowed && sreq->sdev->host->session != NULL;
}

void iskra_eh_settle(struct iskra_eh *eh, struct iskra_scsi_request *sreq)
{
    if (sreq->lent) {
        iskra_eh_take(eh, sreq);
        sreq->in_eh = sreq->settled = true;
        iskra_list_push_back(&eh->loaned, &sreq->rq.link);
        return;
    }
    if (!may_try_again(sreq)) {
        eh->ended_cnt++;
        finish(eh, sreq);
        return;
    }
    eh->again_cnt++;
    iskra_eh_take(eh, sreq);
    sreq->retries++;
    sreq->timed_out = false;
    iskra_scsi_try_again(sreq);
    iskra_eh_rest(eh->host);
}

/* Did the LUN itself say how the command ended? */
static bool answered(const struct iskra_scsi_request *sreq)
{
    return ISKRA_RESULT_HOST(sreq->cmnd.result) == ISKRA_DID_OK;
}

void iskra_eh_scmd_returned(struct iskra_scsi_request *sreq)
{
    struct iskra_eh *eh = sreq->sdev->host->eh;

    if (!sreq->in_eh) /* expired, and not judged yet: the verdict will be HANDLED */
        return;
    if (answered(sreq) && !sreq->settled) {
        iskra_eh_note_cmnd(eh, false, sreq, "answered after all");
        sreq->timed_out = false;
        finish(eh, sreq);
    } else if (iskra_eh_abort_is_out(eh, sreq)) {
        return; /* that is what has ended it, and what is still to be told */
    } else if (sreq->canceled) {
        finish(eh, sreq);
    } else if (sreq->settled) {
        iskra_eh_settle(eh, sreq);
    } else {
        iskra_eh_abort_returned(eh, sreq);
    }
}

void iskra_eh_scmd_finish(struct iskra_scsi_request *sreq)
{
    finish(sreq->sdev->host->eh, sreq);
}

void iskra_eh_wake(struct iskra_shost *host)
{
    if (host->eh != NULL && host->eh->rung == ISKRA_EH_RUNG_WAIT)
        iskra_work_schedule(&host->round->work, &host->eh->work);
}

/* ---- the end of what it works with ---- */

static void finish_all(struct iskra_eh *eh, struct iskra_list *requests,
                       const struct iskra_sdev *sdev)
{
    ISKRA_LIST_FOREACH(l, requests)
    {
        struct iskra_scsi_request *sreq = iskra_eh_sreq_at(l);
        if ((sdev == NULL || sreq->sdev == sdev) && !sreq->lent)
            finish(eh, sreq);
    }
}

static void finish_all_of(struct iskra_eh *eh, const struct iskra_sdev *sdev)
{
    finish_all(eh, &eh->aborts, sdev);
    finish_all(eh, &eh->failed, sdev);
    finish_all(eh, &eh->over, sdev);
    finish_all(eh, &eh->loaned, sdev);
    if (eh->rung != ISKRA_EH_RUNG_NONE)
        iskra_work_schedule(&eh->host->round->work, &eh->work);
}

void iskra_eh_session_gone(struct iskra_shost *host)
{
    if (host->eh == NULL)
        return;
    if (host->eh->abort_out) {
        host->eh->abort_out = false;
        iskra_eh_op_cancel(host->session, &host->eh->abort_op);
    }
    iskra_eh_step_drop(host->eh);
    finish_all_of(host->eh, NULL);
}

void iskra_eh_sdev_gone(struct iskra_sdev *sdev)
{
    struct iskra_eh *eh = sdev->host->eh;

    if (eh == NULL)
        return;
    finish_all_of(eh, sdev);
    step_away(eh, sdev);
}

static void cancel_all_on(struct iskra_list *requests, const struct iskra_sdev *sdev)
{
    ISKRA_LIST_FOREACH(l, requests)
    if (iskra_eh_sreq_at(l)->sdev == sdev)
        (void)iskra_scsi_cancel(iskra_eh_sreq_at(l)); /* EH's: 0 */
}

void iskra_eh_cancel_all_of(const struct iskra_sdev *sdev)
{
    struct iskra_eh *eh = sdev->host->eh;

    cancel_all_on(&eh->aborts, sdev);
    cancel_all_on(&eh->failed, sdev);
    cancel_all_on(&eh->over, sdev);
}

bool iskra_eh_holds(const struct iskra_sdev *sdev)
{
    return sdev->host->eh != NULL && sdev->host->eh->sdev == sdev;
}
