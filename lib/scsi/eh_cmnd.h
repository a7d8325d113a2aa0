/* A command of the mid-layer's own that goes past the queue, its timers and admission straight to
 * queuecommand, while requests wait: TEST UNIT READY and REQUEST SENSE of the error handler, what a
 * new login has to ask (spec 3.5, "EH-issued command").
 *
 * One command at a time per struct. fn runs once per command, from the loop, never from inside a
 * call, and never while the session still has the command: what is not answered in time is aborted,
 * and if that fails the session is dropped. */
#ifndef ISKRA_SCSI_EH_CMND_H
#define ISKRA_SCSI_EH_CMND_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "iscsi/cmd.h"
#include "iscsi/eh.h"
#include "scsi/disposition.h"
#include "scsi/request.h"
#include "timer.h"
#include "work.h"

#define ISKRA_EH_TIMEOUT_NS    UINT64_C(10000000000) /* of a TEST UNIT READY */
#define ISKRA_EH_BUSY_RETRY_NS UINT64_C(100000000)

struct iskra_sdev;
struct iskra_shost;
struct iskra_eh_cmnd;

typedef void iskra_eh_cmnd_fn(struct iskra_eh_cmnd *c, enum iskra_disposition d);

struct iskra_eh_cmnd {
    struct iskra_cmnd cmnd; /* in fn: result, residual, sense */
    struct iskra_shost *host;
    struct iskra_sdev *sdev;
    iskra_eh_cmnd_fn *fn;     /* NULL: none is under way */
    struct iskra_timer timer; /* the next try while busy; the end of the command's time */
    struct iskra_work work;   /* brings the outcome */
    struct iskra_eh_op op;    /* aborts it */
    uint64_t deadline_ns;
    uint64_t timeout_ns;
    unsigned retries_left;
    bool lent;      /* the session has it */
    bool timed_out; /* its end is waited for: FAILED */
    struct iovec iov;
    uint8_t cdb[ISKRA_REQUEST_CDB_LEN];
};

int iskra_eh_cmnd_init(struct iskra_eh_cmnd *c, struct iskra_shost *host); /* 0 or -ENOMEM */
void iskra_eh_cmnd_done(struct iskra_eh_cmnd *c);

/* Reads len bytes (0: none) into buf, which is lent until fn runs. cdb is copied. While the session
 * is busy it is tried again every 100 ms; one that is not LOGGED_IN is FAILED at once. */
void iskra_eh_cmnd_send(struct iskra_eh_cmnd *c, struct iskra_sdev *sdev, const uint8_t *cdb,
                        unsigned cdb_len, void *buf, uint32_t len, uint64_t timeout_ns,
                        iskra_eh_cmnd_fn *fn);

/* TEST UNIT READY: 10 s, and once more if the answer is NEEDS_RETRY. */
void iskra_eh_cmnd_tur(struct iskra_eh_cmnd *c, struct iskra_sdev *sdev, iskra_eh_cmnd_fn *fn);

/* fn will not run. A command that is out is aborted; until it is back no other can be sent. */
void iskra_eh_cmnd_cancel(struct iskra_eh_cmnd *c);

#endif
