/* Devices: states, allocation with their queue, removal. What the LUN says of itself is probe.c's.
 */
#include "scsi/device.h"

#include <assert.h>
#include <string.h>

#include "scsi/dispatch.h"
#include "scsi/eh.h"
#include "scsi/finish.h"
#include "scsi/host.h"
#include "scsi/request.h"
#include "scsi/revalidate.h"
#include "scsi/timeout.h"
#include "trace.h"

static const char *const state_names[ISKRA_SDEV_STATE_CNT] = {
    [ISKRA_SDEV_CREATED] = "CREATED",
    [ISKRA_SDEV_RUNNING] = "RUNNING",
    [ISKRA_SDEV_BLOCK] = "BLOCK",
    [ISKRA_SDEV_CREATED_BLOCK] = "CREATED_BLOCK",
    [ISKRA_SDEV_QUIESCE] = "QUIESCE",
    [ISKRA_SDEV_OFFLINE] = "OFFLINE",
    [ISKRA_SDEV_TRANSPORT_OFFLINE] = "TRANSPORT_OFFLINE",
    [ISKRA_SDEV_CANCEL] = "CANCEL",
    [ISKRA_SDEV_DEL] = "DEL",
};

/* A bit per state that may come next. OFFLINE is left only by someone who set it right. */
#define TO(state) (1u << ISKRA_SDEV_##state)
static const unsigned state_changes[ISKRA_SDEV_STATE_CNT] = {
    [ISKRA_SDEV_CREATED] =
        TO(RUNNING) | TO(CREATED_BLOCK) | TO(OFFLINE) | TO(TRANSPORT_OFFLINE) | TO(CANCEL),
    [ISKRA_SDEV_RUNNING] =
        TO(BLOCK) | TO(QUIESCE) | TO(OFFLINE) | TO(TRANSPORT_OFFLINE) | TO(CANCEL),
    [ISKRA_SDEV_BLOCK] =
        TO(RUNNING) | TO(QUIESCE) | TO(OFFLINE) | TO(TRANSPORT_OFFLINE) | TO(CANCEL),
    [ISKRA_SDEV_CREATED_BLOCK] = TO(CREATED) | TO(BLOCK) | TO(TRANSPORT_OFFLINE) | TO(CANCEL),
    [ISKRA_SDEV_QUIESCE] =
        TO(RUNNING) | TO(BLOCK) | TO(OFFLINE) | TO(TRANSPORT_OFFLINE) | TO(CANCEL),
    [ISKRA_SDEV_OFFLINE] = TO(RUNNING) | TO(QUIESCE) | TO(CANCEL),
    [ISKRA_SDEV_TRANSPORT_OFFLINE] = TO(RUNNING) | TO(QUIESCE) | TO(CANCEL),
    [ISKRA_SDEV_CANCEL] = TO(DEL),
};
#undef TO

const char *iskra_sdev_state_name(enum iskra_sdev_state state)
{
    return (unsigned)state < ISKRA_SDEV_STATE_CNT ? state_names[state] : "?";
}

bool iskra_sdev_state_may_change(enum iskra_sdev_state from, enum iskra_sdev_state to)
{
    if ((unsigned)from >= ISKRA_SDEV_STATE_CNT || (unsigned)to >= ISKRA_SDEV_STATE_CNT)
        return false;
    return (state_changes[from] >> to & 1u) != 0;
}

enum iskra_prep iskra_sdev_prep_state_check(enum iskra_sdev_state state, bool preempt)
{
    switch (state) {
    case ISKRA_SDEV_RUNNING:
        return ISKRA_PREP_OK;
    case ISKRA_SDEV_BLOCK:
    case ISKRA_SDEV_CREATED_BLOCK:
        return ISKRA_PREP_DEFER;
    case ISKRA_SDEV_QUIESCE:
        return preempt ? ISKRA_PREP_OK : ISKRA_PREP_DEFER;
    case ISKRA_SDEV_CREATED:
    case ISKRA_SDEV_CANCEL:
        return preempt ? ISKRA_PREP_OK : ISKRA_PREP_KILL;
    case ISKRA_SDEV_OFFLINE:
    case ISKRA_SDEV_TRANSPORT_OFFLINE:
    case ISKRA_SDEV_DEL:
    case ISKRA_SDEV_STATE_CNT:
        break;
    }
    return ISKRA_PREP_KILL;
}

bool iskra_sdev_online(const struct iskra_sdev *sdev)
{
    return sdev->state != ISKRA_SDEV_OFFLINE && sdev->state != ISKRA_SDEV_TRANSPORT_OFFLINE &&
           sdev->state != ISKRA_SDEV_DEL;
}

bool iskra_sdev_set_state(struct iskra_sdev *sdev, enum iskra_sdev_state state)
{
    if (!iskra_sdev_state_may_change(sdev->state, state))
        return false;
    const struct iskra_session *session = sdev->host->session;
    iskra_trace_state(&sdev->host->round->trace, ISKRA_MACHINE_DEVICE,
                      session != NULL ? (uint16_t)session->sid : 0, sdev->state, state);
    sdev->state = state;
    return true;
}

/* notes F44: what the queue calls; F37: its rq_timed_out_fn */
static const struct iskra_queue_ops scsi_queue_ops = {
    .request_fn = iskra_scsi_request_fn,
    .timed_out = iskra_scsi_times_out,
    .softirq_done = iskra_scsi_softirq_done,
};

/* notes F37, notes F44: scsi_old_alloc_queue: queue->request_fn = scsi_request_fn and so on */
static int alloc_queue(struct iskra_sdev *sdev)
{
    ISKRA_STEP(&sdev->host->round->trace, ALLOC_QUEUE, 0);
    uint64_t timeout_ns = sdev->host->rq_timeout_ns;
    return iskra_queue_init(&sdev->queue, &scsi_queue_ops, sdev->host->round,
                            timeout_ns != 0 ? timeout_ns : ISKRA_SDEV_TIMEOUT_NS);
}

static bool sdev_idle(const struct iskra_sdev *sdev)
{
    return sdev->device_busy == 0 && iskra_list_empty(&sdev->queue.requests) &&
           iskra_list_empty(&sdev->queue.completed) && !iskra_eh_holds(sdev);
}

/* A removed device goes when its last request has: finish.c schedules this after each. */
static void gone_work_fn(struct iskra_work *work)
{
    struct iskra_sdev *sdev = iskra_container_of(work, struct iskra_sdev, gone_work);

    if (sdev->state != ISKRA_SDEV_CANCEL || !sdev_idle(sdev))
        return;
    (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_DEL); /* from CANCEL: always */
    const struct iskra_platform *pf = sdev->host->round->pf;
    void (*gone)(void *arg) = sdev->gone;
    void *arg = sdev->gone_arg;
    iskra_list_remove(&sdev->link);
    iskra_shost_not_starved(sdev);
    iskra_queue_done(&sdev->queue);
    iskra_timer_done(&sdev->remove_timer);
    pf->free(pf->arg, sdev);
    if (gone != NULL)
        gone(arg);
}

static void cancel_sent(struct iskra_request *rq, void *arg)
{
    (void)arg;
    (void)iskra_scsi_cancel(iskra_scsi_request_of(rq)); /* it is out: 0 */
}

static void waited_enough(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_sdev *sdev = iskra_container_of(timer, struct iskra_sdev, remove_timer);

    (void)now_ns;
    iskra_queue_each_sent(&sdev->queue, cancel_sent, NULL);
    iskra_eh_cancel_all_of(sdev);
}

/* notes F44: scsi_alloc_sdev */
struct iskra_sdev *iskra_alloc_sdev_sized(struct iskra_shost *host, uint64_t lun, size_t size)
{
    ISKRA_STEP(&host->round->trace, ALLOC_SDEV, 0);
    const struct iskra_platform *pf = host->round->pf;
    if (iskra_eh_prepare(host) != 0)
        return NULL;
    struct iskra_sdev *sdev = pf->alloc(pf->arg, size);

    if (sdev == NULL)
        return NULL;
    iskra_trace_state_names(ISKRA_MACHINE_DEVICE, state_names, ISKRA_SDEV_STATE_CNT);
    sdev->host = host;
    sdev->state = ISKRA_SDEV_CREATED;
    sdev->lun = lun;
    sdev->queue_depth = sdev->queue_depth_max = ISKRA_SDEV_QUEUE_DEPTH;
    sdev->retries_allowed = ISKRA_SDEV_RETRIES_ALLOWED;
    sdev->write_cache = true; /* until it says otherwise */
    sdev->max_transfer_len = ISKRA_SDEV_TRANSFER_MAX;
    iskra_list_init(&sdev->link);
    iskra_list_init(&sdev->starved_link);
    iskra_work_init(&sdev->gone_work, gone_work_fn);
    if (iskra_timer_init(&sdev->remove_timer, &host->round->timers, waited_enough) != 0 ||
        alloc_queue(sdev) != 0) {
        iskra_timer_done(&sdev->remove_timer);
        pf->free(pf->arg, sdev);
        return NULL;
    }
    iskra_list_push_back(&host->devices, &sdev->link);
    if (host->transport_offline) {
        (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_TRANSPORT_OFFLINE);
    } else if (host->self_blocked) {
        (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_CREATED_BLOCK);
        iskra_queue_stop(&sdev->queue);
    }
    return sdev;
}

struct iskra_sdev *iskra_alloc_sdev(struct iskra_shost *host, uint64_t lun)
{
    return iskra_alloc_sdev_sized(host, lun, sizeof(struct iskra_sdev));
}

void iskra_sdev_unblock(struct iskra_sdev *sdev)
{
    if (sdev->state == ISKRA_SDEV_CREATED_BLOCK)
        (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_CREATED);
    else if (sdev->state == ISKRA_SDEV_BLOCK || sdev->state == ISKRA_SDEV_TRANSPORT_OFFLINE ||
             (sdev->state == ISKRA_SDEV_OFFLINE && sdev->offline_why.code != ISKRA_OK))
        (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_RUNNING);
    memset(&sdev->offline_why, 0, sizeof(sdev->offline_why));
}

void iskra_sdev_remove(struct iskra_sdev *sdev, void (*gone)(void *arg), void *arg)
{
    assert(sdev->state != ISKRA_SDEV_CANCEL && sdev->state != ISKRA_SDEV_DEL);
    (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_CANCEL); /* from every other state */
    iskra_revalidate_leave(sdev);
    sdev->gone = gone;
    sdev->gone_arg = arg;
    iskra_queue_kill(&sdev->queue);
    iskra_eh_sdev_gone(sdev);
    iskra_timer_arm(&sdev->remove_timer, sdev->host->round->now_ns + ISKRA_SDEV_REMOVE_WAIT_NS);
    iskra_work_schedule(&sdev->host->round->work, &sdev->gone_work);
}

void iskra_sdev_remove_now(struct iskra_sdev *sdev)
{
    struct iskra_queue *q = &sdev->queue;

    if (sdev->state != ISKRA_SDEV_CANCEL)
        iskra_sdev_remove(sdev, NULL, NULL);
    iskra_eh_sdev_gone(sdev);
    iskra_queue_end_expired(q);
    while (!iskra_list_empty(&q->completed)) {
        iskra_work_cancel(&q->done_work);
        q->done_work.fn(&q->done_work);
    }
    assert(sdev_idle(sdev)); /* the session has given everything back */
    iskra_work_cancel(&sdev->gone_work);
    gone_work_fn(&sdev->gone_work);
}
