/* The initiator's name and where it comes from (decision 24). */
#ifndef ISKRA_API_NAME_H
#define ISKRA_API_NAME_H

#include <iskra/platform.h>

#include "api/url.h"

struct iskra_name {
    char name[ISKRA_ISCSI_NAME_MAX + 1];
    char source[256]; /* "option", "ISKRA_INITIATOR_NAME", a path, "generated" */
};

/* First of: `option` (if not NULL), the environment, /etc/iscsi/initiatorname.iscsi if readable,
 * the name kept in the user's state folder (made there the first time). A name that was given but
 * is illegal is an error, never skipped. */
int iskra_name_find(const struct iskra_platform *pf, const char *option,
                    struct iskra_name *ret_name, struct iskra_error *err);

#endif
