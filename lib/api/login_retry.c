/* See login_retry.h; decision 28. */
#include "api/login_retry.h"

#include <errno.h>

#include "control/login_status.h"

#define FIRST_NS UINT64_C(100000000)
#define LAST_NS  UINT64_C(3000000000)

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

uint64_t iskra_login_retry_delay_ns(unsigned n, uint8_t random)
{
    uint64_t delay_ns = n < 2 ? 0 : FIRST_NS;
    for (unsigned i = 2; i < n && delay_ns < LAST_NS; i++)
        delay_ns *= 2;
    if (delay_ns > LAST_NS)
        delay_ns = LAST_NS;
    return delay_ns + delay_ns / 8 * random / 255;
}
