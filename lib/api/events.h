/* Events on their way to the program: set aside when they happen, in whatever layer that is, and
 * delivered by a work item of the round, when nothing is in the middle of anything (decision 13).
 */
#ifndef ISKRA_API_EVENTS_H
#define ISKRA_API_EVENTS_H

#include <iskra/event.h>

#include "round.h"
#include "work.h"

#define ISKRA_EVENTS_MAX 32u

struct iskra_nexus;
struct iskra_sdev;
struct iskra_pdu_async;

struct iskra_events {
    void (*fn)(void *arg, const struct iskra_event *ev);
    void *arg;
    struct iskra_event *ring; /* NULL: nobody listens */
    unsigned head, cnt;
    uint32_t missed_cnt;
    struct iskra_workq *queue;
    struct iskra_work work;
};

/* fn NULL: nobody listens, and nothing is allocated. 0 or -ENOMEM. */
int iskra_events_init(struct iskra_events *events, struct iskra_round *round,
                      void (*fn)(void *arg, const struct iskra_event *ev), void *arg);
void iskra_events_done(struct iskra_events *events, const struct iskra_platform *pf);

/* why: may be NULL. */
void iskra_event_session(struct iskra_nexus *nexus, enum iskra_event_kind kind,
                         const struct iskra_error *why);
void iskra_event_capacity_changed(struct iskra_nexus *nexus, const struct iskra_sdev *sdev);
void iskra_event_unit_attention(struct iskra_nexus *nexus, const struct iskra_sdev *sdev,
                                uint8_t asc, uint8_t ascq);
void iskra_event_writes_lost(struct iskra_nexus *nexus, const struct iskra_sdev *sdev,
                             uint64_t write_cnt);
void iskra_event_async(struct iskra_nexus *nexus, const struct iskra_pdu_async *pdu,
                       const uint8_t *data, size_t len);

#endif
