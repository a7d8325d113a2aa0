/* Busy polling (busy_poll_us): whether the loop, before it sleeps, looks for answers for a while.
 * Only who waits for one is worth it; a loop with nothing out sleeps at once. */
#include "api/nexus.h"

uint64_t iskra_api_busy_poll_ns(const struct iskra *ctx)
{
    uint64_t most_us = 0;
    if (ctx->busy_poll_cnt == 0)
        return 0;
    ISKRA_LIST_FOREACH(l, &ctx->nexuses)
    {
        const struct iskra_nexus *n = iskra_container_of(l, struct iskra_nexus, link);
        bool waits = n->state == ISKRA_NEXUS_UP && n->host.host_busy > 0;
        if (waits && n->url.settings.busy_poll_us > most_us)
            most_us = n->url.settings.busy_poll_us;
    }
    return most_us * 1000;
}
