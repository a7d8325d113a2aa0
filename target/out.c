/* The ring of PDUs to be sent: see out.h. */
#include "target/out.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "wire/be.h"
#include "wire/crc32c.h"

int target_out_init(struct target_out *out, uint32_t arena_len)
{
    *out = (struct target_out){.arena_len = arena_len};
    out->pdus = calloc(OUT_PDU_CNT, sizeof(*out->pdus));
    out->arena = malloc(arena_len); /* pages that are never used are never there */
    if (out->pdus && out->arena)
        return 0;
    target_out_done(out);
    return -ENOMEM;
}

void target_out_done(struct target_out *out)
{
    free(out->pdus);
    free(out->arena);
    *out = (struct target_out){0};
}

/* Where `len` contiguous bytes begin, and what they cost with the end of the arena that is skipped
 * to get them. */
static bool arena_fit(const struct target_out *out, uint32_t len, uint32_t *ret_start,
                      uint32_t *ret_cost)
{
    uint32_t to_end = out->arena_len - out->arena_head;
    bool skip = len > to_end;
    uint32_t cost = skip ? to_end + len : len;
    if (cost > out->arena_len - out->arena_used)
        return false;
    *ret_start = skip ? 0 : out->arena_head;
    *ret_cost = cost;
    return true;
}

struct out_pdu *target_out_begin(struct target_out *out, uint32_t arena_len)
{
    if (out->cnt == OUT_PDU_CNT)
        return NULL;
    struct out_pdu *pdu = &out->pdus[(out->first + out->cnt) & (OUT_PDU_CNT - 1)];
    pdu->payload = pdu->room = NULL;
    pdu->payload_len = pdu->arena_len = 0;
    pdu->release_ns = 0;
    if (arena_len == 0)
        return pdu;

    if (out->arena_used == 0)
        out->arena_head = 0; /* keeps small answers in the same warm pages */
    uint32_t start;
    if (!arena_fit(out, arena_len, &start, &pdu->arena_len))
        return NULL;
    pdu->payload = pdu->room = out->arena + start;
    pdu->payload_len = arena_len;
    return pdu;
}

void target_out_commit(struct target_out *out, struct out_pdu *pdu, bool header_digest,
                       bool data_digest)
{
    if (pdu->arena_len > 0) {
        out->arena_used += pdu->arena_len;
        out->arena_head = (out->arena_head + pdu->arena_len) % out->arena_len;
    }
    iskra_put_be24(pdu->bhs + 5, pdu->payload_len);
    pdu->header_len = ISKRA_BHS_LEN;
    if (header_digest) {
        uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, pdu->bhs, ISKRA_BHS_LEN);
        iskra_crc32c_put(pdu->bhs + ISKRA_BHS_LEN, iskra_crc32c_finish(crc));
        pdu->header_len += ISKRA_DIGEST_LEN;
    }
    uint32_t pad_len = iskra_pad_len(pdu->payload_len);
    memset(pdu->tail, 0, pad_len);
    pdu->tail_len = (uint8_t)pad_len;
    if (data_digest && pdu->payload_len > 0) { /* RFC 7143 13.1: over the padding too */
        uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, pdu->payload, pdu->payload_len);
        crc = iskra_crc32c_update(crc, pdu->tail, pad_len);
        iskra_crc32c_put(pdu->tail + pad_len, iskra_crc32c_finish(crc));
        pdu->tail_len += ISKRA_DIGEST_LEN;
    }
    out->cnt++;
    out->queued_len += (size_t)pdu->header_len + pdu->payload_len + pdu->tail_len;
}

/* Appends a piece, less what of it is sent already; returns the bytes appended. */
static size_t piece(struct iovec *iov, unsigned *cnt, const uint8_t *p, size_t len, size_t *skip)
{
    if (*skip >= len) {
        *skip -= len;
        return 0;
    }
    iov[(*cnt)++] =
        (struct iovec){.iov_base = (void *)(uintptr_t)(p + *skip), .iov_len = len - *skip};
    len -= *skip;
    *skip = 0;
    return len;
}

unsigned target_out_window(const struct target_out *out, struct iovec *iov, unsigned max,
                           uint64_t now_ns)
{
    unsigned cnt = 0;
    size_t total = 0, skip = out->first_sent_len;
    for (uint32_t i = 0; i < out->cnt && total < OUT_SEND_MAX && max - cnt >= 3; i++) {
        const struct out_pdu *pdu = &out->pdus[(out->first + i) & (OUT_PDU_CNT - 1)];
        if (pdu->release_ns > now_ns)
            break;
        total += piece(iov, &cnt, pdu->bhs, pdu->header_len, &skip);
        total += piece(iov, &cnt, pdu->payload, pdu->payload_len, &skip);
        total += piece(iov, &cnt, pdu->tail, pdu->tail_len, &skip);
    }
    return cnt;
}

uint64_t target_out_release_ns(const struct target_out *out, uint64_t now_ns)
{
    for (uint32_t i = 0; i < out->cnt; i++) {
        const struct out_pdu *pdu = &out->pdus[(out->first + i) & (OUT_PDU_CNT - 1)];
        if (pdu->release_ns > now_ns)
            return pdu->release_ns;
    }
    return 0;
}

unsigned target_out_sent(struct target_out *out, size_t len)
{
    unsigned gone = 0;
    out->queued_len -= len;
    out->first_sent_len += len;
    while (out->cnt > 0) {
        const struct out_pdu *pdu = &out->pdus[out->first];
        size_t pdu_len = (size_t)pdu->header_len + pdu->payload_len + pdu->tail_len;
        if (out->first_sent_len < pdu_len)
            break;
        out->first_sent_len -= pdu_len;
        out->arena_used -= pdu->arena_len;
        out->first = (out->first + 1) & (OUT_PDU_CNT - 1);
        out->cnt--;
        gone++;
    }
    return gone;
}
