/* The session object: its tasks, its state machine, the commands it answers itself. */
#include "iscsi/session.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "error.h"
#include "iscsi/conn.h"
#include "iscsi/eh.h"

#define NS_PER_S UINT64_C(1000000000)

static const char *const state_names[ISKRA_SESSION_STATE_CNT] = {
    "FREE", "LOGGED_IN", "FAILED", "IN_RECOVERY", "RECOVERY_FAILED", "LOGGING_OUT", "TERMINATE",
};

const char *iskra_session_state_name(enum iskra_session_state state)
{
    return (unsigned)state < ISKRA_SESSION_STATE_CNT ? state_names[state] : "?";
}

/* Rows: from; bits: to (spec 3.12). */
#define TO(state) (1u << ISKRA_SESSION_##state)
static const unsigned transitions[ISKRA_SESSION_STATE_CNT] = {
    [ISKRA_SESSION_FREE] =
        TO(LOGGED_IN) | TO(FAILED) | TO(IN_RECOVERY) | TO(RECOVERY_FAILED) | TO(TERMINATE),
    [ISKRA_SESSION_LOGGED_IN] = TO(FAILED) | TO(IN_RECOVERY) | TO(LOGGING_OUT) | TO(TERMINATE),
    [ISKRA_SESSION_FAILED] = TO(IN_RECOVERY) | TO(RECOVERY_FAILED) | TO(TERMINATE),
    [ISKRA_SESSION_IN_RECOVERY] = TO(LOGGED_IN) | TO(RECOVERY_FAILED) | TO(TERMINATE),
    [ISKRA_SESSION_RECOVERY_FAILED] = TO(LOGGED_IN) | TO(TERMINATE),
    [ISKRA_SESSION_LOGGING_OUT] =
        TO(FAILED) | TO(IN_RECOVERY) | TO(RECOVERY_FAILED) | TO(TERMINATE),
    [ISKRA_SESSION_TERMINATE] = 0,
};

bool iskra_session_may_become(enum iskra_session_state from, enum iskra_session_state to)
{
    return (transitions[from] & 1u << to) != 0;
}

void iskra_session_set_state(struct iskra_session *s, enum iskra_session_state state)
{
    assert(iskra_session_may_become(s->state, state));
    iskra_trace_state(&s->round->trace, ISKRA_MACHINE_SESSION, (uint16_t)s->sid, s->state, state);
    s->state = state;
    iskra_eh_session_changed(s);
}

int iskra_session_fail(struct iskra_session *s, enum iskra_code code, int sys_errno,
                       const char *fmt, ...)
{
    memset(&s->error, 0, sizeof(s->error));
    va_list ap;
    va_start(ap, fmt);
    int rc = iskra_vfail(&s->error, code, sys_errno, fmt, ap);
    va_end(ap);
    return rc;
}

/* scsi_done of commands that queuecommand refused: one that submits again from there waits for the
 * next run. */
static void refused_run(struct iskra_work *work)
{
    struct iskra_session *s = iskra_container_of(work, struct iskra_session, refused_work);
    struct iskra_list now;
    iskra_list_init(&now);
    iskra_list_splice_back(&now, &s->refused);
    for (struct iskra_list *l; (l = iskra_list_pop_front(&now)) != NULL;) {
        struct iskra_cmnd *cmd = iskra_container_of(l, struct iskra_cmnd, link);
        cmd->scsi_done(cmd);
    }
}

static uint32_t power_of_two_below(uint32_t n)
{
    while ((n & (n - 1)) != 0)
        n &= n - 1;
    return n;
}

int iskra_session_init(struct iskra_session *s, struct iskra_round *round, uint32_t sid,
                       uint32_t cmds_max, uint32_t queue_depth, uint32_t initial_cmd_sn)
{
    if (cmds_max < ISKRA_CMDS_MIN)
        return -EINVAL;
    cmds_max = power_of_two_below(cmds_max > ISKRA_CMDS_LIMIT ? ISKRA_CMDS_LIMIT : cmds_max);
    *s = (struct iskra_session){
        .round = round,
        .sid = sid,
        .state = ISKRA_SESSION_FREE,
        .cmds_max = cmds_max,
        /* RFC 7143 13: what holds until something else is negotiated. */
        .params = {.max_recv_data_len = ISKRA_CONN_BUF_LEN,
                   .max_xmit_data_len = 8192,
                   .first_burst_len = 65536,
                   .max_burst_len = 262144,
                   .max_outstanding_r2t = 1,
                   .initial_r2t = true,
                   .immediate_data = true,
                   .data_pdu_in_order = true,
                   .data_sequence_in_order = true,
                   .fast_abort = true,
                   .abort_timeout_ns = 10 * NS_PER_S,
                   .lu_reset_timeout_ns = 15 * NS_PER_S,
                   .tgt_reset_timeout_ns = 30 * NS_PER_S,
                   .replacement_timeout_ns = 120 * NS_PER_S},
    };
    iskra_window_init(&s->window, initial_cmd_sn);
    iskra_list_init(&s->refused);
    iskra_list_init(&s->conns);
    iskra_list_init(&s->eh_ops);
    iskra_work_init(&s->refused_work, refused_run);
    iskra_trace_state_names(ISKRA_MACHINE_SESSION, state_names, ISKRA_SESSION_STATE_CNT);
    int rc = iskra_task_pool_init(s);
    if (rc == 0)
        rc = iskra_task_pool_set_aside(s, queue_depth);
    if (rc == 0)
        rc = iskra_tmf_init(s);
    if (rc != 0)
        iskra_task_pool_done(s);
    return rc;
}

/* Connections are destroyed first, so no task is out; refused commands still get their answer. */
void iskra_session_done(struct iskra_session *s)
{
    if (s == NULL || s->cmds == NULL)
        return;
    assert(iskra_list_empty(&s->conns));
    iskra_work_cancel(&s->refused_work);
    while (!iskra_list_empty(&s->refused))
        refused_run(&s->refused_work);
    iskra_tmf_done(s);
    iskra_task_pool_done(s);
}
