/* The two faces between a connection and the socket that carries it.
 *
 * Downwards, a connection is a byte port (struct iskra_port): the transport driver asks it where
 * the next received bytes belong and which bytes to send next, moves them, and says how many it
 * moved. The port does no I/O. Upwards, a socket that was bound (struct iskra_sock) offers what the
 * notes call the transport: bind_conn and its companions, a table of functions per driver (epoll,
 * io_uring, the simulator).
 *
 * Loans. From recv_window() to recv(), the memory of the window belongs to the transport; from
 * send_window() to sent(), the memory to send does, for reading. The port keeps the tasks concerned
 * alive meanwhile. At most one window per direction is out at a time.
 *
 * notes F2: iscsi_sw_tcp_transport is the driver's table; notes F4: what bind_conn is given. */
#ifndef ISKRA_TCP_PORT_H
#define ISKRA_TCP_PORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include <iskra/error.h>

struct iskra_port;
struct iskra_sock;
struct iskra_trace;
struct iskra_transport;

struct iskra_port_ops {
    /* The socket is attached: be ready for the first header (notes F8). */
    void (*bound)(struct iskra_port *port);

    /* Where do the next bytes belong? Fills at most iov_max (>= 2) entries and returns how many:
     * first the rest of the current segment in its final place, if that is worth a direct receive,
     * then a part of `staging`. 0: nothing may be read now (suspended); the transport stops until
     * iskra_transport_ops.resume. */
    int (*recv_window)(struct iskra_port *port, uint8_t *staging, size_t staging_len,
                       struct iovec *iov, int iov_max);

    /* n bytes are in the last window, in order (0: the window comes back unused). Returns 0;
     * -EAGAIN: receive became suspended, stop reading; another negative errno: the connection has
     * failed, stop reading for good. */
    int (*recv)(struct iskra_port *port, size_t n);

    /* The peer closed (err 0) or the socket failed (positive errno). Called once, after everything
     * readable was given to recv(). */
    void (*state_change)(struct iskra_port *port, int err);

    /* The socket can take bytes again after it was full: kick the transmit worker. */
    void (*write_space)(struct iskra_port *port);

    /* Which bytes are to be sent next? At most iov_max entries and max_len bytes; 0: none. */
    int (*send_window)(struct iskra_port *port, struct iovec *iov, int iov_max, size_t max_len);

    /* n bytes of the last window were sent; the rest will be offered again. */
    void (*sent)(struct iskra_port *port, size_t n);
};

struct iskra_port {
    const struct iskra_port_ops *ops;
    struct iskra_trace *trace;
    uint64_t awaited_len; /* bytes that the reads not yet ended ask for: how much to expect */
};

struct iskra_transport_ops {
    const char *name; /* "tcp" */

    /* Attaches a connected stream socket to a port: installs data_ready, state_change and
     * write_space. The fd stays the caller's and must outlive the binding. is_leading: first
     * connection of its session. Returns 0 with *ret_sock set, -EEXIST if fd is not a socket (what
     * the kernel answers), or another negative errno. */
    int (*bind_conn)(struct iskra_transport *transport, struct iskra_port *port, int fd,
                     bool is_leading, struct iskra_sock **ret_sock, struct iskra_error *err);

    /* Detaches: no callback comes after this; loans end. NULL is accepted. */
    void (*unbind_conn)(struct iskra_sock *sock);

    /* Sends what send_window() offers until it offers nothing (0), the socket is full (-EAGAIN;
     * write_space follows), or the socket fails (other negative errno). */
    int (*xmit)(struct iskra_sock *sock);

    /* Gives the receive window that is out back now, with what has come in so far: the port's
     * recv() is called from inside, perhaps with 0 bytes. NULL: this driver keeps none between two
     * calls. One that cannot take back what it has asked for leaves the window out. */
    void (*recall)(struct iskra_sock *sock);

    /* The port's window is open again after recv_window() had returned 0 or recv() -EAGAIN. */
    void (*resume)(struct iskra_sock *sock);
};

struct iskra_transport {
    const struct iskra_transport_ops *ops;
};

struct iskra_sock {
    const struct iskra_transport_ops *ops;
    struct iskra_port *port;
};

#endif
