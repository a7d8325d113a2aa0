/* Options: one table per command plus the common ones, read by getopt_long, which permutes, so that
 * `iskra read URL --offset 4K` works as well as the other order. */
#include "cli.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct cli_option cli_common_options[] = {
    {"json", NULL, CLI_OPTION_JSON, "print JSON"},
    {"quiet", NULL, 'q', "no warnings, no progress"},
    {"verbose", NULL, 'v', "tell what the library logs"},
    {"debug", NULL, CLI_OPTION_DEBUG, "as -v, and the last PDUs at the end"},
    {"help", NULL, 'h', "this text"},
    {"version", NULL, CLI_OPTION_VERSION, "print the version"},
    {0},
};

#define OPTION_CNT_MAX 48

/* What getopt_long wants. The table ends with an entry of zeros. */
struct getopt_tables {
    struct option longs[OPTION_CNT_MAX];
    char shorts[3 * OPTION_CNT_MAX];
    unsigned long_cnt, short_cnt;
};

static void tables_add(struct getopt_tables *t, const struct cli_option *options)
{
    for (; options && options->name && t->long_cnt + 1 < OPTION_CNT_MAX; options++) {
        t->longs[t->long_cnt++] = (struct option){
            .name = options->name,
            .has_arg = options->arg ? required_argument : no_argument,
            .val = options->id,
        };
        if (options->id >= CLI_OPTION_ID)
            continue;
        t->shorts[t->short_cnt++] = (char)options->id;
        if (options->arg)
            t->shorts[t->short_cnt++] = ':';
    }
}

static bool common_take(struct cli *cli, int id)
{
    switch (id) {
    case CLI_OPTION_JSON:
        cli->json = true;
        return true;
    case 'q':
        cli->quiet = true;
        return true;
    case 'v':
        cli->verbose = true;
        return true;
    case CLI_OPTION_DEBUG:
        cli->verbose = cli->debug = true;
        return true;
    case 'h':
        cli->help = true;
        return true;
    case CLI_OPTION_VERSION:
        cli->version = true;
        return true;
    default:
        return false;
    }
}

/* getopt tells little of what it disliked: optopt is the letter of a short option, the id of a long
 * one that may not have an argument, 0 for a long one nobody knows. */
static void refusal_print(const struct cli *cli, char **argv, int id)
{
    const char *word = argv[optind - 1];
    if (id == ':')
        cli_error(cli, "option '%s' needs an argument", word);
    else if (optopt > ' ' && optopt < CLI_OPTION_ID && strncmp(word, "--", 2) != 0)
        cli_error(cli, "unknown option '-%c'", optopt);
    else if (optopt != 0)
        cli_error(cli, "option '%s' takes no argument", word);
    else
        cli_error(cli, "unknown option '%s'", word);
}

int cli_options_parse(struct cli *cli, int argc, char **argv)
{
    struct getopt_tables t = {0};
    /* '+': stop at the command. ':': a missing argument is told apart from an unknown option. */
    if (!cli->command)
        t.shorts[t.short_cnt++] = '+';
    t.shorts[t.short_cnt++] = ':';
    if (cli->command)
        tables_add(&t, cli->command->options);
    tables_add(&t, cli_common_options);

    free(cli->given);
    cli->given_cnt = 0;
    cli->given = calloc((size_t)argc + 1, sizeof(*cli->given));
    if (!cli->given) {
        cli_error(cli, "no memory for %d options", argc);
        return -1;
    }
    opterr = 0;
    optind = 0; /* starts anew; this function runs twice */
    int id;
    while ((id = getopt_long(argc, argv, t.shorts, t.longs, NULL)) != -1) {
        if (id == '?' || id == ':') {
            refusal_print(cli, argv, id);
            return -1;
        }
        if (!common_take(cli, id))
            cli->given[cli->given_cnt++] = (struct cli_given){id, optarg};
    }
    cli->args = argv + optind;
    cli->arg_cnt = argc - optind;
    return optind;
}

void cli_options_print(const struct cli_option *options)
{
    for (; options->name; options++) {
        char left[64];
        const char *arg = options->arg ? options->arg : "";
        if (options->id < CLI_OPTION_ID)
            snprintf(left, sizeof(left), "-%c, --%s%s%s", options->id, options->name,
                     options->arg ? " " : "", arg);
        else
            snprintf(left, sizeof(left), "    --%s%s%s", options->name, options->arg ? " " : "",
                     arg);
        cli_print("  %-31s %s\n", left, options->help);
    }
}
