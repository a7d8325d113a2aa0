/* Where an initiator's name comes from. Reads the environment and at most two small files, when an
 * initiator is made. */
#include "api/name.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "error.h"

#define SYSTEM_FILE "/etc/iscsi/initiatorname.iscsi"

/* As much as fits: the source is for people to read, a path cut short still tells them. */
static void copy(char *dst, size_t size, const char *src)
{
    size_t len = strnlen(src, size - 1);
    memcpy(dst, src, len);
    dst[len] = '\0';
}

static int use(struct iskra_name *ret, const char *name, const char *source,
               struct iskra_error *err)
{
    int rc = iskra_iscsi_name_check(name, source, err);
    if (rc)
        return rc;
    copy(ret->name, sizeof(ret->name), name); /* its length was judged */
    copy(ret->source, sizeof(ret->source), source);
    return 0;
}

/* The value of the last `InitiatorName=` line of a file in open-iscsi's format. 1 found, 0 not
 * there or not readable. */
static int read_name_file(const char *path, char *name, size_t size)
{
    FILE *f = fopen(path, "re");
    if (f == NULL)
        return 0;
    char line[512];
    int found = 0;
    for (int i = 0; i < 1000 && fgets(line, sizeof(line), f) != NULL; i++) {
        static const char key[] = "InitiatorName=";
        if (strncmp(line, key, sizeof(key) - 1) != 0)
            continue;
        const char *value = line + sizeof(key) - 1;
        snprintf(name, size, "%.*s", (int)strcspn(value, " \t\r\n"), value);
        found = 1;
    }
    fclose(f);
    return found;
}

/* $XDG_STATE_HOME/iskra or ~/.local/state/iskra; 0 if the user has no such place. */
static int state_dir(char *path, size_t size)
{
    const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
    int n = 0;
    if (xdg != NULL && xdg[0] == '/')
        n = snprintf(path, size, "%s/iskra", xdg);
    else if (home != NULL && home[0] == '/')
        n = snprintf(path, size, "%s/.local/state/iskra", home);
    return n > 0 && (size_t)n < size;
}

/* Makes every missing folder of the path; failures show when the file is opened. */
static void make_dirs(const char *path)
{
    char dir[PATH_MAX];
    for (const char *p = strchr(path + 1, '/');; p = strchr(p + 1, '/')) {
        size_t n = p ? (size_t)(p - path) : strlen(path);
        if (n >= sizeof(dir))
            return;
        memcpy(dir, path, n);
        dir[n] = '\0';
        (void)mkdir(dir, 0700);
        if (p == NULL)
            return;
    }
}

/* Keeps a new name for next time. Written to a file of its own and linked into place, so that two
 * processes that start together agree: whoever comes second reads the first one's. Not being able
 * to keep it is no error; the name is then new each time. */
static void keep_name(const char *dir, const char *path, const char *name)
{
    char tmp[PATH_MAX];
    make_dirs(dir);
    if (snprintf(tmp, sizeof(tmp), "%s.%ld", path, (long)getpid()) >= (int)sizeof(tmp))
        return;
    int fd = open(tmp, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        return;
    int written = dprintf(
        fd,
        "## Made by iskra for this user; any legal iSCSI name may stand here.\nInitiatorName=%s\n",
        name);
    if (close(fd) == 0 && written > 0)
        (void)!link(tmp, path);
    (void)unlink(tmp);
}

static int generate(const struct iskra_platform *pf, char *name, size_t size,
                    struct iskra_error *err)
{
    uint8_t r[6];
    int rc = pf->random(pf->arg, r, sizeof(r));
    if (rc)
        return iskra_fail(err, ISKRA_E_SYSTEM, -rc, "no random bytes for an initiator name: %s",
                          strerror(-rc));
    snprintf(name, size, "iqn.2026-11.io.iskra:%02x%02x%02x%02x%02x%02x", r[0], r[1], r[2], r[3],
             r[4], r[5]);
    return 0;
}

int iskra_name_find(const struct iskra_platform *pf, const char *option,
                    struct iskra_name *ret_name, struct iskra_error *err)
{
    char dir[PATH_MAX - 32], path[PATH_MAX], name[512];
    const char *env = getenv("ISKRA_INITIATOR_NAME");
    if (option != NULL)
        return use(ret_name, option, "option", err);
    if (env != NULL && env[0] != '\0')
        return use(ret_name, env, "ISKRA_INITIATOR_NAME", err);
    if (read_name_file(SYSTEM_FILE, name, sizeof(name)))
        return use(ret_name, name, SYSTEM_FILE, err);
    int have_dir = state_dir(dir, sizeof(dir));
    if (have_dir) {
        snprintf(path, sizeof(path), "%s/initiatorname.iscsi", dir);
        if (read_name_file(path, name, sizeof(name)))
            return use(ret_name, name, path, err);
    }
    int rc = generate(pf, name, sizeof(name), err);
    if (rc)
        return rc;
    if (have_dir) {
        keep_name(dir, path, name);
        if (read_name_file(path, name, sizeof(name)))
            return use(ret_name, name, path, err);
    }
    return use(ret_name, name, "generated", err);
}
