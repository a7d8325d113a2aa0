/* CRC32C through ISA-L, which picks the machine's instructions itself. */
#include "wire/crc32c.h"

#include <isa-l/crc.h>

/* ISA-L takes a length in an int and a pointer without const (it only reads). */
#define PIECE_LEN_MAX ((size_t)1 << 30)

uint32_t iskra_crc32c_update(uint32_t crc, const void *data, size_t len)
{
    const uint8_t *p = data;
    while (len > 0) {
        size_t piece_len = len < PIECE_LEN_MAX ? len : PIECE_LEN_MAX;
        crc = crc32_iscsi((unsigned char *)(uintptr_t)p, (int)piece_len, crc);
        p += piece_len;
        len -= piece_len;
    }
    return crc;
}
