/* What recovery does to a session, in words. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "status_print.h"

#define NO_ITT     UINT64_C(0xffffffff)
#define NOTICED_NS INT64_C(1000000000)

struct sentence {
    char *buf;
    size_t len;
};

__attribute__((format(printf, 2, 3))) static void add(struct sentence *s, const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    int n = vsnprintf(s->buf + s->len, CLI_STATUS_SENTENCE_LEN - s->len, fmt, ap);
    va_end(ap);
    if (n > 0)
        s->len += (size_t)n;
    if (s->len >= CLI_STATUS_SENTENCE_LEN)
        s->len = CLI_STATUS_SENTENCE_LEN - 1;
}

/* "2.1 s", "340 ms". */
static void add_time(struct sentence *s, int64_t ns)
{
    if (ns < 1000000000)
        add(s, "%" PRId64 " ms", ns / 1000000);
    else if (ns < INT64_C(100000000000))
        add(s, "%.1f s", (double)ns / 1e9);
    else
        add(s, "%" PRId64 " s", ns / INT64_C(1000000000));
}

/* Each ends where the time it has taken follows. */
static const struct {
    const char *rung, *words, *testing_words;
} rungs[] = {
    {"ABORT", "is being aborted, for", NULL},
    {"WAIT", "waits for what else is out, for", NULL},
    {"SENSE", "sense data is asked for, for", NULL},
    {"LUN_RESET", "LUN reset sent, waits for the answer for",
     "LUN reset done, TEST UNIT READY out for"},
    {"TARGET_RESET", "target reset sent, waits for the answer for",
     "target reset done, TEST UNIT READY out for"},
    {"SESSION_RESET", "session dropped, waits for a new login for",
     "session is back, TEST UNIT READY out for"},
    {"OFFLINE", "nothing has helped, taken offline for", NULL},
    {"FLUSH", "recovery is through, gives back what it had for", NULL},
};

static void add_rung(struct sentence *s, const struct cli_status_session *session)
{
    for (size_t i = 0; i < sizeof(rungs) / sizeof(rungs[0]); i++)
        if (strcmp(session->rung, rungs[i].rung) == 0) {
            bool testing = session->testing && rungs[i].testing_words;
            add(s, "%s ", testing ? rungs[i].testing_words : rungs[i].words);
            return;
        }
    add(s, "%s for ", session->rung); /* of a later release */
}

static void add_recovery(struct sentence *s, const struct cli_status_session *session)
{
    if (session->lun_known)
        add(s, "LUN %" PRIu64 ": ", session->lun);
    if (session->command[0] != '\0') {
        add(s, "%s", session->command);
        if (session->itt != NO_ITT)
            add(s, " tag 0x%08" PRIx64, session->itt);
        add(s, ", sent ");
        add_time(s, session->failed_ns);
        add(s, " ago: ");
    }
    add_rung(s, session);
    add_time(s, session->rung_ns);
    if (session->waited_for > 0)
        add(s, " (%" PRIu64 " to come back)", session->waited_for);
    if (session->failed > 1)
        add(s, "; %" PRIu64 " commands in trouble", session->failed);
    add(s, "\n");
}

/* Nothing is wrong yet, but whoever looks may wonder. */
static void add_waiting(struct sentence *s, const struct cli_status_session *session)
{
    if (session->in_flight == 1)
        add(s, "one command is out, for ");
    else
        add(s, "%" PRIu64 " commands are out, the oldest for ", session->in_flight);
    add_time(s, session->oldest_ns);
    if (session->queued > 0)
        add(s, "; %" PRIu64 " requests wait behind", session->queued);
    add(s, "\n");
}

static void add_fails(struct sentence *s, const struct cli_status_session *session)
{
    if (session->replacement_ns < 0)
        add(s, "I/O waits for ever");
    else if (session->replacement_ns == 0)
        add(s, "I/O fails");
    else {
        add(s, "I/O fails in ");
        add_time(s, session->replacement_ns);
    }
    add(s, "\n");
}

static void add_checking(struct sentence *s, const struct cli_status_session *session)
{
    if (session->checked == 1)
        add(s, "logged in again: one LUN has not told yet whether it is the same disk; its ");
    else
        add(s,
            "logged in again: %" PRIu64
            " LUNs have not told yet whether they are the same disks; their ",
            session->checked);
    add_fails(s, session);
}

static void add_reopening(struct sentence *s, const struct cli_status_session *session)
{
    if (session->next_attempt_ns > 0) {
        add(s, "reconnecting: attempt %" PRIu64 " in ", session->attempt + 1);
        add_time(s, session->next_attempt_ns);
    } else {
        add(s, "reconnecting: attempt %" PRIu64 " under way",
            session->attempt ? session->attempt : 1);
    }
    add(s, ", lost ");
    add_time(s, session->lost_ns);
    add(s, " ago%s%s; ", session->error[0] ? ": " : "", session->error);
    add_fails(s, session);
}

char *cli_status_sentence(const struct cli_status_session *session,
                          char buf[CLI_STATUS_SENTENCE_LEN])
{
    struct sentence s = {.buf = buf};
    buf[0] = '\0';
    if (session->rung[0] != '\0' && strcmp(session->rung, "NONE") != 0)
        add_recovery(&s, session);
    if (session->reopening)
        add_reopening(&s, session);
    else if (session->checked > 0)
        add_checking(&s, session);
    else if (buf[0] == '\0' && session->oldest_ns >= NOTICED_NS)
        add_waiting(&s, session);
    else if (session->error[0] != '\0' && strcmp(session->session_state, "LOGGED_IN") != 0)
        add(&s, "%s\n", session->error);
    return buf;
}
