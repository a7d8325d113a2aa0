/* A platform table with memory only: counts what is out, and lets the n-th allocation fail. */
#ifndef COUNTED_PLATFORM_H
#define COUNTED_PLATFORM_H

#include <stddef.h>
#include <stdlib.h>

#include <iskra/platform.h>

struct counted_memory {
    unsigned live_cnt, call_cnt;
    unsigned fail_at; /* that call fails, and so do all later ones; 0: none */
};

static inline void *counted_alloc(void *arg, size_t size)
{
    struct counted_memory *m = arg;

    if (++m->call_cnt >= m->fail_at && m->fail_at != 0)
        return NULL;
    m->live_cnt++;
    return calloc(1, size);
}

static inline void counted_free(void *arg, void *p)
{
    struct counted_memory *m = arg;

    if (p != NULL)
        m->live_cnt--;
    free(p);
}

static inline struct iskra_platform counted_platform(struct counted_memory *m)
{
    return (struct iskra_platform){.size = sizeof(struct iskra_platform),
                                   .arg = m,
                                   .alloc = counted_alloc,
                                   .free = counted_free};
}

#endif
