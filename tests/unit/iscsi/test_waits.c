/* How long commands waited for room in the command window, and writes for R2Ts: by the round's
 * time. */
#include "write_rig.h"

#define MS UINT64_C(1000000)

static struct rig_cmd a, b, c;
static struct write_cmd w;

/* A window of one, taken by `a`. */
static struct rig *rig_full(void)
{
    struct rig *r = rig_logged_in(32);
    r->round.now_ns = 1000 * MS;
    rig_session(r)->window.max_cmd_sn = RIG_CMD_SN;
    rig_cmd_init(r, &a, ISKRA_DIR_NONE, 0);
    rig_cmd_init(r, &b, ISKRA_DIR_NONE, 0);
    rig_cmd_init(r, &c, ISKRA_DIR_NONE, 0);
    return r;
}

static void answer(struct rig *r, uint32_t itt, uint32_t max_cmd_sn)
{
    struct iskra_pdu_scsi_rsp rsp = rig_scsi_rsp(r, itt, 0);
    rsp.max_cmd_sn = max_cmd_sn;
    rig_feed_scsi_rsp(r, &rsp, NULL, 0);
}

static void a_wait_for_the_window_lasts_from_the_refusal_to_the_next_command(void **state)
{
    (void)state;
    struct rig *r = rig_full();
    const struct iskra_waits *waits = &rig_session(r)->waits;
    (void)rig_queue_and_send(r, &c);
    assert_int_equal(waits->window_cnt, 0);
    assert_int_equal(rig_queue(&a), ISKRA_TARGET_BUSY);
    r->round.now_ns += 3 * MS;
    assert_int_equal(rig_queue(&a), ISKRA_TARGET_BUSY);
    r->round.now_ns += 4 * MS;
    rig_session(r)->window.max_cmd_sn = RIG_CMD_SN + 1;
    assert_int_equal(rig_queue(&a), ISKRA_QUEUED);
    assert_int_equal(waits->window_cnt, 2);
    assert_int_equal(waits->window_ns, 7 * MS);
    r->round.now_ns += 9 * MS;
    rig_session(r)->window.max_cmd_sn = RIG_CMD_SN + 2;
    assert_int_equal(rig_queue(&b), ISKRA_QUEUED); /* nobody waited for that */
    assert_int_equal(waits->window_ns, 7 * MS);
    rig_free(r);
}

static void a_wait_ends_no_later_than_the_last_command_that_was_out(void **state)
{
    (void)state;
    struct rig *r = rig_full();
    uint32_t itt = rig_queue_and_send(r, &a);
    assert_int_equal(rig_queue(&b), ISKRA_TARGET_BUSY); /* and is cancelled */
    r->round.now_ns += 2 * MS;
    answer(r, itt, RIG_CMD_SN + 1);
    r->round.now_ns += 3600 * 1000 * MS;
    assert_int_equal(rig_queue(&c), ISKRA_QUEUED);
    assert_int_equal(rig_session(r)->waits.window_ns, 2 * MS);
    assert_int_equal(rig_session(r)->waits.window_cnt, 1);
    rig_free(r);
}

static void a_write_waits_for_each_r2t_once_it_has_sent_what_it_may(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_solicited;
    struct rig *r = write_rig(&keys, 1);
    const struct iskra_waits *waits = &rig_session(r)->waits;
    r->round.now_ns = 1000 * MS;
    assert_int_equal(write_begin(r, &keys, &w, 4096, 1), 0);
    r->round.now_ns += 5 * MS;
    write_feed_r2t(r, &w, 0, 1024, NULL);
    assert_int_equal(waits->r2t_ns, 5 * MS);
    rig_run(r); /* the answer */
    r->round.now_ns += 7 * MS;
    write_feed_r2t(r, &w, 1024, 1024, NULL);
    assert_int_equal(waits->r2t_ns, 12 * MS);
    write_feed_r2t(r, &w, 2048, 2048, NULL); /* comes before it is waited for */
    r->round.now_ns += 1 * MS;
    rig_run(r);
    assert_int_equal(waits->r2t_ns, 12 * MS);
    r->round.now_ns += 100 * MS; /* all is sent: this is the target's work */
    while (rig_sent_any(r))
        (void)rig_sent(r);
    rig_free(r);
}

static void data_that_goes_with_the_command_waits_for_nothing(void **state)
{
    (void)state;
    struct gen_keys keys = write_keys_default;
    struct rig *r = write_rig(&keys, 1);
    r->round.now_ns = 1000 * MS;
    assert_int_equal(write_begin(r, &keys, &w, 512, 1), 512);
    assert_int_equal(w.cmd.cmnd.task->r2t_since_ns, 0);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wait_for_the_window_lasts_from_the_refusal_to_the_next_command),
        cmocka_unit_test(a_wait_ends_no_later_than_the_last_command_that_was_out),
        cmocka_unit_test(a_write_waits_for_each_r2t_once_it_has_sent_what_it_may),
        cmocka_unit_test(data_that_goes_with_the_command_waits_for_nothing),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
