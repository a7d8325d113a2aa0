/* What the error handler is doing: for the status, the log, and whoever waits (spec 3.5). */
#ifndef ISKRA_SCSI_EH_STATUS_H
#define ISKRA_SCSI_EH_STATUS_H

#include <stdbool.h>
#include <stdint.h>

struct iskra_shost;

/* The steps of the ladder, in order: id, for whom, what is done, how long it is waited for, what
 * comes of it. NONE is not on the ladder, and ABORT is the one that leaves the host running. */
#define ISKRA_EH_RUNGS(X)                                                                          \
    X(NONE, "", "", "", "")                                                                        \
    X(ABORT, "a command, 10 ms after its EH_NOT_HANDLED; one at a time, the host goes on",         \
      "ABORT TASK", "`abort_timeout`",                                                             \
      "ended: it is sent again, or ends as timed out; refused, or its second timeout: WAIT; no "   \
      "answer: the connection fails, WAIT")                                                        \
    X(WAIT, "the host: RECOVERY, nothing new is sent", "what else is out is waited for",           \
      "the time of each of these", "all are back, or on the ladder too: SENSE")                    \
    X(SENSE, "a command with CHECK CONDITION and no sense data", "REQUEST SENSE", "10 s",          \
      "sense: it is judged once more; none: LUN_RESET, if it may be sent again afterwards")        \
    X(LUN_RESET, "each device with a command on the ladder, one by one", "LOGICAL UNIT RESET",     \
      "`lu_reset_timeout`",                                                                        \
      "done and ready: FLUSH; else TARGET_RESET, but for commands that were answered: FLUSH")      \
    X(TARGET_RESET, "the target, once", "TARGET WARM RESET", "`tgt_reset_timeout`",                \
      "done: the devices that are ready, FLUSH; the others: SESSION_RESET")                        \
    X(SESSION_RESET, "the session, and again, five times at most, if it falls under the test",     \
      "the connection is dropped (1021), a new login is waited for", "`replacement_timeout`",      \
      "logged in: the devices that are ready, FLUSH; the others: OFFLINE")                         \
    X(OFFLINE, "each device that is left", "", "",                                                 \
      "session LOGGED_IN: OFFLINE until a later login; gone: TRANSPORT_OFFLINE; on its way back: " \
      "as it is; all: FLUSH")                                                                      \
    X(FLUSH, "each command the ladder is through with", "", "",                                    \
      "sent again if it may be done twice, has a try left and a device that is online; else it "   \
      "ends; the host is RUNNING")

#define ISKRA_EH_RUNG_ENUM(id, whom, act, limit, after) ISKRA_EH_RUNG_##id,
enum iskra_eh_rung {
    ISKRA_EH_RUNGS(ISKRA_EH_RUNG_ENUM) ISKRA_EH_RUNG_CNT
};

struct iskra_eh_rung_words {
    const char *name; /* "LUN_RESET" */
    const char *whom, *act, *limit, *after;
};
const struct iskra_eh_rung_words *iskra_eh_rung_words(enum iskra_eh_rung rung); /* NULL: none */
const char *iskra_eh_rung_name(enum iskra_eh_rung rung);                        /* "?": none */

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
