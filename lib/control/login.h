/* The login phase as a function of (state, Login Response) -> next Login Request or an end (RFC
 * 7143 section 6.3). No I/O, no clock: the initiator sends what this says and brings the answers.
 *
 * The first request starts in the security stage. Without credentials it offers AuthMethod=None and
 * asks to go on to the operational stage; with them it offers CHAP alone, and the stage is only
 * left when CHAP (chap.h) is done; a target may answer a stage with as many rounds as it likes, up
 * to a limit. */
#ifndef ISKRA_CONTROL_LOGIN_H
#define ISKRA_CONTROL_LOGIN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/error.h>

#include "control/chap.h"
#include "control/keys.h"
#include "wire/bhs.h"
#include "wire/text.h"

#define ISKRA_LOGIN_ROUNDS_MAX 32u
#define ISKRA_LOGIN_PDU_TEXT   8192u /* one PDU, either way: the default MaxRecvDataSegmentLength */
#define ISKRA_LOGIN_TEXT_MAX   (64u * 1024u) /* everything the target says in one login */
#define ISKRA_LOGIN_OUT_MAX    (16u * 1024u)

struct iskra_login_config {
    const char *initiator_name, *initiator_alias; /* alias may be NULL; strings outlive the login */
    const char *target_name;                      /* NULL in a discovery session */
    uint8_t isid[ISKRA_ISID_LEN];
    uint16_t cid;
    uint32_t cmd_sn;                      /* first CmdSN; the class writes its own over it */
    bool skip_security;                   /* begin in the operational stage; not with credentials */
    const struct iskra_chap_config *chap; /* NULL: no authentication; outlives the login */
    bool chap_single;                     /* offer only the first algorithm */
    uint8_t chap_random[ISKRA_CHAP_CHALLENGE_MAX + 1];
    struct iskra_key_offer offer;
};

enum iskra_login_status {
    ISKRA_LOGIN_SEND = 1, /* iskra_login_request() has the next PDU */
    ISKRA_LOGIN_DONE,     /* full feature phase */
    ISKRA_LOGIN_REDIRECT, /* results.target_address says where to */
    ISKRA_LOGIN_AGAIN,    /* refused, perhaps for a list in CHAP_A: once more, with chap_single */
};

struct iskra_login_text {
    char in[ISKRA_LOGIN_TEXT_MAX]; /* the target's */
    char out[ISKRA_LOGIN_OUT_MAX]; /* ours */
};

struct iskra_login {
    struct iskra_login_config cfg;
    struct iskra_keys keys;
    struct iskra_chap chap;       /* with cfg.chap */
    uint8_t stage;                /* enum iskra_login_stage: the CSG of the next request */
    bool transit_sent, cont_sent; /* in the last request */
    unsigned rounds;
    uint32_t exp_stat_sn;
    uint16_t tsih;       /* from the final response */
    bool moved_for_good; /* of a redirect: status detail 2, not 1 */
    size_t text_total;   /* bytes of text received, ever */
    bool gathering;      /* the last response had C: more of its text is to come */
    size_t in_len;       /* bytes gathered so far */
    struct iskra_text_out out;
    size_t out_sent;
    struct iskra_login_text *text; /* lent: while text is being said or heard */
};

/* Forgets everything but login->text, and prepares the first request. 0, or -EINVAL when the names
 * do not fit. */
int iskra_login_begin(struct iskra_login *login, const struct iskra_login_config *cfg,
                      struct iskra_error *err);

/* Nothing of what was proven or asked stays in memory. */
void iskra_login_wipe(struct iskra_login *login);

/* The next request: a 48-byte header and text, valid until the response is given. */
void iskra_login_request(struct iskra_login *login, uint8_t *hdr, const uint8_t **ret_text,
                         size_t *ret_len);

/* Judges a Login Response. Returns an enum iskra_login_status or a negative errno with the story.
 */
int iskra_login_response(struct iskra_login *login, const uint8_t *hdr, const uint8_t *text,
                         size_t len, struct iskra_error *err);

/* Adds text of the target's to text->in, within ISKRA_LOGIN_TEXT_MAX. */
int iskra_login_gather(struct iskra_login *login, const uint8_t *text, size_t len,
                       struct iskra_error *err);

/* The error a Status-Class and -Detail amount to (not 0, not a redirect): fills *err, returns the
 * negative errno. */
int iskra_login_refused(uint8_t status_class, uint8_t status_detail, struct iskra_error *err);

#endif
