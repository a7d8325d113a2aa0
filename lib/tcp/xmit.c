/* Transmit: a ring of PDUs, offered to the transport as one gather list.
 *
 * Every PDU is complete when it is queued, digests included; sending is only arithmetic on how far
 * the head PDU got. Which PDU is next to be built is the iSCSI layer's decision. */
#include "tcp/xmit.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include <iskra/platform.h>

#include "tcp/recv.h"
#include "trace.h"
#include "wire/crc32c.h"

static struct iskra_tx_pdu *slot(const struct iskra_tcp_out *out, uint32_t i)
{
    return &out->ring[i & (out->cnt - 1)];
}

uint32_t iskra_tcp_xmit_room(const struct iskra_tcp_conn *conn)
{
    return conn->out.cnt - (conn->out.tail - conn->out.head);
}

bool iskra_tcp_xmit_pending(const struct iskra_tcp_conn *conn)
{
    return conn->out.tail != conn->out.head;
}

bool iskra_tcp_xmit_takes(const struct iskra_tcp_conn *conn, uint32_t payload_len)
{
    const struct iskra_tcp_out *out = &conn->out;
    if (iskra_tcp_xmit_room(conn) == 0)
        return false;
    if (payload_len == 0)
        return true;
    bool copied = out->data_digest && out->copy.memory && payload_len <= ISKRA_TX_COPY_MAX;
    return out->queued_len < ISKRA_QUEUED_LEN_MAX &&
           (!copied || iskra_tx_copy_fits(&out->copy, payload_len));
}

int iskra_tcp_xmit_copy_payloads(struct iskra_tcp_conn *conn)
{
    struct iskra_tx_copy *copy = &conn->out.copy;
    if (!copy->memory)
        copy->memory = conn->pf->alloc(conn->pf->arg, ISKRA_TX_COPY_LEN);
    return copy->memory ? 0 : -ENOMEM;
}

static uint32_t crc_of_payload(const struct iskra_tx_pdu *pdu)
{
    struct iskra_sg_cursor sg = pdu->payload;
    uint32_t crc = ISKRA_CRC32C_INIT;
    for (size_t left = pdu->payload_len; left > 0;) {
        const struct iovec *entry = &sg.iov[sg.index];
        size_t n = entry->iov_len - sg.offset;
        if (n > left)
            n = left;
        crc = iskra_crc32c_update(crc, (const uint8_t *)entry->iov_base + sg.offset, n);
        iskra_sg_cursor_advance(&sg, n);
        left -= n;
    }
    return crc;
}

/* Takes the payload as a copy, which is hashed on the way; else it is hashed where it is. */
static uint32_t payload_hash(struct iskra_tcp_out *out, struct iskra_tx_pdu *pdu, bool may_copy)
{
    if (!may_copy || !out->copy.memory || pdu->payload_len > ISKRA_TX_COPY_MAX)
        return crc_of_payload(pdu);
    uint32_t crc = ISKRA_CRC32C_INIT;
    uint8_t *copy =
        iskra_tx_copy_put(&out->copy, pdu->payload, pdu->payload_len, &crc, &pdu->copy_taken);
    pdu->linear = (struct iovec){.iov_base = copy, .iov_len = pdu->payload_len};
    iskra_sg_cursor_init(&pdu->payload, &pdu->linear, 1, 0);
    return crc;
}

/* Pad and data digest. A PDU without data has neither (RFC 7143 11.1). */
static void tail_set(struct iskra_tcp_out *out, struct iskra_tx_pdu *pdu, bool may_copy)
{
    pdu->tail_len = 0;
    pdu->copy_taken = 0;
    if (pdu->payload_len == 0)
        return;
    uint32_t pad_len = iskra_pad_len(pdu->payload_len);
    memset(pdu->tail, 0, pad_len);
    pdu->tail_len = pad_len;
    if (out->data_digest) {
        uint32_t crc = payload_hash(out, pdu, may_copy);
        crc = iskra_crc32c_update(crc, pdu->tail, pad_len);
        iskra_crc32c_put(pdu->tail + pad_len, iskra_crc32c_finish(crc));
        pdu->tail_len += ISKRA_DIGEST_LEN;
    }
}

/* Headers follow each other; the last one before the end goes to the beginning if it finds no room.
 * What is overwritten was sent long ago: there are fewer PDUs in the ring than have room here. */
static uint8_t *hdr_place(struct iskra_tcp_out *out)
{
    if (out->hdr_at > out->cnt * ISKRA_TX_HDR_LEN)
        out->hdr_at = 0;
    return out->hdrs + out->hdr_at;
}

uint8_t *iskra_tcp_xmit_hdr(struct iskra_tcp_conn *conn)
{
    assert(iskra_tcp_xmit_room(conn) > 0);
    return hdr_place(&conn->out);
}

/* A number that was given out once more by now is taken for its own for as long as that PDU is
 * queued: nobody waits longer than for a send. */
bool iskra_tcp_xmit_takes_long_hdr(const struct iskra_tcp_conn *conn)
{
    const struct iskra_tcp_out *out = &conn->out;
    return out->long_hdr_pdu - out->head >= out->tail - out->head;
}

uint8_t *iskra_tcp_xmit_long_hdr(struct iskra_tcp_conn *conn)
{
    assert(iskra_tcp_xmit_takes_long_hdr(conn));
    conn->out.long_hdr_pdu = conn->out.tail;
    return conn->out.long_hdr;
}

static void hdr_set(struct iskra_tcp_out *out, struct iskra_tx_pdu *pdu, uint8_t *hdr,
                    uint32_t hdr_len)
{
    bool lent = hdr_len > ISKRA_BHS_LEN;
    uint8_t *place = lent ? hdr : hdr_place(out);
    if (place != hdr)
        memcpy(place, hdr, ISKRA_BHS_LEN);
    pdu->hdr = place;
    pdu->hdr_len = hdr_len;
    if (out->hdr_digest) {
        uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, place, hdr_len);
        iskra_crc32c_put(place + hdr_len, iskra_crc32c_finish(crc));
        pdu->hdr_len += ISKRA_DIGEST_LEN;
    }
    if (!lent)
        out->hdr_at += pdu->hdr_len;
}

/* The PDU's header, payload and tail are set: it is in the ring from now on. */
static void commit(struct iskra_tcp_conn *conn, struct iskra_tx_pdu *pdu)
{
    struct iskra_tcp_out *out = &conn->out;
    if (pdu->task) {
        conn->ops->task_get(conn, pdu->task);
        pdu->task->last_xfer = ++conn->xfers;
    }
    iskra_trace_pdu(conn->trace, ISKRA_TRACE_PDU_OUT, conn->sid, pdu->hdr);
    out->queued_len += pdu->hdr_len + pdu->payload_len + pdu->tail_len;
    out->tail++;
}

int iskra_tcp_xmit_task(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task, uint8_t *hdr,
                        uint32_t hdr_len, const void *data, uint32_t data_len)
{
    ISKRA_STEP(conn->trace, XMIT_TASK, 0);
    struct iskra_tcp_out *out = &conn->out;
    assert(hdr_len == ISKRA_BHS_LEN + iskra_bhs_ahs_len(hdr) &&
           data_len == iskra_bhs_data_len(hdr));
    assert(task || (hdr_len == ISKRA_BHS_LEN && data_len == 0));
    if (iskra_tcp_xmit_room(conn) == 0)
        return -EAGAIN;
    struct iskra_tx_pdu *pdu = slot(out, out->tail);
    pdu->task = task;
    hdr_set(out, pdu, hdr, hdr_len);
    pdu->payload_len = data_len;
    pdu->linear = (struct iovec){.iov_base = (void *)(uintptr_t)data, .iov_len = data_len};
    iskra_sg_cursor_init(&pdu->payload, &pdu->linear, 1, 0);
    tail_set(out, pdu, false); /* this data is ours: nobody changes it */
    commit(conn, pdu);
    return 0;
}

/* Data goes forward within a sequence, and mostly from one to the next: the cursor is kept. By
 * value: one that was just moved in memory, field by field, has to be waited for to be copied as a
 * whole. */
static struct iskra_sg_cursor write_cursor(struct iskra_tcp_task *task, uint32_t offset)
{
    struct iskra_sg_cursor sg = offset < task->out_sg.pos ? task->sg : task->out_sg;
    iskra_sg_cursor_advance(&sg, offset - sg.pos);
    task->out_sg = sg;
    return sg;
}

void iskra_tcp_xmit_write(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task, uint8_t *hdr,
                          uint32_t hdr_len, uint32_t offset)
{
    ISKRA_STEP(conn->trace, XMIT_TASK, 0);
    struct iskra_tcp_out *out = &conn->out;
    uint32_t data_len = iskra_bhs_data_len(hdr);
    assert(hdr_len == ISKRA_BHS_LEN + iskra_bhs_ahs_len(hdr) && task->dir == ISKRA_DIR_WRITE);
    assert((uint64_t)offset + data_len <= task->transfer_len &&
           iskra_tcp_xmit_takes(conn, data_len));
    struct iskra_tx_pdu *pdu = slot(out, out->tail);
    pdu->task = task;
    hdr_set(out, pdu, hdr, hdr_len);
    pdu->payload_len = data_len;
    pdu->payload = write_cursor(task, offset);
    tail_set(out, pdu, true);
    commit(conn, pdu);
}

/* A gather list being filled; full when either limit is reached. */
struct gather {
    struct iovec *iov;
    int cnt, max;
    size_t len_left;
};

/* Returns false when the list is full. What lies behind the last entry makes it longer: each entry
 * costs the kernel as much as some hundred bytes. */
static bool gather_put(struct gather *g, const void *base, size_t len)
{
    if (len == 0)
        return true;
    struct iovec *last = g->cnt > 0 ? &g->iov[g->cnt - 1] : NULL;
    bool follows = last && (const uint8_t *)last->iov_base + last->iov_len == base;
    if ((g->cnt == g->max && !follows) || g->len_left == 0)
        return false;
    bool fits = len <= g->len_left;
    size_t n = fits ? len : g->len_left;
    if (follows)
        last->iov_len += n;
    else
        g->iov[g->cnt++] = (struct iovec){.iov_base = (void *)(uintptr_t)base, .iov_len = n};
    g->len_left -= n;
    return fits;
}

static bool gather_payload(struct gather *g, const struct iskra_tx_pdu *pdu, size_t left)
{
    const struct iskra_sg_cursor *from = &pdu->payload;
    const struct iovec *first = &from->iov[from->index];
    if (left <= first->iov_len - from->offset) /* as nearly always */
        return gather_put(g, (const uint8_t *)first->iov_base + from->offset, left);
    struct iskra_sg_cursor sg = *from;
    while (left > 0) {
        const struct iovec *entry = &sg.iov[sg.index];
        size_t n = entry->iov_len - sg.offset;
        if (n > left)
            n = left;
        if (!gather_put(g, (const uint8_t *)entry->iov_base + sg.offset, n))
            return false;
        iskra_sg_cursor_advance(&sg, n);
        left -= n;
    }
    return true;
}

/* `at` bytes of the PDU are sent already. */
static bool gather_pdu(struct gather *g, const struct iskra_tx_pdu *pdu, uint32_t at)
{
    if (at < pdu->hdr_len) {
        if (!gather_put(g, pdu->hdr + at, pdu->hdr_len - at))
            return false;
        at = pdu->hdr_len;
    }
    at -= pdu->hdr_len;
    if (at < pdu->payload_len) {
        if (!gather_payload(g, pdu, pdu->payload_len - at))
            return false;
        at = pdu->payload_len;
    }
    at -= pdu->payload_len;
    return gather_put(g, pdu->tail + at, pdu->tail_len - at);
}

int iskra_tcp_send_window(struct iskra_tcp_conn *conn, struct iovec *iov, int iov_max,
                          size_t max_len)
{
    const struct iskra_tcp_out *out = &conn->out;
    struct gather g = {
        .iov = iov,
        .max = iov_max < ISKRA_SEND_IOV_MAX ? iov_max : ISKRA_SEND_IOV_MAX,
        .len_left = max_len < ISKRA_SEND_LEN_MAX ? max_len : ISKRA_SEND_LEN_MAX,
    };
    uint32_t at = out->head_sent;
    for (uint32_t i = out->head; i != out->tail; i++) {
        if (!gather_pdu(&g, slot(out, i), at))
            break;
        at = 0;
    }
    return g.cnt;
}

/* n more bytes of the head PDU are sent, and more remain: its payload cursor follows, so that no
 * send walks a scatter list from its start. */
static void head_advance(struct iskra_tcp_out *out, struct iskra_tx_pdu *pdu, uint32_t n)
{
    uint32_t from = out->head_sent > pdu->hdr_len ? out->head_sent : pdu->hdr_len;
    out->head_sent += n;
    uint32_t payload_end = pdu->hdr_len + pdu->payload_len;
    uint32_t to = out->head_sent < payload_end ? out->head_sent : payload_end;
    if (to > from)
        iskra_sg_cursor_advance(&pdu->payload, to - from);
}

static void head_pop(struct iskra_tcp_conn *conn)
{
    struct iskra_tcp_out *out = &conn->out;
    const struct iskra_tx_pdu *pdu = slot(out, out->head);
    struct iskra_tcp_task *task = pdu->task;
    out->queued_len -= pdu->hdr_len + pdu->payload_len + pdu->tail_len;
    iskra_tx_copy_give(&out->copy, pdu->copy_taken);
    out->head++;
    out->head_sent = 0;
    if (task)
        conn->ops->task_put(conn, task);
}

void iskra_tcp_sent(struct iskra_tcp_conn *conn, size_t n)
{
    struct iskra_tcp_out *out = &conn->out;
    out->octets += n;
    while (n > 0) {
        assert(iskra_tcp_xmit_pending(conn));
        struct iskra_tx_pdu *pdu = slot(out, out->head);
        uint32_t left = pdu->hdr_len + pdu->payload_len + pdu->tail_len - out->head_sent;
        if (n < left) {
            head_advance(out, pdu, (uint32_t)n);
            if (pdu->task)
                pdu->task->last_xfer = ++conn->xfers;
            return;
        }
        n -= left;
        head_pop(conn);
    }
}

void iskra_tcp_xmit_drop(struct iskra_tcp_conn *conn)
{
    while (iskra_tcp_xmit_pending(conn))
        head_pop(conn);
}
