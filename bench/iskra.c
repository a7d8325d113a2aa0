/* iskra in the same loop as the others: QD requests in flight through the public interface, in one
 * session or in many. */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include <iskra/iskra.h>

struct client;

struct slot {
    struct iskra_io io;
    struct iovec iov;
    struct iskra_lun *lun;
    struct client *c;
    uint64_t since_ns;
};

struct client {
    struct bench *b;
    struct iskra *ctx;
    struct iskra_lun **luns;
    struct slot *slots;
    uint32_t out_cnt;
};

static void next(struct slot *s)
{
    s->since_ns = s->c->b->now_ns;
    s->io.offset = bench_place(s->c->b);
    if (iskra_submit(s->lun, &s->io))
        bench_die_of(s->c->b, "submit", s->io.error.text);
    s->c->out_cnt++;
}

static void done(struct iskra_io *io)
{
    struct slot *s = io->user;
    struct client *c = s->c;
    if (io->status)
        bench_die_of(c->b, "request", io->error.text);
    c->out_cnt--;
    bench_see(c->b);
    if (bench_ended(c->b, s->since_ns))
        next(s);
}

static void turn(struct client *c)
{
    bench_turn(c->b);
    if (iskra_run_once(c->ctx, 5000000000))
        bench_die_of(c->b, "loop", "it ended");
}

static void round_run(void *arg)
{
    struct client *c = arg;
    bench_begin(c->b);
    for (uint32_t i = 0; i < c->b->qd; i++)
        next(&c->slots[i]);
    while (!c->b->over)
        turn(c);
    bench_report(c->b);
    while (c->out_cnt > 0)
        turn(c);
}

/* A session of its own for each LUN: sessions are told apart by the ISID (RFC 7143 11.12.5), here
 * of the "random" kind and of this process's own. */
static struct iskra_lun *lun_open(struct client *c, uint32_t number)
{
    struct bench *b = c->b;
    struct iskra_lun *lun;
    struct iskra_error err = {0};
    char url[1024];
    uint32_t depth = (b->qd + b->session_cnt - 1) / b->session_cnt;
    uint32_t cmds_max = depth < 64 ? 128 : depth * 2 > 4096 ? 4096 : depth * 2;
    const char *digest = b->digests ? "crc32c" : "none";
    snprintf(url, sizeof(url),
             "iscsi://%s:%u/%s/%u?queue_depth=%u&cmds_max=%u&isid=8000%08x&header_digest=%s"
             "&data_digest=%s&busy_poll_us=%u%s%s",
             b->host, b->port, b->target, b->lun, depth, cmds_max,
             (uint32_t)getpid() << 12 | number, digest, digest, b->spin ? 1000000u : 0u,
             b->keys[0] != '\0' ? "&" : "", b->keys);
    if (iskra_open_sync(c->ctx, url, &lun, &err))
        bench_die_of(b, "open", err.text);
    return lun;
}

static void slots_make(struct client *c)
{
    const struct bench *b = c->b;
    for (uint32_t i = 0; i < b->qd; i++) {
        struct slot *s = &c->slots[i];
        s->c = c;
        s->lun = c->luns[i % b->session_cnt];
        s->iov = (struct iovec){bench_payload(b->block_len), b->block_len};
        s->io = (struct iskra_io){.op = b->write ? ISKRA_WRITE : ISKRA_READ,
                                  .iov = &s->iov,
                                  .iov_cnt = 1,
                                  .len = b->block_len,
                                  .done = done,
                                  .user = s};
    }
}

int main(int argc, char **argv)
{
    struct bench b = {.name = "iskra"};
    struct client c = {.b = &b};
    struct iskra_error err = {0};
    bench_options(&b, argc, argv);
    if (b.target == NULL || b.port == 0) {
        fprintf(stderr, "iskra: needs --port and --target\n");
        return 2;
    }
    if (iskra_new(NULL, &c.ctx, &err))
        bench_die_of(&b, "new", err.text);
    c.luns = calloc(b.session_cnt, sizeof(struct iskra_lun *));
    c.slots = calloc(b.qd, sizeof(*c.slots));
    b.rss_kib = bench_rss_kib();
    for (uint32_t i = 0; i < b.session_cnt; i++)
        c.luns[i] = lun_open(&c, i);
    b.rss_idle_kib = bench_rss_kib();
    bench_pin(b.cpu);
    slots_make(&c);
    bench_rounds(&b, round_run, &c);
    for (uint32_t i = 0; i < b.session_cnt; i++)
        iskra_close_sync(c.luns[i]);
    iskra_free(c.ctx);
    for (uint32_t i = 0; i < b.qd; i++)
        free(c.slots[i].iov.iov_base);
    free(c.slots);
    free(c.luns);
    return 0;
}
