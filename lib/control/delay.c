/* See delay.h; decision 28. */
#include "control/delay.h"

#define FIRST_NS UINT64_C(100000000)
#define LAST_NS  UINT64_C(3000000000)

uint64_t iskra_retry_delay_ns(unsigned n, uint8_t random)
{
    uint64_t delay_ns = n < 2 ? 0 : FIRST_NS;
    for (unsigned i = 2; i < n && delay_ns < LAST_NS; i++)
        delay_ns *= 2;
    if (delay_ns > LAST_NS)
        delay_ns = LAST_NS;
    return delay_ns + delay_ns / 8 * random / 255;
}
