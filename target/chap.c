/* CHAP, the target's side. See chap.h. The one file of the target that uses libcrypto.
 *
 * A refusal tells the log why, and the initiator only that: which of name and response was wrong is
 * nobody's business, nor is how much of it was right. */
#include "target/chap.h"

#include <errno.h>
#include <string.h>

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "error.h"

/* The order of enum target_chap_key. */
static const char *const key_names[CHAP_KEY_CNT] = {"CHAP_A", "CHAP_C", "CHAP_I", "CHAP_N",
                                                    "CHAP_R"};

static const struct algorithm {
    uint8_t number; /* in CHAP_A */
    unsigned bit;
    const char *name;
    const EVP_MD *(*digest)(void);
} algorithms[] = {
    {5, ISKRA_TARGET_CHAP_MD5, "MD5", EVP_md5},
    {6, ISKRA_TARGET_CHAP_SHA1, "SHA-1", EVP_sha1},
    {7, ISKRA_TARGET_CHAP_SHA256, "SHA-256", EVP_sha256},
    {8, ISKRA_TARGET_CHAP_SHA3_256, "SHA3-256", EVP_sha3_256},
};

static const struct algorithm *algorithm_find(uint64_t number)
{
    for (unsigned i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
        if (algorithms[i].number == number)
            return &algorithms[i];
    return NULL;
}

/* `word` is told only if it is no secret. */
static int word_take(char *dst, const char *word, const char *what, struct iskra_error *err)
{
    size_t len = word ? strlen(word) : 0;
    if (len < 1 || len > ISKRA_TARGET_SECRET_MAX)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "%s has %zu bytes, allowed are 1 to %u", what,
                          len, ISKRA_TARGET_SECRET_MAX);
    memcpy(dst, word, len + 1);
    return 0;
}

static int words_take(struct target_chap_setup *setup, const struct iskra_target_options *o,
                      struct iskra_error *err)
{
    int rc = word_take(setup->user, o->user, "the user's name", err);
    if (rc == 0)
        rc = word_take(setup->password, o->password, "the user's secret", err);
    if (rc < 0 || (!o->mutual_user && !o->mutual_password))
        return rc;
    rc = word_take(setup->mutual_user, o->mutual_user, "the target's own name", err);
    if (rc == 0)
        rc = word_take(setup->mutual_password, o->mutual_password, "the target's own secret", err);
    /* RFC 7143 12.1.3: whoever knows one direction's secret must not know the other's by it. */
    if (rc == 0 && strcmp(setup->password, setup->mutual_password) == 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "the secrets of the two directions are the same");
    return rc;
}

int target_chap_setup_init(struct target_chap_setup *setup,
                           const struct iskra_target_options *options, struct iskra_error *err)
{
    *setup = (struct target_chap_setup){
        .algorithms = options->chap_algorithms,
        .single = options->chap_single,
        .form = options->chap_base64      ? BINARY_BASE64
                : options->chap_hex_upper ? BINARY_HEX_UPPER
                                          : BINARY_HEX,
        .challenge_len = options->chap_challenge_len,
        .random = options->random,
        .random_arg = options->random_arg,
    };
    if (!options->user && !options->password) {
        if (options->mutual_user || options->mutual_password)
            return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                              "the target's own name and secret need a user that logs in");
        return 0;
    }
    if (setup->challenge_len < 1 || setup->challenge_len > TARGET_BINARY_MAX)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "chap_challenge_len is %u, allowed are 1 to %u", setup->challenge_len,
                          TARGET_BINARY_MAX);
    if (!(setup->algorithms & ISKRA_TARGET_CHAP_ALL) || setup->algorithms & ~ISKRA_TARGET_CHAP_ALL)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "chap_algorithms is 0x%x, not of 0x1 to 0x%x",
                          setup->algorithms, ISKRA_TARGET_CHAP_ALL);
    if (!setup->random)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "CHAP needs random numbers");
    return words_take(setup, options, err);
}

void target_chap_setup_done(struct target_chap_setup *setup)
{
    OPENSSL_cleanse(setup, sizeof(*setup));
}

void target_chap_enter(struct target_chap *chap, enum target_chap_phase phase)
{
    if (phase > chap->phase) /* phases only go forward */
        chap->phase = phase;
}

void target_chap_round_begin(struct target_chap *chap)
{
    memset(chap->keys, 0, sizeof(chap->keys));
}

/* Which keys may come now; 12.1.3: in this order, and in no other. */
static bool in_turn(const struct target_chap *chap, enum target_chap_key key)
{
    switch (chap->phase) {
    case CHAP_AGREED:
        return key == CHAP_KEY_A;
    case CHAP_CHALLENGED:
        return key != CHAP_KEY_A;
    default:
        return false;
    }
}

int target_chap_take(struct target_chap *chap, const struct iskra_text_pair *pair,
                     struct iskra_error *err)
{
    for (unsigned i = 0; i < CHAP_KEY_CNT; i++) {
        if (!iskra_slice_is(pair->key, key_names[i]))
            continue;
        if (!in_turn(chap, (enum target_chap_key)i))
            return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO, "%s is not due", key_names[i]);
        if (chap->keys[i].p)
            return iskra_fail(err, ISKRA_E_PROTOCOL, EPROTO, "%s comes twice", key_names[i]);
        chap->keys[i] = pair->value;
        return 1;
    }
    return 0;
}

static int refuse(struct iskra_error *err, const char *why)
{
    return iskra_fail(err, ISKRA_E_AUTH, EACCES, "CHAP: %s", why);
}

/* RFC 1994 4.1: H(identifier, secret, challenge). The length in bytes, or -EIO. */
static int response_make(uint8_t algorithm, uint8_t id, const char *secret,
                         const uint8_t *challenge, uint32_t challenge_len, uint8_t *ret_response,
                         struct iskra_error *err)
{
    const struct algorithm *a = algorithm_find(algorithm);
    unsigned len = 0;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    bool made = ctx && EVP_DigestInit_ex(ctx, a->digest(), NULL) && EVP_DigestUpdate(ctx, &id, 1) &&
                EVP_DigestUpdate(ctx, secret, strlen(secret)) &&
                EVP_DigestUpdate(ctx, challenge, challenge_len) &&
                EVP_DigestFinal_ex(ctx, ret_response, &len);
    EVP_MD_CTX_free(ctx); /* wipes what it held */
    if (!made)
        return iskra_fail(err, ISKRA_E_SYSTEM, EIO, "libcrypto does no %s here", a->name);
    return (int)len;
}

/* The first of the initiator's list, which is in its order of preference. */
static int algorithm_choose(struct target_chap *chap, const struct target_chap_setup *setup,
                            struct iskra_error *err)
{
    struct iskra_slice list = chap->keys[CHAP_KEY_A], item;
    if (setup->single && list.len > 0 && memchr(list.p, ',', list.len))
        return iskra_fail(err, ISKRA_E_LOGIN, EPROTO, "CHAP_A is a list, and only one is taken");
    while (iskra_text_list_next(&list, &item)) {
        uint64_t number;
        const struct algorithm *a =
            iskra_text_number(item, &number) == 0 ? algorithm_find(number) : NULL;
        if (!a || !(setup->algorithms & a->bit))
            continue;
        chap->algorithm = a->number;
        return 0;
    }
    return refuse(err, "CHAP_A has no algorithm that is allowed");
}

static int challenge_send(struct target_chap *chap, const struct target_chap_setup *setup,
                          struct iskra_text_out *out, struct iskra_error *err)
{
    int rc = algorithm_choose(chap, setup, err);
    if (rc < 0)
        return rc;
    if (setup->random(setup->random_arg, &chap->id, 1) < 0 ||
        setup->random(setup->random_arg, chap->challenge, setup->challenge_len) < 0)
        return iskra_fail(err, ISKRA_E_SYSTEM, EIO, "no random numbers for a challenge");
    char text[TARGET_BINARY_TEXT_MAX];
    iskra_text_put_u32(out, key_names[CHAP_KEY_A], chap->algorithm);
    iskra_text_put_u32(out, key_names[CHAP_KEY_I], chap->id);
    iskra_text_put_slice(
        out, (struct iskra_slice){key_names[CHAP_KEY_C], 6},
        target_binary_encode(chap->challenge, setup->challenge_len, setup->form, text));
    target_chap_enter(chap, CHAP_CHALLENGED);
    return 0;
}

/* The name and the response are judged together, and both always. */
static int initiator_judge(const struct target_chap *chap, const struct target_chap_setup *setup,
                           struct iskra_error *err)
{
    uint8_t expected[EVP_MAX_MD_SIZE], response[EVP_MAX_MD_SIZE] = {0};
    int len = response_make(chap->algorithm, chap->id, setup->password, chap->challenge,
                            setup->challenge_len, expected, err);
    if (len < 0)
        return len;
    struct iskra_slice name = chap->keys[CHAP_KEY_N];
    int got = target_binary_decode(chap->keys[CHAP_KEY_R], response, sizeof(response));
    bool response_ok = (CRYPTO_memcmp(response, expected, (size_t)len) == 0) & (got == len);
    bool name_ok =
        name.len == strlen(setup->user) && CRYPTO_memcmp(name.p, setup->user, name.len) == 0;
    OPENSSL_cleanse(expected, sizeof(expected));
    return (name_ok & response_ok) ? 0 : refuse(err, "name or response is wrong");
}

/* The initiator wants to know with whom it speaks. */
static int target_prove(const struct target_chap *chap, const struct target_chap_setup *setup,
                        struct iskra_text_out *out, struct iskra_error *err)
{
    struct iskra_slice id_text = chap->keys[CHAP_KEY_I], challenge_text = chap->keys[CHAP_KEY_C];
    if (setup->mutual_user[0] == '\0')
        return refuse(err, "the initiator wants a proof, and there is no secret for one");
    uint8_t challenge[TARGET_BINARY_MAX], response[EVP_MAX_MD_SIZE];
    uint64_t id;
    if (!id_text.p || iskra_text_number(id_text, &id) < 0 || id > UINT8_MAX)
        return refuse(err, "the initiator's CHAP_I is not 0 to 255");
    int len = challenge_text.p ? target_binary_decode(challenge_text, challenge, sizeof(challenge))
                               : -EINVAL;
    if (len < 0)
        return refuse(err, "the initiator's CHAP_C is no value of 1 to 1024 bytes");
    /* 12.1.3, 9.2.1: an initiator that sends our own challenge back is after the answer to it. */
    if ((uint32_t)len == setup->challenge_len &&
        memcmp(challenge, chap->challenge, (size_t)len) == 0)
        return refuse(err, "the initiator's challenge is the one that it was sent");
    len = response_make(chap->algorithm, (uint8_t)id, setup->mutual_password, challenge,
                        (uint32_t)len, response, err);
    if (len < 0)
        return len;
    char text[TARGET_BINARY_TEXT_MAX];
    iskra_text_put(out, key_names[CHAP_KEY_N], setup->mutual_user);
    iskra_text_put_slice(out, (struct iskra_slice){key_names[CHAP_KEY_R], 6},
                         target_binary_encode(response, (uint32_t)len, setup->form, text));
    return 0;
}

static int response_judge(struct target_chap *chap, const struct target_chap_setup *setup,
                          struct iskra_text_out *out, struct iskra_error *err)
{
    if (!chap->keys[CHAP_KEY_N].p || !chap->keys[CHAP_KEY_R].p)
        return refuse(err, "CHAP_N and CHAP_R do not come together");
    int rc = initiator_judge(chap, setup, err);
    if (rc == 0 && (chap->keys[CHAP_KEY_I].p || chap->keys[CHAP_KEY_C].p))
        rc = target_prove(chap, setup, out, err);
    if (rc == 0)
        target_chap_enter(chap, CHAP_PASSED);
    return rc;
}

int target_chap_answer(struct target_chap *chap, const struct target_chap_setup *setup,
                       struct iskra_text_out *out, struct iskra_error *err)
{
    bool any = false;
    for (unsigned i = 0; i < CHAP_KEY_CNT; i++)
        any |= chap->keys[i].p != NULL;
    if (!any)
        return 0;
    return chap->phase == CHAP_AGREED ? challenge_send(chap, setup, out, err)
                                      : response_judge(chap, setup, out, err);
}
