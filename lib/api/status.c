/* What sessions are doing now: the layers' own words, gathered in one public struct. */
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/nexus.h"
#include "scsi/device.h"
#include "scsi/eh_status.h"
#include "scsi/request.h"
#include "scsi/revalidate.h"
#include "wire/bhs.h"
#include "wire/cdb.h"
#include "wire/luns.h"

/* Requests that wait in the queues of the devices. */
static uint32_t queued_cnt(const struct iskra_shost *host)
{
    uint32_t cnt = 0;
    ISKRA_LIST_FOREACH(l, &host->devices)
    {
        const struct iskra_sdev *sdev = iskra_container_of(l, struct iskra_sdev, link);
        ISKRA_LIST_FOREACH(r, &sdev->queue.requests)
        {
            (void)r;
            cnt++;
        }
    }
    return cnt;
}

static void older(struct iskra_request *rq, void *arg)
{
    const struct iskra_scsi_request *sreq = iskra_scsi_request_of(rq);
    uint64_t *oldest_ns = arg, ns = iskra_shost_active_ns(sreq->sdev->host) - sreq->started_ns;
    *oldest_ns = ns > *oldest_ns ? ns : *oldest_ns;
}

static uint64_t oldest_ns(const struct iskra_shost *host)
{
    uint64_t ns = 0;
    ISKRA_LIST_FOREACH(l, &host->devices)
    iskra_queue_each_sent(&iskra_container_of(l, struct iskra_sdev, link)->queue, older, &ns);
    return ns;
}

static void describe_recovery(const struct iskra_shost *host, struct iskra_session_status *st)
{
    struct iskra_eh_status eh;
    uint32_t lun = 0;
    iskra_eh_status(host, &eh);
    st->rung = iskra_eh_rung_name(eh.rung);
    st->command = eh.cmnd_valid ? iskra_cdb_name(eh.opcode, 0) : "";
    st->opcode = eh.opcode;
    st->itt = eh.cmnd_valid ? eh.itt : ISKRA_RESERVED_TAG;
    st->lun_known = eh.lun_valid && iskra_lun_decode(eh.lun, &lun) == 0;
    st->lun = lun;
    st->testing = eh.testing;
    st->rung_ns = eh.since_ns;
    st->failed_ns = eh.age_ns;
    st->failed_cnt = eh.cmnd_cnt;
    st->wait_cnt = eh.wait_cnt;
}

/* The class holds the timer: it is the one that makes commands fail. */
static int64_t replacement_ns(const struct iskra_class *cls)
{
    uint64_t now_ns = cls->round->now_ns;
    if (iskra_timer_armed(&cls->recovery_timer))
        return cls->recovery_timer.deadline_ns > now_ns
                   ? (int64_t)(cls->recovery_timer.deadline_ns - now_ns)
                   : 0;
    return cls->session != NULL && cls->session->params.replacement_timeout_ns < 0 ? -1 : 0;
}

static void describe_link(const struct iskra_nexus *nexus, struct iskra_session_status *st)
{
    struct iskra_initiator_status ini;
    iskra_initiator_status(nexus->ini, &ini);
    st->initiator_state = iskra_initiator_state_name(ini.state);
    memcpy(st->isid, iskra_initiator_isid(nexus->ini), sizeof(st->isid));
    st->tsih = iskra_initiator_tsih(nexus->ini);
    snprintf(st->portal_address, sizeof(st->portal_address), "%s",
             iskra_initiator_portal(nexus->ini));
    snprintf(st->error_text, sizeof(st->error_text), "%s", ini.error.text);
    st->reopening = ini.reopening;
    if (!ini.reopening) {
        st->checking_cnt = iskra_revalidate_pending_cnt(&nexus->host);
        if (st->checking_cnt > 0)
            st->replacement_ns = replacement_ns(&nexus->cls);
        return;
    }
    st->attempt = ini.attempt;
    st->lost_ns = ini.away_ns;
    st->next_attempt_ns = ini.next_ns;
    st->replacement_ns = replacement_ns(&nexus->cls);
}

static void describe(const struct iskra_nexus *nexus, struct iskra_session_status *st)
{
    const struct iskra_session *session = nexus->cls.session;
    memset(st, 0, sizeof(*st));
    st->size = sizeof(*st);
    st->sid = nexus->cls.sid;
    snprintf(st->target_name, sizeof(st->target_name), "%s", nexus->url.target);
    st->session_state = session != NULL ? iskra_session_state_name(session->state) : "FREE";
    st->class_state = iskra_class_state_name(nexus->cls.state);
    st->host_state = iskra_shost_state_name(nexus->host.state);
    st->initiator_state = iskra_initiator_state_name(ISKRA_INITIATOR_FREE);
    st->in_flight_cnt = nexus->host.host_busy;
    st->queued_cnt = queued_cnt(&nexus->host);
    st->oldest_ns = oldest_ns(&nexus->host);
    describe_recovery(&nexus->host, st);
    if (nexus->ini != NULL)
        describe_link(nexus, st);
    if (nexus->state == ISKRA_NEXUS_DOWN)
        snprintf(st->error_text, sizeof(st->error_text), "%s", nexus->error.text);
    iskra_stats_gather(nexus, &st->stats);
}

/* Entered as by any call, so that the times are those of now. */
int iskra_sessions(struct iskra *ctx, iskra_session_fn *fn, void *arg)
{
    struct iskra_session_status st;
    int rc = iskra_api_enter(ctx, NULL);
    if (rc)
        return rc;
    ISKRA_LIST_FOREACH(l, &ctx->nexuses)
    {
        const struct iskra_nexus *nexus = iskra_container_of(l, struct iskra_nexus, link);
        if (nexus->state == ISKRA_NEXUS_CLOSED)
            continue;
        describe(nexus, &st);
        if ((rc = fn(arg, &st)))
            break;
    }
    iskra_api_leave(ctx);
    return rc;
}
