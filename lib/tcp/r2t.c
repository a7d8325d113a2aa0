/* Receiving R2Ts: judged, then queued on their task; and which sequence of Data-Out a task is to go
 * on with. Sending them is the transmit worker's work. */
#include "tcp/r2t.h"

#include <assert.h>

#include "tcp/refuse.h"
#include "trace.h"

#define ASKED_TIMES_MAX 4u /* of the command's data */

void iskra_r2t_queue_init(struct iskra_r2t_queue *q, struct iskra_r2t *entries, uint32_t entry_cnt)
{
    *q = (struct iskra_r2t_queue){.entries = entries, .entry_cnt = entry_cnt};
}

bool iskra_r2t_queue_put(struct iskra_r2t_queue *q, const struct iskra_r2t *r2t)
{
    if (q->queued_cnt == q->entry_cnt)
        return false;
    q->entries[(q->first + q->queued_cnt) % q->entry_cnt] = *r2t;
    q->queued_cnt++;
    return true;
}

/* RFC 7143 4.2.5.2: unsolicited data comes first; then the R2Ts are answered one after the other,
 * which is what DataSequenceInOrder asks for and needs no choice without it. */
struct iskra_r2t *iskra_tcp_data_out_due(struct iskra_tcp_task *task)
{
    if (task->unsolicited.sent_len < task->unsolicited.desired_len)
        return &task->unsolicited;
    if (!task->r2t || task->r2t->queued_cnt == 0)
        return NULL;
    return &task->r2t->entries[task->r2t->first];
}

static void r2t_queue_pop(struct iskra_r2t_queue *q)
{
    q->first = (q->first + 1) % q->entry_cnt;
    q->queued_cnt--;
}

void iskra_tcp_data_out_sent(struct iskra_tcp_task *task, uint32_t len)
{
    struct iskra_r2t *r2t = iskra_tcp_data_out_due(task);
    assert(r2t && len <= r2t->desired_len - r2t->sent_len);
    r2t->sent_len += len;
    r2t->data_sn++;
    task->sent_len += len;
    if (r2t != &task->unsolicited && r2t->sent_len == r2t->desired_len)
        r2t_queue_pop(task->r2t);
}

/* While a session recovers, or a task is being aborted, the target may not know yet: its R2T is no
 * fault, and obeying it would send data of a command that is about to be forgotten. */
static bool r2t_is_moot(struct iskra_tcp_conn *conn, const struct iskra_tcp_task *task)
{
    return !task->running || !conn->ops->logged_in(conn);
}

enum iskra_conn_error iskra_tcp_r2t_rsp(struct iskra_tcp_conn *conn, struct iskra_tcp_task *task,
                                        const uint8_t *hdr)
{
    struct iskra_pdu_r2t pdu;
    iskra_r2t_decode(hdr, &pdu);
    ISKRA_STEP(conn->trace, R2T_RSP, pdu.desired_len);

    if (pdu.data_len > 0)
        return iskra_tcp_refuse(conn, ISKRA_CONN_DATALEN, "DataSegmentLength", pdu.data_len,
                                "allowed", 0);
    if (pdu.r2t_sn != task->exp_data_sn)
        return iskra_tcp_refuse(conn, ISKRA_CONN_R2TSN, "R2TSN", pdu.r2t_sn, "expected",
                                task->exp_data_sn);
    conn->in.r2ts++;
    conn->ops->update_cmd_window(conn, pdu.exp_cmd_sn, pdu.max_cmd_sn);
    if (r2t_is_moot(conn, task)) {
        conn->in.r2ts_dropped++;
        task->exp_data_sn = pdu.r2t_sn + 1; /* more of them may be on their way */
        return ISKRA_CONN_OK;
    }
    /* 11.8.5: it would make the answer look like unsolicited data. */
    if (pdu.ttt == ISKRA_RESERVED_TAG)
        return iskra_tcp_refuse(conn, ISKRA_CONN_PROTO, "Target Transfer Tag", pdu.ttt, "below",
                                ISKRA_RESERVED_TAG);
    if (pdu.desired_len == 0)
        return iskra_tcp_refuse(conn, ISKRA_CONN_DATALEN, "Desired Data Transfer Length", 0,
                                "at least", 1);
    /* 11.8.4 forbids more than MaxBurstLength, yet targets in the field ask for it and obeying
     * costs nothing: it is only counted. */
    if (pdu.desired_len > conn->in.max_burst_len)
        conn->in.r2ts_over_burst++;
    if ((uint64_t)pdu.offset + pdu.desired_len > task->transfer_len)
        return iskra_tcp_refuse(conn, ISKRA_CONN_DATALEN, "end of the data asked for",
                                (uint64_t)pdu.offset + pdu.desired_len, "end of the command's data",
                                task->transfer_len);
    /* Without error recovery nothing should be asked for twice. Obeying costs little; but a target
     * that goes on for ever would never let the command come to its timeout. */
    if (task->asked_len + pdu.desired_len > ASKED_TIMES_MAX * (uint64_t)task->transfer_len)
        return iskra_tcp_refuse(conn, ISKRA_CONN_DATALEN, "length of all the data asked for",
                                task->asked_len + pdu.desired_len, "at most",
                                ASKED_TIMES_MAX * (uint64_t)task->transfer_len);
    struct iskra_r2t r2t = {
        .ttt = pdu.ttt,
        .r2t_sn = pdu.r2t_sn,
        .offset = pdu.offset,
        .desired_len = pdu.desired_len,
        .lun = pdu.lun,
    };
    if (!task->r2t || !iskra_r2t_queue_put(task->r2t, &r2t))
        return iskra_tcp_refuse(conn, ISKRA_CONN_PROTO, "R2TSN", pdu.r2t_sn, "room for",
                                task->r2t ? task->r2t->entry_cnt : 0);
    task->asked_len += pdu.desired_len;
    task->exp_data_sn = pdu.r2t_sn + 1;
    conn->ops->r2t_queued(conn, task);
    return ISKRA_CONN_OK;
}
