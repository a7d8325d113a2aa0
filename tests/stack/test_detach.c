/* Detaching requests through the whole library, against a target that answers, stalls, loses
 * answers or is late: done() never, and no memory touched that was given back. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "stack/lossy.h"

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
        lossy_begin(ways[i][0], ways[i][1]);
        struct iskra_lun *lun = lossy_open(0, "max_recv=8192"), *ram = lossy_open(RAM_LUN, NULL);
        for (unsigned round_cnt = 0; round_cnt < 4; round_cnt++) {
            struct req *read = req_start(lun, ISKRA_READ, 0, 262144);
            struct req *write = req_start(ram, ISKRA_WRITE, 0, 262144);
            lossy_rounds(round_cnt);
            struct req *both[] = {read, write};
            for (int k = 0; k < 2; k++) {
                int rc = iskra_detach(&both[k]->io);
                assert_int_equal(rc, both[k]->done_cnt == 0 ? 0 : -EALREADY);
                req_free(both[k]);
            }
        }
        lossy_works(lun);
        assert_int_equal(iskra_close_sync(lun), 0);
        assert_int_equal(iskra_close_sync(ram), 0);
        lossy_end();
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
        lossy_begin("stall=200ms:command(write)#1", NULL);
        struct iskra_lun *lun =
            lossy_open(RAM_LUN, digest ? "initial_r2t=no&first_burst=1M&data_digest=crc32c"
                                       : "initial_r2t=no&first_burst=1M");
        for (unsigned i = 0; i < CNT; i++) {
            struct req *q = req_start(lun, ISKRA_WRITE, (uint64_t)i * LEN, LEN);
            lossy_rounds(1);
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
        lossy_end();
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
        lossy_begin(NULL, NULL);
        struct iskra_lun *lun = lossy_open(0, options[o]), *ram = lossy_open(RAM_LUN, options[o]);
        struct req *q[CNT] = {NULL};
        seed = 1000 + o;
        for (unsigned i = 0; i < ROUNDS; i++) {
            unsigned n = draw(CNT);
            if (q[n] == NULL) {
                uint64_t len = (1 + draw(draw(4) == 0 ? 1024 : 16)) * 512;
                q[n] = draw(2) ? req_start(ram, ISKRA_WRITE, 0, len)
                               : req_start(lun, ISKRA_READ, 0, len);
            } else if (q[n]->done_cnt > 0) {
                if (q[n]->io.status == 0 && q[n]->io.op == ISKRA_READ)
                    assert_memory_equal(q[n]->data, rig_content(lossy.rig), q[n]->io.len);
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
                assert_int_equal(iskra_run_once(lossy.ctx, draw(3) * 100000), 0);
        }
        for (unsigned i = 0; i < CNT; i++) {
            if (q[i] == NULL)
                continue;
            lossy_run_until(&q[i]->done_cnt, 1);
            req_free(q[i]);
        }
        lossy_works(lun);
        assert_int_equal(iskra_close_sync(lun), 0);
        assert_int_equal(iskra_close_sync(ram), 0);
        lossy_end();
    }
}

static void a_posted_request_is_detached_before_the_loop_has_seen_it(void **state)
{
    lossy_begin(NULL, NULL);
    struct iskra_lun *lun = lossy_open(0, NULL);
    struct req *gone = req_new(ISKRA_READ, 0, 4096), *stays = req_new(ISKRA_READ, 0, 4096);
    assert_int_equal(iskra_post(lun, &gone->io), 0);
    assert_int_equal(iskra_post(lun, &stays->io), 0);
    assert_int_equal(iskra_detach(&gone->io), 0);
    req_free(gone);
    lossy_run_until(&stays->done_cnt, 1);
    assert_int_equal(stays->io.status, 0);
    req_free(stays);
    assert_int_equal(iskra_close_sync(lun), 0);
    lossy_end();
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
    lossy_begin(NULL, NULL);
    struct iskra_lun *lun = lossy_open(0, NULL);
    struct req *first = req_start(lun, ISKRA_READ, 0, 4096);
    first->then = detach_victim;
    victim = req_start(lun, ISKRA_READ, 0, 65536);
    lossy_run_until(&first->done_cnt, 1);
    req_free(first);
    lossy_works(lun);
    assert_int_equal(iskra_close_sync(lun), 0);
    lossy_end();
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(lost_requests_are_detached_and_their_memory_freed_at_once),
        cmocka_unit_test(writes_are_detached_while_the_target_does_not_read),
        cmocka_unit_test(requests_are_cancelled_detached_and_left_alone_at_random),
        cmocka_unit_test(a_posted_request_is_detached_before_the_loop_has_seen_it),
        cmocka_unit_test(a_request_is_detached_from_another_one_s_done),
    };
    return cmocka_run_group_tests_name("detach", tests, NULL, NULL);
}
