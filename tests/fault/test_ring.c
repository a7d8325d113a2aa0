/* The fault ring: every call that the library makes of its surroundings is refused in its turn,
 * once and for good, and the rest of the life of a LUN (scenario.c) has to go well or end well.
 *
 * An argument is a pattern of test names; RING_STORY=1 in the environment shows every run. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <iskra/iskra.h>

#include "fault/scenario.h"
#include "fault/world.h"

#define NTH_MAX 20000u

static bool story_wanted(void)
{
    return getenv("RING_STORY") != NULL;
}

static void show(const struct call_plan *plan, const struct scenario_result *r)
{
    fprintf(stderr, "%s n=%u %s: %.1f s, refused %u, failed %u (requests %u): %s\n",
            plan->kind == CALL_ANY ? "any" : call_traits[plan->kind].name, plan->nth,
            plan->lasting ? "for good" : "once", (double)r->took_ns / 1e9, r->refused_cnt,
            r->failed_cnt, r->io_failed_cnt, r->first_text);
}

/* For every n, until a run meets no refusal any more. */
static void refuse_each(void **state)
{
    struct call_plan plan = *(const struct call_plan *)*state;
    unsigned bad_cnt = 0;
    double begun_s = (double)clock() / CLOCKS_PER_SEC;
    for (plan.nth = 1;; plan.nth++) {
        struct scenario_result r;
        assert_true(plan.nth < NTH_MAX);
        scenario_run(&plan, &r);
        if (story_wanted())
            show(&plan, &r);
        if (r.complaint[0] != '\0') {
            show(&plan, &r);
            fprintf(stderr, "  %s\n", r.complaint);
            if (++bad_cnt <= 3)
                scenario_print_story();
        }
        if (r.refused_cnt == 0)
            break;
    }
    printf("# report: fault ring: %-14s %-8s n = 1..%u\n",
           plan.kind == CALL_ANY ? "any" : call_traits[plan.kind].name,
           plan.lasting ? "for good" : "once", plan.nth - 1);
    if (story_wanted())
        fprintf(stderr, "%.2f s of processor time\n", (double)clock() / CLOCKS_PER_SEC - begun_s);
    assert_int_equal(bad_cnt, 0);
    assert_true(plan.nth > 1); /* the scenario makes such calls */
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

int main(int argc, char **argv)
{
    static struct call_plan plans[2 * CALL_KIND_CNT + 1];
    static char names[2 * CALL_KIND_CNT + 1][64];
    struct CMUnitTest tests[2 * CALL_KIND_CNT + 3] = {
        cmocka_unit_test(nothing_is_refused),
        cmocka_unit_test(a_thread_for_the_loop_that_cannot_be_made_is_told)};
    size_t cnt = 0;
    for (unsigned kind = 0; kind <= CALL_ANY; kind++) {
        for (int lasting = kind == CALL_ANY; lasting < 2; lasting++, cnt++) {
            const char *name = kind == CALL_ANY ? "any call" : call_traits[kind].name;
            plans[cnt] = (struct call_plan){.kind = kind, .lasting = lasting};
            snprintf(names[cnt], sizeof(names[0]), "each_%s_is_refused_%s", name,
                     lasting ? "from_then_on" : "once");
            for (char *p = names[cnt]; *p; p++)
                *p = *p == ' ' || *p == '-' ? '_' : *p;
            tests[cnt + 2] = (struct CMUnitTest){names[cnt], refuse_each, NULL, NULL, &plans[cnt]};
        }
    }
    if (argc > 1)
        cmocka_set_test_filter(argv[1]);
    world_make_files();
    int failed_cnt = _cmocka_run_group_tests("ring", tests, cnt + 2, NULL, NULL);
    world_remove_files();
    return failed_cnt;
}
