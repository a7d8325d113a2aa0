/* The generator of expected writes; see write_gen.h. Section numbers are RFC 7143's. */
#include "write_gen.h"

#include <string.h>

/* 13.1: CRC32C, reflected, bit by bit; least significant byte first on the wire. */
static size_t put_crc(uint8_t *out, const uint8_t *bytes, size_t len)
{
    uint32_t crc = 0xffffffff;
    for (size_t i = 0; i < len; i++) {
        crc ^= bytes[i];
        for (int bit = 0; bit < 8; bit++)
            crc = (crc & 1) != 0 ? crc >> 1 ^ 0x82f63b78 : crc >> 1;
    }
    crc = ~crc;
    for (int i = 0; i < 4; i++)
        out[i] = (uint8_t)(crc >> 8 * i);
    return 4;
}

static void put_be(uint8_t *at, unsigned len, uint64_t value)
{
    for (unsigned i = 0; i < len; i++)
        at[i] = (uint8_t)(value >> 8 * (len - 1 - i));
}

/* 11.1: header segments, header digest, data segment, padding to 4 bytes, data digest. hdr is
 * complete but for DataSegmentLength (bytes 5 to 7). */
static size_t put_pdu(const struct gen_keys *k, uint8_t *out, uint8_t *hdr, size_t hdr_len,
                      const uint8_t *data, uint32_t data_len)
{
    put_be(hdr + 5, 3, data_len);
    memcpy(out, hdr, hdr_len);
    size_t n = hdr_len;
    if (k->hdr_digest)
        n += put_crc(out + n, out, hdr_len);
    if (data_len == 0)
        return n;
    size_t data_at = n;
    memcpy(out + n, data, data_len);
    n += data_len;
    while ((n - data_at) % 4 != 0)
        out[n++] = 0;
    if (k->data_digest)
        n += put_crc(out + n, out + data_at, n - data_at);
    return n;
}

/* One sequence of Data-Out, 11.7: DataSN from 0, offsets without gaps, no PDU larger than the
 * target takes, F on the last. */
static size_t put_sequence(const struct gen_keys *k, const struct gen_write *w, uint32_t ttt,
                           uint64_t lun, uint32_t offset, uint32_t len, uint8_t *out)
{
    size_t n = 0;
    uint32_t end = offset + len;
    for (uint32_t data_sn = 0; offset < end; data_sn++) {
        uint32_t here = end - offset;
        if (here > k->max_recv)
            here = k->max_recv;
        uint8_t hdr[48] = {0x05};
        hdr[1] = offset + here == end ? 0x80 : 0;
        put_be(hdr + 8, 8, lun);
        put_be(hdr + 16, 4, w->itt);
        put_be(hdr + 20, 4, ttt);
        put_be(hdr + 28, 4, w->exp_stat_sn);
        put_be(hdr + 36, 4, data_sn);
        put_be(hdr + 40, 4, offset);
        n += put_pdu(k, out + n, hdr, sizeof(hdr), w->data + offset, here);
        offset += here;
    }
    return n;
}

/* 11.2.2.3: the rest of the CDB; AHSLength counts the reserved byte too. */
static size_t put_ahs(uint8_t *ahs, const struct gen_write *w)
{
    if (w->cdb_len <= 16)
        return 0;
    uint32_t rest = w->cdb_len - 16;
    put_be(ahs, 2, rest + 1);
    ahs[2] = 1;
    memcpy(ahs + 4, w->cdb + 16, rest);
    return 4 + (rest + 3) / 4 * 4;
}

size_t gen_command(const struct gen_keys *k, const struct gen_write *w, uint8_t *out,
                   uint32_t *ret_covered)
{
    uint32_t burst = w->len < k->first_burst ? w->len : k->first_burst; /* 13.14 */
    uint32_t immediate = 0;
    if (k->immediate_data) /* 13.11: and it counts towards the first burst */
        immediate = burst < k->max_recv ? burst : k->max_recv;
    uint32_t unsolicited = k->initial_r2t ? 0 : burst - immediate; /* 13.10 */

    uint8_t hdr[48 + 256] = {0x01};
    hdr[1] = 0x20 | 0x01 | (unsolicited == 0 ? 0x80 : 0); /* 11.3.1: W, SIMPLE, F */
    size_t ahs_len = put_ahs(hdr + 48, w);
    hdr[4] = (uint8_t)(ahs_len / 4);
    put_be(hdr + 8, 8, GEN_CMD_LUN);
    put_be(hdr + 16, 4, w->itt);
    put_be(hdr + 20, 4, w->len);
    put_be(hdr + 24, 4, w->cmd_sn);
    put_be(hdr + 28, 4, w->exp_stat_sn);
    memcpy(hdr + 32, w->cdb, w->cdb_len < 16 ? w->cdb_len : 16);
    size_t n = put_pdu(k, out, hdr, 48 + ahs_len, w->data, immediate);
    /* 11.7.4: without a transfer tag the LUN is reserved. */
    n += put_sequence(k, w, 0xffffffff, 0, immediate, unsolicited, out + n);
    *ret_covered = immediate + unsolicited;
    return n;
}

size_t gen_answer(const struct gen_keys *k, const struct gen_write *w, const struct gen_r2t *r2t,
                  uint8_t *out)
{
    return put_sequence(k, w, r2t->ttt, r2t->lun, r2t->offset, r2t->len, out);
}
