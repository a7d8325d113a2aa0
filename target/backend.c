/* LUN storage: see backend.h. */
#include "target/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

/* FNV-1a over the target's name and the LUN, stirred: the same disk has the same identity after
 * every restart, and two disks differ in all digits. */
static uint64_t identity(const char *target_name, uint32_t number)
{
    uint64_t h = UINT64_C(0xcbf29ce484222325);
    for (const char *p = target_name; *p; p++)
        h = (h ^ (uint8_t)*p) * UINT64_C(0x100000001b3);
    for (unsigned i = 0; i < 4; i++)
        h = (h ^ (number >> (8 * i) & 0xff)) * UINT64_C(0x100000001b3);
    h ^= h >> 31;
    h *= UINT64_C(0x7fb5d329728ea185);
    return h ^ h >> 27;
}

static int open_file(struct target_lun *lun, const struct iskra_target_backend *backend,
                     uint64_t *size, struct iskra_error *err)
{
    const char *path = backend->path;
    if (!path)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "LUN %u: no file name", lun->number);
    if (!backend->read_only)
        lun->fd = open(path, O_RDWR | O_CLOEXEC);
    if (lun->fd < 0) {
        lun->fd = open(path, O_RDONLY | O_CLOEXEC);
        lun->read_only = true;
    }
    if (lun->fd < 0)
        return iskra_fail(err, ISKRA_E_SYSTEM, errno, "LUN %u: cannot open %s: %s", lun->number,
                          path, strerror(errno));
    off_t end = lseek(lun->fd, 0, SEEK_END); /* of a block device too */
    if (end < 0)
        return iskra_fail(err, ISKRA_E_SYSTEM, errno, "LUN %u: no size of %s: %s", lun->number,
                          path, strerror(errno));
    if (*size == 0)
        *size = (uint64_t)end;
    if (*size > (uint64_t)end)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "LUN %u: %s has %jd bytes, not %ju",
                          lun->number, path, (intmax_t)end, (uintmax_t)*size);
    return 0;
}

static int map_ram(struct target_lun *lun, uint64_t size, struct iskra_error *err)
{
    if (size > SIZE_MAX / 2)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "LUN %u: %ju bytes of memory are too many",
                          lun->number, (uintmax_t)size);
    /* Pages come into being when they are first written; until then the disk costs nothing. */
    void *p = mmap(NULL, (size_t)size, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return iskra_fail(err, ISKRA_E_NOMEM, errno, "LUN %u: cannot map %ju bytes: %s",
                          lun->number, (uintmax_t)size, strerror(errno));
    lun->ram = p;
    return 0;
}

int target_lun_open(struct target_lun *lun, const struct iskra_target_backend *backend,
                    uint32_t default_block_len, uint32_t number, const char *target_name,
                    struct iskra_error *err)
{
    *lun = (struct target_lun){.number = number,
                               .kind = backend->kind,
                               .block_len =
                                   backend->block_len ? backend->block_len : default_block_len,
                               .read_only = backend->read_only,
                               .fd = -1,
                               .id = identity(target_name, number)};
    if (lun->block_len < 512 || lun->block_len > 65536 || (lun->block_len & (lun->block_len - 1)))
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL,
                          "LUN %u: block size %u is no power of two from 512 to 65536", number,
                          lun->block_len);

    uint64_t size = backend->size;
    if (lun->kind == ISKRA_TARGET_FILE) {
        int rc = open_file(lun, backend, &size, err);
        if (rc < 0)
            return rc;
    }
    lun->block_cnt = size / lun->block_len;
    if (lun->block_cnt == 0)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "LUN %u: %ju bytes are less than a block",
                          number, (uintmax_t)size);
    if (lun->kind == ISKRA_TARGET_RAM)
        return map_ram(lun, target_lun_len(lun), err);
    return 0;
}

void target_lun_close(struct target_lun *lun)
{
    if (lun->ram)
        (void)munmap(lun->ram, (size_t)target_lun_len(lun)); /* of a mapping of ours: cannot fail */
    lun->ram = NULL;
    if (lun->kind == ISKRA_TARGET_FILE && lun->fd >= 0)
        (void)close(lun->fd); /* written data was flushed when the initiator asked for it */
    lun->fd = -1;
}

int target_lun_read(const struct target_lun *lun, uint64_t pos, uint8_t *buf, uint32_t len)
{
    if (lun->kind == ISKRA_TARGET_NULL) {
        memset(buf, 0, len);
        return 0;
    }
    if (lun->kind == ISKRA_TARGET_RAM) {
        memcpy(buf, lun->ram + pos, len);
        return 0;
    }
    while (len > 0) {
        ssize_t n = pread(lun->fd, buf, len, (off_t)pos);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0) /* somebody made the file shorter under us */
            return -EIO;
        buf += n;
        pos += (uint64_t)n;
        len -= (uint32_t)n;
    }
    return 0;
}

int target_lun_write(const struct target_lun *lun, uint64_t pos, const uint8_t *buf, uint32_t len)
{
    if (lun->kind == ISKRA_TARGET_NULL)
        return 0;
    if (lun->kind == ISKRA_TARGET_RAM) {
        memcpy(lun->ram + pos, buf, len);
        return 0;
    }
    while (len > 0) {
        ssize_t n = pwrite(lun->fd, buf, len, (off_t)pos);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0) /* no reason given: not to be tried forever */
            return -EIO;
        buf += n;
        pos += (uint64_t)n;
        len -= (uint32_t)n;
    }
    return 0;
}

/* Whole pages go back to the system and are zeros when they are next touched. */
static int discard_ram(const struct target_lun *lun, uint64_t pos, uint64_t len)
{
    uint64_t page_len = (uint64_t)sysconf(_SC_PAGESIZE), end = pos + len;
    uint64_t first = (pos + page_len - 1) / page_len * page_len, last = end / page_len * page_len;
    if (first >= last) {
        memset(lun->ram + pos, 0, len);
        return 0;
    }
    if (madvise(lun->ram + first, last - first, MADV_DONTNEED) < 0)
        return -errno;
    memset(lun->ram + pos, 0, first - pos);
    memset(lun->ram + last, 0, end - last);
    return 0;
}

int target_lun_discard(const struct target_lun *lun, uint64_t pos, uint64_t len)
{
    if (lun->kind == ISKRA_TARGET_NULL || len == 0)
        return 0;
    if (lun->kind == ISKRA_TARGET_RAM)
        return discard_ram(lun, pos, len);
    int rc;
    do
        rc = fallocate(lun->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)pos, (off_t)len);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return 0;
    return errno == ENOTSUP || errno == ENOSYS || errno == ENODEV ? -EOPNOTSUPP : -errno;
}

int target_lun_flush(const struct target_lun *lun)
{
    if (lun->kind == ISKRA_TARGET_FILE && !lun->read_only && fdatasync(lun->fd) < 0)
        return -errno;
    return 0;
}
