/* Blocking calls that look around: SendTargets, the LUNs of a target, a login and nothing more. */
#include <errno.h>
#include <string.h>

#include "api/api.h"
#include "api/lun.h"
#include "scsi/scan.h"
#include "wire/luns.h"

/* One who waits on this stack, for a nexus and what is done on it. */
struct look {
    struct iskra_nexus_waiter waiter;
    struct iskra_nexus *nexus;
    bool ready, scanned, closed;
    int status;
    struct iskra_error error;
    int (*lun)(void *arg, const struct iskra_lun_info *info);
    void *arg;
};

static void look_ready(struct iskra_nexus_waiter *w, int status, const struct iskra_error *err)
{
    struct look *look = iskra_container_of(w, struct look, waiter);
    look->ready = true;
    look->status = status;
    if (status)
        look->error = *err;
}

static void look_closed(void *arg)
{
    ((struct look *)arg)->closed = true;
}

/* Waits until the nexus is up or has failed; `rc` is what getting it said. */
static int await_nexus(struct iskra *ctx, struct look *look, int rc)
{
    if (rc)
        return rc;
    rc = iskra_api_wait(ctx, &look->ready);
    return rc ? rc : look->status;
}

static int finish(struct iskra *ctx, struct look *look, int rc, struct iskra_error *err)
{
    if (look->nexus != NULL && iskra_api_enter(ctx, NULL) == 0) {
        iskra_nexus_put(look->nexus, look_closed, look);
        iskra_api_leave(ctx);
        int wait_rc = iskra_api_wait(ctx, &look->closed);
        rc = rc ? rc : wait_rc;
    }
    if (rc && err != NULL)
        *err = look->error;
    return rc;
}

static int start(struct iskra *ctx, const char *text, struct iskra_url *url, struct look *look)
{
    int rc = iskra_api_may_block(ctx, &look->error);
    if (rc == 0)
        rc = iskra_url_parse(text, url, &look->error);
    look->waiter.fn = look_ready;
    return rc;
}

static int start_target(struct iskra *ctx, const char *text, struct iskra_url *url,
                        struct look *look)
{
    int rc = start(ctx, text, url, look);
    if (rc == 0 && !url->has_target)
        rc = iskra_fail(&look->error, ISKRA_E_USAGE, EINVAL,
                        "URL: no target name; it goes on as /TARGET after the host");
    if (rc == 0 && (rc = iskra_api_enter(ctx, &look->error)) == 0) {
        rc = iskra_nexus_get(ctx, url, &look->waiter, &look->nexus, &look->error);
        iskra_api_leave(ctx);
    }
    return rc;
}

int iskra_discover_sync(struct iskra *ctx, const char *portal,
                        int (*entry)(void *arg, const struct iskra_portal_entry *e), void *arg,
                        struct iskra_error *err)
{
    struct look look = {0};
    struct iskra_url url = {0};
    int rc = start(ctx, portal, &url, &look);
    if (rc == 0 && (rc = iskra_api_enter(ctx, &look.error)) == 0) {
        rc = iskra_nexus_discover(ctx, &url, &look.waiter, entry, arg, &look.nexus, &look.error);
        iskra_api_leave(ctx);
    }
    iskra_url_wipe(&url);
    rc = await_nexus(ctx, &look, rc);
    if (rc == 0)
        rc = look.nexus->entry_rc;
    return finish(ctx, &look, rc, err);
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

static void look_scanned(void *arg, int status, const struct iskra_error *err)
{
    struct look *look = arg;
    look->scanned = true;
    look->status = status;
    if (status)
        look->error = *err;
}

int iskra_luns_sync(struct iskra *ctx, const char *text,
                    int (*lun)(void *arg, const struct iskra_lun_info *info), void *arg,
                    struct iskra_error *err)
{
    struct look look = {.lun = lun, .arg = arg};
    struct iskra_url url = {0};
    int rc = start_target(ctx, text, &url, &look);
    iskra_url_wipe(&url);
    rc = await_nexus(ctx, &look, rc);
    if (rc == 0 && (rc = iskra_api_enter(ctx, &look.error)) == 0) {
        rc = iskra_scan_luns(&look.nexus->host, describe, look_scanned, &look, NULL, &look.error);
        iskra_api_leave(ctx);
    }
    if (rc == 0)
        rc = iskra_api_wait(ctx, &look.scanned);
    return finish(ctx, &look, rc ? rc : look.status, err);
}

int iskra_login_sync(struct iskra *ctx, const char *text, struct iskra_error *err)
{
    struct look look = {0};
    struct iskra_url url = {0};
    int rc = start_target(ctx, text, &url, &look);
    iskra_url_wipe(&url);
    rc = await_nexus(ctx, &look, rc);
    return finish(ctx, &look, rc, err);
}
