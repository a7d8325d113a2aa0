/* The class session: its state, the devices above, the replacement timer (spec 3.12). */
#include "iscsi/class.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "iscsi/conn.h"

static const char *const state_names[ISKRA_CLASS_STATE_CNT] = {"FREE", "LOGGED_IN", "FAILED"};

const char *iskra_class_state_name(enum iskra_class_state state)
{
    return (unsigned)state < ISKRA_CLASS_STATE_CNT ? state_names[state] : "?";
}

/* The only place that changes cls->state. Every change is legal but LOGGED_IN -> FREE: a session
 * that was up fails first. */
static void set_state(struct iskra_class *cls, enum iskra_class_state state)
{
    if (cls->state == state)
        return;
    assert(cls->state != ISKRA_CLASS_LOGGED_IN || state == ISKRA_CLASS_FAILED);
    iskra_trace_state(&cls->round->trace, ISKRA_MACHINE_CLASS, (uint16_t)cls->sid, cls->state,
                      state);
    cls->state = state;
}

static void transport_offline(struct iskra_class *cls)
{
    cls->blocked = true; /* they stay so until START_CONN */
    if (cls->host_ops != NULL)
        cls->host_ops->transport_offline(cls->host);
}

void iskra_class_block_devices(struct iskra_class *cls)
{
    if (cls->blocked)
        return;
    cls->blocked = true;
    if (cls->host_ops != NULL)
        cls->host_ops->block(cls->host);
}

/* The replacement timer's 0 means at once, but never from inside the request. One that runs already
 * goes on: it was not over yet. */
void iskra_class_block_session(struct iskra_class *cls)
{
    iskra_class_block_devices(cls);
    set_state(cls, ISKRA_CLASS_FAILED);
    int64_t timeout_ns = cls->session->params.replacement_timeout_ns;
    if (timeout_ns >= 0 && !iskra_timer_armed(&cls->recovery_timer))
        iskra_timer_arm(&cls->recovery_timer, cls->round->now_ns + (uint64_t)timeout_ns);
}

void iskra_class_unblock_session(struct iskra_class *cls)
{
    set_state(cls, ISKRA_CLASS_LOGGED_IN);
    cls->blocked = false;
    if (cls->host_ops != NULL)
        cls->host_ops->unblock(cls->host);
    else
        iskra_class_ready(cls);
}

void iskra_class_ready(struct iskra_class *cls)
{
    if (cls->state != ISKRA_CLASS_LOGGED_IN || cls->blocked)
        return;
    iskra_timer_disarm(&cls->recovery_timer);
}

/* A session that was up stays LOGGED_IN here, so that its commands hear NO_CONNECT from the session
 * itself; one that was waiting for a replacement waits no more. */
void iskra_class_terminate(struct iskra_class *cls)
{
    iskra_timer_disarm(&cls->recovery_timer);
    if (cls->state == ISKRA_CLASS_FAILED)
        set_state(cls, ISKRA_CLASS_FREE);
    transport_offline(cls);
}

/* What commands that waited are told of: why it was lost, and that it did not come back. */
static void story(struct iskra_session *s)
{
    struct iskra_error why = s->error;
    if (s->params.replacement_timeout_ns == 0) /* nobody has waited */
        return;
    (void)iskra_session_fail(s, why.code != ISKRA_OK ? why.code : ISKRA_E_CONNECTION,
                             why.sys_errno != 0 ? why.sys_errno : ENOTCONN,
                             "not back within %g s: %.200s",
                             (double)s->params.replacement_timeout_ns / 1e9,
                             why.text[0] != '\0' ? why.text : "the session was lost"); /* kept */
    s->error.conn_error = why.conn_error;
}

/* Logged in, but the devices have not been found to be what they were: they stop waiting for that,
 * and the session goes on. */
static void replacement_timed_out(struct iskra_timer *t, uint64_t now_ns)
{
    (void)now_ns;
    struct iskra_class *cls = iskra_container_of(t, struct iskra_class, recovery_timer);
    struct iskra_session *s = cls->session;
    if (s->state == ISKRA_SESSION_LOGGED_IN) {
        if (cls->host_ops != NULL)
            cls->host_ops->transport_offline(cls->host);
        return;
    }
    if (cls->state == ISKRA_CLASS_LOGGED_IN) /* lost again, and not stopped yet */
        set_state(cls, ISKRA_CLASS_FAILED);
    set_state(cls, ISKRA_CLASS_FREE);
    story(s);
    if (iskra_session_may_become(s->state, ISKRA_SESSION_RECOVERY_FAILED))
        iskra_session_set_state(s, ISKRA_SESSION_RECOVERY_FAILED);
    transport_offline(cls);
}

int iskra_class_init(struct iskra_class *cls, struct iskra_round *round,
                     struct iskra_transport *transport)
{
    *cls = (struct iskra_class){
        .round = round,
        .transport = transport,
        .sid = 1,
        .state = ISKRA_CLASS_FREE,
    };
    iskra_trace_state_names(ISKRA_MACHINE_CLASS, state_names, ISKRA_CLASS_STATE_CNT);
    iskra_class_events_init(cls);
    int rc = iskra_timer_init(&cls->recovery_timer, &round->timers, replacement_timed_out);
    if (rc != 0)
        iskra_class_done(cls);
    return rc;
}

void iskra_class_done(struct iskra_class *cls)
{
    if (cls == NULL || cls->round == NULL)
        return;
    struct iskra_session *s = cls->session;
    if (s != NULL) {
        while (!iskra_list_empty(&s->conns))
            iskra_conn_destroy(iskra_container_of(s->conns.next, struct iskra_conn, link));
        iskra_session_done(s);
        cls->round->pf->free(cls->round->pf->arg, s);
        cls->session = NULL;
    }
    iskra_timer_done(&cls->recovery_timer);
    iskra_class_events_done(cls);
    if (cls->gone != NULL)
        *cls->gone = true;
    memset(cls, 0, sizeof(*cls));
}

void iskra_class_shut_down(struct iskra_class *cls)
{
    cls->shutting_down = true;
}

void iskra_class_set_host(struct iskra_class *cls, const struct iskra_class_host_ops *ops,
                          void *host)
{
    cls->host_ops = ops;
    cls->host = host;
}
