/* LUNs: the 8 bytes of SAM-5 4.7 (as one big-endian 64-bit value, as in bhs.h) <-> a number that
 * people type, and REPORT LUNS data (SPC-4 6.33).
 *
 * One number, three forms: 0..255 in peripheral device addressing (bus 0), up to 16383 in flat
 * space addressing, up to 16777215 in extended flat space addressing. Targets differ in which form
 * they use for small numbers; a LUN that was learned from a LUN list is best sent back as it came,
 * a number someone typed is encoded here. */
#ifndef ISKRA_WIRE_LUNS_H
#define ISKRA_WIRE_LUNS_H

#include <stddef.h>
#include <stdint.h>

#define ISKRA_LUN_NUMBER_MAX             0xffffffu
#define ISKRA_LUN_WELL_KNOWN_REPORT_LUNS UINT64_C(0xc101000000000000)

/* 0 or -ERANGE. */
int iskra_lun_encode(uint32_t number, uint64_t *ret_lun);

/* 0, or -ENOTSUP for a LUN that is no plain number: another bus, several levels, logical unit
 * addressing, well-known. */
int iskra_lun_decode(uint64_t lun, uint32_t *ret_number);

#define ISKRA_LUNS_HEADER_LEN 8u

/* REPORT LUNS data as it came. `cnt` LUNs can be read; `stated_cnt` is how many the target says
 * there are: more than cnt means that the list was cut and wants a larger allocation length. */
struct iskra_luns {
    const uint8_t *entries; /* into the caller's bytes */
    uint32_t cnt, stated_cnt;
};

/* 0, or -EBADMSG: no whole header, or a stated length that is no multiple of 8. */
int iskra_luns_decode(const uint8_t *bytes, size_t len, struct iskra_luns *ret);
uint64_t iskra_luns_at(const struct iskra_luns *luns, uint32_t index); /* index < cnt */

/* Writes the header for `cnt` LUNs and as many as fit; returns the bytes written (0 if not even the
 * header fits). */
size_t iskra_luns_encode(const uint64_t *luns, uint32_t cnt, uint8_t *buf, size_t size);

#endif
