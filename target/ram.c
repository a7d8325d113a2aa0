/* Sparse memory: see ram.h. */
#include "target/ram.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define WORD_BITS 64u

/* Pages come into being when they are first written; until then the disk costs nothing. */
static void *map_thin(uint64_t len)
{
    if (len > SIZE_MAX / 2) {
        errno = ENOMEM;
        return NULL;
    }
    void *p = mmap(NULL, (size_t)len, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return p == MAP_FAILED ? NULL : p;
}

static uint64_t grain_cnt(const struct target_ram *ram)
{
    return ram->len / ram->grain_len + (ram->len % ram->grain_len > 0);
}

static uint64_t map_len(const struct target_ram *ram) /* bytes of ram->grains */
{
    return (grain_cnt(ram) / WORD_BITS + 1) * sizeof(uint64_t);
}

int target_ram_init(struct target_ram *ram, uint64_t len, uint32_t grain_len)
{
    *ram = (struct target_ram){.len = len, .grain_len = grain_len};
    ram->bytes = map_thin(len);
    ram->grains = ram->bytes ? map_thin(map_len(ram)) : NULL;
    if (ram->grains)
        return 0;
    int rc = -errno;
    target_ram_done(ram);
    return rc;
}

void target_ram_done(struct target_ram *ram)
{
    if (ram->bytes) /* mappings of our own: giving them back cannot fail */
        (void)munmap(ram->bytes, (size_t)ram->len);
    if (ram->grains)
        (void)munmap(ram->grains, (size_t)map_len(ram));
    ram->bytes = NULL;
    ram->grains = NULL;
}

static bool grain_used(const struct target_ram *ram, uint64_t grain)
{
    return ram->grains[grain / WORD_BITS] >> grain % WORD_BITS & 1;
}

static void grain_set(const struct target_ram *ram, uint64_t grain, bool used)
{
    uint64_t *word = &ram->grains[grain / WORD_BITS], bit = UINT64_C(1) << grain % WORD_BITS;
    if (used)
        *word |= bit;
    else if (*word & bit) /* no page for a map of nothing */
        *word &= ~bit;
}

/* What is left of the grain at `pos`, at most `len`. */
static uint64_t part_len(const struct target_ram *ram, uint64_t pos, uint64_t len)
{
    uint64_t there = ram->grain_len - pos % ram->grain_len;
    return there < len ? there : len;
}

/* Holes are not looked into: even a page that is only read would need its place in the tables. */
void target_ram_read(const struct target_ram *ram, uint64_t pos, uint8_t *buf, uint32_t len)
{
    for (uint32_t n; len > 0; pos += n, buf += n, len -= n) {
        n = (uint32_t)part_len(ram, pos, len);
        if (grain_used(ram, pos / ram->grain_len))
            memcpy(buf, ram->bytes + pos, n);
        else
            memset(buf, 0, n);
    }
}

void target_ram_write(const struct target_ram *ram, uint64_t pos, const uint8_t *buf, uint32_t len)
{
    if (len == 0)
        return;
    memcpy(ram->bytes + pos, buf, len);
    for (uint64_t grain = pos / ram->grain_len; grain <= (pos + len - 1) / ram->grain_len; grain++)
        grain_set(ram, grain, true);
}

/* Part of a grain. */
static void zero(const struct target_ram *ram, uint64_t pos, uint64_t len)
{
    if (len > 0 && grain_used(ram, pos / ram->grain_len))
        memset(ram->bytes + pos, 0, len);
}

int target_ram_discard(const struct target_ram *ram, uint64_t pos, uint64_t len)
{
    uint64_t head = pos % ram->grain_len ? part_len(ram, pos, len) : 0;
    zero(ram, pos, head);
    pos += head;
    len -= head;
    uint64_t tail = pos + len == ram->len ? 0 : len % ram->grain_len;
    zero(ram, pos + len - tail, tail);
    len -= tail;
    if (len == 0)
        return 0;
    if (madvise(ram->bytes + pos, len, MADV_DONTNEED) < 0)
        return -errno;
    for (uint64_t grain = pos / ram->grain_len; grain <= (pos + len - 1) / ram->grain_len;) {
        if (grain % WORD_BITS == 0 && ram->grains[grain / WORD_BITS] == 0) {
            grain += WORD_BITS;
            continue;
        }
        grain_set(ram, grain++, false);
    }
    return 0;
}

bool target_ram_hole(const struct target_ram *ram, uint64_t pos, uint64_t grain_max,
                     uint64_t *ret_len)
{
    uint64_t first = pos / ram->grain_len, grain = first, cnt = grain_cnt(ram);
    bool used = grain_used(ram, first);
    uint64_t same = used ? UINT64_MAX : 0;
    uint64_t end = cnt - first < grain_max ? cnt : first + grain_max;
    do {
        bool whole = grain % WORD_BITS == 0 && ram->grains[grain / WORD_BITS] == same;
        grain += whole ? WORD_BITS : 1;
    } while (grain < end && grain_used(ram, grain) == used);
    uint64_t stop = grain >= cnt ? ram->len : grain * ram->grain_len;
    *ret_len = stop - pos;
    return !used;
}
