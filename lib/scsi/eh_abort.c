/* The asynchronous abort: a command that expired is aborted 10 ms later, one at a time, while the
 * host goes on (spec 3.3). */
#include "scsi/eh_steps.h"
#include "scsi/host.h"

static struct iskra_scsi_request *first(const struct iskra_eh *eh)
{
    return iskra_list_empty(&eh->aborts) ? NULL : iskra_eh_sreq_at(eh->aborts.next);
}

/* What becomes of one that was aborted is settled at once; one that was not goes up the ladder, and
 * so does one whose turn comes too late. */
static void arm(struct iskra_eh *eh)
{
    const struct iskra_scsi_request *next = first(eh);

    if (!eh->abort_out && next != NULL)
        iskra_timer_arm(&eh->abort_timer, next->rq.deadline_ns);
}

static void given_up(struct iskra_eh *eh, struct iskra_scsi_request *sreq, const char *what,
                     const char *why)
{
    if (!sreq->lent && (sreq->canceled || sreq->sdev->state == ISKRA_SDEV_CANCEL)) {
        iskra_eh_settle(eh, sreq); /* it came back meanwhile, and nobody wants it any more */
        return;
    }
    iskra_eh_note_cmnd(eh, false, sreq, "%s: %s", what, why);
    iskra_eh_fail(eh, sreq);
}

static void aborted(struct iskra_eh *eh, struct iskra_scsi_request *sreq)
{
    if (iskra_eh_past_deadline(eh->host)) {
        given_up(eh, sreq, "aborted", "but past eh_deadline");
        return;
    }
    bool again =
        sreq->retries < sreq->allowed && iskra_scsi_request_is_idempotent(sreq) && !sreq->canceled;
    iskra_eh_note_cmnd(eh, false, sreq, "aborted; %s%s", again ? "it is sent again" : "it ends",
                       sreq->lent ? " when its last bytes have left" : "");
    iskra_eh_settle(eh, sreq);
}

/* notes F43: begin error recovery */
static void abort_handler(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_eh *eh = iskra_container_of(timer, struct iskra_eh, abort_timer);
    struct iskra_scsi_request *sreq;

    while (!eh->abort_out && (sreq = first(eh)) != NULL && sreq->rq.deadline_ns <= now_ns) {
        if (iskra_eh_past_deadline(eh->host)) {
            given_up(eh, sreq, "not aborted", "past eh_deadline");
        } else if (eh->host->session == NULL) {
            given_up(eh, sreq, "not aborted", "there is no session");
        } else {
            iskra_eh_note_cmnd(eh, false, sreq, "no answer in %.1f s; ABORT TASK is sent",
                               iskra_eh_s(iskra_eh_age_ns(sreq)));
            eh->abort_out = true;
            eh->abort_since_ns = now_ns;
            iskra_eh_abort(eh->host->session, &eh->abort_op, &sreq->cmnd);
        }
    }
    arm(eh);
}

static void abort_told(struct iskra_eh_op *op, enum iskra_eh_outcome outcome)
{
    struct iskra_eh *eh = iskra_container_of(op, struct iskra_eh, abort_op);
    struct iskra_scsi_request *sreq = first(eh);

    eh->abort_out = false;
    if (outcome == ISKRA_EH_SUCCESS)
        aborted(eh, sreq);
    else
        given_up(eh, sreq, "not aborted", iskra_eh_op_why(op));
    arm(eh);
}

int iskra_eh_abort_init(struct iskra_eh *eh)
{
    iskra_eh_op_init(&eh->abort_op, abort_told);
    return iskra_timer_init(&eh->abort_timer, &eh->host->round->timers, abort_handler);
}

void iskra_eh_abort_schedule(struct iskra_eh *eh, struct iskra_scsi_request *sreq)
{
    sreq->rq.deadline_ns = eh->host->round->now_ns + ISKRA_EH_ABORT_DELAY_NS;
    iskra_list_push_back(&eh->aborts, &sreq->rq.link);
    arm(eh);
}

static bool on(const struct iskra_list *list, const struct iskra_scsi_request *sreq)
{
    ISKRA_LIST_FOREACH(l, (struct iskra_list *)list)
    if (l == &sreq->rq.link)
        return true;
    return false;
}

bool iskra_eh_abort_is_out(const struct iskra_eh *eh, const struct iskra_scsi_request *sreq)
{
    return eh->abort_out && first(eh) == sreq;
}

/* Without an answer, and before its turn: none is needed any more. */
void iskra_eh_abort_returned(struct iskra_eh *eh, struct iskra_scsi_request *sreq)
{
    if (on(&eh->aborts, sreq))
        aborted(eh, sreq);
}

void iskra_eh_abort_withdraw(struct iskra_eh *eh, const struct iskra_scsi_request *sreq)
{
    if (!iskra_eh_abort_is_out(eh, sreq))
        return;
    eh->abort_out = false;
    if (eh->host->session != NULL)
        iskra_eh_op_cancel(eh->host->session, &eh->abort_op);
    /* The next one's turn: at once, but not from inside. */
    iskra_timer_arm(&eh->abort_timer, eh->host->round->now_ns);
}
