/* Copies of payloads: where they go, that they stay what they are, and the PDUs made of them. */
#include "tcp_test.h"
#include "wire/crc32c.h"

#define MAX_OUT 64

struct kept {
    uint8_t *copy;
    uint32_t len, taken;
    uint8_t first;
};

static struct iskra_sg_cursor cursor_of(struct iovec *iov, uint8_t *bytes, uint32_t len)
{
    /* Three pieces, the middle one empty. */
    iov[0] = (struct iovec){.iov_base = bytes, .iov_len = len / 3};
    iov[1] = (struct iovec){.iov_base = NULL, .iov_len = 0};
    iov[2] = (struct iovec){.iov_base = bytes + len / 3, .iov_len = len - len / 3};
    struct iskra_sg_cursor sg;
    iskra_sg_cursor_init(&sg, iov, 3, 0);
    return sg;
}

static void copies_do_not_overlap_and_come_back_in_order(void **state)
{
    (void)state;
    static uint8_t memory[ISKRA_TX_COPY_LEN], bytes[ISKRA_TX_COPY_MAX];
    struct iskra_tx_copy copy = {.memory = memory};
    struct kept kept[MAX_OUT];
    uint32_t seed = 1, head = 0, tail = 0, full_cnt = 0;
    for (int turn = 0; turn < 4000; turn++) {
        uint32_t len = 1 + rand_next(&seed) % (turn % 3 == 0 ? ISKRA_TX_COPY_MAX : 3000);
        if (tail - head < MAX_OUT && iskra_tx_copy_fits(&copy, len)) {
            struct kept *k = &kept[tail++ % MAX_OUT];
            struct iovec iov[3];
            *k = (struct kept){.len = len, .first = (uint8_t)turn};
            memset(bytes, k->first, len);
            uint32_t crc = ISKRA_CRC32C_INIT;
            k->copy = iskra_tx_copy_put(&copy, cursor_of(iov, bytes, len), len, &crc, &k->taken);
            assert_true(k->copy >= memory && k->copy + len <= memory + sizeof(memory));
            assert_int_equal(crc, slow_crc32c(ISKRA_CRC32C_INIT, bytes, len));
            assert_true(copy.used <= ISKRA_TX_COPY_LEN);
            continue;
        }
        full_cnt++;
        struct kept *k = &kept[head++ % MAX_OUT];
        for (uint32_t i = 0; i < k->len; i++)
            assert_int_equal(k->copy[i], k->first);
        iskra_tx_copy_give(&copy, k->taken);
    }
    assert_true(full_cnt > 100);
    while (head != tail)
        iskra_tx_copy_give(&copy, kept[head++ % MAX_OUT].taken);
    assert_int_equal(copy.used, 0);
}

static void the_largest_copy_always_fits_when_nothing_is_out(void **state)
{
    (void)state;
    static uint8_t memory[ISKRA_TX_COPY_LEN], bytes[ISKRA_TX_COPY_MAX];
    struct iskra_tx_copy copy = {.memory = memory};
    for (uint32_t len = 1; len < ISKRA_TX_COPY_MAX; len = len * 3 + 1) {
        struct iovec iov[3];
        uint32_t crc = 0, taken;
        (void)iskra_tx_copy_put(&copy, cursor_of(iov, bytes, len), len, &crc, &taken);
        iskra_tx_copy_give(&copy, taken);
        assert_true(iskra_tx_copy_fits(&copy, ISKRA_TX_COPY_MAX));
    }
}

/* A write of len bytes, in one PDU after another of the given size, sent in random amounts; its
 * memory is scribbled over as soon as a PDU of it is queued if that may not matter. */
struct sender {
    struct fake *f;
    struct fake_task *task;
    struct stream want, wire;
    uint32_t at, seed;
    unsigned full_cnt;
};

static void send_some(struct sender *s)
{
    struct iskra_port *port = &s->f->conn.port;
    struct iovec iov[64];
    size_t limit = 1 + rand_next(&s->seed) % 100000, sent = 0;
    int cnt = port->ops->send_window(port, iov, 64, SIZE_MAX);
    for (int i = 0; i < cnt && sent < limit; i++) {
        size_t n = iov[i].iov_len < limit - sent ? iov[i].iov_len : limit - sent;
        stream_put(&s->wire, iov[i].iov_base, n);
        sent += n;
    }
    port->ops->sent(port, sent);
}

static void queue_one(struct sender *s, uint32_t len, bool scribble)
{
    uint8_t hdr[ISKRA_BHS_LEN];
    bhs_of(hdr, ISKRA_OP_DATA_OUT, s->task->tcp.itt);
    iskra_put_be24(hdr + 5, len);
    uint8_t *data = s->task->memory + s->at;
    rand_fill(&s->seed, data, len);
    stream_put_pdu(&s->want, hdr, NULL, 0, data, len);
    iskra_tcp_xmit_write(&s->f->conn, &s->task->tcp, hdr, ISKRA_BHS_LEN, s->at);
    memset(hdr, 0xaa, sizeof(hdr));
    if (scribble)
        memset(data, 0x5a, len);
    s->at += len;
}

static void check_write(struct fake *f, uint32_t total, uint32_t pdu_len, bool scribble)
{
    struct sender s = {.f = f, .seed = pdu_len};
    f->conn.out.hdr_digest = s.want.hdr_digest = true;
    f->conn.out.data_digest = s.want.data_digest = true;
    s.task = fake_task_add(f, ISKRA_DIR_WRITE, total, 13, pdu_len);
    s.task->tcp.out_sg = s.task->tcp.sg;
    while (s.at < total) {
        uint32_t len = total - s.at < pdu_len ? total - s.at : pdu_len;
        if (iskra_tcp_xmit_takes(&f->conn, len)) {
            queue_one(&s, len, scribble);
        } else {
            s.full_cnt++;
            assert_true(s.task->ref_cnt > 0);
            send_some(&s);
        }
    }
    while (iskra_tcp_xmit_pending(&f->conn))
        send_some(&s);
    assert_true(s.full_cnt > 0);
    assert_int_equal(s.wire.len, s.want.len);
    assert_memory_equal(s.wire.bytes, s.want.bytes, s.want.len);
    assert_int_equal(s.task->ref_cnt, 0);
    assert_int_equal(f->conn.out.queued_len, 0);
    assert_int_equal(f->conn.out.copy.used, 0);
    stream_done(&s.want);
    stream_done(&s.wire);
}

static void copied_payloads_are_sent_as_they_were(void **state)
{
    struct fake *f = *state;
    assert_int_equal(iskra_tcp_xmit_copy_payloads(&f->conn), 0);
    check_write(f, 900001, ISKRA_TX_COPY_MAX, true);
    check_write(f, 300003, 8191, true);
}

static void larger_payloads_are_hashed_where_they_are(void **state)
{
    struct fake *f = *state;
    assert_int_equal(iskra_tcp_xmit_copy_payloads(&f->conn), 0);
    check_write(f, 900001, ISKRA_TX_COPY_MAX + 1, false);
}

static void without_memory_for_copies_nothing_is_copied(void **state)
{
    struct fake *f = *state;
    check_write(f, 600000, 30000, false);
}

static void a_copy_that_finds_no_place_waits(void **state)
{
    struct fake *f = *state;
    assert_int_equal(iskra_tcp_xmit_copy_payloads(&f->conn), 0);
    struct sender s = {.f = f, .seed = 9};
    f->conn.out.data_digest = s.want.data_digest = true;
    s.task = fake_task_add(f, ISKRA_DIR_WRITE, 400000, 1, 1);
    s.task->tcp.out_sg = s.task->tcp.sg;
    for (int i = 0; i < 4; i++) { /* 3.9 of 4 places, and then the longest */
        assert_true(iskra_tcp_xmit_takes(&f->conn, 64000));
        queue_one(&s, 64000, true);
    }
    assert_false(iskra_tcp_xmit_takes(&f->conn, ISKRA_TX_COPY_MAX));
    assert_true(iskra_tcp_xmit_takes(&f->conn, 0)); /* what carries no data does not wait */
    while (!iskra_tcp_xmit_takes(&f->conn, ISKRA_TX_COPY_MAX))
        send_some(&s);
    assert_in_range(s.task->ref_cnt, 1, 2); /* one place is too small, two are enough */
    queue_one(&s, ISKRA_TX_COPY_MAX, true);
    fake_reset(f);
    assert_int_equal(s.task->ref_cnt, 0);
    assert_int_equal(f->conn.out.copy.used, 0);
    stream_done(&s.want);
    stream_done(&s.wire);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(copies_do_not_overlap_and_come_back_in_order),
        cmocka_unit_test(the_largest_copy_always_fits_when_nothing_is_out),
        FAKE_TEST(copied_payloads_are_sent_as_they_were),
        FAKE_TEST(larger_payloads_are_hashed_where_they_are),
        FAKE_TEST(without_memory_for_copies_nothing_is_copied),
        FAKE_TEST(a_copy_that_finds_no_place_waits),
    };
    return cmocka_run_group_tests_name("tx-copy", tests, NULL, NULL);
}
