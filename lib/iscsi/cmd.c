/* What a command says of its end: host bytes by name, and its own story. */
#include "iscsi/cmd.h"

#include <stdarg.h>
#include <string.h>

#include "error.h"
#include "iscsi/task.h"

const char *iskra_host_byte_name(uint8_t host_byte)
{
    static const char *const names[] = {
        [ISKRA_DID_OK] = "DID_OK",
        [ISKRA_DID_NO_CONNECT] = "DID_NO_CONNECT",
        [ISKRA_DID_BUS_BUSY] = "DID_BUS_BUSY",
        [ISKRA_DID_TIME_OUT] = "DID_TIME_OUT",
        [ISKRA_DID_BAD_TARGET] = "DID_BAD_TARGET",
        [ISKRA_DID_ABORT] = "DID_ABORT",
        [ISKRA_DID_PARITY] = "DID_PARITY",
        [ISKRA_DID_ERROR] = "DID_ERROR",
        [ISKRA_DID_RESET] = "DID_RESET",
        [ISKRA_DID_SOFT_ERROR] = "DID_SOFT_ERROR",
        [ISKRA_DID_IMM_RETRY] = "DID_IMM_RETRY",
        [ISKRA_DID_REQUEUE] = "DID_REQUEUE",
        [ISKRA_DID_TRANSPORT_DISRUPTED] = "DID_TRANSPORT_DISRUPTED",
        [ISKRA_DID_TRANSPORT_FAILFAST] = "DID_TRANSPORT_FAILFAST",
        [ISKRA_DID_TARGET_FAILURE] = "DID_TARGET_FAILURE",
        [ISKRA_DID_NEXUS_FAILURE] = "DID_NEXUS_FAILURE",
        [ISKRA_DID_ALLOC_FAILURE] = "DID_ALLOC_FAILURE",
        [ISKRA_DID_MEDIUM_ERROR] = "DID_MEDIUM_ERROR",
    };
    if (host_byte >= sizeof(names) / sizeof(names[0]) || names[host_byte] == NULL)
        return "?";
    return names[host_byte];
}

int iskra_cmnd_fail(struct iskra_cmnd *cmd, enum iskra_code code, int sys_errno, const char *fmt,
                    ...)
{
    if (cmd->error == NULL)
        return -sys_errno;
    memset(cmd->error, 0, sizeof(*cmd->error));
    cmd->told = true;
    va_list ap;
    va_start(ap, fmt);
    int rc = iskra_vfail(cmd->error, code, sys_errno, fmt, ap);
    va_end(ap);
    return rc;
}

uint32_t iskra_cmnd_itt(const struct iskra_cmnd *cmd)
{
    return cmd->task != NULL ? cmd->task->tcp.itt : UINT32_MAX;
}
