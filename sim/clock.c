/* A binary heap of events: see clock.h. */
#include "sim/clock.h"

#include <stdio.h>
#include <stdlib.h>

static bool earlier(const struct sim_event *a, const struct sim_event *b)
{
    return a->at_ns != b->at_ns ? a->at_ns < b->at_ns : a->order < b->order;
}

static void put(struct sim_clock *clock, unsigned place, struct sim_event *event)
{
    clock->heap[place] = event;
    event->place = place;
}

static void sift_up(struct sim_clock *clock, unsigned place, struct sim_event *event)
{
    for (; place > 1 && earlier(event, clock->heap[place / 2]); place /= 2)
        put(clock, place, clock->heap[place / 2]);
    put(clock, place, event);
}

static void sift_down(struct sim_clock *clock, unsigned place, struct sim_event *event)
{
    for (unsigned child; (child = 2 * place) <= clock->cnt; place = child) {
        if (child < clock->cnt && earlier(clock->heap[child + 1], clock->heap[child]))
            child++;
        if (!earlier(clock->heap[child], event))
            break;
        put(clock, place, clock->heap[child]);
    }
    put(clock, place, event);
}

void sim_clock_set(struct sim_clock *clock, struct sim_event *event, uint64_t at_ns)
{
    sim_clock_clear(clock, event);
    if (clock->cnt == SIM_EVENT_CNT) { /* a bug of the simulator's */
        fprintf(stderr, "iskra-sim: more than %u events\n", SIM_EVENT_CNT);
        abort();
    }
    event->at_ns = at_ns > clock->now_ns ? at_ns : clock->now_ns;
    event->order = clock->order++;
    sift_up(clock, ++clock->cnt, event);
}

void sim_clock_clear(struct sim_clock *clock, struct sim_event *event)
{
    unsigned place = event->place;
    if (place == 0)
        return;
    event->place = 0;
    struct sim_event *last = clock->heap[clock->cnt--];
    if (last == event)
        return;
    if (place > 1 && earlier(last, clock->heap[place / 2]))
        sift_up(clock, place, last);
    else
        sift_down(clock, place, last);
}

uint64_t sim_clock_next_ns(const struct sim_clock *clock)
{
    return clock->cnt > 0 ? clock->heap[1]->at_ns : SIM_NEVER;
}

void sim_clock_run_next(struct sim_clock *clock)
{
    struct sim_event *event = clock->heap[1];
    clock->now_ns = event->at_ns;
    sim_clock_clear(clock, event);
    event->fn(event->arg);
}
