/* Exact timers in a binary heap: pings, task management, login, reopen. (Command timeouts use the
 * queue's own coarse timer instead: block/timeout.h.)
 *
 * No clock in here: "now" is an argument. Arm and disarm are O(log n) and allocate only when more
 * timers are armed at once than ever before; room for a timer is reserved when it is initialised,
 * so arming cannot fail. */
#ifndef ISKRA_TIMER_H
#define ISKRA_TIMER_H

#include <stdbool.h>
#include <stdint.h>

struct iskra_platform;
struct iskra_timer;

typedef void iskra_timer_fn(struct iskra_timer *t, uint64_t now_ns);

struct iskra_timers {
    struct iskra_timer **heap;
    uint32_t cnt, room, reserved;
    uint32_t
        held_cnt; /* armed during iskra_timers_run() at or before its now: wait for the next call */
    bool running; /* inside iskra_timers_run() */
    uint64_t run_now_ns;
    const struct iskra_platform *pf;
};

struct iskra_timer {
    uint64_t deadline_ns;
    uint32_t slot; /* 1 + index in the heap; 0 when not armed */
    bool held;     /* see iskra_timers */
    iskra_timer_fn *fn;
    struct iskra_timers *set;
};

#define ISKRA_NEVER UINT64_MAX

void iskra_timers_init(struct iskra_timers *set, const struct iskra_platform *pf);
void iskra_timers_done(
    struct iskra_timers *set); /* every timer must be done first, or is forgotten */

int iskra_timer_init(struct iskra_timer *t, struct iskra_timers *set,
                     iskra_timer_fn *fn);                          /* 0 or -ENOMEM */
void iskra_timer_done(struct iskra_timer *t);                      /* accepts a zeroed timer */
void iskra_timer_arm(struct iskra_timer *t, uint64_t deadline_ns); /* re-arms if armed */
void iskra_timer_disarm(struct iskra_timer *t);                    /* idempotent */
static inline bool iskra_timer_armed(const struct iskra_timer *t)
{
    return t->slot != 0;
}

uint64_t iskra_timers_next_ns(const struct iskra_timers *set); /* ISKRA_NEVER if none is armed */

/* Runs every timer whose deadline is <= now, in order of deadline; one re-armed from within at or
 * before now waits for the next call. Returns how many ran. */
unsigned iskra_timers_run(struct iskra_timers *set, uint64_t now_ns);

#endif
