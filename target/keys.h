/* Key negotiation, the target's side: RFC 7143 sections 6 and 13. One table says for each key how a
 * result comes about; it shares nothing with the initiator's. */
#ifndef ISKRA_TARGET_KEYS_H
#define ISKRA_TARGET_KEYS_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

#include "target/target.h"
#include "wire/bhs.h"
#include "wire/text.h"

enum target_key {
    KEY_AUTH_METHOD,
    KEY_HEADER_DIGEST,
    KEY_DATA_DIGEST,
    KEY_MAX_CONNECTIONS,
    KEY_INITIAL_R2T,
    KEY_IMMEDIATE_DATA,
    KEY_MAX_RECV, /* value: what the initiator takes; own: what the target takes */
    KEY_MAX_BURST,
    KEY_FIRST_BURST,
    KEY_TIME2WAIT,
    KEY_TIME2RETAIN,
    KEY_MAX_R2T,
    KEY_PDU_IN_ORDER,
    KEY_SEQUENCE_IN_ORDER,
    KEY_ERL,
    KEY_TASK_REPORTING,
    KEY_PROTOCOL_LEVEL,
    KEY_NUMBERED_CNT, /* the keys above have a value, those below do not */
    KEY_SESSION_TYPE = KEY_NUMBERED_CNT,
    KEY_INITIATOR_NAME,
    KEY_INITIATOR_ALIAS,
    KEY_TARGET_NAME,
    KEY_TARGET_ALIAS,
    KEY_TARGET_ADDRESS,
    KEY_PORTAL_GROUP,
    KEY_SEND_TARGETS,
    KEY_IF_MARKER,
    KEY_OF_MARKER,
    KEY_IF_MARK_INT,
    KEY_OF_MARK_INT,
    KEY_CNT,
};

struct target_keys {
    uint32_t own[KEY_NUMBERED_CNT];   /* what the target would like */
    uint32_t value[KEY_NUMBERED_CNT]; /* what holds; booleans 0/1, digests 0 None, 1 CRC32C */
    uint32_t seen;                /* bit per key: the initiator has spoken of it in this login */
    uint32_t offered;             /* bit per key: the target has, and its answer is due */
    struct iskra_slice auth_list; /* AuthMethod, as offered in this text; p NULL: not there */
    bool session_type_unknown;
    bool discovery;
    char initiator_name[ISKRA_TARGET_NAME_MAX + 1]; /* "" = not told */
    char target_name[ISKRA_TARGET_NAME_MAX + 1];
};

void target_keys_init(struct target_keys *keys, const struct iskra_target_options *options);

/* Takes one pair of the initiator's and writes the answer. `stage` says which keys may be spoken of
 * (ISKRA_STAGE_). 0, or -EPROTO told in *err: the negotiation is broken. AuthMethod is not answered
 * here: what the target wants depends on other keys of the same text. */
int target_keys_answer_pair(struct target_keys *keys, uint8_t stage,
                            const struct iskra_text_pair *pair, struct iskra_text_out *out,
                            struct iskra_error *err);

/* Offers what the initiator did not mention and where the default is not good enough for the
 * target. An answer is due while keys->offered is not 0. */
void target_keys_offer(struct target_keys *keys, struct iskra_text_out *out);

#endif
