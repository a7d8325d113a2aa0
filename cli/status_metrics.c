/* The status in Prometheus' text exposition format, version 0.0.4: HELP and TYPE once per metric,
 * then a sample for each session. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "status_print.h"

static void label_print(const char *name, const char *value, bool first)
{
    cli_print("%s%s=\"", first ? "" : ",", name);
    for (const char *c = value; *c != '\0'; c++) {
        if (*c == '\n')
            cli_print("\\n");
        else if (*c == '"' || *c == '\\')
            cli_print("\\%c", *c);
        else
            cli_print("%c", *c);
    }
    cli_print("\"");
}

static void head_print(const char *metric, const char *help)
{
    size_t len = strlen(metric);
    bool counter = len > 6 && strcmp(metric + len - 6, "_total") == 0;
    cli_print("# HELP iskra_%s %s\n# TYPE iskra_%s %s\n", metric, help, metric,
              counter ? "counter" : "gauge");
}

/* What tells a session from all others: pid and number. Target and portal are of those things that
 * people select by. */
static void session_labels_print(const struct cli_status_process *process,
                                 const struct cli_status_session *session)
{
    char text[24];
    snprintf(text, sizeof(text), "%ld", process->pid);
    label_print("pid", text, true);
    label_print("command", process->doc->command, false);
    snprintf(text, sizeof(text), "%" PRIu64, session->sid);
    label_print("session", text, false);
    label_print("target", session->target, false);
}

static void value_print(const struct cli_status_field *field,
                        const struct cli_status_session *session)
{
    const void *member = (const char *)session + field->offset;
    if (field->kind != CLI_STATUS_TIME) {
        cli_print("%" PRIu64 "\n", *(const uint64_t *)member);
        return;
    }
    int64_t ns = *(const int64_t *)member;
    if (ns < 0)
        cli_print("-1\n");
    else
        cli_print("%.6f\n", (double)ns / 1e9);
}

typedef void sample_fn(const struct cli_status_process *process,
                       const struct cli_status_session *session, const void *arg);

static void each_session(const struct cli_status_processes *processes, sample_fn *fn,
                         const void *arg)
{
    for (unsigned p = 0; p < processes->cnt; p++)
        for (unsigned i = 0; processes->list[p].doc && i < processes->list[p].doc->session_cnt; i++)
            fn(&processes->list[p], &processes->list[p].doc->sessions[i], arg);
}

static void field_sample(const struct cli_status_process *process,
                         const struct cli_status_session *session, const void *arg)
{
    const struct cli_status_field *field = arg;
    cli_print("iskra_session_%s{", field->metric);
    session_labels_print(process, session);
    cli_print("} ");
    value_print(field, session);
}

static void info_sample(const struct cli_status_process *process,
                        const struct cli_status_session *session, const void *arg)
{
    cli_print("iskra_session_info{");
    session_labels_print(process, session);
    label_print("portal", session->portal, false);
    label_print("isid", session->isid, false);
    label_print("state", session->session_state, false);
    label_print("rung", session->rung, false);
    cli_print("} 1\n");
}

static void up_sample(const struct cli_status_process *process,
                      const struct cli_status_session *session, const void *arg)
{
    cli_print("iskra_session_up{");
    session_labels_print(process, session);
    cli_print("} %d\n", strcmp(session->session_state, "LOGGED_IN") == 0 && !session->reopening);
}

void cli_status_print_metrics(const struct cli_status_processes *processes)
{
    head_print("process_answers", "1 if the process said what its sessions do within a second.");
    for (unsigned p = 0; p < processes->cnt; p++)
        cli_print("iskra_process_answers{pid=\"%ld\"} %d\n", processes->list[p].pid,
                  processes->list[p].doc != NULL);
    head_print("session_info", "Names and states of a session, as labels.");
    each_session(processes, info_sample, NULL);
    head_print("session_up", "1 while the session is logged in.");
    each_session(processes, up_sample, NULL);
    for (const struct cli_status_field *f = cli_status_fields; f->name; f++) {
        char metric[64];
        if (f->metric == NULL)
            continue;
        snprintf(metric, sizeof(metric), "session_%s", f->metric);
        head_print(metric, f->help);
        each_session(processes, field_sample, f);
    }
}
