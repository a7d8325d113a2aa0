/* What the files of the epoll driver share: epoll.c is the driver, epoll_socket.c what it does with
 * bound sockets. */
#ifndef ISKRA_TRANSPORT_EPOLL_H
#define ISKRA_TRANSPORT_EPOLL_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/epoll.h>

#include "list.h"
#include "transport/bell.h"
#include "transport/receiver.h"
#include "transport/stream.h"
#include "transport/transport.h"

#define ISKRA_EPOLL_EVENT_CNT   64
#define ISKRA_EPOLL_ARRIVED_CNT 1024 /* windows that came back, in one turn */

/* What an event belongs to is in the low bits of its pointer. */
enum event_kind {
    EVENT_STRUCK = 0,
    EVENT_WATCH = 1,
    EVENT_STREAM = 2,
    EVENT_TIMER = 3,
    EVENT_WAKE = 4,
    EVENT_RECEIVER = 5,
};
#define EVENT_KIND_MASK 7u

struct iskra_epoll {
    struct iskra_driver driver; /* first */
    struct iskra_round_ops round_ops;
    int epoll_fd;
    struct iskra_bell bell;
    struct iskra_receiver *receiver; /* NULL: sockets are read when epoll says so */
    bool polling;
    bool waits_itself; /* the platform's wait is the kernel's, and epoll can do it in one call */
    bool went_on;      /* the last poll did not look at the descriptors */
    struct iskra_list ready;   /* of struct iskra_stream: bytes left, no new edge to expect */
    struct iskra_list unbound; /* of struct iskra_stream: to be freed */
    unsigned event_cnt;
    struct epoll_event events[ISKRA_EPOLL_EVENT_CNT];
    uint8_t staging[ISKRA_STAGING_LEN];
};

/* epoll.c. kind: what p is; 0 or a negative errno. */
int iskra_epoll_add(struct iskra_epoll *d, int fd, uint32_t events, void *p, enum event_kind kind);
void iskra_epoll_strike_out(struct iskra_epoll *d, void *p, enum event_kind kind);

/* epoll_socket.c. */
extern const struct iskra_transport_ops iskra_epoll_transport_ops;
extern const struct iskra_transport_ops iskra_uring_transport_ops; /* with a receiver */

/* An event of a socket: it has its turn. */
void iskra_epoll_serve_stream(struct iskra_epoll *d, struct iskra_stream *stream, uint32_t events);

/* Sockets that had more than their share last time, and have had no turn in this one. How many. */
int iskra_epoll_serve_ready(struct iskra_epoll *d, struct iskra_list *due);

/* Sockets for which the receiver has received. How many. */
int iskra_epoll_serve_arrived(struct iskra_epoll *d);

/* Nobody looks at what was unbound any more. */
void iskra_epoll_free_unbound(struct iskra_epoll *d);

#endif
