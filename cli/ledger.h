/* What each block of a region should hold: the memory of bench --verify.
 *
 * A block is written with a stamp in every 512 bytes: which run wrote it, where it belongs, the how
 * manieth content of this block it is (its generation), a check word over these, and bytes that
 * follow from them. So whatever comes back later tells what it is: the right thing, an older
 * content, another block's, another run's, or something spoilt.
 *
 * Two writes of a block in flight together, or a write and a read, may happen in either order, and
 * then nobody could say what is right. So who uses a block asks first whether it is free; several
 * reads may share it. A block whose write failed may hold the old or the new content: it is never
 * free again. Blocks that were never written are not judged.
 *
 * A write that was lost shows only until the next one to the same block. Who wants to miss none
 * claims a block, reads it if it has not been checked, and then writes it. */
#ifndef ISKRA_CLI_LEDGER_H
#define ISKRA_CLI_LEDGER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define CLI_LEDGER_SECTOR_LEN 512u

struct cli_ledger_block {
    uint32_t generation; /* of what was written last; 0: nothing was */
    uint16_t reader_cnt;
    bool writing;
    bool checked; /* it has been read since it was written */
    bool told;    /* and found to differ */
};

struct cli_ledger {
    struct cli_ledger_block *blocks;
    uint64_t block_cnt;
    uint64_t block_len; /* bytes; a multiple of CLI_LEDGER_SECTOR_LEN */
    uint64_t run;       /* different in every run */
};

enum cli_ledger_finding {
    CLI_LEDGER_FOREIGN,     /* no stamp */
    CLI_LEDGER_OTHER_RUN,   /* an earlier run wrote it */
    CLI_LEDGER_OTHER_PLACE, /* it belongs to found_offset */
    CLI_LEDGER_GENERATION,  /* an older content, or one that was never written */
    CLI_LEDGER_SPOILT,      /* the right stamp, but other bytes behind it */
};

/* The first 512 bytes of a block that are not what was written last. */
struct cli_ledger_difference {
    enum cli_ledger_finding finding;
    uint64_t offset; /* of these 512 bytes in the region */
    uint64_t expected_generation;
    uint64_t found_generation, found_offset; /* unless FOREIGN */
};

int cli_ledger_init(struct cli_ledger *ledger, uint64_t block_cnt, uint64_t block_len,
                    uint64_t run); /* 0 or -ENOMEM */
void cli_ledger_done(struct cli_ledger *ledger);

bool cli_ledger_is_free(const struct cli_ledger *ledger, uint64_t block, bool to_write);

bool cli_ledger_is_checked(const struct cli_ledger *ledger, uint64_t block); /* or never written */

/* A block that is free to write is nobody else's from here on, up to cli_ledger_write_end(), or
 * until it is released unwritten. */
void cli_ledger_claim(struct cli_ledger *ledger, uint64_t block);
void cli_ledger_release(struct cli_ledger *ledger, uint64_t block);

/* `block_cnt` blocks from `block` on, all free (to write: or claimed). A write fills `buf`. */
void cli_ledger_write_begin(struct cli_ledger *ledger, uint64_t block, uint64_t block_cnt,
                            void *buf);
void cli_ledger_write_end(struct cli_ledger *ledger, uint64_t block, uint64_t block_cnt,
                          bool written);
void cli_ledger_read_begin(struct cli_ledger *ledger, uint64_t block, uint64_t block_cnt);
void cli_ledger_read_end(struct cli_ledger *ledger, uint64_t block, uint64_t block_cnt);

/* `buf` is what one block was read as, while it is not free to write. False: with the first
 * difference, but once only for each content. */
bool cli_ledger_check(struct cli_ledger *ledger, uint64_t block, const void *buf,
                      struct cli_ledger_difference *ret);

/* "expected generation 7, found generation 6". Returns buf. */
#define CLI_LEDGER_TEXT_LEN 160
char *cli_ledger_difference_format(const struct cli_ledger_difference *difference, char *buf);

#endif
