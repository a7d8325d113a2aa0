/* What iskra bench says: a line per second while it runs, and the report at its end. In the words
 * of fio, whose users know how to read it. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include <iskra/session.h>

#include "json.h"

#define NS_PER_S   1e9
#define NS_PER_US  1e3
#define LINE_LEN   320
#define PATIENT_NS UINT64_C(1000000000) /* who waits longer than this is told about */

static uint64_t reconnect_cnt(const struct cli_bench *bench)
{
    struct iskra_session_stats stats;
    iskra_session_stats(bench->lun, &stats);
    return stats.logins > 0 ? stats.logins - 1 : 0;
}

static double per_second(uint64_t amount, uint64_t ns)
{
    return ns > 0 ? (double)amount * NS_PER_S / (double)ns : 0;
}

/* ---- a line per second ---- */

struct look {
    uint32_t sid;
    struct iskra_session_status status;
};

static int session_look(void *arg, const struct iskra_session_status *status)
{
    struct look *look = arg;
    if (status->sid != look->sid)
        return 0;
    look->status = *status;
    return 1;
}

static void status_get(const struct cli_bench *bench, struct iskra_session_status *ret)
{
    struct iskra_session_info info;
    iskra_session_info(bench->lun, &info);
    struct look look = {.sid = info.sid,
                        .status = {.session_state = info.state, .rung = "NONE", .command = ""}};
    (void)iskra_sessions(bench->cli->ctx, session_look, &look);
    *ret = look.status;
}

/* What is waited for: ", ..." or "". */
static void waiting_format(const struct cli_bench *bench, const struct iskra_session_status *status,
                           char *buf, size_t size)
{
    double oldest_s = (double)cli_bench_oldest_ns(bench) / NS_PER_S;
    buf[0] = '\0';
    if (status->reopening && status->next_attempt_ns > 0)
        snprintf(buf, size, ", session lost for %.1f s, attempt %u in %.1f s",
                 (double)status->lost_ns / NS_PER_S, status->attempt + 1,
                 (double)status->next_attempt_ns / NS_PER_S);
    else if (status->reopening)
        snprintf(buf, size, ", session lost for %.1f s, attempt %u",
                 (double)status->lost_ns / NS_PER_S, status->attempt);
    else if (strcmp(status->rung, "NONE") != 0)
        snprintf(buf, size, ", %s for %.1f s%s%s", status->rung, (double)status->rung_ns / NS_PER_S,
                 status->command[0] ? ": " : "", status->command);
    else if (cli_bench_oldest_ns(bench) > PATIENT_NS)
        snprintf(buf, size, ", %u requests wait, the oldest for %.1f s", bench->in_flight_cnt,
                 oldest_s);
}

static void line_json(const struct cli_bench *bench, const struct iskra_session_status *status)
{
    const struct cli_bench_window *window = &bench->window;
    const struct cli_bench_tally *reads = &bench->tally[CLI_BENCH_READS],
                                 *writes = &bench->tally[CLI_BENCH_WRITES];
    uint64_t ns = bench->now_ns - window->start_ns;
    struct json_object *root = cli_json_object();
    cli_json_text(root, "phase", cli_bench_phase_name(bench->phase));
    cli_json_real(root, "seconds", (double)(bench->now_ns - bench->begin_ns) / NS_PER_S);
    cli_json_number(root, "ios", window->io_cnt);
    cli_json_real(root, "iops", per_second(window->io_cnt, ns));
    cli_json_real(root, "mbps", per_second(window->len, ns) / 1e6);
    cli_json_real(
        root, "lat_us",
        window->io_cnt ? (double)window->latency_sum_ns / (double)window->io_cnt / NS_PER_US : 0);
    cli_json_number(root, "errors", reads->error_cnt + writes->error_cnt);
    cli_json_number(root, "mismatches", reads->mismatch_cnt);
    cli_json_number(root, "bytes_verified", reads->verified_len);
    cli_json_number(root, "reconnects", reconnect_cnt(bench));
    cli_json_text(root, "session", status->session_state);
    cli_json_number(root, "in_flight", bench->in_flight_cnt);
    cli_json_real(root, "oldest_s", (double)cli_bench_oldest_ns(bench) / NS_PER_S);
    size_t len = 0;
    const char *text = cli_json_line(root, &len);
    fprintf(stderr, "%.*s\n", (int)len, text ? text : "");
    cli_json_free(root);
}

void cli_bench_tell(struct cli_bench *bench)
{
    const struct cli_bench_window *window = &bench->window;
    uint64_t ns = bench->now_ns - window->start_ns, total = bench->block_cnt;
    char waiting[160], line[LINE_LEN], part[16] = "";
    struct iskra_session_status status;
    status_get(bench, &status);
    if (bench->plan.lines && bench->cli->json) {
        line_json(bench, &status);
        return;
    }
    waiting_format(bench, &status, waiting, sizeof(waiting));
    if (bench->phase != CLI_BENCH_RUN && total > 0)
        snprintf(part, sizeof(part), " %.0f%%", 100.0 * (double)bench->next / (double)total);
    snprintf(
        line, sizeof(line), "%s%s: %.0f s, %.0f IOPS, %.1f MB/s, lat %.0f us, %llu reconnects%s",
        cli_bench_phase_name(bench->phase), part,
        (double)(bench->now_ns - bench->begin_ns) / NS_PER_S, per_second(window->io_cnt, ns),
        per_second(window->len, ns) / 1e6,
        window->io_cnt ? (double)window->latency_sum_ns / (double)window->io_cnt / NS_PER_US : 0.0,
        (unsigned long long)reconnect_cnt(bench), waiting);
    if (bench->plan.lines)
        cli_error(bench->cli, "%s", line);
    else
        cli_progress_say(&bench->progress, line);
}

/* ---- the report ---- */

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

/* Per I/O of whatever direction: a processor does not say for which of them it worked. */
static double cpu_us_per_io(const struct cli_bench *bench)
{
    uint64_t io_cnt =
        bench->tally[CLI_BENCH_READS].latency.cnt + bench->tally[CLI_BENCH_WRITES].latency.cnt;
    return io_cnt ? (double)bench->run_cpu_ns / NS_PER_US / (double)io_cnt : 0;
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
    cli_json_number(to, "reconnects", reconnect_cnt(bench));
    cli_json_real(to, "seconds", (double)bench->run_ns / NS_PER_S);
}

static void report_json(const struct cli_bench *bench, const struct sums *sums,
                        const struct sums *all)
{
    static const char *const names[] = {"read", "write"};
    struct json_object *root = cli_json_object();
    sums_json(bench, all, root);
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
    cli_print("    lat percentiles (usec): 50th=%.1f, 99th=%.1f, 99.9th=%.1f\n",
              quantile_us(latency, 0.5), quantile_us(latency, 0.99), quantile_us(latency, 0.999));
}

static void report_print(const struct cli_bench *bench, const struct sums *sums,
                         const struct sums *all)
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
              (unsigned long long)all->error_cnt, (unsigned long long)reconnect_cnt(bench));
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
    if (bench->cli->json)
        report_json(bench, sums, &all);
    else
        report_print(bench, sums, &all);
    cli_print_flush();
}
