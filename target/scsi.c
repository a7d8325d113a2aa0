/* SCSI commands: a task for each, judged at once, answered by data_in.c when its turn comes. */
#include "target/conn.h"

#include <string.h>

#include "wire/luns.h"

#define ASC_WRITE_ERROR      0x0c
#define ASC_INVALID_OPCODE   0x20
#define ASC_LBA_OUT_OF_RANGE 0x21
#define ASC_INVALID_FIELD    0x24
#define ASC_NO_LUN           0x25
#define ASC_RESET            0x29
#define ASC_PROTOCOL_CRC     0x47 /* with ASCQ 05h: PROTOCOL SERVICE CRC ERROR */

static const struct target_lun *lun_find(const struct iskra_target *target, uint64_t lun,
                                         uint32_t *ret_number)
{
    if (iskra_lun_decode(lun, ret_number) < 0 || *ret_number >= target->lun_cnt)
        return NULL;
    return &target->luns[*ret_number];
}

/* SBC-3 4.33: both the first block and the last must exist; a transfer of none at the very end is
 * fine. */
static bool range_ok(const struct target_lun *lun, uint64_t lba, uint64_t block_cnt)
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
    if (!range_ok(task->lun, cdb->lba, cdb->block_cnt)) {
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
        return;
    }
    task->source = TASK_BLOCKS;
    task->pos = cdb->lba * task->lun->block_len;
    task->full_len = (uint64_t)cdb->block_cnt * task->lun->block_len;
}

static void judge_flush(struct target_task *task)
{
    if (!range_ok(task->lun, task->cdb.lba, task->cdb.block_cnt))
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_LBA_OUT_OF_RANGE, 0);
    else if (target_lun_flush(task->lun) < 0)
        target_task_refuse(task, ISKRA_SENSE_MEDIUM_ERROR, ASC_WRITE_ERROR, 0);
}

static void judge_prepared(struct iskra_target_conn *conn, struct target_task *task)
{
    size_t len;
    if (task->cdb.opcode == ISKRA_SCSI_SERVICE_ACTION_IN_16 &&
        task->cdb.service_action == ISKRA_SAI_GET_LBA_STATUS &&
        !range_ok(task->lun, task->cdb.lba, 1)) {
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
    uint8_t *ascq = &conn->session->attention[task->lun_number];
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
    switch (known ? cdb->opcode : 0xff) {
    case ISKRA_SCSI_READ_6:
    case ISKRA_SCSI_READ_10:
    case ISKRA_SCSI_READ_12:
    case ISKRA_SCSI_READ_16:
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
        judge_prepared(conn, task);
        break;
    default:
        target_task_refuse(task, ISKRA_SENSE_ILLEGAL_REQUEST, ASC_INVALID_OPCODE, 0);
        break;
    }
}

static void task_begin(struct iskra_target_conn *conn, struct target_task *task,
                       const struct iskra_pdu_scsi_cmd *req, bool data_ok)
{
    conn->target->stats.command_cnt++;
    task->status = ISKRA_STATUS_GOOD;
    task->sense_key = task->asc = task->ascq = 0;
    task->itt = req->itt;
    task->edtl = req->edtl;
    task->full_len = 0;
    task->data_len = task->sent_len = task->data_sn = 0;
    task->lun = lun_find(conn->target, req->lun, &task->lun_number);
    task->cdb = (struct iskra_cdb){.opcode = req->cdb[0]}; /* for one that is not known */
    bool known = iskra_cdb_decode(req->cdb, sizeof(req->cdb), &task->cdb) == 0 ||
                 req->cdb[0] == ISKRA_SCSI_START_STOP_UNIT; /* nothing in it matters here */
    if (data_ok)
        judge(conn, task, known);
    else /* 7.8: the command ends with what its Reject was about */
        target_task_refuse(task, ISKRA_SENSE_ABORTED_COMMAND, ASC_PROTOCOL_CRC, 5);
    if (req->read)
        task->data_len = task->full_len < req->edtl ? (uint32_t)task->full_len : req->edtl;
    iskra_list_push_back(&conn->tasks, &task->link);
}

void target_task_release(struct iskra_target_conn *conn, struct target_task *task)
{
    iskra_list_remove(&task->link);
    if (!task->immediate)
        conn->task_cnt--;
    iskra_list_push_back(task->immediate ? &conn->free_immediate : &conn->free_tasks, &task->link);
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
    /* A number inside the window means that a task is free: the window is as large as what is. */
    if (!target_request_number(conn, pdu->bhs))
        return PDU_TAKEN;
    struct iskra_list *link = iskra_list_pop_front(free_list);
    if (!req.immediate)
        conn->task_cnt++;
    task_begin(conn, iskra_container_of(link, struct target_task, link), &req, pdu->digest_ok);
    return PDU_TAKEN;
}
