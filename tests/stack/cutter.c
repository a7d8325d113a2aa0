/* The relay: a thread that serves one connection after the other. */
#include "stack/cutter.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

struct cutter {
    pthread_t thread;
    int listen_fd;
    uint16_t port, target_port;
    _Atomic uint64_t byte_cnt;
    atomic_bool stop;
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

static int connected(uint16_t port)
{
    struct sockaddr_in to = loopback(port);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0 || connect(fd, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("connect");
    return fd;
}

/* At most *left bytes from one socket to the other. False: it is over. */
static bool relay(int from, int to, uint64_t *left)
{
    char buf[65536];
    size_t room = *left < sizeof(buf) ? (size_t)*left : sizeof(buf);
    ssize_t n = room > 0 ? recv(from, buf, room, 0) : 0;
    for (ssize_t sent = 0; sent < n;) {
        ssize_t m = send(to, buf + sent, (size_t)(n - sent), MSG_NOSIGNAL);
        if (m <= 0)
            return false;
        sent += m;
    }
    *left -= n > 0 ? (uint64_t)n : 0;
    return n > 0 && *left > 0;
}

static void serve(int initiator, int target, uint64_t byte_cnt)
{
    setsockopt(initiator, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(target, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    struct pollfd fds[2] = {{initiator, POLLIN, 0}, {target, POLLIN, 0}};
    uint64_t unlimited = UINT64_MAX;
    bool going = byte_cnt > 0;
    while (going && poll(fds, 2, -1) > 0) {
        if (fds[0].revents)
            going = relay(initiator, target, &unlimited);
        if (going && fds[1].revents)
            going = relay(target, initiator, &byte_cnt);
    }
}

static void *run(void *arg)
{
    struct cutter *cut = arg;
    for (;;) {
        int initiator = accept4(cut->listen_fd, NULL, NULL, SOCK_CLOEXEC);
        if (initiator < 0)
            die("accept");
        if (atomic_load(&cut->stop)) {
            close(initiator);
            return NULL;
        }
        int target = connected(cut->target_port);
        serve(initiator, target, atomic_load(&cut->byte_cnt));
        close(initiator);
        close(target);
    }
}

struct cutter *cutter_start(uint16_t target_port)
{
    struct cutter *cut = calloc(1, sizeof(*cut));
    struct sockaddr_in any = loopback(0);
    socklen_t len = sizeof(any);
    cut->target_port = target_port;
    cut->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(cut->listen_fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
        listen(cut->listen_fd, 16) < 0 ||
        getsockname(cut->listen_fd, (struct sockaddr *)&any, &len) < 0)
        die("cutter");
    cut->port = ntohs(any.sin_port);
    if (pthread_create(&cut->thread, NULL, run, cut) != 0)
        die("cutter thread");
    return cut;
}

uint16_t cutter_port(const struct cutter *cut)
{
    return cut->port;
}

void cutter_arm(struct cutter *cut, uint64_t byte_cnt)
{
    atomic_store(&cut->byte_cnt, byte_cnt);
}

void cutter_stop(struct cutter *cut)
{
    atomic_store(&cut->stop, true);
    close(connected(cut->port)); /* wakes the accept */
    pthread_join(cut->thread, NULL);
    close(cut->listen_fd);
    free(cut);
}
