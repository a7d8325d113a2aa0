/* Receive, PDU by PDU: AHS, pads, digests, Data-In over several PDUs, under every split of small
 * streams. */
#include "tcp_test.h"

#include <stdio.h>

#define ITT 0x10000000u /* the first task of a fake */

static const uint8_t zeros[9000];

static void put_scsi_rsp(struct stream *s, uint32_t ahs_len, const void *data, uint32_t data_len)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    bhs_of(bhs, ISKRA_OP_SCSI_RSP, ITT);
    stream_put_pdu(s, bhs, zeros, ahs_len, data, data_len);
}

static int feed(struct fake *f, const struct stream *s, size_t chunk)
{
    struct chunks chunks = {.fixed = chunk};
    size_t used;
    return fake_feed(f, s->bytes, s->len, &chunks, &used);
}

static void digests_set(struct fake *f, struct stream *s, bool hdr, bool data)
{
    f->conn.in.hdr_digest = s->hdr_digest = hdr;
    f->conn.in.data_digest = s->data_digest = data;
}

/* The header buffer holds 48 + 208 bytes: an AHS of 52 words is the longest. */
static void an_ahs_of_any_length_is_read_or_refused(void **state)
{
    (void)state;
    for (uint32_t words = 0; words <= 255; words++) {
        struct fake *f = malloc(sizeof(*f));
        assert_non_null(f);
        fake_init(f);
        struct stream s = {0};
        digests_set(f, &s, words % 2 == 1, false);
        put_scsi_rsp(&s, words * 4, "abc", 3);
        stream_put_nop_in(&s);
        int rc = feed(f, &s, 1 + words % 7);
        if (words <= 52) {
            assert_int_equal(rc, 0);
            assert_int_equal(f->complete_cnt, 2);
        } else {
            assert_int_equal(rc, -EPROTO);
            assert_int_equal(f->failure, ISKRA_CONN_AHSLEN);
            assert_int_equal(f->failure_cnt, 1);
            assert_int_equal(f->complete_cnt, 0);
            assert_int_equal(fake_pdu_in_cnt(f), 0); /* its header was never complete */
        }
        stream_done(&s);
        fake_done(f);
        free(f);
    }
}

static void data_of_any_length_is_padded_to_words(void **state)
{
    struct fake *f = *state;
    uint8_t data[12];
    for (unsigned i = 0; i < sizeof(data); i++)
        data[i] = (uint8_t)(i + 1);
    for (uint32_t len = 1; len <= sizeof(data); len++) {
        struct stream s = {0};
        digests_set(f, &s, true, len % 2 == 0);
        put_scsi_rsp(&s, 0, data, len);
        fake_feed_all(f, &s);
        assert_int_equal(f->complete_cnt, len);
        assert_int_equal(f->last_data_len, len);
        assert_memory_equal(f->last_data, data, len);
        stream_done(&s);
    }
}

static void the_longest_answer_fills_the_buffer(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    digests_set(f, &s, false, true);
    put_scsi_rsp(&s, 0, zeros, ISKRA_CONN_BUF_LEN);
    stream_put_nop_in(&s);
    assert_int_equal(feed(f, &s, SIZE_MAX), 0);
    assert_int_equal(f->complete_cnt, 2);
    stream_done(&s);
}

/* A bit of everything in a few hundred bytes. */
static void put_mixture(struct stream *s, const uint8_t *data)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    stream_put_nop_in(s);
    bhs_of_data_in(bhs, ITT, 0, 0, false);
    stream_put_pdu(s, bhs, zeros, 8, data, 13);
    put_scsi_rsp(s, 4, "sense", 5);
    bhs_of_data_in(bhs, ITT, 1, 13, false);
    stream_put_pdu(s, bhs, NULL, 0, data + 13, 20);
    bhs_of_data_in(bhs, ITT, 2, 33, true);
    stream_put_pdu(s, bhs, NULL, 0, data + 33, 7);
    bhs_of(bhs, ISKRA_OP_TMF_RSP, ITT);
    stream_put_pdu(s, bhs, zeros, 12, NULL, 0);
}

static struct fake_task *mixture_start(struct fake *f, bool hdr_digest, bool data_digest,
                                       struct stream *s, uint8_t *data)
{
    uint32_t seed = 5;
    rand_fill(&seed, data, 40);
    fake_init(f);
    digests_set(f, s, hdr_digest, data_digest);
    put_mixture(s, data);
    return fake_task_add(f, ISKRA_DIR_READ, 40, 6, 77);
}

static uint32_t mixture_check(const struct fake *f, const struct fake_task *task,
                              const uint8_t *data)
{
    static const uint8_t order[] = {0x20, 0x25, 0x21, 0x25, 0x25, 0x22};
    assert_int_equal(f->failure_cnt, 0);
    assert_int_equal(f->complete_cnt, 4);
    assert_int_equal(fake_pdu_in_cnt(f), sizeof(order));
    for (unsigned i = 0; i < sizeof(order); i++)
        assert_int_equal(fake_pdu_in(f, i)->what, order[i]);
    assert_memory_equal(task->memory, data, 40);
    assert_int_equal(task->ref_cnt, 0);
    assert_int_equal(f->get_cnt, f->put_cnt);
    return f->complete_crc;
}

/* Two pieces cut at every byte. */
static void feed_in_two(struct fake *f, const struct stream *s, size_t cut)
{
    struct stream first = {.bytes = s->bytes, .len = cut};
    struct stream second = {.bytes = s->bytes + cut, .len = s->len - cut};
    assert_int_equal(feed(f, &first, SIZE_MAX), 0);
    assert_int_equal(feed(f, &second, SIZE_MAX), 0);
}

static void acceptance_1_the_same_pdus_come_out_of_every_split(void **state)
{
    (void)state;
    struct fake *f = malloc(sizeof(*f));
    assert_non_null(f);
    for (int digests = 0; digests < 4; digests++) {
        uint8_t data[40];
        struct stream s = {0};
        struct fake_task *task = mixture_start(f, digests & 1, digests & 2, &s, data);
        fake_feed_all(f, &s);
        uint32_t crc = mixture_check(f, task, data);
        fake_done(f);
        size_t stream_len = s.len;
        stream_done(&s);
        for (size_t cut = 0; cut <= stream_len; cut++) {
            task = mixture_start(f, digests & 1, digests & 2, &s, data);
            if (cut == 0)
                assert_int_equal(feed(f, &s, 1), 0); /* all single bytes */
            else
                feed_in_two(f, &s, cut);
            assert_int_equal(mixture_check(f, task, data), crc);
            fake_done(f);
            stream_done(&s);
        }
    }
    free(f);
}

static void data_in_fills_the_scatter_list_in_order(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_READ, 5000, 9, 3);
    uint8_t data[5000];
    uint32_t seed = 9;
    rand_fill(&seed, data, sizeof(data));
    struct stream s = {0};
    digests_set(f, &s, true, true);
    uint32_t at = 0, data_sn = 0;
    while (at < sizeof(data)) {
        uint32_t len = 1 + rand_next(&seed) % 700;
        if (len > sizeof(data) - at)
            len = (uint32_t)sizeof(data) - at;
        uint8_t bhs[ISKRA_BHS_LEN];
        bhs_of_data_in(bhs, ITT, data_sn++, at, at + len == sizeof(data));
        stream_put_pdu(&s, bhs, NULL, 0, data + at, len);
        at += len;
    }
    fake_feed_all(f, &s);
    assert_memory_equal(task->memory, data, sizeof(data));
    assert_int_equal(task->tcp.recv_len, sizeof(data));
    assert_int_equal(task->tcp.exp_data_sn, data_sn);
    assert_true(task->tcp.last_xfer >= data_sn);
    assert_int_equal(f->complete_cnt, 1);
    stream_done(&s);
}

static void two_reads_may_take_turns(void **state)
{
    struct fake *f = *state;
    struct fake_task *a = fake_task_add(f, ISKRA_DIR_READ, 8, 2, 1);
    struct fake_task *b = fake_task_add(f, ISKRA_DIR_READ, 8, 2, 2);
    struct stream s = {0};
    uint8_t bhs[ISKRA_BHS_LEN];
    for (uint32_t i = 0; i < 2; i++) {
        bhs_of_data_in(bhs, a->tcp.itt, i, i * 4, i == 1);
        stream_put_pdu(&s, bhs, NULL, 0, i ? "efgh" : "abcd", 4);
        bhs_of_data_in(bhs, b->tcp.itt, i, i * 4, i == 1);
        stream_put_pdu(&s, bhs, NULL, 0, i ? "5678" : "1234", 4);
    }
    fake_feed_all(f, &s);
    assert_memory_equal(a->memory, "abcdefgh", 8);
    assert_memory_equal(b->memory, "12345678", 8);
    assert_int_equal(f->complete_cnt, 2);
    stream_done(&s);
}

static void after_a_failure_receive_gives_the_same_errno_for_ever(void **state)
{
    struct fake *f = *state;
    uint8_t bhs[ISKRA_BHS_LEN];
    bhs_of(bhs, ISKRA_OP_NOP_OUT, ISKRA_RESERVED_TAG);
    struct stream s = {0};
    stream_put_pdu(&s, bhs, NULL, 0, NULL, 0);
    assert_int_equal(feed(f, &s, SIZE_MAX), -EPROTO);
    assert_int_equal(iskra_tcp_recv_resume(&f->conn), -EPROTO);
    struct iovec iov[2];
    assert_int_equal(iskra_tcp_recv_window(&f->conn, f->staging, 100, iov, 2), 0);
    assert_int_equal(iskra_tcp_recv(&f->conn, 0), -EPROTO);
    assert_int_equal(f->failure_cnt, 1);
    stream_done(&s);
}

static void a_reset_makes_a_failed_connection_like_new(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    digests_set(f, &s, true, true);
    stream_put(&s, zeros, 52); /* a NOP-Out with a wrong digest */
    assert_int_equal(feed(f, &s, SIZE_MAX), -EBADMSG);
    stream_done(&s);
    f->failure_cnt = 0;
    fake_reset(f);
    stream_put_nop_in(&s);
    assert_int_equal(feed(f, &s, SIZE_MAX), 0);
    assert_int_equal(f->complete_cnt, 1);
    assert_int_equal(f->conn.error.code, ISKRA_OK);
    assert_int_equal(f->conn.in.octets, 52 + ISKRA_BHS_LEN); /* counters go on */
    stream_done(&s);
}

static void a_reset_in_the_middle_of_anything_starts_over(void **state)
{
    (void)state;
    struct fake *f = malloc(sizeof(*f));
    assert_non_null(f);
    uint8_t data[40];
    struct stream s = {0};
    struct fake_task *task = mixture_start(f, true, true, &s, data);
    for (size_t cut = 1; cut < s.len; cut++) {
        digests_set(f, &s, true, true);
        struct stream part = {.bytes = s.bytes, .len = cut};
        assert_int_equal(feed(f, &part, SIZE_MAX), 0);
        fake_reset(f);
        assert_int_equal(task->ref_cnt, 0);
        fake_task_restart(task);
    }
    digests_set(f, &s, true, true);
    f->complete_cnt = 0;
    f->trace.head = 0;
    fake_feed_all(f, &s);
    (void)mixture_check(f, task, data);
    stream_done(&s);
    fake_done(f);
    free(f);
}

static void every_byte_received_is_counted(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    put_scsi_rsp(&s, 0, "abc", 3);
    stream_put_nop_in(&s);
    assert_int_equal(feed(f, &s, 7), 0);
    assert_int_equal(f->conn.in.octets, s.len);
    stream_done(&s);
}

static void without_memory_init_fails_and_leaves_nothing(void **state)
{
    struct fake *f = *state;
    for (unsigned allowed = 0; allowed < 2; allowed++) {
        struct iskra_tcp_conn conn;
        f->allocs_left = allowed;
        int rc = iskra_tcp_conn_init(&conn, f->conn.ops, &f->pf, &f->trace, 1, 4);
        assert_int_equal(rc, -ENOMEM);
        iskra_tcp_conn_done(&conn);
    }
}

static void close_and_write_space_are_passed_on(void **state)
{
    struct fake *f = *state;
    struct iskra_port *port = &f->conn.port;
    port->ops->state_change(port, 0);
    port->ops->write_space(port);
    assert_int_equal(f->closed_cnt, 1);
    assert_int_equal(f->write_space_cnt, 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(an_ahs_of_any_length_is_read_or_refused),
        FAKE_TEST(data_of_any_length_is_padded_to_words),
        FAKE_TEST(the_longest_answer_fills_the_buffer),
        cmocka_unit_test(acceptance_1_the_same_pdus_come_out_of_every_split),
        FAKE_TEST(data_in_fills_the_scatter_list_in_order),
        FAKE_TEST(two_reads_may_take_turns),
        FAKE_TEST(after_a_failure_receive_gives_the_same_errno_for_ever),
        FAKE_TEST(a_reset_makes_a_failed_connection_like_new),
        cmocka_unit_test(a_reset_in_the_middle_of_anything_starts_over),
        FAKE_TEST(every_byte_received_is_counted),
        FAKE_TEST(without_memory_init_fails_and_leaves_nothing),
        FAKE_TEST(close_and_write_space_are_passed_on),
    };
    return cmocka_run_group_tests_name("recv", tests, NULL, NULL);
}
