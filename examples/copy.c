/* One LUN onto others, all at the same time:   copy iscsi://host/target/0 iscsi://host/target/1 ...
 *
 * Each chunk is read once and written to every destination before the next is read; at the end all
 * are flushed. LUNs of the same target share one session. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <iskra/iskra.h>

#define DEST_MAX  8
#define CHUNK_LEN (256u * 1024u)

struct copy {
    struct iskra *ctx;
    struct iskra_lun *src, *dest[DEST_MAX];
    int dest_cnt, pending, status;
    struct iskra_io io[DEST_MAX];
    struct iskra_error err;
    unsigned char data[CHUNK_LEN];
};

static void on_done(struct iskra_io *io)
{
    struct copy *c = io->user;
    c->pending--;
    if (io->status < 0 && c->status == 0) {
        c->status = io->status;
        c->err = io->error;
    }
}

/* The same operation on all destinations at once. */
static int on_all(struct copy *c, enum iskra_op op, uint64_t offset, uint64_t len)
{
    struct iovec iov = {.iov_base = c->data, .iov_len = CHUNK_LEN};
    for (int i = 0; i < c->dest_cnt; i++) {
        struct iskra_io *io = &c->io[i];
        memset(io, 0, sizeof(*io));
        io->op = op;
        io->offset = offset;
        io->len = len;
        io->iov = op == ISKRA_WRITE ? &iov : NULL;
        io->iov_cnt = op == ISKRA_WRITE;
        io->done = on_done;
        io->user = c;
        if (iskra_submit(c->dest[i], io) == 0)
            c->pending++;
        else if (c->status == 0) {
            c->status = -1;
            c->err = io->error;
        }
    }
    while (c->pending > 0)
        iskra_run_once(c->ctx, -1);
    return c->status;
}

static int copy(struct copy *c)
{
    struct iskra_lun_info src, dest;
    iskra_lun_info(c->src, &src);
    uint64_t size = src.block_cnt * src.block_len;
    for (int i = 0; i < c->dest_cnt; i++) {
        iskra_lun_info(c->dest[i], &dest);
        if (dest.block_cnt * dest.block_len < size) {
            snprintf(c->err.text, sizeof(c->err.text), "LUN %llu is too small",
                     (unsigned long long)dest.lun);
            return -1;
        }
    }
    int rc = 0;
    for (uint64_t offset = 0; offset < size && rc == 0; offset += CHUNK_LEN) {
        uint64_t len = size - offset < CHUNK_LEN ? size - offset : CHUNK_LEN;
        rc = iskra_read_sync(c->src, c->data, len, offset, &c->err);
        if (rc == 0)
            rc = on_all(c, ISKRA_WRITE, offset, len);
    }
    if (rc == 0)
        rc = on_all(c, ISKRA_FLUSH, 0, 0);
    if (rc == 0)
        printf("%llu bytes to %d LUNs\n", (unsigned long long)size, c->dest_cnt);
    return rc;
}

int main(int argc, char **argv)
{
    struct copy *c = calloc(1, sizeof(*c));
    if (c == NULL || argc < 3 || argc > 2 + DEST_MAX) {
        fprintf(stderr, "usage: %s SOURCE DESTINATION...\n", argv[0]);
        free(c);
        return 2;
    }
    int rc = iskra_new(NULL, &c->ctx, &c->err);
    if (rc == 0)
        rc = iskra_open_sync(c->ctx, argv[1], &c->src, &c->err);
    for (int i = 2; i < argc && rc == 0; i++) {
        rc = iskra_open_sync(c->ctx, argv[i], &c->dest[c->dest_cnt], &c->err);
        c->dest_cnt += rc == 0;
    }
    if (rc == 0)
        rc = copy(c);
    if (rc < 0)
        fprintf(stderr, "%s\n", c->err.text);
    for (int i = 0; i < c->dest_cnt; i++)
        iskra_close_sync(c->dest[i]);
    iskra_close_sync(c->src);
    iskra_free(c->ctx);
    free(c);
    return rc < 0;
}
