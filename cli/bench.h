/* The load of iskra bench: requests in flight on one LUN, in up to three phases, and what they
 * measure.
 *
 * fill  with verify: the region is written, so that all of it is known
 * run   what was asked for, for as long as was asked for; only this is measured
 * check with verify: the region is read back
 *
 * The clock is read once a round of the loop, for all that has completed in it. Nothing is
 * allocated but at the start. */
#ifndef ISKRA_CLI_BENCH_H
#define ISKRA_CLI_BENCH_H

#include "bench_limit.h"
#include "cli.h"
#include "depth.h"
#include "histogram.h"
#include "ledger.h"

enum cli_bench_rw {
    CLI_BENCH_RANDREAD,
    CLI_BENCH_RANDWRITE,
    CLI_BENCH_READ,
    CLI_BENCH_WRITE,
    CLI_BENCH_MIX,
};

#define CLI_BENCH_MIX_READS 70 /* per cent */

struct cli_bench_plan {
    enum cli_bench_rw rw;
    unsigned qd;
    uint64_t bs, size; /* bytes; size: of the region, from offset 0 on, a multiple of bs */
    uint64_t time_ns;
    uint64_t seed;
    bool verify;
    bool lines; /* progress as a line per second on stderr, whatever that is */
};

enum cli_bench_phase {
    CLI_BENCH_FILL,
    CLI_BENCH_RUN,
    CLI_BENCH_CHECK,
    CLI_BENCH_END,
};
const char *cli_bench_phase_name(enum cli_bench_phase phase); /* "fill", ... */

/* "randread", ...; NULL: there is no such pattern. */
const char *cli_bench_rw_name(unsigned rw);

/* Of the requests of one direction. Times and amounts are those of `run`, the rest is of all
 * phases. */
struct cli_bench_tally {
    struct cli_histogram latency; /* ns */
    uint64_t len;                 /* bytes moved */
    uint64_t error_cnt, mismatch_cnt, verified_len;
};

enum {
    CLI_BENCH_READS,
    CLI_BENCH_WRITES,
    CLI_BENCH_DIRECTION_CNT
};

/* Of all phases, since the last progress line. */
struct cli_bench_window {
    uint64_t start_ns, len;
    struct cli_histogram latency; /* ns */
};

struct cli_bench_slot;

struct cli_bench {
    const struct cli *cli;
    struct iskra_lun *lun;
    struct cli_bench_plan plan;
    uint64_t block_cnt;         /* of bs, in the region */
    uint64_t pass_blocks;       /* per request in fill and check */
    enum cli_bench_phase phase; /* set by phase_enter() only */
    struct cli_ledger ledger;   /* with verify */

    struct cli_bench_slot *slots, *free_list, *done_list;
    unsigned char *memory; /* of all slots */
    size_t slot_len;
    unsigned in_flight_cnt;
    uint64_t next;   /* block, of what goes through the region in order */
    uint64_t random; /* the generator's state */

    uint64_t now_ns; /* of this round */
    uint64_t begin_ns;
    uint64_t run_start_ns, run_ns; /* of the phase run: when it began, how long it was */
    struct cli_bench_use use;      /* of that time */
    struct cli_bench_tally tally[CLI_BENCH_DIRECTION_CNT];
    struct cli_bench_window window;
    struct cli_progress progress;

    uint64_t looked_ns;         /* when a signal was looked for */
    int interrupt_fd, signo;    /* signo: what stopped it early, or 0 */
    int failed_rc;              /* of the first failure, or 0 */
    struct iskra_error failure; /* its story */
};

bool cli_bench_writes(const struct cli_bench_plan *plan); /* anything, at any time */

/* 0 or -ENOMEM; afterwards cli_bench_done(), when the initiator is gone: it may own requests. */
int cli_bench_init(struct cli_bench *bench, const struct cli *cli, struct iskra_lun *lun,
                   const struct cli_bench_plan *plan, uint64_t run);
void cli_bench_done(struct cli_bench *bench);

/* Runs until it is over, something fails, or a signal comes. */
void cli_bench_run(struct cli_bench *bench);

/* For how long the oldest request has been in flight; 0 if none is. */
uint64_t cli_bench_oldest_ns(const struct cli_bench *bench);

/* ---- bench_line.c ---- */

/* A second has passed: a line about it. */
void cli_bench_tell(struct cli_bench *bench);
uint64_t cli_bench_reconnect_cnt(const struct cli_bench *bench);
/* Commands that the session has now. */
uint32_t cli_bench_taken_cnt(const struct cli_bench *bench);

/* ---- bench_report.c ---- */

/* The end: text or JSON on stdout. */
void cli_bench_report(const struct cli_bench *bench);

#endif
