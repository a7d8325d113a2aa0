/* The timeout verdict: what the expiry of a command comes to (spec 3.10).
 *
 * Decided here: whether the command is still with the session, and whether the session is there at
 * all. Watching a task's progress and sending a ping before giving up belong to recovery, together
 * with the abort that follows NOT_HANDLED. */
#include "iscsi/conn.h"
#include "iscsi/session.h"

static enum iskra_eh_verdict verdict(const struct iskra_session *s, const struct iskra_cmnd *cmd)
{
    if (cmd->task == NULL) /* its answer overtook the timer */
        return ISKRA_EH_HANDLED;
    if (s->state != ISKRA_SESSION_LOGGED_IN) /* recovery will fail or resend it */
        return ISKRA_EH_RESET_TIMER;
    if (s->leadconn == NULL)
        return ISKRA_EH_RESET_TIMER;
    return ISKRA_EH_NOT_HANDLED;
}

/* notes F40: iscsi_eh_cmd_timed_out, the host's eh_timed_out. */
enum iskra_eh_verdict iskra_eh_cmd_timed_out(struct iskra_session *s, struct iskra_cmnd *cmd)
{
    enum iskra_eh_verdict v = verdict(s, cmd);
    ISKRA_STEP(&s->round->trace, EH_CMD_TIMED_OUT, v);
    return v;
}
