/* The ordinary platform, with two of its calls replaced. */
#include "stack/bent.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <errno.h>
#include <string.h>

#include <cmocka.h>

#include <netinet/in.h>

static uint64_t skewed_now_ns(void *arg)
{
    const struct bent *bent = arg;
    uint64_t now_ns = bent->frozen_ns > 0 ? bent->frozen_ns : iskra_platform_posix()->now_ns(NULL);
    return now_ns + bent->skew_ns;
}

static int connect_to_rig(void *arg, const struct sockaddr *addr, socklen_t len)
{
    const struct bent *bent = arg;
    struct sockaddr_in to;
    if (bent->away)
        return -ECONNREFUSED;
    if (bent->rig == NULL)
        return iskra_platform_posix()->connect_start(NULL, addr, len);
    assert_int_equal(len, sizeof(to));
    memcpy(&to, addr, sizeof(to));
    to.sin_port = htons(rig_port(*bent->rig));
    return iskra_platform_posix()->connect_start(NULL, (struct sockaddr *)&to, len);
}

void bent_init(struct bent *bent, struct rig *const *rig)
{
    *bent = (struct bent){.pf = *iskra_platform_posix(), .rig = rig};
    bent->pf.arg = bent;
    bent->pf.now_ns = skewed_now_ns;
    bent->pf.connect_start = connect_to_rig;
}
