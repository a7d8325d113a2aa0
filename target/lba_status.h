/* GET LBA STATUS: where a disk has storage, and where it has none. */
#ifndef ISKRA_TARGET_LBA_STATUS_H
#define ISKRA_TARGET_LBA_STATUS_H

#include <stddef.h>
#include <stdint.h>

#include "target/backend.h"

#define TARGET_LBA_STATUS_LEN_MAX 504u /* fits the smallest Data-In there can be */

/* What there is from block `lba` on, which exists, in at most `alloc_len` bytes; but one extent is
 * always told of. The storage may change between two calls, `len` may not: the length that was
 * promised, 0 for none yet. Returns the bytes in buf. */
size_t target_lba_status(const struct target_lun *lun, uint64_t lba, uint32_t alloc_len, size_t len,
                         uint8_t *buf);

#endif
