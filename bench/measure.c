/* Options, rounds, clock and the report of the benchmark clients. */
#include "measure.h"

#include <errno.h>
#include <getopt.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void bench_die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

void bench_die_of(const struct bench *b, const char *what, const char *why)
{
    fprintf(stderr, "bench: %s: %s: %s\n", b->name, what, why);
    exit(1);
}

/* ---- options ---- */

static void usage(const struct bench *b)
{
    fprintf(stderr,
            "usage: %s [--bs BYTES] [--qd N] [--time SECONDS] [--write] [--spin] [--digests]\n"
            "       [--sessions N] [--cpu N] [--peer-cpu N] [--peer-spin] [--host ADDR --port N "
            "--target IQN\n"
            "       --lun N --disk BYTES --sector BYTES --keys URLKEYS]\n",
            b->name);
    exit(2);
}

static const struct option options[] = {
    {"bs", 1, 0, 'b'},       {"qd", 1, 0, 'q'},        {"time", 1, 0, 't'},
    {"write", 0, 0, 'w'},    {"spin", 0, 0, 's'},      {"cpu", 1, 0, 'c'},
    {"peer-cpu", 1, 0, 'p'}, {"peer-spin", 0, 0, 'r'}, {"host", 1, 0, 'h'},
    {"port", 1, 0, 'P'},     {"lun", 1, 0, 'l'},       {"target", 1, 0, 'T'},
    {"disk", 1, 0, 'd'},     {"sessions", 1, 0, 'S'},  {"keys", 1, 0, 'k'},
    {"digests", 0, 0, 'D'},  {"sector", 1, 0, 'B'},    {0, 0, 0, 0},
};

static void option_take(struct bench *b, int c)
{
    switch (c) {
    case 'b':
        b->block_len = (uint32_t)atol(optarg);
        break;
    case 'q':
        b->qd = (uint32_t)atol(optarg);
        break;
    case 't':
        b->seconds = atof(optarg);
        break;
    case 'w':
        b->write = true;
        break;
    case 's':
        b->spin = true;
        break;
    case 'D':
        b->digests = true;
        break;
    case 'S':
        b->session_cnt = (uint32_t)atol(optarg);
        break;
    case 'c':
        b->cpu = atoi(optarg);
        break;
    case 'r':
        b->peer_spin = true;
        break;
    case 'p':
        b->peer_cpu = atoi(optarg);
        break;
    case 'h':
        b->host = optarg;
        break;
    case 'P':
        b->port = (uint16_t)atol(optarg);
        break;
    case 'T':
        b->target = optarg;
        break;
    case 'l':
        b->lun = (uint32_t)atol(optarg);
        break;
    case 'd':
        b->disk_len = strtoull(optarg, NULL, 0);
        break;
    case 'B':
        b->sector_len = (uint32_t)atol(optarg);
        break;
    case 'k':
        b->keys = optarg;
        break;
    default:
        usage(b);
    }
}

void bench_options(struct bench *b, int argc, char **argv)
{
    b->block_len = 4096;
    b->qd = 32;
    b->session_cnt = 1;
    b->cpu = b->peer_cpu = -1;
    b->host = "127.0.0.1";
    b->keys = "";
    b->sector_len = 512;
    b->disk_len = 1 << 30;
    b->seed = 1;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;)
        option_take(b, c);
    if (b->block_len < 512 || b->block_len > 1u << 24 || b->sector_len < 512 ||
        b->block_len % b->sector_len || b->block_len / b->sector_len > 65535 || b->qd < 1 ||
        b->qd > BENCH_QD_MAX || b->session_cnt < 1 || b->session_cnt > b->qd ||
        !(b->seconds >= 0 && b->seconds <= 3600) || b->disk_len < b->block_len || optind != argc)
        usage(b);
}

void bench_pin(int cpu)
{
    cpu_set_t set;
    if (cpu < 0)
        return;
    CPU_ZERO(&set);
    CPU_SET(cpu, &set);
    if (sched_setaffinity(0, sizeof(set), &set) < 0)
        bench_die("pinning");
}

/* ---- rounds ---- */

static uint64_t now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void bench_rounds(struct bench *b, void (*fn)(void *arg), void *arg)
{
    char line[64];
    if (b->seconds > 0) {
        fn(arg);
        return;
    }
    printf("{\"client\":\"%s\",\"ready\":true,\"rss_before_kib\":%llu,\"rss_idle_kib\":%llu}\n",
           b->name, (unsigned long long)b->rss_kib, (unsigned long long)b->rss_idle_kib);
    fflush(stdout);
    while (fgets(line, sizeof(line), stdin) != NULL && sscanf(line, "run %lf", &b->seconds) == 1 &&
           b->seconds > 0)
        fn(arg);
}

void bench_begin(struct bench *b)
{
    b->io_cnt = 0;
    b->over = false;
    memset(b->buckets, 0, sizeof(b->buckets));
    getrusage(RUSAGE_THREAD, &b->begun_usage);
    b->begun_ns = b->now_ns = now_ns();
    b->end_ns = b->begun_ns + (uint64_t)(b->seconds * 1e9);
}

void bench_see(struct bench *b)
{
    if (b->seen || b->over)
        return;
    b->seen = true;
    b->now_ns = now_ns();
    b->over = b->now_ns >= b->end_ns;
}

/* Log-linear: the number of the highest bit, then the 5 bits below it. */
static unsigned bucket_of(uint64_t ns)
{
    unsigned high = 63u - (unsigned)__builtin_clzll(ns | 32);
    return (high - 5) * 32 + (unsigned)(ns >> (high - 5) & 31u);
}

/* Where a bucket begins, and how wide it is. */
static double bucket_us(unsigned bucket, double *ret_width)
{
    double unit = (double)(1ull << bucket / 32) / 1e3;
    *ret_width = unit;
    return (32 + bucket % 32) * unit;
}

bool bench_ended(struct bench *b, uint64_t since_ns)
{
    if (!b->over || b->seen) {
        b->io_cnt++;
        b->buckets[bucket_of(b->now_ns - since_ns)]++;
    }
    return !b->over;
}

uint64_t bench_place(struct bench *b)
{
    uint64_t places = b->disk_len / b->block_len;
    b->seed = b->seed * 1664525u + 1013904223u;
    return ((uint64_t)b->seed * places >> 32) * b->block_len;
}

/* ---- the report ---- */

static double cpu_us(const struct rusage *from, const struct rusage *to)
{
    return (double)(to->ru_utime.tv_sec - from->ru_utime.tv_sec + to->ru_stime.tv_sec -
                    from->ru_stime.tv_sec) *
               1e6 +
           (double)(to->ru_utime.tv_usec - from->ru_utime.tv_usec + to->ru_stime.tv_usec -
                    from->ru_stime.tv_usec);
}

/* Within a bucket those that fell into it are taken as spread evenly. */
static double percentile_us(const struct bench *b, double share)
{
    double sum = 0, width, wanted = share * (double)b->io_cnt;
    for (unsigned i = 0; i < BENCH_BUCKET_CNT; i++) {
        double cnt = b->buckets[i];
        double from = bucket_us(i, &width);
        if (cnt > 0 && sum + cnt >= wanted)
            return from + width * (wanted - sum) / cnt;
        sum += cnt;
    }
    return 0;
}

uint64_t bench_rss_kib(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    if (f == NULL || fscanf(f, "%*u %lu", &pages) != 1)
        pages = 0;
    if (f != NULL)
        fclose(f);
    return (uint64_t)pages * 4;
}

void bench_report(struct bench *b)
{
    struct rusage now;
    double seconds = (double)(now_ns() - b->begun_ns) / 1e9;
    getrusage(RUSAGE_THREAD, &now);
    double n = b->io_cnt ? (double)b->io_cnt : 1;
    printf("{\"client\":\"%s\",\"op\":\"%s\",\"bs\":%u,\"qd\":%u,\"sessions\":%u,\"ios\":%llu,"
           "\"iops\":%.0f,\"mbps\":%.1f,\"cpu_us\":%.4f,\"lat_us\":{\"mean\":%.2f,\"p50\":%.2f,"
           "\"p99\":%.2f,\"p999\":%.2f},\"rss_kib\":%llu}\n",
           b->name, b->write ? "write" : "read", b->block_len, b->qd, b->session_cnt,
           (unsigned long long)b->io_cnt, n / seconds, n * b->block_len / seconds / 1e6,
           cpu_us(&b->begun_usage, &now) / n, seconds * 1e6 * b->qd / n, percentile_us(b, 0.5),
           percentile_us(b, 0.99), percentile_us(b, 0.999), (unsigned long long)bench_rss_kib());
    fflush(stdout);
}
