/* Which planted bug a run has: iskra-sim-planted --plant NAME. */
#ifndef ISKRA_SIM_PLANT_H
#define ISKRA_SIM_PLANT_H

#include <stdbool.h>
#include <stdio.h>

/* False: there is no such bug. */
bool sim_plant(const char *word);
void sim_plants_print(FILE *to);

#endif
