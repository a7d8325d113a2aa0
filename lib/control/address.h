/* TargetAddress values: host[:port][,tpgt], a v6 address in brackets (RFC 7143 13.8). */
#ifndef ISKRA_CONTROL_ADDRESS_H
#define ISKRA_CONTROL_ADDRESS_H

#include <stdint.h>

#include "wire/text.h"

#define ISKRA_ISCSI_PORT    3260u
#define ISKRA_HOST_TEXT_MAX 255u
#define ISKRA_NAME_TEXT_MAX 223u /* iSCSI names: RFC 7143 4.2.7.1 */

struct iskra_target_address {
    char host[ISKRA_HOST_TEXT_MAX +
              1]; /* no brackets; only characters that names and numeric addresses have */
    uint16_t port;
    uint16_t tpgt; /* 0 if not given */
};

/* Returns 0; -EINVAL: not such a text; -ERANGE: port or portal group tag out of range;
 * -ENAMETOOLONG. */
int iskra_target_address_parse(struct iskra_slice text, struct iskra_target_address *ret_addr);

/* Is this a legal iSCSI name? iqn., eui., naa. and the characters such names have. */
bool iskra_iscsi_name_ok(struct iskra_slice name);

#endif
