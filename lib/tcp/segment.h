/* The segment: "where the next bytes go, how many, and what to do when it is full" (notes F12,
 * notes F13, notes F15).
 *
 * A segment is filled chunk by chunk: data/size/copied are the current chunk, total_* the whole. A
 * chunk is a linear buffer, or one entry of a scatter list; after the last come 0-3 pad bytes and,
 * with digests on, 4 digest bytes, each a chunk of its own. It is re-entrant across any split of
 * the stream, down to single bytes. No I/O, no allocation. */
#ifndef ISKRA_TCP_SEGMENT_H
#define ISKRA_TCP_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct iskra_trace;

/* What is being received; a const table in recv.c maps each to its done function, which bears the
 * notes' name. */
enum iskra_recv_phase {
    ISKRA_RECV_HDR,     /* hdr_recv_done */
    ISKRA_RECV_DATA,    /* data_recv_done: linear, into the connection's buffer */
    ISKRA_RECV_DATA_IN, /* process_data_in: scatter list, into the command's memory */
    ISKRA_RECV_PHASE_CNT
};

/* A place in a scatter list, kept by its owner so that in-order data needs no walk from the start.
 * Empty entries are allowed anywhere. */
struct iskra_sg_cursor {
    const struct iovec *iov;
    uint32_t iov_cnt;
    uint32_t index; /* current entry; iov_cnt at the end of the list */
    size_t offset;  /* bytes into it; less than its length */
    uint32_t pos;   /* bytes from where it was initialised */
};

/* Stands `skip` bytes into the list; that place is position 0. */
void iskra_sg_cursor_init(struct iskra_sg_cursor *sg, const struct iovec *iov, uint32_t iov_cnt,
                          size_t skip);

/* Moves len bytes on, past empty entries too; at the end of the list it stays there. */
void iskra_sg_cursor_advance(struct iskra_sg_cursor *sg, size_t len);

struct iskra_segment {
    uint8_t *data;   /* current chunk */
    uint32_t size;   /* its bytes */
    uint32_t copied; /* of them filled */
    uint32_t total_size,
        total_copied; /* of the chunks before the current one, and of all known so far */
    struct iskra_sg_cursor
        *sg; /* NULL for a linear segment, and once only pad and digest are left */
    enum iskra_recv_phase phase;
    bool hash;          /* CRC32C over everything but the digest itself */
    uint8_t digest_len; /* 4 once the digest chunk has been appended */
    uint32_t crc;       /* running; the finished digest once digest_len is 4 */
    uint8_t padbuf[4], recv_digest[4];
};

/* notes F18: iscsi_segment_init_linear. */
void iskra_segment_init_linear(struct iskra_segment *seg, struct iskra_trace *trace, void *data,
                               uint32_t size, bool hash, enum iskra_recv_phase phase);

/* A segment of `size` > 0 bytes at `offset` of the whole transfer; the cursor is moved there,
 * forward only. Returns 0, or -ERANGE when offset lies behind the cursor or the list does not hold
 * offset + size bytes. */
int iskra_segment_seek_sg(struct iskra_segment *seg, struct iskra_trace *trace,
                          struct iskra_sg_cursor *sg, uint32_t offset, uint32_t size, bool hash,
                          enum iskra_recv_phase phase);

/* The owner of its cursor has other memory now: the cursor stands where the next byte goes. What is
 * in is counted, and hashed if it is to be, and stays where it was. */
void iskra_segment_move(struct iskra_segment *seg);

/* A complete segment goes on: `size` more bytes into `data` (the AHS after the BHS). */
void iskra_segment_extend(struct iskra_segment *seg, void *data, uint32_t size);

/* A complete segment goes on with 4 digest bytes that have to equal `digest`. */
void iskra_segment_expect_digest(struct iskra_segment *seg, uint32_t digest);

/* n more bytes of the current chunk are in place. Returns true when the whole segment, pad and
 * digest included, is complete; else the next chunk is set up if this one was full. */
bool iskra_segment_done(struct iskra_segment *seg, struct iskra_trace *trace, uint32_t n);

/* notes F16: iscsi_tcp_segment_recv. Copies from buf until the segment is complete or len is used
 * up; *ret_copied says how much was taken. Returns true when complete. */
bool iskra_segment_recv(struct iskra_segment *seg, struct iskra_trace *trace, const uint8_t *buf,
                        size_t len, size_t *ret_copied);

/* Bytes that the segment still lacks, as far as known: without the pad and digest that are yet to
 * be appended. */
static inline uint32_t iskra_segment_left(const struct iskra_segment *seg)
{
    return seg->total_size - seg->total_copied - seg->copied;
}

/* Digest verdict of a complete segment: true if digests are off for it or the bytes match. */
bool iskra_segment_digest_ok(const struct iskra_segment *seg);

#endif
