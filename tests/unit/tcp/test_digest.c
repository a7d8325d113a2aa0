/* Digests: a wrong bit in any place is one failure of the right kind. */
#include "tcp_test.h"

#define ITT 0x10000000u /* the first task of a fake */

static const uint8_t zeros[4];

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

/* One bit wrong at `at`: one failure, of that kind. PDUs up to there are handed up. */
static void check_wrong_byte(size_t at, enum iskra_conn_error error, unsigned complete_cnt,
                             void (*put)(struct stream *), size_t chunk)
{
    struct fake *f = malloc(sizeof(*f));
    assert_non_null(f);
    fake_init(f);
    (void)fake_task_add(f, ISKRA_DIR_READ, 6, 2, 1);
    struct stream s = {0};
    digests_set(f, &s, true, true);
    put(&s);
    stream_put_nop_in(&s);
    s.bytes[at] ^= 0x10;
    assert_int_equal(feed(f, &s, chunk), error == ISKRA_CONN_AHSLEN ? -EPROTO : -EBADMSG);
    assert_int_equal(f->failure_cnt, 1);
    assert_int_equal(f->failure, error);
    assert_int_equal(f->complete_cnt, complete_cnt);
    assert_int_equal(f->after_failure_cnt, 0);
    assert_int_equal(fake_pdu_in_cnt(f), error == ISKRA_CONN_DATA_DGST ? 1 : 0);
    stream_done(&s);
    fake_done(f);
    free(f);
}

static void put_data_in_with_ahs(struct stream *s)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    bhs_of_data_in(bhs, ITT, 0, 0, true);
    stream_put_pdu(s, bhs, "ahs.", 4, "abcdef", 6);
}

static void put_rsp_with_ahs(struct stream *s)
{
    put_scsi_rsp(s, 4, "abcdef", 6);
}

/* 48 header, 4 AHS, 4 digest, 6 data, 2 pad, 4 digest. TotalAHSLength itself cannot be checked
 * before it is believed: with a wrong one the digest is looked for elsewhere, or the AHS is too
 * long. */
static void a_wrong_bit_anywhere_is_found_by_its_digest(void **state)
{
    (void)state;
    for (size_t at = 0; at < 68; at++) {
        if (at == 4)
            continue;
        enum iskra_conn_error error = at < 56 ? ISKRA_CONN_HDR_DGST : ISKRA_CONN_DATA_DGST;
        check_wrong_byte(at, error, 0, put_data_in_with_ahs, SIZE_MAX);
        check_wrong_byte(at, error, 0, put_data_in_with_ahs, 1);
        check_wrong_byte(at, error, 0, put_rsp_with_ahs, SIZE_MAX);
        check_wrong_byte(at, error, 0, put_rsp_with_ahs, 5);
    }
}

static void a_wrong_ahs_length_never_reaches_judgement(void **state)
{
    (void)state;
    check_wrong_byte(4, ISKRA_CONN_HDR_DGST, 0, put_rsp_with_ahs, SIZE_MAX);
}

static void digests_may_be_switched_on_while_a_header_is_awaited(void **state)
{
    struct fake *f = *state;
    struct stream s = {0};
    stream_put_nop_in(&s);
    assert_int_equal(feed(f, &s, SIZE_MAX), 0);
    stream_done(&s);
    digests_set(f, &s, true, true);
    put_scsi_rsp(&s, 0, "sense", 5);
    assert_int_equal(feed(f, &s, SIZE_MAX), 0);
    assert_int_equal(f->complete_cnt, 2);
    stream_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_wrong_bit_anywhere_is_found_by_its_digest),
        cmocka_unit_test(a_wrong_ahs_length_never_reaches_judgement),
        FAKE_TEST(digests_may_be_switched_on_while_a_header_is_awaited),
    };
    return cmocka_run_group_tests_name("digest", tests, NULL, NULL);
}
