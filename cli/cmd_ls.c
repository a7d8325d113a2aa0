/* iskra ls: targets and their LUNs as a table. */
#include "cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/scsi.h>
#include <iskra/session.h>

#include "json.h"
#include "portals.h"

struct lun_list {
    struct iskra_lun_info *list;
    unsigned cnt, room;
};

static int lun_keep(void *arg, const struct iskra_lun_info *lun)
{
    struct lun_list *luns = arg;
    if (luns->cnt == luns->room) {
        unsigned room = luns->room ? 2 * luns->room : 8;
        struct iskra_lun_info *list = realloc(luns->list, room * sizeof(*list));
        if (!list)
            return -ENOMEM;
        luns->list = list;
        luns->room = room;
    }
    luns->list[luns->cnt++] = *lun;
    return 0;
}

/* ---- the table ---- */

#define COLUMN_CNT 6
#define CELL_LEN   260
static const char *const headings[COLUMN_CNT] = {"LUN",   "TYPE",           "SIZE",
                                                 "BLOCK", "VENDOR PRODUCT", "SERIAL"};
static const bool right_aligned[COLUMN_CNT] = {true, false, true, true, false, false};

static void cell_format(const struct iskra_lun_info *lun, unsigned column, char *cell)
{
    char size[CLI_SIZE_TEXT_LEN];
    cell[0] = '\0';
    switch (column) {
    case 0:
        snprintf(cell, CELL_LEN, "%" PRIu64, lun->lun);
        break;
    case 1:
        snprintf(cell, CELL_LEN, "%s", iskra_device_type_name(lun->type));
        break;
    case 2:
        if (lun->block_len)
            snprintf(cell, CELL_LEN, "%s", cli_size_format(lun->block_cnt * lun->block_len, size));
        break;
    case 3:
        if (lun->block_len)
            snprintf(cell, CELL_LEN, "%" PRIu32, lun->block_len);
        break;
    case 4:
        snprintf(cell, CELL_LEN, "%s%s%s", lun->vendor, lun->vendor[0] ? " " : "", lun->product);
        break;
    case 5:
        snprintf(cell, CELL_LEN, "%s", lun->serial);
        break;
    default:
        break;
    }
    if (cell[0] == '\0')
        strcpy(cell, "-");
}

static void row_print(const struct iskra_lun_info *lun, const int *widths)
{
    char cell[CELL_LEN];
    for (unsigned column = 0; column < COLUMN_CNT; column++) {
        const char *text = headings[column];
        if (lun) {
            cell_format(lun, column, cell);
            text = cell;
        }
        int width = right_aligned[column] ? widths[column] : -widths[column];
        if (column + 1 == COLUMN_CNT)
            cli_print("  %s\n", text); /* no blanks at the end of a line */
        else
            cli_print("  %*s", width, text);
    }
}

static void table_print(const struct lun_list *luns)
{
    int widths[COLUMN_CNT];
    char cell[CELL_LEN];
    for (unsigned column = 0; column < COLUMN_CNT; column++) {
        widths[column] = (int)strlen(headings[column]);
        for (unsigned i = 0; i < luns->cnt; i++) {
            cell_format(&luns->list[i], column, cell);
            if ((int)strlen(cell) > widths[column])
                widths[column] = (int)strlen(cell);
        }
    }
    row_print(NULL, widths);
    for (unsigned i = 0; i < luns->cnt; i++)
        row_print(&luns->list[i], widths);
}

static struct json_object *lun_json(const struct iskra_lun_info *lun)
{
    struct json_object *o = cli_json_object();
    cli_json_number(o, "lun", lun->lun);
    cli_json_text(o, "type", iskra_device_type_name(lun->type));
    cli_json_number(o, "size", lun->block_cnt * lun->block_len);
    cli_json_number(o, "block_size", lun->block_len);
    cli_json_text(o, "vendor", lun->vendor);
    cli_json_text(o, "product", lun->product);
    cli_json_text(o, "serial", lun->serial);
    return o;
}

/* ---- targets ---- */

struct listing {
    struct cli *cli;
    struct json_object *json; /* NULL: text */
    unsigned target_cnt;
};

static void target_print(struct listing *listing, const char *heading, const char *target_name,
                         const struct lun_list *luns)
{
    listing->target_cnt++;
    if (listing->json) {
        struct json_object *o = cli_json_object(), *array = cli_json_array();
        for (unsigned i = 0; i < luns->cnt; i++)
            cli_json_append(array, lun_json(&luns->list[i]));
        cli_json_text(o, "target", target_name);
        cli_json_put(o, "luns", array);
        cli_json_append(listing->json, o);
        return;
    }
    cli_print("%s%s\n", listing->target_cnt > 1 ? "\n" : "", heading);
    if (luns->cnt)
        table_print(luns);
    else
        cli_print("  (no LUNs)\n");
}

/* There may be others, so that the line has to say which one. */
static int failed_tell(const struct listing *listing, const char *name, int rc,
                       const struct iskra_error *err)
{
    if (err->code == ISKRA_OK)
        return cli_fail(listing->cli, rc, err);
    cli_error(listing->cli, "%s: %s", name, err->text[0] ? err->text : iskra_code_name(err->code));
    return cli_exit_code(err);
}

/* Everything behind one host: the target as a heading with all its portals, asked through the first
 * of them that lets us in. */
static int discovered_list(struct listing *listing, const struct cli_portals *portals,
                           unsigned first, const char *query)
{
    const char *name = portals->list[first].target_name;
    struct lun_list luns = {0};
    struct iskra_error err = {0};
    char *heading = strdup(name);
    int rc = -ENOMEM;
    bool reached = false;
    for (unsigned i = first; i < portals->cnt && heading; i++) {
        const struct cli_portal *portal = &portals->list[i];
        if (strcmp(portal->target_name, name) != 0)
            continue;
        char *longer;
        if (asprintf(&longer, "%s  %s:%u,%u", heading, portal->host, portal->port, portal->tpgt) <
            0)
            break;
        free(heading);
        heading = longer;
        char *url = reached ? NULL : cli_portal_url(portals, i, query);
        if (!url)
            continue;
        err = (struct iskra_error){0};
        luns.cnt = 0;
        rc = iskra_luns_sync(listing->cli->ctx, url, lun_keep, &luns, &err);
        reached = rc == 0 || (err.code != ISKRA_E_CONNECT && err.code != ISKRA_E_TIMEOUT_LOGIN);
        cli_portal_url_free(url);
    }
    int exit_code = CLI_OK;
    if (rc == 0)
        target_print(listing, heading, name, &luns);
    else
        exit_code = failed_tell(listing, name, rc, &err);
    free(heading);
    free(luns.list);
    return exit_code;
}

static bool listed_before(const struct cli_portals *portals, unsigned i)
{
    for (unsigned earlier = 0; earlier < i; earlier++)
        if (strcmp(portals->list[earlier].target_name, portals->list[i].target_name) == 0)
            return true;
    return false;
}

/* A target that fails does not hide the others; its exit code is the program's. */
static int portal_list(struct listing *listing, const char *where)
{
    const char *query = strchr(where, '?');
    struct cli_portals portals;
    int exit_code = cli_portals_discover(listing->cli, where, &portals);
    if (exit_code)
        return exit_code;
    for (unsigned i = 0; i < portals.cnt; i++) {
        if (listed_before(&portals, i))
            continue;
        int one = discovered_list(listing, &portals, i, query ? query : "");
        exit_code = exit_code ? exit_code : one;
    }
    cli_portals_free(&portals);
    return exit_code;
}

/* The target's name begins after the first slash behind the host. NULL if there is none. */
static const char *url_target(const char *where)
{
    const char *scheme = strstr(where, "://");
    const char *p = scheme ? scheme + 3 : where;
    p += strcspn(p, "/?");
    return *p == '/' && p[1] != '\0' && p[1] != '?' ? p + 1 : NULL;
}

static int target_list(struct listing *listing, const char *where)
{
    const char *target = url_target(where);
    struct lun_list luns = {0};
    struct iskra_error err = {0};
    int rc = iskra_luns_sync(listing->cli->ctx, where, lun_keep, &luns, &err);
    int exit_code = rc ? cli_fail(listing->cli, rc, &err) : CLI_OK;
    if (!rc) {
        char name[256];
        snprintf(name, sizeof(name), "%.*s", (int)strcspn(target, "/?"), target);
        target_print(listing, name, name, &luns);
    }
    free(luns.list);
    return exit_code;
}

static int ls_run(struct cli *cli)
{
    struct listing listing = {.cli = cli};
    int exit_code = cli_initiator_new(cli, NULL);
    if (exit_code)
        return exit_code;
    if (cli->json)
        listing.json = cli_json_array();
    const char *where = cli->args[0];
    exit_code = url_target(where) ? target_list(&listing, where) : portal_list(&listing, where);
    if (cli->json && exit_code && listing.target_cnt == 0)
        cli_json_free(listing.json); /* an error, and nothing found beside it */
    else if (cli->json)
        cli_json_print(listing.json);
    return exit_code;
}

const struct cli_command cli_cmd_ls = {
    .name = "ls",
    .args = "URL|PORTAL",
    .summary = "lists targets and their LUNs",
    .details = "With a URL that names a target: its LUNs. Else the targets are discovered first.\n",
    .arg_min = 1,
    .arg_max = 1,
    .run = ls_run,
};
