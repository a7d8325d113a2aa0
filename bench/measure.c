/* Options, clock and the report of the benchmark programs. */
#include "measure.h"

#include <errno.h>
#include <getopt.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

void bench_die(const char *what)
{
    fprintf(stderr, "bench: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void usage(const struct bench *b)
{
    fprintf(stderr,
            "usage: %s [--bs BYTES] [--qd N] [--time SECONDS] [--write] [--spin] [--cpu N] "
            "[--peer-cpu N]\n"
            "       [--host ADDR --port N --target IQN --lun N --disk BYTES]\n",
            b->name);
    exit(2);
}

void bench_options(struct bench *b, int argc, char **argv)
{
    static const struct option options[] = {
        {"bs", 1, 0, 'b'},   {"qd", 1, 0, 'q'},     {"time", 1, 0, 't'},     {"write", 0, 0, 'w'},
        {"spin", 0, 0, 's'}, {"cpu", 1, 0, 'c'},    {"peer-cpu", 1, 0, 'p'}, {"host", 1, 0, 'h'},
        {"port", 1, 0, 'P'}, {"target", 1, 0, 'T'}, {"lun", 1, 0, 'l'},      {"disk", 1, 0, 'd'},
        {0, 0, 0, 0},
    };
    b->block_len = 4096;
    b->qd = 32;
    b->seconds = 1;
    b->cpu = b->peer_cpu = -1;
    b->host = "127.0.0.1";
    b->disk_len = 1 << 30;
    for (int c; (c = getopt_long(argc, argv, "", options, NULL)) != -1;) {
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
        case 'c':
            b->cpu = atoi(optarg);
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
        default:
            usage(b);
        }
    }
    if (b->block_len < 512 || b->block_len > 1u << 24 || b->block_len % 512 || b->qd < 1 ||
        b->qd > 4096 || !(b->seconds > 0 && b->seconds <= 3600) || b->disk_len < b->block_len ||
        optind != argc)
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

uint64_t bench_now_ns(void)
{
    struct timespec ts;
    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

void bench_begin(struct bench *b)
{
    b->io_cnt = 0;
    getrusage(RUSAGE_THREAD, &b->begun_usage);
    b->begun_ns = bench_now_ns();
    b->end_ns = b->begun_ns + (uint64_t)(b->seconds * 1e9);
}

bool bench_over(struct bench *b)
{
    return bench_now_ns() >= b->end_ns;
}

static double cpu_us(const struct rusage *from, const struct rusage *to)
{
    return (double)(to->ru_utime.tv_sec - from->ru_utime.tv_sec + to->ru_stime.tv_sec -
                    from->ru_stime.tv_sec) *
               1e6 +
           (double)(to->ru_utime.tv_usec - from->ru_utime.tv_usec + to->ru_stime.tv_usec -
                    from->ru_stime.tv_usec);
}

void bench_report(struct bench *b)
{
    struct rusage now;
    double seconds = (double)(bench_now_ns() - b->begun_ns) / 1e9;
    getrusage(RUSAGE_THREAD, &now);
    double n = b->io_cnt ? (double)b->io_cnt : 1;
    printf("%s %s bs %u qd %u iops %.0f mbps %.1f cpu_us %.3f lat_us %.2f\n", b->name,
           b->write ? "write" : "read", b->block_len, b->qd, n / seconds,
           n * b->block_len / seconds / 1e6, cpu_us(&b->begun_usage, &now) / n,
           seconds * 1e6 * b->qd / n);
}

bool bench_send(int fd, const void *buf, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, (const char *)buf + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return false;
        if (n < 0)
            bench_die("send");
        sent += (size_t)n;
    }
    return true;
}

size_t bench_recv(const struct bench *b, int fd, void *buf, size_t len)
{
    ssize_t n;
    do
        n = recv(fd, buf, len, b->spin ? MSG_DONTWAIT : 0);
    while (n < 0 && errno == EAGAIN);
    if (n < 0)
        bench_die("recv");
    if (n == 0) {
        fprintf(stderr, "bench: the peer closed the connection\n");
        exit(1);
    }
    return (size_t)n;
}

void bench_no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}
