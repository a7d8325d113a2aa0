/* The lock is a file in the user's runtime directory, named after target and LUN, with the pid of
 * its holder in it. A target's name is data: nothing of it becomes a path but letters, digits and
 * a few signs.
 *
 * One target may be reached through several portals, so these do not count; but on this machine's
 * loopback different ports are different targets, however they are called. */
#include "lock.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include <iskra/session.h>

#include "runtime_dir.h"

#define NAME_LEN 200
#define PATH_LEN (CLI_RUNTIME_DIR_LEN + NAME_LEN + 8)

static bool on_loopback(const char *portal)
{
    return strncmp(portal, "127.", 4) == 0 || strncmp(portal, "[::1]", 5) == 0;
}

/* FNV-1a: tells apart names that are too long, or equal but for what was replaced. */
static uint64_t hash_add(uint64_t hash, const char *text)
{
    for (const char *c = text; *c != '\0'; c++)
        hash = (hash ^ (unsigned char)*c) * UINT64_C(0x100000001b3);
    return hash;
}

static void name_make(char name[NAME_LEN], const struct iskra_session_info *session,
                      unsigned long long lun)
{
    uint64_t hash = hash_add(UINT64_C(0xcbf29ce484222325), session->target_name);
    char plain[NAME_LEN - 48];
    size_t len = 0;
    if (on_loopback(session->portal_address))
        hash = hash_add(hash, session->portal_address);
    for (const char *c = session->target_name; *c != '\0' && len < sizeof(plain) - 1; c++, len++) {
        bool plain_sign = strchr("-.:", *c) != NULL && len > 0;
        plain[len] = isalnum((unsigned char)*c) || plain_sign ? *c : '_';
    }
    plain[len] = '\0';
    snprintf(name, NAME_LEN, "%s-%016llx,%llu", plain, (unsigned long long)hash, lun);
}

static long holder_of(int fd)
{
    char text[24] = "";
    ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
    return n > 0 ? strtol(text, NULL, 10) : 0;
}

static void holder_set(int fd)
{
    char text[24];
    int len = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
    if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)len, 0) != len)
        return; /* then the next one is not told who it is */
}

static int taken_tell(const struct cli *cli, int fd, const char *target, unsigned long long lun)
{
    long pid = holder_of(fd);
    char who[40] = "another process";
    if (pid > 0)
        snprintf(who, sizeof(who), "process %ld", pid);
    close(fd);
    cli_error(cli, "LUN %llu of %s is being written by %s; --force writes all the same", lun,
              target, who);
    return CLI_OTHER;
}

static int no_lock(const struct cli *cli, const char *what)
{
    if (cli->verbose)
        cli_error(cli, "no lock against other writers: %s: %s", what, strerror(errno));
    return CLI_OK;
}

int cli_lock_take(const struct cli *cli, const struct iskra_lun *lun, bool force)
{
    struct iskra_session_info session;
    struct iskra_lun_info info;
    char dir[CLI_RUNTIME_DIR_LEN], name[NAME_LEN], path[PATH_LEN];

    iskra_session_info(lun, &session);
    iskra_lun_info(lun, &info);
    if (!cli_runtime_dir(dir))
        return no_lock(cli, dir);
    name_make(name, &session, info.lun);
    snprintf(path, sizeof(path), "%s/%s", dir, name);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return no_lock(cli, path);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) {
        holder_set(fd);
        return CLI_OK; /* fd stays open: with it the lock would go */
    }
    if (errno == EWOULDBLOCK && !force)
        return taken_tell(cli, fd, session.target_name, info.lun);
    close(fd);
    return force ? CLI_OK : no_lock(cli, path);
}
