/* See writer.h. */
#include "writer.h"

#include <stdlib.h>
#include <string.h>

static void command_encode(struct peer *peer, uint64_t lun, const uint8_t *cdb, uint32_t edtl,
                           bool final, uint8_t *bhs)
{
    struct iskra_pdu_scsi_cmd req = {.final = final,
                                     .write = true,
                                     .attr = ISKRA_ATTR_SIMPLE,
                                     .lun = lun,
                                     .itt = peer->itt++,
                                     .edtl = edtl,
                                     .cmd_sn = peer->cmd_sn++};
    memcpy(req.cdb, cdb, ISKRA_CDB_BHS_LEN);
    iskra_scsi_cmd_encode(&req, bhs);
}

uint32_t write_send(struct peer *peer, uint64_t lun, const uint8_t *cdb, uint32_t edtl,
                    const void *bytes, uint32_t len, bool final)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    command_encode(peer, lun, cdb, edtl, final, bhs);
    peer_send(peer, bhs, bytes, len);
    return iskra_bhs_itt(bhs);
}

uint32_t write_send_ahs(struct peer *peer, uint64_t lun, const uint8_t *cdb, uint32_t edtl,
                        const uint8_t *ahs, uint32_t ahs_len)
{
    uint8_t pdu[ISKRA_BHS_LEN + ISKRA_AHS_LEN_MAX];
    command_encode(peer, lun, cdb, edtl, true, pdu);
    pdu[4] = (uint8_t)(ahs_len / 4);
    memcpy(pdu + ISKRA_BHS_LEN, ahs, ahs_len);
    peer_send_bytes(peer, pdu, ISKRA_BHS_LEN + ahs_len);
    return iskra_bhs_itt(pdu);
}

void data_out_send(struct peer *peer, uint32_t itt, uint32_t ttt, uint32_t data_sn, uint32_t offset,
                   const uint8_t *from, uint32_t len, bool final)
{
    uint8_t bhs[ISKRA_BHS_LEN];
    struct iskra_pdu_data_out req = {
        .final = final, .itt = itt, .ttt = ttt, .data_sn = data_sn, .offset = offset};
    iskra_data_out_encode(&req, bhs);
    peer_send(peer, bhs, from + offset, len);
}

void r2t_expect(struct peer *peer, uint32_t itt, struct iskra_pdu_r2t *ret)
{
    struct answer answer;
    peer_expect(peer, ISKRA_OP_R2T, &answer);
    iskra_r2t_decode(answer.bhs, ret);
    assert_int_equal(answer.len, 0);
    assert_int_equal(ret->itt, itt);
    assert_int_not_equal(ret->ttt, ISKRA_RESERVED_TAG);
    assert_int_not_equal(ret->desired_len, 0);
}

void r2t_answer(struct peer *peer, const struct iskra_pdu_r2t *r2t, const uint8_t *from,
                uint32_t piece_len)
{
    uint32_t data_sn = 0;
    for (uint32_t done = 0; done < r2t->desired_len;) {
        uint32_t left = r2t->desired_len - done;
        uint32_t len = left < piece_len ? left : piece_len;
        data_out_send(peer, r2t->itt, r2t->ttt, data_sn++, r2t->offset + done, from, len,
                      len == left);
        done += len;
    }
}

void write_whole(struct peer *peer, uint64_t lun, const uint8_t *cdb, const uint8_t *bytes,
                 uint32_t len, struct outcome *ret)
{
    uint32_t itt = write_send(peer, lun, cdb, len, NULL, 0, true);
    while (!peer_silent(peer) && iskra_bhs_opcode(peer->rx + peer->rx_pos) == ISKRA_OP_R2T) {
        struct iskra_pdu_r2t r2t;
        r2t_expect(peer, itt, &r2t);
        r2t_answer(peer, &r2t, bytes, 4096);
    }
    peer_outcome(peer, ret);
}

static void sense_is(const struct outcome *o, uint32_t sense)
{
    assert_int_equal(o->key << 16 | o->asc << 8 | o->ascq, sense);
    assert_int_equal(o->status, sense ? ISKRA_STATUS_CHECK_CONDITION : ISKRA_STATUS_GOOD);
}

void write_good(struct peer *peer, uint64_t lun, const uint8_t *cdb, const uint8_t *bytes,
                uint32_t len)
{
    struct outcome o;
    write_whole(peer, lun, cdb, bytes, len, &o);
    sense_is(&o, 0);
    assert_int_equal(o.residual, 0);
    outcome_done(&o);
}

void write_fails(struct peer *peer, uint64_t lun, const uint8_t *cdb, const uint8_t *bytes,
                 uint32_t len, uint32_t sense)
{
    struct outcome o;
    write_whole(peer, lun, cdb, bytes, len, &o);
    sense_is(&o, sense);
    outcome_done(&o);
}

void ends_with(struct peer *peer, uint32_t sense)
{
    struct outcome o;
    peer_outcome(peer, &o);
    sense_is(&o, sense);
    outcome_done(&o);
}

void blocks_are(struct peer *peer, uint64_t lun, uint64_t lba, const uint8_t *bytes, uint32_t len)
{
    struct outcome o;
    uint8_t cdb[ISKRA_CDB_BHS_LEN];
    (void)iskra_cdb_read16(cdb, lba, len / 512, 0);
    peer_command(peer, lun, cdb, len, true);
    peer_outcome(peer, &o);
    sense_is(&o, 0);
    assert_int_equal(o.len, len);
    assert_memory_equal(o.bytes, bytes, len);
    outcome_done(&o);
}

void pattern_fill(uint8_t *bytes, size_t len, uint32_t seed)
{
    for (size_t i = 0; i < len; i++)
        bytes[i] = (uint8_t)((i + seed) * 2654435761u >> 11);
}
