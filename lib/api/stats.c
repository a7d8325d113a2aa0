/* Counters of a session: what its layers have counted, gathered. */
#include <string.h>

#include "api/api.h"
#include "api/lun.h"

void iskra_stats_gather(const struct iskra_nexus *nexus, struct iskra_session_stats *s)
{
    memset(s, 0, sizeof(*s));
    s->logins = nexus->counts.logins;
    s->unit_attentions = nexus->counts.unit_attentions;
    s->async_messages = nexus->counts.async_messages;
    s->commands = nexus->host.counts.commands;
    s->retries = nexus->host.counts.retries;
    s->timeouts = nexus->host.counts.timeouts;
    if (nexus->cls.session == NULL)
        return;
    struct iskra_uevent ev = {.type = ISKRA_UEVENT_GET_STATS, .sid = nexus->cls.session->sid};
    if (iskra_class_if_ops.request((void *)&nexus->cls, &ev, NULL, NULL, 0, NULL) != 0)
        return;
    s->rx_bytes = ev.r.stats.rx_octets;
    s->tx_bytes = ev.r.stats.tx_octets;
    s->rx_pdus = ev.r.stats.rx_pdus;
    s->tx_pdus = ev.r.stats.tx_pdus;
    s->r2ts = ev.r.stats.r2ts;
    s->digest_errors = ev.r.stats.digest_errors;
    s->ping_timeouts = ev.r.stats.timeout_errors;
    s->status_gaps = ev.r.stats.statsn_gaps;
    s->window_waits = ev.r.stats.window_waits;
    s->window_wait_ns = ev.r.stats.window_wait_ns;
    s->r2t_wait_ns = ev.r.stats.r2t_wait_ns;
}

void iskra_session_stats(const struct iskra_lun *lun, struct iskra_session_stats *ret_stats)
{
    iskra_api_lock(lun->ctx);
    iskra_stats_gather(lun->nexus, ret_stats);
    iskra_api_unlock(lun->ctx);
}
