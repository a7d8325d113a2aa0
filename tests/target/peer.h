/* An initiator made of plain calls, for tests of the target's core: sends PDUs as bytes, gets PDUs
 * back. It is not the project's initiator and shares no engine with it. A failed expectation fails
 * the running test. */
#ifndef TESTS_TARGET_PEER_H
#define TESTS_TARGET_PEER_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "target/target.h"
#include "wire/bhs.h"
#include "wire/cdb.h"
#include "wire/text.h"

#define PEER_TARGET    "iqn.2026-11.org.example:disk"
#define PEER_INITIATOR "iqn.2026-11.org.example:peer"
#define PEER_RX_MAX    ((size_t)4 << 20)

struct peer {
    struct iskra_target_conn *conn;
    uint8_t *rx; /* what the target has sent */
    size_t rx_len, rx_pos;
    uint64_t now_ns; /* told with every call */
    size_t chunk;    /* largest piece handed in at once; 0 = any */
    bool hold;       /* do not take what the target wants to send */
    bool header_digest, data_digest;
    bool spoil; /* the last byte of each PDU, thus of its data digest, is sent wrong */
    uint32_t cmd_sn, itt;
    uint8_t isid[ISKRA_ISID_LEN];
    uint16_t tsih;
};

struct answer {
    uint8_t bhs[ISKRA_BHS_LEN];
    const uint8_t *payload;
    uint32_t len;
};

/* A target with one RAM LUN of 1 MiB unless `options` say more; NULL = defaults. */
struct iskra_target *peer_target(const struct iskra_target_options *options);

void peer_open(struct peer *peer, struct iskra_target *target);
void peer_close(struct peer *peer);

void peer_send_bytes(struct peer *peer, const void *bytes, size_t len);
/* Sets DataSegmentLength, adds padding and digests. */
void peer_send(struct peer *peer, uint8_t *bhs, const void *payload, uint32_t len);
/* Takes what the target wants to send now. */
void peer_drain(struct peer *peer);

/* The next PDU; the test fails if there is none, it has another opcode, or a digest is wrong. */
void peer_expect(struct peer *peer, enum iskra_opcode opcode, struct answer *ret);
bool peer_silent(const struct peer *peer); /* nothing has come */

/* Text with its NUL bytes as a literal. */
#define TEXT(literal) (literal), (uint32_t)(sizeof(literal))
#define NAMES         "InitiatorName=" PEER_INITIATOR "\0TargetName=" PEER_TARGET

/* One Login Request; csg, nsg, transit as given; the version of cmd_sn etc. is the peer's. */
void peer_login_send(struct peer *peer, uint8_t csg, uint8_t nsg, bool transit, const char *text,
                     uint32_t len);
void peer_login_expect(struct peer *peer, struct iskra_pdu_login_rsp *ret,
                       struct answer *ret_answer);
/* Straight into the full feature phase, operational stage only. */
void peer_login(struct peer *peer, const char *text, uint32_t len);
/* The login is refused with this status, and the connection finishes. */
void peer_login_refused(struct peer *peer, uint16_t status);

/* The value of a key in an answer's text, "" if it is not there. Static storage, valid until the
 * next call. */
const char *answer_value(const struct answer *answer, const char *key);

/* One SCSI command of the peer's next CmdSN and tag. */
void peer_command(struct peer *peer, uint64_t lun, const uint8_t *cdb, uint32_t edtl, bool read);
/* Collects Data-In until the status; checks DataSN and offsets. Returns the bytes that came. */
struct outcome {
    uint8_t status;
    bool overflow, underflow, collapsed;
    uint32_t residual, len, data_in_cnt;
    uint32_t exp_cmd_sn, max_cmd_sn, exp_data_sn, itt;
    uint8_t key, asc, ascq;
    bool information_valid;
    uint64_t information; /* of the sense */
    uint8_t *bytes;       /* malloc'ed, PEER_RX_MAX; freed by outcome_done() */
};
void peer_outcome(struct peer *peer, struct outcome *ret);
void outcome_done(struct outcome *outcome);
/* Command and outcome: GOOD is expected and the bytes are compared with `expect` up to len. */
void peer_refused_with(struct peer *peer, uint64_t lun, const uint8_t *cdb, uint32_t edtl,
                       uint8_t key, uint8_t asc, uint8_t ascq);

#endif
