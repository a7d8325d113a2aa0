/* A fixed pool of equal objects; slab.h tells the idea. */
#include "slab.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <iskra/platform.h>

/* Objects of any type may live side by side. */
static size_t size_aligned(size_t size)
{
    const size_t align = _Alignof(max_align_t);
    return (size + align - 1) / align * align;
}

int iskra_slab_init(struct iskra_slab *slab, const struct iskra_platform *pf, uint32_t cnt,
                    size_t obj_size)
{
    memset(slab, 0, sizeof(*slab));
    if (cnt == 0 || obj_size == 0 || obj_size > SIZE_MAX - _Alignof(max_align_t))
        return -EINVAL;
    size_t obj_stride = size_aligned(obj_size);
    size_t objs_len, ring_len, total_len;
    if (__builtin_mul_overflow(obj_stride, (size_t)cnt, &objs_len) ||
        __builtin_mul_overflow(sizeof(uint32_t), (size_t)cnt, &ring_len) ||
        __builtin_add_overflow(objs_len, ring_len, &total_len))
        return -EINVAL;

    uint8_t *block = pf->alloc(pf->arg, total_len);
    if (!block)
        return -ENOMEM;
    slab->objs = block;
    /* The ring lies behind the objects, whose stride keeps it aligned. */
    slab->ring = (uint32_t *)(void *)(block + objs_len);
    slab->obj_size = obj_stride;
    slab->cnt = slab->free_cnt = cnt;
    for (uint32_t i = 0; i < cnt; i++)
        slab->ring[i] = i;
    return 0;
}

void iskra_slab_done(struct iskra_slab *slab, const struct iskra_platform *pf)
{
    if (!slab)
        return;
    if (slab->objs)
        pf->free(pf->arg, slab->objs);
    memset(slab, 0, sizeof(*slab));
}

void *iskra_slab_take(struct iskra_slab *slab)
{
    if (slab->free_cnt == 0)
        return NULL;
    uint32_t index = slab->ring[slab->head];
    slab->head = slab->head + 1 == slab->cnt ? 0 : slab->head + 1;
    slab->free_cnt--;
    return slab->objs + slab->obj_size * index;
}

void iskra_slab_give(struct iskra_slab *slab, void *obj)
{
    if (!obj)
        return;
    assert(slab->free_cnt < slab->cnt);
    uint64_t tail = (uint64_t)slab->head + slab->free_cnt;
    slab->ring[tail % slab->cnt] = iskra_slab_index(slab, obj);
    slab->free_cnt++;
}

void *iskra_slab_at(const struct iskra_slab *slab, uint32_t index)
{
    return index < slab->cnt ? slab->objs + slab->obj_size * index : NULL;
}

uint32_t iskra_slab_index(const struct iskra_slab *slab, const void *obj)
{
    size_t offset = (size_t)((const uint8_t *)obj - slab->objs);
    assert(offset % slab->obj_size == 0 && offset / slab->obj_size < slab->cnt);
    return (uint32_t)(offset / slab->obj_size);
}
