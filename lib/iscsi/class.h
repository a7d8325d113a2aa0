/* The transport class: between the control plane and the stack (spec 3.12, 3.14; notes F1). It
 * dispatches requests, keeps the class session's state beside the session's own, blocks and
 * unblocks the devices above, and holds the replacement timer.
 *
 * class session: LOGGED_IN, FAILED, FREE. Devices are blocked as soon as the connection fails or is
 * stopped for recovery (dispatch stops at once, decision 12), unblocked by START_CONN; when the
 * replacement timer runs out first, or the session is terminated, they are told to fail.
 *
 * A login is not the end of a recovery: the host above looks whether the devices are still what
 * they were (decision 23) and says iskra_class_ready(). Only then is the replacement timer
 * disarmed, so that a target that logs in and answers nothing cannot hold its devices for ever. */
#ifndef ISKRA_ISCSI_CLASS_H
#define ISKRA_ISCSI_CLASS_H

#include "control/event.h"
#include "iscsi/session.h"
#include "tcp/port.h"

enum iskra_class_state {
    ISKRA_CLASS_FREE,
    ISKRA_CLASS_LOGGED_IN,
    ISKRA_CLASS_FAILED,
    ISKRA_CLASS_STATE_CNT
};
const char *iskra_class_state_name(enum iskra_class_state state);

/* What the class asks of the mid-layer above; implemented by scsi/host.c. */
struct iskra_class_host_ops {
    void (*block)(void *host); /* devices BLOCK, queues stopped */
    /* The session is up: devices that are what they were RUNNING, queues run. Answered by
     * iskra_class_ready(), from inside or later. */
    void (*unblock)(void *host);
    void (*transport_offline)(
        void *host);                  /* replacement timer ran out, or TERM: what waits must die */
    void (*session_gone)(void *host); /* the session is about to be freed; may be NULL */
};

/* An event on its way up. RECV_PDU holds the connection's receive until it has been delivered, so
 * one of each kind is enough. */
struct iskra_class_event {
    struct iskra_list link; /* cls->events; alone when nothing is due */
    enum iskra_uevent_type type;
    uint32_t cid;
    uint32_t data_len;      /* RECV_PDU: hdr and data are the class's own copies */
    struct iskra_error why; /* CONN_ERROR */
};

/* One class object holds one session; created empty, filled by CREATE_SESSION. */
struct iskra_class {
    struct iskra_round *round;
    struct iskra_transport *transport;
    struct iskra_event_sink sink;
    const struct iskra_class_host_ops *host_ops; /* NULL: nobody above (discovery) */
    void *host;
    uint32_t sid; /* what CREATE_SESSION will answer: 1, or set by the owner after init */
    enum iskra_class_state state;
    bool blocked;                  /* the devices above were told so */
    bool shutting_down;            /* by iskra_class_shut_down */
    struct iskra_session *session; /* NULL before CREATE_SESSION */
    struct iskra_timer recovery_timer;
    struct iskra_work event_work; /* delivers queued events at the end of the round */
    struct iskra_list events;     /* of struct iskra_class_event, oldest first */
    struct iskra_class_event recv_pdu, conn_error;
    uint8_t event_hdr[ISKRA_BHS_LEN];
    uint8_t *event_data; /* of recv_pdu; borrowed (round.h) while it waits; NULL: none */
    bool *gone;          /* during a delivery: set if the sink destroys the class */
};

/* 0 or -ENOMEM. */
int iskra_class_init(struct iskra_class *cls, struct iskra_round *round,
                     struct iskra_transport *transport);
/* Destroys session and connections without a word to the sink; allowed from inside the sink;
 * accepts a zeroed object. Commands that are out get their scsi_done first. */
void iskra_class_done(struct iskra_class *cls);
/* Its owner will not have it recovered (verdict row 2, decision 7): commands that expire while the
 * session is not up end then. */
void iskra_class_shut_down(struct iskra_class *cls);
void iskra_class_set_host(struct iskra_class *cls, const struct iskra_class_host_ops *ops,
                          void *host);

/* From the host, after unblock(): its devices can be used, or fail for reasons of their own.
 * Nothing if the session was lost again meanwhile. */
void iskra_class_ready(struct iskra_class *cls);

/* Implements struct iskra_if_ops.request with the class as handle. */
extern const struct iskra_if_ops iskra_class_if_ops;

/* class_param.c: SET_PARAM. 0, -EINVAL for a value out of range, -ENOSYS for an unknown one. */
int iskra_class_set_param(struct iskra_session_params *params, enum iskra_param param,
                          int64_t value, struct iskra_error *err);

/* class_event.c. From the connections: a PDU for the control plane (0, or -EBUSY while one waits);
 * a failure. */
int iskra_class_recv_pdu(struct iskra_class *cls, struct iskra_conn *conn, const uint8_t *hdr,
                         const uint8_t *data, uint32_t len);
void iskra_class_conn_error(struct iskra_class *cls, struct iskra_conn *conn,
                            enum iskra_conn_error error);
void iskra_class_events_init(struct iskra_class *cls);
void iskra_class_events_done(struct iskra_class *cls);
/* A connection was stopped: events of its past life would be taken for those of the next. */
void iskra_class_events_drop(struct iskra_class *cls, const struct iskra_conn *conn);

/* class.c: the devices above, and the class session. */
void iskra_class_block_devices(struct iskra_class *cls);
void iskra_class_block_session(struct iskra_class *cls);
void iskra_class_unblock_session(struct iskra_class *cls);
void iskra_class_terminate(struct iskra_class *cls);

#endif
