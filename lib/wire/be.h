/* Big-endian loads and stores: by memcpy, never by casts, so that alignment does not matter. Each
 * is one load or store with a byte swap; written as shifts of single bytes they become vector code
 * now and then, which is many times slower. */
#ifndef ISKRA_WIRE_BE_H
#define ISKRA_WIRE_BE_H

#include <stdint.h>
#include <string.h>

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define ISKRA_BE16(v) __builtin_bswap16(v)
#define ISKRA_BE32(v) __builtin_bswap32(v)
#define ISKRA_BE64(v) __builtin_bswap64(v)
#else
#define ISKRA_BE16(v) (v)
#define ISKRA_BE32(v) (v)
#define ISKRA_BE64(v) (v)
#endif

static inline uint16_t iskra_get_be16(const uint8_t *p)
{
    uint16_t v;
    memcpy(&v, p, sizeof(v));
    return ISKRA_BE16(v);
}

static inline uint32_t iskra_get_be24(const uint8_t *p)
{
    return (uint32_t)p[0] << 16 | iskra_get_be16(p + 1);
}

static inline uint32_t iskra_get_be32(const uint8_t *p)
{
    uint32_t v;
    memcpy(&v, p, sizeof(v));
    return ISKRA_BE32(v);
}

static inline uint64_t iskra_get_be64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return ISKRA_BE64(v);
}

static inline void iskra_put_be16(uint8_t *p, uint16_t v)
{
    v = ISKRA_BE16(v);
    memcpy(p, &v, sizeof(v));
}

static inline void iskra_put_be24(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 16);
    iskra_put_be16(p + 1, (uint16_t)v);
}

static inline void iskra_put_be32(uint8_t *p, uint32_t v)
{
    v = ISKRA_BE32(v);
    memcpy(p, &v, sizeof(v));
}

static inline void iskra_put_be64(uint8_t *p, uint64_t v)
{
    v = ISKRA_BE64(v);
    memcpy(p, &v, sizeof(v));
}

#endif
