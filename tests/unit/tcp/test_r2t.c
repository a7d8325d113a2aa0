/* R2T rules in their order, and the queue behind them. */
#include "tcp_test.h"

static void put_r2t(struct stream *s, const struct fake_task *task, uint32_t r2t_sn,
                    uint32_t offset, uint32_t desired_len)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    bhs_of_r2t(bhs, task->tcp.itt, r2t_sn, offset, desired_len);
    stream_put_pdu(s, bhs, NULL, 0, NULL, 0);
}

static int feed(struct fake *f, struct stream *s)
{
    struct chunks chunks = {.fixed = 29};
    size_t used;
    int rc = fake_feed(f, s->bytes, s->len, &chunks, &used);
    stream_done(s);
    return rc;
}

static void r2ts_are_queued_in_order_up_to_the_pool(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_WRITE, 4096, 1, 1);
    struct stream s = {0};
    for (uint32_t i = 0; i < FAKE_R2T_CNT; i++)
        put_r2t(&s, task, i, i * 1024, 1024);
    assert_int_equal(feed(f, &s), 0);
    assert_int_equal(f->r2t_cnt, FAKE_R2T_CNT);
    assert_int_equal(task->r2ts.queued_cnt, FAKE_R2T_CNT);
    for (uint32_t i = 0; i < FAKE_R2T_CNT; i++) {
        const struct iskra_r2t *r2t = &task->r2ts.entries[i];
        assert_int_equal(r2t->r2t_sn, i);
        assert_int_equal(r2t->ttt, 0x7700 + i);
        assert_int_equal(r2t->offset, i * 1024);
        assert_int_equal(r2t->desired_len, 1024);
    }
    assert_int_equal(task->tcp.exp_data_sn, FAKE_R2T_CNT);
    assert_int_equal(task->tcp.last_xfer, FAKE_R2T_CNT);
    assert_int_equal(f->window_update_cnt, FAKE_R2T_CNT);
    assert_int_equal(f->complete_cnt, 0); /* an R2T completes nothing */
}

static void one_r2t_more_than_the_pool_is_refused(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_WRITE, 8192, 1, 1);
    struct stream s = {0};
    for (uint32_t i = 0; i <= FAKE_R2T_CNT; i++)
        put_r2t(&s, task, i, i * 1024, 1024);
    assert_int_equal(feed(f, &s), -EPROTO);
    assert_int_equal(f->failure, ISKRA_CONN_PROTO);
    assert_int_equal(f->failure_cnt, 1);
    assert_int_equal(f->r2t_cnt, FAKE_R2T_CNT);
    assert_int_equal(f->after_failure_cnt, 0);
}

static void the_queue_wraps_around(void **state)
{
    (void)state;
    struct iskra_r2t memory[3];
    struct iskra_r2t_queue q;
    iskra_r2t_queue_init(&q, memory, 3);
    q.first = 2; /* as after two were answered */
    for (uint32_t i = 0; i < 3; i++) {
        struct iskra_r2t r2t = {.r2t_sn = i};
        assert_true(iskra_r2t_queue_put(&q, &r2t));
    }
    struct iskra_r2t more = {.r2t_sn = 3};
    assert_false(iskra_r2t_queue_put(&q, &more));
    assert_int_equal(memory[2].r2t_sn, 0);
    assert_int_equal(memory[0].r2t_sn, 1);
    assert_int_equal(memory[1].r2t_sn, 2);
}

static void r2t_beyond_the_command_is_refused(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_WRITE, 4096, 1, 1);
    struct stream s = {0};
    put_r2t(&s, task, 0, 4095, 2);
    assert_int_equal(feed(f, &s), -EPROTO);
    assert_int_equal(f->failure, ISKRA_CONN_DATALEN);
    assert_string_equal(f->conn.error.text, "R2T itt 0x10000000: end of the data asked for 4097, "
                                            "end of the command's data 4096");
}

/* A task being aborted is still known; what the target asks for it is neither a fault nor obeyed.
 */
static void r2t_of_a_task_not_running_is_dropped(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_WRITE, 4096, 1, 1);
    task->tcp.running = false;
    struct stream s = {0};
    put_r2t(&s, task, 0, 0, 4096);
    assert_int_equal(feed(f, &s), 0);
    assert_int_equal(f->failure_cnt, 0);
    assert_int_equal(f->r2t_cnt, 0);
    assert_int_equal(task->r2ts.queued_cnt, 0);
    assert_int_equal(f->conn.in.r2ts_dropped, 1);
    assert_int_equal(f->window_update_cnt, 1);
    /* Their numbers go on: the next one is no fault either. */
    struct stream more = {0};
    put_r2t(&more, task, 1, 0, 4096);
    assert_int_equal(feed(f, &more), 0);
    assert_int_equal(f->failure_cnt, 0);
    assert_int_equal(f->conn.in.r2ts_dropped, 2);
}

static void r2t_without_a_transfer_tag_is_refused(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_WRITE, 4096, 1, 1);
    uint8_t bhs[ISKRA_BHS_LEN];
    bhs_of_r2t(bhs, task->tcp.itt, 0, 0, 4096);
    iskra_put_be32(bhs + 20, ISKRA_RESERVED_TAG);
    struct stream s = {0};
    stream_put_pdu(&s, bhs, NULL, 0, NULL, 0);
    assert_int_equal(feed(f, &s), -EPROTO);
    assert_int_equal(f->failure, ISKRA_CONN_PROTO);
    assert_int_equal(task->r2ts.queued_cnt, 0);
}

/* Unsolicited data first, then the R2Ts as they came; each counts its own DataSN. */
static void what_a_write_owes_comes_in_order(void **state)
{
    (void)state;
    struct iskra_r2t memory[2];
    struct iskra_r2t_queue q;
    iskra_r2t_queue_init(&q, memory, 2);
    struct iskra_tcp_task task = {.r2t = &q, .unsolicited = {.desired_len = 30}};
    struct iskra_r2t r2ts[3] = {{.desired_len = 5}, {.desired_len = 6}, {.desired_len = 7}};
    assert_true(iskra_r2t_queue_put(&q, &r2ts[0]));
    assert_ptr_equal(iskra_tcp_data_out_due(&task), &task.unsolicited);
    iskra_tcp_data_out_sent(&task, 20);
    assert_int_equal(task.unsolicited.data_sn, 1);
    assert_ptr_equal(iskra_tcp_data_out_due(&task), &task.unsolicited);
    iskra_tcp_data_out_sent(&task, 10);
    assert_true(iskra_r2t_queue_put(&q, &r2ts[1]));
    assert_int_equal(iskra_tcp_data_out_due(&task)->desired_len, 5);
    assert_int_equal(iskra_tcp_data_out_due(&task)->data_sn, 0);
    iskra_tcp_data_out_sent(&task, 5);
    assert_true(iskra_r2t_queue_put(&q, &r2ts[2])); /* room again */
    iskra_tcp_data_out_sent(&task, 6);
    assert_int_equal(iskra_tcp_data_out_due(&task)->desired_len, 7);
    iskra_tcp_data_out_sent(&task, 7);
    assert_null(iskra_tcp_data_out_due(&task));
    assert_int_equal(task.sent_len, 48);
}

static void r2t_of_a_completed_task_is_refused(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_WRITE, 4096, 1, 1);
    task->known = false;
    struct stream s = {0};
    put_r2t(&s, task, 0, 0, 4096);
    assert_int_equal(feed(f, &s), -EPROTO);
    assert_int_equal(f->failure, ISKRA_CONN_BAD_ITT);
    free(task->memory);
    task->memory = NULL;
}

static void r2t_while_not_logged_in_is_dropped(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_WRITE, 4096, 1, 1);
    f->logged_in = false;
    struct stream s = {0};
    put_r2t(&s, task, 0, 0, 0); /* not even its length is looked at */
    assert_int_equal(feed(f, &s), 0);
    assert_int_equal(f->r2t_cnt, 0);
    assert_int_equal(f->conn.in.r2ts_dropped, 1);
}

static void r2t_sn_is_asked_before_the_state(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_WRITE, 4096, 1, 1);
    f->logged_in = false;
    struct stream s = {0};
    put_r2t(&s, task, 3, 0, 4096);
    assert_int_equal(feed(f, &s), -EPROTO);
    assert_int_equal(f->failure, ISKRA_CONN_R2TSN);
    assert_int_equal(f->window_update_cnt, 0);
}

static void r2t_beyond_max_burst_is_obeyed_and_counted(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_WRITE, 4096, 1, 1);
    f->conn.in.max_burst_len = 1024;
    struct stream s = {0};
    put_r2t(&s, task, 0, 0, 1024);
    put_r2t(&s, task, 1, 1024, 1025);
    assert_int_equal(feed(f, &s), 0);
    assert_int_equal(f->r2t_cnt, 2);
    assert_int_equal(f->conn.in.r2ts_over_burst, 1);
}

static void a_write_without_a_pool_takes_no_r2t(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_WRITE, 4096, 1, 1);
    task->tcp.r2t = NULL;
    struct stream s = {0};
    put_r2t(&s, task, 0, 0, 4096);
    assert_int_equal(feed(f, &s), -EPROTO);
    assert_int_equal(f->failure, ISKRA_CONN_PROTO);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(r2ts_are_queued_in_order_up_to_the_pool),
        FAKE_TEST(one_r2t_more_than_the_pool_is_refused),
        cmocka_unit_test(the_queue_wraps_around),
        FAKE_TEST(r2t_beyond_the_command_is_refused),
        FAKE_TEST(r2t_of_a_task_not_running_is_dropped),
        FAKE_TEST(r2t_of_a_completed_task_is_refused),
        FAKE_TEST(r2t_while_not_logged_in_is_dropped),
        FAKE_TEST(r2t_sn_is_asked_before_the_state),
        FAKE_TEST(r2t_beyond_max_burst_is_obeyed_and_counted),
        FAKE_TEST(a_write_without_a_pool_takes_no_r2t),
        FAKE_TEST(r2t_without_a_transfer_tag_is_refused),
        cmocka_unit_test(what_a_write_owes_comes_in_order),
    };
    return cmocka_run_group_tests_name("r2t", tests, NULL, NULL);
}
