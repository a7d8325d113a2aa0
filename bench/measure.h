/* What every benchmark client shares: its options, rounds, pinning, latencies, and the line that it
 * prints.
 *
 * A client is started once and logs in once. Then it runs a round for each line "run SECONDS" on
 * its standard input, keeping --qd requests in flight, and answers with one line of JSON; in
 * between it does nothing, so that clients take turns. With --time it runs one round and ends.
 *
 * Latencies: the clock is read once for all that one turn of a client's loop brought, and a
 * request begins when its predecessor was seen to end: the same in every client, and cheap.
 *
 * Memory: each request of every client writes from, or reads into, a buffer of its own that has
 * been touched before; only floor and canned client drop what they read. */
#ifndef ISKRA_BENCH_MEASURE_H
#define ISKRA_BENCH_MEASURE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/resource.h>
#include <sys/types.h>

#define BENCH_BUF_LEN    (256u * 1024u)
#define BENCH_QD_MAX     4096u
#define BENCH_READY_MAX  64u
#define BENCH_LOOKS_MAX  UINT32_MAX
#define BENCH_BUCKET_CNT (64u * 32u) /* 32 to each power of two: 3 % */

struct bench {
    const char *name;
    uint32_t block_len;               /* bytes of payload per I/O */
    uint32_t qd;                      /* I/Os in flight, in all sessions together */
    uint32_t session_cnt;             /* 1 but for who can do more */
    double seconds;                   /* of one round; 0: rounds are asked for on standard input */
    bool write, spin;                 /* spin: poll the socket instead of sleeping in recv */
    bool peer_spin;                   /* of the floor's other thread, for a while */
    bool digests;                     /* header and data */
    int cpu, peer_cpu;                /* -1: not pinned; peer_cpu is of the floor's other thread */
    const char *host, *target, *keys; /* keys: more of them for the URL, or "" */
    uint16_t port;
    uint32_t lun, sector_len;
    uint64_t disk_len; /* bytes addressed at random */
    uint32_t seed;
    uint64_t rss_kib, rss_idle_kib; /* before the logins and after them, of who has many sessions */

    /* The round. */
    uint64_t begun_ns, end_ns, now_ns, io_cnt;
    bool seen, over; /* seen: the clock was read in this turn; over: nothing new is begun */
    struct rusage begun_usage;
    uint32_t buckets[BENCH_BUCKET_CNT];
};

void bench_options(struct bench *b, int argc, char **argv); /* exits with 2 on a bad one */
void bench_pin(int cpu);

/* Runs rounds as they are asked for; fn begins, reports and leaves nothing in flight. */
void bench_rounds(struct bench *b, void (*fn)(void *arg), void *arg);
void bench_begin(struct bench *b);
void bench_report(struct bench *b); /* measures up to now, then prints */

/* A turn of the loop begins: what it brings has not been seen yet. */
static inline void bench_turn(struct bench *b)
{
    b->seen = false;
}
/* Something came: the first time in a turn this reads the clock. To be called before what came is
 * looked at. */
void bench_see(struct bench *b);
/* One I/O that was begun at since_ns has ended in this turn. True: begin another one. */
bool bench_ended(struct bench *b, uint64_t since_ns);
/* Byte offset of the next request: anywhere, a multiple of its length. */
uint64_t bench_place(struct bench *b);

void bench_die(const char *what);
void bench_die_of(const struct bench *b, const char *what, const char *why);
uint64_t bench_rss_kib(void);

/* send of everything: false if the peer has hung up; recv of something, spinning if asked. Die on
 * any other failure. */
bool bench_send(int fd, const void *buf, size_t len);
size_t bench_recv(const struct bench *b, int fd, void *buf, size_t len);
void bench_no_delay(int fd);
/* Memory that has been touched, filled with one byte: for payloads. */
void *bench_payload(size_t len);

/* Several connections in one thread: which of them have something to read. With one of them it is
 * the recv that waits, and no other system call is made. */
struct bench_set {
    int epoll_fd;
    uint32_t cnt;
    void *ready[BENCH_READY_MAX];
};
void bench_set_init(struct bench_set *set);
void bench_set_add(struct bench_set *set, int fd, void *conn);
/* Looks so often before it sleeps (BENCH_LOOKS_MAX: never does). How many of ready[] there are. */
uint32_t bench_set_wait(struct bench_set *set, uint32_t look_cnt);
void bench_set_done(struct bench_set *set);

#endif
