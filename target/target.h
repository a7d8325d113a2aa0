/* The embedded target: a small iSCSI target for tests, demonstrations and benchmarks.
 *
 * Its core does no network I/O and reads no clock: bytes and time come in, bytes go out, so that a
 * portal on sockets (portal.h) and a simulator run the same target. The owner of a connection does
 * this, forever:
 *
 *     while ((n = iskra_target_conn_recv_window(conn, iov)) > 0)  read into iov; ..._received(conn,
 * len, now) while ((n = iskra_target_conn_send_window(conn, iov, max)) > 0)  write from iov;
 * ..._sent(conn, len) iskra_target_conn_finished(conn)?  close it;   ..._deadline_ns(conn) reached?
 * ..._tick(conn, now)
 *
 * Windows are loans: the memory of a receive window belongs to the owner until _received(), that of
 * a send window until _sent(); between the two no other call may be made on that connection. All
 * that a connection will need is allocated by _conn_new() and at the end of its login; nothing is
 * allocated per command.
 *
 * Everything of one target belongs to one thread at a time. */
#ifndef ISKRA_TARGET_TARGET_H
#define ISKRA_TARGET_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <iskra/error.h>

struct iskra_target;
struct iskra_target_conn;

enum iskra_target_backend_kind {
    ISKRA_TARGET_RAM,  /* `size` bytes of memory, zero at first */
    ISKRA_TARGET_FILE, /* the file `path`; read-only if it cannot be opened for writing */
    ISKRA_TARGET_NULL, /* reads zeros, forgets what is written */
    ISKRA_TARGET_DISK, /* `disk`: a medium of the caller's, which has a volatile cache */
};

/* A medium of somebody else's. Positions and lengths are bytes, inside the LUN, not always whole
 * blocks; each returns 0 or a negative errno and must not call the target. */
struct iskra_target_disk {
    int (*read)(void *arg, uint64_t pos, uint8_t *buf, uint32_t len);
    int (*write)(void *arg, uint64_t pos, const uint8_t *buf, uint32_t len);
    int (*discard)(void *arg, uint64_t pos, uint64_t len); /* zeros from now on */
    int (*flush)(void *arg);                               /* durable from now on */
};

struct iskra_target_backend {
    enum iskra_target_backend_kind kind;
    uint64_t size;      /* bytes; FILE: 0 = as large as the file is */
    const char *path;   /* FILE */
    uint32_t block_len; /* bytes, a power of two from 512 to 65536; 0 = the target's */
    bool read_only;
    const struct iskra_target_disk *disk; /* DISK: outlives the target */
    void *disk_arg;
    uint64_t identity; /* who the LUN says it is, in VPD page 83h; 0 = made from name and number,
                          and the file */
};

#define ISKRA_TARGET_NAME_MAX   223u /* RFC 7143 4.2.7.1, bytes */
#define ISKRA_TARGET_LUN_MAX    16384u
#define ISKRA_TARGET_PORTAL_MAX 64u
#define ISKRA_TARGET_SECRET_MAX 255u /* bytes of a user's name or a secret */

enum iskra_target_chap_algorithm {
    ISKRA_TARGET_CHAP_MD5 = 1 << 0,
    ISKRA_TARGET_CHAP_SHA1 = 1 << 1,
    ISKRA_TARGET_CHAP_SHA256 = 1 << 2,
    ISKRA_TARGET_CHAP_SHA3_256 = 1 << 3,
    ISKRA_TARGET_CHAP_ALL = (1 << 4) - 1,
};

/* iskra_target_options_init() fills in the values shown; change what you want. Strings and arrays
 * are copied or used during iskra_target_new() only. */
struct iskra_target_options {
    size_t size;           /* sizeof(struct iskra_target_options) */
    const char *name;      /* "iqn.2026-11.org.iskra:target" */
    uint16_t portal_group; /* 1 */

    const struct iskra_target_backend *backends; /* LUN 0, 1, ... in order */
    unsigned backend_cnt;
    unsigned
        lun_cnt; /* 0 = backend_cnt; more: the last backend again (RAM: with memory of its own) */
    uint32_t first_lun; /* 0: the number of the first one */
    uint32_t block_len; /* 512 */

    /* What the target asks for in negotiation; the result also depends on the initiator. Bytes. */
    uint32_t max_recv;               /* 262144: its MaxRecvDataSegmentLength, 512..262144 */
    uint32_t first_burst;            /* 262144 */
    uint32_t max_burst;              /* 1048576 */
    uint32_t max_outstanding_r2t;    /* 64 */
    uint32_t r2t_len;                /* 0 = max_burst; the most that one R2T asks for */
    bool immediate_data;             /* true */
    bool initial_r2t;                /* false */
    bool header_digest, data_digest; /* true: what the initiator prefers; false: only None */

    uint32_t
        max_data_in; /* 262144: largest Data-In payload, 512..262144; the initiator's limit too */
    bool separate_status; /* false: GOOD comes in the last Data-In; true: always in a SCSI Response
                           */
    bool
        early_status; /* false; true: a write that fails is answered at once, while its data come */
    uint32_t cmd_window;          /* 128: commands in flight per session, 1..4096 */
    uint32_t max_transfer_blocks; /* 0 = no limit; told in VPD page B0h and enforced */
    uint32_t max_sessions;        /* 1024 */
    uint32_t max_conns;           /* 2048, those still logging in included */
    uint64_t login_timeout_ns;    /* 15 s from connect to full feature phase */

    const char *const
        *portals; /* further "ADDR:PORT" that SendTargets lists after the connection's own */
    unsigned portal_cnt;

    /* CHAP (RFC 7143 12.1.3). Secrets are wiped with the target and told to nobody. */
    const char *user, *password; /* NULL: everybody may log in without; else nobody may */
    const char *mutual_user, *mutual_password; /* what the target itself proves to be, if asked */
    bool chap_discovery;                       /* true; false: discovery needs no CHAP */
    unsigned chap_algorithms;    /* ISKRA_TARGET_CHAP_ALL: bits of enum iskra_target_... */
    uint32_t chap_challenge_len; /* 32; bytes, 1..1024 */
    /* What is legal and odd. False. */
    bool chap_single;    /* refuses a list of algorithms, with status 0200 */
    bool chap_hex_upper; /* 0X and A to F */
    bool chap_base64;    /* 0b */

    /* What shall go wrong on purpose, in the words of iskra-faults(7): up to 64. */
    const char *const *faults;
    unsigned fault_cnt;
    /* NULL; called whenever a fault happens, with one line: "fault: drop data-in #3 of connection
     * 2". It must not call the target. */
    void (*fault_told)(void *arg, const char *text);
    void *fault_told_arg;
    /* NULL; called whenever an initiator has logged in, with one line: "login of iqn...., ISID
     * 80a1b2c3d4e5, TSIH 7". The name in it is the initiator's choice. It must not call the target.
     */
    void (*login_told)(void *arg, const char *text);
    void *login_told_arg;

    int (*random)(void *arg, void *buf,
                  size_t len); /* iskra_target_random; 0 or a negative errno */
    void *random_arg;
};
/* The system's. */
int iskra_target_random(void *arg, void *buf, size_t len);
void iskra_target_options_init(struct iskra_target_options *options);

/* Whether faults happen; true at first. What has begun (a stall, a delay) goes on. */
void iskra_target_faults_enable(struct iskra_target *target, bool enabled);

/* The words of `faults`, some lines. Static storage, valid until the next call. */
const char *iskra_target_fault_help(void);

/* 0 or a negative errno, told in *err. */
int iskra_target_new(const struct iskra_target_options *options, struct iskra_target **ret_target,
                     struct iskra_error *err);
void iskra_target_free(
    struct iskra_target *target); /* its connections must be gone; NULL is fine */

struct iskra_target_stats {
    unsigned conn_cnt, session_cnt; /* now */
    uint64_t login_cnt, command_cnt, pdu_in_cnt, pdu_out_cnt, read_bytes,
        write_bytes; /* since the start */
};
void iskra_target_stats(const struct iskra_target *target, struct iskra_target_stats *ret);

/* A transport connection was accepted. `address` is the local "ADDR:PORT" that SendTargets tells,
 * copied. NULL: no memory, or max_conns reached. */
struct iskra_target_conn *iskra_target_conn_new(struct iskra_target *target, const char *address,
                                                uint64_t now_ns);
/* The transport is gone, or the connection finished. Takes the session with it. NULL is fine. */
void iskra_target_conn_free(struct iskra_target_conn *conn);

/* Where the next bytes from the initiator go: fills iov (room for two) and returns how many are
 * filled; 0 means: read nothing now (closing, or its answers must be sent first). */
unsigned iskra_target_conn_recv_window(struct iskra_target_conn *conn, struct iovec *iov);
void iskra_target_conn_received(struct iskra_target_conn *conn, size_t len, uint64_t now_ns);

/* What to send next: headers, payloads, pads and digests of as many PDUs as fit `max` entries and
 * about 256 KiB. Returns the number of entries; 0 = nothing to send. */
unsigned iskra_target_conn_send_window(struct iskra_target_conn *conn, struct iovec *iov,
                                       unsigned max);
void iskra_target_conn_sent(struct iskra_target_conn *conn, size_t len, uint64_t now_ns);

/* Time the connection wants _tick(), or UINT64_MAX. */
uint64_t iskra_target_conn_deadline_ns(const struct iskra_target_conn *conn);
void iskra_target_conn_tick(struct iskra_target_conn *conn, uint64_t now_ns);

/* True when the transport is to be closed: all that was to be said has been sent, or it must not
 * be. One connection may finish because of another (session reinstatement, target reset);
 * iskra_target_roused() says that this may have happened, once. */
bool iskra_target_conn_finished(const struct iskra_target_conn *conn);
bool iskra_target_roused(struct iskra_target *target);

/* Why it is closing: code ISKRA_OK for a logout. */
const struct iskra_error *iskra_target_conn_error(const struct iskra_target_conn *conn);

#endif
