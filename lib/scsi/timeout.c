/* times_out: the host's part in judging an expired command. */
#include "scsi/timeout.h"

#include "scsi/device.h"
#include "scsi/eh.h"
#include "scsi/host.h"
#include "scsi/request.h"
#include "trace.h"

/* notes F38: beyond the session's eh_timed_out nothing is hooked in here: no deadline function and
 * no host reset of the transport's own. */
enum iskra_eh_verdict iskra_scsi_times_out(struct iskra_request *rq)
{
    struct iskra_scsi_request *sreq = iskra_scsi_request_of(rq);
    struct iskra_shost *host = sreq->sdev->host;

    ISKRA_STEP(&host->round->trace, TIMES_OUT, 0);
    host->counts.timeouts++;
    /* notes F39: host->last_reset starts the error handler's deadline, if there is one (decision
     * 2), and begins anew while all that expires is excused. */
    if (host->eh_deadline_ns != -1 && host->last_reset_ns == 0)
        host->last_reset_ns = host->round->now_ns;
    /* notes F40: uses the host's eh_timed_out() */
    enum iskra_eh_verdict verdict = ISKRA_EH_HANDLED; /* who has gone has given everything back */
    if (host->session != NULL)
        verdict = iskra_eh_cmd_timed_out(host->session, &sreq->cmnd);
    if (verdict == ISKRA_EH_NOT_HANDLED)
        iskra_eh_timed_out(sreq);
    else
        iskra_eh_rest(host);
    return verdict;
}
