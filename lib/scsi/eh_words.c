/* The error handler in words and numbers: lines for the log, and its status. */
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "error.h"
#include "scsi/eh_steps.h"
#include "scsi/outcome.h"
#include "wire/luns.h"

#define LINE_LEN    256
#define COMMAND_LEN 80

#define WORDS(id, whom, act, limit, after) [ISKRA_EH_RUNG_##id] = {#id, whom, act, limit, after},
static const struct iskra_eh_rung_words rungs[ISKRA_EH_RUNG_CNT] = {ISKRA_EH_RUNGS(WORDS)};

const struct iskra_eh_rung_words *iskra_eh_rung_words(enum iskra_eh_rung rung)
{
    return (unsigned)rung < ISKRA_EH_RUNG_CNT ? &rungs[rung] : NULL;
}

const char *iskra_eh_rung_name(enum iskra_eh_rung rung)
{
    const struct iskra_eh_rung_words *words = iskra_eh_rung_words(rung);
    return words != NULL ? words->name : "?";
}

double iskra_eh_s(uint64_t ns)
{
    return (double)ns / 1e9;
}

uint32_t iskra_eh_cnt(const struct iskra_list *requests)
{
    uint32_t cnt = 0;

    ISKRA_LIST_FOREACH(l, (struct iskra_list *)requests)
    cnt++;
    return cnt;
}

uint32_t iskra_eh_waits_for(const struct iskra_eh *eh)
{
    return eh->host->host_busy - iskra_eh_cnt(&eh->failed);
}

uint64_t iskra_eh_age_ns(const struct iskra_scsi_request *sreq)
{
    if (sreq->started_ns == 0)
        return 0;
    return iskra_shost_active_ns(sreq->sdev->host) - sreq->started_ns;
}

static uint32_t lun_number(const struct iskra_sdev *sdev)
{
    uint32_t number = 0;

    (void)iskra_lun_decode(sdev->lun, &number); /* ours: it was encoded */
    return number;
}

static void say(const struct iskra_eh *eh, bool warning, const char *who, const char *fmt,
                va_list ap) __attribute__((format(printf, 4, 0)));

static void say(const struct iskra_eh *eh, bool warning, const char *who, const char *fmt,
                va_list ap)
{
    const struct iskra_shost *host = eh->host;
    char line[LINE_LEN + COMMAND_LEN + 40];

    if (host->ops->note == NULL)
        return;
    int len = snprintf(line, sizeof(line), "%s", who);
    if (len >= 0 && (size_t)len < sizeof(line))
        vsnprintf(line + len, sizeof(line) - (size_t)len, fmt, ap);
    host->ops->note(host->ops_arg, warning, line);
}

void iskra_eh_note(const struct iskra_eh *eh, bool warning, const struct iskra_sdev *sdev,
                   const char *fmt, ...)
{
    char who[32] = "";
    va_list ap;

    if (sdev != NULL)
        snprintf(who, sizeof(who), "LUN %" PRIu32 ": ", lun_number(sdev));
    va_start(ap, fmt);
    say(eh, warning, who, fmt, ap);
    va_end(ap);
}

void iskra_eh_note_cmnd(const struct iskra_eh *eh, bool warning,
                        const struct iskra_scsi_request *sreq, const char *fmt, ...)
{
    char command[COMMAND_LEN], tag[24] = "", who[COMMAND_LEN + 64];
    uint32_t itt = iskra_cmnd_itt(&sreq->cmnd);
    va_list ap;

    if (itt != UINT32_MAX)
        snprintf(tag, sizeof(tag), ", tag 0x%08" PRIx32, itt);
    snprintf(who, sizeof(who), "LUN %" PRIu32 ": %s%s: ", lun_number(sreq->sdev),
             iskra_outcome_command(sreq, command, sizeof(command)), tag);
    va_start(ap, fmt);
    say(eh, warning, who, fmt, ap);
    va_end(ap);
}

void iskra_eh_why(const struct iskra_scsi_request *sreq, struct iskra_error *why)
{
    struct iskra_scsi_request teller = *sreq; /* the same story, told of the session */

    teller.error = why;
    if (sreq->timed_out)
        (void)iskra_outcome_timed_out(&teller); /* the story is what is wanted */
    else
        (void)iskra_outcome_fail(&teller);
}

/* ---- status ---- */

static const struct iskra_list *busiest(const struct iskra_eh *eh)
{
    if (!iskra_list_empty(&eh->failed))
        return &eh->failed;
    return iskra_list_empty(&eh->aborts) ? &eh->over : &eh->aborts;
}

static void status_of_cmnd(const struct iskra_scsi_request *sreq, struct iskra_eh_status *st)
{
    st->cmnd_valid = true;
    st->opcode = sreq->cmnd.cdb != NULL && sreq->cmnd.cdb_len > 0 ? sreq->cmnd.cdb[0] : 0;
    st->itt = iskra_cmnd_itt(&sreq->cmnd);
    st->age_ns = iskra_eh_age_ns(sreq);
    st->lun_valid = true;
    st->lun = sreq->sdev->lun;
}

void iskra_eh_status(const struct iskra_shost *host, struct iskra_eh_status *st)
{
    const struct iskra_eh *eh = host->eh;

    memset(st, 0, sizeof(*st));
    st->itt = UINT32_MAX;
    if (eh == NULL)
        return;
    const struct iskra_list *list = busiest(eh);
    st->cmnd_cnt = iskra_eh_cnt(&eh->failed) + iskra_eh_cnt(&eh->aborts) + iskra_eh_cnt(&eh->over) +
                   iskra_eh_cnt(&eh->loaned);
    if (!iskra_list_empty(list))
        status_of_cmnd(iskra_eh_sreq_at(list->next), st);
    if (eh->sdev != NULL) {
        st->lun_valid = true;
        st->lun = eh->sdev->lun;
    }
    if (eh->rung != ISKRA_EH_RUNG_NONE) {
        st->rung = eh->rung;
        st->testing = eh->step == ISKRA_EH_STEP_TEST;
        st->since_ns = host->round->now_ns - eh->rung_since_ns;
        if (eh->rung == ISKRA_EH_RUNG_WAIT)
            st->wait_cnt = iskra_eh_waits_for(eh);
    } else if (!iskra_list_empty(&eh->aborts)) {
        st->rung = ISKRA_EH_RUNG_ABORT;
        st->since_ns = eh->abort_out ? host->round->now_ns - eh->abort_since_ns : 0;
    }
}
