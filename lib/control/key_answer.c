/* One key=value pair from the target: an answer to our offer, a declaration, or a proposal of its
 * own. Values are slices of what came and may hold any byte; what is told of them is escaped. */
#include "control/keys.h"

#include <errno.h>
#include <string.h>

#include "control/key_table.h"
#include "error.h"

#define SHOWN 72 /* of a value, in a message */

static int refuse_as(struct iskra_error *err, enum iskra_code code, int sys_errno,
                     const struct iskra_text_pair *pair, const char *why)
{
    char key[SHOWN], value[SHOWN];
    return iskra_fail(err, code, sys_errno, "%s=%s: %s",
                      iskra_escape(key, sizeof(key), pair->key.p, pair->key.len),
                      iskra_escape(value, sizeof(value), pair->value.p, pair->value.len), why);
}

static int refuse(struct iskra_error *err, const struct iskra_text_pair *pair, const char *why)
{
    return refuse_as(err, ISKRA_E_NEGOTIATION, EPROTO, pair, why);
}

static void answer(struct iskra_text_out *out, const struct iskra_text_pair *pair,
                   const char *value)
{
    iskra_text_put_slice(out, pair->key, (struct iskra_slice){value, strlen(value)});
}

/* 1 Yes, 0 No, -EINVAL. */
static int yes_or_no(struct iskra_slice s)
{
    if (iskra_slice_is(s, "Yes"))
        return 1;
    return iskra_slice_is(s, "No") ? 0 : -EINVAL;
}

static int receive_bool(struct iskra_keys *keys, const struct iskra_key *key,
                        const struct iskra_text_pair *pair, bool offered,
                        struct iskra_text_out *out, struct iskra_error *err)
{
    int theirs = yes_or_no(pair->value);
    if (theirs < 0)
        return refuse(err, pair, "neither Yes nor No");
    bool ours = *(const bool *)iskra_key_offer_at(keys, key);
    bool result = key->kind == ISKRA_KEY_AND ? ours && theirs : ours || theirs;
    if (offered && result != (bool)theirs)
        return refuse(err, pair, ours ? "the offer was Yes" : "the offer was No");
    *(bool *)iskra_key_result_at(keys, key) = result;
    if (!offered)
        answer(out, pair, result ? "Yes" : "No");
    return 0;
}

static int number_in_range(const struct iskra_key *key, const struct iskra_text_pair *pair,
                           uint32_t *ret_value, struct iskra_error *err)
{
    uint64_t value;
    int ret = iskra_text_number(pair->value, &value);
    if (ret == -EINVAL)
        return refuse(err, pair, "not a number");
    if (ret < 0 || value < key->min || value > key->max) {
        char name[SHOWN], shown[SHOWN];
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO, "%s=%s: not in %u..%u",
                          iskra_escape(name, sizeof(name), pair->key.p, pair->key.len),
                          iskra_escape(shown, sizeof(shown), pair->value.p, pair->value.len),
                          key->min, key->max);
    }
    *ret_value = (uint32_t)value;
    return 0;
}

static int receive_number(struct iskra_keys *keys, const struct iskra_key *key,
                          const struct iskra_text_pair *pair, bool offered,
                          struct iskra_text_out *out, struct iskra_error *err)
{
    uint32_t theirs;
    int ret = number_in_range(key, pair, &theirs, err);
    if (ret < 0)
        return ret;
    uint32_t ours = *(const uint32_t *)iskra_key_offer_at(keys, key);
    bool take_theirs = key->kind == ISKRA_KEY_MIN ? theirs <= ours : theirs >= ours;
    if (offered && !take_theirs && !key->any_answer) {
        char value[SHOWN];
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO,
                          "%s=%s: the offer was %u, and the %s counts", key->name,
                          iskra_escape(value, sizeof(value), pair->value.p, pair->value.len), ours,
                          key->kind == ISKRA_KEY_MIN ? "smaller" : "larger");
    }
    uint32_t result = offered || take_theirs ? theirs : ours;
    *(uint32_t *)iskra_key_result_at(keys, key) = result;
    if (!offered)
        iskra_text_put_u32(out, key->name, result);
    return 0;
}

/* The place of a digest's name in our list, or -1. */
static int digest_of(const struct iskra_digest_prefs *prefs, struct iskra_slice name)
{
    int digest = iskra_slice_is(name, "CRC32C") ? ISKRA_DIGEST_CRC32C
                 : iskra_slice_is(name, "None") ? ISKRA_DIGEST_NONE
                                                : -1;
    if (prefs->cnt == 0)
        return digest == ISKRA_DIGEST_NONE ? digest : -1;
    for (unsigned i = 0; i < prefs->cnt && i < 2; i++) {
        if (digest >= 0 && prefs->list[i] == digest)
            return digest;
    }
    return -1;
}

static int receive_digest(struct iskra_keys *keys, const struct iskra_key *key,
                          const struct iskra_text_pair *pair, bool offered,
                          struct iskra_text_out *out, struct iskra_error *err)
{
    const struct iskra_digest_prefs *prefs = iskra_key_offer_at(keys, key);
    uint8_t *result = iskra_key_result_at(keys, key);
    if (offered) {
        int digest = digest_of(prefs, pair->value);
        if (digest < 0)
            return refuse(err, pair, "not one of those offered");
        *result = (uint8_t)digest;
        return 0;
    }
    struct iskra_slice list = pair->value, item;
    while (iskra_text_list_next(&list, &item)) {
        int digest = digest_of(prefs, item);
        if (digest < 0)
            continue;
        *result = (uint8_t)digest;
        iskra_text_put_slice(out, pair->key, item);
        return 0;
    }
    answer(out, pair, "Reject");
    return 0;
}

/* AuthMethod: None or CHAP, as was offered. With credentials, whatever is not CHAP would go around
 * them; without, whatever is not None means that the target wants some. */
static int receive_auth(struct iskra_keys *keys, const struct iskra_text_pair *pair,
                        struct iskra_error *err)
{
    if (keys->offer.chap) {
        if (!iskra_slice_is(pair->value, "CHAP"))
            return refuse_as(err, ISKRA_E_AUTH, EACCES, pair,
                             "only CHAP was offered, and nothing less will do");
        keys->results.auth_chap = true;
        return 0;
    }
    if (!iskra_slice_is(pair->value, "None"))
        return refuse_as(err, ISKRA_E_AUTH, EACCES, pair,
                         "the target wants authentication, and none is configured");
    keys->results.auth_none = true;
    return 0;
}

static void receive_reporting(const struct iskra_text_pair *pair, struct iskra_text_out *out)
{
    struct iskra_slice list = pair->value, item;
    while (iskra_text_list_next(&list, &item)) {
        if (iskra_slice_is(item, "RFC3720")) {
            answer(out, pair, "RFC3720");
            return;
        }
    }
    answer(out, pair, "Reject");
}

static int declare_number(struct iskra_keys *keys, const struct iskra_key *key,
                          const struct iskra_text_pair *pair, bool again, struct iskra_error *err)
{
    uint32_t value;
    int ret = number_in_range(key, pair, &value, err);
    if (ret < 0)
        return ret;
    uint32_t *result = iskra_key_result_at(keys, key);
    if (again && *result != value)
        return refuse(err, pair, "declared before with another value");
    *result = value;
    return 0;
}

static int declare_address(struct iskra_keys *keys, const struct iskra_text_pair *pair, bool again,
                           struct iskra_error *err)
{
    if (again)
        return 0; /* a list of places: the first will do */
    if (pair->value.len > ISKRA_TARGET_ADDRESS_LEN_MAX)
        return refuse(err, pair, "too long for an address");
    memcpy(keys->results.target_address, pair->value.p, pair->value.len);
    keys->results.target_address[pair->value.len] = '\0';
    return 0;
}

/* A constant in place of a value (RFC 7143 6.2): 1 when it was one and has been dealt with. */
static int receive_constant(struct iskra_keys *keys, const struct iskra_key *key, uint32_t bit,
                            const struct iskra_text_pair *pair, struct iskra_error *err)
{
    if (iskra_slice_is(pair->value, "Irrelevant")) {
        keys->irrelevant |= bit; /* judged when everything is known */
        return 1;
    }
    if (iskra_slice_is(pair->value, "NotUnderstood"))
        return refuse(err, pair, "every target has to understand this key");
    if (iskra_slice_is(pair->value, "Reject"))
        return refuse(err, pair, "the target rejects the offer");
    return 0;
}

/* RFC 7143 12: security keys belong to the security stage, and of the others only declarations may
 * be said there. What RFC 7143 has done away with is rejected wherever it comes. */
static bool legal_now(const struct iskra_keys *keys, const struct iskra_key *key)
{
    if (key->kind == ISKRA_KEY_OBSOLETE)
        return true;
    return keys->in_security == (key->kind == ISKRA_KEY_AUTH);
}

static int receive_negotiated(struct iskra_keys *keys, const struct iskra_key *key, uint32_t bit,
                              const struct iskra_text_pair *pair, struct iskra_text_out *out,
                              struct iskra_error *err)
{
    bool offered = (keys->offered & bit) != 0;
    if (keys->answered & bit)
        return refuse(err, pair, "negotiated twice");
    if (!legal_now(keys, key))
        return keys->in_security ? refuse(err, pair, "an operational key in the security stage")
                                 : refuse_as(err, ISKRA_E_AUTH, EACCES, pair,
                                             "a security key outside the security stage");
    keys->answered |= bit;
    if (key->kind == ISKRA_KEY_AUTH)
        return receive_auth(keys, pair, err);
    if (offered) {
        int ret = receive_constant(keys, key, bit, pair, err);
        if (ret != 0)
            return ret < 0 ? ret : 0;
    } else if (keys->offer.discovery && key->normal_only) {
        answer(out, pair, "Irrelevant");
        return 0;
    }
    switch (key->kind) {
    case ISKRA_KEY_AND:
    case ISKRA_KEY_OR:
        return receive_bool(keys, key, pair, offered, out, err);
    case ISKRA_KEY_MIN:
    case ISKRA_KEY_MAX:
        return receive_number(keys, key, pair, offered, out, err);
    case ISKRA_KEY_DIGEST:
        return receive_digest(keys, key, pair, offered, out, err);
    case ISKRA_KEY_REPORTING:
        receive_reporting(pair, out);
        return 0;
    default:
        answer(out, pair, "Reject"); /* obsolete */
        return 0;
    }
}

static int receive_unknown(struct iskra_keys *keys, const struct iskra_text_pair *pair,
                           struct iskra_text_out *out, struct iskra_error *err)
{
    if (iskra_slice_is(pair->value, "NotUnderstood"))
        return 0; /* an answer, though to nothing of ours: answering it could go on for ever */
    if (pair->key.len >= 5 && memcmp(pair->key.p, "CHAP_", 5) == 0)
        return refuse_as(err, ISKRA_E_AUTH, EACCES, &(struct iskra_text_pair){pair->key, {"", 0}},
                         "CHAP is not under way");
    if (++keys->unknown_cnt > ISKRA_UNKNOWN_KEYS_MAX)
        return refuse(err, pair, "too many keys that RFC 7143 does not know");
    answer(out, pair, "NotUnderstood");
    return 0;
}

/* RFC 7143 13: what is negotiated in a login is settled for the session's life. */
static int reject_late(const struct iskra_text_pair *pair, struct iskra_text_out *out)
{
    bool constant = iskra_slice_is(pair->value, "Reject") ||
                    iskra_slice_is(pair->value, "Irrelevant") ||
                    iskra_slice_is(pair->value, "NotUnderstood");
    if (!constant)
        answer(out, pair, "Reject");
    return 0;
}

int iskra_keys_receive(struct iskra_keys *keys, const struct iskra_text_pair *pair,
                       struct iskra_text_out *out, struct iskra_error *err)
{
    uint32_t bit = 0;
    const struct iskra_key *key = iskra_key_find(pair->key, &bit);
    if (!key)
        return receive_unknown(keys, pair, out, err);

    bool again = (keys->answered & bit) != 0;
    switch (key->kind) {
    case ISKRA_KEY_OURS:
        return iskra_slice_is(pair->value, "Reject")
                   ? refuse(err, pair, "the target rejects what it was told")
                   : 0;
    case ISKRA_KEY_NUMBER:
        keys->answered |= bit;
        return declare_number(keys, key, pair, again, err);
    case ISKRA_KEY_ALIAS:
        keys->answered |= bit;
        iskra_escape(keys->results.target_alias, sizeof(keys->results.target_alias), pair->value.p,
                     pair->value.len);
        return 0;
    case ISKRA_KEY_ADDRESS:
        keys->answered |= bit;
        return declare_address(keys, pair, again, err);
    default:
        if (keys->full_feature)
            return reject_late(pair, out);
        return receive_negotiated(keys, key, bit, pair, out, err);
    }
}

int iskra_keys_receive_all(struct iskra_keys *keys, struct iskra_slice text,
                           struct iskra_text_out *out, struct iskra_error *err)
{
    struct iskra_text_pair pair;
    int ret;
    while ((ret = iskra_text_next(&text, &pair)) > 0) {
        ret = iskra_keys_receive(keys, &pair, out, err);
        if (ret < 0)
            return ret;
    }
    if (ret < 0) {
        char shown[SHOWN];
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO, "not a key=value pair: %s",
                          iskra_escape(shown, sizeof(shown), text.p, text.len));
    }
    if (out->overflow)
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EMSGSIZE,
                          "the target asks for more answers than fit %zu bytes", out->size);
    return 0;
}
