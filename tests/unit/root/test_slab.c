/* The slab. */
#include "heap_platform.h"

#include <errno.h>

#include "slab.h"

static void objects_start_zeroed_and_aligned(void **state)
{
    struct heap heap = {0};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_slab slab;
    assert_int_equal(iskra_slab_init(&slab, &pf, 3, 5), 0);
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *obj = iskra_slab_take(&slab);
        assert_non_null(obj);
        assert_int_equal((uintptr_t)obj % _Alignof(max_align_t), 0);
        assert_memory_equal(obj, "\0\0\0\0\0", 5);
        memset(obj, 0xee, 5);
    }
    iskra_slab_done(&slab, &pf);
    assert_int_equal(heap.out_cnt, 0);
}

static void an_empty_slab_gives_null(void **state)
{
    struct heap heap = {0};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_slab slab;
    assert_int_equal(iskra_slab_init(&slab, &pf, 2, 8), 0);
    void *a = iskra_slab_take(&slab);
    assert_non_null(a);
    assert_non_null(iskra_slab_take(&slab));
    assert_null(iskra_slab_take(&slab));
    iskra_slab_give(&slab, a);
    assert_ptr_equal(iskra_slab_take(&slab), a);
    iskra_slab_done(&slab, &pf);
}

static void objects_come_back_in_the_order_they_were_given(void **state)
{
    struct heap heap = {0};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_slab slab;
    assert_int_equal(iskra_slab_init(&slab, &pf, 4, 16), 0);
    void *objs[4];
    for (unsigned i = 0; i < 4; i++) {
        objs[i] = iskra_slab_take(&slab);
        assert_int_equal(iskra_slab_index(&slab, objs[i]), i);
    }
    static const unsigned order[4] = {2, 0, 3, 1};
    for (unsigned i = 0; i < 4; i++)
        iskra_slab_give(&slab, objs[order[i]]);
    for (unsigned i = 0; i < 4; i++)
        assert_ptr_equal(iskra_slab_take(&slab), objs[order[i]]);
    iskra_slab_done(&slab, &pf);
}

static void an_index_is_reused_as_late_as_possible(void **state)
{
    struct heap heap = {0};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_slab slab;
    assert_int_equal(iskra_slab_init(&slab, &pf, 5, 4), 0);
    for (unsigned round = 0; round < 23; round++) {
        void *obj = iskra_slab_take(&slab);
        assert_int_equal(iskra_slab_index(&slab, obj), round % 5);
        iskra_slab_give(&slab, obj);
    }
    iskra_slab_done(&slab, &pf);
}

static void index_and_object_agree(void **state)
{
    struct heap heap = {0};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_slab slab;
    assert_int_equal(iskra_slab_init(&slab, &pf, 7, 40), 0);
    for (uint32_t i = 0; i < 7; i++)
        assert_int_equal(iskra_slab_index(&slab, iskra_slab_at(&slab, i)), i);
    assert_null(iskra_slab_at(&slab, 7));
    assert_null(iskra_slab_at(&slab, UINT32_MAX));
    iskra_slab_done(&slab, &pf);
}

static void taking_and_giving_allocates_nothing(void **state)
{
    struct heap heap = {0};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_slab slab;
    assert_int_equal(iskra_slab_init(&slab, &pf, 8, 64), 0);
    unsigned before_cnt = heap.call_cnt;
    for (unsigned i = 0; i < 100; i++)
        iskra_slab_give(&slab, iskra_slab_take(&slab));
    assert_int_equal(heap.call_cnt, before_cnt);
    iskra_slab_done(&slab, &pf);
}

static void impossible_sizes_are_refused(void **state)
{
    struct heap heap = {0};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_slab slab;
    assert_int_equal(iskra_slab_init(&slab, &pf, 0, 8), -EINVAL);
    assert_int_equal(iskra_slab_init(&slab, &pf, 4, SIZE_MAX), -EINVAL);
    assert_int_equal(iskra_slab_init(&slab, &pf, UINT32_MAX, SIZE_MAX / 4), -EINVAL);
    assert_int_equal(heap.call_cnt, 0);
}

static void without_memory_the_slab_can_still_be_done(void **state)
{
    struct heap heap = {.empty = 1};
    const struct iskra_platform pf = heap_platform(&heap);
    struct iskra_slab slab;
    assert_int_equal(iskra_slab_init(&slab, &pf, 4, 8), -ENOMEM);
    assert_null(iskra_slab_take(&slab));
    iskra_slab_done(&slab, &pf);
    iskra_slab_done(&slab, &pf);
    assert_int_equal(heap.out_cnt, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(objects_start_zeroed_and_aligned),
        cmocka_unit_test(an_empty_slab_gives_null),
        cmocka_unit_test(objects_come_back_in_the_order_they_were_given),
        cmocka_unit_test(an_index_is_reused_as_late_as_possible),
        cmocka_unit_test(index_and_object_agree),
        cmocka_unit_test(taking_and_giving_allocates_nothing),
        cmocka_unit_test(impossible_sizes_are_refused),
        cmocka_unit_test(without_memory_the_slab_can_still_be_done),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
