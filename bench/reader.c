/* iskra in the same loop as the others: QD random reads in flight through the public API. */
#include "measure.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/iskra.h>

struct slot {
    struct iskra_io io;
    struct iovec iov;
    struct reader *r;
};

struct reader {
    struct bench *b;
    struct iskra_lun *lun;
    uint32_t seed, out_cnt;
    bool stop;
};

static void die(const char *what, const struct iskra_error *err)
{
    fprintf(stderr, "bench: iskra: %s: %s\n", what, err->text);
    exit(1);
}

static void next(struct slot *s)
{
    struct reader *r = s->r;
    uint32_t places = (uint32_t)(r->b->disk_len / r->b->block_len);
    r->seed = r->seed * 1664525u + 1013904223u;
    s->io.offset = ((uint64_t)r->seed * places >> 32) * r->b->block_len;
    if (iskra_submit(r->lun, &s->io))
        die("submit", &s->io.error);
}

static void done(struct iskra_io *io)
{
    struct slot *s = io->user;
    if (io->status)
        die("read", &io->error);
    s->r->b->io_cnt++;
    if (s->r->stop)
        s->r->out_cnt--;
    else
        next(s);
}

int main(int argc, char **argv)
{
    struct bench b = {.name = "iskra"};
    struct reader r = {.b = &b};
    struct iskra *ctx;
    struct iskra_error err = {0};
    char url[512];
    bench_options(&b, argc, argv);
    if (b.target == NULL || b.port == 0 || b.write) {
        fprintf(stderr, "iskra: needs --port and --target; reads only\n");
        return 2;
    }
    snprintf(url, sizeof(url), "iscsi://%s:%u/%s/%u?queue_depth=%u&cmds_max=%u", b.host, b.port,
             b.target, b.lun, b.qd,
             b.qd < 64         ? 128
             : b.qd * 2 > 4096 ? 4096
                               : b.qd * 2);
    if (iskra_new(NULL, &ctx, &err) || iskra_open_sync(ctx, url, &r.lun, &err))
        die("open", &err);
    bench_pin(b.cpu);
    struct slot *slots = calloc(b.qd, sizeof(*slots));
    bench_begin(&b);
    for (uint32_t i = 0; i < b.qd; i++) {
        struct slot *s = &slots[i];
        s->r = &r;
        s->iov = (struct iovec){malloc(b.block_len), b.block_len};
        s->io = (struct iskra_io){.op = ISKRA_READ,
                                  .iov = &s->iov,
                                  .iov_cnt = 1,
                                  .len = b.block_len,
                                  .done = done,
                                  .user = s};
        next(s);
    }
    while (!bench_over(&b))
        if (iskra_run_once(ctx, b.spin ? 0 : -1))
            break;
    bench_report(&b);
    r.stop = true;
    r.out_cnt = b.qd;
    while (r.out_cnt > 0 && iskra_run_once(ctx, 5000000000) == 0)
        ;
    iskra_close_sync(r.lun);
    iskra_free(ctx);
    for (uint32_t i = 0; i < b.qd; i++)
        free(slots[i].iov.iov_base);
    free(slots);
    return 0;
}
