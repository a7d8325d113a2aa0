/* Detaching; see detach.h. */
#include "tcp/detach.h"

#include <assert.h>
#include <string.h>

#include "tcp/recv.h"

/* One sink entry; the list repeats it. */
#define SINK_LEN_MAX (64u * 1024u)

/* ---- sending ---- */

/* Of the i-th PDU of the ring: what has not been sent of its payload, if that is the task's memory
 * and no copy of it already. */
static uint32_t unsent_len(const struct iskra_tcp_out *out, uint32_t i,
                           const struct iskra_tcp_task *task)
{
    const struct iskra_tx_pdu *pdu = &out->ring[i & (out->cnt - 1)];
    uint32_t at = i == out->head ? out->head_sent : 0;
    if (pdu->task != task || pdu->copy_taken > 0)
        return 0;
    if (at <= pdu->hdr_len)
        return pdu->payload_len;
    return at - pdu->hdr_len < pdu->payload_len ? pdu->payload_len - (at - pdu->hdr_len) : 0;
}

static size_t all_unsent_len(const struct iskra_tcp_out *out, const struct iskra_tcp_task *task)
{
    size_t len = 0;
    for (uint32_t i = out->head; i != out->tail; i++)
        len += unsent_len(out, i, task);
    return len;
}

static void copy_out(struct iskra_sg_cursor sg, uint8_t *dst, size_t len)
{
    while (len > 0) {
        const struct iovec *entry = &sg.iov[sg.index];
        size_t n = entry->iov_len - sg.offset < len ? entry->iov_len - sg.offset : len;
        memcpy(dst, (const uint8_t *)entry->iov_base + sg.offset, n);
        iskra_sg_cursor_advance(&sg, n);
        dst += n;
        len -= n;
    }
}

static void copy_unsent(struct iskra_tcp_out *out, const struct iskra_tcp_task *task,
                        uint8_t *memory)
{
    for (uint32_t i = out->head; i != out->tail; i++) {
        struct iskra_tx_pdu *pdu = &out->ring[i & (out->cnt - 1)];
        uint32_t len = unsent_len(out, i, task);
        if (len == 0)
            continue;
        copy_out(pdu->payload, memory, len); /* the cursor stands on its first unsent byte */
        pdu->linear = (struct iovec){.iov_base = memory, .iov_len = len};
        iskra_sg_cursor_init(&pdu->payload, &pdu->linear, 1, 0);
        memory += len;
    }
}

/* ---- receiving ---- */

static bool being_received(const struct iskra_tcp_in *in, const struct iskra_tcp_task *task)
{
    return in->task == task && in->segment.sg == &task->sg;
}

/* Where the next byte of the task's data goes. */
static uint32_t recv_pos(const struct iskra_tcp_in *in, const struct iskra_tcp_task *task)
{
    return task->sg.pos + (being_received(in, task) ? in->segment.copied : 0);
}

static size_t sink_len(size_t rest)
{
    return rest < SINK_LEN_MAX ? rest : SINK_LEN_MAX;
}

static size_t sink_cnt(size_t rest)
{
    return rest == 0 ? 0 : (rest + sink_len(rest) - 1) / sink_len(rest);
}

static size_t rest_len(const struct iskra_tcp_in *in, const struct iskra_tcp_task *task)
{
    uint32_t pos = recv_pos(in, task);
    return pos < task->transfer_len ? task->transfer_len - pos : 0;
}

static void sink_set(struct iskra_tcp_in *in, struct iskra_tcp_task *task, void *memory)
{
    size_t rest = rest_len(in, task), cnt = sink_cnt(rest);
    struct iovec *iov = memory;
    for (size_t i = 0; i < cnt; i++)
        iov[i] = (struct iovec){.iov_base = iov + cnt, .iov_len = sink_len(rest)};
    uint32_t pos = recv_pos(in, task);
    bool now = being_received(in, task);
    iskra_sg_cursor_init(&task->sg, iov, (uint32_t)cnt, 0);
    task->sg.pos = pos;
    if (now)
        iskra_segment_move(&in->segment);
}

bool iskra_tcp_is_lent(const struct iskra_tcp_conn *conn, const struct iskra_tcp_task *task)
{
    return conn->in.window_out && conn->in.window_task == task;
}

size_t iskra_tcp_detach_len(const struct iskra_tcp_conn *conn, const struct iskra_tcp_task *task)
{
    size_t rest = task->dir == ISKRA_DIR_READ ? rest_len(&conn->in, task) : 0;
    return all_unsent_len(&conn->out, task) + sink_cnt(rest) * sizeof(struct iovec) +
           sink_len(rest);
}

/* A read has nothing in the ring, a write receives nothing. */
void iskra_tcp_detach(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task, void *memory)
{
    assert(!iskra_tcp_is_lent(conn, task));
    if (task->dir == ISKRA_DIR_READ)
        sink_set(&conn->in, task, memory);
    else
        copy_unsent(&conn->out, task, memory);
    task->detached = true;
}
