/* What one process says of its sessions: the document that goes over its status socket, and what
 * the reader makes of it. One table of fields serves both ways, and the metrics.
 *
 * The reader trusts nothing: whatever the document holds, texts fit and are safe for a terminal,
 * numbers are in range, and there are no more sessions than have room. */
#ifndef ISKRA_CLI_STATUS_DOC_H
#define ISKRA_CLI_STATUS_DOC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/session.h>

struct json_object;

#define CLI_STATUS_SESSIONS_MAX 64u
#define CLI_STATUS_DOC_LEN_MAX  (512u * 1024u)

/* struct iskra_session_status with its words as text, so that it can be read back. */
struct cli_status_session {
    uint64_t sid, lun, itt, tsih;
    char target[256], portal[64], isid[16];
    char session_state[32], class_state[32], initiator_state[32], host_state[32];
    char rung[32], command[48], error[256];
    uint64_t lun_known, testing, reopening, failed, waited_for, attempt, checked, in_flight, queued;
    int64_t rung_ns, failed_ns, lost_ns, next_attempt_ns, replacement_ns, oldest_ns; /* -1: never */
    uint64_t rx_bytes, tx_bytes, rx_pdus, tx_pdus, commands, retries, timeouts, r2ts, digest_errors,
        ping_timeouts, status_gaps, unit_attentions, async_messages, window_waits, window_wait_ns,
        r2t_wait_ns, logins;
};

struct cli_status_doc {
    char command[24]; /* the subcommand */
    unsigned session_cnt;
    struct cli_status_session sessions[CLI_STATUS_SESSIONS_MAX];
};

enum cli_status_kind {
    CLI_STATUS_TEXT,
    CLI_STATUS_NUMBER,
    CLI_STATUS_BOOL,
    CLI_STATUS_TIME, /* nanoseconds here, seconds outside */
};

struct cli_status_field {
    const char *name;
    enum cli_status_kind kind;
    size_t offset, size;
    /* As a metric: its name without iskra_session_, what it means; NULL: it is none. A name that
     * ends in _total is a counter. */
    const char *metric, *help;
};
extern const struct cli_status_field cli_status_fields[]; /* name NULL ends it */

void cli_status_session_take(struct cli_status_session *session,
                             const struct iskra_session_status *status);
struct json_object *cli_status_session_json(const struct cli_status_session *session);
struct json_object *cli_status_doc_json(const struct cli_status_doc *doc);

/* False: this is no such document. */
bool cli_status_doc_parse(const char *text, size_t len, struct cli_status_doc *ret_doc);

#endif
