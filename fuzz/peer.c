/* See peer.h. What must hold of a target, whatever it is sent: its answers are PDUs, numbered one
 * after the other, no longer than was allowed; they are not without end; and a session takes no
 * memory for what happens in it. */
#include "peer.h"

#include "wire/be.h"
#include "wire/crc32c.h"

#define OUT_PER_PDU     (128u * 1024u) /* a disk has half of that */
#define MEMORY_PER_CONN (2u * 1024u * 1024u)

/* The sanitizer's; not there without one. */
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

static size_t memory_now(void)
{
    return __sanitizer_get_current_allocated_bytes ? __sanitizer_get_current_allocated_bytes() : 0;
}

/* The same each time, so that a corpus entry can hold the right answer to a challenge. */
static int fixed_random(void *arg, void *buf, size_t len)
{
    (void)arg;
    memset(buf, 0x5a, len);
    return 0;
}

void peer_options(struct iskra_target_options *options)
{
    static const struct iskra_target_backend backends[] = {
        {.kind = ISKRA_TARGET_RAM, .size = 65536},
        {.kind = ISKRA_TARGET_RAM, .size = 65536, .block_len = 4096, .read_only = true},
        {.kind = ISKRA_TARGET_NULL, .size = 65536},
    };
    iskra_target_options_init(options);
    options->name = PEER_TARGET_NAME;
    options->backends = backends;
    options->backend_cnt = 3;
    options->cmd_window = PEER_CMD_WINDOW;
    options->max_recv = 8192;
    options->max_data_in = 4096;
    options->random = fixed_random;
}

void peer_open(struct peer *peer, struct iskra_target *target, uint64_t now_ns)
{
    size_t before = memory_now();
    *peer = (struct peer){.now_ns = now_ns, .chunk = 4096, .cmd_sn = 1, .itt = 1};
    peer->recv_max = PEER_DATA_MAX;
    peer->conn = iskra_target_conn_new(target, "127.0.0.1:3260", now_ns);
    must(peer->conn != NULL && memory_now() <= before + MEMORY_PER_CONN);
}

void peer_close(struct peer *peer)
{
    iskra_target_conn_free(peer->conn);
    peer->conn = NULL;
}

bool peer_finished(const struct peer *peer)
{
    return iskra_target_conn_finished(peer->conn);
}

void peer_r2t_done(struct peer *peer)
{
    if (peer->r2t_cnt > 0)
        memmove(peer->r2ts, peer->r2ts + 1, --peer->r2t_cnt * sizeof(peer->r2ts[0]));
}

static void r2t_keep(struct peer *peer, const uint8_t *bhs)
{
    struct peer_r2t r2t = {.itt = iskra_get_be32(bhs + 16),
                           .ttt = iskra_get_be32(bhs + 20),
                           .offset = iskra_get_be32(bhs + 40),
                           .left = iskra_get_be32(bhs + 44)};
    must(r2t.ttt != ISKRA_RESERVED_TAG && r2t.left > 0 && r2t.left <= UINT32_MAX - r2t.offset);
    if (peer->r2t_cnt == PEER_R2T_CNT)
        peer_r2t_done(peer);
    peer->r2ts[peer->r2t_cnt++] = r2t;
}

static void login_learn(struct peer *peer, const uint8_t *bhs)
{
    bool transit = bhs[1] & 0x80, more = bhs[1] & 0x40;
    must(!(transit && more));
    must(bhs[36] <= 3 && (bhs[36] == 0 || !transit)); /* Status-Class */
    peer->full_feature = transit && (bhs[1] & 3) == ISKRA_STAGE_FULL_FEATURE;
    if (peer->full_feature)
        peer->tsih = iskra_get_be16(bhs + 14);
    must(!peer->full_feature || peer->tsih != 0);
}

/* RFC 7143 4.2.2.2: each status takes a number, and nothing else does. */
static void numbers_judge(struct peer *peer, const uint8_t *bhs)
{
    uint8_t opcode = bhs[0];
    uint32_t stat_sn = iskra_get_be32(bhs + 24), exp_cmd_sn = iskra_get_be32(bhs + 28);
    must(iskra_get_be32(bhs + 32) - exp_cmd_sn + 1 <= PEER_CMD_WINDOW);
    if (opcode == ISKRA_OP_DATA_IN && !(bhs[1] & 1))
        return;
    bool told = opcode == ISKRA_OP_R2T || /* as is that of a NOP-In which answers nothing */
                (opcode == ISKRA_OP_NOP_IN && iskra_get_be32(bhs + 16) == ISKRA_RESERVED_TAG);
    must(!peer->stat_sn_known || stat_sn == peer->stat_sn);
    peer->stat_sn_known = true;
    peer->stat_sn = stat_sn + (told ? 0 : 1);
}

static void header_judge(struct peer *peer)
{
    const uint8_t *bhs = peer->pdu;
    must(iskra_bhs_ahs_len(bhs) == 0 && iskra_bhs_data_len(bhs) <= peer->recv_max);
    must(peer->full_feature ? bhs[0] != ISKRA_OP_LOGIN_RSP : bhs[0] == ISKRA_OP_LOGIN_RSP);
    switch (bhs[0]) {
    case ISKRA_OP_NOP_IN:
    case ISKRA_OP_SCSI_RSP:
    case ISKRA_OP_TMF_RSP:
    case ISKRA_OP_LOGOUT_RSP:
    case ISKRA_OP_R2T:
    case ISKRA_OP_ASYNC:
    case ISKRA_OP_REJECT:
        must(bhs[1] & 0x80);
        break;
    default:
        must(bhs[0] == ISKRA_OP_LOGIN_RSP || bhs[0] == ISKRA_OP_TEXT_RSP ||
             bhs[0] == ISKRA_OP_DATA_IN);
    }
    numbers_judge(peer, bhs);
}

static void pdu_learn(struct peer *peer)
{
    const uint8_t *bhs = peer->pdu;
    if (bhs[0] == ISKRA_OP_R2T)
        r2t_keep(peer, bhs);
    else if (bhs[0] == ISKRA_OP_TEXT_RSP)
        peer->text_ttt = iskra_get_be32(bhs + 20);
    else if (bhs[0] == ISKRA_OP_LOGIN_RSP)
        login_learn(peer, bhs);
}

static size_t digest_len(const struct peer *peer, bool digest)
{
    return peer->full_feature && digest ? ISKRA_DIGEST_LEN : 0;
}

static bool digest_ok(const uint8_t *bytes, size_t len)
{
    uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, bytes, len);
    return iskra_crc32c_get(bytes + len) == iskra_crc32c_finish(crc);
}

/* How long the PDU will be, as far as this is known by now. */
static size_t pdu_need(const struct peer *peer, size_t *ret_data_at)
{
    size_t header = digest_len(peer, peer->header_digest);
    *ret_data_at = ISKRA_BHS_LEN + header;
    if (peer->pdu_len < *ret_data_at)
        return *ret_data_at;
    size_t len = iskra_bhs_data_len(peer->pdu);
    size_t padded = len + iskra_pad_len((uint32_t)len);
    return *ret_data_at + padded + (len > 0 ? digest_len(peer, peer->data_digest) : 0);
}

static void pdu_judge(struct peer *peer, size_t data_at)
{
    static const uint8_t zeros[3];
    size_t len = iskra_bhs_data_len(peer->pdu), pad = iskra_pad_len((uint32_t)len);
    must(memcmp(peer->pdu + data_at + len, zeros, pad) == 0);
    if (digest_len(peer, peer->header_digest) > 0)
        must(digest_ok(peer->pdu, ISKRA_BHS_LEN));
    if (len > 0 && digest_len(peer, peer->data_digest) > 0)
        must(digest_ok(peer->pdu + data_at, len + pad));
    pdu_learn(peer);
    peer->pdu_len = 0;
}

static void bytes_judge(struct peer *peer, const uint8_t *bytes, size_t len)
{
    peer->out_len += len;
    while (len > 0 && !(peer->deaf && peer->full_feature)) {
        size_t data_at, need = pdu_need(peer, &data_at), n = need - peer->pdu_len;
        n = n < len ? n : len;
        memcpy(peer->pdu + peer->pdu_len, bytes, n);
        peer->pdu_len += n;
        bytes += n;
        len -= n;
        if (peer->pdu_len == data_at)
            header_judge(peer);
        if (peer->pdu_len == pdu_need(peer, &data_at) && peer->pdu_len >= data_at)
            pdu_judge(peer, data_at);
    }
    (void)input_touch(bytes, len);
}

void peer_drain(struct peer *peer)
{
    struct iovec iov[8];
    unsigned cnt;
    while ((cnt = iskra_target_conn_send_window(peer->conn, iov, 8)) > 0) {
        size_t most = 3 * peer->chunk, total = 0;
        for (unsigned i = 0; i < cnt && total < most; i++) {
            size_t n = iov[i].iov_len < most - total ? iov[i].iov_len : most - total;
            must(n > 0);
            bytes_judge(peer, iov[i].iov_base, n);
            total += n;
        }
        iskra_target_conn_sent(peer->conn, total, peer->now_ns);
        must(peer->out_len <= (1 + peer->in_len / ISKRA_BHS_LEN) * OUT_PER_PDU);
    }
    if (!peer_finished(peer) && !(peer->deaf && peer->full_feature))
        must(peer->pdu_len == 0); /* it stops after a PDU only */
}

void peer_feed(struct peer *peer, const void *bytes, size_t len)
{
    const uint8_t *at = bytes;
    while (len > 0) {
        struct iovec iov[2];
        if (iskra_target_conn_recv_window(peer->conn, iov) == 0) {
            peer_drain(peer); /* it wants to be heard first, or it is over */
            if (iskra_target_conn_recv_window(peer->conn, iov) == 0) {
                must(peer_finished(peer));
                return;
            }
        }
        size_t n = len < peer->chunk ? len : peer->chunk;
        n = n < iov[0].iov_len ? n : iov[0].iov_len;
        must(n > 0);
        memcpy(iov[0].iov_base, at, n);
        peer->in_len += n;
        size_t before = memory_now();
        bool full_feature = peer->full_feature;
        iskra_target_conn_received(peer->conn, n, peer->now_ns);
        must(memory_now() <= before + (full_feature ? 0 : MEMORY_PER_CONN));
        at += n;
        len -= n;
    }
}

void peer_tick(struct peer *peer, uint64_t now_ns)
{
    peer->now_ns = now_ns;
    bool due = now_ns >= iskra_target_conn_deadline_ns(peer->conn);
    iskra_target_conn_tick(peer->conn, now_ns);
    must(!due || peer_finished(peer));
}

static void digest_feed(struct peer *peer, uint32_t crc, bool bad)
{
    uint8_t digest[ISKRA_DIGEST_LEN];
    iskra_crc32c_put(digest, iskra_crc32c_finish(crc) ^ (bad ? 1 : 0));
    peer_feed(peer, digest, sizeof(digest));
}

void peer_send(struct peer *peer, uint8_t *bhs, const uint8_t *ahs, size_t ahs_len,
               const void *data, size_t len)
{
    static const uint8_t pad[3];
    bool header_digest = digest_len(peer, peer->header_digest) > 0;
    bool data_digest = digest_len(peer, peer->data_digest) > 0;
    bhs[4] = (uint8_t)(ahs_len / 4);
    iskra_put_be24(bhs + 5, (uint32_t)len);
    uint32_t crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, bhs, ISKRA_BHS_LEN);
    peer_feed(peer, bhs, ISKRA_BHS_LEN);
    peer_feed(peer, ahs, ahs_len);
    if (header_digest)
        digest_feed(peer, iskra_crc32c_update(crc, ahs, ahs_len), peer->bad_header);
    crc = iskra_crc32c_update(ISKRA_CRC32C_INIT, data, len);
    crc = iskra_crc32c_update(crc, pad, iskra_pad_len((uint32_t)len));
    peer_feed(peer, data, len);
    peer_feed(peer, pad, iskra_pad_len((uint32_t)len));
    if (data_digest && len > 0)
        digest_feed(peer, crc, peer->bad_data);
    peer->bad_header = peer->bad_data = false;
}

void peer_login_header(const struct peer *peer, uint8_t *bhs, uint8_t flags)
{
    memset(bhs, 0, ISKRA_BHS_LEN);
    bhs[0] = ISKRA_OP_LOGIN | 0x40;
    bhs[1] = flags;
    bhs[8] = 0x80; /* ISID of the random type */
    iskra_put_be32(bhs + 24, peer->cmd_sn);
}
