/* What every benchmark program shares: its options, pinning, and the line it prints. */
#ifndef ISKRA_BENCH_MEASURE_H
#define ISKRA_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

struct bench {
    const char *name;
    uint32_t block_len; /* bytes of payload per I/O */
    uint32_t qd;        /* I/Os in flight */
    double seconds;
    bool write, spin;  /* spin: poll the socket instead of sleeping in recv */
    int cpu, peer_cpu; /* -1: not pinned; peer_cpu is of the floor's other thread */
    const char *host, *target;
    uint16_t port;
    uint32_t lun;
    uint64_t disk_len; /* bytes addressed at random */

    /* The run. */
    uint64_t begun_ns, end_ns, io_cnt;
    struct rusage begun_usage;
};

#define BENCH_BUF_LEN (256u * 1024u)

void bench_options(struct bench *b, int argc, char **argv); /* exits with 2 on a bad one */
void bench_pin(int cpu);
uint64_t bench_now_ns(void);
void bench_begin(struct bench *b);
bool bench_over(struct bench *b); /* cheap: looks at the clock now and then */
void bench_report(struct bench *b);
void bench_die(const char *what);

/* send of everything: false if the peer has hung up; recv of something, spinning if asked. Die on
 * any other failure. */
bool bench_send(int fd, const void *buf, size_t len);
size_t bench_recv(const struct bench *b, int fd, void *buf, size_t len);
void bench_no_delay(int fd);

#endif
