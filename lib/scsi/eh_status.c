/* Telling what the error handler is at. */
#include "scsi/eh_status.h"

#include <string.h>

#include "scsi/host.h"

const char *iskra_eh_rung_name(enum iskra_eh_rung rung)
{
    static const char *const names[ISKRA_EH_RUNG_CNT] = {
        [ISKRA_EH_RUNG_NONE] = "NONE",
        [ISKRA_EH_RUNG_ABORT] = "ABORT",
        [ISKRA_EH_RUNG_WAIT] = "WAIT",
        [ISKRA_EH_RUNG_SENSE] = "SENSE",
        [ISKRA_EH_RUNG_LUN_RESET] = "LUN_RESET",
        [ISKRA_EH_RUNG_TARGET_RESET] = "TARGET_RESET",
        [ISKRA_EH_RUNG_SESSION_RESET] = "SESSION_RESET",
        [ISKRA_EH_RUNG_OFFLINE] = "OFFLINE",
        [ISKRA_EH_RUNG_FLUSH] = "FLUSH",
    };
    return (unsigned)rung < ISKRA_EH_RUNG_CNT ? names[rung] : "?";
}

void iskra_eh_status(const struct iskra_shost *host, struct iskra_eh_status *st)
{
    memset(st, 0, sizeof(*st));
    st->itt = UINT32_MAX;
    if (host->eh_cnt == 0)
        return;
    st->rung = ISKRA_EH_RUNG_SESSION_RESET;
    st->cmnd_cnt = host->eh_cnt;
}
