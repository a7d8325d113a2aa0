/* The histogram of bench: exact where it can be, within 1 % elsewhere, at any size. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/histogram.h"

static struct cli_histogram one, two;

static int setup(void **state)
{
    memset(&one, 0, sizeof(one));
    memset(&two, 0, sizeof(two));
    return 0;
}

static void nothing_counted_is_zero(void **state)
{
    assert_int_equal(cli_histogram_quantile(&one, 0.5), 0);
    assert_int_equal(cli_histogram_quantile(&one, 1), 0);
    assert_true(cli_histogram_mean(&one) == 0);
}

static void a_single_value_is_every_quantile_exactly(void **state)
{
    static const uint64_t values[] = {0, 1, 255, 256, 257, 123456789, UINT64_MAX};
    for (unsigned i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
        (void)setup(state);
        cli_histogram_add(&one, values[i]);
        assert_true(cli_histogram_quantile(&one, 0) == values[i]);
        assert_true(cli_histogram_quantile(&one, 0.999) == values[i]);
        assert_true(one.min == values[i] && one.max == values[i]);
    }
}

static void small_values_are_exact(void **state)
{
    for (uint64_t v = 1; v <= 200; v++)
        cli_histogram_add(&one, v);
    assert_int_equal(cli_histogram_quantile(&one, 0.5), 100);
    assert_int_equal(cli_histogram_quantile(&one, 0.99), 198);
    assert_int_equal(cli_histogram_quantile(&one, 1), 200);
    assert_true(cli_histogram_mean(&one) == 100.5);
}

/* Next to each power of two, where buckets change their width, and between. */
static void large_values_are_within_one_per_cent(void **state)
{
    for (unsigned bits = 8; bits < 64; bits++) {
        uint64_t power = UINT64_C(1) << bits;
        const uint64_t values[] = {power - 1, power, power + 1, power + power / 3,
                                   power + (power - 1)};
        for (unsigned i = 0; i < 5; i++) {
            (void)setup(state);
            cli_histogram_add(&one, 0);
            cli_histogram_add(&one, values[i]);
            cli_histogram_add(&one, UINT64_MAX);
            double off = (double)cli_histogram_quantile(&one, 0.5) / (double)values[i];
            if (off < 0.99 || off > 1.01)
                fail_msg("%ju: %f of it", (uintmax_t)values[i], off);
        }
    }
}

static void quantiles_are_those_of_the_sorted_list(void **state)
{
    for (uint64_t v = 1; v <= 100000; v++)
        cli_histogram_add(&one, (v * 7919) % 100003 * 1000);
    static const double shares[] = {0.01, 0.5, 0.9, 0.99, 0.999};
    for (unsigned i = 0; i < 5; i++) {
        double want = shares[i] * 100003 * 1000;
        double off = (double)cli_histogram_quantile(&one, shares[i]) / want;
        if (off < 0.99 || off > 1.01)
            fail_msg("share %f: %f of what it should be", shares[i], off);
    }
}

static void merged_is_as_if_counted_together(void **state)
{
    static struct cli_histogram both;
    memset(&both, 0, sizeof(both));
    for (uint64_t v = 0; v < 5000; v++) {
        cli_histogram_add(v % 3 ? &one : &two, v * v);
        cli_histogram_add(&both, v * v);
    }
    cli_histogram_merge(&one, &two);
    assert_memory_equal(&one, &both, sizeof(one));
    memset(&two, 0, sizeof(two));
    cli_histogram_merge(&one, &two); /* of nothing */
    assert_memory_equal(&one, &both, sizeof(one));
}

#define T(name) cmocka_unit_test_setup(name, setup)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(nothing_counted_is_zero),
        T(a_single_value_is_every_quantile_exactly),
        T(small_values_are_exact),
        T(large_values_are_within_one_per_cent),
        T(quantiles_are_those_of_the_sorted_list),
        T(merged_is_as_if_counted_together),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
