/* The collector: an array, and a walk over it. */
#include "stack/told.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define ROUND_NS 10000000 /* short: the clocks of these tests move between two rounds */

void told_take(void *arg, const struct iskra_event *ev)
{
    struct told *t = arg;
    if (t->cnt < TOLD_MAX)
        t->events[t->cnt++] = *ev;
}

void told_forget(struct told *t)
{
    t->cnt = 0;
}

unsigned told_cnt(const struct told *t, enum iskra_event_kind kind)
{
    unsigned cnt = 0;
    for (unsigned i = 0; i < t->cnt; i++)
        cnt += t->events[i].kind == kind;
    return cnt;
}

const struct iskra_event *told_first(const struct told *t, enum iskra_event_kind kind)
{
    for (unsigned i = 0; i < t->cnt; i++)
        if (t->events[i].kind == kind)
            return &t->events[i];
    return NULL;
}

static const struct iskra_event *last(const struct told *t, enum iskra_event_kind kind)
{
    for (unsigned i = t->cnt; i-- > 0;)
        if (t->events[i].kind == kind)
            return &t->events[i];
    return NULL;
}

const struct iskra_event *told_wait(const struct told *t, struct iskra *ctx,
                                    enum iskra_event_kind kind, unsigned cnt)
{
    while (told_cnt(t, kind) < cnt)
        assert_int_equal(iskra_run_once(ctx, ROUND_NS), 0);
    return last(t, kind);
}

static int status_take(void *arg, const struct iskra_session_status *st)
{
    *(struct iskra_session_status *)arg = *st;
    return 0;
}

struct iskra_session_status told_status(struct iskra *ctx)
{
    struct iskra_session_status st = {0};
    assert_int_equal(iskra_sessions(ctx, status_take, &st), 0);
    return st;
}
