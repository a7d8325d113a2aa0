/* How long to wait before something is tried again (decision 28). Pure. */
#ifndef ISKRA_CONTROL_DELAY_H
#define ISKRA_CONTROL_DELAY_H

#include <stdint.h>

/* Before the n-th try in a row, n from 1: 0, 0.1, 0.2, 0.4 ... 3 s, and up to an eighth more by
 * `random`, so that many initiators do not come back all at once. */
uint64_t iskra_retry_delay_ns(unsigned n, uint8_t random);

#endif
