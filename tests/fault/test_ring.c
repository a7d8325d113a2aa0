/* The fault ring: every call that the library makes of its surroundings is refused in its turn,
 * once and for good, and the rest of the life of a LUN (scenario.c) has to go well or end well.
 *
 * The argument is `once`, `lasting`, or a pattern of test names; RING_STORY=1 in the environment
 * shows every run. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/iskra.h>

#include "fault/scenario.h"
#include "fault/world.h"

#define NTH_MAX 20000u

static bool story_wanted(void)
{
    return getenv("RING_STORY") != NULL;
}

static const char *name_of(const struct call_plan *plan)
{
    return plan->kind == CALL_ANY ? "any" : call_traits[plan->kind].name;
}

static void show(const struct call_plan *plan, const struct scenario_result *r)
{
    fprintf(stderr, "%s n=%u %s, error %u: %.1f s, refused %u, failed %u (requests %u): %s\n",
            name_of(plan), plan->nth, plan->lasting ? "for good" : "once", plan->variant,
            (double)r->took_ns / 1e9, r->refused_cnt, r->failed_cnt, r->io_failed_cnt,
            r->first_text);
}

/* One run; false: something must not have happened. Tells in *ret_met whether there is an n-th. */
static bool refuse(const struct call_plan *plan, bool with_story, bool *ret_met)
{
    struct scenario_result r;
    scenario_run(plan, &r);
    bool good = r.complaint[0] == '\0';
    if (!good || story_wanted())
        show(plan, &r);
    if (!good)
        fprintf(stderr, "  %s\n", r.complaint);
    if (!good && with_story)
        scenario_print_story();
    *ret_met = r.refused_cnt > 0;
    return good;
}

/* For every n, until a run meets no refusal any more, with every error that such a call has. */
static void refuse_each(void **state)
{
    struct call_plan plan = *(const struct call_plan *)*state;
    unsigned variant_cnt = call_variant_cnt(plan.kind, plan.lasting), bad_cnt = 0;
    bool met = true;
    for (plan.nth = 1; met; plan.nth++) {
        assert_true(plan.nth < NTH_MAX);
        for (plan.variant = 0; met && plan.variant < variant_cnt; plan.variant++)
            bad_cnt += !refuse(&plan, bad_cnt < 3, &met);
    }
    printf("# report: fault ring: %-14s %-8s n = 1..%u, errors %u\n", name_of(&plan),
           plan.lasting ? "for good" : "once", plan.nth - 2, variant_cnt);
    assert_int_equal(bad_cnt, 0);
    assert_true(plan.nth > 2); /* the scenario makes such calls */
}

static void nothing_is_refused(void **state)
{
    const struct call_plan plan = {0};
    struct scenario_result r;
    scenario_run(&plan, &r);
    if (r.complaint[0] != '\0') {
        scenario_print_story();
        fail_msg("%s", r.complaint);
    }
    assert_int_equal(r.failed_cnt, 0);
    printf("# report: fault ring: %u calls in a life without faults\n", calls_all_cnt());
}

static void a_thread_for_the_loop_that_cannot_be_made_is_told(void **state)
{
    const struct call_plan plan = {.kind = CALL_THREAD, .nth = 1};
    const struct iskra_options options = {.size = sizeof(options), .own_thread = 1};
    struct iskra *ctx = NULL;
    struct iskra_error err = {0};
    world_begin();
    wrap_begin();
    calls_begin(&plan);
    assert_int_equal(iskra_new(&options, &ctx, &err), -EAGAIN);
    assert_null(ctx);
    assert_int_equal(wrap_memory_cnt(), 0);
    assert_int_equal(wrap_descriptor_cnt(), 0);
    calls_end();
    world_end();
    assert_non_null(strstr(err.text, strerror(EAGAIN)));
}

/* What ISKRA_DRIVER asks for, and this machine has. */
static bool driven_by_a_ring(void)
{
    struct iskra *ctx = NULL;
    if (iskra_new(NULL, &ctx, NULL) != 0)
        return false;
    bool ring = strcmp(iskra_driver_name(ctx), "io_uring") == 0;
    iskra_free(ctx);
    return ring;
}

/* Adds a test of a kind. */
static size_t add(struct CMUnitTest *tests, size_t cnt, unsigned kind, bool lasting)
{
    static struct call_plan plans[2 * CALL_KIND_CNT + 1];
    static char names[2 * CALL_KIND_CNT + 1][64];
    static size_t used;
    struct call_plan *plan = &plans[used];
    char *name = names[used++];
    *plan = (struct call_plan){.kind = kind, .lasting = lasting};
    snprintf(name, sizeof(names[0]), "each_%s_is_refused_%s",
             kind == CALL_ANY ? "any_call" : call_traits[kind].name,
             lasting ? "from_then_on" : "once");
    for (char *p = name; *p; p++)
        *p = *p == ' ' || *p == '-' ? '_' : *p;
    tests[cnt] = (struct CMUnitTest){name, refuse_each, NULL, NULL, plan};
    return cnt + 1;
}

int main(int argc, char **argv)
{
    const char *what = argc > 1 ? argv[1] : "";
    bool once = strcmp(what, "lasting") != 0, lasting = strcmp(what, "once") != 0;
    struct CMUnitTest tests[2 * CALL_KIND_CNT + 3] = {
        cmocka_unit_test(nothing_is_refused),
        cmocka_unit_test(a_thread_for_the_loop_that_cannot_be_made_is_told)};
    size_t cnt = once ? 2 : 0;
    bool ring = driven_by_a_ring();
    for (unsigned kind = 0; kind <= CALL_ANY; kind++) {
        if (!ring && (kind == CALL_RING_MAKE || kind == CALL_RING_SUBMIT))
            continue;
        if (once && kind != CALL_ANY)
            cnt = add(tests, cnt, kind, false);
        if (lasting)
            cnt = add(tests, cnt, kind, true);
    }
    if (once && lasting && argc > 1)
        cmocka_set_test_filter(what);
    world_make_files();
    int failed_cnt = _cmocka_run_group_tests("ring", tests, cnt, NULL, NULL);
    world_remove_files();
    return failed_cnt;
}
