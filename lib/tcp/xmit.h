/* Transmit: PDUs queued in order in a ring of descriptors, gathered many at a time into one send,
 * digests included.
 *
 * A descriptor points at its header and at its payload (in the caller's memory), which stays lent
 * until its last byte is sent: the descriptor holds a reference on the task for that (decision 15).
 * Headers lie in memory of the connection's own, one after the other, so that those of PDUs without
 * data are sent as one piece; one with an AHS has a place of its own, and the next such waits. */
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

/* PDUs are built until so many bytes wait for being sent. */
#define ISKRA_QUEUED_LEN_MAX (256u * 1024u)

/* One send. The last PDU of a full queue ends behind the limit above: a small one goes along, since
 * its rest alone would cost as much as a send of everything. */
#define ISKRA_SEND_IOV_MAX 512
#define ISKRA_SEND_LEN_MAX (ISKRA_QUEUED_LEN_MAX + 16u * 1024u)

struct iskra_tx_pdu {
    struct iskra_tcp_task *task; /* referenced until sent; may be NULL if nothing of it is lent */
    const uint8_t *hdr;          /* BHS, AHS, header digest */
    uint32_t hdr_len;
    uint32_t payload_len;           /* bytes, without padding */
    struct iskra_sg_cursor payload; /* where its next unsent byte is */
    struct iovec linear;            /* the list of a payload that is one buffer */
    uint32_t copy_taken;            /* of out.copy, when the payload is a copy there */
    uint8_t tail[8];                /* pad and data digest */
    uint32_t tail_len;
};

/* What a header takes in the connection's memory, at most. */
#define ISKRA_TX_HDR_LEN (ISKRA_BHS_LEN + ISKRA_DIGEST_LEN)

/* The same for one with an AHS, for which there is one place. */
#define ISKRA_TX_LONG_HDR_LEN 304u

struct iskra_tcp_out {
    struct iskra_tx_pdu *ring;
    uint32_t cnt;        /* a power of two */
    uint32_t head, tail; /* head: next to send; tail: next free; both modulo 2^32 */
    uint32_t head_sent;  /* bytes of the head PDU already sent */
    uint8_t *hdrs;       /* room for one header more than there are PDUs: none is cut in two */
    uint32_t hdr_at;     /* in it, where the next one goes */
    bool hdr_digest, data_digest;
    struct iskra_tx_copy copy;
    uint64_t queued_len;   /* bytes of the PDUs in the ring, the sent part of the head included */
    uint64_t octets;       /* bytes sent, ever */
    uint32_t long_hdr_pdu; /* whose long_hdr is, as tail counts them, if it is not sent yet */
    uint8_t long_hdr[ISKRA_TX_LONG_HDR_LEN];
};

uint32_t iskra_tcp_xmit_room(const struct iskra_tcp_conn *conn); /* PDUs that can be queued now */
bool iskra_tcp_xmit_pending(const struct iskra_tcp_conn *conn);

/* Can a PDU with that much of a command's data be queued now? Not when one send's worth is waiting
 * already: what is in the ring can neither be overtaken by a ping nor taken back when the command
 * ends early, and more would not be sent sooner. */
bool iskra_tcp_xmit_takes(const struct iskra_tcp_conn *conn, uint32_t payload_len);

/* Sets memory aside for copies of payloads (tx_copy.h), once. 0 or -ENOMEM. */
int iskra_tcp_xmit_copy_payloads(struct iskra_tcp_conn *conn);

/* Where the header of the next PDU may be built, so that it need not be copied: 48 bytes. Good
 * until that PDU, or another, is queued; there is room for one. */
uint8_t *iskra_tcp_xmit_hdr(struct iskra_tcp_conn *conn);

/* The same for a header with an AHS, of the PDU that is queued next: ISKRA_TX_LONG_HDR_LEN bytes.
 * Not before the last such PDU is sent. */
bool iskra_tcp_xmit_takes_long_hdr(const struct iskra_tcp_conn *conn);
uint8_t *iskra_tcp_xmit_long_hdr(struct iskra_tcp_conn *conn);

/* Queues one PDU. `hdr` is BHS + AHS, hdr_len bytes (a multiple of 4); DataSegmentLength and
 * TotalAHSLength are already in it. If it has an AHS it must live until it is sent, with 4 spare
 * bytes after it for the header digest; else it is copied, unless it is where xmit_hdr() said.
 * `data` (data_len bytes) is the payload, or NULL. When `task` is given it is referenced until the
 * PDU is sent, and the data must live as long; without a task there is neither AHS nor data.
 * Returns 0, or -EAGAIN when the ring is full. */
int iskra_tcp_xmit_task(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task, uint8_t *hdr,
                        uint32_t hdr_len, const void *data, uint32_t data_len);

/* Queues one PDU of a write, with as many bytes of its command's data as DataSegmentLength says,
 * from `offset` on; xmit_takes() said yes. `hdr` as above. The data is lent until it is sent, even
 * if a copy of it is what is sent. */
void iskra_tcp_xmit_write(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task, uint8_t *hdr,
                          uint32_t hdr_len, uint32_t offset);

/* The port's send side. At most ISKRA_SEND_IOV_MAX entries and ISKRA_SEND_LEN_MAX bytes at a time.
 */
int iskra_tcp_send_window(struct iskra_tcp_conn *conn, struct iovec *iov, int iov_max,
                          size_t max_len);
void iskra_tcp_sent(struct iskra_tcp_conn *conn, size_t n);

/* Everything queued is forgotten and every reference given back. */
void iskra_tcp_xmit_drop(struct iskra_tcp_conn *conn);

#endif
