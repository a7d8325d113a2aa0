/* Receiving by io_uring: see receiver.h. One ring for all sockets of a loop.
 *
 * Each socket has a small staging buffer of its own, since windows of many are out at the same
 * time; what is more than that is read from the socket in the same turn (stream.c). In the middle
 * of a large payload the window is the command's own memory.
 *
 * A completion belongs to its receipt by its address. One that was taken back early is struck out:
 * its user_data becomes 0, like that of the requests that cancel. */
#include <errno.h>
#include <liburing.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "list.h"
#include "transport/receiver.h"
#include "transport/stream.h"

#define SQ_ENTRIES 128u
#define CQ_ENTRIES 4096u
#define OWN_LEN    8192u

/* A cancelled receive is over at once, as long as the kernel does what it says. Else it is waited
 * for, a millisecond each time; first the request is repeated, then the socket is shut down. */
#define TAKE_BACK_TRIES   1000u
#define CANCEL_EVERY      16u
#define SHUTDOWN_AT_TRIES 32u

struct uring {
    struct iskra_receiver receiver; /* first */
    const struct iskra_platform *pf;
    struct io_uring ring;
    struct iskra_list refused; /* of struct receipt: the kernel did not take them */
};

struct receipt {
    struct iskra_receipt receipt; /* first */
    struct iskra_list link;       /* u->refused */
    bool released;                /* to be freed when the kernel has let go of it */
    ssize_t n;                    /* what has come in, once it is struck out */
    size_t room;
    struct msghdr msg;
    struct iovec iov[ISKRA_RECV_IOV_MAX];
    uint8_t staging[OWN_LEN];
};

static struct uring *of(struct iskra_receiver *receiver)
{
    return (struct uring *)receiver;
}

/* ---- the ring ---- */

static void receiver_free(struct iskra_receiver *receiver)
{
    struct uring *u = of(receiver);
    io_uring_queue_exit(&u->ring);
    u->pf->free(u->pf->arg, u);
}

/* What the kernel has not taken is ours again. An entry of the queue cannot be taken off it, but be
 * made one that does nothing. */
static void take_off_queue(struct uring *u)
{
    const struct io_uring_sq *sq = &u->ring.sq;
    for (unsigned i = *sq->khead; i != sq->sqe_tail; i++) {
        struct io_uring_sqe *sqe = &sq->sqes[i & sq->ring_mask];
        struct receipt *r = (struct receipt *)(uintptr_t)sqe->user_data;
        if (r == NULL)
            continue;
        io_uring_prep_nop(sqe);
        io_uring_sqe_set_data(sqe, NULL);
        iskra_list_push_back(&u->refused, &r->link);
    }
}

static void submit(struct iskra_receiver *receiver)
{
    struct uring *u = of(receiver);
    if (io_uring_sq_ready(&u->ring) > 0 && io_uring_submit(&u->ring) < 0)
        take_off_queue(u);
}

static struct io_uring_sqe *next_sqe(struct uring *u)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);
    if (sqe != NULL)
        return sqe;
    submit(&u->receiver);
    return io_uring_get_sqe(&u->ring);
}

static bool arrived(const struct iskra_receiver *receiver)
{
    const struct uring *u = (const struct uring *)receiver;
    return io_uring_cq_ready(&u->ring) > 0 || !iskra_list_empty(&u->refused);
}

/* Interrupted, or cancelled because the thread that had begun it has ended: not the socket's end.
 */
static ssize_t result(int res)
{
    return res == -EINTR || res == -ECANCELED ? -EAGAIN : res;
}

static struct iskra_receipt *next(struct iskra_receiver *receiver, ssize_t *ret_n, size_t *ret_room)
{
    struct uring *u = of(receiver);
    struct io_uring_cqe *cqe;
    struct iskra_list *l = iskra_list_pop_front(&u->refused);
    if (l != NULL) {
        struct iskra_receipt *receipt = &iskra_container_of(l, struct receipt, link)->receipt;
        receipt->out = false;
        *ret_n = -EBUSY;
        return receipt;
    }
    while (io_uring_peek_cqe(&u->ring, &cqe) == 0) {
        struct receipt *r = (struct receipt *)(uintptr_t)cqe->user_data;
        *ret_n = result(cqe->res);
        io_uring_cqe_seen(&u->ring, cqe);
        if (r == NULL)
            continue;
        *ret_room = r->room;
        r->receipt.out = false;
        if (r->released)
            u->pf->free(u->pf->arg, r);
        else if (r->receipt.stream != NULL)
            return &r->receipt;
    }
    return NULL;
}

/* ---- windows ---- */

static struct iskra_receipt *attach(struct iskra_receiver *receiver, struct iskra_stream *stream)
{
    const struct iskra_platform *pf = of(receiver)->pf;
    struct receipt *r = pf->alloc(pf->arg, sizeof(*r));
    if (r == NULL)
        return NULL;
    r->receipt.stream = stream;
    iskra_list_init(&r->link);
    return &r->receipt;
}

static bool lend(struct iskra_receiver *receiver, struct iskra_receipt *receipt)
{
    struct uring *u = of(receiver);
    struct receipt *r = (struct receipt *)receipt;
    int iov_cnt = iskra_stream_window(receipt->stream, r->staging, OWN_LEN, r->iov, &r->room);
    if (iov_cnt == 0)
        return true;
    struct io_uring_sqe *sqe = next_sqe(u);
    if (sqe == NULL) {
        iskra_stream_window_back(receipt->stream, 0);
        return false;
    }
    r->msg = (struct msghdr){.msg_iov = r->iov, .msg_iovlen = (size_t)iov_cnt};
    io_uring_prep_recvmsg(sqe, receipt->stream->fd, &r->msg, 0);
    sqe->ioprio = IORING_RECVSEND_POLL_FIRST; /* it was read empty just now */
    io_uring_sqe_set_data(sqe, r);
    receipt->out = true;
    return true;
}

static bool strike_out(struct uring *u, struct receipt *r)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    io_uring_for_each_cqe(&u->ring, head, cqe)
    {
        if (cqe->user_data != (uint64_t)(uintptr_t)r)
            continue;
        r->n = result(cqe->res);
        r->receipt.out = false;
        cqe->user_data = 0;
        return true;
    }
    return false;
}

/* The kernel had never taken it. */
static bool take_off_list(struct receipt *r)
{
    if (iskra_list_empty(&r->link))
        return false;
    iskra_list_remove(&r->link);
    r->n = -EAGAIN;
    r->receipt.out = false;
    return true;
}

static void cancel(struct uring *u, struct receipt *r)
{
    struct io_uring_sqe *sqe = next_sqe(u);
    if (sqe == NULL)
        return;
    io_uring_prep_cancel64(sqe, (uint64_t)(uintptr_t)r, 0);
    io_uring_sqe_set_data(sqe, NULL);
    submit(&u->receiver);
}

/* True: the kernel has nothing of it any more, r->n tells what came. */
static bool take_back(struct uring *u, struct receipt *r, bool for_good)
{
    for (unsigned tries = 0; tries < TAKE_BACK_TRIES; tries++) {
        if (tries % CANCEL_EVERY == 0)
            cancel(u, r);
        if (strike_out(u, r) || take_off_list(r))
            return true;
        if (for_good && tries == SHUTDOWN_AT_TRIES)
            (void)shutdown(r->receipt.stream->fd, SHUT_RD); /* then the receive ends by itself */
        (void)poll(NULL, 0, 1); /* the kernel finishes when we enter it */
    }
    return false;
}

static ssize_t recall(struct iskra_receiver *receiver, struct iskra_receipt *receipt)
{
    struct receipt *r = (struct receipt *)receipt;
    return take_back(of(receiver), r, false) ? r->n : -EBUSY;
}

static void detach(struct iskra_receiver *receiver, struct iskra_receipt *receipt)
{
    struct receipt *r = (struct receipt *)receipt;
    if (receipt->out)
        (void)take_back(of(receiver), r, true);
    receipt->stream = NULL;
}

static void release(struct iskra_receiver *receiver, struct iskra_receipt *receipt)
{
    struct uring *u = of(receiver);
    struct receipt *r = (struct receipt *)receipt;
    if (receipt->out)
        r->released = true;
    else
        u->pf->free(u->pf->arg, r);
}

static const struct iskra_receiver_ops uring_receiver_ops = {
    .free = receiver_free,
    .attach = attach,
    .detach = detach,
    .release = release,
    .lend = lend,
    .submit = submit,
    .recall = recall,
    .arrived = arrived,
    .next = next,
};

/* Cooperative: completions are taken up when we enter the kernel anyway, instead of each of them
 * interrupting us, which would cost a turn of the loop each. This and IORING_RECVSEND_POLL_FIRST
 * came with Linux 5.19; an older kernel refuses the flag. */
#define RING_FLAGS (IORING_SETUP_COOP_TASKRUN | IORING_SETUP_CQSIZE | IORING_SETUP_CLAMP)

int iskra_uring_receiver_new(const struct iskra_platform *pf, struct iskra_receiver **ret_receiver)
{
    struct io_uring_params params = {.flags = RING_FLAGS, .cq_entries = CQ_ENTRIES};
    struct uring *u = pf->alloc(pf->arg, sizeof(*u));
    if (u == NULL)
        return -ENOMEM;
    u->receiver.ops = &uring_receiver_ops;
    u->pf = pf;
    iskra_list_init(&u->refused);
    int rc = io_uring_queue_init_params(SQ_ENTRIES, &u->ring, &params);
    if (rc < 0) {
        pf->free(pf->arg, u);
        return rc;
    }
    u->receiver.fd = u->ring.ring_fd;
    *ret_receiver = &u->receiver;
    return 0;
}
