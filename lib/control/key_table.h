/* The table behind keys.h, for keys.c (what is offered) and key_answer.c (what comes back). */
#ifndef ISKRA_CONTROL_KEY_TABLE_H
#define ISKRA_CONTROL_KEY_TABLE_H

#include "control/keys.h"

enum iskra_key_kind {
    ISKRA_KEY_AND,       /* Yes only if both say so */
    ISKRA_KEY_OR,        /* Yes if either says so */
    ISKRA_KEY_MIN,       /* the smaller number */
    ISKRA_KEY_MAX,       /* the larger number */
    ISKRA_KEY_DIGEST,    /* first of the proposer's list that the other side takes */
    ISKRA_KEY_AUTH,      /* AuthMethod: a list, of which None or CHAP is offered */
    ISKRA_KEY_REPORTING, /* a list, of which only the RFC's default value is taken */
    ISKRA_KEY_NUMBER,    /* declared by the target: a number */
    ISKRA_KEY_ALIAS,     /* declared by the target: a text for people */
    ISKRA_KEY_ADDRESS,   /* declared by the target: where it has moved to */
    ISKRA_KEY_OURS,      /* declared by initiators: coming from a target it means nothing */
    ISKRA_KEY_OBSOLETE,  /* RFC 7143 13.25: known, and always rejected */
};

struct iskra_key {
    const char *name;
    enum iskra_key_kind kind;
    bool normal_only; /* irrelevant in a discovery session */
    bool any_answer;  /* an answer beyond the offer is used all the same */
    uint32_t min, max;
    size_t offer;  /* where in struct iskra_key_offer: bool, uint32_t, struct iskra_digest_prefs */
    size_t result; /* where in struct iskra_key_results: bool, uint32_t, uint8_t */
    bool not_offered; /* only answered when a target proposes it */
};

/* NULL when there is no such key; *ret_bit is the key's bit in struct iskra_keys. */
const struct iskra_key *iskra_key_find(struct iskra_slice name, uint32_t *ret_bit);

static inline const void *iskra_key_offer_at(const struct iskra_keys *keys,
                                             const struct iskra_key *key)
{
    return (const char *)&keys->offer + key->offer;
}

static inline void *iskra_key_result_at(struct iskra_keys *keys, const struct iskra_key *key)
{
    return (char *)&keys->results + key->result;
}

/* "CRC32C,None"; returns buf. */
char *iskra_digest_prefs_text(const struct iskra_digest_prefs *prefs, char *buf, size_t size);

#endif
