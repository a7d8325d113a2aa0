/* Bugs planted on purpose, to prove that the simulator's oracle finds such bugs. In all builds but
 * the one for that (sim/planted.c) the condition is constant and nothing is left of it.
 *
 * A plant is one line where the rule it breaks is kept: if (ISKRA_PLANTED(AGE_KEPT)) ... */
#ifndef ISKRA_LIB_PLANTED_H
#define ISKRA_LIB_PLANTED_H

#include <stdbool.h>

#ifdef ISKRA_PLANTED_BUGS

#define ISKRA_PLANTED_LIST(X)                                                                      \
    X(OWNER_UNCHECKED, "owner-unchecked", "an answer ends a command that error handling has")      \
    X(LOAN_FORGOTTEN, "loan-forgotten", "a tag is used again before its loan ends")                \
    X(RETRY_TOO_EARLY, "retry-too-early", "a write is repeated while its first copy may live")     \
    X(WINDOW_BACK, "window-back", "MaxCmdSN moves back")                                           \
    X(AGE_KEPT, "age-kept", "a session that comes back has the age of its last life")              \
    X(ATTENTION_SWALLOWED, "attention-swallowed", "a raw CDB does not see its unit attention")     \
    X(RESIDUAL_IGNORED, "residual-ignored", "what did not move is told as moved")                  \
    X(REQUEUE_LOST, "requeue-lost", "a command that has to wait is forgotten")                     \
    X(COMPARE_RETRIED, "compare-retried", "COMPARE AND WRITE is sent again")                       \
    X(IDENTITY_UNCHECKED, "identity-unchecked", "another disk is taken for the same")

enum iskra_planted_bug {
    ISKRA_PLANTED_NONE,
#define X(name, word, meaning) ISKRA_PLANTED_##name,
    ISKRA_PLANTED_LIST(X)
#undef X
    ISKRA_PLANTED_CNT
};
extern enum iskra_planted_bug iskra_planted_bug;

#define ISKRA_PLANTED(name) (iskra_planted_bug == ISKRA_PLANTED_##name)
#else
#define ISKRA_PLANTED(name) false
#endif

#endif
