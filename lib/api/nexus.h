/* An I_T nexus (SAM): one session to one target, with everything that makes it work: transport
 * class, host, initiator.
 *
 * LUNs of the same target, portal and options share one (decision 22). It is counted: the first get
 * opens it, the last put logs out and frees it. All callbacks run from the loop. */
#ifndef ISKRA_API_NEXUS_H
#define ISKRA_API_NEXUS_H

#include "api/api.h"
#include "api/url.h"
#include "control/initiator.h"
#include "iscsi/class.h"
#include "scsi/host.h"

enum iskra_nexus_state {
    ISKRA_NEXUS_OPENING,
    ISKRA_NEXUS_UP,
    ISKRA_NEXUS_RECONNECTING, /* lost, and on its way back; LUNs stay, requests wait */
    ISKRA_NEXUS_OFFLINE,      /* the same for too long: requests fail until it is back */
    ISKRA_NEXUS_DOWN,         /* failed, or lost for good; `error` says why */
    ISKRA_NEXUS_CLOSING,      /* last user gone: logging out */
    ISKRA_NEXUS_CLOSED,       /* to be freed at the end of the round */
};

/* One who waits for the nexus to be up. */
struct iskra_nexus_waiter {
    struct iskra_list link;
    void (*fn)(struct iskra_nexus_waiter *w, int status, const struct iskra_error *err);
};

/* Counted over the life of the nexus, whatever becomes of its connections. */
struct iskra_nexus_counts {
    uint64_t logins, unit_attentions, async_messages;
};

struct iskra_nexus {
    struct iskra_list link; /* ctx->nexuses */
    struct iskra *ctx;
    struct iskra_url url;
    enum iskra_nexus_state state;
    unsigned user_cnt;
    struct iskra_class cls;
    struct iskra_shost host;
    struct iskra_initiator *ini;
    struct iskra_list waiters; /* of struct iskra_nexus_waiter */
    struct iskra_list luns;    /* of struct iskra_lun */
    struct iskra_list opens;   /* of struct lun_open (open.c) */
    struct iskra_list looks;   /* of struct look (discover.c) */
    struct iskra_work up_work; /* tells waiters that came when it was up already */
    struct iskra_work free_work;
    void (*closed)(void *arg);
    void *closed_arg;
    struct iskra_error error;
    struct iskra_nexus_counts counts;
    struct iskra_class_host_ops class_ops; /* the host's, with an ear for being given up */
    struct {
        uint64_t lost_ns;
        unsigned failed_cnt;    /* tries since */
        unsigned alike_cnt;     /* of these the last ones, that failed alike */
        struct iskra_error why; /* in this way */
        uint64_t said_ns;       /* when that was logged last */
        bool warned;            /* it has become noticeable */
        bool mute; /* logged in, but LUNs do not tell what they are; given up for now */
    } away;
    bool was_up;                    /* CLOSING: there is a session to log out of */
    int isid_lock_fd;               /* isid= (isid_lock.h); -1: none */
    struct iskra_timer retry_timer; /* OPENING: until the login is tried again */
    unsigned retry_cnt;             /* so far */
    /* Discovery only. */
    int (*entry)(void *arg, const struct iskra_portal_entry *e);
    void *entry_arg;
    int entry_rc;
    bool ended; /* the initiator has closed by itself: nothing to wait for */
};

/* The nexus of this URL: one that is there, or a new one that starts to open. The waiter's fn runs
 * once, from the loop: status 0, or a negative errno with the error. Returns 0 with *ret_nexus
 * held, or a negative errno with *err filled and nothing held. */
int iskra_nexus_get(struct iskra *ctx, const struct iskra_url *url, struct iskra_nexus_waiter *w,
                    struct iskra_nexus **ret_nexus, struct iskra_error *err);

/* A discovery session of its own; entry as in session.h. `w` is told when it has ended, well or
 * not. */
int iskra_nexus_discover(struct iskra *ctx, const struct iskra_url *url,
                         struct iskra_nexus_waiter *w,
                         int (*entry)(void *arg, const struct iskra_portal_entry *e), void *arg,
                         struct iskra_nexus **ret_nexus, struct iskra_error *err);

/* Gives it back. closed (may be NULL) runs once from the loop: for the last user when the session
 * has ended, else soon. */
void iskra_nexus_put(struct iskra_nexus *nexus, void (*closed)(void *arg), void *arg);

/* stats.c. */
void iskra_stats_gather(const struct iskra_nexus *nexus, struct iskra_session_stats *s);

/* ---- between nexus.c and the files beside it ---- */

/* It has been logged in, and may be (again). */
static inline bool iskra_nexus_was_up(const struct iskra_nexus *nexus)
{
    return nexus->state == ISKRA_NEXUS_UP || nexus->state == ISKRA_NEXUS_RECONNECTING ||
           nexus->state == ISKRA_NEXUS_OFFLINE;
}

/* nexus->error as a negative errno. */
int iskra_nexus_status(const struct iskra_nexus *nexus);
void iskra_nexus_tell_waiters(struct iskra_nexus *nexus, int status);

/* nexus_told.c */
extern const struct iskra_initiator_ops iskra_nexus_initiator_ops;
extern const struct iskra_shost_ops iskra_nexus_host_ops;

/* nexus_recovery.c */
void iskra_nexus_attach_host(struct iskra_nexus *nexus);
void iskra_nexus_lost(void *owner, const struct iskra_error *why);
void iskra_nexus_retry(void *owner, unsigned attempt, uint64_t delay_ns,
                       const struct iskra_error *why);
void iskra_nexus_reopened(void *owner);
void iskra_nexus_ready(void *owner); /* its LUNs were looked at after a new login */

/* iskra_free(), as if in a round: ends everything at once. */
void iskra_nexus_abandon_all(struct iskra *ctx);

#endif
