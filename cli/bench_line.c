/* What iskra bench says while it runs: a line per second. In the words of fio, whose users know how
 * to read it. */
#include "bench.h"

#include <stdio.h>
#include <string.h>

#include <iskra/session.h>

#include "json.h"

#define NS_PER_S   1e9
#define NS_PER_US  1e3
#define LINE_LEN   320
#define PATIENT_NS UINT64_C(1000000000) /* who waits longer than this is told about */

uint64_t cli_bench_reconnect_cnt(const struct cli_bench *bench)
{
    struct iskra_session_stats stats;
    iskra_session_stats(bench->lun, &stats);
    return stats.logins > 0 ? stats.logins - 1 : 0;
}

static double per_second(uint64_t amount, uint64_t ns)
{
    return ns > 0 ? (double)amount * NS_PER_S / (double)ns : 0;
}

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

uint32_t cli_bench_taken_cnt(const struct cli_bench *bench)
{
    struct iskra_session_status status;
    status_get(bench, &status);
    return status.in_flight_cnt;
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

static double quantile_us(const struct cli_bench_window *window, double share)
{
    return (double)cli_histogram_quantile(&window->latency, share) / NS_PER_US;
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
    cli_json_number(root, "ios", window->latency.cnt);
    cli_json_real(root, "iops", per_second(window->latency.cnt, ns));
    cli_json_real(root, "mbps", per_second(window->len, ns) / 1e6);
    cli_json_real(root, "lat_us", cli_histogram_mean(&window->latency) / NS_PER_US);
    cli_json_real(root, "lat_p50_us", quantile_us(window, 0.5));
    cli_json_real(root, "lat_p99_us", quantile_us(window, 0.99));
    cli_json_number(root, "errors", reads->error_cnt + writes->error_cnt);
    cli_json_number(root, "mismatches", reads->mismatch_cnt);
    cli_json_number(root, "bytes_verified", reads->verified_len);
    cli_json_number(root, "reconnects", cli_bench_reconnect_cnt(bench));
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
    snprintf(line, sizeof(line),
             "%s%s: %.0f s, %.0f IOPS, %.1f MB/s, lat %.0f us (p50 %.0f, p99 %.0f), %u in flight, "
             "%llu reconnects%s",
             cli_bench_phase_name(bench->phase), part,
             (double)(bench->now_ns - bench->begin_ns) / NS_PER_S,
             per_second(window->latency.cnt, ns), per_second(window->len, ns) / 1e6,
             cli_histogram_mean(&window->latency) / NS_PER_US, quantile_us(window, 0.5),
             quantile_us(window, 0.99), bench->in_flight_cnt,
             (unsigned long long)cli_bench_reconnect_cnt(bench), waiting);
    if (bench->plan.lines)
        cli_error(bench->cli, "%s", line);
    else
        cli_progress_say(&bench->progress, line);
}
