/* The grammar of a fault: see fault_spec.h and iskra-faults(7). */
#include "target/fault_spec.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

#include "error.h"
#include "target/target.h"
#include "wire/bhs.h"

#define SHOWN 32 /* bytes of a wrong word that are repeated */

static const uint64_t of_commands = FAULT_BIT(ISKRA_OP_SCSI_CMD) | FAULT_BIT(ISKRA_OP_DATA_OUT) |
                                    FAULT_BIT(ISKRA_OP_DATA_IN) | FAULT_BIT(ISKRA_OP_SCSI_RSP) |
                                    FAULT_BIT(ISKRA_OP_R2T);
static const uint64_t without_data = FAULT_BIT(ISKRA_OP_TMF) | FAULT_BIT(ISKRA_OP_LOGOUT) |
                                     FAULT_BIT(ISKRA_OP_SNACK) | FAULT_BIT(ISKRA_OP_TMF_RSP) |
                                     FAULT_BIT(ISKRA_OP_LOGOUT_RSP) | FAULT_BIT(ISKRA_OP_R2T);
static const uint64_t without_digest =
    FAULT_BIT(ISKRA_OP_LOGIN) | FAULT_BIT(ISKRA_OP_LOGIN_RSP); /* 13.1: not in the login phase */

struct parse {
    const char *at;
    struct fault_spec *spec;
    struct iskra_error *err;
};

/* The word is wrong; `allowed` is what could stand there. */
static int wrong(const struct parse *p, const char *what, const char *word, size_t len,
                 const char *allowed)
{
    char shown[4 * SHOWN + 4];
    (void)iskra_escape(shown, sizeof(shown), word, len < SHOWN ? len : SHOWN);
    return iskra_fail(p->err, ISKRA_E_USAGE, EINVAL, "fault: %s '%s'; allowed: %s", what, shown,
                      allowed);
}

static int wrong_of(const struct parse *p, const char *what, const char *word, size_t len,
                    enum fault_vocabulary which)
{
    char allowed[240];
    target_fault_list(which, p->spec->pdu.opcodes, allowed, sizeof(allowed));
    return wrong(p, what, word, len, allowed);
}

/* Takes what comes before any of `ends`. */
static size_t word_take(struct parse *p, const char *ends, const char **ret_word)
{
    size_t len = strcspn(p->at, ends);
    *ret_word = p->at;
    p->at += len;
    return len;
}

static int digit_of(char c, unsigned base)
{
    int d = c >= '0' && c <= '9'   ? c - '0'
            : c >= 'a' && c <= 'f' ? c - 'a' + 10
            : c >= 'A' && c <= 'F' ? c - 'A' + 10
                                   : 99;
    return d < (int)base ? d : -1;
}

/* All of it is a number of this base, at most `max`. */
static bool number_of_base(const char *word, size_t len, unsigned base, uint64_t max, uint64_t *ret)
{
    uint64_t value = 0;
    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        int d = digit_of(word[i], base);
        if (d < 0 || value > (max - (uint64_t)d) / base || (uint64_t)d > max)
            return false;
        value = value * base + (uint64_t)d;
    }
    *ret = value;
    return true;
}

static bool number(const char *word, size_t len, uint64_t max, uint64_t *ret)
{
    bool hex = len > 2 && word[0] == '0' && (word[1] == 'x' || word[1] == 'X');
    return hex ? number_of_base(word + 2, len - 2, 16, max, ret)
               : number_of_base(word, len, 10, max, ret);
}

/* "2s", "1.5s", "500ms", "20us", "2m"; seconds without a unit. */
static bool time_of(const char *word, size_t len, uint64_t *ret_ns)
{
    static const struct {
        const char *name;
        uint64_t ns;
    } units[] = {
        {"us", 1000}, {"ms", 1000000}, {"m", 60000000000}, {"s", 1000000000}, {"", 1000000000}};
    size_t digits = 0;
    while (digits < len && (isdigit((unsigned char)word[digits]) || word[digits] == '.'))
        digits++;
    uint64_t unit = 0;
    for (unsigned i = 0; i < sizeof(units) / sizeof(units[0]); i++)
        if (strlen(units[i].name) == len - digits &&
            memcmp(units[i].name, word + digits, len - digits) == 0)
            unit = units[i].ns;
    const char *dot = memchr(word, '.', digits);
    size_t whole_len = dot ? (size_t)(dot - word) : digits;
    uint64_t whole, ns;
    if (unit == 0 || !number_of_base(word, whole_len, 10, FAULT_TIME_MAX_NS / unit, &whole))
        return false;
    ns = whole * unit;
    for (size_t i = whole_len + 1; dot && i < digits; i++) {
        if (word[i] == '.')
            return false;
        unit /= 10;
        ns += (uint64_t)(word[i] - '0') * unit;
    }
    if (ns > FAULT_TIME_MAX_NS || (dot && digits == whole_len + 1))
        return false;
    *ret_ns = ns;
    return true;
}

static int time_take(struct parse *p, const char *word, size_t len)
{
    if (time_of(word, len, &p->spec->time_ns) && p->spec->time_ns > 0)
        return 0;
    return wrong(p, "no time", word, len, "2s, 1.5s, 500ms, 20us, 2m, up to a day");
}

static int sense_take(struct parse *p, const char *word, size_t len)
{
    uint64_t key, asc, ascq;
    const char *end = word + len;
    const char *slash = memchr(word, '/', len);
    const char *second = slash ? memchr(slash + 1, '/', (size_t)(end - slash - 1)) : NULL;
    if (!second || !number_of_base(word, (size_t)(slash - word), 16, 15, &key) ||
        !number_of_base(slash + 1, (size_t)(second - slash - 1), 16, 255, &asc) ||
        !number_of_base(second + 1, (size_t)(end - second - 1), 16, 255, &ascq))
        return wrong(p, "no sense", word, len, "KEY/ASC/ASCQ in hexadecimal, such as 0b/47/00");
    p->spec->key = (uint8_t)key;
    p->spec->asc = (uint8_t)asc;
    p->spec->ascq = (uint8_t)ascq;
    return 0;
}

/* maxcmdsn=5, maxcmdsn+1, maxcmdsn-1. Which PDU it is of is known by now. */
static int field_take(struct parse *p, const char *word, size_t len)
{
    size_t name_len = 0;
    while (name_len < len && !strchr("=+-", word[name_len]))
        name_len++;
    struct fault_spec *spec = p->spec;
    spec->field = target_fault_field(word, name_len, spec->pdu.opcodes);
    if (!spec->field)
        return wrong_of(p, "this PDU has no field", word, name_len, FAULT_FIELDS);
    if (name_len == len)
        return wrong(p, "no value behind", word, len, "FIELD=N, FIELD+N, FIELD-N");
    spec->operation = word[name_len] == '+'   ? FAULT_ADD
                      : word[name_len] == '-' ? FAULT_SUBTRACT
                                              : FAULT_SET;
    uint64_t max = spec->field->width < 64 ? (UINT64_C(1) << spec->field->width) - 1 : UINT64_MAX;
    if (!number(word + name_len + 1, len - name_len - 1, max, &spec->value))
        return iskra_fail(p->err, ISKRA_E_USAGE, EINVAL,
                          "fault: no value of %s '%.*s'; allowed: 0 to 0x%jx", spec->field->name,
                          len - name_len - 1 < SHOWN ? (int)(len - name_len - 1) : SHOWN,
                          word + name_len + 1, (uintmax_t)max);
    spec->pdu.opcodes &= spec->field->opcodes;
    return 0;
}

static int part_take(struct parse *p, const char *word, size_t len)
{
    const struct fault_word *part = target_fault_part(word, len);
    if (!part)
        return wrong_of(p, "nothing to corrupt is", word, len, FAULT_PARTS);
    struct fault_spec *spec = p->spec;
    spec->part = (enum fault_part)part->value;
    bool data = spec->part == FAULT_PART_DATA || spec->part == FAULT_PART_DATA_DIGEST;
    bool digest = spec->part != FAULT_PART_HEADER && spec->part != FAULT_PART_DATA;
    if (data)
        spec->pdu.opcodes &= ~without_data;
    if (digest)
        spec->pdu.opcodes &= ~without_digest;
    if (spec->pdu.opcodes == 0)
        return wrong(p, "that PDU never has", word, len, "another PDU");
    return 0;
}

static int status_take(struct parse *p, const char *word, size_t len)
{
    const struct fault_word *status = target_fault_status(word, len);
    if (!status)
        return wrong_of(p, "no SCSI status", word, len, FAULT_STATUSES);
    p->spec->status = (uint8_t)status->value;
    return 0;
}

/* What stands behind the action's "="; NULL: nothing does. */
static int value_take(struct parse *p, const char *value, size_t len)
{
    switch (p->spec->action) {
    case FAULT_DROP:
    case FAULT_CLOSE:
    case FAULT_UNDONE:
        return value ? wrong(p, "drop, lose and close have no value", value, len, "none") : 0;
    case FAULT_STALL:
        p->spec->time_ns = UINT64_MAX;
        return value ? time_take(p, value, len) : 0;
    case FAULT_DELAY:
        return time_take(p, value ? value : "", len);
    case FAULT_CORRUPT:
        return part_take(p, value ? value : "", len);
    case FAULT_STATUS:
        return status_take(p, value ? value : "", len);
    case FAULT_SENSE:
        return sense_take(p, value ? value : "", len);
    case FAULT_FIELD:
        return field_take(p, value ? value : "", len);
    }
    return 0;
}

/* PDU[(COMMAND)] */
static int pdu_take(struct parse *p)
{
    const char *word;
    size_t len = word_take(p, "(#@", &word);
    struct fault_spec *spec = p->spec;
    const struct fault_pdu *pdu = target_fault_pdu(word, len);
    if (!pdu)
        return wrong_of(p, "no PDU", word, len, FAULT_PDUS);
    spec->pdu = *pdu;
    bool answers = spec->action == FAULT_STATUS || spec->action == FAULT_SENSE;
    if (answers && pdu->opcodes != FAULT_BIT(ISKRA_OP_SCSI_CMD))
        return wrong(p, "a status or sense cannot answer", word, len, "command");
    if (spec->action == FAULT_UNDONE && pdu->opcodes != FAULT_BIT(ISKRA_OP_SCSI_CMD))
        return wrong(p, "nothing is written by", word, len, "command");
    if (*p->at != '(')
        return 0;
    if ((pdu->opcodes & of_commands) != pdu->opcodes)
        return wrong(p, "no CDB goes with", word, len,
                     "command, data-out, data-in, scsi-response, r2t");
    p->at++;
    len = word_take(p, ")", &word);
    const struct fault_command *command = target_fault_command(word, len);
    uint64_t opcode;
    if (command) {
        spec->command = *command;
    } else if (len > 2 && word[1] == 'x' && number(word, len, 255, &opcode)) {
        spec->command =
            (struct fault_command){.name = "opcode", .opcodes = {(uint8_t)opcode}, .opcode_cnt = 1};
    } else {
        return wrong_of(p, "no command", word, len, FAULT_COMMANDS);
    }
    if (*p->at != ')')
        return wrong(p, "no ) behind", word, len, "(COMMAND)");
    if (spec->action == FAULT_UNDONE && !target_fault_command_changes(spec->command.opcodes[0]))
        return wrong(p, "nothing is written by", word, len,
                     "write, write-same, unmap, compare-and-write");
    p->at++;
    spec->of_command = true;
    return 0;
}

/* #N, #N+, #N+K, either of the two with xM behind it; without: every one. */
static int count_take(struct parse *p)
{
    static const char allowed[] = "#N, #N+, #N+K, #N+xM, #N+KxM with numbers from 1 on";
    struct fault_spec *spec = p->spec;
    spec->first = spec->every = 1;
    spec->most = UINT64_MAX;
    if (*p->at != '#')
        return 0;
    p->at++;
    const char *word, *part;
    size_t len = word_take(p, "@", &word);
    const char *end = p->at;
    p->at = word;
    size_t part_len = strcspn(word, "+x@");
    spec->every = 0;
    bool ok = number_of_base(word, part_len, 10, UINT32_MAX, &spec->first) && spec->first > 0;
    p->at += part_len;
    if (ok && *p->at == '+') {
        p->at++;
        part_len = word_take(p, "x@", &part);
        spec->every = 1;
        ok = part_len == 0 ||
             (number_of_base(part, part_len, 10, UINT32_MAX, &spec->every) && spec->every > 0);
        if (ok && *p->at == 'x') {
            p->at++;
            part_len = word_take(p, "@", &part);
            ok = number_of_base(part, part_len, 10, UINT32_MAX, &spec->most) && spec->most > 0;
        }
    }
    return ok && p->at == end ? 0 : wrong(p, "no count", word, len, allowed);
}

/* @conn: each connection counts for itself; @conn=N: only that one counts. */
static int scope_take(struct parse *p)
{
    if (*p->at == '\0')
        return 0;
    const char *word = p->at;
    size_t len = strlen(word);
    if (strcmp(word, "@conn") == 0)
        p->spec->each_conn = true;
    else if (strncmp(word, "@conn=", 6) != 0 ||
             !number_of_base(word + 6, len - 6, 10, UINT32_MAX, &p->spec->conn) ||
             p->spec->conn == 0)
        return wrong(p, "nothing known behind the PDU is", word, len, "@conn, @conn=N");
    return 0;
}

int target_fault_parse(const char *text, struct fault_spec *ret, struct iskra_error *err)
{
    struct fault_spec spec = {0};
    struct parse p = {.at = text, .spec = &spec, .err = err};
    if (strlen(text) > FAULT_SPEC_TEXT_MAX)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "fault: %zu bytes; allowed: up to %u",
                          strlen(text), FAULT_SPEC_TEXT_MAX);
    const char *word, *value;
    size_t len = word_take(&p, "=:", &word), value_len = 0;
    const struct fault_word *action = target_fault_action(word, len);
    if (!action)
        return wrong_of(&p, "no action", word, len, FAULT_ACTIONS);
    spec.action = (enum fault_action)action->value;
    bool has_value = *p.at == '=';
    p.at += has_value;
    value_len = word_take(&p, ":", &value);
    if (*p.at != ':')
        return wrong(&p, "no PDU behind", text, strlen(text), "ACTION:PDU, see --fault help");
    p.at++;
    int rc = pdu_take(&p);
    if (rc == 0)
        rc = value_take(&p, has_value ? value : NULL, value_len);
    if (rc == 0)
        rc = count_take(&p);
    if (rc == 0)
        rc = scope_take(&p);
    if (rc == 0)
        *ret = spec;
    return rc;
}

bool target_fault_command_is(const struct fault_command *command, uint8_t opcode,
                             uint8_t service_action)
{
    if (command->service_action && command->service_action != service_action)
        return false;
    return memchr(command->opcodes, opcode, command->opcode_cnt) != NULL;
}

bool target_fault_command_changes(uint8_t opcode)
{
    static const char *const names[] = {"write", "write-same", "unmap", "compare-and-write"};
    for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (target_fault_command_is(target_fault_command(names[i], strlen(names[i])), opcode, 0))
            return true;
    return false;
}
