/* How many requests are in flight, and how long each is. */
#ifndef ISKRA_CLI_DEPTH_H
#define ISKRA_CLI_DEPTH_H

#include "cli.h"

#define CLI_DEPTH_QD_MAX 256
#define CLI_DEPTH_BS_MAX (16u << 20)

struct cli_depth {
    unsigned qd;
    uint64_t bs; /* bytes per request at most */
};

extern const struct cli_depth cli_depth_usual;

/* Bytes per request for this LUN: whole blocks, and not more than it takes. */
uint64_t cli_depth_chunk_len(const struct cli_depth *depth, const struct iskra_lun_info *lun);

/* The URL with queue_depth and cmds_max raised as far as qd requests in flight need it, and, if
 * `tell`, a line about each. To be freed; NULL: no memory. */
char *cli_depth_url(const struct cli *cli, const char *url, unsigned qd, bool tell);

#endif
