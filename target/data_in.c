/* Tasks become PDUs: Data-In for what they read (RFC 7143 11.7), a SCSI Response for how they ended
 * (11.4).
 *
 * This is the fast path. Tasks are answered in order, and a PDU is only made when it can soon be
 * sent, so that the serial numbers in it are fresh and nothing piles up. */
#include "target/conn.h"

#include <string.h>

#define SENSE_SEGMENT_LEN (2u + ISKRA_SENSE_FIXED_LEN)

struct residual {
    bool overflow, underflow;
    uint32_t len; /* bytes */
};

static uint32_t moved_len(const struct target_task *task)
{
    if (!task->write)
        return task->sent_len;
    return task->taken_len < task->out_len ? task->taken_len : task->out_len;
}

/* 11.4.5: against what the initiator expected, whichever way it was to go. */
static struct residual residual_of(const struct target_task *task)
{
    if (task->status == ISKRA_STATUS_GOOD && task->full_len > task->edtl) {
        uint64_t over = task->full_len - task->edtl;
        return (struct residual){.overflow = true,
                                 .len = over < UINT32_MAX ? (uint32_t)over : UINT32_MAX};
    }
    uint32_t moved = moved_len(task);
    if (moved < task->edtl)
        return (struct residual){.underflow = true, .len = task->edtl - moved};
    return (struct residual){0};
}

static bool by_reference(const struct iskra_target_conn *conn, const struct target_task *task)
{
    if (task->source != TASK_BLOCKS || conn->target->faults.copies)
        return false;
    /* With a data digest the bytes must not change between hashing and sending, so memory is
     * copied. */
    return task->lun->kind == ISKRA_TARGET_NULL ||
           (task->lun->kind == ISKRA_TARGET_RAM && !conn->data_digest);
}

/* The task's next `len` bytes into the arena. False: the medium failed, and the task is refused. */
static bool copy(struct iskra_target_conn *conn, struct target_task *task, uint8_t *dst,
                 uint32_t len)
{
    if (task->source == TASK_BLOCKS) {
        if (target_lun_read(task->lun, task->pos + task->sent_len, dst, len) == 0)
            return true;
        target_task_refuse(task, ISKRA_SENSE_MEDIUM_ERROR, 0x11, 0); /* UNRECOVERED READ ERROR */
        return false;
    }
    size_t prepared_len;
    if (target_prepare(conn, task, &prepared_len) < 0 || prepared_len < task->sent_len + len) {
        target_task_refuse(task, ISKRA_SENSE_HARDWARE_ERROR, 0x44, 0); /* INTERNAL TARGET FAILURE */
        return false;
    }
    memcpy(dst, conn->target->scratch + task->sent_len, len);
    return true;
}

/* Memory that nobody has written to is not looked at: see ram.h. */
static const uint8_t *bytes_find(const struct iskra_target_conn *conn, const struct target_lun *lun,
                                 uint64_t pos, uint32_t len)
{
    const struct target_ram *ram = &lun->ram;
    uint64_t hole_len;
    if (lun->kind == ISKRA_TARGET_NULL ||
        (target_ram_hole(ram, pos, len / ram->grain_len + 1, &hole_len) && hole_len >= len))
        return conn->target->zeros;
    return ram->bytes + pos;
}

static bool payload_find(struct iskra_target_conn *conn, struct target_task *task,
                         struct out_pdu *pdu, uint32_t len)
{
    if (!by_reference(conn, task))
        return copy(conn, task, pdu->room, len);
    pdu->payload = bytes_find(conn, task->lun, task->pos + task->sent_len, len);
    pdu->payload_len = len;
    return true;
}

/* Up to the initiator's MaxRecvDataSegmentLength, and never across the end of a sequence of
 * MaxBurstLength. */
static uint32_t data_in_len(const struct iskra_target_conn *conn, const struct target_task *task)
{
    uint32_t len = task->data_len - task->sent_len;
    uint32_t burst = conn->keys.value[KEY_MAX_BURST];
    uint32_t burst_left = burst - task->sent_len % burst;
    if (len > burst_left)
        len = burst_left;
    if (len > conn->keys.value[KEY_MAX_RECV])
        len = conn->keys.value[KEY_MAX_RECV];
    if (len > conn->target->options.max_data_in)
        len = conn->target->options.max_data_in;
    return len;
}

/* False: no room now. */
static bool data_in(struct iskra_target_conn *conn, struct target_task *task)
{
    uint32_t len = data_in_len(conn, task);
    struct out_pdu *pdu = target_out_begin(&conn->out, by_reference(conn, task) ? 0 : len);
    if (!pdu)
        return false;
    if (!payload_find(conn, task, pdu, len)) {
        task->data_len = task->sent_len; /* the response tells the rest */
        return true;
    }
    struct iskra_pdu_data_in rsp = {
        .itt = task->itt, .ttt = ISKRA_RESERVED_TAG, .data_sn = task->data_sn++};
    rsp.offset = task->sent_len;
    task->sent_len += len;
    conn->target->stats.read_bytes += len;
    bool last = task->sent_len == task->data_len;
    rsp.final = last || task->sent_len % conn->keys.value[KEY_MAX_BURST] == 0;
    if (last && !conn->target->options.separate_status) { /* 11.7.3: status with the last data */
        struct residual residual = residual_of(task);
        rsp.status_present = true;
        rsp.status = ISKRA_STATUS_GOOD;
        rsp.overflow = residual.overflow;
        rsp.underflow = residual.underflow;
        rsp.residual = residual.len;
        rsp.stat_sn = conn->stat_sn++;
        target_task_release(conn, task); /* before MaxCmdSN is told */
    }
    rsp.exp_cmd_sn = conn->exp_cmd_sn;
    rsp.max_cmd_sn = target_max_cmd_sn(conn);
    iskra_data_in_encode(&rsp, pdu->bhs);
    target_conn_send(conn, pdu, task);
    return true;
}

static bool scsi_response(struct iskra_target_conn *conn, struct target_task *task)
{
    /* A fault may say CHECK CONDITION and leave it at that. */
    bool check = task->status == ISKRA_STATUS_CHECK_CONDITION &&
                 (task->sense_key | task->asc | task->ascq) != 0;
    struct out_pdu *pdu = target_out_begin(&conn->out, check ? SENSE_SEGMENT_LEN : 0);
    if (!pdu)
        return false;
    if (check) {
        struct iskra_sense sense = {.key = task->sense_key,
                                    .asc = task->asc,
                                    .ascq = task->ascq,
                                    .information_valid = task->information_valid,
                                    .information = task->information};
        iskra_put_be16(pdu->room, ISKRA_SENSE_FIXED_LEN);
        (void)iskra_sense_encode_fixed(&sense, pdu->room + 2); /* its length is known */
    }
    struct residual residual = residual_of(task);
    struct iskra_pdu_scsi_rsp rsp = {.overflow = residual.overflow,
                                     .underflow = residual.underflow,
                                     .residual = residual.len,
                                     .status = task->status,
                                     .itt = task->itt,
                                     .stat_sn = conn->stat_sn++,
                                     .exp_data_sn = task->data_sn + task->r2t_sn};
    target_task_release(conn, task); /* before MaxCmdSN is told */
    rsp.exp_cmd_sn = conn->exp_cmd_sn;
    rsp.max_cmd_sn = target_max_cmd_sn(conn);
    iskra_scsi_rsp_encode(&rsp, pdu->bhs);
    target_conn_send(conn, pdu, task);
    return true;
}

void target_data_in_pump(struct iskra_target_conn *conn)
{
    /* A request that waits for room goes first, else reads could keep it waiting forever. */
    while (!conn->blocked && conn->out.queued_len < OUT_SEND_MAX &&
           !iskra_list_empty(&conn->tasks)) {
        struct target_task *task = iskra_container_of(conn->tasks.next, struct target_task, link);
        bool made =
            task->sent_len < task->data_len ? data_in(conn, task) : scsi_response(conn, task);
        if (!made)
            return;
    }
}
