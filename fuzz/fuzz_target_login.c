/* Fuzzer of the embedded target's login: Login Requests with any header and any text, from up to
 * three connections, of which two are one initiator. The first byte says what the target wants:
 * nothing, CHAP, what of it; and how it writes.
 *
 * What must hold is in peer.c, and: nobody comes in without what the target wants. */
#include "peer.h"
#include "wire/be.h"

#define CONN_CNT 3u

struct fuzz {
    struct iskra_target *target;
    struct peer peers[CONN_CNT];
    struct peer *peer;
    uint64_t now_ns;
    uint16_t tsih; /* of the last that came in */
    bool locked;   /* no corpus holds the answer to its challenge */
};

static struct iskra_target *target_make(uint8_t bits)
{
    struct iskra_target_options options;
    struct iskra_target *target = NULL;
    struct iskra_error err = {0};
    peer_options(&options);
    options.max_sessions = 2;
    if (bits & 1) {
        options.user = "user";
        options.password = bits & 64 ? "a secret that nobody has" : "a secret of enough bytes";
        options.chap_single = bits & 4;
        options.chap_base64 = bits & 8;
        options.chap_hex_upper = bits & 16;
        options.chap_discovery = !(bits & 32);
        options.chap_algorithms = bits & 64 ? ISKRA_TARGET_CHAP_SHA256 : ISKRA_TARGET_CHAP_ALL;
    }
    if ((bits & 3) == 3) {
        options.mutual_user = "target";
        options.mutual_password = "the other secret's bytes";
    }
    if (bits & 128) { /* less than the defaults, so that it has to ask for it */
        options.immediate_data = false;
        options.max_burst = options.first_burst = 4096;
    }
    must(iskra_target_new(&options, &target, &err) == 0);
    return target;
}

/* A header with what was asked for: each wrong field takes a byte. */
static void header(struct fuzz *z, struct input *in, uint8_t shape, uint8_t *bhs)
{
    peer_login_header(z->peer, bhs, input_u8(in)); /* T, C, CSG, NSG */
    bhs[12] = z->peer == &z->peers[2];
    if (shape & 1)
        bhs[0] = input_u8(in);
    if (shape & 2)
        bhs[3] = input_u8(in); /* Version-min */
    if (shape & 4)
        iskra_put_be16(bhs + 14, z->tsih);
    if (shape & 8)
        bhs[21] = input_u8(in); /* CID */
    if (shape & 16)
        bhs[19] = input_u8(in); /* ITT */
    if (shape & 32)
        bhs[15] ^= input_u8(in); /* TSIH */
}

static void request(struct fuzz *z, struct input *in)
{
    uint8_t bhs[ISKRA_BHS_LEN], shape = input_u8(in);
    header(z, in, shape, bhs);
    uint8_t how = input_u8(in);
    bool many = shape & 0x40;
    size_t len = many ? 64u * how : input_len(in, shape & 0x80 ? 4u * how : how);
    uint8_t *text = many ? malloc(len + 1) : input_take(in, len);
    must(text != NULL);
    if (many)
        memset(text, 'a', len);
    peer_send(z->peer, bhs, NULL, 0, text, len);
    free(text);
}

static void turn_to(struct fuzz *z, unsigned index)
{
    z->peer = &z->peers[index % CONN_CNT];
    if (z->peer->conn && peer_finished(z->peer))
        peer_close(z->peer);
    if (z->peer->conn)
        return;
    peer_open(z->peer, z->target, z->now_ns);
    z->peer->deaf = true; /* digests may have been negotiated; that phase has a fuzzer of its own */
}

static void instruction(struct fuzz *z, struct input *in)
{
    uint8_t code = input_u8(in);
    struct peer *peer = z->peer;
    switch (code % 8) {
    case 0:
        turn_to(z, code >> 3);
        return;
    case 1:
        peer->chunk = 1 + (size_t)input_u8(in) * 16;
        return;
    case 2:
        z->now_ns += (uint64_t)input_u8(in) << 28;
        peer_tick(peer, z->now_ns);
        break;
    case 3: {
        size_t len = input_len(in, input_u8(in));
        uint8_t *bytes = input_take(in, len);
        peer_feed(peer, bytes, len);
        free(bytes);
        break;
    }
    default:
        request(z, in);
    }
    if (!(code & 0x80))
        peer_drain(peer);
    if (peer->full_feature)
        z->tsih = peer->tsih;
    must(!z->locked || !peer->full_feature);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {data, size};
    struct fuzz *z = calloc(1, sizeof(*z));
    must(z != NULL);
    uint8_t bits = input_u8(&in);
    z->target = target_make(bits);
    z->locked = (bits & (1 | 32 | 64)) == (1 | 64);
    turn_to(z, 0);
    while (in.left > 0) {
        instruction(z, &in);
        if (peer_finished(z->peer)) {
            const struct iskra_error *err = iskra_target_conn_error(z->peer->conn);
            must(strnlen(err->text, sizeof(err->text)) < sizeof(err->text));
            turn_to(z, (unsigned)(z->peer - z->peers)); /* anew */
        }
    }
    peer_drain(z->peer);
    for (unsigned i = 0; i < CONN_CNT; i++)
        peer_close(&z->peers[i]);
    struct iskra_target_stats stats;
    iskra_target_stats(z->target, &stats);
    must(stats.conn_cnt == 0 && stats.session_cnt == 0);
    iskra_target_free(z->target);
    free(z);
    return 0;
}
