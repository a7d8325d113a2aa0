/* The steps of CHAP. See chap.h. */
#include "control/chap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "error.h"

enum pair_index {
    A,
    I,
    C,
    N,
    R
};
static const char *const pair_names[] = {"CHAP_A", "CHAP_I", "CHAP_C", "CHAP_N", "CHAP_R"};

static const EVP_MD *digest_of(uint8_t alg)
{
    switch (alg) {
    case ISKRA_CHAP_MD5:
        return EVP_md5();
    case ISKRA_CHAP_SHA1:
        return EVP_sha1();
    case ISKRA_CHAP_SHA256:
        return EVP_sha256();
    case ISKRA_CHAP_SHA3_256:
        return EVP_sha3_256();
    default:
        return NULL;
    }
}

const char *iskra_chap_alg_name(uint8_t alg)
{
    static const char *const names[] = {"MD5", "SHA1", "SHA-256", "SHA3-256"};
    return alg >= ISKRA_CHAP_MD5 && alg <= ISKRA_CHAP_SHA3_256 ? names[alg - ISKRA_CHAP_MD5] : "?";
}

size_t iskra_chap_digest(uint8_t alg, uint8_t id, const char *secret, const uint8_t *challenge,
                         size_t challenge_len, uint8_t digest[ISKRA_CHAP_DIGEST_MAX])
{
    uint8_t input[1 + ISKRA_CHAP_SECRET_MAX + ISKRA_CHAP_VALUE_MAX];
    size_t secret_len = strlen(secret);
    const EVP_MD *md = digest_of(alg);
    unsigned len = 0;
    if (!md || secret_len > ISKRA_CHAP_SECRET_MAX || challenge_len > ISKRA_CHAP_VALUE_MAX)
        return 0;
    input[0] = id;
    memcpy(input + 1, secret, secret_len);
    memcpy(input + 1 + secret_len, challenge, challenge_len);
    if (EVP_Digest(input, 1 + secret_len + challenge_len, digest, &len, md, NULL) != 1)
        len = 0;
    OPENSSL_cleanse(input, sizeof(input));
    return len;
}

/* A libcrypto that keeps to FIPS has no MD5. */
static bool available(uint8_t alg)
{
    uint8_t digest[ISKRA_CHAP_DIGEST_MAX] = {0};
    return iskra_chap_digest(alg, 0, "", digest, 0, digest) > 0;
}

int iskra_chap_begin(struct iskra_chap *chap, const struct iskra_chap_config *cfg,
                     const uint8_t *random, bool single, struct iskra_error *err)
{
    static const uint8_t all[] = {ISKRA_CHAP_MD5, ISKRA_CHAP_SHA1, ISKRA_CHAP_SHA256,
                                  ISKRA_CHAP_SHA3_256};
    const uint8_t *algs = cfg->alg_cnt > 0 ? cfg->algs : all;
    unsigned cnt = cfg->alg_cnt > 0 ? cfg->alg_cnt : (unsigned)sizeof(all);
    *chap = (struct iskra_chap){.cfg = cfg, .id = random[0]};
    memcpy(chap->challenge, random + 1, sizeof(chap->challenge));
    for (unsigned i = 0; i < cnt && i < ISKRA_CHAP_ALG_CNT; i++) {
        if (available(algs[i]) && !(single && chap->offered_cnt > 0))
            chap->offered[chap->offered_cnt++] = algs[i];
    }
    if (chap->offered_cnt == 0)
        return iskra_fail(err, ISKRA_E_AUTH, EACCES,
                          "CHAP: libcrypto has none of the %u algorithms that may be used", cnt);
    return 0;
}

void iskra_chap_wipe(struct iskra_chap *chap)
{
    OPENSSL_cleanse(chap, sizeof(*chap));
}

static int refuse(struct iskra_error *err, const char *what)
{
    return iskra_fail(err, ISKRA_E_AUTH, EACCES, "CHAP: %s", what);
}

bool iskra_chap_key(const struct iskra_text_pair *pair)
{
    return pair->key.len >= 5 && memcmp(pair->key.p, "CHAP_", 5) == 0;
}

int iskra_chap_take(struct iskra_chap *chap, const struct iskra_text_pair *pair,
                    struct iskra_error *err)
{
    for (unsigned i = 0; i < sizeof(pair_names) / sizeof(pair_names[0]); i++) {
        if (!iskra_slice_is(pair->key, pair_names[i]))
            continue;
        if (chap->pairs[i].p)
            return iskra_fail(err, ISKRA_E_AUTH, EACCES, "CHAP: %s twice in one message",
                              pair_names[i]);
        chap->pairs[i] = pair->value;
        return 0;
    }
    char key[72];
    return iskra_fail(err, ISKRA_E_AUTH, EACCES, "CHAP: %s is no key of it",
                      iskra_escape(key, sizeof(key), pair->key.p, pair->key.len));
}

/* Exactly the pairs of `want` (a bit each) have come. */
static int judge_pairs(const struct iskra_chap *chap, unsigned want, const char *when,
                       struct iskra_error *err)
{
    for (unsigned i = 0; i < sizeof(pair_names) / sizeof(pair_names[0]); i++) {
        bool wanted = (want & (1u << i)) != 0;
        if (wanted && !chap->pairs[i].p)
            return iskra_fail(err, ISKRA_E_AUTH, EACCES, "CHAP: no %s in %s", pair_names[i], when);
        if (!wanted && chap->pairs[i].p)
            return iskra_fail(err, ISKRA_E_AUTH, EACCES, "CHAP: %s in %s, which nobody asked for",
                              pair_names[i], when);
    }
    return 0;
}

static void put_binary(struct iskra_text_out *out, const char *key, const uint8_t *bytes,
                       size_t len)
{
    static const char digits[] = "0123456789abcdef";
    char text[2 + 2 * ISKRA_CHAP_CHALLENGE_MAX + 1] = "0x";
    for (size_t i = 0; i < len; i++) {
        text[2 + 2 * i] = digits[bytes[i] >> 4];
        text[3 + 2 * i] = digits[bytes[i] & 15];
    }
    text[2 + 2 * len] = '\0';
    iskra_text_put(out, key, text);
}

static void offer_algorithms(struct iskra_chap *chap, struct iskra_text_out *out)
{
    char list[ISKRA_CHAP_ALG_CNT * 4 + 1];
    size_t len = 0;
    for (unsigned i = 0; i < chap->offered_cnt; i++)
        len += (size_t)snprintf(list + len, sizeof(list) - len, "%s%u", i > 0 ? "," : "",
                                chap->offered[i]);
    iskra_text_put(out, "CHAP_A", list);
    chap->step = ISKRA_CHAP_ALGORITHM;
}

static int take_algorithm(struct iskra_chap *chap, struct iskra_error *err)
{
    uint64_t alg = 0;
    char shown[40];
    const struct iskra_slice *value = &chap->pairs[A];
    bool number = iskra_text_number(*value, &alg) == 0;
    for (unsigned i = 0; number && i < chap->offered_cnt; i++) {
        if (chap->offered[i] == alg) {
            chap->alg = (uint8_t)alg;
            return 0;
        }
    }
    return iskra_fail(err, ISKRA_E_AUTH, EACCES, "CHAP_A=%s: not one of those offered",
                      iskra_escape(shown, sizeof(shown), value->p, value->len));
}

static bool mutual(const struct iskra_chap *chap)
{
    return chap->cfg->target_secret[0] != '\0';
}

/* The target's challenge: ours to answer, and in mutual CHAP the time for a challenge of our own.
 */
static int answer_challenge(struct iskra_chap *chap, struct iskra_text_out *out,
                            struct iskra_error *err)
{
    uint8_t challenge[ISKRA_CHAP_VALUE_MAX];
    uint64_t id = 0;
    int ret = take_algorithm(chap, err);
    if (ret < 0)
        return ret;
    if (iskra_text_number(chap->pairs[I], &id) < 0 || id > 255)
        return refuse(err, "CHAP_I is not a number in 0..255");
    int len = iskra_chap_decode(chap->pairs[C], challenge, sizeof(challenge));
    if (len < 0)
        return refuse(err, "CHAP_C is not 1..1024 bytes in hexadecimal or base64");
    size_t digest_len = iskra_chap_digest(chap->alg, (uint8_t)id, chap->cfg->secret, challenge,
                                          (size_t)len, chap->response);
    if (digest_len == 0)
        return refuse(err, "libcrypto cannot make the digest");
    /* RFC 7143 12.1.4: whoever sends our own challenge back wants us to answer it for him. */
    if (mutual(chap) && (size_t)len == digest_len &&
        CRYPTO_memcmp(challenge, chap->challenge, digest_len) == 0)
        return refuse(err, "the target's challenge is our own");
    if (mutual(chap) && chap->id == id)
        chap->id++; /* the two identifiers differ, so that the two answers cannot be the same */
    iskra_text_put(out, "CHAP_N", chap->cfg->user);
    put_binary(out, "CHAP_R", chap->response, digest_len);
    if (mutual(chap)) {
        char text[4];
        (void)snprintf(text, sizeof(text), "%u", chap->id);
        iskra_text_put(out, "CHAP_I", text);
        put_binary(out, "CHAP_C", chap->challenge, digest_len);
    }
    chap->step = ISKRA_CHAP_PROOF;
    return 0;
}

static int judge_proof(const struct iskra_chap *chap, struct iskra_error *err)
{
    uint8_t want[ISKRA_CHAP_DIGEST_MAX], got[ISKRA_CHAP_DIGEST_MAX];
    /* As long as the digest: `want` is made after the length is known from the algorithm. */
    size_t digest_len = (size_t)EVP_MD_size(digest_of(chap->alg));
    int len = iskra_chap_decode(chap->pairs[R], got, digest_len);
    if (len < 0 || (size_t)len != digest_len)
        return iskra_fail(err, ISKRA_E_AUTH, EACCES, "CHAP: the target's CHAP_R is not %zu bytes",
                          digest_len);
    if (CRYPTO_memcmp(got, chap->response, digest_len) == 0)
        return refuse(err, "the target sends our own response back");
    if (iskra_chap_digest(chap->alg, chap->id, chap->cfg->target_secret, chap->challenge,
                          digest_len, want) != digest_len)
        return refuse(err, "libcrypto cannot make the digest");
    bool same = CRYPTO_memcmp(got, want, digest_len) == 0;
    OPENSSL_cleanse(want, sizeof(want));
    if (!same)
        return refuse(err, "the target has not proven itself: its response does not match the "
                           "target password");
    if (chap->cfg->target_user[0] && !iskra_slice_is(chap->pairs[N], chap->cfg->target_user)) {
        char shown[72];
        return iskra_fail(err, ISKRA_E_AUTH, EACCES,
                          "CHAP: the target calls itself %s, which is not target_user",
                          iskra_escape(shown, sizeof(shown), chap->pairs[N].p, chap->pairs[N].len));
    }
    return 0;
}

static int advance(struct iskra_chap *chap, bool method_chosen, struct iskra_text_out *out,
                   struct iskra_error *err)
{
    int ret;
    switch (chap->step) {
    case ISKRA_CHAP_METHOD:
        ret = judge_pairs(chap, 0, "the answer to AuthMethod", err);
        if (ret == 0 && !method_chosen)
            return refuse(err, "the target has not answered AuthMethod");
        if (ret == 0)
            offer_algorithms(chap, out);
        return ret;
    case ISKRA_CHAP_ALGORITHM:
        ret = judge_pairs(chap, 1u << A | 1u << I | 1u << C, "the answer to CHAP_A", err);
        return ret < 0 ? ret : answer_challenge(chap, out, err);
    case ISKRA_CHAP_PROOF:
        if (mutual(chap) && !chap->pairs[R].p)
            return refuse(err, "the target was asked to prove itself and does not");
        ret = judge_pairs(chap, mutual(chap) ? 1u << N | 1u << R : 0, "the answer to CHAP_R", err);
        if (ret == 0 && mutual(chap))
            ret = judge_proof(chap, err);
        if (ret == 0)
            chap->step = ISKRA_CHAP_PROVEN;
        return ret;
    case ISKRA_CHAP_PROVEN:
        return judge_pairs(chap, 0, "a message after the end", err);
    }
    return -EINVAL;
}

int iskra_chap_advance(struct iskra_chap *chap, bool method_chosen, struct iskra_text_out *out,
                       struct iskra_error *err)
{
    int ret = advance(chap, method_chosen, out, err);
    memset(chap->pairs, 0, sizeof(chap->pairs));
    return ret;
}

bool iskra_chap_list_refused(const struct iskra_chap *chap)
{
    return chap->step == ISKRA_CHAP_ALGORITHM && chap->offered_cnt > 1;
}
