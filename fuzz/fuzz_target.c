/* Fuzzer of the embedded target in the full feature phase: two initiators that may send anything,
 * in pieces of any size. Each has logged in; the first byte says to what.
 *
 * The rest are instructions, which build requests from few bytes, right where little goes right by
 * chance (lengths, digests, numbers, tags of R2Ts) and wrong where the input says so. What must
 * hold is in peer.c. */
#include "peer.h"
#include "wire/be.h"

struct fuzz {
    struct iskra_target *target;
    struct peer peers[2];
    struct peer *peer; /* the one that is speaking */
    uint8_t bits;
};

static size_t login_text(uint8_t bits, char *text)
{
    const char *pairs[] = {
        "InitiatorName=" PEER_NAME,
        bits & 1 ? "SessionType=Discovery" : "TargetName=" PEER_TARGET_NAME,
        bits & 2 ? "HeaderDigest=CRC32C" : "HeaderDigest=None",
        bits & 2 ? "DataDigest=CRC32C" : "DataDigest=None",
        bits & 8 ? "InitialR2T=Yes" : "InitialR2T=No",
        bits & 16 ? "ImmediateData=No" : "ImmediateData=Yes",
        bits & 32 ? "MaxBurstLength=512" : "MaxBurstLength=8192",
        bits & 32 ? "FirstBurstLength=512" : "FirstBurstLength=4096",
        bits & 64 ? "MaxOutstandingR2T=1" : "MaxOutstandingR2T=8",
    };
    size_t len = 0;
    for (unsigned i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
        memcpy(text + len, pairs[i], strlen(pairs[i]) + 1);
        len += strlen(pairs[i]) + 1;
    }
    return len;
}

/* `other`: with an ISID of its own, so that nobody has to go. */
static void log_in(struct fuzz *z, bool other)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    char text[1024];
    size_t len = login_text(z->bits, text);
    struct peer *peer = z->peer;
    peer_open(peer, z->target, peer->now_ns);
    peer->header_digest = peer->data_digest = z->bits & 2;
    peer_login_header(peer, bhs, 0x87); /* T, operational to full feature */
    bhs[12] = other;
    peer_send(peer, bhs, NULL, 0, text, len);
    peer_drain(peer);
    must(peer->full_feature);
    peer->recv_max = 8192; /* nothing else was declared */
}

static void turn_to(struct fuzz *z, uint8_t code)
{
    z->peer = &z->peers[code >> 4 & 1];
    if (z->peer->conn && code & 0x20)
        peer_close(z->peer);
    if (!z->peer->conn)
        log_in(z, code & 0x40);
}

/* Bytes, perhaps many times over: with no end of a PDU at the end of a receive. */
static void raw(struct peer *peer, struct input *in)
{
    size_t cnt = 1 + (size_t)input_u8(in) * 4, len = input_len(in, input_u8(in));
    uint8_t *bytes = input_take(in, len), *all = malloc(cnt * len + 1);
    must(all != NULL);
    for (size_t i = 0; i < cnt; i++)
        memcpy(all + i * len, bytes, len);
    peer_feed(peer, all, cnt * len);
    free(all);
    free(bytes);
}

/* Data of a PDU: bytes of the input, or so many zeros. */
static uint8_t *payload(struct input *in, size_t *ret_len)
{
    uint8_t how = input_u8(in);
    *ret_len = how & 0x80 ? 64u * input_u8(in) : input_len(in, how);
    uint8_t *bytes = how & 0x80 ? calloc(1, *ret_len + 1) : input_take(in, *ret_len);
    must(bytes != NULL);
    return bytes;
}

/* Tag and number of the next request; bits of `how` are for wrong ones. */
static void number(struct peer *peer, struct input *in, uint8_t how, uint8_t *bhs)
{
    iskra_put_be32(bhs + 16, how & 0x10 ? ISKRA_RESERVED_TAG : peer->itt++);
    iskra_put_be32(bhs + 24, peer->cmd_sn + (how & 0x20 ? input_u8(in) : 0));
    if (!(bhs[0] & 0x40) && !(how & 0x80))
        peer->cmd_sn++;
}

static void command(struct peer *peer, struct input *in)
{
    uint8_t bhs[ISKRA_BHS_LEN] = {0}, how = input_u8(in), *ahs = NULL;
    size_t ahs_len = 0, len;
    bhs[0] = ISKRA_OP_SCSI_CMD | (how & 0x40);
    bhs[1] = input_u8(in); /* F, R, W, attributes */
    bhs[9] = how & 3;      /* LUN */
    uint16_t edtl = input_u16(in);
    iskra_put_be32(bhs + 20, how & 4 ? (uint32_t)edtl << 16 : edtl);
    uint32_t itt = peer->itt;
    number(peer, in, how, bhs);
    size_t cdb_len = input_len(in, input_u8(in) % 17);
    memcpy(bhs + 32, in->at, cdb_len);
    in->at += cdb_len;
    in->left -= cdb_len;
    if (how & 8) { /* an extended CDB, as long as it says or not */
        ahs_len = input_len(in, 4u * input_u8(in)) & ~(size_t)3;
        ahs = input_take(in, ahs_len);
    }
    uint8_t *data = payload(in, &len);
    peer_send(peer, bhs, ahs, ahs_len, data, len);
    if (bhs[1] & 0x20 && !(bhs[1] & 0x80)) { /* W and no F: Data-Out without R2T follows */
        peer->r2t_cnt = 1;
        peer->r2ts[0] =
            (struct peer_r2t){itt, ISKRA_RESERVED_TAG, (uint32_t)len, edtl - (uint32_t)len, 0};
    }
    free(data);
    free(ahs);
}

/* For the R2T that is first in turn, or for none. */
static void data_out(struct peer *peer, struct input *in)
{
    uint8_t bhs[ISKRA_BHS_LEN] = {ISKRA_OP_DATA_OUT}, how = input_u8(in);
    struct peer_r2t none = {.itt = peer->itt - 1, .ttt = ISKRA_RESERVED_TAG, .left = 512};
    struct peer_r2t *r2t = peer->r2t_cnt > 0 ? &peer->r2ts[0] : &none;
    uint32_t len = how & 1 ? 16u * input_u8(in) : r2t->left;
    len = len > 8192 ? 8192 : len;
    bool last = len >= r2t->left;
    bhs[1] = last != !!(how & 2) ? 0x80 : 0;
    iskra_put_be32(bhs + 16, r2t->itt + (how & 4 ? 1 : 0));
    iskra_put_be32(bhs + 20, r2t->ttt + (how & 8 ? 1 : 0));
    iskra_put_be32(bhs + 36, r2t->data_sn++ + (how & 16 ? 1 : 0));
    iskra_put_be32(bhs + 40, r2t->offset + (how & 32 ? 512 : 0));
    uint8_t *data = malloc(len > 0 ? len : 1);
    must(data != NULL);
    memset(data, how & 64 ? 0 : 0xd5, len);
    r2t->offset += len;
    r2t->left -= last ? r2t->left : len;
    if (last)
        peer_r2t_done(peer);
    peer_send(peer, bhs, NULL, 0, data, len);
    free(data);
}

static void text(struct peer *peer, struct input *in)
{
    uint8_t bhs[ISKRA_BHS_LEN] = {0}, how = input_u8(in);
    size_t len;
    bhs[0] = ISKRA_OP_TEXT | (how & 0x40);
    bhs[1] = input_u8(in); /* F, C */
    iskra_put_be32(bhs + 20, how & 1 ? peer->text_ttt : ISKRA_RESERVED_TAG);
    number(peer, in, how, bhs);
    uint8_t *data = payload(in, &len);
    peer_send(peer, bhs, NULL, 0, data, len);
    free(data);
}

static void any_pdu(struct peer *peer, struct input *in)
{
    uint8_t bhs[ISKRA_BHS_LEN] = {0}, how = input_u8(in);
    size_t len;
    bhs[0] = input_u8(in);
    bhs[1] = input_u8(in);
    bhs[9] = how & 3;
    iskra_put_be32(bhs + 20, how & 4 ? peer->itt - 1 : ISKRA_RESERVED_TAG);
    number(peer, in, how, bhs);
    size_t rest_len = input_len(in, input_u8(in) % 17);
    memcpy(bhs + 32, in->at, rest_len);
    in->at += rest_len;
    in->left -= rest_len;
    uint8_t *data = payload(in, &len);
    peer_send(peer, bhs, NULL, 0, data, len);
    free(data);
}

static void instruction(struct fuzz *z, struct input *in)
{
    uint8_t code = input_u8(in);
    struct peer *peer = z->peer;
    switch (code % 8) {
    case 0:
        raw(peer, in);
        break;
    case 1:
        peer->chunk = 1 + (size_t)input_u8(in) * 16;
        break;
    case 2:
        peer_tick(peer, peer->now_ns + ((uint64_t)input_u8(in) << 28));
        break;
    case 3:
        turn_to(z, code);
        break;
    case 4:
        data_out(peer, in);
        break;
    case 5:
        text(peer, in);
        break;
    case 6:
        command(peer, in);
        break;
    default:
        any_pdu(peer, in);
    }
    peer = z->peer;
    peer->bad_data = code % 8 != 3 && code & 0x20;
    peer->bad_header = code % 8 != 3 && code & 0x40;
    if (!(code & 0x80))
        peer_drain(peer);
}

static struct iskra_target *target_make(uint8_t bits)
{
    struct iskra_target_options options;
    struct iskra_target *target = NULL;
    struct iskra_error err = {0};
    static const char *const portals[] = {"[2001:db8::1]:3260", "192.0.2.1:3261"};
    peer_options(&options);
    options.portals = portals;
    options.portal_cnt = 2;
    options.separate_status = bits & 4;
    options.max_transfer_blocks = bits & 128 ? 64 : 0;
    must(iskra_target_new(&options, &target, &err) == 0);
    return target;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct fuzz *z = calloc(1, sizeof(*z));
    must(z != NULL);
    z->bits = input_u8(&in);
    z->target = target_make(z->bits);
    turn_to(z, 0);
    while (in.left > 0) {
        instruction(z, &in);
        if (peer_finished(z->peer)) {
            const struct iskra_error *err = iskra_target_conn_error(z->peer->conn);
            must(strnlen(err->text, sizeof(err->text)) < sizeof(err->text));
            peer_close(z->peer);
        }
        if (!z->peer->conn)
            turn_to(z, z->peer == &z->peers[1] ? 0x10 : 0);
        (void)iskra_target_roused(z->target);
    }
    peer_drain(z->peer);
    peer_close(&z->peers[0]);
    peer_close(&z->peers[1]);
    struct iskra_target_stats stats;
    iskra_target_stats(z->target, &stats);
    must(stats.conn_cnt == 0 && stats.session_cnt == 0);
    iskra_target_free(z->target);
    free(z);
    return 0;
}
