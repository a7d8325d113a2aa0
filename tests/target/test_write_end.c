/* How writes end when it is not with their last byte: lengths that do not agree, task management
 * and reinstatement in the middle of the data, no room to collect, extra headers, and initiators
 * that mean harm. */
#include "writer.h"

#include <stdlib.h>
#include <string.h>

#include "wire/sense.h"

#define LEN   8192u
#define NO    ISKRA_RESERVED_TAG
#define KEYS  "\0FirstBurstLength=4096\0MaxBurstLength=4096\0InitialR2T=No\0MaxOutstandingR2T=65535"
#define RESET 0x062903u

static struct iskra_target *target;
static struct peer peer;
static uint8_t cdb[ISKRA_CDB_BHS_LEN], bytes[131072], zeros[LEN];
static struct iskra_pdu_r2t one, two;
static struct outcome o;

static int setup(void **state)
{
    target = peer_target(NULL);
    peer_open(&peer, target);
    peer_login(&peer, TEXT(NAMES KEYS));
    pattern_fill(bytes, sizeof(bytes), 3);
    (void)iskra_cdb_write10(cdb, 8, LEN / 512, 0);
    return 0;
}

static int teardown(void **state)
{
    peer_close(&peer);
    iskra_target_free(target);
    return 0;
}

static void ready(uint32_t sense)
{
    (void)iskra_cdb_test_unit_ready(cdb);
    peer_command(&peer, 0, cdb, 0, false);
    ends_with(&peer, sense);
    assert_true(peer_silent(&peer));
}

static void window_is(uint32_t used)
{
    uint8_t ready_cdb[ISKRA_CDB_BHS_LEN];
    (void)iskra_cdb_test_unit_ready(ready_cdb);
    peer_command(&peer, 0, ready_cdb, 0, false);
    peer_outcome(&peer, &o);
    assert_int_equal(o.max_cmd_sn - peer.cmd_sn + 1, 128 - used);
    outcome_done(&o);
}

static uint8_t tmf(struct peer *by, uint8_t function, uint32_t ref)
{
    struct answer answer;
    struct iskra_pdu_tmf_rsp rsp;
    uint8_t bhs[ISKRA_BHS_LEN];
    struct iskra_pdu_tmf req = {.immediate = true,
                                .function = function,
                                .itt = 0x88,
                                .ref_task_tag = ref,
                                .cmd_sn = by->cmd_sn};
    iskra_tmf_encode(&req, bhs);
    peer_send(by, bhs, NULL, 0);
    peer_expect(by, ISKRA_OP_TMF_RSP, &answer);
    iskra_tmf_rsp_decode(answer.bhs, &rsp);
    return rsp.response;
}

static void more_expected_than_the_command_has_is_underflow(void **state)
{
    uint32_t itt = write_send(&peer, 0, cdb, LEN + 1000, NULL, 0, true);
    for (uint32_t at = 0; at < LEN; at += 4096) { /* only what the command has is asked for */
        r2t_expect(&peer, itt, &one);
        assert_int_equal(one.desired_len, 4096);
        r2t_answer(&peer, &one, bytes, 4096);
    }
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, 0);
    assert_true(o.underflow && !o.overflow);
    assert_int_equal(o.residual, 1000);
    outcome_done(&o);
    blocks_are(&peer, 0, 8, bytes, LEN);
    blocks_are(&peer, 0, 8 + LEN / 512, zeros, 512);
}

/* The surplus came without being asked for: it is dropped. */
static void surplus_unsolicited_data_are_dropped(void **state)
{
    (void)iskra_cdb_write10(cdb, 8, 2, 0);
    uint32_t itt = write_send(&peer, 0, cdb, 4096, bytes, 512, false);
    data_out_send(&peer, itt, NO, 0, 512, bytes, 4096 - 512, true);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, 0);
    assert_int_equal(o.residual, 4096 - 1024);
    assert_true(o.underflow);
    outcome_done(&o);
    blocks_are(&peer, 0, 8, bytes, 1024);
    blocks_are(&peer, 0, 10, zeros, 1024);
}

static void less_expected_than_the_command_has_is_overflow(void **state)
{
    uint32_t itt = write_send(&peer, 0, cdb, 1000, NULL, 0, true);
    r2t_expect(&peer, itt, &one);
    assert_int_equal(one.desired_len, 1000);
    r2t_answer(&peer, &one, bytes, 1000);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, 0);
    assert_true(o.overflow && !o.underflow);
    assert_int_equal(o.residual, LEN - 1000);
    outcome_done(&o);
    memset(bytes + 1000, 0, LEN - 1000);
    blocks_are(&peer, 0, 8, bytes, LEN);
}

static void nothing_expected_is_overflow_and_nothing_written(void **state)
{
    peer_command(&peer, 0, cdb, 0, false);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, 0);
    assert_true(o.overflow);
    assert_int_equal(o.residual, LEN);
    outcome_done(&o);
    blocks_are(&peer, 0, 8, zeros, LEN);
}

static void a_write_that_wants_to_read_is_refused(void **state)
{
    peer_refused_with(&peer, 0, cdb, LEN, ISKRA_SENSE_ILLEGAL_REQUEST, 0x24, 0);
}

static void a_read_that_brings_data_gets_none(void **state)
{
    (void)iskra_cdb_read10(cdb, 8, LEN / 512, 0);
    (void)write_send(&peer, 0, cdb, LEN, bytes, 512, true);
    peer_outcome(&peer, &o);
    assert_int_equal(o.len, 0);
    assert_int_equal(o.residual, LEN);
    outcome_done(&o);
    ready(0);
}

static void a_refused_write_waits_for_what_was_announced(void **state)
{
    (void)iskra_cdb_write10(cdb, UINT32_MAX, 1, 0);
    uint32_t itt = write_send(&peer, 0, cdb, LEN, bytes, 512, false);
    assert_true(peer_silent(&peer));
    data_out_send(&peer, itt, NO, 0, 512, bytes, 4096 - 512, true);
    peer_outcome(&peer, &o);
    assert_int_equal(o.key << 16 | o.asc << 8 | o.ascq, 0x052100);
    assert_int_equal(o.residual, LEN);
    outcome_done(&o);
    ready(0);
}

static void an_aborted_write_swallows_what_still_comes(void **state)
{
    uint32_t itt = write_send(&peer, 0, cdb, LEN, NULL, 0, true);
    r2t_expect(&peer, itt, &one);
    r2t_expect(&peer, itt, &two);
    r2t_answer(&peer, &one, bytes, 4096);
    window_is(1);
    assert_int_equal(tmf(&peer, ISKRA_TMF_ABORT_TASK, itt), 0);
    r2t_answer(&peer, &two, bytes, 512);
    assert_true(peer_silent(&peer));
    window_is(0);
    blocks_are(&peer, 0, 16, zeros, 4096);
    assert_int_equal(tmf(&peer, ISKRA_TMF_ABORT_TASK, itt), 1);
}

/* Its place in the table is used again at once; the old tag must not reach the new command. */
static void data_of_an_aborted_write_do_not_reach_the_next(void **state)
{
    uint32_t itt = write_send(&peer, 0, cdb, LEN, NULL, 0, true);
    r2t_expect(&peer, itt, &one);
    peer.rx_pos = peer.rx_len;
    assert_int_equal(tmf(&peer, ISKRA_TMF_ABORT_TASK, itt), 0);
    for (int i = 0; i < 130; i++) { /* through all of the table */
        (void)iskra_cdb_write10(cdb, 40, 8, 0);
        uint32_t next = write_send(&peer, 0, cdb, 4096, NULL, 0, true);
        r2t_expect(&peer, next, &two);
        data_out_send(&peer, itt, one.ttt, 0, 0, bytes + 4096, 512, true);
        r2t_answer(&peer, &two, bytes, 4096);
        ends_with(&peer, 0);
        blocks_are(&peer, 0, 40, bytes, 4096);
    }
}

static void a_lun_reset_drops_the_writes_of_everybody(void **state)
{
    struct peer other;
    peer_open(&other, target);
    other.isid[5] = 2;
    peer_login(&other, TEXT(NAMES KEYS));
    uint32_t itt = write_send(&peer, 0, cdb, LEN, NULL, 0, true);
    r2t_expect(&peer, itt, &one);
    r2t_expect(&peer, itt, &two);
    assert_int_equal(tmf(&other, ISKRA_TMF_LUN_RESET, 0), 0);
    r2t_answer(&peer, &one, bytes, 4096);
    r2t_answer(&peer, &two, bytes, 4096);
    ready(RESET);
    window_is(0);
    blocks_are(&peer, 0, 8, zeros, LEN);
    peer_close(&other);
}

static void a_new_login_ends_writes_of_the_old_one(void **state)
{
    struct peer again;
    uint32_t itt = write_send(&peer, 0, cdb, LEN, NULL, 0, true);
    r2t_expect(&peer, itt, &one);
    (void)iskra_cdb_compare_and_write(cdb, 0, 4, 0);
    (void)write_send(&peer, 0, cdb, 4096, NULL, 0, true);
    peer_open(&again, target);
    peer_login(&again, TEXT(NAMES KEYS));
    assert_true(iskra_target_conn_finished(peer.conn));
    struct iovec iov[2];
    assert_int_equal(iskra_target_conn_recv_window(peer.conn, iov), 0);
    (void)iskra_cdb_write10(cdb, 8, LEN / 512, 0);
    write_good(&again, 0, cdb, bytes, LEN);
    peer_close(&again);
}

static void who_brings_data_to_collect_without_room_is_told_to_try_again(void **state)
{
    uint32_t itts[8];
    (void)iskra_cdb_compare_and_write(cdb, 0, 8, 0);
    for (int i = 0; i < 8; i++)
        itts[i] = write_send(&peer, 0, cdb, LEN, zeros, 512, true);
    peer.rx_pos = peer.rx_len; /* their R2Ts */
    (void)write_send(&peer, 0, cdb, LEN, zeros, 512, true);
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, ISKRA_STATUS_TASK_SET_FULL);
    outcome_done(&o);
    assert_int_equal(tmf(&peer, ISKRA_TMF_ABORT_TASK, itts[3]), 0);
    write_good(&peer, 0, cdb, zeros, LEN);
}

static void who_brings_none_is_asked_when_there_is_room(void **state)
{
    uint32_t itts[9];
    (void)iskra_cdb_compare_and_write(cdb, 0, 4, 0);
    for (int i = 0; i < 9; i++)
        itts[i] = write_send(&peer, 0, cdb, 4096, NULL, 0, true);
    for (int i = 0; i < 8; i++) {
        struct iskra_pdu_r2t r2t;
        r2t_expect(&peer, itts[i], &r2t);
        if (i == 0)
            one = r2t;
    }
    assert_true(peer_silent(&peer));
    r2t_answer(&peer, &one, zeros, 4096);
    /* The answer is what frees the place, so it comes first. */
    ends_with(&peer, 0);
    r2t_expect(&peer, itts[8], &one);
    r2t_answer(&peer, &one, zeros, 4096);
    ends_with(&peer, 0);
}

/* RFC 7143 11.2.2.3: WRITE(32), its second half in an extra header. */
static const uint8_t write_32[32] = {[0] = 0x7f, [7] = 24, [9] = 0x0b, [19] = 8, [31] = LEN / 512};

static void extended_send(uint16_t len, uint8_t type)
{
    uint8_t ahs[20] = {(uint8_t)(len >> 8), (uint8_t)len, type};
    memcpy(ahs + 4, write_32 + 16, 16);
    uint32_t itt = write_send_ahs(&peer, 0, write_32, LEN, ahs, sizeof(ahs));
    while (!peer_silent(&peer) && iskra_bhs_opcode(peer.rx + peer.rx_pos) == ISKRA_OP_R2T) {
        r2t_expect(&peer, itt, &one);
        r2t_answer(&peer, &one, bytes, 4096);
    }
}

static void a_command_of_32_bytes_is_read_from_both_headers(void **state)
{
    extended_send(17, 1);
    ends_with(&peer, 0);
    blocks_are(&peer, 0, 8, bytes, LEN);
}

static void a_long_command_without_its_rest_is_refused(void **state)
{
    (void)write_send(&peer, 0, write_32, LEN, NULL, 0, true);
    ends_with(&peer, 0x052000);
    extended_send(17, 2); /* the header is of another type */
    ends_with(&peer, 0x052000);
    ready(0);
}

static void extra_headers_that_make_no_sense_are_rejected(void **state)
{
    static const uint16_t lens[] = {0, 1, 18, 21, 0xffff};
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        struct answer answer;
        struct iskra_pdu_reject rej;
        extended_send(lens[i], 1);
        peer_expect(&peer, ISKRA_OP_REJECT, &answer);
        iskra_reject_decode(answer.bhs, &rej);
        assert_int_equal(rej.reason, 9);
        ready(0); /* its number is used up */
    }
}

/* A burst of 512 bytes, and as many R2Ts at once as there can be. */
static void a_write_of_thousands_of_r2ts_is_sent_in_order(void **state)
{
    struct peer many;
    peer_open(&many, target);
    many.isid[5] = 3;
    peer_login(&many, TEXT(NAMES "\0MaxBurstLength=512\0FirstBurstLength=512"
                                 "\0InitialR2T=No\0MaxOutstandingR2T=65535"));
    (void)iskra_cdb_write16(cdb, 0, 2048, 0);
    uint8_t *disk = malloc(1 << 20);
    assert_non_null(disk);
    pattern_fill(disk, 1 << 20, 9);
    uint32_t itt = write_send(&many, 0, cdb, 1 << 20, NULL, 0, true);
    for (uint32_t i = 0; i < 2048; i++) {
        r2t_expect(&many, itt, &one);
        assert_int_equal(one.r2t_sn, i);
        assert_int_equal(one.offset, i * 512);
        r2t_answer(&many, &one, disk, 512);
    }
    ends_with(&many, 0);
    blocks_are(&many, 0, 0, disk, 1 << 20);
    free(disk);
    peer_close(&many);
}

/* The window is full of writes that nobody feeds: others go on, and nothing piles up. */
static void writes_that_never_get_data_stop_only_their_own_session(void **state)
{
    struct peer other;
    (void)iskra_cdb_write16(cdb, 0, 2048, 0);
    for (int i = 0; i < 128; i++)
        (void)write_send(&peer, 0, cdb, 1 << 20, NULL, 0, true);
    (void)write_send(&peer, 0, cdb, 1 << 20, NULL, 0, true); /* beyond the window: ignored */
    peer_open(&other, target);
    other.isid[5] = 2;
    peer_login(&other, TEXT(NAMES KEYS));
    (void)iskra_cdb_write10(cdb, 8, LEN / 512, 0);
    write_good(&other, 0, cdb, bytes, LEN);
    peer_close(&other);
}

static void reads_and_writes_mix(void **state)
{
    uint8_t read_cdb[ISKRA_CDB_BHS_LEN];
    uint32_t itt = write_send(&peer, 0, cdb, LEN, NULL, 0, true);
    r2t_expect(&peer, itt, &one);
    r2t_expect(&peer, itt, &two);
    (void)iskra_cdb_read10(read_cdb, 100, 8, 0);
    for (int i = 0; i < 4; i++) { /* none waits for the write */
        peer_command(&peer, 0, read_cdb, 4096, true);
        ends_with(&peer, 0);
    }
    r2t_answer(&peer, &one, bytes, 1024);
    r2t_answer(&peer, &two, bytes, 1024);
    ends_with(&peer, 0);
    blocks_are(&peer, 0, 8, bytes, LEN);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(more_expected_than_the_command_has_is_underflow),
        T(surplus_unsolicited_data_are_dropped),
        T(less_expected_than_the_command_has_is_overflow),
        T(nothing_expected_is_overflow_and_nothing_written),
        T(a_write_that_wants_to_read_is_refused),
        T(a_read_that_brings_data_gets_none),
        T(a_refused_write_waits_for_what_was_announced),
        T(an_aborted_write_swallows_what_still_comes),
        T(data_of_an_aborted_write_do_not_reach_the_next),
        T(a_lun_reset_drops_the_writes_of_everybody),
        T(a_new_login_ends_writes_of_the_old_one),
        T(who_brings_data_to_collect_without_room_is_told_to_try_again),
        T(who_brings_none_is_asked_when_there_is_room),
        T(a_command_of_32_bytes_is_read_from_both_headers),
        T(a_long_command_without_its_rest_is_refused),
        T(extra_headers_that_make_no_sense_are_rejected),
        T(a_write_of_thousands_of_r2ts_is_sent_in_order),
        T(writes_that_never_get_data_stop_only_their_own_session),
        T(reads_and_writes_mix),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
