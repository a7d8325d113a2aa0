/* An open logical unit: a device of a nexus, and whose it is. */
#ifndef ISKRA_API_LUN_H
#define ISKRA_API_LUN_H

#include <stdatomic.h>

#include "api/nexus.h"
#include "scsi/device.h"

struct iskra_lun {
    struct iskra_list link; /* nexus->luns */
    struct iskra *ctx;
    struct iskra_nexus *nexus; /* not once the device is gone */
    struct iskra_sdev *sdev;
    uint16_t number;
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
    /* iskra_post(): requests on their way to the loop, and in the highest bit that no more may
     * begin it. The LUN is not freed before the last has arrived. */
    atomic_uint posts;
    struct iskra_work end_work;
};

#define ISKRA_LUN_POSTS_OVER 0x80000000u

/* The one place where a LUN begins to close: nothing is taken any more. */
static inline void iskra_lun_set_closing(struct iskra_lun *lun)
{
    lun->closing = true;
    (void)atomic_fetch_or(&lun->posts, ISKRA_LUN_POSTS_OVER);
}

void iskra_lun_describe(const struct iskra_sdev *sdev, struct iskra_lun_info *ret_info);

#endif
