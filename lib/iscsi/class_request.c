/* Requests down: one function each, dispatched by type (spec 3.14; notes F1). A request that cannot
 * even be placed comes back as IF_ERROR; one that was placed and refused says so in its retcode. */
#include <errno.h>

#include "error.h"
#include "iscsi/class.h"
#include "iscsi/conn.h"

/* What a request is about, found before it runs. */
struct request {
    struct iskra_class *cls;
    struct iskra_conn *conn; /* of the cid; NULL for requests about the session */
    struct iskra_uevent *ev;
    const uint8_t *hdr, *data;
    size_t data_len;
    struct iskra_error *err;
};

static int create_session(struct request *rq)
{
    struct iskra_class *cls = rq->cls;
    struct iskra_round *round = cls->round;
    ISKRA_STEP(&round->trace, CREATE_SESSION, cls->sid);
    if (cls->session != NULL)
        return iskra_fail(rq->err, ISKRA_E_USAGE, EEXIST, "session %u exists already", cls->sid);
    struct iskra_session *s = round->pf->alloc(round->pf->arg, sizeof(*s));
    uint32_t cmds_max = rq->ev->u.create_session.cmds_max;
    if (cmds_max == 0)
        cmds_max = ISKRA_CMDS_MAX_DEFAULT;
    uint32_t queue_depth = rq->ev->u.create_session.queue_depth;
    if (queue_depth == 0)
        queue_depth = cmds_max;
    int rc = s == NULL ? -ENOMEM
                       : iskra_session_init(s, round, cls->sid, cmds_max, queue_depth,
                                            rq->ev->u.create_session.initial_cmd_sn);
    if (rc != 0) {
        round->pf->free(round->pf->arg, s);
        return rc == -EINVAL ? iskra_fail(rq->err, ISKRA_E_USAGE, EINVAL,
                                          "cmds_max %u is less than %u", cmds_max, ISKRA_CMDS_MIN)
                             : iskra_fail(rq->err, ISKRA_E_NOMEM, ENOMEM,
                                          "no memory for a session of %u commands", cmds_max);
    }
    s->cls = cls;
    cls->session = s;
    rq->ev->sid = cls->sid;
    return 0;
}

static int create_conn(struct request *rq)
{
    struct iskra_session *s = rq->cls->session;
    ISKRA_STEP(&s->round->trace, CREATE_CONN, rq->ev->cid);
    if (!iskra_list_empty(&s->conns))
        return iskra_fail(rq->err, ISKRA_E_USAGE, EEXIST, "session %u has its connection", s->sid);
    struct iskra_conn *conn;
    int rc = iskra_conn_create(s, rq->ev->cid, &conn);
    if (rc == -ENOMEM)
        return iskra_fail(rq->err, ISKRA_E_NOMEM, ENOMEM, "no memory for connection %u",
                          rq->ev->cid);
    return rc == 0
               ? 0
               : iskra_fail(rq->err, ISKRA_E_NOMEM, -rc, "no room for connection %u", rq->ev->cid);
}

/* The connection's tasks end first; then the devices have nobody to wait for. */
static int destroy_conn(struct request *rq)
{
    struct iskra_class *cls = rq->cls;
    bool was_leading = cls->session->leadconn == rq->conn;
    iskra_class_events_drop(cls, rq->conn);
    iskra_conn_destroy(rq->conn);
    if (was_leading)
        iskra_class_terminate(cls);
    return 0;
}

static int destroy_session(struct request *rq)
{
    struct iskra_class *cls = rq->cls;
    struct iskra_session *s = cls->session;
    while (!iskra_list_empty(&s->conns)) {
        rq->conn = iskra_container_of(s->conns.next, struct iskra_conn, link);
        (void)destroy_conn(rq); /* cannot fail */
    }
    iskra_class_terminate(cls);
    if (cls->host_ops != NULL && cls->host_ops->session_gone != NULL)
        cls->host_ops->session_gone(cls->host);
    iskra_session_done(s);
    cls->round->pf->free(cls->round->pf->arg, s);
    cls->session = NULL;
    return 0;
}

/* notes F1, notes F2, notes F4: the driver's bind_conn, given the class session, the connection,
 * the descriptor and whether it leads. */
static int bind_conn(struct request *rq)
{
    struct iskra_class *cls = rq->cls;
    ISKRA_STEP(&cls->round->trace, BIND_CONN, rq->ev->cid);
    return iskra_bind_conn(rq->conn, cls->transport, rq->ev->u.bind_conn.fd,
                           rq->ev->u.bind_conn.is_leading, rq->err);
}

static int set_param(struct request *rq)
{
    enum iskra_param param = rq->ev->u.set_param.param;
    ISKRA_STEP(&rq->cls->round->trace, SET_PARAM, param);
    return iskra_class_set_param(&rq->cls->session->params, param, rq->ev->u.set_param.value,
                                 rq->err);
}

static int start_conn(struct request *rq)
{
    ISKRA_STEP(&rq->cls->round->trace, START_CONN, rq->ev->cid);
    int rc = iskra_start_conn(rq->conn, rq->err);
    if (rc == 0)
        iskra_class_unblock_session(rq->cls);
    return rc;
}

/* Events of the life that ends here are dropped: the control plane has moved on. */
static int stop_conn(struct request *rq)
{
    enum iskra_stop_flag flag = rq->ev->u.stop_conn.flag;
    ISKRA_STEP(&rq->cls->round->trace, STOP_CONN, flag);
    if (flag != ISKRA_STOP_TERM && flag != ISKRA_STOP_RECOVER)
        return iskra_fail(rq->err, ISKRA_E_USAGE, EINVAL, "STOP_CONN: no flag %u", (unsigned)flag);
    iskra_class_events_drop(rq->cls, rq->conn);
    bool was_over = rq->conn->stop_flag == ISKRA_CONN_STOP_TERM;
    if (iskra_stop_conn(rq->conn, (enum iskra_conn_stop)flag, rq->ev->u.stop_conn.why))
        iskra_class_block_session(rq->cls);
    if (flag == ISKRA_STOP_TERM && !was_over)
        iskra_class_terminate(rq->cls);
    return 0;
}

static int send_pdu(struct request *rq)
{
    ISKRA_STEP(&rq->cls->round->trace, SEND_PDU, iskra_bhs_opcode(rq->hdr));
    return iskra_conn_send_pdu(rq->conn, rq->hdr, rq->data, rq->data_len, rq->err);
}

static int get_stats(struct request *rq)
{
    const struct iskra_conn *conn = rq->conn;
    rq->ev->r.stats = (struct iskra_conn_stats){
        .rx_octets = conn->tcp.in.octets,
        .tx_octets = conn->tcp.out.octets,
        .rx_pdus = conn->rx_pdus,
        .tx_pdus = conn->tx_pdus,
        .r2ts = conn->tcp.in.r2ts,
        .digest_errors = conn->digest_errors,
        .timeout_errors = conn->timeout_errors,
        .statsn_gaps = conn->session->statsn_gaps,
        .window_waits = conn->session->waits.window_cnt,
        .window_wait_ns = conn->session->waits.window_ns,
        .r2t_wait_ns = conn->session->waits.r2t_ns,
    };
    return 0;
}

enum needs {
    NEEDS_NOTHING,
    NEEDS_SESSION,
    NEEDS_CONN
};

struct request_kind {
    int (*run)(struct request *rq);
    enum needs needs;
    bool has_retcode; /* a refusal is told there, not as IF_ERROR */
};

static const struct request_kind kinds[] = {
    [ISKRA_UEVENT_CREATE_SESSION] = {create_session, NEEDS_NOTHING, false},
    [ISKRA_UEVENT_DESTROY_SESSION] = {destroy_session, NEEDS_SESSION, false},
    [ISKRA_UEVENT_CREATE_CONN] = {create_conn, NEEDS_SESSION, false},
    [ISKRA_UEVENT_DESTROY_CONN] = {destroy_conn, NEEDS_CONN, false},
    [ISKRA_UEVENT_BIND_CONN] = {bind_conn, NEEDS_CONN, true},
    [ISKRA_UEVENT_SET_PARAM] = {set_param, NEEDS_CONN, false},
    [ISKRA_UEVENT_START_CONN] = {start_conn, NEEDS_CONN, true},
    [ISKRA_UEVENT_STOP_CONN] = {stop_conn, NEEDS_CONN, false},
    [ISKRA_UEVENT_SEND_PDU] = {send_pdu, NEEDS_CONN, true},
    [ISKRA_UEVENT_GET_STATS] = {get_stats, NEEDS_CONN, false},
};

static int placed(struct request *rq, enum needs needs)
{
    const struct iskra_session *s = rq->cls->session;
    if (needs == NEEDS_NOTHING)
        return 0;
    if (s == NULL || s->sid != rq->ev->sid)
        return iskra_fail(rq->err, ISKRA_E_USAGE, EINVAL, "no session %u", rq->ev->sid);
    if (needs == NEEDS_SESSION)
        return 0;
    rq->conn = iskra_conn_find(s, rq->ev->cid);
    if (rq->conn == NULL)
        return iskra_fail(rq->err, ISKRA_E_USAGE, EINVAL, "session %u has no connection %u",
                          rq->ev->sid, rq->ev->cid);
    return 0;
}

static int if_error(struct iskra_uevent *ev, int rc)
{
    ev->type = ISKRA_KEVENT_IF_ERROR;
    ev->iferror = rc;
    return rc;
}

static int request(void *handle, struct iskra_uevent *ev, const uint8_t *hdr, const uint8_t *data,
                   size_t data_len, struct iskra_error *err)
{
    struct request rq = {
        .cls = handle,
        .ev = ev,
        .hdr = hdr,
        .data = data,
        .data_len = data_len,
        .err = err,
    };
    unsigned type = ev->type;
    if (type >= sizeof(kinds) / sizeof(kinds[0]) || kinds[type].run == NULL)
        return if_error(ev, iskra_fail(err, ISKRA_E_USAGE, ENOSYS, "no request %u", type));
    const struct request_kind *kind = &kinds[type];
    int rc = placed(&rq, kind->needs);
    if (rc != 0)
        return if_error(ev, rc);
    rc = kind->run(&rq);
    ev->iferror = 0;
    if (kind->has_retcode)
        ev->r.retcode = rc;
    else if (rc != 0)
        return if_error(ev, rc);
    return rc;
}

const struct iskra_if_ops iskra_class_if_ops = {.request = request};
