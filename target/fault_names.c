/* The words of a fault: actions, parts, statuses, PDUs, commands, fields of headers. */
#include "target/fault_spec.h"

#include <stdio.h>
#include <string.h>

#include "target/opcodes.h"
#include "target/target.h"
#include "wire/bhs.h"
#include "wire/cdb.h"

#define B(name) FAULT_BIT(ISKRA_OP_##name)

static const struct fault_word actions[] = {
    {"drop", FAULT_DROP},       {"delay", FAULT_DELAY},   {"close", FAULT_CLOSE},
    {"stall", FAULT_STALL},     {"status", FAULT_STATUS}, {"sense", FAULT_SENSE},
    {"corrupt", FAULT_CORRUPT}, {"field", FAULT_FIELD},   {"lose", FAULT_UNDONE},
};

static const struct fault_word parts[] = {
    {"header", FAULT_PART_HEADER},           {"data", FAULT_PART_DATA},
    {"digest", FAULT_PART_DIGEST},           {"header-digest", FAULT_PART_HEADER_DIGEST},
    {"data-digest", FAULT_PART_DATA_DIGEST},
};

static const struct fault_word statuses[] = {
    {"busy", ISKRA_STATUS_BUSY},
    {"task-set-full", ISKRA_STATUS_TASK_SET_FULL},
    {"reservation-conflict", ISKRA_STATUS_RESERVATION_CONFLICT},
    {"check-condition", ISKRA_STATUS_CHECK_CONDITION},
    {"condition-met", ISKRA_STATUS_CONDITION_MET},
    {"aca-active", ISKRA_STATUS_ACA_ACTIVE},
    {"task-aborted", ISKRA_STATUS_TASK_ABORTED},
};

/* Words for one PDU each stand before those for several: see target_fault_pdu_name(). */
static const struct fault_pdu pdus[] = {
    {"data-in", B(DATA_IN)},
    {"scsi-response", B(SCSI_RSP)},
    {"r2t", B(R2T)},
    {"nop-in", B(NOP_IN)},
    {"login-response", B(LOGIN_RSP)},
    {"text-response", B(TEXT_RSP)},
    {"logout-response", B(LOGOUT_RSP)},
    {"tmf-response", B(TMF_RSP)},
    {"reject", B(REJECT)},
    {"async", B(ASYNC)},
    {"command", B(SCSI_CMD)},
    {"data-out", B(DATA_OUT)},
    {"nop-out", B(NOP_OUT)},
    {"login", B(LOGIN)},
    {"text", B(TEXT)},
    {"logout", B(LOGOUT)},
    {"tmf", B(TMF)},
    {"snack", B(SNACK)},
    {"any-in", FAULT_INCOMING},
    {"any-out", FAULT_OUTGOING},
    {"any", FAULT_INCOMING | FAULT_OUTGOING},
};

#define SAI ISKRA_SCSI_SERVICE_ACTION_IN_16
static const struct fault_command commands[] = {
    {"read", {ISKRA_SCSI_READ_6, ISKRA_SCSI_READ_10, ISKRA_SCSI_READ_12, ISKRA_SCSI_READ_16}, 4, 0},
    {"write",
     {ISKRA_SCSI_WRITE_6, ISKRA_SCSI_WRITE_10, ISKRA_SCSI_WRITE_12, ISKRA_SCSI_WRITE_16,
      TARGET_OP_WRITE_VERIFY_10, TARGET_OP_WRITE_VERIFY_12, TARGET_OP_WRITE_VERIFY_16},
     7,
     0},
    {"verify", {TARGET_OP_VERIFY_10, TARGET_OP_VERIFY_12, TARGET_OP_VERIFY_16}, 3, 0},
    {"flush", {ISKRA_SCSI_SYNCHRONIZE_CACHE_10, ISKRA_SCSI_SYNCHRONIZE_CACHE_16}, 2, 0},
    {"unmap", {ISKRA_SCSI_UNMAP}, 1, 0},
    {"write-same", {ISKRA_SCSI_WRITE_SAME_10, ISKRA_SCSI_WRITE_SAME_16}, 2, 0},
    {"compare-and-write", {ISKRA_SCSI_COMPARE_AND_WRITE}, 1, 0},
    {"inquiry", {ISKRA_SCSI_INQUIRY}, 1, 0},
    {"read-capacity-10", {ISKRA_SCSI_READ_CAPACITY_10}, 1, 0},
    {"read-capacity-16", {SAI}, 1, ISKRA_SAI_READ_CAPACITY_16},
    {"get-lba-status", {SAI}, 1, ISKRA_SAI_GET_LBA_STATUS},
    {"report-luns", {ISKRA_SCSI_REPORT_LUNS}, 1, 0},
    {"mode-sense", {ISKRA_SCSI_MODE_SENSE_6, ISKRA_SCSI_MODE_SENSE_10}, 2, 0},
    {"request-sense", {ISKRA_SCSI_REQUEST_SENSE}, 1, 0},
    {"test-unit-ready", {ISKRA_SCSI_TEST_UNIT_READY}, 1, 0},
    {"start-stop", {ISKRA_SCSI_START_STOP_UNIT}, 1, 0},
};

/* RFC 7143 11.3 to 11.19. DataSegmentLength and TotalAHSLength of what comes in are beyond a fault:
 * they have been believed before the PDU was whole. */
#define NUMBERED (B(SCSI_CMD) | B(NOP_OUT) | B(LOGIN) | B(TEXT) | B(LOGOUT) | B(TMF))
static const struct fault_field fields[] = {
    {"opcode", 0, 6, FAULT_INCOMING | FAULT_OUTGOING},
    {"flags", 1, 8, FAULT_INCOMING | FAULT_OUTGOING},
    {"response", 2, 8, B(SCSI_RSP) | B(TMF_RSP) | B(LOGOUT_RSP)},
    {"reason", 2, 8, B(REJECT)},
    {"status", 3, 8, B(SCSI_RSP) | B(DATA_IN)},
    {"ahslength", 4, 8, FAULT_OUTGOING},
    {"dsl", 5, 24, FAULT_OUTGOING},
    {"lun", 8, 64,
     B(DATA_IN) | B(R2T) | B(NOP_IN) | B(TEXT_RSP) | B(ASYNC) | B(SCSI_CMD) | B(DATA_OUT) |
         B(NOP_OUT) | B(TEXT) | B(TMF)},
    {"tsih", 14, 16, B(LOGIN) | B(LOGIN_RSP)},
    {"itt", 16, 32, FAULT_INCOMING | FAULT_OUTGOING},
    {"ttt", 20, 32,
     B(DATA_IN) | B(R2T) | B(NOP_IN) | B(TEXT_RSP) | B(DATA_OUT) | B(NOP_OUT) | B(TEXT)},
    {"edtl", 20, 32, B(SCSI_CMD)},
    {"cmdsn", 24, 32, NUMBERED},
    {"statsn", 24, 32, FAULT_OUTGOING},
    {"expstatsn", 28, 32, FAULT_INCOMING},
    {"expcmdsn", 28, 32, FAULT_OUTGOING},
    {"maxcmdsn", 32, 32, FAULT_OUTGOING},
    {"datasn", 36, 32, B(DATA_IN) | B(DATA_OUT)},
    {"expdatasn", 36, 32, B(SCSI_RSP)},
    {"r2tsn", 36, 32, B(R2T)},
    {"statusclass", 36, 8, B(LOGIN_RSP)},
    {"statusdetail", 37, 8, B(LOGIN_RSP)},
    {"event", 36, 8, B(ASYNC)},
    {"offset", 40, 32, B(DATA_IN) | B(DATA_OUT) | B(R2T)},
    {"residual", 44, 32, B(DATA_IN) | B(SCSI_RSP)},
    {"length", 44, 32, B(R2T)},
};

/* Every table's rows begin with the name. Returns the row whose name it is, or NULL. */
static const void *find(const void *table, size_t row_len, size_t cnt, const char *word, size_t len)
{
    const char *row = table;
    for (size_t i = 0; i < cnt; i++, row += row_len) {
        const char *name;
        memcpy(&name, row, sizeof(name));
        if (strlen(name) == len && memcmp(name, word, len) == 0)
            return row;
    }
    return NULL;
}
#define FIND(table) find(table, sizeof((table)[0]), sizeof(table) / sizeof((table)[0]), word, len)

const struct fault_word *target_fault_action(const char *word, size_t len)
{
    return FIND(actions);
}

const struct fault_word *target_fault_part(const char *word, size_t len)
{
    return FIND(parts);
}

const struct fault_word *target_fault_status(const char *word, size_t len)
{
    return FIND(statuses);
}

const struct fault_pdu *target_fault_pdu(const char *word, size_t len)
{
    return FIND(pdus);
}

const struct fault_command *target_fault_command(const char *word, size_t len)
{
    return FIND(commands);
}

const struct fault_field *target_fault_field(const char *word, size_t len, uint64_t opcodes)
{
    const struct fault_field *field = FIND(fields);
    return field && (field->opcodes & opcodes) ? field : NULL;
}

const char *target_fault_pdu_name(uint8_t opcode)
{
    const struct fault_pdu *pdu = pdus;
    while (!(pdu->opcodes & FAULT_BIT(opcode & ISKRA_OP_MASK)))
        pdu++; /* "any" ends it */
    return pdu->name;
}

const char *iskra_target_fault_help(void)
{
    static char text[2048];
    static const struct {
        enum fault_vocabulary which;
        const char *title;
    } lists[] = {{FAULT_PARTS, "corrupt="},
                 {FAULT_STATUSES, "status="},
                 {FAULT_FIELDS, "field="},
                 {FAULT_PDUS, "PDU"},
                 {FAULT_COMMANDS, "COMMAND"}};
    int at = snprintf(text, sizeof(text),
                      "ACTION:PDU[(COMMAND)][#COUNT][@conn[=N]]\n"
                      "ACTION    drop, lose, close, stall[=TIME], delay=TIME, corrupt=PART, "
                      "status=STATUS, sense=KEY/ASC/ASCQ,\n"
                      "          field=NAME=N, field=NAME+N, field=NAME-N\n"
                      "COUNT     3: the third; 3+: all from then on; 3+2: the third and every "
                      "second after it;\n"
                      "          1+x5: five at most; without: all\n");
    for (unsigned i = 0; i < sizeof(lists) / sizeof(lists[0]); i++) {
        char words[512];
        target_fault_list(lists[i].which, FAULT_INCOMING | FAULT_OUTGOING, words, sizeof(words));
        at += snprintf(text + at, sizeof(text) - (size_t)at, "%-9s %s\n", lists[i].title, words);
    }
    return text;
}

struct list {
    char *dst;
    size_t size, len;
};

static void add(struct list *list, const char *name)
{
    int n = snprintf(list->dst + list->len, list->size - list->len, "%s%s", list->len ? ", " : "",
                     name);
    list->len += (size_t)n;
    if (list->len >= list->size)
        list->len = list->size - 1;
}

#define ADD_ALL(table)                                                                             \
    for (size_t i = 0; i < sizeof(table) / sizeof((table)[0]); i++)                                \
    add(&list, (table)[i].name)

void target_fault_list(enum fault_vocabulary which, uint64_t opcodes, char *dst, size_t size)
{
    struct list list = {.dst = dst, .size = size};
    dst[0] = '\0';
    switch (which) {
    case FAULT_ACTIONS:
        ADD_ALL(actions);
        break;
    case FAULT_PARTS:
        ADD_ALL(parts);
        break;
    case FAULT_STATUSES:
        ADD_ALL(statuses);
        break;
    case FAULT_PDUS:
        ADD_ALL(pdus);
        break;
    case FAULT_COMMANDS:
        ADD_ALL(commands);
        break;
    case FAULT_FIELDS:
        for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
            if (fields[i].opcodes & opcodes)
                add(&list, fields[i].name);
        break;
    }
}
