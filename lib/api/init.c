/* Making and freeing an initiator. */
#include "api/api.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "api/nexus.h"
#include "control/login.h"
#include "tcp/recv.h"

#define PDU_DATA_CNT 4u /* what one login needs, and one to spare */

const char *iskra_version(void)
{
    return ISKRA_VERSION;
}

/* A page that reads as zero in a forked child: the child shares descriptors with its parent and
 * must not use them. Where the kernel cannot do that the check is simply never true. */
static int map_own_page(struct iskra *ctx)
{
    long len = sysconf(_SC_PAGESIZE);
    void *page =
        mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return -ENOMEM;
    (void)madvise(page, (size_t)len, MADV_WIPEONFORK);
    ctx->own_page = page;
    *ctx->own_page = 1;
    return 0;
}

static void run(void *arg)
{
    iskra_api_run(arg);
}

static int start_thread(struct iskra *ctx, struct iskra_error *err)
{
    int rc = iskra_thread_new(ctx->round.pf, &ctx->thread, err);
    return rc ? rc : iskra_thread_start(ctx->thread, run, ctx, err);
}

/* io_uring may be missing in the kernel, or forbidden; epoll never is. */
static int make_driver(struct iskra *ctx, const char *option, struct iskra_error *err)
{
    const char *name = option != NULL ? option : getenv("ISKRA_DRIVER");
    const struct iskra_driver_ops *ops = iskra_driver_choose(ctx->round.pf, name);
    if (ops == NULL)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "driver '%.60s' is neither epoll nor io_uring", name);
    if (ops == &iskra_uring_ops) {
        struct iskra_error why = {0};
        if (ops->make(&ctx->round, &ctx->driver, &why) == 0)
            return 0;
        iskra_api_log(ctx, ISKRA_LOG_INFO, "%s: epoll takes its place", why.text);
        ops = &iskra_epoll_ops;
    }
    return ops->make(&ctx->round, &ctx->driver, err);
}

static int init(struct iskra *ctx, const struct iskra_options *opts, struct iskra_error *err)
{
    const struct iskra_platform *pf = ctx->round.pf;
    ctx->log = opts->log;
    ctx->log_arg = opts->log_arg;
    iskra_list_init(&ctx->nexuses);
    iskra_workq_init(&ctx->round.work);
    iskra_workq_init(&ctx->round.xmit);
    iskra_timers_init(&ctx->round.timers, pf);
    int rc = iskra_name_find(pf, opts->initiator_name, &ctx->name, err);
    if (rc)
        return rc;
    if ((rc = map_own_page(ctx)) ||
        (rc = iskra_events_init(&ctx->events, &ctx->round, opts->event, opts->event_arg)) ||
        (rc = iskra_trace_init(&ctx->round.trace, pf, ISKRA_TRACE_RECORDS)) ||
        (rc = iskra_spare_init(&ctx->round.login_texts, pf, 1, sizeof(struct iskra_login_text))) ||
        (rc = iskra_spare_init(&ctx->round.pdu_data, pf, PDU_DATA_CNT, ISKRA_CONN_BUF_LEN)))
        return iskra_fail(err, ISKRA_E_NOMEM, -rc, "no memory for an initiator");
    if ((rc = make_driver(ctx, opts->driver, err)))
        return rc;
    ctx->round.now_ns = ctx->round.trace.now_ns = ctx->last_round_ns = pf->now_ns(pf->arg);
    return opts->own_thread ? start_thread(ctx, err) : 0;
}

int iskra_new(const struct iskra_options *opts, struct iskra **ret_ctx, struct iskra_error *err)
{
    struct iskra_options o = {.size = sizeof(o)};
    if (opts != NULL)
        memcpy(&o, opts, opts->size < sizeof(o) ? opts->size : sizeof(o));
    const struct iskra_platform *pf = o.platform ? o.platform : iskra_platform_posix();
    struct iskra *ctx = pf->alloc(pf->arg, sizeof(*ctx));
    if (ctx == NULL)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for an initiator");
    ctx->round.pf = pf;
    struct iskra_error story = {0};
    int rc = init(ctx, &o, &story);
    if (rc) {
        iskra_free(ctx);
        if (err != NULL)
            *err = story;
        return rc;
    }
    *ret_ctx = ctx;
    return 0;
}

/* From here on nothing runs but what the caller of iskra_free() runs. False, and nothing happens:
 * half of the stack is in use below a callback. */
static bool begin_to_end(struct iskra *ctx)
{
    iskra_api_lock(ctx);
    bool inside = iskra_api_inside(ctx);
    if (inside)
        iskra_api_log(ctx, ISKRA_LOG_ERROR,
                      "iskra_free() from inside a callback is ignored; the initiator lives on");
    else
        ctx->ending = true;
    iskra_api_unlock(ctx);
    if (inside)
        return false;
    if (ctx->thread != NULL && ctx->driver != NULL)
        iskra_driver_wake(ctx->driver);
    iskra_thread_free(ctx->thread);
    ctx->thread = NULL;
    return true;
}

/* What is out ends, and what was posted and not taken runs, all of it from here. */
static void end_all(struct iskra *ctx)
{
    ctx->in_round = true; /* callbacks that run now are inside a call like any other */
    iskra_mailbox_take(&ctx->mailbox, &ctx->round.work);
    iskra_nexus_abandon_all(ctx);
    do
        iskra_mailbox_take(&ctx->mailbox, &ctx->round.work);
    while (iskra_workq_run(&ctx->round.work) > 0);
}

void iskra_free(struct iskra *ctx)
{
    if (ctx == NULL)
        return;
    const struct iskra_platform *pf = ctx->round.pf;
    /* In a forked child sockets and epoll set are still the parent's: to let go of them here would
     * end its sessions. */
    if (ctx->own_page != NULL && !iskra_api_own_process(ctx))
        return;
    if (!begin_to_end(ctx))
        return;
    if (ctx->driver != NULL)
        end_all(ctx);
    iskra_events_done(&ctx->events, pf);
    iskra_driver_free(ctx->driver);
    iskra_trace_done(&ctx->round.trace);
    iskra_spare_done(&ctx->round.login_texts, pf);
    iskra_spare_done(&ctx->round.pdu_data, pf);
    iskra_timers_done(&ctx->round.timers);
    if (ctx->own_page != NULL)
        munmap((void *)ctx->own_page, (size_t)sysconf(_SC_PAGESIZE));
    pf->free(pf->arg, ctx);
}

const char *iskra_driver_name(const struct iskra *ctx)
{
    return ctx->driver->ops->name;
}

const char *iskra_initiator_name(const struct iskra *ctx)
{
    return ctx->name.name;
}

const char *iskra_initiator_name_source(const struct iskra *ctx)
{
    return ctx->name.source;
}

unsigned iskra_trace_read(const struct iskra *ctx, struct iskra_trace_record *ret, unsigned max)
{
    const struct iskra_trace *tr = &ctx->round.trace;
    iskra_api_lock(ctx);
    unsigned cnt = tr->head < tr->mask + 1 ? tr->head : tr->mask + 1;
    if (cnt > max)
        cnt = max;
    for (unsigned i = 0; i < cnt; i++)
        ret[i] = tr->ring[(tr->head - cnt + i) & tr->mask];
    iskra_api_unlock(ctx);
    return cnt;
}

void iskra_trace_steps(struct iskra *ctx,
                       void (*fn)(void *arg, const struct iskra_trace_record *rec), void *arg)
{
    struct iskra_trace *tr = &ctx->round.trace;
    iskra_api_lock(ctx);
    tr->fn = fn;
    tr->fn_arg = arg;
    tr->steps = fn != NULL;
    tr->depth = 0;
    iskra_api_unlock(ctx);
}
