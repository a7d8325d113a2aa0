/* Devices and hosts: their states, what these do to a queue, and removal. */
#include <errno.h>

#include "unit/scsi/scsi_rig.h"

static void a_quiesced_device_lets_internal_requests_pass(void **state)
{
    struct rig *r = *state;

    assert_true(iskra_sdev_set_state(r->sdev, ISKRA_SDEV_QUIESCE));
    struct rig_io *internal = rig_io(r, 0);
    assert_int_equal(iskra_cdb_test_unit_ready(internal->sreq.cdb), 6);
    assert_int_equal(iskra_scsi_submit_internal(&internal->sreq, 6, NULL, 0, 0), 0);
    struct rig_io *io = rig_read(r, 1, 0, 1);
    assert_int_equal(r->sent_cnt, 1);
    rig_answer_good(r, 0);
    assert_int_equal(internal->done_cnt, 1);
    assert_int_equal(io->done_cnt, 0);
    assert_true(iskra_sdev_set_state(r->sdev, ISKRA_SDEV_RUNNING));
    iskra_queue_kick(&r->sdev->queue);
    rig_work(r);
    assert_int_equal(r->sent_cnt, 2);
}

static void each_device_state_says_what_it_does_to_a_request(void **state)
{
    static const struct {
        enum iskra_sdev_state state;
        enum iskra_prep normal, preempt;
    } rows[] = {
        {ISKRA_SDEV_CREATED, ISKRA_PREP_KILL, ISKRA_PREP_OK},
        {ISKRA_SDEV_RUNNING, ISKRA_PREP_OK, ISKRA_PREP_OK},
        {ISKRA_SDEV_BLOCK, ISKRA_PREP_DEFER, ISKRA_PREP_DEFER},
        {ISKRA_SDEV_CREATED_BLOCK, ISKRA_PREP_DEFER, ISKRA_PREP_DEFER},
        {ISKRA_SDEV_QUIESCE, ISKRA_PREP_DEFER, ISKRA_PREP_OK},
        {ISKRA_SDEV_OFFLINE, ISKRA_PREP_KILL, ISKRA_PREP_KILL},
        {ISKRA_SDEV_TRANSPORT_OFFLINE, ISKRA_PREP_KILL, ISKRA_PREP_KILL},
        {ISKRA_SDEV_CANCEL, ISKRA_PREP_KILL, ISKRA_PREP_OK},
        {ISKRA_SDEV_DEL, ISKRA_PREP_KILL, ISKRA_PREP_KILL},
    };

    (void)state;
    assert_int_equal(sizeof(rows) / sizeof(rows[0]), ISKRA_SDEV_STATE_CNT);
    for (unsigned i = 0; i < ISKRA_SDEV_STATE_CNT; i++) {
        assert_int_equal(iskra_sdev_prep_state_check(rows[i].state, false), rows[i].normal);
        assert_int_equal(iskra_sdev_prep_state_check(rows[i].state, true), rows[i].preempt);
    }
}

static void only_these_device_states_follow_each_other(void **state)
{
    /* to: Created Running Block created-bLock Quiesce Offline Transport-offline caNcel Del */
    static const char *const want[ISKRA_SDEV_STATE_CNT] = {
        [ISKRA_SDEV_CREATED] = ".R.L.OTN.",
        [ISKRA_SDEV_RUNNING] = "..B.QOTN.",
        [ISKRA_SDEV_BLOCK] = ".R..QOTN.",
        [ISKRA_SDEV_CREATED_BLOCK] = "C.B...TN.",
        [ISKRA_SDEV_QUIESCE] = ".RB..OTN.",
        [ISKRA_SDEV_OFFLINE] = ".R..Q..N.",
        [ISKRA_SDEV_TRANSPORT_OFFLINE] = ".R..Q..N.",
        [ISKRA_SDEV_CANCEL] = "........D",
        [ISKRA_SDEV_DEL] = ".........",
    };

    (void)state;
    for (int from = 0; from < ISKRA_SDEV_STATE_CNT; from++) {
        for (int to = 0; to < ISKRA_SDEV_STATE_CNT; to++) {
            bool allowed = want[from][to] != '.';
            if (iskra_sdev_state_may_change((enum iskra_sdev_state)from,
                                            (enum iskra_sdev_state)to) != allowed)
                fail_msg("%s -> %s: want %d", iskra_sdev_state_name((enum iskra_sdev_state)from),
                         iskra_sdev_state_name((enum iskra_sdev_state)to), allowed);
        }
    }
    assert_string_equal(iskra_sdev_state_name(ISKRA_SDEV_STATE_CNT), "?");
}

static void block_and_unblock_leave_an_offline_device_offline(void **state)
{
    struct rig *r = *state;
    struct iskra_sdev *fresh = iskra_alloc_sdev(&r->host, 5);
    struct iskra_sdev *offline = rig_disk(r, 6);

    assert_true(iskra_sdev_set_state(offline, ISKRA_SDEV_OFFLINE));
    iskra_shost_class_ops.block(&r->host);
    assert_string_equal(iskra_sdev_state_name(r->sdev->state), "BLOCK");
    assert_string_equal(iskra_sdev_state_name(fresh->state), "CREATED_BLOCK");
    assert_string_equal(iskra_sdev_state_name(offline->state), "OFFLINE");
    iskra_shost_class_ops.unblock(&r->host);
    assert_string_equal(iskra_sdev_state_name(r->sdev->state), "RUNNING");
    assert_string_equal(iskra_sdev_state_name(fresh->state), "CREATED");
    assert_string_equal(iskra_sdev_state_name(offline->state), "OFFLINE");
}

static void a_relogin_revives_a_device_that_was_given_up(void **state)
{
    struct rig *r = *state;

    iskra_shost_class_ops.block(&r->host);
    r->session.state = ISKRA_SESSION_RECOVERY_FAILED;
    iskra_shost_class_ops.transport_offline(&r->host);
    assert_string_equal(iskra_sdev_state_name(r->sdev->state), "TRANSPORT_OFFLINE");
    r->session.state = ISKRA_SESSION_LOGGED_IN;
    iskra_shost_class_ops.unblock(&r->host);
    assert_string_equal(iskra_sdev_state_name(r->sdev->state), "RUNNING");
    rig_read(r, 0, 0, 1);
    assert_int_equal(r->sent_cnt, 1);
}

static void a_device_made_while_its_session_is_away_is_blocked_or_offline_too(void **state)
{
    struct rig *r = *state;

    iskra_shost_class_ops.block(&r->host);
    assert_string_equal(iskra_sdev_state_name(iskra_alloc_sdev(&r->host, 7)->state),
                        "CREATED_BLOCK");
    r->session.state = ISKRA_SESSION_RECOVERY_FAILED;
    iskra_shost_class_ops.transport_offline(&r->host);
    assert_string_equal(iskra_sdev_state_name(iskra_alloc_sdev(&r->host, 8)->state),
                        "TRANSPORT_OFFLINE");
}

static void only_these_host_states_follow_each_other(void **state)
{
    /* to: Created rUnning recoverY Cancel cancel-Recovery Del */
    static const char *const want[ISKRA_SHOST_STATE_CNT] = {
        [ISKRA_SHOST_CREATED] = ".U.C..",         [ISKRA_SHOST_RUNNING] = "..YC..",
        [ISKRA_SHOST_RECOVERY] = ".U..R.",        [ISKRA_SHOST_CANCEL] = "....RD",
        [ISKRA_SHOST_CANCEL_RECOVERY] = "...C.D", [ISKRA_SHOST_DEL] = "......",
    };

    (void)state;
    for (int from = 0; from < ISKRA_SHOST_STATE_CNT; from++)
        for (int to = 0; to < ISKRA_SHOST_STATE_CNT; to++)
            assert_int_equal(iskra_shost_state_may_change((enum iskra_shost_state)from,
                                                          (enum iskra_shost_state)to),
                             want[from][to] != '.');
}

static void gone(void *arg)
{
    ++*(unsigned *)arg;
}

static void a_removed_device_waits_for_what_is_out_and_cancels_the_rest(void **state)
{
    struct rig *r = *state;
    unsigned gone_cnt = 0;

    r->sdev->queue_depth = 1;
    struct rig_io *out = rig_read(r, 0, 0, 1), *queued = rig_read(r, 1, 1, 1);
    iskra_sdev_remove(r->sdev, gone, &gone_cnt);
    rig_work(r);
    assert_int_equal(queued->done_cnt, 1);
    assert_int_equal(queued->sreq.status, -ECANCELED);
    assert_int_equal(queued->error.code, ISKRA_E_CANCELED);
    assert_int_equal(out->done_cnt, 0);
    assert_int_equal(gone_cnt, 0);
    rig_answer_good(r, 0);
    assert_int_equal(out->done_cnt, 1);
    assert_int_equal(out->sreq.status, 0);
    assert_int_equal(gone_cnt, 1);
    assert_true(iskra_list_empty(&r->host.devices));
}

static void a_removed_device_takes_nothing_more(void **state)
{
    struct rig *r = *state;

    iskra_sdev_remove(r->sdev, NULL, NULL);
    struct rig_io *io = rig_io(r, 0);
    assert_int_equal(iskra_scsi_submit_read(&io->sreq, NULL, 0, 0, 0), -ENODEV);
}

static void remove_in_done(struct rig_io *io)
{
    iskra_sdev_remove(io->sreq.sdev, gone, &io->rig->judged_cnt);
}

static void a_device_may_be_removed_from_inside_done(void **state)
{
    struct rig *r = *state;
    struct rig_io *first = rig_read(r, 0, 0, 1), *second = rig_read(r, 1, 1, 1);

    first->on_done = remove_in_done;
    rig_answer_good(r, 0);
    assert_int_equal(second->done_cnt, 0);
    rig_answer_good(r, 1);
    assert_int_equal(second->done_cnt, 1);
    assert_int_equal(r->judged_cnt, 1);
}

#define T(name) cmocka_unit_test_setup_teardown(name, rig_setup, rig_teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_quiesced_device_lets_internal_requests_pass),
        cmocka_unit_test(each_device_state_says_what_it_does_to_a_request),
        cmocka_unit_test(only_these_device_states_follow_each_other),
        T(block_and_unblock_leave_an_offline_device_offline),
        T(a_relogin_revives_a_device_that_was_given_up),
        T(a_device_made_while_its_session_is_away_is_blocked_or_offline_too),
        cmocka_unit_test(only_these_host_states_follow_each_other),
        T(a_removed_device_waits_for_what_is_out_and_cancels_the_rest),
        T(a_removed_device_takes_nothing_more),
        T(a_device_may_be_removed_from_inside_done),
    };
    return cmocka_run_group_tests_name("scsi device", tests, NULL, NULL);
}
