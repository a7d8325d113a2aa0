/* A fixed pool of equal objects, set aside in one allocation when a session is set up; the data
 * path only takes and gives back. First free, first out, so that a tag is reused as late as
 * possible. The memory itself comes from the platform table; exhaustion is an ordinary answer
 * (NULL), not an error. */
#ifndef ISKRA_SLAB_H
#define ISKRA_SLAB_H

#include <stddef.h>
#include <stdint.h>

struct iskra_platform;

struct iskra_slab {
    uint8_t *objs;
    uint32_t *ring; /* indices of free objects, oldest first */
    size_t obj_size;
    uint32_t cnt, free_cnt, head;
};

/* Returns 0 or -ENOMEM / -EINVAL (cnt 0, or cnt x size overflows). Objects start zeroed. */
int iskra_slab_init(struct iskra_slab *slab, const struct iskra_platform *pf, uint32_t cnt,
                    size_t obj_size);
void iskra_slab_done(struct iskra_slab *slab,
                     const struct iskra_platform *pf); /* accepts a zeroed slab */
void *iskra_slab_take(struct iskra_slab *slab);        /* NULL when empty */
void iskra_slab_give(struct iskra_slab *slab, void *obj);
void *iskra_slab_at(const struct iskra_slab *slab, uint32_t index); /* NULL out of range */
uint32_t iskra_slab_index(const struct iskra_slab *slab, const void *obj);

#endif
