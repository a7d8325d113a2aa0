/* The mid-layer with a fake session below it, which keeps what it is given until the test, or a
 * fake target, answers. */
#ifndef SCSI_RIG_H
#define SCSI_RIG_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "iscsi/eh.h"
#include "scsi/device.h"
#include "scsi/eh.h"
#include "scsi/host.h"
#include "scsi/request.h"
#include "unit/block/counted_platform.h"
#include "wire/cdb.h"
#include "wire/sense.h"

#define RIG_S         UINT64_C(1000000000)
#define RIG_MS        UINT64_C(1000000)
#define RIG_SENT_MAX  4096
#define RIG_IO_CNT    40
#define RIG_DATA_LEN  (6u * 1024u * 1024u)
#define RIG_BLOCK_LEN 512u
#define RIG_BLOCK_CNT (UINT64_C(1) << 33) /* beyond the reach of READ(10) */

#define RIG_NOTE_MAX 64

struct rig;

/* What the error handler asks of the session, and how that ends: by itself in the same round, or
 * when the test says so. */
enum rig_eh_kind {
    RIG_ABORT,
    RIG_LUN_RESET,
    RIG_TARGET_RESET,
    RIG_SESSION_RESET,
    RIG_EH_KIND_CNT
};
enum rig_eh_answer {
    RIG_EH_BAD,
    RIG_EH_GOOD,
    RIG_EH_SILENT
};

struct rig_eh {
    enum rig_eh_answer answer[RIG_EH_KIND_CNT]; /* all BAD but the session reset: SILENT */
    struct iskra_eh_op *op[RIG_EH_KIND_CNT];    /* under way */
    unsigned cnt[RIG_EH_KIND_CNT];
    uint64_t lun;              /* of the last LUN reset */
    bool loan;                 /* what is given back is kept as `loaned`: scsi_done comes later */
    struct iskra_cmnd *loaned; /* the last one */
    char notes[RIG_NOTE_MAX][256];
    unsigned note_cnt;
};

/* A command as the session saw it. */
struct rig_sent {
    struct iskra_cmnd *cmnd; /* NULL: answered */
    struct iskra_cdb cdb;
    uint64_t lun;
    uint32_t transfer_len;
    size_t iov_skip;
};

struct rig_io {
    struct iskra_scsi_request sreq; /* first */
    struct rig *rig;
    struct iskra_error error;
    struct iovec iov;
    unsigned done_cnt;
    void (*on_done)(struct rig_io *io);
};

struct rig {
    struct counted_memory memory;
    struct iskra_platform pf;
    struct iskra_round round;
    struct iskra_session session;
    struct iskra_shost host;
    struct iskra_sdev *sdev; /* a disk, RUNNING */
    struct rig_sent sent[RIG_SENT_MAX];
    unsigned sent_cnt;
    enum iskra_queue_status refuse; /* what queuecommand says, instead of taking it */
    bool held;                      /* what queuecommand takes stays in the session's queue */
    unsigned refused_cnt;
    uint32_t aside_cnt;  /* tasks are set aside for so many commands */
    unsigned window_len; /* so many commands out close the command window; 0: it is always open */
    unsigned abort_cnt;  /* commands that the session was asked to abort */
    bool keeps_memory;   /* a driver receives into what was sent, and cannot stop */
    enum iskra_eh_verdict verdict;
    unsigned judged_cnt;
    unsigned fail_session_cnt;
    char fail_session_text[256];
    struct rig_eh eh;
    unsigned ua_cnt;
    unsigned ready_cnt; /* the devices can be used again */
    unsigned capacity_cnt;
    uint64_t capacity_was;
    uint8_t ua_asc, ua_ascq;
    void (*target)(struct rig *r, struct iskra_cmnd *cmnd); /* answers at the end of each pass */
    void *target_arg;
    struct rig_io ios[RIG_IO_CNT];
    uint8_t *data;
};

int rig_setup(void **state);
int rig_teardown(void **state);

struct iskra_sdev *rig_disk(struct rig *r, uint64_t lun); /* one more RUNNING disk */

void rig_work(struct rig *r);                       /* until there is none */
void rig_advance_to(struct rig *r, uint64_t to_ns); /* timers in order, work after each */
struct rig_io *rig_io(struct rig *r, unsigned n);   /* fresh, on r->sdev */
struct rig_io *rig_read(struct rig *r, unsigned n, uint64_t lba, uint32_t block_cnt);
struct rig_io *rig_tur(struct rig *r, unsigned n); /* a raw TEST UNIT READY */
unsigned rig_out_cnt(const struct rig *r);         /* sent and not answered */

/* Answers and lets the work run. index: into r->sent. */
void rig_answer(struct rig *r, unsigned index, uint32_t result, uint32_t residual);
void rig_answer_good(struct rig *r, unsigned index);
void rig_answer_sense(struct rig *r, unsigned index, uint8_t key, uint8_t asc, uint8_t ascq);
void rig_set_sense(struct iskra_cmnd *cmnd, const struct iskra_sense *sense);
void rig_eh_tell(struct rig *r, enum rig_eh_kind kind, enum iskra_eh_outcome outcome);
uint32_t rig_eh_cnt(const struct rig *r); /* commands in the error handler's hands */
void rig_eh_lost(struct rig *r);          /* what is under way fails with the session */
void rig_return_loan(struct rig *r);
void rig_note(void *arg, bool warning, const char *line);
bool rig_noted(const struct rig *r, const char *line); /* false: prints what was noted */

/* What a lost session does: every command comes back DID_TRANSPORT_DISRUPTED. */
void rig_fail_tasks(struct rig *r);
void rig_session_lost(struct rig *r,
                      const char *why); /* FAILED, with an error; the tasks are still out */

/* Copies data to the command's memory; what does not fit, or is missing, becomes the residual.
 * GOOD. */
void rig_data_in(struct iskra_cmnd *cmnd, const void *bytes, uint32_t len);

#endif
