/* Pieces of a slab first, of the platform then; see spare.h. */
#include "spare.h"

#include <stdbool.h>

#include <iskra/platform.h>

int iskra_spare_init(struct iskra_spare *spare, const struct iskra_platform *pf, uint32_t cnt,
                     size_t len)
{
    return iskra_slab_init(&spare->pieces, pf, cnt, len);
}

void iskra_spare_done(struct iskra_spare *spare, const struct iskra_platform *pf)
{
    iskra_slab_done(&spare->pieces, pf);
}

void *iskra_spare_take(struct iskra_spare *spare, const struct iskra_platform *pf, size_t len)
{
    void *piece = spare != NULL ? iskra_slab_take(&spare->pieces) : NULL;
    return piece != NULL ? piece : pf->alloc(pf->arg, len);
}

static bool is_ours(const struct iskra_slab *pieces, const void *piece)
{
    uintptr_t from = (uintptr_t)pieces->objs, at = (uintptr_t)piece;
    return at >= from && at - from < pieces->obj_size * pieces->cnt;
}

void iskra_spare_give(struct iskra_spare *spare, const struct iskra_platform *pf, void *piece)
{
    if (piece == NULL)
        return;
    if (spare != NULL && is_ours(&spare->pieces, piece))
        iskra_slab_give(&spare->pieces, piece);
    else
        pf->free(pf->arg, piece);
}
