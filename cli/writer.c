/* Bytes onto a LUN; see writer.h. */
#include "writer.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned filling(const struct cli_writer *writer)
{
    return (writer->head + writer->used_cnt) % writer->depth;
}

static unsigned char *chunk_of(const struct cli_writer *writer, unsigned index)
{
    return writer->memory + index * writer->chunk_len;
}

/* The first chunk is shorter, so that the others begin at multiples of their length. */
static uint64_t chunk_end(const struct cli_writer *writer)
{
    uint64_t end = writer->chunk_at - writer->chunk_at % writer->chunk_len + writer->chunk_len;
    return end < writer->end ? end : writer->end;
}

int cli_writer_init(struct cli_writer *writer, struct iskra_lun *lun, uint64_t offset,
                    const struct cli_depth *depth, struct iskra_error *err)
{
    struct iskra_lun_info info;
    iskra_lun_info(lun, &info);
    *writer = (struct cli_writer){
        .lun = lun,
        .depth = depth->qd,
        .block_len = info.block_len,
        .chunk_len = cli_depth_chunk_len(depth, &info),
        .start = offset,
        .end = info.block_cnt * info.block_len,
        .pos = offset,
        .chunk_at = offset - offset % info.block_len,
    };
    /* Nothing is written; whether it could be is judged. */
    int rc = iskra_write_sync(lun, NULL, 0, 0, 0, err);
    if (rc)
        return rc;
    writer->memory = malloc(writer->depth * writer->chunk_len + writer->block_len);
    writer->slots = calloc(writer->depth, sizeof(*writer->slots));
    if (!writer->memory || !writer->slots) {
        *err = (struct iskra_error){.code = ISKRA_E_NOMEM, .sys_errno = ENOMEM};
        snprintf(err->text, sizeof(err->text), "no memory for %u buffers of %llu bytes",
                 writer->depth, (unsigned long long)writer->chunk_len);
        return -ENOMEM;
    }
    if (writer->pos == writer->chunk_at)
        return 0;
    return iskra_read_sync(lun, chunk_of(writer, 0), writer->block_len, writer->chunk_at, err);
}

bool cli_writer_full(const struct cli_writer *writer)
{
    return writer->pos == writer->end;
}

size_t cli_writer_room(struct cli_writer *writer, unsigned char **ret_room)
{
    if (writer->ended || writer->used_cnt == writer->depth || cli_writer_full(writer))
        return 0;
    *ret_room = chunk_of(writer, filling(writer)) + (writer->pos - writer->chunk_at);
    return (size_t)(chunk_end(writer) - writer->pos);
}

static void request_done(struct iskra_io *io)
{
    *(bool *)io->user = true;
}

/* Sends the chunk that was filled up to pos, a whole block. */
static int chunk_submit(struct cli_writer *writer, uint64_t to, struct iskra_error *err)
{
    unsigned index = filling(writer);
    struct cli_writer_slot *slot = &writer->slots[index];
    *slot = (struct cli_writer_slot){0};
    slot->iov = (struct iovec){chunk_of(writer, index), to - writer->chunk_at};
    slot->io = (struct iskra_io){
        .op = ISKRA_WRITE,
        .offset = writer->chunk_at,
        .iov = &slot->iov,
        .iov_cnt = 1,
        .len = slot->iov.iov_len,
        .done = request_done,
        .user = &slot->done,
    };
    int rc = iskra_submit(writer->lun, &slot->io);
    if (rc) {
        *err = slot->io.error;
        return rc;
    }
    writer->used_cnt++;
    writer->chunk_at = to;
    return 0;
}

int cli_writer_take(struct cli_writer *writer, size_t len, struct iskra_error *err)
{
    writer->pos += len;
    return writer->pos == chunk_end(writer) ? chunk_submit(writer, writer->pos, err) : 0;
}

/* The last block is written in part: the rest of it is what is there. */
static int tail_fill(struct cli_writer *writer, struct iskra_error *err)
{
    size_t part = writer->pos % writer->block_len;
    unsigned char *block = chunk_of(writer, writer->depth);
    unsigned char *to = chunk_of(writer, filling(writer)) + (writer->pos - writer->chunk_at);
    int rc = iskra_read_sync(writer->lun, block, writer->block_len, writer->pos - part, err);
    if (rc == 0)
        memcpy(to, block + part, writer->block_len - part);
    return rc;
}

int cli_writer_end(struct cli_writer *writer, struct iskra_error *err)
{
    uint64_t part = writer->pos % writer->block_len;
    int rc = 0;
    writer->ended = true;
    if (writer->pos == writer->start || writer->pos == writer->chunk_at)
        return 0; /* nothing came, or nothing since the last chunk */
    if (part)
        rc = tail_fill(writer, err);
    return rc ? rc
              : chunk_submit(writer, part ? writer->pos + writer->block_len - part : writer->pos,
                             err);
}

static int flush_step(struct cli_writer *writer, struct iskra_error *err)
{
    if (writer->flushed && writer->flush.status) {
        *err = writer->flush.error;
        return writer->flush.status;
    }
    if (writer->flush_sent)
        return 0;
    writer->flush = (struct iskra_io){
        .op = ISKRA_FLUSH,
        .done = request_done,
        .user = &writer->flushed,
    };
    int rc = iskra_submit(writer->lun, &writer->flush);
    if (rc)
        *err = writer->flush.error;
    writer->flush_sent = rc == 0;
    return rc;
}

int cli_writer_step(struct cli_writer *writer, struct iskra_error *err)
{
    while (writer->used_cnt > 0 && writer->slots[writer->head].done) {
        const struct cli_writer_slot *slot = &writer->slots[writer->head];
        if (slot->io.status) {
            *err = slot->io.error;
            return slot->io.status;
        }
        uint64_t to = slot->io.offset + slot->io.len;
        writer->confirmed_len = (to < writer->pos ? to : writer->pos) - writer->start;
        writer->head = (writer->head + 1) % writer->depth;
        writer->used_cnt--;
    }
    return writer->ended && writer->used_cnt == 0 ? flush_step(writer, err) : 0;
}

bool cli_writer_finished(const struct cli_writer *writer)
{
    return writer->flushed && writer->flush.status == 0;
}

int cli_writer_beyond(const struct cli *cli, const struct cli_writer *writer)
{
    return cli_usage(cli,
                     "the input goes on beyond the end of the LUN at %llu; %llu bytes at %llu were "
                     "written",
                     (unsigned long long)writer->end, (unsigned long long)writer->confirmed_len,
                     (unsigned long long)writer->start);
}

void cli_writer_done(struct cli_writer *writer)
{
    free(writer->memory);
    free(writer->slots);
    writer->slots = NULL;
    writer->memory = NULL;
}
