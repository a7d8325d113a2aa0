/* Pings of a LUN's session. */
#include <errno.h>

#include <iskra/session.h>

#include "api/api.h"
#include "api/lun.h"
#include "iscsi/ping.h"

#define TIMEOUT_NS_DEFAULT UINT64_C(5000000000)

/* noop_timeout=0 says that no ping of the session's own is judged, not that this one may take no
 * time. */
static uint64_t timeout_of(const struct iskra_nexus *nexus, uint64_t timeout_ns)
{
    if (timeout_ns == 0 && nexus->url.settings.noop_timeout_ns > 0)
        timeout_ns = (uint64_t)nexus->url.settings.noop_timeout_ns;
    return timeout_ns == 0 ? TIMEOUT_NS_DEFAULT : timeout_ns;
}

static int ping(struct iskra_lun *lun, const void *data, uint32_t len, uint64_t timeout_ns,
                iskra_ping_fn *fn, void *arg, struct iskra_error *err)
{
    struct iskra_nexus *nexus = lun->nexus;
    struct iskra_session *s = nexus->cls.session;
    if (lun->closing)
        return iskra_fail(err, ISKRA_E_USAGE, ENODEV, "LUN %u is being closed", lun->number);
    if (nexus->state == ISKRA_NEXUS_DOWN) {
        if (err != NULL)
            *err = nexus->error;
        return -ENOTCONN;
    }
    if (s == NULL || s->leadconn == NULL)
        return iskra_fail(err, ISKRA_E_CONNECTION, ENOTCONN, "no ping: there is no session");
    return iskra_ping_send(s->leadconn, data, len, timeout_of(nexus, timeout_ns), fn, arg, err);
}

int iskra_ping(struct iskra_lun *lun, const void *data, uint32_t len, uint64_t timeout_ns,
               iskra_ping_fn *fn, void *arg, struct iskra_error *err)
{
    struct iskra *ctx = iskra_lun_ctx(lun);
    int rc = iskra_api_enter(ctx, err);
    if (rc)
        return rc;
    rc = ping(lun, data, len, timeout_ns, fn, arg, err);
    iskra_api_leave(ctx);
    return rc;
}

struct waiter {
    bool finished;
    int status;
    uint64_t rtt_ns;
    struct iskra_error *err;
};

static void finished(void *arg, int status, uint64_t rtt_ns, const struct iskra_error *err)
{
    struct waiter *w = arg;
    w->finished = true;
    w->status = status;
    w->rtt_ns = rtt_ns;
    if (status && w->err != NULL)
        *w->err = *err;
}

int iskra_ping_sync(struct iskra_lun *lun, const void *data, uint32_t len, uint64_t timeout_ns,
                    uint64_t *ret_rtt_ns, struct iskra_error *err)
{
    struct iskra *ctx = iskra_lun_ctx(lun);
    struct waiter w = {.err = err};
    int rc = iskra_api_may_block(ctx, err);
    if (rc == 0)
        rc = iskra_ping(lun, data, len, timeout_ns, finished, &w, err);
    if (rc == 0)
        rc = iskra_api_wait(ctx, &w.finished);
    if (rc == 0)
        rc = w.status;
    if (rc == 0 && ret_rtt_ns != NULL)
        *ret_rtt_ns = w.rtt_ns;
    return rc;
}
