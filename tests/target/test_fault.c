/* Faults of the target, PDU by PDU: each action in each direction, which PDUs it meets, and what
 * stays as it was. Time is an argument, so nothing here waits. */
#include "peer.h"

#include <stdlib.h>
#include <string.h>

#include "wire/crc32c.h"
#include "wire/sense.h"

#define SECOND  UINT64_C(1000000000)
#define DIGESTS "\0HeaderDigest=CRC32C\0DataDigest=CRC32C"

static struct iskra_target *target;
static struct peer peer;
static uint8_t cdb[ISKRA_CDB_BHS_LEN], bhs[ISKRA_BHS_LEN];
static char told[512];

static void fault_told(void *arg, const char *text)
{
    (void)arg;
    strncat(told, text, sizeof(told) - strlen(told) - 2);
    strcat(told, "\n");
}

/* A target with up to two faults, nobody logged in. */
static void begin(const char *first, const char *second)
{
    const char *faults[] = {first, second};
    struct iskra_target_options o;
    iskra_target_options_init(&o);
    o.faults = faults;
    o.fault_cnt = second ? 2 : 1;
    o.fault_told = fault_told;
    told[0] = '\0';
    target = peer_target(&o);
    peer_open(&peer, target);
}

static void begin_logged_in(const char *first, const char *second)
{
    begin(first, second);
    peer_login(&peer, TEXT(NAMES "\0MaxRecvDataSegmentLength=512"));
}

static void begin_digests(const char *first)
{
    begin(first, NULL);
    peer_login(&peer, TEXT(NAMES "\0MaxRecvDataSegmentLength=512" DIGESTS));
}

static int teardown(void **state)
{
    peer_close(&peer);
    iskra_target_free(target);
    return 0;
}

static void read_send(uint32_t blocks)
{
    (void)iskra_cdb_read10(cdb, 0, (uint16_t)blocks, false);
    peer_command(&peer, 0, cdb, 512 * blocks, true);
}

static void ready_send(void)
{
    (void)iskra_cdb_test_unit_ready(cdb);
    peer_command(&peer, 0, cdb, 0, false);
}

/* The next command is done as ever. */
static void ready_expect(void)
{
    struct outcome o;
    ready_send();
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, ISKRA_STATUS_GOOD);
    assert_int_equal(o.itt, peer.itt - 1);
    outcome_done(&o);
}

static void tick(uint64_t now_ns)
{
    peer.now_ns = now_ns;
    iskra_target_conn_tick(peer.conn, now_ns);
    peer_drain(&peer);
}

static void ping(void)
{
    struct iskra_pdu_nop_out req = {
        .itt = peer.itt++, .ttt = ISKRA_RESERVED_TAG, .cmd_sn = peer.cmd_sn++};
    iskra_nop_out_encode(&req, bhs);
    peer_send(&peer, bhs, "ping", 4);
}

static uint32_t data_in_sn(void)
{
    struct answer answer;
    struct iskra_pdu_data_in in;
    peer_expect(&peer, ISKRA_OP_DATA_IN, &answer);
    iskra_data_in_decode(answer.bhs, &in);
    return in.data_sn;
}

static void a_data_in_is_lost_and_its_number_with_it(void **state)
{
    begin_logged_in("drop:data-in#2", NULL);
    read_send(3);
    assert_int_equal(data_in_sn(), 0);
    assert_int_equal(data_in_sn(), 2);
    assert_true(peer_silent(&peer));
    assert_string_equal(told, "fault: drop data-in #2 of connection 1\n");
    ready_expect();
}

static void a_response_is_lost(void **state)
{
    begin_logged_in("drop:scsi-response#1", NULL);
    ready_send();
    assert_true(peer_silent(&peer));
    ready_expect();
}

static void a_command_is_lost_and_the_next_one_is_in_order(void **state)
{
    begin_logged_in("drop:command(read)#1", NULL);
    read_send(1);
    assert_true(peer_silent(&peer));
    ready_expect();
    read_send(1);
    assert_int_equal(data_in_sn(), 0);
}

static void a_ping_is_lost_each_way(void **state)
{
    begin_logged_in("drop:nop-out#1", "drop:nop-in#1");
    ping();
    ping();
    assert_true(peer_silent(&peer));
    struct answer answer;
    ping();
    peer_expect(&peer, ISKRA_OP_NOP_IN, &answer);
    ready_expect();
}

static void a_login_response_is_lost(void **state)
{
    begin("drop:login-response#1", NULL);
    peer_login_send(&peer, ISKRA_STAGE_OPERATIONAL, ISKRA_STAGE_FULL_FEATURE, true, TEXT(NAMES));
    assert_true(peer_silent(&peer));
    assert_false(iskra_target_conn_finished(peer.conn));
}

static void counts_choose_which(void **state)
{
    static const struct {
        const char *spec;
        unsigned lost; /* bit per PDU, of eight */
    } rows[] = {
        {"drop:scsi-response", 0xff},
        {"drop:scsi-response#3", 0x04},
        {"drop:scsi-response#3+", 0xfc},
        {"drop:scsi-response#2+3", 0x92},
        {"drop:scsi-response#2+x2", 0x06},
        {"drop:scsi-response#2+3x2", 0x12},
        {"drop:any-out#9", 0x80},
        {"drop:scsi-response(read)", 0},
        {"drop:scsi-response@conn=2", 0},
        {"drop:scsi-response(0x00)#1", 0x01},
        {"drop:scsi-response#1@conn", 0x01},
        {"drop:data-in", 0},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        begin_logged_in(rows[i].spec, NULL);
        unsigned lost = 0;
        for (unsigned n = 0; n < 8; n++) {
            ready_send();
            lost |= (unsigned)peer_silent(&peer) << n;
            peer.rx_pos = peer.rx_len;
        }
        if (lost != rows[i].lost)
            fail_msg("%s: lost 0x%02x, expected 0x%02x", rows[i].spec, lost, rows[i].lost);
        if (i + 1 < sizeof(rows) / sizeof(rows[0]))
            (void)teardown(NULL);
    }
}

/* The first READ's Data-In of a second connection: lost? */
static bool lost_on_second(const char *spec)
{
    begin_logged_in(spec, NULL);
    ready_send();
    peer_close(&peer);
    peer_open(&peer, target);
    peer_login(&peer, TEXT(NAMES));
    ready_send();
    return peer_silent(&peer);
}

static void counting_goes_on_from_connection_to_connection(void **state)
{
    assert_false(lost_on_second("drop:scsi-response#1"));
    (void)teardown(NULL);
    assert_true(lost_on_second("drop:scsi-response#2"));
    (void)teardown(NULL);
    assert_true(lost_on_second("drop:scsi-response#1@conn"));
    assert_string_equal(told, "fault: drop scsi-response #1 of connection 1\n"
                              "fault: drop scsi-response #1 of connection 2\n");
    (void)teardown(NULL);
    assert_true(lost_on_second("drop:scsi-response#1@conn=2"));
}

static void an_answer_is_late_and_what_is_behind_it_too(void **state)
{
    begin_logged_in("delay=2s:scsi-response#1", NULL);
    ready_send();
    ping();
    assert_true(peer_silent(&peer));
    assert_int_equal(iskra_target_conn_deadline_ns(peer.conn), 2 * SECOND);
    tick(2 * SECOND - 1);
    assert_true(peer_silent(&peer));
    tick(2 * SECOND);
    struct answer answer;
    peer_expect(&peer, ISKRA_OP_SCSI_RSP, &answer);
    peer_expect(&peer, ISKRA_OP_NOP_IN, &answer);
    assert_true(iskra_target_conn_deadline_ns(peer.conn) == UINT64_MAX);
    ready_expect();
}

static void a_command_is_taken_late_and_what_is_behind_it_too(void **state)
{
    begin_logged_in("delay=1s:command#1", NULL);
    ready_send();
    ready_send();
    assert_true(peer_silent(&peer));
    assert_int_equal(iskra_target_conn_deadline_ns(peer.conn), SECOND);
    tick(SECOND - 1);
    assert_true(peer_silent(&peer));
    tick(SECOND);
    for (unsigned i = 2; i > 0; i--) {
        struct answer answer;
        peer_expect(&peer, ISKRA_OP_SCSI_RSP, &answer);
        assert_int_equal(iskra_bhs_itt(answer.bhs), peer.itt - i);
    }
    assert_string_equal(told, "fault: delay=1s command #1 of connection 1\n");
    ready_expect();
}

static void a_stall_ends(void **state)
{
    begin_logged_in("stall=3s:scsi-response#1", NULL);
    struct iovec iov[2];
    ready_send();
    assert_int_equal(iskra_target_conn_recv_window(peer.conn, iov), 0);
    assert_int_equal(iskra_target_conn_deadline_ns(peer.conn), 3 * SECOND);
    tick(3 * SECOND - 1);
    assert_true(peer_silent(&peer));
    tick(3 * SECOND);
    struct answer answer;
    peer_expect(&peer, ISKRA_OP_SCSI_RSP, &answer);
    ready_expect();
}

static void a_stall_for_ever_outlasts_the_time_for_a_login(void **state)
{
    begin("stall:login#1", NULL);
    peer_login_send(&peer, ISKRA_STAGE_OPERATIONAL, ISKRA_STAGE_FULL_FEATURE, true, TEXT(NAMES));
    assert_true(iskra_target_conn_deadline_ns(peer.conn) == UINT64_MAX);
    tick(1000000 * SECOND);
    assert_true(peer_silent(&peer));
    assert_false(iskra_target_conn_finished(peer.conn));
}

static void close_comes_in_place_of_a_pdu(void **state)
{
    begin_logged_in("close:data-in#2", NULL);
    read_send(3);
    assert_int_equal(data_in_sn(), 0);
    assert_true(peer_silent(&peer));
    assert_true(iskra_target_conn_finished(peer.conn));
    assert_string_equal(iskra_target_conn_error(peer.conn)->text, "closed by a fault");
}

static void close_comes_in_place_of_a_command(void **state)
{
    begin_logged_in("close:command#2", NULL);
    ready_expect();
    ready_send();
    assert_true(peer_silent(&peer));
    assert_true(iskra_target_conn_finished(peer.conn));
}

/* The bytes of the first Data-In of a READ of one block, digests on. */
static const uint8_t *spoilt(const char *spec)
{
    begin_digests(spec);
    size_t at = peer.rx_pos;
    read_send(1);
    assert_int_equal(peer.rx_len - at, ISKRA_BHS_LEN + 4 + 512 + 4);
    return peer.rx + at;
}

static bool digest_fits(const uint8_t *bytes, size_t len)
{
    uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, bytes, len);
    return iskra_crc32c_get(bytes + len) == iskra_crc32c_finish(crc);
}

static void what_goes_out_is_spoilt_behind_its_digest(void **state)
{
    static const struct {
        const char *part;
        bool header_fits, data_fits, zeros;
    } rows[] = {
        {"corrupt=header:data-in#1", false, true, true},
        {"corrupt=header-digest:data-in#1", false, true, true},
        {"corrupt=data:data-in#1", true, false, false},
        {"corrupt=data-digest:data-in#1", true, false, true},
        {"corrupt=digest:data-in#1", true, false, true},
        {"corrupt=data:data-in#2", true, true, true},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        const uint8_t *p = spoilt(rows[i].part), *data = p + ISKRA_BHS_LEN + 4;
        bool zeros = true;
        for (unsigned n = 0; n < 512; n++)
            zeros &= data[n] == 0;
        if (digest_fits(p, ISKRA_BHS_LEN) != rows[i].header_fits ||
            digest_fits(data, 512) != rows[i].data_fits || zeros != rows[i].zeros)
            fail_msg("%s", rows[i].part);
        if (i + 1 < sizeof(rows) / sizeof(rows[0]))
            (void)teardown(NULL);
    }
}

static void the_disk_itself_is_not_spoilt(void **state)
{
    begin_logged_in("corrupt=data:data-in#1", NULL);
    struct outcome o;
    for (unsigned spoilt_cnt = 1;; spoilt_cnt--) {
        read_send(1);
        peer_outcome(&peer, &o);
        unsigned others = 0;
        for (uint32_t i = 0; i < o.len; i++)
            others += o.bytes[i] != 0;
        assert_int_equal(others, spoilt_cnt);
        outcome_done(&o);
        if (spoilt_cnt == 0)
            break;
    }
}

static void a_pdu_without_the_part_does_not_count(void **state)
{
    begin_logged_in("corrupt=digest:any-out", NULL); /* no digests on this connection */
    ready_expect();
    assert_string_equal(told, "");
}

static void data_that_come_in_are_spoilt_and_rejected(void **state)
{
    static const char *const specs[] = {"corrupt=data:nop-out#1", "corrupt=data-digest:nop-out#1",
                                        "corrupt=digest:nop-out#1"};
    for (unsigned i = 0; i < 3; i++) {
        begin_digests(specs[i]);
        struct answer answer;
        ping();
        peer_expect(&peer, ISKRA_OP_REJECT, &answer);
        assert_int_equal(answer.bhs[2], 2); /* data digest error */
        if (i < 2)
            (void)teardown(NULL);
    }
}

static void data_that_come_in_without_digest_are_taken_as_they_are(void **state)
{
    begin_logged_in("corrupt=data:nop-out#1", NULL);
    struct answer answer;
    ping();
    peer_expect(&peer, ISKRA_OP_NOP_IN, &answer);
    assert_int_equal(answer.len, 4);
    assert_true(memcmp(answer.payload, "ping", 4) != 0);
}

static void a_header_that_comes_in_is_spoilt(void **state)
{
    static const char *const specs[] = {
        "corrupt=header:command#1", "corrupt=header-digest:command#1", "corrupt=digest:command#1"};
    for (unsigned i = 0; i < 3; i++) {
        begin_digests(specs[i]);
        ready_send();
        assert_true(peer_silent(&peer));
        assert_true(iskra_target_conn_finished(peer.conn));
        assert_non_null(strstr(iskra_target_conn_error(peer.conn)->text, "header digest error"));
        if (i < 2)
            (void)teardown(NULL);
    }
}

static void a_status_answers_in_place_of_the_disk(void **state)
{
    begin_logged_in("status=busy:command(read)#1", "status=reservation-conflict:command(read)#2");
    static const uint8_t expected[] = {ISKRA_STATUS_BUSY, ISKRA_STATUS_RESERVATION_CONFLICT,
                                       ISKRA_STATUS_GOOD};
    for (unsigned i = 0; i < 3; i++) {
        struct outcome o;
        read_send(1);
        peer_outcome(&peer, &o);
        assert_int_equal(o.status, expected[i]);
        assert_int_equal(o.len, i < 2 ? 0 : 512);
        assert_int_equal(o.residual, i < 2 ? 512 : 0);
        outcome_done(&o);
    }
}

static void sense_answers_in_place_of_the_disk(void **state)
{
    begin_logged_in("sense=0b/47/03:command(read)#1", NULL);
    (void)iskra_cdb_read10(cdb, 0, 1, false);
    peer_refused_with(&peer, 0, cdb, 512, 0x0b, 0x47, 0x03);
    ready_expect();
}

static void a_write_that_is_answered_with_sense_changes_nothing(void **state)
{
    begin_logged_in("sense=3/c/0:command(write)#1", NULL);
    uint8_t block[512];
    memset(block, 0xab, sizeof(block));
    (void)iskra_cdb_write10(cdb, 0, 1, false);
    struct iskra_pdu_scsi_cmd req = {
        .final = true, .write = true, .itt = peer.itt++, .edtl = 512, .cmd_sn = peer.cmd_sn++};
    memcpy(req.cdb, cdb, sizeof(req.cdb));
    iskra_scsi_cmd_encode(&req, bhs);
    peer_send(&peer, bhs, block, sizeof(block));
    struct outcome o;
    peer_outcome(&peer, &o);
    assert_int_equal(o.key << 8 | o.asc, 0x030c);
    outcome_done(&o);
    read_send(1);
    peer_outcome(&peer, &o);
    assert_int_equal(o.len, 512);
    assert_int_equal(o.bytes[0] | o.bytes[511], 0);
    outcome_done(&o);
}

static void a_wrong_field_has_a_right_digest(void **state)
{
    begin_digests("field=maxcmdsn-100:scsi-response#1");
    struct outcome o;
    ready_send();
    peer_outcome(&peer, &o); /* checks the digest */
    assert_int_equal(o.max_cmd_sn, peer.cmd_sn + 127 - 100);
    outcome_done(&o);
}

static void fields_are_where_they_belong(void **state)
{
    static const struct {
        const char *name;
        uint8_t at, len;
    } rows[] = {
        {"flags", 1, 1},     {"response", 2, 1},  {"status", 3, 1},    {"itt", 16, 4},
        {"statsn", 24, 4},   {"expcmdsn", 28, 4}, {"maxcmdsn", 32, 4}, {"expdatasn", 36, 4},
        {"residual", 44, 4}, {"dsl", 5, 3},       {"ahslength", 4, 1},
    };
    for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        char spec[64] = "field=";
        strcat(strcat(strcat(spec, rows[i].name), "=0x5a"), ":scsi-response#2");
        begin_logged_in(spec, NULL);
        uint8_t seen[2][ISKRA_BHS_LEN];
        for (unsigned n = 0; n < 2; n++) {
            size_t at = peer.rx_len;
            ready_send();
            memcpy(seen[n], peer.rx + at, ISKRA_BHS_LEN);
        }
        unsigned last = rows[i].at + rows[i].len - 1u;
        assert_int_equal(seen[1][last], 0x5a);
        for (unsigned n = 0; n < ISKRA_BHS_LEN; n++)
            if ((n < rows[i].at || n > last) && n != 19 && n != 27 && n != 31 && n != 35)
                assert_int_equal(seen[1][n], seen[0][n]);
        if (i + 1 < sizeof(rows) / sizeof(rows[0]))
            (void)teardown(NULL);
    }
}

static void a_field_of_a_command_is_changed_before_it_is_judged(void **state)
{
    begin_logged_in("field=itt=0x1234:command#1", "field=cmdsn+3000:command#2");
    struct outcome o;
    ready_send();
    peer_outcome(&peer, &o);
    assert_int_equal(o.itt, 0x1234);
    outcome_done(&o);
    ready_send(); /* a number outside the window is ignored */
    assert_true(peer_silent(&peer));
}

static void two_faults_meet_at_one_pdu(void **state)
{
    begin_logged_in("field=statsn+7:scsi-response#1", "delay=1s:scsi-response#1");
    ready_send();
    assert_true(peer_silent(&peer));
    uint32_t stat_sn = 2; /* the login used 1 */
    tick(SECOND);
    struct answer answer;
    peer_expect(&peer, ISKRA_OP_SCSI_RSP, &answer);
    assert_int_equal(iskra_get_be32(answer.bhs + 24), stat_sn + 7);
}

/* Faults do not depend on how the stream was cut, nor on being shown a PDU twice. */
static void a_stream_in_single_bytes_is_counted_the_same(void **state)
{
    begin("drop:command#2", "status=busy:command#3");
    peer.chunk = 1;
    peer_login(&peer, TEXT(NAMES));
    ready_expect();
    ready_send();
    assert_true(peer_silent(&peer));
    struct outcome o;
    ready_send();
    peer_outcome(&peer, &o);
    assert_int_equal(o.status, ISKRA_STATUS_BUSY);
    outcome_done(&o);
    ready_expect();
}

static void a_target_with_a_bad_fault_is_refused(void **state)
{
    static const char *const faults[] = {"drop:data-in", "drop:nothing"};
    struct iskra_target_options o;
    struct iskra_target_backend null = {.kind = ISKRA_TARGET_NULL, .size = 4096};
    iskra_target_options_init(&o);
    o.backends = &null;
    o.backend_cnt = 1;
    o.faults = faults;
    o.fault_cnt = 2;
    struct iskra_error err = {0};
    struct iskra_target *none = NULL;
    assert_true(iskra_target_new(&o, &none, &err) < 0);
    assert_int_equal(err.code, ISKRA_E_USAGE);
    assert_non_null(strstr(err.text, "'nothing'"));
}

#define T(name) cmocka_unit_test_teardown(name, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(a_data_in_is_lost_and_its_number_with_it),
        T(a_response_is_lost),
        T(a_command_is_lost_and_the_next_one_is_in_order),
        T(a_ping_is_lost_each_way),
        T(a_login_response_is_lost),
        T(counts_choose_which),
        T(counting_goes_on_from_connection_to_connection),
        T(an_answer_is_late_and_what_is_behind_it_too),
        T(a_command_is_taken_late_and_what_is_behind_it_too),
        T(a_stall_ends),
        T(a_stall_for_ever_outlasts_the_time_for_a_login),
        T(close_comes_in_place_of_a_pdu),
        T(close_comes_in_place_of_a_command),
        T(what_goes_out_is_spoilt_behind_its_digest),
        T(the_disk_itself_is_not_spoilt),
        T(a_pdu_without_the_part_does_not_count),
        T(data_that_come_in_are_spoilt_and_rejected),
        T(data_that_come_in_without_digest_are_taken_as_they_are),
        T(a_header_that_comes_in_is_spoilt),
        T(a_status_answers_in_place_of_the_disk),
        T(sense_answers_in_place_of_the_disk),
        T(a_write_that_is_answered_with_sense_changes_nothing),
        T(a_wrong_field_has_a_right_digest),
        T(fields_are_where_they_belong),
        T(a_field_of_a_command_is_changed_before_it_is_judged),
        T(two_faults_meet_at_one_pdu),
        T(a_stream_in_single_bytes_is_counted_the_same),
        cmocka_unit_test(a_target_with_a_bad_fault_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
