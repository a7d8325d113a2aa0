/* Credentials for CHAP: where they come from, and what is asked of them. Their values are in no
 * error text. */
#ifndef ISKRA_API_SECRET_H
#define ISKRA_API_SECRET_H

#include <iskra/error.h>

#include "control/chap.h"

/* Copies a secret to dst (ISKRA_CHAP_SECRET_MAX + 1 bytes). -EINVAL: empty, too long, or there is
 * one already. `what` names it in the error. */
int iskra_secret_set(char *dst, const char *secret, const char *what, struct iskra_error *err);

/* The keys of a URL that are about credentials. Files, descriptors and variables are read at once.
 */
int iskra_credentials_set(struct iskra_chap_config *chap, const char *key, const char *value,
                          struct iskra_error *err);

/* Fills in from the environment what is missing, and judges the whole: 0 or -EINVAL. */
int iskra_credentials_finish(struct iskra_chap_config *chap, struct iskra_error *err);

#endif
