/* The three callbacks of a bound socket, and its bytes: from the kernel into the port's window,
 * from the port's window into the kernel. Any callback may unbind the socket; the memory stays
 * until the driver comes by, so `unbound` can be asked afterwards. */
#include "transport/stream.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "trace.h"

static size_t iov_total(const struct iovec *iov, int iov_cnt)
{
    size_t total = 0;
    for (int i = 0; i < iov_cnt; i++)
        total += iov[i].iov_len;
    return total;
}

/* Receive stops here for a while. Whether more is waiting is looked up now, so that going on does
 * not begin with a read in vain. */
static void suspend(struct iskra_stream *stream)
{
    uint8_t byte;
    stream->suspended = true;
    if (stream->readable && !stream->hung_up &&
        recv(stream->fd, &byte, sizeof(byte), MSG_PEEK | MSG_DONTWAIT) < 0 && errno == EAGAIN)
        stream->readable = false;
}

/* Gives n bytes of the window (0: the window itself) back to the port and takes down what it says.
 */
void iskra_stream_window_back(struct iskra_stream *stream, size_t n)
{
    struct iskra_port *port = stream->sock.port;
    int ret = port->ops->recv(port, n);
    if (stream->unbound)
        return;
    if (ret == -EAGAIN)
        suspend(stream);
    else if (ret < 0)
        stream->finished = true;
}

/* The end of the stream, or its failure: only now, when everything readable was handed over
 * (spec 3.13, state check). */
static void end_of_stream(struct iskra_stream *stream, int err)
{
    iskra_stream_window_back(stream, 0);
    if (!iskra_stream_reading(stream))
        return; /* suspended: the next turn will find the end again */
    stream->readable = false;
    stream->state_change(stream, err);
}

int iskra_stream_window(struct iskra_stream *stream, uint8_t *staging, size_t staging_len,
                        struct iovec *iov, size_t *ret_room)
{
    struct iskra_port *port = stream->sock.port;
    int iov_cnt = port->ops->recv_window(port, staging, staging_len, iov, ISKRA_RECV_IOV_MAX);
    *ret_room = iov_cnt > 0 ? iov_total(iov, iov_cnt) : 0;
    if (*ret_room > 0)
        return iov_cnt;
    suspend(stream);
    return 0;
}

/* What a read of the window has brought: n bytes, 0 at the end, or a negative errno. Returns the
 * bytes, or 0 when this turn is over. */
static size_t window_read(struct iskra_stream *stream, ssize_t n, size_t room)
{
    if (n == -EAGAIN || n == -EWOULDBLOCK) {
        stream->readable = false;
        iskra_stream_window_back(stream, 0);
        return 0;
    }
    if (n <= 0) {
        end_of_stream(stream, (int)-n);
        return 0;
    }
    /* A short read has emptied the socket: the next byte makes a new edge. Not so at the end of the
     * stream, whose edge may have come already. */
    if ((size_t)n < room && !stream->hung_up)
        stream->readable = false;
    iskra_stream_window_back(stream, (size_t)n);
    return (size_t)n;
}

/* One read. Returns the bytes it brought, or 0 when this turn is over. */
static size_t read_once(struct iskra_stream *stream, uint8_t *staging, size_t share)
{
    struct iovec iov[ISKRA_RECV_IOV_MAX];
    size_t room;
    size_t staging_len = share < ISKRA_STAGING_LEN ? share : ISKRA_STAGING_LEN;
    int iov_cnt = iskra_stream_window(stream, staging, staging_len, iov, &room);
    if (iov_cnt == 0)
        return 0;

    ssize_t n;
    do {
        n = readv(stream->fd, iov, iov_cnt);
    } while (n < 0 && errno == EINTR);
    return window_read(stream, n < 0 ? -errno : n, room);
}

/* Only a part of what is awaited: then what it completes and starts goes out while the peer still
 * sends the rest, and both work at the same time. Parts too small cost more calls than that gains.
 */
static size_t round_share(const struct iskra_port *port)
{
    uint64_t share = port->awaited_len / ISKRA_ROUND_PARTS;
    if (share < ISKRA_ROUND_RECV_MIN)
        return ISKRA_ROUND_RECV_MIN;
    return share < ISKRA_ROUND_RECV_MAX ? share : ISKRA_ROUND_RECV_MAX;
}

/* notes F9: tcp_read_sock, which calls the port's recv(). A socket that is never empty gives way to
 * the others after its share of the round. */
static void read_sock(struct iskra_stream *stream, uint8_t *staging)
{
    ISKRA_STEP(stream->sock.port->trace, READ_SOCK, 0);
    size_t total = 0, share = round_share(stream->sock.port);
    for (int i = 0; i < ISKRA_ROUND_READS && total < share; i++) {
        size_t n = read_once(stream, staging, share);
        total += n;
        if (n == 0 || !iskra_stream_pending(stream))
            return;
    }
}

/* notes F9: sw_tcp_data_ready. */
void iskra_stream_data_ready(struct iskra_stream *stream, uint8_t *staging)
{
    ISKRA_STEP(stream->sock.port->trace, DATA_READY, 0);
    if (iskra_stream_pending(stream))
        read_sock(stream, staging);
}

void iskra_stream_arrived(struct iskra_stream *stream, uint8_t *staging, ssize_t n, size_t room)
{
    ISKRA_STEP(stream->sock.port->trace, DATA_READY, 0);
    stream->readable = true;
    if (window_read(stream, n, room) > 0 && iskra_stream_pending(stream))
        read_sock(stream, staging);
}

/* notes F7: sw_tcp_state_change. */
void iskra_stream_state_change(struct iskra_stream *stream, int err)
{
    struct iskra_port *port = stream->sock.port;
    ISKRA_STEP(port->trace, STATE_CHANGE, 0);
    stream->finished = true;
    port->ops->state_change(port, err);
}

/* notes F7: sw_tcp_write_space. */
void iskra_stream_write_space(struct iskra_stream *stream)
{
    struct iskra_port *port = stream->sock.port;
    ISKRA_STEP(port->trace, WRITE_SPACE, 0);
    stream->full = false;
    port->ops->write_space(port);
}

/* Sends one window. Returns the bytes that went, or a negative errno. */
static ssize_t pdu_xmit(struct iskra_stream *stream, struct iovec *iov, int iov_cnt, size_t total)
{
    ISKRA_STEP(stream->sock.port->trace, PDU_XMIT, total);
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = (size_t)iov_cnt};
    ssize_t n;
    do {
        n = sendmsg(stream->fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT);
    } while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno == EWOULDBLOCK ? -EAGAIN : -errno;
    return n;
}

int iskra_stream_xmit(struct iskra_sock *sock)
{
    struct iskra_stream *stream = (struct iskra_stream *)sock;
    struct iskra_port *port = sock->port;
    struct iovec iov[ISKRA_SEND_IOV_CNT];
    if (stream->unbound)
        return -ENOTCONN;
    if (stream->full)
        return -EAGAIN; /* write_space will follow */

    for (;;) {
        int iov_cnt = port->ops->send_window(port, iov, ISKRA_SEND_IOV_CNT, ISKRA_SEND_WINDOW_LEN);
        if (iov_cnt <= 0)
            return 0;
        size_t total = iov_total(iov, iov_cnt);
        ssize_t n = pdu_xmit(stream, iov, iov_cnt, total);
        if (n == -EAGAIN || (n >= 0 && (size_t)n < total))
            stream->full = true; /* before sent(), which may call back */
        port->ops->sent(port, n > 0 ? (size_t)n : 0);
        if (stream->unbound)
            return -ENOTCONN;
        if (n < 0)
            return (int)n;
        if (stream->full)
            return -EAGAIN;
    }
}
