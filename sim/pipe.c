/* Bytes under way: see pipe.h. */
#include "sim/pipe.h"

#include <string.h>

static uint64_t max64(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

/* The next arrival, if there is one to come. */
static void plan(struct sim_pipe *pipe)
{
    uint64_t at_ns = SIM_NEVER;
    if (pipe->cnt > 0)
        at_ns = pipe->chunks[pipe->head].at_ns;
    else if (pipe->end_written && !pipe->end_arrived)
        at_ns = pipe->end_ns;
    at_ns = max64(at_ns, pipe->stalled_ns);
    if (at_ns == SIM_NEVER)
        sim_clock_clear(pipe->clock, &pipe->event);
    else
        sim_clock_set(pipe->clock, &pipe->event, at_ns);
}

static void arrive(void *arg)
{
    struct sim_pipe *pipe = arg;
    while (pipe->cnt > 0 && pipe->chunks[pipe->head].at_ns <= pipe->clock->now_ns) {
        pipe->arrived = pipe->chunks[pipe->head].end;
        pipe->head = (pipe->head + 1) % SIM_CHUNK_CNT;
        pipe->cnt--;
    }
    if (pipe->cnt == 0 && pipe->end_written && pipe->end_ns <= pipe->clock->now_ns)
        pipe->end_arrived = true;
    plan(pipe);
    pipe->arrived_fn(pipe->arg);
}

void sim_pipe_init(struct sim_pipe *pipe, struct sim_clock *clock, struct sim_random *random,
                   void (*arrived_fn)(void *arg), void *arg)
{
    memset(pipe, 0, offsetof(struct sim_pipe, ring));
    pipe->clock = clock;
    pipe->random = random;
    pipe->arrived_fn = arrived_fn;
    pipe->arg = arg;
    pipe->room = SIM_PIPE_LEN;
    pipe->event = (struct sim_event){.fn = arrive, .arg = pipe};
}

void sim_pipe_done(struct sim_pipe *pipe)
{
    sim_clock_clear(pipe->clock, &pipe->event);
}

static void chunk_add(struct sim_pipe *pipe, uint64_t end, uint64_t at_ns)
{
    if (pipe->cnt > 0) {
        struct sim_chunk *last = &pipe->chunks[(pipe->head + pipe->cnt - 1) % SIM_CHUNK_CNT];
        if (pipe->cnt == SIM_CHUNK_CNT || last->at_ns >= at_ns) { /* order is kept */
            last->end = end;
            return;
        }
    }
    pipe->chunks[(pipe->head + pipe->cnt++) % SIM_CHUNK_CNT] = (struct sim_chunk){end, at_ns};
}

void sim_pipe_write(struct sim_pipe *pipe, const uint8_t *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        size_t at = (size_t)(pipe->wrote + done) % SIM_PIPE_LEN;
        size_t n = SIM_PIPE_LEN - at < len - done ? SIM_PIPE_LEN - at : len - done;
        memcpy(pipe->ring + at, bytes + done, n);
        done += n;
    }
    pipe->wrote += len;
    uint64_t latency_ns =
        sim_random_range(pipe->random, pipe->latency_min_ns, pipe->latency_max_ns);
    chunk_add(pipe, pipe->wrote, pipe->clock->now_ns + latency_ns);
    plan(pipe);
}

void sim_pipe_read(struct sim_pipe *pipe, uint8_t *bytes, size_t len)
{
    for (size_t done = 0; done < len;) {
        size_t at = (size_t)(pipe->read + done) % SIM_PIPE_LEN;
        size_t n = SIM_PIPE_LEN - at < len - done ? SIM_PIPE_LEN - at : len - done;
        memcpy(bytes + done, pipe->ring + at, n);
        done += n;
    }
    pipe->read += len;
}

void sim_pipe_end(struct sim_pipe *pipe, uint64_t delay_ns)
{
    if (pipe->end_written)
        return;
    pipe->end_written = true;
    pipe->end_ns = pipe->clock->now_ns + delay_ns;
    plan(pipe);
}

void sim_pipe_lose(struct sim_pipe *pipe)
{
    pipe->wrote = pipe->arrived;
    pipe->cnt = 0;
    plan(pipe);
}

void sim_pipe_stall(struct sim_pipe *pipe, uint64_t until_ns)
{
    pipe->stalled_ns = until_ns;
    plan(pipe);
}
