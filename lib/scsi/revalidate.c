/* The second look at a disk; revalidate.h tells the idea. */
#include "scsi/revalidate.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "planted.h"
#include "scsi/identity.h"
#include "scsi/probe.h"
#include "wire/luns.h"

#define SAID_LEN 160

enum look {
    LOOK_NONE,      /* nothing is asked: not needed, or decided */
    LOOK_ASKING,    /* the twin's probe is under way */
    LOOK_STALE,     /* the same, but of a session that is gone: to be begun anew when it ends */
    LOOK_UNDECIDED, /* no answer that decides; the host's timer asks again */
};

struct iskra_twin {
    struct iskra_sdev sdev; /* first: freed with it */
    struct iskra_sdev *of;  /* NULL: removed */
    enum look look;
    struct iskra_probe probe;
    uint64_t since_ns;   /* host's clock: from when on requests have waited for it */
    char said[SAID_LEN]; /* why the last answer did not decide; "": there was none yet */
};

static struct iskra_twin *twin_of(const struct iskra_sdev *sdev)
{
    return (struct iskra_twin *)sdev->twin; /* sdev is its first member */
}

static struct iskra_sdev *sdev_at(struct iskra_list *l)
{
    return iskra_container_of(l, struct iskra_sdev, link);
}

static void look_again(struct iskra_timer *timer, uint64_t now_ns);

int iskra_revalidate_set_aside(struct iskra_sdev *sdev)
{
    struct iskra_shost *host = sdev->host;

    if (host->again_timer.set == NULL &&
        iskra_timer_init(&host->again_timer, &host->round->timers, look_again) != 0)
        return -ENOMEM;
    struct iskra_sdev *twin = iskra_alloc_sdev_sized(host, sdev->lun, sizeof(struct iskra_twin));
    if (twin == NULL)
        return -ENOMEM;
    twin->is_twin = true;
    ((struct iskra_twin *)twin)->of = sdev;
    sdev->twin = twin;
    return 0;
}

bool iskra_revalidate_pending(const struct iskra_sdev *sdev)
{
    return sdev->twin != NULL && twin_of(sdev)->look != LOOK_NONE;
}

uint32_t iskra_revalidate_pending_cnt(const struct iskra_shost *host)
{
    uint32_t cnt = 0;

    ISKRA_LIST_FOREACH(l, (struct iskra_list *)&host->devices)
    cnt += iskra_revalidate_pending(sdev_at(l));
    return cnt;
}

static uint32_t number_of(const struct iskra_sdev *sdev)
{
    uint32_t number = 0;

    (void)iskra_lun_decode(sdev->lun, &number); /* ours: it was encoded */
    return number;
}

void iskra_revalidate_why(const struct iskra_sdev *sdev, struct iskra_error *why)
{
    const char *last = twin_of(sdev)->said;

    memset(why, 0, sizeof(*why));
    (void)iskra_fail(why, ISKRA_E_OFFLINE, ETIMEDOUT,
                     "LUN %" PRIu32
                     " has not told after a new login whether it is the same disk%s%s",
                     number_of(sdev), last[0] != '\0' ? ": " : "", last); /* passed on */
}

/* ---- what the answers come to ---- */

static int differs(struct iskra_error *err, const struct iskra_sdev *sdev, const char *what,
                   const char *was, const char *is)
{
    return iskra_fail(err, ISKRA_E_OFFLINE, ESTALE,
                      "LUN %" PRIu32
                      " is another disk than before: its %s was %.100s and is %.100s",
                      number_of(sdev), what, was, is);
}

/* A mark counts if it was there at first sight; then it has to be there again. */
static int compare_mark(struct iskra_error *err, const struct iskra_sdev *sdev, const char *what,
                        const char *was, const char *is)
{
    if (was[0] == '\0' || strcmp(was, is) == 0)
        return 0;
    return is[0] == '\0' ? -EAGAIN : differs(err, sdev, what, was, is);
}

static int compare_block_len(struct iskra_error *err, const struct iskra_sdev *was,
                             const struct iskra_sdev *is)
{
    char was_text[16], is_text[16];

    if (!was->capacity_known || !is->capacity_known || was->block_len == is->block_len)
        return 0;
    snprintf(was_text, sizeof(was_text), "%" PRIu32, was->block_len);
    snprintf(is_text, sizeof(is_text), "%" PRIu32, is->block_len);
    return differs(err, was, "block length", was_text, is_text);
}

int iskra_identity_compare(const struct iskra_sdev *was, const struct iskra_sdev *is,
                           struct iskra_error *err)
{
    if (ISKRA_PLANTED(IDENTITY_UNCHECKED))
        return 0;
    int rc = compare_mark(err, was, "name", was->identity, is->identity);
    int serial_rc =
        rc == -ESTALE ? 0 : compare_mark(err, was, "serial number", was->serial, is->serial);

    if (rc != -ESTALE && serial_rc != 0)
        rc = serial_rc;
    /* One that has neither is known by what it is called. */
    if (rc == 0 && was->identity[0] == '\0' && was->serial[0] == '\0') {
        rc = compare_mark(err, was, "vendor", was->inquiry.vendor, is->inquiry.vendor);
        if (rc == 0)
            rc = compare_mark(err, was, "product", was->inquiry.product, is->inquiry.product);
    }
    return rc != 0 ? rc : compare_block_len(err, was, is);
}

static void tell_of_protection(const struct iskra_sdev *sdev)
{
    const struct iskra_shost *host = sdev->host;
    char line[60];

    if (host->ops->note == NULL)
        return;
    snprintf(line, sizeof(line), "LUN %" PRIu32 " is %s now", number_of(sdev),
             sdev->write_protected ? "write-protected" : "writable");
    host->ops->note(host->ops_arg, true, line);
}

/* What may change and leave it the same disk. */
static void take_facts(struct iskra_sdev *sdev, const struct iskra_sdev *is)
{
    const struct iskra_shost *host = sdev->host;

    if (!is->capacity_known || !sdev->capacity_known)
        return;
    bool protection_changed = sdev->write_protected != is->write_protected;
    sdev->write_protected = is->write_protected;
    if (protection_changed)
        tell_of_protection(sdev);
    sdev->protection = is->protection;
    sdev->fua = is->fua;
    sdev->write_cache = is->write_cache;
    sdev->write_cache_told = is->write_cache_told;
    if (sdev->block_cnt == is->block_cnt)
        return;
    uint64_t was_cnt = sdev->block_cnt;
    sdev->block_cnt = is->block_cnt;
    if (host->ops->capacity_changed != NULL)
        host->ops->capacity_changed(host->ops_arg, sdev, was_cnt);
}

/* 0, -ESTALE or -ENXIO with the reason, -EAGAIN. */
static int judge(struct iskra_twin *twin, int status, struct iskra_error *err)
{
    if (status == -ENXIO && twin->probe.error.code == ISKRA_E_NOT_FOUND) {
        *err = twin->probe.error;
        err->code = ISKRA_E_OFFLINE;
        return status;
    }
    return status != 0 ? -EAGAIN : iskra_identity_compare(twin->of, &twin->sdev, err);
}

/* ---- asking ---- */

/* With the last disk gone there is nothing to tell. */
static void ready_if_all_are(const struct iskra_shost *host)
{
    bool any = false;

    ISKRA_LIST_FOREACH(l, &host->devices)
    {
        if (iskra_revalidate_pending(sdev_at(l)))
            return;
        any |= sdev_at(l)->twin != NULL;
    }
    if (host->session == NULL || host->self_blocked)
        return;
    iskra_class_ready(host->session->cls);
    if (any && host->ops->ready != NULL)
        host->ops->ready(host->ops_arg);
}

/* Decision 14: as when the session itself is away. */
static void forgive_waiting(const struct iskra_twin *twin)
{
    struct iskra_queue *q = &twin->of->queue;
    uint64_t waited_ns = iskra_shost_active_ns(twin->of->host) - twin->since_ns;

    ISKRA_LIST_FOREACH(l, &q->requests)
    {
        struct iskra_scsi_request *sreq =
            iskra_scsi_request_of(iskra_container_of(l, struct iskra_request, link));
        if (sreq->started_ns != 0)
            sreq->started_ns += waited_ns;
    }
}

static void decided(struct iskra_twin *twin, int verdict, const struct iskra_error *why)
{
    struct iskra_sdev *sdev = twin->of;
    struct iskra_shost *host = sdev->host;

    twin->look = LOOK_NONE;
    if (verdict == 0) {
        memset(&sdev->offline_why, 0, sizeof(sdev->offline_why));
        take_facts(sdev, &twin->sdev);
        forgive_waiting(twin);
        (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_RUNNING); /* not if it is being removed */
    } else {
        sdev->offline_why = *why;
        (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_OFFLINE);
        if (host->ops->note != NULL)
            host->ops->note(host->ops_arg, true, why->text);
    }
    iskra_queue_kick(&sdev->queue);
    ready_if_all_are(host);
}

/* Told once for each login; what comes later counts for those who fail for it. */
static void undecided(struct iskra_twin *twin, int status)
{
    const struct iskra_sdev *sdev = twin->of;
    const struct iskra_shost *host = sdev->host;
    bool first = twin->said[0] == '\0';
    char line[SAID_LEN + 80];

    if (host->self_blocked) /* nothing was said: the session is gone */
        return;
    snprintf(twin->said, sizeof(twin->said), "%.*s", SAID_LEN - 1,
             status == 0 ? "it does not tell its name or serial number any more"
                         : twin->probe.error.text);
    snprintf(line, sizeof(line), "LUN %" PRIu32 ": is it the same disk? %s; it is asked again",
             number_of(sdev), twin->said);
    if (first && host->ops->note != NULL)
        host->ops->note(host->ops_arg, true, line);
}

static void ask(struct iskra_twin *twin);

/* The session may be lost again by now: what was said is of a past life then, and the next login
 * begins anew. */
static void probed(struct iskra_probe *probe, int status)
{
    struct iskra_twin *twin = iskra_container_of(probe, struct iskra_twin, probe);
    struct iskra_error why = {0};

    if (twin->of == NULL) {
        twin->look = LOOK_NONE;
        return;
    }
    if (twin->look == LOOK_STALE) {
        ask(twin);
        return;
    }
    struct iskra_shost *host = twin->of->host;
    int verdict = host->self_blocked ? -EAGAIN : judge(twin, status, &why);
    if (verdict != -EAGAIN) {
        decided(twin, verdict, &why);
        return;
    }
    twin->look = LOOK_UNDECIDED;
    undecided(twin, status);
    if (!host->self_blocked && !iskra_timer_armed(&host->again_timer))
        iskra_timer_arm(&host->again_timer, host->round->now_ns + ISKRA_REVALIDATE_AGAIN_NS);
}

static void ask(struct iskra_twin *twin)
{
    struct iskra_sdev *sdev = &twin->sdev;

    iskra_identity_forget(sdev);
    if (sdev->state == ISKRA_SDEV_OFFLINE || sdev->state == ISKRA_SDEV_TRANSPORT_OFFLINE)
        (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_QUIESCE);
    twin->look = LOOK_ASKING;
    int rc = iskra_probe_again(&twin->probe, sdev, probed);
    if (rc != 0)
        probed(&twin->probe, rc);
}

static void look_again(struct iskra_timer *timer, uint64_t now_ns)
{
    struct iskra_shost *host = iskra_container_of(timer, struct iskra_shost, again_timer);

    (void)now_ns;
    if (host->self_blocked) /* the next login begins anew */
        return;
    ISKRA_LIST_FOREACH(l, &host->devices)
    {
        struct iskra_sdev *sdev = sdev_at(l);
        if (sdev->twin != NULL && twin_of(sdev)->look == LOOK_UNDECIDED)
            ask(twin_of(sdev));
    }
}

static void begin(struct iskra_sdev *sdev)
{
    struct iskra_twin *twin = twin_of(sdev);

    memset(&sdev->offline_why, 0, sizeof(sdev->offline_why));
    twin->said[0] = '\0';
    if (twin->look == LOOK_NONE)
        twin->since_ns = iskra_shost_active_ns(sdev->host);
    (void)iskra_sdev_set_state(sdev, ISKRA_SDEV_QUIESCE);
    if (twin->look == LOOK_ASKING || twin->look == LOOK_STALE) {
        twin->look = LOOK_STALE;
        iskra_probe_cancel(&twin->probe);
    } else {
        ask(twin);
    }
}

/* What an earlier login found, or error handling, is over: it may be the right disk, and do its
 * work, this time. */
void iskra_revalidate_begin(struct iskra_shost *host)
{
    ISKRA_LIST_FOREACH(l, &host->devices)
    {
        struct iskra_sdev *sdev = sdev_at(l);
        sdev->device_blocked = 0;
        sdev->medium_timeout_cnt = 0;
        if (sdev->twin != NULL && sdev->state != ISKRA_SDEV_CREATED_BLOCK &&
            sdev->state != ISKRA_SDEV_CREATED)
            begin(sdev);
        else
            iskra_sdev_unblock(sdev);
        iskra_queue_start(&sdev->queue);
    }
    ready_if_all_are(host);
}

void iskra_revalidate_leave(struct iskra_sdev *sdev)
{
    struct iskra_twin *twin = twin_of(sdev);

    if (twin == NULL)
        return;
    sdev->twin = NULL;
    twin->of = NULL;
    if (twin->look == LOOK_ASKING || twin->look == LOOK_STALE)
        iskra_probe_cancel(&twin->probe);
    if (twin->sdev.state != ISKRA_SDEV_CANCEL)
        iskra_sdev_remove(&twin->sdev, NULL, NULL);
    ready_if_all_are(sdev->host);
}

void iskra_revalidate_done(struct iskra_shost *host)
{
    iskra_timer_done(&host->again_timer);
}
