/* In front of each call of the C library that the library makes (the linker's --wrap): it is
 * counted, and made for real unless it is refused. Clock, wait and connect lead into the world of
 * the test; a thread runs where it is made, so that every run is the same. */
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#ifdef ISKRA_IO_URING
#include <liburing.h>
#endif
#include <openssl/evp.h>

#include "fault/calls.h"
#include "fault/world.h"

#define DESCRIPTOR_CNT 1024

static struct {
    int memory_cnt;
    bool open[DESCRIPTOR_CNT], event[DESCRIPTOR_CNT];
    uint8_t random;
} held;

void wrap_begin(void)
{
    memset(&held, 0, sizeof(held));
}

int wrap_memory_cnt(void)
{
    return held.memory_cnt;
}

int wrap_descriptor_cnt(void)
{
    int cnt = 0;
    for (int fd = 0; fd < DESCRIPTOR_CNT; fd++)
        cnt += held.open[fd];
    return cnt;
}

/* A new descriptor, if it is one, of the library's. */
static int opened(int fd, bool event)
{
    if (fd >= 0 && fd < DESCRIPTOR_CNT && calls_are_inside()) {
        held.open[fd] = true;
        held.event[fd] = event;
    }
    return fd;
}

static bool refused(enum call_kind kind)
{
    int error = calls_refuse(kind);
    if (error == 0)
        return false;
    world_refused();
    errno = error;
    return true;
}

/* Each real one, and what stands in front of it. */
#define WRAP(ret, name, ...)                                                                       \
    ret __real_##name(__VA_ARGS__);                                                                \
    ret __wrap_##name(__VA_ARGS__);                                                                \
    ret __wrap_##name(__VA_ARGS__)

/* ---- memory ---- */

WRAP(void *, calloc, size_t cnt, size_t size)
{
    if (refused(CALL_ALLOC))
        return NULL;
    held.memory_cnt += calls_are_inside();
    return __real_calloc(cnt, size);
}

WRAP(void, free, void *p)
{
    held.memory_cnt -= p != NULL && calls_are_inside();
    __real_free(p);
}

WRAP(void *, mmap64, void *addr, size_t len, int prot, int flags, int fd, off_t offset)
{
    return refused(CALL_MAP) ? MAP_FAILED : __real_mmap64(addr, len, prot, flags, fd, offset);
}

/* ---- time and chance ---- */

WRAP(int, clock_gettime, clockid_t id, struct timespec *ts)
{
    if (id != CLOCK_MONOTONIC || !calls_are_inside())
        return __real_clock_gettime(id, ts);
    ts->tv_sec = (time_t)(world_now_ns() / 1000000000u);
    ts->tv_nsec = (long)(world_now_ns() % 1000000000u);
    return 0;
}

WRAP(int, ppoll, struct pollfd *fds, nfds_t cnt, const struct timespec *ts, const sigset_t *mask)
{
    if (!calls_are_inside())
        return __real_ppoll(fds, cnt, ts, mask);
    if (refused(CALL_WAIT))
        return -1;
    return world_wait(fds, (unsigned)cnt,
                      ts ? (int64_t)ts->tv_sec * 1000000000 + (int64_t)ts->tv_nsec : -1);
}

WRAP(ssize_t, getrandom, void *buf, size_t len, unsigned flags)
{
    if (!calls_are_inside())
        return __real_getrandom(buf, len, flags);
    if (refused(CALL_RANDOM))
        return -1;
    for (size_t i = 0; i < len; i++)
        ((uint8_t *)buf)[i] = ++held.random;
    return (ssize_t)len;
}

/* ---- the loop ---- */

WRAP(int, epoll_create1, int flags)
{
    return refused(CALL_EPOLL_MAKE) ? -1 : opened(__real_epoll_create1(flags), false);
}

WRAP(int, epoll_ctl, int epoll_fd, int op, int fd, struct epoll_event *event)
{
    if (op == EPOLL_CTL_ADD && refused(CALL_EPOLL_ADD))
        return -1;
    return __real_epoll_ctl(epoll_fd, op, fd, event);
}

WRAP(int, epoll_wait, int fd, struct epoll_event *events, int max, int timeout_ms)
{
    return refused(CALL_EPOLL_WAIT) ? -1 : __real_epoll_wait(fd, events, max, timeout_ms);
}

/* Waiting and looking in one: it fails as either does. */
WRAP(int, epoll_pwait2, int fd, struct epoll_event *events, int max, const struct timespec *ts,
     const sigset_t *mask)
{
    if (!calls_are_inside())
        return __real_epoll_pwait2(fd, events, max, ts, mask);
    struct pollfd pfd = {.fd = fd, .events = POLLIN};
    if (__wrap_ppoll(&pfd, 1, ts, mask) < 0)
        return -1;
    return __wrap_epoll_wait(fd, events, max, 0);
}

#ifdef ISKRA_IO_URING
/* These return what others leave in errno. */
WRAP(int, io_uring_queue_init_params, unsigned entries, struct io_uring *ring,
     struct io_uring_params *params)
{
    return refused(CALL_RING_MAKE) ? -errno
                                   : __real_io_uring_queue_init_params(entries, ring, params);
}

WRAP(int, io_uring_submit, struct io_uring *ring)
{
    return refused(CALL_RING_SUBMIT) ? -errno : __real_io_uring_submit(ring);
}
#endif

WRAP(int, timerfd_create, int clock, int flags)
{
    return refused(CALL_TIMER_MAKE) ? -1 : opened(__real_timerfd_create(clock, flags), true);
}

/* The library's own loop is told each time how long it may wait; a timer of the machine's clock
 * would only make runs differ. */
WRAP(int, timerfd_settime, int fd, int flags, const struct itimerspec *value,
     struct itimerspec *old)
{
    if (!calls_are_inside())
        return __real_timerfd_settime(fd, flags, value, old);
    return refused(CALL_TIMER_SET) ? -1 : 0;
}

WRAP(int, eventfd, unsigned count, int flags)
{
    return refused(CALL_EVENT_MAKE) ? -1 : opened(__real_eventfd(count, flags), true);
}

static bool is_event(int fd)
{
    return fd >= 0 && fd < DESCRIPTOR_CNT && held.event[fd];
}

WRAP(ssize_t, read, int fd, void *buf, size_t len)
{
    return refused(is_event(fd) ? CALL_EVENT_READ : CALL_FILE_READ) ? -1
                                                                    : __real_read(fd, buf, len);
}

WRAP(ssize_t, write, int fd, const void *buf, size_t len)
{
    return refused(is_event(fd) ? CALL_EVENT_WRITE : CALL_FILE_WRITE) ? -1
                                                                      : __real_write(fd, buf, len);
}

WRAP(int, close, int fd)
{
    if (fd >= 0 && fd < DESCRIPTOR_CNT)
        held.open[fd] = held.event[fd] = false;
    return __real_close(fd);
}

WRAP(int, pthread_create, pthread_t *thread, const pthread_attr_t *attr, void *(*fn)(void *),
     void *arg)
{
    if (!calls_are_inside())
        return __real_pthread_create(thread, attr, fn, arg);
    int error = calls_refuse(CALL_THREAD);
    if (error == 0)
        (void)fn(arg); /* detached: nobody asks what it returns */
    return error;
}

/* ---- the network ---- */

WRAP(int, getaddrinfo, const char *host, const char *service, const struct addrinfo *hints,
     struct addrinfo **found)
{
    int error = calls_refuse(CALL_LOOK_UP);
    if (error != 0) {
        world_refused();
        return error;
    }
    struct addrinfo numeric = *hints;
    numeric.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV;
    bool known = !(hints->ai_flags & AI_NUMERICHOST) && strcmp(host, WORLD_HOST) == 0;
    return __real_getaddrinfo(known ? "127.0.0.1" : host, service, &numeric, found);
}

WRAP(int, socket, int family, int type, int protocol)
{
    return refused(CALL_SOCKET) ? -1 : opened(__real_socket(family, type, protocol), false);
}

WRAP(int, connect, int fd, const struct sockaddr *addr, socklen_t len)
{
    if (!calls_are_inside())
        return __real_connect(fd, addr, len);
    if (refused(CALL_CONNECT))
        return -1;
    calls_outside();
    int ret = world_connect(fd);
    calls_inside();
    return ret;
}

WRAP(int, getsockopt, int fd, int level, int name, void *value, socklen_t *len)
{
    if (refused(name == SO_ERROR ? CALL_CONNECT_RESULT : CALL_SOCKET_TYPE))
        return -1;
    return __real_getsockopt(fd, level, name, value, len);
}

WRAP(int, setsockopt, int fd, int level, int name, const void *value, socklen_t len)
{
    return refused(CALL_SOCKET_OPTION) ? -1 : __real_setsockopt(fd, level, name, value, len);
}

WRAP(int, getpeername, int fd, struct sockaddr *addr, socklen_t *len)
{
    return refused(CALL_PEER_NAME) ? -1 : __real_getpeername(fd, addr, len);
}

int __real_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...);
int __wrap_fcntl64(int fd, int command, ...)
{
    va_list ap;
    va_start(ap, command);
    int value = command == F_SETFL ? va_arg(ap, int) : 0;
    va_end(ap);
    return refused(CALL_SOCKET_FLAGS) ? -1 : __real_fcntl64(fd, command, value);
}

WRAP(ssize_t, readv, int fd, const struct iovec *iov, int cnt)
{
    return refused(CALL_RECV) ? -1 : __real_readv(fd, iov, cnt);
}

WRAP(ssize_t, recv, int fd, void *buf, size_t len, int flags)
{
    return refused(CALL_RECV_PEEK) ? -1 : __real_recv(fd, buf, len, flags);
}

WRAP(ssize_t, sendmsg, int fd, const struct msghdr *msg, int flags)
{
    return refused(CALL_SEND) ? -1 : __real_sendmsg(fd, msg, flags);
}

/* ---- files ---- */

int __real_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...);
int __wrap_open64(const char *path, int flags, ...)
{
    va_list ap;
    va_start(ap, flags);
    mode_t mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
    va_end(ap);
    return refused(CALL_FILE_OPEN) ? -1 : opened(__real_open64(path, flags, mode), false);
}

/* What this machine says in /etc about initiators is none of the test's business. */
WRAP(FILE *, fopen64, const char *path, const char *mode)
{
    if (strncmp(path, "/etc/", 5) == 0) {
        errno = ENOENT;
        return NULL;
    }
    return refused(CALL_FILE_OPEN) ? NULL : __real_fopen64(path, mode);
}

int __wrap_dprintf(int fd, const char *format, ...) __attribute__((format(printf, 2, 3)));
int __wrap_dprintf(int fd, const char *format, ...)
{
    va_list ap;
    if (refused(CALL_FILE_WRITE))
        return -1;
    va_start(ap, format);
    int n = vdprintf(fd, format, ap);
    va_end(ap);
    return n;
}

WRAP(ssize_t, pwrite64, int fd, const void *buf, size_t len, off_t at)
{
    return refused(CALL_FILE_WRITE) ? -1 : __real_pwrite64(fd, buf, len, at);
}

WRAP(int, ftruncate64, int fd, off_t len)
{
    return refused(CALL_FILE_WRITE) ? -1 : __real_ftruncate64(fd, len);
}

WRAP(int, link, const char *from, const char *to)
{
    return refused(CALL_FILE_WRITE) ? -1 : __real_link(from, to);
}

WRAP(int, mkdir, const char *path, mode_t mode)
{
    return refused(CALL_FOLDER) ? -1 : __real_mkdir(path, mode);
}

WRAP(int, lstat64, const char *path, struct stat *st)
{
    return refused(CALL_FOLDER) ? -1 : __real_lstat64(path, st);
}

WRAP(int, flock, int fd, int operation)
{
    return refused(CALL_LOCK) ? -1 : __real_flock(fd, operation);
}

/* ---- libcrypto ---- */

WRAP(int, EVP_Digest, const void *data, size_t len, unsigned char *md, unsigned *size,
     const EVP_MD *type, ENGINE *impl)
{
    return refused(CALL_HASH) ? 0 : __real_EVP_Digest(data, len, md, size, type, impl);
}
