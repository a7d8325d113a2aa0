/* Cutting a stream into PDUs: see pdu.h. */
#include "sim/pdu.h"

#include <string.h>

void sim_pdu_init(struct sim_pdu *pdu, const struct sim_pdu_ops *ops)
{
    *pdu = (struct sim_pdu){.ops = ops, .left = ISKRA_BHS_LEN};
}

static uint32_t part_len(const struct sim_pdu *pdu, enum sim_pdu_part part)
{
    uint32_t data_len = iskra_bhs_data_len(pdu->bhs);
    switch (part) {
    case SIM_PDU_HEADER:
        return ISKRA_BHS_LEN;
    case SIM_PDU_HEADER_DIGEST:
        return pdu->header_digest ? ISKRA_DIGEST_LEN : 0;
    case SIM_PDU_DATA:
        return data_len + iskra_pad_len(data_len);
    case SIM_PDU_DATA_DIGEST:
        break;
    }
    return pdu->data_digest && data_len > 0 ? ISKRA_DIGEST_LEN : 0;
}

/* On to the next part that has bytes; behind the last one is the next PDU. */
static void next_part(struct sim_pdu *pdu)
{
    while (pdu->left == 0) {
        if (pdu->part == SIM_PDU_DATA_DIGEST) {
            pdu->ops->end(pdu);
            pdu->part = SIM_PDU_HEADER;
            pdu->bhs_len = 0;
        } else {
            pdu->part++;
        }
        pdu->left = part_len(pdu, pdu->part);
    }
}

/* The first 48 bytes of a header tell how much more of it there is. */
static void header_take(struct sim_pdu *pdu, const uint8_t *bytes, uint32_t len)
{
    if (pdu->bhs_len == ISKRA_BHS_LEN)
        return;
    memcpy(pdu->bhs + pdu->bhs_len, bytes, len);
    pdu->bhs_len += len;
    if (pdu->bhs_len < ISKRA_BHS_LEN)
        return;
    pdu->left += iskra_bhs_ahs_len(pdu->bhs);
    pdu->ops->header(pdu);
}

void sim_pdu_feed(struct sim_pdu *pdu, const uint8_t *bytes, size_t len)
{
    for (size_t at = 0; at < len;) {
        uint32_t n = len - at < pdu->left ? (uint32_t)(len - at) : pdu->left;
        pdu->left -= n;
        if (pdu->part == SIM_PDU_HEADER)
            header_take(pdu, bytes + at, n);
        pdu->ops->piece(pdu, pdu->part, bytes + at, at, n);
        at += n;
        next_part(pdu);
    }
}
