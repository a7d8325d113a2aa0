/* Basic Header Segments: RFC 7143 section 11, every PDU in both directions, as plain values.
 *
 * A decode function reads the 48 bytes of a header into a struct in host order; it refuses nothing
 * and looks at nothing but those bytes, so it cannot fail: judging values is the caller's work. An
 * encode function writes all 48 bytes, reserved ones as zero. TotalAHSLength and DataSegmentLength
 * are fields like any other; both ends of a connection need both directions (initiator and target).
 *
 * ITT and TTT are opaque on the wire (11.2.1.8). They are carried here as the 32-bit big-endian
 * value of their bytes; who makes a tag decides what is in it. 0xffffffff is reserved ("no tag").
 * LUNs are the 8 bytes of SAM as one big-endian 64-bit value. */
#ifndef ISKRA_WIRE_BHS_H
#define ISKRA_WIRE_BHS_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

#include "wire/be.h"

#define ISKRA_BHS_LEN      48u
#define ISKRA_AHS_LEN_MAX  (255u * 4u) /* TotalAHSLength is one byte, in words */
#define ISKRA_DIGEST_LEN   4u
#define ISKRA_DSL_MAX      0xffffffu /* DataSegmentLength is 24 bits */
#define ISKRA_RESERVED_TAG 0xffffffffu
#define ISKRA_CDB_BHS_LEN  16u /* CDB bytes that fit the BHS; more go to an AHS */

enum iskra_opcode {
    ISKRA_OP_NOP_OUT = 0x00,
    ISKRA_OP_SCSI_CMD = 0x01,
    ISKRA_OP_TMF = 0x02,
    ISKRA_OP_LOGIN = 0x03,
    ISKRA_OP_TEXT = 0x04,
    ISKRA_OP_DATA_OUT = 0x05,
    ISKRA_OP_LOGOUT = 0x06,
    ISKRA_OP_SNACK = 0x10,
    ISKRA_OP_NOP_IN = 0x20,
    ISKRA_OP_SCSI_RSP = 0x21,
    ISKRA_OP_TMF_RSP = 0x22,
    ISKRA_OP_LOGIN_RSP = 0x23,
    ISKRA_OP_TEXT_RSP = 0x24,
    ISKRA_OP_DATA_IN = 0x25,
    ISKRA_OP_LOGOUT_RSP = 0x26,
    ISKRA_OP_R2T = 0x31,
    ISKRA_OP_ASYNC = 0x32,
    ISKRA_OP_REJECT = 0x3f,
};
#define ISKRA_OP_MASK      0x3fu
#define ISKRA_OP_IMMEDIATE 0x40u

/* Common to every header. */
static inline uint8_t iskra_bhs_opcode(const uint8_t *bhs)
{
    return bhs[0] & ISKRA_OP_MASK;
}
static inline bool iskra_bhs_immediate(const uint8_t *bhs)
{
    return (bhs[0] & ISKRA_OP_IMMEDIATE) != 0;
}
static inline uint32_t iskra_bhs_ahs_len(const uint8_t *bhs) /* bytes */
{
    return (uint32_t)bhs[4] * 4u;
}
static inline uint32_t iskra_bhs_data_len(const uint8_t *bhs) /* bytes, without padding */
{
    return iskra_get_be32(bhs + 4) & 0xffffffu;
}
static inline uint32_t iskra_bhs_itt(const uint8_t *bhs)
{
    return iskra_get_be32(bhs + 16);
}
static inline uint32_t iskra_pad_len(uint32_t len) /* 0..3 */
{
    return (0u - len) & 3u;
}

/* 11.3 SCSI Command */
enum iskra_task_attr {
    ISKRA_ATTR_UNTAGGED = 0,
    ISKRA_ATTR_SIMPLE = 1,
    ISKRA_ATTR_ORDERED = 2,
    ISKRA_ATTR_HEAD_OF_QUEUE = 3,
    ISKRA_ATTR_ACA = 4,
};
struct iskra_pdu_scsi_cmd {
    bool immediate, final, read, write;
    uint8_t attr; /* enum iskra_task_attr */
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt;
    uint32_t edtl; /* Expected Data Transfer Length, bytes */
    uint32_t cmd_sn, exp_stat_sn;
    uint8_t cdb[ISKRA_CDB_BHS_LEN];
};

/* 11.4 SCSI Response */
struct iskra_pdu_scsi_rsp {
    bool bidi_overflow, bidi_underflow, overflow, underflow;
    uint8_t response; /* 0 = command completed at target */
    uint8_t status;   /* SAM status */
    uint8_t ahs_words;
    uint32_t data_len;
    uint32_t itt, snack_tag;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn, exp_data_sn;
    uint32_t bidi_residual, residual; /* bytes */
};

/* 11.5, 11.6 Task Management Function Request and Response */
enum iskra_tmf_function {
    ISKRA_TMF_ABORT_TASK = 1,
    ISKRA_TMF_ABORT_TASK_SET = 2,
    ISKRA_TMF_CLEAR_ACA = 3,
    ISKRA_TMF_CLEAR_TASK_SET = 4,
    ISKRA_TMF_LUN_RESET = 5,
    ISKRA_TMF_TARGET_WARM_RESET = 6,
    ISKRA_TMF_TARGET_COLD_RESET = 7,
    ISKRA_TMF_TASK_REASSIGN = 8,
};
enum iskra_tmf_response {
    ISKRA_TMF_RESPONSE_COMPLETE = 0,
    ISKRA_TMF_RESPONSE_NO_TASK = 1,
    ISKRA_TMF_RESPONSE_NO_LUN = 2,
    ISKRA_TMF_RESPONSE_TASK_ALLEGIANT = 3,
    ISKRA_TMF_RESPONSE_NO_REASSIGNMENT = 4,
    ISKRA_TMF_RESPONSE_NOT_SUPPORTED = 5,
    ISKRA_TMF_RESPONSE_NOT_AUTHORIZED = 6,
    ISKRA_TMF_RESPONSE_REJECTED = 255,
};
struct iskra_pdu_tmf {
    bool immediate;
    uint8_t function; /* enum iskra_tmf_function */
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt, ref_task_tag;
    uint32_t cmd_sn, exp_stat_sn, ref_cmd_sn, exp_data_sn;
};
struct iskra_pdu_tmf_rsp {
    uint8_t response;
    uint8_t ahs_words;
    uint32_t data_len;
    uint32_t itt;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn;
};

/* 11.7 SCSI Data-Out and Data-In */
struct iskra_pdu_data_out {
    bool final;
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt, ttt;
    uint32_t exp_stat_sn, data_sn, offset;
};
struct iskra_pdu_data_in {
    bool final, ack, overflow, underflow, status_present;
    uint8_t status;
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt, ttt;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn, data_sn, offset;
    uint32_t residual;
};

/* 11.8 Ready To Transfer */
struct iskra_pdu_r2t {
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt, ttt;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn, r2t_sn, offset;
    uint32_t desired_len;
};

/* 11.9 Asynchronous Message */
struct iskra_pdu_async {
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn;
    uint8_t event, vcode;
    uint16_t param1, param2, param3;
};

/* 11.10, 11.11 Text Request and Response */
struct iskra_pdu_text {
    bool immediate, final, cont;
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt, ttt;
    uint32_t cmd_sn, exp_stat_sn;
};
struct iskra_pdu_text_rsp {
    bool final, cont;
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt, ttt;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn;
};

/* 11.12, 11.13 Login Request and Response. Stages: 0 security, 1 operational, 3 full feature. */
enum iskra_login_stage {
    ISKRA_STAGE_SECURITY = 0,
    ISKRA_STAGE_OPERATIONAL = 1,
    ISKRA_STAGE_FULL_FEATURE = 3, /* there is no stage 2 */
};
#define ISKRA_ISID_LEN 6u
struct iskra_pdu_login {
    bool transit, cont;
    uint8_t csg, nsg;
    uint8_t version_max, version_min;
    uint8_t ahs_words;
    uint32_t data_len;
    uint8_t isid[ISKRA_ISID_LEN];
    uint16_t tsih, cid;
    uint32_t itt;
    uint32_t cmd_sn, exp_stat_sn;
};
struct iskra_pdu_login_rsp {
    bool transit, cont;
    uint8_t csg, nsg;
    uint8_t version_max, version_active;
    uint8_t ahs_words;
    uint32_t data_len;
    uint8_t isid[ISKRA_ISID_LEN];
    uint16_t tsih;
    uint32_t itt;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn;
    uint8_t status_class, status_detail;
};

/* 11.14, 11.15 Logout Request and Response. Reasons: 0 session, 1 connection, 2 for recovery. */
struct iskra_pdu_logout {
    bool immediate;
    uint8_t reason;
    uint8_t ahs_words;
    uint32_t data_len;
    uint32_t itt;
    uint16_t cid;
    uint32_t cmd_sn, exp_stat_sn;
};
struct iskra_pdu_logout_rsp {
    uint8_t response;
    uint8_t ahs_words;
    uint32_t data_len;
    uint32_t itt;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn;
    uint16_t time2wait, time2retain; /* seconds */
};

/* 11.16 SNACK Request */
struct iskra_pdu_snack {
    uint8_t type;
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt, ttt;
    uint32_t exp_stat_sn, beg_run, run_len;
};

/* 11.17 Reject */
struct iskra_pdu_reject {
    uint8_t reason;
    uint8_t ahs_words;
    uint32_t data_len;
    uint32_t itt;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn, data_sn;
};

/* 11.18, 11.19 NOP-Out and NOP-In */
struct iskra_pdu_nop_out {
    bool immediate;
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt, ttt;
    uint32_t cmd_sn, exp_stat_sn;
};
struct iskra_pdu_nop_in {
    uint8_t ahs_words;
    uint32_t data_len;
    uint64_t lun;
    uint32_t itt, ttt;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn;
};

/* One pair per PDU; `bhs` is ISKRA_BHS_LEN bytes. */
#define ISKRA_PDU_LIST(X)                                                                          \
    X(scsi_cmd)                                                                                    \
    X(scsi_rsp)                                                                                    \
    X(tmf)                                                                                         \
    X(tmf_rsp)                                                                                     \
    X(data_out)                                                                                    \
    X(data_in)                                                                                     \
    X(r2t)                                                                                         \
    X(async)                                                                                       \
    X(text)                                                                                        \
    X(text_rsp)                                                                                    \
    X(login)                                                                                       \
    X(login_rsp)                                                                                   \
    X(logout)                                                                                      \
    X(logout_rsp)                                                                                  \
    X(snack)                                                                                       \
    X(reject)                                                                                      \
    X(nop_out)                                                                                     \
    X(nop_in)
#define ISKRA_PDU_DECLARE(name)                                                                    \
    void iskra_##name##_decode(const uint8_t *bhs, struct iskra_pdu_##name *pdu);                  \
    void iskra_##name##_encode(const struct iskra_pdu_##name *pdu, uint8_t *bhs);
ISKRA_PDU_LIST(ISKRA_PDU_DECLARE)

/* names.c: words for people; an unknown value gives "?". Static storage. */
const char *iskra_opcode_name(uint8_t opcode); /* "SCSI Response" */
const char *iskra_tmf_function_name(uint8_t function);
const char *iskra_tmf_response_name(uint8_t response); /* "function not supported"; "?" */
const char *iskra_reject_reason_name(uint8_t reason);
const char *iskra_login_status_name(uint8_t status_class, uint8_t status_detail);
ISKRA_PUBLIC const char *iskra_scsi_status_name(uint8_t status); /* "CHECK CONDITION" */
ISKRA_PUBLIC const char *iskra_sense_key_name(uint8_t key);      /* "ILLEGAL REQUEST" */

#endif
