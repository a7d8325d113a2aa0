/* Cancelling requests and opens through the whole library, against a target that answers, stalls,
 * loses answers or is late: done() once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>

#include <cmocka.h>

#include "stack/lossy.h"
#include "stack/proxy.h"

/* ---- a request ---- */

static void a_request_that_was_never_submitted_or_is_over_cannot_be_cancelled(void **state)
{
    lossy_begin(NULL, NULL);
    struct iskra_lun *lun = lossy_open(0, NULL);
    struct req *q = req_new(ISKRA_READ, 0, 4096);
    assert_int_equal(iskra_cancel(&q->io), -EALREADY);
    assert_int_equal(iskra_detach(&q->io), -EALREADY);
    assert_int_equal(iskra_submit(lun, &q->io), 0);
    lossy_run_until(&q->done_cnt, 1);
    assert_int_equal(iskra_cancel(&q->io), -EALREADY);
    assert_int_equal(iskra_detach(&q->io), -EALREADY);
    assert_int_equal(q->io.status, 0);
    assert_int_equal(iskra_close_sync(lun), 0);
    assert_int_equal(iskra_cancel(&q->io), -EALREADY); /* its device is gone */
    assert_int_equal(iskra_detach(&q->io), -EALREADY);
    req_free(q);
    lossy_end();
}

static void a_queued_request_is_cancelled_and_the_sent_one_before_it_not(void **state)
{
    lossy_begin(NULL, NULL);
    struct iskra_lun *lun = lossy_open(0, "queue_depth=1");
    struct req *out = req_start(lun, ISKRA_READ, 0, 65536),
               *queued = req_start(lun, ISKRA_READ, 0, 65536);
    assert_int_equal(iskra_cancel(&queued->io), 0);
    assert_int_equal(queued->done_cnt, 0); /* never from inside */
    lossy_run_until(&queued->done_cnt, 1);
    lossy_run_until(&out->done_cnt, 1);
    req_was_canceled(queued);
    assert_int_equal(out->io.status, 0);
    req_free(out);
    req_free(queued);
    assert_int_equal(iskra_close_sync(lun), 0);
    lossy_end();
}

/* The command was lost: the target says that it knows no such task. */
static void a_request_that_the_target_lost_is_cancelled(void **state)
{
    lossy_begin("drop:command(read)#1", NULL);
    struct iskra_lun *lun = lossy_open(0, NULL);
    struct req *q = req_start(lun, ISKRA_READ, 0, 65536);
    lossy_rounds(3);
    assert_int_equal(q->done_cnt, 0);
    assert_int_equal(iskra_cancel(&q->io), 0);
    lossy_run_until(&q->done_cnt, 1);
    req_was_canceled(q);
    req_free(q);
    lossy_works(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    lossy_end();
}

/* The target waits for data that it asked for in an R2T that got lost. */
static void a_write_that_waits_for_its_r2t_is_cancelled(void **state)
{
    lossy_begin("drop:r2t#1", NULL);
    struct iskra_lun *lun = lossy_open(0, "immediate_data=no&initial_r2t=yes");
    struct req *q = req_start(lun, ISKRA_WRITE, 0, 262144);
    lossy_rounds(3);
    assert_int_equal(q->done_cnt, 0);
    assert_int_equal(iskra_cancel(&q->io), 0);
    lossy_run_until(&q->done_cnt, 1);
    req_was_canceled(q);
    req_free(q);
    lossy_works(lun); /* not a byte of it was written */
    assert_int_equal(iskra_close_sync(lun), 0);
    lossy_end();
}

/* All data is in, the status got lost: the target has no such task any more. */
static void a_read_whose_status_got_lost_is_cancelled(void **state)
{
    lossy.separate_status = true;
    lossy_begin("drop:scsi-response(read)#1", NULL);
    lossy.separate_status = false;
    struct iskra_lun *lun = lossy_open(0, NULL);
    struct req *q = req_start(lun, ISKRA_READ, 0, 65536);
    lossy_rounds(3);
    assert_int_equal(q->done_cnt, 0);
    assert_int_equal(iskra_cancel(&q->io), 0);
    lossy_run_until(&q->done_cnt, 1);
    req_was_canceled(q);
    req_free(q);
    lossy_works(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    lossy_end();
}

static void a_status_that_is_on_its_way_wins(void **state)
{
    lossy_begin("delay=100ms:data-in(read)#2", NULL);
    struct iskra_lun *lun = lossy_open(0, "max_recv=8192");
    struct req *q = req_start(lun, ISKRA_READ, 0, 65536);
    lossy_rounds(3); /* the first Data-In is in, the others and the status come late */
    assert_int_equal(q->done_cnt, 0);
    assert_int_equal(iskra_cancel(&q->io), 0);
    lossy_run_until(&q->done_cnt, 1);
    assert_int_equal(q->io.status, 0);
    assert_memory_equal(q->data, rig_content(lossy.rig), 65536);
    req_free(q);
    lossy_works(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    lossy_end();
}

static void an_answer_to_an_abort_may_be_late(void **state)
{
    lossy_begin("drop:command(read)#1", "delay=100ms:tmf-response");
    struct iskra_lun *lun = lossy_open(0, NULL);
    struct req *q = req_start(lun, ISKRA_READ, 0, 65536);
    lossy_rounds(2);
    assert_int_equal(iskra_cancel(&q->io), 0);
    lossy_run_until(&q->done_cnt, 1);
    req_was_canceled(q);
    req_free(q);
    lossy_works(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    lossy_end();
}

static void an_abort_without_an_answer_costs_the_connection_and_ends_the_request(void **state)
{
    static const char *const silent[] = {"drop:tmf-response", "drop:tmf", "stall:tmf"};
    for (int i = 0; i < 3; i++) {
        lossy_begin("drop:command(read)#1", silent[i]);
        struct iskra_lun *lun = lossy_open(0, "abort_timeout=20");
        struct req *q = req_start(lun, ISKRA_READ, 0, 65536);
        lossy_rounds(2);
        assert_int_equal(iskra_cancel(&q->io), 0);
        lossy_rounds(2);
        assert_int_equal(q->done_cnt, 0);
        lossy.bent.skew_ns += 20 * SECOND;
        lossy_run_until(&q->done_cnt, 1);
        req_was_canceled(q);
        req_free(q);
        struct req *next = req_start(lun, ISKRA_READ, 0, 4096);
        lossy_run_until(&next->done_cnt, 1);
        assert_int_equal(next->io.status, 0); /* on the next one */
        req_free(next);
        assert_int_equal(iskra_close_sync(lun), 0);
        lossy_end();
    }
}

static void a_target_that_refuses_to_abort_leaves_the_request_its_timeout(void **state)
{
    static const char *const answers[] = {"field=response=5:tmf-response",
                                          "field=response=255:tmf-response"};
    for (int i = 0; i < 2; i++) {
        lossy_begin("drop:command(read)#1", answers[i]);
        struct iskra_lun *lun = lossy_open(0, "timeout=0.5");
        struct req *q = req_start(lun, ISKRA_READ, 0, 65536);
        lossy_rounds(2);
        assert_int_equal(iskra_cancel(&q->io), 0);
        lossy_run_until(&q->done_cnt, 1);
        assert_int_equal(q->io.status, -ETIMEDOUT);
        req_free(q);
        assert_int_equal(iskra_close_sync(lun), 0);
        lossy_end();
    }
}

static void a_session_that_is_cut_ends_what_was_to_be_cancelled(void **state)
{
    lossy_begin(NULL, NULL);
    struct proxy *p = proxy_start(rig_port(lossy.rig));
    struct iskra_lun *lun = NULL;
    assert_int_equal(iskra_open_sync(lossy.ctx, rig_url(proxy_port(p), 0, NULL), &lun, NULL), 0);
    proxy_hold(p, 1);
    struct req *q[8];
    for (int i = 0; i < 8; i++)
        q[i] = req_start(lun, i % 2 ? ISKRA_READ : ISKRA_WRITE, 0, 65536);
    lossy_rounds(2);
    for (int i = 0; i < 8; i++)
        assert_int_equal(iskra_cancel(&q[i]->io), 0);
    lossy_rounds(2);
    proxy_cut(p);
    for (int i = 0; i < 8; i++) {
        lossy_run_until(&q[i]->done_cnt, 1);
        req_was_canceled(q[i]);
        req_free(q[i]);
    }
    assert_int_equal(iskra_close_sync(lun), 0);
    proxy_stop(p);
    lossy_end();
}

/* ---- an open ---- */

struct opening {
    unsigned cnt;
    int status;
    struct iskra_lun *lun;
};

static void opened(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct opening *o = arg;
    o->cnt++;
    o->status = status;
    o->lun = lun;
    if (status != 0)
        assert_int_equal(-status, err->sys_errno);
}

/* After so many short rounds: resolving, connecting, logging in, asking the LUN who it is. */
static void an_open_is_cancelled_at_every_stage(void **state)
{
    unsigned canceled_cnt = 0, opened_cnt = 0;
    lossy_begin(NULL, NULL);
    for (unsigned i = 0; i < 60; i++) {
        struct opening o = {0};
        assert_int_equal(
            iskra_open(lossy.ctx, rig_url(rig_port(lossy.rig), 0, NULL), opened, &o, NULL), 0);
        for (unsigned k = 0; k < i && o.cnt == 0; k++)
            assert_int_equal(iskra_run_once(lossy.ctx, SECOND), 0);
        if (o.cnt == 0) {
            assert_int_equal(iskra_open_cancel(lossy.ctx, opened, &o), 0);
            assert_int_equal(o.cnt, 0); /* never from inside */
        }
        lossy_run_until(&o.cnt, 1);
        assert_int_equal(iskra_open_cancel(lossy.ctx, opened, &o), -EALREADY);
        if (o.status == 0) {
            opened_cnt++;
            assert_int_equal(iskra_close_sync(o.lun), 0);
        } else {
            assert_int_equal(o.status, -ECANCELED);
            canceled_cnt++;
        }
        lossy_rounds(i % 3);
        assert_int_equal(o.cnt, 1);
    }
    assert_true(canceled_cnt > 5);
    assert_true(opened_cnt > 5);
    lossy_end();
}

static void an_open_that_nobody_answers_is_cancelled_at_once(void **state)
{
    static const char *const silent[] = {"stall:login", "drop:command(inquiry)#1",
                                         "drop:command(read-capacity-16)#1"};
    for (int i = 0; i < 3; i++) {
        struct opening o = {0};
        lossy_begin(silent[i], NULL);
        assert_int_equal(
            iskra_open(lossy.ctx, rig_url(rig_port(lossy.rig), 0, NULL), opened, &o, NULL), 0);
        for (int k = 0; k < 30; k++)
            assert_int_equal(iskra_run_once(lossy.ctx, 5000000), 0);
        assert_int_equal(o.cnt, 0);
        assert_int_equal(iskra_open_cancel(lossy.ctx, opened, &o), 0);
        lossy_run_until(&o.cnt, 1);
        assert_int_equal(o.status, -ECANCELED);
        lossy_end();
    }
}

static void a_cancelled_open_does_not_harm_the_one_beside_it(void **state)
{
    for (unsigned i = 0; i < 20; i += 3) {
        struct opening a = {0}, b = {0};
        lossy_begin(NULL, NULL);
        assert_int_equal(
            iskra_open(lossy.ctx, rig_url(rig_port(lossy.rig), 0, NULL), opened, &a, NULL), 0);
        assert_int_equal(
            iskra_open(lossy.ctx, rig_url(rig_port(lossy.rig), 0, NULL), opened, &b, NULL), 0);
        for (unsigned k = 0; k < i && a.cnt == 0; k++)
            assert_int_equal(iskra_run_once(lossy.ctx, SECOND), 0);
        assert_int_equal(iskra_open_cancel(lossy.ctx, opened, &a), a.cnt == 0 ? 0 : -EALREADY);
        assert_int_equal(iskra_open_cancel(lossy.ctx, opened, &lossy.ctx), -EALREADY);
        lossy_run_until(&a.cnt, 1);
        lossy_run_until(&b.cnt, 1);
        assert_int_equal(b.status, 0);
        lossy_works(b.lun);
        if (a.lun != NULL)
            assert_int_equal(iskra_close_sync(a.lun), 0);
        assert_int_equal(iskra_close_sync(b.lun), 0);
        lossy_end();
    }
}

static void freeing_the_initiator_ends_a_cancelled_open_once(void **state)
{
    for (unsigned i = 0; i < 30; i++) {
        struct opening o = {0};
        lossy_begin(NULL, NULL);
        assert_int_equal(
            iskra_open(lossy.ctx, rig_url(rig_port(lossy.rig), 0, NULL), opened, &o, NULL), 0);
        for (unsigned k = 0; k < i && o.cnt == 0; k++)
            assert_int_equal(iskra_run_once(lossy.ctx, SECOND), 0);
        (void)iskra_open_cancel(lossy.ctx, opened, &o);
        lossy_end();
        assert_int_equal(o.cnt, 1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_request_that_was_never_submitted_or_is_over_cannot_be_cancelled),
        cmocka_unit_test(a_queued_request_is_cancelled_and_the_sent_one_before_it_not),
        cmocka_unit_test(a_request_that_the_target_lost_is_cancelled),
        cmocka_unit_test(a_write_that_waits_for_its_r2t_is_cancelled),
        cmocka_unit_test(a_read_whose_status_got_lost_is_cancelled),
        cmocka_unit_test(a_status_that_is_on_its_way_wins),
        cmocka_unit_test(an_answer_to_an_abort_may_be_late),
        cmocka_unit_test(an_abort_without_an_answer_costs_the_connection_and_ends_the_request),
        cmocka_unit_test(a_target_that_refuses_to_abort_leaves_the_request_its_timeout),
        cmocka_unit_test(a_session_that_is_cut_ends_what_was_to_be_cancelled),
        cmocka_unit_test(an_open_is_cancelled_at_every_stage),
        cmocka_unit_test(an_open_that_nobody_answers_is_cancelled_at_once),
        cmocka_unit_test(a_cancelled_open_does_not_harm_the_one_beside_it),
        cmocka_unit_test(freeing_the_initiator_ends_a_cancelled_open_once),
    };
    return cmocka_run_group_tests_name("cancel", tests, NULL, NULL);
}
