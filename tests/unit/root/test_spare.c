/* Pieces that are set aside for all, and what happens when they are lent. */
#include "heap_platform.h"

#include "spare.h"

static void what_was_set_aside_is_lent_without_asking_for_memory(void **state)
{
    struct heap heap = {0};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_spare spare = {0};
    assert_int_equal(iskra_spare_init(&spare, &pf, 2, 100), 0);
    heap.empty = 1;
    void *a = iskra_spare_take(&spare, &pf, 100), *b = iskra_spare_take(&spare, &pf, 100);
    assert_non_null(a);
    assert_non_null(b);
    assert_ptr_not_equal(a, b);
    assert_null(iskra_spare_take(&spare, &pf, 100));
    iskra_spare_give(&spare, &pf, a);
    assert_ptr_equal(iskra_spare_take(&spare, &pf, 100), a);
    iskra_spare_give(&spare, &pf, a);
    iskra_spare_give(&spare, &pf, b);
    iskra_spare_done(&spare, &pf);
    assert_int_equal(heap.out_cnt, 0);
}

static void one_more_than_was_set_aside_is_the_platforms_and_goes_back_to_it(void **state)
{
    struct heap heap = {0};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_spare spare = {0};
    assert_int_equal(iskra_spare_init(&spare, &pf, 1, 100), 0);
    unsigned before = heap.out_cnt;
    void *a = iskra_spare_take(&spare, &pf, 100), *b = iskra_spare_take(&spare, &pf, 100);
    assert_non_null(b);
    assert_int_equal(heap.out_cnt, before + 1);
    iskra_spare_give(&spare, &pf, a);
    assert_int_equal(heap.out_cnt, before + 1);
    iskra_spare_give(&spare, &pf, b);
    assert_int_equal(heap.out_cnt, before);
    iskra_spare_done(&spare, &pf);
}

static void without_anything_set_aside_all_is_the_platforms(void **state)
{
    struct heap heap = {0};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_spare zeroed = {0};
    void *a = iskra_spare_take(&zeroed, &pf, 100), *b = iskra_spare_take(NULL, &pf, 100);
    assert_int_equal(heap.out_cnt, 2);
    iskra_spare_give(&zeroed, &pf, a);
    iskra_spare_give(NULL, &pf, b);
    iskra_spare_give(&zeroed, &pf, NULL);
    iskra_spare_done(&zeroed, &pf);
    assert_int_equal(heap.out_cnt, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_set_aside_is_lent_without_asking_for_memory),
        cmocka_unit_test(one_more_than_was_set_aside_is_the_platforms_and_goes_back_to_it),
        cmocka_unit_test(without_anything_set_aside_all_is_the_platforms),
    };
    return cmocka_run_group_tests_name("spare", tests, NULL, NULL);
}
