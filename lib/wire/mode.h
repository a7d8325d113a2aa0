/* MODE SENSE data: SPC-4 7.5, the header with its write protect bit and the caching page of
 * SBC-3 6.5.5. */
#ifndef ISKRA_WIRE_MODE_H
#define ISKRA_WIRE_MODE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISKRA_MODE_PAGE_CACHING 0x08u
#define ISKRA_MODE_PAGE_CONTROL 0x0au
#define ISKRA_MODE_PAGE_ALL     0x3fu

struct iskra_mode {
    uint8_t medium_type;
    bool write_protected, dpofua; /* dpofua: FUA and DPO bits are understood */
    const uint8_t *pages;         /* into the caller's bytes, after the block descriptors */
    size_t pages_len;             /* what is there of them */
};

/* 0, or -EBADMSG: header or block descriptors cut short. */
int iskra_mode6_decode(const uint8_t *bytes, size_t len, struct iskra_mode *ret);
int iskra_mode10_decode(const uint8_t *bytes, size_t len, struct iskra_mode *ret);

struct iskra_mode_page {
    uint8_t code, subpage;
    bool saveable;
    const uint8_t *body; /* after the page header (2 or 4 bytes) */
    size_t body_len;
};
/* Walks the pages: start with *pos = 0. 1, 0 at the end, -EBADMSG for a page that does not fit. */
int iskra_mode_page_next(const struct iskra_mode *mode, size_t *pos, struct iskra_mode_page *ret);

struct iskra_mode_caching {
    bool wce; /* write cache enabled: GOOD does not mean on the medium */
    bool rcd; /* read cache disabled */
};
/* 0, -ENOENT (no such page), -EBADMSG. */
int iskra_mode_caching(const struct iskra_mode *mode, struct iskra_mode_caching *ret);

/* Writing, for a target: header without block descriptors, then pages. Returns the whole length, or
 * 0 if it does not fit `size`. `pages` are whole pages, headers included. */
size_t iskra_mode6_encode(const struct iskra_mode *fields, uint8_t *buf, size_t size);
size_t iskra_mode10_encode(const struct iskra_mode *fields, uint8_t *buf, size_t size);
#define ISKRA_MODE_CACHING_LEN 20u
unsigned iskra_mode_caching_encode(const struct iskra_mode_caching *fields, uint8_t *buf);

#endif
