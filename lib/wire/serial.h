/* Serial number arithmetic modulo 2^32 (RFC 7143 4.2.2.1, RFC 1982) for CmdSN, StatSN, DataSN.
 * Two numbers exactly 2^31 apart have no order; here both compare as "less". */
#ifndef ISKRA_WIRE_SERIAL_H
#define ISKRA_WIRE_SERIAL_H

#include <stdbool.h>
#include <stdint.h>

static inline bool iskra_serial_lt(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) < 0;
}

static inline bool iskra_serial_lte(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) <= 0;
}

static inline bool iskra_serial_gt(uint32_t a, uint32_t b)
{
    return (int32_t)(b - a) < 0;
}

static inline bool iskra_serial_gte(uint32_t a, uint32_t b)
{
    return (int32_t)(b - a) <= 0;
}

#endif
