/* See login_retry.h; decision 28. */
#include "api/login_retry.h"

#include <errno.h>

#include "control/login_status.h"

static bool connect_may_pass(int sys_errno)
{
    switch (sys_errno) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ECONNABORTED:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETUNREACH:
    case ENETDOWN:
    case ETIMEDOUT:
    case EPIPE:
        return true;
    default:
        return false; /* a name nobody knows, no permission, ... */
    }
}

/* Of this machine: descriptors, memory, ports to connect from. */
static bool shortage(int sys_errno)
{
    switch (sys_errno) {
    case EADDRNOTAVAIL:
    case EAGAIN:
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
    case ENOSPC: /* of descriptors that a user may watch */
        return true;
    default:
        return false;
    }
}

bool iskra_login_retry_worth(const struct iskra_error *why)
{
    switch (why->code) {
    case ISKRA_E_TIMEOUT_LOGIN:
        return true;
    case ISKRA_E_CONNECT:
        return connect_may_pass(why->sys_errno) || shortage(why->sys_errno);
    case ISKRA_E_CONNECTION:
        return why->conn_error == ISKRA_CONN_TCP_CONN_CLOSE || connect_may_pass(why->sys_errno);
    case ISKRA_E_SYSTEM:
    case ISKRA_E_NOMEM:
        return shortage(why->sys_errno);
    case ISKRA_E_LOGIN:
        return iskra_login_status_judge(why->login_class, why->login_detail).transient;
    default:
        return false;
    }
}
