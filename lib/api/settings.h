/* The keys of a URL: name, kind, range, and where each lands, as one table. */
#ifndef ISKRA_API_SETTINGS_H
#define ISKRA_API_SETTINGS_H

#include "api/url.h"

void iskra_settings_default(struct iskra_settings *s); /* open-iscsi's */

/* Which keys a URL has had so far; zeroed before the first. */
struct iskra_keys_given {
    uint64_t bits;
};

/* 0, or -EINVAL with the key, the value and what would be right in *err. A key that was given
 * before is refused: of two values one would be silently lost. */
int iskra_settings_set(struct iskra_settings *s, struct iskra_keys_given *given, const char *key,
                       const char *value, struct iskra_error *err);

/* Fills in what depends on other values and judges combinations: 0 or -EINVAL. */
int iskra_settings_finish(struct iskra_settings *s, struct iskra_error *err);

#endif
