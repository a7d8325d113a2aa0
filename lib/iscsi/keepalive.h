/* Watching a connection (spec 3.9): when nothing was received for recv_timeout, a NOP-Out asks for
 * a sign of life; when still nothing has come ping_timeout later, the connection has failed
 * (NOP_TIMEDOUT, 1022).
 *
 * Any byte received counts as a sign of life. At most one ping is out. One timer per connection,
 * armed by START_CONN and disarmed by STOP_CONN; nothing is allocated in between. */
#ifndef ISKRA_ISCSI_KEEPALIVE_H
#define ISKRA_ISCSI_KEEPALIVE_H

#include <stdbool.h>
#include <stdint.h>

#include "timer.h"

struct iskra_conn;
struct iskra_task;

struct iskra_keepalive {
    struct iskra_timer timer;
    uint64_t recv_timeout_ns, ping_timeout_ns; /* in force; both 0: not watched */
    uint64_t last_recv_ns, last_ping_ns;       /* round time */
    struct iskra_task *task;                   /* of the last ping, until it is freed; or NULL */
};

int iskra_keepalive_init(struct iskra_conn *conn); /* 0 or -ENOMEM */
void iskra_keepalive_done(struct iskra_conn *conn);

/* START_CONN: of the two timeouts of the session's parameters one that is 0 becomes 5 s; both 0, or
 * a discovery session, in which only Text and Logout are allowed (RFC 7143 4.3): not watched. */
void iskra_keepalive_start(struct iskra_conn *conn);
void iskra_keepalive_stop(struct iskra_conn *conn);

/* Sends a ping now. False: one is out already, or no task is free. */
bool iskra_keepalive_ping(struct iskra_conn *conn);

bool iskra_keepalive_on(const struct iskra_conn *conn);      /* is it watched? */
bool iskra_keepalive_out(const struct iskra_conn *conn);     /* is a ping not answered yet? */
bool iskra_keepalive_overdue(const struct iskra_conn *conn); /* and not in time, either? */

/* From conn.c: bytes came in. From complete.c, reject.c: the answer. From task.c: its task is free.
 */
void iskra_keepalive_received(struct iskra_conn *conn);
void iskra_keepalive_answered(struct iskra_conn *conn);
void iskra_keepalive_task_gone(struct iskra_conn *conn, const struct iskra_task *task);

#endif
