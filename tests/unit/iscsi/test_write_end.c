/* The end of a write: early, wrong, forced; and what memory it needs and lends until then. */
#include <errno.h>

#include "write_rig.h"

static struct write_cmd cmds[4];

/* The target answers early: what is in the ring is sent, the rest never is, and the command is over
 * only when its memory is. */
static void early_status_ends_the_data_but_not_the_loan(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_solicited;
    keys.max_burst = 16384;
    struct rig *r = write_rig(&keys, 1);
    for (int i = 0; i < 3; i++) {
        write_submit(r, &cmds[i], 16384, 12);
    }
    rig_run(r);
    for (int i = 0; i < 3; i++) {
        (void)write_expect_command(r, &keys, &cmds[i]);
        write_feed_r2t(r, &cmds[i], 0, 16384, NULL);
    }
    r->room = 100; /* into the first payload */
    rig_run(r);
    static const uint8_t sense[20] = {0, 18, 0x70, 0, 0x0b, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x47, 0x05};
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, cmds[0].gen.itt, 2);
    rig_feed_scsi_rsp(r, &rsp, sense, sizeof(sense));
    rig_run(r);
    assert_int_equal(cmds[0].cmd.done_cnt, 0);
    write_feed_r2t(r, &cmds[0], 0, 16384, NULL); /* crossed the status: dropped */
    write_socket_takes(r, SIZE_MAX);
    unsigned sent[3] = {0};
    while (rig_sent_any(r)) {
        uint32_t itt = write_sent_data_out(r).itt;
        for (int i = 0; i < 3; i++)
            sent[i] += itt == cmds[i].gen.itt;
    }
    assert_in_range(sent[0], 21, 22); /* its share of the ring's 64 */
    assert_int_equal(sent[1], 32);
    assert_int_equal(sent[2], 32);
    assert_int_equal(cmds[0].cmd.done_cnt, 1);
    assert_int_equal(cmds[0].cmd.cmnd.result, 2);
    assert_int_equal(cmds[0].cmd.cmnd.sense_len, 18);
    assert_int_equal(cmds[0].cmd.cmnd.sense[2], 0x0b);
    assert_int_equal(rig_conn(r)->tcp.in.r2ts_dropped, 1);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void r2t_of_a_write_that_is_over_loses_the_connection(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_default;
    struct rig *r = write_rig(&keys, 1);
    (void)write_begin(r, &keys, &cmds[0], 512, 13);
    write_finish(r, &cmds[0]);
    write_feed_r2t(r, &cmds[0], 0, 512, NULL);
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    rig_free(r);
}

static void tag_comes_back_without_the_r2ts_of_its_last_command(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_solicited;
    struct rig *r = write_rig(&keys, 1);
    for (int i = 0; i < 70; i++) { /* every tag is used twice */
        (void)write_begin(r, &keys, &cmds[0], 512, 24);
        write_feed_r2t(r, &cmds[0], 0, 512, NULL);
        struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, cmds[0].gen.itt, 8);
        rsp.max_cmd_sn = rsp.exp_cmd_sn + 31;
        rig_feed_scsi_rsp(r, &rsp, NULL, 0);
        rig_run(r);
        assert_int_equal(cmds[0].cmd.done_cnt, 1);
        assert_false(rig_sent_any(r));
    }
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void stop_in_the_middle_of_a_data_out_gives_every_loan_back_once(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_default;
    keys.initial_r2t = false;
    keys.data_digest = true;
    for (size_t room = 0; room < 3000; room += 61) {
        struct rig *r = write_rig(&keys, 1);
        for (int i = 0; i < 2; i++) {
            write_submit(r, &cmds[i], 4000, 17);
        }
        r->room = room;
        rig_run(r);
        if (cmds[0].cmd.cmnd.task->state == ISKRA_TASK_RUNNING)
            write_feed_r2t(r, &cmds[0], 1024, 2976, NULL);
        rig_run(r);
        assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
        rig_run(r);
        for (int i = 0; i < 2; i++) {
            assert_int_equal(cmds[i].cmd.done_cnt, 1);
            assert_int_equal(cmds[i].cmd.cmnd.result,
                             ISKRA_RESULT(ISKRA_DID_TRANSPORT_DISRUPTED, 0));
            assert_int_equal(cmds[i].cmd.cmnd.residual, 4000);
        }
        assert_int_equal(rig_session(r)->scsi_cnt, 0);
        assert_int_equal(rig_conn(r)->tcp.out.queued_len, 0);
        assert_int_equal(rig_conn(r)->tcp.out.copy.used, 0);
        rig_free(r);
    }
}

static void nothing_is_sent_after_a_logout(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_solicited;
    struct rig *r = write_rig(&keys, 1);
    (void)write_begin(r, &keys, &cmds[0], 512, 18);
    struct iskra_pdu_logout logout = {.immediate = true, .itt = 0};
    uint8_t hdr[ISKRA_BHS_LEN];
    iskra_logout_encode(&logout, hdr);
    write_feed_r2t(r, &cmds[0], 0, 512, NULL);
    assert_int_equal(rig_send_pdu(r, hdr, NULL, 0), 0);
    rig_run(r);
    assert_int_equal(rig_sent(r)[0] & ISKRA_OP_MASK, ISKRA_OP_LOGOUT);
    assert_false(rig_sent_any(r));
    rig_free(r);
}

/* With a data digest, what was queued is what is sent. */
static void memory_that_changes_under_the_send_costs_nothing(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_default;
    keys.initial_r2t = false;
    keys.first_burst = 4096;
    keys.data_digest = true;
    struct rig *r = write_rig(&keys, 1);
    write_submit(r, &cmds[0], 4096, 19);
    r->room = 700;
    rig_run(r);
    memset(cmds[0].sheet, 0x55, sizeof(cmds[0].sheet));
    write_socket_takes(r, SIZE_MAX);
    assert_int_equal(write_expect_command(r, &keys, &cmds[0]), 4096);
    write_finish(r, &cmds[0]);
    rig_free(r);
}

static void good_for_data_that_was_never_sent_is_no_success(void **state)
{
    (void)state;
    static const struct {
        uint32_t residual, result;
    } rows[] = {
        {0, ISKRA_RESULT(ISKRA_DID_ERROR, 0)},
        {3583, ISKRA_RESULT(ISKRA_DID_ERROR, 0)},
        {3584, 0}, /* the immediate data was all it took, and it says so */
        {4096, 0},
    };
    struct gen_keys keys = write_keys_default;
    for (int i = 0; i < 4; i++) {
        struct rig *r = write_rig(&keys, 1);
        assert_int_equal(write_begin(r, &keys, &cmds[0], 4096, 20), 512);
        struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, cmds[0].gen.itt, 0);
        rsp.underflow = rows[i].residual > 0;
        rsp.residual = rows[i].residual;
        rig_feed_scsi_rsp(r, &rsp, NULL, 0);
        rig_run(r);
        assert_int_equal(cmds[0].cmd.done_cnt, 1);
        assert_int_equal(cmds[0].cmd.cmnd.result, rows[i].result);
        assert_int_equal(cmds[0].cmd.cmnd.residual, rows[i].result ? 4096 : rows[i].residual);
        rig_free(r);
    }
}

static void no_memory_for_writes_refuses_the_start(void **state)
{
    (void)state;
    for (unsigned nth = 1; nth <= 2; nth++) {
        struct rig *r = rig_new(32);
        assert_int_equal(rig_bind(r), 0);
        assert_int_equal(rig_set_param(r, ISKRA_PARAM_DATADGST_EN, 1), 0);
        r->alloc_fail_at = r->alloc_cnt + nth;
        assert_int_equal(rig_start(r), -ENOMEM);
        assert_int_equal(rig_session(r)->state, ISKRA_SESSION_FREE);
        assert_int_equal(rig_start(r), 0); /* there is some again */
        rig_free(r);
    }
}

static void nothing_is_allocated_between_submit_and_done(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_default;
    keys.data_digest = true;
    struct rig *r = write_rig(&keys, 4);
    unsigned before = r->alloc_cnt;
    (void)write_begin(r, &keys, &cmds[0], 4096, 21);
    struct gen_r2t r2t;
    write_feed_r2t(r, &cmds[0], 512, 3584, &r2t);
    rig_run(r);
    write_expect_answer(r, &keys, &cmds[0], &r2t);
    write_finish(r, &cmds[0]);
    assert_int_equal(r->alloc_cnt, before);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(early_status_ends_the_data_but_not_the_loan),
        cmocka_unit_test(r2t_of_a_write_that_is_over_loses_the_connection),
        cmocka_unit_test(tag_comes_back_without_the_r2ts_of_its_last_command),
        cmocka_unit_test(stop_in_the_middle_of_a_data_out_gives_every_loan_back_once),
        cmocka_unit_test(nothing_is_sent_after_a_logout),
        cmocka_unit_test(memory_that_changes_under_the_send_costs_nothing),
        cmocka_unit_test(good_for_data_that_was_never_sent_is_no_success),
        cmocka_unit_test(no_memory_for_writes_refuses_the_start),
        cmocka_unit_test(nothing_is_allocated_between_submit_and_done),
    };
    return cmocka_run_group_tests_name("write-end", tests, NULL, NULL);
}
