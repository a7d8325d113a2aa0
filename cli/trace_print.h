/* Trace records as a call tree or as JSON. */
#ifndef ISKRA_CLI_TRACE_PRINT_H
#define ISKRA_CLI_TRACE_PRINT_H

#include <stdbool.h>

#include <iskra/trace.h>

struct cli_trace {
    struct iskra_trace_record *list;
    unsigned cnt, room, lost_cnt;
};

struct cli_trace_style {
    bool notes, no_times;
};

void cli_trace_print(const struct cli_trace *trace, const struct cli_trace_style *style);
void cli_trace_print_json(const struct cli_trace *trace, const struct cli_trace_style *style);

#endif
