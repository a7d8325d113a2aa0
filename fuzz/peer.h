/* The other end of a connection of the embedded target: what is sent goes in pieces of any size,
 * its answers are taken in pieces of any size, and every one of them is judged. */
#ifndef ISKRA_FUZZ_PEER_H
#define ISKRA_FUZZ_PEER_H

#include "input.h"
#include "target/target.h"
#include "wire/bhs.h"

#define PEER_TARGET_NAME "iqn.2026-11.org.example:t"
#define PEER_NAME        "iqn.2026-11.org.example:i"
#define PEER_CMD_WINDOW  4u
#define PEER_DATA_MAX    32768u /* no data segment of the target is longer with the options below */
#define PEER_R2T_CNT     8u

/* An R2T that has not been answered; one that is unsolicited has ttt ISKRA_RESERVED_TAG. */
struct peer_r2t {
    uint32_t itt, ttt, offset, left, data_sn;
};

struct peer {
    struct iskra_target_conn *conn;
    uint64_t now_ns;
    size_t chunk;                    /* the most bytes at once, either way */
    bool full_feature;               /* its last Login Response has come */
    bool header_digest, data_digest; /* in the full feature phase, both ways */
    bool deaf;                       /* what comes in the full feature phase is not judged */
    bool bad_header, bad_data;       /* of the next PDU: a wrong digest */
    uint32_t cmd_sn, itt, recv_max;  /* of the next request; of every data segment to come */

    /* What the target has said. */
    uint32_t stat_sn, text_ttt;
    uint16_t tsih;
    bool stat_sn_known;
    struct peer_r2t r2ts[PEER_R2T_CNT];
    unsigned r2t_cnt;

    uint64_t in_len, out_len; /* bytes, ever */
    size_t pdu_len;           /* of the PDU that is coming */
    uint8_t pdu[ISKRA_BHS_LEN + ISKRA_DIGEST_LEN + PEER_DATA_MAX + 3 + ISKRA_DIGEST_LEN];
};

/* Small limits, a random source that is none, and the backends. CHAP etc. are the caller's. */
void peer_options(struct iskra_target_options *options);

void peer_open(struct peer *peer, struct iskra_target *target, uint64_t now_ns);
void peer_close(struct peer *peer);
bool peer_finished(const struct peer *peer);

/* As many of these bytes as the target takes. */
void peer_feed(struct peer *peer, const void *bytes, size_t len);
/* Takes what the target has to say, until it is silent. */
void peer_drain(struct peer *peer);
void peer_tick(struct peer *peer, uint64_t now_ns);

/* A PDU: lengths and digests are filled in. `ahs_len` is a multiple of 4. */
void peer_send(struct peer *peer, uint8_t *bhs, const uint8_t *ahs, size_t ahs_len,
               const void *data, size_t len);
/* A Login Request's header. */
void peer_login_header(const struct peer *peer, uint8_t *bhs, uint8_t flags);
/* The R2T that is to be answered first is done with. */
void peer_r2t_done(struct peer *peer);

#endif
