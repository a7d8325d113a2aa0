/* Standard INQUIRY data: SPC-4 6.6.2. The VPD pages are in vpd.h. */
#ifndef ISKRA_WIRE_INQUIRY_H
#define ISKRA_WIRE_INQUIRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <iskra/codes.h>
#include <iskra/error.h>

#define ISKRA_INQUIRY_LEN 36u
#define ISKRA_INQUIRY_LEN_MIN                                                                      \
    36u /* SPC says a device sends at least this much; less is refused                             \
         */

/* Text fields are NUL-terminated, without the padding spaces, and safe to print: a byte outside
 * 20h..7Eh is shown as '?'. */
struct iskra_inquiry {
    uint8_t qualifier, type;
    bool removable;
    uint8_t version; /* 5 = SPC-3, 6 = SPC-4 */
    bool norm_aca, hi_sup;
    uint8_t response_format;
    uint8_t tpgs; /* 2 bits: 1 implicit, 2 explicit ALUA */
    bool third_party_copy, protect;
    bool enc_serv, multi_port;
    bool cmd_que;
    char vendor[9], product[17], revision[5];
};

/* 0, or -EBADMSG when shorter than ISKRA_INQUIRY_LEN_MIN. */
int iskra_inquiry_decode(const uint8_t *bytes, size_t len, struct iskra_inquiry *ret);

/* Writes ISKRA_INQUIRY_LEN bytes, the text fields padded with spaces; returns that length. */
unsigned iskra_inquiry_encode(const struct iskra_inquiry *fields, uint8_t *buf);

/* "disk", "controller", ...; "?" for a reserved one. Static storage. */
ISKRA_PUBLIC const char *iskra_device_type_name(uint8_t type);

#endif
