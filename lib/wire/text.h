/* Text segments: the key=value pairs of Login and Text PDUs (RFC 7143 6.1), each ended by a NUL
 * byte.
 *
 * Reading never copies and never trusts: a pair is a slice of the caller's bytes, and a slice is
 * not NUL-terminated in any useful sense (its bytes may be anything). Writing goes to a caller's
 * buffer and never past its end. No allocation. */
#ifndef ISKRA_WIRE_TEXT_H
#define ISKRA_WIRE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ISKRA_KEY_LEN_MAX 63u /* RFC 7143 6.1: key names are at most 63 bytes */

struct iskra_slice {
    const char *p;
    size_t len; /* bytes */
};

struct iskra_text_pair {
    struct iskra_slice key, value;
};

/* Takes the next pair off *text. Returns 1 with *ret_pair set and *text advanced, 0 at the end
 * (runs of NUL bytes are skipped: targets pad with them), or -EBADMSG: no '=', an empty or overlong
 * key, or no NUL at the end of the segment. */
int iskra_text_next(struct iskra_slice *text, struct iskra_text_pair *ret_pair);

bool iskra_slice_is(struct iskra_slice s, const char *word); /* equal bytes, case-sensitive */

/* Numbers as 6.1 writes them: decimal, or hexadecimal after 0x / 0X; no sign, no space, nothing
 * left over. Returns 0, -EINVAL (not a number), or -ERANGE (does not fit 64 bits). */
int iskra_text_number(struct iskra_slice s, uint64_t *ret_value);

/* Takes the next comma-separated element off *list (1), or 0 when none is left. An empty element is
 * given as such. */
int iskra_text_list_next(struct iskra_slice *list, struct iskra_slice *ret_item);

/* A segment being written. `len` is what has been written; once a pair did not fit, `overflow`
 * stays set and nothing more is written. */
struct iskra_text_out {
    char *buf;
    size_t size, len; /* bytes */
    bool overflow;
};

void iskra_text_put(struct iskra_text_out *out, const char *key, const char *value);
void iskra_text_put_slice(struct iskra_text_out *out, struct iskra_slice key,
                          struct iskra_slice value);
void iskra_text_put_u32(struct iskra_text_out *out, const char *key, uint32_t value);

#endif
