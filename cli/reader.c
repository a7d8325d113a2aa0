/* Bytes of a LUN, in order; see reader.h. Whole blocks are read and cut at both ends. */
#include "reader.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int cli_reader_init(struct cli_reader *reader, struct iskra_lun *lun, uint64_t offset, uint64_t len,
                    const struct cli_depth *depth)
{
    struct iskra_lun_info info;
    iskra_lun_info(lun, &info);
    *reader = (struct cli_reader){
        .lun = lun,
        .depth = depth->qd,
        .block_len = info.block_len,
        .chunk_len = cli_depth_chunk_len(depth, &info),
        .start = offset,
        .end = offset + len,
        .next = offset - offset % info.block_len,
    };
    reader->memory = malloc(reader->depth * reader->chunk_len);
    reader->slots = calloc(reader->depth, sizeof(*reader->slots));
    return reader->memory && reader->slots ? 0 : -ENOMEM;
}

static void request_done(struct iskra_io *io)
{
    struct cli_reader_slot *slot = io->user;
    slot->done = true;
}

int cli_reader_submit(struct cli_reader *reader, struct iskra_error *err)
{
    while (reader->used_cnt < reader->depth && reader->next < reader->end) {
        unsigned index = (reader->head + reader->used_cnt) % reader->depth;
        struct cli_reader_slot *slot = &reader->slots[index];
        uint64_t left = reader->end - reader->next;
        uint64_t len = left < reader->chunk_len ? left : reader->chunk_len;
        uint64_t over = len % reader->block_len;
        if (over)
            len += reader->block_len - over;
        *slot = (struct cli_reader_slot){0};
        slot->iov = (struct iovec){reader->memory + index * reader->chunk_len, len};
        slot->io = (struct iskra_io){
            .op = ISKRA_READ,
            .offset = reader->next,
            .iov = &slot->iov,
            .iov_cnt = 1,
            .len = len,
            .done = request_done,
            .user = slot,
        };
        int rc = iskra_submit(reader->lun, &slot->io);
        if (rc) {
            *err = slot->io.error;
            return rc;
        }
        reader->used_cnt++;
        reader->next += len;
    }
    return 0;
}

int cli_reader_peek(struct cli_reader *reader, const unsigned char **ret_data, size_t *ret_len,
                    struct iskra_error *err)
{
    const struct cli_reader_slot *slot = &reader->slots[reader->head];
    if (reader->used_cnt == 0 || !slot->done)
        return 0;
    if (slot->io.status) {
        *err = slot->io.error;
        return slot->io.status;
    }
    uint64_t from = slot->io.offset > reader->start ? slot->io.offset : reader->start;
    uint64_t to = slot->io.offset + slot->io.len;
    to = to < reader->end ? to : reader->end;
    *ret_data = (const unsigned char *)slot->iov.iov_base + (from - slot->io.offset);
    *ret_len = (size_t)(to - from);
    return 1;
}

void cli_reader_release(struct cli_reader *reader)
{
    const struct cli_reader_slot *slot = &reader->slots[reader->head];
    uint64_t to = slot->io.offset + slot->io.len;
    reader->delivered_len = (to < reader->end ? to : reader->end) - reader->start;
    reader->head = (reader->head + 1) % reader->depth;
    reader->used_cnt--;
}

bool cli_reader_finished(const struct cli_reader *reader)
{
    return reader->used_cnt == 0 && reader->next >= reader->end;
}

void cli_reader_done(struct cli_reader *reader)
{
    free(reader->memory);
    free(reader->slots);
    reader->slots = NULL;
    reader->memory = NULL;
}
