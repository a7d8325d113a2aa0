/* The life of a nexus: wiring the layers together, opening, sharing, ending. */
#include "api/nexus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/login_config.h"
#include "api/login_retry.h"
#include "api/look.h"
#include "api/lun.h"
#include "api/open.h"
#include "control/delay.h"
#include "iscsi/conn.h"
#include "wire/luns.h"

#define NSEC_PER_SEC INT64_C(1000000000)

static void nexus_free(struct iskra_nexus *nexus)
{
    const struct iskra_platform *pf = nexus->ctx->round.pf;
    iskra_work_cancel(&nexus->up_work);
    iskra_work_cancel(&nexus->free_work);
    iskra_list_remove(&nexus->link);
    iskra_timer_done(&nexus->retry_timer);
    iskra_initiator_free(nexus->ini);
    iskra_shost_set_session(&nexus->host, NULL);
    iskra_class_done(&nexus->cls);
    iskra_shost_done(&nexus->host);
    iskra_url_wipe(&nexus->url);
    pf->free(pf->arg, nexus);
}

static void free_work(struct iskra_work *work)
{
    struct iskra_nexus *nexus = iskra_container_of(work, struct iskra_nexus, free_work);
    void (*closed)(void *arg) = nexus->closed;
    void *arg = nexus->closed_arg;
    nexus_free(nexus);
    if (closed != NULL)
        closed(arg);
}

static void tell_waiters(struct iskra_nexus *nexus, int status)
{
    struct iskra_list told;
    iskra_list_init(&told);
    iskra_list_splice_back(&told, &nexus->waiters);
    /* Each may give the nexus back; it is freed at the end of the round, not before. */
    for (struct iskra_list *l; (l = iskra_list_pop_front(&told)) != NULL;) {
        struct iskra_nexus_waiter *w = iskra_container_of(l, struct iskra_nexus_waiter, link);
        w->fn(w, status, &nexus->error);
    }
}

static void up_work(struct iskra_work *work)
{
    struct iskra_nexus *nexus = iskra_container_of(work, struct iskra_nexus, up_work);
    if (nexus->state == ISKRA_NEXUS_UP)
        tell_waiters(nexus, 0);
}

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
    tell_waiters(nexus, 0);
}

/* A login that failed and may do better: its initiator stays, over and silent, until then. What a
 * discovery has told already it would tell twice. True: it will be tried again. */
static bool retry_later(struct iskra_nexus *nexus, const struct iskra_error *why)
{
    const struct iskra_round *round = &nexus->ctx->round;
    uint8_t random = 0;
    if (nexus->retry_cnt == nexus->url.settings.login_retries || !iskra_login_retry_worth(why) ||
        iskra_initiator_tsih(nexus->ini) != 0)
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
    bool was_up = nexus->state == ISKRA_NEXUS_UP;
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
    tell_waiters(nexus, why->sys_errno ? -why->sys_errno : -EIO);
}

static void nexus_closed(void *owner)
{
    struct iskra_nexus *nexus = owner;
    if (nexus->state == ISKRA_NEXUS_OPENING && nexus->entry != NULL) {
        /* A discovery that ended well. */
        nexus->state = ISKRA_NEXUS_DOWN;
        nexus->ended = true;
        tell_waiters(nexus, 0);
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

static const struct iskra_initiator_ops initiator_ops = {
    .up = nexus_up,
    .down = nexus_down,
    .closed = nexus_closed,
    .target = nexus_target,
    .note = nexus_note,
    .async = nexus_async,
};

/* ---- what the host asks ---- */

static void fail_session(void *arg, const struct iskra_error *why)
{
    struct iskra_nexus *nexus = arg;
    struct iskra_conn *conn = nexus->cls.session ? nexus->cls.session->leadconn : NULL;
    if (conn != NULL)
        iskra_conn_failure(
            conn, iskra_tcp_fail(&conn->tcp, ISKRA_CONN_SCSI_EH_SESSION_RST, "%s", why->text));
}

/* 29/xx (power on, reset) comes with nearly every login; the others are news. */
static void unit_attention(void *arg, struct iskra_sdev *sdev, uint8_t asc, uint8_t ascq)
{
    struct iskra_nexus *nexus = arg;
    iskra_api_log(nexus->ctx, asc == 0x29 ? ISKRA_LOG_INFO : ISKRA_LOG_WARNING,
                  "%s: unit attention %02x/%02x", nexus->url.target, asc, ascq);
    iskra_event_unit_attention(nexus, sdev, asc, ascq);
}

static void cache_lost(void *arg, struct iskra_sdev *sdev, uint64_t write_cnt)
{
    struct iskra_nexus *nexus = arg;
    uint32_t lun = 0;
    (void)iskra_lun_decode(sdev->lun, &lun); /* ours: it was encoded */
    iskra_api_log(nexus->ctx, ISKRA_LOG_WARNING,
                  "%s: LUN %u was reset and may have lost %llu acknowledged writes",
                  nexus->url.target, lun, (unsigned long long)write_cnt);
    iskra_event_writes_lost(nexus, sdev, write_cnt);
}

static const struct iskra_shost_ops host_ops = {
    .fail_session = fail_session, .unit_attention = unit_attention, .cache_lost = cache_lost};

/* ---- making one ---- */

/* What a try before has left: an ISID, as a target that went on with it may know it by now, and
 * where the portal has moved to for good. */
struct last_try {
    uint8_t isid[ISKRA_ISID_LEN];
    struct iskra_target_address home;
};

/* last: NULL when this is the first. */
static int login_begin(struct iskra_nexus *nexus, const struct last_try *last,
                       struct iskra_error *err)
{
    struct iskra_initiator_config cfg;
    iskra_login_configure(nexus, &cfg);
    if (last != NULL) {
        memcpy(cfg.isid, last->isid, sizeof(cfg.isid));
        cfg.isid_given = true;
        cfg.host = last->home.host;
        cfg.port = last->home.port;
    }
    int rc = iskra_initiator_new(&nexus->ctx->round, &cfg, &initiator_ops, nexus, &nexus->ini, err);
    if (rc)
        return rc;
    nexus->cls.sink = iskra_initiator_sink(nexus->ini);
    iskra_initiator_attach(nexus->ini, &iskra_class_if_ops, &nexus->cls);
    return iskra_initiator_open(nexus->ini, err);
}

static void retry_now(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_nexus *nexus = iskra_container_of(timer, struct iskra_nexus, retry_timer);
    struct iskra_error err = {0};
    struct last_try last = {.home = *iskra_initiator_home(nexus->ini)};
    (void)now_ns;
    memcpy(last.isid, iskra_initiator_isid(nexus->ini), sizeof(last.isid));
    iskra_initiator_free(nexus->ini);
    nexus->ini = NULL;
    if (login_begin(nexus, &last, &err) < 0)
        nexus_down(nexus, &err);
}

static int nexus_open(struct iskra_nexus *nexus, struct iskra_error *err)
{
    iskra_login_warn(nexus);
    if (iskra_timer_init(&nexus->retry_timer, &nexus->ctx->round.timers, retry_now) < 0)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a session");
    return login_begin(nexus, NULL, err);
}

static int nexus_new(struct iskra *ctx, const struct iskra_url *url, bool discovery,
                     struct iskra_nexus **ret_nexus, struct iskra_error *err)
{
    const struct iskra_platform *pf = ctx->round.pf;
    struct iskra_nexus *nexus = pf->alloc(pf->arg, sizeof(*nexus));
    if (nexus == NULL)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a session");
    nexus->ctx = ctx;
    nexus->url = *url;
    iskra_list_init(&nexus->waiters);
    iskra_list_init(&nexus->luns);
    iskra_list_init(&nexus->opens);
    iskra_list_init(&nexus->looks);
    iskra_work_init(&nexus->up_work, up_work);
    iskra_work_init(&nexus->free_work, free_work);
    iskra_list_push_back(&ctx->nexuses, &nexus->link);
    iskra_shost_init(&nexus->host, &ctx->round, &host_ops, nexus);
    nexus->host.rq_timeout_ns = (uint64_t)url->settings.command_timeout_ns;
    nexus->host.flush_after_reset_fails = url->settings.flush_after_reset_fails;
    int rc = iskra_class_init(&nexus->cls, &ctx->round, &ctx->driver->transport);
    if (rc)
        rc = iskra_fail(err, ISKRA_E_NOMEM, -rc, "no memory for a session");
    nexus->cls.sid = ++ctx->next_sid;
    if (rc == 0 && !discovery)
        iskra_class_set_host(&nexus->cls, &iskra_shost_class_ops, &nexus->host);
    if (rc)
        nexus_free(nexus);
    else
        *ret_nexus = nexus;
    return rc;
}

/* Same portal, target and options: the settings are compared byte for byte, which their parser
 * keeps meaningful. */
static struct iskra_nexus *find(const struct iskra *ctx, const struct iskra_url *url)
{
    ISKRA_LIST_FOREACH(l, &ctx->nexuses)
    {
        struct iskra_nexus *n = iskra_container_of(l, struct iskra_nexus, link);
        if ((n->state == ISKRA_NEXUS_OPENING || n->state == ISKRA_NEXUS_UP) && n->entry == NULL &&
            strcmp(n->url.host, url->host) == 0 && n->url.port == url->port &&
            strcmp(n->url.target, url->target) == 0 &&
            memcmp(&n->url.settings, &url->settings, sizeof(url->settings)) == 0)
            return n;
    }
    return NULL;
}

/* A nexus that is up already tells its new waiter from the loop, like any other. */
static void wait_for(struct iskra_nexus *nexus, struct iskra_nexus_waiter *w)
{
    nexus->user_cnt++;
    iskra_list_push_back(&nexus->waiters, &w->link);
    if (nexus->state == ISKRA_NEXUS_UP)
        iskra_work_schedule(&nexus->ctx->round.work, &nexus->up_work);
}

int iskra_nexus_get(struct iskra *ctx, const struct iskra_url *url, struct iskra_nexus_waiter *w,
                    struct iskra_nexus **ret_nexus, struct iskra_error *err)
{
    struct iskra_nexus *nexus = find(ctx, url);
    int rc = 0;
    if (nexus == NULL) {
        rc = nexus_new(ctx, url, false, &nexus, err);
        if (rc)
            return rc;
        rc = nexus_open(nexus, err);
        if (rc) {
            nexus_free(nexus);
            return rc;
        }
    }
    wait_for(nexus, w);
    *ret_nexus = nexus;
    return 0;
}

int iskra_nexus_discover(struct iskra *ctx, const struct iskra_url *url,
                         struct iskra_nexus_waiter *w,
                         int (*entry)(void *arg, const struct iskra_portal_entry *e), void *arg,
                         struct iskra_nexus **ret_nexus, struct iskra_error *err)
{
    struct iskra_nexus *nexus = NULL;
    int rc = nexus_new(ctx, url, true, &nexus, err);
    if (rc)
        return rc;
    nexus->entry = entry;
    nexus->entry_arg = arg;
    rc = nexus_open(nexus, err);
    if (rc) {
        nexus_free(nexus);
        return rc;
    }
    wait_for(nexus, w);
    *ret_nexus = nexus;
    return 0;
}

/* ---- giving it back ---- */

void iskra_nexus_put(struct iskra_nexus *nexus, void (*closed)(void *arg), void *arg)
{
    bool over = nexus->state == ISKRA_NEXUS_CLOSED; /* abandoned: nobody counts any more */
    if (over || --nexus->user_cnt > 0) {
        if (closed != NULL)
            closed(arg);
        return;
    }
    nexus->was_up = nexus->state == ISKRA_NEXUS_UP;
    nexus->closed = closed;
    nexus->closed_arg = arg;
    iskra_timer_disarm(&nexus->retry_timer);
    bool ended = nexus->ended || nexus->ini == NULL; /* nothing to log out of */
    nexus->state = ended ? ISKRA_NEXUS_CLOSED : ISKRA_NEXUS_CLOSING;
    if (ended)
        iskra_work_schedule(&nexus->ctx->round.work, &nexus->free_work);
    else
        iskra_initiator_close(nexus->ini);
}

static void abandon(struct iskra_nexus *nexus)
{
    struct iskra *ctx = nexus->ctx;
    const struct iskra_error why = {
        .code = ISKRA_E_CANCELED, .sys_errno = ECANCELED, .text = "the initiator is freed"};
    nexus->state = ISKRA_NEXUS_CLOSED; /* first: what a callback opens now must not join it */
    iskra_open_abandon(nexus, &why);
    iskra_look_abandon(nexus, &why);
    ISKRA_LIST_FOREACH(l, &nexus->luns)
    iskra_lun_abandon(iskra_container_of(l, struct iskra_lun, link));
    iskra_work_cancel(&nexus->free_work);
    iskra_initiator_free(nexus->ini);
    nexus->ini = NULL;
    while (iskra_workq_run(&ctx->round.work) > 0)
        ;
    free_work(&nexus->free_work);
}

void iskra_nexus_abandon_all(struct iskra *ctx)
{
    while (!iskra_list_empty(&ctx->nexuses))
        abandon(iskra_container_of(ctx->nexuses.next, struct iskra_nexus, link));
}
