/* See isid_lock.h. A file in the user's runtime directory with the pid of its holder in it. Names
 * are data: the file's name has nothing of them but a number. */
#include "api/isid_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define DIR_LEN 4096

/* Ours alone, or nobody's. */
static bool dir_is_safe(const char *dir)
{
    struct stat st;
    if (mkdir(dir, 0700) != 0 && errno != EEXIST)
        return false;
    return lstat(dir, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() &&
           (st.st_mode & 077) == 0;
}

static bool dir_find(char dir[DIR_LEN])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (runtime != NULL && runtime[0] == '/' && strlen(runtime) < DIR_LEN - sizeof("/iskra")) {
        (void)snprintf(dir, DIR_LEN, "%s/iskra", runtime);
        if (dir_is_safe(dir))
            return true;
    }
    (void)snprintf(dir, DIR_LEN, "/tmp/iskra-%u", (unsigned)geteuid());
    return dir_is_safe(dir);
}

/* FNV-1a; each string with its end, so that "a","bc" is not "ab","c". */
static uint64_t hash_add(uint64_t hash, const void *bytes, size_t len)
{
    const uint8_t *b = bytes;
    for (size_t i = 0; i < len; i++)
        hash = (hash ^ b[i]) * UINT64_C(0x100000001b3);
    return hash;
}

static uint64_t hash_text(uint64_t hash, const char *text)
{
    return hash_add(hash, text, strlen(text) + 1);
}

/* A target may be reached through several portals, so these do not count; but on the loopback of a
 * machine different ports are different targets, however they are called. */
static bool on_loopback(const char *portal)
{
    return strncmp(portal, "127.", 4) == 0 || strncmp(portal, "::1:", 4) == 0 ||
           strncmp(portal, "localhost:", 10) == 0;
}

static int taken(int fd, struct iskra_error *err)
{
    char text[40] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    long pid = n > 0 ? strtol(text, NULL, 10) : 0;
    (void)close(fd);
    if (pid > 0)
        (void)snprintf(text, sizeof(text), "process %ld", pid);
    return iskra_fail(err, ISKRA_E_USAGE, EADDRINUSE,
                      "isid=: %s is logged in to this target with this name and ISID",
                      pid > 0 ? text : "another process");
}

int iskra_isid_lock_take(const char *initiator_name, const uint8_t isid[ISKRA_ISID_LOCK_LEN],
                         const char *target_name, const char *portal, int *ret_fd,
                         struct iskra_error *err)
{
    char dir[DIR_LEN], path[DIR_LEN + 64], pid[24];
    uint64_t hash = hash_text(UINT64_C(0xcbf29ce484222325), initiator_name);
    hash = hash_text(hash, target_name);
    hash = hash_add(hash, isid, ISKRA_ISID_LOCK_LEN);
    if (on_loopback(portal))
        hash = hash_text(hash, portal);
    *ret_fd = -1;
    if (!dir_find(dir))
        return 0;
    (void)snprintf(path, sizeof(path), "%s/isid-%016llx", dir, (unsigned long long)hash);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return 0;
    if (flock(fd, LOCK_EX | LOCK_NB) != 0) {
        if (errno == EWOULDBLOCK)
            return taken(fd, err);
        (void)close(fd);
        return 0;
    }
    int len = snprintf(pid, sizeof(pid), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) == 0)
        (void)!pwrite(fd, pid, (size_t)len, 0); /* else the next one is not told who it is */
    *ret_fd = fd;
    return 0;
}

/* Unlocked, not only closed: a forked child has a copy of the descriptor, which would keep the
 * lock. The child itself never comes here (iskra_free). */
void iskra_isid_lock_drop(int fd)
{
    if (fd < 0)
        return;
    (void)flock(fd, LOCK_UN); /* closing comes next in any case */
    (void)close(fd);
}
