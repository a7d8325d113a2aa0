/* The list of a target's LUNs, by one REPORT LUNS to one LUN; the buffer grows with the list,
 * within bounds (decision 39). */
#ifndef ISKRA_SCSI_REPORT_LUNS_H
#define ISKRA_SCSI_REPORT_LUNS_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

#include "scsi/request.h"
#include "wire/luns.h"

#define ISKRA_REPORT_LUNS_LEN_FIRST 4096u /* 511 LUNs */
#define ISKRA_REPORT_LUNS_LEN_MAX   (16u * 1024u * 1024u)

struct iskra_report_luns {
    struct iskra_scsi_request sreq;
    struct iovec iov;
    struct iskra_sdev *sdev;
    uint8_t *buf;
    uint32_t buf_len;
    uint8_t tries;
    bool canceled;
    struct iskra_error error;
    struct iskra_luns luns; /* after done() with 0: into buf */
    void (*done)(struct iskra_report_luns *rl, int status);
};

/* done() runs once, from the loop, with 0 or what went wrong (rl->error); 0 if it will, else a
 * negative errno. The buffer is kept from one start to the next, until iskra_report_luns_free().
 * Zero the struct before first use. */
int iskra_report_luns_start(struct iskra_report_luns *rl, struct iskra_sdev *sdev,
                            void (*done)(struct iskra_report_luns *rl, int status));
void iskra_report_luns_cancel(struct iskra_report_luns *rl);
void iskra_report_luns_free(struct iskra_report_luns *rl, const struct iskra_platform *pf);

#endif
