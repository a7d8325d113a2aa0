/* Virtual time, and what happens when. Nothing takes time but by an event: the loop's driver asks
 * for the next one when the library waits. Events of the same time happen in the order in which
 * they were set. */
#ifndef ISKRA_SIM_CLOCK_H
#define ISKRA_SIM_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

#define SIM_US    UINT64_C(1000)
#define SIM_MS    UINT64_C(1000000)
#define SIM_S     UINT64_C(1000000000)
#define SIM_NEVER UINT64_MAX

#define SIM_EVENT_CNT 1024u

/* In the memory of whoever it concerns; all zero but fn and arg at first. */
struct sim_event {
    void (*fn)(void *arg);
    void *arg;
    uint64_t at_ns, order;
    unsigned place; /* in the heap, from 1 on; 0: not set */
};

struct sim_clock {
    uint64_t now_ns, order;
    unsigned cnt;
    struct sim_event *heap[SIM_EVENT_CNT + 1];
};

/* Sets it, or sets it anew. Times that have passed mean now. */
void sim_clock_set(struct sim_clock *clock, struct sim_event *event, uint64_t at_ns);
void sim_clock_clear(struct sim_clock *clock, struct sim_event *event); /* one not set is fine */

/* When the next event is, or SIM_NEVER. */
uint64_t sim_clock_next_ns(const struct sim_clock *clock);
/* Time goes on to the next event, which runs. There is one. */
void sim_clock_run_next(struct sim_clock *clock);

static inline bool sim_event_is_set(const struct sim_event *event)
{
    return event->place != 0;
}

#endif
