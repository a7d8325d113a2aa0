/* The table of keys, what is offered, and what holds in the end. RFC 7143 section 13 gives each
 * key's default, range and result function. */
#include "control/keys.h"

#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "control/key_table.h"
#include "error.h"

#define OFFER(field)  offsetof(struct iskra_key_offer, field)
#define RESULT(field) offsetof(struct iskra_key_results, field)
#define LEN_MIN       512u
#define LEN_MAX       0xffffffu
#define TIME_MAX      3600u

/* The order is the order of the offer. */
static const struct iskra_key table[] = {
    {"AuthMethod", ISKRA_KEY_AUTH},
    {"HeaderDigest", ISKRA_KEY_DIGEST, .offer = OFFER(header_digest),
     .result = RESULT(header_digest)},
    {"DataDigest", ISKRA_KEY_DIGEST, .offer = OFFER(data_digest), .result = RESULT(data_digest)},
    {"MaxConnections", ISKRA_KEY_MIN, true, false, 1, 65535, OFFER(max_connections),
     RESULT(max_connections)},
    {"InitialR2T", ISKRA_KEY_OR, true, .offer = OFFER(initial_r2t), .result = RESULT(initial_r2t)},
    {"ImmediateData", ISKRA_KEY_AND, true, .offer = OFFER(immediate_data),
     .result = RESULT(immediate_data)},
    {"MaxBurstLength", ISKRA_KEY_MIN, true, false, LEN_MIN, LEN_MAX, OFFER(max_burst_len),
     RESULT(max_burst_len)},
    {"FirstBurstLength", ISKRA_KEY_MIN, true, false, LEN_MIN, LEN_MAX, OFFER(first_burst_len),
     RESULT(first_burst_len)},
    {"DefaultTime2Wait", ISKRA_KEY_MAX, false, false, 0, TIME_MAX, OFFER(time2wait),
     RESULT(time2wait)},
    {"DefaultTime2Retain", ISKRA_KEY_MIN, false, false, 0, TIME_MAX, OFFER(time2retain),
     RESULT(time2retain)},
    {"MaxOutstandingR2T", ISKRA_KEY_MIN, true, true, 1, 65535, OFFER(max_outstanding_r2t),
     RESULT(max_outstanding_r2t)},
    {"DataPDUInOrder", ISKRA_KEY_OR, true, .offer = OFFER(data_pdu_in_order),
     .result = RESULT(data_pdu_in_order)},
    {"DataSequenceInOrder", ISKRA_KEY_OR, true, .offer = OFFER(data_sequence_in_order),
     .result = RESULT(data_sequence_in_order)},
    {"ErrorRecoveryLevel", ISKRA_KEY_MIN, false, false, 0, 2, OFFER(error_recovery_level),
     RESULT(error_recovery_level)},
    {"MaxRecvDataSegmentLength", ISKRA_KEY_NUMBER, .min = LEN_MIN, .max = LEN_MAX,
     .result = RESULT(max_xmit_data_len)},
    {"TargetPortalGroupTag", ISKRA_KEY_NUMBER, .min = 0, .max = 65535, .result = RESULT(tpgt)},
    {"TargetAlias", ISKRA_KEY_ALIAS},
    {"TargetAddress", ISKRA_KEY_ADDRESS},
    {"TargetName", ISKRA_KEY_OURS},
    {"InitiatorName", ISKRA_KEY_OURS},
    {"InitiatorAlias", ISKRA_KEY_OURS},
    {"SessionType", ISKRA_KEY_OURS},
    {"SendTargets", ISKRA_KEY_OURS},
    {"TaskReporting", ISKRA_KEY_REPORTING, true},
    {"iSCSIProtocolLevel", ISKRA_KEY_MIN, true, false, 0, 31, OFFER(protocol_level),
     RESULT(protocol_level), .not_offered = true},
    {"IFMarker", ISKRA_KEY_OBSOLETE},
    {"OFMarker", ISKRA_KEY_OBSOLETE},
    {"IFMarkInt", ISKRA_KEY_OBSOLETE},
    {"OFMarkInt", ISKRA_KEY_OBSOLETE},
};
#define KEY_CNT (sizeof(table) / sizeof(table[0]))
_Static_assert(KEY_CNT <= 32, "one bit per key");

const struct iskra_key *iskra_key_find(struct iskra_slice name, uint32_t *ret_bit)
{
    for (size_t i = 0; i < KEY_CNT; i++) {
        if (iskra_slice_is(name, table[i].name)) {
            *ret_bit = 1u << i;
            return &table[i];
        }
    }
    return NULL;
}

void iskra_key_offer_default(struct iskra_key_offer *offer, bool discovery)
{
    *offer = (struct iskra_key_offer){
        .discovery = discovery,
        .header_digest = {1, {ISKRA_DIGEST_NONE}},
        .data_digest = {1, {ISKRA_DIGEST_NONE}},
        .initial_r2t = false,
        .immediate_data = true,
        .data_pdu_in_order = true,
        .data_sequence_in_order = true,
        .max_recv_data_len = discovery ? ISKRA_DISCOVERY_RECV_MAX : 262144,
        .first_burst_len = 262144,
        .max_burst_len = 16776192,
        .max_outstanding_r2t = 8,
        .max_connections = 1,
        .time2wait = 2,
        .time2retain = 0,
        .error_recovery_level = 0,
        .protocol_level = 1, /* RFC 7143 */
    };
}

/* What holds for a key nobody mentions: the defaults of RFC 7143 section 13, not what we would have
 * liked. */
static const struct iskra_key_results rfc_defaults = {
    .header_digest = ISKRA_DIGEST_NONE,
    .data_digest = ISKRA_DIGEST_NONE,
    .initial_r2t = true,
    .immediate_data = true,
    .data_pdu_in_order = true,
    .data_sequence_in_order = true,
    .max_xmit_data_len = 8192,
    .first_burst_len = 65536,
    .max_burst_len = 262144,
    .max_outstanding_r2t = 1,
    .max_connections = 1,
    .time2wait = 2,
    .time2retain = 20,
    .error_recovery_level = 0,
    .protocol_level = 1,
};

void iskra_keys_init(struct iskra_keys *keys, const struct iskra_key_offer *offer)
{
    *keys = (struct iskra_keys){.offer = *offer, .results = rfc_defaults};
    struct iskra_key_offer *o = &keys->offer;
    if (o->discovery) {
        /* Some targets take a digest in a discovery session because it is offered, and then do
         * without. */
        o->header_digest = o->data_digest = (struct iskra_digest_prefs){1, {ISKRA_DIGEST_NONE}};
        if (o->max_recv_data_len > ISKRA_DISCOVERY_RECV_MAX)
            o->max_recv_data_len = ISKRA_DISCOVERY_RECV_MAX;
    }
    if (o->first_burst_len > o->max_burst_len)
        o->first_burst_len = o->max_burst_len; /* RFC 7143 13.14 */
    keys->results.max_recv_data_len = o->max_recv_data_len;
}

char *iskra_digest_prefs_text(const struct iskra_digest_prefs *prefs, char *buf, size_t size)
{
    static const char *const names[] = {
        [ISKRA_DIGEST_NONE] = "None", [ISKRA_DIGEST_CRC32C] = "CRC32C"};
    size_t len = 0;
    (void)snprintf(buf, size, "None");
    for (unsigned i = 0; i < prefs->cnt && i < 2 && len < size; i++)
        len += (size_t)snprintf(buf + len, size - len, "%s%s", i > 0 ? "," : "",
                                names[prefs->list[i] & 1]);
    return buf;
}

static void offer_one(struct iskra_keys *keys, const struct iskra_key *key,
                      struct iskra_text_out *out)
{
    const void *offer = iskra_key_offer_at(keys, key);
    char digests[24];
    switch (key->kind) {
    case ISKRA_KEY_AND:
    case ISKRA_KEY_OR:
        iskra_text_put(out, key->name, *(const bool *)offer ? "Yes" : "No");
        break;
    case ISKRA_KEY_MIN:
    case ISKRA_KEY_MAX:
        iskra_text_put_u32(out, key->name, *(const uint32_t *)offer);
        break;
    case ISKRA_KEY_DIGEST:
        iskra_text_put(out, key->name, iskra_digest_prefs_text(offer, digests, sizeof(digests)));
        break;
    default:
        return; /* nothing that is offered here */
    }
    keys->offered |= 1u << (key - table);
}

void iskra_keys_offer_security(struct iskra_keys *keys, struct iskra_text_out *out)
{
    iskra_text_put(out, table[0].name, keys->offer.chap ? "CHAP" : "None");
    keys->offered |= 1u;
    keys->in_security = true;
}

/* What the target brought up itself is settled and must not be offered again (RFC 7143 6.3). */
void iskra_keys_offer_operational(struct iskra_keys *keys, struct iskra_text_out *out)
{
    keys->in_security = false;
    for (size_t i = 0; i < KEY_CNT; i++) {
        bool settled = ((keys->offered | keys->answered) & (1u << i)) != 0;
        if (!settled && !table[i].not_offered && !(keys->offer.discovery && table[i].normal_only))
            offer_one(keys, &table[i], out);
    }
    iskra_text_put_u32(out, "MaxRecvDataSegmentLength", keys->offer.max_recv_data_len);
}

static uint32_t bit_of(const char *name)
{
    uint32_t bit = 0;
    (void)iskra_key_find((struct iskra_slice){name, strlen(name)}, &bit);
    return bit;
}

static bool prefs_have(const struct iskra_digest_prefs *prefs, uint8_t digest)
{
    for (unsigned i = 0; i < prefs->cnt && i < 2; i++) {
        if (prefs->list[i] == digest)
            return true;
    }
    return prefs->cnt == 0 && digest == ISKRA_DIGEST_NONE;
}

/* An offer nobody has answered. RFC 7143 6.2.2: where our word alone decides, an answer may be left
 * out; a digest that was demanded is not done without. Other keys keep their default. */
static int take_silence(struct iskra_keys *keys, const struct iskra_key *key,
                        struct iskra_error *err)
{
    const void *offer = iskra_key_offer_at(keys, key);
    void *result = iskra_key_result_at(keys, key);
    if (key->kind == ISKRA_KEY_AND && !*(const bool *)offer)
        *(bool *)result = false;
    if (key->kind == ISKRA_KEY_OR && *(const bool *)offer)
        *(bool *)result = true;
    if (key->kind == ISKRA_KEY_DIGEST && !prefs_have(offer, *(const uint8_t *)result)) {
        char list[24];
        return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO,
                          "%s: the offer was %s, and the target does not answer", key->name,
                          iskra_digest_prefs_text(offer, list, sizeof(list)));
    }
    return 0;
}

/* RFC 7143 13.14: FirstBurstLength means nothing when no data may go unasked; nothing else that is
 * offered is ever irrelevant. */
static int judge_irrelevant(const struct iskra_keys *keys, bool unsolicited,
                            struct iskra_error *err)
{
    uint32_t wrong = keys->irrelevant & ~(unsolicited ? 0 : bit_of("FirstBurstLength"));
    for (size_t i = 0; i < KEY_CNT; i++) {
        if (wrong & (1u << i))
            return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO,
                              "%s=Irrelevant: the target calls a key irrelevant that is not",
                              table[i].name);
    }
    return 0;
}

void iskra_keys_reopen(struct iskra_keys *keys)
{
    keys->full_feature = true;
    keys->in_security = false;
    keys->answered &= ~bit_of("MaxRecvDataSegmentLength");
}

int iskra_keys_finish(struct iskra_keys *keys, struct iskra_error *err)
{
    struct iskra_key_results *r = &keys->results;
    int ret = 0;
    for (size_t i = 0; i < KEY_CNT && ret == 0; i++) {
        if ((keys->offered & ~keys->answered) & (1u << i))
            ret = take_silence(keys, &table[i], err);
    }
    if (ret < 0)
        return ret;
    if (r->max_outstanding_r2t > ISKRA_MAX_OUTSTANDING_R2T_LIMIT)
        r->max_outstanding_r2t = ISKRA_MAX_OUTSTANDING_R2T_LIMIT;
    if (keys->offer.discovery)
        return 0;

    bool unsolicited = r->immediate_data || !r->initial_r2t;
    ret = judge_irrelevant(keys, unsolicited, err);
    if (ret < 0)
        return ret;

    if (r->first_burst_len > r->max_burst_len) {
        if (unsolicited && (keys->answered & bit_of("FirstBurstLength")) != 0)
            return iskra_fail(err, ISKRA_E_NEGOTIATION, EPROTO,
                              "FirstBurstLength %u is larger than MaxBurstLength %u",
                              r->first_burst_len, r->max_burst_len);
        r->first_burst_len = r->max_burst_len; /* the default, cut to what fits */
    }
    return 0;
}
