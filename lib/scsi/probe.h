/* The probe: what one LUN says of itself, a step after the other, written into its device
 * (spec 3.6).
 *
 * INQUIRY (36 bytes, then what it offers), VPD 00h, 80h, 83h, MODE SENSE, READ CAPACITY, VPD B0h
 * and B2h, REPORT SUPPORTED OPERATION CODES for WRITE SAME(16). Each step is a row of a table in
 * probe.c: how to ask, how to take the answer. A page that is refused or makes no sense leaves its
 * fields empty; only INQUIRY and a lost connection end the probe early. If the session is lost on
 * the way and comes back, all is asked anew: it may be another disk now, and nobody has compared
 * yet. */
#ifndef ISKRA_SCSI_PROBE_H
#define ISKRA_SCSI_PROBE_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

#include "scsi/request.h"
#include "scsi/space.h"

struct iskra_probe;

enum iskra_probe_step {
    ISKRA_PROBE_READY, /* only of a LUN that is probed again */
    ISKRA_PROBE_INQUIRY,
    ISKRA_PROBE_INQUIRY_LONG,
    ISKRA_PROBE_VPD_SUPPORTED,
    ISKRA_PROBE_VPD_SERIAL,
    ISKRA_PROBE_VPD_DEVICE_ID,
    ISKRA_PROBE_MODE_SENSE,
    ISKRA_PROBE_MODE_CACHING,      /* when it was not among all pages */
    ISKRA_PROBE_CAPACITY_16_FIRST, /* SPC-3 and later */
    ISKRA_PROBE_CAPACITY_10,
    ISKRA_PROBE_CAPACITY_16, /* when (10) has no room for it */
    ISKRA_PROBE_VPD_LIMITS,
    ISKRA_PROBE_VPD_PROVISIONING,
    ISKRA_PROBE_WRITE_SAME, /* is there one of 16 bytes, and what does it look at? */
    ISKRA_PROBE_END
};

#define ISKRA_PROBE_BUF_LEN 4096u

struct iskra_probe {
    struct iskra_scsi_request sreq;
    struct iovec iov;
    struct iskra_sdev *sdev;
    enum iskra_probe_step step;
    uint16_t ask_len; /* of the step that is out */
    uint8_t tries;    /* of this step so far */
    uint8_t begin_cnt;
    uint32_t life; /* of the host's, in which it has begun */
    bool canceled;
    bool again; /* iskra_probe_again() */
    bool serial_offered, id_offered, limits_offered, provisioning_offered, capacity16_due;
    uint8_t inquiry_len; /* what the LUN offers */
    struct iskra_space_facts space;
    struct iskra_error error;          /* of the step that is out */
    struct iskra_error capacity_error; /* why a disk's capacity is not known */
    void (*done)(struct iskra_probe *probe, int status);
    uint8_t buf[ISKRA_PROBE_BUF_LEN];
};

/* Starts. done() runs once, from the loop, with 0 (sdev filled as far as the LUN told), -ENXIO (no
 * such LUN), or what went wrong (probe->error). Returns 0 if it will, else a negative errno with
 * probe->error filled. */
int iskra_probe_start(struct iskra_probe *probe, struct iskra_sdev *sdev,
                      void (*done)(struct iskra_probe *probe, int status));
/* The same for a LUN whose twin was probed before: TEST UNIT READY first, until no unit attention
 * comes, then all but limits and what it knows of space. */
int iskra_probe_again(struct iskra_probe *probe, struct iskra_sdev *sdev,
                      void (*done)(struct iskra_probe *probe, int status));
void iskra_probe_cancel(struct iskra_probe *probe);

/* Is this an answer worth asking again for: a unit attention? */
bool iskra_probe_unit_attention(const struct iskra_error *err);

/* Did the LUN answer at all (with whatever status), or was there nobody to answer? */
bool iskra_probe_answered(const struct iskra_error *err);

#endif
