/* What limits a load: the decision, from made-up counts. The whole way is in test_bench.py. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/bench_limit.h"

#define S UINT64_C(1000000000)

/* A second of 1000 writes, 8 in flight, nothing remarkable. */
static struct cli_bench_facts calm(void)
{
    return (struct cli_bench_facts){
        .use = {.wall_ns = S, .cpu_ns = S / 10, .taken_cnt = 8},
        .io_cnt = 1000,
        .latency_ns = 8 * S,
        .write_latency_ns = 8 * S,
        .qd = 8,
        .max_burst_len = 262144,
        .max_r2t = 1,
    };
}

static void is(const struct cli_bench_facts *f, enum cli_bench_cause cause, const char *word)
{
    struct cli_bench_limit limit;
    cli_bench_limit_find(f, &limit);
    if (limit.cause != cause || strstr(limit.text, word) == NULL || limit.share < 0 ||
        limit.share > 1)
        fail_msg("%s, share %g: %s; wanted %s, \"%s\"", cli_bench_cause_name(limit.cause),
                 limit.share, limit.text, cli_bench_cause_name(cause), word);
}

static void with_nothing_else_it_is_the_target(void **state)
{
    (void)state;
    struct cli_bench_facts f = calm();
    is(&f, CLI_BENCH_LIMIT_TARGET, "90 % of the time was waiting, 8000.0 us for each answer");
}

static void a_core_is_full_from_nine_tenths_on(void **state)
{
    (void)state;
    struct cli_bench_facts f = calm();
    f.use.cpu_ns = S * 9 / 10;
    is(&f, CLI_BENCH_LIMIT_CORE, "90 % of it went into 900.00 us per I/O");
    f.use.cpu_ns--;
    is(&f, CLI_BENCH_LIMIT_TARGET, "10 %");
    f.use.cpu_ns = 3 * S; /* helpers of the C library have threads, too */
    is(&f, CLI_BENCH_LIMIT_CORE, "100 %");
}

static void time_without_a_processor_is_not_idle_time(void **state)
{
    (void)state;
    struct cli_bench_facts f = calm();
    f.use.cpu_ns = S * 46 / 100;
    f.use.starved_ns = S / 2;
    is(&f, CLI_BENCH_LIMIT_CORE, "92 %");
    f.use.starved_ns = 2 * S; /* nonsense: no such time is left */
    is(&f, CLI_BENCH_LIMIT_TARGET, "");
}

static void a_core_that_polls_is_not_full_of_work(void **state)
{
    (void)state;
    struct cli_bench_facts f = calm();
    f.use.cpu_ns = S;
    f.busy_polls = true;
    is(&f, CLI_BENCH_LIMIT_TARGET, "8 in flight, or looking for it (busy_poll_us)");
}

static void the_window_is_from_half_of_the_time_on(void **state)
{
    (void)state;
    struct cli_bench_facts f = calm();
    f.use.taken_cnt = 2;
    f.use.window_wait_ns = S / 2;
    is(&f, CLI_BENCH_LIMIT_WINDOW, "closed 50 % of the time: it has taken 2 commands, 8 are");
    f.use.window_wait_ns--;
    is(&f, CLI_BENCH_LIMIT_TARGET, "");
}

static void a_window_for_nearly_all_is_large_enough(void **state)
{
    (void)state;
    struct cli_bench_facts f = calm();
    f.use.window_wait_ns = S;
    f.use.taken_cnt = 7;
    is(&f, CLI_BENCH_LIMIT_TARGET, "");
    f.use.taken_cnt = 6;
    is(&f, CLI_BENCH_LIMIT_WINDOW, "6 commands");
}

static void r2ts_are_from_half_of_what_writes_take_on(void **state)
{
    (void)state;
    struct cli_bench_facts f = calm();
    f.use.r2t_wait_ns = 4 * S;
    is(&f, CLI_BENCH_LIMIT_R2T, "50 % of their time: at most 1 of 262144 bytes");
    f.use.r2t_wait_ns--;
    is(&f, CLI_BENCH_LIMIT_TARGET, "");
    f.write_latency_ns = 0; /* reads only; a write of somebody else's */
    is(&f, CLI_BENCH_LIMIT_TARGET, "");
}

static void the_worse_of_two_waits_is_told(void **state)
{
    (void)state;
    struct cli_bench_facts f = calm();
    f.use.taken_cnt = 1;
    f.use.window_wait_ns = S * 6 / 10;
    f.use.r2t_wait_ns = 8 * S * 7 / 10;
    is(&f, CLI_BENCH_LIMIT_R2T, "70 %");
    f.use.window_wait_ns = S * 8 / 10;
    is(&f, CLI_BENCH_LIMIT_WINDOW, "80 %");
    f.use.cpu_ns = S; /* and with either gone there would be no time for more */
    is(&f, CLI_BENCH_LIMIT_CORE, "100 %");
}

static void nothing_done_is_nothing_measured(void **state)
{
    (void)state;
    struct cli_bench_facts f = calm();
    f.io_cnt = 0;
    is(&f, CLI_BENCH_LIMIT_NONE, "nothing was measured");
    f = (struct cli_bench_facts){.io_cnt = 1};
    is(&f, CLI_BENCH_LIMIT_NONE, "nothing");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(with_nothing_else_it_is_the_target),
        cmocka_unit_test(a_core_is_full_from_nine_tenths_on),
        cmocka_unit_test(time_without_a_processor_is_not_idle_time),
        cmocka_unit_test(a_core_that_polls_is_not_full_of_work),
        cmocka_unit_test(the_window_is_from_half_of_the_time_on),
        cmocka_unit_test(a_window_for_nearly_all_is_large_enough),
        cmocka_unit_test(r2ts_are_from_half_of_what_writes_take_on),
        cmocka_unit_test(the_worse_of_two_waits_is_told),
        cmocka_unit_test(nothing_done_is_nothing_measured),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
