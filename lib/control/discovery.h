/* SendTargets (RFC 7143 appendix C) as a function of (state, Text Response) -> next Text Request or
 * the end. The text is parsed as a stream: a pair may be cut anywhere by the PDUs it comes in, and
 * nothing but one pair is ever kept. No I/O. */
#ifndef ISKRA_CONTROL_DISCOVERY_H
#define ISKRA_CONTROL_DISCOVERY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/error.h>

#include "control/address.h"
#include "wire/bhs.h"

#define ISKRA_DISCOVERY_TEXT_MAX (16u * 1024u * 1024u)
#define ISKRA_DISCOVERY_PAIR_MAX                                                                   \
    512u /* TargetName=223, TargetAddress=300: anything longer is none of ours */
#define ISKRA_DISCOVERY_EMPTY_MAX  32u    /* continuations without a byte of text */
#define ISKRA_DISCOVERY_ROUNDS_MAX 16384u /* responses: text of a few bytes each has an end too */

/* One target on one portal; strings are valid during the call and safe to print. */
struct iskra_target_entry {
    const char *target_name;
    const struct iskra_target_address *address; /* tpgt 0 if not given */
};

enum iskra_discovery_status {
    ISKRA_DISCOVERY_SEND = 1, /* iskra_discovery_request() has the next PDU */
    ISKRA_DISCOVERY_DONE,
};

struct iskra_discovery {
    int (*entry)(void *arg, const struct iskra_target_entry *entry); /* non-zero: stop early */
    void *arg;
    struct iskra_target_address portal; /* of this session: a target without an address is here */
    uint32_t exp_stat_sn, ttt;
    uint64_t lun; /* copied from the response with its TTT */
    bool started;
    size_t text_total, entry_cnt;
    size_t refused_cnt; /* names and addresses that are not such: left out */
    unsigned empty_cnt, round_cnt;
    bool named, have_name, have_address; /* a TargetName came; a legal one; it had an address */
    char name[ISKRA_NAME_TEXT_MAX + 1];
    size_t pair_len;
    char pair[ISKRA_DISCOVERY_PAIR_MAX];
};

void iskra_discovery_begin(struct iskra_discovery *d, const struct iskra_target_address *portal,
                           uint32_t exp_stat_sn,
                           int (*entry)(void *arg, const struct iskra_target_entry *entry),
                           void *arg);

/* The next Text Request; text is static or in *d. */
void iskra_discovery_request(struct iskra_discovery *d, uint8_t *hdr, const uint8_t **ret_text,
                             size_t *ret_len);

/* Returns an enum iskra_discovery_status, or a negative errno with the story. -ECANCELED: entry()
 * asked to stop. */
int iskra_discovery_response(struct iskra_discovery *d, const uint8_t *hdr, const uint8_t *text,
                             size_t len, struct iskra_error *err);

#endif
