/* Events: filling them in, the ring they wait in, delivering them. */
#include "api/events.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "api/api.h"
#include "api/nexus.h"
#include "scsi/device.h"
#include "wire/bhs.h"
#include "wire/luns.h"
#include "wire/sense.h"

#define ASYNC_SCSI 0u /* RFC 7143 11.9.1: the data is sense */

static void deliver(struct iskra_work *work)
{
    struct iskra_events *events = iskra_container_of(work, struct iskra_events, work);
    /* What the program does now may be news again: that waits for the next pass. */
    for (unsigned cnt = events->cnt; cnt > 0; cnt--) {
        const struct iskra_event ev = events->ring[events->head];
        events->head = (events->head + 1) % ISKRA_EVENTS_MAX;
        events->cnt--;
        events->fn(events->arg, &ev);
    }
    if (events->cnt > 0)
        iskra_work_schedule(events->queue, &events->work);
}

int iskra_events_init(struct iskra_events *events, struct iskra_round *round,
                      void (*fn)(void *arg, const struct iskra_event *ev), void *arg)
{
    *events = (struct iskra_events){.fn = fn, .arg = arg, .queue = &round->work};
    iskra_work_init(&events->work, deliver);
    if (fn == NULL)
        return 0;
    events->ring = round->pf->alloc(round->pf->arg, ISKRA_EVENTS_MAX * sizeof(*events->ring));
    return events->ring != NULL ? 0 : -ENOMEM;
}

void iskra_events_done(struct iskra_events *events, const struct iskra_platform *pf)
{
    if (events->ring == NULL)
        return;
    iskra_work_cancel(&events->work);
    pf->free(pf->arg, events->ring);
    events->ring = NULL;
}

/* The next free place, with what every event has; NULL if nobody listens or there is no room. */
static struct iskra_event *event_add(struct iskra_nexus *nexus, enum iskra_event_kind kind)
{
    struct iskra_events *events = &nexus->ctx->events;
    if (events->ring == NULL)
        return NULL;
    if (events->cnt == ISKRA_EVENTS_MAX) {
        events->missed_cnt++;
        return NULL;
    }
    struct iskra_event *ev = &events->ring[(events->head + events->cnt++) % ISKRA_EVENTS_MAX];
    memset(ev, 0, sizeof(*ev));
    ev->size = sizeof(*ev);
    ev->kind = kind;
    ev->sid = nexus->cls.sid;
    ev->missed_cnt = events->missed_cnt;
    events->missed_cnt = 0;
    snprintf(ev->target_name, sizeof(ev->target_name), "%s", nexus->url.target);
    if (nexus->ini != NULL)
        snprintf(ev->portal_address, sizeof(ev->portal_address), "%s",
                 iskra_initiator_portal(nexus->ini));
    iskra_work_schedule(events->queue, &events->work);
    return ev;
}

void iskra_event_session(struct iskra_nexus *nexus, enum iskra_event_kind kind,
                         const struct iskra_error *why)
{
    struct iskra_event *ev = event_add(nexus, kind);
    if (ev != NULL && why != NULL)
        ev->error = *why;
}

static uint64_t number_of(uint64_t lun)
{
    uint32_t number;
    return iskra_lun_decode(lun, &number) == 0 ? number : lun;
}

static enum iskra_event_kind attention_kind(uint8_t asc, uint8_t ascq)
{
    if (asc == 0x29)
        return ISKRA_EVENT_RESET;
    switch (asc << 8 | ascq) {
    case 0x2a00:
    case 0x2a01:
        return ISKRA_EVENT_MODE_CHANGED;
    case 0x2a09:
        return ISKRA_EVENT_CAPACITY_CHANGED;
    case 0x3807:
        return ISKRA_EVENT_SPACE_LOW;
    case 0x3f03:
        return ISKRA_EVENT_INQUIRY_CHANGED;
    case 0x3f0e:
        return ISKRA_EVENT_LUNS_CHANGED;
    default:
        return ISKRA_EVENT_UNIT_ATTENTION;
    }
}

static bool being_opened(const struct iskra_sdev *sdev)
{
    return !sdev->is_twin &&
           (sdev->state == ISKRA_SDEV_CREATED || sdev->state == ISKRA_SDEV_CREATED_BLOCK);
}

/* Every new nexus finds a "power on, reset" waiting, which is no news. */
void iskra_event_unit_attention(struct iskra_nexus *nexus, const struct iskra_sdev *sdev,
                                uint8_t asc, uint8_t ascq)
{
    enum iskra_event_kind kind = attention_kind(asc, ascq);
    nexus->counts.unit_attentions++;
    if (kind == ISKRA_EVENT_RESET && being_opened(sdev))
        return;
    struct iskra_event *ev = event_add(nexus, kind);
    if (ev == NULL)
        return;
    ev->lun = number_of(sdev->lun);
    ev->sense_key = ISKRA_SENSE_UNIT_ATTENTION;
    ev->asc = asc;
    ev->ascq = ascq;
}

void iskra_event_capacity_changed(struct iskra_nexus *nexus, const struct iskra_sdev *sdev)
{
    struct iskra_event *ev = event_add(nexus, ISKRA_EVENT_CAPACITY_CHANGED);
    if (ev != NULL)
        ev->lun = number_of(sdev->lun);
}

void iskra_event_writes_lost(struct iskra_nexus *nexus, const struct iskra_sdev *sdev,
                             uint64_t write_cnt)
{
    struct iskra_event *ev = event_add(nexus, ISKRA_EVENT_WRITES_LOST);
    if (ev == NULL)
        return;
    ev->lun = number_of(sdev->lun);
    ev->write_cnt = write_cnt;
}

void iskra_event_async(struct iskra_nexus *nexus, const struct iskra_pdu_async *pdu,
                       const uint8_t *data, size_t len)
{
    nexus->counts.async_messages++;
    struct iskra_event *ev = event_add(nexus, ISKRA_EVENT_ASYNC_MESSAGE);
    if (ev == NULL)
        return;
    ev->async_event = pdu->event;
    ev->async_vcode = pdu->vcode;
    ev->async_param[0] = pdu->param1;
    ev->async_param[1] = pdu->param2;
    ev->async_param[2] = pdu->param3;
    if (pdu->event != ASYNC_SCSI)
        return;
    const uint8_t *bytes;
    size_t sense_len;
    struct iskra_sense sense;
    ev->lun = number_of(pdu->lun);
    if (iskra_sense_segment(data, len, &bytes, &sense_len) == 0 &&
        iskra_sense_decode(bytes, sense_len, &sense) == 0) {
        ev->sense_key = sense.key;
        ev->asc = sense.asc;
        ev->ascq = sense.ascq;
    }
}

const char *iskra_event_name(enum iskra_event_kind kind)
{
    switch (kind) {
    case ISKRA_EVENT_SESSION_UP:
        return "session up";
    case ISKRA_EVENT_SESSION_FAILED:
        return "session failed";
    case ISKRA_EVENT_SESSION_LOST:
        return "session lost";
    case ISKRA_EVENT_SESSION_CLOSED:
        return "session closed";
    case ISKRA_EVENT_SESSION_RECOVERING:
        return "session recovering";
    case ISKRA_EVENT_SESSION_RECOVERED:
        return "session recovered";
    case ISKRA_EVENT_SESSION_GIVEN_UP:
        return "session given up";
    case ISKRA_EVENT_ASYNC_MESSAGE:
        return "async message";
    case ISKRA_EVENT_UNIT_ATTENTION:
        return "unit attention";
    case ISKRA_EVENT_RESET:
        return "reset";
    case ISKRA_EVENT_CAPACITY_CHANGED:
        return "capacity changed";
    case ISKRA_EVENT_INQUIRY_CHANGED:
        return "inquiry changed";
    case ISKRA_EVENT_LUNS_CHANGED:
        return "LUNs changed";
    case ISKRA_EVENT_MODE_CHANGED:
        return "mode changed";
    case ISKRA_EVENT_SPACE_LOW:
        return "space low";
    case ISKRA_EVENT_WRITES_LOST:
        return "writes lost";
    }
    return "?";
}
