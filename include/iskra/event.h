/* News that no call asked for: sessions that come and go, LUNs that change, messages of a target.
 *
 * struct iskra_options.event receives them from the loop, in the order in which they happened; it
 * may call what every callback may (iskra.h). Events are plain data and may be copied. */
#ifndef ISKRA_EVENT_H
#define ISKRA_EVENT_H

#include <stddef.h>
#include <stdint.h>

#include <iskra/error.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Numbers never change meaning; new ones are appended. Be ready for unknown ones. */
enum iskra_event_kind {
    ISKRA_EVENT_SESSION_UP = 1,     /* logged in */
    ISKRA_EVENT_SESSION_FAILED = 2, /* the login failed, for good; see error */
    ISKRA_EVENT_SESSION_LOST = 3,   /* it was up and has ended for good; see error */
    ISKRA_EVENT_SESSION_CLOSED = 4, /* logged out, its last LUN was closed */
    ISKRA_EVENT_ASYNC_MESSAGE = 5,  /* RFC 7143 11.9; see async_event and what follows it */
    /* A session that was lost comes back by itself. */
    ISKRA_EVENT_SESSION_RECOVERING = 6, /* lost, for this error; requests wait */
    ISKRA_EVENT_SESSION_RECOVERED = 7,  /* logged in again */
    ISKRA_EVENT_SESSION_GIVEN_UP = 8,   /* away for replacement_timeout, or back, but with LUNs
                                           that do not say what they are: requests, or theirs,
                                           fail until SESSION_RECOVERED */

    /* Unit attentions of a LUN, by whichever command it was told: see lun, asc, ascq. */
    ISKRA_EVENT_UNIT_ATTENTION = 16, /* one that is none of the others */
    ISKRA_EVENT_RESET = 17,          /* 29/xx, other than while it is being opened */
    /* 2A/09; with asc 0: a LUN of another size after a new login, which is in force already */
    ISKRA_EVENT_CAPACITY_CHANGED = 18,
    ISKRA_EVENT_INQUIRY_CHANGED = 19, /* 3F/03 */
    ISKRA_EVENT_LUNS_CHANGED = 20,    /* 3F/0E: the target's list of LUNs */
    ISKRA_EVENT_MODE_CHANGED = 21,    /* 2A/00, 2A/01: write protection perhaps, or the cache */
    ISKRA_EVENT_SPACE_LOW = 22,       /* 38/07: thin provisioning soft threshold */

    /* After a RESET of a LUN with a volatile cache: write_cnt acknowledged writes had not been
     * flushed and may be gone. */
    ISKRA_EVENT_WRITES_LOST = 32,
};

/* Fields that a kind does not have are 0 or empty. Text is safe to print. */
struct iskra_event {
    size_t size; /* bytes the library has filled; the struct grows at its end only */
    enum iskra_event_kind kind;
    uint32_t sid; /* number of the session inside the initiator; as in the trace */
    char target_name[256];
    char portal_address[64]; /* as connected: "127.0.0.1:3260"; "" before that */
    uint64_t lun;            /* LUN number as in the URL; ASYNC_MESSAGE 0: whose sense it is */
    uint64_t write_cnt;
    uint8_t sense_key, asc, ascq; /* unit attentions, and ASYNC_MESSAGE 0 */
    uint8_t async_event;          /* RFC 7143 11.9.1 AsyncEvent */
    uint8_t async_vcode;
    uint16_t async_param[3];
    uint32_t missed_cnt; /* events right before this one for which there was no room */
    struct iskra_error error;
};

/* "session up", "capacity changed", ...; "?" for an unknown one. Static storage. */
ISKRA_PUBLIC const char *iskra_event_name(enum iskra_event_kind kind);

#ifdef __cplusplus
}
#endif
#endif
