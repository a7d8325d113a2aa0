/* The inside of the target: what its files share about a target, a session, a connection and a
 * task.
 *
 * The way of a PDU through the files: conn.c cuts the byte stream into PDUs; login.c takes them
 * until the full feature phase, request.c after it; scsi.c judges commands and queues tasks;
 * data_out.c asks for what is to be written and takes it, write.c does with it what the command
 * says; data_in.c turns tasks into Data-In and SCSI Response PDUs when there is room to send them;
 * out.c is the ring of PDUs to be sent. */
#ifndef ISKRA_TARGET_CONN_H
#define ISKRA_TARGET_CONN_H

#include <iskra/error.h>

#include "error.h"
#include "list.h"
#include "target/backend.h"
#include "target/chap.h"
#include "target/fault.h"
#include "target/keys.h"
#include "target/out.h"
#include "target/target.h"
#include "wire/bhs.h"
#include "wire/cdb.h"
#include "wire/sense.h"

/* RFC 7143 11.17.1 */
enum reject_reason {
    REJECT_DATA_DIGEST = 0x02,
    REJECT_SNACK = 0x03,
    REJECT_PROTOCOL = 0x04,
    REJECT_NOT_SUPPORTED = 0x05,
    REJECT_TOO_MANY_IMMEDIATE = 0x06,
    REJECT_INVALID_FIELD = 0x09,
};

/* RFC 7143 11.13.5, class and detail */
enum login_status {
    LOGIN_OK = 0x0000,
    LOGIN_INITIATOR_ERROR = 0x0200,
    LOGIN_AUTH_FAILED = 0x0201,
    LOGIN_NOT_FOUND = 0x0203,
    LOGIN_VERSION = 0x0205,
    LOGIN_TOO_MANY = 0x0206,
    LOGIN_MISSING = 0x0207,
    LOGIN_NO_INCLUDE = 0x0208,
    LOGIN_SESSION_TYPE = 0x0209,
    LOGIN_NO_SESSION = 0x020a,
    LOGIN_INVALID = 0x020b,
    LOGIN_TARGET_ERROR = 0x0300,
    LOGIN_NO_RESOURCES = 0x0302,
};

#define TEXT_IN_MAX    8192u /* one negotiation, over all its PDUs; bytes */
#define TEXT_OUT_MAX   32768u
#define LOGIN_RECV_MAX 8192u /* MaxRecvDataSegmentLength before it is negotiated (13.12) */
#define IMMEDIATE_MAX  16u   /* immediate commands in flight beyond the window */
#define TSIH_CNT       65535u

/* What some commands need all of before they can begin: UNMAP's list, WRITE SAME's block, COMPARE
 * AND WRITE's two halves. A session has this many places for it. */
#define COLLECT_CNT       8u
#define COLLECT_LEN       131072u   /* bytes each */
#define UNMAP_CNT_MAX     256u      /* descriptors */
#define WRITE_SAME_MAX    67108864u /* bytes: it is done at once, while everybody waits */
#define COMPARE_WRITE_MAX 65536u    /* bytes of one half, the other is as long */

struct iskra_target {
    struct iskra_target_options options; /* strings and arrays in it are not to be used */
    char name[ISKRA_TARGET_NAME_MAX + 1];
    char *portals[ISKRA_TARGET_PORTAL_MAX];
    struct target_chap_setup chap;
    struct target_faults faults;
    struct target_lun *luns;
    uint32_t lun_cnt;
    struct iskra_list conns, sessions;
    const uint8_t *zeros; /* options.max_data_in bytes: what a null LUN reads */
    uint8_t *scratch;     /* INQUIRY and the like are built here, then copied out */
    size_t scratch_len;
    uint16_t last_tsih;
    bool roused;
    struct iskra_target_stats stats;
};

/* One connection per session (MaxConnections=1), so what is per session and what per connection is
 * told apart only where it matters: identity and unit attentions. */
struct target_session {
    struct iskra_list link;
    struct iskra_target_conn *conn;
    char initiator_name[ISKRA_TARGET_NAME_MAX + 1];
    uint8_t isid[ISKRA_ISID_LEN];
    uint16_t tsih;
    bool discovery;
    uint8_t attention[]; /* per LUN: ASCQ of a pending unit attention 29h, 0 = none */
};

enum task_source {
    TASK_BLOCKS,   /* data are bytes of the LUN from `pos` */
    TASK_PREPARED, /* data are what the CDB says; see inquiry.c */
};

/* Where Data-Out goes. */
enum task_sink {
    SINK_NONE,    /* nowhere: the command takes none, or less than came */
    SINK_BLOCKS,  /* straight to the LUN, from `pos` */
    SINK_COMPARE, /* it is compared with the LUN, from `pos` */
    SINK_COLLECT, /* to `collected`, until there is all of it */
};

enum task_phase {
    TASK_FREE,
    TASK_RECEIVING, /* Data-Out is due */
    TASK_ASKING,    /* an R2T is due */
    TASK_ANSWERING, /* Data-In or status is due */
};

struct target_task {
    struct iskra_list link; /* in the list that its phase says; see task_enter() */
    enum task_phase phase;  /* set by target_task_enter() only */
    bool immediate;
    bool write; /* the W bit: the initiator has data */
    uint8_t status, sense_key, asc, ascq;
    bool information_valid; /* sense: `information` */
    uint64_t information;
    enum task_source source;
    uint32_t itt;
    uint64_t lun_field; /* as the command has it */
    uint32_t edtl;      /* bytes the initiator expects */
    uint32_t data_len;  /* bytes that go out as Data-In */
    uint64_t full_len;  /* bytes the command has; more than edtl is overflow */
    uint32_t sent_len, data_sn;
    uint64_t pos;                 /* TASK_BLOCKS, SINK_BLOCKS, SINK_COMPARE: byte on the LUN */
    const struct target_lun *lun; /* NULL: no such LUN */
    struct iskra_cdb cdb;
    uint8_t byte_check; /* BYTCHK of VERIFY and WRITE AND VERIFY, which has no place in `cdb` */

    /* Data-Out comes in order, in sequences: an unsolicited one, then one for each R2T. Lengths and
     * offsets are bytes. */
    enum task_sink sink;
    bool lost;          /* by a fault: all is done as ever, only the medium is not changed */
    uint32_t out_len;   /* what the command takes, at most edtl */
    uint32_t taken_len; /* what has come, at most edtl */
    uint32_t asked_len; /* up to where it is on its way, or has come */
    bool unsolicited;   /* its sequence has not ended */
    uint32_t unsolicited_end;
    uint32_t r2t_from;         /* offset of the first R2T */
    uint32_t r2t_sn, r2t_done; /* R2Ts sent, and answered in full */
    uint32_t ttt_next;         /* lives on from command to command: a tag is not used again soon */
    uint32_t out_data_sn;      /* DataSN that is next in the sequence */
    uint8_t *collected;        /* SINK_COLLECT: one of conn->collect, or NULL */
};

enum conn_phase {
    CONN_LOGIN,
    CONN_FULL_FEATURE,
    CONN_CLOSING, /* send what is queued, take nothing in */
    CONN_CLOSED,
};

struct iskra_target_conn {
    struct iskra_list link; /* in target->conns */
    struct iskra_target *target;
    enum conn_phase phase; /* set by conn_enter() only */
    uint64_t deadline_ns;
    uint64_t now_ns; /* of the last call */
    struct iskra_error err;
    char address[128];

    /* Receive: bytes [head, tail) of staging are not taken yet. */
    uint8_t *staging;
    size_t staging_len, head, tail;
    bool header_ok;       /* the header at `head` has been judged */
    bool blocked;         /* the PDU at `head` waits for room in `out` */
    uint32_t recv_max;    /* MaxRecvDataSegmentLength of the target, now */
    uint32_t itt_at_head; /* for errors */

    struct target_conn_faults faults;
    struct target_out out;
    bool header_digest, data_digest;
    uint32_t stat_sn, exp_cmd_sn;

    struct target_keys keys;
    struct target_session *session; /* from the end of login */

    /* Login */
    bool login_begun, keys_offered, portal_group_told;
    uint8_t stage;
    struct target_chap chap;
    uint32_t login_itt;
    uint16_t cid;
    uint8_t isid[ISKRA_ISID_LEN];
    uint16_t tsih;

    /* A text exchange, of login or full feature phase: what has been collected, what is still to be
     * told. */
    char *text_in, *text_out;
    uint32_t text_in_len, text_out_len, text_out_pos;
    uint32_t text_ttt, last_ttt;
    bool text_final; /* the exchange ends with the last of text_out */
    bool text_open;  /* text_ttt is valid */

    struct target_task *task_mem;
    uint32_t task_mem_cnt;
    struct iskra_list tasks; /* TASK_ANSWERING, in order; the first is being sent */
    struct iskra_list receiving, asking;
    struct iskra_list free_tasks, free_immediate;
    uint32_t task_cnt;     /* of the window's, in use */
    uint8_t *collect;      /* COLLECT_CNT places of COLLECT_LEN bytes */
    uint32_t collect_used; /* bit per place */
};

/* One PDU as it lies in staging. */
struct target_pdu {
    const uint8_t *bhs;
    const uint8_t *payload;
    uint32_t payload_len; /* without padding */
    bool digest_ok;       /* of the data */
};

/* What became of a PDU. BLOCKED: nothing has been done, show it again when something has been sent.
 */
enum pdu_verdict {
    PDU_TAKEN,
    PDU_BLOCKED,
    PDU_WAITS, /* a fault says so; for conn.c only */
};

/* conn.c */
/* Queues a PDU that has been filled in; every one of them passes here. `task`: whose it is, or
 * NULL.
 */
void target_conn_send(struct iskra_target_conn *conn, struct out_pdu *pdu,
                      const struct target_task *task);
void target_conn_enter(struct iskra_target_conn *conn, enum conn_phase phase);
void target_conn_drop(struct iskra_target_conn *conn); /* closed at once, whatever is queued */
int target_conn_full_feature(struct iskra_target_conn *conn); /* 0 or -ENOMEM */

/* login.c */
enum pdu_verdict target_login_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu);

/* session.c */
struct target_session *target_session_find(struct iskra_target *target, const char *initiator_name,
                                           const uint8_t *isid);
enum login_status target_session_begin(struct iskra_target_conn *conn);
void target_session_end(struct iskra_target_conn *conn);

/* request.c */
enum pdu_verdict target_request_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu);
/* Takes the PDU's CmdSN. False: it is to be ignored, or the connection has been dropped. */
bool target_request_number(struct iskra_target_conn *conn, const uint8_t *bhs);
enum pdu_verdict target_reject(struct iskra_target_conn *conn, const struct target_pdu *pdu,
                               enum reject_reason reason);

/* text.c */
enum pdu_verdict target_text_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu);

/* scsi.c */
enum pdu_verdict target_scsi_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu);
void target_task_enter(struct iskra_target_conn *conn, struct target_task *task,
                       enum task_phase phase);
void target_task_release(struct iskra_target_conn *conn, struct target_task *task);
/* NULL: there is no such LUN. */
const struct target_lun *target_lun_find(const struct iskra_target *target, uint64_t lun);
/* SBC-3 4.33: both the first block and the last must exist; a transfer of none at the very end is
 * fine. */
bool target_range_ok(const struct target_lun *lun, uint64_t lba, uint64_t block_cnt);
static inline void target_task_refuse(struct target_task *task, uint8_t key, uint8_t asc,
                                      uint8_t ascq)
{
    task->status = ISKRA_STATUS_CHECK_CONDITION;
    task->sense_key = key;
    task->asc = asc;
    task->ascq = ascq;
}

/* inquiry.c: judges a command that has prepared data, and builds them. 0 with *ret_len set (they
 * lie in target->scratch), or -EINVAL: a field of the CDB is not supported. */
int target_prepare(struct iskra_target_conn *conn, const struct target_task *task, size_t *ret_len);

/* data_out.c */
/* A command with the W bit has been judged: takes what came with it, and decides what comes next.
 * `final`: no unsolicited Data-Out will follow. */
void target_data_out_begin(struct iskra_target_conn *conn, struct target_task *task,
                           const struct target_pdu *pdu, bool final);
enum pdu_verdict target_data_out_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu);
/* Makes R2Ts while there is room and something to ask for. */
void target_r2t_pump(struct iskra_target_conn *conn);

/* write.c: commands that take data, or change the medium without. */
bool target_write_judge(struct iskra_target_conn *conn, struct target_task *task);
/* The next `len` bytes of Data-Out, at task->taken_len; those the command has no use for are
 * dropped. */
void target_write_take(struct iskra_target_conn *conn, struct target_task *task,
                       const uint8_t *bytes, uint32_t len);
/* All of it is there. */
void target_write_finish(struct iskra_target_conn *conn, struct target_task *task);
/* A place for a SINK_COLLECT task; false: all are taken. One that needs none has it. */
bool target_collect_take(struct iskra_target_conn *conn, struct target_task *task);
uint32_t target_compare_write_blocks(const struct target_lun *lun); /* the most at once */

/* cdb.c: the CDB of a command, the part in an extra header included (RFC 7143 11.2.2.3). 0;
 * -ENOTSUP: not known here, with ret->opcode set; -EBADMSG: the extra headers make no sense. */
int target_cdb_decode(const struct target_pdu *pdu, const uint8_t *first, struct iskra_cdb *ret,
                      uint8_t *ret_byte_check);

/* data_in.c: makes PDUs of queued tasks until there is enough to send, or no room. */
void target_data_in_pump(struct iskra_target_conn *conn);

/* tmf.c */
enum pdu_verdict target_tmf_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu);

/* MaxCmdSN (RFC 7143 4.2.2.1): never moves back, since a task that ends opens the window by one and
 * a command that comes moves ExpCmdSN by one. */
static inline uint32_t target_max_cmd_sn(const struct iskra_target_conn *conn)
{
    return conn->exp_cmd_sn + conn->target->options.cmd_window - conn->task_cnt - 1;
}

#endif
