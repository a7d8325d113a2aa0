/* What the error handler is doing: for the status, the log, and whoever waits (spec 3.5). */
#ifndef ISKRA_SCSI_EH_STATUS_H
#define ISKRA_SCSI_EH_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct iskra_shost;

/* The steps of the ladder, in order. ABORT is the one that leaves the host running. */
enum iskra_eh_rung {
    ISKRA_EH_RUNG_NONE,  /* nothing to do */
    ISKRA_EH_RUNG_ABORT, /* a command is being aborted, or soon will be */
    ISKRA_EH_RUNG_WAIT,  /* the host is in recovery: what else is out is waited for */
    ISKRA_EH_RUNG_SENSE,
    ISKRA_EH_RUNG_LUN_RESET,
    ISKRA_EH_RUNG_TARGET_RESET,
    ISKRA_EH_RUNG_SESSION_RESET, /* the connection is dropped, and a new login is waited for */
    ISKRA_EH_RUNG_OFFLINE,       /* nothing helped: devices are given up */
    ISKRA_EH_RUNG_FLUSH,         /* what the ladder is through with goes back, or ends */
    ISKRA_EH_RUNG_CNT
};
const char *iskra_eh_rung_name(enum iskra_eh_rung rung); /* "LUN_RESET"; "?" */

struct iskra_eh_status {
    enum iskra_eh_rung rung;
    bool testing;      /* the rung has succeeded, and TEST UNIT READY asks what it was worth */
    bool lun_valid;    /* the step, or its first command, is one LUN's */
    uint64_t lun;      /* the 8 bytes of SAM */
    bool cmnd_valid;   /* there is a command that all this is about: the next three */
    uint8_t opcode;    /* of the command that is longest in the handler's hands */
    uint32_t itt;      /* its tag; 0xffffffff: the session has given it back */
    uint64_t age_ns;   /* since it was sent first, without the time its session was away */
    uint64_t since_ns; /* how long this step has taken so far */
    uint32_t cmnd_cnt; /* commands in its hands */
    uint32_t wait_cnt; /* WAIT: others that are out and have to come back first (decision 11) */
};

void iskra_eh_status(const struct iskra_shost *host, struct iskra_eh_status *st);

#endif
