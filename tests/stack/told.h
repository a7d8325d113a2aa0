/* What an initiator has told by its events: kept in order, counted, waited for. Give told_take and
 * the collector to iskra_options; several initiators may share one. */
#ifndef ISKRA_TESTS_TOLD_H
#define ISKRA_TESTS_TOLD_H

#include <iskra/iskra.h>
#include <iskra/session.h>

#define TOLD_MAX 64u

struct told {
    struct iskra_event events[TOLD_MAX]; /* those after them are dropped */
    unsigned cnt;
};

void told_take(void *arg, const struct iskra_event *ev); /* iskra_options.event */
void told_forget(struct told *t);
unsigned told_cnt(const struct told *t, enum iskra_event_kind kind);
/* NULL: there was none. */
const struct iskra_event *told_first(const struct told *t, enum iskra_event_kind kind);
/* Runs the initiator until there were so many of a kind, and returns the last one of them. */
const struct iskra_event *told_wait(const struct told *t, struct iskra *ctx,
                                    enum iskra_event_kind kind, unsigned cnt);

/* What the initiator's session says of itself now; it has one. */
struct iskra_session_status told_status(struct iskra *ctx);

#endif
