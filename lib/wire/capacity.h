/* READ CAPACITY(10) and (16) data: SBC-3 5.15, 5.16. */
#ifndef ISKRA_WIRE_CAPACITY_H
#define ISKRA_WIRE_CAPACITY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISKRA_CAPACITY_10_LEN 8u
#define ISKRA_CAPACITY_16_LEN 32u

struct iskra_capacity {
    uint64_t last_lba;  /* of READ CAPACITY(10): ffffffffh = ask with READ CAPACITY(16) */
    uint32_t block_len; /* bytes; not judged here */
    /* READ CAPACITY(16) only: */
    bool prot_en;
    uint8_t prot_type; /* P_TYPE, 3 bits */
    uint8_t prot_intervals_exp;
    uint8_t physical_exp; /* logical blocks per physical block = 2^physical_exp */
    bool lbpme, lbprz;    /* thin provisioned; unmapped blocks read as zeros */
    uint16_t lowest_aligned_lba;
};

/* 0 or -EBADMSG: fewer than 8 bytes; (16): fewer than 12, and fields beyond what came are 0. */
int iskra_capacity10_decode(const uint8_t *bytes, size_t len, struct iskra_capacity *ret);
int iskra_capacity16_decode(const uint8_t *bytes, size_t len, struct iskra_capacity *ret);

/* Write ISKRA_CAPACITY_10_LEN / _16_LEN bytes, return that. (10) says ffffffffh for a last LBA that
 * does not fit. */
unsigned iskra_capacity10_encode(const struct iskra_capacity *fields, uint8_t *buf);
unsigned iskra_capacity16_encode(const struct iskra_capacity *fields, uint8_t *buf);

#endif
