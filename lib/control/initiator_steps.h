/* The inside of an initiator, for the files that are its steps: initiator.c (life),
 * initiator_events.c (states and events), connect.c (addresses), establish.c (from a connected
 * socket to full feature phase), logout.c (ends the target has a part in), sendtargets.c,
 * renegotiate.c (text in full feature phase, when the target wants it), reopen.c (after a loss),
 * rivals.c (when not to). */
#ifndef ISKRA_CONTROL_INITIATOR_STEPS_H
#define ISKRA_CONTROL_INITIATOR_STEPS_H

#include "control/initiator.h"

/* All answers of a discovery together have that many login timeouts: a target that says next to
 * nothing each time would go on for ever. */
#define ISKRA_DISCOVERY_TIMEOUTS 20u

/* Losses in a row that look like another initiator's doing, and are the end (decision 21). */
#define ISKRA_RIVALS_MAX 3u

/* What is done from the work list, when no event of the class is on the stack. Larger ones overrule
 * smaller ones. */
enum iskra_initiator_next {
    ISKRA_NEXT_NONE,
    ISKRA_NEXT_UP,       /* full feature phase: tell, or ask for the targets */
    ISKRA_NEXT_REDIRECT, /* drop the connection, connect to where the target is (now) */
    ISKRA_NEXT_END,
};

/* How a session that was lost comes back (reopen.c). Times are the round's. */
struct iskra_reopen {
    bool begun;     /* up() was called: from then on a loss is not the end */
    bool told;      /* the layer above believes it to be up */
    bool logged_in; /* it is in full feature phase */
    bool never;     /* it must not come back */
    bool waiting;   /* XPT_WAIT: for next_ns */
    bool holding;   /* XPT_WAIT: for elsewhere_ns, between the look-up and the connection */
    bool sent_away; /* by an Asynchronous Message or a Logout Response */
    unsigned attempt;
    unsigned row; /* place in the row of delays */
    uint64_t login_ns, lost_ns, next_ns;
    uint64_t time2wait_ns;       /* what the target has asked for, until the loss */
    uint64_t time2wait_until_ns; /* and from then on */
    uint64_t not_before_ns;      /* the next try; used once */
    uint64_t elsewhere_ns;       /* no command through another portal before (decision 26) */
    uint64_t rx_pdus;            /* at the login */
    struct iskra_error error;    /* the last one */
    /* The session that was lost, or is up. */
    char portal[ISKRA_ADDRESS_TEXT];
    uint32_t tpgt;
    bool redirected;    /* there from somewhere else */
    uint16_t last_tsih; /* of the one before it */
    unsigned rival_cnt; /* losses in a row */
};

struct iskra_initiator {
    struct iskra_round *round;
    const struct iskra_initiator_ops *ops;
    void *owner;
    const struct iskra_if_ops *if_ops;
    void *if_handle;
    struct iskra_initiator_config cfg; /* strings are copies, in `strings` */
    char *strings;
    enum iskra_initiator_state state; /* iskra_initiator_set_state() only */
    enum iskra_initiator_next next;
    bool opened;
    bool closing;    /* whoever is above wants no more than closed() */
    bool logged_out; /* the target has confirmed: close in good order */
    bool asking;     /* a Text Request is out */
    struct iskra_error why;
    struct iskra_work work;
    struct iskra_timer timer; /* connecting, login, a discovery round, logout */

    /* Where to. */
    struct iskra_target_address where; /* the target's, then where it has moved to */
    struct iskra_target_address first; /* what the user named */
    struct iskra_target_address home;  /* where the next login begins: permanent moves count */
    unsigned redirect_cnt;
    uint64_t visited[ISKRA_REDIRECTS_MAX + 1]; /* fingerprints of what where has been */
    struct iskra_resolve *resolve;
    struct iskra_address addrs[ISKRA_ADDRESS_CNT_MAX];
    unsigned addr_cnt, addr_index;
    uint64_t deadline_ns; /* of connecting and login together, then of discovery */
    bool watching;
    struct iskra_watch watch;         /* the connection in progress */
    int fd;                           /* -1: none */
    struct iskra_error connect_error; /* of the last address tried */
    char portal[ISKRA_ADDRESS_TEXT];

    /* In the class. */
    bool session_created, conn_created;
    bool bound; /* BIND_CONN, and no STOP_CONN since */
    uint32_t sid, cid;
    bool chap_single; /* this is the second login, with one algorithm only */
    struct iskra_login *login;
    struct iskra_discovery *discovery; /* NULL in a normal session */
    uint32_t text_ttt;                 /* of a negotiation in full feature phase, to go on with */
    uint64_t text_lun;
    struct iskra_key_results results; /* of the last login that ended well */
    uint16_t tsih;                    /* likewise */
    struct iskra_reopen reopen;
};

/* initiator.c: memory for the text of a login or a negotiation, while there is one. 0, -ENOMEM. */
int iskra_initiator_borrow_text(struct iskra_initiator *ini, struct iskra_error *err);
void iskra_initiator_return_text(struct iskra_initiator *ini);

/* initiator_events.c */
extern const char *const iskra_initiator_state_names[ISKRA_INITIATOR_STATE_CNT];
void iskra_initiator_run_next(struct iskra_work *work);
void iskra_initiator_timed_out(struct iskra_timer *timer, uint64_t now_ns);
void iskra_initiator_event(void *arg, const struct iskra_uevent *ev, const uint8_t *hdr,
                           const uint8_t *data, size_t data_len, const struct iskra_error *why);
void iskra_initiator_set_state(struct iskra_initiator *ini, enum iskra_initiator_state state);
int iskra_initiator_request(struct iskra_initiator *ini, struct iskra_uevent *ev,
                            const uint8_t *hdr, const uint8_t *data, size_t data_len,
                            struct iskra_error *err);
void iskra_initiator_schedule(struct iskra_initiator *ini, enum iskra_initiator_next next);
/* It is over, and why (first wins). The rest follows from the work list. */
void iskra_initiator_end(struct iskra_initiator *ini, const struct iskra_error *why);
/* Whatever is under way ends: timer, look-up, connection; STOP_CONN, and the socket is closed. */
void iskra_initiator_stop(struct iskra_initiator *ini, enum iskra_stop_flag flag);
/* With STOP_CONN(TERM); and what CREATE_* made goes away. */
void iskra_initiator_drop(struct iskra_initiator *ini, bool destroy);

/* connect.c */
int iskra_initiator_connect(struct iskra_initiator *ini, struct iskra_error *err);
void iskra_initiator_connect_timeout(struct iskra_initiator *ini);
void iskra_initiator_connect_cancel(struct iskra_initiator *ini);
void iskra_initiator_connect_go_on(struct iskra_initiator *ini); /* after iskra_reopen_hold() */
/* Judges where the target says it has moved to; 0 with ini->where changed, or a negative errno. */
int iskra_initiator_redirect(struct iskra_initiator *ini, const char *address, bool for_good,
                             struct iskra_error *err);

/* establish.c */
int iskra_initiator_establish(struct iskra_initiator *ini, struct iskra_error *err);
int iskra_initiator_login_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                   const uint8_t *data, size_t len, struct iskra_error *err);

/* logout.c */
int iskra_initiator_logout(struct iskra_initiator *ini, enum iskra_initiator_state state,
                           struct iskra_error *err);
int iskra_initiator_logout_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                    struct iskra_error *err);
int iskra_initiator_async_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                   const uint8_t *data, size_t len, struct iskra_error *err);

/* renegotiate.c */
int iskra_initiator_renegotiate(struct iskra_initiator *ini, struct iskra_error *err);
int iskra_initiator_renegotiation_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                           const uint8_t *data, size_t len,
                                           struct iskra_error *err);

/* reopen.c */
void iskra_reopen_logged_in(struct iskra_initiator *ini); /* in full feature phase */
void iskra_reopen_told(struct iskra_initiator *ini);      /* tells so; may free the initiator */
/* The target sends us away, and not to come back before. */
void iskra_reopen_time2wait(struct iskra_initiator *ini, uint32_t time2wait_s);
bool iskra_reopen_possible(const struct iskra_initiator *ini);
/* The connection, or what was to become one, is over (ini->why): again later. May free the
 * initiator. */
void iskra_reopen_later(struct iskra_initiator *ini);
bool iskra_reopen_timed_out(struct iskra_initiator *ini); /* false: the timer was not for it */
/* Is it too early to connect to this address? Then iskra_initiator_connect_go_on() follows. */
bool iskra_reopen_hold(struct iskra_initiator *ini, const struct iskra_address *addr);
/* 0, or -EAGAIN: the login has led elsewhere, too early for commands. */
int iskra_reopen_too_early(struct iskra_initiator *ini, struct iskra_error *err);

/* rivals.c */
void iskra_rivals_judge(struct iskra_initiator *ini, uint64_t life_ns, bool heard);
void iskra_rivals_tell(struct iskra_initiator *ini); /* in ini->why */

/* sendtargets.c */
int iskra_initiator_send_targets(struct iskra_initiator *ini, struct iskra_error *err);
int iskra_initiator_text_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                  const uint8_t *data, size_t len, struct iskra_error *err);

#endif
