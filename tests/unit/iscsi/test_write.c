/* Writes under way: full sockets and rings, whose turn it is, R2Ts as a target may send them, and
 * one more than it may. */
#include "write_rig.h"

static struct write_cmd cmds[4];

static void first_burst_survives_a_full_socket_at_every_byte(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_default;
    keys.initial_r2t = false;
    keys.hdr_digest = keys.data_digest = true;
    for (size_t at = 0;; at++) {
        struct rig *r = write_rig(&keys, 1);
        write_submit(r, &cmds[0], 1021, 5);
        r->room = at;
        rig_run(r);
        assert_true(r->out_len <= at);
        bool all = r->out_len < at;
        write_socket_takes(r, SIZE_MAX);
        assert_int_equal(write_expect_command(r, &keys, &cmds[0]), 1021);
        write_finish(r, &cmds[0]);
        rig_free(r);
        if (all)
            break;
    }
}

static void answer_to_an_r2t_survives_sends_of_one_byte(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_solicited;
    struct rig *r = write_rig(&keys, 1);
    struct gen_r2t r2t;
    assert_int_equal(write_begin(r, &keys, &cmds[0], 1501, 6), 0);
    write_feed_r2t(r, &cmds[0], 0, 1501, &r2t);
    r->room = 0;
    rig_run(r);
    for (size_t i = 0; i < 3 * 48 + 1504; i++) {
        assert_int_equal(cmds[0].cmd.cmnd.task->refs > 1, true); /* on loan to the last byte */
        write_socket_takes(r, 1);
    }
    write_expect_answer(r, &keys, &cmds[0], &r2t);
    assert_int_equal(cmds[0].cmd.cmnd.task->refs, 1);
    write_socket_takes(r, SIZE_MAX);
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void writes_take_turns_pdu_by_pdu(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_solicited;
    struct rig *r = write_rig(&keys, 4);
    for (int i = 0; i < 3; i++) {
        write_submit(r, &cmds[i], 4096, 7);
    }
    rig_run(r);
    for (int i = 0; i < 3; i++)
        (void)write_expect_command(r, &keys, &cmds[i]);
    write_feed_r2t(r, &cmds[0], 0, 1536, NULL);
    write_feed_r2t(r, &cmds[1], 0, 512, NULL);
    write_feed_r2t(r, &cmds[2], 0, 1024, NULL);
    write_feed_r2t(r, &cmds[0], 1536, 512, NULL);
    rig_run(r);
    static const int order[] = {0, 1, 2, 0, 2, 0, 0};
    for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
        assert_int_equal(write_sent_data_out(r).itt, cmds[order[i]].gen.itt);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

static void unsolicited_data_follows_its_own_command(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_default;
    keys.initial_r2t = false;
    keys.first_burst = 2000;
    struct rig *r = write_rig(&keys, 1);
    for (int i = 0; i < 3; i++) {
        write_submit(r, &cmds[i], 3000, 8);
    }
    rig_run(r);
    for (int i = 0; i < 3; i++)
        assert_int_equal(write_expect_command(r, &keys, &cmds[i]), 2000);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

/* It is queued behind, and nothing is sent twice. */
static void r2t_that_arrives_during_the_first_burst_waits_for_its_end(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_default;
    keys.initial_r2t = keys.immediate_data = false;
    keys.first_burst = 15000;
    keys.max_burst = 16384;
    struct rig *r = write_rig(&keys, 1);
    struct gen_r2t r2t;
    r->room = 0;
    for (int i = 0; i < 4; i++) { /* 120 Data-Out: more than the ring holds */
        write_submit(r, &cmds[i], 16000, 9);
    }
    rig_run(r);
    assert_int_equal(iskra_tcp_xmit_room(&rig_conn(r)->tcp), 0);
    write_feed_r2t(r, &cmds[3], 15000, 1000, NULL); /* not sent yet: no R2T can be right */
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    rig_free(r);

    r = write_rig(&keys, 1);
    r->room = 0;
    for (int i = 0; i < 3; i++) {
        write_submit(r, &cmds[i], 16000, 9);
    }
    rig_run(r);
    write_feed_r2t(r, &cmds[1], 15000, 1000, &r2t);
    write_socket_takes(r, SIZE_MAX);
    for (int i = 0; i < 3; i++)
        assert_int_equal(write_expect_command(r, &keys, &cmds[i]), 15000);
    write_expect_answer(r, &keys, &cmds[1], &r2t);
    write_finish(r, &cmds[1]);
    rig_free(r);
}

static void ping_overtakes_data_that_is_not_in_the_ring(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_solicited;
    keys.max_burst = 16384;
    struct rig *r = write_rig(&keys, 1);
    for (int i = 0; i < 3; i++) {
        write_submit(r, &cmds[i], 16384, 10);
    }
    rig_run(r);
    for (int i = 0; i < 3; i++) {
        (void)write_expect_command(r, &keys, &cmds[i]);
        write_feed_r2t(r, &cmds[i], 0, 16384, NULL); /* 32 Data-Out each */
    }
    r->room = 0;
    rig_run(r);
    rig_feed_nop_in(r, ISKRA_RESERVED_TAG, 0x1234);
    write_socket_takes(r, SIZE_MAX);
    for (int i = 0; i < 64; i++)
        (void)write_sent_data_out(r);
    assert_int_equal(rig_sent(r)[0], ISKRA_OP_NOP_OUT | ISKRA_OP_IMMEDIATE);
    for (int i = 0; i < 32; i++)
        (void)write_sent_data_out(r);
    for (int i = 0; i < 3; i++)
        write_finish(r, &cmds[i]);
    rig_free(r);
}

static void no_more_than_one_send_waits_in_the_ring(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_solicited;
    keys.max_recv = 65536;
    keys.max_burst = 1 << 20;
    struct rig *r = write_rig(&keys, 1);
    static struct iovec iov[64];
    write_init(r, &cmds[0], 16384, 11);
    for (int i = 0; i < 64; i++)
        iov[i] = (struct iovec){.iov_base = cmds[0].plain, .iov_len = 16384};
    cmds[0].cmd.cmnd.iov = iov;
    cmds[0].cmd.cmnd.iov_cnt = 64;
    cmds[0].cmd.cmnd.iov_skip = 0;
    cmds[0].cmd.cmnd.transfer_len = 1 << 20;
    write_queue(r, &cmds[0]);
    rig_run(r);
    (void)write_expect_command(r, &keys, &cmds[0]);
    write_feed_r2t(r, &cmds[0], 0, 1 << 20, NULL);
    r->room = 0;
    rig_run(r);
    assert_int_equal(rig_conn(r)->tcp.out.queued_len, 4 * (65536 + 48));
    uint32_t got = 0;
    while (got < 1 << 20) {
        r->out_len = r->out_at = 0;
        write_socket_takes(r, 65536 + 48);
        struct iskra_pdu_data_out pdu = write_sent_data_out(r);
        assert_int_equal(pdu.offset, got);
        got += pdu.data_len;
    }
    write_finish(r, &cmds[0]);
    rig_free(r);
}

/* As many as negotiated, the limit of what is set aside, and one more. */
static void one_r2t_more_than_may_be_outstanding_loses_the_connection(void **state)
{
    (void)state;
    static const uint32_t negotiated[] = {1, 4, 64, 65535}, taken[] = {1, 4, 64, 64};
    struct gen_keys keys = write_keys_solicited;
    for (int i = 0; i < 4; i++) {
        struct rig *r = write_rig(&keys, negotiated[i]);
        write_submit(r, &cmds[0], 16384, 14);
        rig_run(r);
        for (uint32_t k = 0; k < taken[i]; k++)
            write_feed_r2t(r, &cmds[0], k * 100, 100, NULL);
        assert_false(rig_conn(r)->failed);
        write_feed_r2t(r, &cmds[0], 9000, 100, NULL);
        rig_assert_conn_error(r, ISKRA_CONN_PROTO);
        rig_free(r);
    }
}

/* Two writes answer cnt R2Ts of part bytes each. */
static void take_turns(struct rig *r, struct gen_r2t r2ts[2][8], uint32_t cnt, uint32_t part)
{
    rig_run(r);
    uint32_t at[2] = {0};
    for (uint32_t left = 2 * cnt * part; left > 0;) {
        struct iskra_pdu_data_out pdu = write_sent_data_out(r);
        int k = pdu.itt == cmds[1].gen.itt;
        assert_int_equal(pdu.offset, at[k]);
        assert_int_equal(pdu.ttt, r2ts[k][at[k] / part].ttt);
        at[k] += pdu.data_len;
        left -= pdu.data_len;
    }
    assert_false(rig_sent_any(r));
}

static void relogin_with_another_max_outstanding_r2t(void **state)
{
    (void)state;
    static const uint32_t negotiated[] = {1, 8, 2};
    struct gen_keys keys = write_keys_solicited;
    struct rig *r = write_rig(&keys, 4);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
        assert_int_equal(rig_bind(r), 0);
        assert_int_equal(rig_set_param(r, ISKRA_PARAM_MAX_R2T, negotiated[i]), 0);
        assert_int_equal(rig_start(r), 0);
        iskra_window_update(&rig_session(r)->window, 200, 300);
        r->out_at = r->out_len;
        struct gen_r2t r2ts[2][8];
        uint32_t part = 4096 / negotiated[i];
        for (int k = 0; k < 2; k++) { /* neighbours among the tasks */
            write_submit(r, &cmds[k], 4096, 15);
        }
        rig_run(r);
        for (int k = 0; k < 2; k++)
            (void)write_expect_command(r, &keys, &cmds[k]);
        for (uint32_t n = 0; n < 2 * negotiated[i]; n++)
            write_feed_r2t(r, &cmds[n % 2], n / 2 * part, part, &r2ts[n % 2][n / 2]);
        take_turns(r, r2ts, negotiated[i], part);
        for (int k = 0; k < 2; k++)
            write_finish(r, &cmds[k]);
    }
    rig_free(r);
}

static void r2ts_in_any_order_and_twice_are_obeyed(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_solicited;
    struct rig *r = write_rig(&keys, 4);
    (void)write_begin(r, &keys, &cmds[0], 16000, 16);
    static const uint32_t offsets[] = {12000, 0, 4000, 0, 8000, 15999};
    for (int i = 0; i < 6; i++) {
        struct gen_r2t r2t;
        uint32_t len = i == 5 ? 1 : 4000;
        write_feed_r2t(r, &cmds[0], offsets[i], len, &r2t);
        rig_run(r);
        write_expect_answer(r, &keys, &cmds[0], &r2t);
    }
    write_finish(r, &cmds[0]);
    rig_free(r);
}

/* Each moves, so no timeout would end it. */
static void the_same_data_asked_for_without_end_is_the_end_of_the_connection(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_solicited;
    struct rig *r = write_rig(&keys, 1);
    (void)write_begin(r, &keys, &cmds[0], 4000, 16);
    for (unsigned i = 0; i < 4; i++) {
        struct gen_r2t r2t;
        write_feed_r2t(r, &cmds[0], 0, 4000, &r2t);
        rig_run(r);
        write_expect_answer(r, &keys, &cmds[0], &r2t);
    }
    struct gen_r2t r2t;
    write_feed_r2t(r, &cmds[0], 3999, 1, &r2t);
    rig_run(r);
    rig_assert_conn_error(r, ISKRA_CONN_DATALEN);
    rig_free(r);
}

static void long_cdb_with_immediate_data(void **state)
{
    (void)state;
    static const uint16_t cdb_lens[] = {17, 32, 35, 260};
    struct gen_keys keys = write_keys_default;
    keys.initial_r2t = false;
    keys.hdr_digest = keys.data_digest = true;
    for (int i = 0; i < 4; i++) {
        struct rig *r = write_rig(&keys, 1);
        write_init(r, &cmds[0], 1001, 22);
        for (unsigned k = 0; k < cdb_lens[i]; k++)
            cmds[0].cmd.cdb[k] = (uint8_t)(k * 7 + 1);
        cmds[0].cmd.cmnd.cdb_len = cdb_lens[i];
        write_queue(r, &cmds[0]);
        rig_run(r);
        assert_int_equal(write_expect_command(r, &keys, &cmds[0]), 1001);
        write_finish(r, &cmds[0]);
        rig_free(r);
    }
}

static void write_of_no_bytes_is_a_command_without_data(void **state)
{
    (void)state;
    struct rig *r = write_rig(&write_keys_default, 1);
    write_submit(r, &cmds[0], 0, 23);
    rig_run(r);
    assert_int_equal(rig_sent(r)[1], 0x81);
    write_finish(r, &cmds[0]);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(first_burst_survives_a_full_socket_at_every_byte),
        cmocka_unit_test(answer_to_an_r2t_survives_sends_of_one_byte),
        cmocka_unit_test(writes_take_turns_pdu_by_pdu),
        cmocka_unit_test(unsolicited_data_follows_its_own_command),
        cmocka_unit_test(r2t_that_arrives_during_the_first_burst_waits_for_its_end),
        cmocka_unit_test(ping_overtakes_data_that_is_not_in_the_ring),
        cmocka_unit_test(no_more_than_one_send_waits_in_the_ring),
        cmocka_unit_test(one_r2t_more_than_may_be_outstanding_loses_the_connection),
        cmocka_unit_test(relogin_with_another_max_outstanding_r2t),
        cmocka_unit_test(r2ts_in_any_order_and_twice_are_obeyed),
        cmocka_unit_test(the_same_data_asked_for_without_end_is_the_end_of_the_connection),
        cmocka_unit_test(long_cdb_with_immediate_data),
        cmocka_unit_test(write_of_no_bytes_is_a_command_without_data),
    };
    return cmocka_run_group_tests_name("write", tests, NULL, NULL);
}
