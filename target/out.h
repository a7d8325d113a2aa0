/* PDUs to be sent: a ring of headers with references to their payloads, and an arena for payloads
 * that have no other home. Both are set aside once; when one is full, the one who wants to send
 * waits.
 *
 * A PDU is made in three steps: target_out_begin() finds room (or says no, and nothing has
 * happened), the caller encodes the header and fills or points to the payload, target_out_commit()
 * adds lengths, padding and digests. PDUs leave in the order of their commits, so the arena is a
 * ring too. */
#ifndef ISKRA_TARGET_OUT_H
#define ISKRA_TARGET_OUT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "wire/bhs.h"

#define OUT_PDU_CNT  256u             /* a power of two */
#define OUT_SEND_MAX ((size_t)262144) /* bytes per window, about */

struct out_pdu {
    uint8_t bhs[ISKRA_BHS_LEN + ISKRA_DIGEST_LEN];
    uint8_t tail[4 + ISKRA_DIGEST_LEN]; /* padding, data digest */
    uint8_t header_len, tail_len;
    uint32_t payload_len;
    uint64_t release_ns; /* not to be sent before, nor what is behind it; 0 = at once */
    const uint8_t *payload;
    uint8_t *room;      /* the same in the arena, if it lies there */
    uint32_t arena_len; /* bytes of the arena that become free when this PDU is gone */
};

struct target_out {
    struct out_pdu *pdus;
    uint32_t first, cnt;   /* ring */
    size_t first_sent_len; /* of the first PDU */
    size_t queued_len;     /* bytes of all PDUs, less first_sent_len */
    uint8_t *arena;
    uint32_t arena_len, arena_head, arena_used;
};

/* 0 or -ENOMEM */
int target_out_init(struct target_out *out, uint32_t arena_len);
void target_out_done(struct target_out *out);

/* Room for a PDU with `arena_len` bytes of payload in the arena (0: the payload is elsewhere, or
 * there is none); NULL when there is none now. A begin without a commit is no more than a look.
 * Requests of up to half the arena get room as soon as everything queued has been sent. */
struct out_pdu *target_out_begin(struct target_out *out, uint32_t arena_len);
/* pdu->payload and payload_len are set; the DataSegmentLength is written here. */
void target_out_commit(struct target_out *out, struct out_pdu *pdu, bool header_digest,
                       bool data_digest);

unsigned target_out_window(const struct target_out *out, struct iovec *iov, unsigned max,
                           uint64_t now_ns);
/* When the first PDU that is held back may be sent; 0: none is. */
uint64_t target_out_release_ns(const struct target_out *out, uint64_t now_ns);
/* Returns how many PDUs are gone. */
unsigned target_out_sent(struct target_out *out, size_t len);

#endif
