/* A task: one PDU that expects an answer, SCSI command or not, and what is needed until the answer
 * has come (spec 3.7).
 *
 * References: one from alloc() to complete_task(), one for each loan of its header or its command's
 * memory to the transport. The last put gives it back to the pool and, for a SCSI command, calls
 * scsi_done (decision 15): whoever gets the command back may free its memory at once. */
#ifndef ISKRA_ISCSI_TASK_H
#define ISKRA_ISCSI_TASK_H

#include <stdbool.h>
#include <stdint.h>

#include "iscsi/cmd.h"
#include "iscsi/tmf.h"
#include "list.h"
#include "tcp/recv.h"
#include "wire/bhs.h"

struct iskra_conn;
struct iskra_eh_op;
struct iskra_ping;
struct iskra_session;

/* The tag on the wire: index in the low bits, the session's age in the high ones, zero between (RFC
 * 7143 11.2.1.8 leaves the value to the initiator). */
#define ISKRA_ITT_INDEX_MASK 0x1fffu
#define ISKRA_ITT_AGE_SHIFT  28u
#define ISKRA_ITT_AGE_MASK   0xfu

/* The AHS of the longest CDB: 3 bytes of AHS header, 1 reserved, the CDB bytes beyond 16. */
#define ISKRA_CDB_AHS_LEN_MAX (4u + ISKRA_ECDB_LEN_MAX - ISKRA_CDB_BHS_LEN)
_Static_assert(ISKRA_BHS_LEN + ISKRA_CDB_AHS_LEN_MAX + ISKRA_DIGEST_LEN <= ISKRA_TX_LONG_HDR_LEN,
               "a header with it has room on its connection");

enum iskra_task_state {
    ISKRA_TASK_FREE,      /* in the pool (or the login task between two PDUs) */
    ISKRA_TASK_PENDING,   /* on mgmtqueue or cmdqueue; its PDU is not built */
    ISKRA_TASK_RUNNING,   /* sent or being sent */
    ISKRA_TASK_COMPLETED, /* this and what follows: terminal, waiting for the last put */
    ISKRA_TASK_ABRT_TMF,
    ISKRA_TASK_ABRT_SESS_RECOV, /* its session was dropped */
    ISKRA_TASK_STATE_CNT
};
const char *iskra_task_state_name(enum iskra_task_state state);

struct iskra_task {
    struct iskra_tcp_task tcp; /* first: what the engine holds */
    struct iskra_cmnd *cmd;    /* NULL: a management PDU */
    struct iskra_ping *ping;   /* a NOP-Out of our own; else NULL */
    uint32_t refs;
    uint32_t index; /* in cmds[] */
    enum iskra_task_state state;
    bool takes_cmd_sn;      /* counted in queued_cmd_sn */
    uint8_t opcode;         /* of the request */
    bool late_answer_due;   /* it was failed before its answer: the tag is kept until that comes */
    bool aborting;          /* `abort` was handed in and not told of: no Data-Out is built */
    bool have_checked_conn; /* its connection was asked for a sign of life (verdict.c) */
    bool cancelled;         /* its owner wants it back, by that abort */
    struct iskra_list link; /* on the pool or a queue of the connection; else alone */
    struct iskra_session *session;
    struct iskra_conn *conn; /* NULL while FREE */
    uint32_t cmd_sn;         /* what its PDU carried */
    uint64_t queued_no;      /* order in which commands were handed in */
    uint64_t last_timeout;   /* the connection's xfers when it was last looked at (verdict.c) */
    uint64_t r2t_since_ns;   /* all that was asked for is sent, and more is to be; 0: not so */
    struct iskra_tmf abort;
    struct iskra_eh_op *eh_op; /* error handling that waits for that abort; else NULL */
    uint32_t data_len;         /* management PDUs */
    uint8_t *data;
    struct iskra_r2t_queue r2ts; /* its entries are its block's; in use for a write */
    uint8_t hdr[ISKRA_BHS_LEN];  /* management PDUs */
};

static inline struct iskra_task *iskra_task_of(struct iskra_tcp_task *tcp)
{
    return iskra_container_of(tcp, struct iskra_task, tcp);
}

static inline bool iskra_task_terminal(const struct iskra_task *task)
{
    return task->state >= ISKRA_TASK_COMPLETED;
}

/* A PENDING task of this age with one reference, or NULL when the pool is empty. */
struct iskra_task *iskra_task_alloc(struct iskra_session *s, struct iskra_conn *conn);

/* The same for a task that is kept out of the pool: it must be FREE. */
void iskra_task_revive(struct iskra_task *task, struct iskra_conn *conn);

void iskra_task_get(struct iskra_task *task);
void iskra_task_put(struct iskra_task *task);

/* Its PDU is built: PENDING -> RUNNING. */
void iskra_task_run(struct iskra_task *task, uint32_t cmd_sn);

/* To a terminal state, off every list, the first reference dropped; nothing if it is in one
 * already. */
void iskra_complete_task(struct iskra_task *task, enum iskra_task_state state);

/* Ends a SCSI task without an answer: the result is the host byte alone, nothing was moved. */
void iskra_fail_scsi_task(struct iskra_task *task, enum iskra_host_byte host_byte);

/* Asks the target to abort it (abort.c); one that was not sent ends at once, with DID_ABORT. False:
 * nobody can be asked, its session ends it. */
bool iskra_task_abort(struct iskra_task *task);

/* A task that is about to fail without its answer, which may still come: its tag stays out of use
 * until then. False: too many are kept already. */
bool iskra_task_keep_tag(struct iskra_task *task);

/* Its answer came after all, or cannot come any more: the tag may be used again. */
void iskra_task_answered_late(struct iskra_task *task);

/* Is this tag ours and of this life? 0 or ISKRA_CONN_BAD_ITT, with the story on the connection.
 * Reserved is fine. */
enum iskra_conn_error iskra_verify_itt(struct iskra_conn *conn, uint32_t itt);

/* The task of a tag, whatever it is; NULL when reserved or out of range. */
struct iskra_task *iskra_itt_to_task(struct iskra_conn *conn, uint32_t itt);

/* The SCSI task of a tag, if the target can know that tag: of this age, and sent. */
struct iskra_task *iskra_itt_to_ctask(struct iskra_conn *conn, uint32_t itt);

/* The task of a tag that is kept for its late answer only, its command being gone; or NULL. */
struct iskra_task *iskra_itt_to_late_task(struct iskra_conn *conn, uint32_t itt);

#endif
