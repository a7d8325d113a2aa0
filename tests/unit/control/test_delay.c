/* How long to wait before the next try. */
#include "control_test.h"

#include "control/delay.h"

#define MS UINT64_C(1000000)

static void delays_begin_at_once_and_end_at_three_seconds(void **state)
{
    static const unsigned want_ms[] = {0, 0, 100, 200, 400, 800, 1600, 3000, 3000, 3000};
    for (unsigned n = 1; n < 10; n++)
        assert_int_equal(iskra_retry_delay_ns(n, 0), want_ms[n] * MS);
    assert_int_equal(iskra_retry_delay_ns(UINT32_MAX, 0), 3000 * MS);
}

static void jitter_adds_an_eighth_at_most(void **state)
{
    assert_int_equal(iskra_retry_delay_ns(1, 255), 0);
    for (unsigned n = 2; n < 12; n++) {
        uint64_t least_ns = iskra_retry_delay_ns(n, 0), before_ns = least_ns;
        for (int random = 1; random < 256; random++) {
            uint64_t delay_ns = iskra_retry_delay_ns(n, (uint8_t)random);
            assert_true(delay_ns >= before_ns && delay_ns <= least_ns + least_ns / 8);
            before_ns = delay_ns;
        }
        assert_int_equal(before_ns, least_ns + least_ns / 8);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(delays_begin_at_once_and_end_at_three_seconds),
        cmocka_unit_test(jitter_adds_an_eighth_at_most),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
