/* The segment: "where the next bytes go, how many, and what to do when it is full" (notes F12-F17).
 *
 * A segment is filled chunk by chunk: data/size/copied are the current chunk, total_* the whole. A chunk is a linear
 * buffer, or one entry of a scatter list; after the last come 0-3 pad bytes and, with digests on, 4 digest bytes, each a
 * chunk of its own. It is re-entrant across any split of the stream, down to single bytes. No I/O, no allocation. */
#ifndef ISKRA_TCP_SEGMENT_H
#define ISKRA_TCP_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct iskra_trace;

/* What is being received; a const table in recv.c maps each to its done function, which bears the notes' name. */
enum iskra_recv_phase {
    ISKRA_RECV_HDR,     /* hdr_recv_done */
    ISKRA_RECV_DATA,    /* data_recv_done: linear, into the connection's buffer */
    ISKRA_RECV_DATA_IN, /* process_data_in: scatter list, into the command's memory */
    ISKRA_RECV_PHASE_CNT
};

/* A place in a scatter list, kept by its owner so that in-order data needs no walk from the start. */
struct iskra_sg_cursor {
    const struct iovec *iov;
    uint32_t iov_cnt;
    uint32_t index;  /* current entry */
    size_t offset;   /* bytes into it */
};

struct iskra_segment {
    uint8_t *data;   /* current chunk */
    uint32_t size;   /* its bytes */
    uint32_t copied; /* of them filled */
    uint32_t total_size, total_copied;
    enum iskra_recv_phase phase;
    bool hash;         /* CRC32C over everything but the digest itself */
    bool padded;       /* pad bytes are counted in total_size */
    uint8_t digest_len; /* 4 once the digest chunk has been appended */
    uint32_t crc;
    uint8_t padbuf[4], recv_digest[4];
    struct iskra_sg_cursor *sg; /* NULL for a linear segment */
};

/* notes F18: iscsi_segment_init_linear. */
void iskra_segment_init_linear(struct iskra_segment *seg, struct iskra_trace *trace, void *data, uint32_t size,
                               bool hash, enum iskra_recv_phase phase);

/* A segment of `size` bytes at `offset` of the whole transfer. The cursor already stands at offset or is moved there.
 * Returns 0, or -ERANGE when the list does not hold offset + size bytes. */
int iskra_segment_seek_sg(struct iskra_segment *seg, struct iskra_trace *trace, struct iskra_sg_cursor *sg,
                          uint32_t from, uint32_t offset, uint32_t size, bool hash,
                          enum iskra_recv_phase phase);

/* n more bytes of the current chunk are in place. Returns true when the whole segment, pad and digest included, is
 * complete; else the next chunk is set up if this one was full. */
bool iskra_segment_done(struct iskra_segment *seg, struct iskra_trace *trace, uint32_t n);

/* notes F16: iscsi_tcp_segment_recv. Copies from buf until the segment is complete or len is used up; *ret_copied says how
 * much was taken. Returns true when complete. */
bool iskra_segment_recv(struct iskra_segment *seg, struct iskra_trace *trace, const uint8_t *buf, size_t len,
                        size_t *ret_copied);

/* Digest verdict of a complete segment: true if digests are off for it or the bytes match. */
bool iskra_segment_digest_ok(const struct iskra_segment *seg);

#endif
