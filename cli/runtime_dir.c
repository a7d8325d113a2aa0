/* The runtime directory of a user; see runtime_dir.h. */
#include "runtime_dir.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The name of the n-th; false: this environment has no such one. */
static bool name(unsigned n, char dir[CLI_RUNTIME_DIR_LEN])
{
    const char *runtime = getenv("XDG_RUNTIME_DIR");
    if (n == 0) {
        if (runtime == NULL || runtime[0] != '/' ||
            strlen(runtime) >= CLI_RUNTIME_DIR_LEN - sizeof("/iskra"))
            return false;
        snprintf(dir, CLI_RUNTIME_DIR_LEN, "%s/iskra", runtime);
        return true;
    }
    snprintf(dir, CLI_RUNTIME_DIR_LEN, n == 1 ? "/run/user/%u/iskra" : "/tmp/iskra-%u",
             (unsigned)geteuid());
    return true;
}

static bool is_safe(const char *dir)
{
    struct stat st;
    if (lstat(dir, &st) != 0)
        return false;
    errno = EPERM;
    return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

bool cli_runtime_dir(char dir[CLI_RUNTIME_DIR_LEN])
{
    for (unsigned n = 0; n < CLI_RUNTIME_DIR_CNT; n++)
        if (name(n, dir) && (mkdir(dir, 0700) == 0 || errno == EEXIST) && is_safe(dir))
            return true;
    return false;
}

bool cli_runtime_dir_at(unsigned n, char dir[CLI_RUNTIME_DIR_LEN])
{
    return name(n, dir) && is_safe(dir);
}
