/* Chunking is invisible: random streams through windows of any size, with receive suspended
 * anywhere, give the same PDUs and the same data as copying every byte. */
#include "tcp_test.h"

#define ITT 0x10000000u

/* A stream of random PDUs, and the reads it answers. */
struct mixture {
    struct stream s;
    uint32_t read_len[FAKE_TASK_CNT];
    uint8_t *data[FAKE_TASK_CNT];
    unsigned task_cnt;
};

static void mixture_put_read(struct mixture *m, uint32_t *seed, bool large)
{
    unsigned i = m->task_cnt++;
    uint32_t len = 1 + rand_next(seed) % (large ? 90000u : 3000u);
    m->read_len[i] = len;
    m->data[i] = malloc(len);
    assert_non_null(m->data[i]);
    rand_fill(seed, m->data[i], len);
    uint32_t at = 0;
    for (uint32_t data_sn = 0; at < len; data_sn++) {
        uint32_t n = 1 + rand_next(seed) % len;
        if (n > len - at)
            n = len - at;
        uint8_t bhs[ISKRA_BHS_LEN];
        bhs_of_data_in(bhs, ITT + i, data_sn, at, at + n == len);
        stream_put_pdu(&m->s, bhs, NULL, 0, m->data[i] + at, n);
        at += n;
    }
}

static void mixture_init(struct mixture *m, uint32_t seed)
{
    *m = (struct mixture){.s = {.hdr_digest = seed & 1, .data_digest = seed & 2}};
    for (unsigned i = 0; i < FAKE_TASK_CNT; i++) {
        mixture_put_read(m, &seed, rand_next(&seed) % 2 == 0);
        if (rand_next(&seed) % 2 == 0)
            stream_put_nop_in(&m->s);
        uint8_t bhs[ISKRA_BHS_LEN], sense[300];
        rand_fill(&seed, sense, sizeof(sense));
        bhs_of(bhs, ISKRA_OP_SCSI_RSP, ITT + i);
        stream_put_pdu(&m->s, bhs, sense, rand_next(&seed) % 5 * 4, sense,
                       rand_next(&seed) % sizeof(sense));
    }
}

static void mixture_done(struct mixture *m)
{
    stream_done(&m->s);
    for (unsigned i = 0; i < m->task_cnt; i++)
        free(m->data[i]);
}

static struct fake *mixture_start(const struct mixture *m)
{
    struct fake *f = malloc(sizeof(*f));
    assert_non_null(f);
    fake_init(f);
    f->conn.in.hdr_digest = m->s.hdr_digest;
    f->conn.in.data_digest = m->s.data_digest;
    for (unsigned i = 0; i < m->task_cnt; i++)
        (void)fake_task_add(f, ISKRA_DIR_READ, m->read_len[i], 1 + i * 2, i);
    return f;
}

/* All data in its place, all loans over; returns what tells the PDUs handed up apart. */
static uint32_t mixture_end(struct fake *f, const struct mixture *m)
{
    assert_int_equal(f->failure_cnt, 0);
    for (unsigned i = 0; i < m->task_cnt; i++) {
        assert_memory_equal(f->tasks[i].memory, m->data[i], m->read_len[i]);
        assert_int_equal(f->tasks[i].ref_cnt, 0);
    }
    assert_int_equal(f->get_cnt, f->put_cnt);
    uint32_t crc = f->complete_crc;
    fake_done(f);
    free(f);
    return crc;
}

/* Single bytes never leave staging once less than 16 KiB are left; exact mode never leaves it at
 * all. */
static uint32_t crc_by_copying(const struct mixture *m)
{
    struct fake *f = mixture_start(m);
    f->conn.in.exact = true;
    fake_feed_all(f, &m->s);
    assert_int_equal(f->get_cnt > 0, m->task_cnt > 0);
    return mixture_end(f, m);
}

static void windows_of_any_size_give_what_copying_gives(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 40; seed++) {
        struct mixture m;
        mixture_init(&m, seed);
        uint32_t crc = crc_by_copying(&m);
        static const size_t max_read[] = {64, 5000, 30000, 200000};
        for (unsigned i = 0; i < 4; i++) {
            struct fake *f = mixture_start(&m);
            struct chunks chunks = {.max = max_read[i], .seed = seed * 10 + i};
            size_t used;
            assert_int_equal(fake_feed(f, m.s.bytes, m.s.len, &chunks, &used), 0);
            assert_int_equal(used, m.s.len);
            assert_int_equal(mixture_end(f, &m), crc);
        }
        mixture_done(&m);
    }
}

/* Feeds until the port stops, resumes, and so on; the PDU that suspends is every one. */
static void feed_resuming(struct fake *f, const uint8_t *bytes, size_t len, struct chunks *chunks)
{
    size_t at = 0;
    while (at < len) {
        size_t used;
        int rc = fake_feed(f, bytes + at, len - at, chunks, &used);
        at += used;
        assert_true(rc == 0 || rc == -EAGAIN);
        while (f->conn.in.suspended) {
            rc = iskra_tcp_recv_resume(&f->conn);
            assert_true(rc == 0 || rc == -EAGAIN);
        }
    }
}

static void suspension_by_any_pdu_is_invisible_in_what_comes_out(void **state)
{
    (void)state;
    for (uint32_t seed = 1; seed <= 20; seed++) {
        struct mixture m;
        mixture_init(&m, seed);
        uint32_t crc = crc_by_copying(&m);
        struct fake *f = mixture_start(&m);
        f->suspend_in_complete = true;
        struct chunks chunks = {.max = 20000, .seed = seed};
        feed_resuming(f, m.s.bytes, m.s.len, &chunks);
        assert_int_equal(mixture_end(f, &m), crc);
        mixture_done(&m);
    }
}

static void suspension_at_every_byte_is_invisible_too(void **state)
{
    (void)state;
    struct stream s = {.hdr_digest = true, .data_digest = true};
    struct fake *f = malloc(sizeof(*f));
    assert_non_null(f);
    for (size_t cut = 0; cut == 0 || cut < s.len; cut++) {
        stream_done(&s);
        s.hdr_digest = s.data_digest = true;
        fake_init(f);
        f->conn.in.hdr_digest = f->conn.in.data_digest = true;
        struct fake_task *task = fake_put_read(f, &s, 30, 3);
        stream_put_nop_in(&s);
        struct chunks whole = {.fixed = SIZE_MAX};
        size_t used;
        if (cut > 0)
            assert_int_equal(fake_feed(f, s.bytes, cut, &whole, &used), 0);
        iskra_tcp_recv_suspend(&f->conn);
        struct iovec iov[2];
        assert_int_equal(iskra_tcp_recv_window(&f->conn, f->staging, 64, iov, 2), 0);
        assert_int_equal(iskra_tcp_recv_resume(&f->conn), 0);
        assert_int_equal(fake_feed(f, s.bytes + cut, s.len - cut, &whole, &used), 0);
        assert_int_equal(f->complete_cnt, 2);
        assert_memory_equal(task->memory, s.bytes + ISKRA_BHS_LEN + 4, 30);
        assert_int_equal(f->get_cnt, f->put_cnt);
        fake_done(f);
    }
    stream_done(&s);
    free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(windows_of_any_size_give_what_copying_gives),
        cmocka_unit_test(suspension_by_any_pdu_is_invisible_in_what_comes_out),
        cmocka_unit_test(suspension_at_every_byte_is_invisible_too),
    };
    return cmocka_run_group_tests_name("chunking", tests, NULL, NULL);
}
