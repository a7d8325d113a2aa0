/* The outside world as one table: clock, wait, random, connect, memory.
 *
 * Nothing in the library reads a clock, sleeps, or reaches the network but through this table and a
 * transport driver, so that the whole stack, blocking calls included, can run under a simulator
 * with a virtual clock. Users need not touch it: NULL in struct iskra_options means the default,
 * iskra_platform_posix(). */
#ifndef ISKRA_PLATFORM_H
#define ISKRA_PLATFORM_H

#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

#include <iskra/error.h>

#ifdef __cplusplus
extern "C" {
#endif

struct pollfd;
struct iskra_driver_ops;

struct iskra_platform {
    size_t size; /* sizeof(struct iskra_platform), so that the table can grow */
    void *arg;   /* first argument of each function */

    /* Monotonic time in nanoseconds; never goes backwards. */
    uint64_t (*now_ns)(void *arg);

    /* poll(2) with a nanosecond limit; timeout_ns < 0 waits without one. Returns as poll does, or a
     * negative errno. */
    int (*wait)(void *arg, struct pollfd *fds, unsigned fd_cnt, int64_t timeout_ns);

    /* Fills buf with len unpredictable bytes. Returns 0 or a negative errno. */
    int (*random)(void *arg, void *buf, size_t len);

    /* Starts a TCP connection: a non-blocking, close-on-exec socket of addr's family, TCP_NODELAY
     * set. Returns the fd (>= 0), whose completion shows as writability, or a negative errno. */
    int (*connect_start)(void *arg, const struct sockaddr *addr, socklen_t addr_len);

    /* Result of a connection that became writable: 0 or a negative errno. The fd stays the
     * caller's. */
    int (*connect_finish)(void *arg, int fd);

    /* Closes a descriptor of connect_start. abortive: discard what is unsent and reset (SO_LINGER
     * 0). */
    void (*close)(void *arg, int fd, int abortive);

    /* malloc/free semantics; alloc returns zeroed memory or NULL. Never called between submit and
     * done. */
    void *(*alloc)(void *arg, size_t size);
    void (*free)(void *arg, void *p);

    /* What drives the loop, receives and sends. NULL: the library's own, on sockets. The table is
     * private to the library and whoever simulates the world around it; it changes with every
     * version. */
    const struct iskra_driver_ops *driver;
};

/* The default table. Static storage. */
ISKRA_PUBLIC const struct iskra_platform *iskra_platform_posix(void);

#ifdef __cplusplus
}
#endif
#endif
