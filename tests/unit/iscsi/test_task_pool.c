/* Blocks of tasks: when they come, what without memory for them, and that their R2T queues are as
 * negotiated. */
#include <errno.h>

#include "rig.h"

#define CMD_CNT 113 /* what a session of 128 lets out at once */
static struct rig_cmd cmds[CMD_CNT + 1];

static enum iskra_queue_status nth_queue(struct rig *r, unsigned i)
{
    rig_cmd_init(r, &cmds[i], ISKRA_DIR_NONE, 0);
    return rig_queue(&cmds[i]);
}

static void queue_up_to(struct rig *r, unsigned from, unsigned cnt)
{
    for (unsigned i = from; i < cnt; i++)
        assert_int_equal(nth_queue(r, i), ISKRA_QUEUED);
}

/* Those that wait to be sent end without a word to the target. */
static void all_end(struct rig *r, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++)
        assert_int_equal(iskra_session_abort(rig_session(r), &cmds[i].cmnd), 0);
    for (unsigned i = 0; i < cnt; i++)
        assert_int_equal(cmds[i].done_cnt, 1);
}

static void more_tasks_come_when_they_are_wanted_and_stay(void **state)
{
    static const struct {
        unsigned cmd_cnt, task_cnt;
    } rows[] = {{17, 32}, {18, 64}, {49, 64}, {50, 96}, {81, 96}, {82, 128}, {113, 128}};
    struct rig *r = rig_logged_in(128);
    struct iskra_session *s = rig_session(r);
    unsigned cnt = 0;
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        queue_up_to(r, cnt, rows[i].cmd_cnt);
        cnt = rows[i].cmd_cnt;
        assert_int_equal(s->cmd_cnt, rows[i].task_cnt);
    }
    assert_int_equal(nth_queue(r, CMD_CNT), ISKRA_TARGET_BUSY);
    all_end(r, CMD_CNT);
    unsigned before = r->alloc_cnt;
    queue_up_to(r, 0, CMD_CNT);
    assert_int_equal(r->alloc_cnt, before);
    rig_free(r);
}

static void every_tag_finds_its_task(void **state)
{
    struct rig *r = rig_logged_in(128);
    queue_up_to(r, 0, CMD_CNT);
    for (uint32_t i = 0; i < 128; i++) {
        struct iskra_task *task = iskra_session_task(rig_session(r), i);
        assert_int_equal(task->index, i);
        assert_ptr_equal(iskra_itt_to_task(rig_conn(r), i), task);
    }
    assert_null(iskra_itt_to_task(rig_conn(r), 128));
    rig_free(r);
}

static void tag_of_a_task_that_never_was_is_refused(void **state)
{
    struct rig *r = rig_logged_in(128);
    assert_int_equal(iskra_verify_itt(rig_conn(r), 31), ISKRA_CONN_OK);
    assert_int_equal(iskra_verify_itt(rig_conn(r), 32), ISKRA_CONN_BAD_ITT);
    assert_non_null(strstr(rig_conn(r)->tcp.error.text, "only 32 tasks"));
    rig_free(r);
}

/* The first allocation of a block is its tasks', the second its R2Ts'. */
static void without_memory_for_more_the_first_block_goes_on(void **state)
{
    for (unsigned nth = 1; nth <= 2; nth++) {
        struct rig *r = rig_logged_in(128);
        queue_up_to(r, 0, 17);
        unsigned live = r->live_cnt;
        r->alloc_fail_at = r->alloc_cnt + nth;
        assert_int_equal(nth_queue(r, 17), ISKRA_TARGET_BUSY);
        assert_int_equal(r->live_cnt, live);
        assert_int_equal(rig_session(r)->cmd_cnt, 32);
        assert_int_equal(iskra_session_abort(rig_session(r), &cmds[3].cmnd), 0);
        r->alloc_fail_at = r->alloc_cnt + nth;
        assert_int_equal(rig_queue(&cmds[17]), ISKRA_QUEUED);
        assert_int_equal(rig_session(r)->cmd_cnt, 32);
        rig_free(r);
    }
}

static void tasks_of_management_are_kept_back_in_every_block(void **state)
{
    struct rig *r = rig_logged_in(128);
    queue_up_to(r, 0, 17);
    r->alloc_fail_at = r->alloc_cnt + 1;
    assert_int_equal(nth_queue(r, 17), ISKRA_TARGET_BUSY);
    unsigned cnt = 0;
    while (iskra_task_alloc(rig_session(r), rig_conn(r)) != NULL)
        cnt++;
    assert_int_equal(cnt, ISKRA_MGMT_CMDS_MAX - 1); /* the login task is not in the pool */
    rig_free(r);
}

/* Every entry is written: an address sanitizer would see one that is not there, the loop after it
 * one that two tasks share. */
static void assert_r2ts(struct iskra_session *s, uint32_t per_task)
{
    for (uint32_t i = 0; i < s->cmd_cnt; i++) {
        struct iskra_r2t_queue *q = &iskra_session_task(s, i)->r2ts;
        assert_int_equal(q->entry_cnt, per_task);
        for (uint32_t n = 0; n < per_task; n++)
            q->entries[n].ttt = i * per_task + n;
    }
    for (uint32_t i = 0; i < s->cmd_cnt; i++)
        for (uint32_t n = 0; n < per_task; n++)
            assert_int_equal(iskra_session_task(s, i)->r2ts.entries[n].ttt, i * per_task + n);
}

static void r2t_queues_are_as_negotiated_in_blocks_old_and_new(void **state)
{
    static const uint32_t negotiated[] = {2, 8, 3};
    struct rig *r = rig_new(128);
    struct iskra_session *s = rig_session(r);
    for (size_t i = 0; i < sizeof(negotiated) / sizeof(negotiated[0]); i++) {
        s->params.max_outstanding_r2t = negotiated[i];
        assert_int_equal(iskra_task_pool_set_r2ts_aside(s), 0);
        assert_r2ts(s, negotiated[i]);
        assert_true(iskra_task_pool_grow(s));
        assert_r2ts(s, negotiated[i]);
    }
    assert_false(iskra_task_pool_grow(s));
    rig_free(r);
}

static void larger_r2t_queues_come_for_all_blocks_or_are_asked_for_again(void **state)
{
    struct rig *r = rig_new(64);
    struct iskra_session *s = rig_session(r);
    assert_true(iskra_task_pool_grow(s));
    s->params.max_outstanding_r2t = 2;
    assert_int_equal(iskra_task_pool_set_r2ts_aside(s), 0);
    s->params.max_outstanding_r2t = 4;
    for (unsigned nth = 1; nth <= 2; nth++) {
        r->alloc_fail_at = r->alloc_cnt + nth;
        assert_int_equal(iskra_task_pool_set_r2ts_aside(s), -ENOMEM);
    }
    assert_int_equal(iskra_task_pool_set_r2ts_aside(s), 0);
    assert_r2ts(s, 4);
    rig_free(r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(more_tasks_come_when_they_are_wanted_and_stay),
        cmocka_unit_test(every_tag_finds_its_task),
        cmocka_unit_test(tag_of_a_task_that_never_was_is_refused),
        cmocka_unit_test(without_memory_for_more_the_first_block_goes_on),
        cmocka_unit_test(tasks_of_management_are_kept_back_in_every_block),
        cmocka_unit_test(r2t_queues_are_as_negotiated_in_blocks_old_and_new),
        cmocka_unit_test(larger_r2t_queues_come_for_all_blocks_or_are_asked_for_again),
    };
    return cmocka_run_group_tests_name("task_pool", tests, NULL, NULL);
}
