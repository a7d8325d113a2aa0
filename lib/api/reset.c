/* Resets that a user asks for: task management of a whole LUN or target. */
#include <errno.h>

#include <iskra/session.h>

#include "api/api.h"
#include "api/lun.h"
#include "iscsi/eh.h"
#include "wire/bhs.h"

/* One that is under way. It holds its nexus, so that the LUN may be closed meanwhile. */
struct reset {
    struct iskra_eh_op op;
    struct iskra_nexus *nexus;
    enum iskra_reset_kind kind;
    uint64_t lun; /* the 8 bytes of SAM */
    iskra_reset_fn *fn;
    void *arg;
};

static const uint8_t functions[] = {
    [ISKRA_RESET_TASK_SET] = ISKRA_TMF_ABORT_TASK_SET,
    [ISKRA_RESET_LUN] = ISKRA_TMF_LUN_RESET,
    [ISKRA_RESET_TARGET] = ISKRA_TMF_TARGET_WARM_RESET,
    [ISKRA_RESET_TARGET_COLD] = ISKRA_TMF_TARGET_COLD_RESET,
};

/* RFC 7143 11.6.1, as an errno. */
static int errno_of(uint8_t response)
{
    switch (response) {
    case ISKRA_TMF_RESPONSE_NO_LUN:
        return ENODEV;
    case ISKRA_TMF_RESPONSE_NOT_SUPPORTED:
        return EOPNOTSUPP;
    case ISKRA_TMF_RESPONSE_NOT_AUTHORIZED:
        return EACCES;
    default:
        return EIO;
    }
}

/* Why it failed. */
static void story(const struct reset *reset, struct iskra_error *err)
{
    const struct iskra_tmf *tmf = &reset->op.tmf;
    const struct iskra_session *s = reset->nexus->cls.session;
    const char *what = iskra_tmf_function_name(functions[reset->kind]);
    switch (tmf->outcome) {
    case ISKRA_TMF_REFUSED:
    case ISKRA_TMF_NO_TASK:
        (void)iskra_fail(err, ISKRA_E_SCSI, errno_of(tmf->response), "the target refused %s: %s",
                         what, iskra_tmf_response_name(tmf->response));
        break;
    case ISKRA_TMF_TIMED_OUT: /* the session has failed with the numbers */
        (void)iskra_fail(err, ISKRA_E_TIMEOUT_SCSI, ETIMEDOUT, "%s",
                         s != NULL && s->error.text[0] ? s->error.text
                                                       : "no answer to a task management request");
        break;
    default:
        (void)iskra_fail(err, ISKRA_E_CONNECTION, ENOTCONN, "%s: the session was lost: %s", what,
                         s != NULL && s->error.text[0] ? s->error.text : "the initiator is freed");
        break;
    }
}

/* The unit attention that a LUN tells now is our doing, and no news. */
static void expect_attentions(const struct reset *reset)
{
    if (reset->kind == ISKRA_RESET_TASK_SET)
        return;
    ISKRA_LIST_FOREACH(l, &reset->nexus->host.devices)
    {
        struct iskra_sdev *sdev = iskra_container_of(l, struct iskra_sdev, link);
        if (reset->kind != ISKRA_RESET_LUN || sdev->lun == reset->lun)
            sdev->expecting_ua = true;
    }
}

static void told(struct iskra_eh_op *op, enum iskra_eh_outcome outcome)
{
    struct reset *reset = iskra_container_of(op, struct reset, op);
    const struct iskra_platform *pf = reset->nexus->ctx->round.pf;
    struct reset over = *reset;
    struct iskra_error err = {0};
    bool good = outcome == ISKRA_EH_SUCCESS;
    if (good)
        expect_attentions(reset);
    else
        story(reset, &err);
    pf->free(pf->arg, reset);
    iskra_nexus_put(over.nexus, NULL, NULL);
    over.fn(over.arg, good ? 0 : -err.sys_errno, &err);
}

static void begin(struct reset *reset)
{
    struct iskra_session *s = reset->nexus->cls.session;
    iskra_eh_op_init(&reset->op, told);
    switch (reset->kind) {
    case ISKRA_RESET_TASK_SET:
        iskra_eh_abort_task_set(s, &reset->op, reset->lun);
        break;
    case ISKRA_RESET_LUN:
        iskra_eh_device_reset(s, &reset->op, reset->lun);
        break;
    case ISKRA_RESET_TARGET:
        iskra_eh_target_reset(s, &reset->op);
        break;
    case ISKRA_RESET_TARGET_COLD:
        iskra_eh_target_cold_reset(s, &reset->op);
        break;
    }
}

static int reset_new(struct iskra_lun *lun, enum iskra_reset_kind kind, iskra_reset_fn *fn,
                     void *arg, struct iskra_error *err)
{
    struct iskra_nexus *nexus = lun->nexus;
    const struct iskra_platform *pf = lun->ctx->round.pf;
    if ((unsigned)kind >= sizeof(functions) || functions[kind] == 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "there is no reset %u", (unsigned)kind);
    if (lun->closing)
        return iskra_fail(err, ISKRA_E_USAGE, ENODEV, "LUN %u is being closed", lun->number);
    if (nexus->state == ISKRA_NEXUS_DOWN) {
        if (err != NULL)
            *err = nexus->error;
        return -ENOTCONN;
    }
    const struct iskra_session *s = nexus->cls.session;
    const char *why = s != NULL ? s->error.text : "";
    if (s == NULL || s->state != ISKRA_SESSION_LOGGED_IN)
        return iskra_fail(err, ISKRA_E_CONNECTION, ENOTCONN,
                          "no reset: the session is not logged in%s%s", why[0] ? ": " : "", why);
    struct reset *reset = pf->alloc(pf->arg, sizeof(*reset));
    if (reset == NULL)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a reset");
    nexus->user_cnt++;
    reset->nexus = nexus;
    reset->kind = kind;
    reset->lun = lun->sdev->lun;
    reset->fn = fn;
    reset->arg = arg;
    begin(reset);
    return 0;
}

int iskra_reset(struct iskra_lun *lun, enum iskra_reset_kind kind, iskra_reset_fn *fn, void *arg,
                struct iskra_error *err)
{
    struct iskra *ctx = iskra_lun_ctx(lun);
    int rc = iskra_api_enter(ctx, err);
    if (rc)
        return rc;
    rc = reset_new(lun, kind, fn, arg, err);
    iskra_api_leave(ctx);
    return rc;
}

struct waiter {
    bool finished;
    int status;
    struct iskra_error *err;
};

static void finished(void *arg, int status, const struct iskra_error *err)
{
    struct waiter *w = arg;
    w->finished = true;
    w->status = status;
    if (status && w->err != NULL)
        *w->err = *err;
}

int iskra_reset_sync(struct iskra_lun *lun, enum iskra_reset_kind kind, struct iskra_error *err)
{
    struct iskra *ctx = iskra_lun_ctx(lun);
    struct waiter w = {.err = err};
    int rc = iskra_api_may_block(ctx, err);
    if (rc == 0)
        rc = iskra_reset(lun, kind, finished, &w, err);
    if (rc == 0)
        rc = iskra_api_wait(ctx, &w.finished);
    return rc ? rc : w.status;
}
