/* Many reads in flight from a loop of one's own over poll(2):   poll_loop iscsi://host/target/lun
 * [MiB]
 *
 * The whole LUN, or its first MiB, is read by 16 requests that go round: each is submitted again
 * from its own done(). Prints how much it was and a checksum. */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/iskra.h>

#define DEPTH     16
#define CHUNK_LEN (64u * 1024u)

struct reader;

struct chunk {
    struct iskra_io io; /* the request, and what it needs until done() */
    struct iovec iov;
    struct reader *reader;
    unsigned char data[CHUNK_LEN];
};

struct reader {
    struct iskra *ctx;
    struct iskra_lun *lun;
    struct iskra_error err;
    struct chunk *chunks;
    unsigned long long size, next, done_len, sum;
    int in_flight, closed, failed;
};

/* Sums do not depend on the order in which the chunks arrive. */
static unsigned long long checksum(const unsigned char *data, size_t len)
{
    unsigned long long sum = 0;
    for (size_t i = 0; i < len; i++)
        sum += data[i] * (i % 251 + 1);
    return sum;
}

static void on_closed(void *arg)
{
    ((struct reader *)arg)->closed = 1;
}

static void on_read(struct iskra_io *io);

/* The next chunk, or the end. */
static void read_next(struct chunk *c)
{
    struct reader *r = c->reader;
    if (!r->failed && r->next < r->size) {
        unsigned long long left = r->size - r->next;
        c->io.op = ISKRA_READ;
        c->io.offset = r->next;
        c->io.len = left < CHUNK_LEN ? left : CHUNK_LEN;
        c->io.iov = &c->iov;
        c->io.iov_cnt = 1;
        c->io.done = on_read;
        c->io.user = c;
        if (iskra_submit(r->lun, &c->io) == 0) {
            r->next += c->io.len;
            r->in_flight++;
            return;
        }
        r->err = c->io.error;
        r->failed = 1;
    }
    if (r->in_flight == 0 && r->lun != NULL) {
        iskra_close(r->lun, on_closed, r);
        r->lun = NULL;
    }
}

static void on_read(struct iskra_io *io)
{
    struct chunk *c = io->user;
    struct reader *r = c->reader;
    r->in_flight--;
    if (io->status == 0) {
        r->done_len += io->len;
        r->sum += checksum(c->data, (size_t)io->len);
    } else {
        r->err = io->error;
        r->failed = 1;
    }
    read_next(c);
}

static void on_open(void *arg, int status, struct iskra_lun *lun, const struct iskra_error *err)
{
    struct reader *r = arg;
    if (status < 0) {
        r->err = *err;
        r->failed = r->closed = 1;
        return;
    }
    struct iskra_lun_info info;
    iskra_lun_info(lun, &info);
    r->lun = lun;
    unsigned long long all = info.block_cnt * info.block_len;
    if (r->size == 0 || r->size > all)
        r->size = all;
    for (int i = 0; i < DEPTH && r->lun != NULL; i++)
        read_next(&r->chunks[i]);
}

/* What any program's loop does with a descriptor; here it is the only one. */
static void loop(struct reader *r)
{
    struct pollfd fd = {.fd = iskra_fd(r->ctx), .events = POLLIN};
    while (!r->closed) {
        if (poll(&fd, 1, -1) < 0 && errno != EINTR)
            break;
        iskra_dispatch(r->ctx);
    }
}

int main(int argc, char **argv)
{
    struct reader r;
    memset(&r, 0, sizeof(r));
    if (argc < 2 || argc > 3) {
        fprintf(stderr, "usage: %s URL [MiB]\n", argv[0]);
        return 2;
    }
    r.size = argc == 3 ? strtoull(argv[2], NULL, 10) << 20 : 0;
    r.chunks = calloc(DEPTH, sizeof(*r.chunks));
    for (int i = 0; r.chunks != NULL && i < DEPTH; i++) {
        r.chunks[i].reader = &r;
        r.chunks[i].iov.iov_base = r.chunks[i].data;
        r.chunks[i].iov.iov_len = CHUNK_LEN;
    }
    if (r.chunks == NULL || iskra_new(NULL, &r.ctx, &r.err) < 0 ||
        iskra_open(r.ctx, argv[1], on_open, &r, &r.err) < 0)
        r.failed = 1;
    else
        loop(&r);
    iskra_free(r.ctx);
    free(r.chunks);
    if (r.failed) {
        fprintf(stderr, "%s\n", r.err.text);
        return 1;
    }
    printf("%llu bytes, checksum %llx\n", r.done_len, r.sum);
    return 0;
}
