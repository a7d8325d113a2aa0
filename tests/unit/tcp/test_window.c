/* Windows: where the port says the next bytes belong, what is lent with them, and suspension. */
#include "tcp_test.h"

#define ITT 0x10000000u

static struct iovec iov[8];

static int window(struct fake *f)
{
    return iskra_tcp_recv_window(&f->conn, f->staging, sizeof(f->staging), iov, 8);
}

/* Bytes into the window, in order, and recv(). */
static int receive(struct fake *f, int cnt, const uint8_t *bytes, size_t n)
{
    size_t left = n;
    for (int i = 0; i < cnt && left > 0; i++) {
        size_t here_len = iov[i].iov_len < left ? iov[i].iov_len : left;
        memcpy(iov[i].iov_base, bytes, here_len);
        bytes += here_len;
        left -= here_len;
    }
    assert_int_equal(left, 0);
    return iskra_tcp_recv(&f->conn, n);
}

/* Feeds the header alone, so that the next window is the data's. */
static void receive_header(struct fake *f, const struct stream *s)
{
    int cnt = window(f);
    assert_int_equal(receive(f, cnt, s->bytes, ISKRA_BHS_LEN), 0);
}

static void waiting_for_a_header_all_of_staging_is_offered(void **state)
{
    struct fake *f = *state;
    assert_int_equal(window(f), 1);
    assert_ptr_equal(iov[0].iov_base, f->staging);
    assert_int_equal(iov[0].iov_len, sizeof(f->staging));
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), 0); /* unused: nothing happened */
    assert_int_equal(window(f), 1);
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), 0);
}

static void a_large_rest_is_received_in_place_with_little_staging_behind(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    struct fake_task *task = fake_put_read(f, &s, 40000, 1);
    receive_header(f, &s);
    assert_int_equal(window(f), 2);
    assert_ptr_equal(iov[0].iov_base, task->memory);
    assert_int_equal(iov[0].iov_len, 40000);
    assert_ptr_equal(iov[1].iov_base, f->staging);
    assert_int_equal(iov[1].iov_len, ISKRA_STAGING_BEHIND_LEN);
    assert_int_equal(receive(f, 2, s.bytes + ISKRA_BHS_LEN, 40000), 0);
    assert_int_equal(f->complete_cnt, 1);
    stream_done(&s);
}

static void a_rest_below_the_limit_goes_through_staging(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    (void)fake_put_read(f, &s, ISKRA_DIRECT_RECV_MIN, 1);
    receive_header(f, &s);
    assert_int_equal(window(f), 2);
    assert_int_equal(receive(f, 2, s.bytes + ISKRA_BHS_LEN, 1), 0);
    assert_int_equal(window(f), 1); /* one byte less */
    assert_ptr_equal(iov[0].iov_base, f->staging);
    assert_int_equal(iov[0].iov_len, ISKRA_DIRECT_RECV_MIN - 1 + ISKRA_STAGING_BEHIND_LEN);
    assert_int_equal(receive(f, 1, s.bytes + ISKRA_BHS_LEN + 1, ISKRA_DIRECT_RECV_MIN - 1), 0);
    assert_int_equal(f->complete_cnt, 1);
    stream_done(&s);
}

static void after_large_data_the_next_header_is_awaited_with_little_staging(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    (void)fake_put_read(f, &s, 40000, 1);
    fake_feed_all(f, &s);
    stream_done(&s);
    assert_int_equal(window(f), 1);
    assert_int_equal(iov[0].iov_len, ISKRA_BHS_LEN + ISKRA_STAGING_BEHIND_LEN);
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), 0);
    (void)fake_put_read(f, &s, 512, 1);
    fake_feed_all(f, &s);
    assert_int_equal(window(f), 1);
    assert_int_equal(iov[0].iov_len, sizeof(f->staging));
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), 0);
    stream_done(&s);
}

static void a_scatter_list_is_offered_entry_by_entry(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    struct fake_task *task = fake_put_read(f, &s, 60000, 1);
    uint8_t *m = task->memory;
    const struct iovec list[] = {{m, 10000}, {m, 0}, {m + 10000, 20000}, {m + 30000, 30000}};
    memcpy(task->iov, list, sizeof(list));
    task->iov_cnt = 4;
    fake_task_restart(task);
    receive_header(f, &s);
    assert_int_equal(window(f), 4);
    assert_int_equal(iov[0].iov_len, 10000);
    assert_ptr_equal(iov[1].iov_base, m + 10000);
    assert_int_equal(iov[1].iov_len, 20000);
    assert_int_equal(iov[2].iov_len, 30000);
    assert_int_equal(iov[3].iov_len, ISKRA_STAGING_BEHIND_LEN);
    assert_int_equal(receive(f, 4, s.bytes + ISKRA_BHS_LEN, 15000), 0);
    assert_int_equal(window(f), 3);
    assert_ptr_equal(iov[0].iov_base, m + 15000);
    assert_int_equal(iov[0].iov_len, 15000);
    assert_int_equal(receive(f, 3, s.bytes + ISKRA_BHS_LEN + 15000, 45000), 0);
    assert_memory_equal(m, s.bytes + ISKRA_BHS_LEN, 60000);
    stream_done(&s);
}

static void when_entries_run_out_no_staging_follows(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    struct fake_task *task = fake_put_read(f, &s, 120000, 1);
    uint8_t *m = task->memory;
    const struct iovec list[] = {{m, 40000}, {m + 40000, 40000}, {m + 80000, 40000}};
    memcpy(task->iov, list, sizeof(list));
    task->iov_cnt = 3;
    fake_task_restart(task);
    receive_header(f, &s);
    int cnt = iskra_tcp_recv_window(&f->conn, f->staging, sizeof(f->staging), iov, 3);
    assert_int_equal(cnt, 2); /* one is kept for staging, which must not stand before the third */
    assert_int_equal(receive(f, 2, s.bytes + ISKRA_BHS_LEN, 80000), 0);
    assert_int_equal(window(f), 2);
    assert_ptr_equal(iov[0].iov_base, m + 80000);
    assert_int_equal(receive(f, 2, s.bytes + ISKRA_BHS_LEN + 80000, 40000), 0);
    assert_memory_equal(m, s.bytes + ISKRA_BHS_LEN, 120000);
    stream_done(&s);
}

static void memory_in_a_window_is_lent_until_recv(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    struct fake_task *task = fake_put_read(f, &s, 40000, 1);
    receive_header(f, &s);
    assert_int_equal(task->ref_cnt, 1); /* its Data-In goes on */
    int cnt = window(f);
    assert_int_equal(task->ref_cnt, 2); /* and its memory is out */
    unsigned put_cnt = f->put_cnt;
    iskra_tcp_recv_suspend(&f->conn); /* changes nothing about the loan */
    assert_int_equal(f->put_cnt, put_cnt);
    assert_int_equal(receive(f, cnt, s.bytes + ISKRA_BHS_LEN, 100), -EAGAIN);
    assert_int_equal(task->ref_cnt, 1);
    assert_int_equal(iskra_tcp_recv_resume(&f->conn), 0);
    cnt = window(f);
    assert_int_equal(receive(f, cnt, s.bytes + ISKRA_BHS_LEN + 100, 39900), 0);
    assert_int_equal(task->ref_cnt, 0);
    stream_done(&s);
}

static void a_window_that_comes_back_unused_ends_the_loan(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    struct fake_task *task = fake_put_read(f, &s, 40000, 1);
    receive_header(f, &s);
    (void)window(f);
    assert_int_equal(task->ref_cnt, 2);
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), 0);
    assert_int_equal(task->ref_cnt, 1);
    stream_done(&s);
}

static void a_reset_gives_all_loans_back(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    struct fake_task *task = fake_put_read(f, &s, 40000, 1);
    receive_header(f, &s);
    (void)window(f);
    assert_int_equal(task->ref_cnt, 2);
    fake_reset(f);
    assert_int_equal(task->ref_cnt, 0);
    assert_int_equal(window(f), 1); /* a header is awaited */
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), 0);
    stream_done(&s);
}

static void a_failure_ends_the_reference_on_the_task(void **state)
{
    struct fake *f = *state;
    struct stream s = {.data_digest = true};
    f->conn.in.data_digest = true;
    struct fake_task *task = fake_put_read(f, &s, 40000, 1);
    s.bytes[s.len - 1] ^= 1;
    struct chunks chunks = {.fixed = 1000};
    size_t used;
    assert_int_equal(fake_feed(f, s.bytes, s.len, &chunks, &used), -EBADMSG);
    assert_int_equal(f->failure, ISKRA_CONN_DATA_DGST);
    assert_int_equal(task->ref_cnt, 0);
    stream_done(&s);
}

/* What is staged whole needs no reference: nobody else runs before it is over. */
static void small_reads_cost_no_reference(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    (void)fake_put_read(f, &s, 4096, 1);
    (void)fake_put_read(f, &s, 4096, 2);
    fake_feed_all(f, &s);
    assert_int_equal(f->complete_cnt, 2);
    assert_int_equal(f->get_cnt, 0);
    assert_int_equal(f->put_cnt, 0);
    stream_done(&s);
}

/* Decision 13: during login nothing is read beyond the segment that is awaited. */
static void in_login_no_window_reaches_past_the_segment(void **state)
{
    struct fake *f = *state;
    f->conn.in.exact = true;
    uint8_t bhs[ISKRA_BHS_LEN];
    bhs_of(bhs, ISKRA_OP_LOGIN_RSP, ITT);
    struct stream s = {0};
    stream_put_pdu(&s, bhs, "ahs.", 4, "key=value", 10);
    static const size_t wanted[] = {48, 4, 10, 2, 48};
    size_t at = 0;
    for (unsigned i = 0; i < 5; i++) {
        assert_int_equal(window(f), 1);
        assert_int_equal(iov[0].iov_len, wanted[i]);
        assert_int_equal(receive(f, 1, s.bytes + at, i < 4 ? wanted[i] : 0), 0);
        at += wanted[i];
    }
    assert_int_equal(f->complete_cnt, 1);
    stream_done(&s);
}

static void in_login_the_rest_of_a_header_is_asked_for(void **state)
{
    struct fake *f = *state;
    f->conn.in.exact = true;
    struct stream s = {0};
    stream_put_nop_in(&s);
    assert_int_equal(window(f), 1);
    assert_int_equal(receive(f, 1, s.bytes, 10), 0);
    assert_int_equal(window(f), 1);
    assert_int_equal(iov[0].iov_len, ISKRA_BHS_LEN - 10);
    assert_int_equal(receive(f, 1, s.bytes + 10, ISKRA_BHS_LEN - 10), 0);
    assert_int_equal(f->complete_cnt, 1);
    stream_done(&s);
}

static void a_window_is_never_larger_than_the_staging_given(void **state)
{
    struct fake *f = *state;
    f->conn.in.exact = true;
    assert_int_equal(iskra_tcp_recv_window(&f->conn, f->staging, 10, iov, 2), 1);
    assert_int_equal(iov[0].iov_len, 10);
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), 0);
    f->conn.in.exact = false;
    struct stream s = {0};
    (void)fake_put_read(f, &s, 40000, 1);
    receive_header(f, &s);
    assert_int_equal(iskra_tcp_recv_window(&f->conn, f->staging, 10, iov, 2), 2);
    assert_int_equal(iov[1].iov_len, 10);
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), 0);
    stream_done(&s);
}

static void suspended_there_is_no_window(void **state)
{
    struct fake *f = *state;
    iskra_tcp_recv_suspend(&f->conn);
    assert_int_equal(window(f), 0);
    assert_int_equal(iskra_tcp_recv_resume(&f->conn), 0);
    assert_int_equal(window(f), 1);
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), 0);
}

static void bytes_behind_a_suspending_pdu_are_held_and_worked_off(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    for (unsigned i = 0; i < 3; i++)
        stream_put_nop_in(&s);
    f->suspend_in_complete = true;
    int cnt = window(f);
    assert_int_equal(receive(f, cnt, s.bytes, s.len), -EAGAIN);
    assert_int_equal(f->complete_cnt, 1);
    assert_int_equal(window(f), 0);
    memset(f->staging, 0xdd, sizeof(f->staging)); /* staging is the transport's again */
    assert_int_equal(iskra_tcp_recv_resume(&f->conn), -EAGAIN);
    assert_int_equal(f->complete_cnt, 2);
    assert_int_equal(window(f), 0);
    assert_int_equal(iskra_tcp_recv_resume(&f->conn), -EAGAIN); /* by the last of them */
    assert_int_equal(f->complete_cnt, 3);
    assert_int_equal(window(f), 0);
    assert_int_equal(iskra_tcp_recv_resume(&f->conn), 0);
    assert_int_equal(window(f), 1);
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), 0);
    assert_int_equal(f->complete_cnt, 3);
    assert_int_equal(f->failure_cnt, 0);
    stream_done(&s);
}

static void a_failure_among_held_bytes_is_reported_by_resume(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    stream_put_nop_in(&s);
    uint8_t bhs[ISKRA_BHS_LEN];
    bhs_of(bhs, ISKRA_OP_LOGIN, ISKRA_RESERVED_TAG);
    stream_put_pdu(&s, bhs, NULL, 0, NULL, 0);
    stream_put_nop_in(&s);
    f->suspend_in_complete = true;
    int cnt = window(f);
    assert_int_equal(receive(f, cnt, s.bytes, s.len), -EAGAIN);
    assert_int_equal(iskra_tcp_recv_resume(&f->conn), -EPROTO);
    assert_int_equal(f->failure, ISKRA_CONN_BAD_OPCODE);
    assert_int_equal(f->failure_cnt, 1);
    assert_int_equal(f->complete_cnt, 1);
    assert_int_equal(window(f), 0);
    stream_done(&s);
}

static void no_memory_to_hold_bytes_fails_the_connection(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    stream_put_nop_in(&s);
    stream_put_nop_in(&s);
    f->suspend_in_complete = true;
    f->allocs_left = 0;
    int cnt = window(f);
    assert_int_equal(receive(f, cnt, s.bytes, s.len), -ECONNRESET);
    assert_int_equal(f->failure, ISKRA_CONN_FAILED);
    assert_int_equal(f->failure_cnt, 1);
    assert_int_equal(iskra_tcp_recv_resume(&f->conn), -ECONNRESET);
    stream_done(&s);
}

/* Suspended while the transport is already receiving: the payload is in place, what was staged is
 * held. */
static void a_suspension_during_a_direct_receive_loses_nothing(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    struct fake_task *task = fake_put_read(f, &s, 40000, 2);
    stream_put_nop_in(&s);
    receive_header(f, &s);
    int cnt = window(f);
    iskra_tcp_recv_suspend(&f->conn);
    assert_int_equal(receive(f, cnt, s.bytes + ISKRA_BHS_LEN, s.len - ISKRA_BHS_LEN), -EAGAIN);
    assert_memory_equal(task->memory, s.bytes + ISKRA_BHS_LEN, 40000);
    assert_int_equal(f->complete_cnt, 1);
    assert_int_equal(iskra_tcp_recv_resume(&f->conn), 0);
    assert_int_equal(f->complete_cnt, 2);
    stream_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        FAKE_TEST(waiting_for_a_header_all_of_staging_is_offered),
        FAKE_TEST(a_large_rest_is_received_in_place_with_little_staging_behind),
        FAKE_TEST(a_rest_below_the_limit_goes_through_staging),
        FAKE_TEST(after_large_data_the_next_header_is_awaited_with_little_staging),
        FAKE_TEST(a_scatter_list_is_offered_entry_by_entry),
        FAKE_TEST(when_entries_run_out_no_staging_follows),
        FAKE_TEST(memory_in_a_window_is_lent_until_recv),
        FAKE_TEST(a_window_that_comes_back_unused_ends_the_loan),
        FAKE_TEST(a_reset_gives_all_loans_back),
        FAKE_TEST(a_failure_ends_the_reference_on_the_task),
        FAKE_TEST(small_reads_cost_no_reference),
        FAKE_TEST(in_login_no_window_reaches_past_the_segment),
        FAKE_TEST(in_login_the_rest_of_a_header_is_asked_for),
        FAKE_TEST(a_window_is_never_larger_than_the_staging_given),
        FAKE_TEST(suspended_there_is_no_window),
        FAKE_TEST(bytes_behind_a_suspending_pdu_are_held_and_worked_off),
        FAKE_TEST(a_failure_among_held_bytes_is_reported_by_resume),
        FAKE_TEST(no_memory_to_hold_bytes_fails_the_connection),
        FAKE_TEST(a_suspension_during_a_direct_receive_loses_nothing),
    };
    return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
