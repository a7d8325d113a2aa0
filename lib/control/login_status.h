/* What a target's Status-Class and Status-Detail mean for a login (RFC 7143 11.13.5): words, the
 * kind of error, and whether the same request may do better later. Every pair has an answer,
 * those that no document knows too. */
#ifndef ISKRA_CONTROL_LOGIN_STATUS_H
#define ISKRA_CONTROL_LOGIN_STATUS_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

struct iskra_login_verdict {
    enum iskra_code code; /* ISKRA_OK for 0000 only */
    int sys_errno;
    const char *words; /* never empty */
    bool transient;    /* the request was fine and may be repeated */
};

struct iskra_login_verdict iskra_login_status_judge(uint8_t status_class, uint8_t status_detail);

#endif
