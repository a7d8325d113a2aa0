/* The program: finds the subcommand, gives it its options, leaves with its exit code. */
#include "cli.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "json.h"

static const struct cli_command *const commands[] = {
    &cli_cmd_discover, &cli_cmd_ls,   &cli_cmd_info,  &cli_cmd_read,   &cli_cmd_write,
    &cli_cmd_cp,       &cli_cmd_ping, &cli_cmd_raw,   &cli_cmd_trace,  &cli_cmd_bench,
    &cli_cmd_target,   &cli_cmd_demo, &cli_cmd_reset, &cli_cmd_status,
};
#define COMMAND_CNT (sizeof(commands) / sizeof(commands[0]))

static const struct cli_command *command_find(const char *name)
{
    for (size_t i = 0; i < COMMAND_CNT; i++)
        if (strcmp(commands[i]->name, name) == 0)
            return commands[i];
    return NULL;
}

static void help_print(void)
{
    cli_print("Usage: iskra COMMAND [OPTION]... [ARGUMENT]...\n"
              "An iSCSI initiator in user space.\n\nCommands:\n");
    for (size_t i = 0; i < COMMAND_CNT; i++)
        cli_print("  %-10s %s\n", commands[i]->name, commands[i]->summary);
    cli_print("  %-10s %s\n\nOptions of every command:\n", "help", "tells how a command is used");
    cli_options_print(cli_common_options);
    cli_print("\nURL: iscsi://host[:port]/target-name/lun[?key=value&...], see iskra(1).\n");
}

static void command_help_print(const struct cli_command *command)
{
    cli_print("Usage: iskra %s [OPTION]... %s\n%c%s.\n", command->name, command->args,
              toupper((unsigned char)command->summary[0]), command->summary + 1);
    if (command->details)
        cli_print("\n%s", command->details);
    cli_print("\nOptions:\n");
    if (command->options)
        cli_options_print(command->options);
    cli_options_print(cli_common_options);
}

static int help_run(const struct cli *cli, int argc, char **argv)
{
    if (argc < 2 || strcmp(argv[1], "help") == 0) {
        help_print();
        return CLI_OK;
    }
    const struct cli_command *command = command_find(argv[1]);
    if (!command)
        return cli_usage(cli, "help: no command '%s'; see iskra --help", argv[1]);
    command_help_print(command);
    return CLI_OK;
}

static int command_check(const struct cli *cli)
{
    const struct cli_command *command = cli->command;
    if (cli->arg_cnt < command->arg_min)
        return cli_usage(cli, "%s: missing; iskra help %s tells more", command->args,
                         command->name);
    if (cli->arg_cnt > command->arg_max)
        return cli_usage(cli, "'%s' is one argument too many; iskra help %s tells more",
                         cli->args[command->arg_max], command->name);
    if (cli->json && !cli_json_available())
        return cli_usage(cli, "--json: this program was built without json-c");
    return CLI_OK;
}

static int command_run(struct cli *cli, int argc, char **argv)
{
    if (cli_options_parse(cli, argc, argv) < 0)
        return CLI_USAGE;
    if (cli->help) {
        command_help_print(cli->command);
        return CLI_OK;
    }
    if (cli->version) {
        cli_print("iskra %s\n", iskra_version());
        return CLI_OK;
    }
    int exit_code = command_check(cli);
    return exit_code ? exit_code : cli->command->run(cli);
}

static int program_run(struct cli *cli, int argc, char **argv)
{
    int used_cnt = cli_options_parse(cli, argc, argv);
    if (used_cnt < 0)
        return CLI_USAGE;
    argc -= used_cnt;
    argv += used_cnt;
    if (cli->version) {
        cli_print("iskra %s\n", iskra_version());
        return CLI_OK;
    }
    if (cli->help) {
        help_print();
        return CLI_OK;
    }
    if (argc < 1)
        return cli_usage(cli, "no command; iskra --help lists them");
    if (strcmp(argv[0], "help") == 0)
        return help_run(cli, argc, argv);
    cli->command = command_find(argv[0]);
    if (!cli->command)
        return cli_usage(cli, "no command '%s'; iskra --help lists them", argv[0]);
    return command_run(cli, argc, argv);
}

int main(int argc, char **argv)
{
    cli_output_init();
    struct cli cli = {0};
    int exit_code = program_run(&cli, argc, argv);
    cli_initiator_free(&cli);
    free(cli.given);
    return cli_output_finish(&cli, exit_code);
}
