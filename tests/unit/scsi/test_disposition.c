/* decide_disposition and check_sense, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "iscsi/cmd.h"
#include "scsi/disposition.h"
#include "wire/cdb.h"

enum {
    S = ISKRA_DISPOSITION_SUCCESS,
    N = ISKRA_DISPOSITION_NEEDS_RETRY,
    A = ISKRA_DISPOSITION_ADD_TO_MLQUEUE,
    F = ISKRA_DISPOSITION_FAILED,
};

#define SAME 0xff /* the host byte stays */

static struct iskra_verdict_facts facts_of(uint8_t host_byte, uint8_t status)
{
    return (struct iskra_verdict_facts){.host_byte = host_byte,
                                        .status = status,
                                        .opcode = ISKRA_SCSI_READ_10,
                                        .device_online = true,
                                        .allowed = 5};
}

static void check(const char *what, unsigned row, const struct iskra_verdict_facts *f, int want,
                  uint8_t want_host, unsigned want_retries)
{
    struct iskra_decision d = iskra_decide_disposition(f);

    if (want_host == SAME)
        want_host = f->host_byte;
    if ((int)d.disposition != want || d.host_byte != want_host || d.retries != want_retries)
        fail_msg("%s, row %u: %s, host byte %02x, %u retries; want %s, %02x, %u", what, row,
                 iskra_disposition_name(d.disposition), d.host_byte, d.retries,
                 iskra_disposition_name((enum iskra_disposition)want), want_host, want_retries);
}

static void each_host_byte_has_its_disposition(void **state)
{
    static const struct {
        uint8_t host, status, opcode;
        int want;
        uint8_t want_host, want_retries;
    } rows[] = {
        {ISKRA_DID_OK, 0, 0x28, S, SAME, 0},
        {ISKRA_DID_NO_CONNECT, 0, 0x28, S, SAME, 0},
        {ISKRA_DID_BUS_BUSY, 0, 0x28, N, SAME, 1},
        {ISKRA_DID_TIME_OUT, 0, 0x28, F, SAME, 0},
        {ISKRA_DID_TIME_OUT, 0, ISKRA_SCSI_TEST_UNIT_READY, S, SAME, 0},
        {ISKRA_DID_TIME_OUT, 0, ISKRA_SCSI_INQUIRY, S, SAME, 0},
        {ISKRA_DID_BAD_TARGET, 0, 0x28, S, SAME, 0},
        {ISKRA_DID_ABORT, 0, 0x28, S, SAME, 0},
        {ISKRA_DID_PARITY, 0, 0x28, N, SAME, 1},
        {ISKRA_DID_ERROR, 0, 0x28, N, SAME, 1},
        {ISKRA_DID_ERROR, ISKRA_STATUS_RESERVATION_CONFLICT, 0x28, S, ISKRA_DID_NEXUS_FAILURE, 0},
        {ISKRA_DID_RESET, 0, 0x28, S, SAME, 0},
        {ISKRA_DID_SOFT_ERROR, 0, 0x28, N, SAME, 1},
        {ISKRA_DID_IMM_RETRY, 0, 0x28, N, SAME, 0},
        {ISKRA_DID_REQUEUE, 0, 0x28, A, SAME, 0},
        {ISKRA_DID_TRANSPORT_DISRUPTED, 0, 0x28, N, SAME, 1},
        {ISKRA_DID_TRANSPORT_FAILFAST, 0, 0x28, S, SAME, 0},
        {0x77, 0, 0x28, F, SAME, 0},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct iskra_verdict_facts f = facts_of(rows[i].host, rows[i].status);
        f.opcode = rows[i].opcode;
        check("host byte", i, &f, rows[i].want, rows[i].want_host, rows[i].want_retries);
    }
}

static void an_abort_of_the_error_handlers_is_seen_as_a_timeout(void **state)
{
    struct iskra_verdict_facts f = facts_of(ISKRA_DID_ABORT, 0);

    (void)state;
    f.abort_scheduled = true;
    check("abort", 0, &f, S, ISKRA_DID_TIME_OUT, 0);
}

static void a_device_that_is_offline_ends_everything_as_it_is(void **state)
{
    (void)state;
    for (unsigned host = 0; host < 0x20; host++) {
        struct iskra_verdict_facts f = facts_of((uint8_t)host, ISKRA_STATUS_BUSY);
        f.device_online = false;
        check("offline", host, &f, S, SAME, 0);
    }
}

static void each_status_has_its_disposition(void **state)
{
    static const struct {
        uint8_t status;
        int want;
        uint8_t want_host, want_retries;
    } rows[] = {
        {ISKRA_STATUS_GOOD, S, SAME, 0},
        {ISKRA_STATUS_CONDITION_MET, S, SAME, 0},
        {ISKRA_STATUS_BUSY, A, SAME, 0},
        {0x10, S, SAME, 0},
        {0x14, S, SAME, 0},
        {ISKRA_STATUS_RESERVATION_CONFLICT, S, ISKRA_DID_NEXUS_FAILURE, 0},
        {0x22, S, SAME, 0},
        {ISKRA_STATUS_TASK_SET_FULL, A, SAME, 0},
        {ISKRA_STATUS_ACA_ACTIVE, S, SAME, 0},
        {ISKRA_STATUS_TASK_ABORTED, N, SAME, 1},
        {ISKRA_STATUS_CHECK_CONDITION, F, SAME, 0}, /* without sense */
        {0x01, F, SAME, 0},
        {0xff, F, SAME, 0},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct iskra_verdict_facts f = facts_of(ISKRA_DID_OK, rows[i].status);
        check("status", i, &f, rows[i].want, rows[i].want_host, rows[i].want_retries);
    }
}

static void task_set_full_and_good_speak_of_the_queue_depth(void **state)
{
    struct iskra_verdict_facts f = facts_of(ISKRA_DID_OK, ISKRA_STATUS_TASK_SET_FULL);

    (void)state;
    assert_true(iskra_decide_disposition(&f).queue_full);
    assert_false(iskra_decide_disposition(&f).queue_good);
    f.status = ISKRA_STATUS_GOOD;
    assert_false(iskra_decide_disposition(&f).queue_full);
    assert_true(iskra_decide_disposition(&f).queue_good);
}

static void the_shortcut_for_good_decides_as_the_table_does(void **state)
{
    (void)state;
    for (int online = 0; online <= 1; online++) {
        struct iskra_verdict_facts f = facts_of(ISKRA_DID_OK, ISKRA_STATUS_GOOD);
        f.device_online = online != 0;
        f.retries = 3;
        struct iskra_decision table = iskra_decide_disposition(&f);
        struct iskra_decision shortcut = iskra_decision_good(online != 0, 3);
        assert_int_equal(shortcut.disposition, table.disposition);
        assert_int_equal(shortcut.host_byte, table.host_byte);
        assert_int_equal(shortcut.retries, table.retries);
        assert_int_equal(shortcut.queue_good, table.queue_good);
        assert_false(shortcut.queue_full || shortcut.expected_ua_seen || shortcut.unit_attention);
    }
}

static void each_sense_key_has_its_disposition(void **state)
{
    static const struct {
        uint8_t key, asc, ascq;
        int want;
        uint8_t want_host, want_retries;
    } rows[] = {
        {ISKRA_SENSE_NO_SENSE, 0, 0, S, SAME, 0},
        {ISKRA_SENSE_RECOVERED_ERROR, 0x17, 0, S, SAME, 0},
        {ISKRA_SENSE_NOT_READY, 0x04, 0x01, N, SAME, 1},
        {ISKRA_SENSE_NOT_READY, 0x04, 0x02, S, SAME, 0},
        {ISKRA_SENSE_NOT_READY, 0x3a, 0x00, S, SAME, 0},
        {ISKRA_SENSE_MEDIUM_ERROR, 0x11, 0x00, S, ISKRA_DID_MEDIUM_ERROR, 0},
        {ISKRA_SENSE_MEDIUM_ERROR, 0x13, 0x00, S, ISKRA_DID_MEDIUM_ERROR, 0},
        {ISKRA_SENSE_MEDIUM_ERROR, 0x14, 0x00, S, ISKRA_DID_MEDIUM_ERROR, 0},
        {ISKRA_SENSE_MEDIUM_ERROR, 0x0c, 0x00, N, SAME, 1},
        {ISKRA_SENSE_HARDWARE_ERROR, 0x44, 0x00, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_ILLEGAL_REQUEST, 0x20, 0, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_ILLEGAL_REQUEST, 0x21, 0, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_ILLEGAL_REQUEST, 0x22, 0, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_ILLEGAL_REQUEST, 0x24, 0, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_ILLEGAL_REQUEST, 0x26, 0, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_ILLEGAL_REQUEST, 0x27, 0, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_ILLEGAL_REQUEST, 0x25, 0, S, SAME, 0},
        {ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00, S, SAME, 0},
        {ISKRA_SENSE_UNIT_ATTENTION, 0x3f, 0x0e, S, SAME, 0},
        {ISKRA_SENSE_DATA_PROTECT, 0x27, 0x07, S, ISKRA_DID_ALLOC_FAILURE, 0},
        {ISKRA_SENSE_DATA_PROTECT, 0x27, 0x00, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_BLANK_CHECK, 0, 0, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_VENDOR_SPECIFIC, 0x80, 0, S, SAME, 0},
        {ISKRA_SENSE_COPY_ABORTED, 0, 0, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_ABORTED_COMMAND, 0x4b, 0, N, SAME, 1},
        {ISKRA_SENSE_ABORTED_COMMAND, 0x10, 0x01, S, SAME, 0},
        {ISKRA_SENSE_VOLUME_OVERFLOW, 0, 0, S, ISKRA_DID_TARGET_FAILURE, 0},
        {ISKRA_SENSE_MISCOMPARE, 0x1d, 0, S, ISKRA_DID_TARGET_FAILURE, 0},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct iskra_verdict_facts f = facts_of(ISKRA_DID_OK, ISKRA_STATUS_CHECK_CONDITION);
        f.sense = (struct iskra_sense){
            .valid = true, .key = rows[i].key, .asc = rows[i].asc, .ascq = rows[i].ascq};
        check("sense", i, &f, rows[i].want, rows[i].want_host, rows[i].want_retries);
    }
}

static struct iskra_verdict_facts sense_facts(uint8_t key, uint8_t asc, uint8_t ascq)
{
    struct iskra_verdict_facts f = facts_of(ISKRA_DID_OK, ISKRA_STATUS_CHECK_CONDITION);

    f.sense = (struct iskra_sense){.valid = true, .key = key, .asc = asc, .ascq = ascq};
    return f;
}

static void a_deferred_error_is_about_an_earlier_command_and_retried(void **state)
{
    struct iskra_verdict_facts f = sense_facts(ISKRA_SENSE_MEDIUM_ERROR, 0x11, 0);

    (void)state;
    f.sense.deferred = true;
    check("deferred", 0, &f, N, SAME, 1);
}

static void filemark_eom_and_ili_end_the_deciding(void **state)
{
    struct iskra_verdict_facts f = sense_facts(ISKRA_SENSE_MEDIUM_ERROR, 0x0c, 0);

    (void)state;
    f.sense.filemark = true;
    check("filemark", 0, &f, S, SAME, 0);
    f.sense.filemark = false;
    f.sense.eom = true;
    check("eom", 1, &f, S, SAME, 0);
    f.sense.eom = false;
    f.sense.ili = true;
    check("ili", 2, &f, S, SAME, 0);
}

static void a_unit_attention_after_our_own_reset_is_no_news(void **state)
{
    struct iskra_verdict_facts f = sense_facts(ISKRA_SENSE_UNIT_ATTENTION, 0x29, 0x00);

    (void)state;
    f.expecting_ua = true;
    check("expected", 0, &f, N, SAME, 1);
    assert_true(iskra_decide_disposition(&f).expected_ua_seen);
    f.sense.asc = 0x28; /* a changed medium is news all the same */
    check("medium changed", 1, &f, S, SAME, 0);
    assert_false(iskra_decide_disposition(&f).expected_ua_seen);
    f = sense_facts(ISKRA_SENSE_UNIT_ATTENTION, 0x3f, 0x0e);
    f.expecting_lun_change = true;
    check("lun change", 2, &f, N, SAME, 1);
}

static void the_error_handler_gets_a_stopped_unit_if_it_may_start_it(void **state)
{
    struct iskra_verdict_facts f = sense_facts(ISKRA_SENSE_NOT_READY, 0x04, 0x02);

    (void)state;
    f.allow_restart = true;
    check("restart", 0, &f, F, SAME, 0);
    f = sense_facts(ISKRA_SENSE_HARDWARE_ERROR, 0x44, 0);
    f.retry_hwerror = true;
    check("hardware", 1, &f, A, SAME, 0);
}

static void retries_are_counted_and_bounded(void **state)
{
    struct iskra_verdict_facts f = facts_of(ISKRA_DID_TRANSPORT_DISRUPTED, 0);

    (void)state;
    f.retries = 4;
    check("last", 0, &f, N, SAME, 5);
    f.retries = 5;
    check("one too many", 1, &f, S, SAME, 6);
    f.allowed = 0;
    f.retries = 0;
    check("none allowed", 2, &f, S, SAME, 1);
    f.retries = 255;
    f.allowed = 255;
    check("no wrap", 3, &f, N, SAME, 255);
}

/* Spec 3.3, row by row: host byte, status -> is there a retry for failfast and for passthrough? */
static void noretry_depends_on_who_asks_and_what_failed(void **state)
{
    static const struct {
        uint8_t host, status;
        int failfast, passthrough;
    } rows[] = {
        {ISKRA_DID_BUS_BUSY, 0, S, N},
        {ISKRA_DID_PARITY, 0, S, N},
        {ISKRA_DID_SOFT_ERROR, 0, S, N},
        {ISKRA_DID_ERROR, 0, S, N},
        {ISKRA_DID_TRANSPORT_DISRUPTED, 0, N, N},
        {ISKRA_DID_OK, ISKRA_STATUS_TASK_ABORTED, N, N},
        {ISKRA_DID_OK, ISKRA_STATUS_CHECK_CONDITION, S, S},
        {ISKRA_DID_TRANSPORT_DISRUPTED, ISKRA_STATUS_CHECK_CONDITION, S, S},
    };

    (void)state;
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct iskra_verdict_facts f = sense_facts(ISKRA_SENSE_ABORTED_COMMAND, 0x4b, 0);
        f.host_byte = rows[i].host;
        f.status = rows[i].status;
        check("nobody special", i, &f, N, SAME, 1);
        f.failfast = true;
        check("failfast", i, &f, rows[i].failfast, SAME, 1);
        f.failfast = false;
        f.passthrough = true;
        check("passthrough", i, &f, rows[i].passthrough, SAME, 1);
    }
}

static void every_unit_attention_is_reported_and_nothing_else(void **state)
{
    (void)state;
    for (uint8_t key = 0; key < 16; key++) {
        struct iskra_verdict_facts f = sense_facts(key, 0x29, 0);
        assert_int_equal(iskra_decide_disposition(&f).unit_attention,
                         key == ISKRA_SENSE_UNIT_ATTENTION);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(each_host_byte_has_its_disposition),
        cmocka_unit_test(an_abort_of_the_error_handlers_is_seen_as_a_timeout),
        cmocka_unit_test(a_device_that_is_offline_ends_everything_as_it_is),
        cmocka_unit_test(each_status_has_its_disposition),
        cmocka_unit_test(task_set_full_and_good_speak_of_the_queue_depth),
        cmocka_unit_test(the_shortcut_for_good_decides_as_the_table_does),
        cmocka_unit_test(each_sense_key_has_its_disposition),
        cmocka_unit_test(a_deferred_error_is_about_an_earlier_command_and_retried),
        cmocka_unit_test(filemark_eom_and_ili_end_the_deciding),
        cmocka_unit_test(a_unit_attention_after_our_own_reset_is_no_news),
        cmocka_unit_test(the_error_handler_gets_a_stopped_unit_if_it_may_start_it),
        cmocka_unit_test(retries_are_counted_and_bounded),
        cmocka_unit_test(noretry_depends_on_who_asks_and_what_failed),
        cmocka_unit_test(every_unit_attention_is_reported_and_nothing_else),
    };
    return cmocka_run_group_tests_name("scsi disposition", tests, NULL, NULL);
}
