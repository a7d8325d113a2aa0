/* A session whose connection is watched, on a clock that the test moves. */
#ifndef ISCSI_WATCH_RIG_H
#define ISCSI_WATCH_RIG_H

#include "rig.h"

#define SECOND UINT64_C(1000000000)

/* Logged in with these timeouts in nanoseconds, at a time that is not 0. */
struct rig *watch_rig(uint64_t recv_timeout_ns, uint64_t ping_timeout_ns);

/* The clock goes on, timer by timer; what they cause is done. */
void watch_later(struct rig *r, uint64_t ns);

/* The next PDU sent is a NOP-Out of the watch; returns its tag. */
uint32_t watch_sent_ping(struct rig *r);

/* It is answered. */
void watch_answer(struct rig *r, uint32_t itt);

/* The next PDU sent is a task management request. */
struct iskra_pdu_tmf watch_sent_tmf(struct rig *r);

/* The connection is stopped for recovery, bound and started again. */
void watch_relogin(struct rig *r);

#endif
