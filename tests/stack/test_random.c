/* All operations at random, many in flight, on the embedded target: memory and file, 512 and 4096
 * byte blocks, with and without BUSY, TASK SET FULL and unit attentions in between. Arguments: how
 * many operations each LUN sees (250), seed (7143); or ISKRA_RANDOM_OPS, ISKRA_RANDOM_SEED. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include <iskra/iskra.h>

#include "stack/mixer.h"
#include "stack/rig.h"

#define DISK_LEN   (32u << 20)
#define FAULT_CNT  5u
#define LARGE_ONES 200u /* so many operations and more: all kinds have surely been drawn */

static struct mixer_plan plan = {.seed = 7143, .op_cnt = 250, .in_flight = 24};
static struct rig *rig;
static struct iskra *ctx;
static int disks[2]; /* of LUN 2 and 3 */
static char paths[2][32];
static char faults[FAULT_CNT][64];
static _Atomic unsigned told_cnt;

/* In the target's thread. */
static void fault_told(void *arg, const char *text)
{
    told_cnt++;
}

static void add_faults(struct iskra_target_options *opts)
{
    static const char *const what[FAULT_CNT] = {"status=busy", "status=task-set-full",
                                                "sense=06/29/00", "sense=06/2a/01", "status=busy"};
    static const unsigned every[FAULT_CNT] = {13, 29, 101, 67, 97};
    static const char *list[FAULT_CNT];
    for (unsigned i = 0; i < FAULT_CNT; i++) {
        /* 30: not before all LUNs have been opened */
        snprintf(faults[i], sizeof(faults[i]), "%s:command#%u+%u", what[i],
                 30 + (plan.seed >> i) % every[i], every[i]);
        list[i] = faults[i];
    }
    opts->faults = list;
    opts->fault_cnt = FAULT_CNT;
    opts->fault_told = fault_told;
}

static void add_luns(struct iskra_target_options *opts)
{
    static struct iskra_target_backend backends[4];
    for (unsigned i = 0; i < 4; i++) {
        backends[i] = (struct iskra_target_backend){
            .kind = ISKRA_TARGET_RAM, .size = DISK_LEN, .block_len = i % 2 ? 4096 : 512};
        if (i >= 2) {
            strcpy(paths[i - 2], "/tmp/iskra-random-XXXXXX");
            disks[i - 2] = mkstemp(paths[i - 2]);
            assert_true(disks[i - 2] >= 0);
            assert_int_equal(ftruncate(disks[i - 2], DISK_LEN), 0);
            backends[i].kind = ISKRA_TARGET_FILE;
            backends[i].path = paths[i - 2];
        }
    }
    opts->backends = backends;
    opts->backend_cnt = 4;
    if (plan.faulty)
        add_faults(opts);
}

static void setup(bool faulty)
{
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:random"};
    plan.faulty = faulty;
    told_cnt = 0;
    rig = rig_start(add_luns);
    assert_int_equal(iskra_new(&opts, &ctx, NULL), 0);
}

static int begin(void **state)
{
    setup(false);
    return 0;
}

static int begin_with_faults(void **state)
{
    setup(true);
    return 0;
}

static int end(void **state)
{
    iskra_free(ctx); /* after a failure: ends what is in flight */
    rig_stop(rig);
    for (int i = 0; i < 2; i++) {
        unlink(paths[i]);
        close(disks[i]);
    }
    return 0;
}

/* Both ends could agree on the wrong place. */
static void check_file(int fd, const uint8_t *shadow)
{
    uint8_t *disk = malloc(DISK_LEN);
    assert_int_equal(pread(fd, disk, DISK_LEN, 0), DISK_LEN);
    assert_memory_equal(disk, shadow, DISK_LEN);
    free(disk);
}

static void check_tally(const struct mixer_tally *tally)
{
    static const enum iskra_op ops[] = {ISKRA_READ,  ISKRA_WRITE,        ISKRA_FLUSH,
                                        ISKRA_UNMAP, ISKRA_WRITE_ZEROES, ISKRA_COMPARE_AND_WRITE,
                                        ISKRA_RAW,   ISKRA_BLOCK_STATUS};
    unsigned sum = 0;
    for (unsigned i = 0; i < sizeof(ops) / sizeof(ops[0]); i++) {
        sum += tally->ops[ops[i]];
        assert_true(tally->ops[ops[i]] > 0 || plan.op_cnt < LARGE_ONES);
    }
    assert_int_equal(sum, plan.op_cnt);
    assert_true(tally->peak_cnt > plan.in_flight / 2);
    assert_int_equal(told_cnt > 0, plan.faulty);
    assert_true(plan.faulty || tally->again_cnt == 0);
}

static void everything_at_random(unsigned number, const char *options)
{
    struct iskra_error err = {0};
    struct iskra_lun *lun;
    struct mixer_tally tally;
    const char *why;
    if (iskra_open_sync(ctx, rig_url(rig_port(rig), number, options), &lun, &err) != 0)
        fail_msg("open: %s", err.text);
    uint8_t *shadow = mixer_run(ctx, lun, &plan, &tally, &why);
    if (shadow == NULL)
        fail_msg("seed %u, %u operations, LUN %u: %s", plan.seed, plan.op_cnt, number, why);
    if (iskra_flush_sync(lun, &err) != 0 || iskra_close_sync(lun) != 0)
        fail_msg("close: %s", err.text);
    check_tally(&tally);
    if (number >= 2)
        check_file(disks[number - 2], shadow);
    free(shadow);
}

static void memory_of_512_byte_blocks_holds_what_the_shadow_says(void **state)
{
    everything_at_random(0, NULL);
}

static void memory_of_4096_byte_blocks_holds_what_the_shadow_says(void **state)
{
    everything_at_random(1, "header_digest=crc32c&data_digest=crc32c");
}

static void a_file_of_512_byte_blocks_holds_what_the_shadow_says(void **state)
{
    everything_at_random(2, "initial_r2t=yes&immediate_data=no&max_recv=8192");
}

static void a_file_of_4096_byte_blocks_holds_what_the_shadow_says(void **state)
{
    everything_at_random(3, "queue_depth=8");
}

static unsigned number(const char *name, const char *arg, unsigned otherwise)
{
    const char *text = getenv(name);
    if (text == NULL)
        text = arg;
    return text == NULL ? otherwise : (unsigned)strtoul(text, NULL, 0);
}

#define T(name) cmocka_unit_test_setup_teardown(name, begin, end)
#define F(name)                                                                                    \
    {                                                                                              \
        "while_faults_come_" #name, name, begin_with_faults, end, NULL                             \
    }

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        T(memory_of_512_byte_blocks_holds_what_the_shadow_says),
        T(memory_of_4096_byte_blocks_holds_what_the_shadow_says),
        T(a_file_of_512_byte_blocks_holds_what_the_shadow_says),
        T(a_file_of_4096_byte_blocks_holds_what_the_shadow_says),
        F(memory_of_512_byte_blocks_holds_what_the_shadow_says),
        F(memory_of_4096_byte_blocks_holds_what_the_shadow_says),
        F(a_file_of_512_byte_blocks_holds_what_the_shadow_says),
        F(a_file_of_4096_byte_blocks_holds_what_the_shadow_says),
    };
    plan.op_cnt = number("ISKRA_RANDOM_OPS", argc > 1 ? argv[1] : NULL, plan.op_cnt);
    plan.seed = number("ISKRA_RANDOM_SEED", argc > 2 ? argv[2] : NULL, plan.seed);
    return cmocka_run_group_tests_name("random", tests, NULL, NULL);
}
