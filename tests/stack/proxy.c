/* The relay: one poll loop over a listening socket, a control pipe and pairs of sockets. */
#include "stack/proxy.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIR_CNT 16

struct proxy {
    pthread_t thread;
    int listen_fd;
    int control[2];
    uint16_t port, target_port;
    atomic_int hold;
    int initiator[PAIR_CNT], target[PAIR_CNT]; /* -1: free */
};

static void die(const char *what)
{
    perror(what);
    abort();
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void close_pair(struct proxy *p, int i, int abortive)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (p->initiator[i] < 0)
        return;
    if (abortive)
        setsockopt(p->initiator[i], SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(p->initiator[i]);
    close(p->target[i]);
    p->initiator[i] = p->target[i] = -1;
}

static void accept_pair(struct proxy *p)
{
    int fd = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    if (fd < 0)
        return;
    struct sockaddr_in to = loopback(p->target_port);
    int out = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    for (int i = 0; i < PAIR_CNT; i++) {
        if (p->initiator[i] >= 0)
            continue;
        if (connect(out, (struct sockaddr *)&to, sizeof(to)) < 0)
            break;
        p->initiator[i] = fd;
        p->target[i] = out;
        return;
    }
    close(fd);
    close(out);
}

/* Moves what is there from one socket to the other, blocking on the way out. False: the pair is
 * over. */
static int relay(int from, int to)
{
    static char buf[65536];
    ssize_t n = recv(from, buf, sizeof(buf), MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN;
    for (ssize_t sent = 0; sent < n;) {
        ssize_t m = send(to, buf + sent, (size_t)(n - sent), MSG_NOSIGNAL);
        if (m <= 0)
            return 0;
        sent += m;
    }
    return n > 0;
}

static void *run(void *arg)
{
    struct proxy *p = arg;
    for (;;) {
        struct pollfd fds[2 + 2 * PAIR_CNT] = {{p->listen_fd, POLLIN, 0},
                                               {p->control[0], POLLIN, 0}};
        for (int i = 0; i < PAIR_CNT; i++) {
            fds[2 + 2 * i] = (struct pollfd){p->initiator[i], POLLIN, 0};
            fds[3 + 2 * i] = (struct pollfd){atomic_load(&p->hold) ? -1 : p->target[i], POLLIN, 0};
        }
        if (poll(fds, 2 + 2 * PAIR_CNT, -1) < 0 && errno != EINTR)
            die("poll");
        if (fds[1].revents) {
            char c = 0;
            if (read(p->control[0], &c, 1) == 1 && c == 'q')
                return NULL;
            for (int i = 0; i < PAIR_CNT && c == 'c'; i++)
                close_pair(p, i, 1);
            continue;
        }
        if (fds[0].revents)
            accept_pair(p);
        for (int i = 0; i < PAIR_CNT; i++) {
            if (p->initiator[i] >= 0 && fds[2 + 2 * i].revents &&
                !relay(p->initiator[i], p->target[i]))
                close_pair(p, i, 0);
            if (p->initiator[i] >= 0 && fds[3 + 2 * i].revents &&
                !relay(p->target[i], p->initiator[i]))
                close_pair(p, i, 0);
        }
    }
}

struct proxy *proxy_start(uint16_t target_port)
{
    struct proxy *p = calloc(1, sizeof(*p));
    struct sockaddr_in any = loopback(0);
    socklen_t len = sizeof(any);
    p->target_port = target_port;
    for (int i = 0; i < PAIR_CNT; i++)
        p->initiator[i] = p->target[i] = -1;
    p->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(p->listen_fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
        listen(p->listen_fd, 16) < 0 ||
        getsockname(p->listen_fd, (struct sockaddr *)&any, &len) < 0 || pipe(p->control) < 0)
        die("proxy");
    p->port = ntohs(any.sin_port);
    if (pthread_create(&p->thread, NULL, run, p) != 0)
        die("proxy thread");
    return p;
}

uint16_t proxy_port(const struct proxy *p)
{
    return p->port;
}

static void tell(struct proxy *p, char c)
{
    if (write(p->control[1], &c, 1) != 1)
        die("proxy control");
}

void proxy_hold(struct proxy *p, int on)
{
    atomic_store(&p->hold, on);
    tell(p, on ? 'h' : 'r');
}

void proxy_cut(struct proxy *p)
{
    tell(p, 'c');
}

void proxy_stop(struct proxy *p)
{
    tell(p, 'q');
    pthread_join(p->thread, NULL);
    for (int i = 0; i < PAIR_CNT; i++)
        close_pair(p, i, 0);
    close(p->listen_fd);
    close(p->control[0]);
    close(p->control[1]);
    free(p);
}
