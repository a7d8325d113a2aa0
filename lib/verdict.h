/* What the expiry of a command comes to (spec 3.2; notes F41, notes F42, notes F43): said by the
 * session, obeyed by the block queue. */
#ifndef ISKRA_VERDICT_H
#define ISKRA_VERDICT_H

enum iskra_eh_verdict {
    ISKRA_EH_HANDLED,     /* fixed: complete the command */
    ISKRA_EH_RESET_TIMER, /* needs more time: a full timeout from now */
    ISKRA_EH_NOT_HANDLED, /* begin error recovery */
};

static inline const char *iskra_eh_verdict_name(enum iskra_eh_verdict verdict)
{
    switch (verdict) {
    case ISKRA_EH_HANDLED:
        return "EH_HANDLED";
    case ISKRA_EH_RESET_TIMER:
        return "EH_RESET_TIMER";
    case ISKRA_EH_NOT_HANDLED:
        return "EH_NOT_HANDLED";
    }
    return "?";
}

#endif
