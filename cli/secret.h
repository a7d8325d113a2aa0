/* Secrets of the command line: read from a file, so that no list of processes shows them. */
#ifndef ISKRA_CLI_SECRET_H
#define ISKRA_CLI_SECRET_H

#include "cli.h"

#define CLI_SECRET_MAX 255 /* bytes */

struct cli_secret {
    char text[CLI_SECRET_MAX + 1]; /* "" = none */
};

/* The first and only line of a file; a secret that is easy to find by trying is warned of. 0, or an
 * exit code after a line on stderr. /dev/fd/N is a file too. */
int cli_secret_read(const struct cli *cli, const char *option, const char *path,
                    struct cli_secret *ret);
void cli_secret_wipe(struct cli_secret *secret);

#endif
