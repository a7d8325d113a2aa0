/* A session: tagged tasks, the command window, its connections (spec 3.7; notes F25).
 *
 * cmds[] holds the session's tasks, at most cmds_max, in blocks (task_pool.h); a task's index is
 * the low part of its ITT, the session's age the high part, so that a late answer from an earlier
 * life is recognised. One thread at a time; no locks. */
#ifndef ISKRA_ISCSI_SESSION_H
#define ISKRA_ISCSI_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "iscsi/cmd.h"
#include "iscsi/task.h"
#include "iscsi/task_pool.h"
#include "iscsi/tmf.h"
#include "iscsi/waits.h"
#include "iscsi/window.h"
#include "list.h"
#include "round.h"
#include "verdict.h"

#define ISKRA_CMDS_MAX_DEFAULT 128u
#define ISKRA_CMDS_MIN         16u
#define ISKRA_CMDS_LIMIT       4096u
#define ISKRA_MGMT_CMDS_MAX    15u

/* Of these one is the login task and three are never lent to others: for task management, the watch
 * over the connection, and a Logout. */
#define ISKRA_MGMT_LENDABLE_MAX (ISKRA_MGMT_CMDS_MAX - 4u)

struct iskra_conn;
struct iskra_class;

enum iskra_session_state {
    ISKRA_SESSION_FREE,
    ISKRA_SESSION_LOGGED_IN,
    ISKRA_SESSION_FAILED,
    ISKRA_SESSION_IN_RECOVERY,
    ISKRA_SESSION_RECOVERY_FAILED,
    ISKRA_SESSION_LOGGING_OUT,
    ISKRA_SESSION_TERMINATE,
    ISKRA_SESSION_STATE_CNT
};
const char *iskra_session_state_name(enum iskra_session_state state);

/* What was negotiated or configured: SET_PARAM writes it, START_CONN puts it into force. Lengths in
 * bytes. */
struct iskra_session_params {
    uint32_t max_recv_data_len; /* ours: what the target may send in one PDU */
    uint32_t max_xmit_data_len; /* the target's */
    uint32_t first_burst_len, max_burst_len;
    uint32_t max_outstanding_r2t;
    bool initial_r2t, immediate_data;
    bool data_pdu_in_order, data_sequence_in_order;
    bool hdr_digest, data_digest;
    uint8_t error_recovery_level;
    uint32_t exp_stat_sn;
    uint16_t tpgt;
    bool fast_abort, discovery;
    uint64_t abort_timeout_ns, lu_reset_timeout_ns, tgt_reset_timeout_ns, ping_timeout_ns,
        recv_timeout_ns;
    int64_t replacement_timeout_ns; /* negative: never */
};

struct iskra_session {
    struct iskra_round *round;
    struct iskra_class *cls;
    uint32_t sid;
    enum iskra_session_state state;
    uint8_t age; /* 0..15 */
    struct iskra_cmd_window window;
    struct iskra_task_block *cmds;
    uint32_t cmds_max;
    uint32_t cmd_cnt;          /* tasks that are there by now; <= cmds_max */
    uint32_t scsi_cmds_room;   /* of these, commands may hold that many */
    uint32_t scsi_cnt;         /* tasks that commands hold now; <= scsi_cmds_room */
    uint32_t r2ts_per_task;    /* there is memory for */
    uint64_t queued_cnt;       /* commands accepted, ever */
    struct iskra_list pool;    /* FREE tasks, oldest first */
    struct iskra_list refused; /* commands that queuecommand answered itself: scsi_done is due */
    struct iskra_work refused_work;
    struct iskra_tmfs tmfs;
    struct iskra_list eh_ops; /* of struct iskra_eh_op: wait for what becomes of the session */
    struct iskra_list conns;  /* of struct iskra_conn: one today, a list for what comes */
    struct iskra_conn *leadconn;
    struct iskra_session_params params;
    struct iskra_error error; /* why it last failed; what its commands tell their callers */
    struct iskra_waits waits; /* counted */
    uint64_t statsn_gaps;     /* counted, not fatal, up to the queue depth (decision 20) */
};

/* cmds_max < 16 is refused with -EINVAL, > 4096 clamped, else rounded down to a power of two.
 * queue_depth: of a device; tasks for one are set aside. 0, -EINVAL or -ENOMEM. */
int iskra_session_init(struct iskra_session *s, struct iskra_round *round, uint32_t sid,
                       uint32_t cmds_max, uint32_t queue_depth, uint32_t initial_cmd_sn);
void iskra_session_done(struct iskra_session *s);

/* By its index, which is below cmd_cnt. */
static inline struct iskra_task *iskra_session_task(const struct iskra_session *s, uint32_t index)
{
    return &s->cmds[index >> ISKRA_TASK_BLOCK_SHIFT].tasks[index & (ISKRA_TASK_BLOCK_CNT - 1)];
}

/* Is the change allowed? A const table (spec 3.12), the same for everybody. */
bool iskra_session_may_become(enum iskra_session_state from, enum iskra_session_state to);

/* The only place that changes s->state; checks the transition and traces it. */
void iskra_session_set_state(struct iskra_session *s, enum iskra_session_state state);

/* Is there room in the command window for one that wants to go now? If not, its wait is counted. */
static inline bool iskra_session_window_open(struct iskra_session *s)
{
    if (__builtin_expect(!iskra_window_closed(&s->window), 1))
        return true;
    iskra_waits_window_refuses(&s->waits, s->round->now_ns);
    return false;
}

/* Writes s->error anew: the latest failure is the one its commands tell of. Returns -sys_errno. */
int iskra_session_fail(struct iskra_session *s, enum iskra_code code, int sys_errno,
                       const char *fmt, ...) __attribute__((format(printf, 4, 5)));

/* queuecommand's refusals: the command stays the caller's. */
enum iskra_queue_status {
    ISKRA_QUEUED = 0,
    ISKRA_HOST_BUSY,
    ISKRA_DEVICE_BUSY,
    ISKRA_TARGET_BUSY,
};

/* From the mid-layer (spec 3.7 "queuecommand"). ISKRA_QUEUED: scsi_done will run, exactly once, not
 * from inside. */
enum iskra_queue_status iskra_queuecommand(struct iskra_session *s, struct iskra_cmnd *cmd);

/* The mid-layer wants a command back (abort.c). 0: its scsi_done will run, with DID_ABORT if the
 * target confirmed, or with whatever was first; from inside, if it was not sent yet. -EALREADY: it
 * is not with the session as a task; scsi_done is due anyway if it is with it at all. */
int iskra_session_abort(struct iskra_session *s, struct iskra_cmnd *cmd);

/* A driver may be receiving into the memory of a command that is with the session: it is asked to
 * stop, which may end the command. 0, or -EBUSY: it goes on. */
int iskra_cmnd_recall(const struct iskra_cmnd *cmd);

/* A command that is with the session, and recalled, changes hands (detach.c): its caller's memory
 * is not touched after this call, heir's scsi_done runs instead of its own. memory: detach_len
 * bytes that live until then, aligned for anything. An abort of it is asked for, or has been. */
bool iskra_cmnd_unsent(const struct iskra_cmnd *cmd); /* its PDU is not built yet */
size_t iskra_cmnd_detach_len(const struct iskra_cmnd *cmd);
void iskra_cmnd_detach(struct iskra_cmnd *cmd, struct iskra_cmnd *heir, void *memory);

/* The host's eh_timed_out. */
enum iskra_eh_verdict iskra_eh_cmd_timed_out(struct iskra_session *s, struct iskra_cmnd *cmd);

#endif
