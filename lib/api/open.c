/* Opening a LUN: the nexus, then a scan of that one LUN; and closing it again. */
#include "api/open.h"

#include <errno.h>
#include <string.h>

#include <iskra/scsi.h>

#include "scsi/scan.h"
#include "wire/luns.h"

/* An open under way. */
struct lun_open {
    struct iskra_nexus_waiter waiter; /* first */
    struct iskra_list link;           /* nexus->opens */
    struct iskra_nexus *nexus;
    struct iskra_scan *scan;
    struct iskra_lun
        *lun; /* set aside at the start, so that a scan that succeeded cannot fail for memory */
    iskra_open_fn *fn;
    void *arg;
    bool raw;                      /* iskra_open_raw(): nothing is asked */
    struct iskra_work cancel_work; /* iskra_open_cancel(), while it waits for its nexus */
};

static void open_free(struct lun_open *o)
{
    const struct iskra_platform *pf = o->nexus->ctx->round.pf;
    iskra_list_remove(&o->link);
    pf->free(pf->arg, o->lun);
    pf->free(pf->arg, o);
}

static void open_failed(struct lun_open *o, int status, const struct iskra_error *err)
{
    struct iskra_nexus *nexus = o->nexus;
    iskra_open_fn *fn = o->fn;
    void *arg = o->arg;
    const struct iskra_error story = *err; /* the nexus may take it along */
    open_free(o);
    iskra_nexus_put(nexus, NULL, NULL);
    fn(arg, status, NULL, &story);
}

/* Every LUN of the session may have its depth of requests out. */
static void set_tasks_aside(struct iskra_nexus *nexus)
{
    uint32_t cnt = 0;
    ISKRA_LIST_FOREACH(l, &nexus->luns)
    {
        cnt += nexus->url.settings.queue_depth;
        if (cnt >= nexus->url.settings.cmds_max)
            break;
    }
    iskra_shost_set_tasks_aside(&nexus->host, cnt);
}

static void scanned(void *arg, int status, struct iskra_sdev *sdev, const struct iskra_error *err)
{
    struct lun_open *o = arg;
    o->scan = NULL;
    if (status) {
        open_failed(o, status, err);
        return;
    }
    struct iskra_lun *lun = o->lun;
    lun->ctx = o->nexus->ctx;
    lun->nexus = o->nexus;
    lun->sdev = sdev;
    sdev->queue_depth = o->nexus->url.settings.queue_depth;
    iskra_list_push_back(&o->nexus->luns, &lun->link);
    set_tasks_aside(o->nexus);
    iskra_open_fn *fn = o->fn;
    void *fn_arg = o->arg;
    o->lun = NULL;
    open_free(o);
    const struct iskra_error none = {0};
    fn(fn_arg, 0, lun, &none);
}

static int open_unasked(struct lun_open *o, uint64_t lun, struct iskra_error *err)
{
    struct iskra_sdev *sdev = iskra_alloc_sdev(&o->nexus->host, lun);
    if (sdev == NULL)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a device");
    (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_RUNNING); /* if not, it is offline and stays so */
    scanned(o, 0, sdev, NULL);
    return 0;
}

static void nexus_ready(struct iskra_nexus_waiter *w, int status, const struct iskra_error *err)
{
    struct lun_open *o = iskra_container_of(w, struct lun_open, waiter);
    struct iskra_error story = {0};
    uint64_t lun;
    if (status)
        story = *err;
    else if ((status = iskra_lun_encode(o->lun->number, &lun)) == 0)
        status = o->raw ? open_unasked(o, lun, &story)
                        : iskra_scan_lun(&o->nexus->host, lun, scanned, o, &o->scan, &story);
    if (status)
        open_failed(o, status, &story);
}

static void canceled_work(struct iskra_work *work)
{
    static const struct iskra_error why = {
        .code = ISKRA_E_CANCELED, .sys_errno = ECANCELED, .text = "the open was cancelled"};
    open_failed(iskra_container_of(work, struct lun_open, cancel_work), -ECANCELED, &why);
}

static int begin(struct iskra *ctx, const char *url_text, struct lun_open *o,
                 struct iskra_error *err)
{
    struct iskra_url url = {0};
    int rc = iskra_url_parse(url_text, &url, err);
    if (rc == 0 && !url.has_lun)
        rc = iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                        "URL: no LUN; it ends as iscsi://HOST[:PORT]/TARGET/LUN");
    if (rc == 0) {
        o->lun->number = url.lun;
        rc = iskra_nexus_get(ctx, &url, &o->waiter, &o->nexus, err);
    }
    iskra_url_wipe(&url);
    if (rc == 0)
        iskra_list_push_back(&o->nexus->opens, &o->link);
    return rc;
}

static int open_lun(struct iskra *ctx, const char *url, bool raw, iskra_open_fn *fn, void *arg,
                    struct iskra_error *err)
{
    const struct iskra_platform *pf = ctx->round.pf;
    struct lun_open *o = pf->alloc(pf->arg, sizeof(*o));
    struct iskra_lun *lun = pf->alloc(pf->arg, sizeof(*lun));
    int rc;
    if (o == NULL || lun == NULL) {
        rc = iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory to open a LUN");
    } else {
        iskra_list_init(&lun->link);
        *o = (struct lun_open){
            .waiter.fn = nexus_ready, .lun = lun, .fn = fn, .arg = arg, .raw = raw};
        iskra_work_init(&o->cancel_work, canceled_work);
        rc = begin(ctx, url, o, err);
    }
    if (rc) {
        pf->free(pf->arg, lun);
        pf->free(pf->arg, o);
    }
    return rc;
}

static int enter_and_open(struct iskra *ctx, const char *url, bool raw, iskra_open_fn *fn,
                          void *arg, struct iskra_error *err)
{
    struct iskra_error story = {0};
    int rc = iskra_api_enter(ctx, &story);
    if (rc == 0) {
        rc = open_lun(ctx, url, raw, fn, arg, &story);
        iskra_api_leave(ctx);
    }
    if (rc && err != NULL)
        *err = story;
    return rc;
}

int iskra_open(struct iskra *ctx, const char *url, iskra_open_fn *fn, void *arg,
               struct iskra_error *err)
{
    return enter_and_open(ctx, url, false, fn, arg, err);
}

int iskra_open_raw(struct iskra *ctx, const char *url, iskra_open_fn *fn, void *arg,
                   struct iskra_error *err)
{
    return enter_and_open(ctx, url, true, fn, arg, err);
}

/* On no list of waiters and without a scan: it has been cancelled already. */
static void open_cancel(struct lun_open *o)
{
    if (o->scan != NULL) {
        iskra_scan_cancel(o->scan);
    } else if (!iskra_list_empty(&o->waiter.link)) {
        iskra_list_remove(&o->waiter.link);
        iskra_work_schedule(&o->nexus->ctx->round.work, &o->cancel_work);
    }
}

static unsigned cancel_of_nexus(struct iskra_nexus *nexus, iskra_open_fn *fn, const void *arg)
{
    unsigned cnt = 0;
    ISKRA_LIST_FOREACH(l, &nexus->opens)
    {
        struct lun_open *o = iskra_container_of(l, struct lun_open, link);
        if (o->fn != fn || o->arg != arg)
            continue;
        open_cancel(o);
        cnt++;
    }
    return cnt;
}

int iskra_open_cancel(struct iskra *ctx, iskra_open_fn *fn, void *arg)
{
    unsigned cnt = 0;
    int rc = iskra_api_enter(ctx, NULL);
    if (rc)
        return rc;
    ISKRA_LIST_FOREACH(l, &ctx->nexuses)
    {
        cnt += cancel_of_nexus(iskra_container_of(l, struct iskra_nexus, link), fn, arg);
    }
    iskra_api_leave(ctx);
    return cnt > 0 ? 0 : -EALREADY;
}

/* ---- closing ---- */

/* Requests that other threads posted while it closed come first: each is in the mailbox, or will be
 * in a moment. */
static void end_work(struct iskra_work *work)
{
    struct iskra_lun *lun = iskra_container_of(work, struct iskra_lun, end_work);
    struct iskra *ctx = lun->ctx;
    if (atomic_load(&lun->posts) != ISKRA_LUN_POSTS_OVER) {
        iskra_mailbox_take(&ctx->mailbox, &ctx->round.work);
        iskra_work_schedule(&ctx->round.work, &lun->end_work);
        return;
    }
    void (*closed)(void *arg) = lun->closed;
    void *arg = lun->closed_arg;
    ctx->round.pf->free(ctx->round.pf->arg, lun);
    if (closed != NULL)
        closed(arg);
}

static void nexus_given_back(void *arg)
{
    struct iskra_lun *lun = arg;
    iskra_work_init(&lun->end_work, end_work);
    iskra_work_schedule(&lun->ctx->round.work, &lun->end_work);
}

static void device_gone(void *arg)
{
    struct iskra_lun *lun = arg;
    struct iskra_nexus *nexus = lun->nexus;
    iskra_list_remove(&lun->link);
    lun->nexus = NULL;
    lun->sdev = NULL;
    iskra_nexus_put(nexus, nexus_given_back, lun);
}

void iskra_close(struct iskra_lun *lun, void (*fn)(void *arg), void *arg)
{
    struct iskra *ctx = iskra_lun_ctx(lun);
    if (iskra_api_enter(ctx, NULL))
        return;
    if (!lun->closing) {
        iskra_lun_set_closing(lun);
        lun->closed = fn;
        lun->closed_arg = arg;
        iskra_sdev_remove(lun->sdev, device_gone, lun);
    }
    iskra_api_leave(ctx);
}

void iskra_lun_abandon(struct iskra_lun *lun)
{
    if (lun->closing)
        return;
    iskra_lun_set_closing(lun);
    iskra_sdev_remove(lun->sdev, device_gone, lun);
}

void iskra_open_abandon(struct iskra_nexus *nexus, const struct iskra_error *why)
{
    ISKRA_LIST_FOREACH(l, &nexus->opens)
    {
        struct lun_open *o = iskra_container_of(l, struct lun_open, link);
        if (o->scan != NULL)
            iskra_scan_cancel(o->scan);
        else if (!iskra_list_empty(&o->waiter.link)) {
            iskra_list_remove(&o->waiter.link);
            o->fn(o->arg, -why->sys_errno, NULL, why);
            open_free(o);
        }
    }
}
