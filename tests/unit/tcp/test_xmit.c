/* Transmit: what is offered for sending is what a plain encoder writes, whatever is sent at a time.
 */
#include "tcp_test.h"

#define PDU_MAX 16 /* the fake's ring */

struct out_pdu {
    uint8_t hdr[ISKRA_BHS_LEN + 32 + ISKRA_DIGEST_LEN];
    uint32_t hdr_len;
    uint8_t data[700];
    uint32_t data_len;
    struct fake_task *task;
};

/* Takes what the port offers, at most limit bytes, into `wire`. */
static size_t send_some(struct fake *f, struct stream *wire, int iov_max, size_t max_len,
                        size_t limit)
{
    struct iskra_port *port = &f->conn.port;
    struct iovec iov[ISKRA_SEND_IOV_MAX];
    int cnt = port->ops->send_window(port, iov, iov_max, max_len);
    assert_true(cnt <= iov_max);
    size_t offered = 0, sent = 0;
    for (int i = 0; i < cnt; i++) {
        assert_true(iov[i].iov_len > 0);
        offered += iov[i].iov_len;
        size_t n = iov[i].iov_len < limit - sent ? iov[i].iov_len : limit - sent;
        stream_put(wire, iov[i].iov_base, n);
        sent += n;
    }
    assert_true(offered <= max_len);
    if (sent > 0)
        port->ops->sent(port, sent);
    return sent;
}

static void pdu_random(struct out_pdu *pdu, struct fake_task *task, uint32_t *seed)
{
    memset(pdu, 0, sizeof(*pdu));
    bhs_of(pdu->hdr, ISKRA_OP_SCSI_CMD, task ? task->tcp.itt : ISKRA_RESERVED_TAG);
    pdu->task = task;
    pdu->hdr_len = ISKRA_BHS_LEN;
    if (!task)
        return;
    uint32_t ahs_len = rand_next(seed) % 9 * 4;
    pdu->hdr_len += ahs_len;
    rand_fill(seed, pdu->hdr + ISKRA_BHS_LEN, ahs_len);
    pdu->hdr[4] = (uint8_t)(ahs_len / 4);
    pdu->data_len = rand_next(seed) % 3 == 0 ? 0 : rand_next(seed) % sizeof(pdu->data);
    pdu->hdr[6] = (uint8_t)(pdu->data_len >> 8);
    pdu->hdr[7] = (uint8_t)pdu->data_len;
    rand_fill(seed, pdu->data, pdu->data_len);
}

static int pdu_queue(struct fake *f, struct out_pdu *pdu)
{
    return iskra_tcp_xmit_task(&f->conn, pdu->task ? &pdu->task->tcp : NULL, pdu->hdr, pdu->hdr_len,
                               pdu->data_len ? pdu->data : NULL, pdu->data_len);
}

/* Queues random PDUs as there is room and sends random amounts; the wire must hold what stream.c
 * encodes. */
static void check_random_pdus(struct fake *f, uint32_t seed, size_t max_send)
{
    static struct out_pdu pdus[200];
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_NONE, 0, 0, 0);
    struct stream want = {.hdr_digest = seed & 1, .data_digest = seed & 2}, wire = {0};
    f->conn.out.hdr_digest = want.hdr_digest;
    f->conn.out.data_digest = want.data_digest;
    unsigned queued_cnt = 0;
    while (queued_cnt < 200 || iskra_tcp_xmit_pending(&f->conn)) {
        while (queued_cnt < 200 && rand_next(&seed) % 4 > 0 && iskra_tcp_xmit_room(&f->conn) > 0) {
            struct out_pdu *pdu = &pdus[queued_cnt++];
            pdu_random(pdu, rand_next(&seed) % 5 ? task : NULL, &seed);
            stream_put_pdu(&want, pdu->hdr, pdu->hdr + ISKRA_BHS_LEN, pdu->hdr_len - ISKRA_BHS_LEN,
                           pdu->data, pdu->data_len);
            assert_int_equal(pdu_queue(f, pdu), 0);
        }
        int iov_max = 1 + (int)(rand_next(&seed) % 40);
        size_t max_len = 1 + rand_next(&seed) % (2 * max_send);
        (void)send_some(f, &wire, iov_max, max_len, 1 + rand_next(&seed) % max_send);
    }
    assert_int_equal(wire.len, want.len);
    assert_memory_equal(wire.bytes, want.bytes, want.len);
    assert_int_equal(f->conn.out.octets, want.len);
    assert_int_equal(task->ref_cnt, 0);
    stream_done(&want);
    stream_done(&wire);
}

static void any_partial_sends_give_the_plain_encoding(void **state)
{
    (void)state;
    static const size_t max_send[] = {1, 3, 60, 700, 10000};
    for (uint32_t seed = 0; seed < 20; seed++) { /* its low bits: all four digest combinations */
        struct fake *f = malloc(sizeof(*f));
        assert_non_null(f);
        fake_init(f);
        check_random_pdus(f, seed, max_send[seed / 4]);
        fake_done(f);
        free(f);
    }
}

static void nothing_queued_nothing_offered(void **state)
{
    struct fake *f = *state;
    struct iovec iov[4];
    assert_false(iskra_tcp_xmit_pending(&f->conn));
    assert_int_equal(iskra_tcp_send_window(&f->conn, iov, 4, 1000), 0);
}

static void a_full_ring_says_so(void **state)
{
    struct fake *f = *state;
    uint32_t seed = 1;
    struct out_pdu pdu;
    pdu_random(&pdu, NULL, &seed);
    for (unsigned i = 0; i < PDU_MAX; i++) {
        assert_int_equal(iskra_tcp_xmit_room(&f->conn), PDU_MAX - i);
        assert_int_equal(pdu_queue(f, &pdu), 0);
    }
    assert_int_equal(iskra_tcp_xmit_room(&f->conn), 0);
    assert_int_equal(pdu_queue(f, &pdu), -EAGAIN);
    struct stream wire = {0};
    (void)send_some(f, &wire, 10, 1000, ISKRA_BHS_LEN);
    assert_int_equal(iskra_tcp_xmit_room(&f->conn), 1);
    stream_done(&wire);
}

static void the_ring_index_may_wrap(void **state)
{
    struct fake *f = *state;
    f->conn.out.head = f->conn.out.tail = UINT32_MAX - 2;
    check_random_pdus(f, 7, 500);
}

static void a_task_is_lent_until_its_last_byte_is_sent(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_NONE, 0, 0, 0);
    uint32_t seed = 8;
    struct out_pdu pdu;
    do {
        pdu_random(&pdu, task, &seed);
    } while (pdu.data_len % 4 != 1);
    assert_int_equal(pdu_queue(f, &pdu), 0);
    assert_int_equal(task->tcp.last_xfer, 1);
    struct stream wire = {0};
    size_t total = pdu.hdr_len + pdu.data_len + 3;
    for (size_t i = 0; i < total; i++) {
        assert_int_equal(task->ref_cnt, 1);
        assert_int_equal(send_some(f, &wire, 4, 1000, 1), 1);
    }
    assert_int_equal(task->ref_cnt, 0);
    stream_done(&wire);
}

static void a_reset_forgets_what_is_half_sent(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_NONE, 0, 0, 0);
    uint32_t seed = 3;
    struct out_pdu pdu;
    pdu_random(&pdu, task, &seed);
    f->conn.out.hdr_digest = f->conn.out.data_digest = true;
    for (unsigned i = 0; i < 3; i++)
        assert_int_equal(pdu_queue(f, &pdu), 0);
    struct stream wire = {0};
    (void)send_some(f, &wire, 4, 1000, 20);
    assert_int_equal(task->ref_cnt, 3);
    fake_reset(f);
    assert_int_equal(task->ref_cnt, 0);
    assert_false(iskra_tcp_xmit_pending(&f->conn));
    wire.len = 0;
    assert_int_equal(pdu_queue(f, &pdu), 0);
    uint32_t pad_len = iskra_pad_len(pdu.data_len); /* from its first byte, and without digests */
    assert_int_equal(send_some(f, &wire, 4, 1000, 1000), pdu.hdr_len + pdu.data_len + pad_len);
    assert_memory_equal(wire.bytes, pdu.hdr, pdu.hdr_len);
    stream_done(&wire);
}

static void an_owned_header_is_copied(void **state)
{
    struct fake *f = *state;
    uint8_t hdr[ISKRA_BHS_LEN], kept[ISKRA_BHS_LEN];
    bhs_of(hdr, ISKRA_OP_NOP_OUT, ISKRA_RESERVED_TAG);
    memcpy(kept, hdr, sizeof(kept));
    assert_int_equal(iskra_tcp_xmit_task(&f->conn, NULL, hdr, sizeof(hdr), NULL, 0), 0);
    memset(hdr, 0xff, sizeof(hdr));
    struct stream wire = {0};
    assert_int_equal(send_some(f, &wire, 4, 1000, 1000), ISKRA_BHS_LEN);
    assert_memory_equal(wire.bytes, kept, ISKRA_BHS_LEN);
    stream_done(&wire);
}

static void headers_without_data_go_out_as_one_piece(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_READ, 4096, 0, 0);
    uint8_t want[3 * ISKRA_BHS_LEN];
    for (unsigned i = 0; i < 3; i++) {
        uint8_t *hdr = iskra_tcp_xmit_hdr(&f->conn);
        bhs_of(hdr, ISKRA_OP_SCSI_CMD, i);
        memcpy(want + (size_t)i * ISKRA_BHS_LEN, hdr, ISKRA_BHS_LEN);
        assert_int_equal(iskra_tcp_xmit_task(&f->conn, &task->tcp, hdr, ISKRA_BHS_LEN, NULL, 0), 0);
    }
    struct iovec iov[4];
    assert_int_equal(iskra_tcp_send_window(&f->conn, iov, 4, 1000), 1);
    assert_int_equal(iov[0].iov_len, sizeof(want));
    assert_memory_equal(iov[0].iov_base, want, sizeof(want));
    fake_reset(f);
}

/* The last PDU of a full queue would be cut, and its rest sent alone. */
static void the_last_small_pdu_of_a_full_queue_goes_along(void **state)
{
    struct fake *f = *state;
    uint32_t len = 18000, cnt = 0;
    uint8_t *data = calloc(1, len);
    assert_non_null(data);
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_NONE, 0, 0, 0);
    for (; iskra_tcp_xmit_takes(&f->conn, len); cnt++) {
        uint8_t *hdr = iskra_tcp_xmit_hdr(&f->conn);
        bhs_of(hdr, ISKRA_OP_SCSI_CMD, task->tcp.itt);
        iskra_put_be24(hdr + 5, len);
        assert_int_equal(iskra_tcp_xmit_task(&f->conn, &task->tcp, hdr, ISKRA_BHS_LEN, data, len),
                         0);
    }
    size_t total = (size_t)cnt * (ISKRA_BHS_LEN + len);
    assert_in_range(total, ISKRA_QUEUED_LEN_MAX, ISKRA_QUEUED_LEN_MAX + ISKRA_BHS_LEN + len - 1);
    struct stream wire = {0};
    assert_int_equal(send_some(f, &wire, ISKRA_SEND_IOV_MAX, 1000000, 1000000), total);
    assert_false(iskra_tcp_xmit_pending(&f->conn));
    stream_done(&wire);
    fake_reset(f);
    free(data);
}

static void one_send_takes_at_most_272_kib(void **state)
{
    struct fake *f = *state;
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_NONE, 0, 0, 0);
    uint8_t *data = calloc(1, 200000);
    assert_non_null(data);
    uint8_t hdrs[2][ISKRA_BHS_LEN + ISKRA_DIGEST_LEN];
    for (unsigned i = 0; i < 2; i++) {
        bhs_of(hdrs[i], ISKRA_OP_SCSI_CMD, task->tcp.itt);
        iskra_put_be24(hdrs[i] + 5, 200000);
        assert_int_equal(
            iskra_tcp_xmit_task(&f->conn, &task->tcp, hdrs[i], ISKRA_BHS_LEN, data, 200000), 0);
    }
    struct stream wire = {0};
    assert_int_equal(send_some(f, &wire, ISKRA_SEND_IOV_MAX, 1000000, 1000000), ISKRA_SEND_LEN_MAX);
    stream_done(&wire);
    fake_reset(f);
    free(data);
}

static void each_pdu_queued_is_one_record(void **state)
{
    struct fake *f = *state;
    uint32_t seed = 1;
    struct out_pdu pdu;
    pdu_random(&pdu, NULL, &seed);
    assert_int_equal(pdu_queue(f, &pdu), 0);
    assert_int_equal(f->trace.head, 1);
    assert_int_equal(f->trace.ring[0].kind, ISKRA_TRACE_PDU_OUT);
    assert_int_equal(f->trace.ring[0].what, ISKRA_OP_SCSI_CMD);
    assert_int_equal(f->trace.ring[0].itt, ISKRA_RESERVED_TAG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(any_partial_sends_give_the_plain_encoding),
        FAKE_TEST(nothing_queued_nothing_offered),
        FAKE_TEST(a_full_ring_says_so),
        FAKE_TEST(the_ring_index_may_wrap),
        FAKE_TEST(a_task_is_lent_until_its_last_byte_is_sent),
        FAKE_TEST(a_reset_forgets_what_is_half_sent),
        FAKE_TEST(an_owned_header_is_copied),
        FAKE_TEST(headers_without_data_go_out_as_one_piece),
        FAKE_TEST(the_last_small_pdu_of_a_full_queue_goes_along),
        FAKE_TEST(one_send_takes_at_most_272_kib),
        FAKE_TEST(each_pdu_queued_is_one_record),
    };
    return cmocka_run_group_tests_name("xmit", tests, NULL, NULL);
}
