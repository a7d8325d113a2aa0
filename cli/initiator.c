/* The initiator of one call of the program, and what it logs. */
#include "cli.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/trace.h>

#include "status_server.h"

/* Errors come back from the calls that fail, which tell them; they are logged only for -v. */
static void log_line(void *arg, enum iskra_log_level level, const char *line)
{
    const struct cli *cli = arg;
    if (level == ISKRA_LOG_WARNING ? cli->quiet : !cli->verbose)
        return;
    cli_error(cli, "%s%s", level == ISKRA_LOG_WARNING ? "warning: " : "", line);
}

#define DEBUG_LEVEL_MAX 10

/* libiscsi's users set it: 1 and more is -v. "": as if it were not set. */
static int debug_variable(struct cli *cli)
{
    const char *value = getenv("LIBISCSI_DEBUG");
    if (!value || !value[0])
        return CLI_OK;
    char *end;
    errno = 0;
    unsigned long level = strtoul(value, &end, 10);
    if (value[0] < '0' || value[0] > '9' || *end != '\0' || errno || level > DEBUG_LEVEL_MAX)
        return cli_usage(cli, "LIBISCSI_DEBUG=%.60s is not a number from 0 to %d", value,
                         DEBUG_LEVEL_MAX);
    if (level > 0)
        cli->verbose = true;
    return CLI_OK;
}

int cli_initiator_new(struct cli *cli, const char *name)
{
    int exit_code = debug_variable(cli);
    if (exit_code)
        return exit_code;
    struct iskra_options options = {
        .size = sizeof(options),
        .initiator_name = name,
        .platform = cli->platform,
        .log = log_line,
        .log_arg = cli,
    };
    struct iskra_error err = {0};
    int rc = iskra_new(&options, &cli->ctx, &err);
    if (rc)
        return cli_fail(cli, rc, &err);
    cli->status = cli_status_server_new(cli->ctx, cli->command ? cli->command->name : "");
    if (!cli->status && errno != ENOSYS && cli->verbose)
        cli_error(cli, "iskra status will not show this process: %s", strerror(errno));
    return CLI_OK;
}

#define DEBUG_RECORD_CNT 256

static void records_print(const struct iskra *ctx)
{
    struct iskra_trace_record records[DEBUG_RECORD_CNT];
    char line[256];
    unsigned cnt = iskra_trace_read(ctx, records, DEBUG_RECORD_CNT);
    for (unsigned i = 0; i < cnt; i++)
        fprintf(stderr, "%12.3f ms  %s\n", (double)(records[i].time_ns - records[0].time_ns) / 1e6,
                iskra_trace_format(&records[i], line, sizeof(line)));
}

void cli_initiator_free(struct cli *cli)
{
    if (cli->ctx && cli->debug)
        records_print(cli->ctx);
    cli_status_server_stop(cli->status);
    iskra_free(cli->ctx);
    cli_status_server_free(cli->status);
    cli->status = NULL;
    cli->ctx = NULL;
}
