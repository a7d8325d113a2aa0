/* Opening and closing LUNs. */
#ifndef ISKRA_API_OPEN_H
#define ISKRA_API_OPEN_H

#include "api/lun.h"

/* iskra_free(): opens under way end with `why`; LUNs lose their device. */
void iskra_open_abandon(struct iskra_nexus *nexus, const struct iskra_error *why);
void iskra_lun_abandon(struct iskra_lun *lun);

#endif
