/* The document of a status socket; see status_doc.h. */
#include "status_doc.h"

#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"

#define NS_PER_S 1e9
#define TIME_MAX 9e9 /* seconds; 285 years, which fits into nanoseconds */

#define FIELD(name, kind, member, metric, help)                                                    \
    {                                                                                              \
        name, CLI_STATUS_##kind, offsetof(struct cli_status_session, member),                      \
            sizeof(((struct cli_status_session *)NULL)->member), metric, help                      \
    }
#define COUNTER(member, metric, help) FIELD(#member, NUMBER, member, metric "_total", help)

const struct cli_status_field cli_status_fields[] = {
    FIELD("session", NUMBER, sid, NULL, NULL),
    FIELD("target", TEXT, target, NULL, NULL),
    FIELD("portal", TEXT, portal, NULL, NULL),
    FIELD("isid", TEXT, isid, NULL, NULL),
    FIELD("tsih", NUMBER, tsih, NULL, NULL),
    FIELD("session_state", TEXT, session_state, NULL, NULL),
    FIELD("class_state", TEXT, class_state, NULL, NULL),
    FIELD("initiator_state", TEXT, initiator_state, NULL, NULL),
    FIELD("host_state", TEXT, host_state, NULL, NULL),
    FIELD("rung", TEXT, rung, NULL, NULL),
    FIELD("rung_s", TIME, rung_ns, "rung_seconds", "Time spent on this step of error handling."),
    FIELD("testing", BOOL, testing, NULL, NULL),
    FIELD("lun_known", BOOL, lun_known, NULL, NULL),
    FIELD("lun", NUMBER, lun, NULL, NULL),
    FIELD("command", TEXT, command, NULL, NULL),
    FIELD("itt", NUMBER, itt, NULL, NULL),
    FIELD("failed_s", TIME, failed_ns, "oldest_failed_seconds",
          "Age of the command that is longest in trouble."),
    FIELD("failed", NUMBER, failed, "failed_commands", "Commands in the error handler's hands."),
    FIELD("waited_for", NUMBER, waited_for, "awaited_commands",
          "Commands that have to come back before the next step of error handling."),
    FIELD("reopening", BOOL, reopening, "reopening", "1 while a lost session is logged in again."),
    FIELD("attempt", NUMBER, attempt, "reopen_attempts", "Logins tried since the loss."),
    FIELD("checked", NUMBER, checked, "checked_luns",
          "LUNs that have not told after a new login whether they are the same disks."),
    FIELD("lost_s", TIME, lost_ns, "lost_seconds", "Time since the session was lost."),
    FIELD("next_attempt_s", TIME, next_attempt_ns, "next_attempt_seconds",
          "Time until the next login is tried."),
    FIELD("replacement_s", TIME, replacement_ns, "replacement_seconds",
          "Time until waiting commands fail; -1: never."),
    FIELD("error", TEXT, error, NULL, NULL),
    FIELD("in_flight", NUMBER, in_flight, "in_flight_commands", "Commands that the session has."),
    FIELD("oldest_s", TIME, oldest_ns, "oldest_in_flight_seconds",
          "Age of the command that the session has for the longest time."),
    FIELD("queued", NUMBER, queued, "queued_requests", "Requests that wait."),
    COUNTER(rx_bytes, "receive_bytes", "Bytes received."),
    COUNTER(tx_bytes, "transmit_bytes", "Bytes sent."),
    COUNTER(rx_pdus, "receive_pdus", "PDUs received."),
    COUNTER(tx_pdus, "transmit_pdus", "PDUs sent."),
    COUNTER(commands, "commands", "SCSI commands sent."),
    COUNTER(retries, "retries", "SCSI commands sent again."),
    COUNTER(timeouts, "timeouts", "SCSI commands that were not answered in time."),
    COUNTER(r2ts, "r2ts", "Requests for data of writes."),
    COUNTER(digest_errors, "digest_errors", "Wrong digests of headers and data."),
    COUNTER(ping_timeouts, "ping_timeouts", "Pings without an answer."),
    COUNTER(status_gaps, "status_gaps", "Jumps of StatSN that were let pass."),
    COUNTER(unit_attentions, "unit_attentions", "Unit attentions of all LUNs."),
    COUNTER(async_messages, "async_messages", "Async Messages of the target."),
    COUNTER(window_waits, "window_waits",
            "Times that the command window had no room for a command."),
    COUNTER(window_wait_ns, "window_wait_nanoseconds",
            "Time that a command waited for the command window."),
    COUNTER(r2t_wait_ns, "r2t_wait_nanoseconds",
            "Time that writes waited for a request for their data, added up."),
    COUNTER(logins, "logins", "Logins: the first, and one for each reconnect."),
    {0},
};

static void times_take(struct cli_status_session *s, const struct iskra_session_status *status)
{
    s->rung_ns = (int64_t)status->rung_ns;
    s->failed_ns = (int64_t)status->failed_ns;
    s->lost_ns = (int64_t)status->lost_ns;
    s->next_attempt_ns = (int64_t)status->next_attempt_ns;
    s->replacement_ns = status->replacement_ns;
    s->oldest_ns = (int64_t)status->oldest_ns;
}

static void counters_take(struct cli_status_session *s, const struct iskra_session_stats *stats)
{
    s->rx_bytes = stats->rx_bytes;
    s->tx_bytes = stats->tx_bytes;
    s->rx_pdus = stats->rx_pdus;
    s->tx_pdus = stats->tx_pdus;
    s->commands = stats->commands;
    s->retries = stats->retries;
    s->timeouts = stats->timeouts;
    s->r2ts = stats->r2ts;
    s->digest_errors = stats->digest_errors;
    s->ping_timeouts = stats->ping_timeouts;
    s->status_gaps = stats->status_gaps;
    s->unit_attentions = stats->unit_attentions;
    s->async_messages = stats->async_messages;
    s->window_waits = stats->window_waits;
    s->window_wait_ns = stats->window_wait_ns;
    s->r2t_wait_ns = stats->r2t_wait_ns;
    s->logins = stats->logins;
}

void cli_status_session_take(struct cli_status_session *s,
                             const struct iskra_session_status *status)
{
    memset(s, 0, sizeof(*s));
    s->sid = status->sid;
    s->lun = status->lun;
    s->itt = status->itt;
    s->tsih = status->tsih;
    snprintf(s->target, sizeof(s->target), "%s", status->target_name);
    snprintf(s->portal, sizeof(s->portal), "%s", status->portal_address);
    for (size_t i = 0; i < sizeof(status->isid); i++)
        snprintf(s->isid + 2 * i, sizeof(s->isid) - 2 * i, "%02x", status->isid[i]);
    snprintf(s->session_state, sizeof(s->session_state), "%s", status->session_state);
    snprintf(s->class_state, sizeof(s->class_state), "%s", status->class_state);
    snprintf(s->initiator_state, sizeof(s->initiator_state), "%s", status->initiator_state);
    snprintf(s->host_state, sizeof(s->host_state), "%s", status->host_state);
    snprintf(s->rung, sizeof(s->rung), "%s", status->rung);
    snprintf(s->command, sizeof(s->command), "%s", status->command);
    snprintf(s->error, sizeof(s->error), "%s", status->error_text);
    s->lun_known = status->lun_known;
    s->testing = status->testing;
    s->reopening = status->reopening;
    s->failed = status->failed_cnt;
    s->waited_for = status->wait_cnt;
    s->attempt = status->attempt;
    s->checked = status->checking_cnt;
    s->in_flight = status->in_flight_cnt;
    s->queued = status->queued_cnt;
    times_take(s, status);
    counters_take(s, &status->stats);
}

struct json_object *cli_status_session_json(const struct cli_status_session *session)
{
    struct json_object *o = cli_json_object();
    for (const struct cli_status_field *f = cli_status_fields; f->name; f++) {
        const void *member = (const char *)session + f->offset;
        switch (f->kind) {
        case CLI_STATUS_TEXT:
            cli_json_text(o, f->name, member);
            break;
        case CLI_STATUS_NUMBER:
            cli_json_number(o, f->name, *(const uint64_t *)member);
            break;
        case CLI_STATUS_BOOL:
            cli_json_bool(o, f->name, *(const uint64_t *)member != 0);
            break;
        case CLI_STATUS_TIME: {
            int64_t ns = *(const int64_t *)member;
            cli_json_real(o, f->name, ns < 0 ? -1 : (double)ns / NS_PER_S);
            break;
        }
        }
    }
    return o;
}

struct json_object *cli_status_doc_json(const struct cli_status_doc *doc)
{
    struct json_object *o = cli_json_object(), *sessions = cli_json_array();
    cli_json_text(o, "command", doc->command);
    for (unsigned i = 0; i < doc->session_cnt; i++)
        cli_json_append(sessions, cli_status_session_json(&doc->sessions[i]));
    cli_json_put(o, "sessions", sessions);
    return o;
}

static void text_read(struct json_object *o, const char *name, char *buf, size_t size)
{
    snprintf(buf, size, "%s", cli_json_get_text(o, name));
    cli_text_make_safe(buf);
}

/* Not a number: 0. */
static int64_t time_read(struct json_object *o, const char *name)
{
    double s = cli_json_get_real(o, name);
    if (s < 0)
        return -1;
    return s < TIME_MAX    ? (int64_t)(s * NS_PER_S)
           : s >= TIME_MAX ? (int64_t)(TIME_MAX * NS_PER_S)
                           : 0;
}

static void session_read(struct json_object *o, struct cli_status_session *session)
{
    for (const struct cli_status_field *f = cli_status_fields; f->name; f++) {
        void *member = (char *)session + f->offset;
        switch (f->kind) {
        case CLI_STATUS_TEXT:
            text_read(o, f->name, member, f->size);
            break;
        case CLI_STATUS_NUMBER:
            *(uint64_t *)member = cli_json_get_number(o, f->name);
            break;
        case CLI_STATUS_BOOL:
            *(uint64_t *)member = cli_json_get_bool(o, f->name);
            break;
        case CLI_STATUS_TIME:
            *(int64_t *)member = time_read(o, f->name);
            break;
        }
    }
}

bool cli_status_doc_parse(const char *text, size_t len, struct cli_status_doc *ret_doc)
{
    struct json_object *root = cli_json_parse(text, len);
    struct json_object *sessions = cli_json_get(root, "sessions");
    bool good = cli_json_is_array(sessions);
    if (good) {
        size_t cnt = cli_json_array_len(sessions);
        memset(ret_doc, 0, sizeof(*ret_doc));
        text_read(root, "command", ret_doc->command, sizeof(ret_doc->command));
        for (size_t i = 0; i < cnt && i < CLI_STATUS_SESSIONS_MAX; i++)
            session_read(cli_json_array_at(sessions, i),
                         &ret_doc->sessions[ret_doc->session_cnt++]);
    }
    cli_json_free(root);
    return good;
}
