/* Asks every iskra process of this user, all at once, what its sessions do. */
#ifndef ISKRA_CLI_STATUS_CLIENT_H
#define ISKRA_CLI_STATUS_CLIENT_H

#include "status_doc.h"

enum cli_status_answer {
    CLI_STATUS_ANSWERED,
    CLI_STATUS_SILENT,  /* no whole answer within CLI_STATUS_WAIT_MS */
    CLI_STATUS_GARBLED, /* an answer that is none */
    CLI_STATUS_GONE,    /* its socket has been removed */
};

#define CLI_STATUS_WAIT_MS 1000

struct cli_status_process {
    long pid;
    enum cli_status_answer answer;
    struct cli_status_doc *doc; /* ANSWERED */
};

struct cli_status_processes {
    struct cli_status_process *list; /* by pid; none is GONE */
    unsigned cnt;
};

/* False: no memory. Free it in any case. */
bool cli_status_ask(struct cli_status_processes *ret);
void cli_status_processes_free(struct cli_status_processes *processes);

#endif
