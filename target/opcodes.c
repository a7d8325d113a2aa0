/* REPORT SUPPORTED OPERATION CODES (SPC-4 6.35): the commands of this target's disks. What is not
 * in this table is refused, and a test tries both. */
#include "target/opcodes.h"

#include <errno.h>
#include <string.h>

#include "wire/be.h"
#include "wire/cdb.h"

#define RCTD           0x80u /* of the options: with timeouts */
#define HEADER_LEN     4u
#define DESCRIPTOR_LEN 8u
#define TIMEOUTS_LEN   12u
#define SERVACTV       0x01u /* of a descriptor: the command has service actions */
#define CTDP           0x02u /* the same: its timeouts follow */
#define CTDP_OF_ONE    0x80u
#define SUPPORT_NONE   0x01u
#define SUPPORT_FULL   0x03u

enum report_options {
    REPORT_ALL,
    REPORT_OPCODE,
    REPORT_ACTION,
    REPORT_EITHER
};

/* The CDB with each bit set that is looked at; the operation code and the service action as they
 * are. Fields that are judged and may only be zero count as not looked at. */
struct row {
    uint8_t opcode, len;
    bool has_action;
    uint16_t action;
    const char *usage; /* `len` bytes */
};

#define ZERO_4     "\0\0\0\0"
#define ALL_4      "\xff\xff\xff\xff"
#define ALL_8      ALL_4 ALL_4
#define RW(opcode) opcode "\xf8" /* protection, DPO, FUA */

/* clang-format off */
static const struct row rows[] = {
    {0x00,  6, false, 0,    "\x00\0\0\0\0\0"},
    {0x03,  6, false, 0,    "\x03\x01\0\0\xff\0"},
    {0x08,  6, false, 0,    "\x08\x1f\xff\xff\xff\0"},
    {0x0a,  6, false, 0,    "\x0a\x1f\xff\xff\xff\0"},
    {0x12,  6, false, 0,    "\x12\x01\xff\xff\xff\0"},
    {0x1a,  6, false, 0,    "\x1a\x08\xff\xff\xff\0"},
    {0x1b,  6, false, 0,    "\x1b\0\0\0\0\0"},
    {0x25, 10, false, 0,    "\x25\0" ZERO_4 "\0\0\0\0"},
    {0x28, 10, false, 0,    RW("\x28") ALL_4 "\0\xff\xff\0"},
    {0x2a, 10, false, 0,    RW("\x2a") ALL_4 "\0\xff\xff\0"},
    {0x2e, 10, false, 0,    "\x2e\xf0" ALL_4 "\0\xff\xff\0"},
    {0x2f, 10, false, 0,    "\x2f\xf6" ALL_4 "\0\xff\xff\0"},
    {0x35, 10, false, 0,    "\x35\0" ALL_4 "\0\xff\xff\0"},
    {0x41, 10, false, 0,    "\x41\xe8" ALL_4 "\0\xff\xff\0"},
    {0x42, 10, false, 0,    "\x42\0" ZERO_4 "\0\xff\xff\0"},
    {0x5a, 10, false, 0,    "\x5a\x08\xff\xff\0\0\0\xff\xff\0"},
    {0x7f, 32, true,  0x09, "\x7f\0" ZERO_4 "\0\xff\0\x09\xf8\0" ALL_8 ZERO_4 ZERO_4 ALL_4},
    {0x7f, 32, true,  0x0b, "\x7f\0" ZERO_4 "\0\xff\0\x0b\xf8\0" ALL_8 ZERO_4 ZERO_4 ALL_4},
    {0x88, 16, false, 0,    RW("\x88") ALL_8 ALL_4 "\0\0"},
    {0x89, 16, false, 0,    RW("\x89") ALL_8 "\0\0\0\xff\0\0"},
    {0x8a, 16, false, 0,    RW("\x8a") ALL_8 ALL_4 "\0\0"},
    {0x8e, 16, false, 0,    "\x8e\xf0" ALL_8 ALL_4 "\0\0"},
    {0x8f, 16, false, 0,    "\x8f\xf6" ALL_8 ALL_4 "\0\0"},
    {0x91, 16, false, 0,    "\x91\0" ALL_8 ALL_4 "\0\0"},
    {0x93, 16, false, 0,    "\x93\xe9" ALL_8 ALL_4 "\0\0"}, /* UNMAP and NDOB */
    {0x9e, 16, true,  0x10, "\x9e\x10" ZERO_4 ZERO_4 ALL_4 "\0\0"},
    {0x9e, 16, true,  0x12, "\x9e\x12" ALL_8 ALL_4 "\0\0"},
    {0xa0, 12, false, 0,    "\xa0\0\xff\0\0\0" ALL_4 "\0\0"},
    {0xa3, 12, true,  0x0c, "\xa3\x0c\x87\xff\xff\xff" ALL_4 "\0\0"},
    {0xa8, 12, false, 0,    RW("\xa8") ALL_4 ALL_4 "\0\0"},
    {0xaa, 12, false, 0,    RW("\xaa") ALL_4 ALL_4 "\0\0"},
    {0xae, 12, false, 0,    "\xae\xf0" ALL_4 ALL_4 "\0\0"},
    {0xaf, 12, false, 0,    "\xaf\xf6" ALL_4 ALL_4 "\0\0"},
};
/* clang-format on */
#define ROW_CNT (sizeof(rows) / sizeof(rows[0]))

_Static_assert(HEADER_LEN + ROW_CNT * (DESCRIPTOR_LEN + TIMEOUTS_LEN) <= TARGET_OPCODES_LEN_MAX,
               "all of them fit");

/* "Not known": they are as long as the medium takes. */
static size_t timeouts_put(uint8_t *buf)
{
    memset(buf, 0, TIMEOUTS_LEN);
    iskra_put_be16(buf, TIMEOUTS_LEN - 2);
    return TIMEOUTS_LEN;
}

static size_t all_put(bool timeouts, uint8_t *buf)
{
    size_t len = HEADER_LEN;
    for (size_t i = 0; i < ROW_CNT; i++) {
        uint8_t *desc = buf + len;
        memset(desc, 0, DESCRIPTOR_LEN);
        desc[0] = rows[i].opcode;
        iskra_put_be16(desc + 2, rows[i].action);
        desc[5] = (uint8_t)((rows[i].has_action ? SERVACTV : 0) | (timeouts ? CTDP : 0));
        iskra_put_be16(desc + 6, rows[i].len);
        len += DESCRIPTOR_LEN;
        if (timeouts)
            len += timeouts_put(buf + len);
    }
    iskra_put_be32(buf, (uint32_t)(len - HEADER_LEN));
    return len;
}

static size_t one_put(const struct row *row, bool timeouts, uint8_t *buf)
{
    memset(buf, 0, HEADER_LEN);
    buf[1] = SUPPORT_NONE;
    if (!row)
        return HEADER_LEN;
    buf[1] = (uint8_t)(SUPPORT_FULL | (timeouts ? CTDP_OF_ONE : 0));
    iskra_put_be16(buf + 2, row->len);
    memcpy(buf + HEADER_LEN, row->usage, row->len);
    size_t len = HEADER_LEN + row->len;
    return timeouts ? len + timeouts_put(buf + len) : len;
}

static const struct row *row_find(uint8_t opcode, uint16_t action)
{
    for (size_t i = 0; i < ROW_CNT; i++)
        if (rows[i].opcode == opcode && rows[i].action == action)
            return &rows[i];
    return NULL;
}

static bool has_actions(uint8_t opcode)
{
    for (size_t i = 0; i < ROW_CNT; i++)
        if (rows[i].opcode == opcode && rows[i].has_action)
            return true;
    return false;
}

int target_opcodes_report(const struct iskra_cdb *cdb, uint8_t *buf, size_t *ret_len)
{
    bool timeouts = cdb->select & RCTD, actions = has_actions(cdb->asked_opcode);
    unsigned options = cdb->select & 7u;
    uint16_t action = cdb->asked_action;
    if (options > REPORT_EITHER || (options == REPORT_OPCODE && actions) ||
        (options == REPORT_ACTION && !actions && row_find(cdb->asked_opcode, 0)))
        return -EINVAL; /* a command that has service actions is asked for with one, others not */
    if (options == REPORT_ALL) {
        *ret_len = all_put(timeouts, buf);
        return 0;
    }
    if (options == REPORT_OPCODE)
        action = 0;
    *ret_len = one_put(row_find(cdb->asked_opcode, action), timeouts, buf);
    return 0;
}
