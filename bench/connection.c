/* Sockets of the benchmark clients, one or many. */
#include "measure.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

bool bench_send(int fd, const void *buf, size_t len)
{
    for (size_t sent = 0; sent < len;) {
        ssize_t n = send(fd, (const char *)buf + sent, len - sent, MSG_NOSIGNAL);
        if (n < 0 && (errno == EPIPE || errno == ECONNRESET))
            return false;
        if (n < 0)
            bench_die("send");
        sent += (size_t)n;
    }
    return true;
}

size_t bench_recv(const struct bench *b, int fd, void *buf, size_t len)
{
    ssize_t n;
    do
        n = recv(fd, buf, len, b->spin ? MSG_DONTWAIT : 0);
    while (n < 0 && errno == EAGAIN);
    if (n < 0)
        bench_die("recv");
    if (n == 0)
        bench_die_of(b, "recv", "the peer closed the connection");
    return (size_t)n;
}

void bench_no_delay(int fd)
{
    int one = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
}

void *bench_payload(size_t len)
{
    void *p = malloc(len);
    if (p == NULL)
        bench_die("payload");
    memset(p, 0x5a, len);
    return p;
}

/* ---- many ---- */

void bench_set_init(struct bench_set *set)
{
    set->cnt = 0;
    set->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
    if (set->epoll_fd < 0)
        bench_die("epoll");
}

void bench_set_add(struct bench_set *set, int fd, void *conn)
{
    struct epoll_event ev = {.events = EPOLLIN, .data.ptr = conn};
    if (epoll_ctl(set->epoll_fd, EPOLL_CTL_ADD, fd, &ev) < 0)
        bench_die("epoll_ctl");
    set->ready[0] = conn;
    set->cnt++;
}

uint32_t bench_set_wait(struct bench_set *set, uint32_t look_cnt)
{
    struct epoll_event events[BENCH_READY_MAX];
    int n;
    if (set->cnt == 1)
        return 1;
    uint32_t looks = 0;
    do {
        bool look = look_cnt == BENCH_LOOKS_MAX || looks++ < look_cnt;
        n = epoll_wait(set->epoll_fd, events, BENCH_READY_MAX, look ? 0 : -1);
    } while (n == 0 || (n < 0 && errno == EINTR));
    if (n < 0)
        bench_die("epoll_wait");
    for (int i = 0; i < n; i++)
        set->ready[i] = events[i].data.ptr;
    return (uint32_t)n;
}

void bench_set_done(struct bench_set *set)
{
    close(set->epoll_fd);
}
