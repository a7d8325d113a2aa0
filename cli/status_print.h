/* What the processes have told, for people, for scripts, for Prometheus. */
#ifndef ISKRA_CLI_STATUS_PRINT_H
#define ISKRA_CLI_STATUS_PRINT_H

#include "status_client.h"

void cli_status_print(const struct cli_status_processes *processes);
void cli_status_print_json(const struct cli_status_processes *processes);
void cli_status_print_metrics(const struct cli_status_processes *processes);

/* What recovery does, a sentence on each of at most two lines, without indentation and with a
 * newline each; "" if there is nothing to tell. Returns buf. */
#define CLI_STATUS_SENTENCE_LEN 1024
char *cli_status_sentence(const struct cli_status_session *session,
                          char buf[CLI_STATUS_SENTENCE_LEN]);

#endif
