/* The trace: the ring of records, entering and leaving steps, names, and a record as a line of
 * text.
 *
 * A line holds no time and no pointer, so that two runs of the same exchange give the same text. */
#include "trace.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <iskra/platform.h>

#include "verdict.h"
#include "wire/bhs.h"
#include "wire/cdb.h"

int iskra_trace_init(struct iskra_trace *tr, const struct iskra_platform *pf, uint32_t record_cnt)
{
    assert(record_cnt > 0 && (record_cnt & (record_cnt - 1)) == 0);
    memset(tr, 0, sizeof(*tr));
    struct iskra_trace_record *ring = pf->alloc(pf->arg, record_cnt * sizeof(*ring));
    if (!ring)
        return -ENOMEM;
    tr->ring = ring;
    tr->mask = record_cnt - 1;
    tr->pf = pf;
    return 0;
}

void iskra_trace_done(struct iskra_trace *tr)
{
    if (!tr)
        return;
    if (tr->ring)
        tr->pf->free(tr->pf->arg, tr->ring);
    memset(tr, 0, sizeof(*tr));
}

/* Where the next record goes. A trace that was never initialised (zeroed) keeps nothing. The record
 * is built in the ring, field by field: a copy would have to wait for them. */
static struct iskra_trace_record *record_begin(struct iskra_trace *tr,
                                               struct iskra_trace_record *none)
{
    return tr->ring ? &tr->ring[tr->head++ & tr->mask] : none;
}

/* To whoever traces. */
static void record_end(const struct iskra_trace *tr, const struct iskra_trace_record *rec)
{
    if (__builtin_expect(tr->steps && tr->fn, 0))
        tr->fn(tr->fn_arg, rec);
}

static bool has_data_sn(uint8_t opcode)
{
    return opcode == ISKRA_OP_DATA_IN || opcode == ISKRA_OP_DATA_OUT || opcode == ISKRA_OP_R2T;
}

void iskra_trace_pdu(struct iskra_trace *tr, enum iskra_trace_kind kind, uint16_t sid,
                     const uint8_t *bhs)
{
    uint8_t opcode = iskra_bhs_opcode(bhs), flags = bhs[1];
    uint32_t itt = iskra_bhs_itt(bhs), data_len = iskra_bhs_data_len(bhs);
    uint32_t serial = iskra_get_be32(bhs + 24); /* StatSN in, CmdSN out */
    uint32_t data_sn = has_data_sn(opcode) ? iskra_get_be32(bhs + 36) : 0;
    struct iskra_trace_record none, *rec = record_begin(tr, &none);
    *rec = (struct iskra_trace_record){
        .time_ns = tr->now_ns,
        .kind = (uint16_t)kind,
        .what = opcode,
        .sid = sid,
        .depth = tr->depth,
        .flags = flags,
        .itt = itt,
        .a = data_len,
        .b = serial,
        .c = data_sn,
    };
    record_end(tr, rec);
}

void iskra_trace_state(struct iskra_trace *tr, enum iskra_trace_machine machine, uint16_t sid,
                       uint32_t from, uint32_t to)
{
    struct iskra_trace_record none, *rec = record_begin(tr, &none);
    *rec = (struct iskra_trace_record){
        .time_ns = tr->now_ns,
        .kind = ISKRA_TRACE_STATE,
        .what = (uint16_t)machine,
        .sid = sid,
        .depth = tr->depth,
        .a = from,
        .b = to,
    };
    record_end(tr, rec);
}

void iskra_trace_error(struct iskra_trace *tr, uint16_t sid, uint32_t conn_error)
{
    struct iskra_trace_record none, *rec = record_begin(tr, &none);
    *rec = (struct iskra_trace_record){
        .time_ns = tr->now_ns,
        .kind = ISKRA_TRACE_ERROR,
        .what = (uint16_t)conn_error,
        .sid = sid,
        .depth = tr->depth,
    };
    record_end(tr, rec);
}

/* Step records go to whoever traces, not into the ring: one READ has dozens of them. They carry the
 * real time. */
static void step_put(struct iskra_trace *tr, enum iskra_trace_kind kind, enum iskra_step step,
                     uint32_t detail)
{
    if (!tr->steps || !tr->fn)
        return;
    struct iskra_trace_record rec = {
        .time_ns = tr->pf ? tr->pf->now_ns(tr->pf->arg) : tr->now_ns,
        .kind = (uint16_t)kind,
        .what = (uint16_t)step,
        .depth = tr->depth,
        .a = detail,
    };
    tr->fn(tr->fn_arg, &rec);
}

void iskra_trace_enter(struct iskra_trace *tr, enum iskra_step step, uint32_t detail)
{
    step_put(tr, ISKRA_TRACE_ENTER, step, detail);
    if (tr->depth < UINT8_MAX)
        tr->depth++;
}

void iskra_trace_leave(struct iskra_trace *tr, enum iskra_step step)
{
    if (tr->depth > 0) /* 0: tracing was switched on anew since this step was entered */
        tr->depth--;
    step_put(tr, ISKRA_TRACE_LEAVE, step, 0);
}

/* Names of steps. */
struct step_words {
    const char *name, *layer, *notes, *detail;
};
#define STEP_WORDS(id, name, layer, notes, detail) {name, layer, notes, detail},
static const struct step_words steps[] = {ISKRA_STEPS(STEP_WORDS)};
static const struct step_words step_unknown = {"?", "?", "?", "?"};

static const struct step_words *step_find(unsigned step)
{
    return step < ISKRA_STEP_CNT ? &steps[step] : &step_unknown;
}

const char *iskra_step_name(unsigned step)
{
    return step_find(step)->name;
}

const char *iskra_step_layer(unsigned step)
{
    return step_find(step)->layer;
}

const char *iskra_step_notes(unsigned step)
{
    return step_find(step)->notes;
}

const char *iskra_step_detail(unsigned step)
{
    return step_find(step)->detail;
}

/* Names of SET_PARAM's parameters, registered as the names of states are. */
static struct {
    const char *const *names;
    unsigned cnt;
} params;

void iskra_trace_param_names(const char *const *names, unsigned cnt)
{
    __atomic_store_n(&params.names, names, __ATOMIC_RELAXED);
    __atomic_store_n(&params.cnt, cnt, __ATOMIC_RELEASE);
}

const char *iskra_step_detail_word(unsigned step, uint32_t value)
{
    const char *detail = iskra_step_detail(step);
    if (strcmp(detail, "opcode") == 0)
        return iskra_opcode_name((uint8_t)value);
    if (strcmp(detail, "cdb") == 0)
        return iskra_cdb_name((uint8_t)value, 0);
    if (strcmp(detail, "error") == 0)
        return iskra_conn_error_name(value);
    const struct iskra_verdict_words *words = iskra_verdict_row_words(value);
    if (strcmp(detail, "row") == 0 && words != NULL)
        return words->word;
    if (strcmp(detail, "param") == 0 && value < __atomic_load_n(&params.cnt, __ATOMIC_ACQUIRE))
        return __atomic_load_n(&params.names, __ATOMIC_RELAXED)[value];
    return "";
}

/* Names of states. Layers register theirs from whatever thread runs an initiator, always the same
 * table; hence atomics: a reader sees a count only together with its names. */
#define MACHINE_CNT 5
static struct {
    const char *const *names;
    unsigned cnt;
} machines[MACHINE_CNT];

void iskra_trace_state_names(enum iskra_trace_machine machine, const char *const *names,
                             unsigned cnt)
{
    assert((unsigned)machine < MACHINE_CNT);
    __atomic_store_n(&machines[machine].names, names, __ATOMIC_RELAXED);
    __atomic_store_n(&machines[machine].cnt, cnt, __ATOMIC_RELEASE);
}

static const char *machine_name(unsigned machine)
{
    static const char *const names[MACHINE_CNT] = {"?", "session", "class", "conn", "device"};
    return machine < MACHINE_CNT ? names[machine] : "?";
}

/* NULL if the state has no registered name. */
static const char *state_name(unsigned machine, uint32_t state)
{
    if (machine >= MACHINE_CNT ||
        state >= __atomic_load_n(&machines[machine].cnt, __ATOMIC_ACQUIRE))
        return NULL;
    return __atomic_load_n(&machines[machine].names, __ATOMIC_RELAXED)[state];
}

/* A line being written; what does not fit is cut. */
struct line {
    char *buf;
    size_t size, len;
};

__attribute__((format(printf, 2, 3))) static void line_put(struct line *line, const char *fmt, ...)
{
    if (line->len + 1 >= line->size)
        return;
    va_list ap;
    va_start(ap, fmt);
    int put_len = vsnprintf(line->buf + line->len, line->size - line->len, fmt, ap);
    va_end(ap);
    if (put_len < 0)
        return;
    size_t room = line->size - line->len - 1;
    line->len += (size_t)put_len < room ? (size_t)put_len : room;
}

/* Letters for the bits of byte 1, most significant first; a blank where the PDU has no such bit. */
static const char *flag_letters(uint8_t opcode)
{
    switch (opcode) {
    case ISKRA_OP_SCSI_CMD:
        return "FRW     ";
    case ISKRA_OP_SCSI_RSP:
        return "F  ouOU ";
    case ISKRA_OP_DATA_IN:
        return "FA   OUS";
    case ISKRA_OP_LOGIN:
    case ISKRA_OP_LOGIN_RSP:
        return "TC      ";
    case ISKRA_OP_TEXT:
    case ISKRA_OP_TEXT_RSP:
        return "FC      ";
    default:
        return "F       ";
    }
}

/* Some PDUs carry no serial number: Data-Out and SNACK have no CmdSN, Data-In has a StatSN only
 * with S (11.7.3). */
static bool has_serial(uint8_t opcode, uint8_t flags)
{
    if (opcode == ISKRA_OP_DATA_IN)
        return (flags & 1) != 0;
    return opcode != ISKRA_OP_DATA_OUT && opcode != ISKRA_OP_SNACK;
}

static void line_put_pdu(struct line *line, const struct iskra_trace_record *rec)
{
    uint8_t opcode = (uint8_t)rec->what;
    line_put(line, "%s %s", rec->kind == ISKRA_TRACE_PDU_IN ? "pdu-in" : "pdu-out",
             iskra_opcode_name(opcode));
    const char *letters = flag_letters(opcode);
    for (unsigned bit = 0; bit < 8; bit++)
        if ((rec->flags & 0x80u >> bit) && letters[bit] != ' ')
            line_put(line, " %c", letters[bit]);
    if (opcode == ISKRA_OP_LOGIN || opcode == ISKRA_OP_LOGIN_RSP)
        line_put(line, " csg %u nsg %u", rec->flags >> 2 & 3u, rec->flags & 3u);
    if (opcode == ISKRA_OP_TMF)
        line_put(line, " function %u", rec->flags & 0x7fu);
    if (opcode == ISKRA_OP_LOGOUT)
        line_put(line, " reason %u", rec->flags & 0x7fu);
    line_put(line, " itt 0x%08x len %u", (unsigned)rec->itt, (unsigned)rec->a);
    if (has_serial(opcode, rec->flags))
        line_put(line, " sn %u", (unsigned)rec->b);
    if (has_data_sn(opcode))
        line_put(line, " %s %u", opcode == ISKRA_OP_R2T ? "r2tsn" : "datasn", (unsigned)rec->c);
}

static void line_put_state_name(struct line *line, unsigned machine, uint32_t state)
{
    const char *name = state_name(machine, state);
    if (name)
        line_put(line, "%s", name);
    else
        line_put(line, "%u", (unsigned)state);
}

static void line_put_state(struct line *line, const struct iskra_trace_record *rec)
{
    line_put(line, "state %s ", machine_name(rec->what));
    line_put_state_name(line, rec->what, rec->a);
    line_put(line, " -> ");
    line_put_state_name(line, rec->what, rec->b);
}

char *iskra_trace_format(const struct iskra_trace_record *rec, char *buf, unsigned size)
{
    struct line line = {.buf = buf, .size = size};
    if (size > 0)
        buf[0] = '\0';
    switch (rec->kind) {
    case ISKRA_TRACE_PDU_IN:
    case ISKRA_TRACE_PDU_OUT:
        line_put_pdu(&line, rec);
        break;
    case ISKRA_TRACE_STATE:
        line_put_state(&line, rec);
        break;
    case ISKRA_TRACE_ERROR:
        line_put(&line, "error %u", rec->what);
        break;
    case ISKRA_TRACE_ENTER:
        line_put(&line, "enter %s", iskra_step_name(rec->what));
        if (iskra_step_detail(rec->what)[0] != '\0')
            line_put(&line, " %s %u", iskra_step_detail(rec->what), (unsigned)rec->a);
        break;
    case ISKRA_TRACE_LEAVE:
        line_put(&line, "leave %s", iskra_step_name(rec->what));
        break;
    default:
        line_put(&line, "?");
    }
    return buf;
}
