/* A disk that lies: commands that end well and change nothing. */
#include "writer.h"

#include <string.h>

#define LEN  4096u
#define CNT  (LEN / 512u)
#define MISS 0x0e1d00u /* MISCOMPARE */

static struct iskra_target *target;
static struct peer peer;
static uint8_t cdb[ISKRA_CDB_BHS_LEN], old[LEN], young[LEN], both[2 * LEN];
static char told[512];

static void fault_told(void *arg, const char *text)
{
    (void)arg;
    strncat(told, text, sizeof(told) - strlen(told) - 1);
}

/* A target with a fault, which must leave the first write alone. */
static void begin(const char *fault)
{
    struct iskra_target_options o;
    iskra_target_options_init(&o);
    o.faults = &fault;
    o.fault_cnt = 1;
    o.fault_told = fault_told;
    told[0] = '\0';
    pattern_fill(old, LEN, 1);
    pattern_fill(young, LEN, 2);
    target = peer_target(&o);
    peer_open(&peer, target);
    peer_login(&peer, TEXT(NAMES));
    (void)iskra_cdb_write10(cdb, 0, CNT, 0);
    write_good(&peer, 0, cdb, old, LEN);
}

static int teardown(void **state)
{
    peer_close(&peer);
    iskra_target_free(target);
    return 0;
}

static void a_write_is_acknowledged_and_forgotten(void **state)
{
    begin("lose:command(write)#2");
    (void)iskra_cdb_write16(cdb, 0, CNT, 0);
    write_good(&peer, 0, cdb, young, LEN);
    blocks_are(&peer, 0, 0, old, LEN);
    assert_string_equal(told, "fault: lose command #2 of connection 1");
    write_good(&peer, 0, cdb, young, LEN); /* the next one is done */
    blocks_are(&peer, 0, 0, young, LEN);
}

static void immediate_data_are_forgotten_too(void **state)
{
    begin("lose:command#2");
    (void)iskra_cdb_write10(cdb, 0, CNT, ISKRA_CDB_FUA);
    (void)write_send(&peer, 0, cdb, LEN, young, LEN, true);
    ends_with(&peer, 0);
    blocks_are(&peer, 0, 0, old, LEN);
}

static void only_commands_that_write_are_counted(void **state)
{
    begin("lose:command#2");
    blocks_are(&peer, 0, 0, old, LEN);
    (void)iskra_cdb_synchronize_cache10(cdb, 0, 0, 0);
    peer_command(&peer, 0, cdb, 0, false);
    ends_with(&peer, 0);
    assert_string_equal(told, "");
    (void)iskra_cdb_write10(cdb, 0, CNT, 0);
    write_good(&peer, 0, cdb, young, LEN);
    blocks_are(&peer, 0, 0, old, LEN);
}

static void write_same_is_forgotten(void **state)
{
    begin("lose:command(write-same)#1");
    (void)iskra_cdb_write_same16(cdb, 0, CNT, 0);
    write_good(&peer, 0, cdb, young, 512);
    blocks_are(&peer, 0, 0, old, LEN);
}

static void unmap_is_forgotten(void **state)
{
    begin("lose:command(unmap)#1");
    uint8_t list[24] = {[1] = 22, [3] = 16, [19] = CNT};
    (void)iskra_cdb_unmap(cdb, sizeof(list), 0);
    write_good(&peer, 0, cdb, list, sizeof(list));
    blocks_are(&peer, 0, 0, old, LEN);
}

static void compare_and_write_compares_and_does_not_write(void **state)
{
    begin("lose:command(compare-and-write)#1+");
    memcpy(both, old, LEN);
    memcpy(both + LEN, young, LEN);
    (void)iskra_cdb_compare_and_write(cdb, 0, CNT, 0);
    write_good(&peer, 0, cdb, both, 2 * LEN);
    blocks_are(&peer, 0, 0, old, LEN);
    both[0] ^= 1;
    write_fails(&peer, 0, cdb, both, 2 * LEN, MISS);
}

static void a_refusal_is_told_all_the_same(void **state)
{
    begin("lose:command#2");
    (void)iskra_cdb_write16(cdb, UINT64_C(1) << 40, CNT, 0);
    write_fails(&peer, 0, cdb, young, LEN, 0x052100);
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_write_is_acknowledged_and_forgotten),
        T(immediate_data_are_forgotten_too),
        T(only_commands_that_write_are_counted),
        T(write_same_is_forgotten),
        T(unmap_is_forgotten),
        T(compare_and_write_compares_and_does_not_write),
        T(a_refusal_is_told_all_the_same),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
