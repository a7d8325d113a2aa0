/* The life of a nexus: wiring the layers together, opening, sharing, ending. What it is told
 * meanwhile: nexus_told.c. */
#include "api/nexus.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/isid_lock.h"
#include "api/login_config.h"
#include "api/look.h"
#include "api/lun.h"
#include "api/open.h"

static void nexus_free(struct iskra_nexus *nexus)
{
    const struct iskra_platform *pf = nexus->ctx->round.pf;
    iskra_work_cancel(&nexus->up_work);
    iskra_work_cancel(&nexus->free_work);
    iskra_list_remove(&nexus->link);
    nexus->ctx->busy_poll_cnt -= nexus->url.settings.busy_poll_us > 0;
    iskra_timer_done(&nexus->retry_timer);
    iskra_initiator_free(nexus->ini);
    iskra_shost_set_session(&nexus->host, NULL);
    iskra_class_done(&nexus->cls);
    iskra_shost_done(&nexus->host);
    iskra_url_wipe(&nexus->url);
    iskra_isid_lock_drop(nexus->isid_lock_fd);
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

int iskra_nexus_status(const struct iskra_nexus *nexus)
{
    return nexus->error.sys_errno ? -nexus->error.sys_errno : -EIO;
}

void iskra_nexus_tell_waiters(struct iskra_nexus *nexus, int status)
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
        iskra_nexus_tell_waiters(nexus, 0);
    else if (nexus->state == ISKRA_NEXUS_OFFLINE)
        iskra_nexus_tell_waiters(nexus, iskra_nexus_status(nexus));
}

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
    int rc = iskra_initiator_new(&nexus->ctx->round, &cfg, &iskra_nexus_initiator_ops, nexus,
                                 &nexus->ini, err);
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
        iskra_nexus_initiator_ops.down(nexus, &err);
}

/* Before anything is sent: the login itself would throw the other session out. */
static int isid_lock(struct iskra_nexus *nexus, struct iskra_error *err)
{
    const struct iskra_url *url = &nexus->url;
    char portal[sizeof(url->host) + 8];
    if (!url->settings.isid_given || nexus->entry != NULL)
        return 0;
    (void)snprintf(portal, sizeof(portal), "%s:%u", url->host, url->port);
    return iskra_isid_lock_take(iskra_login_name(nexus), url->settings.isid, url->target, portal,
                                &nexus->isid_lock_fd, err);
}

static int nexus_open(struct iskra_nexus *nexus, struct iskra_error *err)
{
    int rc = isid_lock(nexus, err);
    if (rc)
        return rc;
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
    nexus->isid_lock_fd = -1;
    iskra_list_init(&nexus->waiters);
    iskra_list_init(&nexus->luns);
    iskra_list_init(&nexus->opens);
    iskra_list_init(&nexus->looks);
    iskra_work_init(&nexus->up_work, up_work);
    iskra_work_init(&nexus->free_work, free_work);
    iskra_list_push_back(&ctx->nexuses, &nexus->link);
    ctx->busy_poll_cnt += url->settings.busy_poll_us > 0;
    iskra_shost_init(&nexus->host, &ctx->round, &iskra_nexus_host_ops, nexus);
    nexus->host.rq_timeout_ns = (uint64_t)url->settings.command_timeout_ns;
    nexus->host.eh_deadline_ns = url->settings.eh_deadline_ns;
    nexus->host.flush_after_reset_fails = url->settings.flush_after_reset_fails;
    int rc = iskra_class_init(&nexus->cls, &ctx->round, &ctx->driver->transport);
    if (rc)
        rc = iskra_fail(err, ISKRA_E_NOMEM, -rc, "no memory for a session");
    nexus->cls.sid = ++ctx->next_sid;
    if (rc == 0 && !discovery)
        iskra_nexus_attach_host(nexus);
    if (rc)
        nexus_free(nexus);
    else
        *ret_nexus = nexus;
    return rc;
}

/* One that is there or will be. */
static bool in_use(const struct iskra_nexus *n)
{
    return n->state == ISKRA_NEXUS_OPENING || iskra_nexus_was_up(n);
}

/* Same portal, target and options: the settings are compared byte for byte, which their parser
 * keeps meaningful. */
static struct iskra_nexus *find(const struct iskra *ctx, const struct iskra_url *url)
{
    ISKRA_LIST_FOREACH(l, &ctx->nexuses)
    {
        struct iskra_nexus *n = iskra_container_of(l, struct iskra_nexus, link);
        if (in_use(n) && n->entry == NULL && strcmp(n->url.host, url->host) == 0 &&
            n->url.port == url->port && strcmp(n->url.target, url->target) == 0 &&
            memcmp(&n->url.settings, &url->settings, sizeof(url->settings)) == 0)
            return n;
    }
    return NULL;
}

/* A nexus that is up already tells its new waiter from the loop, like any other; one that was given
 * up tells it so. */
static void wait_for(struct iskra_nexus *nexus, struct iskra_nexus_waiter *w)
{
    nexus->user_cnt++;
    iskra_list_push_back(&nexus->waiters, &w->link);
    if (nexus->state == ISKRA_NEXUS_UP || nexus->state == ISKRA_NEXUS_OFFLINE)
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
    nexus->was_up = iskra_nexus_was_up(nexus);
    iskra_class_shut_down(&nexus->cls);
    nexus->closed = closed;
    nexus->closed_arg = arg;
    iskra_timer_disarm(&nexus->retry_timer);
    bool ended = nexus->ended || nexus->ini == NULL; /* nothing to log out of */
    nexus->state = ended ? ISKRA_NEXUS_CLOSED : ISKRA_NEXUS_CLOSING;
    iskra_class_shut_down(&nexus->cls);
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
    iskra_class_shut_down(&nexus->cls);
    iskra_class_shut_down(&nexus->cls);
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
