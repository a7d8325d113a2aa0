/* Looking at targets without waiting, the events and counters of a session, with the embedded
 * target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/scsi.h>
#include <iskra/session.h>
#include <iskra/trace.h>

#include "stack/rig.h"
#include "stack/told.h"

static struct rig *rig;
static struct iskra *ctx;
static struct told told;

static int setup(void **state)
{
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:look",
                                 .event = told_take,
                                 .event_arg = &told};
    told_forget(&told);
    return iskra_new(&opts, &ctx, NULL);
}

static int teardown(void **state)
{
    iskra_free(ctx);
    rig_stop(rig);
    rig = NULL;
    return 0;
}

static void three_luns(struct iskra_target_options *opts)
{
    opts->lun_cnt = 3;
}

static void attentions(struct iskra_target_options *opts)
{
    static const char *const faults[] = {"sense=6/2a/9:command(read)#1",
                                         "sense=6/29/0:command(read)#3"};
    opts->faults = faults;
    opts->fault_cnt = 2;
}

/* What a search has told. */
struct found {
    unsigned cnt, told_cnt;
    int stop_at, stop_with, status;
    uint64_t luns[8];
    struct iskra_error error;
};

static int count_lun(void *arg, const struct iskra_lun_info *info)
{
    struct found *f = arg;
    assert_true(f->cnt < 8);
    f->luns[f->cnt++] = info->lun;
    return f->stop_at && (int)f->cnt == f->stop_at ? f->stop_with : 0;
}

static int count_portal(void *arg, const struct iskra_portal_entry *e)
{
    struct found *f = arg;
    assert_string_equal(e->target_name, RIG_NAME);
    f->cnt++;
    return f->stop_at ? f->stop_with : 0;
}

static void over(void *arg, int status, const struct iskra_error *err)
{
    struct found *f = arg;
    f->told_cnt++;
    f->status = status;
    f->error = *err;
}

static void run_until_told(struct found *f)
{
    while (f->told_cnt == 0)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
}

static void a_portal_is_asked_for_its_targets_without_waiting(void **state)
{
    struct found f = {0};
    char portal[64];
    rig = rig_start(NULL);
    snprintf(portal, sizeof(portal), "127.0.0.1:%u", rig_port(rig));
    assert_int_equal(iskra_discover(ctx, portal, count_portal, over, &f, NULL), 0);
    assert_int_equal(f.cnt, 0);
    run_until_told(&f);
    assert_int_equal(f.status, 0);
    assert_int_equal(f.cnt, 1);
    assert_int_equal(f.told_cnt, 1);
}

static void the_luns_of_two_searches_at_a_time_are_all_told(void **state)
{
    struct found a = {0}, b = {0};
    rig = rig_start(three_luns);
    const char *url = rig_url(rig_port(rig), 0, NULL);
    assert_int_equal(iskra_luns(ctx, url, count_lun, over, &a, NULL), 0);
    assert_int_equal(iskra_luns(ctx, url, count_lun, over, &b, NULL), 0);
    run_until_told(&a);
    run_until_told(&b);
    assert_int_equal(a.status, 0);
    assert_int_equal(a.cnt, 3);
    assert_int_equal(a.luns[2], 2);
    assert_int_equal(b.cnt, 3);
}

static void a_function_that_returns_something_ends_the_search_with_it(void **state)
{
    struct found luns = {.stop_at = 2, .stop_with = 42}, portals = {.stop_at = 1, .stop_with = 17};
    char portal[64];
    rig = rig_start(three_luns);
    assert_int_equal(iskra_luns(ctx, rig_url(rig_port(rig), 0, NULL), count_lun, over, &luns, NULL),
                     0);
    run_until_told(&luns);
    assert_int_equal(luns.status, 42);
    assert_int_equal(luns.cnt, 2);
    snprintf(portal, sizeof(portal), "127.0.0.1:%u", rig_port(rig));
    assert_int_equal(iskra_discover_sync(ctx, portal, count_portal, &portals, NULL), 17);
}

static void a_login_that_fails_is_told_with_its_story_and_an_event(void **state)
{
    struct found f = {0};
    char url[256];
    rig = rig_start(NULL);
    snprintf(url, sizeof(url), "iscsi://127.0.0.1:%u/iqn.2026-11.io.iskra.test:nobody",
             rig_port(rig));
    assert_int_equal(iskra_login(ctx, url, over, &f, NULL), 0);
    run_until_told(&f);
    assert_true(f.status < 0);
    assert_int_equal(f.error.code, ISKRA_E_LOGIN);
    assert_int_equal(told.cnt, 1);
    assert_int_equal(told.events[0].kind, ISKRA_EVENT_SESSION_FAILED);
    assert_int_equal(told.events[0].error.code, ISKRA_E_LOGIN);
    assert_string_equal(told.events[0].target_name, "iqn.2026-11.io.iskra.test:nobody");
}

static void a_bad_url_is_told_at_once(void **state)
{
    struct found f = {0};
    struct iskra_error err = {0};
    rig = rig_start(NULL);
    assert_int_equal(iskra_luns(ctx, "iscsi://127.0.0.1:1", count_lun, over, &f, &err), -EINVAL);
    assert_int_equal(err.code, ISKRA_E_USAGE);
    assert_int_equal(iskra_discover(ctx, "iscsi://", count_portal, over, &f, &err), -EINVAL);
    assert_int_equal(f.told_cnt, 0);
}

/* At whatever stage: after no, one, two, ... rounds. */
static void a_search_is_told_once_of_the_end_of_its_initiator(void **state)
{
    rig = rig_start(three_luns);
    for (int rounds = 0; rounds < 30; rounds++) {
        struct found f = {0};
        assert_int_equal(
            iskra_luns(ctx, rig_url(rig_port(rig), 0, NULL), count_lun, over, &f, NULL), 0);
        for (int i = 0; i < rounds && f.told_cnt == 0; i++)
            iskra_run_once(ctx, 100000000);
        bool over = f.told_cnt > 0;
        iskra_free(ctx);
        assert_int_equal(f.told_cnt, 1);
        if (!over && f.status != 0)
            assert_int_equal(f.status, -ECANCELED);
        setup(state);
    }
}

static void a_session_tells_when_it_comes_and_goes_and_what_it_did(void **state)
{
    struct iskra_lun *lun = NULL;
    static uint8_t buf[65536];
    rig = rig_start(NULL);
    assert_int_equal(iskra_open_sync(ctx, rig_url(rig_port(rig), 0, NULL), &lun, NULL), 0);
    struct iskra_session_stats before, after;
    struct iskra_session_info info;
    iskra_session_stats(lun, &before);
    iskra_session_info(lun, &info);
    assert_int_equal(before.logins, 1);
    assert_true(before.commands > 3);
    for (int i = 0; i < 4; i++)
        assert_int_equal(iskra_read_sync(lun, buf, sizeof(buf), 0, NULL), 0);
    assert_int_equal(iskra_write_sync(lun, buf, sizeof(buf), 0, 0, NULL), 0);
    iskra_session_stats(lun, &after);
    assert_int_equal(after.commands - before.commands, 5);
    assert_true(after.rx_bytes - before.rx_bytes >= 4 * sizeof(buf));
    assert_true(after.tx_bytes - before.tx_bytes >= sizeof(buf));
    assert_true(after.tx_pdus - before.tx_pdus >= 5);
    assert_true(after.rx_pdus - before.rx_pdus >= 5);
    assert_int_equal(after.retries + after.timeouts + after.digest_errors + after.status_gaps, 0);
    assert_int_equal(iskra_close_sync(lun), 0);
    iskra_dispatch(ctx);
    assert_int_equal(told.cnt, 2);
    assert_int_equal(told.events[0].kind, ISKRA_EVENT_SESSION_UP);
    assert_int_equal(told.events[0].sid, info.sid);
    assert_string_equal(told.events[0].portal_address, info.portal_address);
    assert_int_equal(told.events[1].kind, ISKRA_EVENT_SESSION_CLOSED);
    assert_int_equal(told.events[1].sid, info.sid);
}

static void large_writes_count_their_r2ts(void **state)
{
    struct iskra_lun *lun = NULL;
    static uint8_t buf[1u << 20];
    struct iskra_session_stats stats;
    rig = rig_start(NULL);
    assert_int_equal(iskra_open_sync(ctx,
                                     rig_url(rig_port(rig), 0,
                                             "initial_r2t=1&immediate_data=0&max_burst=262144"),
                                     &lun, NULL),
                     0);
    assert_int_equal(iskra_write_sync(lun, buf, sizeof(buf), 0, 0, NULL), 0);
    iskra_session_stats(lun, &stats);
    assert_int_equal(stats.r2ts, 4);
    iskra_close_sync(lun);
}

static void a_unit_attention_is_an_event_and_the_read_is_done_again(void **state)
{
    struct iskra_lun *lun = NULL;
    uint8_t block[512];
    struct iskra_session_stats stats;
    rig = rig_start(attentions);
    assert_int_equal(iskra_open_sync(ctx, rig_url(rig_port(rig), 0, NULL), &lun, NULL), 0);
    assert_int_equal(iskra_read_sync(lun, block, sizeof(block), 0, NULL), 0); /* the first two */
    assert_int_equal(iskra_read_sync(lun, block, sizeof(block), 0, NULL), 0);
    iskra_dispatch(ctx);
    assert_int_equal(told.cnt, 3);
    assert_int_equal(told.events[1].kind, ISKRA_EVENT_CAPACITY_CHANGED);
    assert_int_equal(told.events[1].asc, 0x2a);
    assert_int_equal(told.events[1].lun, 0);
    assert_int_equal(told.events[2].kind, ISKRA_EVENT_RESET);
    iskra_session_stats(lun, &stats);
    assert_true(stats.unit_attentions >= 2);
    assert_true(stats.retries >= 2);
    iskra_close_sync(lun);
}

static void a_session_that_is_lost_and_given_up_is_two_events_with_the_reason(void **state)
{
    struct iskra_lun *lun = NULL;
    uint8_t block[512];
    rig = rig_start(NULL);
    assert_int_equal(
        iskra_open_sync(ctx, rig_url(rig_port(rig), 0, "replacement_timeout=0"), &lun, NULL), 0);
    rig_stop(rig);
    while (told.cnt < 3)
        assert_int_equal(iskra_run_once(ctx, 5000000000), 0);
    assert_int_equal(told.events[1].kind, ISKRA_EVENT_SESSION_RECOVERING);
    assert_int_equal(told.events[1].error.code, ISKRA_E_CONNECTION);
    assert_int_equal(told.events[2].kind, ISKRA_EVENT_SESSION_GIVEN_UP);
    assert_true(told.events[2].error.code != ISKRA_OK);
    assert_true(iskra_read_sync(lun, block, sizeof(block), 0, NULL) < 0);
    iskra_close_sync(lun);
    iskra_dispatch(ctx);
    assert_int_equal(told.cnt, 4);
    assert_int_equal(told.events[3].kind, ISKRA_EVENT_SESSION_CLOSED);
    rig = rig_start(NULL); /* for the teardown */
}

static void a_raw_lun_is_asked_nothing_and_takes_nothing_but_raw_commands(void **state)
{
    static const uint8_t inquiry[6] = {0x12, 0, 0, 0, 96, 0}, turs[6] = {0};
    struct iskra_lun *lun = NULL;
    struct iskra_lun_info info;
    struct iskra_inquiry_info inq;
    struct iskra_session_stats stats;
    struct iskra_error err = {0};
    uint8_t buf[512];
    uint32_t len = 0;
    rig = rig_start(NULL);
    assert_int_equal(iskra_open_raw_sync(ctx, rig_url(rig_port(rig), 0, NULL), &lun, NULL), 0);
    iskra_session_stats(lun, &stats);
    assert_int_equal(stats.commands, 0);
    iskra_lun_info(lun, &info);
    assert_int_equal(info.block_len, 0);
    assert_int_equal(iskra_read_sync(lun, buf, 512, 0, &err), -ENODEV);
    assert_int_equal(iskra_raw_sync(lun, inquiry, 6, buf, 96, &len, &err), 0);
    assert_int_equal(iskra_inquiry_parse(buf, len, &inq), 0);
    assert_int_equal(inq.type, ISKRA_TYPE_DISK);
    while (iskra_raw_sync(lun, turs, 6, NULL, 0, NULL, &err) != 0) /* what waited for the login */
        assert_int_equal(err.code, ISKRA_E_SCSI);
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* LUN 7 is not there, yet it can be asked for the list. */
static void a_lun_that_does_not_exist_can_be_opened_raw(void **state)
{
    static const uint8_t cdb[12] = {0xa0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0};
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    uint8_t buf[256];
    uint64_t luns[8];
    uint32_t len = 0;
    rig = rig_start(three_luns);
    const char *url = rig_url(rig_port(rig), 7, NULL);
    assert_int_equal(iskra_open_sync(ctx, url, &lun, &err), -ENXIO);
    assert_int_equal(iskra_open_raw_sync(ctx, url, &lun, &err), 0);
    int rc = iskra_raw_sync(lun, cdb, sizeof(cdb), buf, sizeof(buf), &len, &err);
    if (rc)
        fail_msg("%s", err.text);
    assert_int_equal(iskra_luns_parse(buf, len, luns, 8, NULL), 3);
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void step_taken(void *arg, const struct iskra_trace_record *rec)
{
    unsigned *cnt = arg;
    if (rec->kind == ISKRA_TRACE_ENTER) {
        assert_string_not_equal(iskra_step_name(rec->what), "?");
        assert_non_null(iskra_step_detail_word(rec->what, rec->a));
        (*cnt)++;
    }
}

static void the_steps_of_a_read_are_told_while_somebody_listens(void **state)
{
    struct iskra_lun *lun = NULL;
    uint8_t block[512];
    unsigned cnt = 0;
    rig = rig_start(NULL);
    assert_int_equal(iskra_open_sync(ctx, rig_url(rig_port(rig), 0, NULL), &lun, NULL), 0);
    iskra_trace_steps(ctx, step_taken, &cnt);
    assert_int_equal(iskra_read_sync(lun, block, sizeof(block), 0, NULL), 0);
    iskra_trace_steps(ctx, NULL, NULL);
    assert_true(cnt > 20);
    unsigned before = cnt;
    assert_int_equal(iskra_read_sync(lun, block, sizeof(block), 0, NULL), 0);
    assert_int_equal(cnt, before);
    iskra_close_sync(lun);
}

static void an_initiator_tells_its_name_and_when_it_wants_to_run(void **state)
{
    struct found f = {0};
    struct iskra_lun *lun = NULL;
    rig = rig_start(NULL);
    assert_string_equal(iskra_initiator_name(ctx), "iqn.2026-11.io.iskra.test:look");
    assert_string_equal(iskra_initiator_name_source(ctx), "option");
    assert_int_equal(iskra_timeout_ns(ctx), -1); /* nothing is pending */
    assert_int_equal(iskra_luns(ctx, rig_url(rig_port(rig), 0, NULL), count_lun, over, &f, NULL),
                     0);
    assert_true(iskra_timeout_ns(ctx) >= 0); /* at the latest when the login is too late */
    run_until_told(&f);
    assert_int_equal(iskra_open_sync(ctx, rig_url(rig_port(rig), 0, NULL), &lun, NULL), 0);
    assert_ptr_equal(iskra_lun_ctx(lun), ctx);
    iskra_close_sync(lun);
    unsigned major, minor, patch;
    assert_int_equal(sscanf(iskra_version(), "%u.%u.%u", &major, &minor, &patch), 3);
    assert_string_equal(iskra_conn_error_name(ISKRA_CONN_DATASN), "DATASN");
    assert_string_equal(iskra_conn_error_name(7), "?");
}

#define CASE(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(a_portal_is_asked_for_its_targets_without_waiting),
        CASE(the_luns_of_two_searches_at_a_time_are_all_told),
        CASE(a_function_that_returns_something_ends_the_search_with_it),
        CASE(a_login_that_fails_is_told_with_its_story_and_an_event),
        CASE(a_bad_url_is_told_at_once),
        CASE(a_search_is_told_once_of_the_end_of_its_initiator),
        CASE(a_session_tells_when_it_comes_and_goes_and_what_it_did),
        CASE(large_writes_count_their_r2ts),
        CASE(a_unit_attention_is_an_event_and_the_read_is_done_again),
        CASE(a_raw_lun_is_asked_nothing_and_takes_nothing_but_raw_commands),
        CASE(a_lun_that_does_not_exist_can_be_opened_raw),
        CASE(the_steps_of_a_read_are_told_while_somebody_listens),
        CASE(an_initiator_tells_its_name_and_when_it_wants_to_run),
        CASE(a_session_that_is_lost_and_given_up_is_two_events_with_the_reason),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
