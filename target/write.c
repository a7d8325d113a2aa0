/* Commands that change the medium, or compare it: WRITE, WRITE AND VERIFY, VERIFY, WRITE SAME,
 * UNMAP, COMPARE AND WRITE (SBC-3 5).
 *
 * Blocks to be written need no buffer: each Data-Out goes to the LUN as it comes, so a command that
 * fails half way leaves what had come, as SBC-3 4.10 allows. Commands that need all of their data
 * before they can begin collect it in one of the places a session has for this, and then run at
 * once, alone. */
#include "target/conn.h"

#include <errno.h>
#include <string.h>

#include "target/opcodes.h"

#define UNMAP_HEADER_LEN 8u
#define UNMAP_DESC_LEN   16u

uint32_t target_compare_write_blocks(const struct target_lun *lun)
{
    uint32_t most = COMPARE_WRITE_MAX / lun->block_len; /* at least one */
    return most < 255 ? most : 255;
}

static void refuse_field(struct target_task *task)
{
    target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
}

static void refuse_errno(struct target_task *task, int rc)
{
    if (rc == -ENOSPC || rc == -EDQUOT)
        target_task_refuse(task, ISKRA_SENSE_DATA_PROTECT, ASC_WRITE_PROTECTED, ASCQ_NO_SPACE);
    else
        target_task_refuse(task, ISKRA_SENSE_MEDIUM_ERROR, ASC_WRITE_ERROR, 0);
}

/* What the commands have in common. False: refused. */
static bool range_judge(const struct iskra_target *target, struct target_task *task,
                        uint64_t limit_blocks, bool changes)
{
    const struct iskra_cdb *cdb = &task->cdb;
    uint32_t limit = target->options.max_transfer_blocks;
    if (cdb->protect != 0 || cdb->block_cnt > limit_blocks || (limit && cdb->block_cnt > limit))
        refuse_field(task);
    else if (changes && task->lun->read_only)
        target_task_refuse(task, ISKRA_SENSE_DATA_PROTECT, ASC_WRITE_PROTECTED, 0);
    else if (!target_range_ok(task->lun, cdb->lba, cdb->block_cnt))
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
    else
        return true;
    return false;
}

/* The command takes `len` bytes. */
static void expect(struct target_task *task, enum task_sink sink, uint64_t len)
{
    if (len == 0)
        return;
    bool all = task->write && task->edtl >= len;
    if ((!task->write && task->edtl > 0) || (sink == SINK_COLLECT && !all)) {
        refuse_field(task); /* it brings nothing, or too little to begin with */
        return;
    }
    task->sink = sink;
    task->pos = task->cdb.lba * task->lun->block_len;
    task->full_len = len;
    if (task->write)
        task->out_len = all ? (uint32_t)len : task->edtl;
}

static uint64_t blocks_len(const struct target_task *task)
{
    return (uint64_t)task->cdb.block_cnt * task->lun->block_len;
}

static void judge_write(const struct iskra_target *target, struct target_task *task)
{
    if (range_judge(target, task, UINT32_MAX, true))
        expect(task, SINK_BLOCKS, blocks_len(task));
}

static void judge_verify(const struct iskra_target *target, struct target_task *task)
{
    if (task->byte_check > 1) /* 3: one block against all of them */
        refuse_field(task);
    else if (range_judge(target, task, UINT32_MAX, false))
        expect(task, SINK_COMPARE, task->byte_check ? blocks_len(task) : 0);
}

static void judge_compare_and_write(const struct iskra_target *target, struct target_task *task)
{
    if (task->cdb.block_cnt == 0 &&
        task->edtl > 0) /* who brings data means 256, which has no room */
        refuse_field(task);
    else if (range_judge(target, task, target_compare_write_blocks(task->lun), true))
        expect(task, SINK_COLLECT, 2 * blocks_len(task));
}

/* WSNZ: a number of blocks of 0 does not mean "up to the end" here. */
static void judge_write_same(const struct iskra_target *target, struct target_task *task)
{
    const struct iskra_cdb *cdb = &task->cdb;
    uint32_t most = WRITE_SAME_MAX / task->lun->block_len;
    if ((cdb->flags & ISKRA_CDB_ANCHOR) || cdb->block_cnt == 0)
        refuse_field(task);
    else if (range_judge(target, task, most, true))
        expect(task, SINK_COLLECT, cdb->flags & ISKRA_CDB_NDOB ? 0 : task->lun->block_len);
}

static void judge_unmap(struct target_task *task)
{
    uint32_t len = task->cdb.alloc_len;
    if (task->cdb.flags & ISKRA_CDB_ANCHOR)
        refuse_field(task);
    else if (task->lun->read_only)
        target_task_refuse(task, ISKRA_SENSE_DATA_PROTECT, ASC_WRITE_PROTECTED, 0);
    else if (len > 0 && (len < UNMAP_HEADER_LEN || len > COLLECT_LEN))
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_LIST_LENGTH, 0);
    else
        expect(task, SINK_COLLECT, len);
}

bool target_write_judge(struct iskra_target_conn *conn, struct target_task *task)
{
    const struct iskra_target *target = conn->target;
    switch ((int)task->cdb.opcode) {
    case ISKRA_SCSI_VARIABLE_LENGTH:
        if (task->cdb.service_action != ISKRA_VARLEN_WRITE_32)
            return false;
        judge_write(target, task);
        return true;
    case ISKRA_SCSI_WRITE_6:
    case ISKRA_SCSI_WRITE_10:
    case ISKRA_SCSI_WRITE_12:
    case ISKRA_SCSI_WRITE_16:
    case TARGET_OP_WRITE_VERIFY_10:
    case TARGET_OP_WRITE_VERIFY_12:
    case TARGET_OP_WRITE_VERIFY_16:
        judge_write(target, task);
        return true;
    case TARGET_OP_VERIFY_10:
    case TARGET_OP_VERIFY_12:
    case TARGET_OP_VERIFY_16:
        judge_verify(target, task);
        return true;
    case ISKRA_SCSI_COMPARE_AND_WRITE:
        judge_compare_and_write(target, task);
        return true;
    case ISKRA_SCSI_WRITE_SAME_10:
    case ISKRA_SCSI_WRITE_SAME_16:
        judge_write_same(target, task);
        return true;
    case ISKRA_SCSI_UNMAP:
        judge_unmap(task);
        return true;
    default:
        return false;
    }
}

bool target_collect_take(struct iskra_target_conn *conn, struct target_task *task)
{
    if (task->sink != SINK_COLLECT || task->collected)
        return true;
    for (uint32_t i = 0; i < COLLECT_CNT; i++) {
        if (conn->collect_used & 1u << i)
            continue;
        conn->collect_used |= 1u << i;
        task->collected = conn->collect + (size_t)i * COLLECT_LEN;
        return true;
    }
    return false;
}

/* `bytes` are Data-Out from `offset` on; the LUN should have the same at `pos`. */
static void compare(struct iskra_target_conn *conn, struct target_task *task, uint64_t pos,
                    uint32_t offset, const uint8_t *bytes, uint32_t len)
{
    uint8_t *scratch = conn->target->scratch;
    for (uint32_t done = 0; done < len;) {
        uint32_t n = len - done;
        if (n > conn->target->scratch_len)
            n = (uint32_t)conn->target->scratch_len;
        if (target_lun_read(task->lun, pos + done, scratch, n) < 0) {
            target_task_refuse(task, ISKRA_SENSE_MEDIUM_ERROR, ASC_READ_ERROR, 0);
            return;
        }
        if (memcmp(scratch, bytes + done, n) != 0) {
            uint32_t same = 0;
            while (scratch[same] == bytes[done + same])
                same++;
            target_task_refuse(task, ISKRA_SENSE_MISCOMPARE, ASC_MISCOMPARE, 0);
            task->information_valid = true; /* SBC-3 5.2: where they begin to differ */
            task->information = offset + done + same;
            return;
        }
        done += n;
    }
}

void target_write_take(struct iskra_target_conn *conn, struct target_task *task,
                       const uint8_t *bytes, uint32_t len)
{
    if (task->status != ISKRA_STATUS_GOOD || task->taken_len >= task->out_len)
        return;
    uint32_t at = task->taken_len;
    if (len > task->out_len - at)
        len = task->out_len - at;
    if (len == 0)
        return;
    conn->target->stats.write_bytes += len;
    if (task->sink == SINK_COLLECT) {
        memcpy(task->collected + at, bytes, len);
    } else if (task->sink == SINK_COMPARE) {
        compare(conn, task, task->pos + at, at, bytes, len);
    } else if (task->sink == SINK_BLOCKS && !task->lost) {
        int rc = target_lun_write(task->lun, task->pos + at, bytes, len);
        if (rc < 0)
            refuse_errno(task, rc);
    }
}

/* SBC-3 5.28: nothing is done before all of the list has been judged. */
static void unmap(struct target_task *task)
{
    const uint8_t *list = task->collected;
    uint32_t stated = iskra_get_be16(list + 2), there = task->out_len - UNMAP_HEADER_LEN;
    uint32_t cnt = (stated < there ? stated : there) / UNMAP_DESC_LEN;
    if (cnt > UNMAP_CNT_MAX) {
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_INVALID_LIST, 0);
        return;
    }
    for (uint32_t i = 0; i < cnt; i++) {
        const uint8_t *desc = list + UNMAP_HEADER_LEN + (size_t)i * UNMAP_DESC_LEN;
        if (!target_range_ok(task->lun, iskra_get_be64(desc), iskra_get_be32(desc + 8))) {
            target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
            return;
        }
    }
    for (uint32_t i = 0; i < cnt && !task->lost; i++) {
        const uint8_t *desc = list + UNMAP_HEADER_LEN + (size_t)i * UNMAP_DESC_LEN;
        uint32_t block_len = task->lun->block_len;
        int rc = target_lun_discard(task->lun, iskra_get_be64(desc) * block_len,
                                    (uint64_t)iskra_get_be32(desc + 8) * block_len);
        if (rc < 0 && rc != -EOPNOTSUPP) { /* it is a hint: blocks may stay as they are */
            refuse_errno(task, rc);
            return;
        }
    }
}

static bool all_zeros(const uint8_t *bytes, uint32_t len)
{
    return bytes[0] == 0 && memcmp(bytes, bytes + 1, len - 1) == 0;
}

/* The block is repeated through its place, so that few writes are needed. */
static void write_same(struct iskra_target_conn *conn, struct target_task *task)
{
    if (task->lost)
        return;
    uint32_t block_len = task->lun->block_len;
    const uint8_t *from = task->collected ? task->collected : conn->target->zeros;
    uint32_t from_len = task->collected ? COLLECT_LEN : conn->target->options.max_data_in;
    uint64_t pos = task->cdb.lba * block_len, left = blocks_len(task);
    bool zero = !task->collected || all_zeros(task->collected, block_len);
    if (zero && (task->cdb.flags & ISKRA_CDB_UNMAP) &&
        target_lun_discard(task->lun, pos, left) == 0)
        return;
    if (task->collected)
        for (uint32_t at = block_len; at < COLLECT_LEN && at < left; at += block_len)
            memcpy(task->collected + at, task->collected, block_len);
    while (left > 0) {
        uint32_t n = left < from_len ? (uint32_t)left : from_len;
        int rc = target_lun_write(task->lun, pos, from, n);
        if (rc < 0) {
            refuse_errno(task, rc);
            return;
        }
        pos += n;
        left -= n;
    }
}

static void compare_and_write(struct iskra_target_conn *conn, struct target_task *task)
{
    uint32_t half = task->out_len / 2;
    compare(conn, task, task->pos, 0, task->collected, half);
    if (task->status != ISKRA_STATUS_GOOD || task->lost)
        return;
    int rc = target_lun_write(task->lun, task->pos, task->collected + half, half);
    if (rc < 0)
        refuse_errno(task, rc);
}

static bool wants_flush(const struct target_task *task)
{
    switch ((int)task->cdb.opcode) {
    case TARGET_OP_WRITE_VERIFY_10: /* what is verified is the medium */
    case TARGET_OP_WRITE_VERIFY_12:
    case TARGET_OP_WRITE_VERIFY_16:
        return task->out_len > 0;
    default:
        return task->out_len > 0 && (task->cdb.flags & ISKRA_CDB_FUA);
    }
}

void target_write_finish(struct iskra_target_conn *conn, struct target_task *task)
{
    if (task->status != ISKRA_STATUS_GOOD)
        return;
    if (task->cdb.opcode == ISKRA_SCSI_WRITE_SAME_10 ||
        task->cdb.opcode == ISKRA_SCSI_WRITE_SAME_16)
        write_same(conn, task);
    else if (task->sink == SINK_COLLECT && task->cdb.opcode == ISKRA_SCSI_UNMAP)
        unmap(task);
    else if (task->sink == SINK_COLLECT)
        compare_and_write(conn, task);
    if (task->status == ISKRA_STATUS_GOOD && wants_flush(task) && target_lun_flush(task->lun) < 0)
        target_task_refuse(task, ISKRA_SENSE_MEDIUM_ERROR, ASC_WRITE_ERROR, 0);
}
