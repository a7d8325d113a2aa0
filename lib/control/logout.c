/* Ends in which the target has a part: our Logout and its answer, and its Asynchronous Messages
 * (RFC 7143 11.9, 11.14). */
#include <errno.h>
#include <string.h>

#include "control/initiator_steps.h"
#include "error.h"

#define LOGOUT_CLOSE_SESSION 0u

/* RFC 7143 11.9.1 */
enum async_event {
    ASYNC_SCSI = 0,
    ASYNC_REQUEST_LOGOUT = 1,
    ASYNC_DROP_CONNECTION = 2,
    ASYNC_DROP_ALL = 3,
    ASYNC_NEGOTIATE = 4,
};

int iskra_initiator_logout(struct iskra_initiator *ini, enum iskra_initiator_state state,
                           struct iskra_error *err)
{
    struct iskra_uevent ev = {.type = ISKRA_UEVENT_SEND_PDU};
    const struct iskra_pdu_logout pdu = {.immediate = true, .reason = LOGOUT_CLOSE_SESSION};
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_logout_encode(&pdu, hdr);
    int ret = iskra_initiator_request(ini, &ev, hdr, NULL, 0, err);
    if (ret < 0)
        return ret;
    iskra_initiator_set_state(ini, state);
    iskra_timer_arm(&ini->timer, ini->round->now_ns + ini->cfg.logout_timeout_ns);
    return 0;
}

/* Whatever the response says, there is nothing left to do but to close: a target that found no such
 * session has none. */
int iskra_initiator_logout_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                    struct iskra_error *err)
{
    struct iskra_pdu_logout_rsp rsp;
    iskra_logout_rsp_decode(hdr, &rsp);
    ini->logged_out = rsp.response == 0;
    iskra_initiator_end(ini, NULL);
    return 0;
}

static int lost(struct iskra_error *err, const char *what, const struct iskra_pdu_async *pdu)
{
    return iskra_fail(err, ISKRA_E_CONNECTION, ECONNRESET,
                      "%s (async event %u, parameters %u %u %u)", what, pdu->event, pdu->param1,
                      pdu->param2, pdu->param3);
}

/* Parameter 3 is how many seconds there are to do it in; we do it at once. */
static int logout_requested(struct iskra_initiator *ini, const struct iskra_pdu_async *pdu,
                            struct iskra_error *err)
{
    if (ini->state != ISKRA_INITIATOR_LOGGED_IN)
        return 0; /* on its way */
    if (ini->why.code == ISKRA_OK)
        (void)lost(&ini->why, "the target asked for a logout", pdu);
    return iskra_initiator_logout(ini, ISKRA_INITIATOR_LOGOUT_REQUESTED, err);
}

int iskra_initiator_async_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                   struct iskra_error *err)
{
    struct iskra_pdu_async pdu;
    iskra_async_decode(hdr, &pdu);
    switch (pdu.event) {
    case ASYNC_REQUEST_LOGOUT:
        return logout_requested(ini, &pdu, err);
    case ASYNC_DROP_CONNECTION:
        return lost(err, "the target drops the connection", &pdu);
    case ASYNC_DROP_ALL:
        return lost(err, "the target drops all connections", &pdu);
    case ASYNC_NEGOTIATE:
        return lost(err, "the target wants to negotiate again", &pdu);
    default:
        return 0; /* SCSI events are the devices' business; the rest is vendors' */
    }
}
