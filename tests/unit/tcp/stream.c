/* Putting together what a target sends, byte by byte as RFC 7143 11 draws it. */
#include "fake.h"

#include <stdlib.h>
#include <string.h>

uint32_t slow_crc32c(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *p = data;
    for (size_t i = 0; i < len; i++) {
        crc ^= p[i];
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ ((crc & 1) ? 0x82f63b78u : 0);
    }
    return crc;
}

void stream_done(struct stream *s)
{
    free(s->bytes);
    *s = (struct stream){0};
}

void stream_put(struct stream *s, const void *bytes, size_t len)
{
    if (s->len + len > s->cap) {
        s->cap = (s->len + len) * 2;
        s->bytes = realloc(s->bytes, s->cap);
        if (!s->bytes)
            abort();
    }
    if (len > 0)
        memcpy(s->bytes + s->len, bytes, len);
    s->len += len;
}

static void stream_put_digest(struct stream *s, uint32_t crc)
{
    crc = ~crc;
    uint8_t digest[4] = {(uint8_t)crc, (uint8_t)(crc >> 8), (uint8_t)(crc >> 16),
                         (uint8_t)(crc >> 24)};
    stream_put(s, digest, sizeof(digest));
}

void stream_put_pdu(struct stream *s, const uint8_t *bhs, const void *ahs, uint32_t ahs_len,
                    const void *data, uint32_t data_len)
{
    static const uint8_t zeros[4];
    uint8_t hdr[ISKRA_BHS_LEN];
    memcpy(hdr, bhs, sizeof(hdr));
    hdr[4] = (uint8_t)(ahs_len / 4);
    hdr[5] = (uint8_t)(data_len >> 16);
    hdr[6] = (uint8_t)(data_len >> 8);
    hdr[7] = (uint8_t)data_len;
    size_t from = s->len;
    stream_put(s, hdr, sizeof(hdr));
    stream_put(s, ahs, ahs_len);
    if (s->hdr_digest)
        stream_put_digest(s, slow_crc32c(0xffffffffu, s->bytes + from, s->len - from));
    if (data_len == 0)
        return;
    from = s->len;
    stream_put(s, data, data_len);
    stream_put(s, zeros, (4 - data_len % 4) % 4);
    if (s->data_digest)
        stream_put_digest(s, slow_crc32c(0xffffffffu, s->bytes + from, s->len - from));
}

static void put_be32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

void bhs_of(uint8_t *bhs, enum iskra_opcode opcode, uint32_t itt)
{
    memset(bhs, 0, ISKRA_BHS_LEN);
    bhs[0] = (uint8_t)opcode;
    bhs[1] = 0x80;
    put_be32(bhs + 16, itt);
    put_be32(bhs + 20, ISKRA_RESERVED_TAG);
    put_be32(bhs + 24, 7);  /* StatSN */
    put_be32(bhs + 28, 11); /* ExpCmdSN */
    put_be32(bhs + 32, 42); /* MaxCmdSN */
}

void bhs_of_data_in(uint8_t *bhs, uint32_t itt, uint32_t data_sn, uint32_t offset, bool status)
{
    bhs_of(bhs, ISKRA_OP_DATA_IN, itt);
    bhs[1] = status ? 0x81 : 0;
    put_be32(bhs + 36, data_sn);
    put_be32(bhs + 40, offset);
}

void bhs_of_r2t(uint8_t *bhs, uint32_t itt, uint32_t r2t_sn, uint32_t offset, uint32_t desired_len)
{
    bhs_of(bhs, ISKRA_OP_R2T, itt);
    put_be32(bhs + 20, 0x7700 + r2t_sn);
    put_be32(bhs + 36, r2t_sn);
    put_be32(bhs + 40, offset);
    put_be32(bhs + 44, desired_len);
}

void stream_put_nop_in(struct stream *s)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    bhs_of(bhs, ISKRA_OP_NOP_IN, ISKRA_RESERVED_TAG);
    stream_put_pdu(s, bhs, NULL, 0, NULL, 0);
}

struct fake_task *fake_put_read(struct fake *f, struct stream *s, uint32_t len, uint32_t iov_cnt)
{
    struct fake_task *task = fake_task_add(f, ISKRA_DIR_READ, len, iov_cnt, 4);
    uint8_t bhs[ISKRA_BHS_LEN];
    uint8_t *data = malloc(len);
    if (!data)
        abort();
    for (uint32_t i = 0; i < len; i++)
        data[i] = (uint8_t)(i * 7 >> 3);
    bhs_of_data_in(bhs, task->tcp.itt, 0, 0, true);
    stream_put_pdu(s, bhs, NULL, 0, data, len);
    free(data);
    return task;
}
