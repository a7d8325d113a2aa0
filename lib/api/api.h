/* What the files of api/ share: the initiator object, and the rules for getting in and out of it.
 *
 * Every public function enters through api_enter(), which refuses a forked child, takes the lock of
 * an initiator that has a thread of its own, and refreshes the round's time when called from
 * outside a round. Whoever has entered leaves through api_leave(), which gives the lock back, and
 * sends what there is to send or makes the one descriptor readable. Those that only look take the
 * lock alone. Blocking ones ask api_may_block() first, then do the asynchronous thing, then
 * api_wait(). */
#ifndef ISKRA_API_API_H
#define ISKRA_API_API_H

#include <stdbool.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "api/events.h"
#include "api/mailbox.h"
#include "api/name.h"
#include "api/thread.h"
#include "error.h"
#include "list.h"
#include "round.h"
#include "transport/transport.h"

#define ISKRA_TRACE_RECORDS                                                                        \
    256u /* the last PDUs and state changes: 10 KiB, which stay in a cache */

struct iskra {
    struct iskra_round round;
    struct iskra_driver *driver;
    struct iskra_name name;
    void (*log)(void *arg, enum iskra_log_level level, const char *line);
    void *log_arg;
    struct iskra_events events;
    struct iskra_list nexuses; /* of struct iskra_nexus */
    uint32_t busy_poll_cnt;    /* of these, with busy_poll_us */
    uint32_t next_sid;
    uint32_t out_cnt;      /* requests submitted and not yet done */
    bool in_round;         /* a round is running: callbacks may be on the stack */
    unsigned drain_rounds; /* after a gap: rounds in which nothing expires while sockets are full */
    uint64_t last_round_ns;
    bool poll_told; /* that the driver cannot wait, and when that was said last */
    uint64_t poll_told_ns;
    struct iskra_mailbox mailbox; /* from other threads */
    struct iskra_thread *thread;  /* runs the loop; NULL: whoever calls does */
    bool thread_asleep;           /* it waits, with nothing out that it had to look for */
    atomic_bool ending;           /* iskra_free() has begun */
    volatile uint8_t *own_page;   /* 1 in the process that made it, wiped to 0 in a forked child */
};

/* Any thread, no lock. False in a forked child. */
static inline bool iskra_api_own_process(const struct iskra *ctx)
{
    return *ctx->own_page == 1;
}

static inline void iskra_api_lock(const struct iskra *ctx)
{
    if (ctx->thread != NULL)
        iskra_thread_lock(ctx->thread);
}

static inline void iskra_api_unlock(const struct iskra *ctx)
{
    if (ctx->thread != NULL)
        iskra_thread_unlock(ctx->thread);
}

/* 0, or -EPERM in a forked child (with *err): then there is nothing to leave. */
int iskra_api_enter(struct iskra *ctx, struct iskra_error *err);
void iskra_api_leave(struct iskra *ctx);

/* Waits at most wait_ns (negative: without limit) for the sockets or the next timer, then runs one
 * round. */
int iskra_api_round(struct iskra *ctx, int64_t wait_ns);

/* With the lock held: is the caller inside a callback? */
bool iskra_api_inside(const struct iskra *ctx);

/* 0, or -EDEADLK from inside a callback, -EPERM in a forked child (with *err). Does not enter. */
int iskra_api_may_block(struct iskra *ctx, struct iskra_error *err);

/* Runs rounds, or has the thread run them, until *flag is set, which a callback does. What is
 * waited for has a time limit of its own, so a wait that fails is no reason to end: timers run all
 * the same. Not entered. 0; -EPERM if the process forked meanwhile and this is the child. */
int iskra_api_wait(struct iskra *ctx, const bool *flag);

/* What the thread of its own does until ctx->ending. */
void iskra_api_run(struct iskra *ctx);

/* How long the loop may look for answers before it sleeps: the largest busy_poll_us of the sessions
 * that have commands out; 0: not at all. */
uint64_t iskra_api_busy_poll_ns(const struct iskra *ctx);

void iskra_api_log(struct iskra *ctx, enum iskra_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
