/* The status socket of a process: DIR/PID.sock in the user's runtime directory, for `iskra status`.
 *
 * Each connection is answered with one JSON document (status_doc.h) and closed. A small thread
 * listens; what it tells it has from the loop, by iskra_post_call(), so that it works while a _sync
 * call runs, and touches nothing of the command. It keeps nobody waiting at the end. */
#ifndef ISKRA_CLI_STATUS_SERVER_H
#define ISKRA_CLI_STATUS_SERVER_H

#include <iskra/iskra.h>

struct cli_status_server;

/* NULL with errno set: there is no socket, which nobody needs to do his work; ENOSYS: this program
 * was built without json-c. */
struct cli_status_server *cli_status_server_new(struct iskra *ctx, const char *command);

/* Before iskra_free(): ends the thread, removes the socket. What is posted to the loop is run by
 * iskra_free(). NULL is accepted, as below. */
void cli_status_server_stop(struct cli_status_server *server);

/* After iskra_free(). */
void cli_status_server_free(struct cli_status_server *server);

#endif
