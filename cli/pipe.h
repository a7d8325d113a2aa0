/* Descriptors that make their users wait: pipes, sockets, terminals. They may be shared with other
 * programs, which is why they are not made non-blocking. */
#ifndef ISKRA_CLI_PIPE_H
#define ISKRA_CLI_PIPE_H

#include <stdbool.h>
#include <stddef.h>

bool cli_pipe_may_wait(int fd);

/* How much of len can be written without waiting once poll() says that there is room. */
size_t cli_pipe_room(int fd, bool may_wait, size_t len);

#endif
