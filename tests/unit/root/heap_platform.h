/* A platform table that has nothing but memory, and can be told to have none. Counts what is out.
 */
#ifndef ISKRA_TEST_HEAP_PLATFORM_H
#define ISKRA_TEST_HEAP_PLATFORM_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/platform.h>

struct heap {
    unsigned out_cnt;  /* allocations not freed yet */
    unsigned call_cnt; /* allocations asked for */
    int empty;         /* alloc gives NULL */
    uint64_t now_ns;   /* moves by one with each look */
};

static inline void *heap_alloc(void *arg, size_t size)
{
    struct heap *heap = arg;
    heap->call_cnt++;
    if (heap->empty)
        return NULL;
    heap->out_cnt++;
    return calloc(1, size);
}

static inline void heap_free(void *arg, void *p)
{
    struct heap *heap = arg;
    heap->out_cnt--;
    free(p);
}

static inline uint64_t heap_now_ns(void *arg)
{
    struct heap *heap = arg;
    return ++heap->now_ns;
}

static inline struct iskra_platform heap_platform(struct heap *heap)
{
    return (struct iskra_platform){
        .size = sizeof(struct iskra_platform),
        .arg = heap,
        .now_ns = heap_now_ns,
        .alloc = heap_alloc,
        .free = heap_free,
    };
}

#endif
