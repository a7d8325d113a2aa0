/* A row of the probe: one question to the LUN. */
#ifndef ISKRA_SCSI_PROBE_ROW_H
#define ISKRA_SCSI_PROBE_ROW_H

#include <stdint.h>

#include "scsi/probe.h"

/* Build sreq.cdb and return its length (0: this step is not for this device); take what
 * came. take() returns 0, or a negative errno that ends the probe. refused() is for an answer that
 * was an error; NULL: the next step, please. */
struct iskra_probe_row {
    unsigned (*ask)(struct iskra_probe *p);
    int (*take)(struct iskra_probe *p, const uint8_t *bytes, uint32_t len);
    int (*refused)(struct iskra_probe *p, int status);
    uint16_t first_len;
};

/* From ISKRA_PROBE_MODE_SENSE on: what only disks are asked. */
extern const struct iskra_probe_row iskra_probe_disk_rows[ISKRA_PROBE_END];

#endif
