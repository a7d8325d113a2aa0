/* Trying a first login again (login_retries=): which failures are worth it. How long to wait:
 * control/delay.h. Pure. */
#ifndef ISKRA_API_LOGIN_RETRY_H
#define ISKRA_API_LOGIN_RETRY_H

#include <stdbool.h>

#include <iskra/error.h>

/* A failure that may pass by itself: nobody listens (yet), no answer in time, the connection was
 * lost on the way, the target is busy. A refusal that will be the same next time is not one. */
bool iskra_login_retry_worth(const struct iskra_error *why);

#endif
