/* A connection of a session: what waits to be sent on it, how far its numbers got, and the engine
 * that carries it.
 *
 * It lives from CREATE_CONN to DESTROY_CONN and is bound to one socket after another (BIND_CONN ..
 * STOP_CONN). Bound but not started is the login phase: Login and Text PDUs only, digests off, one
 * segment read at a time. */
#ifndef ISKRA_ISCSI_CONN_H
#define ISKRA_ISCSI_CONN_H

#include <stdbool.h>
#include <stdint.h>

#include "iscsi/keepalive.h"
#include "iscsi/task.h"
#include "list.h"
#include "tcp/port.h"
#include "tcp/recv.h"
#include "work.h"

struct iskra_session;

#define ISKRA_NOP_REPLIES_MAX                                                                      \
    8u /* answers to the target's pings that may wait; then reading stops */

/* Tags that may be kept for an answer that comes late, or never: then a new connection is the
 * remedy. */
#define ISKRA_LATE_ANSWERS_MAX 8u

enum iskra_conn_stage {
    ISKRA_CONN_STAGE_INITIAL, /* never bound */
    ISKRA_CONN_STAGE_BOUND,
    ISKRA_CONN_STAGE_STARTED,
    ISKRA_CONN_STAGE_STOPPED,
    ISKRA_CONN_STAGE_CNT
};
const char *iskra_conn_stage_name(enum iskra_conn_stage stage);

enum iskra_conn_stop { /* how it was stopped last; the values of enum iskra_stop_flag */
    ISKRA_CONN_STOP_NONE = 0,
    ISKRA_CONN_STOP_TERM = 1,
    ISKRA_CONN_STOP_RECOVER = 3,
};

/* Why nothing may be received now. Receiving goes on when the last reason is gone. */
enum iskra_rx_hold {
    ISKRA_RX_HOLD_EVENT = 1, /* a RECV_PDU waits for its delivery (decision 13) */
    ISKRA_RX_HOLD_NOP = 2,   /* too many answers to pings wait (decision 39) */
};

struct iskra_nop_reply {
    uint64_t lun;
    uint32_t ttt;
};

struct iskra_conn {
    struct iskra_tcp_conn tcp; /* first: what the engine's calls bring back */
    struct iskra_session *session;
    struct iskra_list link; /* session->conns */
    uint32_t cid;
    enum iskra_conn_stage stage;
    enum iskra_conn_stop stop_flag;
    struct iskra_sock *sock; /* NULL when not bound */
    uint32_t exp_stat_sn;

    bool tx_suspended; /* failed or stopped: the worker does nothing */
    bool tx_full;      /* the socket is full: until write_space */
    bool failed;       /* CONN_ERROR was raised since the last BIND_CONN */
    unsigned rx_hold;  /* of enum iskra_rx_hold */
    struct iskra_work resume_work;

    struct iskra_work xmitwork;
    struct iskra_list mgmtqueue, cmdqueue; /* of struct iskra_task, PENDING */
    struct iskra_list unfinished; /* the RUNNING task whose unsolicited data is being sent */
    struct iskra_list requeue;    /* RUNNING tasks with R2Ts to answer */
    struct iskra_nop_reply nop_replies[ISKRA_NOP_REPLIES_MAX];
    uint32_t nop_head, nop_cnt;

    struct iskra_keepalive keepalive;
    uint32_t ping_cnt;        /* tasks of our own pings; at most ISKRA_PINGS_MAX */
    uint32_t unconfirmed_cnt; /* StatSNs since `confirmed_at` that no PDU has acknowledged */
    uint64_t confirmed_at;    /* tx_pdus then */

    uint32_t late_answer_cnt; /* tasks with late_answer_due; at most ISKRA_LATE_ANSWERS_MAX */

    struct iskra_task *login_task; /* Login and Text, one at a time, its own for ever */
    uint8_t *login_data;           /* of the one that is out; borrowed (round.h); NULL: none */

    uint64_t rx_pdus, tx_pdus, digest_errors, timeout_errors;
};

static inline struct iskra_conn *iskra_conn_of(struct iskra_tcp_conn *tcp)
{
    return iskra_container_of(tcp, struct iskra_conn, tcp);
}

/* Of the management tasks, is there one for a user's ping, or for a tag that is kept for its late
 * answer? */
bool iskra_conn_lends(const struct iskra_conn *conn);

/* conn.c. Takes the session's memory table and one task. 0, -ENOMEM, or -EBUSY when the session has
 * no free task. */
int iskra_conn_create(struct iskra_session *s, uint32_t cid, struct iskra_conn **ret_conn);
void iskra_conn_destroy(struct iskra_conn *conn); /* stopped first; NULL is accepted */
struct iskra_conn *iskra_conn_find(const struct iskra_session *s, uint32_t cid); /* NULL: none */
int iskra_bind_conn(struct iskra_conn *conn, struct iskra_transport *transport, int fd,
                    bool is_leading, struct iskra_error *err);
void iskra_conn_hold_rx(struct iskra_conn *conn, enum iskra_rx_hold why);
void iskra_conn_release_rx(struct iskra_conn *conn,
                           enum iskra_rx_hold why); /* goes on from the round's work */

/* recovery.c. conn_failure: the first of a binding suspends both directions and raises CONN_ERROR;
 * tcp.error tells the story. */
void iskra_conn_failure(struct iskra_conn *conn, enum iskra_conn_error error);
int iskra_start_conn(struct iskra_conn *conn, struct iskra_error *err);
/* Returns true when this put the session into recovery: its devices are to be blocked. */
bool iskra_stop_conn(struct iskra_conn *conn, enum iskra_conn_stop flag,
                     const struct iskra_error *why);

/* xmitworker.c */
void iskra_xmitworker(struct iskra_work *work);
void iskra_conn_kick_xmit(struct iskra_conn *conn);

/* prep.c. A command's header is built where the connection's next one goes, in the
 * place for long ones if it has an AHS; returned. There is room for such a PDU. */
uint8_t *iskra_prep_scsi_cmd_pdu(struct iskra_task *task, uint32_t *ret_hdr_len);
int iskra_prep_mgmt_pdu(struct iskra_task *task);
/* How much data its command PDU carries. */
uint32_t iskra_cmd_immediate_len(const struct iskra_task *task);
/* The next Data-Out of a sequence: its header into 48 bytes at hdr; returns its data's length,
 * which data_out_len tells beforehand. */
uint32_t iskra_prep_data_out_pdu(const struct iskra_task *task, const struct iskra_r2t *r2t,
                                 uint8_t *hdr);
uint32_t iskra_data_out_len(const struct iskra_task *task, const struct iskra_r2t *r2t);

/* mgmt.c. The PDU of a SEND_PDU: copied and queued. 0 or a negative errno with the story. */
int iskra_conn_send_pdu(struct iskra_conn *conn, const uint8_t *hdr, const uint8_t *data,
                        size_t data_len, struct iskra_error *err);

/* complete.c, scsi_rsp.c, reject.c, nop_reply.c: what a complete PDU does. */
enum iskra_conn_error iskra_complete_pdu(struct iskra_tcp_conn *tcp, const uint8_t *hdr,
                                         const uint8_t *data, uint32_t len);
enum iskra_conn_error iskra_update_stat_sn(struct iskra_conn *conn, uint8_t opcode,
                                           uint32_t stat_sn);
enum iskra_conn_error iskra_scsi_cmd_rsp(struct iskra_conn *conn, struct iskra_task *task,
                                         const uint8_t *hdr, const uint8_t *data, uint32_t len);
enum iskra_conn_error iskra_data_in_rsp(struct iskra_conn *conn, struct iskra_task *task,
                                        const uint8_t *hdr);
enum iskra_conn_error iskra_pdu_pass_up(struct iskra_conn *conn, const uint8_t *hdr,
                                        const uint8_t *data, uint32_t len);
enum iskra_conn_error iskra_reject(struct iskra_conn *conn, const uint8_t *hdr, const uint8_t *data,
                                   uint32_t len);
enum iskra_conn_error iskra_late_scsi_rsp(struct iskra_conn *conn, struct iskra_task *task,
                                          const uint8_t *hdr);
void iskra_nop_reply_queue(struct iskra_conn *conn, uint64_t lun, uint32_t ttt);
bool iskra_nop_reply_send(
    struct iskra_conn *conn); /* the oldest; false when there is none or the ring is full */

extern const struct iskra_tcp_ops iskra_conn_tcp_ops;

#endif
