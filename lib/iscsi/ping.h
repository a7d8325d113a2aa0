/* Our own pings: a NOP-Out that asks for an answer, the NOP-In that is the answer (RFC 7143 11.18,
 * 11.19), and what can happen instead.
 *
 * A ping is an object of its own, taken from the heap when it is asked for: its data has to outlive
 * the caller's patience, because the transport may still be sending it when the time is up. It is
 * freed when its outcome was told and its task is gone. A task whose ping has timed out keeps its
 * tag until the answer comes after all or the connection ends; such tasks count as in flight. */
#ifndef ISKRA_ISCSI_PING_H
#define ISKRA_ISCSI_PING_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

struct iskra_conn;
struct iskra_ping;
struct iskra_task;

#define ISKRA_PINGS_MAX 8u /* in flight on a connection */

/* The outcome, once, from the round's work: 0 with the time from sending to the answer; -EBADMSG
 * with that time if other data came back; else a negative errno. err is valid during the call. */
typedef void iskra_ping_told_fn(void *arg, int status, uint64_t rtt_ns,
                                const struct iskra_error *err);

/* Immediate, so that it uses up no CmdSN and passes a closed window. data is copied. Returns 0, and
 * fn will run; or -EBUSY (too many are in flight), -EMSGSIZE (more data than both sides take),
 * -ENOTCONN (the session is not in the full feature phase), -ENOMEM, with the story in *err. */
int iskra_ping_send(struct iskra_conn *conn, const void *data, uint32_t len, uint64_t timeout_ns,
                    iskra_ping_told_fn *fn, void *arg, struct iskra_error *err);

/* From prep.c, complete.c and task.c. A ping is told of once, whatever comes first. */
void iskra_ping_sent(struct iskra_ping *ping);
void iskra_ping_answered(struct iskra_ping *ping, const uint8_t *data, uint32_t len);
void iskra_ping_rejected(struct iskra_ping *ping, uint8_t reason);
void iskra_ping_task_gone(struct iskra_ping *ping, const struct iskra_task *task);

#endif
