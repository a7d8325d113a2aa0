/* What shall go wrong, as text: ACTION:PDU[(COMMAND)][#COUNT][@SCOPE], for example
 * "drop:data-in#3" or "sense=0b/47/00:command(write)#1+x2". iskra-faults(7) is the grammar for its
 * users; target_fault_help() says it in short.
 *
 * Pure functions. Nothing here knows a connection: fault.c lets the parsed form happen. */
#ifndef ISKRA_TARGET_FAULT_SPEC_H
#define ISKRA_TARGET_FAULT_SPEC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/error.h>

enum fault_action {
    FAULT_DROP,
    FAULT_DELAY,
    FAULT_CLOSE,
    FAULT_STALL,
    FAULT_CORRUPT,
    FAULT_STATUS,
    FAULT_SENSE,
    FAULT_FIELD,
    FAULT_UNDONE, /* "lose" */
};

enum fault_part {
    FAULT_PART_HEADER,
    FAULT_PART_DATA,
    FAULT_PART_HEADER_DIGEST,
    FAULT_PART_DATA_DIGEST,
    FAULT_PART_DIGEST, /* the data's where there is one, else the header's */
};

enum fault_operation {
    FAULT_SET,
    FAULT_ADD,
    FAULT_SUBTRACT,
};

/* A number in a header: `width` bits, of which the last is the lowest of byte `at + (bytes - 1)`.
 */
struct fault_field {
    const char *name;
    uint8_t at, width;
    uint64_t opcodes; /* bit per opcode that has it */
};

/* PDUs that a word means. */
struct fault_pdu {
    const char *name;
    uint64_t opcodes; /* bit per opcode */
};

/* CDBs that a word means. */
struct fault_command {
    const char *name;
    uint8_t opcodes[8], opcode_cnt;
    uint8_t service_action; /* 0: any */
};

struct fault_spec {
    enum fault_action action;
    uint64_t time_ns; /* DELAY, STALL; UINT64_MAX: for ever */
    enum fault_part part;
    uint8_t status, key, asc, ascq;
    const struct fault_field *field;
    enum fault_operation operation;
    uint64_t value;

    struct fault_pdu pdu;
    bool of_command; /* `command` says of which */
    struct fault_command command;

    uint64_t first; /* from 1 on */
    uint64_t every; /* 0: only the first */
    uint64_t most;  /* UINT64_MAX: no limit */
    bool each_conn; /* every connection counts for itself */
    uint64_t conn;  /* 0, or the number of the only one that counts */
};

#define FAULT_BIT(opcode)   (UINT64_C(1) << (opcode))
#define FAULT_INCOMING      UINT64_C(0x00000000ffffffff) /* RFC 7143 11.2.1.2: 00h to 1fh */
#define FAULT_OUTGOING      (~FAULT_INCOMING)
#define FAULT_TIME_MAX_NS   UINT64_C(86400000000000) /* a day */
#define FAULT_SPEC_TEXT_MAX 128u

/* 0, or -EINVAL with one line in *err that names the wrong word and says what is allowed. */
int target_fault_parse(const char *text, struct fault_spec *ret, struct iskra_error *err);

/* "data-in": the word for one PDU. */
const char *target_fault_pdu_name(uint8_t opcode);
bool target_fault_command_is(const struct fault_command *command, uint8_t opcode,
                             uint8_t service_action);
/* It changes the medium, so that there is something to lose. */
bool target_fault_command_changes(uint8_t opcode);

/* fault_names.c: the words. NULL: there is no such word; *_list() are all of them, "a, b, c". */
struct fault_word {
    const char *name;
    unsigned value;
};
const struct fault_word *target_fault_action(const char *word, size_t len);
const struct fault_word *target_fault_part(const char *word, size_t len);
const struct fault_word *target_fault_status(const char *word, size_t len);
const struct fault_pdu *target_fault_pdu(const char *word, size_t len);
const struct fault_command *target_fault_command(const char *word, size_t len);
const struct fault_field *target_fault_field(const char *word, size_t len, uint64_t opcodes);

enum fault_vocabulary {
    FAULT_ACTIONS,
    FAULT_PARTS,
    FAULT_STATUSES,
    FAULT_PDUS,
    FAULT_COMMANDS,
    FAULT_FIELDS,
};
/* `opcodes`: FAULT_FIELDS: only those that all of these PDUs may have. Writes at most `size` bytes.
 */
void target_fault_list(enum fault_vocabulary which, uint64_t opcodes, char *dst, size_t size);

#endif
