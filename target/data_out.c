/* Data of a command on its way to the target: immediate data, unsolicited Data-Out, and Data-Out
 * that R2Ts ask for (RFC 7143 4.2.5.2, 11.7, 11.8).
 *
 * DataPDUInOrder and DataSequenceInOrder are always Yes here, so the bytes of a command come in
 * order and one number per command, taken_len, says what has come. A command that has failed is
 * answered only when every sequence that was begun or asked for has ended: until then its Data-Out
 * is dropped (RFC 7143 7.3). With early_status it is answered at once, and what comes for it later
 * finds no task. Which bytes go where is write.c's matter. */
#include "target/conn.h"

#include <string.h>

#include "target/opcodes.h"

/* A Target Transfer Tag: which task, and a number that comes around after 2^19 R2Ts of it. No index
 * is large enough to make the reserved tag. */
#define TTT_INDEX_BITS 13u
#define TTT_INDEX_MASK ((1u << TTT_INDEX_BITS) - 1)
_Static_assert(4096u + IMMEDIATE_MAX < TTT_INDEX_MASK, "an index fits");

static uint32_t min32(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static bool failed(const struct target_task *task)
{
    return task->status != ISKRA_STATUS_GOOD;
}

static void fail(struct target_task *task, uint8_t ascq)
{
    if (!failed(task))
        target_task_refuse(task, ISKRA_SENSE_ABORTED_COMMAND, ASC_WRITE_ERROR, ascq);
}

/* The most that one R2T asks for. Of one size, so that their number tells where they end. */
static uint32_t r2t_len(const struct iskra_target_conn *conn)
{
    uint32_t len = conn->target->options.r2t_len, max_burst = conn->keys.value[KEY_MAX_BURST];
    return len ? min32(len, max_burst) : max_burst;
}

static uint32_t outstanding(const struct target_task *task)
{
    return task->r2t_sn - task->r2t_done;
}

static uint32_t ttt_of(const struct iskra_target_conn *conn, const struct target_task *task,
                       uint32_t number)
{
    return number << TTT_INDEX_BITS | (uint32_t)(task - conn->task_mem);
}

/* What a task waits for now: Data-Out, the right moment for an R2T, or its answer. */
static void settle(struct iskra_target_conn *conn, struct target_task *task)
{
    bool open = task->unsolicited || outstanding(task) > 0;
    open = open && !(failed(task) && conn->target->options.early_status);
    bool more = !failed(task) && task->asked_len < task->out_len;
    if (more && !task->unsolicited && outstanding(task) < conn->keys.value[KEY_MAX_R2T]) {
        target_task_enter(conn, task, TASK_ASKING);
    } else if (open) {
        target_task_enter(conn, task, TASK_RECEIVING);
    } else {
        target_write_finish(conn, task);
        target_task_enter(conn, task, TASK_ANSWERING);
    }
}

/* 11.4.7.2, "unexpected unsolicited data", and more than the initiator itself announced. */
static bool immediate_ok(const struct iskra_target_conn *conn, struct target_task *task,
                         uint32_t len)
{
    if (len > 0 && !conn->keys.value[KEY_IMMEDIATE_DATA])
        fail(task, ASCQ_UNEXPECTED_UNSOLICITED);
    else if (len > conn->keys.value[KEY_FIRST_BURST])
        fail(task, ASCQ_UNEXPECTED_UNSOLICITED);
    else if (len > task->edtl)
        fail(task, ASCQ_INCORRECT_AMOUNT);
    else
        return true;
    return false;
}

void target_data_out_begin(struct iskra_target_conn *conn, struct target_task *task,
                           const struct target_pdu *pdu, bool final)
{
    uint32_t len = pdu->payload_len;
    bool follows = !final;
    task->unsolicited_end = min32(conn->keys.value[KEY_FIRST_BURST], task->edtl);
    if (follows && conn->keys.value[KEY_INITIAL_R2T]) { /* 11.3.1: what it announces may not come */
        fail(task, ASCQ_UNEXPECTED_UNSOLICITED);
        follows = false;
    }
    if (immediate_ok(conn, task, len)) {
        /* Who brings data cannot be told to wait; SAM-5 5.3.1: the initiator tries again. */
        if ((len > 0 || follows) && !failed(task) && !target_collect_take(conn, task)) {
            task->status = ISKRA_STATUS_TASK_SET_FULL;
            task->out_len = 0;
        }
        target_write_take(conn, task, pdu->payload, len);
        task->taken_len = len;
    }
    task->unsolicited = follows && task->taken_len < task->unsolicited_end;
    task->asked_len = task->unsolicited ? task->unsolicited_end : task->taken_len;
    settle(conn, task);
}

/* By tag where it has one of ours; by ITT for unsolicited data, latest first, since those follow
 * their command closely. */
static struct target_task *find(struct iskra_target_conn *conn,
                                const struct iskra_pdu_data_out *req)
{
    uint32_t index = req->ttt & TTT_INDEX_MASK;
    if (index < conn->task_mem_cnt) {
        struct target_task *task = &conn->task_mem[index];
        if ((task->phase == TASK_RECEIVING || task->phase == TASK_ASKING) && task->itt == req->itt)
            return task;
    }
    struct iskra_list *lists[] = {&conn->receiving, &conn->asking};
    for (unsigned i = 0; i < 2; i++)
        for (struct iskra_list *link = lists[i]->prev; link != lists[i]; link = link->prev) {
            struct target_task *task = iskra_container_of(link, struct target_task, link);
            if (task->itt == req->itt)
                return task;
        }
    return NULL;
}

/* Where the sequence that is now due ends. False: the PDU does not belong to it. */
static bool sequence_end(const struct iskra_target_conn *conn, const struct target_task *task,
                         uint32_t ttt, uint32_t *ret_end)
{
    if (task->unsolicited) {
        *ret_end = task->unsolicited_end;
        return ttt == ISKRA_RESERVED_TAG;
    }
    if (outstanding(task) == 0 || ttt != ttt_of(conn, task, task->ttt_next - outstanding(task)))
        return false;
    uint64_t end = task->r2t_from + ((uint64_t)task->r2t_done + 1) * r2t_len(conn);
    *ret_end = end < task->out_len ? (uint32_t)end : task->out_len;
    return true;
}

/* 11.7: the right sequence, DataSN from 0 on, bytes that follow those before, no more than was
 * asked for, and F on the last of them. */
static bool in_order(const struct iskra_target_conn *conn, struct target_task *task,
                     const struct iskra_pdu_data_out *req, uint32_t *ret_end)
{
    if (!sequence_end(conn, task, req->ttt, ret_end)) {
        fail(task,
             req->ttt == ISKRA_RESERVED_TAG ? ASCQ_UNEXPECTED_UNSOLICITED : ASCQ_INCORRECT_AMOUNT);
        return false;
    }
    uint32_t left = *ret_end - task->taken_len;
    if (req->data_sn != task->out_data_sn || req->offset != task->taken_len ||
        req->data_len > left) {
        fail(task, ASCQ_INCORRECT_AMOUNT);
        return false;
    }
    return true;
}

/* F, or the last byte, has come. */
static void sequence_close(const struct iskra_target_conn *conn, struct target_task *task,
                           uint32_t end, bool final)
{
    /* 11.4.7.2: unsolicited data may only end early when all of it would have fitted. */
    bool short_ok = task->unsolicited && task->edtl <= conn->keys.value[KEY_FIRST_BURST];
    if (!final || (task->taken_len < end && !short_ok))
        fail(task, ASCQ_INCORRECT_AMOUNT);
    if (task->unsolicited)
        task->asked_len = task->taken_len;
    else
        task->r2t_done++;
    task->unsolicited = false;
    task->out_data_sn = 0;
}

/* Data-Out of a command that has failed: only ends matter. */
static void drop(struct target_task *task, bool final)
{
    if (!final)
        return;
    if (task->unsolicited)
        task->unsolicited = false;
    else if (outstanding(task) > 0)
        task->r2t_done++;
}

static void take(struct iskra_target_conn *conn, struct target_task *task,
                 const struct iskra_pdu_data_out *req, const struct target_pdu *pdu)
{
    uint32_t end;
    if (failed(task) || !in_order(conn, task, req, &end)) {
        drop(task, req->final);
    } else {
        if (pdu->digest_ok)
            target_write_take(conn, task, pdu->payload, pdu->payload_len);
        else /* 7.8: its header is good, so the place of what was lost is known */
            target_task_refuse(task, ISKRA_SENSE_ABORTED_COMMAND, ASC_PROTOCOL_CRC,
                               ASCQ_PROTOCOL_CRC);
        task->taken_len += pdu->payload_len;
        task->out_data_sn++;
        if (req->final || task->taken_len == end)
            sequence_close(conn, task, end, req->final);
    }
    settle(conn, task);
}

enum pdu_verdict target_data_out_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu)
{
    struct iskra_pdu_data_out req;
    iskra_data_out_decode(pdu->bhs, &req);
    if (!pdu->digest_ok && target_reject(conn, pdu, REJECT_DATA_DIGEST) == PDU_BLOCKED)
        return PDU_BLOCKED;
    struct target_task *task = find(conn, &req);
    if (task) /* else it has been aborted or refused, and this was on its way */
        take(conn, task, &req, pdu);
    return PDU_TAKEN;
}

/* False: no room now. */
static bool r2t(struct iskra_target_conn *conn, struct target_task *task)
{
    struct out_pdu *pdu = target_out_begin(&conn->out, 0);
    if (!pdu)
        return false;
    if (task->r2t_sn == 0)
        task->r2t_from = task->asked_len;
    struct iskra_pdu_r2t req = {.lun = task->lun_field,
                                .itt = task->itt,
                                .ttt = ttt_of(conn, task, task->ttt_next++),
                                .stat_sn = conn->stat_sn, /* 11.8: told, not used up */
                                .exp_cmd_sn = conn->exp_cmd_sn,
                                .max_cmd_sn = target_max_cmd_sn(conn),
                                .r2t_sn = task->r2t_sn++,
                                .offset = task->asked_len,
                                .desired_len =
                                    min32(task->out_len - task->asked_len, r2t_len(conn))};
    task->asked_len += req.desired_len;
    iskra_r2t_encode(&req, pdu->bhs);
    target_conn_send(conn, pdu, task);
    settle(conn, task);
    return true;
}

void target_r2t_pump(struct iskra_target_conn *conn)
{
    struct iskra_list *link = conn->asking.next;
    while (link != &conn->asking && !conn->blocked && conn->out.queued_len < OUT_SEND_MAX) {
        struct target_task *task = iskra_container_of(link, struct target_task, link);
        link = link->next;
        if (!target_collect_take(conn, task))
            continue;
        while (task->phase == TASK_ASKING)
            if (!r2t(conn, task))
                return;
    }
}
