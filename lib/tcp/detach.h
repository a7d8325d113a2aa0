/* Taking a task's memory away from it while the target still works on it (decision 17): what is in
 * the transmit ring is copied, what comes in from now on goes to a sink. */
#ifndef ISKRA_TCP_DETACH_H
#define ISKRA_TCP_DETACH_H

#include <stdbool.h>
#include <stddef.h>

struct iskra_tcp_conn;
struct iskra_tcp_task;

/* Is the task's memory in the receive window that is out? Then it belongs to the transport, and
 * cannot be taken away. A window of staging alone does not matter. */
bool iskra_tcp_is_lent(const struct iskra_tcp_conn *conn, const struct iskra_tcp_task *task);

/* How much memory that takes now, in bytes: an unsent payload of what the ring holds (a send's
 * worth and one PDU), or a sink and its list. */
size_t iskra_tcp_detach_len(const struct iskra_tcp_conn *conn, const struct iskra_tcp_task *task);

/* `memory` holds so many bytes, aligned for anything, and lives until the task's last put. The
 * task, which is not lent, has its own memory untouched after this call. No Data-Out may be built
 * for it any more. */
void iskra_tcp_detach(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task, void *memory);

#endif
