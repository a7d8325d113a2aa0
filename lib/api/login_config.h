/* How a nexus logs in: what its URL asks for, as the control plane's configuration. */
#ifndef ISKRA_API_LOGIN_CONFIG_H
#define ISKRA_API_LOGIN_CONFIG_H

#include "api/nexus.h"

/* The strings are the nexus's; its credentials are lent, and it outlives its initiator. */
void iskra_login_configure(const struct iskra_nexus *nexus, struct iskra_initiator_config *cfg);

/* The initiator name it goes by. */
const char *iskra_login_name(const struct iskra_nexus *nexus);

/* Logs what is allowed and yet unwise about the credentials. */
void iskra_login_warn(const struct iskra_nexus *nexus);

#endif
