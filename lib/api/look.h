/* Calls that look around and keep nothing: SendTargets, the LUNs of a target, a login. */
#ifndef ISKRA_API_LOOK_H
#define ISKRA_API_LOOK_H

#include "api/nexus.h"

/* iskra_free(): those of this nexus end with why. */
void iskra_look_abandon(struct iskra_nexus *nexus, const struct iskra_error *why);

#endif
