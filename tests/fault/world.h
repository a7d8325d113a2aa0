/* The world outside of one run: a clock that nobody but the world moves, and the embedded target at
 * the other end of every connection. The library has its default platform; wrap.c brings its calls
 * here. */
#ifndef ISKRA_TESTS_FAULT_WORLD_H
#define ISKRA_TESTS_FAULT_WORLD_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#define WORLD_TARGET   "iqn.2026-11.org.example:ring"
#define WORLD_HOST     "target.example"
#define WORLD_USER     "ring"
#define WORLD_PASSWORD "ring of all calls"
#define WORLD_SIZE     (256u << 10) /* bytes of the one LUN */

/* A directory of the program's own, removed by world_remove_files(). */
void world_make_files(void);
void world_remove_files(void);
const char *world_file(const char *name); /* its path; valid until the next call */

void world_begin(void);
void world_end(void); /* every connection is gone afterwards, and the target */

uint64_t world_now_ns(void);

/* The target lets go of all connections. */
void world_cut(void);
unsigned world_login_cnt(void);

/* What is there instead of connect(): the descriptor becomes one end of a pair. As connect() in
 * non-blocking mode. */
int world_connect(int fd);
/* Instead of ppoll(): if nothing is ready time goes on to what happens next. -1 as poll(). */
int world_wait(struct pollfd *fds, unsigned cnt, int64_t timeout_ns);
/* A call that was refused took some time, too, or who repeats it would stop the clock. */
void world_refused(void);

/* Something that must not happen has happened to the world; NULL: it has not. */
const char *world_complaint(void);

/* wrap.c: what the library holds. */
void wrap_begin(void);
int wrap_memory_cnt(void);
int wrap_descriptor_cnt(void);

#endif
