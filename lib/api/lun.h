/* An open logical unit: a device of a nexus, and whose it is. */
#ifndef ISKRA_API_LUN_H
#define ISKRA_API_LUN_H

#include "api/nexus.h"
#include "scsi/device.h"

struct iskra_lun {
    struct iskra_list link; /* nexus->luns */
    struct iskra_nexus *nexus;
    struct iskra_sdev *sdev;
    uint16_t number;
    bool closing;
    void (*closed)(void *arg);
    void *closed_arg;
};

void iskra_lun_describe(const struct iskra_sdev *sdev, struct iskra_lun_info *ret_info);

#endif
