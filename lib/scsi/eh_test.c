/* TEST UNIT READY after each reset: was it worth it? (spec 3.5) */
#include "scsi/eh_steps.h"
#include "scsi/host.h"

static bool accesses_the_medium(const struct iskra_scsi_request *sreq)
{
    return iskra_scsi_request_is_block(sreq) && sreq->kind != ISKRA_REQUEST_BLOCK_STATUS;
}

/* The disk's eh_action: a device that says it is ready and yet lets reads and writes expire, climb
 * after climb, is no use to anybody. */
static void eh_action(struct iskra_eh *eh, struct iskra_sdev *sdev)
{
    bool medium_timeout = false;

    ISKRA_LIST_FOREACH(l, &eh->failed)
    {
        const struct iskra_scsi_request *sreq = iskra_eh_sreq_at(l);
        if (sreq->sdev == sdev && sreq->timed_out && accesses_the_medium(sreq))
            medium_timeout = true;
    }
    if (!medium_timeout || sdev->eh_counted)
        return;
    sdev->eh_counted = true; /* once per climb */
    if (++sdev->medium_timeout_cnt < ISKRA_EH_MEDIUM_TIMEOUTS)
        return;
    iskra_eh_give_up(eh, sdev, "it is ready, but does no I/O");
}

/* It is ready, or says why not in a way that only a command can settle: both are an answer. */
static void tested(struct iskra_eh_cmnd *cmnd, enum iskra_disposition d)
{
    iskra_eh_answer(iskra_container_of(cmnd, struct iskra_eh, cmnd), ISKRA_EH_STEP_TESTED,
                    d == ISKRA_DISPOSITION_SUCCESS || d == ISKRA_DISPOSITION_NEEDS_RETRY);
}

void iskra_eh_test(struct iskra_eh *eh, struct iskra_sdev *sdev)
{
    sdev->eh_tried = true;
    if (!iskra_sdev_online(sdev)) { /* nothing to ask */
        iskra_eh_over_all_of(eh, sdev);
        iskra_eh_let_go(eh);
        return;
    }
    eh->sdev = sdev;
    iskra_eh_set_step(eh, ISKRA_EH_STEP_TEST);
    if (eh->host->session == NULL)
        iskra_eh_answer(eh, ISKRA_EH_STEP_TESTED, false);
    else
        iskra_eh_cmnd_tur(&eh->cmnd, sdev, tested);
}

void iskra_eh_take_tested(struct iskra_eh *eh)
{
    struct iskra_sdev *sdev = eh->sdev;

    iskra_eh_note(eh, false, sdev, "%s after %.1f s",
                  eh->good ? "ready again" : "not ready: no answer that helps",
                  iskra_eh_s(eh->host->round->now_ns - eh->step_since_ns));
    if (eh->good) {
        eh_action(eh, sdev);
        iskra_eh_over_all_of(eh, sdev);
    }
    iskra_eh_let_go(eh);
    iskra_eh_set_step(eh, ISKRA_EH_STEP_NEXT);
}
