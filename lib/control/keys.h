/* The keys of RFC 7143 section 13 as one table: who says what, in which sessions, and what an
 * answer may be.
 *
 * This side is always the initiator that offers. A target's answer to an offer is checked against
 * it; a value the target brings up by itself is answered; what is never mentioned keeps the RFC's
 * default. Each refusal names the key and the value. */
#ifndef ISKRA_CONTROL_KEYS_H
#define ISKRA_CONTROL_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

#include "wire/text.h"

#define ISKRA_MAX_OUTSTANDING_R2T_LIMIT 64u /* larger answers are used as this (decision 40) */
#define ISKRA_UNKNOWN_KEYS_MAX          64u /* answered NotUnderstood in one login; one more ends it */
#define ISKRA_TARGET_ADDRESS_LEN_MAX    300u

enum iskra_digest {
    ISKRA_DIGEST_NONE,
    ISKRA_DIGEST_CRC32C,
};

/* Digests in order of preference; cnt 0 is the same as only None. */
struct iskra_digest_prefs {
    uint8_t cnt;
    uint8_t list[2]; /* enum iskra_digest */
};

/* What we offer. Lengths in bytes, times in seconds. */
struct iskra_key_offer {
    bool discovery;
    bool chap; /* AuthMethod=CHAP and nothing else, in place of None */
    struct iskra_digest_prefs header_digest, data_digest;
    bool initial_r2t, immediate_data;
    bool data_pdu_in_order, data_sequence_in_order; /* true: the engine knows no other order */
    uint32_t max_recv_data_len; /* declared: how much the target may put into one PDU */
    uint32_t first_burst_len, max_burst_len;
    uint32_t max_outstanding_r2t, max_connections;
    uint32_t time2wait, time2retain;
    uint32_t error_recovery_level;
    uint32_t protocol_level; /* RFC 7144: not offered, but what a target's proposal is judged by */
};

/* In a discovery session no PDU may carry more text than a connection holds. */
#define ISKRA_DISCOVERY_RECV_MAX 8192u

/* open-iscsi's defaults; `discovery` picks that session type's. */
void iskra_key_offer_default(struct iskra_key_offer *offer, bool discovery);

/* What holds. */
struct iskra_key_results {
    uint8_t header_digest, data_digest; /* enum iskra_digest */
    bool initial_r2t, immediate_data;
    bool data_pdu_in_order, data_sequence_in_order;
    uint32_t max_recv_data_len; /* ours */
    uint32_t max_xmit_data_len; /* the target's MaxRecvDataSegmentLength */
    uint32_t first_burst_len, max_burst_len;
    uint32_t max_outstanding_r2t, max_connections;
    uint32_t time2wait, time2retain;
    uint32_t error_recovery_level;
    uint32_t protocol_level;
    uint32_t tpgt;
    bool auth_none;         /* the target chose AuthMethod=None */
    bool auth_chap;         /* the target chose AuthMethod=CHAP */
    uint8_t chap_alg;       /* enum iskra_chap_alg, once CHAP has ended well; else 0 */
    bool chap_mutual;       /* and the target has proven itself */
    char target_alias[256]; /* escaped, safe to print; "" if not given */
    char target_address[ISKRA_TARGET_ADDRESS_LEN_MAX +
                        1]; /* as it came, without NULs; "" if not given */
};

/* A negotiation under way. */
struct iskra_keys {
    struct iskra_key_offer offer;
    struct iskra_key_results results;
    bool in_security;                       /* only what belongs there may be said now */
    bool full_feature;                      /* only what may change after the login */
    uint32_t offered, answered, irrelevant; /* one bit per key of the table */
    unsigned unknown_cnt;
};

void iskra_keys_init(struct iskra_keys *keys, const struct iskra_key_offer *offer);

/* Write what is to be offered in a stage. */
void iskra_keys_offer_security(struct iskra_keys *keys, struct iskra_text_out *out);
void iskra_keys_offer_operational(struct iskra_keys *keys, struct iskra_text_out *out);

/* The login is over and the target wants to negotiate again: MaxRecvDataSegmentLength may be
 * declared anew, the rest stays as it is. */
void iskra_keys_reopen(struct iskra_keys *keys);

/* One pair from the target: an answer, a declaration, or a proposal, whose answer is written to
 * `out`. 0 or a negative errno with ISKRA_E_NEGOTIATION. */
int iskra_keys_receive(struct iskra_keys *keys, const struct iskra_text_pair *pair,
                       struct iskra_text_out *out, struct iskra_error *err);

/* All of a text segment. */
int iskra_keys_receive_all(struct iskra_keys *keys, struct iskra_slice text,
                           struct iskra_text_out *out, struct iskra_error *err);

/* Everything is said: do the values fit together? */
int iskra_keys_finish(struct iskra_keys *keys, struct iskra_error *err);

#endif
