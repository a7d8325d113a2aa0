/* What a session finds when it is back: LUNs that do not say what they are. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "stack/bent.h"
#include "stack/rig.h"
#include "stack/told.h"

#define SECOND UINT64_C(1000000000)

static struct rig *rig;
static struct iskra *ctx;
static struct bent bent;
static struct told told;
static const char *fault; /* of the next rig; NULL: none */

static void change(struct iskra_target_options *opts)
{
    opts->faults = &fault;
    opts->fault_cnt = fault != NULL;
}

static int setup(void **state)
{
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:return",
                                 .platform = &bent.pf,
                                 .event = told_take,
                                 .event_arg = &told};
    bent_init(&bent, &rig);
    told_forget(&told);
    fault = NULL;
    rig = rig_start(change);
    return iskra_new(&opts, &ctx, NULL);
}

static int teardown(void **state)
{
    iskra_free(ctx);
    rig_stop(rig);
    return 0;
}

static void restart(const char *spec)
{
    rig_stop(rig);
    fault = spec;
    rig = rig_start(change);
}

static struct iskra_lun *open_lun(const char *keys)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    if (iskra_open_sync(ctx, rig_url(3260, 0, keys), &lun, &err) != 0)
        fail_msg("%s", err.text);
    return lun;
}

struct req {
    struct iskra_io io;
    unsigned done_cnt;
    struct iovec iov;
    uint8_t block[512];
};

static void req_done(struct iskra_io *io)
{
    ((struct req *)io)->done_cnt++;
}

static void req_start(struct req *q, struct iskra_lun *lun)
{
    q->done_cnt = 0;
    q->iov = (struct iovec){q->block, sizeof(q->block)};
    q->io = (struct iskra_io){
        .op = ISKRA_READ, .iov = &q->iov, .iov_cnt = 1, .len = sizeof(q->block), .done = req_done};
    assert_int_equal(iskra_submit(lun, &q->io), 0);
}

static void req_wait(const struct req *q)
{
    while (q->done_cnt == 0)
        assert_int_equal(iskra_run_once(ctx, SECOND / 100), 0);
    assert_int_equal(q->done_cnt, 1);
}

static void who_logs_in_and_does_not_say_what_it_is_is_given_up_until_it_does(void **state)
{
    struct iskra_lun *lun = open_lun("replacement_timeout=20");
    static struct req q;

    restart("sense=4/44/00:command(inquiry)#1+x3");
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERING, 1);
    req_start(&q, lun);
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERED, 1);
    while (told_status(ctx).in_flight_cnt > 0)
        assert_int_equal(iskra_run_once(ctx, SECOND / 100), 0);
    struct iskra_session_status st = told_status(ctx);
    assert_string_equal(st.session_state, "LOGGED_IN");
    assert_int_equal(st.reopening, 0);
    assert_int_equal(st.checking_cnt, 1);
    assert_true(st.replacement_ns > 0 && st.replacement_ns <= (int64_t)(20 * SECOND));
    assert_int_equal(q.done_cnt, 0);

    bent.skew_ns += 20 * SECOND; /* it is asked again only once by then */
    const struct iskra_event *ev = told_wait(&told, ctx, ISKRA_EVENT_SESSION_GIVEN_UP, 1);
    assert_non_null(strstr(ev->error.text, "logged in again, but 1 of its LUNs"));
    req_wait(&q);
    assert_int_equal(q.io.status, -ETIMEDOUT);
    assert_non_null(strstr(q.io.error.text, "has not told after a new login"));
    assert_int_equal(told_status(ctx).replacement_ns, 0);

    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERED, 2);
    assert_int_equal(told_status(ctx).checking_cnt, 0);
    req_start(&q, lun);
    req_wait(&q);
    assert_int_equal(q.io.status, 0);
    assert_memory_equal(q.block, rig_content(rig), sizeof(q.block));
    assert_int_equal(told_cnt(&told, ISKRA_EVENT_SESSION_GIVEN_UP), 1);
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void who_is_closed_meanwhile_was_not_back(void **state)
{
    struct iskra_lun *lun = open_lun("replacement_timeout=20");

    restart("sense=4/44/00:command(inquiry)");
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERED, 1);
    bent.skew_ns += 20 * SECOND;
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_GIVEN_UP, 1);
    assert_int_equal(iskra_close_sync(lun), 0);
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_CLOSED, 1);
    assert_int_equal(told_cnt(&told, ISKRA_EVENT_SESSION_RECOVERED), 1);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(who_logs_in_and_does_not_say_what_it_is_is_given_up_until_it_does),
        TEST(who_is_closed_meanwhile_was_not_back),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
