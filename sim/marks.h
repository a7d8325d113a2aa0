/* Which kind of fault has met which state of a session, over all runs: what was never seen was
 * never tested. */
#ifndef ISKRA_SIM_MARKS_H
#define ISKRA_SIM_MARKS_H

#include <stdint.h>
#include <stdio.h>

#include "sim/faults.h"

struct sim;

#define SIM_STATE_CNT 10u

struct sim_marks {
    uint64_t cnt[SIM_FAULT_CNT][SIM_STATE_CNT];
    uint64_t run_cnt, event_cnt, request_cnt, good_cnt, conn_cnt;
};

void sim_marks_count(struct sim *sim, enum sim_fault kind);
void sim_marks_add(struct sim_marks *to, const struct sim_marks *from);
void sim_marks_print(const struct sim_marks *marks, FILE *to);

#endif
