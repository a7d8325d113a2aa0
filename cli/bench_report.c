/* What iskra bench says at its end. In the words of fio, whose users know how to read it. */
#include "bench.h"

#include <unistd.h>

#include <iskra/session.h>

#include "json.h"

#define NS_PER_S  1e9
#define NS_PER_US 1e3

static double per_second(uint64_t amount, uint64_t ns)
{
    return ns > 0 ? (double)amount * NS_PER_S / (double)ns : 0;
}

/* What both directions have together, or one of them. */
struct sums {
    struct cli_histogram latency;
    uint64_t len, error_cnt, mismatch_cnt, verified_len;
};

static void sums_add(struct sums *sums, const struct cli_bench_tally *tally)
{
    cli_histogram_merge(&sums->latency, &tally->latency);
    sums->len += tally->len;
    sums->error_cnt += tally->error_cnt;
    sums->mismatch_cnt += tally->mismatch_cnt;
    sums->verified_len += tally->verified_len;
}

static double quantile_us(const struct cli_histogram *latency, double share)
{
    return (double)cli_histogram_quantile(latency, share) / NS_PER_US;
}

static void limit_find(const struct cli_bench *bench, const struct sums *sums,
                       const struct sums *all, struct cli_bench_limit *ret)
{
    struct iskra_session_info info;
    iskra_session_info(bench->lun, &info);
    const struct cli_bench_facts facts = {
        .use = bench->use,
        .io_cnt = all->latency.cnt,
        .latency_ns = all->latency.sum,
        .write_latency_ns = sums[CLI_BENCH_WRITES].latency.sum,
        .qd = bench->plan.qd,
        .max_burst_len = info.max_burst_length,
        .max_r2t = info.max_outstanding_r2t,
        .busy_polls = info.busy_poll_us > 0,
    };
    cli_bench_limit_find(&facts, ret);
}

/* Per I/O of whatever direction: a processor does not say for which of them it worked. */
static double cpu_us_per_io(const struct cli_bench *bench)
{
    uint64_t io_cnt =
        bench->tally[CLI_BENCH_READS].latency.cnt + bench->tally[CLI_BENCH_WRITES].latency.cnt;
    return io_cnt ? (double)bench->use.cpu_ns / NS_PER_US / (double)io_cnt : 0;
}

static void sums_json(const struct cli_bench *bench, const struct sums *sums,
                      struct json_object *to)
{
    struct json_object *latency = cli_json_object();
    cli_json_real(latency, "mean", cli_histogram_mean(&sums->latency) / NS_PER_US);
    cli_json_real(latency, "p50", quantile_us(&sums->latency, 0.5));
    cli_json_real(latency, "p99", quantile_us(&sums->latency, 0.99));
    cli_json_real(latency, "p999", quantile_us(&sums->latency, 0.999));
    cli_json_real(to, "iops", per_second(sums->latency.cnt, bench->run_ns));
    cli_json_real(to, "mbps", per_second(sums->len, bench->run_ns) / 1e6);
    cli_json_put(to, "lat_us", latency);
    cli_json_real(to, "cpu_us_per_io", cpu_us_per_io(bench));
    cli_json_number(to, "errors", sums->error_cnt);
    cli_json_number(to, "mismatches", sums->mismatch_cnt);
    cli_json_number(to, "bytes_verified", sums->verified_len);
    cli_json_number(to, "reconnects", cli_bench_reconnect_cnt(bench));
    cli_json_real(to, "seconds", (double)bench->run_ns / NS_PER_S);
}

static void report_json(const struct cli_bench *bench, const struct sums *sums,
                        const struct sums *all, const struct cli_bench_limit *limit)
{
    static const char *const names[] = {"read", "write"};
    struct json_object *root = cli_json_object(), *limit_to = cli_json_object();
    sums_json(bench, all, root);
    cli_json_text(limit_to, "cause", cli_bench_cause_name(limit->cause));
    cli_json_real(limit_to, "share", limit->share);
    cli_json_text(limit_to, "text", limit->text);
    cli_json_put(root, "limit", limit_to);
    for (unsigned i = 0; i < CLI_BENCH_DIRECTION_CNT && bench->plan.rw == CLI_BENCH_MIX; i++) {
        struct json_object *one = cli_json_object();
        sums_json(bench, &sums[i], one);
        cli_json_put(root, names[i], one);
    }
    cli_json_print(root);
}

static void direction_print(const struct cli_bench *bench, const char *name,
                            const struct sums *sums)
{
    const struct cli_histogram *latency = &sums->latency;
    char size[CLI_SIZE_TEXT_LEN], rate[CLI_SIZE_TEXT_LEN];
    double bytes = per_second(sums->len, bench->run_ns);
    cli_size_format(sums->len, size);
    cli_size_format((uint64_t)bytes, rate);
    cli_print("  %s: IOPS=%.0f, BW=%s/s (%.1f MB/s), %llu I/Os, %s in %.3f s\n", name,
              per_second(latency->cnt, bench->run_ns), rate, bytes / 1e6,
              (unsigned long long)latency->cnt, size, (double)bench->run_ns / NS_PER_S);
    cli_print("    lat (usec): min=%.1f, mean=%.1f, max=%.1f\n", (double)latency->min / NS_PER_US,
              cli_histogram_mean(latency) / NS_PER_US, (double)latency->max / NS_PER_US);
    cli_print("    lat percentiles (usec): 50th=%.1f, 90th=%.1f, 99th=%.1f, 99.9th=%.1f\n",
              quantile_us(latency, 0.5), quantile_us(latency, 0.9), quantile_us(latency, 0.99),
              quantile_us(latency, 0.999));
    if (bench->cli->verbose || isatty(STDOUT_FILENO) == 1)
        cli_histogram_draw(latency);
}

static void report_print(const struct cli_bench *bench, const struct sums *sums,
                         const struct sums *all, const struct cli_bench_limit *limit)
{
    static const char *const names[] = {"read", "write"};
    const struct cli_bench_plan *plan = &bench->plan;
    char size[CLI_SIZE_TEXT_LEN];
    cli_print("rw=%s, bs=%llu, qd=%u, size=%s, seed=%llu\n", cli_bench_rw_name(plan->rw),
              (unsigned long long)plan->bs, plan->qd, cli_size_format(plan->size, size),
              (unsigned long long)plan->seed);
    for (unsigned i = 0; i < CLI_BENCH_DIRECTION_CNT; i++)
        if (sums[i].latency.cnt > 0)
            direction_print(bench, names[i], &sums[i]);
    cli_print("  cpu: %.2f usec per I/O; errors: %llu; reconnects: %llu\n", cpu_us_per_io(bench),
              (unsigned long long)all->error_cnt,
              (unsigned long long)cli_bench_reconnect_cnt(bench));
    cli_print("  limit: %s\n", limit->text);
    if (plan->verify)
        cli_print("  verify: %s checked, %llu blocks differ%s\n",
                  cli_size_format(all->verified_len, size), (unsigned long long)all->mismatch_cnt,
                  bench->failed_rc || bench->signo ? "; stopped before the end" : "");
}

void cli_bench_report(const struct cli_bench *bench)
{
    static struct sums sums[CLI_BENCH_DIRECTION_CNT], all; /* histograms are large */
    for (unsigned i = 0; i < CLI_BENCH_DIRECTION_CNT; i++) {
        sums_add(&sums[i], &bench->tally[i]);
        sums_add(&all, &bench->tally[i]);
    }
    struct cli_bench_limit limit;
    limit_find(bench, sums, &all, &limit);
    if (bench->cli->json)
        report_json(bench, sums, &all, &limit);
    else
        report_print(bench, sums, &all, &limit);
    cli_print_flush();
}
