/* A ring of bytes; see tx_copy.h. A copy is in one piece: where it does not fit before the end it
 * begins at the start, and what was left over counts as taken with it. */
#include "tcp/tx_copy.h"

#include <assert.h>
#include <string.h>

#include "wire/crc32c.h"

#define PIECE_LEN 4096u /* copied, then hashed: it is still in the first cache */
#define ALIGN_LEN 64u

static uint32_t aligned(uint32_t len)
{
    return (len + ALIGN_LEN - 1) & ~(ALIGN_LEN - 1);
}

/* Where a copy of that many aligned bytes may begin; ISKRA_TX_COPY_LEN: nowhere now. */
static uint32_t place_for(const struct iskra_tx_copy *copy, uint32_t len)
{
    if (copy->used == 0)
        return 0;
    bool wrapped = copy->used > copy->tail; /* in use: the end, and the start up to tail */
    if (wrapped)
        return ISKRA_TX_COPY_LEN - copy->used >= len ? copy->tail : ISKRA_TX_COPY_LEN;
    if (ISKRA_TX_COPY_LEN - copy->tail >= len)
        return copy->tail;
    return copy->tail - copy->used >= len ? 0 : ISKRA_TX_COPY_LEN;
}

bool iskra_tx_copy_fits(const struct iskra_tx_copy *copy, uint32_t len)
{
    return place_for(copy, aligned(len)) != ISKRA_TX_COPY_LEN;
}

static uint8_t *take(struct iskra_tx_copy *copy, uint32_t len, uint32_t *ret_taken)
{
    uint32_t at = place_for(copy, len);
    assert(at != ISKRA_TX_COPY_LEN);
    if (copy->used == 0)
        copy->tail = 0;
    uint32_t left_over = at < copy->tail ? ISKRA_TX_COPY_LEN - copy->tail : 0;
    copy->used += left_over + len;
    copy->tail = at + len;
    *ret_taken = left_over + len;
    return copy->memory + at;
}

uint8_t *iskra_tx_copy_put(struct iskra_tx_copy *copy, struct iskra_sg_cursor sg, uint32_t len,
                           uint32_t *crc, uint32_t *ret_taken)
{
    uint8_t *to = take(copy, aligned(len), ret_taken);
    for (uint32_t at = 0; at < len;) {
        const struct iovec *entry = &sg.iov[sg.index];
        size_t n = entry->iov_len - sg.offset;
        if (n > len - at)
            n = len - at;
        if (n > PIECE_LEN)
            n = PIECE_LEN;
        memcpy(to + at, (const uint8_t *)entry->iov_base + sg.offset, n);
        *crc = iskra_crc32c_update(*crc, to + at, n);
        iskra_sg_cursor_advance(&sg, n);
        at += (uint32_t)n;
    }
    return to;
}

void iskra_tx_copy_give(struct iskra_tx_copy *copy, uint32_t taken)
{
    assert(taken <= copy->used);
    copy->used -= taken;
}
