/* What discovery found, kept: targets and their portals. */
#ifndef ISKRA_CLI_PORTALS_H
#define ISKRA_CLI_PORTALS_H

#include "cli.h"

struct cli_portal {
    char *target_name;
    char *host; /* as it stands in a URL: IPv6 in brackets */
    uint16_t port, tpgt;
};

struct cli_portals {
    struct cli_portal *list;
    unsigned cnt, room;
    char *user; /* "USER@" or "USER:PASSWORD@" as it was given, for the targets too; or "" */
};

/* SendTargets at `where`. 0 with at least one entry, or an exit code after a line on stderr. */
int cli_portals_discover(struct cli *cli, const char *where, struct cli_portals *ret_portals);
void cli_portals_free(struct cli_portals *portals);

/* "iscsi://user@host:port/name" of list[i], followed by `query` ("?..." or ""). It may hold a
 * password. NULL: no memory. cli_portal_url_free() it. */
char *cli_portal_url(const struct cli_portals *portals, unsigned i, const char *query);
void cli_portal_url_free(char *url);

#endif
