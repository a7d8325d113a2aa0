/* CRC32C as iSCSI digests use it (RFC 7143 13.1). Start with ISKRA_CRC32C_INIT, feed any number of
 * pieces, take the value with iskra_crc32c_finish(); the digest goes on the wire least significant
 * byte first (13.1's bit order), which iskra_crc32c_put() does and golden bytes pin. */
#ifndef ISKRA_WIRE_CRC32C_H
#define ISKRA_WIRE_CRC32C_H

#include <stddef.h>
#include <stdint.h>

#define ISKRA_CRC32C_INIT 0xffffffffu

uint32_t iskra_crc32c_update(uint32_t crc, const void *data, size_t len);

static inline uint32_t iskra_crc32c_finish(uint32_t crc)
{
    return ~crc;
}

static inline void iskra_crc32c_put(uint8_t *p, uint32_t digest)
{
    p[0] = (uint8_t)digest;
    p[1] = (uint8_t)(digest >> 8);
    p[2] = (uint8_t)(digest >> 16);
    p[3] = (uint8_t)(digest >> 24);
}

static inline uint32_t iskra_crc32c_get(const uint8_t *p)
{
    return (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

#endif
