/* Vital product data: SPC-4 7.8 and SBC-3 6.6, pages 00h, 80h, 83h, B0h, B1h, B2h, both directions.
 *
 * Every page starts with four bytes: qualifier and type, page code, length. iskra_vpd_page() judges
 * those, and all page decoders go through it. A page may be longer than what was asked for; then
 * `body_len` is what came and `stated_len` what a second request should ask for (plus 4). Standard
 * INQUIRY data is in inquiry.h, capacities in capacity.h, LUN lists in luns.h, mode pages in
 * mode.h, LBA extents in extent.h. */
#ifndef ISKRA_WIRE_VPD_H
#define ISKRA_WIRE_VPD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/codes.h>

enum iskra_vpd_code {
    ISKRA_VPD_SUPPORTED = 0x00,
    ISKRA_VPD_SERIAL = 0x80,
    ISKRA_VPD_DEVICE_ID = 0x83,
    ISKRA_VPD_BLOCK_LIMITS = 0xb0,
    ISKRA_VPD_BLOCK_CHARACTERISTICS = 0xb1,
    ISKRA_VPD_PROVISIONING = 0xb2,
};
#define ISKRA_VPD_HEADER_LEN 4u

struct iskra_vpd_page {
    uint8_t qualifier, type, code;
    const uint8_t *body; /* into the caller's bytes */
    size_t body_len;     /* min(stated, what came) */
    size_t stated_len;
};

/* 0, or -EBADMSG: no whole header, or another page than `code`. */
int iskra_vpd_page(const uint8_t *bytes, size_t len, uint8_t code, struct iskra_vpd_page *ret);

/* Page 00h: is `code` in the list? false for a page that cannot be read. */
bool iskra_vpd_supports(const uint8_t *bytes, size_t len, uint8_t code);

/* Page 80h: the serial number, without spaces around it, as a slice of `bytes` (untrusted: escape
 * before printing). 0 or -EBADMSG. */
int iskra_vpd_serial(const uint8_t *bytes, size_t len, const uint8_t **ret_serial, size_t *ret_len);

/* Page 83h, one designator. */
struct iskra_designator {
    uint8_t protocol; /* 5 = iSCSI; meaningful if protocol_valid */
    bool protocol_valid;
    uint8_t code_set;    /* 1 binary, 2 ASCII, 3 UTF-8 */
    uint8_t association; /* ISKRA_ASSOCIATION_ */
    uint8_t type;        /* enum iskra_designator_type */
    const uint8_t *id;   /* into the caller's bytes */
    size_t id_len;
};

/* Walks page 83h: start with *pos = 0. 1 and a designator, 0 at the end, -EBADMSG when the header
 * is wrong or one does not fit. Each call moves *pos by at least 4, so that the walk ends. */
int iskra_vpd_designator_next(const uint8_t *bytes, size_t len, size_t *pos,
                              struct iskra_designator *ret);

/* Page B0h. 0 in a field = the device does not say. All counts are logical blocks. */
struct iskra_block_limits {
    bool wsnz; /* WRITE SAME of 0 blocks ("to the end") is refused */
    uint8_t max_compare_and_write_blocks;
    uint16_t optimal_granularity_blocks;
    uint32_t max_transfer_blocks, optimal_transfer_blocks, max_prefetch_blocks;
    uint32_t max_unmap_blocks, max_unmap_descriptor_cnt;
    uint32_t unmap_granularity_blocks;
    bool unmap_alignment_valid;
    uint32_t unmap_alignment_blocks;
    uint64_t max_write_same_blocks;
};
/* 0 or -EBADMSG. An SBC-2 page (12 bytes) leaves the rest 0. */
int iskra_vpd_block_limits_decode(const uint8_t *bytes, size_t len, struct iskra_block_limits *ret);
#define ISKRA_VPD_BLOCK_LIMITS_LEN 64u
unsigned iskra_vpd_block_limits_encode(const struct iskra_block_limits *fields, uint8_t type,
                                       uint8_t *buf);

/* Page B1h. */
struct iskra_block_characteristics {
    uint16_t rotation_rate; /* 1 = not rotating, 0 = not reported, else per minute */
    uint8_t product_type, form_factor;
    bool fuab, vbuls;
};
int iskra_vpd_block_characteristics_decode(const uint8_t *bytes, size_t len,
                                           struct iskra_block_characteristics *ret);
#define ISKRA_VPD_BLOCK_CHARACTERISTICS_LEN 64u
unsigned iskra_vpd_block_characteristics_encode(const struct iskra_block_characteristics *fields,
                                                uint8_t type, uint8_t *buf);

/* Page B2h. */
struct iskra_provisioning {
    uint8_t threshold_exponent;
    bool lbpu;     /* UNMAP */
    bool lbpws;    /* WRITE SAME(16) with UNMAP */
    bool lbpws10;  /* WRITE SAME(10) with UNMAP */
    uint8_t lbprz; /* 3 bits; 1 = unmapped blocks read as zeros */
    bool anc_sup, dp;
    uint8_t provisioning_type; /* 0 full, 1 resource, 2 thin */
};
int iskra_vpd_provisioning_decode(const uint8_t *bytes, size_t len, struct iskra_provisioning *ret);
#define ISKRA_VPD_PROVISIONING_LEN 8u
unsigned iskra_vpd_provisioning_encode(const struct iskra_provisioning *fields, uint8_t type,
                                       uint8_t *buf);

/* Writing a page that has a list or a text: begin, put any number of times, end. Nothing is written
 * past `size`; what did not fit sets overflow. end() fills the length and returns the whole page's
 * length. */
struct iskra_vpd_out {
    uint8_t *buf;
    size_t size, len;
    bool overflow;
};
void iskra_vpd_begin(struct iskra_vpd_out *out, uint8_t *buf, size_t size, uint8_t type,
                     uint8_t code);
void iskra_vpd_put_bytes(struct iskra_vpd_out *out, const void *bytes,
                         size_t len); /* 00h: codes; 80h: text */
void iskra_vpd_put_designator(struct iskra_vpd_out *out, const struct iskra_designator *d);
size_t iskra_vpd_end(struct iskra_vpd_out *out);

#endif
