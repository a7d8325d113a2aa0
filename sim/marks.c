/* Counting what met what: see marks.h. */
#include "sim/marks.h"

#include <string.h>

#include <iskra/session.h>

#include "sim/sim.h"

/* Those of the library's sessions, and what there is without one. */
static const char *const states[SIM_STATE_CNT] = {
    "closed",      "opening",         "FREE",        "LOGGED_IN", "FAILED",
    "IN_RECOVERY", "RECOVERY_FAILED", "LOGGING_OUT", "TERMINATE", "other"};

static unsigned state_of(const struct sim *sim)
{
    const struct sim_handle *handle = &sim->load.handles[0];
    if (handle->state != SIM_HANDLE_OPEN)
        return handle->state == SIM_HANDLE_OPENING ? 1 : 0;
    struct iskra_session_info info;
    iskra_session_info(handle->lun, &info);
    for (unsigned i = 2; i < SIM_STATE_CNT - 1; i++) {
        if (info.state && strcmp(info.state, states[i]) == 0)
            return i;
    }
    return SIM_STATE_CNT - 1;
}

void sim_marks_count(struct sim *sim, enum sim_fault kind)
{
    if (sim->marks)
        sim->marks->cnt[kind][state_of(sim)]++;
}

void sim_marks_add(struct sim_marks *to, const struct sim_marks *from)
{
    const uint64_t *more = (const uint64_t *)from;
    uint64_t *sum = (uint64_t *)to;
    for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
        sum[i] += more[i];
}

void sim_marks_print(const struct sim_marks *marks, FILE *to)
{
    fprintf(to, "%-14s", "fault");
    for (unsigned i = 0; i < SIM_STATE_CNT; i++)
        fprintf(to, " %15s", states[i]);
    fprintf(to, "\n");
    for (unsigned kind = 0; kind < SIM_FAULT_CNT; kind++) {
        fprintf(to, "%-14s", sim_fault_names[kind]);
        for (unsigned i = 0; i < SIM_STATE_CNT; i++)
            fprintf(to, " %15llu", (unsigned long long)marks->cnt[kind][i]);
        fprintf(to, "\n");
    }
}
