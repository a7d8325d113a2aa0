/* Who judges in the simulator: what the oracle lets pass, and what it does not. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "sim/sim.h"

#define BLOCK_LEN 512u

static int setup(void **state)
{
    struct sim *sim = calloc(1, sizeof(*sim));
    sim->plan.seed = 1;
    sim->plan.block_len = BLOCK_LEN;
    sim->plan.block_cnt = 16;
    sim->plan.lun_cnt = 1;
    sim_record_init(&sim->record, &sim->clock, false, NULL);
    sim_oracle_init(sim);
    *state = sim;
    return 0;
}

static int teardown(void **state)
{
    sim_oracle_done(*state);
    free(*state);
    return 0;
}

static uint32_t write_begin(struct sim *sim, uint64_t lba)
{
    return sim_oracle_write_begin(sim, 0, lba, 1, false, false);
}

static uint32_t write_done(struct sim *sim, uint64_t lba)
{
    uint32_t write = write_begin(sim, lba);
    sim_oracle_write_end(sim, write, SIM_OUTCOME_DONE, false);
    return write;
}

/* Is that legal, for a reader who begins now? write 0: zeros. */
static bool may_read(struct sim *sim, uint64_t lba, uint32_t write)
{
    uint8_t block[BLOCK_LEN];
    sim_oracle_pattern(sim, write, lba, block);
    sim->record.failed = false;
    sim_oracle_read(sim, "a test", 0, lba, 1, block, sim_oracle_now(sim));
    return !sim->record.failed;
}

static void at_first_there_are_zeros(void **state)
{
    uint32_t write = write_begin(*state, 3);
    assert_true(may_read(*state, 4, 0));
    assert_false(may_read(*state, 4, write));
}

static void only_the_last_of_what_was_acknowledged_is_legal(void **state)
{
    uint32_t first = write_done(*state, 3), second = write_done(*state, 3);
    assert_true(may_read(*state, 3, second));
    assert_false(may_read(*state, 3, first));
    assert_false(may_read(*state, 3, 0));
}

static void another_disk_has_another_history(void **state)
{
    struct sim *sim = *state;
    uint32_t write = write_done(sim, 3);
    uint8_t block[BLOCK_LEN];
    sim_oracle_pattern(sim, write, 3, block);
    sim_oracle_read(sim, "a test", SIM_LUN_CNT, 3, 1, block, sim_oracle_now(sim));
    assert_true(sim->record.failed);
    assert_non_null(strstr(sim->record.failure, "a test of disk 3: block 3"));
}

static void a_write_under_way_may_be_there_or_not(void **state)
{
    uint32_t before = write_done(*state, 3), write = write_begin(*state, 3);
    assert_true(may_read(*state, 3, before));
    assert_true(may_read(*state, 3, write));
    assert_false(may_read(*state, 3, 0));
}

static void parts_of_a_write_under_way_are_legal_and_a_spoilt_byte_is_not(void **state)
{
    struct sim *sim = *state;
    uint32_t write = write_begin(sim, 3);
    uint8_t block[BLOCK_LEN];
    sim_oracle_pattern(sim, write, 3, block);
    memset(block + 100, 0, sizeof(block) - 100);
    sim_oracle_read(sim, "a test", 0, 3, 1, block, sim_oracle_now(sim));
    assert_false(sim->record.failed);
    block[300] = 0x5a;
    sim_oracle_read(sim, "a test", 0, 3, 1, block, sim_oracle_now(sim));
    assert_true(sim->record.failed);
}

static void what_nobody_knows_the_end_of_may_come_later(void **state)
{
    uint32_t lost = write_begin(*state, 3);
    sim_oracle_write_end(*state, lost, SIM_OUTCOME_OPEN, false);
    uint32_t after = write_done(*state, 3);
    assert_true(may_read(*state, 3, after));
    assert_true(may_read(*state, 3, lost));
}

static void what_was_certainly_not_executed_is_not_there(void **state)
{
    uint32_t write = write_begin(*state, 3);
    sim_oracle_write_end(*state, write, SIM_OUTCOME_NOTHING, false);
    assert_false(may_read(*state, 3, write));
    assert_true(may_read(*state, 3, 0));
}

static void an_unmap_may_leave_a_block_as_it_is(void **state)
{
    uint32_t before = write_done(*state, 3);
    uint32_t unmap = sim_oracle_write_begin(*state, 0, 3, 1, true, true);
    sim_oracle_write_end(*state, unmap, SIM_OUTCOME_DONE, false);
    assert_true(may_read(*state, 3, before));
    assert_true(may_read(*state, 3, 0));
}

static void power_takes_what_was_not_flushed_and_nothing_else(void **state)
{
    uint32_t before = write_done(*state, 3), flushed = write_done(*state, 4);
    sim_oracle_flushed(*state, 0, sim_oracle_now(*state));
    uint32_t after = write_done(*state, 3);
    sim_oracle_power_lost(*state);
    assert_true(may_read(*state, 3, before));
    assert_true(may_read(*state, 3, after));
    assert_true(may_read(*state, 4, flushed));
    assert_false(may_read(*state, 4, 0));
}

static void fua_is_a_flush_of_its_own(void **state)
{
    uint32_t write = write_begin(*state, 3);
    sim_oracle_write_end(*state, write, SIM_OUTCOME_DONE, true);
    sim_oracle_power_lost(*state);
    assert_true(may_read(*state, 3, write));
    assert_false(may_read(*state, 3, 0));
}

/* ---- once ---- */

static const uint8_t cdb[SIM_CDB_LEN] = {0xa8, 1};

static int sent(struct sim *sim, unsigned *ret_generation)
{
    return sim_oracle_once_sent(sim, 0, cdb, ret_generation);
}

static void what_was_taken_back_unseen_may_still_come(void **state)
{
    struct sim *sim = *state;
    unsigned generation;
    sim_oracle_once_begin(sim, 5, 0, cdb, sizeof(cdb), false);
    assert_true(sim_oracle_once_may_come(sim, 0, cdb));
    sim_oracle_once_end(sim, 5, false);
    assert_true(sim_oracle_once_may_come(sim, 0, cdb));
    assert_false(sim_oracle_once_may_come(sim, 1, cdb));
    for (unsigned i = 0; i < SIM_UNSEEN_CNT; i++) {
        sim_oracle_once_begin(sim, 5, 1, cdb, sizeof(cdb), false);
        sim_oracle_once_end(sim, 5, false);
    }
    assert_false(sim_oracle_once_may_come(sim, 0, cdb)); /* that was long ago */
    sim_oracle_once_begin(sim, 5, 0, cdb, sizeof(cdb), false);
    (void)sent(sim, &generation);
    sim_oracle_once_end(sim, 5, true);
    assert_false(sim_oracle_once_may_come(sim, 0, cdb));
}

static void what_may_be_done_once_is_sent_once(void **state)
{
    struct sim *sim = *state;
    unsigned generation;
    assert_int_equal(sent(sim, &generation), -1);
    sim_oracle_once_begin(sim, 5, 0, cdb, sizeof(cdb), false);
    assert_int_equal(sent(sim, &generation), 5);
    assert_false(sim->record.failed);
    assert_int_equal(sent(sim, &generation), 5);
    assert_string_equal(sim->record.failure,
                        "what may be executed once is sent again: opcode 0xa8");
}

static void what_was_refused_may_be_sent_again(void **state)
{
    struct sim *sim = *state;
    unsigned generation;
    sim_oracle_once_begin(sim, 5, 0, cdb, sizeof(cdb), false);
    (void)sent(sim, &generation);
    sim_oracle_once_refused(sim, 5, generation, true);
    (void)sent(sim, &generation);
    sim_oracle_once_end(sim, 5, true);
    assert_false(sim->record.failed);
}

static void a_raw_cdb_is_not_sent_again_after_its_unit_attention(void **state)
{
    struct sim *sim = *state;
    unsigned generation;
    sim_oracle_once_begin(sim, 5, 0, cdb, sizeof(cdb), true);
    (void)sent(sim, &generation);
    sim_oracle_once_refused(sim, 5, generation, false);
    (void)sent(sim, &generation);
    assert_false(sim->record.failed); /* it was busy */
    sim_oracle_once_refused(sim, 5, generation, true);
    (void)sent(sim, &generation);
    assert_non_null(strstr(sim->record.failure, "after its unit attention"));
}

static void a_raw_cdb_does_not_end_well_with_a_unit_attention(void **state)
{
    struct sim *sim = *state;
    unsigned generation;
    sim_oracle_once_begin(sim, 5, 0, cdb, sizeof(cdb), true);
    (void)sent(sim, &generation);
    sim_oracle_once_refused(sim, 5, generation, true);
    sim_oracle_once_end(sim, 5, true);
    assert_non_null(strstr(sim->record.failure, "its answer was a unit attention"));
}

static void an_answer_to_what_has_ended_is_not_its_successors(void **state)
{
    struct sim *sim = *state;
    unsigned first, second;
    sim_oracle_once_begin(sim, 5, 0, cdb, sizeof(cdb), true);
    (void)sent(sim, &first);
    sim_oracle_once_end(sim, 5, false);
    sim_oracle_once_begin(sim, 5, 0, cdb, sizeof(cdb), true);
    (void)sent(sim, &second);
    sim_oracle_once_refused(sim, 5, first, true);
    sim_oracle_once_end(sim, 5, true);
    assert_false(sim->record.failed);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(at_first_there_are_zeros),
        T(only_the_last_of_what_was_acknowledged_is_legal),
        T(another_disk_has_another_history),
        T(a_write_under_way_may_be_there_or_not),
        T(parts_of_a_write_under_way_are_legal_and_a_spoilt_byte_is_not),
        T(what_nobody_knows_the_end_of_may_come_later),
        T(what_was_certainly_not_executed_is_not_there),
        T(an_unmap_may_leave_a_block_as_it_is),
        T(power_takes_what_was_not_flushed_and_nothing_else),
        T(fua_is_a_flush_of_its_own),
        T(what_was_taken_back_unseen_may_still_come),
        T(what_may_be_done_once_is_sent_once),
        T(what_was_refused_may_be_sent_again),
        T(a_raw_cdb_is_not_sent_again_after_its_unit_attention),
        T(a_raw_cdb_does_not_end_well_with_a_unit_attention),
        T(an_answer_to_what_has_ended_is_not_its_successors),
    };
    return cmocka_run_group_tests_name("oracle", tests, NULL, NULL);
}
