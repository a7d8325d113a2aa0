/* What sessions cost in memory, counted where they ask for it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/platform.h>

#include "rig.h"

#define SESSION_CNT     100u
#define SESSION_LEN_MAX (60u * 1024u) /* with its LUN, when nothing is out */

static void *counted_alloc(void *arg, size_t size)
{
    size_t *held = arg;
    size_t *p = calloc(1, sizeof(max_align_t) + size);
    if (p == NULL)
        return NULL;
    *p = size;
    *held += size;
    return (uint8_t *)p + sizeof(max_align_t);
}

static void counted_free(void *arg, void *p)
{
    size_t *held = arg;
    if (p == NULL)
        return;
    size_t *block = (size_t *)(void *)((uint8_t *)p - sizeof(max_align_t));
    *held -= *block;
    free(block);
}

static void one_open(struct iskra *ctx, const struct rig *rig, unsigned i)
{
    char options[96];
    struct iskra_lun *lun;
    struct iskra_error err = {0};
    /* A name of its own makes a session of its own. */
    snprintf(options, sizeof(options), "initiator_name=iqn.2026-11.io.iskra.test:idle-%u", i);
    assert_int_equal(iskra_open_sync(ctx, rig_url(rig_port(rig), 0, options), &lun, &err), 0);
}

static void an_idle_session_takes_little_memory_however_many_there_are(void **state)
{
    (void)state;
    struct rig *rig = rig_start(NULL);
    size_t held = 0;
    struct iskra_platform pf = *iskra_platform_posix();
    pf.arg = &held;
    pf.alloc = counted_alloc;
    pf.free = counted_free;
    const struct iskra_options opts = {.size = sizeof(opts), .platform = &pf};
    struct iskra *ctx;
    assert_int_equal(iskra_new(&opts, &ctx, NULL), 0);
    one_open(ctx, rig, 0); /* with what all share */
    size_t before = held;
    for (unsigned i = 1; i <= SESSION_CNT; i++)
        one_open(ctx, rig, i);
    assert_in_range((held - before) / SESSION_CNT, 1, SESSION_LEN_MAX);
    iskra_free(ctx);
    assert_int_equal(held, 0);
    rig_stop(rig);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_idle_session_takes_little_memory_however_many_there_are),
    };
    return cmocka_run_group_tests_name("memory", tests, NULL, NULL);
}
