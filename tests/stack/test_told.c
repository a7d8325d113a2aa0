/* What a target tells of its own accord, and what becomes of requests under way: Async Messages,
 * and redirects of a session that comes back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "stack/bent.h"
#include "stack/rig.h"
#include "stack/teller.h"
#include "stack/told.h"

#define SECOND  UINT64_C(1000000000)
#define REQ_CNT 16u
#define LEN     65536u

static struct rig *rig;
static struct teller *teller;
static struct iskra *ctx;
static struct iskra_lun *lun;
static struct bent bent;
static struct told told;

static int setup(void **state)
{
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:told",
                                 .platform = &bent.pf,
                                 .event = told_take,
                                 .event_arg = &told};
    struct iskra_error err = {0};
    bent_init(&bent, NULL);
    told_forget(&told);
    rig = rig_start(NULL);
    teller = teller_start(rig_port(rig));
    assert_int_equal(iskra_new(&opts, &ctx, NULL), 0);
    if (iskra_open_sync(ctx, rig_url(teller_port(teller), 0, NULL), &lun, &err) != 0)
        fail_msg("%s", err.text);
    return 0;
}

static int teardown(void **state)
{
    iskra_free(ctx);
    teller_stop(teller);
    rig_stop(rig);
    return 0;
}

/* ---- requests, which must not notice ---- */

static struct req {
    struct iskra_io io;
    unsigned done_cnt;
    struct iovec iov;
    uint8_t buf[LEN];
} reqs[REQ_CNT];

static void req_done(struct iskra_io *io)
{
    ((struct req *)io)->done_cnt++;
}

/* Reads, and writes of what is there already. */
static void start(void)
{
    for (unsigned i = 0; i < REQ_CNT; i++) {
        struct req *q = &reqs[i];
        bool write = i % 2 != 0;
        memset(q, 0, sizeof(*q));
        if (write)
            memcpy(q->buf, rig_content(rig) + i * LEN, LEN);
        q->iov = (struct iovec){q->buf, LEN};
        q->io = (struct iskra_io){.op = write ? ISKRA_WRITE : ISKRA_READ,
                                  .offset = (uint64_t)i * LEN,
                                  .iov = &q->iov,
                                  .iov_cnt = 1,
                                  .len = LEN,
                                  .done = req_done};
        assert_int_equal(iskra_submit(lun, &q->io), 0);
    }
}

static void all_are_right(void)
{
    for (unsigned i = 0; i < REQ_CNT; i++) {
        while (reqs[i].done_cnt == 0)
            assert_int_equal(iskra_run_once(ctx, SECOND / 100), 0);
        if (reqs[i].io.status != 0)
            fail_msg("request %u: %s", i, reqs[i].io.error.text);
        assert_int_equal(reqs[i].done_cnt, 1);
        assert_memory_equal(reqs[i].buf, rig_content(rig) + i * LEN, LEN);
    }
}

/* ---- Async Messages ---- */

/* A round trip behind it: it has been received. */
static void tell(const struct teller_async *async)
{
    start();
    teller_async(teller, async);
    told_wait(&told, ctx, ISKRA_EVENT_ASYNC_MESSAGE, 1);
    const struct iskra_event *ev = told_first(&told, ISKRA_EVENT_ASYNC_MESSAGE);
    assert_int_equal(ev->async_event, async->event);
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(ev->async_param[i], async->param[i]);
}

static void a_message_that_asks_for_nothing_changes_nothing(void **state)
{
    static const struct teller_async scsi = {
        .event = 0, .sense = {0x70, 0, 6, [7] = 10, [12] = 0x3f, [13] = 0x0e}, .sense_len = 18};
    static const struct teller_async vendor = {.event = 255, .param = {1, 2, 3}};

    tell(&scsi);
    assert_int_equal(told_first(&told, ISKRA_EVENT_ASYNC_MESSAGE)->asc, 0x3f);
    assert_int_equal(told_first(&told, ISKRA_EVENT_ASYNC_MESSAGE)->ascq, 0x0e);
    all_are_right();
    told_forget(&told);
    tell(&vendor);
    all_are_right();
    start();
    all_are_right();
    assert_null(told_first(&told, ISKRA_EVENT_SESSION_RECOVERING));
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void a_target_that_wants_to_negotiate_does_so_within_the_session(void **state)
{
    static const struct teller_async negotiate = {.event = 4, .param = {0, 0, 3}};

    tell(&negotiate);
    all_are_right();
    start();
    all_are_right();
    assert_null(told_first(&told, ISKRA_EVENT_SESSION_RECOVERING));
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void a_target_that_asks_for_a_logout_gets_it_and_another_login(void **state)
{
    static const struct teller_async logout = {.event = 1, .param = {0, 0, 3}};

    tell(&logout);
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERED, 1);
    assert_non_null(strstr(told_first(&told, ISKRA_EVENT_SESSION_RECOVERING)->error.text,
                           "asked for a logout within 3 s"));
    all_are_right();
    assert_null(told_first(&told, ISKRA_EVENT_SESSION_LOST));
    assert_int_equal(iskra_close_sync(lun), 0);
}

static void a_target_that_drops_the_session_is_left_alone_as_long_as_it_says(void **state)
{
    for (uint8_t event = 2; event <= 3; event++) {
        const struct teller_async drop = {.event = event, .param = {0, 20, 0}};
        told_forget(&told);
        tell(&drop);
        told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERING, 1);
        struct iskra_session_status st = told_status(ctx);
        assert_true(st.reopening);
        assert_int_equal(st.attempt, 0);
        assert_in_range(st.next_attempt_ns, 15 * SECOND, 20 * SECOND);
        bent.skew_ns += st.next_attempt_ns - SECOND;
        assert_int_equal(iskra_run_once(ctx, SECOND / 100), 0);
        assert_null(told_first(&told, ISKRA_EVENT_SESSION_RECOVERED));
        bent.skew_ns += SECOND;
        told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERED, 1);
        all_are_right();
    }
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* ---- redirects ---- */

static bool at_port(uint16_t port)
{
    struct iskra_session_info info;
    char text[32];
    iskra_session_info(lun, &info);
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", port);
    return strcmp(info.portal_address, text) == 0;
}

/* Cut, and let time pass until it is back. */
static void cut_and_wait(void)
{
    told_forget(&told);
    start();
    teller_cut(teller);
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERING, 1);
    while (told_first(&told, ISKRA_EVENT_SESSION_RECOVERED) == NULL) {
        assert_int_equal(iskra_run_once(ctx, SECOND / 100), 0);
        bent.skew_ns += SECOND / 50;
    }
}

/* Decision 26: old writes may still be on their way to the disk. */
static void a_session_that_is_sent_elsewhere_waits_before_commands_are_repeated_there(void **state)
{
    assert_true(at_port(teller_port(teller)));
    teller_redirect(teller, rig_port(rig), 1);
    uint64_t before_ns = bent.pf.now_ns(&bent);
    cut_and_wait();
    assert_true(bent.pf.now_ns(&bent) - before_ns >= 2 * SECOND);
    assert_true(at_port(rig_port(rig)));
    assert_true(teller_redirected(teller) >= 1);
    all_are_right();
    assert_int_equal(iskra_close_sync(lun), 0);
}

/* RFC 7143 11.13.5: 0101 is for this time only. The second loss is the rig's: the first address is
 * asked again. */
static void a_redirect_for_now_is_not_remembered(void **state)
{
    struct teller *other = teller_start(rig_port(rig));
    teller_redirect(teller, teller_port(other), 1);
    cut_and_wait();
    assert_true(at_port(teller_port(other)));
    all_are_right();
    teller_redirect(teller, 0, 0);
    told_forget(&told);
    bent.skew_ns += SECOND; /* the life was long enough to be of use */
    start();
    teller_cut(other);
    told_wait(&told, ctx, ISKRA_EVENT_SESSION_RECOVERING, 1);
    while (told_first(&told, ISKRA_EVENT_SESSION_RECOVERED) == NULL) {
        assert_int_equal(iskra_run_once(ctx, SECOND / 100), 0);
        bent.skew_ns += SECOND / 50;
    }
    assert_true(at_port(teller_port(teller)));
    all_are_right();
    assert_int_equal(iskra_close_sync(lun), 0);
    teller_stop(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_message_that_asks_for_nothing_changes_nothing),
        TEST(a_target_that_wants_to_negotiate_does_so_within_the_session),
        TEST(a_target_that_asks_for_a_logout_gets_it_and_another_login),
        TEST(a_target_that_drops_the_session_is_left_alone_as_long_as_it_says),
        TEST(a_session_that_is_sent_elsewhere_waits_before_commands_are_repeated_there),
        TEST(a_redirect_for_now_is_not_remembered),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
