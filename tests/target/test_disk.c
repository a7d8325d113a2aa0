/* A medium of the caller's behind a LUN, R2Ts of another size than bursts, and faults that can be
 * switched off: what those need who build a world around the target's core. */
#include "writer.h"

#include <errno.h>
#include <string.h>

#define LEN 16384u

static struct iskra_target *target;
static struct peer peer;
static uint8_t cdb[ISKRA_CDB_BHS_LEN], bytes[LEN], medium[LEN];
static unsigned flush_cnt;
static int disk_rc;

static int disk_read(void *arg, uint64_t pos, uint8_t *buf, uint32_t len)
{
    memcpy(buf, (uint8_t *)arg + pos, len);
    return disk_rc;
}

static int disk_write(void *arg, uint64_t pos, const uint8_t *buf, uint32_t len)
{
    memcpy((uint8_t *)arg + pos, buf, len);
    return disk_rc;
}

static int disk_discard(void *arg, uint64_t pos, uint64_t len)
{
    memset((uint8_t *)arg + pos, 0, len);
    return disk_rc;
}

static int disk_flush(void *arg)
{
    (void)arg;
    flush_cnt++;
    return disk_rc;
}

static const struct iskra_target_disk disk = {disk_read, disk_write, disk_discard, disk_flush};

static void begin(const char *fault)
{
    const struct iskra_target_backend backend = {.kind = ISKRA_TARGET_DISK,
                                                 .size = LEN,
                                                 .disk = &disk,
                                                 .disk_arg = medium,
                                                 .identity = 0x0123456789abcdefu};
    struct iskra_target_options o;
    iskra_target_options_init(&o);
    o.backends = &backend;
    o.backend_cnt = 1;
    o.r2t_len = 3000;
    o.faults = &fault;
    o.fault_cnt = fault ? 1 : 0;
    target = peer_target(&o);
    peer_open(&peer, target);
    peer_login(&peer, TEXT(NAMES "\0InitialR2T=Yes\0ImmediateData=No\0MaxOutstandingR2T=2"));
    memset(medium, 0, sizeof(medium));
    pattern_fill(bytes, LEN, 7);
    flush_cnt = 0;
    disk_rc = 0;
}

static int teardown(void **state)
{
    peer_close(&peer);
    iskra_target_free(target);
    return 0;
}

static void what_is_written_is_on_the_medium_of_the_caller(void **state)
{
    begin(NULL);
    (void)iskra_cdb_write10(cdb, 4, 8, 0);
    write_good(&peer, 0, cdb, bytes, 8 * 512);
    assert_memory_equal(medium + 4 * 512, bytes, 8 * 512);
    assert_int_equal(flush_cnt, 0);
    blocks_are(&peer, 0, 4, bytes, 8 * 512);
}

static void a_flush_reaches_the_medium(void **state)
{
    begin(NULL);
    (void)iskra_cdb_synchronize_cache10(cdb, 0, 0, false);
    peer_command(&peer, 0, cdb, 0, false);
    ends_with(&peer, 0);
    assert_int_equal(flush_cnt, 1);
}

static void a_medium_that_fails_fails_the_command(void **state)
{
    begin(NULL);
    disk_rc = -EIO;
    (void)iskra_cdb_write10(cdb, 0, 1, 0);
    struct outcome outcome;
    write_whole(&peer, 0, cdb, bytes, 512, &outcome);
    assert_int_equal(outcome.status, 2);
    assert_int_equal(outcome.key, 3); /* MEDIUM ERROR */
    outcome_done(&outcome);
}

static void an_r2t_asks_for_no_more_than_it_may(void **state)
{
    static const uint32_t lens[] = {3000, 3000, 2192};
    struct iskra_pdu_r2t r2ts[3];
    begin(NULL);
    (void)iskra_cdb_write10(cdb, 0, 16, 0);
    uint32_t itt = write_send(&peer, 0, cdb, 8192, NULL, 0, true);
    r2t_expect(&peer, itt, &r2ts[0]);
    r2t_expect(&peer, itt, &r2ts[1]);
    r2t_answer(&peer, &r2ts[0], bytes, 1000);
    r2t_expect(&peer, itt, &r2ts[2]);
    for (unsigned i = 0, at = 0; i < 3; at += lens[i++]) {
        assert_int_equal(r2ts[i].offset, at);
        assert_int_equal(r2ts[i].desired_len, lens[i]);
    }
    r2t_answer(&peer, &r2ts[1], bytes, 3000);
    r2t_answer(&peer, &r2ts[2], bytes, 3000);
    ends_with(&peer, 0);
    assert_memory_equal(medium, bytes, 8192);
}

static void faults_that_are_off_do_not_happen_and_are_not_counted(void **state)
{
    begin("status=busy:command#1");
    (void)iskra_cdb_test_unit_ready(cdb);
    for (unsigned i = 0; i < 2; i++) {
        struct outcome outcome;
        iskra_target_faults_enable(target, i > 0);
        peer_command(&peer, 0, cdb, 0, false);
        peer_outcome(&peer, &outcome);
        assert_int_equal(outcome.status, i > 0 ? 8 : 0);
        outcome_done(&outcome);
    }
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(what_is_written_is_on_the_medium_of_the_caller),
        TEST(a_flush_reaches_the_medium),
        TEST(a_medium_that_fails_fails_the_command),
        TEST(an_r2t_asks_for_no_more_than_it_may),
        TEST(faults_that_are_off_do_not_happen_and_are_not_counted),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
