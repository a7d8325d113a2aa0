/* Ends in which the target has a part: our Logout and its answer, and its Asynchronous Messages
 * (RFC 7143 11.9, 11.14). */
#include <errno.h>
#include <stdio.h>

#include "control/initiator_steps.h"
#include "error.h"
#include "wire/sense.h"

#define LOGOUT_CLOSE_SESSION 0u

/* RFC 7143 11.10.1: what we have asked for was not done, and Time2Wait says when it will be over.
 */
#define LOGOUT_NO_RECOVERY    2u
#define LOGOUT_CLEANUP_FAILED 3u

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

/* Whatever the response says, this connection is over: a target that found no such session has
 * none. If it was the target who wanted it, the session comes back. */
int iskra_initiator_logout_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                    struct iskra_error *err)
{
    struct iskra_pdu_logout_rsp rsp;
    iskra_logout_rsp_decode(hdr, &rsp);
    ini->logged_out = rsp.response == 0;
    if (rsp.response == LOGOUT_NO_RECOVERY || rsp.response == LOGOUT_CLEANUP_FAILED)
        iskra_reopen_time2wait(ini, rsp.time2wait);
    iskra_initiator_end(ini, NULL);
    return 0;
}

/* Parameter 3 is how many seconds there are to do it in; we do it at once. */
static int logout_requested(struct iskra_initiator *ini, const struct iskra_pdu_async *pdu,
                            struct iskra_error *err)
{
    if (ini->state != ISKRA_INITIATOR_LOGGED_IN)
        return 0;                   /* on its way */
    iskra_reopen_time2wait(ini, 0); /* there is nothing to wait for but the logout */
    if (ini->why.code == ISKRA_OK)
        (void)iskra_fail(&ini->why, ISKRA_E_CONNECTION, ECONNRESET,
                         "the target asked for a logout within %u s (async event %u)", pdu->param3,
                         pdu->event);
    return iskra_initiator_logout(ini, ISKRA_INITIATOR_LOGOUT_REQUESTED, err);
}

/* Parameters 2 and 3 are Time2Wait and Time2Retain (RFC 7143 11.9.1). */
static int dropped(struct iskra_initiator *ini, const struct iskra_pdu_async *pdu, const char *what,
                   struct iskra_error *err)
{
    iskra_reopen_time2wait(ini, pdu->param2);
    return iskra_fail(err, ISKRA_E_CONNECTION, ECONNRESET,
                      "the target drops %s (async event %u): it may be tried again after %u s, "
                      "tasks are kept for %u s",
                      what, pdu->event, pdu->param2, pdu->param3);
}

/* The sense of a SCSI event, in words; the devices find out for themselves what it means. */
static void tell_scsi_event(const struct iskra_initiator *ini, const uint8_t *data, size_t len)
{
    const uint8_t *bytes;
    size_t sense_len = 0;
    struct iskra_sense sense;
    char line[160];
    if (!ini->ops->note)
        return;
    bool told = iskra_sense_segment(data, len, &bytes, &sense_len) == 0 &&
                iskra_sense_decode(bytes, sense_len, &sense) == 0;
    if (told)
        (void)snprintf(line, sizeof(line), "the target reports %s %02x/%02x, %s",
                       iskra_sense_key_name(sense.key), sense.asc, sense.ascq,
                       iskra_asc_name(sense.asc, sense.ascq));
    else
        (void)snprintf(line, sizeof(line),
                       "the target reports a SCSI event whose %zu bytes are no sense data", len);
    ini->ops->note(ini->owner, line);
}

int iskra_initiator_async_received(struct iskra_initiator *ini, const uint8_t *hdr,
                                   const uint8_t *data, size_t len, struct iskra_error *err)
{
    struct iskra_pdu_async pdu;
    iskra_async_decode(hdr, &pdu);
    if (ini->ops->async != NULL)
        ini->ops->async(ini->owner, &pdu, data, len);
    switch (pdu.event) {
    case ASYNC_SCSI:
        tell_scsi_event(ini, data, len);
        return 0;
    case ASYNC_REQUEST_LOGOUT:
        return logout_requested(ini, &pdu, err);
    case ASYNC_DROP_CONNECTION:
        return dropped(ini, &pdu, "the connection", err);
    case ASYNC_DROP_ALL:
        return dropped(ini, &pdu, "all connections of the session", err);
    case ASYNC_NEGOTIATE:
        return iskra_initiator_renegotiate(ini, err);
    default:
        return 0; /* a vendor's, or of a later standard: no answer is due */
    }
}
