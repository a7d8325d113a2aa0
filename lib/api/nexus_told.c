/* What a nexus is told: by its initiator, by its host. What becomes of a session that was lost:
 * nexus_recovery.c. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/login_retry.h"
#include "api/nexus.h"
#include "control/delay.h"
#include "iscsi/conn.h"
#include "wire/luns.h"
#include "wire/sense.h"

#define NSEC_PER_SEC INT64_C(1000000000)

/* ---- what the initiator tells ---- */

static void nexus_up(void *owner)
{
    struct iskra_nexus *nexus = owner;
    if (nexus->state != ISKRA_NEXUS_OPENING)
        return;
    nexus->state = ISKRA_NEXUS_UP;
    nexus->counts.logins++;
    iskra_shost_set_session(&nexus->host, nexus->cls.session);
    iskra_api_log(nexus->ctx, ISKRA_LOG_INFO, "session %u: logged in to %s at %s",
                  nexus->cls.session->sid, nexus->url.target, iskra_initiator_portal(nexus->ini));
    iskra_event_session(nexus, ISKRA_EVENT_SESSION_UP, NULL);
    iskra_nexus_tell_waiters(nexus, 0);
}

/* A login that failed and may do better: its initiator stays, over and silent, until then. What a
 * discovery has told already it would tell twice. True: it will be tried again. */
static bool retry_later(struct iskra_nexus *nexus, const struct iskra_error *why)
{
    const struct iskra_round *round = &nexus->ctx->round;
    uint8_t random = 0;
    if (nexus->ini == NULL || nexus->retry_cnt == nexus->url.settings.login_retries ||
        !iskra_login_retry_worth(why) || iskra_initiator_tsih(nexus->ini) != 0)
        return false;
    nexus->retry_cnt++;
    (void)round->pf->random(round->pf->arg, &random, sizeof(random)); /* else without jitter */
    uint64_t delay_ns = iskra_retry_delay_ns(nexus->retry_cnt, random);
    iskra_api_log(nexus->ctx, ISKRA_LOG_INFO, "%s: %s; try %u of %u in %.1f s", nexus->url.host,
                  why->text, nexus->retry_cnt + 1, nexus->url.settings.login_retries + 1,
                  (double)delay_ns / (double)NSEC_PER_SEC);
    iskra_timer_arm(&nexus->retry_timer, round->now_ns + delay_ns);
    return true;
}

static void tell_of_retries(struct iskra_nexus *nexus)
{
    char *text = nexus->error.text;
    size_t len = strlen(text);
    if (nexus->retry_cnt > 0)
        snprintf(text + len, sizeof(nexus->error.text) - len, " (try %u)", nexus->retry_cnt + 1);
}

static void nexus_down(void *owner, const struct iskra_error *why)
{
    struct iskra_nexus *nexus = owner;
    bool was_up = iskra_nexus_was_up(nexus);
    if (nexus->state != ISKRA_NEXUS_OPENING && !was_up)
        return;
    if (!was_up && retry_later(nexus, why))
        return;
    nexus->state = ISKRA_NEXUS_DOWN;
    nexus->error = *why;
    tell_of_retries(nexus);
    iskra_api_log(nexus->ctx, ISKRA_LOG_ERROR, "%s: %s%s", nexus->url.host,
                  was_up ? "session lost: " : "", why->text);
    if (nexus->entry == NULL)
        iskra_event_session(nexus, was_up ? ISKRA_EVENT_SESSION_LOST : ISKRA_EVENT_SESSION_FAILED,
                            &nexus->error);
    iskra_nexus_tell_waiters(nexus, iskra_nexus_status(nexus));
}

static void nexus_closed(void *owner)
{
    struct iskra_nexus *nexus = owner;
    if (nexus->state == ISKRA_NEXUS_OPENING && nexus->entry != NULL) {
        /* A discovery that ended well. */
        nexus->state = ISKRA_NEXUS_DOWN;
        nexus->ended = true;
        iskra_nexus_tell_waiters(nexus, 0);
        return;
    }
    if (nexus->state == ISKRA_NEXUS_CLOSED)
        return;
    if (nexus->was_up)
        iskra_event_session(nexus, ISKRA_EVENT_SESSION_CLOSED, NULL);
    nexus->state = ISKRA_NEXUS_CLOSED;
    iskra_work_schedule(&nexus->ctx->round.work, &nexus->free_work);
}

static int nexus_target(void *owner, const struct iskra_target_entry *t)
{
    struct iskra_nexus *nexus = owner;
    const struct iskra_portal_entry e = {
        .target_name = t->target_name,
        .address = t->address->host,
        .port = t->address->port,
        .tpgt = t->address->tpgt,
    };
    if (nexus->entry_rc == 0)
        nexus->entry_rc = nexus->entry(nexus->entry_arg, &e);
    return nexus->entry_rc;
}

static void nexus_note(void *owner, const char *line)
{
    struct iskra_nexus *nexus = owner;
    iskra_api_log(nexus->ctx, ISKRA_LOG_WARNING, "%s: %s", nexus->url.host, line);
}

static void nexus_async(void *owner, const struct iskra_pdu_async *pdu, const uint8_t *data,
                        size_t len)
{
    iskra_event_async(owner, pdu, data, len);
}

const struct iskra_initiator_ops iskra_nexus_initiator_ops = {
    .up = nexus_up,
    .down = nexus_down,
    .closed = nexus_closed,
    .target = nexus_target,
    .note = nexus_note,
    .async = nexus_async,
    .lost = iskra_nexus_lost,
    .retry = iskra_nexus_retry,
    .reopened = iskra_nexus_reopened,
};

/* ---- what the host asks ---- */

static uint32_t number_of(const struct iskra_sdev *sdev)
{
    uint32_t number = 0;
    (void)iskra_lun_decode(sdev->lun, &number); /* ours: it was encoded */
    return number;
}

/* 29/xx (power on, reset) comes with nearly every login; the others are news. */
static void unit_attention(void *arg, struct iskra_sdev *sdev, uint8_t asc, uint8_t ascq)
{
    struct iskra_nexus *nexus = arg;
    const char *name = iskra_asc_name(asc, ascq);
    bool known = strcmp(name, "?") != 0;
    iskra_api_log(nexus->ctx, asc == 0x29 ? ISKRA_LOG_INFO : ISKRA_LOG_WARNING,
                  "%s: LUN %u: unit attention %02x/%02x%s%s", nexus->url.target, number_of(sdev),
                  asc, ascq, known ? ", " : "", known ? name : "");
    iskra_event_unit_attention(nexus, sdev, asc, ascq);
}

static void capacity_changed(void *arg, struct iskra_sdev *sdev, uint64_t was_cnt)
{
    struct iskra_nexus *nexus = arg;
    iskra_api_log(nexus->ctx, ISKRA_LOG_WARNING, "%s: LUN %u had %llu blocks and now has %llu",
                  nexus->url.target, number_of(sdev), (unsigned long long)was_cnt,
                  (unsigned long long)sdev->block_cnt);
    iskra_event_capacity_changed(nexus, sdev);
}

static void cache_lost(void *arg, struct iskra_sdev *sdev, uint64_t write_cnt)
{
    struct iskra_nexus *nexus = arg;
    iskra_api_log(nexus->ctx, ISKRA_LOG_WARNING,
                  "%s: LUN %u reports a reset, and may have lost %llu acknowledged writes",
                  nexus->url.target, number_of(sdev), (unsigned long long)write_cnt);
    iskra_event_writes_lost(nexus, sdev, write_cnt);
}

static void host_note(void *arg, bool warning, const char *line)
{
    struct iskra_nexus *nexus = arg;
    iskra_api_log(nexus->ctx, warning ? ISKRA_LOG_WARNING : ISKRA_LOG_INFO, "session %u: %s",
                  nexus->cls.sid, line);
}

const struct iskra_shost_ops iskra_nexus_host_ops = {.note = host_note,
                                                     .unit_attention = unit_attention,
                                                     .capacity_changed = capacity_changed,
                                                     .ready = iskra_nexus_ready,
                                                     .cache_lost = cache_lost};
