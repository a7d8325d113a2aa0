/* Closing LUNs, and freeing the initiator, through the whole library while requests have no answer:
 * each is done() once, and nobody waits for the target. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>

#include <cmocka.h>

#include "stack/lossy.h"
#include "stack/proxy.h"

static struct req *victim;
static unsigned closed_cnt;

static void closed(void *arg)
{
    closed_cnt++;
}

static void hundreds_in_flight_are_ended_by_a_close(void **state)
{
    enum {
        CNT = 400
    };
    static struct req *q[CNT];
    lossy_begin("delay=100ms:command(read)#50", NULL);
    struct iskra_lun *lun = lossy_open(0, "queue_depth=100");
    for (int i = 0; i < CNT; i++)
        q[i] = req_start(lun, ISKRA_READ, 0, 65536);
    lossy_rounds(1);
    assert_int_equal(iskra_close_sync(lun), 0);
    for (int i = 0; i < CNT; i++) {
        assert_int_equal(q[i]->done_cnt, 1);
        assert_true(q[i]->io.status == 0 || q[i]->io.status == -ECANCELED);
        req_free(q[i]);
    }
    lossy_end();
}

/* Its own time limit is far away: after a while it is cancelled, and the others of the session do
 * not suffer. */
static void a_request_without_an_answer_does_not_keep_a_close_waiting(void **state)
{
    lossy_begin("drop:command(read)#1", NULL);
    struct iskra_lun *lun = lossy_open(0, "timeout=600"), *other = lossy_open(0, "timeout=600");
    struct req *q = req_start(lun, ISKRA_READ, 0, 4096);
    closed_cnt = 0;
    iskra_close(lun, closed, NULL);
    lossy_rounds(2);
    assert_int_equal(q->done_cnt, 0);
    lossy.bent.skew_ns += 5 * SECOND;
    lossy_run_until(&closed_cnt, 1);
    req_was_canceled(q);
    req_free(q);
    lossy_works(other);
    assert_int_equal(iskra_close_sync(other), 0);
    lossy_end();
}

static void a_detached_request_does_not_keep_a_close_waiting_either(void **state)
{
    lossy_begin("drop:command(read)#1", NULL);
    struct iskra_lun *lun = lossy_open(0, "timeout=600");
    struct req *q = req_start(lun, ISKRA_READ, 0, 4096);
    lossy_rounds(1);
    assert_int_equal(iskra_detach(&q->io), 0);
    req_free(q);
    assert_int_equal(iskra_close_sync(lun), 0);
    lossy_end();
}

static void a_session_that_is_down_is_closed_at_once(void **state)
{
    lossy_begin(NULL, NULL);
    struct proxy *p = proxy_start(rig_port(lossy.rig));
    struct iskra_lun *lun = NULL;
    assert_int_equal(
        iskra_open_sync(lossy.ctx, rig_url(proxy_port(p), 0, "timeout=600"), &lun, NULL), 0);
    proxy_hold(p, 1);
    struct req *q = req_start(lun, ISKRA_READ, 0, 4096);
    lossy_rounds(1);
    proxy_cut(p);
    closed_cnt = 0;
    iskra_close(lun, closed, NULL);
    lossy_run_until(&closed_cnt, 1);
    assert_int_equal(q->done_cnt, 1);
    assert_true(q->io.status < 0);
    req_free(q);
    proxy_stop(p);
    lossy_end();
}

static struct iskra_lun *lun_of_done;

static void close_from_done(struct req *q)
{
    if (closed_cnt++ == 0)
        iskra_close(lun_of_done, closed, NULL);
    (void)iskra_cancel(&victim->io);
}

static void a_lun_is_closed_from_inside_done(void **state)
{
    lossy_begin("drop:command(read)#2", NULL);
    lun_of_done = lossy_open(0, NULL);
    closed_cnt = 0;
    struct req *q = req_start(lun_of_done, ISKRA_READ, 0, 4096);
    q->then = close_from_done;
    victim = req_start(lun_of_done, ISKRA_READ, 0, 4096);
    lossy_run_until(&closed_cnt, 2);
    assert_int_equal(q->done_cnt, 1);
    req_was_canceled(victim);
    req_free(q);
    req_free(victim);
    lossy_end();
}

/* ---- freeing the initiator ---- */

static void freeing_the_initiator_ends_what_is_cancelled_and_detached(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        lossy_begin("drop:command(read)#1+2", NULL);
        struct iskra_lun *lun = lossy_open(0, NULL);
        struct req *q[8];
        for (int k = 0; k < 8; k++)
            q[k] = req_start(lun, ISKRA_READ, 0, 65536);
        lossy_rounds(i);
        for (int k = 0; k < 8; k++)
            if (k % 2)
                (void)iskra_cancel(&q[k]->io);
            else if (iskra_detach(&q[k]->io) == 0)
                q[k]->done_cnt = 1;
        lossy_end();
        for (int k = 0; k < 8; k++) {
            assert_int_equal(q[k]->done_cnt, 1);
            req_free(q[k]);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hundreds_in_flight_are_ended_by_a_close),
        cmocka_unit_test(a_request_without_an_answer_does_not_keep_a_close_waiting),
        cmocka_unit_test(a_detached_request_does_not_keep_a_close_waiting_either),
        cmocka_unit_test(a_session_that_is_down_is_closed_at_once),
        cmocka_unit_test(a_lun_is_closed_from_inside_done),
        cmocka_unit_test(freeing_the_initiator_ends_what_is_cancelled_and_detached),
    };
    return cmocka_run_group_tests_name("close", tests, NULL, NULL);
}
