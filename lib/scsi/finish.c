/* From scsi_done to the caller's done(). */
#include "scsi/finish.h"

#include <string.h>

#include "planted.h"
#include "scsi/block_status.h"
#include "scsi/cache.h"
#include "scsi/dispatch.h"
#include "scsi/disk.h"
#include "scsi/disposition.h"
#include "scsi/eh.h"
#include "scsi/host.h"
#include "scsi/outcome.h"
#include "trace.h"
#include "wire/cdb.h"

#define QUEUE_RAMP_UP_NS UINT64_C(120000000000)

static struct iskra_trace *trace_of(const struct iskra_scsi_request *sreq)
{
    return &sreq->sdev->host->round->trace;
}

void iskra_scsi_done(struct iskra_cmnd *cmd)
{
    struct iskra_scsi_request *sreq = iskra_container_of(cmd, struct iskra_scsi_request, cmnd);

    ISKRA_STEP(trace_of(sreq), SCSI_DONE, 0);
    sreq->lent = false;
    if (iskra_complete_request(&sreq->rq))
        return;
    /* Too late: someone else has it, and waited for the loan to end. */
    if (sreq->rq.owner == ISKRA_OWNER_EH) {
        iskra_eh_scmd_returned(sreq);
    } else if (sreq->postponed) {
        sreq->postponed = false;
        iskra_softirq_again(&sreq->rq);
    }
}

/* The end. Nothing of the request is touched after done(); the device stays until a work item frees
 * it. */
static void end_request(struct iskra_scsi_request *sreq, int status)
{
    struct iskra_sdev *sdev = sreq->sdev;

    /* What an earlier try told does not matter any more. */
    if (status == 0 && sreq->error != NULL && sreq->error->code != ISKRA_OK)
        memset(sreq->error, 0, sizeof(*sreq->error));
    sreq->status = status;
    sreq->done(sreq);
    if (sdev->state == ISKRA_SDEV_CANCEL)
        iskra_work_schedule(&sdev->host->round->work, &sdev->gone_work);
}

static void end_killed(struct iskra_scsi_request *sreq)
{
    if (sreq->canceled || sreq->sdev->queue.dead)
        end_request(sreq, iskra_outcome_canceled(sreq));
    else if (iskra_scsi_request_is_block(sreq) && iskra_disk_finished(sreq))
        end_request(sreq, 0);
    else if (sreq->kind == ISKRA_REQUEST_UNMAP && iskra_space_unmap_closed(sreq))
        end_request(sreq, iskra_outcome_unsupported(sreq));
    else
        end_request(sreq, iskra_outcome_fail(sreq));
}

/* Each command that ends may have news of the device. */
static void take_news(const struct iskra_scsi_request *sreq, const struct iskra_decision *d,
                      const struct iskra_sense *sense)
{
    struct iskra_sdev *sdev = sreq->sdev;
    const struct iskra_shost *host = sdev->host;
    uint64_t now_ns = host->round->now_ns;

    if (d->unit_attention)
        iskra_cache_unit_attention(sdev, sense->asc, sense->ascq);
    if (d->unit_attention && host->ops->unit_attention != NULL)
        host->ops->unit_attention(host->ops_arg, sdev, sense->asc, sense->ascq);
    iskra_cache_sense(sdev, sense, iskra_disk_is_sync(sreq));
    if (d->expected_ua_seen)
        sdev->expecting_ua = false;
    if (d->queue_full) {
        /* This one is no longer counted: what is still out is what the target takes. */
        sdev->queue_depth = sdev->device_busy > 0 ? sdev->device_busy : 1;
        sdev->queue_depth_since_ns = now_ns;
    } else if (d->queue_good && sdev->queue_depth < sdev->queue_depth_max &&
               now_ns - sdev->queue_depth_since_ns >= QUEUE_RAMP_UP_NS) {
        sdev->queue_depth++;
        sdev->queue_depth_since_ns = now_ns;
    }
}

static struct iskra_decision decide(struct iskra_scsi_request *sreq,
                                    const struct iskra_sense *sense)
{
    const struct iskra_sdev *sdev = sreq->sdev;

    ISKRA_STEP(trace_of(sreq), DECIDE_DISPOSITION, sreq->cmnd.result);
    /* GOOD, as nearly all are: the facts need not be gathered. */
    if (sreq->cmnd.result == ISKRA_RESULT(ISKRA_DID_OK, ISKRA_STATUS_GOOD))
        return iskra_decision_good(iskra_sdev_online(sdev), sreq->retries);
    const struct iskra_verdict_facts facts = {
        .host_byte = ISKRA_RESULT_HOST(sreq->cmnd.result),
        .status = ISKRA_RESULT_STATUS(sreq->cmnd.result),
        .opcode = sreq->cmnd.cdb[0],
        .sense = *sense,
        .device_online = iskra_sdev_online(sdev),
        .abort_scheduled = sreq->abort_scheduled,
        .passthrough = !iskra_scsi_request_is_idempotent(sreq),
        .makes_safe = iskra_disk_is_sync(sreq),
        .retries = sreq->retries,
        .allowed = sreq->allowed,
        .expecting_ua = sdev->expecting_ua,
    };
    return iskra_decide_disposition(&facts);
}

/* (allowed + 1) times the timeout, not counting the time its session was away (decision 14). What
 * must not be executed twice is allowed no retry, and yet may wait until it is taken. */
static bool out_of_time(const struct iskra_scsi_request *sreq)
{
    uint64_t timeout_ns =
        sreq->rq.timeout_ns != 0 ? sreq->rq.timeout_ns : sreq->sdev->queue.rq_timeout_ns;
    unsigned allowed =
        sreq->kind == ISKRA_REQUEST_COMPARE_AND_WRITE ? sreq->sdev->retries_allowed : sreq->allowed;
    uint64_t spent_ns = iskra_shost_active_ns(sreq->sdev->host) - sreq->started_ns;

    return spent_ns / (allowed + 1u) >= timeout_ns;
}

/* What a block operation that failed is worth: fail, or one of the reasons to try again. */
enum io_action {
    ACTION_FAIL,
    ACTION_RETRY,
    ACTION_DELAYED_RETRY,
};

/* 04h/xxh: not ready now, but expected to be (SPC-4 annex on ASC 04h). */
static bool becoming_ready(const struct iskra_sense *s)
{
    if (s->asc != 0x04)
        return false;
    switch (s->ascq) {
    case 0x01: /* in process of becoming ready */
    case 0x04: /* format in progress */
    case 0x05: /* rebuild */
    case 0x06: /* recalculation */
    case 0x07: /* operation in progress */
    case 0x08: /* long write */
    case 0x09: /* self-test */
    case 0x0a: /* asymmetric access state transition (decision 27) */
    case 0x11: /* enable spinup required */
    case 0x14: /* space allocation in progress */
        return true;
    default:
        return false;
    }
}

static enum io_action action_for(struct iskra_scsi_request *sreq, const struct iskra_sense *s)
{
    uint8_t host_byte = ISKRA_RESULT_HOST(sreq->cmnd.result);

    if (out_of_time(sreq))
        return ACTION_FAIL;
    if (host_byte == ISKRA_DID_RESET)
        return ++sreq->retries <= sreq->allowed ? ACTION_RETRY : ACTION_FAIL;
    if (host_byte != ISKRA_DID_OK || !s->valid || s->deferred)
        return ACTION_FAIL;
    /* Decision 27: block operations see none. It tells that the command was not executed, so that
     * even what must not be done twice may be sent again. */
    if (s->key == ISKRA_SENSE_UNIT_ATTENTION)
        return ++sreq->retries <= sreq->sdev->retries_allowed ? ACTION_RETRY : ACTION_FAIL;
    if (s->key == ISKRA_SENSE_NOT_READY && becoming_ready(s))
        return ACTION_DELAYED_RETRY;
    return ACTION_FAIL;
}

static bool went_well(const struct iskra_scsi_request *sreq, const struct iskra_sense *s)
{
    if (ISKRA_RESULT_HOST(sreq->cmnd.result) != ISKRA_DID_OK)
        return false;
    switch (ISKRA_RESULT_STATUS(sreq->cmnd.result)) {
    case ISKRA_STATUS_GOOD:
        return true;
    case ISKRA_STATUS_CONDITION_MET:
        return !iskra_scsi_request_is_block(sreq);
    case ISKRA_STATUS_CHECK_CONDITION:
        return sreq->kind != ISKRA_REQUEST_RAW && s->valid && !s->deferred &&
               (s->key == ISKRA_SENSE_NO_SENSE || s->key == ISKRA_SENSE_RECOVERED_ERROR);
    default:
        return false;
    }
}

void iskra_scsi_try_again(struct iskra_scsi_request *sreq)
{
    iskra_disk_restart(sreq);
    iskra_scsi_queue_insert(sreq, ISKRA_INSERT_EH_RETRY);
}

/* The cache is empty, which is not to say that all of it came to the medium. */
static void end_sync(struct iskra_scsi_request *sreq)
{
    const struct iskra_sdev *sdev = sreq->sdev;
    int rc = 0;

    iskra_cache_flushed(sreq);
    if (sdev->lost_write.valid)
        rc = iskra_outcome_lost_write(sreq);
    else if (sdev->reset_lost_cnt > 0 && sreq->kind == ISKRA_REQUEST_FLUSH)
        rc = iskra_outcome_reset(sreq);
    end_request(sreq, rc);
}

/* Good bytes are done; the rest goes on, is tried again, or fails. */
static void io_completion(struct iskra_scsi_request *sreq, uint32_t good,
                          const struct iskra_sense *s)
{
    ISKRA_STEP(trace_of(sreq), IO_COMPLETION, good);
    bool ok = went_well(sreq, s);

    if (ok && iskra_scsi_request_is_block(sreq))
        sreq->sdev->medium_timeout_cnt = 0;
    if (!iskra_scsi_request_is_block(sreq)) {
        sreq->progress = good;
        end_request(sreq, ok ? 0 : iskra_outcome_fail(sreq));
        return;
    }
    if (iskra_disk_is_sync(sreq) && (ok || iskra_disk_sync_unknown(sreq, s))) {
        if (!ok)
            sreq->sdev->write_cache = false;
        sreq->synced = true;
        end_sync(sreq);
        return;
    }
    /* A refused SYNCHRONIZE CACHE says nothing of the command before it. */
    if (!ok && !iskra_disk_is_sync(sreq) && iskra_space_refusal(s)) {
        if (iskra_space_next_way(sreq)) {
            iskra_scsi_queue_insert(sreq, ISKRA_INSERT_REST);
            return;
        }
        if (sreq->kind == ISKRA_REQUEST_BLOCK_STATUS) {
            sreq->sdev->space.lba_status = false;
            iskra_block_status_unknown(sreq);
            end_request(sreq, 0);
            return;
        }
    }
    if (!ok) {
        switch (action_for(sreq, s)) {
        case ACTION_RETRY:
            iskra_scsi_try_again(sreq);
            return;
        case ACTION_DELAYED_RETRY:
            iskra_scsi_queue_insert(sreq, ISKRA_INSERT_DEVICE_BUSY);
            return;
        case ACTION_FAIL: {
            int rc = iskra_outcome_fail(sreq);
            sreq->progress += good;
            end_request(sreq, rc);
            return;
        }
        }
    }
    if (sreq->kind == ISKRA_REQUEST_BLOCK_STATUS) {
        end_request(sreq, iskra_block_status_take(sreq, good));
        return;
    }
    if (good == 0) {
        /* GOOD and nothing moved: asking again could go on for ever. */
        end_request(sreq, iskra_outcome_short(sreq));
        return;
    }
    sreq->progress += good;
    if (iskra_disk_finished(sreq)) {
        iskra_cache_written(sreq);
        end_request(sreq, 0);
        return;
    }
    if (!sreq->restarted) {
        sreq->retries = 0;
        sreq->started_ns = 0;
        sreq->abort_scheduled = sreq->eh_seen = sreq->sense_asked = false;
    }
    iskra_scsi_queue_insert(sreq, ISKRA_INSERT_REST);
}

static uint32_t good_bytes(const struct iskra_scsi_request *sreq)
{
    const struct iskra_cmnd *cmnd = &sreq->cmnd;

    if (iskra_scsi_request_is_block(sreq))
        return iskra_disk_good_bytes(sreq);
    if (ISKRA_PLANTED(RESIDUAL_IGNORED))
        return cmnd->transfer_len;
    return cmnd->residual < cmnd->transfer_len ? cmnd->transfer_len - cmnd->residual : 0;
}

static void finish_command(struct iskra_scsi_request *sreq, const struct iskra_sense *sense)
{
    struct iskra_sdev *sdev = sreq->sdev;

    ISKRA_STEP(trace_of(sreq), FINISH_COMMAND, 0);
    sdev->device_blocked = 0;
    sdev->host->target_blocked = 0;
    sdev->host->host_blocked = 0;
    io_completion(sreq, good_bytes(sreq), sense);
}

/* A command that nobody wants any more ended without a word from the LUN: by an abort, or with its
 * session. A target may report the abort as a status, too. */
static bool ended_canceled(const struct iskra_scsi_request *sreq)
{
    switch (ISKRA_RESULT_HOST(sreq->cmnd.result)) {
    case ISKRA_DID_OK:
        return sreq->canceled &&
               ISKRA_RESULT_STATUS(sreq->cmnd.result) == ISKRA_STATUS_TASK_ABORTED;
    case ISKRA_DID_ABORT:
    case ISKRA_DID_NO_CONNECT:
    case ISKRA_DID_IMM_RETRY:
    case ISKRA_DID_REQUEUE:
    case ISKRA_DID_TRANSPORT_DISRUPTED:
    case ISKRA_DID_TRANSPORT_FAILFAST:
        return sreq->canceled;
    default:
        return false;
    }
}

static void act(struct iskra_scsi_request *sreq)
{
    struct iskra_sense sense = {0};

    if (ISKRA_RESULT_STATUS(sreq->cmnd.result) == ISKRA_STATUS_CHECK_CONDITION)
        (void)iskra_sense_decode(sreq->cmnd.sense, sreq->cmnd.sense_len,
                                 &sense); /* else not valid */
    struct iskra_decision d = decide(sreq, &sense);
    take_news(sreq, &d, &sense);
    if (sreq->detached || ended_canceled(sreq)) {
        end_request(sreq, iskra_outcome_canceled(sreq));
        return;
    }
    sreq->retries = d.retries;
    sreq->cmnd.result = ISKRA_RESULT(d.host_byte, ISKRA_RESULT_STATUS(sreq->cmnd.result));
    if (d.disposition != ISKRA_DISPOSITION_SUCCESS && out_of_time(sreq))
        d.disposition = ISKRA_DISPOSITION_SUCCESS;
    if (ISKRA_PLANTED(ATTENTION_SWALLOWED) && sreq->kind == ISKRA_REQUEST_RAW && d.unit_attention)
        d.disposition = ISKRA_DISPOSITION_NEEDS_RETRY;
    switch (d.disposition) {
    case ISKRA_DISPOSITION_NEEDS_RETRY:
        iskra_scsi_try_again(sreq);
        break;
    case ISKRA_DISPOSITION_ADD_TO_MLQUEUE:
        iskra_scsi_queue_insert(sreq, ISKRA_INSERT_DEVICE_BUSY);
        break;
    case ISKRA_DISPOSITION_FAILED:
        if (iskra_eh_take_failed(sreq))
            break;
        finish_command(sreq, &sense); /* nothing would mend it: it ends as it is */
        break;
    case ISKRA_DISPOSITION_SUCCESS:
    case ISKRA_DISPOSITION_CNT:
        finish_command(sreq, &sense);
        break;
    }
}

void iskra_scsi_softirq_done(struct iskra_request *rq)
{
    struct iskra_scsi_request *sreq = iskra_scsi_request_of(rq);

    ISKRA_STEP(trace_of(sreq), SOFTIRQ_DONE, 0);
    if (sreq->lent) {
        /* A verdict HANDLED while the session still has the command: the loan ends first. */
        sreq->postponed = true;
        return;
    }
    iskra_scsi_unbusy(sreq);
    if (rq->killed)
        end_killed(sreq);
    else if (sreq->timed_out && sreq->canceled_in_eh)
        end_request(sreq, iskra_outcome_canceled(sreq));
    else if (sreq->timed_out)
        end_request(sreq, iskra_outcome_timed_out(sreq));
    else
        act(sreq);
}
