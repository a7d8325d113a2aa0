/* Every (opcode, error) pair of hdr_dissect, as a table: one PDU, one connection error, nothing
 * after it. And beside it the PDUs that are taken. */
#include "tcp_test.h"

#include <stdio.h>

#define ITT_READ    0x10000000u /* 16384 bytes */
#define ITT_WRITE   0x10000001u /* 16384 bytes */
#define ITT_NO_DATA 0x10000002u
#define ITT_UNKNOWN 0x10000099u
#define ITT_BAD_AGE 0x20000000u
#define NO_TAG      ISKRA_RESERVED_TAG

#define TAKEN ISKRA_CONN_OK

struct pdu_case {
    uint8_t opcode;
    uint32_t itt;
    uint32_t data_len;
    enum iskra_conn_error error;
    const char *why;
    uint32_t sn, offset,
        desired_len; /* DataSN or R2TSN, Buffer Offset, Desired Data Transfer Length */
    uint32_t ahs_len;
    bool status;
    unsigned complete_cnt; /* PDUs handed up */
};

/* clang-format off */
static const struct pdu_case cases[] = {
    /* opcode, itt, data_len, error, why */
    {0x25, ITT_READ, 262148, ISKRA_CONN_DATALEN, "longer than MaxRecvDataSegmentLength"},
    {0x25, ITT_BAD_AGE, 4, ISKRA_CONN_BAD_ITT, "tag of another age"},
    {0x25, ITT_UNKNOWN, 4, ISKRA_CONN_BAD_ITT, "no such command"},
    {0x25, NO_TAG, 4, ISKRA_CONN_BAD_ITT, "data of no command"},
    {0x25, ITT_UNKNOWN, 0, ISKRA_CONN_BAD_ITT, "no such command, no data"},
    {0x25, ITT_WRITE, 4, ISKRA_CONN_PROTO, "data for a write"},
    {0x25, ITT_NO_DATA, 4, ISKRA_CONN_PROTO, "data for a command without data"},
    {0x25, ITT_READ, 4, ISKRA_CONN_DATASN, "DataSN ahead", .sn = 1},
    {0x25, ITT_READ, 4, ISKRA_CONN_DATASN, "DataSN behind", .sn = UINT32_MAX},
    {0x25, ITT_READ, 4, ISKRA_CONN_DATASN, "DataSN is asked before the offset",
     .sn = 1, .offset = 20000},
    {0x25, ITT_READ, 16388, ISKRA_CONN_DATA_OFFSET, "more than was asked for"},
    {0x25, ITT_READ, 4, ISKRA_CONN_DATA_OFFSET, "ends after the buffer", .offset = 16381},
    {0x25, ITT_READ, 8, ISKRA_CONN_DATA_OFFSET, "the sum would wrap", .offset = 0xfffffffcu},
    {0x25, ITT_READ, 4, ISKRA_CONN_DATA_OFFSET, "a hole in the data", .offset = 4},
    {0x25, ITT_READ, 0, TAKEN, "no data: neither DataSN nor offset mean anything",
     .sn = 9, .offset = 99999, .status = true, .complete_cnt = 1},
    {0x25, ITT_WRITE, 0, TAKEN, "status of a write in a Data-In",
     .status = true, .complete_cnt = 1},
    {0x25, ITT_READ, 16384, TAKEN, "all of it at once, with status",
     .status = true, .complete_cnt = 1},
    {0x25, ITT_READ, 16384, TAKEN, "all of it at once, status follows"},
    {0x25, ITT_READ, 5, TAKEN, "padded", .ahs_len = 8},

    {0x21, ITT_READ, 262148, ISKRA_CONN_DATALEN, "longer than MaxRecvDataSegmentLength"},
    {0x21, ITT_BAD_AGE, 0, ISKRA_CONN_BAD_ITT, "tag of another age"},
    {0x21, ITT_READ, 8193, ISKRA_CONN_PROTO, "sense data beyond the buffer"},
    {0x21, ITT_READ, 8192, TAKEN, "sense data up to the buffer's end", .complete_cnt = 1},
    {0x21, ITT_READ, 0, TAKEN, "bare", .complete_cnt = 1},

    {0x31, ITT_WRITE, 262148, ISKRA_CONN_DATALEN, "longer than MaxRecvDataSegmentLength",
     .desired_len = 4},
    {0x31, ITT_BAD_AGE, 0, ISKRA_CONN_BAD_ITT, "tag of another age", .desired_len = 4},
    {0x31, ITT_UNKNOWN, 0, ISKRA_CONN_BAD_ITT, "no such command", .desired_len = 4},
    {0x31, ITT_WRITE, 0, ISKRA_CONN_AHSLEN, "an AHS", .desired_len = 4, .ahs_len = 4},
    {0x31, ITT_READ, 0, ISKRA_CONN_PROTO, "for a read", .desired_len = 4},
    {0x31, ITT_NO_DATA, 0, ISKRA_CONN_PROTO, "for a command without data", .desired_len = 4},
    {0x31, ITT_READ, 0, ISKRA_CONN_AHSLEN, "the AHS is asked before the direction",
     .desired_len = 4, .ahs_len = 4},
    {0x31, ITT_WRITE, 4, ISKRA_CONN_DATALEN, "data in an R2T", .desired_len = 4},
    {0x31, ITT_WRITE, 0, ISKRA_CONN_R2TSN, "R2TSN ahead", .sn = 1, .desired_len = 4},
    {0x31, ITT_WRITE, 0, ISKRA_CONN_DATALEN, "asks for nothing"},
    {0x31, ITT_WRITE, 0, ISKRA_CONN_DATALEN, "asks beyond the command",
     .offset = 16381, .desired_len = 4},
    {0x31, ITT_WRITE, 0, ISKRA_CONN_DATALEN, "the sum would wrap",
     .offset = 0xfffffffcu, .desired_len = 8},
    {0x31, ITT_WRITE, 0, TAKEN, "all of it", .desired_len = 16384},

    {0x23, ITT_NO_DATA, 262148, ISKRA_CONN_DATALEN, "longer than MaxRecvDataSegmentLength"},
    {0x23, ITT_BAD_AGE, 0, ISKRA_CONN_BAD_ITT, "tag of another age"},
    {0x23, ITT_NO_DATA, 8193, ISKRA_CONN_PROTO, "keys beyond the buffer"},
    {0x23, ITT_NO_DATA, 8191, TAKEN, "keys", .complete_cnt = 1},
    {0x23, ITT_NO_DATA, 0, TAKEN, "no keys", .complete_cnt = 1},

    {0x24, ITT_NO_DATA, 262148, ISKRA_CONN_DATALEN, "longer than MaxRecvDataSegmentLength"},
    {0x24, ITT_BAD_AGE, 0, ISKRA_CONN_BAD_ITT, "tag of another age"},
    {0x24, ITT_NO_DATA, 8193, ISKRA_CONN_PROTO, "keys beyond the buffer"},
    {0x24, ITT_NO_DATA, 3, TAKEN, "keys", .complete_cnt = 1},
    {0x24, ITT_NO_DATA, 0, TAKEN, "no keys", .complete_cnt = 1},

    {0x3f, NO_TAG, 262148, ISKRA_CONN_DATALEN, "longer than MaxRecvDataSegmentLength"},
    {0x3f, ITT_BAD_AGE, 0, ISKRA_CONN_BAD_ITT, "tag of another age"},
    {0x3f, NO_TAG, 8193, ISKRA_CONN_PROTO, "beyond the buffer"},
    {0x3f, NO_TAG, 48, TAKEN, "with the rejected header", .complete_cnt = 1},
    {0x3f, NO_TAG, 0, TAKEN, "bare: complete_pdu judges that", .complete_cnt = 1},

    {0x32, NO_TAG, 262148, ISKRA_CONN_DATALEN, "longer than MaxRecvDataSegmentLength"},
    {0x32, ITT_BAD_AGE, 0, ISKRA_CONN_BAD_ITT, "tag of another age"},
    {0x32, NO_TAG, 8193, ISKRA_CONN_PROTO, "beyond the buffer"},
    {0x32, NO_TAG, 20, TAKEN, "with sense data", .complete_cnt = 1},
    {0x32, NO_TAG, 0, TAKEN, "bare", .complete_cnt = 1},

    {0x26, ITT_NO_DATA, 262148, ISKRA_CONN_DATALEN, "longer than MaxRecvDataSegmentLength"},
    {0x26, ITT_BAD_AGE, 0, ISKRA_CONN_BAD_ITT, "tag of another age"},
    {0x26, ITT_NO_DATA, 1, ISKRA_CONN_PROTO, "data"},
    {0x26, ITT_NO_DATA, 0, TAKEN, "bare", .complete_cnt = 1},

    {0x20, NO_TAG, 262148, ISKRA_CONN_DATALEN, "longer than MaxRecvDataSegmentLength"},
    {0x20, ITT_BAD_AGE, 0, ISKRA_CONN_BAD_ITT, "tag of another age"},
    {0x20, ITT_NO_DATA, 8193, ISKRA_CONN_PROTO, "data beyond the buffer"},
    {0x20, ITT_NO_DATA, 5, TAKEN, "data in the answer to our ping", .complete_cnt = 1},
    {0x20, NO_TAG, 1, ISKRA_CONN_PROTO, "data in the target's ping"},
    {0x20, NO_TAG, 0, TAKEN, "bare", .complete_cnt = 1},

    {0x22, ITT_NO_DATA, 262148, ISKRA_CONN_DATALEN, "longer than MaxRecvDataSegmentLength"},
    {0x22, ITT_BAD_AGE, 0, ISKRA_CONN_BAD_ITT, "tag of another age"},
    {0x22, ITT_NO_DATA, 1, ISKRA_CONN_PROTO, "data"},
    {0x22, ITT_NO_DATA, 0, TAKEN, "bare", .complete_cnt = 1},
};
/* clang-format on */

static void target_prepare(struct fake *f)
{
    (void)fake_task_add(f, ISKRA_DIR_READ, 16384, 3, 1);
    (void)fake_task_add(f, ISKRA_DIR_WRITE, 16384, 3, 2);
    (void)fake_task_add(f, ISKRA_DIR_NONE, 0, 0, 3);
}

static void stream_of(struct stream *s, const struct pdu_case *c)
{
    static const uint8_t data[300000], ahs[1020];
    uint8_t bhs[ISKRA_BHS_LEN];
    if (c->opcode == ISKRA_OP_R2T)
        bhs_of_r2t(bhs, c->itt, c->sn, c->offset, c->desired_len);
    else if (c->opcode == ISKRA_OP_DATA_IN)
        bhs_of_data_in(bhs, c->itt, c->sn, c->offset, c->status);
    else
        bhs_of(bhs, (enum iskra_opcode)c->opcode, c->itt);
    stream_put_pdu(s, bhs, ahs, c->ahs_len, data, c->data_len);
}

static void check_taken(const struct fake *f, const struct pdu_case *c, int rc)
{
    assert_int_equal(rc, 0);
    assert_int_equal(f->failure_cnt, 0);
    assert_int_equal(f->complete_cnt, c->complete_cnt + 1);
    assert_int_equal(iskra_bhs_opcode(f->last_hdr), ISKRA_OP_NOP_IN);
    assert_int_equal(f->conn.error.code, ISKRA_OK);
}

/* One failure, with this code; nothing handed up; nothing called afterwards; a text that names the
 * PDU. */
static void check_refused(struct fake *f, enum iskra_conn_error error, int rc)
{
    assert_int_equal(f->failure_cnt, 1);
    assert_int_equal(f->failure, error);
    assert_int_equal(f->complete_cnt, 0);
    assert_int_equal(f->after_failure_cnt, 0);
    assert_int_equal(f->conn.error.conn_error, error);
    assert_true(rc < 0 && rc != -EAGAIN);
    assert_non_null(strstr(f->conn.error.text, "itt 0x"));
    struct iovec iov[2];
    assert_int_equal(
        f->conn.port.ops->recv_window(&f->conn.port, f->staging, sizeof(f->staging), iov, 2), 0);
}

static void check_case(const struct pdu_case *c, struct chunks chunks)
{
    struct fake *f = malloc(sizeof(*f));
    assert_non_null(f);
    fake_init(f);
    target_prepare(f);
    struct stream s = {0};
    stream_of(&s, c);
    stream_put_nop_in(&s); /* seen exactly if the PDU before it was taken */
    size_t used;
    int rc = fake_feed(f, s.bytes, s.len, &chunks, &used);
    if (c->error == ISKRA_CONN_OK)
        check_taken(f, c, rc);
    else
        check_refused(f, c->error, rc);
    assert_int_equal(fake_pdu_in(f, 0)->what, c->opcode); /* recorded even when refused */
    stream_done(&s);
    fake_done(f);
    free(f);
}

static void acceptance_2_every_row_of_the_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        print_message("# 0x%02x %s\n", cases[i].opcode, cases[i].why);
        check_case(&cases[i], (struct chunks){.fixed = SIZE_MAX});
        check_case(&cases[i], (struct chunks){.fixed = 1});
    }
}

static void an_opcode_no_target_sends_is_refused(void **state)
{
    (void)state;
    static const uint8_t known[] = {0x20, 0x21, 0x22, 0x23, 0x24, 0x25, 0x26, 0x31, 0x32, 0x3f};
    unsigned refused_cnt = 0;
    for (unsigned opcode = 0; opcode < 64; opcode++) {
        if (memchr(known, (int)opcode, sizeof(known)))
            continue;
        struct pdu_case c = {
            .opcode = (uint8_t)opcode, .itt = NO_TAG, .error = ISKRA_CONN_BAD_OPCODE};
        check_case(&c, (struct chunks){.fixed = SIZE_MAX});
        refused_cnt++;
    }
    assert_int_equal(refused_cnt, 54);
}

static void data_in_without_status_updates_the_window_at_once(void **state)
{
    struct fake *f = *state;
    target_prepare(f);
    struct stream s = {0};
    struct pdu_case c = {.opcode = 0x25, .itt = ITT_READ, .data_len = 8};
    stream_of(&s, &c);
    struct chunks whole = {.fixed = SIZE_MAX};
    size_t used;
    (void)fake_feed(f, s.bytes, ISKRA_BHS_LEN, &whole, &used);
    assert_int_equal(f->window_update_cnt, 1);
    assert_int_equal(f->exp_cmd_sn, 11);
    assert_int_equal(f->max_cmd_sn, 42);
    stream_done(&s);
}

static void data_in_with_status_leaves_the_window_to_complete_pdu(void **state)
{
    struct fake *f = *state;
    target_prepare(f);
    struct stream s = {0};
    struct pdu_case c = {.opcode = 0x25, .itt = ITT_READ, .data_len = 8, .status = true};
    stream_of(&s, &c);
    fake_feed_all(f, &s);
    assert_int_equal(f->window_update_cnt, 0);
    assert_int_equal(f->complete_cnt, 1);
    stream_done(&s);
}

/* The layer above lends as much memory as the command asks for; if it ever does not, nothing is
 * overrun. */
static void memory_shorter_than_the_command_is_not_overrun(void **state)
{
    struct fake *f = *state;
    target_prepare(f);
    f->tasks[0].tcp.sg.iov_cnt = 1;
    f->tasks[0].iov[0].iov_len = 99;
    struct stream s = {0};
    struct pdu_case c = {.opcode = 0x25, .itt = ITT_READ, .data_len = 100};
    stream_of(&s, &c);
    struct chunks whole = {.fixed = SIZE_MAX};
    size_t used;
    int rc = fake_feed(f, s.bytes, s.len, &whole, &used);
    check_refused(f, ISKRA_CONN_DATA_OFFSET, rc);
    stream_done(&s);
}

static void the_error_text_tells_both_numbers(void **state)
{
    struct fake *f = *state;
    target_prepare(f);
    struct stream s = {0};
    struct pdu_case c = {.opcode = 0x25, .itt = ITT_READ, .data_len = 4, .sn = 17};
    stream_of(&s, &c);
    struct chunks whole = {.fixed = SIZE_MAX};
    size_t used;
    (void)fake_feed(f, s.bytes, s.len, &whole, &used);
    assert_string_equal(f->conn.error.text, "Data-In itt 0x10000000: DataSN 17, expected 0");
    stream_done(&s);
}

static void an_error_of_complete_pdu_fails_the_connection_once(void **state)
{
    struct fake *f = *state;
    f->complete_error = ISKRA_CONN_BAD_OPCODE;
    struct stream s = {0};
    stream_put_nop_in(&s);
    stream_put_nop_in(&s);
    struct chunks whole = {.fixed = SIZE_MAX};
    size_t used;
    int rc = fake_feed(f, s.bytes, s.len, &whole, &used);
    assert_int_equal(rc, -EPROTO);
    assert_int_equal(f->complete_cnt, 1);
    assert_int_equal(f->failure_cnt, 1);
    assert_int_equal(f->failure, ISKRA_CONN_BAD_OPCODE);
    assert_int_not_equal(f->conn.error.text[0], '\0');
    stream_done(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(acceptance_2_every_row_of_the_table),
        cmocka_unit_test(an_opcode_no_target_sends_is_refused),
        FAKE_TEST(data_in_without_status_updates_the_window_at_once),
        FAKE_TEST(data_in_with_status_leaves_the_window_to_complete_pdu),
        FAKE_TEST(memory_shorter_than_the_command_is_not_overrun),
        FAKE_TEST(the_error_text_tells_both_numbers),
        FAKE_TEST(an_error_of_complete_pdu_fails_the_connection_once),
    };
    return cmocka_run_group_tests_name("dissect", tests, NULL, NULL);
}
