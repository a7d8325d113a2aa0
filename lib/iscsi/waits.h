/* What commands of a session wait for that is not the target's work on them: counted where the wait
 * begins and where it ends, by the round's time, so that it costs no look at a clock. */
#ifndef ISKRA_ISCSI_WAITS_H
#define ISKRA_ISCSI_WAITS_H

#include <stdint.h>

struct iskra_waits {
    uint64_t window_cnt;      /* times that the command window refused one */
    uint64_t window_ns;       /* for how long one waited for it, in all */
    uint64_t window_since_ns; /* one waits since then; 0: none does */
    uint64_t idle_since_ns;   /* when the last command that was out came back */
    uint64_t r2t_ns; /* each write's time with nothing to send until the next R2T, added up */
};

static inline void iskra_waits_window_refuses(struct iskra_waits *w, uint64_t now_ns)
{
    w->window_cnt++;
    if (w->window_since_ns == 0)
        w->window_since_ns = now_ns;
}

/* A command was accepted. With none out before it, whoever waited last may have gone away long ago,
 * and nobody knows when: then the wait has lasted until the last one came back. */
static inline void iskra_waits_window_accepts(struct iskra_waits *w, uint64_t now_ns,
                                              uint32_t out_cnt)
{
    if (__builtin_expect(w->window_since_ns == 0, 1))
        return;
    uint64_t until_ns = out_cnt > 0 ? now_ns : w->idle_since_ns;
    if (until_ns > w->window_since_ns)
        w->window_ns += until_ns - w->window_since_ns;
    w->window_since_ns = 0;
}

static inline void iskra_waits_r2t_came(struct iskra_waits *w, uint64_t *since_ns, uint64_t now_ns)
{
    if (*since_ns != 0)
        w->r2t_ns += now_ns - *since_ns;
    *since_ns = 0;
}

#endif
