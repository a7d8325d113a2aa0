/* Commands and sense codes that the target knows and the initiator has no use for; and what it says
 * of all commands. */
#ifndef ISKRA_TARGET_OPCODES_H
#define ISKRA_TARGET_OPCODES_H

#include <stddef.h>
#include <stdint.h>

struct iskra_cdb;

enum target_op {
    TARGET_OP_WRITE_VERIFY_10 = 0x2e,
    TARGET_OP_VERIFY_10 = 0x2f,
    TARGET_OP_WRITE_VERIFY_16 = 0x8e,
    TARGET_OP_VERIFY_16 = 0x8f,
    TARGET_OP_WRITE_VERIFY_12 = 0xae,
    TARGET_OP_VERIFY_12 = 0xaf,
};

/* Additional sense codes: SPC-4 annex E.2. */
enum target_asc {
    ASC_WRITE_ERROR = 0x0c,
    ASC_READ_ERROR = 0x11,
    ASC_LIST_LENGTH = 0x1a, /* PARAMETER LIST LENGTH ERROR */
    ASC_MISCOMPARE = 0x1d,  /* MISCOMPARE DURING VERIFY OPERATION */
    ASC_INVALID_OPCODE = 0x20,
    ASC_LBA_OUT_OF_RANGE = 0x21,
    ASC_INVALID_FIELD = 0x24,
    ASC_NO_LUN = 0x25,
    ASC_INVALID_LIST = 0x26, /* INVALID FIELD IN PARAMETER LIST */
    ASC_WRITE_PROTECTED = 0x27,
    ASC_RESET = 0x29,
    ASC_PROTOCOL_CRC = 0x47, /* with ASCQ 05h: PROTOCOL SERVICE CRC ERROR */
};

/* With ASC_WRITE_ERROR: RFC 7143 11.4.7.2. */
#define ASCQ_UNEXPECTED_UNSOLICITED 0x0cu
#define ASCQ_INCORRECT_AMOUNT       0x0du
/* With ASC_PROTOCOL_CRC */
#define ASCQ_PROTOCOL_CRC 0x05u
/* With ASC_WRITE_PROTECTED: SPACE ALLOCATION FAILED WRITE PROTECT */
#define ASCQ_NO_SPACE 0x07u

/* REPORT SUPPORTED OPERATION CODES: 0 with up to TARGET_OPCODES_LEN_MAX bytes in buf, or -EINVAL:
 * it cannot be asked like this. */
#define TARGET_OPCODES_LEN_MAX 1024u
int target_opcodes_report(const struct iskra_cdb *cdb, uint8_t *buf, size_t *ret_len);

#endif
