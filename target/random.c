/* Random numbers of the system: what options->random is unless somebody else sets it. */
#include "target/target.h"

#include <errno.h>
#include <sys/random.h>

int iskra_target_random(void *arg, void *buf, size_t len)
{
    (void)arg;
    char *p = buf;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno != EINTR)
            return -errno;
        if (n > 0) {
            p += n;
            len -= (size_t)n;
        }
    }
    return 0;
}
