/* The canned client: pre-encoded READ PDUs against a real target, nothing parsed beyond lengths and
 * the status bit. Its figures include the target's cost, so it is the ceiling for any initiator on
 * that target. */
#include "measure.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "wire/be.h"

#define BHS_LEN 48u

struct client {
    struct bench *b;
    int fd;
    uint8_t *pdus; /* qd of them */
    uint8_t *out;  /* those to be sent again, back to back */
    uint32_t cmd_sn, stat_sn, seed;
    uint32_t block_len; /* of the disk */
};

static void die_protocol(const char *what)
{
    fprintf(stderr, "bench: canned: %s\n", what);
    exit(1);
}

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
        die_protocol("an answer that is too large");
    recv_all(c->fd, data, len);
    recv_all(c->fd, pad, -len & 3);
    return len;
}

/* Straight into the operational stage, no digests, and on to full feature phase. */
static void login(struct client *c)
{
    uint8_t bhs[BHS_LEN] = {0x43, 0x87}, data[8192];
    char text[1024];
    int len = snprintf(
        text, sizeof(text),
        "InitiatorName=iqn.2026-11.io.iskra:canned%cTargetName=%s%cSessionType=Normal%"
        "cHeaderDigest=None%c"
        "DataDigest=None%cMaxRecvDataSegmentLength=262144%cInitialR2T=No%cImmediateData=Yes%c"
        "MaxBurstLength=16776192%cFirstBurstLength=262144%cMaxOutstandingR2T=1%cMaxConnections=1%c"
        "ErrorRecoveryLevel=0%c",
        0, c->b->target, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0);
    iskra_put_be24(bhs + 5, (uint32_t)len);
    memcpy(bhs + 8, "\x80\x00\x00\x00\x00\x01", 6);
    iskra_put_be32(bhs + 24, 1);
    memset(text + len, 0, 4);
    bench_send(c->fd, bhs, BHS_LEN);
    bench_send(c->fd, text, ((size_t)len + 3) & ~(size_t)3);
    recv_pdu(c, bhs, data, sizeof(data));
    if (bhs[0] != 0x23 || bhs[36] != 0 || (bhs[1] & 0x83) != 0x83)
        die_protocol("the target does not log in at once");
    c->cmd_sn = 1;
    c->stat_sn = iskra_get_be32(bhs + 24) + 1;
}

static void encode_read(struct client *c, uint32_t tag, uint32_t blocks)
{
    uint8_t *bhs = c->pdus + (size_t)tag * BHS_LEN;
    memset(bhs, 0, BHS_LEN);
    bhs[0] = 0x01;
    bhs[1] = 0xc1; /* F, R, SIMPLE */
    bhs[9] = (uint8_t)c->b->lun;
    iskra_put_be32(bhs + 16, tag);
    iskra_put_be32(bhs + 20, blocks * c->block_len);
    bhs[32] = 0x28; /* READ(10) */
    iskra_put_be16(bhs + 39, (uint16_t)blocks);
}

/* The next command of this tag: a new address and numbers, laid behind those already in c->out. */
static void queue(struct client *c, uint32_t tag, uint32_t slot)
{
    uint8_t *bhs = c->out + (size_t)slot * BHS_LEN;
    uint32_t places = (uint32_t)(c->b->disk_len / c->b->block_len);
    c->seed = c->seed * 1664525u + 1013904223u;
    memcpy(bhs, c->pdus + (size_t)tag * BHS_LEN, BHS_LEN);
    iskra_put_be32(bhs + 24, c->cmd_sn++);
    iskra_put_be32(bhs + 28, c->stat_sn);
    iskra_put_be32(bhs + 34,
                   (uint32_t)((uint64_t)c->seed * places >> 32) * (c->b->block_len / c->block_len));
}

/* Reads until something completes: learns the tags of completed commands and lays them out again.
 */
static uint32_t receive(struct client *c, uint8_t *buf, size_t *have, size_t *skip)
{
    uint32_t done = 0;
    size_t n = bench_recv(c->b, c->fd, buf + *have, BENCH_BUF_LEN - *have), at = 0;
    n += *have;
    for (;;) {
        size_t eat = *skip < n - at ? *skip : n - at;
        at += eat;
        *skip -= eat;
        if (*skip > 0 || n - at < BHS_LEN)
            break;
        const uint8_t *bhs = buf + at;
        bool data_in = (bhs[0] & 0x3f) == 0x25;
        if (!data_in && (bhs[0] & 0x3f) != 0x21)
            die_protocol("an answer that is neither Data-In nor SCSI Response");
        if (!data_in || bhs[1] & 0x01) {
            if (bhs[3] != 0)
                die_protocol("a command failed");
            c->stat_sn = iskra_get_be32(bhs + 24) + 1;
            queue(c, iskra_get_be32(bhs + 16), done++);
        }
        *skip = (iskra_get_be24(bhs + 5) + 3u) & ~3u;
        at += BHS_LEN;
    }
    *have = n - at;
    memmove(buf, buf + at, *have);
    return done;
}

static void run(struct client *c)
{
    struct bench *b = c->b;
    uint8_t *buf = malloc(BENCH_BUF_LEN);
    size_t have = 0, skip = 0;
    bench_begin(b);
    for (uint32_t tag = 0; tag < b->qd; tag++) {
        encode_read(c, tag, b->block_len / c->block_len);
        queue(c, tag, tag);
    }
    bench_send(c->fd, c->out, (size_t)b->qd * BHS_LEN);
    while (!bench_over(b)) {
        uint32_t done = receive(c, buf, &have, &skip);
        b->io_cnt += done;
        bench_send(c->fd, c->out, (size_t)done * BHS_LEN);
    }
    bench_report(b);
    free(buf);
}

int main(int argc, char **argv)
{
    struct bench b = {.name = "canned"};
    struct client c = {.b = &b, .block_len = 512};
    bench_options(&b, argc, argv);
    if (b.target == NULL || b.port == 0 || b.write || b.block_len > 65535u * c.block_len) {
        fprintf(stderr, "canned: needs --port and --target; reads only, at most 32 MiB at once\n");
        return 2;
    }
    struct sockaddr_in addr = {.sin_family = AF_INET, .sin_port = htons(b.port)};
    if (inet_pton(AF_INET, b.host, &addr.sin_addr) != 1) {
        fprintf(stderr, "canned: --host %s is not an IPv4 address\n", b.host);
        return 2;
    }
    c.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (c.fd < 0 || connect(c.fd, (struct sockaddr *)&addr, sizeof(addr)) < 0)
        bench_die("connect");
    bench_no_delay(c.fd);
    c.pdus = calloc(b.qd, BHS_LEN);
    c.out = calloc(b.qd, BHS_LEN);
    login(&c);
    bench_pin(b.cpu);
    run(&c);
    free(c.pdus);
    free(c.out);
    return 0;
}
