/* One LUN in a simulated world in which nothing happens by chance: links take a microsecond, the
 * target is at once, and whatever goes wrong was asked for. Times are of the virtual clock, which
 * starts at one second. What is done wrongly fails the test. */
#ifndef SCENE_H
#define SCENE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <cmocka.h>

#include "sim/sim.h"

#define SCENE_IO_CNT     16u
#define SCENE_MEMORY_LEN (256u * 1024)
#define SCENE_LATENCY_NS SIM_US
#define SCENE_NONE       UINT64_MAX

struct scene_io {
    struct scene *scene;
    struct iskra_io io;
    struct iovec iov;
    uint8_t *memory; /* SCENE_MEMORY_LEN */
    unsigned done_cnt;
    uint64_t done_ns;
};

struct scene {
    struct sim sim;
    struct iskra_lun *lun;
    int status; /* of what was waited for last */
    bool over;
    FILE *file; /* every event, a line each: see scene_when() */
    char *text;
    size_t text_len;
    struct scene_io ios[SCENE_IO_CNT];
};

/* A target and nothing else; the plan may be changed until scene_open(). */
struct scene *scene_new(void);
/* The target gets the faults of the plan; keys: of the URL. */
void scene_open(struct scene *scene, const char *keys);
/* Closes, and checks that the world had nothing to complain about. */
void scene_free(struct scene *scene);
void scene_fault(struct scene *scene, const char *spec);

/* Lets time pass until then, and does what is due at that time. */
void scene_run_to(struct scene *scene, uint64_t then_ns);
/* One turn of the loop, in which no time passes. */
void scene_turn(struct scene *scene);

struct scene_io *scene_read(struct scene *scene, unsigned number, uint64_t lba, uint32_t block_cnt);
struct scene_io *scene_write(struct scene *scene, unsigned number, uint64_t lba,
                             uint32_t block_cnt);
void scene_assert_done(const struct scene_io *io, int status);

/* What both ends can do to one another. */
struct sim_conn *scene_conn(struct scene *scene); /* the one that is open, or NULL */
void scene_link(struct scene *scene, bool works); /* bytes and connections wait while it does not */
void scene_drop(struct scene *scene);             /* the connection is reset */

/* When the n-th event (from 0) whose line begins so has happened, ns; SCENE_NONE: it has not.
 * "> pdu 2 " is a Task Management Request on its way; or a line of the log. */
uint64_t scene_when(struct scene *scene, const char *begin, unsigned n);
unsigned scene_count(struct scene *scene, const char *begin);
/* Did the n-th of one kind happen before the m-th of another, if only in the same instant? */
bool scene_is_before(struct scene *scene, const char *begin, unsigned n, const char *other,
                     unsigned m);
/* The whole line, without its time; "" if there is none. Valid until the next call. */
const char *scene_line(struct scene *scene, const char *begin, unsigned n);
/* What the library's log says of sessions, each line with its time. */
void scene_write_log(struct scene *scene, FILE *to);

#endif
