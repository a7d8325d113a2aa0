/* iskra status: what the sessions of this user's iskra processes do now. */
#include "cli.h"

#include <poll.h>
#include <unistd.h>

#include "json.h"
#include "status_print.h"

#define WATCH_MS 1000

enum {
    OPTION_WATCH = CLI_OPTION_ID,
    OPTION_METRICS,
};

struct args {
    bool watch, metrics;
};

static int args_take(const struct cli *cli, struct args *args)
{
    for (unsigned i = 0; i < cli->given_cnt; i++)
        if (cli->given[i].id == OPTION_WATCH)
            args->watch = true;
        else
            args->metrics = true;
    if (args->metrics && (args->watch || cli->json))
        return cli_usage(cli, "--metrics goes with neither --watch nor --json");
    if (!cli_json_available())
        return cli_usage(cli, "this program was built without json-c, which its processes need to "
                              "tell what they do");
    return CLI_OK;
}

static int status_show(const struct cli *cli, const struct args *args)
{
    struct cli_status_processes processes;
    bool good = cli_status_ask(&processes);
    if (good && args->watch && isatty(STDOUT_FILENO))
        cli_print("\033[H\033[2J"); /* our own, not a target's: home, and an empty screen */
    if (good && args->metrics)
        cli_status_print_metrics(&processes);
    else if (good && cli->json)
        cli_status_print_json(&processes);
    else if (good && processes.cnt > 0)
        cli_status_print(&processes);
    else if (good && !cli->quiet)
        cli_print("no iskra process of this user is running\n");
    cli_status_processes_free(&processes);
    if (good)
        return CLI_OK;
    cli_error(cli, "no memory for what they answer");
    return CLI_OTHER;
}

static int status_run(struct cli *cli)
{
    struct args args = {0};
    int exit_code = args_take(cli, &args);
    if (exit_code)
        return exit_code;
    do {
        exit_code = status_show(cli, &args);
        cli_print_flush();
    } while (args.watch && !exit_code && !cli_output_error() && poll(NULL, 0, WATCH_MS) == 0);
    return exit_code;
}

static const struct cli_option options[] = {
    {"watch", NULL, OPTION_WATCH, "again each second, until interrupted"},
    {"metrics", NULL, OPTION_METRICS, "in Prometheus' text format"},
    {0},
};

const struct cli_command cli_cmd_status = {
    .name = "status",
    .args = "",
    .summary = "shows what the sessions of your iskra processes do",
    .details = "Below a session that is in trouble stands what is being done about it.\n",
    .arg_min = 0,
    .arg_max = 0,
    .options = options,
    .run = status_run,
};
