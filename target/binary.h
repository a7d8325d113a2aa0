/* Large binary values of text keys, as CHAP_C and CHAP_R have them: RFC 7143 6.1, hexadecimal after
 * 0x or base64 after 0b. */
#ifndef ISKRA_TARGET_BINARY_H
#define ISKRA_TARGET_BINARY_H

#include <stdint.h>

#include "wire/text.h"

#define TARGET_BINARY_MAX      1024u /* bytes; 6.1 allows no more */
#define TARGET_BINARY_TEXT_MAX (2 + 2 * TARGET_BINARY_MAX)

enum target_binary_form {
    BINARY_HEX,
    BINARY_HEX_UPPER,
    BINARY_BASE64,
};

/* How many bytes `text` stands for, put into buf; -EINVAL if it is no such value (an odd number of
 * digits, padding at the wrong place, bits left over), stands for none, or for more than `max`. */
int target_binary_decode(struct iskra_slice text, uint8_t *buf, uint32_t max);

/* buf has room for TARGET_BINARY_TEXT_MAX; len is at most TARGET_BINARY_MAX. The returned slice
 * lies in it. */
struct iskra_slice target_binary_encode(const uint8_t *bytes, uint32_t len,
                                        enum target_binary_form form, char *buf);

#endif
