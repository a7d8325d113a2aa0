/* What happened in a run: one number over all of it, so that two runs can be compared, the last
 * lines of it in words, and the first thing that must not have happened. */
#ifndef ISKRA_SIM_RECORD_H
#define ISKRA_SIM_RECORD_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "sim/clock.h"

#define SIM_LINE_LEN 200u
#define SIM_LINE_CNT 400u

struct sim_record {
    const struct sim_clock *clock;
    uint64_t hash, event_cnt;
    bool words;  /* lines are kept */
    FILE *print; /* and printed at once; NULL: not */
    bool failed;
    char failure[512];
    uint64_t line_cnt;
    char (*lines)[SIM_LINE_LEN]; /* SIM_LINE_CNT of them, or NULL */
};

void sim_record_init(struct sim_record *record, const struct sim_clock *clock, bool words,
                     FILE *print);
void sim_record_done(struct sim_record *record);

/* Something has happened: `what` with three numbers that say which. */
void sim_note(struct sim_record *record, const char *what, uint64_t a, uint64_t b, uint64_t c);
void sim_note_text(struct sim_record *record, const char *text);

/* Only the first one counts. */
void sim_fail(struct sim_record *record, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));

void sim_record_print_last(const struct sim_record *record, FILE *to);

#endif
