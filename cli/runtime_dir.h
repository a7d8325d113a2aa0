/* Where this user's iskra processes leave what others of them shall find: locks, status sockets.
 *
 * $XDG_RUNTIME_DIR/iskra, else /run/user/UID/iskra, else /tmp/iskra-UID: the first that is ours
 * alone, or can be made so. One that belongs to somebody else, that others may use, or that is a
 * symbolic link is passed over: it could hold anybody's files. */
#ifndef ISKRA_CLI_RUNTIME_DIR_H
#define ISKRA_CLI_RUNTIME_DIR_H

#include <stdbool.h>

#define CLI_RUNTIME_DIR_LEN 4096

/* The directory, made if need be. False: there is none; dir and errno tell of the last one tried.
 */
bool cli_runtime_dir(char dir[CLI_RUNTIME_DIR_LEN]);

/* For those who look for what others have left: the n-th of the three, counted from 0, if it is
 * there and safe. Makes nothing. */
#define CLI_RUNTIME_DIR_CNT 3u
bool cli_runtime_dir_at(unsigned n, char dir[CLI_RUNTIME_DIR_LEN]);

#endif
