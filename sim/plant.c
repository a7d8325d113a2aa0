/* The bugs that are planted: see lib/planted.h. Only iskra-sim-planted has this file. */
#include "sim/plant.h"

#include <string.h>

#include "planted.h"

enum iskra_planted_bug iskra_planted_bug;

static const struct {
    const char *word, *meaning;
} plants[ISKRA_PLANTED_CNT] = {
#define X(name, word, meaning) [ISKRA_PLANTED_##name] = {word, meaning},
    ISKRA_PLANTED_LIST(X)
#undef X
};

bool sim_plant(const char *word)
{
    for (unsigned i = ISKRA_PLANTED_NONE + 1; i < ISKRA_PLANTED_CNT; i++) {
        if (strcmp(plants[i].word, word) != 0)
            continue;
        iskra_planted_bug = (enum iskra_planted_bug)i;
        return true;
    }
    return false;
}

void sim_plants_print(FILE *to)
{
    for (unsigned i = ISKRA_PLANTED_NONE + 1; i < ISKRA_PLANTED_CNT; i++)
        fprintf(to, "%-20s %s\n", plants[i].word, plants[i].meaning);
}
