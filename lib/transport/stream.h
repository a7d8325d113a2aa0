/* A bound stream socket: the part that drivers over real sockets share. Reading into a port's
 * window, sending what it offers, and the three callbacks of the notes. When a socket is readable
 * or writable is the driver's knowledge. */
#ifndef ISKRA_TRANSPORT_STREAM_H
#define ISKRA_TRANSPORT_STREAM_H

#include <stdbool.h>
#include <sys/types.h>

#include "list.h"
#include "tcp/port.h"

#define ISKRA_STAGING_LEN     (256u * 1024u)
#define ISKRA_RECV_IOV_MAX    64
#define ISKRA_SEND_IOV_CNT    512
#define ISKRA_SEND_WINDOW_LEN (272u * 1024u)

/* One socket's share of a round: system calls, and bytes, which are one of so many parts of those
 * that its port awaits. */
#define ISKRA_ROUND_READS    16
#define ISKRA_ROUND_PARTS    4
#define ISKRA_ROUND_RECV_MIN (64u * 1024u)
#define ISKRA_ROUND_RECV_MAX (1024u * 1024u)

struct iskra_stream {
    struct iskra_sock sock; /* first: what the layers above hold */
    int fd;
    bool is_leading;
    bool readable;  /* an edge came and the socket was not seen empty since */
    bool hung_up;   /* the peer closed or the socket failed: read on to the end, then say so */
    bool suspended; /* the port takes nothing now */
    bool full;      /* the last send did not fit: write_space is owed */
    bool finished;  /* end reported, or the port gave up: never read again */
    bool unbound;   /* memory waits for the driver to come by */
    struct iskra_list link; /* the driver's: sockets with bytes left, or unbound ones */

    /* notes F7: what set_callbacks installs. */
    void (*data_ready)(struct iskra_stream *stream, uint8_t *staging);
    void (*state_change)(struct iskra_stream *stream, int err);
    void (*write_space)(struct iskra_stream *stream);
};

/* bind.c. notes F3: sw_tcp_conn_bind. Fills *stream, which the driver then watches. 0; -EEXIST: fd
 * is not a socket; another negative errno: not a connected stream socket. */
int iskra_stream_conn_bind(struct iskra_stream *stream, const struct iskra_transport_ops *ops,
                           struct iskra_port *port, int fd, bool is_leading,
                           struct iskra_error *err);

/* For a driver whose kernel reads by itself: the window to be read into, ISKRA_RECV_IOV_MAX entries
 * at most, *ret_room bytes. 0: the port takes nothing, the stream is suspended. */
int iskra_stream_window(struct iskra_stream *stream, uint8_t *staging, size_t staging_len,
                        struct iovec *iov, size_t *ret_room);

/* The window was read: n bytes of its room, 0 at the end of the stream, or a negative errno;
 * -EAGAIN: nothing. Goes on reading, like data_ready, if there was more than fitted. */
void iskra_stream_arrived(struct iskra_stream *stream, uint8_t *staging, ssize_t n, size_t room);

/* The window comes back early, with n bytes. No end of the stream is told of from here. */
void iskra_stream_window_back(struct iskra_stream *stream, size_t n);

/* stream.c: what bind.c installs. */
void iskra_stream_data_ready(struct iskra_stream *stream, uint8_t *staging);
void iskra_stream_state_change(struct iskra_stream *stream, int err);
void iskra_stream_write_space(struct iskra_stream *stream);

/* The `xmit` of struct iskra_transport_ops. */
int iskra_stream_xmit(struct iskra_sock *sock);

/* Nothing keeps it from being read. */
static inline bool iskra_stream_reading(const struct iskra_stream *stream)
{
    return !stream->suspended && !stream->finished && !stream->unbound;
}

/* True while the socket wants another turn. */
static inline bool iskra_stream_pending(const struct iskra_stream *stream)
{
    return stream->readable && iskra_stream_reading(stream);
}

#endif
