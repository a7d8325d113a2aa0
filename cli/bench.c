/* Requests in flight, phases and checks; see bench.h. */
#include "bench.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define SECOND_NS     UINT64_C(1000000000)
#define LOOK_NS       UINT64_C(50000000)    /* for a signal */
#define PASS_LEN      ((uint64_t)256 << 10) /* of a request in fill and check, unless bs is more */
#define PAGE_LEN      4096u
#define DIFFERENT_MAX 16u  /* differences that are told one by one */
#define TRIES         257u /* one block more than requests can be in the way of */
_Static_assert(TRIES > CLI_DEPTH_QD_MAX, "if there is a free block, it is found");

struct cli_bench_slot {
    struct iskra_io io;
    struct iovec iov;
    struct cli_bench *bench;
    struct cli_bench_slot *next; /* in the free list, or among those that are done */
    uint64_t block, block_cnt;
    uint64_t start_ns; /* 0: not in flight */
    bool then_write;   /* it is read only to be checked before it is overwritten */
};

const char *cli_bench_phase_name(enum cli_bench_phase phase)
{
    static const char *const names[] = {
        [CLI_BENCH_FILL] = "fill",
        [CLI_BENCH_RUN] = "run",
        [CLI_BENCH_CHECK] = "check",
        [CLI_BENCH_END] = "end",
    };
    return names[phase];
}

const char *cli_bench_rw_name(unsigned rw)
{
    static const char *const names[] = {
        [CLI_BENCH_RANDREAD] = "randread", [CLI_BENCH_RANDWRITE] = "randwrite",
        [CLI_BENCH_READ] = "read",         [CLI_BENCH_WRITE] = "write",
        [CLI_BENCH_MIX] = "mix",
    };
    return rw < sizeof(names) / sizeof(names[0]) ? names[rw] : NULL;
}

bool cli_bench_writes(const struct cli_bench_plan *plan)
{
    return plan->verify || (plan->rw != CLI_BENCH_RANDREAD && plan->rw != CLI_BENCH_READ);
}

static uint64_t min64(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* SplitMix64. */
static uint64_t random_next(struct cli_bench *bench)
{
    uint64_t x = bench->random += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static uint64_t random_below(struct cli_bench *bench, uint64_t end)
{
    return random_next(bench) % end; /* of 64 bits: what that prefers does not show */
}

/* ---- phases ---- */

/* The phases follow one another, and each begins when nothing of the one before is in flight. */
static void phase_enter(struct cli_bench *bench, enum cli_bench_phase phase)
{
    if (bench->phase == CLI_BENCH_RUN && bench->run_start_ns > 0) {
        bench->run_ns = bench->now_ns - bench->run_start_ns;
        cli_bench_use_end(&bench->use, bench->lun, bench->now_ns);
    }
    bench->phase = phase;
    bench->next = 0;
    if (phase == CLI_BENCH_RUN) {
        bench->run_start_ns = bench->now_ns;
        cli_bench_use_begin(&bench->use, bench->lun, bench->now_ns);
    }
}

static enum cli_bench_phase phase_next(const struct cli_bench *bench)
{
    if (bench->phase == CLI_BENCH_FILL)
        return CLI_BENCH_RUN;
    return bench->phase == CLI_BENCH_RUN && bench->plan.verify ? CLI_BENCH_CHECK : CLI_BENCH_END;
}

static bool phase_has_more(const struct cli_bench *bench)
{
    if (bench->phase == CLI_BENCH_RUN)
        return bench->now_ns - bench->run_start_ns < bench->plan.time_ns;
    return bench->phase != CLI_BENCH_END && bench->next < bench->block_cnt;
}

/* ---- which block ---- */

static bool op_draw(struct cli_bench *bench)
{
    switch (bench->plan.rw) {
    case CLI_BENCH_RANDREAD:
    case CLI_BENCH_READ:
        return false;
    case CLI_BENCH_RANDWRITE:
    case CLI_BENCH_WRITE:
        return true;
    case CLI_BENCH_MIX:
        break;
    }
    return random_below(bench, 100) >= CLI_BENCH_MIX_READS;
}

/* The first that is free from here on, round the region's end. */
static bool block_find(const struct cli_bench *bench, uint64_t from, bool to_write, uint64_t *ret)
{
    uint64_t tries = min64(TRIES, bench->block_cnt);
    for (uint64_t i = 0; i < tries; i++) {
        uint64_t block = (from + i) % bench->block_cnt;
        if (bench->plan.verify && !cli_ledger_is_free(&bench->ledger, block, to_write))
            continue;
        *ret = block;
        return true;
    }
    return false;
}

/* The next request of `run`. False: all blocks are in use, or the time is up. */
static bool run_draw(struct cli_bench *bench, struct cli_bench_slot *slot, bool *ret_write)
{
    bool in_order = bench->plan.rw == CLI_BENCH_READ || bench->plan.rw == CLI_BENCH_WRITE;
    if (!phase_has_more(bench))
        return false;
    *ret_write = op_draw(bench);
    uint64_t from = in_order ? bench->next : random_below(bench, bench->block_cnt);
    if (!block_find(bench, from, *ret_write, &slot->block))
        return false;
    slot->block_cnt = 1;
    bench->next = (slot->block + 1) % bench->block_cnt;
    slot->then_write =
        *ret_write && bench->plan.verify && !cli_ledger_is_checked(&bench->ledger, slot->block);
    *ret_write = *ret_write && !slot->then_write;
    return true;
}

static bool request_draw(struct cli_bench *bench, struct cli_bench_slot *slot, bool *ret_write)
{
    if (bench->phase == CLI_BENCH_RUN)
        return run_draw(bench, slot, ret_write);
    if (!phase_has_more(bench))
        return false;
    *ret_write = bench->phase == CLI_BENCH_FILL;
    slot->block = bench->next;
    slot->block_cnt = min64(bench->pass_blocks, bench->block_cnt - bench->next);
    bench->next += slot->block_cnt;
    return true;
}

/* ---- requests ---- */

static void failed(struct cli_bench *bench, int rc, const struct iskra_error *err)
{
    if (bench->failed_rc)
        return;
    bench->failed_rc = rc;
    bench->failure = *err;
}

static void request_done(struct iskra_io *io)
{
    struct cli_bench_slot *slot = io->user;
    slot->next = slot->bench->done_list;
    slot->bench->done_list = slot;
}

static void slot_submit(struct cli_bench *bench, struct cli_bench_slot *slot, bool to_write)
{
    uint64_t bs = bench->plan.bs, len = slot->block_cnt * bs;
    if (bench->plan.verify && to_write)
        cli_ledger_write_begin(&bench->ledger, slot->block, slot->block_cnt, slot->iov.iov_base);
    else if (slot->then_write)
        cli_ledger_claim(&bench->ledger, slot->block);
    else if (bench->plan.verify)
        cli_ledger_read_begin(&bench->ledger, slot->block, slot->block_cnt);
    slot->iov.iov_len = len;
    slot->io.op = to_write ? ISKRA_WRITE : ISKRA_READ;
    slot->io.offset = slot->block * bs;
    slot->io.iov = &slot->iov;
    slot->io.iov_cnt = 1;
    slot->io.len = len;
    slot->io.done = request_done;
    slot->io.user = slot;
    slot->start_ns = bench->now_ns;
    bench->in_flight_cnt++;
    slot->io.status = iskra_submit(bench->lun, &slot->io);
    if (slot->io.status != 0)
        request_done(&slot->io); /* refused: counted and told as if it had failed on its way */
}

static void slots_fill(struct cli_bench *bench)
{
    bool to_write = false;
    while (bench->free_list && !bench->failed_rc && !bench->done_list &&
           request_draw(bench, bench->free_list, &to_write)) {
        struct cli_bench_slot *slot = bench->free_list;
        bench->free_list = slot->next;
        slot_submit(bench, slot, to_write);
    }
}

/* What was read is compared, block by block. */
static void slot_check(struct cli_bench *bench, const struct cli_bench_slot *slot)
{
    struct cli_bench_tally *tally = &bench->tally[CLI_BENCH_READS];
    const unsigned char *at = slot->iov.iov_base;
    for (uint64_t i = 0; i < slot->block_cnt; i++, at += bench->plan.bs) {
        struct cli_ledger_difference difference;
        char text[CLI_LEDGER_TEXT_LEN];
        tally->verified_len += bench->plan.bs;
        if (cli_ledger_check(&bench->ledger, slot->block + i, at, &difference))
            continue;
        if (tally->mismatch_cnt++ < DIFFERENT_MAX)
            cli_error(bench->cli, "verify: offset %llu: %s", (unsigned long long)difference.offset,
                      cli_ledger_difference_format(&difference, text));
        else if (tally->mismatch_cnt == DIFFERENT_MAX + 1)
            cli_error(bench->cli, "verify: further differences are only counted");
    }
}

static void tally_take(struct cli_bench *bench, const struct cli_bench_slot *slot,
                       struct cli_bench_tally *tally)
{
    uint64_t latency_ns = bench->now_ns - slot->start_ns;
    if (slot->io.status != 0) {
        tally->error_cnt++;
        failed(bench, slot->io.status, &slot->io.error);
        return;
    }
    cli_histogram_add(&bench->window.latency, latency_ns);
    bench->window.len += slot->io.len;
    if (bench->phase != CLI_BENCH_RUN || slot->then_write)
        return;
    cli_histogram_add(&tally->latency, latency_ns);
    tally->len += slot->io.len;
}

/* The ledger hears of it. */
static void slot_book(struct cli_bench *bench, const struct cli_bench_slot *slot)
{
    bool well = slot->io.status == 0;
    if (slot->io.op == ISKRA_WRITE) {
        cli_ledger_write_end(&bench->ledger, slot->block, slot->block_cnt, well);
        return;
    }
    if (well)
        slot_check(bench, slot);
    if (slot->then_write)
        cli_ledger_release(&bench->ledger, slot->block);
    else
        cli_ledger_read_end(&bench->ledger, slot->block, slot->block_cnt);
}

static void slot_finish(struct cli_bench *bench, struct cli_bench_slot *slot)
{
    bool wrote = slot->io.op == ISKRA_WRITE;
    tally_take(bench, slot, &bench->tally[wrote ? CLI_BENCH_WRITES : CLI_BENCH_READS]);
    if (bench->plan.verify)
        slot_book(bench, slot);
    bench->in_flight_cnt--;
    slot->start_ns = 0;
    bool go_on = slot->then_write && !bench->failed_rc && phase_has_more(bench);
    slot->then_write = false;
    if (go_on) {
        slot_submit(bench, slot, true);
        return;
    }
    slot->next = bench->free_list;
    bench->free_list = slot;
}

/* ---- the loop ---- */

static void line_tell(struct cli_bench *bench)
{
    if (bench->now_ns - bench->window.start_ns < SECOND_NS)
        return;
    if (bench->plan.lines || bench->progress.wanted)
        cli_bench_tell(bench);
    memset(&bench->window, 0, sizeof(bench->window));
    bench->window.start_ns = bench->now_ns;
}

/* How many commands the target takes at once, looked at once in the middle of the run: at its end
 * they are all back. */
static void taken_note(struct cli_bench *bench)
{
    if (bench->phase == CLI_BENCH_RUN && bench->use.taken_cnt == 0 &&
        bench->now_ns - bench->run_start_ns > bench->plan.time_ns / 2)
        bench->use.taken_cnt = cli_bench_taken_cnt(bench);
}

/* A signal waits in its descriptor: it is looked for now and then, not in every round. */
static void interrupt_look(struct cli_bench *bench)
{
    if (bench->now_ns - bench->looked_ns < LOOK_NS)
        return;
    bench->looked_ns = bench->now_ns;
    bench->signo = cli_interrupt_taken(bench->interrupt_fd);
}

/* The library's own loop waits, so that it may look for answers before it sleeps (busy_poll_us). */
static void round_run(struct cli_bench *bench)
{
    uint64_t passed_ns = bench->now_ns - bench->window.start_ns;
    uint64_t left_ns = passed_ns < SECOND_NS ? SECOND_NS - passed_ns : 0;
    int64_t wait_ns = bench->done_list ? 0 : (int64_t)min64(left_ns, LOOK_NS);
    int rc = iskra_run_once(bench->cli->ctx, wait_ns);
    if (rc < 0)
        failed(bench, rc, &(struct iskra_error){0});
    bench->now_ns = cli_now_ns();
    interrupt_look(bench);
    struct cli_bench_slot *slot = bench->done_list;
    bench->done_list = NULL;
    while (slot) {
        struct cli_bench_slot *next = slot->next;
        slot_finish(bench, slot);
        slot = next;
    }
}

void cli_bench_run(struct cli_bench *bench)
{
    bench->now_ns = bench->begin_ns = bench->window.start_ns = cli_now_ns();
    cli_progress_init(&bench->progress, bench->cli, 0);
    phase_enter(bench, bench->plan.verify ? CLI_BENCH_FILL : CLI_BENCH_RUN);
    while (!bench->failed_rc && !bench->signo && bench->phase != CLI_BENCH_END) {
        slots_fill(bench);
        taken_note(bench);
        line_tell(bench);
        if (bench->in_flight_cnt == 0 && !phase_has_more(bench))
            phase_enter(bench, phase_next(bench));
        else
            round_run(bench);
    }
    phase_enter(bench, CLI_BENCH_END);
    cli_progress_clear(&bench->progress);
}

uint64_t cli_bench_oldest_ns(const struct cli_bench *bench)
{
    uint64_t oldest_ns = bench->now_ns;
    for (unsigned i = 0; i < bench->plan.qd; i++)
        if (bench->slots[i].start_ns > 0)
            oldest_ns = min64(oldest_ns, bench->slots[i].start_ns);
    return bench->now_ns - oldest_ns;
}

/* ---- memory ---- */

static int slots_init(struct cli_bench *bench)
{
    const struct cli_bench_plan *plan = &bench->plan;
    bench->slot_len = bench->pass_blocks * plan->bs;
    bench->slots = calloc(plan->qd, sizeof(*bench->slots));
    bench->memory =
        aligned_alloc(PAGE_LEN, (plan->qd * bench->slot_len + PAGE_LEN - 1) / PAGE_LEN * PAGE_LEN);
    if (!bench->slots || !bench->memory)
        return -ENOMEM;
    for (size_t at = 0; at + 8 <= plan->qd * bench->slot_len; at += 8) {
        uint64_t word = random_next(bench);
        memcpy(bench->memory + at, &word, 8); /* what does not compress, as data seldom does */
    }
    for (unsigned i = 0; i < plan->qd; i++) {
        struct cli_bench_slot *slot = &bench->slots[i];
        slot->bench = bench;
        slot->iov.iov_base = bench->memory + i * bench->slot_len;
        slot->next = bench->free_list;
        bench->free_list = slot;
    }
    return 0;
}

int cli_bench_init(struct cli_bench *bench, const struct cli *cli, struct iskra_lun *lun,
                   const struct cli_bench_plan *plan, uint64_t run)
{
    *bench = (struct cli_bench){
        .cli = cli,
        .lun = lun,
        .plan = *plan,
        .block_cnt = plan->size / plan->bs,
        .pass_blocks = plan->verify && plan->bs < PASS_LEN ? PASS_LEN / plan->bs : 1,
        .phase = CLI_BENCH_END,
        .random = plan->seed,
        .interrupt_fd = -1,
    };
    int rc = slots_init(bench);
    if (rc == 0 && plan->verify)
        rc = cli_ledger_init(&bench->ledger, bench->block_cnt, plan->bs, run);
    bench->random = plan->seed;
    return rc;
}

void cli_bench_done(struct cli_bench *bench)
{
    cli_ledger_done(&bench->ledger);
    free(bench->slots);
    free(bench->memory);
}
