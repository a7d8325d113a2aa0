/* Where the blocks of a LUN are: memory, a file, or nowhere (zeros). Blocking reads and
 * writes of files are the only I/O of the target's core. */
#ifndef ISKRA_TARGET_BACKEND_H
#define ISKRA_TARGET_BACKEND_H

#include <stdbool.h>
#include <stdint.h>

#include "target/ram.h"
#include "target/target.h"

struct target_lun {
    uint32_t number;
    enum iskra_target_backend_kind kind;
    uint32_t block_len; /* bytes */
    uint64_t block_cnt;
    bool read_only;
    struct target_ram ram;                /* RAM */
    int fd;                               /* FILE: owned, else -1 */
    const struct iskra_target_disk *disk; /* DISK */
    void *disk_arg;
    uint64_t id; /* stable per target name and number, and file */
};

/* 0 or a negative errno, told in *err. `index`: which LUN. */
int target_lun_open(struct target_lun *lun, const struct iskra_target_backend *backend,
                    uint32_t default_block_len, uint32_t number, const char *target_name,
                    struct iskra_error *err);
void target_lun_close(struct target_lun *lun);

static inline uint64_t target_lun_len(const struct target_lun *lun) /* bytes */
{
    return lun->block_cnt * lun->block_len;
}

/* Copies bytes [pos, pos + len), which the caller has checked to exist. 0 or a negative errno. */
int target_lun_read(const struct target_lun *lun, uint64_t pos, uint8_t *buf, uint32_t len);

int target_lun_write(const struct target_lun *lun, uint64_t pos, const uint8_t *buf, uint32_t len);

/* Gives back the storage of bytes [pos, pos + len), which then read as zeros. 0 or a negative
 * errno; -EOPNOTSUPP: the file system has no such thing, nothing has happened. */
int target_lun_discard(const struct target_lun *lun, uint64_t pos, uint64_t len);

/* What it takes to make a hole: this many bytes, aligned. 0: it has none. */
uint32_t target_lun_grain(const struct target_lun *lun);

/* Is there nothing at byte `pos`, the first of a block, and for how many bytes, whole blocks, from
 * there on is the answer the same? It may say fewer than there are, but at least one block. */
bool target_lun_hole(const struct target_lun *lun, uint64_t pos, uint64_t *ret_len);

/* Makes what was written durable. 0 or a negative errno. */
int target_lun_flush(const struct target_lun *lun);

#endif
