/* The error handler: drops the session of a command that timed out. */
#include "scsi/eh.h"

#include <errno.h>
#include <string.h>

#include "scsi/device.h"
#include "scsi/outcome.h"

static void eh_work_fn(struct iskra_work *work)
{
    struct iskra_shost *host = iskra_container_of(work, struct iskra_shost, eh_work);

    /* By now the command may have come back by itself; its session has shown that it cannot be
     * trusted all the same. */
    if (host->ops->fail_session != NULL)
        host->ops->fail_session(host->ops_arg, &host->eh_error);
}

void iskra_eh_init(struct iskra_shost *host)
{
    iskra_work_init(&host->eh_work, eh_work_fn);
}

void iskra_eh_done(struct iskra_shost *host)
{
    iskra_work_cancel(&host->eh_work);
}

/* notes F43: begin error recovery */
void iskra_eh_scmd_add(struct iskra_scsi_request *sreq)
{
    struct iskra_shost *host = sreq->sdev->host;

    sreq->timed_out = true;
    sreq->cmnd.result = ISKRA_RESULT(ISKRA_DID_TIME_OUT, 0);
    if (host->eh_cnt++ == 0) {
        struct iskra_scsi_request teller = *sreq; /* the same story, told of the session */
        teller.error = &host->eh_error;
        (void)iskra_outcome_timed_out(&teller);                  /* the story is what is wanted */
        (void)iskra_shost_set_state(host, ISKRA_SHOST_RECOVERY); /* unless it is being removed */
        iskra_work_schedule(&host->round->work, &host->eh_work);
    }
}

void iskra_eh_scmd_returned(struct iskra_scsi_request *sreq)
{
    struct iskra_shost *host = sreq->sdev->host;

    if (!sreq->timed_out) /* expired, and not judged yet: the verdict will be HANDLED */
        return;
    if (!iskra_finish_eh_request(&sreq->rq) || --host->eh_cnt > 0)
        return;
    host->last_reset_ns = 0;
    if (!iskra_shost_set_state(host, ISKRA_SHOST_RUNNING))
        return;
    ISKRA_LIST_FOREACH(l, &host->devices)
    iskra_queue_kick(&iskra_container_of(l, struct iskra_sdev, link)->queue);
}
