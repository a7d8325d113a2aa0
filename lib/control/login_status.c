/* The table of login_status.h. The words of the pairs that RFC 7143 lists are wire/names.c's. */
#include "control/login_status.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#include "wire/bhs.h"

/* Where an errno tells more than the class does. */
static const struct {
    uint8_t detail;
    enum iskra_code code;
    int sys_errno;
} initiator_errors[] = {
    {0x01, ISKRA_E_AUTH, EACCES},  /* authentication */
    {0x02, ISKRA_E_AUTH, EACCES},  /* authorization: not with this name */
    {0x03, ISKRA_E_LOGIN, ENOENT}, /* no such target */
    {0x04, ISKRA_E_LOGIN, ENOENT}, /* removed, and nobody knows where to */
};

static struct iskra_login_verdict judge_class(uint8_t status_class)
{
    const struct iskra_login_verdict success = {ISKRA_E_PROTOCOL, EPROTO,
                                                "a success of an unknown kind", false};
    const struct iskra_login_verdict moved = {ISKRA_E_LOGIN, EIO,
                                              "a redirection of an unknown kind", false};
    const struct iskra_login_verdict ours = {ISKRA_E_LOGIN, EIO,
                                             "an initiator error of an unknown kind", false};
    /* RFC 7143 11.13.5, class 3: the initiator may send the same request once more. */
    const struct iskra_login_verdict theirs = {ISKRA_E_LOGIN, EAGAIN,
                                               "a target error of an unknown kind", true};
    const struct iskra_login_verdict unknown = {ISKRA_E_LOGIN, EIO, "a status of an unknown class",
                                                false};
    switch (status_class) {
    case 0:
        return success;
    case 1:
        return moved;
    case 2:
        return ours;
    case 3:
        return theirs;
    default:
        return unknown;
    }
}

struct iskra_login_verdict iskra_login_status_judge(uint8_t status_class, uint8_t status_detail)
{
    struct iskra_login_verdict v = judge_class(status_class);
    const char *known = iskra_login_status_name(status_class, status_detail);
    if (strcmp(known, "?") != 0)
        v.words = known;
    if (status_class == 0 && status_detail == 0) {
        v.code = ISKRA_OK;
        v.sys_errno = 0;
    }
    for (size_t i = 0; i < sizeof(initiator_errors) / sizeof(initiator_errors[0]); i++) {
        if (status_class == 2 && initiator_errors[i].detail == status_detail) {
            v.code = initiator_errors[i].code;
            v.sys_errno = initiator_errors[i].sys_errno;
        }
    }
    return v;
}
