/* From a LUN or a descriptor to a LUN or a descriptor: one loop, requests in flight on either side.
 *
 * An end is opened by whoever has parsed the command line; here it is only read, written, flushed
 * and compared. */
#ifndef ISKRA_CLI_COPY_H
#define ISKRA_CLI_COPY_H

#include "cli.h"
#include "depth.h"
#include "reader.h"
#include "writer.h"

struct cli_copy_end {
    const char *name;      /* as the user wrote it */
    struct iskra_lun *lun; /* NULL: fd */
    int fd;
    bool sized;    /* size is known: a LUN, a file, a block device */
    bool regular;  /* a file */
    bool may_wait; /* a pipe, a socket, a terminal */
    uint64_t size; /* bytes, if sized */
};

struct cli_copy {
    struct cli *cli;
    struct cli_copy_end src, dst;
    struct cli_depth depth;
    bool sparse;
    uint64_t start; /* the first byte to copy, at both ends */
    uint64_t done_len;
    int interrupt_fd;
    int signo;        /* the signal that stopped it, or 0 */
    bool beyond;      /* src goes on where the LUN dst has ended */
    bool pipe_closed; /* whoever read dst has enough, which is no error */
    struct cli_progress progress;
    struct cli_reader reader;       /* of src */
    struct cli_reader other_reader; /* of dst, to compare */
    struct cli_writer writer;       /* of dst */
    unsigned char *bufs[2];         /* of descriptors */
    bool reading[2], writing;       /* what has been made ready */
};

/* Copies to the end of src and flushes dst: an exit code, errors told. If src has more than a LUN
 * has room for, what fits is written and flushed before that is told. Stopped early: CLI_OK,
 * with signo or pipe_closed set. */
int cli_copy_run(struct cli_copy *copy);

/* Reads both ends and compares the first len bytes: CLI_OK, CLI_VERIFY, or another exit code. */
int cli_copy_compare(struct cli_copy *copy, uint64_t len);

/* Frees what both used. The initiator must be gone: it may own requests. */
void cli_copy_done(struct cli_copy *copy);

#endif
