/* SCSI commands: a task for each, judged at once, answered by data_in.c when its turn comes. */
#include "target/conn.h"

#include <errno.h>
#include <string.h>

#include "target/opcodes.h"
#include "wire/luns.h"

const struct target_lun *target_lun_find(const struct iskra_target *target, uint64_t lun)
{
    uint32_t number, first = target->luns[0].number;
    if (iskra_lun_decode(lun, &number) < 0 || number < first || number - first >= target->lun_cnt)
        return NULL;
    return &target->luns[number - first];
}

static uint32_t lun_index(const struct iskra_target *target, const struct target_lun *lun)
{
    return (uint32_t)(lun - target->luns);
}

bool target_range_ok(const struct target_lun *lun, uint64_t lba, uint64_t block_cnt)
{
    return lba <= lun->block_cnt && block_cnt <= lun->block_cnt - lba;
}

static void judge_read(const struct iskra_target *target, struct target_task *task)
{
    const struct iskra_cdb *cdb = &task->cdb;
    uint32_t limit = target->options.max_transfer_blocks;
    if (cdb->protect != 0 || (limit && cdb->block_cnt > limit)) {
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
        return;
    }
    if (!target_range_ok(task->lun, cdb->lba, cdb->block_cnt)) {
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
        return;
    }
    task->source = TASK_BLOCKS;
    task->pos = cdb->lba * task->lun->block_len;
    task->full_len = (uint64_t)cdb->block_cnt * task->lun->block_len;
}

static void judge_flush(struct target_task *task)
{
    if (!target_range_ok(task->lun, task->cdb.lba, task->cdb.block_cnt))
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
    else if (target_lun_flush(task->lun) < 0)
        target_task_refuse(task, ISKRA_SENSE_MEDIUM_ERROR, ASC_WRITE_ERROR, 0);
}

static void judge_prepared(struct iskra_target_conn *conn, struct target_task *task)
{
    size_t len;
    if (task->cdb.opcode == ISKRA_SCSI_SERVICE_ACTION_IN_16 &&
        task->cdb.service_action == ISKRA_SAI_GET_LBA_STATUS &&
        !target_range_ok(task->lun, task->cdb.lba, 1)) {
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
        return;
    }
    if (target_prepare(conn, task, &len) < 0) {
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_INVALID_FIELD, 0);
        return;
    }
    task->source = TASK_PREPARED;
    task->full_len = len;
}

/* INQUIRY, REPORT LUNS and REQUEST SENSE answer on any LUN, and whatever is pending there
 * (SPC-4 4.6.1, SAM-5 5.14). */
static bool answers_always(uint8_t opcode, uint32_t flags)
{
    return (opcode == ISKRA_SCSI_INQUIRY && !(flags & ISKRA_CDB_EVPD)) ||
           opcode == ISKRA_SCSI_REPORT_LUNS || opcode == ISKRA_SCSI_REQUEST_SENSE;
}

static bool attention_take(struct iskra_target_conn *conn, struct target_task *task)
{
    uint8_t *ascq = &conn->session->attention[lun_index(conn->target, task->lun)];
    if (*ascq == 0)
        return false;
    task->sense_key = ISKRA_SENSE_UNIT_ATTENTION;
    task->asc = ASC_RESET;
    task->ascq = *ascq;
    *ascq = 0;
    return true;
}

/* REQUEST SENSE tells what is pending as its data, and ends GOOD. */
static void judge_request_sense(struct iskra_target_conn *conn, struct target_task *task)
{
    if (!task->lun) {
        task->sense_key = ISKRA_SENSE_ILLEGAL_REQUEST;
        task->asc = ASC_NO_LUN;
    } else {
        (void)attention_take(conn, task); /* nothing pending is an answer too: NO SENSE */
    }
    judge_prepared(conn, task);
}

static void judge(struct iskra_target_conn *conn, struct target_task *task, bool known)
{
    const struct iskra_cdb *cdb = &task->cdb;
    if (!task->lun && !answers_always(cdb->opcode, cdb->flags)) {
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_NO_LUN, 0);
        return;
    }
    if (task->lun && cdb->opcode != ISKRA_SCSI_INQUIRY &&
        !answers_always(cdb->opcode, cdb->flags) && attention_take(conn, task)) {
        task->status = ISKRA_STATUS_CHECK_CONDITION;
        return;
    }
    if (known && target_write_judge(conn, task))
        return;
    switch (known ? cdb->opcode : 0xff) {
    case ISKRA_SCSI_READ_6:
    case ISKRA_SCSI_READ_10:
    case ISKRA_SCSI_READ_12:
    case ISKRA_SCSI_READ_16:
    case ISKRA_SCSI_VARIABLE_LENGTH: /* READ(32); WRITE(32) has been judged */
        judge_read(conn->target, task);
        break;
    case ISKRA_SCSI_TEST_UNIT_READY:
    case ISKRA_SCSI_START_STOP_UNIT:
        break;
    case ISKRA_SCSI_SYNCHRONIZE_CACHE_10:
    case ISKRA_SCSI_SYNCHRONIZE_CACHE_16:
        judge_flush(task);
        break;
    case ISKRA_SCSI_REQUEST_SENSE:
        judge_request_sense(conn, task);
        break;
    case ISKRA_SCSI_INQUIRY:
    case ISKRA_SCSI_MODE_SENSE_6:
    case ISKRA_SCSI_MODE_SENSE_10:
    case ISKRA_SCSI_READ_CAPACITY_10:
    case ISKRA_SCSI_SERVICE_ACTION_IN_16:
    case ISKRA_SCSI_REPORT_LUNS:
    case ISKRA_SCSI_MAINTENANCE_IN:
        judge_prepared(conn, task);
        break;
    default:
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0);
        break;
    }
}

static void task_clear(struct target_task *task)
{
    task->status = ISKRA_STATUS_GOOD;
    task->sense_key = task->asc = task->ascq = 0;
    task->information_valid = false;
    task->full_len = 0;
    task->data_len = task->sent_len = task->data_sn = 0;
    task->sink = SINK_NONE;
    task->out_len = task->taken_len = task->asked_len = 0;
    task->unsolicited = false;
    task->r2t_sn = task->r2t_done = task->out_data_sn = 0;
}

static void task_begin(struct iskra_target_conn *conn, struct target_task *task,
                       const struct iskra_pdu_scsi_cmd *req, const struct target_pdu *pdu,
                       bool known)
{
    conn->target->stats.command_cnt++;
    task->write = req->write;
    task->itt = req->itt;
    task->lun_field = req->lun;
    task->edtl = req->edtl;
    task->lun = target_lun_find(conn->target, req->lun);
    task->lost = conn->faults.lose;
    known = known || task->cdb.opcode == ISKRA_SCSI_START_STOP_UNIT; /* nothing in it matters */
    if (pdu->digest_ok && !target_fault_answer(conn, task))
        judge(conn, task, known);
    else if (!pdu->digest_ok) /* 7.8: the command ends with what its Reject was about */
        target_task_refuse(task, ISKRA_SENSE_ABORTED_COMMAND, ASC_PROTOCOL_CRC, ASCQ_PROTOCOL_CRC);
    if (req->write) {
        target_data_out_begin(conn, task, pdu, req->final);
        return;
    }
    if (req->read && task->sink == SINK_NONE)
        task->data_len = task->full_len < req->edtl ? (uint32_t)task->full_len : req->edtl;
    target_write_finish(conn, task);
    target_task_enter(conn, task, TASK_ANSWERING);
}

void target_task_enter(struct iskra_target_conn *conn, struct target_task *task,
                       enum task_phase phase)
{
    struct iskra_list *lists[] = {
        [TASK_FREE] = task->immediate ? &conn->free_immediate : &conn->free_tasks,
        [TASK_RECEIVING] = &conn->receiving,
        [TASK_ASKING] = &conn->asking,
        [TASK_ANSWERING] = &conn->tasks,
    };
    iskra_list_remove(&task->link);
    iskra_list_push_back(lists[phase], &task->link);
    task->phase = phase;
}

void target_task_release(struct iskra_target_conn *conn, struct target_task *task)
{
    if (task->collected)
        conn->collect_used &= ~(1u << (uint32_t)(task->collected - conn->collect) / COLLECT_LEN);
    task->collected = NULL;
    if (!task->immediate)
        conn->task_cnt--;
    target_task_enter(conn, task, TASK_FREE);
}

enum pdu_verdict target_scsi_pdu(struct iskra_target_conn *conn, const struct target_pdu *pdu)
{
    struct iskra_pdu_scsi_cmd req;
    iskra_scsi_cmd_decode(pdu->bhs, &req);
    struct iskra_list *free_list = req.immediate ? &conn->free_immediate : &conn->free_tasks;
    if (req.immediate && iskra_list_empty(free_list))
        return target_reject(conn, pdu, REJECT_TOO_MANY_IMMEDIATE);
    if (!pdu->digest_ok && target_reject(conn, pdu, REJECT_DATA_DIGEST) == PDU_BLOCKED)
        return PDU_BLOCKED;
    struct iskra_cdb cdb;
    uint8_t byte_check = 0;
    int known = target_cdb_decode(pdu, req.cdb, &cdb, &byte_check);
    if (known == -EBADMSG && pdu->digest_ok &&
        target_reject(conn, pdu, REJECT_INVALID_FIELD) == PDU_BLOCKED)
        return PDU_BLOCKED;
    /* A number inside the window means that a task is free: the window is as large as what is. */
    if (!target_request_number(conn, pdu->bhs) || known == -EBADMSG)
        return PDU_TAKEN;
    struct target_task *task = iskra_container_of(free_list->next, struct target_task, link);
    if (!req.immediate)
        conn->task_cnt++;
    task_clear(task);
    task->cdb = cdb;
    task->byte_check = byte_check;
    task_begin(conn, task, &req, pdu, known == 0);
    return PDU_TAKEN;
}
