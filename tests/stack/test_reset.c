/* Resets that a program asks for: how each ends, and that none is forgotten. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "stack/rig.h"

#define WAIT_NS UINT64_C(5000000000)

static struct rig *rig;
static struct iskra *ctx;
static struct iskra_lun *lun;
static struct iskra_error error;
static const char *fault;

/* What became of a reset. */
struct told {
    unsigned cnt;
    int status;
    enum iskra_code code;
    char text[256];
};

static void tell(void *arg, int status, const struct iskra_error *err)
{
    struct told *told = arg;
    told->cnt++;
    told->status = status;
    told->code = status ? err->code : ISKRA_OK;
    snprintf(told->text, sizeof(told->text), "%s", status ? err->text : "");
}

static void with_fault(struct iskra_target_options *opts)
{
    opts->faults = &fault;
    opts->fault_cnt = fault != NULL;
}

static void begin(const char *the_fault, const char *keys)
{
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:reset"};
    fault = the_fault;
    rig = rig_start(with_fault);
    memset(&error, 0, sizeof(error));
    assert_int_equal(iskra_new(&opts, &ctx, &error), 0);
    if (iskra_open_sync(ctx, rig_url(rig_port(rig), 0, keys), &lun, &error) != 0)
        fail_msg("%s", error.text);
}

static int teardown(void **state)
{
    iskra_free(ctx);
    rig_stop(rig);
    return 0;
}

static void each_kind_is_done(void **state)
{
    static const enum iskra_reset_kind kinds[] = {ISKRA_RESET_TASK_SET, ISKRA_RESET_LUN,
                                                  ISKRA_RESET_TARGET};
    uint8_t block[512];
    begin(NULL, NULL);
    for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        if (iskra_reset_sync(lun, kinds[i], &error) != 0)
            fail_msg("%d: %s", kinds[i], error.text);
        assert_int_equal(iskra_read_sync(lun, block, sizeof(block), 0, &error), 0);
    }
    iskra_close_sync(lun);
}

static void there_is_no_other_kind(void **state)
{
    begin(NULL, NULL);
    for (int kind = 0; kind < 9; kind == 0 ? kind = 5 : kind++) {
        assert_int_equal(iskra_reset_sync(lun, (enum iskra_reset_kind)kind, &error), -EINVAL);
        assert_int_equal(error.code, ISKRA_E_USAGE);
    }
    iskra_close_sync(lun);
}

static void done(struct iskra_io *io)
{
    *(unsigned *)io->user += 1;
}

static void what_was_in_flight_is_done_again(void **state)
{
    static uint8_t block[512];
    unsigned done_cnt = 0;
    struct iovec iov = {block, sizeof(block)};
    struct iskra_io io = {.op = ISKRA_READ,
                          .iov = &iov,
                          .iov_cnt = 1,
                          .len = sizeof(block),
                          .done = done,
                          .user = &done_cnt};
    struct told told = {0};
    begin("drop:command(read)#1", NULL); /* whichever the target sees first */
    assert_int_equal(iskra_submit(lun, &io), 0);
    assert_int_equal(iskra_reset(lun, ISKRA_RESET_LUN, tell, &told, &error), 0);
    assert_int_equal(told.cnt, 0);
    while (done_cnt == 0 || told.cnt == 0)
        assert_int_equal(iskra_run_once(ctx, WAIT_NS), 0);
    assert_int_equal(told.status, 0);
    assert_int_equal(io.status, 0);
    assert_memory_equal(block, rig_content(rig), sizeof(block));
    iskra_close_sync(lun);
}

/* Ends with this, and the text says so. */
static void ends_with(const char *the_fault, const char *keys, int status, enum iskra_code code,
                      const char *words)
{
    begin(the_fault, keys);
    assert_int_equal(iskra_reset_sync(lun, ISKRA_RESET_LUN, &error), status);
    assert_int_equal(error.code, code);
    if (strstr(error.text, words) == NULL)
        fail_msg("%s", error.text);
    iskra_close_sync(lun);
}

static void a_refusal_is_told_in_the_targets_words(void **state)
{
    ends_with("field=response=5:tmf-response", NULL, -EOPNOTSUPP, ISKRA_E_SCSI,
              "the target refused LOGICAL UNIT RESET: function not supported");
}

static void a_lun_that_does_not_exist_is_told(void **state)
{
    ends_with("field=response=2:tmf-response", NULL, -ENODEV, ISKRA_E_SCSI, "LUN does not exist");
}

static void silence_ends_with_lu_reset_timeout(void **state)
{
    ends_with("drop:tmf-response", "lu_reset_timeout=1", -ETIMEDOUT, ISKRA_E_TIMEOUT_SCSI,
              "no answer to LOGICAL UNIT RESET within 1 s");
}

static void a_connection_that_ends_is_told(void **state)
{
    ends_with("close:tmf-response", NULL, -ENOTCONN, ISKRA_E_CONNECTION,
              "LOGICAL UNIT RESET: the session was lost: ");
}

static void one_that_is_out_is_told_of_after_the_close(void **state)
{
    struct told told = {0};
    begin("delay=50ms:tmf-response", NULL);
    assert_int_equal(iskra_reset(lun, ISKRA_RESET_LUN, tell, &told, &error), 0);
    iskra_close(lun, NULL, NULL);
    while (told.cnt == 0)
        assert_int_equal(iskra_run_once(ctx, WAIT_NS), 0);
    assert_int_equal(told.status, 0);
}

static void one_that_is_out_is_told_of_by_free(void **state)
{
    struct told told = {0}, other = {0};
    begin("drop:tmf-response", NULL);
    assert_int_equal(iskra_reset(lun, ISKRA_RESET_LUN, tell, &told, &error), 0);
    assert_int_equal(iskra_reset(lun, ISKRA_RESET_TARGET, tell, &other, &error), 0);
    iskra_run_once(ctx, 0);
    iskra_free(ctx);
    ctx = NULL;
    assert_int_equal(told.cnt, 1);
    assert_int_equal(other.cnt, 1);
    assert_int_equal(told.status, -ENOTCONN);
    assert_true(told.text[0] != '\0');
}

static void a_lun_that_is_closing_is_not_reset(void **state)
{
    struct told told = {0};
    begin(NULL, NULL);
    struct iskra_lun *other = NULL;
    assert_int_equal(iskra_open_sync(ctx, rig_url(rig_port(rig), 0, NULL), &other, NULL), 0);
    iskra_close(lun, NULL, NULL);
    assert_int_equal(iskra_reset(lun, ISKRA_RESET_LUN, tell, &told, &error), -ENODEV);
    assert_int_equal(told.cnt, 0);
    iskra_close_sync(other);
}

#define TEST(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(each_kind_is_done),
        TEST(there_is_no_other_kind),
        TEST(what_was_in_flight_is_done_again),
        TEST(a_refusal_is_told_in_the_targets_words),
        TEST(a_lun_that_does_not_exist_is_told),
        TEST(silence_ends_with_lu_reset_timeout),
        TEST(a_connection_that_ends_is_told),
        TEST(one_that_is_out_is_told_of_after_the_close),
        TEST(one_that_is_out_is_told_of_by_free),
        TEST(a_lun_that_is_closing_is_not_reset),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
