/* Numbers that only look random: the same seed, the same numbers. Each part of the world draws from
 * a stream of its own, so that a change in one leaves the others as they were. */
#ifndef ISKRA_SIM_RANDOM_H
#define ISKRA_SIM_RANDOM_H

#include <stdbool.h>
#include <stdint.h>

struct sim_random {
    uint64_t state;
};

/* splitmix64 */
static inline uint64_t sim_mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static inline uint64_t sim_random_next(struct sim_random *random)
{
    random->state += UINT64_C(0x9e3779b97f4a7c15);
    return sim_mix(random->state);
}

static inline void sim_random_init(struct sim_random *random, uint64_t seed, uint64_t stream)
{
    random->state = sim_mix(seed * UINT64_C(0x9e3779b97f4a7c15) + stream);
}

/* 0 <= n < cnt; cnt is not 0. */
static inline uint64_t sim_random_below(struct sim_random *random, uint64_t cnt)
{
    return sim_random_next(random) % cnt;
}

static inline uint64_t sim_random_range(struct sim_random *random, uint64_t min, uint64_t max)
{
    return min + sim_random_below(random, max - min + 1);
}

/* True in n of 10,000 cases. */
static inline bool sim_random_chance(struct sim_random *random, unsigned n)
{
    return n > 0 && sim_random_below(random, 10000) < n;
}

#endif
