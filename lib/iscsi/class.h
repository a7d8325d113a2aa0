/* The transport class: between the control plane and the stack (spec 3.12, 3.14; notes F1). It dispatches requests, keeps the
 * class session's state beside the session's own, blocks and unblocks the devices above, and holds the replacement timer.
 *
 * class session: LOGGED_IN, FAILED, FREE, TERMINATED. Devices are blocked on STOP_CONN(RECOVER), unblocked by START_CONN; when the
 * replacement timer runs out first they are told to fail. */
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
    void (*block)(void *host);              /* devices BLOCK, queues stopped */
    void (*unblock)(void *host);            /* devices RUNNING, queues run */
    void (*transport_offline)(void *host);  /* replacement timer ran out, or TERM: what waits must die */
};

/* One class object holds one session; created empty, filled by CREATE_SESSION. */
struct iskra_class {
    struct iskra_round *round;
    struct iskra_transport *transport;
    struct iskra_event_sink sink;
    const struct iskra_class_host_ops *host_ops; /* NULL: nobody above (discovery) */
    void *host;
    enum iskra_class_state state;
    struct iskra_session *session;   /* NULL before CREATE_SESSION */
    struct iskra_timer recovery_timer;
    struct iskra_work event_work;    /* delivers queued events at the end of the round */
    struct iskra_list events;        /* of prepared events; at most one RECV_PDU and one CONN_ERROR per connection */
};

int iskra_class_init(struct iskra_class *cls, struct iskra_round *round, struct iskra_transport *transport);
void iskra_class_done(struct iskra_class *cls); /* destroys session and connections without a word to the sink */
void iskra_class_set_host(struct iskra_class *cls, const struct iskra_class_host_ops *ops, void *host);

/* Implements struct iskra_if_ops.request with the class as handle. */
extern const struct iskra_if_ops iskra_class_if_ops;

#endif
