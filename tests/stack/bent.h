/* A platform that is bent: time passes when a test says so, too, or only then, and connections lead
 * to the rig there is now, whatever port the URL names, or nowhere. */
#ifndef ISKRA_TESTS_BENT_H
#define ISKRA_TESTS_BENT_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/platform.h>

#include "stack/rig.h"

struct bent {
    struct iskra_platform pf; /* for iskra_options; its arg is this object */
    uint64_t skew_ns;         /* added to the clock */
    uint64_t frozen_ns;       /* not 0: the clock itself stands there */
    struct rig *const *rig;   /* NULL: connections lead where they should */
    bool away;                /* nobody listens */
};

void bent_init(struct bent *bent, struct rig *const *rig);

#endif
