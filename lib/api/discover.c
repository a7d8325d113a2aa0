/* Looking around: SendTargets, the LUNs of a target, a login and nothing more. Each takes a nexus,
 * does its one thing on it, gives it back, and tells when that is done too. */
#include <errno.h>
#include <string.h>

#include "api/api.h"
#include "api/look.h"
#include "api/lun.h"
#include "scsi/scan.h"
#include "wire/luns.h"

struct look {
    struct iskra_nexus_waiter waiter;
    struct iskra_list link; /* nexus->looks, until the nexus is given back */
    struct iskra *ctx;
    struct iskra_nexus *nexus;
    struct iskra_scan *scan;
    iskra_portal_fn *portal; /* discovery */
    iskra_lun_fn *lun;       /* LUN list */
    iskra_looked_fn *fn;
    void *arg;
    int status;
    struct iskra_error error;
};

static void look_closed(void *arg)
{
    struct look *look = arg;
    const struct iskra_platform *pf = look->ctx->round.pf;
    look->fn(look->arg, look->status, &look->error);
    pf->free(pf->arg, look);
}

static void look_end(struct look *look, int status, const struct iskra_error *err)
{
    look->status = status;
    if (status < 0 && err != NULL)
        look->error = *err;
    iskra_list_remove(&look->link);
    iskra_nexus_put(look->nexus, look_closed, look);
}

static void look_scanned(void *arg, int status, const struct iskra_error *err)
{
    struct look *look = arg;
    look->scan = NULL;
    look_end(look, status, err);
}

static int describe(void *arg, const struct iskra_sdev *sdev)
{
    struct look *look = arg;
    struct iskra_lun_info info;
    iskra_lun_describe(sdev, &info);
    uint32_t number = 0;
    info.lun = iskra_lun_decode(sdev->lun, &number) == 0 ? number : sdev->lun;
    return look->lun(look->arg, &info);
}

static void look_ready(struct iskra_nexus_waiter *w, int status, const struct iskra_error *err)
{
    struct look *look = iskra_container_of(w, struct look, waiter);
    struct iskra_error story = {0};
    if (status == 0 && look->portal != NULL)
        status = look->nexus->entry_rc;
    if (status == 0 && look->lun != NULL) {
        status =
            iskra_scan_luns(&look->nexus->host, describe, look_scanned, look, &look->scan, &story);
        if (status == 0)
            return;
        err = &story;
    }
    look_end(look, status, err);
}

void iskra_look_abandon(struct iskra_nexus *nexus, const struct iskra_error *why)
{
    ISKRA_LIST_FOREACH(l, &nexus->looks)
    {
        struct look *look = iskra_container_of(l, struct look, link);
        if (look->scan != NULL) {
            iskra_scan_cancel(look->scan);
        } else {
            iskra_list_remove(&look->waiter.link);
            look_end(look, -why->sys_errno, why);
        }
    }
}

static int nexus_for(struct look *look, const struct iskra_url *url, struct iskra_error *err)
{
    if (look->portal != NULL)
        return iskra_nexus_discover(look->ctx, url, &look->waiter, look->portal, look->arg,
                                    &look->nexus, err);
    if (!url->has_target)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "URL: no target name; it goes on as /TARGET after the host");
    return iskra_nexus_get(look->ctx, url, &look->waiter, &look->nexus, err);
}

static int begin(const struct look *what, const char *text, struct iskra_error *err)
{
    const struct iskra_platform *pf = what->ctx->round.pf;
    struct iskra_url url = {0};
    int rc = iskra_url_parse(text, &url, err);
    struct look *look = rc == 0 ? pf->alloc(pf->arg, sizeof(*look)) : NULL;
    if (look != NULL) {
        *look = *what;
        look->waiter.fn = look_ready;
        iskra_list_init(&look->waiter.link);
        rc = nexus_for(look, &url, err);
    } else if (rc == 0) {
        rc = iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory to look around");
    }
    iskra_url_wipe(&url);
    if (rc)
        pf->free(pf->arg, look);
    else
        iskra_list_push_back(&look->nexus->looks, &look->link);
    return rc;
}

static int start(const struct look *what, const char *text, struct iskra_error *err)
{
    struct iskra_error story = {0};
    int rc = iskra_api_enter(what->ctx, &story);
    if (rc == 0) {
        rc = begin(what, text, &story);
        iskra_api_leave(what->ctx);
    }
    if (rc && err != NULL)
        *err = story;
    return rc;
}

int iskra_discover(struct iskra *ctx, const char *portal, iskra_portal_fn *entry,
                   iskra_looked_fn *fn, void *arg, struct iskra_error *err)
{
    const struct look what = {.ctx = ctx, .portal = entry, .fn = fn, .arg = arg};
    return start(&what, portal, err);
}

int iskra_luns(struct iskra *ctx, const char *url, iskra_lun_fn *lun, iskra_looked_fn *fn,
               void *arg, struct iskra_error *err)
{
    const struct look what = {.ctx = ctx, .lun = lun, .fn = fn, .arg = arg};
    return start(&what, url, err);
}

int iskra_login(struct iskra *ctx, const char *url, iskra_looked_fn *fn, void *arg,
                struct iskra_error *err)
{
    const struct look what = {.ctx = ctx, .fn = fn, .arg = arg};
    return start(&what, url, err);
}

/* ---- the same, waited for ---- */

struct waiter {
    bool looked;
    int status;
    struct iskra_error *err;
    iskra_portal_fn *portal;
    iskra_lun_fn *lun;
    void *arg;
};

static void looked(void *arg, int status, const struct iskra_error *err)
{
    struct waiter *w = arg;
    w->looked = true;
    w->status = status;
    if (status && w->err != NULL)
        *w->err = *err;
}

static int pass_portal(void *arg, const struct iskra_portal_entry *e)
{
    struct waiter *w = arg;
    return w->portal(w->arg, e);
}

static int pass_lun(void *arg, const struct iskra_lun_info *info)
{
    struct waiter *w = arg;
    return w->lun(w->arg, info);
}

/* rc: what starting it said. */
static int await(struct iskra *ctx, const struct waiter *w, int rc)
{
    if (rc == 0)
        rc = iskra_api_wait(ctx, &w->looked);
    return rc ? rc : w->status;
}

int iskra_discover_sync(struct iskra *ctx, const char *portal, iskra_portal_fn *entry, void *arg,
                        struct iskra_error *err)
{
    struct waiter w = {.portal = entry, .arg = arg, .err = err};
    int rc = iskra_api_may_block(ctx, err);
    return rc ? rc : await(ctx, &w, iskra_discover(ctx, portal, pass_portal, looked, &w, err));
}

int iskra_luns_sync(struct iskra *ctx, const char *url, iskra_lun_fn *lun, void *arg,
                    struct iskra_error *err)
{
    struct waiter w = {.lun = lun, .arg = arg, .err = err};
    int rc = iskra_api_may_block(ctx, err);
    return rc ? rc : await(ctx, &w, iskra_luns(ctx, url, pass_lun, looked, &w, err));
}

int iskra_login_sync(struct iskra *ctx, const char *url, struct iskra_error *err)
{
    struct waiter w = {.err = err};
    int rc = iskra_api_may_block(ctx, err);
    return rc ? rc : await(ctx, &w, iskra_login(ctx, url, looked, &w, err));
}
