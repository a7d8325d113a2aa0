/* What keeps iskra bench from being faster: decided from what was counted, never guessed.
 *
 * One core full: the thread that does it all has nothing to spare. Command window: the target takes
 * fewer commands at once than are wanted in flight. R2Ts: writes wait to be asked for their data.
 * Else whoever answers is what is waited for: the target, or the way to it. */
#ifndef ISKRA_CLI_BENCH_LIMIT_H
#define ISKRA_CLI_BENCH_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

struct iskra_lun;

/* What a span of time cost, from use_begin() to use_end(). Times in ns. */
struct cli_bench_use {
    uint64_t wall_ns;
    uint64_t cpu_ns;         /* of the processor: this process, user and system */
    uint64_t starved_ns;     /* ready to run, and no processor was free */
    uint64_t window_wait_ns; /* a command waited for the target's command window */
    uint64_t r2t_wait_ns;    /* writes waited for R2Ts, added up */
    uint32_t taken_cnt;      /* commands that the session had at the end */
};

void cli_bench_use_begin(struct cli_bench_use *use, const struct iskra_lun *lun, uint64_t now_ns);
void cli_bench_use_end(struct cli_bench_use *use, const struct iskra_lun *lun, uint64_t now_ns);

enum cli_bench_cause {
    CLI_BENCH_LIMIT_NONE, /* nothing was done that could be slow */
    CLI_BENCH_LIMIT_CORE,
    CLI_BENCH_LIMIT_WINDOW,
    CLI_BENCH_LIMIT_R2T,
    CLI_BENCH_LIMIT_TARGET,
};
const char *cli_bench_cause_name(enum cli_bench_cause cause); /* "none", "core", ... */

struct cli_bench_facts {
    struct cli_bench_use use;
    uint64_t io_cnt;
    uint64_t latency_ns, write_latency_ns; /* of all requests, of writes; added up */
    unsigned qd;
    uint32_t max_burst_len, max_r2t; /* as negotiated */
    bool busy_polls;                 /* a core is busy whatever there is to do */
};

struct cli_bench_limit {
    enum cli_bench_cause cause;
    double share;   /* of the time, 0 to 1: of what the text says */
    char text[256]; /* one sentence, with its numbers */
};

void cli_bench_limit_find(const struct cli_bench_facts *facts, struct cli_bench_limit *ret);

#endif
