/* Faults happen: every PDU in either direction passes here when a target has faults, and nowhere
 * near here when it has none.
 *
 * Several faults may concern one PDU; each counts for itself, and all that are due happen, in the
 * order given. Time is the time the core was told last. */
#ifndef ISKRA_TARGET_FAULT_H
#define ISKRA_TARGET_FAULT_H

#include "target/fault_spec.h"
#include "target/out.h"

struct iskra_target;
struct iskra_target_conn;
struct target_task;
struct iskra_target_options;

struct fault_count {
    uint64_t seen, fired;
};

struct target_fault {
    struct fault_spec spec;
    char action[FAULT_SPEC_TEXT_MAX + 1]; /* as given, up to the ":" */
    struct fault_count count;             /* of all connections */
};

struct target_faults {
    struct target_fault *all;
    unsigned cnt;
    uint64_t conn_cnt; /* connections so far, for their numbers */
    bool off;          /* none happens for now, none is counted */
    bool copies;       /* payloads are copied before they are sent, so that they can be spoilt */
};

/* What faults have done to a connection. */
struct target_conn_faults {
    uint64_t number;            /* from 1 on */
    struct fault_count *counts; /* per fault, of this connection */
    bool judge_next;            /* the PDU at `head` has not been counted */
    bool closing;               /* nothing is said any more: see target_fault_close() */
    uint64_t due, due_out;      /* bit per fault: of the PDU at `head`; of the one being queued */
    uint64_t take_ns;           /* nothing is taken before */
    uint64_t stall_ns;          /* nothing at all happens before */
    const struct fault_spec *answer; /* STATUS or SENSE of the command at `head` */
    bool lose; /* the command at `head` ends well, but the medium does not hear of it */
};

/* 0 or a negative errno, told in *err. */
int target_faults_init(struct target_faults *faults, const struct iskra_target_options *options,
                       struct iskra_error *err);
void target_faults_done(struct target_faults *faults);
int target_conn_faults_init(struct iskra_target_conn *conn); /* 0 or -ENOMEM */
void target_conn_faults_done(struct iskra_target_conn *conn);

enum fault_verdict {
    FAULT_PASS,
    FAULT_LOSE,       /* the PDU is not there */
    FAULT_WAIT,       /* not now */
    FAULT_BAD_HEADER, /* its header digest does not fit any more */
};

/* A whole PDU has come; it may be changed where it lies. */
enum fault_verdict target_fault_incoming(struct iskra_target_conn *conn, uint8_t *bhs,
                                         uint8_t *payload, uint32_t payload_len);
/* The PDU at `head` is gone. */
void target_fault_taken(struct iskra_target_conn *conn);
/* The command at `head` is to be answered so, instead of being done. */
bool target_fault_answer(struct iskra_target_conn *conn, struct target_task *task);

/* A PDU is about to be queued. `task`: whose it is, or NULL. PASS: target_fault_committed() comes
 * next. */
enum fault_verdict target_fault_outgoing(struct iskra_target_conn *conn, struct out_pdu *pdu,
                                         const struct target_task *task);
void target_fault_committed(struct iskra_target_conn *conn, struct out_pdu *pdu);

bool target_fault_stalled(const struct iskra_target_conn *conn);
/* Makes what close began happen; to be called when nobody uses the session. */
void target_fault_close(struct iskra_target_conn *conn);
/* The earlier of `deadline_ns` and what faults wait for. */
uint64_t target_fault_deadline(const struct iskra_target_conn *conn, uint64_t deadline_ns);

#endif
