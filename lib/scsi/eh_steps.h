/* The error handler's inside: shared by eh*.c only. */
#ifndef ISKRA_SCSI_EH_STEPS_H
#define ISKRA_SCSI_EH_STEPS_H

#include "iscsi/eh.h"
#include "scsi/eh.h"
#include "scsi/eh_cmnd.h"

#define ISKRA_EH_ABORT_DELAY_NS     UINT64_C(10000000)
#define ISKRA_EH_SENSE_TIMEOUT_NS   UINT64_C(10000000000)
#define ISKRA_EH_SESSION_RESETS_MAX 5u /* per climb: one that falls again is waited for again */
#define ISKRA_EH_MEDIUM_TIMEOUTS    2u /* climbs for a device that is ready, and yet does no I/O */

/* Where a rung is. */
enum iskra_eh_step {
    ISKRA_EH_STEP_NEXT, /* nothing is out: what is next? */
    ISKRA_EH_STEP_ACT,  /* a reset or REQUEST SENSE is out */
    ISKRA_EH_STEP_ACTED,
    ISKRA_EH_STEP_TEST, /* TEST UNIT READY is out */
    ISKRA_EH_STEP_TESTED,
    ISKRA_EH_STEP_CNT
};

struct iskra_eh {
    struct iskra_shost *host;
    struct iskra_work work;

    /* Requests, by rq.link. */
    struct iskra_list aborts; /* to be aborted from rq.deadline_ns on; the first one's may be out */
    struct iskra_list failed; /* what the ladder is climbed for */
    struct iskra_list over;   /* the ladder is through with them: flushed at its end */
    struct iskra_list loaned; /* their fate is decided, and waits for scsi_done */

    struct iskra_timer abort_timer;
    struct iskra_eh_op abort_op;
    bool abort_out;
    uint64_t abort_since_ns;

    enum iskra_eh_rung rung; /* from WAIT on; else NONE */
    enum iskra_eh_step step;
    struct iskra_sdev *sdev;         /* whom the step is at; NULL: all */
    struct iskra_scsi_request *sreq; /* SENSE: of whom; NULL: has gone meanwhile */
    struct iskra_eh_op op;
    struct iskra_eh_cmnd cmnd;
    bool good;              /* ACTED, TESTED: how it went */
    bool whole_target_done; /* target or session reset: device by device is tested what it did */
    bool session_suspect;
    unsigned session_reset_cnt;
    unsigned again_cnt, ended_cnt; /* by the flush, for the log */
    uint64_t climb_since_ns, rung_since_ns, step_since_ns;
    struct iovec sense_iov;
    uint8_t sense[ISKRA_SENSE_LEN_MAX];
};

static inline struct iskra_scsi_request *iskra_eh_sreq_at(struct iskra_list *link)
{
    return iskra_scsi_request_of(iskra_container_of(link, struct iskra_request, link));
}

/* eh.c */
void iskra_eh_fail(struct iskra_eh *eh, struct iskra_scsi_request *sreq); /* up the ladder */
/* Its fate: sent again if it may be, else it ends. Waits for scsi_done first. */
void iskra_eh_settle(struct iskra_eh *eh, struct iskra_scsi_request *sreq);
/* Off every list of the handler's. */
void iskra_eh_take(struct iskra_eh *eh, struct iskra_scsi_request *sreq);
bool iskra_eh_past_deadline(const struct iskra_shost *host);

/* eh_abort.c */
int iskra_eh_abort_init(struct iskra_eh *eh); /* 0 or -ENOMEM */
void iskra_eh_abort_schedule(struct iskra_eh *eh, struct iskra_scsi_request *sreq);
void iskra_eh_abort_returned(struct iskra_eh *eh, struct iskra_scsi_request *sreq);
bool iskra_eh_abort_is_out(const struct iskra_eh *eh, const struct iskra_scsi_request *sreq);
void iskra_eh_abort_withdraw(struct iskra_eh *eh, const struct iskra_scsi_request *sreq);

/* eh_ladder.c */
void iskra_eh_climb(struct iskra_eh *eh);     /* what can be done now */
void iskra_eh_step_drop(struct iskra_eh *eh); /* what is out is not waited for any more */
void iskra_eh_set_rung(struct iskra_eh *eh, enum iskra_eh_rung rung);
void iskra_eh_set_step(struct iskra_eh *eh, enum iskra_eh_step step);
void iskra_eh_let_go(struct iskra_eh *eh); /* of the device the step was at */
/* The first command of the device that the ladder is climbed for; NULL: none. */
struct iskra_scsi_request *iskra_eh_failed_of(const struct iskra_eh *eh,
                                              const struct iskra_sdev *sdev);
/* What is out is back; the work takes it from here. */
void iskra_eh_answer(struct iskra_eh *eh, enum iskra_eh_step step, bool good);
/* The device is OFFLINE, unless it is being removed; each request that fails for it tells why. */
void iskra_eh_give_up(const struct iskra_eh *eh, struct iskra_sdev *sdev, const char *why);
/* The ladder is through with it, or with all of a device. */
void iskra_eh_over(struct iskra_eh *eh, struct iskra_scsi_request *sreq);
void iskra_eh_over_all_of(struct iskra_eh *eh, const struct iskra_sdev *sdev);

/* eh_sense.c, eh_test.c */
void iskra_eh_sense_next(struct iskra_eh *eh);
/* Those that were answered, with whatever: not worth what else the target and the session do. */
void iskra_eh_drop_answered(struct iskra_eh *eh);
void iskra_eh_take_sensed(struct iskra_eh *eh);
void iskra_eh_test(struct iskra_eh *eh, struct iskra_sdev *sdev);
void iskra_eh_take_tested(struct iskra_eh *eh);
bool iskra_eh_sense_missing(const struct iskra_scsi_request *sreq);
void iskra_eh_op_told(struct iskra_eh_op *op, enum iskra_eh_outcome outcome);

/* eh_words.c */
void iskra_eh_note(const struct iskra_eh *eh, bool warning, const struct iskra_sdev *sdev,
                   const char *fmt, ...) __attribute__((format(printf, 4, 5)));
void iskra_eh_note_cmnd(const struct iskra_eh *eh, bool warning,
                        const struct iskra_scsi_request *sreq, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
void iskra_eh_why(const struct iskra_scsi_request *sreq, struct iskra_error *why);
double iskra_eh_s(uint64_t ns); /* for the log */
uint32_t iskra_eh_cnt(const struct iskra_list *requests);
uint32_t iskra_eh_waits_for(const struct iskra_eh *eh); /* out, and not among the failed */
uint64_t iskra_eh_age_ns(const struct iskra_scsi_request *sreq);

#endif
