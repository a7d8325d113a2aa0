/* The memory of a RAM disk: as large as one likes, and only what was written takes room. */
#ifndef ISKRA_TARGET_RAM_H
#define ISKRA_TARGET_RAM_H

#include <stdbool.h>
#include <stdint.h>

/* Which grains hold something is kept beside the bytes, a bit each: the system could tell which
 * pages it has given us, but not which of them it has taken to the swap. */
struct target_ram {
    uint8_t *bytes;   /* mapped, owned; NULL: none */
    uint64_t *grains; /* the same */
    uint64_t len;     /* bytes */
    uint32_t grain_len;
};

/* `grain_len`: what can be given back, a power of two. 0 or a negative errno. */
int target_ram_init(struct target_ram *ram, uint64_t len, uint32_t grain_len);
void target_ram_done(struct target_ram *ram); /* also of one all zero */

/* The caller has checked that [pos, pos + len) exists. */
void target_ram_read(const struct target_ram *ram, uint64_t pos, uint8_t *buf, uint32_t len);
void target_ram_write(const struct target_ram *ram, uint64_t pos, const uint8_t *buf, uint32_t len);

/* They read as zeros afterwards, and whole grains are holes again. 0 or a negative errno. */
int target_ram_discard(const struct target_ram *ram, uint64_t pos, uint64_t len);

/* Is there a hole at `pos`, and how many bytes from there on are the same? It looks at no more than
 * `grain_max` grains, at least one. */
bool target_ram_hole(const struct target_ram *ram, uint64_t pos, uint64_t grain_max,
                     uint64_t *ret_len);

#endif
