/* The threads, their slots, and what done() checks of each request. */
#include "stack/poster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdlib.h>

#include <cmocka.h>

#define ROUND_CNT 1000 /* requests of one thread, each way */

static atomic_int finished_cnt;

static void count_finished(struct iskra_call *call)
{
    atomic_fetch_add(&finished_cnt, 1);
}

static uint8_t byte_at(uint64_t offset)
{
    return (uint8_t)(offset / POSTER_LEN * 7 + offset % POSTER_LEN * 13 + 1);
}

static void slot_done(struct iskra_io *io)
{
    struct slot *s = io->user;
    struct poster *p = s->poster;
    atomic_fetch_add(&p->done_cnt, 1);
    if (io->error.code == ISKRA_E_CANCELED)
        atomic_fetch_add(&p->canceled_cnt, 1);
    else if (io->status != 0)
        atomic_fetch_add(&p->failed_cnt, 1);
    for (size_t i = 0; io->op == ISKRA_READ && io->status == 0 && i < POSTER_LEN; i++) {
        if (s->buf[i] != byte_at(io->offset + i)) {
            atomic_fetch_add(&p->wrong_cnt, 1);
            break;
        }
    }
    atomic_store(&s->busy, false);
    sem_post(&p->free_cnt);
}

struct slot *poster_slot(struct poster *p)
{
    for (int i = 0; i < POSTER_SLOT_CNT; i++) {
        if (!atomic_load(&p->slots[i].busy))
            return &p->slots[i];
    }
    return NULL;
}

int poster_post(struct poster *p, struct slot *s, enum iskra_op op, uint64_t offset)
{
    for (size_t i = 0; i < POSTER_LEN; i++)
        s->buf[i] = op == ISKRA_WRITE ? byte_at(offset + i) : 0;
    s->iov = (struct iovec){s->buf, POSTER_LEN};
    s->io.op = op;
    s->io.iov = &s->iov;
    s->io.iov_cnt = 1;
    s->io.len = POSTER_LEN;
    s->io.offset = offset;
    s->io.done = slot_done;
    s->io.user = s;
    atomic_store(&s->busy, true);
    return iskra_post(p->lun, &s->io);
}

static void post_all(struct poster *p, enum iskra_op op)
{
    for (int i = 0; i < ROUND_CNT; i++) {
        while (sem_wait(&p->free_cnt) != 0)
            ;
        if (poster_post(p, poster_slot(p), op, p->base + (uint64_t)(i % 256) * POSTER_LEN) != 0)
            atomic_fetch_add(&p->failed_cnt, 1);
    }
    for (int i = 0; i < POSTER_SLOT_CNT; i++)
        while (sem_wait(&p->free_cnt) != 0)
            ;
    for (int i = 0; i < POSTER_SLOT_CNT; i++)
        sem_post(&p->free_cnt);
}

static void *write_and_read(void *arg)
{
    struct poster *p = arg;
    post_all(p, ISKRA_WRITE);
    post_all(p, ISKRA_READ);
    p->finished.fn = count_finished;
    if (iskra_post_call(iskra_lun_ctx(p->lun), &p->finished) != 0)
        abort();
    return NULL;
}

struct poster *posters_new(int cnt, struct iskra_lun *lun, atomic_bool *stop)
{
    struct poster *all = calloc((size_t)cnt, sizeof(*all));
    for (int i = 0; i < cnt; i++) {
        all[i].lun = lun;
        all[i].base = (uint64_t)i * 256 * POSTER_LEN;
        all[i].stop = stop;
        sem_init(&all[i].free_cnt, 0, POSTER_SLOT_CNT);
        for (int j = 0; j < POSTER_SLOT_CNT; j++)
            all[i].slots[j].poster = &all[i];
    }
    return all;
}

void posters_start(struct poster *all, int cnt, void *(*run)(void *arg))
{
    for (int i = 0; i < cnt; i++)
        assert_int_equal(pthread_create(&all[i].id, NULL, run, &all[i]), 0);
}

void posters_join(struct poster *all, int cnt)
{
    for (int i = 0; i < cnt; i++)
        pthread_join(all[i].id, NULL);
}

void posters_write_and_read(int cnt, struct iskra_lun *lun, void (*turn)(void))
{
    struct poster *all = posters_new(cnt, lun, NULL);
    atomic_store(&finished_cnt, 0);
    posters_start(all, cnt, write_and_read);
    while (turn != NULL && atomic_load(&finished_cnt) < cnt)
        turn();
    posters_join(all, cnt);
    assert_int_equal(iskra_close_sync(lun), 0); /* what was posted before has run */
    assert_int_equal(atomic_load(&finished_cnt), cnt);
    for (int i = 0; i < cnt; i++) {
        assert_int_equal(all[i].done_cnt, 2 * ROUND_CNT);
        assert_int_equal(all[i].failed_cnt, 0);
        assert_int_equal(all[i].wrong_cnt, 0);
    }
    free(all);
}
