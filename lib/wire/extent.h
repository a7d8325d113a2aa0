/* Extents of LBAs: the parameter list of UNMAP (SBC-3 5.28.2) and the data of GET LBA STATUS
 * (SBC-3 5.5.2). */
#ifndef ISKRA_WIRE_EXTENT_H
#define ISKRA_WIRE_EXTENT_H

#include <stddef.h>
#include <stdint.h>

enum iskra_lba_state {
    ISKRA_LBA_MAPPED = 0,
    ISKRA_LBA_DEALLOCATED = 1,
    ISKRA_LBA_ANCHORED = 2,
};
struct iskra_lba_extent {
    uint64_t lba;
    uint32_t block_cnt;
    uint8_t state; /* enum iskra_lba_state; GET LBA STATUS only */
};
#define ISKRA_EXTENT_HEADER_LEN 8u
#define ISKRA_EXTENT_LEN        16u

/* Walk: start with *pos = 0. 1 and an extent, 0 at the end, -EBADMSG: no whole header. An extent
 * that is cut short ends the walk of GET LBA STATUS data (the allocation length may cut it), and is
 * -EBADMSG in an UNMAP list. */
int iskra_unmap_next(const uint8_t *bytes, size_t len, size_t *pos, struct iskra_lba_extent *ret);
int iskra_lba_status_next(const uint8_t *bytes, size_t len, size_t *pos,
                          struct iskra_lba_extent *ret);

/* Return the bytes written, or 0 if they do not fit `size` or the 16-bit lengths of UNMAP. */
size_t iskra_unmap_encode(const struct iskra_lba_extent *extents, uint32_t cnt, uint8_t *buf,
                          size_t size);
size_t iskra_lba_status_encode(const struct iskra_lba_extent *extents, uint32_t cnt, uint8_t *buf,
                               size_t size);

#endif
