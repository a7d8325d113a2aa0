/* The rows of the timeout verdict in words. */
#include "verdict.h"

#include <stddef.h>

#define WORDS(id, word, when, verdict, effect)                                                     \
    [ISKRA_VERDICT_##id] = {word, when, effect, ISKRA_EH_##verdict},
static const struct iskra_verdict_words rows[ISKRA_VERDICT_ROW_CNT] = {ISKRA_VERDICT_ROWS(WORDS)};

const struct iskra_verdict_words *iskra_verdict_row_words(unsigned row)
{
    return row > ISKRA_VERDICT_NONE && row < ISKRA_VERDICT_ROW_CNT ? &rows[row] : NULL;
}
