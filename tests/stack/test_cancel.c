/* Cancelling, detaching and closing through the whole library, against a target that answers,
 * stalls, loses answers or is late: done() once or never, and no memory touched that was given
 * back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#include "stack/proxy.h"
#include "stack/rig.h"

#define SECOND   INT64_C(1000000000)
#define RAM_LUN  1
#define DISK_LEN (64u << 20)

static struct rig *rig;
static struct iskra *ctx;
static const char *faults[2];
static unsigned fault_cnt;
static bool separate_status;
static struct iskra_platform platform;
static uint64_t skew_ns;

/* Time passes when a test says so, too. */
static uint64_t skewed_now_ns(void *arg)
{
    return iskra_platform_posix()->now_ns(arg) + skew_ns;
}

static void with_faults(struct iskra_target_options *opts)
{
    static struct iskra_target_backend backends[2];
    backends[0] = opts->backends[0];
    backends[1] = (struct iskra_target_backend){.kind = ISKRA_TARGET_RAM, .size = DISK_LEN};
    opts->backends = backends;
    opts->backend_cnt = 2;
    opts->faults = faults;
    opts->fault_cnt = fault_cnt;
    opts->separate_status = separate_status;
}

/* A target that goes wrong in at most two ways, and an initiator. */
static void begin(const char *fault, const char *another)
{
    struct iskra_options opts = {.size = sizeof(opts),
                                 .initiator_name = "iqn.2026-11.io.iskra.test:cancel",
                                 .platform = &platform};
    platform = *iskra_platform_posix();
    platform.now_ns = skewed_now_ns;
    faults[0] = fault;
    faults[1] = another;
    fault_cnt = fault == NULL ? 0 : another == NULL ? 1 : 2;
    rig = rig_start(with_faults);
    assert_int_equal(iskra_new(&opts, &ctx, NULL), 0);
}

static void end(void)
{
    iskra_free(ctx);
    rig_stop(rig);
}

static struct iskra_lun *lun_open(unsigned number, const char *options)
{
    struct iskra_error err = {0};
    struct iskra_lun *lun = NULL;
    if (iskra_open_sync(ctx, rig_url(rig_port(rig), number, options), &lun, &err) != 0)
        fail_msg("open: %s", err.text);
    return lun;
}

/* A request with memory of its own, so that all of it can go. */
struct req {
    struct iskra_io io; /* first */
    struct iovec *iov;
    uint8_t *data;
    unsigned done_cnt;
    void (*then)(struct req *q);
};

static void req_done(struct iskra_io *io)
{
    struct req *q = (struct req *)io;
    q->done_cnt++;
    if (q->then != NULL)
        q->then(q);
}

static struct req *req_new(enum iskra_op op, uint64_t offset, uint64_t len)
{
    struct req *q = calloc(1, sizeof(*q));
    q->data = malloc(len);
    memset(q->data, op == ISKRA_WRITE ? 0xaa : 0xee, len);
    q->iov = malloc(sizeof(*q->iov));
    *q->iov = (struct iovec){q->data, len};
    q->io = (struct iskra_io){
        .op = op, .offset = offset, .iov = q->iov, .iov_cnt = 1, .len = len, .done = req_done};
    return q;
}

static void req_free(struct req *q)
{
    free(q->data);
    free(q->iov);
    free(q);
}

static struct req *start(struct iskra_lun *lun, enum iskra_op op, uint64_t offset, uint64_t len)
{
    struct req *q = req_new(op, offset, len);
    assert_int_equal(iskra_submit(lun, &q->io), 0);
    return q;
}

static void run_until(const unsigned *cnt, unsigned want)
{
    while (*cnt < want)
        assert_int_equal(iskra_run_once(ctx, 5 * SECOND), 0);
}

static void rounds(unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++)
        assert_int_equal(iskra_run_once(ctx, 2000000), 0);
}

static void assert_canceled(const struct req *q)
{
    assert_int_equal(q->done_cnt, 1);
    assert_int_equal(q->io.status, -ECANCELED);
    assert_int_equal(q->io.error.code, ISKRA_E_CANCELED);
}

/* The session still works, and gives what is there. */
static void assert_session_works(struct iskra_lun *lun)
{
    uint8_t *buf = malloc(1 << 20);
    struct iskra_error err = {0};
    for (uint64_t at = 0; at < 4 << 20; at += 1 << 20) {
        if (iskra_read_sync(lun, buf, 1 << 20, at, &err) != 0)
            fail_msg("read: %s", err.text);
        assert_memory_equal(buf, rig_content(rig) + at, 1 << 20);
    }
    free(buf);
}

/* ---- cancel ---- */

static void a_request_that_was_never_submitted_or_is_over_cannot_be_cancelled(void **state)
{
    begin(NULL, NULL);
    struct iskra_lun *lun = lun_open(0, NULL);
    struct req *q = req_new(ISKRA_READ, 0, 4096);
    assert_int_equal(iskra_cancel(&q->io), -EALREADY);
    assert_int_equal(iskra_detach(&q->io), -EALREADY);
    assert_int_equal(iskra_submit(lun, &q->io), 0);
    run_until(&q->done_cnt, 1);
    assert_int_equal(iskra_cancel(&q->io), -EALREADY);
    assert_int_equal(iskra_detach(&q->io), -EALREADY);
    assert_int_equal(q->io.status, 0);
    assert_int_equal(iskra_close_sync(lun), 0);
    assert_int_equal(iskra_cancel(&q->io), -EALREADY); /* its device is gone */
    assert_int_equal(iskra_detach(&q->io), -EALREADY);
    req_free(q);
    end();
}

static void a_queued_request_is_cancelled_and_the_sent_one_before_it_not(void **state)
{
    begin(NULL, NULL);
    struct iskra_lun *lun = lun_open(0, "queue_depth=1");
    struct req *out = start(lun, ISKRA_READ, 0, 65536), *queued = start(lun, ISKRA_READ, 0, 65536);
    assert_int_equal(iskra_cancel(&queued->io), 0);
    assert_int_equal(queued->done_cnt, 0); /* never from inside */
    run_until(&queued->done_cnt, 1);
    run_until(&out->done_cnt, 1);
    assert_canceled(queued);
    assert_int_equal(out->io.status, 0);
    req_free(out);
    req_free(queued);
    assert_int_equal(iskra_close_sync(lun), 0);
    end();
}

/* The command was lost: the target says that it knows no such task. */
static void a_request_that_the_target_lost_is_cancelled(void **state)
{
    begin("drop:command(read)#1", NULL);
    struct iskra_lun *lun = lun_open(0, NULL);
    struct req *q = start(lun, ISKRA_READ, 0, 65536);
    rounds(3);
    assert_int_equal(q->done_cnt, 0);
    assert_int_equal(iskra_cancel(&q->io), 0);
    run_until(&q->done_cnt, 1);
    assert_canceled(q);
    req_free(q);
    assert_session_works(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    end();
}

/* The target waits for data that it asked for in an R2T that got lost. */
static void a_write_that_waits_for_its_r2t_is_cancelled(void **state)
{
    begin("drop:r2t#1", NULL);
    struct iskra_lun *lun = lun_open(0, "immediate_data=no&initial_r2t=yes");
    struct req *q = start(lun, ISKRA_WRITE, 0, 262144);
    rounds(3);
    assert_int_equal(q->done_cnt, 0);
    assert_int_equal(iskra_cancel(&q->io), 0);
    run_until(&q->done_cnt, 1);
    assert_canceled(q);
    req_free(q);
    assert_session_works(lun); /* not a byte of it was written */
    assert_int_equal(iskra_close_sync(lun), 0);
    end();
}

/* All data is in, the status got lost: the target has no such task any more. */
static void a_read_whose_status_got_lost_is_cancelled(void **state)
{
    separate_status = true;
    begin("drop:scsi-response(read)#1", NULL);
    separate_status = false;
    struct iskra_lun *lun = lun_open(0, NULL);
    struct req *q = start(lun, ISKRA_READ, 0, 65536);
    rounds(3);
    assert_int_equal(q->done_cnt, 0);
    assert_int_equal(iskra_cancel(&q->io), 0);
    run_until(&q->done_cnt, 1);
    assert_canceled(q);
    req_free(q);
    assert_session_works(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    end();
}

static void a_status_that_is_on_its_way_wins(void **state)
{
    begin("delay=100ms:data-in(read)#2", NULL);
    struct iskra_lun *lun = lun_open(0, "max_recv=8192");
    struct req *q = start(lun, ISKRA_READ, 0, 65536);
    rounds(3); /* the first Data-In is in, the others and the status come late */
    assert_int_equal(q->done_cnt, 0);
    assert_int_equal(iskra_cancel(&q->io), 0);
    run_until(&q->done_cnt, 1);
    assert_int_equal(q->io.status, 0);
    assert_memory_equal(q->data, rig_content(rig), 65536);
    req_free(q);
    assert_session_works(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    end();
}

static void an_answer_to_an_abort_may_be_late(void **state)
{
    begin("drop:command(read)#1", "delay=100ms:tmf-response");
    struct iskra_lun *lun = lun_open(0, NULL);
    struct req *q = start(lun, ISKRA_READ, 0, 65536);
    rounds(2);
    assert_int_equal(iskra_cancel(&q->io), 0);
    run_until(&q->done_cnt, 1);
    assert_canceled(q);
    req_free(q);
    assert_session_works(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    end();
}

static void an_abort_without_an_answer_costs_the_connection_and_ends_the_request(void **state)
{
    static const char *const silent[] = {"drop:tmf-response", "drop:tmf", "stall:tmf"};
    for (int i = 0; i < 3; i++) {
        begin("drop:command(read)#1", silent[i]);
        struct iskra_lun *lun = lun_open(0, "abort_timeout=20");
        struct req *q = start(lun, ISKRA_READ, 0, 65536);
        rounds(2);
        assert_int_equal(iskra_cancel(&q->io), 0);
        rounds(2);
        assert_int_equal(q->done_cnt, 0);
        skew_ns += 20 * SECOND;
        run_until(&q->done_cnt, 1);
        assert_canceled(q);
        req_free(q);
        struct req *next = start(lun, ISKRA_READ, 0, 4096);
        run_until(&next->done_cnt, 1);
        assert_int_equal(next->io.status, 0); /* on the next one */
        req_free(next);
        assert_int_equal(iskra_close_sync(lun), 0);
        end();
    }
}

static void a_target_that_refuses_to_abort_leaves_the_request_its_timeout(void **state)
{
    static const char *const answers[] = {"field=response=5:tmf-response",
                                          "field=response=255:tmf-response"};
    for (int i = 0; i < 2; i++) {
        begin("drop:command(read)#1", answers[i]);
        struct iskra_lun *lun = lun_open(0, "timeout=0.5");
        struct req *q = start(lun, ISKRA_READ, 0, 65536);
        rounds(2);
        assert_int_equal(iskra_cancel(&q->io), 0);
        run_until(&q->done_cnt, 1);
        assert_int_equal(q->io.status, -ETIMEDOUT);
        req_free(q);
        assert_int_equal(iskra_close_sync(lun), 0);
        end();
    }
}

static void a_session_that_is_cut_ends_what_was_to_be_cancelled(void **state)
{
    begin(NULL, NULL);
    struct proxy *p = proxy_start(rig_port(rig));
    struct iskra_lun *lun = NULL;
    assert_int_equal(iskra_open_sync(ctx, rig_url(proxy_port(p), 0, NULL), &lun, NULL), 0);
    proxy_hold(p, 1);
    struct req *q[8];
    for (int i = 0; i < 8; i++)
        q[i] = start(lun, i % 2 ? ISKRA_READ : ISKRA_WRITE, 0, 65536);
    rounds(2);
    for (int i = 0; i < 8; i++)
        assert_int_equal(iskra_cancel(&q[i]->io), 0);
    rounds(2);
    proxy_cut(p);
    for (int i = 0; i < 8; i++) {
        run_until(&q[i]->done_cnt, 1);
        assert_canceled(q[i]);
        req_free(q[i]);
    }
    assert_int_equal(iskra_close_sync(lun), 0);
    proxy_stop(p);
    end();
}

/* ---- detach ---- */

static void lost_requests_are_detached_and_their_memory_freed_at_once(void **state)
{
    static const char *const ways[][2] = {
        {"drop:command(read)#1", "drop:command(write)#1"},
        {"drop:scsi-response(read)#1", "drop:r2t#1"},
        {"delay=50ms:data-in(read)#2", "delay=50ms:r2t#1"},
        {"stall=100ms:command(read)#1", "delay=50ms:tmf-response"},
        {NULL, NULL},
    };
    for (unsigned i = 0; i < sizeof(ways) / sizeof(ways[0]); i++) {
        begin(ways[i][0], ways[i][1]);
        struct iskra_lun *lun = lun_open(0, "max_recv=8192"), *ram = lun_open(RAM_LUN, NULL);
        for (unsigned round_cnt = 0; round_cnt < 4; round_cnt++) {
            struct req *read = start(lun, ISKRA_READ, 0, 262144);
            struct req *write = start(ram, ISKRA_WRITE, 0, 262144);
            rounds(round_cnt);
            struct req *both[] = {read, write};
            for (int k = 0; k < 2; k++) {
                int rc = iskra_detach(&both[k]->io);
                assert_int_equal(rc, both[k]->done_cnt == 0 ? 0 : -EALREADY);
                req_free(both[k]);
            }
        }
        assert_session_works(lun);
        assert_int_equal(iskra_close_sync(lun), 0);
        assert_int_equal(iskra_close_sync(ram), 0);
        end();
    }
}

/* More than the sockets hold: the ring is full, a PDU is half sent, others wait. What was in the
 * ring arrives as it was, although its memory is gone, and nothing else does. */
static void writes_are_detached_while_the_target_does_not_read(void **state)
{
    enum {
        CNT = 16,
        LEN = 1 << 20
    };
    for (int digest = 0; digest <= 1; digest++) {
        begin("stall=200ms:command(write)#1", NULL);
        struct iskra_lun *lun =
            lun_open(RAM_LUN, digest ? "initial_r2t=no&first_burst=1M&data_digest=crc32c"
                                     : "initial_r2t=no&first_burst=1M");
        for (unsigned i = 0; i < CNT; i++) {
            struct req *q = start(lun, ISKRA_WRITE, (uint64_t)i * LEN, LEN);
            rounds(1);
            assert_int_equal(iskra_detach(&q->io), 0);
            memset(q->data, 0x11, LEN);
            req_free(q);
        }
        uint8_t *buf = malloc(LEN);
        for (unsigned i = 0; i < CNT; i++) {
            struct iskra_error err = {0};
            if (iskra_read_sync(lun, buf, LEN, (uint64_t)i * LEN, &err) != 0)
                fail_msg("read: %s", err.text);
            for (unsigned at = 0; at < LEN; at++)
                if (buf[at] != 0 && buf[at] != 0xaa)
                    fail_msg("write %u: byte %u is 0x%02x", i, at, buf[at]);
        }
        free(buf);
        assert_int_equal(iskra_close_sync(lun), 0);
        end();
    }
}

static uint32_t seed;

static uint32_t draw(uint32_t below)
{
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
}

/* At any stage, in any order, with others beside it. */
static void requests_are_cancelled_detached_and_left_alone_at_random(void **state)
{
    enum {
        CNT = 24,
        ROUNDS = 400
    };
    static const char *const options[] = {"max_recv=4096", "queue_depth=4&initial_r2t=no",
                                          "header_digest=crc32c&data_digest=crc32c"};
    for (unsigned o = 0; o < 3; o++) {
        begin(NULL, NULL);
        struct iskra_lun *lun = lun_open(0, options[o]), *ram = lun_open(RAM_LUN, options[o]);
        struct req *q[CNT] = {NULL};
        seed = 1000 + o;
        for (unsigned i = 0; i < ROUNDS; i++) {
            unsigned n = draw(CNT);
            if (q[n] == NULL) {
                uint64_t len = (1 + draw(draw(4) == 0 ? 1024 : 16)) * 512;
                q[n] = draw(2) ? start(ram, ISKRA_WRITE, 0, len) : start(lun, ISKRA_READ, 0, len);
            } else if (q[n]->done_cnt > 0) {
                if (q[n]->io.status == 0 && q[n]->io.op == ISKRA_READ)
                    assert_memory_equal(q[n]->data, rig_content(rig), q[n]->io.len);
                assert_int_equal(q[n]->done_cnt, 1);
                assert_true(q[n]->io.status == 0 || q[n]->io.status == -ECANCELED);
                req_free(q[n]);
                q[n] = NULL;
            } else if (draw(2)) {
                (void)iskra_cancel(&q[n]->io);
            } else {
                if (draw(2))
                    (void)iskra_cancel(&q[n]->io);
                assert_int_equal(iskra_detach(&q[n]->io), 0);
                req_free(q[n]);
                q[n] = NULL;
            }
            if (draw(2))
                assert_int_equal(iskra_run_once(ctx, draw(3) * 100000), 0);
        }
        for (unsigned i = 0; i < CNT; i++) {
            if (q[i] == NULL)
                continue;
            run_until(&q[i]->done_cnt, 1);
            req_free(q[i]);
        }
        assert_session_works(lun);
        assert_int_equal(iskra_close_sync(lun), 0);
        assert_int_equal(iskra_close_sync(ram), 0);
        end();
    }
}

static void a_posted_request_is_detached_before_the_loop_has_seen_it(void **state)
{
    begin(NULL, NULL);
    struct iskra_lun *lun = lun_open(0, NULL);
    struct req *gone = req_new(ISKRA_READ, 0, 4096), *stays = req_new(ISKRA_READ, 0, 4096);
    assert_int_equal(iskra_post(lun, &gone->io), 0);
    assert_int_equal(iskra_post(lun, &stays->io), 0);
    assert_int_equal(iskra_detach(&gone->io), 0);
    req_free(gone);
    run_until(&stays->done_cnt, 1);
    assert_int_equal(stays->io.status, 0);
    req_free(stays);
    assert_int_equal(iskra_close_sync(lun), 0);
    end();
}

static struct req *victim;

static void detach_victim(struct req *q)
{
    assert_int_equal(iskra_detach(&q->io), -EALREADY);
    assert_int_equal(iskra_detach(&victim->io), 0);
    req_free(victim);
}

static void a_request_is_detached_from_another_one_s_done(void **state)
{
    begin(NULL, NULL);
    struct iskra_lun *lun = lun_open(0, NULL);
    struct req *first = start(lun, ISKRA_READ, 0, 4096);
    first->then = detach_victim;
    victim = start(lun, ISKRA_READ, 0, 65536);
    run_until(&first->done_cnt, 1);
    req_free(first);
    assert_session_works(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    end();
}

/* ---- close ---- */

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
    begin("delay=100ms:command(read)#50", NULL);
    struct iskra_lun *lun = lun_open(0, "queue_depth=100");
    for (int i = 0; i < CNT; i++)
        q[i] = start(lun, ISKRA_READ, 0, 65536);
    rounds(1);
    assert_int_equal(iskra_close_sync(lun), 0);
    for (int i = 0; i < CNT; i++) {
        assert_int_equal(q[i]->done_cnt, 1);
        assert_true(q[i]->io.status == 0 || q[i]->io.status == -ECANCELED);
        req_free(q[i]);
    }
    end();
}

/* Its own time limit is far away: after a while it is cancelled, and the others of the session do
 * not suffer. */
static void a_request_without_an_answer_does_not_keep_a_close_waiting(void **state)
{
    begin("drop:command(read)#1", NULL);
    struct iskra_lun *lun = lun_open(0, "timeout=600"), *other = lun_open(0, "timeout=600");
    struct req *q = start(lun, ISKRA_READ, 0, 4096);
    closed_cnt = 0;
    iskra_close(lun, closed, NULL);
    rounds(2);
    assert_int_equal(q->done_cnt, 0);
    skew_ns += 5 * SECOND;
    run_until(&closed_cnt, 1);
    assert_canceled(q);
    req_free(q);
    assert_session_works(other);
    assert_int_equal(iskra_close_sync(other), 0);
    end();
}

static void a_detached_request_does_not_keep_a_close_waiting_either(void **state)
{
    begin("drop:command(read)#1", NULL);
    struct iskra_lun *lun = lun_open(0, "timeout=600");
    struct req *q = start(lun, ISKRA_READ, 0, 4096);
    rounds(1);
    assert_int_equal(iskra_detach(&q->io), 0);
    req_free(q);
    assert_int_equal(iskra_close_sync(lun), 0);
    end();
}

static void a_session_that_is_down_is_closed_at_once(void **state)
{
    begin(NULL, NULL);
    struct proxy *p = proxy_start(rig_port(rig));
    struct iskra_lun *lun = NULL;
    assert_int_equal(iskra_open_sync(ctx, rig_url(proxy_port(p), 0, "timeout=600"), &lun, NULL), 0);
    proxy_hold(p, 1);
    struct req *q = start(lun, ISKRA_READ, 0, 4096);
    rounds(1);
    proxy_cut(p);
    closed_cnt = 0;
    iskra_close(lun, closed, NULL);
    run_until(&closed_cnt, 1);
    assert_int_equal(q->done_cnt, 1);
    assert_true(q->io.status < 0);
    req_free(q);
    proxy_stop(p);
    end();
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
    begin("drop:command(read)#2", NULL);
    lun_of_done = lun_open(0, NULL);
    closed_cnt = 0;
    struct req *q = start(lun_of_done, ISKRA_READ, 0, 4096);
    q->then = close_from_done;
    victim = start(lun_of_done, ISKRA_READ, 0, 4096);
    run_until(&closed_cnt, 2);
    assert_int_equal(q->done_cnt, 1);
    assert_canceled(victim);
    req_free(q);
    req_free(victim);
    end();
}

/* ---- cancelling an open ---- */

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
    begin(NULL, NULL);
    for (unsigned i = 0; i < 60; i++) {
        struct opening o = {0};
        assert_int_equal(iskra_open(ctx, rig_url(rig_port(rig), 0, NULL), opened, &o, NULL), 0);
        for (unsigned k = 0; k < i && o.cnt == 0; k++)
            assert_int_equal(iskra_run_once(ctx, SECOND), 0);
        if (o.cnt == 0) {
            assert_int_equal(iskra_open_cancel(ctx, opened, &o), 0);
            assert_int_equal(o.cnt, 0); /* never from inside */
        }
        run_until(&o.cnt, 1);
        assert_int_equal(iskra_open_cancel(ctx, opened, &o), -EALREADY);
        if (o.status == 0) {
            opened_cnt++;
            assert_int_equal(iskra_close_sync(o.lun), 0);
        } else {
            assert_int_equal(o.status, -ECANCELED);
            canceled_cnt++;
        }
        rounds(i % 3);
        assert_int_equal(o.cnt, 1);
    }
    assert_true(canceled_cnt > 5);
    assert_true(opened_cnt > 5);
    end();
}

static void an_open_that_nobody_answers_is_cancelled_at_once(void **state)
{
    static const char *const silent[] = {"stall:login", "drop:command(inquiry)#1",
                                         "drop:command(read-capacity-16)#1"};
    for (int i = 0; i < 3; i++) {
        struct opening o = {0};
        begin(silent[i], NULL);
        assert_int_equal(iskra_open(ctx, rig_url(rig_port(rig), 0, NULL), opened, &o, NULL), 0);
        for (int k = 0; k < 30; k++)
            assert_int_equal(iskra_run_once(ctx, 5000000), 0);
        assert_int_equal(o.cnt, 0);
        assert_int_equal(iskra_open_cancel(ctx, opened, &o), 0);
        run_until(&o.cnt, 1);
        assert_int_equal(o.status, -ECANCELED);
        end();
    }
}

static void a_cancelled_open_does_not_harm_the_one_beside_it(void **state)
{
    for (unsigned i = 0; i < 20; i += 3) {
        struct opening a = {0}, b = {0};
        begin(NULL, NULL);
        assert_int_equal(iskra_open(ctx, rig_url(rig_port(rig), 0, NULL), opened, &a, NULL), 0);
        assert_int_equal(iskra_open(ctx, rig_url(rig_port(rig), 0, NULL), opened, &b, NULL), 0);
        for (unsigned k = 0; k < i && a.cnt == 0; k++)
            assert_int_equal(iskra_run_once(ctx, SECOND), 0);
        assert_int_equal(iskra_open_cancel(ctx, opened, &a), a.cnt == 0 ? 0 : -EALREADY);
        assert_int_equal(iskra_open_cancel(ctx, opened, &ctx), -EALREADY);
        run_until(&a.cnt, 1);
        run_until(&b.cnt, 1);
        assert_int_equal(b.status, 0);
        assert_session_works(b.lun);
        if (a.lun != NULL)
            assert_int_equal(iskra_close_sync(a.lun), 0);
        assert_int_equal(iskra_close_sync(b.lun), 0);
        end();
    }
}

static void freeing_the_initiator_ends_a_cancelled_open_once(void **state)
{
    for (unsigned i = 0; i < 30; i++) {
        struct opening o = {0};
        begin(NULL, NULL);
        assert_int_equal(iskra_open(ctx, rig_url(rig_port(rig), 0, NULL), opened, &o, NULL), 0);
        for (unsigned k = 0; k < i && o.cnt == 0; k++)
            assert_int_equal(iskra_run_once(ctx, SECOND), 0);
        (void)iskra_open_cancel(ctx, opened, &o);
        end();
        assert_int_equal(o.cnt, 1);
    }
}

static void freeing_the_initiator_ends_what_is_cancelled_and_detached(void **state)
{
    for (unsigned i = 0; i < 4; i++) {
        begin("drop:command(read)#1+2", NULL);
        struct iskra_lun *lun = lun_open(0, NULL);
        struct req *q[8];
        for (int k = 0; k < 8; k++)
            q[k] = start(lun, ISKRA_READ, 0, 65536);
        rounds(i);
        for (int k = 0; k < 8; k++)
            if (k % 2)
                (void)iskra_cancel(&q[k]->io);
            else if (iskra_detach(&q[k]->io) == 0)
                q[k]->done_cnt = 1;
        end();
        for (int k = 0; k < 8; k++) {
            assert_int_equal(q[k]->done_cnt, 1);
            req_free(q[k]);
        }
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
        cmocka_unit_test(lost_requests_are_detached_and_their_memory_freed_at_once),
        cmocka_unit_test(writes_are_detached_while_the_target_does_not_read),
        cmocka_unit_test(requests_are_cancelled_detached_and_left_alone_at_random),
        cmocka_unit_test(a_posted_request_is_detached_before_the_loop_has_seen_it),
        cmocka_unit_test(a_request_is_detached_from_another_one_s_done),
        cmocka_unit_test(hundreds_in_flight_are_ended_by_a_close),
        cmocka_unit_test(a_request_without_an_answer_does_not_keep_a_close_waiting),
        cmocka_unit_test(a_detached_request_does_not_keep_a_close_waiting_either),
        cmocka_unit_test(a_session_that_is_down_is_closed_at_once),
        cmocka_unit_test(a_lun_is_closed_from_inside_done),
        cmocka_unit_test(an_open_is_cancelled_at_every_stage),
        cmocka_unit_test(an_open_that_nobody_answers_is_cancelled_at_once),
        cmocka_unit_test(a_cancelled_open_does_not_harm_the_one_beside_it),
        cmocka_unit_test(freeing_the_initiator_ends_a_cancelled_open_once),
        cmocka_unit_test(freeing_the_initiator_ends_what_is_cancelled_and_detached),
    };
    return cmocka_run_group_tests_name("cancel", tests, NULL, NULL);
}
