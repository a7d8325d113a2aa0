/* What bhs.c and bhs_target.c share: the bits of byte 1 and the fields every header has. Private to
 * those two. */
#ifndef ISKRA_WIRE_BHS_FIELDS_H
#define ISKRA_WIRE_BHS_FIELDS_H

#include <string.h>

#include "wire/bhs.h"

/* Byte 1. F means "last of its sequence"; where a PDU has no sequences it is 1 by definition. */
#define BHS_FINAL          0x80u
#define BHS_CONTINUE       0x40u /* Text, Login */
#define CMD_READ           0x40u
#define CMD_WRITE          0x20u
#define LOGIN_TRANSIT      0x80u
#define DATA_ACK           0x40u
#define RSP_BIDI_OVERFLOW  0x10u
#define RSP_BIDI_UNDERFLOW 0x08u
#define RSP_OVERFLOW       0x04u
#define RSP_UNDERFLOW      0x02u
#define DATA_STATUS        0x01u

static inline bool bit_get(uint8_t byte, uint8_t mask)
{
    return (byte & mask) != 0;
}

static inline uint8_t bit_put(bool set, uint8_t mask)
{
    return set ? mask : 0;
}

static inline void lengths_get(const uint8_t *bhs, uint8_t *ret_ahs_words, uint32_t *ret_data_len)
{
    uint32_t both = iskra_get_be32(bhs + 4);
    *ret_ahs_words = (uint8_t)(both >> 24);
    *ret_data_len = both & 0xffffffu;
}

/* All 48 bytes: zero but for the opcode, byte 1 and the two lengths. */
static inline void response_begin(uint8_t *bhs, enum iskra_opcode opcode, uint8_t byte1,
                                  uint8_t ahs_words, uint32_t data_len)
{
    memset(bhs, 0, ISKRA_BHS_LEN);
    iskra_put_be32(bhs, (uint32_t)opcode << 24 | (uint32_t)byte1 << 16);
    iskra_put_be32(bhs + 4, (uint32_t)ahs_words << 24 | (data_len & 0xffffffu));
}

static inline void request_begin(uint8_t *bhs, enum iskra_opcode opcode, bool immediate,
                                 uint8_t byte1, uint8_t ahs_words, uint32_t data_len)
{
    response_begin(bhs, opcode, byte1, ahs_words, data_len);
    bhs[0] |= bit_put(immediate, ISKRA_OP_IMMEDIATE);
}

static inline uint8_t login_bits(bool transit, bool cont, uint8_t csg, uint8_t nsg)
{
    return (uint8_t)(bit_put(transit, LOGIN_TRANSIT) | bit_put(cont, BHS_CONTINUE) |
                     (csg & 3u) << 2 | (nsg & 3u));
}

/* StatSN, ExpCmdSN, MaxCmdSN lie in the same place in every PDU a target sends. */
static inline void serials_get(const uint8_t *bhs, uint32_t *ret_stat_sn, uint32_t *ret_exp_cmd_sn,
                               uint32_t *ret_max_cmd_sn)
{
    *ret_stat_sn = iskra_get_be32(bhs + 24);
    *ret_exp_cmd_sn = iskra_get_be32(bhs + 28);
    *ret_max_cmd_sn = iskra_get_be32(bhs + 32);
}

static inline void serials_put(uint8_t *bhs, uint32_t stat_sn, uint32_t exp_cmd_sn,
                               uint32_t max_cmd_sn)
{
    iskra_put_be32(bhs + 24, stat_sn);
    iskra_put_be32(bhs + 28, exp_cmd_sn);
    iskra_put_be32(bhs + 32, max_cmd_sn);
}

#endif
