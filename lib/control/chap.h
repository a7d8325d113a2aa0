/* CHAP, the initiator's side, one way and mutual (RFC 7143 12.1, RFC 1994): a function of (step,
 * the target's CHAP_* pairs) -> the pairs of the next request. No I/O; its random bytes are given.
 *
 * Values from the target are judged before they are decoded; what is told of them never holds a
 * secret, a challenge or a response. A target that does not follow the steps, or does not prove
 * itself when it was asked to, is an ISKRA_E_AUTH. */
#ifndef ISKRA_CONTROL_CHAP_H
#define ISKRA_CONTROL_CHAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/error.h>

#include "wire/text.h"

#define ISKRA_CHAP_NAME_MAX      255u
#define ISKRA_CHAP_SECRET_MAX    255u
#define ISKRA_CHAP_SECRET_SHORT  12u /* RFC 7143 12.1.4: shorter ones can be guessed */
#define ISKRA_CHAP_VALUE_MAX     1024u
#define ISKRA_CHAP_DIGEST_MAX    32u
#define ISKRA_CHAP_CHALLENGE_MAX 32u
#define ISKRA_CHAP_ALG_CNT       4u

/* The numbers of CHAP_A. */
enum iskra_chap_alg {
    ISKRA_CHAP_MD5 = 5,
    ISKRA_CHAP_SHA1 = 6,
    ISKRA_CHAP_SHA256 = 7,
    ISKRA_CHAP_SHA3_256 = 8,
};

/* Plain bytes without pointers or padding: it is compared, copied and wiped as a whole. Unused
 * bytes are zero. No user: no authentication. No target secret: one way. */
struct iskra_chap_config {
    uint8_t alg_cnt; /* 0: all, in the order of their numbers */
    uint8_t algs[ISKRA_CHAP_ALG_CNT];
    char user[ISKRA_CHAP_NAME_MAX + 1], secret[ISKRA_CHAP_SECRET_MAX + 1];
    char target_user[ISKRA_CHAP_NAME_MAX + 1]; /* "": whatever it is called */
    char target_secret[ISKRA_CHAP_SECRET_MAX + 1];
};

/* What has been asked for with the last request. */
enum iskra_chap_step {
    ISKRA_CHAP_METHOD,    /* AuthMethod=CHAP */
    ISKRA_CHAP_ALGORITHM, /* CHAP_A: an algorithm and a challenge are expected */
    ISKRA_CHAP_PROOF,     /* CHAP_R: acceptance is expected, and in mutual CHAP a proof */
    ISKRA_CHAP_PROVEN,
};

struct iskra_chap {
    const struct iskra_chap_config *cfg; /* outlives this */
    enum iskra_chap_step step;
    uint8_t offered_cnt, offered[ISKRA_CHAP_ALG_CNT];
    uint8_t alg, id;
    uint8_t challenge[ISKRA_CHAP_CHALLENGE_MAX]; /* for the target; as long as the digest */
    uint8_t response[ISKRA_CHAP_DIGEST_MAX];     /* ours */
    struct iskra_slice pairs[5];                 /* A I C N R of one message; p NULL: not there */
};

/* `random` is ISKRA_CHAP_CHALLENGE_MAX + 1 unpredictable bytes. `single`: offer only the first
 * algorithm. 0, or a negative errno when none of the algorithms is to be had. */
int iskra_chap_begin(struct iskra_chap *chap, const struct iskra_chap_config *cfg,
                     const uint8_t *random, bool single, struct iskra_error *err);
void iskra_chap_wipe(struct iskra_chap *chap);

/* Whether this pair is CHAP's. */
bool iskra_chap_key(const struct iskra_text_pair *pair);

/* One CHAP_* pair of a message; its bytes stay until iskra_chap_advance(). */
int iskra_chap_take(struct iskra_chap *chap, const struct iskra_text_pair *pair,
                    struct iskra_error *err);

/* The message is complete. `method_chosen`: the target has answered AuthMethod=CHAP. Writes the
 * next pairs; 0 or a negative errno. */
int iskra_chap_advance(struct iskra_chap *chap, bool method_chosen, struct iskra_text_out *out,
                       struct iskra_error *err);

/* True when a refusal now may mean that the target dislikes a list of algorithms. */
bool iskra_chap_list_refused(const struct iskra_chap *chap);

/* "MD5", "SHA1", "SHA-256", "SHA3-256"; static storage. */
const char *iskra_chap_alg_name(uint8_t alg);

/* The digest of id, secret and challenge (RFC 1994 4.1); its length, or 0 if libcrypto has not got
 * the algorithm. */
size_t iskra_chap_digest(uint8_t alg, uint8_t id, const char *secret, const uint8_t *challenge,
                         size_t challenge_len, uint8_t digest[ISKRA_CHAP_DIGEST_MAX]);

/* A binary value (RFC 7143 6.1): hexadecimal after 0x, base64 after 0b. Its length, 1..size bytes,
 * or -EINVAL. Nothing is written unless all of it fits. */
int iskra_chap_decode(struct iskra_slice value, uint8_t *dst, size_t size);

#endif
