/* How the engine words a refusal: the PDU, its tag, what it said, and what it may say. Private to
 * tcp/. */
#ifndef ISKRA_TCP_REFUSE_H
#define ISKRA_TCP_REFUSE_H

#include "tcp/recv.h"

/* About the header in in.hdr_buf: "Data-In itt 0x10000003: DataSN 4, expected 3". Returns `error`.
 */
enum iskra_conn_error iskra_tcp_refuse(struct iskra_tcp_conn *conn, enum iskra_conn_error error,
                                       const char *field, uint64_t got, const char *rule,
                                       uint64_t limit);

/* The connection is lost with `error`: nothing is received any more, and the layer above is told,
 * once. Returns the negative errno that recv() gives from now on. */
int iskra_tcp_recv_fail(struct iskra_tcp_conn *conn, enum iskra_conn_error error);

/* That errno. */
int iskra_tcp_recv_errno(const struct iskra_tcp_conn *conn);

#endif
