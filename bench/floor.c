/* The floor: what TCP on loopback costs with no protocol on it. Two threads; requests of 48 bytes
 * go one way, 48 bytes and a payload the other (--write: the payload goes with the request); QD in
 * flight, in one connection or in many; large recv and send; nothing is parsed. What an initiator
 * spends above this is its own. The figures are those of the requesting thread; so is --spin, while
 * --peer-spin makes the other one look for more before it sleeps, as a target may. */
#include "measure.h"
#include "transport/loopback.h"

#include <arpa/inet.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define HDR_LEN    48u
#define PEER_LOOKS 5000u /* before the answerer sleeps: about 1 ms */

/* One end of a connection. Messages go out of a ring, as many as are in flight, back to back. */
struct end {
    struct side *side;
    int fd;
    size_t partial;      /* bytes of an incomplete message */
    char *out;           /* ring_cnt messages */
    uint64_t *since_ns;  /* of the requests, in the same ring; answers come in their order */
    uint32_t ring_cnt;   /* messages */
    uint32_t head, tail; /* index of the first one in flight and of the next one to be sent */
    uint32_t flight_cnt;
};

/* A thread and its ends of all connections. */
struct side {
    struct bench *b;
    size_t in_len, out_len; /* bytes of one message, in and out */
    char *in_buf;
    struct end *ends;
    struct bench_set set;
};

static void side_init(struct side *s, struct bench *b, bool requester)
{
    size_t with_payload = HDR_LEN + b->block_len;
    s->b = b;
    s->in_len = requester != b->write ? with_payload : HDR_LEN;
    s->out_len = requester != b->write ? HDR_LEN : with_payload;
    s->in_buf = bench_payload(BENCH_BUF_LEN);
    s->ends = calloc(b->session_cnt, sizeof(*s->ends));
    bench_set_init(&s->set);
}

static void end_init(struct side *s, uint32_t number, int fd)
{
    struct end *e = &s->ends[number];
    e->side = s;
    e->fd = fd;
    e->ring_cnt = s->b->qd / s->b->session_cnt + (number < s->b->qd % s->b->session_cnt);
    e->out = bench_payload(e->ring_cnt * s->out_len);
    e->since_ns = calloc(e->ring_cnt, sizeof(*e->since_ns));
    bench_no_delay(fd);
    bench_set_add(&s->set, fd, e);
}

static void side_done(struct side *s)
{
    for (uint32_t i = 0; i < s->b->session_cnt; i++) {
        close(s->ends[i].fd);
        free(s->ends[i].out);
        free(s->ends[i].since_ns);
    }
    bench_set_done(&s->set);
    free(s->ends);
    free(s->in_buf);
}

/* The requester hangs up when its time is over; what the answerer still had to say is then of no
 * interest. */
static void send_messages(struct end *e, uint32_t cnt)
{
    struct side *s = e->side;
    uint32_t most = (uint32_t)(BENCH_BUF_LEN / s->out_len);
    while (cnt > 0) {
        uint32_t n = e->ring_cnt - e->tail;
        n = n < cnt ? n : cnt;
        n = n < most ? n : most ? most : 1;
        if (!bench_send(e->fd, e->out + e->tail * s->out_len, n * s->out_len))
            return;
        e->tail = (e->tail + n) % e->ring_cnt;
        cnt -= n;
    }
}

/* ---- the answerer ---- */

/* Complete messages among n bytes that came. */
static uint32_t messages(struct end *e, size_t n)
{
    size_t all = e->partial + n;
    e->partial = all % e->side->in_len;
    return (uint32_t)(all / e->side->in_len);
}

static ssize_t requests_recv(const struct end *e, uint32_t look_cnt)
{
    ssize_t n = -1;
    while (look_cnt-- > 0 && n < 0)
        n = recv(e->fd, e->side->in_buf, BENCH_BUF_LEN, MSG_DONTWAIT);
    return n < 0 ? recv(e->fd, e->side->in_buf, BENCH_BUF_LEN, 0) : n;
}

static void *answer(void *arg)
{
    struct side *s = arg;
    uint32_t look_cnt = s->b->peer_spin ? PEER_LOOKS : 0;
    bench_pin(s->b->peer_cpu);
    for (;;) {
        uint32_t cnt = bench_set_wait(&s->set, look_cnt);
        for (uint32_t i = 0; i < cnt; i++) {
            struct end *e = s->set.ready[i];
            ssize_t n = requests_recv(e, look_cnt);
            if (n <= 0)
                return NULL;
            send_messages(e, messages(e, (size_t)n));
        }
    }
}

/* ---- the requester ---- */

static void requests_send(struct end *e, uint32_t cnt)
{
    for (uint32_t i = 0, at = e->tail; i < cnt; i++) {
        e->since_ns[at] = e->side->b->now_ns;
        at = at + 1 == e->ring_cnt ? 0 : at + 1;
    }
    e->flight_cnt += cnt;
    send_messages(e, cnt);
}

static void answers_take(struct end *e)
{
    struct bench *b = e->side->b;
    uint32_t cnt = messages(e, bench_recv(b, e->fd, e->side->in_buf, BENCH_BUF_LEN));
    bool more = false;
    if (cnt == 0)
        return;
    bench_see(b);
    for (uint32_t i = 0; i < cnt; i++) {
        more = bench_ended(b, e->since_ns[e->head]);
        e->head = e->head + 1 == e->ring_cnt ? 0 : e->head + 1;
    }
    e->flight_cnt -= cnt;
    if (more)
        requests_send(e, cnt);
}

static void turn(struct side *s)
{
    bench_turn(s->b);
    uint32_t cnt = bench_set_wait(&s->set, s->b->spin ? BENCH_LOOKS_MAX : 0);
    for (uint32_t i = 0; i < cnt; i++)
        answers_take(s->set.ready[i]);
}

static bool in_flight(const struct side *s)
{
    for (uint32_t i = 0; i < s->b->session_cnt; i++)
        if (s->ends[i].flight_cnt > 0)
            return true;
    return false;
}

static void round_run(void *arg)
{
    struct side *s = arg;
    bench_begin(s->b);
    for (uint32_t i = 0; i < s->b->session_cnt; i++)
        requests_send(&s->ends[i], s->ends[i].ring_cnt);
    while (!s->b->over)
        turn(s);
    bench_report(s->b);
    while (in_flight(s))
        turn(s);
}

static void connect_pairs(struct side *requester, struct side *answerer)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof(addr);
    int l = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    iskra_sock_unpaced(l);
    if (bind(l, (struct sockaddr *)&addr, sizeof(addr)) < 0 || listen(l, 1) < 0 ||
        getsockname(l, (struct sockaddr *)&addr, &len) < 0)
        bench_die("loopback");
    for (uint32_t i = 0; i < requester->b->session_cnt; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), peer_fd = -1;
        iskra_sock_unpaced(fd);
        if (connect(fd, (struct sockaddr *)&addr, len) < 0 ||
            (peer_fd = accept4(l, NULL, NULL, SOCK_CLOEXEC)) < 0)
            bench_die("loopback");
        end_init(requester, i, fd);
        end_init(answerer, i, peer_fd);
    }
    close(l);
}

int main(int argc, char **argv)
{
    struct bench b = {.name = "floor"};
    struct side requester, answerer;
    pthread_t thread;
    bench_options(&b, argc, argv);
    side_init(&requester, &b, true);
    side_init(&answerer, &b, false);
    connect_pairs(&requester, &answerer);
    if (pthread_create(&thread, NULL, answer, &answerer) != 0)
        bench_die("thread");
    bench_pin(b.cpu);
    bench_rounds(&b, round_run, &requester);
    for (uint32_t i = 0; i < b.session_cnt; i++)
        shutdown(requester.ends[i].fd, SHUT_RDWR);
    pthread_join(thread, NULL);
    side_done(&requester);
    side_done(&answerer);
    return 0;
}
