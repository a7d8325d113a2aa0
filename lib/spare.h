/* Memory that many need now and then, and hardly two at a time: a few pieces are set aside for all,
 * so that somebody can always go on; who comes while they are lent gets one of his own from the
 * platform, if there is any. */
#ifndef ISKRA_SPARE_H
#define ISKRA_SPARE_H

#include <stddef.h>
#include <stdint.h>

#include "slab.h"

struct iskra_spare {
    struct iskra_slab pieces; /* none, as long as this is zeroed */
};

/* Sets cnt pieces of len bytes aside. 0 or -ENOMEM. */
int iskra_spare_init(struct iskra_spare *spare, const struct iskra_platform *pf, uint32_t cnt,
                     size_t len);
void iskra_spare_done(struct iskra_spare *spare,
                      const struct iskra_platform *pf); /* all are back */

/* A piece of len bytes, the same len always, with whatever is in it; NULL: there is no memory. A
 * spare that is NULL has nothing set aside. */
void *iskra_spare_take(struct iskra_spare *spare, const struct iskra_platform *pf, size_t len);
void iskra_spare_give(struct iskra_spare *spare, const struct iskra_platform *pf,
                      void *piece); /* NULL is accepted */

#endif
