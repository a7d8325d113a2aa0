/* The outside world of an ordinary process: monotonic clock, ppoll, getrandom, TCP sockets, the C
 * library's heap. */
#include <iskra/platform.h>

#include <errno.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/random.h>
#include <time.h>
#include <unistd.h>

#include "transport/loopback.h"

#define NS_PER_S 1000000000ull

static uint64_t posix_now_ns(void *arg)
{
    struct timespec ts;
    (void)clock_gettime(CLOCK_MONOTONIC, &ts); /* cannot fail for this clock */
    return (uint64_t)ts.tv_sec * NS_PER_S + (uint64_t)ts.tv_nsec;
}

static int posix_wait(void *arg, struct pollfd *fds, unsigned fd_cnt, int64_t timeout_ns)
{
    struct timespec ts = {0};
    if (timeout_ns > 0) {
        ts.tv_sec = (time_t)((uint64_t)timeout_ns / NS_PER_S);
        ts.tv_nsec = (long)((uint64_t)timeout_ns % NS_PER_S);
    }
    int n = ppoll(fds, fd_cnt, timeout_ns < 0 ? NULL : &ts, NULL);
    return n < 0 ? -errno : n;
}

static int posix_random(void *arg, void *buf, size_t len)
{
    uint8_t *p = buf;
    while (len > 0) {
        ssize_t n = getrandom(p, len, 0);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        p += n;
        len -= (size_t)n;
    }
    return 0;
}

static int posix_connect_start(void *arg, const struct sockaddr *addr, socklen_t addr_len)
{
    int fd = socket(addr->sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    int one = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one,
                     sizeof(one)); /* only speed depends on it, as on the next */
    iskra_sock_unpaced_on_loopback(fd, addr);
    /* An interrupted connect goes on in the background like one in progress. */
    if (connect(fd, addr, addr_len) < 0 && errno != EINPROGRESS && errno != EINTR) {
        int error = errno;
        (void)close(fd);
        return -error;
    }
    return fd;
}

static int posix_connect_finish(void *arg, int fd)
{
    int error = 0;
    socklen_t len = sizeof(error);
    if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &len) < 0)
        return -errno;
    return -error;
}

static void posix_close(void *arg, int fd, int abortive)
{
    if (abortive) {
        struct linger linger = {.l_onoff = 1, .l_linger = 0};
        (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger,
                         sizeof(linger)); /* else an orderly close */
    }
    (void)close(
        fd); /* nothing can be done about a failure, and the descriptor is gone all the same */
}

static void *posix_alloc(void *arg, size_t size)
{
    return calloc(1, size);
}

static void posix_free(void *arg, void *p)
{
    free(p);
}

const struct iskra_platform *iskra_platform_posix(void)
{
    static const struct iskra_platform posix = {
        .size = sizeof(struct iskra_platform),
        .now_ns = posix_now_ns,
        .wait = posix_wait,
        .random = posix_random,
        .connect_start = posix_connect_start,
        .connect_finish = posix_connect_finish,
        .close = posix_close,
        .alloc = posix_alloc,
        .free = posix_free,
    };
    return &posix;
}
