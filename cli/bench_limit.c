/* The limiting factor; see bench_limit.h. */
#include "bench_limit.h"

#include <stdbool.h>
#include <stdio.h>
#include <sys/resource.h>

#include <iskra/iskra.h>
#include <iskra/session.h>

#define NS_PER_US 1e3
#define FULL      0.90 /* of the time that the thread could run, it does */
#define MOST      0.50
#define NEARLY    0.80 /* so much of what is wanted: the rest would not be felt */

/* ---- what was used ---- */

static uint64_t cpu_ns(void)
{
    struct rusage usage;
    if (getrusage(RUSAGE_SELF, &usage) != 0)
        return 0;
    uint64_t s = (uint64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec);
    return s * UINT64_C(1000000000) +
           (uint64_t)(usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) * 1000;
}

/* The second number of schedstat: on a machine that is busy with others, too, a thread is not idle
 * because it does not run. 0 where the kernel does not tell. */
static uint64_t starved_ns(void)
{
    unsigned long long waited = 0;
    FILE *f = fopen("/proc/thread-self/schedstat", "re");
    if (f == NULL)
        return 0;
    if (fscanf(f, "%*u %llu", &waited) != 1)
        waited = 0;
    fclose(f);
    return waited;
}

/* Everything that counts up. */
static struct cli_bench_use use_now(const struct iskra_lun *lun, uint64_t now_ns)
{
    struct iskra_session_stats stats;
    iskra_session_stats(lun, &stats);
    return (struct cli_bench_use){
        .wall_ns = now_ns,
        .cpu_ns = cpu_ns(),
        .starved_ns = starved_ns(),
        .window_wait_ns = stats.window_wait_ns,
        .r2t_wait_ns = stats.r2t_wait_ns,
    };
}

void cli_bench_use_begin(struct cli_bench_use *use, const struct iskra_lun *lun, uint64_t now_ns)
{
    *use = use_now(lun, now_ns);
}

void cli_bench_use_end(struct cli_bench_use *use, const struct iskra_lun *lun, uint64_t now_ns)
{
    struct cli_bench_use now = use_now(lun, now_ns);
    use->wall_ns = now.wall_ns - use->wall_ns;
    use->cpu_ns = now.cpu_ns - use->cpu_ns;
    use->starved_ns = now.starved_ns - use->starved_ns;
    use->window_wait_ns = now.window_wait_ns - use->window_wait_ns;
    use->r2t_wait_ns = now.r2t_wait_ns - use->r2t_wait_ns;
}

/* ---- what it means ---- */

const char *cli_bench_cause_name(enum cli_bench_cause cause)
{
    static const char *const names[] = {
        [CLI_BENCH_LIMIT_NONE] = "none",     [CLI_BENCH_LIMIT_CORE] = "core",
        [CLI_BENCH_LIMIT_WINDOW] = "window", [CLI_BENCH_LIMIT_R2T] = "r2t",
        [CLI_BENCH_LIMIT_TARGET] = "target",
    };
    return names[cause];
}

static double share_of(uint64_t part, uint64_t whole)
{
    if (whole == 0)
        return 0;
    return part < whole ? (double)part / (double)whole : 1;
}

/* Of the time that a processor was to be had. */
static double core_share(const struct cli_bench_use *use)
{
    uint64_t could_ns = use->starved_ns < use->wall_ns ? use->wall_ns - use->starved_ns : 0;
    return share_of(use->cpu_ns, could_ns);
}

static double us_per_io(const struct cli_bench_facts *f, uint64_t ns)
{
    return (double)ns / NS_PER_US / (double)f->io_cnt;
}

static void text_write(const struct cli_bench_facts *f, struct cli_bench_limit *l)
{
    double percent = 100 * l->share;
    switch (l->cause) {
    case CLI_BENCH_LIMIT_NONE:
        snprintf(l->text, sizeof(l->text), "nothing was measured");
        break;
    case CLI_BENCH_LIMIT_CORE:
        snprintf(l->text, sizeof(l->text),
                 "one core is full: %.0f %% of it went into %.2f us per I/O", percent,
                 us_per_io(f, f->use.cpu_ns));
        break;
    case CLI_BENCH_LIMIT_WINDOW:
        snprintf(l->text, sizeof(l->text),
                 "the target's command window was closed %.0f %% of the time: it has taken %u "
                 "commands, %u are wanted in flight",
                 percent, f->use.taken_cnt, f->qd);
        break;
    case CLI_BENCH_LIMIT_R2T:
        snprintf(l->text, sizeof(l->text),
                 "writes waited for R2Ts %.0f %% of their time: at most %u of %u bytes are out "
                 "for each",
                 percent, f->max_r2t, f->max_burst_len);
        break;
    case CLI_BENCH_LIMIT_TARGET:
        snprintf(l->text, sizeof(l->text),
                 "the target and the way to it: %.0f %% of the time was waiting, %.1f us for each "
                 "answer with %u in flight%s",
                 percent, us_per_io(f, f->latency_ns), f->qd,
                 f->busy_polls ? ", or looking for it (busy_poll_us)" : "");
        break;
    }
}

/* It is closed all the time, too, if it has room for all but one: that would not make much of a
 * difference. */
static bool window_is_small(const struct cli_bench_facts *f)
{
    return (double)f->use.taken_cnt < NEARLY * f->qd;
}

/* A core that is full is first: with more commands or earlier R2Ts it would have no more time. */
void cli_bench_limit_find(const struct cli_bench_facts *f, struct cli_bench_limit *ret)
{
    double core = f->busy_polls ? 0 : core_share(&f->use);
    double window = share_of(f->use.window_wait_ns, f->use.wall_ns);
    double r2t = share_of(f->use.r2t_wait_ns, f->write_latency_ns);
    *ret = (struct cli_bench_limit){.cause = CLI_BENCH_LIMIT_TARGET, .share = 1 - core};
    if (f->io_cnt == 0 || f->use.wall_ns == 0)
        *ret = (struct cli_bench_limit){.cause = CLI_BENCH_LIMIT_NONE};
    else if (core >= FULL)
        *ret = (struct cli_bench_limit){.cause = CLI_BENCH_LIMIT_CORE, .share = core};
    else if (window >= MOST && window >= r2t && window_is_small(f))
        *ret = (struct cli_bench_limit){.cause = CLI_BENCH_LIMIT_WINDOW, .share = window};
    else if (r2t >= MOST)
        *ret = (struct cli_bench_limit){.cause = CLI_BENCH_LIMIT_R2T, .share = r2t};
    text_write(f, ret);
}
