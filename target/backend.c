/* LUN storage: see backend.h. */
#include "target/backend.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define FILE_GRAIN_LEN 4096u
#define LOOK_MAX       (UINT64_C(1) << 22) /* grains of a RAM disk: half a MiB of its map */

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
    struct stat st;
    if (fstat(lun->fd, &st) != 0)
        return iskra_fail(err, ISKRA_E_SYSTEM, errno, "LUN %u: cannot look at %s: %s", lun->number,
                          path, strerror(errno));
    if (S_ISDIR(st.st_mode)) /* which has a size, and nothing to read */
        return iskra_fail(err, ISKRA_E_SYSTEM, EISDIR, "LUN %u: cannot open %s: %s", lun->number,
                          path, strerror(EISDIR));
    /* Another file is another disk, even under the same name. */
    if (backend->identity == 0)
        lun->id ^= (uint64_t)st.st_ino * UINT64_C(0x9e3779b97f4a7c15);
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

/* Bytes that a RAM disk takes and gives back at once. */
static uint32_t ram_grain_len(const struct target_lun *lun)
{
    uint32_t page_len = (uint32_t)sysconf(_SC_PAGESIZE);
    return lun->block_len > page_len ? lun->block_len : page_len;
}

static int open_ram(struct target_lun *lun, struct iskra_error *err)
{
    int rc = target_ram_init(&lun->ram, target_lun_len(lun), ram_grain_len(lun));
    if (rc < 0)
        return iskra_fail(err, ISKRA_E_NOMEM, -rc, "LUN %u: cannot map %ju bytes: %s", lun->number,
                          (uintmax_t)target_lun_len(lun), strerror(-rc));
    return 0;
}

int target_lun_open(struct target_lun *lun, const struct iskra_target_backend *backend,
                    uint32_t default_block_len, uint32_t number, const char *target_name,
                    struct iskra_error *err)
{
    *lun = (struct target_lun){
        .number = number,
        .kind = backend->kind,
        .block_len = backend->block_len ? backend->block_len : default_block_len,
        .read_only = backend->read_only,
        .fd = -1,
        .disk = backend->disk,
        .disk_arg = backend->disk_arg,
        .id = backend->identity ? backend->identity : identity(target_name, number)};
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
    if (lun->kind == ISKRA_TARGET_DISK && !lun->disk)
        return iskra_fail(err, ISKRA_E_USAGE, EINVAL, "LUN %u: no disk", number);
    if (lun->kind == ISKRA_TARGET_RAM)
        return open_ram(lun, err);
    return 0;
}

void target_lun_close(struct target_lun *lun)
{
    target_ram_done(&lun->ram);
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
        target_ram_read(&lun->ram, pos, buf, len);
        return 0;
    }
    if (lun->kind == ISKRA_TARGET_DISK)
        return lun->disk->read(lun->disk_arg, pos, buf, len);
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
        target_ram_write(&lun->ram, pos, buf, len);
        return 0;
    }
    if (lun->kind == ISKRA_TARGET_DISK)
        return lun->disk->write(lun->disk_arg, pos, buf, len);
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

int target_lun_discard(const struct target_lun *lun, uint64_t pos, uint64_t len)
{
    if (lun->kind == ISKRA_TARGET_NULL || len == 0)
        return 0;
    if (lun->kind == ISKRA_TARGET_RAM)
        return target_ram_discard(&lun->ram, pos, len);
    if (lun->kind == ISKRA_TARGET_DISK)
        return lun->disk->discard(lun->disk_arg, pos, len);
    int rc;
    do
        rc = fallocate(lun->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)pos, (off_t)len);
    while (rc < 0 && errno == EINTR);
    if (rc == 0)
        return 0;
    return errno == ENOTSUP || errno == ENOSYS || errno == ENODEV ? -EOPNOTSUPP : -errno;
}

uint32_t target_lun_grain(const struct target_lun *lun)
{
    switch (lun->kind) {
    case ISKRA_TARGET_RAM:
        return lun->ram.grain_len;
    case ISKRA_TARGET_FILE: /* what file systems take; a wrong guess costs holes, not data */
        return lun->block_len > FILE_GRAIN_LEN ? lun->block_len : FILE_GRAIN_LEN;
    case ISKRA_TARGET_DISK:
        return lun->block_len;
    case ISKRA_TARGET_NULL:
        break;
    }
    return 0;
}

/* From `pos` to the next change, bytes; what the file system does not tell counts as data. */
static bool file_hole(const struct target_lun *lun, uint64_t pos, uint64_t *ret_len)
{
    uint64_t left = target_lun_len(lun) - pos;
    off_t data = lseek(lun->fd, (off_t)pos, SEEK_DATA);
    bool hole = data < 0 ? errno == ENXIO : (uint64_t)data >= pos + lun->block_len;
    off_t next = hole ? data : lseek(lun->fd, data < 0 ? (off_t)pos : data, SEEK_HOLE);
    *ret_len = next < 0 || (uint64_t)next - pos > left ? left : (uint64_t)next - pos;
    return hole;
}

bool target_lun_hole(const struct target_lun *lun, uint64_t pos, uint64_t *ret_len)
{
    uint64_t len = target_lun_len(lun) - pos;
    bool hole = false;
    if (lun->kind == ISKRA_TARGET_RAM)
        hole = target_ram_hole(&lun->ram, pos, LOOK_MAX, &len);
    else if (lun->kind == ISKRA_TARGET_FILE)
        hole = file_hole(lun, pos, &len);
    /* A block that is only in part a hole is none. */
    uint64_t part = len % lun->block_len;
    *ret_len = part == 0 ? len : hole ? len - part : len - part + lun->block_len;
    return hole;
}

int target_lun_flush(const struct target_lun *lun)
{
    if (lun->kind == ISKRA_TARGET_FILE && !lun->read_only && fdatasync(lun->fd) < 0)
        return -errno;
    return lun->kind == ISKRA_TARGET_DISK ? lun->disk->flush(lun->disk_arg) : 0;
}
