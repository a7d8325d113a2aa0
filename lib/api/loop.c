/* The loop: one round at a time, and the ways into it (decisions 6, 7, 8, 13, 35).
 *
 * Order in a round: wait, read the clock once, receive, complete, then timers, then what they
 * started, then transmit workers, so that all that completions submit goes out in one batch. */
#include "api/api.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "transport/spin.h"

/* A gap between rounds after which nothing is judged expired before the sockets were drained: the
 * process may have been stopped, and the answers may be waiting (decision 6). */
#define GAP_NS UINT64_C(1000000000)

/* A peer that keeps a socket full does not put timers off for ever: what was waiting when the gap
 * ended is in after this many rounds. */
#define DRAIN_ROUNDS_MAX 16u

/* A callback that takes longer is worth a line in the log: other requests wait meanwhile (decision
 * 8). */
#define SLOW_ROUND_NS UINT64_C(1000000000)

#define POLL_SILENCE_NS UINT64_C(60000000000)

/* Work that makes work ends: each pass runs what was queued before it. A chain this long in one
 * round is continued in the next, so that sockets and other descriptors get their turn. */
#define PASSES_MAX 64

static void read_clock(struct iskra *ctx)
{
    ctx->round.now_ns = ctx->round.pf->now_ns(ctx->round.pf->arg);
    ctx->round.trace.now_ns = ctx->round.now_ns;
}

static bool work_pending(const struct iskra *ctx)
{
    return !iskra_list_empty(&ctx->round.work.items) || !iskra_list_empty(&ctx->round.xmit.items);
}

static int refuse_child(const struct iskra *ctx, struct iskra_error *err)
{
    if (iskra_api_own_process(ctx))
        return 0;
    return iskra_fail(
        err, ISKRA_E_USAGE, EPERM,
        "this initiator belongs to the parent process; a forked child must open its own");
}

int iskra_api_enter(struct iskra *ctx, struct iskra_error *err)
{
    int rc = refuse_child(ctx, err);
    if (rc)
        return rc;
    iskra_api_lock(ctx);
    if (!ctx->in_round)
        read_clock(ctx);
    return 0;
}

bool iskra_api_inside(const struct iskra *ctx)
{
    return ctx->in_round || (ctx->thread != NULL && iskra_thread_locked_twice(ctx->thread));
}

int iskra_api_may_block(struct iskra *ctx, struct iskra_error *err)
{
    int rc = refuse_child(ctx, err);
    if (rc)
        return rc;
    iskra_api_lock(ctx);
    bool inside = iskra_api_inside(ctx);
    iskra_api_unlock(ctx);
    return inside
               ? iskra_fail(err, ISKRA_E_USAGE, EDEADLK, "a blocking call from inside a callback")
               : 0;
}

static void hand_on(struct iskra *ctx)
{
    if (ctx->in_round)
        return;
    /* Nothing else is out, so no answer will start a round soon: send now. With more in flight, the
     * next round sends this together with what else has come up by then. */
    if (ctx->out_cnt <= 1)
        iskra_workq_run(&ctx->round.xmit);
    /* Something has come up that a thread of its own is to look for busily: that takes a thread
     * that is awake. */
    bool rouse = ctx->thread_asleep && iskra_api_busy_poll_ns(ctx) > 0;
    if (work_pending(ctx) || rouse)
        iskra_driver_wake(ctx->driver);
    ctx->thread_asleep &= !rouse;
    iskra_driver_set_deadline(ctx->driver, iskra_timers_next_ns(&ctx->round.timers));
}

void iskra_api_leave(struct iskra *ctx)
{
    hand_on(ctx);
    iskra_api_unlock(ctx);
}

/* How many items of `work` ran: callbacks may have been among them. */
static unsigned run_work(struct iskra *ctx)
{
    unsigned ran_cnt = 0;
    for (int pass = 0; pass < PASSES_MAX && work_pending(ctx); pass++) {
        unsigned cnt = iskra_workq_run(&ctx->round.work);
        ran_cnt += cnt;
        if (cnt == 0)
            iskra_workq_run(&ctx->round.xmit);
    }
    return ran_cnt;
}

static void run_timers(struct iskra *ctx)
{
    if (ctx->round.now_ns - ctx->last_round_ns > GAP_NS)
        ctx->drain_rounds = DRAIN_ROUNDS_MAX;
    if (ctx->drain_rounds > 0 && iskra_driver_pending(ctx->driver)) {
        ctx->drain_rounds--;
        return;
    }
    ctx->drain_rounds = 0;
    iskra_timers_run(&ctx->round.timers, ctx->round.now_ns);
}

/* How long poll may wait: not at all with work to do, else until the next timer, else as asked. */
static int64_t wait_limit(const struct iskra *ctx, int64_t wait_ns)
{
    if (work_pending(ctx) || iskra_driver_pending(ctx->driver))
        return 0;
    uint64_t next_ns = iskra_timers_next_ns(&ctx->round.timers);
    if (next_ns == ISKRA_NEVER)
        return wait_ns;
    uint64_t now_ns = ctx->round.pf->now_ns(ctx->round.pf->arg);
    int64_t until_ns = next_ns > now_ns ? (int64_t)(next_ns - now_ns) : 0;
    return wait_ns < 0 || until_ns < wait_ns ? until_ns : wait_ns;
}

/* Reads the clock once more, but nothing else uses this time. */
static void judge_callbacks(struct iskra *ctx)
{
    uint64_t now_ns = ctx->round.pf->now_ns(ctx->round.pf->arg);
    uint64_t took_ns = now_ns - ctx->round.now_ns;
    if (took_ns > SLOW_ROUND_NS)
        iskra_api_log(
            ctx, ISKRA_LOG_WARNING,
            "callbacks took %.1f s: meanwhile no request and no ping of a target was served",
            (double)took_ns / 1e9);
}

/* A loop that cannot wait goes on, and never sleeps: whose machine gets warm should know why. Once
 * a minute is enough. */
static void judge_poll(struct iskra *ctx, int rc)
{
    uint64_t now_ns = ctx->round.now_ns;
    if (rc >= 0 || (ctx->poll_told && now_ns - ctx->poll_told_ns < POLL_SILENCE_NS))
        return;
    ctx->poll_told = true;
    ctx->poll_told_ns = now_ns;
    iskra_api_log(ctx, ISKRA_LOG_ERROR, "the event loop cannot wait: %s", strerror(-rc));
}

int iskra_api_round(struct iskra *ctx, int64_t wait_ns)
{
    if (ctx->in_round)
        return -EDEADLK;
    if (!iskra_api_own_process(ctx))
        return -EPERM;
    ctx->in_round = true;
    wait_ns = wait_limit(ctx, wait_ns);
    ctx->driver->spin_ns = wait_ns != 0 ? iskra_api_busy_poll_ns(ctx) : 0;
    int rc = iskra_driver_poll(ctx->driver, wait_ns);
    uint64_t begun_ns = ctx->round.now_ns;
    judge_poll(ctx, rc);
    iskra_mailbox_take(&ctx->mailbox, &ctx->round.work);
    unsigned ran_cnt = run_work(ctx);
    run_timers(ctx);
    ran_cnt += run_work(ctx);
    if (ran_cnt > 0)
        judge_callbacks(ctx);
    ctx->last_round_ns = begun_ns;
    if (work_pending(ctx))
        iskra_driver_wake(ctx->driver);
    iskra_driver_set_deadline(ctx->driver, iskra_timers_next_ns(&ctx->round.timers));
    ctx->in_round = false;
    return rc < 0 ? rc : 0;
}

int iskra_api_wait(struct iskra *ctx, const bool *flag)
{
    if (ctx->thread != NULL) {
        iskra_thread_wait(ctx->thread, flag);
        return 0;
    }
    while (!*flag) {
        if (iskra_api_round(ctx, -1) == -EPERM)
            return -EPERM;
    }
    return 0;
}

/* Until the descriptor is readable, or for at most wait_ns, the first spin_ns of it busily. Without
 * the lock, so that it looks from outside. A wait that fails is none: the round looks all the same.
 */
static void wait_outside(const struct iskra *ctx, uint64_t spin_ns, int64_t wait_ns)
{
    const struct iskra_platform *pf = ctx->round.pf;
    struct pollfd fd = {.fd = iskra_driver_fd(ctx->driver), .events = POLLIN};
    if (wait_ns != 0 && spin_ns > 0) {
        struct iskra_spin spin;
        iskra_spin_begin(&spin, pf, spin_ns, wait_ns);
        do {
            if (pf->wait(pf->arg, &fd, 1, 0) != 0)
                return;
        } while (iskra_spin_again(&spin));
        wait_ns = iskra_spin_left_ns(&spin, wait_ns);
    }
    if (wait_ns != 0)
        (void)pf->wait(pf->arg, &fd, 1, wait_ns);
}

void iskra_api_run(struct iskra *ctx)
{
    iskra_api_lock(ctx);
    while (!ctx->ending) {
        int64_t wait_ns = wait_limit(ctx, -1);
        uint64_t spin_ns = iskra_api_busy_poll_ns(ctx);
        ctx->thread_asleep = spin_ns == 0;
        iskra_api_unlock(ctx);
        wait_outside(ctx, spin_ns, wait_ns);
        iskra_api_lock(ctx);
        ctx->thread_asleep = false;
        (void)iskra_api_round(ctx, 0);
        iskra_thread_tell(ctx->thread);
    }
    iskra_api_unlock(ctx);
}

int iskra_fd(const struct iskra *ctx)
{
    /* A thread of the library's own watches it from outside, and asks before what is pending. */
    return ctx->thread != NULL ? iskra_driver_fd(ctx->driver) : iskra_driver_give_fd(ctx->driver);
}

int64_t iskra_timeout_ns(const struct iskra *ctx)
{
    return ctx->thread != NULL ? -1 : wait_limit(ctx, -1);
}

int iskra_dispatch(struct iskra *ctx)
{
    return ctx->thread != NULL ? -EBUSY : iskra_api_round(ctx, 0);
}

int iskra_run_once(struct iskra *ctx, int64_t timeout_ns)
{
    return ctx->thread != NULL ? -EBUSY : iskra_api_round(ctx, timeout_ns);
}

void iskra_api_log(struct iskra *ctx, enum iskra_log_level level, const char *fmt, ...)
{
    char line[512];
    if (ctx->log == NULL)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(line, sizeof(line), fmt, ap);
    va_end(ap);
    ctx->log(ctx->log_arg, level, line);
}
