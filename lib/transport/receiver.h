/* Who receives for sockets while nothing of ours runs: the kernel, by io_uring (uring.c).
 *
 * A driver that has a receiver lends it the window of each socket that was read empty. The window
 * stays out over the turns of the loop until bytes have come in, or until it is asked for: so do
 * the loans of whose memory it is (tcp/port.h). Nothing is ever given back before the kernel has
 * let go of it. */
#ifndef ISKRA_TRANSPORT_RECEIVER_H
#define ISKRA_TRANSPORT_RECEIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include <iskra/platform.h>

struct iskra_receiver;
struct iskra_stream;

/* The receiver's part of a socket. */
struct iskra_receipt {
    struct iskra_stream *stream; /* NULL: detached */
    bool out;                    /* the kernel has the window */
};

struct iskra_receiver_ops {
    /* Every receipt was taken back before. */
    void (*free)(struct iskra_receiver *receiver);

    /* For a socket that is bound; NULL: no memory. */
    struct iskra_receipt *(*attach)(struct iskra_receiver *receiver, struct iskra_stream *stream);

    /* The socket is unbound: when this returns the kernel has let go of its window, and what has
     * come in meanwhile is lost. The receipt's memory stays until release(). */
    void (*detach)(struct iskra_receiver *receiver, struct iskra_receipt *receipt);
    void (*release)(struct iskra_receiver *receiver, struct iskra_receipt *receipt);

    /* Asks the port for its window and queues it for the kernel; suspends the stream if there is
     * none. False: there is no room for more, and the window was given back. */
    bool (*lend)(struct iskra_receiver *receiver, struct iskra_receipt *receipt);

    /* What was lent since is the kernel's from now on, or, if it takes none, comes by next(). */
    void (*submit)(struct iskra_receiver *receiver);

    /* Takes the window back early: the bytes that have come in, -EAGAIN if there are none, another
     * negative errno or 0 at the end of the stream; -EBUSY: the kernel does not let go of it. */
    ssize_t (*recall)(struct iskra_receiver *receiver, struct iskra_receipt *receipt);

    /* Has the kernel finished with a window? No system call. */
    bool (*arrived)(const struct iskra_receiver *receiver);

    /* The next one that it has finished with, NULL: none. *ret_n as of recall(), of *ret_room;
     * -EBUSY: the kernel has not taken this window, the socket is to be read without it. */
    struct iskra_receipt *(*next)(struct iskra_receiver *receiver, ssize_t *ret_n,
                                  size_t *ret_room);
};

struct iskra_receiver {
    const struct iskra_receiver_ops *ops;
    int fd; /* readable when something has arrived */
};

/* 0, or a negative errno: this kernel cannot, or may not. */
int iskra_uring_receiver_new(const struct iskra_platform *pf, struct iskra_receiver **ret_receiver);

#endif
