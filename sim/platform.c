/* The outside world of the library, as a table: virtual time, numbers from the seed, connections
 * that are handles, and memory that is counted. */
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdlib.h>

#include "sim/sim.h"

static uint64_t now_ns(void *arg)
{
    return ((struct sim *)arg)->clock.now_ns;
}

/* The driver waits by itself. */
static int wait_fds(void *arg, struct pollfd *fds, unsigned fd_cnt, int64_t timeout_ns)
{
    return -ENOSYS;
}

static int random_bytes(void *arg, void *buf, size_t len)
{
    struct sim *sim = arg;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = (uint8_t)sim_random_next(&sim->lib_random);
    return 0;
}

static int connect_start(void *arg, const struct sockaddr *addr, socklen_t addr_len)
{
    const struct sockaddr_in *in = (const struct sockaddr_in *)(const void *)addr;
    if (addr->sa_family != AF_INET || ntohs(in->sin_port) < SIM_PORT)
        return -ECONNREFUSED;
    return sim_conn_start(arg, ntohs(in->sin_port) - SIM_PORT);
}

static int connect_finish(void *arg, int fd)
{
    const struct sim_conn *conn = sim_conn_find(arg, fd);
    return conn ? sim_conn_result(conn) : -EBADF;
}

static void close_conn(void *arg, int fd, int abortive)
{
    struct sim *sim = arg;
    struct sim_conn *conn = sim_conn_find(sim, fd);
    if (conn)
        sim_conn_close(conn, abortive != 0);
    else
        sim_fail(&sim->record, "descriptor %d is closed twice", fd);
}

static void *alloc(void *arg, size_t size)
{
    struct sim *sim = arg;
    sim->block_cnt++;
    return calloc(1, size);
}

static void release(void *arg, void *p)
{
    struct sim *sim = arg;
    sim->block_cnt -= p != NULL;
    free(p);
}

void sim_platform_init(struct sim *sim)
{
    sim->platform = (struct iskra_platform){
        .size = sizeof(struct iskra_platform),
        .arg = sim,
        .now_ns = now_ns,
        .wait = wait_fds,
        .random = random_bytes,
        .connect_start = connect_start,
        .connect_finish = connect_finish,
        .close = close_conn,
        .alloc = alloc,
        .free = release,
        .driver = &sim_driver_ops,
    };
}
