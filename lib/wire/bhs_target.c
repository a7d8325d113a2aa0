/* Basic Header Segments that a target sends: RFC 7143 section 11, bytes <-> values. Those that an
 * initiator sends are in bhs.c. Nothing is judged here. */
#include "wire/bhs.h"

#include <string.h>

#include "wire/bhs_fields.h"

/* 11.4 SCSI Response */
void iskra_scsi_rsp_decode(const uint8_t *bhs, struct iskra_pdu_scsi_rsp *pdu)
{
    pdu->bidi_overflow = bit_get(bhs[1], RSP_BIDI_OVERFLOW);
    pdu->bidi_underflow = bit_get(bhs[1], RSP_BIDI_UNDERFLOW);
    pdu->overflow = bit_get(bhs[1], RSP_OVERFLOW);
    pdu->underflow = bit_get(bhs[1], RSP_UNDERFLOW);
    pdu->response = bhs[2];
    pdu->status = bhs[3];
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->snack_tag = iskra_get_be32(bhs + 20);
    serials_get(bhs, &pdu->stat_sn, &pdu->exp_cmd_sn, &pdu->max_cmd_sn);
    pdu->exp_data_sn = iskra_get_be32(bhs + 36);
    pdu->bidi_residual = iskra_get_be32(bhs + 40);
    pdu->residual = iskra_get_be32(bhs + 44);
}

void iskra_scsi_rsp_encode(const struct iskra_pdu_scsi_rsp *pdu, uint8_t *bhs)
{
    uint8_t bits = bit_put(pdu->bidi_overflow, RSP_BIDI_OVERFLOW) |
                   bit_put(pdu->bidi_underflow, RSP_BIDI_UNDERFLOW) |
                   bit_put(pdu->overflow, RSP_OVERFLOW) | bit_put(pdu->underflow, RSP_UNDERFLOW);
    response_begin(bhs, ISKRA_OP_SCSI_RSP, BHS_FINAL | bits, pdu->ahs_words, pdu->data_len);
    bhs[2] = pdu->response;
    bhs[3] = pdu->status;
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->snack_tag);
    serials_put(bhs, pdu->stat_sn, pdu->exp_cmd_sn, pdu->max_cmd_sn);
    iskra_put_be32(bhs + 36, pdu->exp_data_sn);
    iskra_put_be32(bhs + 40, pdu->bidi_residual);
    iskra_put_be32(bhs + 44, pdu->residual);
}

/* 11.6 Task Management Function Response */
void iskra_tmf_rsp_decode(const uint8_t *bhs, struct iskra_pdu_tmf_rsp *pdu)
{
    pdu->response = bhs[2];
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->itt = iskra_get_be32(bhs + 16);
    serials_get(bhs, &pdu->stat_sn, &pdu->exp_cmd_sn, &pdu->max_cmd_sn);
}

void iskra_tmf_rsp_encode(const struct iskra_pdu_tmf_rsp *pdu, uint8_t *bhs)
{
    response_begin(bhs, ISKRA_OP_TMF_RSP, BHS_FINAL, pdu->ahs_words, pdu->data_len);
    bhs[2] = pdu->response;
    iskra_put_be32(bhs + 16, pdu->itt);
    serials_put(bhs, pdu->stat_sn, pdu->exp_cmd_sn, pdu->max_cmd_sn);
}

/* 11.7 SCSI Data-In. Status and StatSN mean something only with S; they are carried in any case. */
void iskra_data_in_decode(const uint8_t *bhs, struct iskra_pdu_data_in *pdu)
{
    pdu->final = bit_get(bhs[1], BHS_FINAL);
    pdu->ack = bit_get(bhs[1], DATA_ACK);
    pdu->overflow = bit_get(bhs[1], RSP_OVERFLOW);
    pdu->underflow = bit_get(bhs[1], RSP_UNDERFLOW);
    pdu->status_present = bit_get(bhs[1], DATA_STATUS);
    pdu->status = bhs[3];
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->ttt = iskra_get_be32(bhs + 20);
    serials_get(bhs, &pdu->stat_sn, &pdu->exp_cmd_sn, &pdu->max_cmd_sn);
    pdu->data_sn = iskra_get_be32(bhs + 36);
    pdu->offset = iskra_get_be32(bhs + 40);
    pdu->residual = iskra_get_be32(bhs + 44);
}

void iskra_data_in_encode(const struct iskra_pdu_data_in *pdu, uint8_t *bhs)
{
    uint8_t bits = bit_put(pdu->final, BHS_FINAL) | bit_put(pdu->ack, DATA_ACK) |
                   bit_put(pdu->overflow, RSP_OVERFLOW) | bit_put(pdu->underflow, RSP_UNDERFLOW) |
                   bit_put(pdu->status_present, DATA_STATUS);
    response_begin(bhs, ISKRA_OP_DATA_IN, bits, pdu->ahs_words, pdu->data_len);
    bhs[3] = pdu->status;
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->ttt);
    serials_put(bhs, pdu->stat_sn, pdu->exp_cmd_sn, pdu->max_cmd_sn);
    iskra_put_be32(bhs + 36, pdu->data_sn);
    iskra_put_be32(bhs + 40, pdu->offset);
    iskra_put_be32(bhs + 44, pdu->residual);
}

/* 11.8 Ready To Transfer */
void iskra_r2t_decode(const uint8_t *bhs, struct iskra_pdu_r2t *pdu)
{
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->ttt = iskra_get_be32(bhs + 20);
    serials_get(bhs, &pdu->stat_sn, &pdu->exp_cmd_sn, &pdu->max_cmd_sn);
    pdu->r2t_sn = iskra_get_be32(bhs + 36);
    pdu->offset = iskra_get_be32(bhs + 40);
    pdu->desired_len = iskra_get_be32(bhs + 44);
}

void iskra_r2t_encode(const struct iskra_pdu_r2t *pdu, uint8_t *bhs)
{
    response_begin(bhs, ISKRA_OP_R2T, BHS_FINAL, pdu->ahs_words, pdu->data_len);
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->ttt);
    serials_put(bhs, pdu->stat_sn, pdu->exp_cmd_sn, pdu->max_cmd_sn);
    iskra_put_be32(bhs + 36, pdu->r2t_sn);
    iskra_put_be32(bhs + 40, pdu->offset);
    iskra_put_be32(bhs + 44, pdu->desired_len);
}

/* 11.9 Asynchronous Message. The tag field is reserved (0xffffffff by definition). */
void iskra_async_decode(const uint8_t *bhs, struct iskra_pdu_async *pdu)
{
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    serials_get(bhs, &pdu->stat_sn, &pdu->exp_cmd_sn, &pdu->max_cmd_sn);
    pdu->event = bhs[36];
    pdu->vcode = bhs[37];
    pdu->param1 = iskra_get_be16(bhs + 38);
    pdu->param2 = iskra_get_be16(bhs + 40);
    pdu->param3 = iskra_get_be16(bhs + 42);
}

void iskra_async_encode(const struct iskra_pdu_async *pdu, uint8_t *bhs)
{
    response_begin(bhs, ISKRA_OP_ASYNC, BHS_FINAL, pdu->ahs_words, pdu->data_len);
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    serials_put(bhs, pdu->stat_sn, pdu->exp_cmd_sn, pdu->max_cmd_sn);
    bhs[36] = pdu->event;
    bhs[37] = pdu->vcode;
    iskra_put_be16(bhs + 38, pdu->param1);
    iskra_put_be16(bhs + 40, pdu->param2);
    iskra_put_be16(bhs + 42, pdu->param3);
}

/* 11.11 Text Response */
void iskra_text_rsp_decode(const uint8_t *bhs, struct iskra_pdu_text_rsp *pdu)
{
    pdu->final = bit_get(bhs[1], BHS_FINAL);
    pdu->cont = bit_get(bhs[1], BHS_CONTINUE);
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->ttt = iskra_get_be32(bhs + 20);
    serials_get(bhs, &pdu->stat_sn, &pdu->exp_cmd_sn, &pdu->max_cmd_sn);
}

void iskra_text_rsp_encode(const struct iskra_pdu_text_rsp *pdu, uint8_t *bhs)
{
    uint8_t bits = bit_put(pdu->final, BHS_FINAL) | bit_put(pdu->cont, BHS_CONTINUE);
    response_begin(bhs, ISKRA_OP_TEXT_RSP, bits, pdu->ahs_words, pdu->data_len);
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->ttt);
    serials_put(bhs, pdu->stat_sn, pdu->exp_cmd_sn, pdu->max_cmd_sn);
}

/* 11.13 Login Response */
void iskra_login_rsp_decode(const uint8_t *bhs, struct iskra_pdu_login_rsp *pdu)
{
    pdu->transit = bit_get(bhs[1], LOGIN_TRANSIT);
    pdu->cont = bit_get(bhs[1], BHS_CONTINUE);
    pdu->csg = bhs[1] >> 2 & 3;
    pdu->nsg = bhs[1] & 3;
    pdu->version_max = bhs[2];
    pdu->version_active = bhs[3];
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    memcpy(pdu->isid, bhs + 8, sizeof(pdu->isid));
    pdu->tsih = iskra_get_be16(bhs + 14);
    pdu->itt = iskra_get_be32(bhs + 16);
    serials_get(bhs, &pdu->stat_sn, &pdu->exp_cmd_sn, &pdu->max_cmd_sn);
    pdu->status_class = bhs[36];
    pdu->status_detail = bhs[37];
}

void iskra_login_rsp_encode(const struct iskra_pdu_login_rsp *pdu, uint8_t *bhs)
{
    response_begin(bhs, ISKRA_OP_LOGIN_RSP, login_bits(pdu->transit, pdu->cont, pdu->csg, pdu->nsg),
                   pdu->ahs_words, pdu->data_len);
    bhs[2] = pdu->version_max;
    bhs[3] = pdu->version_active;
    memcpy(bhs + 8, pdu->isid, sizeof(pdu->isid));
    iskra_put_be16(bhs + 14, pdu->tsih);
    iskra_put_be32(bhs + 16, pdu->itt);
    serials_put(bhs, pdu->stat_sn, pdu->exp_cmd_sn, pdu->max_cmd_sn);
    bhs[36] = pdu->status_class;
    bhs[37] = pdu->status_detail;
}

/* 11.15 Logout Response */
void iskra_logout_rsp_decode(const uint8_t *bhs, struct iskra_pdu_logout_rsp *pdu)
{
    pdu->response = bhs[2];
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->itt = iskra_get_be32(bhs + 16);
    serials_get(bhs, &pdu->stat_sn, &pdu->exp_cmd_sn, &pdu->max_cmd_sn);
    pdu->time2wait = iskra_get_be16(bhs + 40);
    pdu->time2retain = iskra_get_be16(bhs + 42);
}

void iskra_logout_rsp_encode(const struct iskra_pdu_logout_rsp *pdu, uint8_t *bhs)
{
    response_begin(bhs, ISKRA_OP_LOGOUT_RSP, BHS_FINAL, pdu->ahs_words, pdu->data_len);
    bhs[2] = pdu->response;
    iskra_put_be32(bhs + 16, pdu->itt);
    serials_put(bhs, pdu->stat_sn, pdu->exp_cmd_sn, pdu->max_cmd_sn);
    iskra_put_be16(bhs + 40, pdu->time2wait);
    iskra_put_be16(bhs + 42, pdu->time2retain);
}

/* 11.17 Reject */
void iskra_reject_decode(const uint8_t *bhs, struct iskra_pdu_reject *pdu)
{
    pdu->reason = bhs[2];
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->itt = iskra_get_be32(bhs + 16);
    serials_get(bhs, &pdu->stat_sn, &pdu->exp_cmd_sn, &pdu->max_cmd_sn);
    pdu->data_sn = iskra_get_be32(bhs + 36);
}

void iskra_reject_encode(const struct iskra_pdu_reject *pdu, uint8_t *bhs)
{
    response_begin(bhs, ISKRA_OP_REJECT, BHS_FINAL, pdu->ahs_words, pdu->data_len);
    bhs[2] = pdu->reason;
    iskra_put_be32(bhs + 16, pdu->itt);
    serials_put(bhs, pdu->stat_sn, pdu->exp_cmd_sn, pdu->max_cmd_sn);
    iskra_put_be32(bhs + 36, pdu->data_sn);
}

/* 11.19 NOP-In */
void iskra_nop_in_decode(const uint8_t *bhs, struct iskra_pdu_nop_in *pdu)
{
    lengths_get(bhs, &pdu->ahs_words, &pdu->data_len);
    pdu->lun = iskra_get_be64(bhs + 8);
    pdu->itt = iskra_get_be32(bhs + 16);
    pdu->ttt = iskra_get_be32(bhs + 20);
    serials_get(bhs, &pdu->stat_sn, &pdu->exp_cmd_sn, &pdu->max_cmd_sn);
}

void iskra_nop_in_encode(const struct iskra_pdu_nop_in *pdu, uint8_t *bhs)
{
    response_begin(bhs, ISKRA_OP_NOP_IN, BHS_FINAL, pdu->ahs_words, pdu->data_len);
    iskra_put_be64(bhs + 8, pdu->lun);
    iskra_put_be32(bhs + 16, pdu->itt);
    iskra_put_be32(bhs + 20, pdu->ttt);
    serials_put(bhs, pdu->stat_sn, pdu->exp_cmd_sn, pdu->max_cmd_sn);
}
