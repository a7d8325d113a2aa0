/* The canned client: pre-encoded SCSI Commands against a real target; of what comes back only
 * opcode, length, status and tag are looked at. Its figures include the target's cost, so it is the
 * ceiling for any initiator on that target. A write sends its data as immediate data as far as the
 * target allows, and the rest as one R2T after the other asks for it. */
#include "measure.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include "wire/be.h"

#define BHS_LEN     48u
#define SECTOR_LEN  512u
#define IOV_CNT     512
#define OFFERED_LEN 262144u /* first burst, PDUs */

/* What has been received of the stream; of the data of a PDU `skip` bytes are still to come. */
struct input {
    uint8_t *buf;
    size_t have, skip;
};

struct client {
    struct bench *b;
    int fd;
    struct input in;
    uint8_t *pdus;        /* qd of them */
    uint64_t *since_ns;   /* of each tag */
    uint8_t *out;         /* what is to be sent: headers back to back */
    uint32_t out_cnt;     /* commands in it */
    uint8_t *data;        /* of every write: one block's worth */
    uint32_t immediate;   /* bytes of a write that go with its command */
    uint32_t max_pdu_len; /* data bytes that the target takes in one PDU */
    uint32_t cmd_sn, stat_sn, max_cmd_sn, in_flight;
    uint32_t *waiting; /* tags that the target's command window has no room for */
    uint32_t waiting_cnt;
};

/* ---- login ---- */

static void recv_all(int fd, void *buf, size_t len)
{
    if (recv(fd, buf, len, MSG_WAITALL) != (ssize_t)len)
        bench_die("recv");
}

/* One PDU with its data, padding dropped; the data's length. */
static uint32_t recv_pdu(struct client *c, uint8_t *bhs, uint8_t *data, uint32_t size)
{
    uint8_t pad[4];
    recv_all(c->fd, bhs, BHS_LEN);
    uint32_t len = iskra_get_be24(bhs + 5);
    if (len > size || bhs[4] != 0)
        bench_die_of(c->b, "login", "an answer that is too large");
    recv_all(c->fd, data, len);
    recv_all(c->fd, pad, -len & 3);
    return len;
}

/* "KEY=value" in the target's text: a number, 0 for No, 1 for Yes; other if the key is not there.
 */
static uint32_t key_of(const uint8_t *text, uint32_t len, const char *key, uint32_t other)
{
    size_t key_len = strlen(key);
    for (uint32_t at = 0; at < len;
         at += (uint32_t)strnlen((const char *)text + at, len - at) + 1) {
        const char *word = (const char *)text + at;
        if (len - at <= key_len + 1 || strncmp(word, key, key_len) != 0 || word[key_len] != '=')
            continue;
        const char *value = word + key_len + 1;
        return strcmp(value, "Yes") == 0 ? 1 : (uint32_t)strtoul(value, NULL, 10);
    }
    return other;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

/* Straight into the operational stage, no digests, and on to full feature phase. */
static void log_in(struct client *c)
{
    uint8_t bhs[BHS_LEN] = {0x43, 0x87}, data[8192 + 1];
    char text[1024];
    int len = snprintf(
        text, sizeof(text),
        "InitiatorName=iqn.2026-11.io.iskra:canned%cTargetName=%s%cSessionType=Normal%c"
        "HeaderDigest=None%cDataDigest=None%cMaxRecvDataSegmentLength=%u%cInitialR2T=Yes%c"
        "ImmediateData=Yes%cMaxBurstLength=16776192%cFirstBurstLength=%u%cMaxOutstandingR2T=1%c"
        "MaxConnections=1%cErrorRecoveryLevel=0%c",
        0, c->b->target, 0, 0, 0, 0, OFFERED_LEN, 0, 0, 0, 0, OFFERED_LEN, 0, 0, 0, 0);
    iskra_put_be24(bhs + 5, (uint32_t)len);
    memcpy(bhs + 8, "\x80\x00\x00\x00\x00\x01", 6);
    iskra_put_be32(bhs + 24, 1);
    memset(text + len, 0, 4);
    bench_send(c->fd, bhs, BHS_LEN);
    bench_send(c->fd, text, ((size_t)len + 3) & ~(size_t)3);
    uint32_t answer_len = recv_pdu(c, bhs, data, sizeof(data) - 1);
    data[answer_len] = 0;
    if (bhs[0] != 0x23 || bhs[36] != 0 || (bhs[1] & 0x83) != 0x83)
        bench_die_of(c->b, "login", "the target does not log in at once");
    c->cmd_sn = 1;
    c->stat_sn = iskra_get_be32(bhs + 24) + 1;
    c->max_cmd_sn = iskra_get_be32(bhs + 32);
    c->max_pdu_len = key_of(data, answer_len, "MaxRecvDataSegmentLength", 8192);
    if (c->b->write && key_of(data, answer_len, "ImmediateData", 0))
        c->immediate =
            smaller(smaller(c->b->block_len, c->max_pdu_len),
                    smaller(OFFERED_LEN, key_of(data, answer_len, "FirstBurstLength", 65536)));
}

/* ---- commands ---- */

static void encode(struct client *c, uint32_t tag)
{
    uint8_t *bhs = c->pdus + (size_t)tag * BHS_LEN;
    memset(bhs, 0, BHS_LEN);
    bhs[0] = 0x01;
    bhs[1] = c->b->write ? 0xa1 : 0xc1; /* F, W or R, SIMPLE */
    iskra_put_be24(bhs + 5, c->immediate);
    bhs[9] = (uint8_t)c->b->lun;
    iskra_put_be32(bhs + 16, tag);
    iskra_put_be32(bhs + 20, c->b->block_len);
    bhs[32] = c->b->write ? 0x2a : 0x28; /* WRITE(10), READ(10) */
    iskra_put_be16(bhs + 39, (uint16_t)(c->b->block_len / SECTOR_LEN));
}

/* The next command of this tag: a new address and numbers, laid behind those already there; or it
 * waits for the window (RFC 7143 4.2.2.1). */
static void queue(struct client *c, uint32_t tag)
{
    if ((int32_t)(c->cmd_sn - c->max_cmd_sn) > 0) {
        c->waiting[c->waiting_cnt++] = tag;
        return;
    }
    uint8_t *bhs = c->out + (size_t)c->out_cnt++ * BHS_LEN;
    memcpy(bhs, c->pdus + (size_t)tag * BHS_LEN, BHS_LEN);
    iskra_put_be32(bhs + 24, c->cmd_sn++);
    iskra_put_be32(bhs + 28, c->stat_sn);
    iskra_put_be32(bhs + 34, (uint32_t)(bench_place(c->b) / SECTOR_LEN));
    c->since_ns[tag] = c->b->now_ns;
    c->in_flight++;
}

static void send_iov(struct client *c, struct iovec *iov, size_t cnt)
{
    struct msghdr msg = {.msg_iov = iov, .msg_iovlen = cnt};
    while (msg.msg_iovlen > 0) {
        ssize_t n = sendmsg(c->fd, &msg, MSG_NOSIGNAL);
        if (n < 0)
            bench_die("sendmsg");
        while (n > 0 && (size_t)n >= msg.msg_iov->iov_len) {
            n -= (ssize_t)msg.msg_iov->iov_len;
            msg.msg_iov++;
            msg.msg_iovlen--;
        }
        if (n > 0) {
            msg.msg_iov->iov_base = (char *)msg.msg_iov->iov_base + n;
            msg.msg_iov->iov_len -= (size_t)n;
        }
    }
}

static void flush(struct client *c)
{
    struct iovec iov[IOV_CNT];
    size_t cnt = 0;
    if (c->immediate == 0)
        bench_send(c->fd, c->out, (size_t)c->out_cnt * BHS_LEN);
    for (uint32_t i = 0; c->immediate > 0 && i < c->out_cnt; i++) {
        iov[cnt++] = (struct iovec){c->out + (size_t)i * BHS_LEN, BHS_LEN};
        iov[cnt++] = (struct iovec){c->data, c->immediate};
        if (cnt == IOV_CNT || i + 1 == c->out_cnt) {
            send_iov(c, iov, cnt);
            cnt = 0;
        }
    }
    c->out_cnt = 0;
}

/* Everything that an R2T asks for, in PDUs as large as the target takes. */
static void answer_r2t(struct client *c, const uint8_t *r2t)
{
    uint32_t offset = iskra_get_be32(r2t + 40), left = iskra_get_be32(r2t + 44);
    if (offset > c->b->block_len || left > c->b->block_len - offset)
        bench_die_of(c->b, "R2T", "asks for more than there is");
    for (uint32_t sn = 0; left > 0; sn++) {
        uint8_t bhs[BHS_LEN] = {0x05};
        uint32_t len = smaller(left, c->max_pdu_len);
        bhs[1] = len == left ? 0x80 : 0;
        iskra_put_be24(bhs + 5, len);
        memcpy(bhs + 8, r2t + 8, 16); /* LUN, both tags */
        iskra_put_be32(bhs + 28, c->stat_sn);
        iskra_put_be32(bhs + 36, sn);
        iskra_put_be32(bhs + 40, offset);
        struct iovec iov[2] = {{bhs, BHS_LEN}, {c->data + offset, len}};
        send_iov(c, iov, 2);
        offset += len;
        left -= len;
    }
}

/* ---- answers ---- */

/* A header that has come; true: with it a command has ended. */
static bool take(struct client *c, const uint8_t *bhs)
{
    switch (bhs[0] & 0x3f) {
    case 0x31:
        answer_r2t(c, bhs);
        return false;
    case 0x25:
        if (!(bhs[1] & 0x01))
            return false;
        break;
    case 0x21:
        break;
    default:
        bench_die_of(c->b, "answer", "neither Data-In nor SCSI Response nor R2T");
    }
    if (bhs[3] != 0 || iskra_get_be32(bhs + 16) >= c->b->qd)
        bench_die_of(c->b, "answer", "a command failed, or was never sent");
    c->stat_sn = iskra_get_be32(bhs + 24) + 1;
    c->max_cmd_sn = iskra_get_be32(bhs + 32);
    c->in_flight--;
    return true;
}

/* As many of those that wait as the window takes now. */
static void queue_waiting(struct client *c)
{
    while (c->waiting_cnt > 0 && (int32_t)(c->cmd_sn - c->max_cmd_sn) <= 0)
        queue(c, c->waiting[--c->waiting_cnt]);
}

/* One recv and all that it brought. False: nothing new is begun any more. */
static bool turn(struct client *c, bool more)
{
    struct input *in = &c->in;
    size_t n = in->have + bench_recv(c->b, c->fd, in->buf + in->have, BENCH_BUF_LEN - in->have);
    size_t at = 0;
    bool counts = more;
    more = more && bench_turn(c->b);
    for (;;) {
        size_t eat = in->skip < n - at ? in->skip : n - at;
        at += eat;
        in->skip -= eat;
        if (in->skip > 0 || n - at < BHS_LEN)
            break;
        const uint8_t *bhs = in->buf + at;
        uint32_t tag = iskra_get_be32(bhs + 16);
        bool ended = take(c, bhs);
        if (ended && counts)
            bench_ended(c->b, c->since_ns[tag]);
        if (ended && more)
            queue(c, tag);
        in->skip = (iskra_get_be24(bhs + 5) + 3u) & ~3u;
        at += BHS_LEN;
    }
    if (more)
        queue_waiting(c);
    in->have = n - at;
    memmove(in->buf, in->buf + at, in->have);
    flush(c);
    return more;
}

static void round_run(void *arg)
{
    struct client *c = arg;
    bench_begin(c->b);
    for (uint32_t tag = 0; tag < c->b->qd; tag++)
        queue(c, tag);
    flush(c);
    while (turn(c, true))
        ;
    bench_report(c->b);
    c->waiting_cnt = 0;
    while (c->in_flight > 0)
        (void)turn(c, false);
}

static void connect_to(struct client *c)
{
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(c->b->port)};
    if (inet_pton(AF_INET, c->b->host, &addr.sin_addr) != 1)
        bench_die_of(c->b, "--host", "not an IPv4 address");
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c->fd < 0 || connect(c->fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        bench_die("connect");
    bench_no_delay(c->fd);
}

int main(int argc, char **argv)
{
    struct bench b = {.name = "canned"};
    struct client c = {.b = &b};
    bench_options(&b, argc, argv);
    if (b.target == NULL || b.port == 0 || b.session_cnt != 1 || b.digests ||
        b.block_len > 65535u * SECTOR_LEN) {
        fprintf(stderr, "canned: needs --port and --target; one session, no digests, at most "
                        "32 MiB at once\n");
        return 2;
    }
    connect_to(&c);
    c.in.buf = malloc(BENCH_BUF_LEN);
    c.pdus = calloc(b.qd, BHS_LEN);
    c.out = calloc(b.qd, BHS_LEN);
    c.since_ns = calloc(b.qd, sizeof(*c.since_ns));
    c.waiting = calloc(b.qd, sizeof(*c.waiting));
    c.data = calloc(1, b.block_len);
    log_in(&c);
    for (uint32_t tag = 0; tag < b.qd; tag++)
        encode(&c, tag);
    bench_pin(b.cpu);
    bench_rounds(&b, round_run, &c);
    free(c.in.buf);
    free(c.pdus);
    free(c.out);
    free(c.since_ns);
    free(c.waiting);
    free(c.data);
    return 0;
}
