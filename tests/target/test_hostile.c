/* Initiators that mean harm, or have lost their mind: random bytes, random PDUs, damaged ones, at
 * every phase. Nothing is asserted but what the sanitizers see, that memory stays bounded, and that
 * another session goes on as if nothing had happened. */
#include "peer.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#define MEMORY_MAX ((size_t)16 << 20) /* of a few connections, each with its buffers */

static struct iskra_target *target;
static uint64_t rng;

/* Under AddressSanitizer the C library's own account stays empty. */
extern size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t memory_in_use(void)
{
    if (__sanitizer_get_current_allocated_bytes)
        return __sanitizer_get_current_allocated_bytes();
    struct mallinfo2 info = mallinfo2();
    return info.uordblks + info.hblkhd;
}

static uint32_t random32(void)
{
    rng ^= rng << 13;
    rng ^= rng >> 7;
    rng ^= rng << 17;
    return (uint32_t)(rng >> 16);
}

static int setup(void **state)
{
    target = peer_target(NULL);
    return 0;
}

static int teardown(void **state)
{
    iskra_target_free(target);
    return 0;
}

/* Hands in what there is room for, throws away what comes out; stops when the connection is
 * finished. */
static void feed(struct iskra_target_conn *conn, const uint8_t *bytes, size_t len, bool reads)
{
    while (len > 0 && !iskra_target_conn_finished(conn)) {
        struct iovec iov[8];
        unsigned cnt = iskra_target_conn_recv_window(conn, iov);
        if (cnt > 0) {
            size_t n = 1 + random32() % 700;
            n = n < len ? n : len;
            n = n < iov[0].iov_len ? n : iov[0].iov_len;
            memcpy(iov[0].iov_base, bytes, n);
            iskra_target_conn_received(conn, n, 0);
            bytes += n;
            len -= n;
        } else if (!reads) {
            return;
        }
        unsigned out = reads ? iskra_target_conn_send_window(conn, iov, 8) : 0;
        if (out > 0) {
            size_t sent = 1 + random32() % iov[0].iov_len;
            iskra_target_conn_sent(conn, sent, 0);
        }
    }
}

static void random_bytes(uint8_t *buf, size_t len)
{
    for (size_t i = 0; i < len; i++)
        buf[i] = (uint8_t)random32();
}

static void random_bytes_instead_of_a_login(void **state)
{
    static uint8_t buf[20000];
    for (uint32_t seed = 1; seed <= 200; seed++) {
        rng = seed * UINT64_C(0x9e3779b97f4a7c15);
        struct iskra_target_conn *conn = iskra_target_conn_new(target, "x", 0);
        random_bytes(buf, sizeof(buf));
        feed(conn, buf, sizeof(buf), true);
        iskra_target_conn_free(conn);
    }
}

/* Login Requests whose every field but the opcode is random, with text made of pieces of real keys.
 */
static size_t random_login(uint8_t *buf)
{
    static const char *const words[] = {
        "InitiatorName=" PEER_INITIATOR,
        "TargetName=" PEER_TARGET,
        "SessionType=Normal",
        "SessionType=Discovery",
        "HeaderDigest=CRC32C",
        "DataDigest=",
        "=",
        "MaxBurstLength=0x",
        "MaxRecvDataSegmentLength=512",
        "AuthMethod=None",
        "A=B",
        "FirstBurstLength=99999999999999999999",
    };
    random_bytes(buf, ISKRA_BHS_LEN);
    buf[0] = 0x43;
    buf[1] = (uint8_t)(random32() % 4 ? 0x87 : random32());
    buf[3] = (uint8_t)(random32() % 8 == 0);
    buf[4] = (uint8_t)(random32() % 16 == 0 ? random32() % 4 : 0);
    uint32_t at = 0;
    uint8_t *text = buf + ISKRA_BHS_LEN + buf[4] * 4u;
    unsigned cnt = random32() % 6;
    for (unsigned i = 0; i < cnt; i++) {
        const char *word = words[random32() % (sizeof(words) / sizeof(words[0]))];
        size_t len = strlen(word) + 1;
        memcpy(text + at, word, len);
        at += (uint32_t)len;
    }
    if (at > 0 && random32() % 8 == 0)
        text[random32() % at] ^= (uint8_t)(1u << random32() % 8);
    iskra_put_be24(buf + 5, at);
    memset(text + at, 0, 4);
    return (size_t)(text - buf) + at + iskra_pad_len(at);
}

static void logins_of_random_fields_and_keys(void **state)
{
    uint8_t buf[2048];
    for (uint32_t seed = 1; seed <= 3000; seed++) {
        rng = seed * UINT64_C(0x9e3779b97f4a7c15);
        struct iskra_target_conn *conn = iskra_target_conn_new(target, "127.0.0.1:1", 0);
        for (int i = 0; i < 4; i++) {
            memset(buf, 0, sizeof(buf));
            feed(conn, buf, random_login(buf), true);
        }
        iskra_target_conn_free(conn);
    }
}

/* A request that is right in form: opcode known or not, random fields, a number that may be the
 * next. */
static size_t random_request(uint8_t *buf, uint32_t *cmd_sn)
{
    static const uint8_t opcodes[] = {0x00, 0x01, 0x01, 0x01, 0x01, 0x02, 0x04,
                                      0x05, 0x06, 0x10, 0x03, 0x1f, 0x3f};
    random_bytes(buf, ISKRA_BHS_LEN);
    buf[0] = (uint8_t)(opcodes[random32() % sizeof(opcodes)] | (random32() & 0x40));
    if ((buf[0] & 0x3f) == 0x06 && random32() % 8) /* logouts end the fun */
        buf[0] = 0x01;
    if ((buf[0] & 0x3f) == 0x02) /* so does a cold reset */
        buf[1] = (uint8_t)(0x80 | random32() % 7);
    buf[4] = (uint8_t)(random32() % 16 == 0 ? random32() % 5 : 0);
    uint32_t len = random32() % 4 == 0 ? random32() % 600 : 0;
    iskra_put_be24(buf + 5, len);
    if (random32() % 4)
        memset(buf + 8, 0, 8); /* LUN 0 */
    if (!(buf[0] & 0x40) && random32() % 64)
        iskra_put_be32(buf + 24, buf[0] == 0x05 || buf[0] == 0x10 ? *cmd_sn : (*cmd_sn)++);
    if (buf[0] == 0x01) {
        static const uint8_t cdbs[] = {0x00, 0x03, 0x08, 0x12, 0x1a, 0x1b, 0x25, 0x28, 0x35, 0x5a,
                                       0x88, 0x91, 0x9e, 0xa0, 0xa8, 0x2a, 0x0a, 0x2e, 0x2f, 0x41,
                                       0x42, 0x7f, 0x89, 0x8a, 0x8f, 0x93, 0xaa, 0xa3};
        buf[32] = random32() % 8 ? cdbs[random32() % sizeof(cdbs)] : buf[32];
        if (random32() % 2) /* small enough to be good at times */
            memset(buf + 34, 0, 11);
        if (random32() % 2)
            iskra_put_be32(buf + 20, random32() % 100000);
    }
    random_bytes(buf + ISKRA_BHS_LEN, buf[4] * 4u + len + 4);
    return ISKRA_BHS_LEN + buf[4] * 4u + len + iskra_pad_len(len);
}

static void requests_of_random_fields(void **state)
{
    static uint8_t buf[2048];
    struct peer good;
    struct outcome o;
    uint8_t cdb[ISKRA_CDB_BHS_LEN];
    size_t before = memory_in_use(), most = 0;
    for (uint32_t seed = 1; seed <= 150; seed++) {
        struct peer peer;
        rng = seed * UINT64_C(0x9e3779b97f4a7c15);
        peer_open(&peer, target);
        peer_login(&peer, TEXT(NAMES "\0MaxRecvDataSegmentLength=1000"));
        bool reads = seed % 3 != 0;
        for (int i = 0; i < 300 && !iskra_target_conn_finished(peer.conn); i++)
            feed(peer.conn, buf, random_request(buf, &peer.cmd_sn), reads);
        size_t now = memory_in_use();
        most = now > before && now - before > most ? now - before : most;
        peer_close(&peer);
    }
    assert_in_range(most, 1, MEMORY_MAX);
    peer_open(&good, target); /* unharmed */
    peer_login(&good, TEXT(NAMES));
    (void)iskra_cdb_read10(cdb, 0, 8, 0);
    peer_command(&good, 0, cdb, 4096, true);
    peer_outcome(&good, &o);
    assert_int_equal(o.status, 0);
    outcome_done(&o);
    peer_close(&good);
}

static void damaged_bytes_in_a_good_session(void **state)
{
    static uint8_t buf[2048];
    for (uint32_t seed = 1; seed <= 300; seed++) {
        struct peer peer;
        rng = seed * UINT64_C(0x2545f4914f6cdd1d);
        peer_open(&peer, target);
        if (seed % 2)
            peer_login(&peer, TEXT(NAMES));
        else
            peer_login(&peer, TEXT(NAMES "\0HeaderDigest=CRC32C\0DataDigest=CRC32C"));
        for (int i = 0; i < 40 && !iskra_target_conn_finished(peer.conn); i++) {
            struct iskra_pdu_scsi_cmd req = {.final = true,
                                             .read = true,
                                             .itt = random32(),
                                             .edtl = 8192,
                                             .cmd_sn = peer.cmd_sn++};
            (void)iskra_cdb_read10(req.cdb, i, 16, 0);
            iskra_scsi_cmd_encode(&req, buf);
            buf[random32() % ISKRA_BHS_LEN] ^= (uint8_t)(1u << random32() % 8);
            feed(peer.conn, buf, ISKRA_BHS_LEN, true);
        }
        peer_close(&peer);
    }
}

/* What a liar may say of the R2T it has just seen: mostly the truth, so that it gets far. */
static void lie(struct iskra_pdu_data_out *out)
{
    switch (random32() % 24) {
    case 0:
        out->ttt ^= 1u << random32() % 32;
        break;
    case 1:
        out->offset += 512 * (random32() % 5) - 1024;
        break;
    case 2:
        out->data_sn += random32() % 3;
        break;
    case 3:
        out->itt = random32() % 8;
        break;
    case 4:
        out->final = !out->final;
        break;
    case 5:
        out->ttt = ISKRA_RESERVED_TAG;
        break;
    default:
        break;
    }
}

static uint32_t liar_command(struct peer *peer, uint8_t *buf, bool write)
{
    struct iskra_pdu_scsi_cmd req = {.immediate = random32() % 16 == 0,
                                     .final = random32() % 3 != 0,
                                     .write = write,
                                     .itt = random32() % 8,
                                     .edtl = random32() % 20000,
                                     .cmd_sn = peer->cmd_sn};
    peer->cmd_sn += !req.immediate;
    uint32_t cnt = random32() % 30;
    switch (random32() % 6) {
    case 0:
        (void)iskra_cdb_compare_and_write(req.cdb, 0, (uint8_t)cnt, 0);
        break;
    case 1:
        (void)iskra_cdb_unmap(req.cdb, (uint16_t)(8 + 16 * cnt), 0);
        break;
    case 2:
        (void)iskra_cdb_write_same16(req.cdb, 5, cnt, random32() % 2 ? ISKRA_CDB_UNMAP : 0);
        break;
    default:
        (void)iskra_cdb_write16(req.cdb, random32() % 2100, cnt, 0);
        break;
    }
    iskra_scsi_cmd_encode(&req, buf);
    uint32_t len = random32() % 4 ? 0 : random32() % 3000;
    iskra_put_be24(buf + 5, len);
    random_bytes(buf + ISKRA_BHS_LEN, len + 4);
    return ISKRA_BHS_LEN + len + iskra_pad_len(len);
}

/* Answers the R2Ts that have come, with a lie here and there. */
static void liar_answers(struct peer *peer, uint8_t *buf)
{
    while (peer->rx_len - peer->rx_pos >= ISKRA_BHS_LEN) {
        struct iskra_pdu_r2t r2t;
        const uint8_t *bhs = peer->rx + peer->rx_pos;
        uint32_t payload_len = iskra_bhs_data_len(bhs);
        peer->rx_pos += ISKRA_BHS_LEN + payload_len + iskra_pad_len(payload_len);
        if (iskra_bhs_opcode(bhs) != ISKRA_OP_R2T || random32() % 8 == 0)
            continue;
        iskra_r2t_decode(bhs, &r2t);
        struct iskra_pdu_data_out out = {
            .itt = r2t.itt, .ttt = r2t.ttt, .offset = r2t.offset, .final = true};
        uint32_t len = r2t.desired_len + (random32() % 16 ? 0 : 8);
        lie(&out);
        iskra_data_out_encode(&out, buf);
        iskra_put_be24(buf + 5, len);
        random_bytes(buf + ISKRA_BHS_LEN, len + 4);
        peer_send_bytes(peer, buf, ISKRA_BHS_LEN + len + iskra_pad_len(len));
    }
    peer->rx_len = peer->rx_pos = 0;
}

static void writes_of_liars(void **state)
{
    static uint8_t buf[8192];
    struct iskra_target_stats stats;
    size_t before = memory_in_use(), most = 0;
    for (uint32_t seed = 1; seed <= 200; seed++) {
        struct peer peer;
        rng = seed * UINT64_C(0x9e3779b97f4a7c15);
        peer_open(&peer, target);
        peer_login(&peer, TEXT(NAMES "\0MaxBurstLength=4096\0FirstBurstLength=2048"
                                     "\0InitialR2T=No\0MaxOutstandingR2T=3"));
        peer.chunk = 1 + random32() % 3000;
        for (int i = 0; i < 200 && !iskra_target_conn_finished(peer.conn); i++) {
            peer_send_bytes(&peer, buf, liar_command(&peer, buf, random32() % 16 != 0));
            liar_answers(&peer, buf);
        }
        size_t now = memory_in_use();
        most = now > before && now - before > most ? now - before : most;
        peer_close(&peer);
    }
    iskra_target_stats(target, &stats);
    assert_true(stats.write_bytes > 1000000); /* they do get far */
    assert_in_range(most, 1, MEMORY_MAX);
}

/* Every length a header can state, before and after login: too much is refused before a byte of it
 * is read. */
static void stated_lengths_are_judged_at_once(void **state)
{
    for (uint32_t len = 262145; len <= ISKRA_DSL_MAX; len = len * 2 + 1) {
        struct peer peer;
        uint8_t bhs[ISKRA_BHS_LEN] = {0x40, 0x80};
        peer_open(&peer, target);
        peer_login(&peer, TEXT(NAMES));
        iskra_put_be24(bhs + 5, len);
        peer_send_bytes(&peer, bhs, sizeof(bhs));
        assert_true(iskra_target_conn_finished(peer.conn));
        assert_int_equal(iskra_target_conn_error(peer.conn)->code, ISKRA_E_PROTOCOL);
        peer_close(&peer);
    }
}

/* READ(16) of 2^32 - 1 blocks with the largest expected length: streamed, never collected. */
static void the_largest_read_costs_no_memory(void **state)
{
    struct iskra_target_options options;
    struct iskra_target_backend backend = {.kind = ISKRA_TARGET_NULL, .size = UINT64_C(1) << 42};
    iskra_target_options_init(&options);
    options.backends = &backend;
    options.backend_cnt = 1;
    struct iskra_target *large = peer_target(&options);
    struct peer peer;
    uint8_t cdb[ISKRA_CDB_BHS_LEN];
    peer_open(&peer, large);
    peer_login(&peer, TEXT(NAMES "\0MaxRecvDataSegmentLength=262144"));
    (void)iskra_cdb_read16(cdb, 0, UINT32_MAX, 0);
    peer.hold = true;
    size_t before = memory_in_use();
    peer_command(&peer, 0, cdb, UINT32_MAX, true);
    uint64_t total = 0;
    struct iovec iov[64];
    unsigned cnt;
    while ((cnt = iskra_target_conn_send_window(peer.conn, iov, 64)) > 0) {
        size_t sent = 0;
        for (unsigned i = 0; i < cnt; i++)
            sent += iov[i].iov_len;
        iskra_target_conn_sent(peer.conn, sent, 0);
        total += sent;
    }
    assert_true(memory_in_use() <= before + 4096);
    assert_true(total > UINT32_MAX);
    struct iskra_target_stats stats;
    iskra_target_stats(large, &stats);
    assert_true(stats.read_bytes == UINT32_MAX);
    peer_close(&peer);
    iskra_target_free(large);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(random_bytes_instead_of_a_login),
        T(logins_of_random_fields_and_keys),
        T(requests_of_random_fields),
        T(damaged_bytes_in_a_good_session),
        T(writes_of_liars),
        T(stated_lengths_are_judged_at_once),
        T(the_largest_read_costs_no_memory),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
