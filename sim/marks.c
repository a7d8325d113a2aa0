/* Counting what met what: see marks.h. */
#include "sim/marks.h"

#include <string.h>

#include <iskra/session.h>

#include "sim/sim.h"

static const char *const names[SIM_STATE_CNT] = {"closed", "opening", "running", "closing", "abort",
                                                 "wait",   "reset",   "drop",    "test",    "lost",
                                                 "login",  "check",   "given-up"};

static enum sim_state rung_state(const struct iskra_session_status *st)
{
    static const struct {
        const char *rung;
        enum sim_state state;
    } rungs[] = {
        {"ABORT", SIM_STATE_ABORT},
        {"WAIT", SIM_STATE_WAIT},
        {"LUN_RESET", SIM_STATE_RESET},
        {"TARGET_RESET", SIM_STATE_RESET},
        {"SESSION_RESET", SIM_STATE_SESSION_RESET},
    };
    if (st->testing)
        return SIM_STATE_TEST;
    for (size_t i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++)
        if (strcmp(st->rung, rungs[i].rung) == 0)
            return rungs[i].state;
    return SIM_STATE_RUNNING;
}

static enum sim_state session_state(const struct iskra_session_status *st)
{
    enum sim_state rung = rung_state(st);
    if (strcmp(st->session_state, "RECOVERY_FAILED") == 0)
        return SIM_STATE_GIVEN_UP;
    if (rung > SIM_STATE_RUNNING)
        return rung;
    if (strcmp(st->session_state, "LOGGING_OUT") == 0 ||
        strcmp(st->session_state, "TERMINATE") == 0)
        return SIM_STATE_CLOSING;
    if (st->checking_cnt > 0)
        return SIM_STATE_REVALIDATE;
    if (st->reopening)
        return st->next_attempt_ns > 0 ? SIM_STATE_LOST : SIM_STATE_LOGIN;
    return strcmp(st->session_state, "LOGGED_IN") == 0 ? SIM_STATE_RUNNING : SIM_STATE_OPENING;
}

static int deepest(void *arg, const struct iskra_session_status *st)
{
    enum sim_state *state = arg, here = session_state(st);
    if (here > *state)
        *state = here;
    return 0;
}

static enum sim_state state_of(const struct sim *sim)
{
    enum sim_state state = SIM_STATE_CLOSED;
    if (sim->ctx)
        (void)iskra_sessions(sim->ctx, deepest, &state);
    return state;
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
        fprintf(to, " %9s", names[i]);
    fprintf(to, "\n");
    for (unsigned kind = 0; kind < SIM_FAULT_CNT; kind++) {
        fprintf(to, "%-14s", sim_fault_names[kind]);
        for (unsigned i = 0; i < SIM_STATE_CNT; i++)
            fprintf(to, " %9llu", (unsigned long long)marks->cnt[kind][i]);
        fprintf(to, "\n");
    }
}
