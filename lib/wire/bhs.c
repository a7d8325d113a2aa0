/* Basic Header Segments that an initiator sends: RFC 7143 section 11, bytes <-> values. Those that
 * a target sends are in bhs_target.c. Nothing is judged here. */
#include "wire/bhs.h"

#include <string.h>

#include "wire/bhs_fields.h"

/* 11.3 SCSI Command */
void iskra_scsi_cmd_decode(const uint8_t *bhs, struct iskra_pdu_scsi_cmd *pdu)
{
    pdu->immediate = iskra_bhs_immediate(bhs);
    pdu->final = bit_get(bhs[1], BHS_FINAL);
    pdu->read = bit_get(bhs[1], CMD_READ);
    pdu->write = bit_get(bhs[1], CMD_WRITE);
    pdu->attr = bhs[1] & 0x07;
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->edtl = iskra_get_be32(bhs + 20);
    pdu->cmd_sn = iskra_get_be32(bhs + 24);
    pdu->exp_stat_sn = iskra_get_be32(bhs + 28);
    memcpy(pdu->cdb, bhs + 32, sizeof(pdu->cdb));
}

void iskra_scsi_cmd_encode(const struct iskra_pdu_scsi_cmd *pdu, uint8_t *bhs)
{
    uint8_t bits = bit_put(pdu->final, BHS_FINAL) | bit_put(pdu->read, CMD_READ) |
                   bit_put(pdu->write, CMD_WRITE) | (pdu->attr & 0x07);
    request_begin(bhs, ISKRA_OP_SCSI_CMD, pdu->immediate, bits, pdu->ahs_words, pdu->data_len);
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->edtl);
    iskra_put_be32(bhs + 24, pdu->cmd_sn);
    iskra_put_be32(bhs + 28, pdu->exp_stat_sn);
    memcpy(bhs + 32, pdu->cdb, sizeof(pdu->cdb));
}

/* 11.5 Task Management Function Request */
void iskra_tmf_decode(const uint8_t *bhs, struct iskra_pdu_tmf *pdu)
{
    pdu->immediate = iskra_bhs_immediate(bhs);
    pdu->function = bhs[1] & 0x7f;
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->ref_task_tag = iskra_get_be32(bhs + 20);
    pdu->cmd_sn = iskra_get_be32(bhs + 24);
    pdu->exp_stat_sn = iskra_get_be32(bhs + 28);
    pdu->ref_cmd_sn = iskra_get_be32(bhs + 32);
    pdu->exp_data_sn = iskra_get_be32(bhs + 36);
}

void iskra_tmf_encode(const struct iskra_pdu_tmf *pdu, uint8_t *bhs)
{
    request_begin(bhs, ISKRA_OP_TMF, pdu->immediate, BHS_FINAL | (pdu->function & 0x7f),
                  pdu->ahs_words, pdu->data_len);
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->ref_task_tag);
    iskra_put_be32(bhs + 24, pdu->cmd_sn);
    iskra_put_be32(bhs + 28, pdu->exp_stat_sn);
    iskra_put_be32(bhs + 32, pdu->ref_cmd_sn);
    iskra_put_be32(bhs + 36, pdu->exp_data_sn);
}

/* 11.7 SCSI Data-Out */
void iskra_data_out_decode(const uint8_t *bhs, struct iskra_pdu_data_out *pdu)
{
    pdu->final = bit_get(bhs[1], BHS_FINAL);
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->ttt = iskra_get_be32(bhs + 20);
    pdu->exp_stat_sn = iskra_get_be32(bhs + 28);
    pdu->data_sn = iskra_get_be32(bhs + 36);
    pdu->offset = iskra_get_be32(bhs + 40);
}

void iskra_data_out_encode(const struct iskra_pdu_data_out *pdu, uint8_t *bhs)
{
    request_begin(bhs, ISKRA_OP_DATA_OUT, false, bit_put(pdu->final, BHS_FINAL), pdu->ahs_words,
                  pdu->data_len);
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->ttt);
    iskra_put_be32(bhs + 28, pdu->exp_stat_sn);
    iskra_put_be32(bhs + 36, pdu->data_sn);
    iskra_put_be32(bhs + 40, pdu->offset);
}

/* 11.10 Text Request */
void iskra_text_decode(const uint8_t *bhs, struct iskra_pdu_text *pdu)
{
    pdu->immediate = iskra_bhs_immediate(bhs);
    pdu->final = bit_get(bhs[1], BHS_FINAL);
    pdu->cont = bit_get(bhs[1], BHS_CONTINUE);
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->ttt = iskra_get_be32(bhs + 20);
    pdu->cmd_sn = iskra_get_be32(bhs + 24);
    pdu->exp_stat_sn = iskra_get_be32(bhs + 28);
}

void iskra_text_encode(const struct iskra_pdu_text *pdu, uint8_t *bhs)
{
    uint8_t bits = bit_put(pdu->final, BHS_FINAL) | bit_put(pdu->cont, BHS_CONTINUE);
    request_begin(bhs, ISKRA_OP_TEXT, pdu->immediate, bits, pdu->ahs_words, pdu->data_len);
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->ttt);
    iskra_put_be32(bhs + 24, pdu->cmd_sn);
    iskra_put_be32(bhs + 28, pdu->exp_stat_sn);
}

/* 11.12 Login Request. Always immediate: the I bit is 1 by definition and therefore no field. */
void iskra_login_decode(const uint8_t *bhs, struct iskra_pdu_login *pdu)
{
    pdu->transit = bit_get(bhs[1], LOGIN_TRANSIT);
    pdu->cont = bit_get(bhs[1], BHS_CONTINUE);
    pdu->csg = bhs[1] >> 2 & 3;
    pdu->nsg = bhs[1] & 3;
    pdu->version_max = bhs[2];
    pdu->version_min = bhs[3];
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    memcpy(pdu->isid, bhs + 8, sizeof(pdu->isid));
    pdu->tsih = iskra_get_be16(bhs + 14);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->cid = iskra_get_be16(bhs + 20);
    pdu->cmd_sn = iskra_get_be32(bhs + 24);
    pdu->exp_stat_sn = iskra_get_be32(bhs + 28);
}

void iskra_login_encode(const struct iskra_pdu_login *pdu, uint8_t *bhs)
{
    request_begin(bhs, ISKRA_OP_LOGIN, true,
                  login_bits(pdu->transit, pdu->cont, pdu->csg, pdu->nsg), pdu->ahs_words,
                  pdu->data_len);
    bhs[2] = pdu->version_max;
    bhs[3] = pdu->version_min;
    memcpy(bhs + 8, pdu->isid, sizeof(pdu->isid));
    iskra_put_be16(bhs + 14, pdu->tsih);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be16(bhs + 20, pdu->cid);
    iskra_put_be32(bhs + 24, pdu->cmd_sn);
    iskra_put_be32(bhs + 28, pdu->exp_stat_sn);
}

/* 11.14 Logout Request */
void iskra_logout_decode(const uint8_t *bhs, struct iskra_pdu_logout *pdu)
{
    pdu->immediate = iskra_bhs_immediate(bhs);
    pdu->reason = bhs[1] & 0x7f;
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->cid = iskra_get_be16(bhs + 20);
    pdu->cmd_sn = iskra_get_be32(bhs + 24);
    pdu->exp_stat_sn = iskra_get_be32(bhs + 28);
}

void iskra_logout_encode(const struct iskra_pdu_logout *pdu, uint8_t *bhs)
{
    request_begin(bhs, ISKRA_OP_LOGOUT, pdu->immediate, BHS_FINAL | (pdu->reason & 0x7f),
                  pdu->ahs_words, pdu->data_len);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be16(bhs + 20, pdu->cid);
    iskra_put_be32(bhs + 24, pdu->cmd_sn);
    iskra_put_be32(bhs + 28, pdu->exp_stat_sn);
}

/* 11.16 SNACK Request */
void iskra_snack_decode(const uint8_t *bhs, struct iskra_pdu_snack *pdu)
{
    pdu->type = bhs[1] & 0x0f;
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->ttt = iskra_get_be32(bhs + 20);
    pdu->exp_stat_sn = iskra_get_be32(bhs + 28);
    pdu->beg_run = iskra_get_be32(bhs + 40);
    pdu->run_len = iskra_get_be32(bhs + 44);
}

void iskra_snack_encode(const struct iskra_pdu_snack *pdu, uint8_t *bhs)
{
    request_begin(bhs, ISKRA_OP_SNACK, false, BHS_FINAL | (pdu->type & 0x0f), pdu->ahs_words,
                  pdu->data_len);
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->ttt);
    iskra_put_be32(bhs + 28, pdu->exp_stat_sn);
    iskra_put_be32(bhs + 40, pdu->beg_run);
    iskra_put_be32(bhs + 44, pdu->run_len);
}

/* 11.18 NOP-Out */
void iskra_nop_out_decode(const uint8_t *bhs, struct iskra_pdu_nop_out *pdu)
{
    pdu->immediate = iskra_bhs_immediate(bhs);
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->ttt = iskra_get_be32(bhs + 20);
    pdu->cmd_sn = iskra_get_be32(bhs + 24);
    pdu->exp_stat_sn = iskra_get_be32(bhs + 28);
}

void iskra_nop_out_encode(const struct iskra_pdu_nop_out *pdu, uint8_t *bhs)
{
    request_begin(bhs, ISKRA_OP_NOP_OUT, pdu->immediate, BHS_FINAL, pdu->ahs_words, pdu->data_len);
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->ttt);
    iskra_put_be32(bhs + 24, pdu->cmd_sn);
    iskra_put_be32(bhs + 28, pdu->exp_stat_sn);
}
