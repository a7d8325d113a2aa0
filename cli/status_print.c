/* The status as a table or as JSON; see status_print.h. */
#include "status_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli.h"
#include "json.h"

#define COLUMN_CNT 6

/* One line of the table. */
struct row {
    char pid[24], session[24], in_flight[24];
    const char *cells[COLUMN_CNT];
};

static const char *const heads[COLUMN_CNT] = {"PID",    "COMMAND", "SESSION",
                                              "PORTAL", "STATE",   "TARGET"};

/* The first of them that is not as it should be. */
static const char *state_of(const struct cli_status_session *s)
{
    if (s->reopening)
        return "RECONNECTING";
    if (strcmp(s->host_state, "RECOVERY") == 0)
        return s->host_state;
    if (s->checked > 0)
        return "CHECKING";
    return strcmp(s->session_state, "FREE") == 0 ? s->initiator_state : s->session_state;
}

static void row_fill(struct row *row, const struct cli_status_process *process,
                     const struct cli_status_session *session)
{
    snprintf(row->pid, sizeof(row->pid), "%ld", process->pid);
    if (session != NULL)
        snprintf(row->session, sizeof(row->session), "%" PRIu64, session->sid);
    bool silent = process->answer == CLI_STATUS_SILENT;
    const char *cells[COLUMN_CNT] = {
        row->pid,
        process->doc != NULL ? process->doc->command : "-",
        session != NULL ? row->session : "-",
        session != NULL && session->portal[0] ? session->portal : "-",
        session != NULL        ? state_of(session)
        : process->doc != NULL ? "no session"
        : silent               ? "no answer within 1 s"
                               : "an answer that is none",
        session == NULL      ? "-"
        : session->target[0] ? session->target
                             : "(discovery)",
    };
    memcpy(row->cells, cells, sizeof(cells));
}

/* A process without sessions has a row, too. */
static unsigned row_cnt(const struct cli_status_process *process)
{
    return process->doc != NULL && process->doc->session_cnt > 0 ? process->doc->session_cnt : 1;
}

static const struct cli_status_session *session_at(const struct cli_status_process *process,
                                                   unsigned i)
{
    return process->doc != NULL && i < process->doc->session_cnt ? &process->doc->sessions[i]
                                                                 : NULL;
}

static void widths_find(const struct cli_status_processes *processes, int widths[COLUMN_CNT])
{
    for (int c = 0; c < COLUMN_CNT; c++)
        widths[c] = (int)strlen(heads[c]);
    for (unsigned p = 0; p < processes->cnt; p++)
        for (unsigned i = 0; i < row_cnt(&processes->list[p]); i++) {
            struct row row;
            row_fill(&row, &processes->list[p], session_at(&processes->list[p], i));
            for (int c = 0; c < COLUMN_CNT; c++)
                if ((int)strlen(row.cells[c]) > widths[c])
                    widths[c] = (int)strlen(row.cells[c]);
        }
}

static void row_print(const char *const cells[COLUMN_CNT], const int widths[COLUMN_CNT])
{
    for (int c = 0; c < COLUMN_CNT - 1; c++)
        cli_print("%-*s  ", widths[c], cells[c]);
    cli_print("%s\n", cells[COLUMN_CNT - 1]);
}

static void sentences_print(const struct cli_status_session *session)
{
    char buf[CLI_STATUS_SENTENCE_LEN];
    char *rest = cli_status_sentence(session, buf);
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0')
            cli_print("    %s\n", line);
}

void cli_status_print(const struct cli_status_processes *processes)
{
    int widths[COLUMN_CNT];
    if (processes->cnt == 0)
        return;
    widths_find(processes, widths);
    row_print(heads, widths);
    for (unsigned p = 0; p < processes->cnt; p++)
        for (unsigned i = 0; i < row_cnt(&processes->list[p]); i++) {
            struct row row;
            const struct cli_status_session *session = session_at(&processes->list[p], i);
            row_fill(&row, &processes->list[p], session);
            row_print(row.cells, widths);
            if (session != NULL)
                sentences_print(session);
        }
}

static struct json_object *session_json(const struct cli_status_session *session)
{
    char buf[CLI_STATUS_SENTENCE_LEN];
    struct json_object *o = cli_status_session_json(session), *lines = cli_json_array();
    char *rest = cli_status_sentence(session, buf);
    for (char *line; (line = strsep(&rest, "\n")) != NULL;)
        if (line[0] != '\0')
            cli_json_append(lines, cli_json_string(line));
    cli_json_put(o, "recovery", lines);
    return o;
}

void cli_status_print_json(const struct cli_status_processes *processes)
{
    static const char *const answers[] = {[CLI_STATUS_ANSWERED] = "ok",
                                          [CLI_STATUS_SILENT] = "none",
                                          [CLI_STATUS_GARBLED] = "garbled"};
    struct json_object *list = cli_json_array();
    for (unsigned p = 0; p < processes->cnt; p++) {
        const struct cli_status_process *process = &processes->list[p];
        struct json_object *o = cli_json_object(), *sessions = cli_json_array();
        cli_json_number(o, "pid", (uint64_t)process->pid);
        cli_json_text(o, "answer", answers[process->answer]);
        if (process->doc != NULL)
            cli_json_text(o, "command", process->doc->command);
        for (unsigned i = 0; process->doc != NULL && i < process->doc->session_cnt; i++)
            cli_json_append(sessions, session_json(&process->doc->sessions[i]));
        cli_json_put(o, "sessions", sessions);
        cli_json_append(list, o);
    }
    cli_json_print(list);
}
