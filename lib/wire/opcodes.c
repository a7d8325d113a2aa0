/* REPORT SUPPORTED OPERATION CODES. */
#include "wire/opcodes.h"

#include <errno.h>

#include "wire/be.h"

int iskra_opcode_report_decode(const uint8_t *bytes, size_t len, struct iskra_opcode_report *ret)
{
    if (len < ISKRA_OPCODE_HEADER_LEN)
        return -EBADMSG;
    size_t stated_len = iskra_get_be16(bytes + 2), there_len = len - ISKRA_OPCODE_HEADER_LEN;
    *ret = (struct iskra_opcode_report){
        .support = bytes[1] & 0x07,
        .cdb_usage = bytes + ISKRA_OPCODE_HEADER_LEN,
        .cdb_usage_len = stated_len < there_len ? stated_len : there_len,
    };
    return 0;
}

bool iskra_opcode_report_uses(const struct iskra_opcode_report *report, size_t offset, uint8_t mask)
{
    return report->support == ISKRA_OPCODE_STANDARD && offset < report->cdb_usage_len &&
           (report->cdb_usage[offset] & mask) == mask;
}
