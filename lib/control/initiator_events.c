/* What an initiator does with what happens: its states, the events of the class, its timer, and
 * what follows from them.
 *
 * Nothing is torn down while an event of the class is on the stack: what an event leads to is noted
 * as `next` and done from the round's work list, and the callback to the layer above is the very
 * last thing there, so that it may free the initiator. */
#include <assert.h>
#include <errno.h>
#include <string.h>

#include "control/initiator_steps.h"
#include "error.h"
#include "trace.h"

#define NS_PER_S 1000000000ull

const char *const iskra_initiator_state_names[ISKRA_INITIATOR_STATE_CNT] = {
    [ISKRA_INITIATOR_FREE] = "FREE",
    [ISKRA_INITIATOR_XPT_WAIT] = "XPT_WAIT",
    [ISKRA_INITIATOR_IN_LOGIN] = "IN_LOGIN",
    [ISKRA_INITIATOR_LOGGED_IN] = "LOGGED_IN",
    [ISKRA_INITIATOR_IN_LOGOUT] = "IN_LOGOUT",
    [ISKRA_INITIATOR_LOGOUT_REQUESTED] = "LOGOUT_REQUESTED",
    [ISKRA_INITIATOR_CLEANUP_WAIT] = "CLEANUP_WAIT",
};

const char *iskra_initiator_state_name(enum iskra_initiator_state state)
{
    return (unsigned)state < ISKRA_INITIATOR_STATE_CNT ? iskra_initiator_state_names[state] : "?";
}

#define TO(state) (1u << ISKRA_INITIATOR_##state)
/* Looked at by an assert only, which release builds leave out. */
__attribute__((unused)) static const unsigned transitions[ISKRA_INITIATOR_STATE_CNT] = {
    [ISKRA_INITIATOR_FREE] = TO(XPT_WAIT),
    [ISKRA_INITIATOR_XPT_WAIT] = TO(IN_LOGIN) | TO(CLEANUP_WAIT),
    [ISKRA_INITIATOR_IN_LOGIN] = TO(XPT_WAIT) | TO(LOGGED_IN) | TO(CLEANUP_WAIT),
    [ISKRA_INITIATOR_LOGGED_IN] = TO(IN_LOGOUT) | TO(LOGOUT_REQUESTED) | TO(CLEANUP_WAIT),
    [ISKRA_INITIATOR_IN_LOGOUT] = TO(CLEANUP_WAIT),
    [ISKRA_INITIATOR_LOGOUT_REQUESTED] = TO(IN_LOGOUT) | TO(CLEANUP_WAIT),
    [ISKRA_INITIATOR_CLEANUP_WAIT] = TO(FREE) | TO(XPT_WAIT),
};

void iskra_initiator_set_state(struct iskra_initiator *ini, enum iskra_initiator_state state)
{
    if (ini->state == state)
        return;
    assert((transitions[ini->state] & (1u << state)) != 0);
    iskra_trace_state(&ini->round->trace, ISKRA_MACHINE_CONN, (uint16_t)ini->sid, ini->state,
                      state);
    ini->state = state;
}

int iskra_initiator_request(struct iskra_initiator *ini, struct iskra_uevent *ev,
                            const uint8_t *hdr, const uint8_t *data, size_t data_len,
                            struct iskra_error *err)
{
    ev->sid = ini->sid;
    ev->cid = ini->cid;
    enum iskra_uevent_type type = ev->type;
    int ret = ini->if_ops->request(ini->if_handle, ev, hdr, data, data_len, err);
    if (ret < 0) /* fills *err only if the class had nothing to say */
        return iskra_fail(err, ISKRA_E_SYSTEM, -ret, "%s refused: %s", iskra_uevent_name(type),
                          strerror(-ret));
    return 0;
}

void iskra_initiator_schedule(struct iskra_initiator *ini, enum iskra_initiator_next next)
{
    if (next > ini->next)
        ini->next = next;
    iskra_work_schedule(&ini->round->work, &ini->work);
}

void iskra_initiator_end(struct iskra_initiator *ini, const struct iskra_error *why)
{
    if (ini->why.code == ISKRA_OK && why)
        ini->why = *why;
    iskra_initiator_schedule(ini, ISKRA_NEXT_END);
}

static void simple_request(struct iskra_initiator *ini, enum iskra_uevent_type type,
                           enum iskra_stop_flag flag)
{
    struct iskra_uevent ev = {.type = type};
    if (type == ISKRA_UEVENT_STOP_CONN) {
        ev.u.stop_conn.flag = flag;
        ev.u.stop_conn.why = ini->why.code != ISKRA_OK ? &ini->why : &ini->reopen.error;
    }
    (void)iskra_initiator_request(ini, &ev, NULL, NULL, 0, NULL); /* it goes away in any case */
}

/* The class's hold on the socket ends before the socket does. A connection that is stopped for
 * recovery already may still have to be terminated. */
void iskra_initiator_stop(struct iskra_initiator *ini, enum iskra_stop_flag flag)
{
    const struct iskra_platform *pf = ini->round->pf;
    bool there = ini->conn_created && ini->state != ISKRA_INITIATOR_CLEANUP_WAIT;
    iskra_timer_disarm(&ini->timer);
    iskra_initiator_connect_cancel(ini);
    if (ini->bound || (there && flag == ISKRA_STOP_TERM))
        simple_request(ini, ISKRA_UEVENT_STOP_CONN, flag);
    ini->bound = false;
    if (ini->fd >= 0)
        pf->close(pf->arg, ini->fd, !ini->logged_out);
    ini->fd = -1;
    if (ini->login) {
        iskra_login_wipe(ini->login);
        iskra_initiator_return_text(ini);
    }
}

void iskra_initiator_drop(struct iskra_initiator *ini, bool destroy)
{
    iskra_initiator_stop(ini, ISKRA_STOP_TERM);
    if (!destroy)
        return;
    if (ini->conn_created)
        simple_request(ini, ISKRA_UEVENT_DESTROY_CONN, 0);
    ini->conn_created = false;
    if (ini->session_created)
        simple_request(ini, ISKRA_UEVENT_DESTROY_SESSION, 0);
    ini->session_created = false;
}

/* ---- what follows from events ---- */

static void end_now(struct iskra_initiator *ini)
{
    bool closing = ini->closing;
    if (!closing && iskra_reopen_possible(ini)) {
        iskra_reopen_later(ini);
        return;
    }
    iskra_initiator_drop(ini, closing);
    if (ini->state != ISKRA_INITIATOR_FREE) /* never opened */
        iskra_initiator_set_state(ini, ISKRA_INITIATOR_CLEANUP_WAIT);
    if (!closing) {
        struct iskra_error why =
            ini->why; /* the initiator may be gone before the callback has read it */
        ini->ops->down(ini->owner, &why);
        return;
    }
    iskra_initiator_set_state(ini, ISKRA_INITIATOR_FREE);
    ini->ops->closed(ini->owner);
}

static void up_now(struct iskra_initiator *ini)
{
    struct iskra_error err = {0};
    if (!ini->discovery)
        iskra_reopen_told(ini);
    else if (iskra_initiator_send_targets(ini, &err) < 0)
        iskra_initiator_end(ini, &err);
}

static void redirect_now(struct iskra_initiator *ini)
{
    struct iskra_error err = {0};
    if (iskra_reopen_possible(ini))
        iskra_initiator_stop(ini, ISKRA_STOP_RECOVER); /* commands wait for this session */
    else
        iskra_initiator_drop(ini, true);
    iskra_initiator_set_state(ini, ISKRA_INITIATOR_XPT_WAIT);
    if (iskra_initiator_connect(ini, &err) < 0)
        iskra_initiator_end(ini, &err);
}

void iskra_initiator_run_next(struct iskra_work *work)
{
    struct iskra_initiator *ini = iskra_container_of(work, struct iskra_initiator, work);
    enum iskra_initiator_next next = ini->next;
    ini->next = ISKRA_NEXT_NONE;
    switch (next) {
    case ISKRA_NEXT_NONE:
        break;
    case ISKRA_NEXT_UP:
        up_now(ini);
        break;
    case ISKRA_NEXT_REDIRECT:
        redirect_now(ini);
        break;
    case ISKRA_NEXT_END:
        end_now(ini);
        break;
    }
}

void iskra_initiator_timed_out(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_initiator *ini = iskra_container_of(timer, struct iskra_initiator, timer);
    struct iskra_error err = {0};
    bool endless = now_ns >= ini->deadline_ns;
    switch (ini->state) {
    case ISKRA_INITIATOR_XPT_WAIT:
        if (!iskra_reopen_timed_out(ini))
            iskra_initiator_connect_timeout(ini);
        return;
    case ISKRA_INITIATOR_IN_LOGIN:
        (void)iskra_fail(&err, ISKRA_E_TIMEOUT_LOGIN, ETIMEDOUT,
                         "login at %s: no answer within %g s", ini->portal,
                         (double)ini->cfg.login_timeout_ns / NS_PER_S);
        break;
    case ISKRA_INITIATOR_LOGGED_IN:
        (void)iskra_fail(&err, ISKRA_E_TIMEOUT_LOGIN, ETIMEDOUT,
                         "discovery at %s: no %s within %g s", ini->portal,
                         endless ? "end" : "answer",
                         (double)ini->cfg.login_timeout_ns / NS_PER_S *
                             (endless ? ISKRA_DISCOVERY_TIMEOUTS : 1));
        break;
    default:
        break; /* no answer to the logout: the end comes without it */
    }
    iskra_initiator_end(ini, &err);
}

/* ---- events of the class ---- */

static int unexpected(const struct iskra_initiator *ini, uint8_t opcode, struct iskra_error *err)
{
    return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO, "%s from the target in state %s",
                      iskra_opcode_name(opcode), iskra_initiator_state_name(ini->state));
}

static int recv_pdu(struct iskra_initiator *ini, const uint8_t *hdr, const uint8_t *data,
                    size_t len, struct iskra_error *err)
{
    uint8_t opcode = iskra_bhs_opcode(hdr);
    bool in_login = ini->state == ISKRA_INITIATOR_IN_LOGIN;
    if (opcode == ISKRA_OP_LOGIN_RSP && in_login)
        return iskra_initiator_login_received(ini, hdr, data, len, err);
    if (opcode == ISKRA_OP_TEXT_RSP && ini->asking)
        return ini->discovery ? iskra_initiator_text_received(ini, hdr, data, len, err)
                              : iskra_initiator_renegotiation_received(ini, hdr, data, len, err);
    if (opcode == ISKRA_OP_LOGOUT_RSP &&
        (ini->state == ISKRA_INITIATOR_IN_LOGOUT || ini->state == ISKRA_INITIATOR_LOGOUT_REQUESTED))
        return iskra_initiator_logout_received(ini, hdr, err);
    if (opcode == ISKRA_OP_ASYNC && !in_login)
        return iskra_initiator_async_received(ini, hdr, data, len, err);
    if ((opcode == ISKRA_OP_NOP_IN || opcode == ISKRA_OP_REJECT) && !in_login)
        return 0;
    return unexpected(ini, opcode, err);
}

static void conn_error(struct iskra_initiator *ini, const struct iskra_uevent *ev,
                       const struct iskra_error *why)
{
    struct iskra_error err = {0};
    if (why && why->code != ISKRA_OK) {
        err = *why;
    } else {
        (void)iskra_fail(&err, ISKRA_E_CONNECTION, ECONNRESET, "connection to %s failed: %s",
                         ini->portal, iskra_conn_error_name(ev->u.conn_error.error));
        err.conn_error = ev->u.conn_error.error;
    }
    if (ev->u.conn_error.error == ISKRA_CONN_INVALID_HOST)
        ini->reopen.never = true; /* spec 3.15: shut down, whatever the state */
    iskra_initiator_end(ini, &err);
}

/* XPT_WAIT, CLEANUP_WAIT and FREE have no connection in the class: what comes then is of an earlier
 * one. */
void iskra_initiator_event(void *arg, const struct iskra_uevent *ev, const uint8_t *hdr,
                           const uint8_t *data, size_t data_len, const struct iskra_error *why)
{
    struct iskra_initiator *ini = arg;
    if (!ini->bound || ev->sid != ini->sid || ini->next >= ISKRA_NEXT_REDIRECT ||
        ini->state == ISKRA_INITIATOR_CLEANUP_WAIT)
        return;
    struct iskra_error err = {0};
    if (ev->type == ISKRA_KEVENT_CONN_ERROR)
        conn_error(ini, ev, why);
    else if (ev->type == ISKRA_KEVENT_RECV_PDU && recv_pdu(ini, hdr, data, data_len, &err) < 0)
        iskra_initiator_end(ini, &err);
}
