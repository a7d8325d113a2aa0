/* request_fn: takes requests from a device's queue and hands them to the session, as far as device,
 * target and host allow. */
#include "scsi/dispatch.h"

#include "scsi/disk.h"
#include "scsi/eh.h"
#include "scsi/finish.h"
#include "scsi/host.h"
#include "trace.h"

static struct iskra_sdev *sdev_of(struct iskra_queue *q)
{
    return iskra_container_of(q, struct iskra_sdev, queue);
}

/* Is the request at the head fit to be started? Its command is built on the way. KILL here also
 * means that nothing is left to do (a read of 0 bytes, a flush without a cache): finish.c tells one
 * from the other. */
static enum iskra_prep prep(struct iskra_scsi_request *sreq)
{
    enum iskra_prep verdict = iskra_sdev_prep_state_check(sreq->sdev->state, sreq->rq.preempt);

    if (verdict != ISKRA_PREP_OK)
        return verdict;
    if (iskra_scsi_request_is_block(sreq) && !iskra_disk_setup(sreq))
        return ISKRA_PREP_KILL;
    return ISKRA_PREP_OK;
}

/* The first request that may be started; those that may never be are ended on the way. NULL: none
 * now. */
static struct iskra_scsi_request *peek(struct iskra_queue *q)
{
    struct iskra_request *rq;

    while ((rq = iskra_peek_request(q)) != NULL) {
        struct iskra_scsi_request *sreq = iskra_scsi_request_of(rq);
        switch (prep(sreq)) {
        case ISKRA_PREP_OK:
            return sreq;
        case ISKRA_PREP_DEFER:
            return NULL; /* whoever changes the device's state runs the queue */
        case ISKRA_PREP_KILL:
            sreq->cmnd.result = ISKRA_RESULT(ISKRA_DID_NO_CONNECT, 0);
            (void)iskra_kill_request(rq); /* the head is QUEUE's: always true */
            break;
        }
    }
    return NULL;
}

/* A blocked counter with nothing outstanding counts down by one per try; with something outstanding
 * the next completion clears it. */
static bool unblocked(uint32_t *blocked, uint32_t busy)
{
    if (*blocked == 0)
        return true;
    if (busy > 0)
        return false;
    (*blocked)--;
    return *blocked == 0;
}

static bool device_ready(struct iskra_sdev *sdev)
{
    if (!unblocked(&sdev->device_blocked, sdev->device_busy)) {
        if (sdev->device_busy == 0)
            iskra_queue_delay(&sdev->queue, ISKRA_QUEUE_DELAY_NS);
        return false;
    }
    if (sdev->device_busy >= sdev->queue_depth)
        return false;
    sdev->device_busy++;
    return true;
}

static bool target_ready(struct iskra_shost *host)
{
    if (host->target_busy >= host->can_queue ||
        !unblocked(&host->target_blocked, host->target_busy))
        return false;
    host->target_busy++;
    return true;
}

static bool host_ready(struct iskra_shost *host)
{
    if (!iskra_shost_may_dispatch(host) || host->host_busy >= host->can_queue ||
        !unblocked(&host->host_blocked, host->host_busy))
        return false;
    host->host_busy++;
    return true;
}

static void starve(struct iskra_sdev *sdev)
{
    if (iskra_list_empty(&sdev->starved_link))
        iskra_list_push_back(&sdev->host->starved, &sdev->starved_link);
}

/* A place that becomes free belongs to who has waited for one the longest, not to the device whose
 * command has just come back and whose queue therefore runs first. */
static bool has_turn(struct iskra_sdev *sdev)
{
    struct iskra_shost *host = sdev->host;

    if (host->serving_starved || iskra_list_empty(&host->starved))
        return true;
    if (host->starved.next == &sdev->starved_link) {
        iskra_list_remove(&sdev->starved_link);
        return true;
    }
    starve(sdev);
    iskra_work_schedule(&host->round->work, &host->starved_work);
    return false;
}

/* Nothing of this device is out that would run its queue when it comes back. Another device's
 * command does (the starved list); a host that may not dispatch runs all queues when it may again.
 */
static void delay_if_idle(struct iskra_sdev *sdev)
{
    if (sdev->device_busy == 0 && sdev->device_blocked == 0 && sdev->host->host_busy == 0 &&
        iskra_shost_may_dispatch(sdev->host))
        iskra_queue_delay(&sdev->queue, ISKRA_QUEUE_DELAY_NS);
}

/* Target or host have no room: back to where it was. */
static void not_ready(struct iskra_scsi_request *sreq)
{
    struct iskra_sdev *sdev = sreq->sdev;

    starve(sdev);
    iskra_requeue_request(&sreq->rq);
    sdev->device_busy--;
    delay_if_idle(sdev);
}

/* A command that ends here, without the session having seen it. */
static void done_locally(struct iskra_scsi_request *sreq, enum iskra_host_byte host_byte)
{
    sreq->cmnd.result = ISKRA_RESULT(host_byte, 0);
    sreq->cmnd.residual = sreq->cmnd.transfer_len;
    (void)iskra_complete_request(&sreq->rq); /* just started, so TARGET's */
}

/* notes F46: scsi_dispatch_cmd. ISKRA_QUEUED: the command is on its way, or has ended. */
static enum iskra_queue_status dispatch_cmd(struct iskra_scsi_request *sreq)
{
    struct iskra_sdev *sdev = sreq->sdev;
    struct iskra_shost *host = sdev->host;

    ISKRA_STEP(&host->round->trace, DISPATCH_CMD, sreq->cmnd.cdb[0]);
    if (sdev->state == ISKRA_SDEV_DEL || host->state == ISKRA_SHOST_DEL || host->session == NULL) {
        done_locally(sreq, ISKRA_DID_NO_CONNECT);
        return ISKRA_QUEUED;
    }
    if (sdev->state == ISKRA_SDEV_BLOCK || sdev->state == ISKRA_SDEV_CREATED_BLOCK)
        return ISKRA_DEVICE_BUSY;
    if (sreq->cmnd.cdb_len == 0 || sreq->cmnd.cdb_len > ISKRA_ECDB_LEN_MAX) {
        done_locally(sreq, ISKRA_DID_ABORT);
        return ISKRA_QUEUED;
    }
    sreq->lent = true;
    enum iskra_queue_status status = iskra_queuecommand(host->session, &sreq->cmnd);
    if (status != ISKRA_QUEUED) {
        sreq->lent = false;
        return status;
    }
    host->counts.commands++;
    if (sreq->retries > 0)
        host->counts.retries++;
    return status;
}

static enum iskra_insert_reason reason_for(enum iskra_queue_status status)
{
    switch (status) {
    case ISKRA_DEVICE_BUSY:
        return ISKRA_INSERT_DEVICE_BUSY;
    case ISKRA_TARGET_BUSY:
        return ISKRA_INSERT_TARGET_BUSY;
    case ISKRA_QUEUED:
    case ISKRA_HOST_BUSY:
        break;
    }
    return ISKRA_INSERT_HOST_BUSY;
}

static void reset_command(struct iskra_scsi_request *sreq)
{
    sreq->cmnd.result = 0;
    sreq->cmnd.residual = 0;
    sreq->cmnd.overflow = 0;
    sreq->cmnd.sense_len = 0;
    sreq->cmnd.told = false;
    sreq->cmnd.sent = false;
    sreq->cmnd.task = NULL;
    sreq->cmnd.scsi_done = iskra_scsi_done;
    if (sreq->started_ns == 0)
        sreq->started_ns = iskra_shost_active_ns(sreq->sdev->host);
}

/* A command window that stays closed although nothing is out may never open: no deadline runs for a
 * request that nobody has, so this one has the limit of its own timeout. True: it has passed. */
static bool stuck(const struct iskra_scsi_request *sreq)
{
    struct iskra_shost *host = sreq->sdev->host;
    uint64_t now_ns = iskra_shost_active_ns(host);
    uint64_t timeout_ns =
        sreq->rq.timeout_ns != 0 ? sreq->rq.timeout_ns : sreq->sdev->queue.rq_timeout_ns;

    if (host->host_busy > 1) { /* this one is counted */
        host->stuck_since_ns = 0;
        return false;
    }
    if (host->stuck_since_ns == 0)
        host->stuck_since_ns = now_ns;
    return now_ns - host->stuck_since_ns >= timeout_ns;
}

/* A target that takes no command at all is only to be had by a new login. There is nothing to wait
 * for that could expire. */
static void give_up(struct iskra_scsi_request *sreq)
{
    iskra_delete_timer(&sreq->rq);
    iskra_request_set_owner(&sreq->rq, ISKRA_OWNER_EH);
    iskra_eh_scmd_add(sreq, true); /* the session never had it */
}

static void block(struct iskra_sdev *sdev, enum iskra_insert_reason reason)
{
    switch (reason) {
    case ISKRA_INSERT_HOST_BUSY:
        sdev->host->host_blocked = ISKRA_HOST_BLOCKED;
        break;
    case ISKRA_INSERT_DEVICE_BUSY:
    case ISKRA_INSERT_EH_RETRY:
        sdev->device_blocked = ISKRA_DEVICE_BLOCKED;
        break;
    case ISKRA_INSERT_TARGET_BUSY:
        sdev->host->target_blocked = ISKRA_TARGET_BLOCKED;
        break;
    case ISKRA_INSERT_REST:
        break;
    }
}

static void not_busy(struct iskra_scsi_request *sreq)
{
    sreq->busy = false;
    sreq->sdev->device_busy--;
    sreq->sdev->host->target_busy--;
    sreq->sdev->host->host_busy--;
}

static void put_back(struct iskra_scsi_request *sreq)
{
    sreq->cmnd.result = 0;
    sreq->cmnd.sent = false; /* or this would not be its place */
    iskra_requeue_request(&sreq->rq);
    if (sreq->canceled)
        (void)iskra_kill_request(&sreq->rq); /* false if a dead queue has done so already */
}

/* Nobody else waits for a place: its tries do not count for others, which would count for it. */
static bool waits_alone(const struct iskra_sdev *sdev)
{
    const struct iskra_shost *host = sdev->host;

    return !host->serving_starved && host->starved.next == host->starved.prev;
}

/* The session takes no more for now. Trying again at once, here or with another device's command,
 * would be refused the same way, round after round: a command that comes back is what it takes, or,
 * with none out that would run this queue, some time. */
static void refused(struct iskra_scsi_request *sreq, enum iskra_queue_status status)
{
    struct iskra_sdev *sdev = sreq->sdev;

    block(sdev, reason_for(status));
    not_busy(sreq);
    put_back(sreq);
    if (status != ISKRA_DEVICE_BUSY)
        starve(sdev);
    if (sdev->device_busy > 0 || (sdev->host->host_busy > 0 && status != ISKRA_DEVICE_BUSY))
        return;
    if (waits_alone(sdev))
        iskra_queue_kick(&sdev->queue); /* which counts: see unblocked() */
    else
        iskra_queue_delay(&sdev->queue, ISKRA_QUEUE_DELAY_NS);
}

/* notes F44, notes F45, notes F46: scsi_request_fn: blk_start_request (with blk_add_timer), then
 * scsi_dispatch_cmd */
void iskra_scsi_request_fn(struct iskra_queue *q)
{
    struct iskra_sdev *sdev = sdev_of(q);
    struct iskra_shost *host = sdev->host;
    struct iskra_scsi_request *sreq;
    bool turn = false;

    ISKRA_STEP(&host->round->trace, REQUEST_FN, 0);
    while ((sreq = peek(q)) != NULL) {
        /* Decision 12: nothing is started while the session cannot take it; whoever brings the
         * session back, or gives it up, runs the queues. */
        if (!iskra_shost_may_dispatch(host))
            return;
        turn = turn || has_turn(sdev);
        if (!turn || !device_ready(sdev))
            return;
        iskra_start_request(&sreq->rq);
        if (!target_ready(host)) {
            not_ready(sreq);
            return;
        }
        if (!host_ready(host)) {
            host->target_busy--;
            not_ready(sreq);
            return;
        }
        sreq->busy = true;
        reset_command(sreq);
        enum iskra_queue_status status = dispatch_cmd(sreq);
        if (status == ISKRA_TARGET_BUSY && stuck(sreq)) {
            give_up(sreq);
            return;
        }
        if (status != ISKRA_QUEUED) {
            refused(sreq, status);
            return;
        }
        host->stuck_since_ns = 0;
    }
    iskra_shost_not_starved(sdev); /* what it waited for may have been cancelled */
}

void iskra_scsi_unbusy(struct iskra_scsi_request *sreq)
{
    struct iskra_shost *host = sreq->sdev->host;

    if (!sreq->busy)
        return;
    not_busy(sreq);
    if (!iskra_list_empty(&host->starved))
        iskra_work_schedule(&host->round->work, &host->starved_work);
    iskra_eh_wake(host);
}

void iskra_scsi_busy_again(struct iskra_scsi_request *sreq)
{
    sreq->busy = true;
    sreq->sdev->device_busy++;
    sreq->sdev->host->target_busy++;
    sreq->sdev->host->host_busy++;
}

void iskra_scsi_queue_insert(struct iskra_scsi_request *sreq, enum iskra_insert_reason reason)
{
    struct iskra_sdev *sdev = sreq->sdev;

    block(sdev, reason);
    iskra_scsi_unbusy(sreq);
    put_back(sreq);
    iskra_queue_kick(&sdev->queue);
}
