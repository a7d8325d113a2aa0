/* Sense data: SPC-4 4.5, fixed (response codes 70h, 71h) and descriptor format (72h, 73h), both
 * directions.
 *
 * Sense data is the last thing a broken target gets right, so the decoder takes what is there: a
 * fixed sense that ends early has zeros for what is missing, an additional length that claims more
 * than came is cut to what came. Only sense without a key is refused. */
#ifndef ISKRA_WIRE_SENSE_H
#define ISKRA_WIRE_SENSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/codes.h>
#include <iskra/error.h>

struct iskra_sense {
    bool valid;      /* decoded; what iskra_sense_decode() succeeded on */
    bool deferred;   /* 71h, 73h: about an earlier command */
    bool descriptor; /* 72h, 73h */
    uint8_t key;     /* enum iskra_sense_key */
    uint8_t asc, ascq;
    bool filemark, eom, ili;
    bool sdat_ovfl; /* the target had more sense than it could send */
    bool information_valid;
    uint64_t information; /* 32 bits in fixed format */
    bool specific_valid;
    uint64_t specific; /* command-specific information; 32 bits in fixed format */
    uint8_t fru;       /* field replaceable unit code; 0 = none */
    bool sks_valid;
    uint8_t sks[3]; /* sense key specific bytes, SKSV bit included */
};

#define ISKRA_SENSE_FIXED_LEN 18u
/* Header 8, information 12, specific 12, sense key specific 8, FRU 4, stream 4. */
#define ISKRA_SENSE_DESCRIPTOR_LEN_MAX 48u

/* 0, or -EBADMSG: empty, an unknown response code, or too short to hold a key. Fills *ret on
 * success only. */
int iskra_sense_decode(const uint8_t *sense, size_t len, struct iskra_sense *ret);

/* Write sense in the format the name says, whatever fields->descriptor says; return its length. */
unsigned iskra_sense_encode_fixed(const struct iskra_sense *fields,
                                  uint8_t *buf); /* ISKRA_SENSE_FIXED_LEN */
unsigned iskra_sense_encode_descriptor(const struct iskra_sense *fields,
                                       uint8_t *buf); /* up to ISKRA_SENSE_DESCRIPTOR_LEN_MAX */

/* The data segment of a SCSI Response (RFC 7143 11.4.7): SenseLength in two bytes, then the sense.
 * Points *ret_sense into `segment`. 0 (with *ret_len 0 if there is none), or -EBADMSG if the stated
 * length goes beyond the segment. */
int iskra_sense_segment(const uint8_t *segment, size_t len, const uint8_t **ret_sense,
                        size_t *ret_len);

/* "LOGICAL BLOCK ADDRESS OUT OF RANGE"; "?" for one not in the table. Static storage. */
ISKRA_PUBLIC const char *iskra_asc_name(uint8_t asc, uint8_t ascq);

#endif
