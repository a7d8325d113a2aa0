/* What error handling above asks of a session (spec 3.11): abort one command, reset a LUN, a target
 * or the session, and be told once how it ended.
 *
 * An operation is its caller's memory, used for one request at a time. told() runs exactly once per
 * request, from a round's work, never from inside the call that asked. Requests for task management
 * wait for each other (tmf.h); the caller's own cancel of a command (iskra_session_abort) uses the
 * same request, so that a command is aborted once, whoever asked first.
 *
 * SUCCESS means that the session has given the commands concerned back: their scsi_done has run, or
 * waits only for the end of a loan of their memory. It may run from inside an abort of a command
 * that was not sent yet. FAILED: nothing was given back on account of this request. */
#ifndef ISKRA_ISCSI_EH_H
#define ISKRA_ISCSI_EH_H

#include <stdint.h>

#include <iskra/error.h>

#include "iscsi/tmf.h"
#include "list.h"
#include "work.h"

struct iskra_cmnd;
struct iskra_eh_op;
struct iskra_session;
struct iskra_task;

enum iskra_eh_outcome {
    ISKRA_EH_SUCCESS,
    ISKRA_EH_FAILED,
};
const char *iskra_eh_outcome_name(enum iskra_eh_outcome outcome); /* "SUCCESS" */

typedef void iskra_eh_told_fn(struct iskra_eh_op *op, enum iskra_eh_outcome outcome);

struct iskra_eh_op {
    iskra_eh_told_fn *told;
    void *arg;                     /* the caller's */
    struct iskra_tmf tmf;          /* the rest is eh.c's */
    struct iskra_work work;        /* brings the outcome */
    struct iskra_list link;        /* session->eh_ops: waits for the session itself */
    struct iskra_session *session; /* whose request is under way; else NULL */
    struct iskra_task *task;       /* whose end is waited for; else NULL */
    enum iskra_eh_outcome outcome;
};

void iskra_eh_op_init(struct iskra_eh_op *op, iskra_eh_told_fn *told);

/* Abort task. A command that is not with the session any more: SUCCESS. Not sent yet: it ends with
 * DID_ABORT. "Task does not exist" is SUCCESS only if the command has come back meanwhile. */
void iskra_eh_abort(struct iskra_session *s, struct iskra_eh_op *op, struct iskra_cmnd *cmd);

/* LUN reset; abort task set (decision 9). SUCCESS: every command of the LUN ended with DID_ERROR.
 * Commands of other LUNs go on meanwhile. */
void iskra_eh_device_reset(struct iskra_session *s, struct iskra_eh_op *op, uint64_t lun);
void iskra_eh_abort_task_set(struct iskra_session *s, struct iskra_eh_op *op, uint64_t lun);

/* Warm target reset: the same for all LUNs. Cold, for a user's wish: the connection is expected to
 * end, which is waited for like a session reset. */
void iskra_eh_target_reset(struct iskra_session *s, struct iskra_eh_op *op);
void iskra_eh_target_cold_reset(struct iskra_session *s, struct iskra_eh_op *op);

/* The connection fails with ISKRA_CONN_SCSI_EH_SESSION_RST (1021) and this story, if it has not
 * failed before. SUCCESS when the session is LOGGED_IN again, FAILED when it is RECOVERY_FAILED or
 * TERMINATE. */
void iskra_eh_session_reset(struct iskra_session *s, struct iskra_eh_op *op,
                            const struct iskra_error *why);

/* FAILED: why, as told() may say it: what the target answered, or that it did not. */
const char *iskra_eh_op_why(const struct iskra_eh_op *op);

/* told will not run. What the target was asked to do is done all the same. Nothing if no request is
 * under way. */
void iskra_eh_op_cancel(struct iskra_session *s, struct iskra_eh_op *op);

/* From task.c: a task has ended. From abort.c: it goes on, its session ends it. From session.c: the
 * state changed. */
void iskra_eh_task_ended(struct iskra_task *task);
void iskra_eh_task_stays(struct iskra_task *task,
                         const struct iskra_tmf *tmf); /* NULL: it was never asked for */
void iskra_eh_session_changed(struct iskra_session *s);

#endif
