/* What the expiry of a command comes to (spec 3.2, 3.10; notes F41, notes F42, notes F43): said by
 * the session, by the first of eleven rows that applies, obeyed by the block queue. */
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

/* The rows, in the order in which they are looked at: id, what the trace calls it, when it applies,
 * verdict, what else happens. */
#define ISKRA_VERDICT_ROWS(X)                                                                      \
    X(NO_TASK, "1: no task", "the session does not have the command any more", HANDLED, "")        \
    X(SHUTTING_DOWN, "2: shutting down",                                                           \
      "session not LOGGED_IN, and its owner is shutting it down", HANDLED,                         \
      "the command ends with DID_NO_CONNECT")                                                      \
    X(NOT_LOGGED_IN, "3: not logged in", "session not LOGGED_IN", RESET_TIMER,                     \
      "recovery fails it or sends it again")                                                       \
    X(NO_CONN, "4: no connection", "no leading connection", RESET_TIMER, "")                       \
    X(MOVED, "5: it moved", "something was sent or received for it since the last look",           \
      RESET_TIMER, "the connection counts as not checked")                                         \
    X(NO_PINGS, "6: no pings", "the connection is not watched by pings", NOT_HANDLED, "")          \
    X(PING_OVERDUE, "7: ping overdue", "a ping is not answered in its time", RESET_TIMER,          \
      "the connection is about to fail")                                                           \
    X(OLDER_MOVES, "8: older work moves",                                                          \
      "a command handed in no later moved since the last look at this one", RESET_TIMER, "")       \
    X(CHECKED, "9: connection checked", "the connection was checked at an earlier look",           \
      NOT_HANDLED, "")                                                                             \
    X(PING_OUT, "10: ping outstanding", "a ping is outstanding", RESET_TIMER,                      \
      "the connection counts as checked")                                                          \
    X(PING_SENT, "11: ping sent", "otherwise", RESET_TIMER,                                        \
      "a ping is sent; the connection counts as checked")

#define ISKRA_VERDICT_ROW_ENUM(id, word, when, verdict, effect) ISKRA_VERDICT_##id,
enum iskra_verdict_row {
    ISKRA_VERDICT_NONE, /* so that the first row is 1 */
    ISKRA_VERDICT_ROWS(ISKRA_VERDICT_ROW_ENUM) ISKRA_VERDICT_ROW_CNT
};

struct iskra_verdict_words {
    const char *word; /* "5: it moved" */
    const char *when, *effect;
    enum iskra_eh_verdict verdict;
};

/* NULL out of range. */
const struct iskra_verdict_words *iskra_verdict_row_words(unsigned row);

#endif
