/* The initiator's policy for one session: find the address, connect, log in, follow redirects, log
 * out; discovery as a session of its own kind. It drives the transport class by requests and
 * listens to its events (control/event.h, spec 3.14, 3.15), and touches nothing below in any other
 * way.
 *
 * How a layer above uses it:
 *
 *     iskra_initiator_new(round, &cfg, &ops, owner, &ini, err);
 *     cls.sink = iskra_initiator_sink(ini);
 *     iskra_initiator_attach(ini, &iskra_class_if_ops, &cls);
 *     iskra_initiator_open(ini, err);            ->  up() or down(); in discovery target()... and
 * then closed() or down() iskra_initiator_close(ini);                ->  closed()
 *     iskra_initiator_free(ini);                     at any time, from inside its callbacks too;
 * then the class may go
 *
 * Callbacks run from the round's work list, never from inside a call. After up() a session that is
 * lost comes back by itself (spec 3.15; decisions 21, 26, 28): lost(), then retry() for every try
 * that failed, then reopened(), for as often and as long as it takes. down() after up() means that
 * it has given up for good: the class session stays (terminated, its commands failed) until close
 * or free, so that devices on it need not hurry. How long commands wait for a session that is away
 * is the class's business (its replacement timer), and none of this. */
#ifndef ISKRA_CONTROL_INITIATOR_H
#define ISKRA_CONTROL_INITIATOR_H

#include <stdbool.h>
#include <stdint.h>

#include "control/discovery.h"
#include "control/event.h"
#include "control/login.h"
#include "round.h"
#include "transport/resolve.h"

#define ISKRA_REDIRECTS_MAX 8u

struct iskra_initiator;
struct iskra_pdu_async;

enum iskra_initiator_state {
    ISKRA_INITIATOR_FREE,
    ISKRA_INITIATOR_XPT_WAIT, /* resolving or connecting */
    ISKRA_INITIATOR_IN_LOGIN,
    ISKRA_INITIATOR_LOGGED_IN,
    ISKRA_INITIATOR_IN_LOGOUT,
    ISKRA_INITIATOR_LOGOUT_REQUESTED, /* by the target: ours is on its way */
    ISKRA_INITIATOR_CLEANUP_WAIT,     /* over; the class session is still there */
    ISKRA_INITIATOR_STATE_CNT
};
const char *iskra_initiator_state_name(enum iskra_initiator_state state);

/* Strings are copied. */
struct iskra_initiator_config {
    const char *initiator_name, *initiator_alias; /* alias may be NULL */
    const char *target_name;                      /* NULL: discovery */
    const char *host;                             /* name or address, no brackets */
    uint16_t port;
    bool isid_given; /* else drawn once and kept (decision 21) */
    uint8_t isid[ISKRA_ISID_LEN];
    bool skip_security;
    const struct iskra_chap_config
        *chap; /* NULL: no authentication. Not copied: it outlives this */
    struct iskra_key_offer offer;
    uint64_t login_timeout_ns, logout_timeout_ns;
    uint32_t cmds_max, queue_depth;
    uint64_t ping_timeout_ns, recv_timeout_ns, abort_timeout_ns, lu_reset_timeout_ns,
        tgt_reset_timeout_ns;
    int64_t replacement_timeout_ns; /* negative: never */
    bool fast_abort;
};
void iskra_initiator_config_default(struct iskra_initiator_config *cfg, bool discovery);

struct iskra_initiator_ops {
    /* Full feature phase (not called for discovery). */
    void (*up)(void *owner);
    /* The open failed, or a session that was up has been given up. The error is valid during the
     * call. */
    void (*down)(void *owner, const struct iskra_error *why);
    /* close() is done, or discovery has ended well. */
    void (*closed)(void *owner);
    /* Discovery: one target on one portal; non-zero stops (then closed() follows). Directly from an
     * event: neither close nor free from inside. May be NULL otherwise. */
    int (*target)(void *owner, const struct iskra_target_entry *entry);
    /* Something an operator may want to know; one line. May be NULL. */
    void (*note)(void *owner, const char *line);
    /* An Async Message came, before what it leads to. Directly from an event: neither close nor
     * free from inside. May be NULL. */
    void (*async)(void *owner, const struct iskra_pdu_async *pdu, const uint8_t *data, size_t len);
    /* The session was lost; it is being reopened. May be NULL, as the next two. */
    void (*lost)(void *owner, const struct iskra_error *why);
    /* Try `attempt` (from 1) since the loss has failed; the next begins in delay_ns. */
    void (*retry)(void *owner, unsigned attempt, uint64_t delay_ns, const struct iskra_error *why);
    /* Logged in again, with the same ISID. */
    void (*reopened)(void *owner);
};

/* What a session is doing now, for those who show it. */
struct iskra_initiator_status {
    enum iskra_initiator_state state;
    bool reopening;        /* it was up, was lost, and is not back yet */
    unsigned attempt;      /* reopening: the try under way, or the last one; 0 before the first */
    uint64_t away_ns;      /* reopening: since the loss */
    uint64_t next_ns;      /* reopening: until the next try begins; 0: one is under way */
    uint64_t time2wait_ns; /* of that, what the target has asked for (RFC 7143 Time2Wait) */
    struct iskra_error error; /* the last one: of the loss, or of a try since; kept when it is back
                               */
};

/* Returns 0 with *ret_ini set, or a negative errno: -EINVAL, -ENOMEM, no random bytes. */
int iskra_initiator_new(struct iskra_round *round, const struct iskra_initiator_config *cfg,
                        const struct iskra_initiator_ops *ops, void *owner,
                        struct iskra_initiator **ret_ini, struct iskra_error *err);
void iskra_initiator_free(
    struct iskra_initiator *ini); /* resets what is connected; no callback; NULL is accepted */

struct iskra_event_sink iskra_initiator_sink(struct iskra_initiator *ini);
void iskra_initiator_attach(struct iskra_initiator *ini, const struct iskra_if_ops *if_ops,
                            void *if_handle);

/* Begins. 0: up(), closed() or down() will follow. Else a negative errno with *err filled and
 * nothing begun. Once per object. */
int iskra_initiator_open(struct iskra_initiator *ini, struct iskra_error *err);

/* Logs out if logged in, else ends at once; closed() follows in any case, and up() or down() no
 * more. */
void iskra_initiator_close(struct iskra_initiator *ini);

/* What `info` and `status` show. */
void iskra_initiator_status(const struct iskra_initiator *ini,
                            struct iskra_initiator_status *ret_status);
enum iskra_initiator_state iskra_initiator_state(const struct iskra_initiator *ini);
const struct iskra_key_results *iskra_initiator_keys(const struct iskra_initiator *ini);
const char *iskra_initiator_portal(
    const struct iskra_initiator *ini); /* "127.0.0.1:3260" as connected; "" before */
/* Where another login should begin: the host and port of the configuration, or where they have
 * moved to permanently. */
const struct iskra_target_address *iskra_initiator_home(const struct iskra_initiator *ini);
const uint8_t *iskra_initiator_isid(const struct iskra_initiator *ini);
uint16_t iskra_initiator_tsih(const struct iskra_initiator *ini);
uint32_t
iskra_initiator_sid(const struct iskra_initiator *ini); /* of the class; 0 before CREATE_SESSION */
const struct iskra_error *iskra_initiator_why(const struct iskra_initiator *ini); /* why it ended */

#endif
