/* The command window's three rules; see window.h. */
#include "iscsi/window.h"

#include "planted.h"
#include "wire/serial.h"

/* Room for one: the login used no number up, and its response says how much more there is. More
 * than that a target with a window of one would have to ignore, silently. */
void iskra_window_init(struct iskra_cmd_window *w, uint32_t initial_cmd_sn)
{
    w->cmd_sn = w->queued_cmd_sn = initial_cmd_sn;
    w->exp_cmd_sn = w->max_cmd_sn = initial_cmd_sn;
}

/* RFC 7143 4.2.2.1: MaxCmdSN < ExpCmdSN - 1 means that both are to be ignored; otherwise each only
 * moves forward, because PDUs of different connections may overtake each other. MaxCmdSN ==
 * ExpCmdSN - 1 is a closed window, and legal. */
void iskra_window_update(struct iskra_cmd_window *w, uint32_t exp_cmd_sn, uint32_t max_cmd_sn)
{
    if (ISKRA_PLANTED(WINDOW_BACK))
        w->max_cmd_sn = max_cmd_sn;
    if (iskra_serial_lt(max_cmd_sn, exp_cmd_sn - 1))
        return;
    if (iskra_serial_gt(exp_cmd_sn, w->exp_cmd_sn))
        w->exp_cmd_sn = exp_cmd_sn;
    if (iskra_serial_gt(max_cmd_sn, w->max_cmd_sn))
        w->max_cmd_sn = max_cmd_sn;
}

bool iskra_window_closed(const struct iskra_cmd_window *w)
{
    return iskra_serial_gt(w->queued_cmd_sn, w->max_cmd_sn);
}
