/* The host: its states, its clock, and the transport class's block, unblock and transport_offline.
 */
#include "scsi/host.h"

#include <string.h>

#include "scsi/dispatch.h"
#include "scsi/eh.h"
#include "scsi/revalidate.h"

static const char *const state_names[ISKRA_SHOST_STATE_CNT] = {
    [ISKRA_SHOST_CREATED] = "CREATED",
    [ISKRA_SHOST_RUNNING] = "RUNNING",
    [ISKRA_SHOST_RECOVERY] = "RECOVERY",
    [ISKRA_SHOST_CANCEL] = "CANCEL",
    [ISKRA_SHOST_CANCEL_RECOVERY] = "CANCEL_RECOVERY",
    [ISKRA_SHOST_DEL] = "DEL",
};

#define TO(state) (1u << ISKRA_SHOST_##state)
static const unsigned state_changes[ISKRA_SHOST_STATE_CNT] = {
    [ISKRA_SHOST_CREATED] = TO(RUNNING) | TO(CANCEL),
    [ISKRA_SHOST_RUNNING] = TO(RECOVERY) | TO(CANCEL),
    [ISKRA_SHOST_RECOVERY] = TO(RUNNING) | TO(CANCEL_RECOVERY),
    [ISKRA_SHOST_CANCEL] = TO(CANCEL_RECOVERY) | TO(DEL),
    [ISKRA_SHOST_CANCEL_RECOVERY] = TO(CANCEL) | TO(DEL),
};
#undef TO

const char *iskra_shost_state_name(enum iskra_shost_state state)
{
    return (unsigned)state < ISKRA_SHOST_STATE_CNT ? state_names[state] : "?";
}

bool iskra_shost_state_may_change(enum iskra_shost_state from, enum iskra_shost_state to)
{
    if ((unsigned)from >= ISKRA_SHOST_STATE_CNT || (unsigned)to >= ISKRA_SHOST_STATE_CNT)
        return false;
    return (state_changes[from] >> to & 1u) != 0;
}

/* Decision 14: while the session is being recovered the clock that bounds retries stands still. */
static void clock_update(struct iskra_shost *host)
{
    bool paused = host->self_blocked || host->state == ISKRA_SHOST_RECOVERY;

    if (paused && !host->clock_paused) {
        host->blocked_since_ns = host->round->now_ns;
    } else if (!paused && host->clock_paused) {
        host->blocked_total_ns += host->round->now_ns - host->blocked_since_ns;
    }
    host->clock_paused = paused;
}

uint64_t iskra_shost_active_ns(const struct iskra_shost *host)
{
    uint64_t until_ns = host->clock_paused ? host->blocked_since_ns : host->round->now_ns;

    return until_ns - host->blocked_total_ns + 1;
}

bool iskra_shost_set_state(struct iskra_shost *host, enum iskra_shost_state state)
{
    if (!iskra_shost_state_may_change(host->state, state))
        return false;
    host->state = state;
    clock_update(host);
    return true;
}

bool iskra_shost_may_dispatch(const struct iskra_shost *host)
{
    return host->state == ISKRA_SHOST_RUNNING && !host->self_blocked && host->session != NULL &&
           host->session->state == ISKRA_SESSION_LOGGED_IN;
}

static struct iskra_sdev *sdev_at(struct iskra_list *l)
{
    return iskra_container_of(l, struct iskra_sdev, link);
}

/* Asked for one that waits. */
static bool has_room(const struct iskra_shost *host)
{
    return host->host_busy < host->can_queue && host->target_busy < host->can_queue &&
           iskra_shost_may_dispatch(host) && iskra_session_window_open(host->session);
}

/* Each command that comes back serves them. With none out nothing would: a closed window is looked
 * at again after a while. */
static void look_again_if_idle(struct iskra_shost *host)
{
    if (iskra_list_empty(&host->starved) || host->host_busy > 0 || !iskra_shost_may_dispatch(host))
        return;
    struct iskra_sdev *first =
        iskra_container_of(host->starved.next, struct iskra_sdev, starved_link);
    iskra_queue_delay(&first->queue, ISKRA_QUEUE_DELAY_NS);
}

/* Those who found target or host full try again, first come, first served. Who had a turn and wants
 * more goes behind those who have had none yet: else the first would take each place that becomes
 * free. */
static void starved_work_fn(struct iskra_work *work)
{
    struct iskra_shost *host = iskra_container_of(work, struct iskra_shost, starved_work);
    struct iskra_list now, *l;

    iskra_list_init(&now);
    iskra_list_splice_back(&now, &host->starved);
    host->serving_starved = true;
    while (!iskra_list_empty(&now) && has_room(host)) {
        l = iskra_list_pop_front(&now);
        iskra_run_queue(&iskra_container_of(l, struct iskra_sdev, starved_link)->queue);
    }
    host->serving_starved = false;
    iskra_list_splice_back(&now, &host->starved);
    iskra_list_splice_back(&host->starved, &now);
    look_again_if_idle(host);
}

void iskra_shost_not_starved(struct iskra_sdev *sdev)
{
    struct iskra_shost *host = sdev->host;

    if (iskra_list_empty(&sdev->starved_link))
        return;
    iskra_list_remove(&sdev->starved_link);
    if (!iskra_list_empty(&host->starved))
        iskra_work_schedule(&host->round->work, &host->starved_work);
}

void iskra_shost_init(struct iskra_shost *host, struct iskra_round *round,
                      const struct iskra_shost_ops *ops, void *ops_arg)
{
    memset(host, 0, sizeof(*host));
    host->round = round;
    host->ops = ops;
    host->ops_arg = ops_arg;
    host->state = ISKRA_SHOST_CREATED;
    host->eh_deadline_ns = -1;
    iskra_list_init(&host->devices);
    iskra_list_init(&host->starved);
    iskra_work_init(&host->starved_work, starved_work_fn);
    (void)iskra_shost_set_state(host, ISKRA_SHOST_RUNNING); /* from CREATED: always */
}

void iskra_shost_done(struct iskra_shost *host)
{
    while (!iskra_list_empty(&host->devices))
        iskra_sdev_remove_now(sdev_at(host->devices.next));
    iskra_revalidate_done(host);
    iskra_eh_done(host);
    iskra_work_cancel(&host->starved_work);
}

void iskra_shost_set_session(struct iskra_shost *host, struct iskra_session *session)
{
    if (session == NULL && host->session != NULL) {
        iskra_eh_session_gone(host);
        host->error = host->session->error;
    }
    host->session = session;
    host->can_queue = session != NULL ? session->scsi_cmds_room : 0;
}

void iskra_shost_set_tasks_aside(struct iskra_shost *host, uint32_t cmnd_cnt)
{
    struct iskra_session *s = host->session;

    if (s == NULL || s->scsi_cmds_room >= cmnd_cnt)
        return;
    (void)iskra_task_pool_set_aside(s, cmnd_cnt); /* else they share what there is */
    host->can_queue = s->scsi_cmds_room;
}

static void host_block(void *arg)
{
    struct iskra_shost *host = arg;

    host->self_blocked = true;
    clock_update(host);
    ISKRA_LIST_FOREACH(l, &host->devices)
    {
        struct iskra_sdev *sdev = sdev_at(l);
        if (iskra_sdev_set_state(sdev, ISKRA_SDEV_BLOCK) ||
            iskra_sdev_set_state(sdev, ISKRA_SDEV_CREATED_BLOCK))
            iskra_queue_stop(&sdev->queue);
    }
}

static void host_unblock(void *arg)
{
    struct iskra_shost *host = arg;

    host->self_blocked = host->transport_offline = false;
    host->life++;
    clock_update(host);
    host->host_blocked = host->target_blocked = 0;
    host->stuck_since_ns = 0;
    iskra_revalidate_begin(host);
}

/* What waits must die: the queues run once more, and their requests find the device offline. With
 * the session up it is only those that are still being looked at, which goes on. */
static void host_transport_offline(void *arg)
{
    struct iskra_shost *host = arg;
    bool session_up = host->session != NULL && host->session->state == ISKRA_SESSION_LOGGED_IN;

    host->self_blocked = false;
    host->transport_offline = !session_up;
    clock_update(host);
    if (host->session != NULL)
        host->error = host->session->error;
    ISKRA_LIST_FOREACH(l, &host->devices)
    {
        struct iskra_sdev *sdev = sdev_at(l);
        if (session_up && !iskra_revalidate_pending(sdev))
            continue;
        if (session_up)
            iskra_revalidate_why(sdev, &sdev->offline_why);
        (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_TRANSPORT_OFFLINE); /* not if it is removed */
        iskra_queue_start(&sdev->queue);
    }
}

static void host_session_gone(void *arg)
{
    iskra_shost_set_session(arg, NULL);
}

const struct iskra_class_host_ops iskra_shost_class_ops = {
    .block = host_block,
    .unblock = host_unblock,
    .transport_offline = host_transport_offline,
    .session_gone = host_session_gone,
};
