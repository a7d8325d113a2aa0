/* The control interface: what the control plane asks of the transport class (requests, down) and
 * what it is told (events, up). The vocabulary and codes are the kernel's netlink messages
 * (spec 3.14; notes F1), carried by function calls: requests are answered in the same struct,
 * events are queued and delivered at the end of the round (decision 13), none is lost.
 *
 * This header is the only thing control/ and iscsi/class.c share. */
#ifndef ISKRA_CONTROL_EVENT_H
#define ISKRA_CONTROL_EVENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/error.h>

enum iskra_uevent_type {
    /* down */
    ISKRA_UEVENT_CREATE_SESSION = 11,
    ISKRA_UEVENT_DESTROY_SESSION = 12,
    ISKRA_UEVENT_CREATE_CONN = 13,
    ISKRA_UEVENT_DESTROY_CONN = 14,
    ISKRA_UEVENT_BIND_CONN = 15,
    ISKRA_UEVENT_SET_PARAM = 16,
    ISKRA_UEVENT_START_CONN = 17,
    ISKRA_UEVENT_STOP_CONN = 18,
    ISKRA_UEVENT_SEND_PDU = 19,
    ISKRA_UEVENT_GET_STATS = 20,
    /* up */
    ISKRA_KEVENT_RECV_PDU = 101,
    ISKRA_KEVENT_CONN_ERROR = 102,
    ISKRA_KEVENT_IF_ERROR = 103, /* the type a refused request comes back with */
    ISKRA_KEVENT_DESTROY_SESSION = 104,
    ISKRA_KEVENT_CREATE_SESSION = 106,
};
const char *iskra_uevent_name(enum iskra_uevent_type type); /* "BIND_CONN"; static storage */

enum iskra_stop_flag {
    ISKRA_STOP_TERM = 1,
    ISKRA_STOP_RECOVER = 3,
};

enum iskra_param {
    ISKRA_PARAM_MAX_RECV_DLENGTH,
    ISKRA_PARAM_MAX_XMIT_DLENGTH,
    ISKRA_PARAM_HDRDGST_EN,
    ISKRA_PARAM_DATADGST_EN,
    ISKRA_PARAM_INITIAL_R2T_EN,
    ISKRA_PARAM_MAX_R2T,
    ISKRA_PARAM_IMM_DATA_EN,
    ISKRA_PARAM_FIRST_BURST,
    ISKRA_PARAM_MAX_BURST,
    ISKRA_PARAM_PDU_INORDER_EN,
    ISKRA_PARAM_DATASEQ_INORDER_EN,
    ISKRA_PARAM_ERL,
    ISKRA_PARAM_EXP_STATSN,
    ISKRA_PARAM_TPGT,
    ISKRA_PARAM_PING_TMO, /* this and those below, _TMO: nanoseconds */
    ISKRA_PARAM_RECV_TMO,
    ISKRA_PARAM_ABORT_TMO,
    ISKRA_PARAM_LU_RESET_TMO,
    ISKRA_PARAM_TGT_RESET_TMO,
    ISKRA_PARAM_SESS_RECOVERY_TMO,
    ISKRA_PARAM_FAST_ABORT,
    ISKRA_PARAM_DISCOVERY_SESS,
    ISKRA_PARAM_CNT
};

extern const char *const iskra_param_names[ISKRA_PARAM_CNT]; /* "MAX_RECV_DLENGTH", ... */

struct iskra_conn_stats {
    uint64_t rx_octets, tx_octets;
    uint64_t rx_pdus, tx_pdus, r2ts;
    uint64_t digest_errors, timeout_errors, statsn_gaps;
    uint64_t window_waits, window_wait_ns, r2t_wait_ns; /* iscsi/waits.h */
};

struct iskra_uevent {
    enum iskra_uevent_type type;
    int iferror; /* negative errno of a refused request, type then IF_ERROR */
    uint32_t sid, cid;
    union {
        struct {
            uint32_t initial_cmd_sn, cmds_max, queue_depth;
        } create_session; /* reply: sid */
        struct {
            int fd;
            bool is_leading;
        } bind_conn;
        struct {
            enum iskra_param param;
            int64_t value; /* bytes, seconds, a serial number, or 0 / 1 */
        } set_param;
        struct {
            enum iskra_stop_flag flag;
            const struct iskra_error
                *why; /* what its commands are to tell; NULL: just that it was stopped */
        } stop_conn;
        struct {
            uint32_t error; /* enum iskra_conn_error */
        } conn_error;
    } u;
    union {
        int retcode; /* BIND_CONN, START_CONN, SEND_PDU: 0 or a negative errno */
        struct iskra_conn_stats stats;
    } r;
};

/* Down: one request, answered in place. `hdr` (48 bytes) and `data` are SEND_PDU's PDU: copied
 * before the call returns. The class overwrites ITT (unless reserved), CmdSN, and ExpStatSN except
 * for Login. On a refusal returns the negative errno that is also in ev->iferror or
 * r.retcode, with the story in *err. */
struct iskra_if_ops {
    int (*request)(void *handle, struct iskra_uevent *ev, const uint8_t *hdr, const uint8_t *data,
                   size_t data_len, struct iskra_error *err);
};

/* Up: one event. RECV_PDU brings the 48-byte header and the data, both valid during the call;
 * receiving on that connection is held until the call returns, so START_CONN may be requested from
 * inside it (decision 13). CONN_ERROR brings the story in *why. */
struct iskra_event_sink {
    void (*event)(void *arg, const struct iskra_uevent *ev, const uint8_t *hdr, const uint8_t *data,
                  size_t data_len, const struct iskra_error *why);
    void *arg;
};

#endif
