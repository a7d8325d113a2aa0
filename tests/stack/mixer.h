/* Operations of all kinds, drawn at random and many in flight, on one LUN; what each answers and
 * what is there in the end is what a shadow copy says. Ranges in flight do not overlap, so that the
 * shadow is always sure. Every request has memory of its own that is freed inside its done(). */
#ifndef ISKRA_TESTS_MIXER_H
#define ISKRA_TESTS_MIXER_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/iskra.h>

struct mixer_plan {
    uint32_t seed;
    unsigned op_cnt;
    unsigned in_flight; /* at most */
    bool faulty;        /* the target sends BUSY, TASK SET FULL and unit attentions by itself: a raw
                           CDB sees them, and is submitted again */
    bool
        may_lack_compare; /* COMPARE AND WRITE may turn out to be a command the LUN does not have */
};

struct mixer_tally {
    unsigned ops[ISKRA_RAW + 1]; /* done, by operation */
    unsigned again_cnt;          /* raw CDBs that met a fault */
    unsigned peak_cnt;           /* most in flight at one time */
};

/* Returns the shadow, as long as the LUN, to be freed; NULL with *why if anything was not as it
 * should be: requests may be in flight then, the initiator must be freed first. why is static. */
uint8_t *mixer_run(struct iskra *ctx, struct iskra_lun *lun, const struct mixer_plan *plan,
                   struct mixer_tally *ret_tally, const char **why);

#endif
