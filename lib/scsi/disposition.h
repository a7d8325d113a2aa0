/* What a command's end means: one pure function of the result, the sense and a few facts (spec 3.4
 * "R4", 3.3 "noretry").
 *
 * SUCCESS means "done deciding": finish.c looks at whether it went well. */
#ifndef ISKRA_SCSI_DISPOSITION_H
#define ISKRA_SCSI_DISPOSITION_H

#include <stdbool.h>
#include <stdint.h>

#include "wire/sense.h"

enum iskra_disposition {
    ISKRA_DISPOSITION_SUCCESS,
    ISKRA_DISPOSITION_NEEDS_RETRY,    /* again at once */
    ISKRA_DISPOSITION_ADD_TO_MLQUEUE, /* again when the device can; not counted as a retry */
    ISKRA_DISPOSITION_FAILED,         /* the error handler's */
    ISKRA_DISPOSITION_CNT
};
const char *iskra_disposition_name(enum iskra_disposition disposition);

struct iskra_verdict_facts {
    uint8_t host_byte, status, opcode;
    struct iskra_sense sense; /* valid false: none that could be read */
    bool device_online;
    bool abort_scheduled; /* the error handler aborted it before */
    bool passthrough;     /* a caller's or the scan's own CDB: says itself what is an error */
    bool makes_safe;      /* SYNCHRONIZE CACHE: an earlier write's error is what it is to tell */
    bool failfast;        /* whoever submitted it prefers an early error */
    uint8_t retries, allowed;
    bool expecting_ua; /* we reset the device: its unit attention is no news */
    bool expecting_lun_change;
    bool allow_restart; /* the error handler may start a stopped unit */
    bool retry_hwerror;
};

struct iskra_decision {
    enum iskra_disposition disposition;
    uint8_t host_byte; /* what the upper layers are to see */
    uint8_t retries;   /* counted up where a retry was considered */
    bool queue_full;   /* TASK SET FULL: the device takes fewer commands than we thought */
    bool queue_good;   /* GOOD: perhaps it takes more */
    bool expected_ua_seen;
    bool unit_attention; /* news for the event callback */
};

/* Does it say that data which was acknowledged before could not be put on the medium? */
bool iskra_sense_lost_write(const struct iskra_sense *sense);

/* The decision on a command that ended with GOOD, whose facts nobody has to gather. */
struct iskra_decision iskra_decision_good(bool device_online, uint8_t retries);

struct iskra_decision iskra_decide_disposition(const struct iskra_verdict_facts *facts);

#endif
