/* Looking again and again for a limited time, instead of sleeping: when to stop (busy_poll_us).
 *
 * Who waits says what a look is. The clock is read at every eighth look only; the limit is passed
 * by at most so many. Not even a clock that stands still makes it endless. */
#ifndef ISKRA_TRANSPORT_SPIN_H
#define ISKRA_TRANSPORT_SPIN_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/platform.h>

#define ISKRA_SPIN_CLOCK_EVERY 8u
#define ISKRA_SPIN_LOOK_MIN_NS 16u /* no look is a system call and yet faster than this */

struct iskra_spin {
    const struct iskra_platform *pf;
    uint64_t begun_ns, now_ns, limit_ns;
    uint64_t look_cnt;
};

/* At most budget_ns, and never longer than one would have slept: timeout_ns, negative: without
 * limit. */
static inline void iskra_spin_begin(struct iskra_spin *spin, const struct iskra_platform *pf,
                                    uint64_t budget_ns, int64_t timeout_ns)
{
    bool sooner = timeout_ns >= 0 && (uint64_t)timeout_ns < budget_ns;
    uint64_t now_ns = pf->now_ns(pf->arg);
    *spin = (struct iskra_spin){
        .pf = pf,
        .begun_ns = now_ns,
        .now_ns = now_ns,
        .limit_ns = sooner ? (uint64_t)timeout_ns : budget_ns,
    };
}

/* After a look in vain: one more? */
static inline bool iskra_spin_again(struct iskra_spin *spin)
{
    if (++spin->look_cnt % ISKRA_SPIN_CLOCK_EVERY != 0)
        return true;
    spin->now_ns = spin->pf->now_ns(spin->pf->arg);
    return spin->now_ns - spin->begun_ns < spin->limit_ns &&
           spin->look_cnt * ISKRA_SPIN_LOOK_MIN_NS < spin->limit_ns;
}

/* What is left of timeout_ns (negative: no limit) to sleep. */
static inline int64_t iskra_spin_left_ns(const struct iskra_spin *spin, int64_t timeout_ns)
{
    uint64_t took_ns = spin->now_ns - spin->begun_ns;
    if (timeout_ns < 0)
        return timeout_ns;
    return took_ns < (uint64_t)timeout_ns ? timeout_ns - (int64_t)took_ns : 0;
}

#endif
