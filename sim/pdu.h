/* A stream of bytes seen as PDUs: the simulator's own look at the wire. It knows where headers,
 * data and digests are (RFC 7143 11.2), and nothing of what they mean; it checks no digest. */
#ifndef ISKRA_SIM_PDU_H
#define ISKRA_SIM_PDU_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "wire/bhs.h"

enum sim_pdu_part {
    SIM_PDU_HEADER, /* with extra headers */
    SIM_PDU_HEADER_DIGEST,
    SIM_PDU_DATA, /* with padding */
    SIM_PDU_DATA_DIGEST,
};

struct sim_pdu;

struct sim_pdu_ops {
    /* A whole header is there, pdu->bhs. */
    void (*header)(struct sim_pdu *pdu);
    /* Some bytes of a part. `at`: where they are among the bytes that were given. */
    void (*piece)(struct sim_pdu *pdu, enum sim_pdu_part part, const uint8_t *bytes, size_t at,
                  size_t len);
    /* The last byte of a PDU is there. Digests may be switched here. */
    void (*end)(struct sim_pdu *pdu);
};

struct sim_pdu {
    const struct sim_pdu_ops *ops;
    bool header_digest, data_digest; /* from the next PDU on */
    enum sim_pdu_part part;
    uint32_t left; /* bytes of the part; 0: it has not begun */
    uint32_t bhs_len;
    uint8_t bhs[ISKRA_BHS_LEN];
};

void sim_pdu_init(struct sim_pdu *pdu, const struct sim_pdu_ops *ops);
void sim_pdu_feed(struct sim_pdu *pdu, const uint8_t *bytes, size_t len);

#endif
