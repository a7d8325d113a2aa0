/* Bound sockets of the epoll driver: which one has its turn, who receives for it, and that its
 * memory stays until nobody looks at it any more. */
#include "transport/epoll.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "error.h"

/* A bound socket of this driver. */
struct epoll_stream {
    struct iskra_stream stream; /* first */
    struct iskra_epoll *driver;
    struct iskra_receipt *receipt; /* if the driver has a receiver */
};

static struct iskra_epoll *driver_of(const struct iskra_stream *stream)
{
    return ((const struct epoll_stream *)stream)->driver;
}

static void let_wait_for_turn(struct iskra_epoll *d, struct iskra_stream *stream)
{
    if (iskra_stream_pending(stream) && iskra_list_empty(&stream->link))
        iskra_list_push_back(&d->ready, &stream->link);
}

/* Its turn is over. */
static void let_wait(struct iskra_epoll *d, struct iskra_stream *stream)
{
    struct iskra_receipt *receipt = ((struct epoll_stream *)stream)->receipt;
    if (receipt != NULL && !receipt->out && !stream->readable && iskra_stream_reading(stream))
        stream->readable = !d->receiver->ops->lend(d->receiver, receipt);
    let_wait_for_turn(d, stream);
}

void iskra_epoll_serve_stream(struct iskra_epoll *d, struct iskra_stream *stream, uint32_t events)
{
    const struct iskra_receipt *receipt = ((struct epoll_stream *)stream)->receipt;
    if (receipt != NULL && receipt->out)
        events &= EPOLLOUT; /* who reads sees the rest */
    if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        stream->hung_up = true;
    if (events & (EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR))
        stream->readable = true;
    if (iskra_stream_pending(stream))
        stream->data_ready(stream, d->staging);
    if (!stream->unbound && !stream->finished && stream->full && (events & EPOLLOUT))
        stream->write_space(stream);
    if (!stream->unbound)
        let_wait(d, stream);
}

/* Those that still have more go back to the end of d->ready. */
int iskra_epoll_serve_ready(struct iskra_epoll *d, struct iskra_list *due)
{
    int served = 0;
    for (struct iskra_list *l; (l = iskra_list_pop_front(due)) != NULL; served++)
        iskra_epoll_serve_stream(d, iskra_container_of(l, struct iskra_stream, link), 0);
    return served;
}

static void read_ourselves(struct iskra_epoll *d, struct iskra_stream *stream)
{
    iskra_stream_window_back(stream, 0);
    stream->readable = true;
    if (iskra_stream_pending(stream))
        stream->data_ready(stream, d->staging);
}

/* What the receiver has been reading by itself. */
int iskra_epoll_serve_arrived(struct iskra_epoll *d)
{
    int served = 0;
    struct iskra_receipt *receipt;
    ssize_t n;
    for (size_t room; served < ISKRA_EPOLL_ARRIVED_CNT; served++) {
        receipt = d->receiver->ops->next(d->receiver, &n, &room);
        if (receipt == NULL)
            break;
        struct iskra_stream *stream = receipt->stream;
        if (n == -EBUSY)
            read_ourselves(d, stream);
        else
            iskra_stream_arrived(stream, d->staging, n, room);
        if (!stream->unbound)
            let_wait(d, stream);
    }
    return served;
}

static void stream_free(struct iskra_epoll *d, struct epoll_stream *es)
{
    if (es->receipt != NULL)
        d->receiver->ops->release(d->receiver, es->receipt);
    d->driver.round->pf->free(d->driver.round->pf->arg, es);
}

void iskra_epoll_free_unbound(struct iskra_epoll *d)
{
    for (struct iskra_list *l; (l = iskra_list_pop_front(&d->unbound)) != NULL;)
        stream_free(d, iskra_container_of(l, struct epoll_stream, stream.link));
}

/* Of a socket whose receiving is somebody else's epoll tells only when it can be written to. */
static int watch_stream(struct iskra_epoll *d, struct epoll_stream *es)
{
    uint32_t events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET;
    if (d->receiver != NULL) {
        es->receipt = d->receiver->ops->attach(d->receiver, &es->stream);
        if (es->receipt == NULL)
            return -ENOMEM;
        events = EPOLLOUT | EPOLLET;
    }
    return iskra_epoll_add(d, es->stream.fd, events, es, EVENT_STREAM);
}

/* There may be bytes: it has the next turn, and whoever watches the descriptor has to come back. */
static void come_back_to(struct iskra_epoll *d, struct iskra_stream *stream)
{
    stream->readable = true;
    let_wait_for_turn(d, stream);
    if (!d->polling)
        iskra_bell_ring(&d->bell);
}

static int bind_conn(struct iskra_transport *transport, struct iskra_port *port, int fd,
                     bool is_leading, struct iskra_sock **ret_sock, struct iskra_error *err)
{
    struct iskra_epoll *d = iskra_container_of(transport, struct iskra_epoll, driver.transport);
    const struct iskra_platform *pf = d->driver.round->pf;
    struct epoll_stream *es = pf->alloc(pf->arg, sizeof(*es));
    if (!es)
        return iskra_fail(err, ISKRA_E_NOMEM, ENOMEM, "no memory for a socket");

    es->driver = d;
    int ret = iskra_stream_conn_bind(&es->stream, transport->ops, port, fd, is_leading, err);
    if (ret < 0)
        goto out;
    ret = watch_stream(d, es);
    if (ret < 0) {
        ret = iskra_fail(err, ISKRA_E_SYSTEM, -ret, "socket %d cannot be watched: %s", fd,
                         strerror(-ret));
        goto out;
    }
    *ret_sock = &es->stream.sock;
    if (es->receipt != NULL)
        come_back_to(d, &es->stream); /* the first look is ours */
    return 0;
out:
    stream_free(d, es);
    return ret;
}

static void unbind_conn(struct iskra_sock *sock)
{
    if (!sock)
        return;
    struct iskra_stream *stream = (struct iskra_stream *)sock;
    struct iskra_epoll *d = driver_of(stream);
    (void)epoll_ctl(d->epoll_fd, EPOLL_CTL_DEL, stream->fd, NULL); /* closed already: fine */
    iskra_epoll_strike_out(d, stream, EVENT_STREAM);
    iskra_list_remove(&stream->link);
    struct iskra_receipt *receipt = ((struct epoll_stream *)stream)->receipt;
    if (receipt != NULL)
        d->receiver->ops->detach(d->receiver, receipt);
    stream->unbound = true;
    iskra_list_push_back(&d->unbound,
                         &stream->link); /* a caller of ours may still be looking at it */
}

static void resume(struct iskra_sock *sock)
{
    struct iskra_stream *stream = (struct iskra_stream *)sock;
    if (!stream->suspended || stream->unbound)
        return;
    struct iskra_epoll *d = driver_of(stream);
    stream->suspended = false;
    stream->readable |= d->receiver != NULL;
    let_wait_for_turn(d, stream);
    if (!d->polling && !iskra_list_empty(&d->ready))
        iskra_bell_ring(&d->bell); /* whoever watches the descriptor must come back */
}

/* What has come in is told of at once, the end of the stream by the next read. */
static void recall(struct iskra_sock *sock)
{
    struct iskra_stream *stream = (struct iskra_stream *)sock;
    struct iskra_receipt *receipt = ((struct epoll_stream *)stream)->receipt;
    struct iskra_epoll *d = driver_of(stream);
    ssize_t n = receipt->out ? d->receiver->ops->recall(d->receiver, receipt) : -EBUSY;
    if (n == -EBUSY)
        return;
    iskra_stream_window_back(stream, n > 0 ? (size_t)n : 0);
    if (!stream->unbound)
        come_back_to(d, stream);
}

const struct iskra_transport_ops iskra_epoll_transport_ops = {
    .name = "tcp",
    .bind_conn = bind_conn,
    .unbind_conn = unbind_conn,
    .xmit = iskra_stream_xmit,
    .resume = resume,
};

const struct iskra_transport_ops iskra_uring_transport_ops = {
    .name = "tcp",
    .bind_conn = bind_conn,
    .unbind_conn = unbind_conn,
    .xmit = iskra_stream_xmit,
    .recall = recall,
    .resume = resume,
};
