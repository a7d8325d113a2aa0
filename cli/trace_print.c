/* Trace records as a call tree or as JSON.
 *
 * A step's ENTER and LEAVE become one line; its duration is found by walking to the LEAVE that
 * closes it. PDUs and changes of state carry the time of their round, which may lie before the step
 * they happened in, so no time is printed for them. */
#include "trace_print.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli.h"
#include "json.h"

#define INDENT 2

/* For each ENTER the index of its LEAVE, or 0 (a LEAVE is never first); for each record its depth,
 * counted anew, because a trace may begin inside a step. */
struct tree {
    unsigned *leave, *depth, *open;
};

static bool tree_build(struct tree *tree, const struct cli_trace *trace)
{
    tree->leave = calloc(3 * ((size_t)trace->cnt + 1), sizeof(*tree->leave));
    if (!tree->leave)
        return false;
    tree->depth = tree->leave + trace->cnt + 1;
    tree->open = tree->depth + trace->cnt + 1;
    unsigned depth = 0;
    for (unsigned i = 0; i < trace->cnt; i++) {
        const struct iskra_trace_record *record = &trace->list[i];
        if (record->kind == ISKRA_TRACE_LEAVE) {
            unsigned d = depth;
            while (d > 0 && trace->list[tree->open[d - 1]].what != record->what)
                d--;
            if (d > 0) { /* else it closes a step entered before the trace began */
                depth = d - 1;
                tree->leave[tree->open[depth]] = i;
            }
        }
        tree->depth[i] = depth;
        if (record->kind == ISKRA_TRACE_ENTER)
            tree->open[depth++] = i;
    }
    return true;
}

/* Numbers that are codes on the wire read better in hex, and better still with their name. */
static void step_format(const struct iskra_trace_record *record, char *buf, size_t size)
{
    const char *name = iskra_step_name(record->what), *detail = iskra_step_detail(record->what);
    const char *word = iskra_step_detail_word(record->what, record->a);
    bool hex = strcmp(detail, "opcode") == 0 || strcmp(detail, "cdb") == 0;
    if (detail[0] == '\0')
        snprintf(buf, size, "%s", name);
    else if (hex)
        snprintf(buf, size, "%s %s 0x%02" PRIx32 " %s", name, detail, record->a, word);
    else if (word[0] != '\0')
        snprintf(buf, size, "%s %s %s", name, detail, word);
    else
        snprintf(buf, size, "%s %s %" PRIu32, name, detail, record->a);
}

/* Times count from the first step, see the top. */
static uint64_t start_ns(const struct cli_trace *trace)
{
    for (unsigned i = 0; i < trace->cnt; i++)
        if (trace->list[i].kind == ISKRA_TRACE_ENTER)
            return trace->list[i].time_ns;
    return 0;
}

static void times_print(const struct cli_trace *trace, const struct tree *tree, unsigned i)
{
    const struct iskra_trace_record *record = &trace->list[i];
    if (record->kind != ISKRA_TRACE_ENTER) {
        cli_print("%21s", "");
        return;
    }
    cli_print("%10.1f", (double)(record->time_ns - start_ns(trace)) / 1e3);
    if (tree->leave[i])
        cli_print(" %10.1f", (double)(trace->list[tree->leave[i]].time_ns - record->time_ns) / 1e3);
    else
        cli_print(" %10s", "-");
}

static const char *layer_name(const struct iskra_trace_record *record)
{
    switch (record->kind) {
    case ISKRA_TRACE_ENTER:
        return iskra_step_layer(record->what);
    case ISKRA_TRACE_PDU_IN:
    case ISKRA_TRACE_PDU_OUT:
        return "wire";
    default:
        return "-";
    }
}

void cli_trace_print(const struct cli_trace *trace, const struct cli_trace_style *style)
{
    struct tree tree;
    if (trace->cnt == 0 || !tree_build(&tree, trace))
        return;
    if (!style->no_times)
        cli_print("%10s %10s  ", "start us", "took us");
    cli_print("%-10s %s\n", "layer", "step");
    for (unsigned i = 0; i < trace->cnt; i++) {
        const struct iskra_trace_record *record = &trace->list[i];
        char text[256];
        if (record->kind == ISKRA_TRACE_LEAVE)
            continue;
        bool step = record->kind == ISKRA_TRACE_ENTER;
        if (step)
            step_format(record, text, sizeof(text));
        else
            iskra_trace_format(record, text, sizeof(text));
        if (!style->no_times) {
            times_print(trace, &tree, i);
            cli_print("  ");
        }
        cli_print("%-10s %*s%s", layer_name(record), (int)(INDENT * tree.depth[i]), "", text);
        const char *notes = step ? iskra_step_notes(record->what) : "";
        cli_print(style->notes && notes[0] ? "  [%s]\n" : "\n", notes);
    }
    free(tree.leave);
}

static const char *kind_name(unsigned kind)
{
    static const char *const names[] = {"?",     "pdu-in", "pdu-out", "state",
                                        "error", "enter",  "leave"};
    return kind < sizeof(names) / sizeof(names[0]) ? names[kind] : "?";
}

static struct json_object *record_json(const struct iskra_trace_record *record)
{
    struct json_object *o = cli_json_object();
    char text[256];
    cli_json_text(o, "kind", kind_name(record->kind));
    switch (record->kind) {
    case ISKRA_TRACE_ENTER:
    case ISKRA_TRACE_LEAVE:
        cli_json_text(o, "step", iskra_step_name(record->what));
        cli_json_text(o, "layer", iskra_step_layer(record->what));
        cli_json_text(o, "notes", iskra_step_notes(record->what));
        if (record->kind == ISKRA_TRACE_ENTER && iskra_step_detail(record->what)[0])
            cli_json_number(o, iskra_step_detail(record->what), record->a);
        break;
    case ISKRA_TRACE_PDU_IN:
    case ISKRA_TRACE_PDU_OUT:
        cli_json_number(o, "opcode", record->what);
        cli_json_number(o, "flags", record->flags);
        cli_json_number(o, "itt", record->itt);
        cli_json_number(o, "len", record->a);
        cli_json_number(o, record->kind == ISKRA_TRACE_PDU_IN ? "stat_sn" : "cmd_sn", record->b);
        break;
    default:
        break;
    }
    if (record->kind < ISKRA_TRACE_ENTER)
        cli_json_text(o, "text", iskra_trace_format(record, text, sizeof(text)));
    return o;
}

void cli_trace_print_json(const struct cli_trace *trace, const struct cli_trace_style *style)
{
    struct tree tree;
    struct json_object *array = cli_json_array();
    bool built = trace->cnt && tree_build(&tree, trace);
    for (unsigned i = 0; i < trace->cnt && built; i++) {
        struct json_object *o = record_json(&trace->list[i]);
        cli_json_number(o, "depth", tree.depth[i]);
        if (!style->no_times && trace->list[i].kind >= ISKRA_TRACE_ENTER)
            cli_json_number(o, "time_ns", trace->list[i].time_ns - start_ns(trace));
        cli_json_append(array, o);
    }
    if (built)
        free(tree.leave);
    cli_json_print(array);
}
