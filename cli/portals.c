/* What discovery found; see portals.h. */
#include "portals.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/session.h>

static int entry_keep(void *arg, const struct iskra_portal_entry *entry)
{
    struct cli_portals *portals = arg;
    if (portals->cnt == portals->room) {
        unsigned room = portals->room ? 2 * portals->room : 16;
        struct cli_portal *list = realloc(portals->list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        portals->list = list;
        portals->room = room;
    }
    bool v6 = strchr(entry->address, ':') != NULL;
    struct cli_portal portal = {.port = entry->port, .tpgt = entry->tpgt};
    if (asprintf(&portal.host, v6 ? "[%s]" : "%s", entry->address) < 0)
        return -ENOMEM;
    portal.target_name = strdup(entry->target_name);
    if (!portal.target_name) {
        free(portal.host);
        return -ENOMEM;
    }
    portals->list[portals->cnt++] = portal;
    return 0;
}

int cli_portals_discover(struct cli *cli, const char *where, struct cli_portals *ret_portals)
{
    struct cli_portals portals = {0};
    struct iskra_error err = {0};
    int rc = iskra_discover_sync(cli->ctx, where, entry_keep, &portals, &err);
    int exit_code = CLI_OK;
    if (rc) {
        exit_code = cli_fail(cli, rc, &err);
    } else if (portals.cnt == 0) {
        cli_error(cli, "%s: the portal answered with 0 targets", where);
        exit_code = CLI_NOT_FOUND;
    }
    if (exit_code) {
        cli_portals_free(&portals);
        return exit_code;
    }
    *ret_portals = portals;
    return CLI_OK;
}

void cli_portals_free(struct cli_portals *portals)
{
    for (unsigned i = 0; i < portals->cnt; i++) {
        free(portals->list[i].target_name);
        free(portals->list[i].host);
    }
    free(portals->list);
    *portals = (struct cli_portals){0};
}

/* Letters, digits and what names are made of stay; the rest becomes %XX, so that no name can add an
 * option to a URL. */
static char *url_escape(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:";
    char *escaped = malloc(3 * strlen(text) + 1);
    char *end = escaped;
    for (; escaped && *text; text++) {
        if (strchr(plain, *text))
            *end++ = *text;
        else
            end += sprintf(end, "%%%02x", (unsigned char)*text);
    }
    if (escaped)
        *end = '\0';
    return escaped;
}

char *cli_portal_url(const struct cli_portal *portal, const char *query)
{
    char *name = url_escape(portal->target_name);
    char *url = NULL;
    if (name && asprintf(&url, "iscsi://%s:%u/%s%s", portal->host, portal->port, name, query) < 0)
        url = NULL;
    free(name);
    return url;
}
