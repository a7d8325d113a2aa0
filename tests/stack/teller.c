/* The relay: one thread, a lock around all it knows, and pairs of sockets with what is not yet a
 * whole PDU. */
#include "stack/teller.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PAIR_CNT 8
#define ROOM     (1u << 20) /* more than any PDU */
#define BHS_LEN  48u

enum opcode {
    LOGIN_REQ = 0x03,
    LOGIN_RSP = 0x23,
    DATA_IN = 0x25,
    R2T = 0x31,
    ASYNC = 0x32,
};

struct stream {
    uint8_t bytes[ROOM];
    uint32_t len;
};

struct pair {
    int initiator, target; /* -1: free */
    struct stream up, down;
    uint32_t shift;        /* messages added */
    uint32_t next_stat_sn; /* as the initiator sees it */
    uint8_t window[8];     /* ExpCmdSN, MaxCmdSN of the target's last PDU */
};

struct teller {
    pthread_t thread;
    pthread_mutex_t lock;
    int listen_fd, control[2];
    uint16_t port, target_port, redirect_port;
    uint8_t redirect_detail;
    unsigned redirect_cnt;
    struct pair *pairs;
};

static void die(const char *what)
{
    perror(what);
    abort();
}

static uint32_t get32(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

static struct sockaddr_in loopback(uint16_t port)
{
    return (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
}

static void pair_close(struct pair *p, bool abortive)
{
    struct linger now = {.l_onoff = 1, .l_linger = 0};
    if (p->initiator < 0)
        return;
    if (abortive)
        setsockopt(p->initiator, SOL_SOCKET, SO_LINGER, &now, sizeof(now));
    close(p->initiator);
    if (p->target >= 0)
        close(p->target);
    p->initiator = p->target = -1;
}

static bool send_all(int fd, const uint8_t *bytes, uint32_t len)
{
    for (uint32_t sent = 0; sent < len;) {
        ssize_t n = send(fd, bytes + sent, len - sent, MSG_NOSIGNAL);
        if (n <= 0)
            return false;
        sent += (uint32_t)n;
    }
    return true;
}

static void pair_accept(struct teller *t)
{
    struct sockaddr_in to = loopback(t->target_port);
    int fd = accept4(t->listen_fd, NULL, NULL, SOCK_CLOEXEC);
    for (unsigned i = 0; fd >= 0 && i < PAIR_CNT; i++) {
        struct pair *p = &t->pairs[i];
        if (p->initiator >= 0)
            continue;
        p->up.len = p->down.len = p->shift = 0;
        p->initiator = fd;
        p->target = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        if (connect(p->target, (struct sockaddr *)&to, sizeof(to)) < 0)
            pair_close(p, false);
        return;
    }
    die("teller: no room");
}

static uint32_t padded(uint32_t len)
{
    return (len + 3) & ~3u;
}

/* RFC 7143 11.13: to somewhere else. */
static bool redirect(struct teller *t, const struct pair *p, const uint8_t *req)
{
    uint8_t rsp[BHS_LEN + 64] = {LOGIN_RSP};
    int len = snprintf((char *)rsp + BHS_LEN, 64, "TargetAddress=127.0.0.1:%u,1", t->redirect_port);
    len++; /* the NUL */
    rsp[7] = (uint8_t)len;
    memcpy(rsp + 8, req + 8, 6);   /* ISID */
    memcpy(rsp + 16, req + 16, 4); /* ITT */
    memcpy(rsp + 28, req + 24, 4); /* its CmdSN: ExpCmdSN, MaxCmdSN */
    memcpy(rsp + 32, req + 24, 4);
    rsp[36] = 1;
    rsp[37] = t->redirect_detail;
    t->redirect_cnt++;
    return send_all(p->initiator, rsp, BHS_LEN + padded((uint32_t)len));
}

static bool pdu_up(struct teller *t, struct pair *p, uint8_t *pdu, uint32_t len)
{
    if ((pdu[0] & 0x3f) == LOGIN_REQ && t->redirect_port != 0)
        return redirect(t, p, pdu);
    put32(pdu + 28, get32(pdu + 28) - p->shift);
    return send_all(p->target, pdu, len);
}

/* A Data-In without status has no StatSN; an R2T and a NOP-In of the target's own only show the
 * next one. */
static bool pdu_down(struct teller *t, struct pair *p, uint8_t *pdu, uint32_t len)
{
    (void)t;
    uint8_t opcode = pdu[0] & 0x3f;
    if (opcode != DATA_IN || (pdu[1] & 1) != 0) {
        uint32_t stat_sn = get32(pdu + 24) + p->shift;
        bool takes_one = opcode != R2T && get32(pdu + 16) != UINT32_MAX;
        put32(pdu + 24, stat_sn);
        p->next_stat_sn = stat_sn + takes_one;
    }
    memcpy(p->window, pdu + 28, sizeof(p->window));
    return send_all(p->initiator, pdu, len);
}

/* Whole PDUs go on, the rest stays. False: the pair is over. */
static bool relay(struct teller *t, struct pair *p, bool up)
{
    struct stream *s = up ? &p->up : &p->down;
    uint32_t at = 0;
    ssize_t n = recv(up ? p->initiator : p->target, s->bytes + s->len, ROOM - s->len, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN;
    s->len += (uint32_t)n;
    while (s->len - at >= BHS_LEN) {
        uint8_t *pdu = s->bytes + at;
        uint32_t len = BHS_LEN + 4u * pdu[4] + padded(get32(pdu + 4) & 0xffffff);
        if (s->len - at < len)
            break;
        if (!(up ? pdu_up : pdu_down)(t, p, pdu, len))
            return false;
        at += len;
    }
    memmove(s->bytes, s->bytes + at, s->len - at);
    s->len -= at;
    return n > 0;
}

static void serve(struct teller *t, const struct pollfd *fds)
{
    for (unsigned i = 0; i < PAIR_CNT; i++) {
        struct pair *p = &t->pairs[i];
        if (p->initiator == fds[2 * i].fd && fds[2 * i].revents && !relay(t, p, true))
            pair_close(p, false);
        if (p->initiator >= 0 && p->target == fds[2 * i + 1].fd && fds[2 * i + 1].revents &&
            !relay(t, p, false))
            pair_close(p, false);
    }
}

static void *run(void *arg)
{
    struct teller *t = arg;
    for (;;) {
        struct pollfd fds[2 + 2 * PAIR_CNT] = {{t->listen_fd, POLLIN, 0},
                                               {t->control[0], POLLIN, 0}};
        pthread_mutex_lock(&t->lock);
        for (unsigned i = 0; i < PAIR_CNT; i++) {
            fds[2 + 2 * i] = (struct pollfd){t->pairs[i].initiator, POLLIN, 0};
            fds[3 + 2 * i] = (struct pollfd){t->pairs[i].target, POLLIN, 0};
        }
        pthread_mutex_unlock(&t->lock);
        if (poll(fds, 2 + 2 * PAIR_CNT, -1) < 0 && errno != EINTR)
            die("teller: poll");
        char c = 0;
        if (fds[1].revents && read(t->control[0], &c, 1) == 1 && c == 'q')
            return NULL;
        pthread_mutex_lock(&t->lock);
        if (fds[0].revents)
            pair_accept(t);
        serve(t, fds + 2);
        pthread_mutex_unlock(&t->lock);
    }
}

struct teller *teller_start(uint16_t target_port)
{
    struct teller *t = calloc(1, sizeof(*t));
    struct sockaddr_in any = loopback(0);
    socklen_t len = sizeof(any);
    t->target_port = target_port;
    t->pairs = calloc(PAIR_CNT, sizeof(*t->pairs));
    for (unsigned i = 0; i < PAIR_CNT; i++)
        t->pairs[i].initiator = t->pairs[i].target = -1;
    pthread_mutex_init(&t->lock, NULL);
    t->listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (bind(t->listen_fd, (struct sockaddr *)&any, sizeof(any)) < 0 ||
        listen(t->listen_fd, 16) < 0 ||
        getsockname(t->listen_fd, (struct sockaddr *)&any, &len) < 0 || pipe(t->control) < 0)
        die("teller");
    t->port = ntohs(any.sin_port);
    if (pthread_create(&t->thread, NULL, run, t) != 0)
        die("teller: thread");
    return t;
}

uint16_t teller_port(const struct teller *t)
{
    return t->port;
}

/* RFC 7143 11.9: tag FFFFFFFFh, and a StatSN of its own. */
static void tell(struct pair *p, const struct teller_async *a)
{
    uint8_t pdu[BHS_LEN + 24] = {ASYNC, 0x80};
    uint32_t len = a->sense_len > 0 ? 2u + a->sense_len : 0;
    pdu[7] = (uint8_t)len;
    memset(pdu + 16, 0xff, 4);
    put32(pdu + 24, p->next_stat_sn++);
    memcpy(pdu + 28, p->window, sizeof(p->window));
    pdu[36] = a->event;
    for (unsigned i = 0; i < 3; i++) {
        pdu[38 + 2 * i] = (uint8_t)(a->param[i] >> 8);
        pdu[39 + 2 * i] = (uint8_t)a->param[i];
    }
    pdu[BHS_LEN + 1] = a->sense_len;
    memcpy(pdu + BHS_LEN + 2, a->sense, a->sense_len);
    p->shift++;
    (void)send_all(p->initiator, pdu, BHS_LEN + padded(len)); /* if not, the thread sees it too */
}

void teller_async(struct teller *t, const struct teller_async *async)
{
    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < PAIR_CNT; i++)
        if (t->pairs[i].initiator >= 0)
            tell(&t->pairs[i], async);
    pthread_mutex_unlock(&t->lock);
}

void teller_redirect(struct teller *t, uint16_t port, uint8_t detail)
{
    pthread_mutex_lock(&t->lock);
    t->redirect_port = port;
    t->redirect_detail = detail;
    pthread_mutex_unlock(&t->lock);
}

unsigned teller_redirected(struct teller *t)
{
    pthread_mutex_lock(&t->lock);
    unsigned cnt = t->redirect_cnt;
    pthread_mutex_unlock(&t->lock);
    return cnt;
}

static void wake(struct teller *t, char c)
{
    if (write(t->control[1], &c, 1) != 1)
        die("teller: control");
}

void teller_cut(struct teller *t)
{
    pthread_mutex_lock(&t->lock);
    for (unsigned i = 0; i < PAIR_CNT; i++)
        pair_close(&t->pairs[i], true);
    pthread_mutex_unlock(&t->lock);
    wake(t, 'w'); /* from a poll of what is closed now */
}

void teller_stop(struct teller *t)
{
    wake(t, 'q');
    pthread_join(t->thread, NULL);
    for (unsigned i = 0; i < PAIR_CNT; i++)
        pair_close(&t->pairs[i], false);
    close(t->listen_fd);
    close(t->control[0]);
    close(t->control[1]);
    pthread_mutex_destroy(&t->lock);
    free(t->pairs);
    free(t);
}
