/* A race made certain: the timer of a command runs out, and its answer comes in before anybody has
 * judged that.
 *
 * For the initiator's clock the time that the command may take has passed as soon as it was sent;
 * once its expiry was noticed, the clock is not told before the answer has arrived. So the verdict
 * finds the command done (EH_HANDLED). The target has to take a little time for its answer: one
 * that is there at once wins the race before it has begun. */
#ifndef ISKRA_CLI_TRACE_RACE_H
#define ISKRA_CLI_TRACE_RACE_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/platform.h>
#include <iskra/trace.h>

#define CLI_RACE_TIMEOUT_NS UINT64_C(500000000) /* of the command that races */

enum cli_race_state {
    CLI_RACE_ARMED,   /* nothing was sent yet */
    CLI_RACE_LEAPT,   /* the time is up */
    CLI_RACE_EXPIRED, /* and that was noticed: the answer may come */
    CLI_RACE_OVER,
};

struct cli_race {
    struct iskra_platform platform; /* for the initiator */
    enum cli_race_state state;
    uint64_t leap_ns; /* how far its clock is ahead */
    int fd;           /* of the connection; -1: none yet */
};

void cli_race_init(struct cli_race *race);

/* Every record of the trace, as it comes. */
void cli_race_watch(struct cli_race *race, const struct iskra_trace_record *record);

#endif
