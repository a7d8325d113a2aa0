/* One writer per target and LUN (decision 37): an advisory lock among this user's own processes. */
#ifndef ISKRA_CLI_LOCK_H
#define ISKRA_CLI_LOCK_H

#include <stdbool.h>

#include "cli.h"

/* Takes the lock of this LUN for the rest of the process; it goes with the process, however that
 * ends. Taken by another process: one line with its pid, and CLI_OTHER, unless `force`. Where no
 * lock can be made at all (no directory to put it in) writing goes on; -v tells why. CLI_OK or an
 * exit code. */
int cli_lock_take(const struct cli *cli, const struct iskra_lun *lun, bool force);

#endif
