/* Bytes of a LUN, in order: several READs in flight, any byte range. */
#ifndef ISKRA_CLI_READER_H
#define ISKRA_CLI_READER_H

#include "cli.h"
#include "depth.h"

struct cli_reader_slot {
    struct iskra_io io;
    struct iovec iov;
    bool done;
};

/* Requests live in a ring: `head` is the next to be handed out, the following `used_cnt` are in
 * flight or done. */
struct cli_reader {
    struct iskra_lun *lun;
    uint32_t block_len;
    uint64_t chunk_len;  /* bytes per request */
    uint64_t start, end; /* the bytes that were asked for */
    uint64_t next;       /* where the next request begins: a multiple of block_len */
    unsigned depth;      /* requests at most */
    unsigned head, used_cnt;
    uint64_t delivered_len;
    unsigned char *memory; /* depth chunks */
    struct cli_reader_slot *slots;
};

/* Makes ready to read len bytes at offset, which must lie inside the LUN. 0 or -ENOMEM. */
int cli_reader_init(struct cli_reader *reader, struct iskra_lun *lun, uint64_t offset, uint64_t len,
                    const struct cli_depth *depth);

/* Puts requests on their way, as many as fit: 0, or a negative errno with *err. */
int cli_reader_submit(struct cli_reader *reader, struct iskra_error *err);

/* 1: *ret_data, *ret_len are the next bytes, valid until cli_reader_release(). 0: not here yet; run
 * the loop. Negative errno: that request failed, with *err. */
int cli_reader_peek(struct cli_reader *reader, const unsigned char **ret_data, size_t *ret_len,
                    struct iskra_error *err);
void cli_reader_release(struct cli_reader *reader);

/* True when all has been handed out. */
bool cli_reader_finished(const struct cli_reader *reader);

/* Frees the memory. No request may be in flight: all were handed out, or the LUN's initiator is
 * gone. NULL memory is fine. */
void cli_reader_done(struct cli_reader *reader);

#endif
