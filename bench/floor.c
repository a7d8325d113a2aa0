/* The floor: what TCP on loopback costs with no protocol on it. Two threads; requests of 48 bytes
 * go one way, 48 bytes and a payload the other (--write: the payload goes with the request); QD in
 * flight; large recv and send; nothing is parsed. What an initiator spends above this is its own.
 * The figures are those of the requesting thread. */
#include "measure.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HDR_LEN 48u

struct side {
    const struct bench *b;
    int fd;
    size_t in_len, out_len; /* bytes of one message, in and out */
    char *in_buf, *out_buf; /* out_buf holds out_cnt messages back to back */
    size_t out_cnt;
    size_t partial; /* bytes of an incomplete message */
};

static void side_init(struct side *s, const struct bench *b, int fd, bool requester)
{
    size_t with_payload = HDR_LEN + b->block_len;
    s->b = b;
    s->fd = fd;
    s->in_len = requester != b->write ? with_payload : HDR_LEN;
    s->out_len = requester != b->write ? HDR_LEN : with_payload;
    s->out_cnt = BENCH_BUF_LEN / s->out_len ? BENCH_BUF_LEN / s->out_len : 1;
    s->in_buf = calloc(1, BENCH_BUF_LEN);
    s->out_buf = calloc(s->out_cnt, s->out_len);
    s->partial = 0;
    bench_no_delay(fd);
}

static void side_done(struct side *s)
{
    free(s->in_buf);
    free(s->out_buf);
    close(s->fd);
}

/* The requester hangs up when its time is over; what the answerer still had to say is then of no
 * interest. */
static void send_messages(struct side *s, size_t cnt)
{
    while (cnt > 0) {
        size_t n = cnt < s->out_cnt ? cnt : s->out_cnt;
        if (!bench_send(s->fd, s->out_buf, n * s->out_len))
            return;
        cnt -= n;
    }
}

/* Complete messages that one recv brought. */
static size_t receive_messages(struct side *s)
{
    s->partial += bench_recv(s->b, s->fd, s->in_buf, BENCH_BUF_LEN);
    size_t cnt = s->partial / s->in_len;
    s->partial %= s->in_len;
    return cnt;
}

static void *answer(void *arg)
{
    struct side *s = arg;
    bench_pin(s->b->peer_cpu);
    for (;;) {
        ssize_t n = recv(s->fd, s->in_buf, BENCH_BUF_LEN, s->b->spin ? MSG_DONTWAIT : 0);
        if (n == 0)
            return NULL;
        if (n < 0)
            continue;
        s->partial += (size_t)n;
        send_messages(s, s->partial / s->in_len);
        s->partial %= s->in_len;
    }
}

static void connect_pair(int *ret_a, int *ret_b)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    *ret_a = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(l, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(l, 1) < 0 ||
        getsockname(l, (struct sockaddr *)&addr, &len) < 0 ||
        connect(*ret_a, (struct sockaddr *)&addr, len) < 0 ||
        (*ret_b = accept4(l, NULL, NULL, SOCK_CLOEXEC)) < 0)
        bench_die("loopback");
    close(l);
}

/* Answers come in the order of the requests. */
struct in_flight {
    uint64_t since_ns[BENCH_QD_MAX];
    uint32_t head, cnt;
};

struct client {
    struct bench *b;
    struct side side;
    struct in_flight flight;
};

static void requests_send(struct client *c, size_t cnt)
{
    struct in_flight *f = &c->flight;
    for (size_t i = 0; i < cnt; i++)
        f->since_ns[(f->head + f->cnt++) % BENCH_QD_MAX] = c->b->now_ns;
    send_messages(&c->side, cnt);
}

static uint32_t answers_take(struct client *c)
{
    struct in_flight *f = &c->flight;
    uint32_t cnt = (uint32_t)receive_messages(&c->side);
    f->cnt -= cnt;
    return cnt;
}

static void round_run(void *arg)
{
    struct client *c = arg;
    struct in_flight *f = &c->flight;
    bool more = true;
    bench_begin(c->b);
    requests_send(c, c->b->qd);
    while (more) {
        uint32_t cnt = answers_take(c);
        more = bench_turn(c->b);
        for (uint32_t i = 0; i < cnt; i++)
            bench_ended(c->b, f->since_ns[f->head++ % BENCH_QD_MAX]);
        if (more)
            requests_send(c, cnt);
    }
    bench_report(c->b);
    while (f->cnt > 0)
        f->head += answers_take(c);
}

int main(int argc, char **argv)
{
    struct bench b = {.name = "floor"};
    static struct client c;
    struct side answerer;
    pthread_t thread;
    int fd = -1, peer_fd = -1;
    bench_options(&b, argc, argv);
    c.b = &b;
    connect_pair(&fd, &peer_fd);
    side_init(&c.side, &b, fd, true);
    side_init(&answerer, &b, peer_fd, false);
    if (pthread_create(&thread, NULL, answer, &answerer) != 0)
        bench_die("thread");
    bench_pin(b.cpu);
    bench_rounds(&b, round_run, &c);
    shutdown(fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    side_done(&c.side);
    side_done(&answerer);
    return 0;
}
