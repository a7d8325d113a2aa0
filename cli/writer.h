/* Bytes onto a LUN, in order: several WRITEs in flight, any byte range, a flush at the end.
 *
 * The owner puts input where cli_writer_room() says, tells with cli_writer_take() how much came,
 * and runs the loop with cli_writer_step() until cli_writer_finished(). Blocks that are written
 * only in part, at both ends, are read first. */
#ifndef ISKRA_CLI_WRITER_H
#define ISKRA_CLI_WRITER_H

#include "cli.h"
#include "depth.h"

struct cli_writer_slot {
    struct iskra_io io;
    struct iovec iov;
    bool done;
};

/* Requests live in a ring: from `head` on, `used_cnt` are in flight or done; the one behind them is
 * being filled. */
struct cli_writer {
    struct iskra_lun *lun;
    uint32_t block_len;
    uint64_t chunk_len;     /* bytes per request at most */
    uint64_t start, end;    /* the first byte to write; the end of the LUN */
    uint64_t pos;           /* where the next byte of input goes */
    uint64_t chunk_at;      /* where the chunk that is being filled begins: a whole block */
    uint64_t confirmed_len; /* bytes of input that the LUN has taken, from the start on */
    unsigned depth;         /* requests at most */
    unsigned head, used_cnt;
    bool ended; /* no more input; the flush is next */
    bool flush_sent, flushed;
    struct iskra_io flush;
    unsigned char *memory; /* depth chunks, and a block */
    struct cli_writer_slot *slots;
};

/* Makes ready to write at offset, which must not lie beyond the LUN's end. 0, or a negative errno
 * with *err: a write-protected LUN, no memory, the first block could not be read. After a failure,
 * too, cli_writer_done() is due. */
int cli_writer_init(struct cli_writer *writer, struct iskra_lun *lun, uint64_t offset,
                    const struct cli_depth *depth, struct iskra_error *err);

/* How many bytes of input there is room for, at *ret_room. 0: run the loop, or the LUN is full. */
size_t cli_writer_room(struct cli_writer *writer, unsigned char **ret_room);
bool cli_writer_full(const struct cli_writer *writer);

/* So many bytes were put there. 0, or a negative errno with *err. */
int cli_writer_take(struct cli_writer *writer, size_t len, struct iskra_error *err);

/* There is no more input. 0, or a negative errno with *err. */
int cli_writer_end(struct cli_writer *writer, struct iskra_error *err);

/* After each round of the loop: 0, or why a write or the flush failed. */
int cli_writer_step(struct cli_writer *writer, struct iskra_error *err);

/* All is written and flushed. */
bool cli_writer_finished(const struct cli_writer *writer);

/* Finished, and there is more input than the LUN has room for: says so and returns the exit code.
 */
int cli_writer_beyond(const struct cli *cli, const struct cli_writer *writer);

/* Frees the memory. No request may be in flight: it finished, or the LUN's initiator is gone. */
void cli_writer_done(struct cli_writer *writer);

#endif
