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

/* What stands before the host, its '@' included, as it stands there: it is read once more as a part
 * of a URL. */
static char *user_of(const char *where)
{
    const char *scheme = strstr(where, "://");
    const char *authority = scheme ? scheme + 3 : where;
    const char *at = memrchr(authority, '@', strcspn(authority, "/?"));
    return strndup(authority, at ? (size_t)(at + 1 - authority) : 0);
}

int cli_portals_discover(struct cli *cli, const char *where, struct cli_portals *ret_portals)
{
    struct cli_portals portals = {.user = user_of(where)};
    struct iskra_error err = {0};
    if (!portals.user) {
        cli_error(cli, "%s", strerror(ENOMEM));
        return CLI_OTHER;
    }
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
    cli_portal_url_free(portals->user);
    *portals = (struct cli_portals){0};
}

/* Letters, digits and what names and addresses are made of stay; the rest becomes %XX, so that no
 * name can add an option to a URL. */
static char *url_escape(const char *text)
{
    static const char plain[] =
        "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._:[]";
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

char *cli_portal_url(const struct cli_portals *portals, unsigned i, const char *query)
{
    const struct cli_portal *portal = &portals->list[i];
    char *name = url_escape(portal->target_name);
    char *host = url_escape(portal->host);
    char *url = NULL;
    if (name && host &&
        asprintf(&url, "iscsi://%s%s:%u/%s%s", portals->user, host, portal->port, name, query) < 0)
        url = NULL;
    free(name);
    free(host);
    return url;
}

void cli_portal_url_free(char *url)
{
    if (url)
        explicit_bzero(url, strlen(url));
    free(url);
}
