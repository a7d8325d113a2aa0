/* The host: a session as the mid-layer sees it (spec 2, 3.4, 3.5). One session = one host = one
 * target = N devices.
 *
 * It counts what is out, says whether anything may be sent now, and passes the transport class's
 * block, unblock and transport_offline on to its devices. */
#ifndef ISKRA_SCSI_HOST_H
#define ISKRA_SCSI_HOST_H

#include <stdbool.h>
#include <stdint.h>

#include "error.h"
#include "iscsi/class.h"
#include "iscsi/session.h"
#include "list.h"
#include "round.h"
#include "scsi/device.h"

struct iskra_eh;
struct iskra_shost;

enum iskra_shost_state {
    ISKRA_SHOST_CREATED,
    ISKRA_SHOST_RUNNING,
    ISKRA_SHOST_RECOVERY, /* the error handler has it: nothing new is sent */
    ISKRA_SHOST_CANCEL,
    ISKRA_SHOST_CANCEL_RECOVERY,
    ISKRA_SHOST_DEL,
    ISKRA_SHOST_STATE_CNT
};
const char *iskra_shost_state_name(enum iskra_shost_state state);

/* What the host asks of those who made it (lib/api). */
struct iskra_shost_ops {
    /* A line for the log, at every step of error handling; warning: a step that costs something.
     * May be NULL. */
    void (*note)(void *arg, bool warning, const char *line);
    /* A unit attention was seen, by whomever (decision 27). May be NULL. */
    void (*unit_attention)(void *arg, struct iskra_sdev *sdev, uint8_t asc, uint8_t ascq);
    /* A disk that came back has another size; was_cnt: in blocks, before. May be NULL. */
    void (*capacity_changed)(void *arg, struct iskra_sdev *sdev, uint64_t was_cnt);
    /* After a new login: every device was looked at, and can be used, or not, for reasons of its
     * own (revalidate.h). Perhaps more than once. May be NULL. */
    void (*ready)(void *arg);
    /* The device was reset and may have lost so many acknowledged writes that no flush had covered
     * (decision 30). May be NULL. */
    void (*cache_lost)(void *arg, struct iskra_sdev *sdev, uint64_t write_cnt);
};

/* Since the host was made. */
struct iskra_shost_counts {
    uint64_t commands; /* handed to the session */
    uint64_t retries;  /* of these, sent again because an earlier try had failed */
    uint64_t timeouts; /* commands that were not done in time, saved or not */
};

struct iskra_shost {
    struct iskra_round *round;
    struct iskra_session
        *session; /* NULL: there is none any more; set by iskra_shost_set_session */
    const struct iskra_shost_ops *ops;
    void *ops_arg;
    enum iskra_shost_state state;
    struct iskra_list devices; /* of struct iskra_sdev */
    struct iskra_list starved; /* of struct iskra_sdev: waiting for target or host */
    struct iskra_work starved_work;
    uint32_t host_busy, target_busy; /* commands handed to the session */
    uint32_t can_queue;              /* for both */
    struct iskra_shost_counts counts;
    uint64_t rq_timeout_ns; /* what its devices begin with; 0: ISKRA_SDEV_TIMEOUT_NS */
    uint32_t host_blocked, target_blocked;
    uint64_t stuck_since_ns;   /* host's clock: refused although nothing is out; 0: not so */
    struct iskra_eh *eh;       /* the error handler (scsi/eh.h); NULL before the first device */
    bool serving_starved;      /* the device whose queue runs now has its turn */
    uint32_t life;             /* how often its session has begun, or begun anew */
    bool clock_paused;         /* blocked_since_ns counts */
    bool self_blocked;         /* the transport class blocked it */
    bool transport_offline;    /* devices made now are offline too */
    uint64_t blocked_since_ns; /* while blocked or in recovery */
    uint64_t
        blocked_total_ns;   /* before that: does not count towards a request's time (decision 14) */
    uint64_t last_reset_ns; /* 0: no error handling under way (notes F39) */
    struct iskra_timer again_timer; /* asks disks again that gave no answer (revalidate.c) */
    int64_t eh_deadline_ns;         /* -1: off */
    bool flush_after_reset_fails;   /* the next flush after cache_lost(), once */
    struct iskra_error error;       /* why the session ended, once it has */
};

/* The device waits for no place any more, if it did: it is the next one's turn. */
void iskra_shost_not_starved(struct iskra_sdev *sdev);

/* The host exists for as long as its class; session may be NULL until CREATE_SESSION. */
void iskra_shost_init(struct iskra_shost *host, struct iskra_round *round,
                      const struct iskra_shost_ops *ops, void *ops_arg);

/* Removes what devices there are, at once (iskra_sdev_remove_now). */
void iskra_shost_done(struct iskra_shost *host);
void iskra_shost_set_session(struct iskra_shost *host, struct iskra_session *session);

/* Its devices are to have so many commands out at once, if there is memory for that. It
 * allocates: for when a device is opened, not for when it is used. */
void iskra_shost_set_tasks_aside(struct iskra_shost *host, uint32_t cmnd_cnt);

/* For iskra_class_set_host(class, &iskra_shost_class_ops, host). */
extern const struct iskra_class_host_ops iskra_shost_class_ops;

/* The only place that changes host->state. false if the transition does not exist. */
bool iskra_shost_set_state(struct iskra_shost *host, enum iskra_shost_state state);
bool iskra_shost_state_may_change(enum iskra_shost_state from, enum iskra_shost_state to);

/* May a command go out at all now: host RUNNING, not blocked, session LOGGED_IN (decision 12)? */
bool iskra_shost_may_dispatch(const struct iskra_shost *host);

/* Time on the host's own clock, which stands still while it is blocked or recovering. Never 0. */
uint64_t iskra_shost_active_ns(const struct iskra_shost *host);

#endif
