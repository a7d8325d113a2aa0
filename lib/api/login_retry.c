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

bool iskra_login_retry_worth(const struct iskra_error *why)
{
    switch (why->code) {
    case ISKRA_E_TIMEOUT_LOGIN:
        return true;
    case ISKRA_E_CONNECT:
        return connect_may_pass(why->sys_errno);
    case ISKRA_E_CONNECTION:
        return why->conn_error == ISKRA_CONN_TCP_CONN_CLOSE || connect_may_pass(why->sys_errno);
    case ISKRA_E_LOGIN:
        return iskra_login_status_judge(why->login_class, why->login_detail).transient;
    default:
        return false;
    }
}
