/* Taking a request back while the target still works on it (decision 17).
 *
 * An heir takes its place in the queue, at the session and at the error handler: it has the
 * request's deadline and counts as it did, so that everything that waits for what is out waits for
 * it. Its end is nobody's business. The memory that it, a sink or an unsent tail need is allocated
 * here, which is on no request's way. */
#include <errno.h>
#include <stdalign.h>
#include <stddef.h>
#include <string.h>

#include "scsi/dispatch.h"
#include "scsi/host.h"
#include "scsi/request.h"

struct heir {
    struct iskra_scsi_request sreq;
    alignas(max_align_t) unsigned char memory[];
};

static void heir_done(struct iskra_scsi_request *sreq)
{
    const struct iskra_platform *pf = sreq->sdev->host->round->pf;

    pf->free(pf->arg, iskra_container_of(sreq, struct heir, sreq));
}

/* Only the opcode of a CDB longer than this is still looked at. */
static void cdb_copy(struct iskra_scsi_request *to, const struct iskra_scsi_request *from)
{
    uint16_t len = from->cmnd.cdb_len;

    if (len > sizeof(to->cdb))
        len = sizeof(to->cdb);
    memmove(to->cdb, from->cmnd.cdb, len);
    to->cmnd.cdb = to->cdb;
    to->cmnd.cdb_len = len;
}

static void hand_over(struct iskra_scsi_request *sreq, struct heir *heir)
{
    struct iskra_scsi_request *to = &heir->sreq;

    *to = *sreq;
    iskra_move_request(&sreq->rq, &to->rq);
    iskra_cmnd_detach(&sreq->cmnd, &to->cmnd, heir->memory);
    cdb_copy(to, sreq);
    to->cmnd.error = to->error = NULL;
    to->extents = NULL;
    to->done = heir_done;
    to->canceled = to->detached = true;
    sreq->lent = sreq->busy = sreq->postponed = sreq->in_eh = false;
}

/* softirq_done without done(). */
static void end_silently(struct iskra_scsi_request *sreq)
{
    struct iskra_sdev *sdev = sreq->sdev;

    iskra_scsi_unbusy(sreq);
    iskra_queue_kick(&sdev->queue);
    if (sdev->state == ISKRA_SDEV_CANCEL)
        iskra_work_schedule(&sdev->host->round->work, &sdev->gone_work);
}

/* Is there something that outlives this call? */
static bool needs_heir(const struct iskra_scsi_request *sreq)
{
    return sreq->lent && (sreq->cmnd.task == NULL || !iskra_cmnd_unsent(&sreq->cmnd));
}

int iskra_scsi_detach(struct iskra_scsi_request *sreq)
{
    int rc = sreq->lent ? iskra_cmnd_recall(&sreq->cmnd) : 0;
    if (rc < 0)
        return rc;
    if (!needs_heir(sreq)) {
        (void)iskra_scsi_cancel(sreq); /* if it is too late, softirq_done is due, or has run */
        if (!iskra_forget_request(&sreq->rq))
            return -EALREADY;
        end_silently(sreq);
        return 0;
    }
    const struct iskra_platform *pf = sreq->sdev->host->round->pf;
    struct heir *heir = pf->alloc(pf->arg, sizeof(*heir) + iskra_cmnd_detach_len(&sreq->cmnd));
    if (heir == NULL)
        return -ENOMEM;
    hand_over(sreq, heir);
    (void)iskra_scsi_cancel(&heir->sreq); /* it is out: 0 */
    return 0;
}
