/* The connection object's life, its port, and the one place where its failures are worded. */
#include "tcp/recv.h"

#include <errno.h>
#include <string.h>

#include <iskra/platform.h>

#include "error.h"
#include "list.h"
#include "tcp/refuse.h"

static struct iskra_tcp_conn *conn_of(struct iskra_port *port)
{
    return iskra_container_of(port, struct iskra_tcp_conn, port);
}

/* notes F8: bind_conn ends with hdr_recv_prep. */
static void port_bound(struct iskra_port *port)
{
    iskra_tcp_hdr_recv_prep(conn_of(port));
}

static int port_recv_window(struct iskra_port *port, uint8_t *staging, size_t staging_len,
                            struct iovec *iov, int iov_max)
{
    return iskra_tcp_recv_window(conn_of(port), staging, staging_len, iov, iov_max);
}

static int port_recv(struct iskra_port *port, size_t n)
{
    return iskra_tcp_recv(conn_of(port), n);
}

static void port_state_change(struct iskra_port *port, int err)
{
    struct iskra_tcp_conn *conn = conn_of(port);
    conn->ops->closed(conn, err);
}

static void port_write_space(struct iskra_port *port)
{
    struct iskra_tcp_conn *conn = conn_of(port);
    conn->ops->write_space(conn);
}

static int port_send_window(struct iskra_port *port, struct iovec *iov, int iov_max, size_t max_len)
{
    return iskra_tcp_send_window(conn_of(port), iov, iov_max, max_len);
}

static void port_sent(struct iskra_port *port, size_t n)
{
    iskra_tcp_sent(conn_of(port), n);
}

static const struct iskra_port_ops port_ops = {
    .bound = port_bound,
    .recv_window = port_recv_window,
    .recv = port_recv,
    .state_change = port_state_change,
    .write_space = port_write_space,
    .send_window = port_send_window,
    .sent = port_sent,
};

static uint32_t power_of_two_from(uint32_t n)
{
    uint32_t p = 1;
    while (p < n)
        p *= 2;
    return p;
}

int iskra_tcp_conn_init(struct iskra_tcp_conn *conn, const struct iskra_tcp_ops *ops,
                        const struct iskra_platform *pf, struct iskra_trace *trace, uint16_t sid,
                        uint32_t tx_pdu_cnt)
{
    memset(conn, 0, sizeof(*conn));
    conn->port.ops = &port_ops;
    conn->port.trace = trace;
    conn->ops = ops;
    conn->trace = trace;
    conn->pf = pf;
    conn->sid = sid;
    conn->out.cnt = power_of_two_from(tx_pdu_cnt);
    conn->out.ring = pf->alloc(pf->arg, conn->out.cnt * sizeof(*conn->out.ring));
    conn->out.hdrs = pf->alloc(pf->arg, (conn->out.cnt + 1) * ISKRA_TX_HDR_LEN);
    if (!conn->out.ring || !conn->out.hdrs) {
        iskra_tcp_conn_done(conn);
        return -ENOMEM;
    }
    iskra_tcp_conn_reset(conn);
    return 0;
}

static void in_reset(struct iskra_tcp_conn *conn)
{
    struct iskra_tcp_in *in = &conn->in;
    struct iskra_tcp_task *held = in->task_held ? in->task : NULL;
    struct iskra_tcp_task *lent = in->window_task;
    if (in->held)
        conn->pf->free(conn->pf->arg, in->held);
    iskra_tcp_data_done(conn);
    *in = (struct iskra_tcp_in){
        .max_recv_data_len = ISKRA_MAX_RECV_DATA_LEN_DEFAULT,
        .max_burst_len = ISKRA_MAX_BURST_LEN_DEFAULT,
        .octets = in->octets,
        .r2ts = in->r2ts,
        .r2ts_dropped = in->r2ts_dropped,
        .r2ts_over_burst = in->r2ts_over_burst,
    };
    if (held)
        conn->ops->task_put(conn, held);
    if (lent)
        conn->ops->task_put(conn, lent);
}

void iskra_tcp_conn_reset(struct iskra_tcp_conn *conn)
{
    memset(&conn->error, 0, sizeof(conn->error));
    in_reset(conn);
    iskra_tcp_xmit_drop(conn);
    conn->out.hdr_digest = conn->out.data_digest = false;
}

void iskra_tcp_conn_done(struct iskra_tcp_conn *conn)
{
    if (!conn || !conn->pf)
        return;
    if (conn->out.ring && conn->out.hdrs) /* else init failed and nothing is on loan */
        iskra_tcp_conn_reset(conn);
    if (conn->out.ring)
        conn->pf->free(conn->pf->arg, conn->out.ring);
    if (conn->out.hdrs)
        conn->pf->free(conn->pf->arg, conn->out.hdrs);
    if (conn->out.copy.memory)
        conn->pf->free(conn->pf->arg, conn->out.copy.memory);
    memset(conn, 0, sizeof(*conn));
}

/* Is it the peer's doing, or the line's? */
static enum iskra_code code_of(enum iskra_conn_error error, int *ret_errno)
{
    switch (error) {
    case ISKRA_CONN_HDR_DGST:
    case ISKRA_CONN_DATA_DGST:
        *ret_errno = EBADMSG;
        return ISKRA_E_CONNECTION;
    case ISKRA_CONN_NOP_TIMEDOUT:
        *ret_errno = ETIMEDOUT;
        return ISKRA_E_CONNECTION;
    case ISKRA_CONN_FAILED:
    case ISKRA_CONN_SESSION_FAILED:
    case ISKRA_CONN_XMIT_FAILED:
    case ISKRA_CONN_TCP_CONN_CLOSE:
    case ISKRA_CONN_SCSI_EH_SESSION_RST:
        *ret_errno = ECONNRESET;
        return ISKRA_E_CONNECTION;
    default:
        *ret_errno = EPROTO;
        return ISKRA_E_PROTOCOL;
    }
}

enum iskra_conn_error iskra_tcp_fail(struct iskra_tcp_conn *conn, enum iskra_conn_error error,
                                     const char *fmt, ...)
{
    bool first = conn->error.code == ISKRA_OK;
    int sys_errno;
    enum iskra_code code = code_of(error, &sys_errno);
    va_list ap;
    va_start(ap, fmt);
    (void)iskra_vfail(&conn->error, code, sys_errno, fmt, ap);
    va_end(ap);
    if (first)
        conn->error.conn_error = error;
    return error;
}
