/* iskra discover: which targets a portal knows, a line each in the shape iscsiadm prints. */
#include "cli.h"

#include "json.h"
#include "portals.h"

static void json_print(const struct cli_portals *portals)
{
    struct json_object *array = cli_json_array();
    for (unsigned i = 0; i < portals->cnt; i++) {
        const struct cli_portal *portal = &portals->list[i];
        struct json_object *o = cli_json_object();
        cli_json_text(o, "target", portal->target_name);
        cli_json_text(o, "address", portal->host);
        cli_json_number(o, "port", portal->port);
        cli_json_number(o, "tpgt", portal->tpgt);
        cli_json_append(array, o);
    }
    cli_json_print(array);
}

static int discover_run(struct cli *cli)
{
    struct cli_portals portals;
    int exit_code = cli_initiator_new(cli, NULL);
    if (exit_code || (exit_code = cli_portals_discover(cli, cli->args[0], &portals)))
        return exit_code;
    if (cli->json)
        json_print(&portals);
    for (unsigned i = 0; i < portals.cnt && !cli->json; i++) {
        const struct cli_portal *portal = &portals.list[i];
        cli_print("%s:%u,%u %s\n", portal->host, portal->port, portal->tpgt, portal->target_name);
    }
    cli_portals_free(&portals);
    return CLI_OK;
}

const struct cli_command cli_cmd_discover = {
    .name = "discover",
    .args = "PORTAL",
    .summary = "lists the targets of a portal",
    .details = "PORTAL is host, host:port, [IPv6]:port, or iscsi://host[:port][?key=value&...].\n",
    .arg_min = 1,
    .arg_max = 1,
    .run = discover_run,
};
