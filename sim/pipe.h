/* One direction of a connection: bytes that are written at one end and arrive at the other some
 * time later, in order. Small enough to be full. */
#ifndef ISKRA_SIM_PIPE_H
#define ISKRA_SIM_PIPE_H

#include <stddef.h>

#include "sim/clock.h"
#include "sim/random.h"

#define SIM_CHUNK_CNT 32u
#define SIM_PIPE_LEN  65536u /* at most; a power of two */

struct sim_chunk {
    uint64_t end; /* bytes since the beginning */
    uint64_t at_ns;
};

struct sim_pipe {
    struct sim_clock *clock;
    struct sim_random *random;
    void (*arrived_fn)(void *arg); /* there is something to read, or the end */
    void *arg;
    uint64_t latency_min_ns, latency_max_ns, stalled_ns;
    uint64_t wrote, arrived, read; /* bytes, ever */
    uint32_t room;                 /* bytes it holds at most */
    bool end_written;              /* nothing comes after `wrote` */
    bool end_arrived;
    uint64_t end_ns; /* when it arrives at the earliest */
    struct sim_chunk chunks[SIM_CHUNK_CNT];
    unsigned head, cnt;
    struct sim_event event;
    uint8_t ring[SIM_PIPE_LEN];
};

/* fn runs from the clock; what is needed besides is copied. */
void sim_pipe_init(struct sim_pipe *pipe, struct sim_clock *clock, struct sim_random *random,
                   void (*arrived_fn)(void *arg), void *arg);
void sim_pipe_done(struct sim_pipe *pipe);

static inline size_t sim_pipe_writable(const struct sim_pipe *pipe)
{
    return pipe->end_written ? 0 : pipe->room - (size_t)(pipe->wrote - pipe->read);
}
static inline size_t sim_pipe_readable(const struct sim_pipe *pipe)
{
    return (size_t)(pipe->arrived - pipe->read);
}
/* Everything was read, and no more comes. */
static inline bool sim_pipe_at_end(const struct sim_pipe *pipe)
{
    return pipe->end_arrived && pipe->read == pipe->wrote;
}

/* At most sim_pipe_writable() bytes; they are on their way at once. */
void sim_pipe_write(struct sim_pipe *pipe, const uint8_t *bytes, size_t len);
/* At most sim_pipe_readable() bytes. */
void sim_pipe_read(struct sim_pipe *pipe, uint8_t *bytes, size_t len);
/* Nothing more will be written; who reads learns it after the last byte, delay_ns later. */
void sim_pipe_end(struct sim_pipe *pipe, uint64_t delay_ns);
/* What is on its way is lost. */
void sim_pipe_lose(struct sim_pipe *pipe);
/* Nothing arrives before that time; SIM_NEVER: nothing at all; 0: the stall is over. */
void sim_pipe_stall(struct sim_pipe *pipe, uint64_t until_ns);

#endif
