/* A session with nothing below and nothing above it: a fake transport that keeps what is sent and
 * feeds what a test says, a fake host that counts, a sink that remembers, a round without a clock.
 */
#ifndef ISCSI_RIG_H
#define ISCSI_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "iscsi/class.h"
#include "iscsi/conn.h"
#include "iscsi/session.h"
#include "round.h"
#include "wire/bhs.h"

#define RIG_OUT_LEN   (256u * 1024u)
#define RIG_IN_LEN    (256u * 1024u)
#define RIG_EVENT_CNT 32
#define RIG_SID       7u
#define RIG_CID       3u
#define RIG_CMD_SN    100u  /* initial CmdSN */
#define RIG_STAT_SN   5000u /* ExpStatSN at START_CONN */
#define RIG_DATA_LEN  16384u

struct rig;

struct rig_event {
    uint32_t type, sid, cid, error;
    uint8_t hdr[ISKRA_BHS_LEN];
    uint8_t data[ISKRA_CONN_BUF_LEN];
    size_t data_len;
    char why[256];
};

/* A command with its memory. */
struct rig_cmd {
    struct iskra_cmnd cmnd; /* first */
    struct rig *rig;
    uint8_t cdb[ISKRA_ECDB_LEN_MAX];
    uint8_t data[RIG_DATA_LEN];
    struct iovec iov;
    struct iskra_error error; /* its story */
    unsigned done_cnt;
    bool task_was_gone; /* cmnd.task was NULL in scsi_done */
};

struct rig {
    struct iskra_platform pf;
    struct iskra_round round;
    struct iskra_class cls;
    unsigned alloc_cnt, live_cnt, alloc_fail_at; /* alloc_fail_at: that one fails; 0: none */

    /* transport */
    struct iskra_transport transport;
    struct iskra_sock sock;
    bool bound, is_leading;
    int bind_rc, fd;
    unsigned bind_cnt, unbind_cnt, xmit_cnt, resume_cnt;
    size_t room;  /* bytes that the socket takes before it is full */
    int xmit_rc;  /* not 0: xmit fails so */
    size_t chunk; /* bytes per receive; 0: as many as the window takes */
    uint8_t staging[4096];
    uint8_t out[RIG_OUT_LEN];
    size_t out_len, out_at;
    uint8_t in[RIG_IN_LEN]; /* fed and not yet received */
    size_t in_len;
    bool in_stopped; /* recv said so, or no window */
    int in_rc;

    /* above */
    unsigned block_cnt, unblock_cnt, offline_cnt;
    bool devices_unsure; /* unblock is not answered by iskra_class_ready() */
    struct rig_event events[RIG_EVENT_CNT];
    unsigned event_cnt;
    void (*on_event)(struct rig *r, const struct rig_event *ev);
    struct rig_cmd *done[256]; /* in order of scsi_done */
    unsigned done_cnt;
};

/* Class, session (cmds_max 0: 128) and connection; not bound. Allocated: free with rig_free. */
struct rig *rig_new(uint32_t cmds_max);
struct rig *rig_new_of_depth(uint32_t cmds_max, uint32_t queue_depth);
/* The same, bound and started. */
struct rig *rig_logged_in(uint32_t cmds_max);
void rig_log_in(struct rig *r);
void rig_free(struct rig *r);

struct iskra_session *rig_session(struct rig *r);
struct iskra_conn *rig_conn(struct rig *r);

/* Requests. Each returns what request() returned; *ret_ev (may be NULL) the answered event. */
int rig_request(struct rig *r, struct iskra_uevent *ev, const uint8_t *hdr, const void *data,
                size_t data_len);
int rig_bind(struct rig *r);
int rig_set_param(struct rig *r, enum iskra_param param, int64_t value);
int rig_start(struct rig *r);
int rig_stop(struct rig *r, enum iskra_stop_flag flag);
int rig_send_pdu(struct rig *r, const uint8_t *hdr, const void *data, size_t data_len);

/* Runs work, then xmit, until nothing is left; bytes that wait are received when receive resumes.
 */
void rig_run(struct rig *r);

/* Bytes from the target: received now as far as the connection takes them. */
void rig_feed(struct rig *r, const void *bytes, size_t len);
/* A PDU: header and data, DataSegmentLength set, padded, digests as in force on the connection. */
void rig_feed_pdu(struct rig *r, uint8_t *hdr, const void *data, uint32_t data_len);
/* The same into a buffer; returns its length. */
size_t rig_pdu_put(uint8_t *dst, uint8_t *hdr, const void *data, uint32_t data_len, bool hdr_digest,
                   bool data_digest);

/* The next PDU sent: its header (48 bytes) and AHS; asserts that there is one. */
const uint8_t *rig_sent(struct rig *r);
bool rig_sent_any(const struct rig *r);

/* Commands. */
void rig_cmd_init(struct rig *r, struct rig_cmd *cmd, enum iskra_data_dir dir, uint32_t len);
enum iskra_queue_status rig_queue(struct rig_cmd *cmd);
/* Queued, sent, and its PDU taken from the output: returns its tag. */
uint32_t rig_queue_and_send(struct rig *r, struct rig_cmd *cmd);
/* A read that may have to wait before it is sent. */
void rig_queue_on_lun(struct rig *r, struct rig_cmd *cmd, uint64_t lun);
void rig_answer_tmf(struct rig *r, uint32_t itt, uint8_t response);

/* What a target answers. stat_sn and the window are filled in so that they are right. */
struct iskra_pdu_scsi_rsp rig_scsi_rsp(struct rig *r, uint32_t itt, uint8_t status);
void rig_feed_scsi_rsp(struct rig *r, const struct iskra_pdu_scsi_rsp *rsp, const void *data,
                       uint32_t data_len);
struct iskra_pdu_data_in rig_data_in(struct rig *r, uint32_t itt, uint32_t data_sn,
                                     uint32_t offset);
void rig_feed_data_in(struct rig *r, const struct iskra_pdu_data_in *pdu, const void *data,
                      uint32_t data_len);
/* `rejected`: the header that comes back, or what a target says is one. */
void rig_feed_reject(struct rig *r, uint8_t reason, const void *rejected, uint32_t len);
void rig_feed_nop_in(struct rig *r, uint32_t itt, uint32_t ttt);

/* The one CONN_ERROR that was raised. */
void rig_assert_conn_error(struct rig *r, uint32_t error);
void rig_assert_no_conn_error(struct rig *r);

#endif
