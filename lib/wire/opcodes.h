/* REPORT SUPPORTED OPERATION CODES, one command: SPC-4 6.35.3. */
#ifndef ISKRA_WIRE_OPCODES_H
#define ISKRA_WIRE_OPCODES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum iskra_opcode_support {
    ISKRA_OPCODE_UNTOLD = 0,   /* not known now */
    ISKRA_OPCODE_UNKNOWN = 1,  /* the device does not have the command */
    ISKRA_OPCODE_STANDARD = 3, /* it has it, as the standard says */
    ISKRA_OPCODE_VENDOR = 5,   /* it has it, in a way of its own */
};
#define ISKRA_OPCODE_HEADER_LEN 4u

struct iskra_opcode_report {
    uint8_t support; /* enum iskra_opcode_support, or another of its 3 bits */
    const uint8_t
        *cdb_usage;       /* into the caller's bytes: a set bit is one that the device looks at */
    size_t cdb_usage_len; /* what came of it */
};

/* 0, or -EBADMSG: no whole header. */
int iskra_opcode_report_decode(const uint8_t *bytes, size_t len, struct iskra_opcode_report *ret);

/* Does the device look at the bits of `mask` in byte `offset` of the CDB? */
bool iskra_opcode_report_uses(const struct iskra_opcode_report *report, size_t offset,
                              uint8_t mask);

#endif
