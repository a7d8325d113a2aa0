/* Copying; see copy.h. */
#include "copy.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pipe.h"

#define HOLE_LEN 4096

/* What is to be written next. */
struct piece {
    const unsigned char *data;
    size_t len; /* 0: nothing yet */
    size_t used_len;
    bool end; /* the source has ended */
};

static int io_fail(const struct cli_copy *copy, const struct cli_copy_end *end)
{
    cli_error(copy->cli, "%s: %s, after %llu bytes", end->name, strerror(errno),
              (unsigned long long)copy->done_len);
    return CLI_OTHER;
}

static int no_memory(const struct cli_copy *copy)
{
    cli_error(copy->cli, "no memory for %u buffers of %llu bytes", copy->depth.qd,
              (unsigned long long)copy->depth.bs);
    return CLI_OTHER;
}

/* Makes ready to read len bytes of an end from `start` on. */
static int end_read_begin(struct cli_copy *copy, unsigned index, const struct cli_copy_end *end,
                          struct cli_reader *reader, uint64_t start, uint64_t len)
{
    copy->reading[index] = true;
    if (end->lun)
        return cli_reader_init(reader, end->lun, start, len, &copy->depth) ? no_memory(copy)
                                                                           : CLI_OK;
    copy->bufs[index] = malloc(copy->depth.bs);
    if (!copy->bufs[index])
        return no_memory(copy);
    if (end->sized && lseek(end->fd, (off_t)start, SEEK_SET) < 0)
        return io_fail(copy, end);
    return CLI_OK;
}

/* The next bytes of an end, if they are here. */
static int end_read(struct cli_copy *copy, unsigned index, const struct cli_copy_end *end,
                    struct cli_reader *reader, struct piece *piece)
{
    struct iskra_error err = {0};
    if (piece->len > 0 || piece->end)
        return CLI_OK;
    piece->used_len = 0;
    if (end->lun) {
        piece->end = cli_reader_finished(reader);
        int rc = piece->end ? 0 : cli_reader_submit(reader, &err);
        if (rc == 0 && !piece->end)
            rc = cli_reader_peek(reader, &piece->data, &piece->len, &err);
        return rc < 0 ? cli_fail(copy->cli, rc, &err) : CLI_OK;
    }
    struct pollfd input = {.fd = end->fd, .events = POLLIN};
    if (end->may_wait && poll(&input, 1, 0) <= 0)
        return CLI_OK;
    ssize_t n = read(end->fd, copy->bufs[index], copy->depth.bs);
    if (n < 0)
        return errno == EINTR || errno == EAGAIN ? CLI_OK : io_fail(copy, end);
    piece->data = copy->bufs[index];
    piece->len = (size_t)n;
    piece->end = n == 0;
    return CLI_OK;
}

static void piece_use(struct piece *piece, const struct cli_copy_end *end,
                      struct cli_reader *reader, size_t len)
{
    piece->used_len += len;
    if (piece->used_len < piece->len)
        return;
    piece->len = piece->used_len = 0;
    if (end->lun)
        cli_reader_release(reader);
}

static int lun_put(struct cli_copy *copy, struct piece *piece, size_t *ret_len)
{
    struct iskra_error err = {0};
    unsigned char *room;
    size_t len = piece->len - piece->used_len;
    size_t room_len = cli_writer_room(&copy->writer, &room);
    copy->beyond = cli_writer_full(&copy->writer);
    *ret_len = len < room_len ? len : room_len;
    if (*ret_len == 0)
        return CLI_OK;
    memcpy(room, piece->data + piece->used_len, *ret_len);
    int rc = cli_writer_take(&copy->writer, *ret_len, &err);
    return rc ? cli_fail(copy->cli, rc, &err) : CLI_OK;
}

static bool all_zero(const unsigned char *data, size_t len)
{
    return data[0] == 0 && memcmp(data, data + 1, len - 1) == 0;
}

/* How many bytes to write, or to leave as a hole, up to the next multiple of HOLE_LEN where that
 * changes. */
static size_t hole_split(const struct cli_copy *copy, const unsigned char *data, size_t len,
                         bool *ret_hole)
{
    size_t total = 0;
    for (;;) {
        size_t part = HOLE_LEN - (copy->done_len + copy->start + total) % HOLE_LEN;
        part = part < len - total ? part : len - total;
        bool hole = all_zero(data + total, part);
        if (total == 0)
            *ret_hole = hole;
        else if (hole != *ret_hole)
            return total;
        total += part;
        if (total == len)
            return total;
    }
}

static int fd_put(struct cli_copy *copy, struct piece *piece, size_t *ret_len)
{
    const struct cli_copy_end *dst = &copy->dst;
    const unsigned char *data = piece->data + piece->used_len;
    size_t len = piece->len - piece->used_len;
    bool hole = false;
    struct pollfd output = {.fd = dst->fd, .events = POLLOUT};
    if (dst->may_wait && poll(&output, 1, 0) <= 0)
        return CLI_OK;
    if (copy->sparse)
        len = hole_split(copy, data, len, &hole);
    if (hole && lseek(dst->fd, (off_t)len, SEEK_CUR) >= 0) {
        *ret_len = len;
        return CLI_OK;
    }
    ssize_t n = write(dst->fd, data, cli_pipe_room(dst->fd, dst->may_wait, len));
    if (n < 0 && errno == EPIPE)
        copy->pipe_closed = true;
    else if (n < 0 && errno != EINTR && errno != EAGAIN)
        return io_fail(copy, dst);
    *ret_len = n > 0 ? (size_t)n : 0;
    return CLI_OK;
}

/* Nothing is written after the source's end, so that what was announced and what came must agree.
 */
static int src_judge(const struct cli_copy *copy)
{
    uint64_t want = copy->src.sized ? copy->src.size - copy->start : copy->done_len;
    if (copy->done_len >= want)
        return CLI_OK;
    cli_error(copy->cli, "%s ended after %llu of %llu bytes", copy->src.name,
              (unsigned long long)(copy->start + copy->done_len),
              (unsigned long long)copy->src.size);
    return CLI_OTHER;
}

static int dst_end(struct cli_copy *copy)
{
    struct iskra_error err = {0};
    int exit_code = src_judge(copy);
    if (exit_code)
        return exit_code;
    if (copy->dst.lun) {
        int rc = cli_writer_end(&copy->writer, &err);
        return rc ? cli_fail(copy->cli, rc, &err) : CLI_OK;
    }
    if (copy->dst.regular && ftruncate(copy->dst.fd, (off_t)(copy->start + copy->done_len)))
        return io_fail(copy, &copy->dst);
    /* A pipe has no medium. */
    if (fsync(copy->dst.fd) && errno != EINVAL && errno != EROFS && errno != ENOTSUP)
        return io_fail(copy, &copy->dst);
    return CLI_OK;
}

/* One wait and one round of the loop. `busy`: there was something to do at once. */
static int round_run(struct cli_copy *copy, bool busy, bool want_src, bool want_dst)
{
    struct iskra_error err = {0};
    struct pollfd fds[] = {
        {.fd = copy->cli->ctx ? iskra_fd(copy->cli->ctx) : -1, .events = POLLIN},
        {.fd = copy->interrupt_fd, .events = POLLIN},
        {.fd = want_src && copy->src.may_wait ? copy->src.fd : -1, .events = POLLIN},
        {.fd = want_dst && copy->dst.may_wait ? copy->dst.fd : -1, .events = POLLOUT},
    };
    if (poll(fds, 4, busy ? 0 : -1) > 0 && fds[1].revents)
        copy->signo = cli_interrupt_taken(copy->interrupt_fd);
    int rc = copy->cli->ctx ? iskra_dispatch(copy->cli->ctx) : 0;
    if (rc == 0 && copy->writing)
        rc = cli_writer_step(&copy->writer, &err);
    return rc < 0 ? cli_fail(copy->cli, rc, &err) : CLI_OK;
}

static int copy_loop(struct cli_copy *copy)
{
    struct piece piece = {0};
    bool ended = false;
    int exit_code = CLI_OK;
    while (!exit_code && !copy->signo && !copy->pipe_closed) {
        size_t put_len = 0;
        bool ending = false;
        if (!ended)
            exit_code = end_read(copy, 0, &copy->src, &copy->reader, &piece);
        if (!exit_code && !ended && piece.len > 0)
            exit_code =
                copy->dst.lun ? lun_put(copy, &piece, &put_len) : fd_put(copy, &piece, &put_len);
        if (!exit_code && put_len > 0) {
            copy->done_len += put_len;
            piece_use(&piece, &copy->src, &copy->reader, put_len);
        }
        if (!exit_code && (piece.end || copy->beyond) && !ended) {
            ended = ending = true;
            exit_code = dst_end(copy);
        }
        if (exit_code || (ended && (!copy->writing || cli_writer_finished(&copy->writer))))
            break;
        /* At the end nothing need be in flight: then only this round sends the flush. */
        exit_code = round_run(copy, put_len > 0 || ending || copy->pipe_closed,
                              !ended && piece.len == 0 && !piece.end, !ended && piece.len > 0);
        cli_progress_update(&copy->progress, copy->done_len);
    }
    return exit_code;
}

int cli_copy_run(struct cli_copy *copy)
{
    struct iskra_error err = {0};
    uint64_t len = copy->src.sized ? copy->src.size - copy->start : 0;
    int exit_code = end_read_begin(copy, 0, &copy->src, &copy->reader, copy->start, len);
    if (!exit_code && copy->dst.lun) {
        copy->writing = true;
        int rc = cli_writer_init(&copy->writer, copy->dst.lun, copy->start, &copy->depth, &err);
        exit_code = rc ? cli_fail(copy->cli, rc, &err) : CLI_OK;
    }
    if (!exit_code && !copy->dst.lun && copy->dst.sized &&
        lseek(copy->dst.fd, (off_t)copy->start, SEEK_SET) < 0)
        exit_code = io_fail(copy, &copy->dst);
    if (!exit_code)
        exit_code = copy_loop(copy);
    cli_progress_clear(&copy->progress);
    if (!exit_code && !copy->signo && copy->beyond)
        exit_code = cli_writer_beyond(copy->cli, &copy->writer);
    return exit_code;
}

/* ---- compare ---- */

static int pieces_compare(struct cli_copy *copy, struct piece *a, struct piece *b, uint64_t at,
                          size_t *ret_len)
{
    size_t a_len = a->len - a->used_len, b_len = b->len - b->used_len;
    size_t len = a_len < b_len ? a_len : b_len;
    const unsigned char *p = a->data + a->used_len, *q = b->data + b->used_len;
    *ret_len = len;
    if (len == 0 || memcmp(p, q, len) == 0)
        return CLI_OK;
    size_t i = 0;
    while (p[i] == q[i])
        i++;
    cli_error(copy->cli, "verify: byte %llu is %02x in %s and %02x in %s",
              (unsigned long long)(at + i), p[i], copy->src.name, q[i], copy->dst.name);
    return CLI_VERIFY;
}

int cli_copy_compare(struct cli_copy *copy, uint64_t len)
{
    struct piece a = {0}, b = {0};
    uint64_t at = 0;
    if (copy->reading[0]) {
        cli_reader_done(&copy->reader);
        free(copy->bufs[0]);
        copy->bufs[0] = NULL;
    }
    copy->writing = false; /* it has flushed */
    cli_writer_done(&copy->writer);
    int exit_code = end_read_begin(copy, 0, &copy->src, &copy->reader, 0, len);
    if (!exit_code)
        exit_code = end_read_begin(copy, 1, &copy->dst, &copy->other_reader, 0, len);
    while (!exit_code && !copy->signo && at < len) {
        size_t same_len = 0;
        exit_code = end_read(copy, 0, &copy->src, &copy->reader, &a);
        if (!exit_code)
            exit_code = end_read(copy, 1, &copy->dst, &copy->other_reader, &b);
        if (!exit_code && (a.end || b.end)) {
            cli_error(copy->cli, "verify: %s ended after %llu of %llu bytes",
                      a.end ? copy->src.name : copy->dst.name, (unsigned long long)at,
                      (unsigned long long)len);
            exit_code = CLI_VERIFY;
        }
        if (!exit_code)
            exit_code = pieces_compare(copy, &a, &b, at, &same_len);
        if (exit_code)
            break;
        if (same_len > 0) {
            piece_use(&a, &copy->src, &copy->reader, same_len);
            piece_use(&b, &copy->dst, &copy->other_reader, same_len);
            at += same_len;
        }
        exit_code = round_run(copy, same_len > 0, false, false);
    }
    return exit_code;
}

void cli_copy_done(struct cli_copy *copy)
{
    cli_reader_done(&copy->reader);
    cli_reader_done(&copy->other_reader);
    cli_writer_done(&copy->writer);
    free(copy->bufs[0]);
    free(copy->bufs[1]);
}
