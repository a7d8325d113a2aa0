/* The receive side of the port: which memory the next bytes go to, and what happens when they are
 * there.
 *
 * Two kinds of memory. Small PDUs are read many at a time into the transport's staging buffer and
 * copied out of it; the long rest of a Data-In is read straight into the command's own memory,
 * which is lent to the transport for that time (decision 15). */
#include "tcp/recv.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <iskra/platform.h>

#include "tcp/refuse.h"
#include "trace.h"

/* The rest of a Data-In's data as iovecs: the current chunk, then the entries after it. Returns how
 * many; *ret_len is what they hold, less than the rest if there are too many. */
static int direct_window(const struct iskra_segment *seg, struct iovec *iov, int iov_max,
                         size_t *ret_len)
{
    uint32_t left = iskra_segment_left(seg);
    struct iskra_sg_cursor sg = *seg->sg; /* stands where the current chunk begins */
    uint32_t here_len = seg->size - seg->copied;
    iov[0] = (struct iovec){.iov_base = seg->data + seg->copied, .iov_len = here_len};
    iskra_sg_cursor_advance(&sg, seg->size);
    size_t len = here_len;
    int cnt = 1;
    while (len < left && cnt < iov_max) {
        const struct iovec *entry = &sg.iov[sg.index];
        size_t entry_len = entry->iov_len < left - len ? entry->iov_len : left - len;
        iov[cnt++] = (struct iovec){.iov_base = entry->iov_base, .iov_len = entry_len};
        iskra_sg_cursor_advance(&sg, entry_len);
        len += entry_len;
    }
    *ret_len = len;
    return cnt;
}

/* How much of the staging buffer to offer when nothing is received in place. After a large payload
 * another is likely: reading far ahead then means copying its first part. */
static size_t staging_want(const struct iskra_tcp_in *in, size_t staging_len)
{
    size_t want = staging_len;
    if (in->exact)
        want = in->segment.size - in->segment.copied;
    else if (in->large_data)
        want = iskra_segment_left(&in->segment) + ISKRA_STAGING_BEHIND_LEN;
    return want < staging_len ? want : staging_len;
}

int iskra_tcp_recv_window(struct iskra_tcp_conn *conn, uint8_t *staging, size_t staging_len,
                          struct iovec *iov, int iov_max)
{
    struct iskra_tcp_in *in = &conn->in;
    assert(!in->window_out && iov_max >= 2);
    if (in->failed || in->suspended) /* bytes are held only while suspended */
        return 0;
    int cnt = 0;
    in->direct_len = 0;
    in->staging_len = 0;
    /* A sink is the same memory again and again: fit to be copied to, piece by piece. */
    bool direct = in->segment.sg && !in->exact && !in->task->detached &&
                  iskra_segment_left(&in->segment) >= ISKRA_DIRECT_RECV_MIN;
    if (direct) {
        cnt = direct_window(&in->segment, iov, iov_max - 1, &in->direct_len);
        conn->ops->task_get(conn, in->task);
        in->window_task = in->task;
        if (in->direct_len == iskra_segment_left(&in->segment))
            in->staging_len =
                staging_len < ISKRA_STAGING_BEHIND_LEN ? staging_len : ISKRA_STAGING_BEHIND_LEN;
    } else {
        in->staging_len = staging_want(in, staging_len);
    }
    if (in->staging_len > 0)
        iov[cnt++] = (struct iovec){.iov_base = staging, .iov_len = in->staging_len};
    in->staging = staging;
    in->window_out = true;
    return cnt;
}

/* len bytes are where they belong: only the accounts follow, chunk by chunk. They were asked for by
 * a header judged before, so a suspension does not concern them. */
static enum iskra_recv_status recv_direct(struct iskra_tcp_conn *conn, size_t len)
{
    const struct iskra_segment *seg = &conn->in.segment;
    enum iskra_recv_status status = ISKRA_BUF_DONE;
    while (len > 0 && status != ISKRA_RECV_CONN_ERR) {
        uint32_t chunk_left = seg->size - seg->copied;
        uint32_t n = len < chunk_left ? (uint32_t)len : chunk_left;
        len -= n;
        status = iskra_tcp_recv_in_place(conn, n);
    }
    return status;
}

/* notes F10, notes F11: while (status != SKB_DONE) recv_skb. *at moves on. */
static enum iskra_recv_status recv_staged(struct iskra_tcp_conn *conn, const uint8_t *buf,
                                          size_t len, size_t *at)
{
    enum iskra_recv_status status = ISKRA_SEGMENT_DONE;
    while (status == ISKRA_SEGMENT_DONE && *at < len)
        *at += iskra_tcp_recv_buf(conn, buf + *at, len - *at, &status);
    return status;
}

/* Receive was suspended with bytes in staging, which belongs to the transport and will be
 * overwritten. It happens at a login, and when a target pings faster than it takes the answers
 * (decision 39): no part of any request's path, so that it may allocate. */
static int hold(struct iskra_tcp_conn *conn, const uint8_t *buf, size_t len)
{
    struct iskra_tcp_in *in = &conn->in;
    in->held = conn->pf->alloc(conn->pf->arg, len);
    if (!in->held) {
        (void)iskra_tcp_fail(conn, ISKRA_CONN_FAILED, "no memory for %zu bytes held back", len);
        return iskra_tcp_recv_fail(conn, ISKRA_CONN_FAILED);
    }
    memcpy(in->held, buf, len);
    in->held_len = len;
    in->held_at = 0;
    return -EAGAIN;
}

/* A Data-In goes on in a later call: until then its task must not go away under it, whatever times
 * out. */
static void in_task_hold(struct iskra_tcp_conn *conn)
{
    struct iskra_tcp_in *in = &conn->in;
    if (in->task && !in->task_held) {
        conn->ops->task_get(conn, in->task);
        in->task_held = true;
    }
}

static int recv_bytes(struct iskra_tcp_conn *conn, size_t direct_len, const uint8_t *staged,
                      size_t staged_len)
{
    enum iskra_recv_status status = recv_direct(conn, direct_len);
    size_t at = 0;
    if (status != ISKRA_RECV_CONN_ERR)
        status = recv_staged(conn, staged, staged_len, &at);
    if (status == ISKRA_RECV_CONN_ERR)
        return iskra_tcp_recv_errno(conn);
    in_task_hold(conn);
    if (at < staged_len)
        return hold(conn, staged + at, staged_len - at);
    return conn->in.suspended ? -EAGAIN : 0;
}

/* notes F9: iscsi_sw_tcp_recv. */
int iskra_tcp_recv(struct iskra_tcp_conn *conn, size_t n)
{
    ISKRA_STEP(conn->trace, RECV, n);
    struct iskra_tcp_in *in = &conn->in;
    if (in->failed) /* no window is out */
        return iskra_tcp_recv_errno(conn);
    assert(in->window_out && n <= in->direct_len + in->staging_len);
    struct iskra_tcp_task *lent = in->window_task;
    size_t direct_len = n < in->direct_len ? n : in->direct_len;
    in->window_out = false;
    in->window_task = NULL;
    in->octets += n;
    if (n > 0 && conn->ops->received)
        conn->ops->received(conn);
    if (lent && n > 0) /* a PDU may take longer than its command has */
        lent->last_xfer = ++conn->xfers;
    int rc = recv_bytes(conn, direct_len, in->staging, n - direct_len);
    if (lent)
        conn->ops->task_put(conn, lent);
    return rc;
}

void iskra_tcp_recv_suspend(struct iskra_tcp_conn *conn)
{
    conn->in.suspended = true;
}

int iskra_tcp_recv_resume(struct iskra_tcp_conn *conn)
{
    struct iskra_tcp_in *in = &conn->in;
    in->suspended = false;
    if (in->failed)
        return iskra_tcp_recv_errno(conn);
    if (!in->held)
        return 0;
    enum iskra_recv_status status = recv_staged(conn, in->held, in->held_len, &in->held_at);
    if (status != ISKRA_RECV_CONN_ERR)
        in_task_hold(conn);
    if (in->held_at < in->held_len && status == ISKRA_RECV_SUSPENDED)
        return -EAGAIN;
    conn->pf->free(conn->pf->arg, in->held);
    in->held = NULL;
    if (status == ISKRA_RECV_CONN_ERR)
        return iskra_tcp_recv_errno(conn);
    return in->suspended ? -EAGAIN : 0;
}
