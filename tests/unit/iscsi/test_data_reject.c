/* A Reject of a write's data for its digest: the command fails at once, its tag is kept. */
#include "write_rig.h"

#define SOFT_ERROR ISKRA_RESULT(ISKRA_DID_SOFT_ERROR, 0)

static struct write_cmd cmds[12];

static struct rig *session(void)
{
    struct gen_keys keys = write_keys_default;
    keys.immediate_data = false;
    keys.data_digest = true;
    return write_rig(&keys, 4);
}

/* A write with one Data-Out sent; its header goes to hdr. */
static void send_data_out(struct rig *r, struct write_cmd *w, uint8_t *hdr)
{
    write_init(r, w, 1024, 1);
    write_queue(r, w);
    rig_run(r);
    (void)rig_sent(r);
    write_feed_r2t(r, w, 0, 512, NULL);
    rig_run(r);
    memcpy(hdr, rig_sent(r), ISKRA_BHS_LEN);
    assert_int_equal(iskra_bhs_opcode(hdr), ISKRA_OP_DATA_OUT);
}

static void feed_reject(struct rig *r, const uint8_t *rejected_hdr)
{
    rig_feed_reject(r, 2, rejected_hdr, ISKRA_BHS_LEN);
    rig_run(r);
}

static void feed_late_answer(struct rig *r, const struct write_cmd *w)
{
    static const uint8_t sense[20] = {0, 18, 0x70, 0, 0x0b, 0, 0, 0, 0, 10, 0, 0, 0, 0, 0x47, 0x05};
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, w->gen.itt, 2);
    rig_feed_scsi_rsp(r, &rsp, sense, sizeof(sense));
    rig_run(r);
}

static void rejected_data_fails_its_command_at_once(void **state)
{
    (void)state;
    struct rig *r = session();
    uint8_t hdr[ISKRA_BHS_LEN];
    send_data_out(r, &cmds[0], hdr);
    feed_reject(r, hdr);
    assert_int_equal(cmds[0].cmd.done_cnt, 1);
    assert_int_equal(cmds[0].cmd.cmnd.result, SOFT_ERROR);
    assert_int_equal(cmds[0].cmd.cmnd.residual, 1024);
    assert_non_null(strstr(cmds[0].cmd.error.text, "data digest error (reason 0x02)"));
    rig_assert_no_conn_error(r);
    rig_free(r);
}

/* The command PDU itself carried the data. */
static void rejected_immediate_data_fails_its_command_too(void **state)
{
    (void)state;
    struct rig *r = write_rig(&write_keys_default, 1);
    write_init(r, &cmds[0], 512, 2);
    write_queue(r, &cmds[0]);
    rig_run(r);
    feed_reject(r, rig_sent(r));
    assert_int_equal(cmds[0].cmd.done_cnt, 1);
    assert_int_equal(cmds[0].cmd.cmnd.result, SOFT_ERROR);
    rig_free(r);
}

static void late_answer_finds_no_other_command(void **state)
{
    (void)state;
    struct rig *r = session();
    uint8_t hdr[ISKRA_BHS_LEN];
    send_data_out(r, &cmds[0], hdr);
    uint32_t stat_sn = rig_conn(r)->exp_stat_sn;
    feed_reject(r, hdr);
    for (int i = 1; i < 12; i++) { /* the pool is walked around; nobody gets that tag */
        write_init(r, &cmds[i], 512, 3);
        write_queue(r, &cmds[i]);
        assert_int_not_equal(cmds[i].gen.itt, cmds[0].gen.itt);
    }
    rig_run(r);
    feed_late_answer(r, &cmds[0]);
    for (int i = 0; i < 12; i++)
        assert_int_equal(cmds[i].cmd.done_cnt, i == 0);
    assert_int_equal(rig_conn(r)->exp_stat_sn, stat_sn + 2);
    assert_int_equal(rig_conn(r)->late_answer_cnt, 0);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void second_late_answer_is_one_too_many(void **state)
{
    (void)state;
    struct rig *r = session();
    uint8_t hdr[ISKRA_BHS_LEN];
    send_data_out(r, &cmds[0], hdr);
    feed_reject(r, hdr);
    feed_late_answer(r, &cmds[0]);
    feed_late_answer(r, &cmds[0]);
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    rig_free(r);
}

static void r2ts_of_a_rejected_write_are_dropped(void **state)
{
    (void)state;
    struct rig *r = session();
    uint8_t hdr[ISKRA_BHS_LEN];
    send_data_out(r, &cmds[0], hdr);
    feed_reject(r, hdr);
    write_feed_r2t(r, &cmds[0], 512, 256, NULL);
    write_feed_r2t(r, &cmds[0], 768, 256, NULL);
    rig_run(r);
    assert_false(rig_sent_any(r));
    assert_int_equal(rig_conn(r)->tcp.in.r2ts_dropped, 2);
    feed_late_answer(r, &cmds[0]);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void half_sent_data_is_sent_before_the_command_is_over(void **state)
{
    (void)state;
    struct rig *r = session();
    uint8_t hdr[ISKRA_BHS_LEN];
    send_data_out(r, &cmds[0], hdr);
    write_feed_r2t(r, &cmds[0], 512, 512, NULL);
    r->room = 100;
    rig_run(r);
    feed_reject(r, hdr);
    assert_int_equal(cmds[0].cmd.done_cnt, 0);
    feed_late_answer(r, &cmds[0]); /* even before that */
    assert_int_equal(rig_conn(r)->late_answer_cnt, 0);
    write_socket_takes(r, SIZE_MAX);
    assert_int_equal(cmds[0].cmd.done_cnt, 1);
    assert_int_equal(cmds[0].cmd.cmnd.result, SOFT_ERROR);
    rig_assert_no_conn_error(r);
    rig_free(r);
}

static void tags_that_are_kept_are_free_on_the_next_connection(void **state)
{
    (void)state;
    struct rig *r = session();
    uint8_t hdr[ISKRA_BHS_LEN];
    uint32_t pool_cnt[2] = {0};
    ISKRA_LIST_FOREACH(l, &rig_session(r)->pool)
    pool_cnt[0]++;
    for (int i = 0; i < 3; i++) {
        send_data_out(r, &cmds[i], hdr);
        feed_reject(r, hdr);
    }
    assert_int_equal(rig_conn(r)->late_answer_cnt, 3);
    assert_int_equal(rig_stop(r, ISKRA_STOP_RECOVER), 0);
    assert_int_equal(rig_conn(r)->late_answer_cnt, 0);
    ISKRA_LIST_FOREACH(l, &rig_session(r)->pool)
    pool_cnt[1]++;
    assert_int_equal(pool_cnt[1], pool_cnt[0]);
    for (int i = 0; i < 3; i++)
        assert_int_equal(cmds[i].cmd.done_cnt, 1);
    rig_free(r);
}

static void target_that_only_rejects_loses_the_connection(void **state)
{
    (void)state;
    struct rig *r = session();
    uint8_t hdr[ISKRA_BHS_LEN];
    for (unsigned i = 0; i < ISKRA_LATE_ANSWERS_MAX; i++) {
        send_data_out(r, &cmds[i], hdr);
        feed_reject(r, hdr);
        assert_int_equal(cmds[i].cmd.done_cnt, 1);
    }
    assert_false(rig_conn(r)->failed);
    send_data_out(r, &cmds[ISKRA_LATE_ANSWERS_MAX], hdr);
    feed_reject(r, hdr);
    rig_assert_conn_error(r, ISKRA_CONN_DATA_DGST);
    rig_free(r);
}

static void reject_of_what_is_over_or_never_was_changes_nothing(void **state)
{
    (void)state;
    struct rig *r = session();
    uint8_t hdr[ISKRA_BHS_LEN];
    send_data_out(r, &cmds[0], hdr);
    feed_reject(r, hdr);
    feed_reject(r, hdr);
    iskra_put_be32(hdr + 16, 5); /* a tag that is free */
    feed_reject(r, hdr);
    iskra_put_be32(hdr + 16, ISKRA_RESERVED_TAG);
    feed_reject(r, hdr);
    assert_int_equal(cmds[0].cmd.done_cnt, 1);
    assert_int_equal(rig_conn(r)->late_answer_cnt, 1);
    rig_assert_no_conn_error(r);
    iskra_put_be32(hdr + 16, 0x30000005); /* of another age */
    feed_reject(r, hdr);
    rig_assert_conn_error(r, ISKRA_CONN_BAD_ITT);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rejected_data_fails_its_command_at_once),
        cmocka_unit_test(rejected_immediate_data_fails_its_command_too),
        cmocka_unit_test(late_answer_finds_no_other_command),
        cmocka_unit_test(second_late_answer_is_one_too_many),
        cmocka_unit_test(r2ts_of_a_rejected_write_are_dropped),
        cmocka_unit_test(half_sent_data_is_sent_before_the_command_is_over),
        cmocka_unit_test(tags_that_are_kept_are_free_on_the_next_connection),
        cmocka_unit_test(target_that_only_rejects_loses_the_connection),
        cmocka_unit_test(reject_of_what_is_over_or_never_was_changes_nothing),
    };
    return cmocka_run_group_tests_name("data-reject", tests, NULL, NULL);
}
