/* iskra in a libuv loop, beside whatever else the loop does:   uv_loop iscsi://host/target/lun
 *
 * One uv_poll_t watches iskra_fd(), which stays the same for the life of the initiator. Reads the
 * first 64 blocks one after the other, while a timer of the program's own ticks in the same loop.
 */
#include <stdio.h>
#include <stdlib.h>

#include <uv.h>

#include <iskra/iskra.h>

#define BLOCKS_WANTED 64u
#define BLOCK_LEN_MAX 65536u

struct reader {
    struct iskra *ctx;
    struct iskra_lun *lun;
    struct iskra_lun_info info;
    struct iskra_error err;
    struct iskra_io io;
    struct iovec iov;
    unsigned char block[BLOCK_LEN_MAX];
    uv_poll_t poll;
    uv_timer_t tick;
    unsigned long long read_cnt, sum;
    int failed, ticked;
};

static void on_closed(void *arg)
{
    struct reader *r = arg;
    uv_close((uv_handle_t *)&r->poll, NULL);
    uv_close((uv_handle_t *)&r->tick, NULL); /* nothing is left to watch: the loop ends */
}

static void on_block(struct iskra_io *io);

static void read_next(struct reader *r)
{
    if (!r->failed && r->read_cnt < BLOCKS_WANTED && r->read_cnt < r->info.block_cnt) {
        r->iov = (struct iovec){r->block, r->info.block_len};
        r->io.op = ISKRA_READ;
        r->io.offset = r->read_cnt * r->info.block_len;
        r->io.len = r->info.block_len;
        r->io.iov = &r->iov;
        r->io.iov_cnt = 1;
        r->io.done = on_block;
        r->io.user = r;
        if (iskra_submit(r->lun, &r->io) == 0)
            return;
        r->err = r->io.error;
        r->failed = 1;
    }
    iskra_close(r->lun, on_closed, r);
}

static void on_block(struct iskra_io *io)
{
    struct reader *r = io->user;
    if (io->status < 0) {
        r->err = io->error;
        r->failed = 1;
    }
    for (uint64_t i = 0; !r->failed && i < io->len; i++)
        r->sum += r->block[i];
    r->read_cnt += !r->failed;
    read_next(r);
}

static void on_open(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct reader *r = arg;
    if (status < 0) {
        r->err = *err;
        r->failed = 1;
        on_closed(r);
        return;
    }
    r->lun = lun;
    iskra_lun_info(lun, &r->info);
    read_next(r);
}

static void on_readable(uv_poll_t *poll, int status, int events)
{
    struct reader *r = poll->data;
    (void)status;
    (void)events;
    iskra_dispatch(r->ctx);
}

static void on_tick(uv_timer_t *tick)
{
    ((struct reader *)tick->data)->ticked = 1;
}

int main(int argc, char **argv)
{
    struct reader *r = calloc(1, sizeof(*r));
    uv_loop_t *loop = uv_default_loop();

    if (argc != 2 || r == NULL || iskra_new(NULL, &r->ctx, &r->err) < 0)
        return 2;
    r->poll.data = r->tick.data = r;
    uv_poll_init(loop, &r->poll, iskra_fd(r->ctx));
    uv_poll_start(&r->poll, UV_READABLE, on_readable);
    uv_timer_init(loop, &r->tick);
    uv_timer_start(&r->tick, on_tick, 0, 1000);
    if (iskra_open(r->ctx, argv[1], on_open, r, &r->err) < 0) {
        r->failed = 1;
        on_closed(r);
    }
    uv_run(loop, UV_RUN_DEFAULT);
    uv_loop_close(loop);
    iskra_free(r->ctx);
    if (r->failed)
        fprintf(stderr, "%s\n", r->err.text);
    else
        printf("%llu blocks of %u bytes, sum %llu%s\n", r->read_cnt, (unsigned)r->info.block_len,
               r->sum, r->ticked ? "" : ", and no tick");
    int failed = r->failed;
    free(r);
    return failed;
}
