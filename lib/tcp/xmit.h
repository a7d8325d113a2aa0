/* Transmit: PDUs queued in order in a ring of descriptors, gathered many at a time into one send,
 * digests included.
 *
 * A descriptor points at its header (in the task, or its own) and at its payload (in the caller's
 * memory); both stay lent until their last byte is sent, for which the descriptor holds a reference
 * on the task (decision 15). */
#ifndef ISKRA_TCP_XMIT_H
#define ISKRA_TCP_XMIT_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "tcp/segment.h"
#include "tcp/tx_copy.h"
#include "wire/bhs.h"

struct iskra_tcp_conn;
struct iskra_tcp_task;

#define ISKRA_SEND_IOV_MAX 512
#define ISKRA_SEND_LEN_MAX (256u * 1024u)

struct iskra_tx_pdu {
    struct iskra_tcp_task *task; /* referenced until sent; may be NULL if hdr is own_hdr */
    const uint8_t *hdr;          /* BHS, AHS, header digest */
    uint32_t hdr_len;
    uint32_t payload_len;           /* bytes, without padding */
    struct iskra_sg_cursor payload; /* where its next unsent byte is */
    struct iovec linear;            /* the list of a payload that is one buffer */
    uint32_t copy_taken;            /* of out.copy, when the payload is a copy there */
    uint8_t tail[8];                /* pad and data digest */
    uint32_t tail_len;
    uint8_t own_hdr[ISKRA_BHS_LEN + ISKRA_DIGEST_LEN];
};

struct iskra_tcp_out {
    struct iskra_tx_pdu *ring;
    uint32_t cnt;        /* a power of two */
    uint32_t head, tail; /* head: next to send; tail: next free; both modulo 2^32 */
    uint32_t head_sent;  /* bytes of the head PDU already sent */
    bool hdr_digest, data_digest;
    struct iskra_tx_copy copy;
    uint64_t queued_len; /* bytes of the PDUs in the ring, the sent part of the head included */
    uint64_t octets;     /* bytes sent, ever */
};

uint32_t iskra_tcp_xmit_room(const struct iskra_tcp_conn *conn); /* PDUs that can be queued now */
bool iskra_tcp_xmit_pending(const struct iskra_tcp_conn *conn);

/* Can a PDU with that much of a command's data be queued now? Not when one send's worth is waiting
 * already: what is in the ring can neither be overtaken by a ping nor taken back when the command
 * ends early, and more would not be sent sooner. */
bool iskra_tcp_xmit_takes(const struct iskra_tcp_conn *conn, uint32_t payload_len);

/* Sets memory aside for copies of payloads (tx_copy.h), once. 0 or -ENOMEM. */
int iskra_tcp_xmit_copy_payloads(struct iskra_tcp_conn *conn);

/* Queues one PDU. `hdr` is BHS + AHS, hdr_len bytes (a multiple of 4), with 4 spare bytes after it
 * for the header digest, which is laid there at once; DataSegmentLength and TotalAHSLength are
 * already in it. `data` (data_len bytes) is the payload, or NULL. When `task` is given it is
 * referenced until the PDU is sent, and header and data must live as long; without a task the
 * header (48 bytes, no AHS, no spare bytes needed) is copied and data must be NULL. Returns 0, or
 * -EAGAIN when the ring is full. */
int iskra_tcp_xmit_task(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task, uint8_t *hdr,
                        uint32_t hdr_len, const void *data, uint32_t data_len);

/* Queues one PDU of a write, with as many bytes of its command's data as DataSegmentLength says,
 * from `offset` on; xmit_takes() said yes. `hdr` as above if it is the task's; if `copy_hdr`, it is
 * 48 bytes, copied, and may go away. The data is lent until it is sent, even if a copy of it is
 * what is sent. */
void iskra_tcp_xmit_write(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task, uint8_t *hdr,
                          uint32_t hdr_len, bool copy_hdr, uint32_t offset);

/* The port's send side. At most ISKRA_SEND_IOV_MAX entries and ISKRA_SEND_LEN_MAX bytes at a time.
 */
int iskra_tcp_send_window(struct iskra_tcp_conn *conn, struct iovec *iov, int iov_max,
                          size_t max_len);
void iskra_tcp_sent(struct iskra_tcp_conn *conn, size_t n);

/* Everything queued is forgotten and every reference given back. */
void iskra_tcp_xmit_drop(struct iskra_tcp_conn *conn);

#endif
