/* The ledger of bench --verify: everything that can be wrong with a block is seen, told as what it
 * is, and told once; who may use a block when. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "../../cli/ledger.h"

#define LEN 4096u
#define CNT 8u

static struct cli_ledger ledger, other;
static unsigned char disk[CNT * LEN], buf[CNT * LEN];
static struct cli_ledger_difference difference;
static char text[CLI_LEDGER_TEXT_LEN];

static void fill(struct cli_ledger *of, uint64_t block, uint64_t cnt, unsigned char *to)
{
    cli_ledger_write_begin(of, block, cnt, to);
    cli_ledger_write_end(of, block, cnt, true);
}

static int setup(void **state)
{
    memset(disk, 0, sizeof(disk));
    return cli_ledger_init(&ledger, CNT, LEN, 77) | cli_ledger_init(&other, CNT, LEN, 78);
}

static int teardown(void **state)
{
    cli_ledger_done(&ledger);
    cli_ledger_done(&other);
    return 0;
}

static bool is_right(uint64_t block)
{
    return cli_ledger_check(&ledger, block, disk + block * LEN, &difference);
}

static void differs(uint64_t block, uint64_t offset, const char *words)
{
    assert_false(is_right(block));
    assert_int_equal(difference.offset, offset);
    assert_string_equal(cli_ledger_difference_format(&difference, text), words);
}

static void what_was_written_is_right(void **state)
{
    fill(&ledger, 0, CNT, disk);
    fill(&ledger, 3, 2, disk + 3 * LEN);
    for (uint64_t i = 0; i < CNT; i++)
        assert_true(is_right(i));
}

static void what_was_never_written_is_not_judged(void **state)
{
    fill(&ledger, 2, 1, disk + 2 * LEN);
    assert_true(is_right(0));
    assert_true(is_right(2));
}

static void no_two_sectors_are_alike(void **state)
{
    fill(&ledger, 0, CNT, disk);
    fill(&ledger, 0, CNT, buf);
    for (unsigned i = 0; i < sizeof(disk); i += CLI_LEDGER_SECTOR_LEN) {
        assert_memory_not_equal(disk + i, buf + i, CLI_LEDGER_SECTOR_LEN);
        if (i > 0)
            assert_memory_not_equal(disk + i, disk, CLI_LEDGER_SECTOR_LEN);
    }
}

static void a_lost_write_is_an_older_generation(void **state)
{
    fill(&ledger, 0, CNT, disk);
    fill(&ledger, 5, 1, buf);
    differs(5, 5ull * LEN, "expected generation 2, found generation 1");
}

static void half_of_a_write_is_seen_where_it_ends(void **state)
{
    fill(&ledger, 0, CNT, disk);
    fill(&ledger, 1, 1, buf);
    memcpy(disk + LEN, buf, 3 * CLI_LEDGER_SECTOR_LEN);
    differs(1, LEN + 3 * CLI_LEDGER_SECTOR_LEN, "expected generation 2, found generation 1");
}

static void a_write_to_the_wrong_place_is_told_with_its_own(void **state)
{
    fill(&ledger, 0, CNT, disk);
    memcpy(disk + 2 * LEN, disk + 6 * LEN, LEN);
    differs(2, 2ull * LEN, "expected generation 1, found generation 1 of offset 24576");
}

static void another_run_is_told_apart(void **state)
{
    fill(&ledger, 0, CNT, disk);
    fill(&other, 0, 1, disk);
    differs(0, 0, "expected generation 1, found generation 1 of another run");
}

static void zeros_are_nobodys(void **state)
{
    fill(&ledger, 0, CNT, buf);
    differs(7, 7ull * LEN, "expected generation 1, found what bench has not written");
}

static void a_single_bit_anywhere_is_seen(void **state)
{
    fill(&ledger, 0, CNT, disk);
    for (unsigned bit = 0; bit < 8 * LEN; bit += 37) {
        disk[LEN + bit / 8] ^= (unsigned char)(1u << bit % 8);
        if (is_right(1))
            fail_msg("bit %u changed, and it is right", bit);
        fill(&ledger, 1, 1, disk + LEN);
        assert_true(is_right(1));
    }
    disk[LEN + 100] ^= 1;
    assert_false(is_right(1));
    assert_string_equal(strstr(cli_ledger_difference_format(&difference, text), "found"),
                        "found its stamp with other bytes behind it");
}

static void a_difference_is_told_once_for_each_content(void **state)
{
    fill(&ledger, 0, CNT, buf);
    assert_false(is_right(0));
    assert_true(is_right(0));
    fill(&ledger, 0, 1, buf);
    assert_false(is_right(0));
}

static void a_block_is_written_alone_and_read_together(void **state)
{
    assert_true(cli_ledger_is_free(&ledger, 0, true));
    cli_ledger_read_begin(&ledger, 0, 2);
    cli_ledger_read_begin(&ledger, 1, 1);
    assert_true(cli_ledger_is_free(&ledger, 0, false));
    assert_false(cli_ledger_is_free(&ledger, 0, true));
    cli_ledger_read_end(&ledger, 0, 2);
    assert_true(cli_ledger_is_free(&ledger, 0, true));
    assert_false(cli_ledger_is_free(&ledger, 1, true));
    cli_ledger_write_begin(&ledger, 0, 1, buf);
    assert_false(cli_ledger_is_free(&ledger, 0, false));
    assert_false(cli_ledger_is_free(&ledger, 0, true));
    cli_ledger_write_end(&ledger, 0, 1, true);
    assert_true(cli_ledger_is_free(&ledger, 0, true));
}

static void a_claimed_block_is_one_users_until_it_is_written_or_released(void **state)
{
    fill(&ledger, 0, CNT, disk);
    cli_ledger_claim(&ledger, 1);
    assert_false(cli_ledger_is_free(&ledger, 1, false));
    assert_true(is_right(1));
    cli_ledger_release(&ledger, 1);
    assert_true(cli_ledger_is_free(&ledger, 1, true));
    cli_ledger_claim(&ledger, 1);
    fill(&ledger, 1, 1, disk + LEN);
    assert_true(cli_ledger_is_free(&ledger, 1, true));
    assert_true(is_right(1));
}

static void a_block_is_unchecked_from_its_write_to_its_next_read(void **state)
{
    assert_true(cli_ledger_is_checked(&ledger, 4)); /* there is nothing to check */
    fill(&ledger, 4, 1, disk + 4 * LEN);
    assert_false(cli_ledger_is_checked(&ledger, 4));
    assert_true(is_right(4));
    assert_true(cli_ledger_is_checked(&ledger, 4));
    fill(&ledger, 4, 1, buf);
    assert_false(cli_ledger_is_checked(&ledger, 4));
    assert_false(is_right(4)); /* wrong, but looked at */
    assert_true(cli_ledger_is_checked(&ledger, 4));
}

static void a_failed_write_leaves_a_block_nobody_can_judge(void **state)
{
    cli_ledger_write_begin(&ledger, 0, 1, buf);
    cli_ledger_write_end(&ledger, 0, 1, false);
    assert_false(cli_ledger_is_free(&ledger, 0, false));
    assert_false(cli_ledger_is_free(&ledger, 0, true));
}

static void a_region_beyond_all_memory_is_refused(void **state)
{
    struct cli_ledger huge;
    assert_true(cli_ledger_init(&huge, UINT64_MAX / 4, LEN, 1) < 0);
    cli_ledger_done(&huge);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_was_written_is_right),
        T(what_was_never_written_is_not_judged),
        T(no_two_sectors_are_alike),
        T(a_lost_write_is_an_older_generation),
        T(half_of_a_write_is_seen_where_it_ends),
        T(a_write_to_the_wrong_place_is_told_with_its_own),
        T(another_run_is_told_apart),
        T(zeros_are_nobodys),
        T(a_single_bit_anywhere_is_seen),
        T(a_difference_is_told_once_for_each_content),
        T(a_block_is_written_alone_and_read_together),
        T(a_claimed_block_is_one_users_until_it_is_written_or_released),
        T(a_block_is_unchecked_from_its_write_to_its_next_read),
        T(a_failed_write_leaves_a_block_nobody_can_judge),
        T(a_region_beyond_all_memory_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
