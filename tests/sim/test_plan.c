/* Worlds from seeds: the same ones again, all kinds of them, and none that cannot be. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

#include "sim/sim.h"

#define SEED_CNT 1000u

static void the_same_seed_is_the_same_world(void **state)
{
    static struct sim_plan first, second;
    sim_plan_draw(&first, 42);
    memset(&second, 0x5a, sizeof(second));
    sim_plan_draw(&second, 42);
    assert_memory_equal(&first, &second, sizeof(first));
    sim_plan_draw(&second, 43);
    assert_memory_not_equal(&first, &second, sizeof(first));
}

static void each_stream_of_numbers_is_its_own(void **state)
{
    struct sim_random a, b, again;
    sim_random_init(&a, 42, 1);
    sim_random_init(&b, 42, 2);
    sim_random_init(&again, 42, 1);
    for (int i = 0; i < 100; i++) {
        uint64_t x = sim_random_next(&a);
        assert_int_equal(x, sim_random_next(&again));
        assert_int_not_equal(x, sim_random_next(&b));
    }
}

static void chances_are_what_they_say(void **state)
{
    struct sim_random random;
    unsigned never = 0, always = 0, third = 0;
    sim_random_init(&random, 1, 1);
    for (int i = 0; i < 10000; i++) {
        never += sim_random_chance(&random, 0);
        always += sim_random_chance(&random, 10000);
        third += sim_random_chance(&random, 3333);
        assert_in_range(sim_random_range(&random, 5, 9), 5, 9);
    }
    assert_int_equal(never, 0);
    assert_int_equal(always, 10000);
    assert_in_range(third, 3100, 3560);
}

static void every_kind_of_fault_is_in_some_worlds_and_not_in_most(void **state)
{
    static struct sim_plan plan;
    unsigned cnt[SIM_FAULT_CNT] = {0}, quiet_cnt = 0;
    for (uint64_t seed = 0; seed < SEED_CNT; seed++) {
        sim_plan_draw(&plan, seed);
        quiet_cnt += (plan.kinds & SIM_FAULTS_THAT_FAIL) == 0;
        for (unsigned i = 0; i < SIM_FAULT_CNT; i++)
            cnt[i] += sim_plan_has(&plan, (enum sim_fault)i);
    }
    for (unsigned i = 0; i < SIM_FAULT_CNT; i++) {
        if (cnt[i] < SEED_CNT / 20 || cnt[i] > SEED_CNT * 3 / 4)
            fail_msg("%s: in %u of %u worlds", sim_fault_names[i], cnt[i], SEED_CNT);
    }
    assert_in_range(quiet_cnt, 10, SEED_CNT / 4);
}

static void every_world_has_room_for_what_is_done_in_it(void **state)
{
    static struct sim_plan plan;
    for (uint64_t seed = 0; seed < SEED_CNT; seed++) {
        sim_plan_draw(&plan, seed);
        assert_in_range(plan.group_cnt, 1, SIM_GROUP_CNT);
        assert_in_range(plan.lun_cnt, 1, SIM_LUN_CNT);
        assert_in_range(plan.handle_cnt, 1, SIM_HANDLE_CNT);
        assert_in_range(plan.depth, 1, SIM_SLOT_CNT);
        assert_in_range(plan.max_blocks, 1, plan.block_cnt);
        assert_in_range(plan.spec_cnt, 0, SIM_SPEC_CNT);
        assert_in_range(plan.io_cnt, 200, SIM_WRITE_CNT - 1);
        assert_true(plan.first_burst <= plan.max_burst);
        assert_true(plan.bound_ns > 0 && plan.strike_ns > 0);
        for (unsigned i = 0; i < plan.handle_cnt; i++) {
            assert_true(plan.handle_lun[i] < plan.lun_cnt);
            assert_in_range(strlen(plan.urls[i]), 1, SIM_URL_LEN - 2);
        }
        for (unsigned i = 0; i < plan.spec_cnt; i++)
            assert_in_range(strlen(plan.specs[i]), 1, SIM_SPEC_LEN - 2);
    }
}

static void a_disk_is_known_by_its_serial_number(void **state)
{
    char serial[17];
    for (uint32_t i = 0; i < SIM_DISK_CNT; i++) {
        struct sim_disk disk = {.number = i};
        snprintf(serial, sizeof(serial), "%016llx", (unsigned long long)sim_disk_identity(&disk));
        assert_int_equal(sim_disk_by_serial(serial), i);
    }
    assert_int_equal(sim_disk_by_serial(""), SIM_DISK_CNT);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_seed_is_the_same_world),
        cmocka_unit_test(each_stream_of_numbers_is_its_own),
        cmocka_unit_test(chances_are_what_they_say),
        cmocka_unit_test(every_kind_of_fault_is_in_some_worlds_and_not_in_most),
        cmocka_unit_test(every_world_has_room_for_what_is_done_in_it),
        cmocka_unit_test(a_disk_is_known_by_its_serial_number),
    };
    return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
