/* Threads that post requests to one LUN, each in a part of the disk of its own, whose bytes say
 * where they belong. */
#ifndef ISKRA_TESTS_POSTER_H
#define ISKRA_TESTS_POSTER_H

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <stdint.h>

#include <iskra/iskra.h>

#define POSTER_LEN      4096u /* of one request */
#define POSTER_SLOT_CNT 16    /* requests of one thread in flight */

struct slot {
    struct iskra_io io;
    struct iovec iov;
    struct poster *poster;
    atomic_bool busy;
    uint8_t buf[POSTER_LEN];
};

struct poster {
    pthread_t id;
    struct iskra_lun *lun;
    uint64_t base;     /* of its part of the disk */
    atomic_bool *stop; /* for threads that go on until then */
    struct slot slots[POSTER_SLOT_CNT];
    sem_t free_cnt;
    atomic_int done_cnt, failed_cnt, wrong_cnt, canceled_cnt;
    int posted_cnt;
    struct iskra_call finished;
};

struct poster *posters_new(int cnt, struct iskra_lun *lun, atomic_bool *stop); /* to be freed */
void posters_start(struct poster *all, int cnt, void *(*run)(void *arg));
void posters_join(struct poster *all, int cnt);

struct slot *poster_slot(struct poster *p); /* a free one, or NULL */
int poster_post(struct poster *p, struct slot *s, enum iskra_op op, uint64_t offset);

/* So many threads write 1000 times, and read it back; then the LUN is closed. turn() is what lets
 * the loop run, NULL if it runs by itself. */
void posters_write_and_read(int cnt, struct iskra_lun *lun, void (*turn)(void));

#endif
