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
};

/* SendTargets at `where`. 0 with at least one entry, or an exit code after a line on stderr. */
int cli_portals_discover(struct cli *cli, const char *where, struct cli_portals *ret_portals);
void cli_portals_free(struct cli_portals *portals);

/* "iscsi://host:port/name" followed by `query` ("?..." or ""). NULL: no memory. free() it. */
char *cli_portal_url(const struct cli_portal *portal, const char *query);

#endif
