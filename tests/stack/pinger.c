/* The relay: whole PDUs from the target, so that the last header is known, and whole PDUs to it. */
#include "stack/pinger.h"

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "wire/be.h"
#include "wire/bhs.h"

#define PDU_LEN_MAX (1u << 20)
#define PING_TTT    0x01020304u

struct pinger {
    pthread_t thread;
    int listen_fd, initiator, target;
    int ping_fd, stop_fd; /* eventfds */
    uint16_t port, target_port;
    uint32_t stat_sn, exp_cmd_sn, max_cmd_sn; /* of the target's last numbered PDU */
    sem_t answered;
    uint8_t pdu[PDU_LEN_MAX];
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

static bool get(int fd, uint8_t *buf, size_t len)
{
    return len == 0 || recv(fd, buf, len, MSG_WAITALL) == (ssize_t)len;
}

static void put(int fd, const uint8_t *buf, size_t len)
{
    for (ssize_t n; len > 0; buf += n, len -= (size_t)n) {
        n = send(fd, buf, len, MSG_NOSIGNAL);
        if (n <= 0)
            return; /* the other end will tell */
    }
}

/* Length of a whole PDU, 0 at the end of the connection. */
static size_t get_pdu(struct pinger *p, int fd)
{
    if (!get(fd, p->pdu, ISKRA_BHS_LEN))
        return 0;
    size_t rest = p->pdu[4] * 4u + ((iskra_get_be32(p->pdu + 4) & 0xffffffu) + 3) / 4 * 4;
    if (ISKRA_BHS_LEN + rest > PDU_LEN_MAX)
        die("a PDU that is too long");
    return get(fd, p->pdu + ISKRA_BHS_LEN, rest) ? ISKRA_BHS_LEN + rest : 0;
}

/* RFC 7143 11.19: no task, a tag that wants an answer, and the next StatSN, which is not used up.
 */
static void send_ping(struct pinger *p)
{
    uint8_t hdr[ISKRA_BHS_LEN];
    struct iskra_pdu_nop_in ping = {.itt = 0xffffffffu,
                                    .ttt = PING_TTT,
                                    .stat_sn = p->stat_sn + 1,
                                    .exp_cmd_sn = p->exp_cmd_sn,
                                    .max_cmd_sn = p->max_cmd_sn};
    iskra_nop_in_encode(&ping, hdr);
    put(p->initiator, hdr, sizeof(hdr));
}

static bool from_target(struct pinger *p)
{
    size_t len = get_pdu(p, p->target);
    unsigned opcode = p->pdu[0] & 0x3fu;
    /* A Data-In without status has no StatSN. */
    if (len > 0 && !(opcode == 0x25 && !(p->pdu[1] & 0x01u))) {
        p->stat_sn = iskra_get_be32(p->pdu + 24);
        p->exp_cmd_sn = iskra_get_be32(p->pdu + 28);
        p->max_cmd_sn = iskra_get_be32(p->pdu + 32);
    }
    put(p->initiator, p->pdu, len);
    return len > 0;
}

static bool from_initiator(struct pinger *p)
{
    size_t len = get_pdu(p, p->initiator);
    bool answer = len > 0 && (p->pdu[0] & 0x3fu) == 0 && iskra_get_be32(p->pdu + 16) == 0xffffffffu;
    if (!answer) {
        put(p->target, p->pdu, len);
        return len > 0;
    }
    if (iskra_get_be32(p->pdu + 20) != PING_TTT) {
        fprintf(stderr, "a NOP-Out answers tag %x\n", iskra_get_be32(p->pdu + 20));
        abort();
    }
    sem_post(&p->answered);
    return true;
}

static void serve(struct pinger *p)
{
    struct pollfd fds[4] = {{p->initiator, POLLIN, 0},
                            {p->target, POLLIN, 0},
                            {p->ping_fd, POLLIN, 0},
                            {p->stop_fd, POLLIN, 0}};
    bool going = true;
    while (going && poll(fds, 4, -1) > 0 && !fds[3].revents) {
        uint64_t count;
        if (fds[2].revents && read(p->ping_fd, &count, sizeof(count)) > 0)
            send_ping(p);
        if (fds[0].revents)
            going = from_initiator(p);
        if (going && fds[1].revents)
            going = from_target(p);
    }
}

static void *run(void *arg)
{
    struct pinger *p = arg;
    struct sockaddr_in to = loopback(p->target_port);
    p->initiator = accept4(p->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    p->target = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (p->initiator < 0 || connect(p->target, (struct sockaddr *)&to, sizeof(to)) < 0)
        die("pinger");
    setsockopt(p->initiator, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    setsockopt(p->target, IPPROTO_TCP, TCP_NODELAY, &(int){1}, sizeof(int));
    serve(p);
    close(p->initiator);
    close(p->target);
    return NULL;
}

struct pinger *pinger_start(uint16_t target_port)
{
    struct pinger *p = calloc(1, sizeof(*p));
    struct sockaddr_in any = loopback(0);
    socklen_t len = sizeof(any);
    p->target_port = target_port;
    p->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    p->ping_fd = eventfd(0, EFD_CLOEXEC);
    p->stop_fd = eventfd(0, EFD_CLOEXEC);
    sem_init(&p->answered, 0, 0);
    if (bind(p->listen_fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
        listen(p->listen_fd, 1) < 0 || getsockname(p->listen_fd, (struct sockaddr *)&any, &len) < 0)
        die("pinger");
    p->port = ntohs(any.sin_port);
    if (pthread_create(&p->thread, NULL, run, p) != 0)
        die("pinger thread");
    return p;
}

uint16_t pinger_port(const struct pinger *p)
{
    return p->port;
}

void pinger_ping(struct pinger *p)
{
    (void)!write(p->ping_fd, &(uint64_t){1}, sizeof(uint64_t));
    struct timespec until;
    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_sec += 60;
    if (sem_timedwait(&p->answered, &until) != 0)
        die("no answer to a ping");
}

void pinger_stop(struct pinger *p)
{
    (void)!write(p->stop_fd, &(uint64_t){1}, sizeof(uint64_t));
    pthread_join(p->thread, NULL);
    close(p->listen_fd);
    close(p->ping_fd);
    close(p->stop_fd);
    free(p);
}
