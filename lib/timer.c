/* Exact timers in a binary heap; timer.h tells the idea.
 *
 * The heap holds pointers, each timer knows its slot. The array behind it grows when a timer is
 * initialised, so that there is always room for every timer that exists. */
#include "timer.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <iskra/platform.h>

void iskra_timers_init(struct iskra_timers *set, const struct iskra_platform *pf)
{
    memset(set, 0, sizeof(*set));
    set->pf = pf;
}

void iskra_timers_done(struct iskra_timers *set)
{
    if (!set)
        return;
    for (uint32_t i = 0; i < set->cnt; i++) {
        set->heap[i]->slot = 0;
        set->heap[i]->held = false;
    }
    if (set->heap)
        set->pf->free(set->pf->arg, set->heap);
    set->heap = NULL;
    set->cnt = set->room = set->reserved = set->held_cnt = 0;
}

/* The platform has no realloc: a new array of twice the size. */
static int heap_reserve(struct iskra_timers *set, uint32_t need)
{
    if (need <= set->room)
        return 0;
    if (need > UINT32_MAX / 2 / sizeof(*set->heap))
        return -ENOMEM;
    uint32_t room = set->room ? set->room : 8;
    while (room < need)
        room *= 2;
    struct iskra_timer **heap = set->pf->alloc(set->pf->arg, room * sizeof(*heap));
    if (!heap)
        return -ENOMEM;
    if (set->heap) {
        memcpy(heap, set->heap, set->cnt * sizeof(*heap));
        set->pf->free(set->pf->arg, set->heap);
    }
    set->heap = heap;
    set->room = room;
    return 0;
}

int iskra_timer_init(struct iskra_timer *t, struct iskra_timers *set, iskra_timer_fn *fn)
{
    memset(t, 0, sizeof(*t));
    int rc = heap_reserve(set, set->reserved + 1);
    if (rc < 0)
        return rc;
    set->reserved++;
    t->fn = fn;
    t->set = set;
    return 0;
}

void iskra_timer_done(struct iskra_timer *t)
{
    if (!t || !t->set)
        return;
    iskra_timer_disarm(t);
    if (t->set->reserved > 0) /* 0: the set was done first */
        t->set->reserved--;
    t->set = NULL;
}

static void slot_put(struct iskra_timers *set, uint32_t i, struct iskra_timer *t)
{
    set->heap[i] = t;
    t->slot = i + 1;
}

/* The heap's order: by deadline; while timers run, those that wait for the next call come after all
 * others. */
static bool runs_before(const struct iskra_timer *a, const struct iskra_timer *b)
{
    if (a->held != b->held)
        return b->held;
    return a->deadline_ns < b->deadline_ns;
}

/* Both take a free index i and find the place of t from there. */
static void sift_down(struct iskra_timers *set, uint32_t i, struct iskra_timer *t)
{
    for (;;) {
        uint32_t child = 2 * i + 1;
        if (child >= set->cnt)
            break;
        if (child + 1 < set->cnt && runs_before(set->heap[child + 1], set->heap[child]))
            child++;
        if (!runs_before(set->heap[child], t))
            break;
        slot_put(set, i, set->heap[child]);
        i = child;
    }
    slot_put(set, i, t);
}

static void heap_place(struct iskra_timers *set, uint32_t i, struct iskra_timer *t)
{
    while (i > 0 && runs_before(t, set->heap[(i - 1) / 2])) {
        slot_put(set, i, set->heap[(i - 1) / 2]);
        i = (i - 1) / 2;
    }
    sift_down(set, i, t);
}

static void held_set(struct iskra_timer *t, bool held)
{
    if (held && !t->held)
        t->set->held_cnt++;
    else if (!held && t->held)
        t->set->held_cnt--;
    t->held = held;
}

void iskra_timer_arm(struct iskra_timer *t, uint64_t deadline_ns)
{
    assert(t->set);
    struct iskra_timers *set = t->set;
    uint32_t i = t->slot ? t->slot - 1 : set->cnt++;
    assert(i < set->room);
    t->deadline_ns = deadline_ns;
    held_set(t, set->running && deadline_ns <= set->run_now_ns);
    heap_place(set, i, t);
}

void iskra_timer_disarm(struct iskra_timer *t)
{
    if (t->slot == 0)
        return;
    struct iskra_timers *set = t->set;
    uint32_t i = t->slot - 1;
    struct iskra_timer *last = set->heap[--set->cnt];
    held_set(t, false);
    t->slot = 0;
    if (last != t)
        heap_place(set, i, last);
}

uint64_t iskra_timers_next_ns(const struct iskra_timers *set)
{
    return set->cnt > 0 ? set->heap[0]->deadline_ns : ISKRA_NEVER;
}

/* Back to the order by deadline alone. */
static void held_release(struct iskra_timers *set)
{
    if (set->held_cnt == 0)
        return;
    for (uint32_t i = 0; i < set->cnt; i++)
        set->heap[i]->held = false;
    set->held_cnt = 0;
    for (uint32_t i = set->cnt / 2; i-- > 0;)
        sift_down(set, i, set->heap[i]);
}

unsigned iskra_timers_run(struct iskra_timers *set, uint64_t now_ns)
{
    unsigned run_cnt = 0;
    set->running = true;
    set->run_now_ns = now_ns;
    while (set->cnt > 0 && !set->heap[0]->held && set->heap[0]->deadline_ns <= now_ns) {
        struct iskra_timer *t = set->heap[0];
        iskra_timer_disarm(t);
        run_cnt++;
        t->fn(t, now_ns); /* may arm, disarm, init and done any timer, itself included */
    }
    set->running = false;
    held_release(set);
    return run_cnt;
}
