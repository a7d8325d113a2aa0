/* The record of a run: see record.h. */
#include "sim/record.h"

#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include "sim/random.h"

void sim_record_init(struct sim_record *record, const struct sim_clock *clock, bool words,
                     FILE *print)
{
    *record = (struct sim_record){.clock = clock, .words = words || print, .print = print};
    if (record->words)
        record->lines = calloc(SIM_LINE_CNT, sizeof(*record->lines));
}

void sim_record_done(struct sim_record *record)
{
    free(record->lines);
    record->lines = NULL;
}

static void hash_in(struct sim_record *record, uint64_t value)
{
    record->hash = sim_mix(record->hash ^ value) + UINT64_C(0x9e3779b97f4a7c15);
}

static void keep(struct sim_record *record, const char *text)
{
    char *line = record->lines[record->line_cnt++ % SIM_LINE_CNT];
    uint64_t now_ns = record->clock->now_ns;
    int len = snprintf(line, SIM_LINE_LEN, "%6llu.%09llu ", (unsigned long long)(now_ns / SIM_S),
                       (unsigned long long)(now_ns % SIM_S));
    size_t text_len = strnlen(text, SIM_LINE_LEN - 1 - (size_t)len); /* it may be cut */
    memcpy(line + len, text, text_len);
    line[(size_t)len + text_len] = '\0';
    if (record->print)
        fprintf(record->print, "%s\n", line);
}

void sim_note(struct sim_record *record, const char *what, uint64_t a, uint64_t b, uint64_t c)
{
    record->event_cnt++;
    hash_in(record, record->clock->now_ns);
    hash_in(record, (uint64_t)(uint8_t)what[0] << 8 | (uint8_t)what[1]);
    hash_in(record, a);
    hash_in(record, b);
    hash_in(record, c);
    if (record->words && record->lines) {
        char text[SIM_LINE_LEN];
        snprintf(text, sizeof(text), "%s %llu %llu %llu", what, (unsigned long long)a,
                 (unsigned long long)b, (unsigned long long)c);
        keep(record, text);
    }
}

void sim_note_text(struct sim_record *record, const char *text)
{
    hash_in(record, record->clock->now_ns);
    for (const char *p = text; *p; p++)
        record->hash = (record->hash ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
    if (record->words && record->lines)
        keep(record, text);
}

void sim_fail(struct sim_record *record, const char *fmt, ...)
{
    if (record->failed)
        return;
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(record->failure, sizeof(record->failure), fmt, ap);
    va_end(ap);
    record->failed = true;
    sim_note_text(record, record->failure);
}

void sim_record_print_last(const struct sim_record *record, FILE *to)
{
    if (!record->lines)
        return;
    uint64_t first = record->line_cnt > SIM_LINE_CNT ? record->line_cnt - SIM_LINE_CNT : 0;
    for (uint64_t i = first; i < record->line_cnt; i++)
        fprintf(to, "%s\n", record->lines[i % SIM_LINE_CNT]);
}
