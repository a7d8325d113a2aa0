/* Trying a first login again (login_retries=): which failures are worth it, and when. Pure. */
#ifndef ISKRA_API_LOGIN_RETRY_H
#define ISKRA_API_LOGIN_RETRY_H

#include <stdbool.h>
#include <stdint.h>

#include <iskra/error.h>

/* A failure that may pass by itself: nobody listens (yet), no answer in time, the connection was
 * lost on the way, the target is busy. A refusal that will be the same next time is not one. */
bool iskra_login_retry_worth(const struct iskra_error *why);

/* How long to wait before the n-th retry, n from 1: 0, 0.1, 0.2, 0.4 ... 3 s, and up to an eighth
 * more by `random`, so that many initiators do not come back all at once. */
uint64_t iskra_login_retry_delay_ns(unsigned n, uint8_t random);

#endif
