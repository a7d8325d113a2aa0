/* BIND_CONN's last step: a connected descriptor becomes the socket of a connection
 * (spec 3.13, 5.1). Nothing is read here. */
#include "transport/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "error.h"
#include "trace.h"

/* It was connected, once: the peer has reset it since. */
static int gone(int sys_errno, struct iskra_error *err)
{
    int rc = iskra_fail(err, ISKRA_E_CONNECTION, sys_errno,
                        "the peer closed the connection before anything was sent");
    if (err != NULL)
        err->conn_error = ISKRA_CONN_TCP_CONN_CLOSE;
    return rc;
}

/* The descriptor may be as good as ever; the system could not say. */
static int not_told(int fd, int sys_errno, struct iskra_error *err)
{
    return iskra_fail(err, ISKRA_E_SYSTEM, sys_errno, "socket %d cannot be looked at: %s", fd,
                      strerror(sys_errno));
}

/* notes F6: sockfd_lookup. What is not a socket is answered as the kernel answers it, with -EEXIST.
 */
static int sockfd_lookup(int fd, struct iskra_error *err)
{
    int type = 0;
    socklen_t len = sizeof(type);
    if (getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &len) < 0)
        return errno == ENOTSOCK || errno == EBADF
                   ? iskra_fail(err, ISKRA_E_SYSTEM, EEXIST, "descriptor %d is not a socket", fd)
                   : not_told(fd, errno, err);
    if (type != SOCK_STREAM)
        return iskra_fail(err, ISKRA_E_SYSTEM, EINVAL, "socket %d is not a stream (type %d)", fd,
                          type);

    struct sockaddr_storage peer;
    len = sizeof(peer);
    if (getpeername(fd, (struct sockaddr *)&peer, &len) < 0)
        return errno == ENOBUFS ? not_told(fd, errno, err) : gone(errno, err);
    return 0;
}

/* The loop must never block on this socket. The rest is only speed and politeness, and not every
 * stream socket has it: no waiting for more bytes before a small PDU goes out; liveness is the
 * business of NOP pings, not of TCP. */
static int set_options(int fd, struct iskra_error *err)
{
    int flags = fcntl(fd, F_GETFL);
    if (flags < 0 || ((flags & O_NONBLOCK) == 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) < 0))
        return iskra_fail(err, ISKRA_E_SYSTEM, errno, "socket %d cannot be made non-blocking: %s",
                          fd, strerror(errno));
    int on = 1, off = 0;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    (void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &off, sizeof(off));
    return 0;
}

/* notes F5, notes F7: the socket is tied to the connection by the three callbacks, sk_data_ready,
 * sk_state_change and sk_write_space. */
static void set_callbacks(struct iskra_stream *stream)
{
    ISKRA_STEP(stream->sock.port->trace, SET_CALLBACKS, 0);
    stream->data_ready = iskra_stream_data_ready;
    stream->state_change = iskra_stream_state_change;
    stream->write_space = iskra_stream_write_space;
}

/* notes F3: sw_tcp_conn_bind. */
int iskra_stream_conn_bind(struct iskra_stream *stream, const struct iskra_transport_ops *ops,
                           struct iskra_port *port, int fd, bool is_leading,
                           struct iskra_error *err)
{
    ISKRA_STEP(port->trace, CONN_BIND, 0);
    int ret = sockfd_lookup(fd, err);
    if (ret == 0)
        ret = set_options(fd, err);
    if (ret < 0)
        return ret;

    *stream = (struct iskra_stream){
        .sock = {.ops = ops, .port = port},
        .fd = fd,
        .is_leading = is_leading,
    };
    iskra_list_init(&stream->link);
    set_callbacks(stream);
    port->ops->bound(port); /* notes F8: ready for a header */
    return 0;
}
