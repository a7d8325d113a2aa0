/* The canned client: pre-encoded SCSI Commands against a real target, in one session or in many; of
 * what comes back only opcode, lengths, status and tag are looked at, and digests if there are any.
 * Its figures include the target's cost, so it is the ceiling for any initiator on that target.
 * Writes use immediate and unsolicited data as far as negotiated and answer R2Ts for the rest; the
 * digest of what they send is computed once, as they always send the same. */
#include "canned.h"

#include <arpa/inet.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "transport/loopback.h"
#include "wire/be.h"
#include "wire/crc32c.h"

#define BHS_LEN CANNED_BHS_LEN

/* ---- answers ---- */

static void answer_r2t(struct canned_conn *conn, const uint8_t *r2t)
{
    const struct bench *b = conn->c->b;
    uint32_t tag = iskra_get_be32(r2t + 16), offset = iskra_get_be32(r2t + 40),
             len = iskra_get_be32(r2t + 44);
    if (tag >= b->qd || tag % b->session_cnt != conn->number || offset > b->block_len ||
        len > b->block_len - offset)
        bench_die_of(b, "R2T", "asks for more than there is");
    canned_send_data(conn, tag, r2t + 8, offset, len);
}

/* Status GOOD, no residual, of a command that is out, all its bytes there. */
static void check_end(struct canned_conn *conn, const uint8_t *bhs, uint32_t tag)
{
    const struct bench *b = conn->c->b;
    if ((bhs[0] & 0x3f) == 0x21 && bhs[2] != 0)
        bench_die_of(b, "answer", "the target failed");
    if (bhs[3] != 0)
        bench_die_of(b, "answer", "a command failed");
    if ((bhs[1] & 0x06) != 0 || (!b->write && conn->c->tags[tag].got != b->block_len))
        bench_die_of(b, "answer", "not as long as asked for");
    conn->stat_sn = iskra_get_be32(bhs + 24) + 1;
    conn->max_cmd_sn = iskra_get_be32(bhs + 32);
}

/* A header that has come; the tag of the command that it ends. */
static uint32_t take(struct canned_conn *conn, const uint8_t *bhs)
{
    const struct bench *b = conn->c->b;
    uint32_t tag = iskra_get_be32(bhs + 16);
    uint8_t opcode = bhs[0] & 0x3f;
    if (opcode == 0x31) {
        answer_r2t(conn, bhs);
        return CANNED_NO_TAG;
    }
    if (opcode == 0x20) {
        canned_answer_ping(conn, bhs);
        return CANNED_NO_TAG;
    }
    if (opcode != 0x25 && opcode != 0x21)
        bench_die_of(b, "answer", "neither Data-In nor SCSI Response, R2T or NOP-In");
    if (tag >= b->qd || tag % b->session_cnt != conn->number)
        bench_die_of(b, "answer", "to a command that was never sent");
    if (opcode == 0x25)
        conn->c->tags[tag].got += iskra_get_be24(bhs + 5);
    if (opcode == 0x25 && !(bhs[1] & 0x01))
        return CANNED_NO_TAG;
    check_end(conn, bhs, tag);
    return tag;
}

static void ended(struct canned_conn *conn, uint32_t tag)
{
    struct bench *b = conn->c->b;
    conn->in_flight--;
    bench_see(b);
    if (bench_ended(b, conn->c->tags[tag].since_ns))
        canned_queue(conn, tag);
}

static void check_digest(const struct canned_conn *conn, uint32_t crc, const uint8_t *p)
{
    if (iskra_crc32c_finish(crc) != iskra_crc32c_get(p))
        bench_die_of(conn->c->b, "answer", "a wrong digest");
}

/* Takes one piece off the front: data, a digest, or a header. 0: there is not enough of it. */
static size_t take_piece(struct canned_conn *conn, const uint8_t *p, size_t len)
{
    struct canned_input *in = &conn->in;
    size_t piece;
    if (in->skip > 0) {
        piece = len < in->skip ? len : in->skip;
        if (conn->digests)
            in->crc = iskra_crc32c_update(in->crc, p, piece);
        in->skip -= piece;
    } else if (in->digest_due) {
        piece = len < 4 ? 0 : 4;
        if (piece > 0)
            check_digest(conn, in->crc, p);
        in->digest_due = piece == 0;
    } else {
        piece = len < canned_hdr_len(conn) ? 0 : canned_hdr_len(conn);
        if (piece == 0)
            return 0;
        if (conn->digests)
            check_digest(conn, iskra_crc32c_update(ISKRA_CRC32C_INIT, p, BHS_LEN), p + BHS_LEN);
        in->ended = take(conn, p);
        in->skip = ((size_t)iskra_get_be24(p + 5) + 3) & ~(size_t)3;
        in->digest_due = conn->digests && in->skip > 0;
        in->crc = ISKRA_CRC32C_INIT;
    }
    if (in->skip == 0 && !in->digest_due && in->ended != CANNED_NO_TAG) {
        ended(conn, in->ended);
        in->ended = CANNED_NO_TAG;
    }
    return piece;
}

/* As many of those that wait as the window takes now. */
static void queue_waiting(struct canned_conn *conn)
{
    while (conn->waiting_cnt > 0 && (int32_t)(conn->cmd_sn - conn->max_cmd_sn) <= 0)
        canned_queue(conn, conn->waiting[--conn->waiting_cnt]);
}

/* One recv and all that it brought. */
static void receive(struct canned_conn *conn)
{
    struct canned *c = conn->c;
    struct canned_input *in = &conn->in;
    memcpy(c->in_buf, in->rest, in->have);
    size_t n =
        in->have + bench_recv(c->b, conn->fd, c->in_buf + in->have, BENCH_BUF_LEN - in->have);
    size_t at = 0;
    for (size_t piece; at < n && (piece = take_piece(conn, c->in_buf + at, n - at)) > 0;
         at += piece)
        ;
    if (!c->b->over)
        queue_waiting(conn);
    in->have = n - at;
    memcpy(in->rest, c->in_buf + at, in->have);
    canned_flush(conn);
}

static void turn(struct canned *c)
{
    bench_turn(c->b);
    uint32_t cnt = bench_set_wait(&c->set, c->b->spin ? BENCH_LOOKS_MAX : 0);
    for (uint32_t i = 0; i < cnt; i++)
        receive(c->set.ready[i]);
}

static bool in_flight(const struct canned *c)
{
    for (uint32_t i = 0; i < c->b->session_cnt; i++)
        if (c->conns[i].in_flight > 0)
            return true;
    return false;
}

static void round_run(void *arg)
{
    struct canned *c = arg;
    bench_begin(c->b);
    for (uint32_t tag = 0; tag < c->b->qd; tag++)
        canned_queue(&c->conns[tag % c->b->session_cnt], tag);
    for (uint32_t i = 0; i < c->b->session_cnt; i++)
        canned_flush(&c->conns[i]);
    while (!c->b->over)
        turn(c);
    bench_report(c->b);
    for (uint32_t i = 0; i < c->b->session_cnt; i++)
        c->conns[i].waiting_cnt = 0;
    while (in_flight(c))
        turn(c);
}

/* ---- connections ---- */

static int connect_to(const struct bench *b)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *list;
    char port[8];
    int fd = -1;
    snprintf(port, sizeof(port), "%u", b->port);
    if (getaddrinfo(b->host, port, &hints, &list) != 0)
        bench_die_of(b, "--host", "no such host");
    for (struct addrinfo *ai = list; ai != NULL && fd < 0; ai = ai->ai_next) {
        fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (fd >= 0)
            iskra_sock_unpaced_on_loopback(fd, ai->ai_addr);
        if (fd >= 0 && connect(fd, ai->ai_addr, ai->ai_addrlen) < 0) {
            close(fd);
            fd = -1;
        }
    }
    freeaddrinfo(list);
    if (fd < 0)
        bench_die("connect");
    bench_no_delay(fd);
    return fd;
}

static void conn_init(struct canned *c, uint32_t number)
{
    struct canned_conn *conn = &c->conns[number];
    uint32_t cnt = c->b->session_cnt;
    conn->c = c;
    conn->number = number;
    conn->tag_cnt = c->b->qd / cnt + (number < c->b->qd % cnt);
    conn->fd = connect_to(c->b);
    conn->in.ended = CANNED_NO_TAG;
    conn->out = calloc(conn->tag_cnt, BHS_LEN + 4);
    conn->out_tags = calloc(conn->tag_cnt, sizeof(uint32_t));
    conn->waiting = calloc(conn->tag_cnt, sizeof(uint32_t));
    canned_log_in(conn);
    bench_set_add(&c->set, conn->fd, conn);
}

static void conn_done(struct canned_conn *conn)
{
    close(conn->fd);
    free(conn->out);
    free(conn->out_tags);
    free(conn->waiting);
}

int main(int argc, char **argv)
{
    struct bench b = {.name = "canned"};
    struct canned c = {.b = &b};
    bench_options(&b, argc, argv);
    if (b.target == NULL || b.port == 0) {
        fprintf(stderr, "canned: needs --port and --target\n");
        return 2;
    }
    c.in_buf = bench_payload(BENCH_BUF_LEN);
    c.pdus = calloc(b.qd, BHS_LEN);
    c.tags = calloc(b.qd, sizeof(*c.tags));
    c.data = bench_payload(b.write ? (size_t)b.qd * b.block_len : 1);
    c.conns = calloc(b.session_cnt, sizeof(*c.conns));
    bench_set_init(&c.set);
    b.rss_kib = bench_rss_kib();
    for (uint32_t i = 0; i < b.session_cnt; i++)
        conn_init(&c, i);
    b.rss_idle_kib = bench_rss_kib();
    for (uint32_t tag = 0; tag < b.qd; tag++)
        canned_encode(&c, tag);
    bench_pin(b.cpu);
    bench_rounds(&b, round_run, &c);
    for (uint32_t i = 0; i < b.session_cnt; i++)
        conn_done(&c.conns[i]);
    bench_set_done(&c.set);
    free(c.in_buf);
    free(c.pdus);
    free(c.tags);
    free(c.data);
    free(c.conns);
    return 0;
}
