/* A target that asks for CHAP, and a peer that logs in there step by step. The target's random
 * numbers are 1, 2, 3, ..., so that challenges and responses can be pinned by bytes that another
 * program computed. */
#ifndef TESTS_TARGET_CHAP_PEER_H
#define TESTS_TARGET_CHAP_PEER_H

#include "peer.h"

#define USER        "user"
#define SECRET      "a secret of the user"
#define MUTUAL_USER "target"
#define MUTUAL      "a secret of the target"

#define CHALLENGE_HEX "02030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f2021"
#define RESPONSE_MD5  "9b3610ff2fb4122afb2ca8b86f580e94"
#define ANSWER        "CHAP_N=" USER "\0CHAP_R=0x" RESPONSE_MD5
/* What asks for the target's own proof, and that proof. */
#define PROOF_ASK "\0CHAP_I=200\0CHAP_C=0x00112233445566778899aabbccddeeff"
#define PROOF_MD5 "0x8cf9ef99575d6999241cc995b1619b4b"

struct chap_peer {
    struct iskra_target_options options; /* a test changes them before chap_begin() */
    struct iskra_target *target;         /* NULL: not begun */
    struct peer peer;
    struct iskra_pdu_login_rsp rsp; /* what the target said last */
    struct answer answer;
};
extern struct chap_peer chap;

void chap_begin(void); /* the target, a connection, random numbers from 1 on */
void chap_end(void);

void chap_say(uint8_t csg, uint8_t nsg, bool transit, const char *text, uint32_t len);
void chap_expect(bool transit);
void chap_refused(uint16_t status);
void chap_method_agree(void);
void chap_challenge_get(const char *chap_a); /* up to the challenge, by the algorithms given */

int chap_setup(void **state); /* the options, with secrets in both directions */
int chap_teardown(void **state);
#define CHAP_TEST(name) cmocka_unit_test_setup_teardown(name, chap_setup, chap_teardown)

#endif
