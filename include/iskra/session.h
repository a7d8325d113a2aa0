/* Sessions seen from outside: discovery, LUN lists, what was negotiated. */
#ifndef ISKRA_SESSION_H
#define ISKRA_SESSION_H

#include <iskra/iskra.h>

#ifdef __cplusplus
extern "C" {
#endif

/* One target on one portal, as SendTargets gives it. Strings are valid during the call, safe to
 * print; a target name is not yet known to be a legal file name. */
struct iskra_portal_entry {
    const char *target_name;
    const char *address; /* "192.0.2.1" or "2001:db8::1", no brackets; or a host name */
    uint16_t port;
    uint16_t tpgt; /* target portal group tag */
};

/* Called for each portal of each target, and for each LUN, from the loop. A return other than 0
 * ends the search, which then ends with that as its status. */
typedef int iskra_portal_fn(void *arg, const struct iskra_portal_entry *e);
typedef int iskra_lun_fn(void *arg, const struct iskra_lun_info *info);

/* Called once, from the loop, when the search is over and its session logged out: status 0, what
 * the function above returned, or a negative errno with the story in err, valid during the call. */
typedef void iskra_looked_fn(void *arg, int status, const struct iskra_error *err);

/* SendTargets=All at `portal`: "host", "host:port", "[v6]:port", or an iscsi:// URL, which may
 * carry options. entry() runs once for each, in the target's order. Returns 0 if fn will run, else
 * a negative errno with *err filled: a bad portal, no memory. */
ISKRA_PUBLIC int iskra_discover(struct iskra *ctx, const char *portal, iskra_portal_fn *entry,
                                iskra_looked_fn *fn, void *arg, struct iskra_error *err);
ISKRA_PUBLIC int iskra_discover_sync(struct iskra *ctx, const char *portal, iskra_portal_fn *entry,
                                     void *arg, struct iskra_error *err);

/* Logs in to the target of the URL (its LUN part, if any, is ignored) and describes each LUN that
 * REPORT LUNS lists. A LUN that refuses to say something leaves that field empty. As above
 * otherwise. */
ISKRA_PUBLIC int iskra_luns(struct iskra *ctx, const char *url, iskra_lun_fn *lun,
                            iskra_looked_fn *fn, void *arg, struct iskra_error *err);
ISKRA_PUBLIC int iskra_luns_sync(struct iskra *ctx, const char *url, iskra_lun_fn *lun, void *arg,
                                 struct iskra_error *err);

/* Logs in and out again: what `iskra trace login` does. As above otherwise. */
ISKRA_PUBLIC int iskra_login(struct iskra *ctx, const char *url, iskra_looked_fn *fn, void *arg,
                             struct iskra_error *err);
ISKRA_PUBLIC int iskra_login_sync(struct iskra *ctx, const char *url, struct iskra_error *err);

/* What a session is: names, addresses, values in force. Lengths are bytes, times seconds. Text is
 * safe to print. */
struct iskra_session_info {
    char target_name[256];
    char target_alias[256];
    char portal_address[64]; /* as connected, after redirects: "127.0.0.1:3260", "[::1]:3260" */
    uint16_t tpgt, tsih;
    uint8_t isid[6];
    const char *state;                  /* "LOGGED_IN", ...; static storage */
    uint8_t header_digest, data_digest; /* 1 = CRC32C */
    uint8_t initial_r2t, immediate_data;
    uint8_t error_recovery_level;
    uint32_t max_recv_data_segment_length; /* ours */
    uint32_t max_xmit_data_segment_length; /* the target's */
    uint32_t first_burst_length, max_burst_length;
    uint32_t max_outstanding_r2t, max_connections;
    uint32_t default_time2wait, default_time2retain;
    uint32_t cmds_max;
    uint64_t rx_bytes, tx_bytes; /* on the connection, everything counted */
    const char *auth_method;     /* "None", "CHAP"; static storage, as the next */
    const char *chap_algorithm;  /* "SHA3-256", ...; "" without CHAP */
    uint8_t chap_mutual;         /* the target has proven itself too */
    uint8_t reserved[3];
    uint32_t sid;          /* number inside the initiator; as in events and the trace */
    uint32_t busy_poll_us; /* looks for answers so long before it sleeps; 0: sleeps at once */
    uint32_t reserved3;
    uint64_t reserved2[7];
};
ISKRA_PUBLIC void iskra_session_info(const struct iskra_lun *lun,
                                     struct iskra_session_info *ret_info);

/* What a LUN's session has counted since it began. Everything on the wire counts, headers, login
 * and retries too. */
struct iskra_session_stats {
    uint64_t rx_bytes, tx_bytes;
    uint64_t rx_pdus, tx_pdus;
    uint64_t commands;        /* SCSI commands sent */
    uint64_t retries;         /* of these, sent again because an earlier try had failed */
    uint64_t timeouts;        /* commands that were not answered in time */
    uint64_t r2ts;            /* requests for data of writes */
    uint64_t digest_errors;   /* headers and data */
    uint64_t ping_timeouts;   /* pings of the session's own without an answer */
    uint64_t status_gaps;     /* jumps of StatSN that were let pass */
    uint64_t unit_attentions; /* of all its LUNs */
    uint64_t async_messages;
    uint64_t logins; /* 1, and one more for each reconnect */
    /* What commands waited for before the target had them, or all of them. */
    uint64_t window_waits;   /* times that the target's command window had no room for one */
    uint64_t window_wait_ns; /* for how long one waited for that, in all */
    uint64_t r2t_wait_ns;    /* each write's time between what it was free to send and the next R2T,
                                added up: with n writes in flight, up to n times the time */
    uint64_t reserved[15];
};
ISKRA_PUBLIC void iskra_session_stats(const struct iskra_lun *lun,
                                      struct iskra_session_stats *ret_stats);

/* What is reset, RFC 7143 11.5.1. Numbers never change meaning. */
enum iskra_reset_kind {
    ISKRA_RESET_TASK_SET = 1,    /* ABORT TASK SET: this initiator's commands of the LUN end */
    ISKRA_RESET_LUN = 2,         /* LOGICAL UNIT RESET: everybody's commands of the LUN end */
    ISKRA_RESET_TARGET = 3,      /* TARGET WARM RESET: the same for all LUNs of the target */
    ISKRA_RESET_TARGET_COLD = 4, /* TARGET COLD RESET: and it ends all its sessions */
};

/* status 0: the target has done it. Else err, valid during the call, tells the story: ISKRA_E_SCSI
 * (the target refuses, in its own words; scsi_status is 0), ISKRA_E_TIMEOUT_SCSI, or what ended the
 * session before the answer came. */
typedef void iskra_reset_fn(void *arg, int status, const struct iskra_error *err);

/* Asks the target of the LUN's session to reset the LUN or itself. What is in flight there in this
 * process comes back and is tried again, as after any reset; no command is sent to what is being
 * reset until the answer is there. It is waited for as long as lu_reset_timeout or
 * tgt_reset_timeout of the URL says (abort_timeout for a task set), after what task management is
 * out already; then the session is dropped and logged in anew. Returns 0: fn runs exactly once,
 * from the loop, perhaps after iskra_close(), which waits for nothing here while the session stays
 * until then. Or a negative errno with *err filled: -EINVAL (no such kind), -ENOTCONN (not logged
 * in now), -ENODEV (being closed), -ENOMEM, -EPERM (after fork). */
ISKRA_PUBLIC int iskra_reset(struct iskra_lun *lun, enum iskra_reset_kind kind, iskra_reset_fn *fn,
                             void *arg, struct iskra_error *err);

/* The same, waited for: 0 or a negative errno. */
ISKRA_PUBLIC int iskra_reset_sync(struct iskra_lun *lun, enum iskra_reset_kind kind,
                                  struct iskra_error *err);

/* What a session is doing now, and what its recovery is: plain data, which may be copied. Times are
 * nanoseconds, lengths of time that count up or down while it is being looked at. Words are static
 * storage, never NULL; text is safe to print. */
struct iskra_session_status {
    size_t size;             /* bytes the library has filled; the struct grows at its end only */
    uint32_t sid;            /* as in events and the trace */
    char target_name[256];   /* "" for a discovery */
    char portal_address[64]; /* as connected last: "127.0.0.1:3260"; "" before that */
    uint8_t isid[6];
    uint16_t tsih;
    const char *session_state;   /* "LOGGED_IN", "FAILED", "IN_RECOVERY", ... */
    const char *class_state;     /* "LOGGED_IN", "FAILED", "FREE" */
    const char *initiator_state; /* what the control plane does: "LOGGED_IN", "XPT_WAIT", ... */
    const char *host_state;      /* "RUNNING", or "RECOVERY" while errors are handled */

    /* Commands that did not come back in time. rung "NONE": there is none, or nothing is done about
     * it (yet). */
    const char *rung;    /* "ABORT", "WAIT", "LUN_RESET", "TARGET_RESET", "SESSION_RESET", ... */
    uint64_t rung_ns;    /* how long this has been tried */
    uint64_t lun;        /* whose LUN it is about, if lun_known */
    const char *command; /* the one that is longest in trouble: "read(10)"; "": not one alone */
    uint32_t itt;        /* its initiator task tag; 0xffffffff: the session has given it back */
    uint8_t opcode;      /* of its CDB */
    uint8_t lun_known;
    uint8_t testing;     /* the rung has helped; TEST UNIT READY asks how much */
    uint8_t reopening;   /* the session was lost and is not back yet; see below */
    uint64_t failed_ns;  /* since that command was sent, without the time its session was away */
    uint32_t failed_cnt; /* commands in trouble */
    uint32_t wait_cnt;   /* others that have to come back before the next rung is tried */

    /* A session that was lost. */
    uint32_t attempt;         /* the try under way, or the last one; 0 before the first */
    uint32_t checking_cnt;    /* logged in again: LUNs that have not told yet whether they are the
                                same disks; their requests wait until then */
    uint64_t lost_ns;         /* since the loss */
    uint64_t next_attempt_ns; /* until the next try begins; 0: one is under way */
    int64_t replacement_ns;   /* until what waits for the session, or such a LUN, fails; -1: it
                                 waits for ever */
    char error_text[256];     /* why it was lost, why the last try failed, or why it ended; "" */

    uint32_t in_flight_cnt; /* commands that the session has */
    uint32_t queued_cnt;    /* requests that wait for their turn, or for the session */
    struct iskra_session_stats stats;
    uint64_t oldest_ns; /* since the first sending of that command in flight which has taken the
                           longest time, without the time its session was away; 0: there is none */
    uint64_t reserved2[15];
};

/* Calls fn for each session of the initiator, discoveries included, from inside this call; what it
 * is given is valid during the call, and it must not call into the library. Nothing but looking is
 * done: allowed in callbacks, and while a session is being recovered. Another thread asks by
 * iskra_post_call(). Returns 0, what fn returned if that was not 0 (and nothing more was shown), or
 * -EPERM (after fork). */
typedef int iskra_session_fn(void *arg, const struct iskra_session_status *status);
ISKRA_PUBLIC int iskra_sessions(struct iskra *ctx, iskra_session_fn *fn, void *arg);

/* How a ping ended. status 0: answered, rtt_ns nanoseconds after it was sent, by the platform's
 * clock. -EBADMSG: answered, with other data. Else there was no answer: -ETIMEDOUT, -EAGAIN or
 * -EPROTO (the target rejected it), or what ended the connection. err, valid during the call, tells
 * the story if status is not 0. */
typedef void iskra_ping_fn(void *arg, int status, uint64_t rtt_ns, const struct iskra_error *err);

/* Asks the target of this LUN's session for a sign of life (NOP-Out, which no LUN is asked). It
 * passes the commands that wait for the command window and changes nothing for them. The target
 * sends len bytes of data (may be 0) back, which are compared; they are copied. timeout_ns 0:
 * noop_timeout of the URL. Up to eight pings may be unanswered, those whose time was up included.
 * Returns 0: fn runs exactly once, from the loop, when the time is up at the latest; until then it
 * may run after iskra_close() too. Or a negative errno with *err filled: -EBUSY (eight are
 * unanswered), -EMSGSIZE (more than 8192 bytes, or than either side's MaxRecvDataSegmentLength),
 * -ENOTCONN (no session), -ENODEV (being closed), -ENOMEM, -EPERM (after fork). */
ISKRA_PUBLIC int iskra_ping(struct iskra_lun *lun, const void *data, uint32_t len,
                            uint64_t timeout_ns, iskra_ping_fn *fn, void *arg,
                            struct iskra_error *err);

/* The same, waited for: 0 with *ret_rtt_ns (may be NULL), or a negative errno. */
ISKRA_PUBLIC int iskra_ping_sync(struct iskra_lun *lun, const void *data, uint32_t len,
                                 uint64_t timeout_ns, uint64_t *ret_rtt_ns,
                                 struct iskra_error *err);

#ifdef __cplusplus
}
#endif
#endif
