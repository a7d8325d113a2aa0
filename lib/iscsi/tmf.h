/* Task management (RFC 7143 11.5, 11.6; spec 3.11): requests, one at a time per session, and what
 * becomes of them.
 *
 * A request is its owner's memory: handed in, sent when those before it have been answered, told of
 * once. It is immediate, so that it uses up no CmdSN and passes a closed window. One that is not
 * answered in its time (abort, LUN reset or target reset timeout, from its turn on) costs the
 * connection: a target that does not even answer this cannot be reasoned with. */
#ifndef ISKRA_ISCSI_TMF_H
#define ISKRA_ISCSI_TMF_H

#include <stdbool.h>
#include <stdint.h>

#include "list.h"
#include "timer.h"

struct iskra_round;
struct iskra_session;
struct iskra_task;
struct iskra_tmf;

enum iskra_tmf_outcome {
    ISKRA_TMF_COMPLETE, /* "function complete" */
    ISKRA_TMF_NO_TASK,  /* "task does not exist" */
    ISKRA_TMF_REFUSED,  /* any other answer, or a Reject */
    ISKRA_TMF_TIMED_OUT,
    ISKRA_TMF_LOST, /* the session left LOGGED_IN before the answer */
};

/* Told from inside the receiving of the answer, a timer, or the end of the connection: it may end
 * tasks and hand in further requests. */
typedef void iskra_tmf_told_fn(struct iskra_tmf *tmf, enum iskra_tmf_outcome outcome);

struct iskra_tmf {
    struct iskra_list link; /* while it waits for its turn; else alone */
    uint8_t function;       /* enum iskra_tmf_function */
    uint64_t lun;           /* reserved for target resets */
    struct iskra_task *ref; /* ABORT TASK: the task, sent and not over */
    iskra_tmf_told_fn *told;
    /* For whoever tells of it; valid from told() on. */
    enum iskra_tmf_outcome outcome;
    uint8_t response; /* if it was answered; of RFC 7143 11.6.1, a Reject as REJECTED */
};

/* A session's part. */
struct iskra_tmfs {
    struct iskra_list waiting; /* of struct iskra_tmf */
    struct iskra_tmf *out;     /* whose turn it is; NULL: nobody asks any more, or nobody did */
    struct iskra_task *task;   /* of its PDU; NULL: none is out */
    uint8_t function;          /* of that */
    uint64_t lun;
    bool due; /* its answer is still to come */
    struct iskra_timer timer;
};

int iskra_tmf_init(struct iskra_session *s); /* 0 or -ENOMEM */
void iskra_tmf_done(struct iskra_session *s);

/* 0: told will run, not from inside. -ENOTCONN: the session is not LOGGED_IN, nothing happens. */
int iskra_tmf_submit(struct iskra_session *s, struct iskra_tmf *tmf);

/* told will not run. What was not sent is never sent; the answer to what was is still waited for,
 * by those behind it. Nothing if it is not there. */
void iskra_tmf_withdraw(struct iskra_session *s, struct iskra_tmf *tmf);

/* While its answer is due, a reset of a LUN or the target, or ABORT TASK SET, holds back what it
 * would end (spec 3.7 "TMF rule", decision 9): command PDUs, and with fast_abort Data-Out too. */
bool iskra_tmf_holds_cmd(const struct iskra_session *s, const struct iskra_task *task);
bool iskra_tmf_holds_data_out(const struct iskra_session *s, const struct iskra_task *task);

/* From complete.c, reject.c: the answer. From task.c: the PDU's task is gone. From recovery.c: the
 * session is being stopped. */
void iskra_tmf_answered(struct iskra_session *s, uint8_t response);
void iskra_tmf_rejected(struct iskra_session *s);
void iskra_tmf_task_gone(struct iskra_session *s);
void iskra_tmf_drop(struct iskra_session *s);

#endif
