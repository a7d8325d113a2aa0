/* What the files of api/ share: the initiator object, and the rules for getting in and out of it.
 *
 * Every public function enters through api_enter(), which refuses a forked child and refreshes the
 * round's time when called from outside a round; every one that may have left work behind leaves
 * through api_leave(), which either sends at once or makes the one descriptor readable. */
#ifndef ISKRA_API_API_H
#define ISKRA_API_API_H

#include <stdbool.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "api/name.h"
#include "error.h"
#include "list.h"
#include "round.h"
#include "transport/transport.h"

#define ISKRA_TRACE_RECORDS 1024u /* 40 KiB of the last PDUs and state changes */

struct iskra {
    struct iskra_round round;
    struct iskra_epoll *epoll;
    struct iskra_name name;
    void (*log)(void *arg, enum iskra_log_level level, const char *line);
    void *log_arg;
    struct iskra_list nexuses; /* of struct iskra_nexus */
    uint32_t next_sid;
    uint32_t out_cnt;      /* requests submitted and not yet done */
    bool in_round;         /* a round is running: callbacks may be on the stack */
    unsigned drain_rounds; /* after a gap: rounds in which nothing expires while sockets are full */
    uint64_t last_round_ns;
    volatile uint8_t *own_page; /* 1 in the process that made it, wiped to 0 in a forked child */
};

/* 0, or -EPERM in a forked child (with *err). */
int iskra_api_enter(struct iskra *ctx, struct iskra_error *err);
void iskra_api_leave(struct iskra *ctx);

/* Waits at most wait_ns (negative: without limit) for the sockets or the next timer, then runs one
 * round. */
int iskra_api_round(struct iskra *ctx, int64_t wait_ns);

/* Runs rounds until *flag is set. -EDEADLK from inside a callback. */
int iskra_api_wait(struct iskra *ctx, const bool *flag);

void iskra_api_log(struct iskra *ctx, enum iskra_log_level level, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

#endif
