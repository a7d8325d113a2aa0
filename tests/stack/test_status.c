/* Sessions seen by iskra_sessions(): what they do, and that looking changes nothing. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "stack/proxy.h"
#include "stack/rig.h"

#define SEEN_MAX 4u
#define WAIT_NS  UINT64_C(5000000000)

static struct rig *rig;
static struct proxy *proxy;
static struct iskra *ctx;

struct seen {
    unsigned cnt, stop_at; /* 0: at none */
    struct iskra_session_status list[SEEN_MAX];
};

static int see(void *arg, const struct iskra_session_status *status)
{
    struct seen *seen = arg;
    assert_true(seen->cnt < SEEN_MAX);
    assert_true(status->size == sizeof(*status));
    seen->list[seen->cnt++] = *status;
    return seen->cnt == seen->stop_at ? 77 : 0;
}

static int setup(void **state)
{
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:status"};
    rig = rig_start(NULL);
    proxy = proxy_start(rig_port(rig));
    return iskra_new(&opts, &ctx, NULL);
}

static int teardown(void **state)
{
    iskra_free(ctx);
    if (proxy != NULL)
        proxy_stop(proxy);
    rig_stop(rig);
    return 0;
}

static struct iskra_lun *open_lun(uint16_t port, const char *keys)
{
    struct iskra_lun *lun = NULL;
    struct iskra_error err = {0};
    if (iskra_open_sync(ctx, rig_url(port, 0, keys), &lun, &err) != 0)
        fail_msg("%s", err.text);
    return lun;
}

static void an_initiator_without_sessions_shows_none(void **state)
{
    struct seen seen = {0};
    assert_int_equal(iskra_sessions(ctx, see, &seen), 0);
    assert_int_equal(seen.cnt, 0);
}

static void a_session_at_rest_says_so(void **state)
{
    struct seen seen = {0};
    struct iskra_session_info info;
    uint8_t block[512];
    struct iskra_lun *lun = open_lun(rig_port(rig), NULL);
    assert_int_equal(iskra_read_sync(lun, block, sizeof(block), 0, NULL), 0);
    iskra_session_info(lun, &info);
    assert_int_equal(iskra_sessions(ctx, see, &seen), 0);
    assert_int_equal(seen.cnt, 1);
    const struct iskra_session_status *st = &seen.list[0];
    assert_int_equal(st->sid, info.sid);
    assert_string_equal(st->target_name, RIG_NAME);
    assert_string_equal(st->portal_address, info.portal_address);
    assert_memory_equal(st->isid, info.isid, sizeof(st->isid));
    assert_int_equal(st->tsih, info.tsih);
    assert_string_equal(st->session_state, "LOGGED_IN");
    assert_string_equal(st->class_state, "LOGGED_IN");
    assert_string_equal(st->initiator_state, "LOGGED_IN");
    assert_string_equal(st->host_state, "RUNNING");
    assert_string_equal(st->rung, "NONE");
    assert_string_equal(st->command, "");
    assert_int_equal(st->reopening + st->failed_cnt + st->wait_cnt, 0);
    assert_int_equal(st->in_flight_cnt + st->queued_cnt, 0);
    assert_int_equal(st->stats.logins, 1);
    assert_true(st->stats.commands > 1);
    iskra_close_sync(lun);
    seen.cnt = 0;
    assert_int_equal(iskra_sessions(ctx, see, &seen), 0);
    assert_int_equal(seen.cnt, 0);
}

static void done(struct iskra_io *io)
{
    *(unsigned *)io->user += 1;
}

static void what_is_out_and_what_waits_is_counted(void **state)
{
    static uint8_t block[3][512];
    struct iovec iov[3];
    struct iskra_io io[3] = {{0}};
    unsigned done_cnt = 0;
    struct iskra_lun *lun = open_lun(proxy_port(proxy), "queue_depth=2&noop_interval=0");
    proxy_hold(proxy, 1);
    for (int i = 0; i < 3; i++) {
        iov[i] = (struct iovec){block[i], sizeof(block[i])};
        io[i] = (struct iskra_io){.op = ISKRA_READ,
                                  .iov = &iov[i],
                                  .iov_cnt = 1,
                                  .len = sizeof(block[i]),
                                  .done = done,
                                  .user = &done_cnt};
        assert_int_equal(iskra_submit(lun, &io[i]), 0);
    }
    struct seen seen = {0};
    assert_int_equal(iskra_sessions(ctx, see, &seen), 0);
    assert_int_equal(seen.cnt, 1);
    assert_int_equal(seen.list[0].in_flight_cnt, 2);
    assert_int_equal(seen.list[0].queued_cnt, 1);
    uint64_t oldest_ns = seen.list[0].oldest_ns;
    assert_true(oldest_ns > 0);
    usleep(2000);
    seen.cnt = 0;
    assert_int_equal(iskra_sessions(ctx, see, &seen), 0);
    assert_true(seen.list[0].oldest_ns >=
                oldest_ns + 2000000); /* as of now, not of the last round */
    proxy_hold(proxy, 0);
    while (done_cnt < 3)
        assert_int_equal(iskra_run_once(ctx, WAIT_NS), 0);
    seen.cnt = 0;
    assert_int_equal(iskra_sessions(ctx, see, &seen), 0);
    assert_int_equal(seen.list[0].in_flight_cnt + seen.list[0].queued_cnt, 0);
    assert_int_equal(seen.list[0].oldest_ns, 0);
    iskra_close_sync(lun);
}

/* Rounds, until the only session is being opened again and a try has failed. */
static void wait_for_a_failed_try(struct seen *seen)
{
    do {
        assert_int_equal(iskra_run_once(ctx, WAIT_NS), 0);
        seen->cnt = 0;
        assert_int_equal(iskra_sessions(ctx, see, seen), 0);
        assert_int_equal(seen->cnt, 1);
    } while (!seen->list[0].reopening || seen->list[0].attempt < 2);
}

static void a_lost_session_says_when_it_is_tried_again(void **state)
{
    struct seen seen = {0};
    struct iskra_lun *lun = open_lun(proxy_port(proxy), NULL);
    proxy_stop(proxy); /* nobody listens there any more */
    proxy = NULL;
    wait_for_a_failed_try(&seen);
    const struct iskra_session_status *st = &seen.list[0];
    assert_string_equal(st->class_state, "FAILED");
    assert_string_equal(st->session_state, "IN_RECOVERY");
    assert_true(st->lost_ns > 0);
    assert_true(st->next_attempt_ns < UINT64_C(4000000000));
    assert_true(st->replacement_ns > 0 && st->replacement_ns <= INT64_C(120000000000));
    if (strstr(st->error_text, "refused") == NULL)
        fail_msg("%s", st->error_text);
    iskra_close_sync(lun);
}

static void without_a_limit_what_waits_for_a_session_waits_for_ever(void **state)
{
    struct seen seen = {0};
    struct iskra_lun *lun = open_lun(proxy_port(proxy), "replacement_timeout=-1");
    proxy_stop(proxy);
    proxy = NULL;
    wait_for_a_failed_try(&seen);
    assert_true(seen.list[0].replacement_ns == -1);
    iskra_close_sync(lun);
}

static void each_session_is_shown_until_fn_has_seen_enough(void **state)
{
    struct seen seen = {0};
    struct iskra_lun *one = open_lun(rig_port(rig), NULL);
    struct iskra_lun *other = open_lun(rig_port(rig), "queue_depth=7");
    assert_int_equal(iskra_sessions(ctx, see, &seen), 0);
    assert_int_equal(seen.cnt, 2);
    assert_int_not_equal(seen.list[0].sid, seen.list[1].sid);
    seen = (struct seen){.stop_at = 1};
    assert_int_equal(iskra_sessions(ctx, see, &seen), 77);
    assert_int_equal(seen.cnt, 1);
    iskra_close_sync(one);
    iskra_close_sync(other);
}

static void a_forked_child_is_shown_nothing(void **state)
{
    struct iskra_lun *lun = open_lun(rig_port(rig), NULL);
    pid_t pid = fork();
    if (pid == 0) {
        struct seen seen = {0};
        _exit(iskra_sessions(ctx, see, &seen) == -EPERM && seen.cnt == 0 ? 0 : 1);
    }
    int status = 0;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_int_equal(status, 0);
    iskra_close_sync(lun);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_initiator_without_sessions_shows_none, setup, teardown),
        cmocka_unit_test_setup_teardown(a_session_at_rest_says_so, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_out_and_what_waits_is_counted, setup, teardown),
        cmocka_unit_test_setup_teardown(a_lost_session_says_when_it_is_tried_again, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(without_a_limit_what_waits_for_a_session_waits_for_ever,
                                        setup, teardown),
        cmocka_unit_test_setup_teardown(each_session_is_shown_until_fn_has_seen_enough, setup,
                                        teardown),
        cmocka_unit_test_setup_teardown(a_forked_child_is_shown_nothing, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
