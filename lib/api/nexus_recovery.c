/* A nexus whose session was lost and comes back: its state, its events, its lines in the log. LUNs
 * stay and notice nothing but time; who wants to open one meanwhile waits, as long as requests do.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "api/nexus.h"
#include "error.h"
#include "scsi/revalidate.h"

#define NS_PER_S UINT64_C(1000000000)

/* A target that is away for days is not worth a line every 3 s. */
#define ALIKE_SAID_MAX   10u
#define ALIKE_SILENCE_NS (60 * NS_PER_S)

/* A loss that somebody who waits for I/O may wonder about: from here on it is a warning, and so is
 * its end. */
#define NOTICED_NS NS_PER_S

static double seconds(uint64_t ns)
{
    return (double)ns / (double)NS_PER_S;
}

static uint64_t away_ns(const struct iskra_nexus *nexus)
{
    return nexus->ctx->round.now_ns - nexus->away.lost_ns;
}

void iskra_nexus_lost(void *owner, const struct iskra_error *why)
{
    struct iskra_nexus *nexus = owner;
    if (nexus->state != ISKRA_NEXUS_UP)
        return;
    nexus->state = ISKRA_NEXUS_RECONNECTING;
    nexus->error = *why;
    nexus->away.lost_ns = nexus->ctx->round.now_ns;
    nexus->away.failed_cnt = nexus->away.alike_cnt = 0;
    nexus->away.warned = nexus->away.mute = false;
    iskra_api_log(nexus->ctx, ISKRA_LOG_INFO, "session %u: lost: %s; reconnecting", nexus->cls.sid,
                  why->text);
    iskra_event_session(nexus, ISKRA_EVENT_SESSION_RECOVERING, why);
}

static bool alike(const struct iskra_error *a, const struct iskra_error *b)
{
    return a->code == b->code && a->sys_errno == b->sys_errno && a->conn_error == b->conn_error &&
           a->login_class == b->login_class && a->login_detail == b->login_detail;
}

/* The first ten that fail in the same way, then one a minute. */
static bool worth_a_line(struct iskra_nexus *nexus, const struct iskra_error *why)
{
    uint64_t now_ns = nexus->ctx->round.now_ns;
    if (nexus->away.alike_cnt == 0 || !alike(&nexus->away.why, why))
        nexus->away.alike_cnt = 0;
    nexus->away.why = *why;
    if (nexus->away.alike_cnt == ALIKE_SAID_MAX && now_ns < nexus->away.said_ns + ALIKE_SILENCE_NS)
        return false;
    nexus->away.said_ns = now_ns;
    if (nexus->away.alike_cnt < ALIKE_SAID_MAX)
        nexus->away.alike_cnt++;
    return true;
}

void iskra_nexus_retry(void *owner, unsigned attempt, uint64_t delay_ns,
                       const struct iskra_error *why)
{
    struct iskra_nexus *nexus = owner;
    nexus->away.failed_cnt = attempt;
    if (nexus->state != ISKRA_NEXUS_RECONNECTING && nexus->state != ISKRA_NEXUS_OFFLINE)
        return;
    nexus->error = *why;
    if (!nexus->away.warned && away_ns(nexus) >= NOTICED_NS) {
        nexus->away.warned = true;
        iskra_api_log(nexus->ctx, ISKRA_LOG_WARNING,
                      "session %u: lost %.1f s ago, %u attempts failed, the last one: %s",
                      nexus->cls.sid, seconds(away_ns(nexus)), attempt, why->text);
    }
    if (worth_a_line(nexus, why))
        iskra_api_log(nexus->ctx, ISKRA_LOG_INFO,
                      "session %u: attempt %u failed: %s; next in %.1f s", nexus->cls.sid, attempt,
                      why->text, seconds(delay_ns));
}

void iskra_nexus_reopened(void *owner)
{
    struct iskra_nexus *nexus = owner;
    if (nexus->state != ISKRA_NEXUS_RECONNECTING && nexus->state != ISKRA_NEXUS_OFFLINE)
        return;
    nexus->state = ISKRA_NEXUS_UP;
    nexus->counts.logins++;
    memset(&nexus->error, 0, sizeof(nexus->error));
    iskra_api_log(nexus->ctx, nexus->away.warned ? ISKRA_LOG_WARNING : ISKRA_LOG_INFO,
                  "session %u: logged in again to %s at %s after %.1f s (attempt %u)",
                  nexus->cls.sid, nexus->url.target, iskra_initiator_portal(nexus->ini),
                  seconds(away_ns(nexus)), nexus->away.failed_cnt + 1);
    iskra_event_session(nexus, ISKRA_EVENT_SESSION_RECOVERED, NULL);
    iskra_nexus_tell_waiters(nexus, 0);
}

/* It came back in time, but what is behind it did not: to those who wait it is all the same. */
static void mute(struct iskra_nexus *nexus)
{
    struct iskra_error why = {0};
    nexus->away.mute = true;
    (void)iskra_fail(&why, ISKRA_E_OFFLINE, ETIMEDOUT,
                     "logged in again, but %" PRIu32
                     " of its LUNs have not told whether they are the same disks",
                     iskra_revalidate_pending_cnt(&nexus->host)); /* told just below */
    iskra_api_log(nexus->ctx, ISKRA_LOG_ERROR,
                  "session %u: %s after %.1f s: their I/O fails until they do", nexus->cls.sid,
                  why.text, seconds(away_ns(nexus)));
    iskra_event_session(nexus, ISKRA_EVENT_SESSION_GIVEN_UP, &why);
}

void iskra_nexus_ready(void *owner)
{
    struct iskra_nexus *nexus = owner;
    if (!nexus->away.mute)
        return;
    nexus->away.mute = false;
    iskra_api_log(nexus->ctx, ISKRA_LOG_WARNING, "session %u: its LUNs answer again after %.1f s",
                  nexus->cls.sid, seconds(away_ns(nexus)));
    iskra_event_session(nexus, ISKRA_EVENT_SESSION_RECOVERED, NULL);
}

/* What requests that waited will say: not only why the session was lost, but why it is not back. */
static void say_why_not_back(struct iskra_nexus *nexus, struct iskra_session *session)
{
    const struct iskra_error *why = &nexus->error;
    struct iskra_error err = {0};
    if (nexus->url.settings.replacement_timeout_ns == 0) /* nobody has waited */
        return;
    (void)iskra_fail(&err, why->code, why->sys_errno, "the session is not back after %.1f s: %s",
                     seconds(away_ns(nexus)), why->text);
    err.conn_error = why->conn_error;
    session->error = err;
}

/* The replacement timer has run out, or the class is terminated, which is told elsewhere. */
static void transport_offline(void *host)
{
    struct iskra_nexus *nexus = iskra_container_of(host, struct iskra_nexus, host);
    struct iskra_session *session = nexus->cls.session;
    bool given_up = nexus->state == ISKRA_NEXUS_RECONNECTING && session != NULL &&
                    session->state != ISKRA_SESSION_TERMINATE;
    if (given_up)
        say_why_not_back(nexus, session);
    iskra_shost_class_ops.transport_offline(host);
    if (session != NULL && session->state == ISKRA_SESSION_LOGGED_IN &&
        iskra_revalidate_pending_cnt(&nexus->host) > 0) {
        mute(nexus);
        return;
    }
    if (!given_up)
        return;
    nexus->state = ISKRA_NEXUS_OFFLINE;
    iskra_api_log(nexus->ctx, ISKRA_LOG_ERROR,
                  "session %u: not back after %.1f s: I/O fails until it is", nexus->cls.sid,
                  seconds(away_ns(nexus)));
    iskra_event_session(nexus, ISKRA_EVENT_SESSION_GIVEN_UP, &nexus->error);
    iskra_work_schedule(&nexus->ctx->round.work, &nexus->up_work); /* who waits to open */
}

void iskra_nexus_attach_host(struct iskra_nexus *nexus)
{
    nexus->class_ops = iskra_shost_class_ops;
    nexus->class_ops.transport_offline = transport_offline;
    iskra_class_set_host(&nexus->cls, &nexus->class_ops, &nexus->host);
}
