/* The segment engine alone: every size, pad, digest, cut and split of small segments. */
#include "tcp_test.h"

#include "tcp/segment.h"

static struct iskra_trace trace; /* nobody traces */

#define SIZE_MAX_TESTED 9u
#define WIRE_MAX        (SIZE_MAX_TESTED + 3 + 4)

/* The bytes of a segment on the wire: data, pad, digest. Returns their number. */
static uint32_t wire_of(const uint8_t *data, uint32_t size, bool hash, uint8_t *wire)
{
    struct stream s = {.data_digest = hash};
    uint8_t bhs[ISKRA_BHS_LEN];
    bhs_of(bhs, ISKRA_OP_SCSI_RSP, 0);
    stream_put_pdu(&s, bhs, NULL, 0, data, size);
    if (size == 0 && hash) /* the engine's own rule, for completeness: CRC32C of nothing is 0 */
        stream_put(&s, "\0\0\0\0", 4);
    uint32_t wire_len = (uint32_t)s.len - ISKRA_BHS_LEN;
    memcpy(wire, s.bytes + ISKRA_BHS_LEN, wire_len);
    stream_done(&s);
    return wire_len;
}

/* Feeds wire in the pieces given; every call but the last must say "more". Returns what was left
 * over. */
static void feed(struct iskra_segment *seg, const uint8_t *wire, uint32_t wire_len,
                 const uint32_t *pieces, uint32_t piece_cnt)
{
    uint32_t at = 0;
    for (uint32_t i = 0; i < piece_cnt; i++) {
        size_t copied;
        bool complete = iskra_segment_recv(seg, &trace, wire + at, pieces[i], &copied);
        assert_int_equal(copied, pieces[i]);
        at += pieces[i];
        assert_int_equal(complete, at == wire_len);
    }
    assert_int_equal(at, wire_len);
}

typedef void (*start_fn)(struct iskra_segment *seg, uint8_t *memory, uint32_t size, bool hash,
                         void *arg);

/* Whole, every two-way split, all single bytes. */
static void check_every_split(start_fn start, void *arg, uint32_t size, bool hash)
{
    uint8_t data[SIZE_MAX_TESTED], memory[SIZE_MAX_TESTED + 1], wire[WIRE_MAX];
    for (uint32_t i = 0; i < size; i++)
        data[i] = (uint8_t)(0x41 + i);
    uint32_t wire_len = wire_of(data, size, hash, wire);
    for (uint32_t cut = 0; cut < wire_len; cut++) {
        uint32_t pieces[WIRE_MAX];
        uint32_t piece_cnt = 0;
        if (cut > 0)
            pieces[piece_cnt++] = cut;
        pieces[piece_cnt++] = wire_len - cut;
        memset(memory, 0xee, sizeof(memory));
        struct iskra_segment seg;
        start(&seg, memory, size, hash, arg);
        feed(&seg, wire, wire_len, pieces, piece_cnt);
        assert_memory_equal(memory, data, size);
        assert_int_equal(memory[size], 0xee);
        assert_true(iskra_segment_digest_ok(&seg));
    }
    uint32_t ones[WIRE_MAX];
    for (uint32_t i = 0; i < wire_len; i++)
        ones[i] = 1;
    memset(memory, 0xee, sizeof(memory));
    struct iskra_segment seg;
    start(&seg, memory, size, hash, arg);
    feed(&seg, wire, wire_len, ones, wire_len);
    assert_memory_equal(memory, data, size);
    assert_true(iskra_segment_digest_ok(&seg));
}

static void start_linear(struct iskra_segment *seg, uint8_t *memory, uint32_t size, bool hash,
                         void *arg)
{
    (void)arg;
    iskra_segment_init_linear(seg, &trace, memory, size, hash, ISKRA_RECV_DATA);
}

static void a_linear_segment_is_the_same_under_every_split(void **state)
{
    (void)state;
    for (uint32_t size = 0; size <= SIZE_MAX_TESTED; size++)
        for (int hash = 0; hash < 2; hash++)
            check_every_split(start_linear, NULL, size, hash != 0);
}

struct cuts {
    struct iovec iov[8];
    uint32_t cnt;
    struct iskra_sg_cursor sg;
    uint32_t a, b; /* entry boundaries */
};

/* Entries of a, b - a and the rest, with an empty one before, between and after. */
static void start_sg(struct iskra_segment *seg, uint8_t *memory, uint32_t size, bool hash,
                     void *arg)
{
    struct cuts *cuts = arg;
    const uint32_t bounds[] = {0, 0, cuts->a, cuts->a, cuts->b, cuts->b, size, size};
    cuts->cnt = 0;
    for (uint32_t i = 0; i + 1 < sizeof(bounds) / sizeof(bounds[0]); i++)
        cuts->iov[cuts->cnt++] = (struct iovec){memory + bounds[i], bounds[i + 1] - bounds[i]};
    iskra_sg_cursor_init(&cuts->sg, cuts->iov, cuts->cnt, 0);
    int rc = iskra_segment_seek_sg(seg, &trace, &cuts->sg, 0, size, hash, ISKRA_RECV_DATA_IN);
    assert_int_equal(rc, 0);
}

static void a_scatter_list_is_the_same_under_every_cut_and_split(void **state)
{
    (void)state;
    for (uint32_t size = 1; size <= SIZE_MAX_TESTED; size++)
        for (uint32_t a = 0; a <= size; a++)
            for (uint32_t b = a; b <= size; b++)
                for (int hash = 0; hash < 2; hash++) {
                    struct cuts cuts = {.a = a, .b = b};
                    check_every_split(start_sg, &cuts, size, hash != 0);
                    assert_int_equal(cuts.sg.pos, size);
                }
}

static void bytes_of_the_next_pdu_are_left_alone(void **state)
{
    (void)state;
    uint8_t memory[6], wire[WIRE_MAX + 5];
    uint32_t wire_len = wire_of((const uint8_t *)"abcde", 5, true, wire);
    memcpy(wire + wire_len, "next!", 5);
    struct iskra_segment seg;
    iskra_segment_init_linear(&seg, &trace, memory, 5, true, ISKRA_RECV_DATA);
    size_t copied;
    assert_true(iskra_segment_recv(&seg, &trace, wire, wire_len + 5, &copied));
    assert_int_equal(copied, wire_len);
}

static void a_wrong_byte_anywhere_fails_the_digest(void **state)
{
    (void)state;
    uint8_t wire[WIRE_MAX], memory[5];
    uint32_t wire_len = wire_of((const uint8_t *)"abcde", 5, true, wire);
    assert_int_equal(wire_len, 5 + 3 + 4);
    for (uint32_t at = 0; at < wire_len; at++)
        for (int bit = 0; bit < 8; bit++) {
            wire[at] ^= (uint8_t)(1 << bit);
            struct iskra_segment seg;
            iskra_segment_init_linear(&seg, &trace, memory, 5, true, ISKRA_RECV_DATA);
            size_t copied;
            assert_true(iskra_segment_recv(&seg, &trace, wire, wire_len, &copied));
            assert_false(iskra_segment_digest_ok(&seg));
            wire[at] ^= (uint8_t)(1 << bit);
        }
}

static void without_a_digest_pad_bytes_may_be_anything(void **state)
{
    (void)state;
    uint8_t memory[5];
    struct iskra_segment seg;
    iskra_segment_init_linear(&seg, &trace, memory, 5, false, ISKRA_RECV_DATA);
    size_t copied;
    assert_true(iskra_segment_recv(&seg, &trace, (const uint8_t *)"abcdeXYZ", 8, &copied));
    assert_int_equal(copied, 8);
    assert_true(iskra_segment_digest_ok(&seg));
}

static void a_seek_moves_forward_over_entries(void **state)
{
    (void)state;
    uint8_t memory[12];
    memset(memory, '.', sizeof(memory));
    struct iovec iov[] = {{memory, 3}, {NULL, 0}, {memory + 3, 4}, {memory + 7, 5}};
    struct iskra_sg_cursor sg;
    iskra_sg_cursor_init(&sg, iov, 4, 1);
    struct iskra_segment seg;
    size_t copied;
    int rc = iskra_segment_seek_sg(&seg, &trace, &sg, 4, 4, false, ISKRA_RECV_DATA_IN);
    assert_int_equal(rc, 0);
    assert_true(iskra_segment_recv(&seg, &trace, (const uint8_t *)"abcd", 4, &copied));
    assert_memory_equal(memory, ".....abcd...", 12);
    assert_int_equal(sg.pos, 8);
}

static void a_seek_backwards_is_refused(void **state)
{
    (void)state;
    uint8_t memory[8];
    struct iovec iov = {memory, sizeof(memory)};
    struct iskra_sg_cursor sg;
    iskra_sg_cursor_init(&sg, &iov, 1, 0);
    iskra_sg_cursor_advance(&sg, 4);
    struct iskra_segment seg;
    int rc = iskra_segment_seek_sg(&seg, &trace, &sg, 3, 1, false, ISKRA_RECV_DATA_IN);
    assert_int_equal(rc, -ERANGE);
}

static void a_seek_beyond_the_list_is_refused(void **state)
{
    (void)state;
    uint8_t memory[8];
    struct iovec iov[] = {{memory, 4}, {memory + 4, 0}, {memory + 4, 4}};
    for (uint32_t skip = 0; skip <= 8; skip++)
        for (uint32_t offset = 0; offset <= 10; offset++)
            for (uint32_t size = 1; size <= 10; size++) {
                struct iskra_sg_cursor sg;
                iskra_sg_cursor_init(&sg, iov, 3, skip);
                struct iskra_segment seg;
                int rc = iskra_segment_seek_sg(&seg, &trace, &sg, offset, size, false,
                                               ISKRA_RECV_DATA_IN);
                assert_int_equal(rc, skip + offset + size <= 8 ? 0 : -ERANGE);
            }
}

static void what_is_left_counts_down_to_zero(void **state)
{
    (void)state;
    uint8_t memory[6];
    struct iovec iov[] = {{memory, 2}, {memory + 2, 4}};
    struct iskra_sg_cursor sg;
    iskra_sg_cursor_init(&sg, iov, 2, 0);
    struct iskra_segment seg;
    int rc = iskra_segment_seek_sg(&seg, &trace, &sg, 0, 6, false, ISKRA_RECV_DATA_IN);
    assert_int_equal(rc, 0);
    for (uint32_t left = 6; left > 0; left--) {
        assert_int_equal(iskra_segment_left(&seg), left);
        size_t copied;
        (void)iskra_segment_recv(&seg, &trace, (const uint8_t *)"x", 1, &copied);
    }
    assert_int_equal(iskra_segment_left(&seg), 2); /* the pad is known now */
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_linear_segment_is_the_same_under_every_split),
        cmocka_unit_test(a_scatter_list_is_the_same_under_every_cut_and_split),
        cmocka_unit_test(bytes_of_the_next_pdu_are_left_alone),
        cmocka_unit_test(a_wrong_byte_anywhere_fails_the_digest),
        cmocka_unit_test(without_a_digest_pad_bytes_may_be_anything),
        cmocka_unit_test(a_seek_moves_forward_over_entries),
        cmocka_unit_test(a_seek_backwards_is_refused),
        cmocka_unit_test(a_seek_beyond_the_list_is_refused),
        cmocka_unit_test(what_is_left_counts_down_to_zero),
    };
    return cmocka_run_group_tests_name("segment", tests, NULL, NULL);
}
