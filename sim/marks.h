/* Which kind of fault has struck in which state of recovery, over all runs: what was never seen was
 * never tested. The state is that of the session of the world that is in the deepest trouble. */
#ifndef ISKRA_SIM_MARKS_H
#define ISKRA_SIM_MARKS_H

#include <stdint.h>
#include <stdio.h>

#include "sim/faults.h"

struct sim;

enum sim_state {
    SIM_STATE_CLOSED, /* no session */
    SIM_STATE_OPENING,
    SIM_STATE_RUNNING,
    SIM_STATE_CLOSING,
    SIM_STATE_ABORT, /* the rungs of error handling */
    SIM_STATE_WAIT,
    SIM_STATE_RESET, /* of LUN or target */
    SIM_STATE_SESSION_RESET,
    SIM_STATE_TEST, /* after any of them */
    SIM_STATE_LOST, /* until the next try to log in */
    SIM_STATE_LOGIN,
    SIM_STATE_REVALIDATE,
    SIM_STATE_GIVEN_UP, /* what waited has failed, the tries go on */
    SIM_STATE_CNT
};

struct sim_marks {
    uint64_t cnt[SIM_FAULT_CNT][SIM_STATE_CNT];
    uint64_t run_cnt, event_cnt, request_cnt, good_cnt, conn_cnt;
};

void sim_marks_count(struct sim *sim, enum sim_fault kind);
void sim_marks_add(struct sim_marks *to, const struct sim_marks *from);
void sim_marks_print(const struct sim_marks *marks, FILE *to);

#endif
