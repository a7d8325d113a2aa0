/* A TCP connection's protocol engine: bytes in, PDUs out, and the reverse. No I/O, no clock, no
 * allocation after init (but for bytes already read when receive is suspended, which happens at
 * login).
 *
 * Receive: data_ready -> read_sock -> recv -> recv_buf until BUF_DONE; each full segment runs its
 * phase's done function: hdr_recv_done -> hdr_dissect -> (data_recv_prep -> data_recv_done |
 * process_data_in) -> complete_pdu -> hdr_recv_prep. Transmit: xmit.h.
 *
 * What it needs to know of sessions and tasks it asks through struct iskra_tcp_ops, which the iSCSI
 * layer implements. Those functions may queue PDUs, suspend receive and complete tasks; they do not
 * reset the connection, resume receive, or free anything: that waits for the end of the round. */
#ifndef ISKRA_TCP_RECV_H
#define ISKRA_TCP_RECV_H

#include "tcp/port.h"
#include "tcp/r2t.h"
#include "tcp/segment.h"
#include "tcp/xmit.h"

struct iskra_platform;
struct iskra_spare;
struct iskra_tcp_conn;

#define ISKRA_HDR_BUF_LEN  256u  /* BHS + AHS; a longer AHS is refused (AHSLEN) */
#define ISKRA_CONN_BUF_LEN 8192u /* data of all PDUs but Data-In; limit of Login/Text data */

/* Data up to here, sense data above all, needs no memory but the connection's own. */
#define ISKRA_SMALL_DATA_LEN 320u

/* What RFC 7143 13 says until something else is negotiated. */
#define ISKRA_MAX_RECV_DATA_LEN_DEFAULT 8192u
#define ISKRA_MAX_BURST_LEN_DEFAULT     262144u

/* A segment's rest of at least this much is received straight into its final place. Below, a
 * receive call of its own (about 1 us with its window) costs more than copying the bytes out of
 * staging (some 25 ns per KiB), and brings less at once. */
#define ISKRA_DIRECT_RECV_MIN (32u * 1024u)

/* Staging behind a direct window: room for pad, digest, the next header and its digest, a SCSI
 * Response after that, and little more, since payload that lands here is copied although it could
 * have been received in place. */
#define ISKRA_STAGING_BEHIND_LEN 512u

/* notes F11: the two ways a call of recv_buf ends well. */
enum iskra_recv_status {
    ISKRA_SEGMENT_DONE, /* a segment is complete; call again with the rest */
    ISKRA_BUF_DONE,     /* this buffer is used up (the kernel's SKB_DONE) */
    ISKRA_RECV_SUSPENDED,
    ISKRA_RECV_CONN_ERR,
};

enum iskra_data_dir {
    ISKRA_DIR_NONE,
    ISKRA_DIR_READ,
    ISKRA_DIR_WRITE,
};

/* The part of a task that the engine works on; the iSCSI task contains one. "Engine only" between
 * queuecommand and the last put, unless said otherwise. */
struct iskra_tcp_task {
    uint32_t itt; /* as on the wire */
    enum iskra_data_dir dir;
    bool running;          /* R2Ts are taken only then (quirk Q8); set by the iSCSI layer */
    bool detached;         /* sg is a sink, nothing of it is sent any more (detach.h) */
    uint32_t transfer_len; /* Expected Data Transfer Length, bytes; sg holds at least as many */
    uint32_t exp_data_sn;  /* next DataSN or R2TSN: one counter for both, as in the kernel */
    uint32_t empty_cnt;    /* Data-In without data since then whose DataSN may have been counted */
    uint32_t recv_len;     /* Data-In bytes announced so far = next expected offset */
    uint32_t sent_len;     /* immediate data and Data-Out, queued for sending so far */
    uint64_t last_xfer;    /* the connection's xfers when something was sent or received for it */
    /* The caller's memory, lent until done; position 0 is offset 0. A read moves it along; a write
     * leaves it there and moves out_sg, since R2Ts may go back. */
    struct iskra_sg_cursor sg, out_sg;
    struct iskra_r2t unsolicited; /* Data-Out that needs no R2T; desired_len 0: none */
    struct iskra_r2t_queue *r2t;  /* r2t.h; NULL for a read */
    uint64_t asked_len;           /* by its R2Ts so far */
};

struct iskra_tcp_ops {
    /* Is this tag one of ours and of this age? Reserved tags are fine. 0 or ISKRA_CONN_BAD_ITT. */
    enum iskra_conn_error (*verify_itt)(struct iskra_tcp_conn *conn, uint32_t itt);

    /* The SCSI task of a tag, or NULL. */
    struct iskra_tcp_task *(*itt_to_ctask)(struct iskra_tcp_conn *conn, uint32_t itt);

    void (*update_cmd_window)(struct iskra_tcp_conn *conn, uint32_t exp_cmd_sn,
                              uint32_t max_cmd_sn);

    /* A PDU is complete. `hdr` is the BHS, `data` len bytes of the connection's buffer (NULL, 0 for
     * a PDU without data or a Data-In). Returns 0 or the connection error it amounts to, after
     * writing the story with iskra_tcp_fail(). */
    enum iskra_conn_error (*complete_pdu)(struct iskra_tcp_conn *conn, const uint8_t *hdr,
                                          const uint8_t *data, uint32_t len);

    /* An R2T was queued on the task: put it on the requeue list, kick the worker. */
    void (*r2t_queued)(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task);

    bool (*logged_in)(struct iskra_tcp_conn *conn);

    /* Loan of a task's memory (decision 15). The last put runs done. */
    void (*task_get)(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task);
    void (*task_put)(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task);

    /* The connection failed; conn->error says why. Called exactly once per failure, from inside
     * recv(). */
    void (*conn_failure)(struct iskra_tcp_conn *conn, enum iskra_conn_error error);

    /* Bytes came in, whatever they are. NULL: nobody wants to know. */
    void (*received)(struct iskra_tcp_conn *conn);

    /* state_change and write_space of the port, passed on. */
    void (*closed)(struct iskra_tcp_conn *conn, int err);
    void (*write_space)(struct iskra_tcp_conn *conn);
};

struct iskra_tcp_in {
    struct iskra_segment segment;
    struct iskra_tcp_task *task;  /* whose Data-In is being received */
    bool task_held;               /* it is referenced: its data goes on in a later call of recv() */
    bool hdr_digest, data_digest; /* set by START_CONN, cleared by STOP_CONN */
    bool ahs_read, suspended, failed;
    bool exact;                 /* login phase: never read past the current segment (decision 13) */
    bool large_data;            /* the last Data-In was worth a direct receive: expect another */
    uint32_t hdr_len;           /* BHS + AHS of the current header */
    uint32_t max_recv_data_len; /* our MaxRecvDataSegmentLength */
    uint32_t max_burst_len;     /* only to count R2Ts beyond it (quirk Q9) */
    /* The window that is out. */
    bool window_out;
    uint8_t *staging;
    size_t direct_len, staging_len;
    struct iskra_tcp_task *window_task; /* referenced: its memory is in the window */
    uint64_t octets;                    /* bytes received, ever */
    uint64_t r2ts;                      /* all that came in order */
    uint64_t r2ts_dropped;              /* for tasks being aborted or while not logged in */
    uint64_t r2ts_over_burst;
    uint8_t *held; /* bytes already read when receive was suspended; NULL if there are none */
    size_t held_len, held_at;
    uint8_t hdr_buf[ISKRA_HDR_BUF_LEN];
};

struct iskra_tcp_conn {
    struct iskra_port port; /* first: what the transport holds */
    const struct iskra_tcp_ops *ops;
    struct iskra_trace *trace;
    const struct iskra_platform *pf;
    uint16_t sid;              /* for trace records */
    struct iskra_spare *spare; /* pieces of ISKRA_CONN_BUF_LEN bytes; NULL: none are set aside */
    uint8_t *data_buf;         /* data of the PDU being received: small_data, or borrowed */
    struct iskra_tcp_in in;
    struct iskra_tcp_out out;
    uint8_t small_data[ISKRA_SMALL_DATA_LEN];
    uint64_t xfers; /* counts what is sent and received for tasks: progress (decision 5) */
    struct iskra_error error; /* first failure; text names the PDU and numbers */
};

/* Sets everything aside; lengths are the RFC's defaults, digests off. 0 or -ENOMEM. tx_pdu_cnt:
 * PDUs that can be queued for sending at once (rounded up to a power of two). */
int iskra_tcp_conn_init(struct iskra_tcp_conn *conn, const struct iskra_tcp_ops *ops,
                        const struct iskra_platform *pf, struct iskra_trace *trace, uint16_t sid,
                        uint32_t tx_pdu_cnt);
void iskra_tcp_conn_done(struct iskra_tcp_conn *conn); /* accepts a zeroed or half-built object */

/* STOP_CONN, after the socket was unbound: forget everything half received or half sent, give loans
 * back, digests off. The object is then as after init: bound() comes before the next window. Only
 * the counters go on. */
void iskra_tcp_conn_reset(struct iskra_tcp_conn *conn);

/* notes F8, notes F18: iscsi_tcp_hdr_recv_prep. The next bytes are a header. */
void iskra_tcp_hdr_recv_prep(struct iskra_tcp_conn *conn);

/* notes F26: iscsi_tcp_data_recv_prep. The current header's data goes to the connection's own
 * memory, or to a borrowed piece if it is long. 0, or ISKRA_CONN_FAILED: there is none. */
enum iskra_conn_error iskra_tcp_data_recv_prep(struct iskra_tcp_conn *conn);

/* The data was looked at, or is not wanted any more. */
void iskra_tcp_data_done(struct iskra_tcp_conn *conn);

/* No PDU is judged after the current one until receive is resumed. */
void iskra_tcp_recv_suspend(struct iskra_tcp_conn *conn);

/* Works off bytes that were held. Returns 0, -EAGAIN if suspended again, or the negative errno of a
 * failure (already reported through ops->conn_failure). The caller then calls the sock's resume. */
int iskra_tcp_recv_resume(struct iskra_tcp_conn *conn);

/* Writes conn->error (first wins) and returns `error`, for `return iskra_tcp_fail(...)`. */
enum iskra_conn_error iskra_tcp_fail(struct iskra_tcp_conn *conn, enum iskra_conn_error error,
                                     const char *fmt, ...) __attribute__((format(printf, 3, 4)));

/* The port's receive side (port.h). window.c. */
int iskra_tcp_recv_window(struct iskra_tcp_conn *conn, uint8_t *staging, size_t staging_len,
                          struct iovec *iov, int iov_max);
int iskra_tcp_recv(struct iskra_tcp_conn *conn, size_t n);

/* recv.c: notes F10, iscsi_tcp_recv_skb. Consumes bytes up to the end of the current segment, and
 * runs its done function there; returns how many. */
size_t iskra_tcp_recv_buf(struct iskra_tcp_conn *conn, const uint8_t *buf, size_t len,
                          enum iskra_recv_status *ret_status);

/* recv.c: n bytes are in place already; n is at most what the current chunk lacks. */
enum iskra_recv_status iskra_tcp_recv_in_place(struct iskra_tcp_conn *conn, uint32_t n);

/* dissect.c: judges the header in in.hdr_buf and decides what comes next. */
enum iskra_conn_error iskra_tcp_hdr_dissect(struct iskra_tcp_conn *conn);

#endif
