/* Blocks of tasks: how many are set aside, what without memory for them, and that their R2T queues
 * are as negotiated. */
#include <errno.h>

#include "rig.h"

#define CMD_CNT 113 /* what a session of 128 lets out at once */
static struct rig_cmd cmds[CMD_CNT + 1];

static enum iskra_queue_status nth_queue(struct rig *r, unsigned i)
{
    rig_cmd_init(r, &cmds[i], ISKRA_DIR_NONE, 0);
    return rig_queue(&cmds[i]);
}

static void queue_all(struct rig *r, unsigned cnt)
{
    for (unsigned i = 0; i < cnt; i++)
        assert_int_equal(nth_queue(r, i), ISKRA_QUEUED);
    assert_int_equal(nth_queue(r, cnt), ISKRA_TARGET_BUSY);
}

static struct rig *rig_of_depth(uint32_t cmds_max, uint32_t queue_depth)
{
    struct rig *r = rig_new_of_depth(cmds_max, queue_depth);
    rig_log_in(r);
    return r;
}

static void tasks_are_there_for_the_queue_depth_and_more_are_set_aside(void **state)
{
    static const struct {
        uint32_t cmnd_cnt, task_cnt;
    } rows[] = {{1, 16},  {2, 32},   {17, 32},   {18, 48},   {32, 48},
                {33, 48}, {97, 112}, {113, 128}, {114, 128}, {4000, 128}};
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        struct rig *r = rig_new_of_depth(128, rows[i].cmnd_cnt);
        assert_int_equal(rig_session(r)->cmd_cnt, rows[i].task_cnt);
        rig_free(r);
        r = rig_new_of_depth(128, 1);
        assert_int_equal(iskra_task_pool_set_aside(rig_session(r), rows[i].cmnd_cnt), 0);
        assert_int_equal(rig_session(r)->cmd_cnt, rows[i].task_cnt);
        assert_int_equal(iskra_task_pool_set_aside(rig_session(r), 1), 0);
        assert_int_equal(rig_session(r)->cmd_cnt, rows[i].task_cnt);
        rig_free(r);
    }
}

static void as_many_commands_are_out_as_there_are_tasks_and_nothing_is_allocated(void **state)
{
    struct rig *r = rig_of_depth(128, 32);
    unsigned before = r->alloc_cnt;
    queue_all(r, 33);
    assert_int_equal(r->alloc_cnt, before);
    assert_int_equal(iskra_task_pool_set_aside(rig_session(r), 64), 0);
    before = r->alloc_cnt;
    for (unsigned i = 33; i < 65; i++)
        assert_int_equal(nth_queue(r, i), ISKRA_QUEUED);
    assert_int_equal(nth_queue(r, 65), ISKRA_TARGET_BUSY);
    assert_int_equal(r->alloc_cnt, before);
    rig_free(r);
}

static void every_tag_finds_its_task(void **state)
{
    struct rig *r = rig_of_depth(128, CMD_CNT);
    queue_all(r, CMD_CNT);
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
    struct rig *r = rig_of_depth(128, 17);
    assert_int_equal(iskra_verify_itt(rig_conn(r), 31), ISKRA_CONN_OK);
    assert_int_equal(iskra_verify_itt(rig_conn(r), 32), ISKRA_CONN_BAD_ITT);
    assert_non_null(strstr(rig_conn(r)->tcp.error.text, "only 32 tasks"));
    rig_free(r);
}

/* The first allocation of a block is its tasks', the second its R2Ts'. */
static void without_memory_for_more_commands_share_what_is_there(void **state)
{
    for (unsigned nth = 1; nth <= 2; nth++) {
        struct rig *r = rig_of_depth(128, 17);
        unsigned live = r->live_cnt;
        r->alloc_fail_at = r->alloc_cnt + nth;
        assert_int_equal(iskra_task_pool_set_aside(rig_session(r), 34), -ENOMEM);
        assert_int_equal(r->live_cnt, live);
        assert_int_equal(rig_session(r)->cmd_cnt, 32);
        queue_all(r, 17);
        assert_int_equal(iskra_session_abort(rig_session(r), &cmds[3].cmnd), 0);
        assert_int_equal(cmds[3].done_cnt, 1);
        assert_int_equal(rig_queue(&cmds[17]), ISKRA_QUEUED);
        rig_free(r);
    }
}

static void tasks_of_management_are_kept_back(void **state)
{
    struct rig *r = rig_of_depth(128, 17);
    queue_all(r, 17);
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
    struct rig *r = rig_new_of_depth(64, 1);
    struct iskra_session *s = rig_session(r);
    for (uint32_t i = 0; i < sizeof(negotiated) / sizeof(negotiated[0]); i++) {
        s->params.max_outstanding_r2t = negotiated[i];
        assert_int_equal(iskra_task_pool_set_r2ts_aside(s), 0);
        assert_r2ts(s, negotiated[i]);
        assert_int_equal(iskra_task_pool_set_aside(s, 2 + 16 * i), 0);
        assert_int_equal(s->cmd_cnt, 32 + 16 * i);
        assert_r2ts(s, negotiated[i]);
    }
    rig_free(r);
}

static void larger_r2t_queues_come_for_all_blocks_or_are_asked_for_again(void **state)
{
    struct rig *r = rig_new_of_depth(64, 17);
    struct iskra_session *s = rig_session(r);
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
        cmocka_unit_test(tasks_are_there_for_the_queue_depth_and_more_are_set_aside),
        cmocka_unit_test(as_many_commands_are_out_as_there_are_tasks_and_nothing_is_allocated),
        cmocka_unit_test(every_tag_finds_its_task),
        cmocka_unit_test(tag_of_a_task_that_never_was_is_refused),
        cmocka_unit_test(without_memory_for_more_commands_share_what_is_there),
        cmocka_unit_test(tasks_of_management_are_kept_back),
        cmocka_unit_test(r2t_queues_are_as_negotiated_in_blocks_old_and_new),
        cmocka_unit_test(larger_r2t_queues_come_for_all_blocks_or_are_asked_for_again),
    };
    return cmocka_run_group_tests_name("task_pool", tests, NULL, NULL);
}
