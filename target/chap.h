/* CHAP, the target's side: RFC 7143 12.1.3 on RFC 1994. The initiator proves that it knows the
 * user's secret; if it asks for it, the target proves that it knows another one.
 *
 * Nothing here knows of PDUs: a round is the CHAP keys of one request, and the keys of the answer.
 */
#ifndef ISKRA_TARGET_CHAP_H
#define ISKRA_TARGET_CHAP_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

#include "target/binary.h"
#include "target/target.h"
#include "wire/text.h"

/* Who may log in, and who the target says it is. A target's, for as long as it lives. */
struct target_chap_setup {
    char user[ISKRA_TARGET_SECRET_MAX + 1], password[ISKRA_TARGET_SECRET_MAX + 1]; /* user "": no
                                                                                      CHAP */
    char mutual_user[ISKRA_TARGET_SECRET_MAX + 1], mutual_password[ISKRA_TARGET_SECRET_MAX + 1];
    unsigned algorithms; /* ISKRA_TARGET_CHAP_ bits */
    bool single;
    enum target_binary_form form;
    uint32_t challenge_len; /* bytes */
    int (*random)(void *arg, void *buf, size_t len);
    void *random_arg;
};

/* 0, or -EINVAL told in *err. */
int target_chap_setup_init(struct target_chap_setup *setup,
                           const struct iskra_target_options *options, struct iskra_error *err);
void target_chap_setup_done(struct target_chap_setup *setup); /* wipes the secrets */

enum target_chap_phase {
    CHAP_IDLE,
    CHAP_AGREED,     /* AuthMethod=CHAP; the list of algorithms is due */
    CHAP_CHALLENGED, /* name and response are due */
    CHAP_PASSED,
};

enum target_chap_key {
    CHAP_KEY_A,
    CHAP_KEY_C,
    CHAP_KEY_I,
    CHAP_KEY_N,
    CHAP_KEY_R,
    CHAP_KEY_CNT,
};

/* A connection's. */
struct target_chap {
    enum target_chap_phase phase; /* set by target_chap_enter() only */
    uint8_t algorithm;            /* RFC 7143 12.1.3: as CHAP_A numbers them */
    uint8_t id, challenge[TARGET_BINARY_MAX];
    struct iskra_slice keys[CHAP_KEY_CNT]; /* of this round, in the caller's text; p NULL: absent */
};

void target_chap_enter(struct target_chap *chap, enum target_chap_phase phase);

/* A round: begin, take each pair, answer. */
void target_chap_round_begin(struct target_chap *chap);
/* 1: it was a key of CHAP; 0: it was not; -EPROTO told in *err: it came twice, or out of turn. */
int target_chap_take(struct target_chap *chap, const struct iskra_text_pair *pair,
                     struct iskra_error *err);
/* Judges what has been taken, which may be nothing. 0 with the answer's keys in *out, or told in
 * *err: -EACCES, authentication failed; -EPROTO, the target would rather have something else; -EIO,
 * its own fault. */
int target_chap_answer(struct target_chap *chap, const struct target_chap_setup *setup,
                       struct iskra_text_out *out, struct iskra_error *err);

#endif
