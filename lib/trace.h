/* The trace inside the library. One struct iskra_trace per initiator; every layer holds a pointer
 * to it.
 *
 * A function that is a step says so in its first line:
 *
 *     ISKRA_STEP(conn->trace, HDR_DISSECT, opcode);
 *
 * which costs one predicted branch on the way in and one on the way out while nobody traces. The
 * leave record is written when the scope ends, on every return path. */
#ifndef ISKRA_LIB_TRACE_H
#define ISKRA_LIB_TRACE_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/trace.h>

struct iskra_platform;

struct iskra_trace {
    struct iskra_trace_record *ring;
    uint32_t mask;   /* records in the ring - 1; a power of two minus one */
    uint32_t head;   /* records ever written, modulo 2^32 */
    uint64_t now_ns; /* the round's time, set by the loop */
    const struct iskra_platform *pf;
    bool steps; /* someone traces steps */
    uint8_t depth;
    void (*fn)(void *arg, const struct iskra_trace_record *rec);
    void *fn_arg;
};

/* record_cnt: a power of two. 0 or -ENOMEM. */
int iskra_trace_init(struct iskra_trace *tr, const struct iskra_platform *pf, uint32_t record_cnt);
void iskra_trace_done(struct iskra_trace *tr);

/* Always-on records. `bhs` is the 48-byte header as on the wire. */
void iskra_trace_pdu(struct iskra_trace *tr, enum iskra_trace_kind kind, uint16_t sid,
                     const uint8_t *bhs);
void iskra_trace_state(struct iskra_trace *tr, enum iskra_trace_machine machine, uint16_t sid,
                       uint32_t from, uint32_t to);
void iskra_trace_error(struct iskra_trace *tr, uint16_t sid, uint32_t conn_error);

/* Printable names of a machine's states, so that records can be formatted by the root without
 * knowing the layers: each layer registers its table once (static storage). */
void iskra_trace_state_names(enum iskra_trace_machine machine, const char *const *names,
                             unsigned cnt);

/* The same for the parameters of SET_PARAM (control/event.h). */
void iskra_trace_param_names(const char *const *names, unsigned cnt);

void iskra_trace_enter(struct iskra_trace *tr, enum iskra_step step, uint32_t detail);
void iskra_trace_leave(struct iskra_trace *tr, enum iskra_step step);

struct iskra_step_scope {
    struct iskra_trace *tr; /* NULL: nobody traced on the way in */
    enum iskra_step step;
};

static inline struct iskra_step_scope iskra_step_begin(struct iskra_trace *tr, enum iskra_step step,
                                                       uint32_t detail)
{
    if (__builtin_expect(tr->steps, 0)) {
        iskra_trace_enter(tr, step, detail);
        return (struct iskra_step_scope){.tr = tr, .step = step};
    }
    return (struct iskra_step_scope){.tr = 0, .step = step};
}

static inline void iskra_step_end(const struct iskra_step_scope *s)
{
    if (__builtin_expect(s->tr != 0, 0))
        iskra_trace_leave(s->tr, s->step);
}

#define ISKRA_STEP(tr, id, detail)                                                                 \
    const struct iskra_step_scope step_scope __attribute__((cleanup(iskra_step_end), unused)) =    \
        iskra_step_begin(tr, ISKRA_STEP_##id, (uint32_t)(detail))

#endif
