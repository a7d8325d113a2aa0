/* The segment: chunk after chunk, then pad, then digest. It knows nothing of PDUs.
 *
 * notes F13, notes F14, notes F15, notes F16, notes F17: this is what consumes the bytes of a
 * receive: data, size, copied, done. */
#include "tcp/segment.h"

#include <errno.h>
#include <string.h>

#include "trace.h"
#include "wire/bhs.h"
#include "wire/crc32c.h"

/* After a move the cursor stands on a byte, or at the end. */
static void cursor_skip_full(struct iskra_sg_cursor *sg)
{
    while (sg->index < sg->iov_cnt && sg->offset >= sg->iov[sg->index].iov_len) {
        sg->offset -= sg->iov[sg->index].iov_len;
        sg->index++;
    }
}

void iskra_sg_cursor_init(struct iskra_sg_cursor *sg, const struct iovec *iov, uint32_t iov_cnt,
                          size_t skip)
{
    *sg = (struct iskra_sg_cursor){.iov = iov, .iov_cnt = iov_cnt, .offset = skip};
    cursor_skip_full(sg);
}

void iskra_sg_cursor_advance(struct iskra_sg_cursor *sg, size_t len)
{
    sg->offset += len;
    sg->pos += (uint32_t)len;
    cursor_skip_full(sg);
}

/* Do `len` bytes follow the cursor's place? Looks only at the entries that will be filled anyway.
 */
static bool cursor_holds(const struct iskra_sg_cursor *sg, size_t len)
{
    size_t offset = sg->offset;
    for (uint32_t i = sg->index; i < sg->iov_cnt; i++) {
        size_t here_len = sg->iov[i].iov_len - offset;
        if (here_len >= len)
            return true;
        len -= here_len;
        offset = 0;
    }
    return len == 0;
}

static void chunk_set(struct iskra_segment *seg, void *data, uint32_t size)
{
    seg->data = data;
    seg->size = size;
    seg->copied = 0;
}

static void chunk_from_cursor(struct iskra_segment *seg)
{
    const struct iovec *entry = &seg->sg->iov[seg->sg->index];
    size_t entry_left = entry->iov_len - seg->sg->offset;
    uint32_t left = seg->total_size - seg->total_copied;
    chunk_set(seg, (uint8_t *)entry->iov_base + seg->sg->offset,
              entry_left < left ? (uint32_t)entry_left : left);
}

static void segment_init(struct iskra_segment *seg, uint32_t size, bool hash,
                         enum iskra_recv_phase phase)
{
    seg->total_size = size;
    seg->total_copied = 0;
    seg->sg = NULL;
    seg->phase = phase;
    seg->hash = hash;
    seg->digest_len = 0;
    seg->crc = ISKRA_CRC32C_INIT;
}

/* notes F18, notes F27: iscsi_segment_init_linear; after a header that announced data the receiver
 * waits on such a segment. */
void iskra_segment_init_linear(struct iskra_segment *seg, struct iskra_trace *trace, void *data,
                               uint32_t size, bool hash, enum iskra_recv_phase phase)
{
    ISKRA_STEP(trace, INIT_LINEAR, size);
    segment_init(seg, size, hash, phase);
    chunk_set(seg, data, size);
}

int iskra_segment_seek_sg(struct iskra_segment *seg, struct iskra_trace *trace,
                          struct iskra_sg_cursor *sg, uint32_t offset, uint32_t size, bool hash,
                          enum iskra_recv_phase phase)
{
    ISKRA_STEP(trace, SEEK_SG, offset);
    if (offset < sg->pos || !cursor_holds(sg, (size_t)(offset - sg->pos) + size))
        return -ERANGE;
    iskra_sg_cursor_advance(sg, offset - sg->pos);
    segment_init(seg, size, hash, phase);
    seg->sg = sg;
    chunk_from_cursor(seg);
    return 0;
}

void iskra_segment_move(struct iskra_segment *seg)
{
    seg->total_copied += seg->copied;
    chunk_from_cursor(seg);
}

void iskra_segment_extend(struct iskra_segment *seg, void *data, uint32_t size)
{
    seg->total_size += size;
    chunk_set(seg, data, size);
}

void iskra_segment_expect_digest(struct iskra_segment *seg, uint32_t digest)
{
    seg->crc = digest;
    seg->digest_len = ISKRA_DIGEST_LEN;
    seg->hash = false; /* a digest does not cover itself */
    iskra_segment_extend(seg, seg->recv_digest, ISKRA_DIGEST_LEN);
}

/* The current chunk is full. True when it was the last. */
static bool chunk_next(struct iskra_segment *seg)
{
    seg->total_copied += seg->size;
    if (seg->sg)
        iskra_sg_cursor_advance(seg->sg, seg->size);
    seg->size = seg->copied = 0;
    if (seg->total_copied < seg->total_size) {
        chunk_from_cursor(seg);
        return false;
    }
    seg->sg = NULL;
    uint32_t pad_len = iskra_pad_len(seg->total_copied);
    if (pad_len > 0) {
        iskra_segment_extend(seg, seg->padbuf, pad_len);
        return false;
    }
    if (seg->hash) {
        iskra_segment_expect_digest(seg, iskra_crc32c_finish(seg->crc));
        return false;
    }
    return true;
}

/* notes F20: iscsi_tcp_segment_done; who calls it runs segment->done(), here the phase's function,
 * when it says true. */
bool iskra_segment_done(struct iskra_segment *seg, struct iskra_trace *trace, uint32_t n)
{
    ISKRA_STEP(trace, SEGMENT_DONE, n);
    if (seg->hash && n > 0)
        seg->crc = iskra_crc32c_update(seg->crc, seg->data + seg->copied, n);
    seg->copied += n;
    return seg->copied >= seg->size && chunk_next(seg);
}

/* Every other copy is a whole header: its length known here, it takes three loads and stores. A
 * segment of no bytes has no memory either. */
static void copy(uint8_t *to, const uint8_t *from, uint32_t len)
{
    if (len == ISKRA_BHS_LEN)
        memcpy(to, from, ISKRA_BHS_LEN);
    else if (len > 0)
        memcpy(to, from, len);
}

/* notes F16: iscsi_tcp_segment_recv. */
bool iskra_segment_recv(struct iskra_segment *seg, struct iskra_trace *trace, const uint8_t *buf,
                        size_t len, size_t *ret_copied)
{
    ISKRA_STEP(trace, SEGMENT_RECV, len);
    bool complete = false;
    size_t taken = 0;
    while (!complete && taken < len) {
        uint32_t n = seg->size - seg->copied;
        if (n > len - taken)
            n = (uint32_t)(len - taken);
        copy(seg->data + seg->copied, buf + taken, n);
        taken += n;
        complete = iskra_segment_done(seg, trace, n);
    }
    *ret_copied = taken;
    return complete;
}

bool iskra_segment_digest_ok(const struct iskra_segment *seg)
{
    return seg->digest_len == 0 || iskra_crc32c_get(seg->recv_digest) == seg->crc;
}
