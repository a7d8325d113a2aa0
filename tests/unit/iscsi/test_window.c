/* The command window's serial arithmetic. */
#include "rig.h"

static struct iskra_cmd_window window(uint32_t exp, uint32_t max)
{
    return (struct iskra_cmd_window){
        .cmd_sn = exp, .queued_cmd_sn = exp, .exp_cmd_sn = exp, .max_cmd_sn = max};
}

static void window_begins_with_room_for_one(void **state)
{
    struct iskra_cmd_window w;
    iskra_window_init(&w, 0xffffffff);
    assert_int_equal(w.cmd_sn, 0xffffffff);
    assert_int_equal(w.max_cmd_sn, 0xffffffff);
    assert_false(iskra_window_closed(&w));
    w.queued_cmd_sn++;
    assert_true(iskra_window_closed(&w));
    iskra_window_update(&w, 0xffffffff, 0); /* a window of two */
    assert_false(iskra_window_closed(&w));
}

static void both_numbers_move_forward_only(void **state)
{
    struct iskra_cmd_window w = window(100, 110);
    iskra_window_update(&w, 105, 120);
    assert_int_equal(w.exp_cmd_sn, 105);
    assert_int_equal(w.max_cmd_sn, 120);
    iskra_window_update(&w, 103, 115);
    assert_int_equal(w.exp_cmd_sn, 105);
    assert_int_equal(w.max_cmd_sn, 120);
}

static void impossible_pair_is_ignored_whole(void **state)
{
    struct iskra_cmd_window w = window(100, 110);
    iskra_window_update(&w, 200, 198);
    assert_int_equal(w.exp_cmd_sn, 100);
    assert_int_equal(w.max_cmd_sn, 110);
}

static void closed_window_is_a_legal_pair(void **state)
{
    struct iskra_cmd_window w = window(100, 110);
    iskra_window_update(&w, 112, 111);
    assert_int_equal(w.exp_cmd_sn, 112);
    assert_int_equal(w.max_cmd_sn, 111);
}

static void window_moves_across_the_wrap(void **state)
{
    struct iskra_cmd_window w = window(0xfffffffe, 0xffffffff);
    iskra_window_update(&w, 0xffffffff, 5);
    assert_int_equal(w.exp_cmd_sn, 0xffffffff);
    assert_int_equal(w.max_cmd_sn, 5);
    w.queued_cmd_sn = 5;
    assert_false(iskra_window_closed(&w));
    w.queued_cmd_sn = 6;
    assert_true(iskra_window_closed(&w));
    iskra_window_update(&w, 0xfffffff0, 0xfffffffa);
    assert_int_equal(w.max_cmd_sn, 5);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(window_begins_with_room_for_one),
        cmocka_unit_test(both_numbers_move_forward_only),
        cmocka_unit_test(impossible_pair_is_ignored_whole),
        cmocka_unit_test(closed_window_is_a_legal_pair),
        cmocka_unit_test(window_moves_across_the_wrap),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
