/* The first rung of the ladder: REQUEST SENSE for commands that failed without saying why. A target
 * that speaks iSCSI sends sense data with the status, so this is for those that forget to. */
#include <string.h>

#include "scsi/eh_steps.h"
#include "scsi/host.h"
#include "wire/bhs.h"
#include "wire/cdb.h"
#include "wire/sense.h"

bool iskra_eh_sense_missing(const struct iskra_scsi_request *sreq)
{
    return ISKRA_RESULT_HOST(sreq->cmnd.result) == ISKRA_DID_OK &&
           ISKRA_RESULT_STATUS(sreq->cmnd.result) == ISKRA_STATUS_CHECK_CONDITION &&
           sreq->cmnd.sense_len == 0;
}

static struct iskra_scsi_request *next_without_sense(const struct iskra_eh *eh)
{
    ISKRA_LIST_FOREACH(l, (struct iskra_list *)&eh->failed)
    {
        struct iskra_scsi_request *sreq = iskra_eh_sreq_at(l);
        if (!sreq->timed_out && !sreq->sense_asked && iskra_eh_sense_missing(sreq))
            return sreq;
    }
    return NULL;
}

static void sensed(struct iskra_eh_cmnd *cmnd, enum iskra_disposition d)
{
    iskra_eh_answer(iskra_container_of(cmnd, struct iskra_eh, cmnd), ISKRA_EH_STEP_ACTED,
                    d == ISKRA_DISPOSITION_SUCCESS);
}

/* What the ladder above can do nothing for: no retry would follow. */
static void drop_hopeless(struct iskra_eh *eh)
{
    ISKRA_LIST_FOREACH(l, &eh->failed)
    {
        struct iskra_scsi_request *sreq = iskra_eh_sreq_at(l);
        if (!sreq->timed_out &&
            (!iskra_scsi_request_is_idempotent(sreq) || sreq->retries >= sreq->allowed))
            iskra_eh_over(eh, sreq);
    }
}

void iskra_eh_drop_answered(struct iskra_eh *eh)
{
    ISKRA_LIST_FOREACH(l, &eh->failed)
    if (!iskra_eh_sreq_at(l)->timed_out)
        iskra_eh_over(eh, iskra_eh_sreq_at(l));
}

void iskra_eh_sense_next(struct iskra_eh *eh)
{
    struct iskra_scsi_request *sreq = next_without_sense(eh);

    if (sreq == NULL || eh->host->session == NULL) {
        drop_hopeless(eh);
        iskra_eh_set_rung(eh, ISKRA_EH_RUNG_LUN_RESET);
        return;
    }
    uint8_t cdb[ISKRA_REQUEST_CDB_LEN];
    unsigned cdb_len = iskra_cdb_request_sense(cdb, false, sizeof(eh->sense));
    sreq->sense_asked = true;
    eh->sreq = sreq;
    eh->sdev = sreq->sdev;
    memset(eh->sense, 0, sizeof(eh->sense));
    iskra_eh_note_cmnd(eh, false, sreq,
                       "CHECK CONDITION without sense data; REQUEST SENSE is sent");
    iskra_eh_set_step(eh, ISKRA_EH_STEP_ACT);
    iskra_eh_cmnd_send(&eh->cmnd, eh->sdev, cdb, cdb_len, eh->sense, sizeof(eh->sense),
                       ISKRA_EH_SENSE_TIMEOUT_NS, sensed);
}

/* With its sense it is judged once more. */
void iskra_eh_take_sensed(struct iskra_eh *eh)
{
    const struct iskra_cmnd *cmnd = &eh->cmnd.cmnd;
    uint32_t len = cmnd->residual < sizeof(eh->sense) ? sizeof(eh->sense) - cmnd->residual : 0;
    struct iskra_scsi_request *sreq = eh->sreq;
    struct iskra_sense sense;

    if (sreq != NULL && eh->good && iskra_sense_decode(eh->sense, len, &sense) == 0) {
        sreq->cmnd.sense_len = (uint8_t)len;
        memcpy(sreq->cmnd.sense, eh->sense, len);
        iskra_eh_scmd_finish(sreq);
    }
    iskra_eh_let_go(eh);
    iskra_eh_set_step(eh, ISKRA_EH_STEP_NEXT);
}
