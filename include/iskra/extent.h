/* A part of a LUN and what is known of it: what block status answers. Plain data. */
#ifndef ISKRA_EXTENT_H
#define ISKRA_EXTENT_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum iskra_extent_flag {
    ISKRA_EXTENT_HOLE = 1u << 0, /* not allocated: unmapped, or never written */
    ISKRA_EXTENT_ZERO = 1u << 1, /* reads as zeros */
};

struct iskra_extent {
    uint64_t offset, len; /* bytes; multiples of block_len */
    uint32_t flags;       /* enum iskra_extent_flag; 0: data, as far as the LUN tells */
    uint32_t reserved;    /* 0 */
};

#ifdef __cplusplus
}
#endif
#endif
