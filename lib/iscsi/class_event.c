/* Events up: queued where they arise, delivered at the end of the round, none lost (decision 13).
 *
 * While a RECV_PDU waits, its connection receives nothing: what the control plane does because of
 * it (START_CONN above all) comes before the next PDU is looked at. */
#include <errno.h>
#include <string.h>

#include "iscsi/class.h"
#include "iscsi/conn.h"

static void data_return(struct iskra_class *cls)
{
    iskra_spare_give(&cls->round->pdu_data, cls->round->pf, cls->event_data);
    cls->event_data = NULL;
}

static void event_queue(struct iskra_class *cls, struct iskra_class_event *event)
{
    iskra_list_push_back(&cls->events, &event->link);
    iskra_work_schedule(&cls->round->work, &cls->event_work);
}

/* notes F28: iscsi_recv_pdu. */
int iskra_class_recv_pdu(struct iskra_class *cls, struct iskra_conn *conn, const uint8_t *hdr,
                         const uint8_t *data, uint32_t len)
{
    struct iskra_class_event *event = &cls->recv_pdu;
    ISKRA_STEP(&cls->round->trace, RECV_PDU, iskra_bhs_opcode(hdr));
    if (!iskra_list_empty(&event->link) || len > ISKRA_CONN_BUF_LEN)
        return -EBUSY;
    if (len > 0) {
        cls->event_data =
            iskra_spare_take(&cls->round->pdu_data, cls->round->pf, ISKRA_CONN_BUF_LEN);
        if (cls->event_data == NULL)
            return -ENOMEM;
        memcpy(cls->event_data, data, len);
    }
    event->cid = conn->cid;
    event->data_len = len;
    memcpy(cls->event_hdr, hdr, ISKRA_BHS_LEN);
    iskra_conn_hold_rx(conn, ISKRA_RX_HOLD_EVENT);
    event_queue(cls, event);
    return 0;
}

/* Raised once per binding, so its place is free: STOP_CONN took away what an earlier life left. */
void iskra_class_conn_error(struct iskra_class *cls, struct iskra_conn *conn,
                            enum iskra_conn_error error)
{
    struct iskra_class_event *event = &cls->conn_error;
    event->cid = conn->cid;
    event->why = conn->tcp.error;
    event->why.conn_error = error;
    if (iskra_list_empty(&event->link))
        event_queue(cls, event);
    if (cls->state == ISKRA_CLASS_LOGGED_IN)
        iskra_class_block_devices(cls);
}

static void conn_error_deliver(struct iskra_class *cls)
{
    struct iskra_class_event *event = &cls->conn_error;
    struct iskra_error why = event->why; /* a STOP_CONN and its consequences may come from inside */
    struct iskra_uevent ev = {
        .type = ISKRA_KEVENT_CONN_ERROR,
        .sid = cls->sid,
        .cid = event->cid,
        .u.conn_error.error = why.conn_error,
    };
    cls->sink.event(cls->sink.arg, &ev, NULL, NULL, 0, &why);
}

/* Returns false when the class is gone. */
static bool recv_pdu_deliver(struct iskra_class *cls, const bool *gone)
{
    struct iskra_round *round = cls->round; /* the class may be gone afterwards */
    uint8_t *data = cls->event_data;
    uint32_t cid = cls->recv_pdu.cid;
    struct iskra_uevent ev = {.type = ISKRA_KEVENT_RECV_PDU, .sid = cls->sid, .cid = cid};
    cls->event_data = NULL;
    cls->sink.event(cls->sink.arg, &ev, cls->event_hdr, data, cls->recv_pdu.data_len, NULL);
    iskra_spare_give(&round->pdu_data, round->pf, data);
    if (*gone)
        return false;
    struct iskra_conn *conn = cls->session != NULL ? iskra_conn_find(cls->session, cid) : NULL;
    if (conn != NULL)
        iskra_conn_release_rx(conn, ISKRA_RX_HOLD_EVENT);
    return true;
}

static void events_deliver(struct iskra_work *work)
{
    struct iskra_class *cls = iskra_container_of(work, struct iskra_class, event_work);
    bool gone = false;
    cls->gone = &gone;
    for (struct iskra_list *l; (l = iskra_list_pop_front(&cls->events)) != NULL;) {
        struct iskra_class_event *event = iskra_container_of(l, struct iskra_class_event, link);
        if (cls->sink.event == NULL)
            continue;
        if (event->type == ISKRA_KEVENT_CONN_ERROR)
            conn_error_deliver(cls);
        else if (!recv_pdu_deliver(cls, &gone))
            return;
        if (gone)
            return;
    }
    cls->gone = NULL;
}

void iskra_class_events_init(struct iskra_class *cls)
{
    iskra_list_init(&cls->events);
    iskra_list_init(&cls->recv_pdu.link);
    iskra_list_init(&cls->conn_error.link);
    cls->recv_pdu.type = ISKRA_KEVENT_RECV_PDU;
    cls->conn_error.type = ISKRA_KEVENT_CONN_ERROR;
    iskra_work_init(&cls->event_work, events_deliver);
}

void iskra_class_events_done(struct iskra_class *cls)
{
    iskra_work_cancel(&cls->event_work);
    data_return(cls);
}

void iskra_class_events_drop(struct iskra_class *cls, const struct iskra_conn *conn)
{
    if (cls->recv_pdu.cid == conn->cid) {
        iskra_list_remove(&cls->recv_pdu.link);
        data_return(cls);
    }
    if (cls->conn_error.cid == conn->cid)
        iskra_list_remove(&cls->conn_error.link);
}
